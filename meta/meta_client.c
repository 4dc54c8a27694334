/* meta_client: the vtable's calls with the contract asserted around them, and the waiting call. */
#include "meta/meta_client.h"
#include "common/assert.h"
#include "common/cleanup.h"

static void meta_check_change(const struct meta_req *r)
{
    if (r->op == META_CHANGE)
        VS_ASSERT(r->entry != NULL);
    if (r->op == META_REG_CREATE || r->op == META_REG_READ || r->op == META_REG_CHANGE)
        VS_ASSERT(r->reg_count <= META_REGISTER_BATCH_MAX &&
                  (r->reg_count == 0 || r->regs != NULL));
}

static void meta_check_read(const struct meta_req *r)
{
    if (r->op == META_LOOKUP || r->op == META_GETXATTR)
        VS_ASSERT(r->name != NULL);
    if (r->op == META_READDIR)
        VS_ASSERT(r->dirents != NULL && r->dirents_max > 0);
    if (r->op == META_NODES)
        VS_ASSERT(r->nodes != NULL || r->nodes_max == 0);
    if (r->op == META_SCAN)
        VS_ASSERT((r->scan_u64 != NULL || r->scan_ids != NULL) && r->scan_max > 0 &&
                  r->scan_max <= META_LIST_MAX);
    if (meta_op_feed(r->op))
        VS_ASSERT(r->wait_ms <= META_CHANGES_WAIT_MS_MAX);
}

void meta_submit(struct meta_client *c, struct meta_req *r)
{
    VS_ASSERT(r->done != NULL);
    meta_check_change(r);
    meta_check_read(r);
    c->ops->submit(c, r);
}

struct meta_wait {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done; /* under lock */
};

static void meta_call_done(struct meta_req *r)
{
    struct meta_wait *w = r->waiter;
    VS_LOCK_SCOPE(&w->lock);

    w->is_done = true;
    pthread_cond_signal(&w->wake);
}

int meta_call(struct meta_client *c, struct meta_req *r)
{
    struct meta_wait w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

    r->done = meta_call_done;
    r->waiter = &w;
    meta_check_change(r);
    meta_check_read(r);
    if (c->ops->answer != NULL && c->ops->answer(c, r))
        return r->status;
    meta_submit(c, r);
    pthread_mutex_lock(&w.lock);
    while (!w.is_done)
        pthread_cond_wait(&w.wake, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.wake);
    pthread_mutex_destroy(&w.lock);
    return r->status;
}

void meta_client_owner(struct meta_client *c, uint16_t *ret_pid, uint32_t *ret_inc)
{
    *ret_pid = c->pid;
    *ret_inc = c->inc;
    if (c->ops->owner != NULL)
        c->ops->owner(c, ret_pid, ret_inc);
}

void meta_client_stop(struct meta_client *c)
{
    if (c != NULL)
        c->ops->stop(c);
}
