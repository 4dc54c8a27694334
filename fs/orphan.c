/* orphan: FORGETs on their way to the journal. See the header.
 *
 * Each entry that goes alone costs a sync, and `rm -r` would pay two per file. So they are gathered
 * for ORPHAN_GATHER_NS, or until they are ORPHAN_GATHER_MAX, and go together: the journal syncs
 * what comes together at once. */
#include "fs/orphan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include <stdlib.h>

/* Nobody waits for them but a stop. One mount per process. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t fell;
    struct vs_list gathered;
    unsigned gathered_count;
    unsigned count; /* not answered yet, gathered ones included */
    bool timed;     /* the job is with `exec`, or runs */
    struct vs_exec *exec;
    struct vs_job job;
} forgets = { .lock = PTHREAD_MUTEX_INITIALIZER,
              .fell = PTHREAD_COND_INITIALIZER,
              .gathered = VS_LIST_INIT(forgets.gathered) };

struct forget {
    struct vs_list link;
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

/* All that are gathered go. */
static void forgets_send(void)
{
    struct vs_list going = VS_LIST_INIT(going), *pos, *next;

    pthread_mutex_lock(&forgets.lock);
    vs_list_for_each (pos, next, &forgets.gathered) {
        vs_list_del(pos);
        vs_list_add_tail(&going, pos);
    }
    forgets.gathered_count = 0;
    pthread_mutex_unlock(&forgets.lock);
    vs_list_for_each (pos, next, &going) {
        struct forget *f = vs_container_of(pos, struct forget, link);

        meta_submit(f->fs->meta, &f->req);
    }
}

static void forgets_due(struct vs_job *job)
{
    (void)job;
    forgets_send();
    VS_LOCK_SCOPE(&forgets.lock);
    forgets.timed = false;
    pthread_cond_broadcast(&forgets.fell);
}

/* True: there are enough, they are to go now. */
static bool forgets_gather(struct forget *f)
{
    VS_LOCK_SCOPE(&forgets.lock);
    while (forgets.count >= ORPHAN_FORGETS_MAX)
        pthread_cond_wait(&forgets.fell, &forgets.lock);
    forgets.count++;
    vs_list_add_tail(&forgets.gathered, &f->link);
    if (++forgets.gathered_count >= ORPHAN_GATHER_MAX)
        return true;
    if (!forgets.timed) {
        forgets.timed = true;
        forgets.exec = f->fs->ops;
        forgets.job.fn = forgets_due;
        vs_exec_after(forgets.exec, &forgets.job, ORPHAN_GATHER_NS);
    }
    return false;
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
    f->entry = (struct ns_entry){
        .kind = NS_E_FORGET, .now = vsfs_now(fs), .ino = ino, .mount = fs->mount
    };
    f->req = (struct meta_req){ .op = META_CHANGE, .done = forget_done, .entry = &f->entry };
    if (forgets_gather(f))
        forgets_send();
}

void orphan_wait(void)
{
    forgets_send();
    VS_LOCK_SCOPE(&forgets.lock);
    if (forgets.timed && vs_exec_cancel_after(forgets.exec, &forgets.job) == 1)
        forgets.timed = false;
    while (forgets.count > 0 || forgets.timed)
        pthread_cond_wait(&forgets.fell, &forgets.lock);
}
