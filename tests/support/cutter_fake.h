/* cutter_fake: a live cutter without libavformat, for tests of uploads: it knows where the
 * keyframes are, reports them from a thread of its own as the bytes come by, and misbehaves on
 * command.
 *
 * It defines the functions of ingest/cutter.h that uploads call, in place of the real ones. */
#ifndef VS_TESTS_CUTTER_FAKE_H
#define VS_TESTS_CUTTER_FAKE_H

#include "ingest/cutter.h"

#define CUTTER_FAKE_KEYFRAMES_MAX 4096

struct cutter_fake; /* the real one is opaque to uploads, so this can stand for it */

/* keyframes: offsets, ascending; at time 1000 ms * their index. */
struct cutter *cutter_fake_new(const uint64_t *keyframes, unsigned count);
/* All streams must have been freed. Fails the test when one was fed other bytes than it should. */
void cutter_fake_free(struct cutter *c);

/* Whether heads look like video: cutter_expects_keyframes(). Default true. */
void cutter_fake_expect(bool expects);
/* What cutter_live_open() answers from now on; 0: it works. */
void cutter_fake_open_status(struct cutter *c, int status);
/* Hold cutter_live_open() up until it is let go. */
void cutter_fake_hold_open(struct cutter *c, bool hold);
/* What feeds answer from now on: 0, -EAGAIN, -EPIPE. */
void cutter_fake_feed_status(struct cutter *c, int status);
/* The next so many feeds answer -EAGAIN. */
void cutter_fake_refuse(struct cutter *c, unsigned feeds);
/* Report nothing from now on, not even the end. */
void cutter_fake_mute(struct cutter *c, bool mute);
/* Reports stay so many bytes behind what was fed, until the end. */
void cutter_fake_lag(struct cutter *c, uint64_t bytes);
/* Report that no more will come when so many bytes were fed, as a child that died. */
void cutter_fake_die_at(struct cutter *c, uint64_t bytes);

uint64_t cutter_fake_fed(struct cutter *c);
unsigned cutter_fake_opened(struct cutter *c);

#endif
