/* cutter: libavformat in child processes: keyframes of a stream while it is being copied in, and
 * the description of a stored video. A child that crashes, hangs or talks nonsense costs that file
 * its keyframe cut or its description, nothing else.
 *
 * Children are exec'ed from this program (`vstackfs --cutter MODE`) with pipes on fixed
 * descriptors; every message is length-limited and validated (cutter_proto.h).
 *
 * Threads: any. Callbacks come from the cutter's own threads, exactly once where it says so, never
 * inside the call. */
#ifndef VS_INGEST_CUTTER_H
#define VS_INGEST_CUTTER_H

#include "meta/manifest.h"

#define CUTTER_KEYFRAMES_MAX      (1u << 20)
#define CUTTER_LIVE_LAG_BYTES_MAX (32u << 20) /* fed and not yet read by the child */

struct cutter;

/* `program`: absolute path to exec (/proc/self/exe). */
int cutter_start(struct cutter **ret, const char *program);
void cutter_stop(struct cutter *c); /* ends children; forgives NULL */

/* ---- live: one stream while it arrives ---- */

struct cutter_live;
/* A keyframe of the video stream begins at or after `offset` (cut at or below it), shown at
 * time_ms. Ascending offsets. `parsed`: everything below it has been looked at, so no further
 * keyframe will be reported below. Progress without a keyframe is reported too, about every MiB,
 * with offset UINT64_MAX - 1 (CUT_NO_KEYFRAME): cuts wait for it. Called with offset UINT64_MAX
 * once when no more will come (end, failure, kill). */
typedef void cutter_keyframe_fn(void *arg, uint64_t offset, uint32_t time_ms, uint64_t parsed);

/* head: the first bytes of the file (>= 4 KiB or the whole file). -ENOTSUP: no video that can be
 * cut live (not a known container, or its index comes last): cut by size. */
int cutter_live_open(struct cutter_live **ret, struct cutter *c, const void *head, size_t head_len,
                     const char *name, size_t name_len, cutter_keyframe_fn *fn, void *arg);
/* Bytes at the stream's end, copied or queued; never blocks. -EAGAIN: the child lags more than
 * CUTTER_LIVE_LAG_BYTES_MAX behind and nothing was taken: try again soon, or give up on it. -EPIPE:
 * it is gone. */
int cutter_live_feed(struct cutter_live *l, const void *bytes, size_t len);
/* No more bytes. */
void cutter_live_end(struct cutter_live *l);
/* fn is not called after this returned. Kills the child if it still runs. Forgives NULL. */
void cutter_live_free(struct cutter_live *l);

/* Whether a file that begins so is expected to be cut at keyframes (true), or is exempt: no video,
 * or its index comes last. */
bool cutter_expects_keyframes(const void *head, size_t head_len);

/* ---- probe: a stored file, seekable ---- */

/* Bytes of the file at offset; blocks; the number of bytes (0 at the end) or a negative code. */
typedef int64_t cutter_read_fn(void *arg, uint64_t offset, void *dst, size_t len);

struct cutter_keyframe {
    uint64_t offset;
    uint32_t time_ms;
};

struct cutter_probe_result {
    struct mf_media media;             /* without the time map; container "" when it is no video */
    struct cutter_keyframe *keyframes; /* owned, ascending by offset; may be empty */
    size_t keyframe_count;
};

/* Look at a whole file: opens it as libavformat would, records every range it touched (probe pack),
 * streams, duration, bitrate, index ranges; keyframes where an index gives them cheaply.
 * Blocks (run it on a thread for this); time limit inside. 0 also when it is no video;
 * -ETIMEDOUT, -EPIPE the child died, -VS_ECORRUPT it talked nonsense. */
int cutter_probe(struct cutter *c, uint64_t file_bytes, const char *name, size_t name_len,
                 cutter_read_fn *read, void *arg, struct cutter_probe_result *ret);
void cutter_probe_result_close(struct cutter_probe_result *r);

/* main() of the child: `vstackfs --cutter live|probe`. Returns the exit code. */
int cutter_child_main(int argc, char **argv);

#endif
