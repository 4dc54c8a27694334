/* segment_copy: new segments of a manifest, kept on stores beside their registers, so that the
 * stores alone can tell what a file consists of (meta/segment_note.h).
 *
 * Happy path: each goes to up to SEGMENT_COPY_STORES stores that are up, and all say that they have
 * it. Failure: those that did not answer in SEGMENT_COPY_WAIT_MS are not waited for once more than
 * half have it durable; a store that refuses is done without; with none at all the upload goes on
 * as well: the registers have it all. A copy that lands after its segment was given up is left
 * over, and found by the next audit.
 *
 * Threads: any; the env's lock. */
#ifndef VS_INGEST_SEGMENT_COPY_H
#define VS_INGEST_SEGMENT_COPY_H

#include "ingest/upload_env.h"

#define SEGMENT_COPY_STORES  5 /* so three have it: with any two of them lost, one is left */
#define SEGMENT_COPY_WAIT_MS 200

struct segment_copy;
/* Once, when enough are durable or all have answered; on a store's thread, or in the call of
 * segment_copy_put(). Under no lock. */
typedef void segment_copy_fn(void *arg);

/* note: of all of them but the offset; count: 1 .. segments to come. -ENOMEM */
int segment_copy_new(struct segment_copy **ret, struct upload_env *env,
                     struct upload_session *session, const struct frag_note *note, unsigned count);
/* The next one. `payload` moves here. */
void segment_copy_add(struct segment_copy *c, const struct vs_id *id, uint64_t offset,
                      struct vs_buf *payload);
/* Sends them; it frees itself when the last answer is there. */
void segment_copy_put(struct segment_copy *c, segment_copy_fn *done, void *arg);
/* One that was never sent. Forgives NULL. */
void segment_copy_free(struct segment_copy *c);

#endif
