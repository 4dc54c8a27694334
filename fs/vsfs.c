/* vsfs: what every file-system operation needs of the mount: the time, and one journal change.
 *
 * Failure: a change answers what the journal answered; it is not tried again. */
#include "fs/vsfs.h"
#include "common/assert.h"
#include "common/err.h"
#include "fs/feed_follow.h"

struct ns_time vsfs_now(const struct vsfs *fs)
{
    int64_t ns = vs_real_ns(fs->clock);
    int64_t s = ns / VS_NS_PER_S;

    if (ns % VS_NS_PER_S < 0)
        s--;
    return (struct ns_time){ .s = s, .ns = (uint32_t)(ns - s * VS_NS_PER_S) };
}

int vsfs_change(struct vsfs *fs, const struct ns_entry *e, struct ns_answer *ret)
{
    struct ns_entry entry = *e;
    struct meta_req req = { .op = META_CHANGE, .entry = &entry };
    int r;

    if (entry.now.s == 0 && entry.now.ns == 0)
        entry.now = vsfs_now(fs);
    r = meta_call(fs->meta, &req);
    if (r == 0 && entry.kind != NS_E_RESERVE)
        atomic_fetch_add(&fs->changes, 1);
    VS_ASSERT(r <= 0);
    if (r == -VS_EDOWN)
        feed_follow_doubt(fs); /* it may be carried out, now or soon */
    if (ret != NULL) {
        *ret = req.answer;
        ret->status = r;
    }
    return r;
}
