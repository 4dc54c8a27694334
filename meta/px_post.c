/* Bodies of POST /px; see the header.
 *
 * Happy path: frame after frame. Failure modes: a body that ends inside a frame, one with more
 * frames than any sender puts into it, frames of several senders: refused as a whole. */
#include "meta/px_post.h"

#include "common/err.h"

int px_post_split(const void *bytes, size_t len, struct px_post *ret)
{
    const uint8_t *at = bytes;

    ret->count = 0;
    ret->pid = 0;
    while (len > 0) {
        int frame = px_frame_length(at, len);

        if (frame < 0)
            return frame;
        if (frame == 0 || (size_t)frame > len || ret->count == PX_POST_FRAMES_MAX)
            return -VS_ECORRUPT;
        ret->frame[ret->count++] =
            (struct px_post_frame){ .bytes = at, .len = (size_t)frame, .kind = px_frame_kind(at) };
        at += frame;
        len -= (size_t)frame;
    }
    return ret->count > 0 ? (int)ret->count : -VS_ECORRUPT;
}

static struct px_post_peer *peer_of(struct px_post_gate *g, uint32_t pid)
{
    for (unsigned i = 0; i < g->peers; i++)
        if (g->peer[i].pid == pid)
            return &g->peer[i];
    return NULL;
}

/* What a newcomer asks, which has no incarnation yet, whether it is known or not: it changes
 * nothing that the journal has not decided on. */
static bool is_newcomers(const struct px_frame *f)
{
    return f->head.inc == 0 && (f->kind == PX_FRAME_MOVE || f->kind == PX_FRAME_SNAP);
}

void px_post_know(struct px_post_gate *g, uint32_t pid)
{
    if (peer_of(g, pid) == NULL && g->peers < PX_MEMBERS_MAX)
        g->peer[g->peers++] = (struct px_post_peer){ .pid = pid };
}

int px_post_judge(struct px_post_gate *g, struct px_post *p)
{
    struct px_post_peer newcomer = { 0 };
    struct px_post_peer *peer = NULL;
    uint32_t inc = 0;

    for (unsigned i = 0; i < p->count; i++) {
        struct px_frame f;
        int r = px_frame_open(p->frame[i].bytes, p->frame[i].len, &f);

        if (r < 0)
            return r;
        if (vs_id_cmp(&f.head.cluster, &g->cluster) != 0)
            return -EXDEV;
        if (peer == NULL && is_newcomers(&f)) {
            newcomer.pid = f.head.pid;
            peer = &newcomer;
        }
        if (peer == NULL)
            peer = peer_of(g, f.head.pid);
        if (peer == NULL || f.head.pid != peer->pid || (peer == &newcomer && !is_newcomers(&f)))
            return -EPERM;
        if (f.head.inc < peer->inc)
            return -ESTALE;
        if (f.head.inc > inc)
            inc = f.head.inc;
    }
    if (peer == NULL)
        return -VS_ECORRUPT;
    peer->inc = inc;
    p->pid = peer->pid;
    return 0;
}
