/* px_post: what the body of a POST /px consists of, and whether its sender may be heard.
 *
 * A body is frames of meta/px_frame.h in a row, whole, at least one. All of them are checked before
 * the first is handed on: lengths and checksums; the cluster; that the sender is one of the other
 * replicas, the same for all (but for what a newcomer asks: membership and snapshots); and that it
 * is not a former life of it: an incarnation lower than one that was heard.
 *
 * Pure. Threads: the owner serialises calls on one gate. */
#ifndef VS_META_PX_POST_H
#define VS_META_PX_POST_H

#include "meta/px_frame.h"

#define PX_POST_FRAMES_MAX 256
#define PX_POST_BYTES_MAX  (PX_FRAME_JOURNAL_BYTES_MAX + (1u << 20)) /* of a body */

/* Who may be heard. */
struct px_post_gate {
    struct vs_id cluster;
    unsigned peers;
    struct px_post_peer {
        uint32_t pid;
        uint32_t inc; /* the highest heard; 0: none yet */
    } peer[PX_MEMBERS_MAX];
};

struct px_post_frame {
    const uint8_t *bytes; /* into the body */
    size_t len;
    uint8_t kind;
};

struct px_post {
    uint32_t pid; /* who says it is the sender */
    unsigned count;
    struct px_post_frame frame[PX_POST_FRAMES_MAX];
};

/* How many frames there are, 1 ..; only what is in front of them is looked at. -VS_ECORRUPT: not
 * frames from end to end, or too many; -VS_ENEWER */
int px_post_split(const void *bytes, size_t len, struct px_post *ret);

/* May these frames be heard? Looks at each to its end, and notes the incarnation. -VS_ECORRUPT,
 * -VS_ENEWER; -EXDEV: of another cluster; -EPERM: not of another replica; -ESTALE: of a former life
 * of it. */
int px_post_judge(struct px_post_gate *g, struct px_post *p);
/* A replica that has become a member: it may be heard from now on. */
void px_post_know(struct px_post_gate *g, uint32_t pid);

#endif
