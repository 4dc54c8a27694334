/* tend: see the header. */
#include "fs/tend.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include <stdlib.h>

struct tend {
    struct vsfs *fs;
    struct vs_job job;
    struct ns_entry entry;
    struct meta_req req;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    bool timed, asking, stopping; /* under lock */
};

/* Under t->lock. */
static void tend_later(struct tend *t)
{
    t->timed = true;
    vs_exec_after(t->fs->exec, &t->job, TEND_S * VS_NS_PER_S);
}

/* Under t->lock. */
static void tend_end(struct tend *t)
{
    if (!t->stopping)
        tend_later(t);
    pthread_cond_broadcast(&t->idle);
}

static void tend_touched(struct meta_req *req)
{
    struct tend *t = vs_container_of(req, struct tend, req);

    if (req->status < 0)
        vs_warn("uploads: no sign of life could be given (%s) -> again in %d s",
                vs_err_text(req->status), TEND_S);
    VS_LOCK_SCOPE(&t->lock);
    t->asking = false;
    tend_end(t);
}

static void tend_job(struct vs_job *job)
{
    struct tend *t = vs_container_of(job, struct tend, job);
    bool stopping, asks;

    pthread_mutex_lock(&t->lock);
    stopping = t->stopping;
    if (stopping) {
        t->timed = false;
        pthread_cond_broadcast(&t->idle);
    }
    pthread_mutex_unlock(&t->lock);
    if (stopping)
        return;
    collect_wake(t->fs->collect);
    asks = upload_env_sessions(t->fs->uploads) > 0;
    t->entry = (struct ns_entry){ .kind = NS_E_SESSION_TOUCH,
                                  .now = vsfs_now(t->fs),
                                  .mount = t->fs->mount };
    t->req = (struct meta_req){ .op = META_CHANGE, .entry = &t->entry, .done = tend_touched };
    pthread_mutex_lock(&t->lock);
    t->timed = false; /* until now a stop waits for us */
    t->asking = asks;
    if (!asks)
        tend_end(t);
    pthread_mutex_unlock(&t->lock);
    if (asks)
        meta_submit(t->fs->meta, &t->req);
}

int tend_start(struct tend **ret, struct vsfs *fs)
{
    struct tend *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return -ENOMEM;
    t->fs = fs;
    t->job.fn = tend_job;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->idle, NULL);
    pthread_mutex_lock(&t->lock);
    tend_later(t);
    pthread_mutex_unlock(&t->lock);
    *ret = t;
    return 0;
}

void tend_stop(struct tend *t)
{
    if (t == NULL)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    if (t->timed && vs_exec_cancel_after(t->fs->exec, &t->job) == 1)
        t->timed = false;
    while (t->timed || t->asking)
        pthread_cond_wait(&t->idle, &t->lock);
    pthread_mutex_unlock(&t->lock);
    pthread_cond_destroy(&t->idle);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
