/* orphan: FORGETs on their way to the journal. */
#include "fs/orphan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include <stdlib.h>

/* FORGETs on their way: nobody waits for them but a stop. One mount per process. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t fell;
    unsigned count;
} forgets = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

struct forget {
    struct vsfs *fs;
    struct ns_entry entry;
    struct meta_req req;
};

static void forget_done(struct meta_req *req)
{
    struct forget *f = vs_container_of(req, struct forget, req);

    if (req->status < 0 && req->status != -ENOENT)
        vs_warn("inode %llu: %s -> its space is freed at the next start",
                (unsigned long long)f->entry.ino, vs_err_text(req->status));
    else if (f->fs->collect != NULL)
        collect_wake(f->fs->collect);
    free(f);
    VS_LOCK_SCOPE(&forgets.lock);
    forgets.count--;
    pthread_cond_broadcast(&forgets.fell);
}

/* Until fewer than `below` are on their way. */
static void forgets_wait(unsigned below)
{
    while (forgets.count >= below)
        pthread_cond_wait(&forgets.fell, &forgets.lock);
}

void orphan_forget(struct vsfs *fs, uint64_t ino)
{
    struct forget *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        vs_warn("inode %llu: out of memory -> its space is freed at the next start",
                (unsigned long long)ino);
        return;
    }
    f->fs = fs;
    f->entry = (struct ns_entry){ .kind = NS_E_FORGET, .now = vsfs_now(fs), .ino = ino };
    f->req = (struct meta_req){ .op = META_CHANGE, .done = forget_done, .entry = &f->entry };
    pthread_mutex_lock(&forgets.lock);
    forgets_wait(ORPHAN_FORGETS_MAX);
    forgets.count++;
    pthread_mutex_unlock(&forgets.lock);
    meta_submit(fs->meta, &f->req);
}

void orphan_wait(void)
{
    VS_LOCK_SCOPE(&forgets.lock);
    forgets_wait(1);
}
