/* meta_fail: see meta_fail.h. */
#include "tests/support/meta_fail.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <stdlib.h>

struct meta_fail {
    struct meta_client client;
    struct meta_client *inner;
    struct vs_exec *exec;
    pthread_mutex_t lock;
    /* under lock */
    enum ns_entry_kind kind;
    int change_status, register_status;
    uint32_t one;
    bool hold;
    struct vs_list held; /* meta_req.link */
    unsigned requests, registers;
};

static void answer(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);

    r->done(r);
}

static void refuse(struct meta_fail *f, struct meta_req *r, int status)
{
    r->status = status;
    r->job.fn = answer;
    vs_exec_submit(f->exec, &r->job);
}

/* Refuse one register, the others are not even tried; or all of the request, answering none. */
static void refuse_registers(struct meta_fail *f, struct meta_req *r)
{
    for (uint32_t i = 0; i < r->reg_count; i++) {
        if (i == f->one)
            r->regs[i].status = f->register_status;
    }
    refuse(f, r, f->register_status);
}

static void fail_submit(struct meta_client *c, struct meta_req *r)
{
    struct meta_fail *f = vs_container_of(c, struct meta_fail, client);

    pthread_mutex_lock(&f->lock);
    if (r->op == META_REG_CREATE) {
        f->requests++;
        f->registers += r->reg_count;
    }
    if (r->op == META_REG_CREATE && f->hold) {
        vs_list_add_tail(&f->held, &r->link);
        r = NULL;
    } else if (r->op == META_REG_CREATE && f->register_status < 0) {
        refuse_registers(f, r);
        r = NULL;
    } else if (r->op == META_CHANGE && f->change_status < 0 && r->entry->kind == f->kind) {
        refuse(f, r, f->change_status);
        r = NULL;
    }
    pthread_mutex_unlock(&f->lock);
    if (r != NULL)
        meta_submit(f->inner, r);
}

static void fail_stop(struct meta_client *c)
{
    struct meta_fail *f = vs_container_of(c, struct meta_fail, client);

    VS_ASSERT(vs_list_empty(&f->held));
    meta_client_stop(f->inner);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static const struct meta_client_ops fail_ops = { .submit = fail_submit, .stop = fail_stop };

struct meta_client *meta_fail_new(struct meta_client *inner, struct vs_exec *exec)
{
    struct meta_fail *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL);
    f->client = *inner;
    f->client.ops = &fail_ops;
    f->inner = inner;
    f->exec = exec;
    pthread_mutex_init(&f->lock, NULL);
    vs_list_init(&f->held);
    return &f->client;
}

void meta_fail_changes(struct meta_client *c, enum ns_entry_kind kind, int status)
{
    struct meta_fail *f = vs_container_of(c, struct meta_fail, client);
    VS_LOCK_SCOPE(&f->lock);

    f->kind = kind;
    f->change_status = status;
}

void meta_fail_registers(struct meta_client *c, uint32_t one, int status)
{
    struct meta_fail *f = vs_container_of(c, struct meta_fail, client);
    VS_LOCK_SCOPE(&f->lock);

    f->one = one;
    f->register_status = status;
}

void meta_fail_hold_registers(struct meta_client *c, bool hold)
{
    struct meta_fail *f = vs_container_of(c, struct meta_fail, client);
    struct vs_list held = VS_LIST_INIT(held);
    struct meta_req *r;

    pthread_mutex_lock(&f->lock);
    f->hold = hold;
    if (!hold)
        vs_list_splice_tail(&held, &f->held);
    pthread_mutex_unlock(&f->lock);
    while ((r = vs_list_first(&held, struct meta_req, link)) != NULL) {
        vs_list_del(&r->link);
        meta_submit(f->inner, r);
    }
}

unsigned meta_fail_requests(struct meta_client *c, unsigned *ret_registers)
{
    struct meta_fail *f = vs_container_of(c, struct meta_fail, client);
    VS_LOCK_SCOPE(&f->lock);

    if (ret_registers != NULL)
        *ret_registers = f->registers;
    return f->requests;
}
