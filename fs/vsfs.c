/* vsfs: what every file-system operation needs of the mount: the time, and one journal change.
 *
 * Failure: a change answers what the journal answered; it is not tried again. */
#include "fs/vsfs.h"
#include "common/assert.h"
#include "common/err.h"
#include "fs/dir_view.h"
#include "fs/feed_follow.h"
#include "fs/inode_table.h"
#include <sys/stat.h>

struct ns_time vsfs_now(const struct vsfs *fs)
{
    int64_t ns = vs_real_ns(fs->clock);
    int64_t s = ns / VS_NS_PER_S;

    if (ns % VS_NS_PER_S < 0)
        s--;
    return (struct ns_time){ .s = s, .ns = (uint32_t)(ns - s * VS_NS_PER_S) };
}

/* Is it known to be a file? */
static bool is_file(struct vsfs *fs, uint64_t ino)
{
    struct inode *i = ino != 0 ? inode_find(fs->inodes, ino) : NULL;
    bool is;

    if (i == NULL)
        return false;
    pthread_mutex_lock(&i->lock);
    is = i->told.ino != 0 && S_ISREG(i->told.mode);
    pthread_mutex_unlock(&i->lock);
    inode_put(fs->inodes, i);
    return is;
}

int vsfs_change(struct vsfs *fs, const struct ns_entry *e, struct ns_answer *ret)
{
    struct ns_entry entry = *e;
    struct meta_req req = { .op = META_CHANGE, .entry = &entry };
    enum dir_view_change what;
    int r;

    if (entry.now.s == 0 && entry.now.ns == 0)
        entry.now = vsfs_now(fs);
    what = dir_view_begin(fs->dirs, &entry, fs->dirs != NULL && is_file(fs, entry.ino));
    r = meta_call(fs->meta, &req);
    req.answer.status = r;
    dir_view_end(fs->dirs, what, &entry, &req.answer);
    VS_ASSERT(r <= 0);
    if (r == -VS_EDOWN)
        feed_follow_doubt(fs); /* it may be carried out, now or soon */
    if (ret != NULL)
        *ret = req.answer;
    return r;
}
