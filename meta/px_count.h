/* px_count: how many messages go between metadata replicas, by kind and direction; what the table
 * of messages per chunk (docs/CHUNKPAXOS.md, 5) is made of.
 *
 * A message is a frame (meta/px_frame.h), or a question that is passed on to the leader, or its
 * reply; several may share one HTTP request. Counted where bytes are handed to HTTP and where they
 * come from it: a frame that was sent and lost is counted by its sender alone. Frames that a
 * coordinator hands to the acceptor of its own replica, and their answers, never see a wire: they
 * are counted apart (PX_COUNT_OWN), as what they would cost a coordinator elsewhere.
 *
 * Pure but for memory of the text. Threads: counting from any. */
#ifndef VS_META_PX_COUNT_H
#define VS_META_PX_COUNT_H

#include "common/metrics.h"
#include "meta/px_frame.h"

enum px_count_kind { /* the kinds of frames, and: */
                     PX_COUNT_QUESTION = PX_FRAME_MOVE + 1,
                     PX_COUNT_REPLY,
                     PX_COUNT_KINDS,
};

enum px_count_way { PX_COUNT_OUT, PX_COUNT_IN, PX_COUNT_OWN, PX_COUNT_WAYS };

struct px_count {
    struct vs_counter messages[PX_COUNT_KINDS][PX_COUNT_WAYS];
    struct vs_counter bytes[PX_COUNT_KINDS][PX_COUNT_WAYS];
    struct vs_counter requests[PX_COUNT_OWN]; /* of HTTP, that carried them */
    struct vs_counter dropped;                /* told, and pushed out of a full queue */
    struct vs_counter failed;                 /* told, and their request failed */
    struct vs_counter refused;                /* requests of strangers, former lives, nonsense */
};

void px_count_one(struct px_count *c, enum px_count_way way, unsigned kind, size_t bytes);
/* Frames in a row; stops at what is none. */
void px_count_frames(struct px_count *c, enum px_count_way way, const void *bytes, size_t len);
/* All of it, as families of a Prometheus text. */
void px_count_text(struct px_count *c, struct vs_metrics_text *t);

#endif
