/* link_mem: see the header. Every message is a job of two threads; an ask lives until both its
 * message and its timer are through. */
#include "tests/support/link_mem.h"
#include "common/assert.h"
#include "common/exec.h"
#include "meta/meta_wire.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct link_mem_end {
    struct px_link link;
    struct link_mem *mem;
    uint32_t pid;
};

struct link_mem {
    struct vs_exec *exec;
    struct link_mem_end end[LINK_MEM_REPLICAS];
    pthread_rwlock_t lock; /* up: held while something is handed to a replica */
    struct meta_replica *up[LINK_MEM_REPLICAS];
    atomic_bool cut[LINK_MEM_REPLICAS][LINK_MEM_REPLICAS];
    _Atomic int64_t delay_ns;
    atomic_uint later; /* messages on their way */
    _Atomic uint64_t tells, asks, answers, questions;
};

static void link_mem_later(struct link_mem *l, struct vs_job *job, vs_job_fn *fn)
{
    int64_t delay = l->delay_ns;

    job->fn = fn;
    l->later++;
    if (delay > 0)
        vs_exec_after(l->exec, job, delay);
    else
        vs_exec_submit(l->exec, job);
}

static bool link_mem_is_cut(struct link_mem *l, uint32_t from, uint32_t to)
{
    return l->cut[from - 1][to - 1];
}

/* ---- telling ---- */

struct mem_tell {
    struct vs_job job;
    struct link_mem *mem;
    uint32_t from, to;
    struct meta_replica_frame frame;
    uint8_t bytes[];
};

static void tell_received(struct meta_replica_frame *f)
{
    struct mem_tell *t = vs_container_of(f, struct mem_tell, frame);

    vs_buf_close(&f->answer);
    free(t);
}

static void tell_arrive(struct vs_job *job)
{
    struct mem_tell *t = vs_container_of(job, struct mem_tell, job);
    struct link_mem *l = t->mem;

    l->later--;
    pthread_rwlock_rdlock(&l->lock);
    if (l->up[t->to - 1] != NULL && !link_mem_is_cut(l, t->from, t->to)) {
        l->tells++;
        meta_replica_receive(l->up[t->to - 1], &t->frame);
    } else {
        free(t);
    }
    pthread_rwlock_unlock(&l->lock);
}

static void mem_tell(struct px_link *link, uint32_t to, const void *frame, size_t len)
{
    struct link_mem_end *e = vs_container_of(link, struct link_mem_end, link);
    struct mem_tell *t;

    VS_ASSERT(to >= 1 && to <= LINK_MEM_REPLICAS && to != e->pid);
    if (link_mem_is_cut(e->mem, e->pid, to))
        return;
    t = malloc(sizeof(*t) + len);
    VS_ASSERT(t != NULL);
    memcpy(t->bytes, frame, len);
    t->mem = e->mem;
    t->from = e->pid;
    t->to = to;
    t->frame = (struct meta_replica_frame){
        .from = e->pid, .bytes = t->bytes, .len = len, .done = tell_received
    };
    link_mem_later(e->mem, &t->job, tell_arrive);
}

/* ---- asking ---- */

struct mem_ask {
    struct link_mem *mem;
    uint32_t from, to;
    enum px_link_kind kind;
    struct vs_job arrive, back, patience;
    pthread_mutex_t lock;
    struct px_link_ask *ask; /* under lock: NULL once it has ended */
    unsigned refs;           /* under lock: the timer, and the message */
    int status;
    struct meta_replica_frame frame;
    struct meta_wire_asked asked;
    struct vs_buf answer;
    size_t len;
    uint8_t bytes[];
};

static void ask_put(struct mem_ask *a)
{
    bool is_last;

    pthread_mutex_lock(&a->lock);
    is_last = --a->refs == 0;
    pthread_mutex_unlock(&a->lock);
    if (!is_last)
        return;
    pthread_mutex_destroy(&a->lock);
    meta_wire_asked_close(&a->asked);
    vs_buf_close(&a->frame.answer);
    vs_buf_close(&a->answer);
    free(a);
}

static void ask_end(struct mem_ask *a, int status)
{
    struct px_link_ask *ask;

    pthread_mutex_lock(&a->lock);
    ask = a->ask;
    a->ask = NULL;
    pthread_mutex_unlock(&a->lock);
    if (ask == NULL)
        return;
    ask->status = status;
    if (status == 0 && a->answer.len > ask->answer_max)
        ask->status = -EMSGSIZE;
    if (ask->status == 0) {
        ask->answer = a->answer;
        a->answer = (struct vs_buf){ 0 };
    }
    ask->done(ask);
}

static void ask_patience(struct vs_job *job)
{
    struct mem_ask *a = vs_container_of(job, struct mem_ask, patience);

    ask_end(a, -ETIMEDOUT);
    ask_put(a);
}

/* The timer is not needed any more, unless it runs already. */
static void ask_back(struct vs_job *job)
{
    struct mem_ask *a = vs_container_of(job, struct mem_ask, back);

    a->mem->later--;
    if (!link_mem_is_cut(a->mem, a->to, a->from)) {
        a->mem->answers += a->kind == PX_LINK_FRAME;
        ask_end(a, a->status);
        if (vs_exec_cancel_after(a->mem->exec, &a->patience) == 1)
            ask_put(a);
    }
    ask_put(a);
}

static void ask_frame_done(struct meta_replica_frame *f)
{
    struct mem_ask *a = vs_container_of(f, struct mem_ask, frame);

    a->status = f->status;
    a->answer = f->answer;
    f->answer = (struct vs_buf){ 0 };
    link_mem_later(a->mem, &a->back, ask_back);
}

static void ask_question_done(struct meta_req *r)
{
    struct mem_ask *a = r->waiter;

    a->status = meta_wire_answer(r, &a->answer);
    link_mem_later(a->mem, &a->back, ask_back);
}

static void ask_hand_over(struct mem_ask *a, struct meta_replica *m)
{
    if (a->kind == PX_LINK_FRAME) {
        a->mem->asks++;
        a->frame = (struct meta_replica_frame){
            .from = a->from, .bytes = a->bytes, .len = a->len, .done = ask_frame_done
        };
        meta_replica_receive(m, &a->frame);
        return;
    }
    a->mem->questions++;
    VS_ASSERT(meta_wire_asked(a->bytes, a->len, &a->asked) == 0 && a->asked.req.here);
    a->asked.req.done = ask_question_done;
    a->asked.req.waiter = a;
    meta_submit(meta_replica_client(m), &a->asked.req);
}

static void ask_arrive(struct vs_job *job)
{
    struct mem_ask *a = vs_container_of(job, struct mem_ask, arrive);
    struct link_mem *l = a->mem;

    l->later--;
    pthread_rwlock_rdlock(&l->lock);
    if (link_mem_is_cut(l, a->from, a->to)) {
        ask_put(a);
    } else if (l->up[a->to - 1] == NULL) {
        a->status = -ECONNREFUSED;
        link_mem_later(l, &a->back, ask_back);
    } else {
        ask_hand_over(a, l->up[a->to - 1]);
    }
    pthread_rwlock_unlock(&l->lock);
}

static void mem_ask(struct px_link *link, uint32_t to, struct px_link_ask *ask)
{
    struct link_mem_end *e = vs_container_of(link, struct link_mem_end, link);
    struct mem_ask *a = calloc(1, sizeof(*a) + ask->len);

    VS_ASSERT(a != NULL && to >= 1 && to <= LINK_MEM_REPLICAS && to != e->pid);
    VS_ASSERT(ask->timeout_ms > 0 && ask->done != NULL);
    memcpy(a->bytes, ask->bytes, ask->len);
    a->len = ask->len;
    a->mem = e->mem;
    a->from = e->pid;
    a->to = to;
    a->kind = ask->kind;
    a->ask = ask;
    a->refs = 2;
    pthread_mutex_init(&a->lock, NULL);
    a->patience.fn = ask_patience;
    vs_exec_after(e->mem->exec, &a->patience,
                  (ask->timeout_ms < LINK_MEM_ASK_MS ? ask->timeout_ms : LINK_MEM_ASK_MS) *
                      VS_NS_PER_MS);
    if (link_mem_is_cut(e->mem, e->pid, to))
        ask_put(a);
    else
        link_mem_later(e->mem, &a->arrive, ask_arrive);
}

/* ---- life ---- */

static const struct px_link_ops mem_ops = { .tell = mem_tell, .ask = mem_ask };

struct link_mem *link_mem_new(void)
{
    struct link_mem *l = calloc(1, sizeof(*l));

    VS_ASSERT(l != NULL && vs_exec_start(&l->exec, "link", 2) == 0);
    pthread_rwlock_init(&l->lock, NULL);
    for (uint32_t i = 0; i < LINK_MEM_REPLICAS; i++)
        l->end[i] = (struct link_mem_end){ .link = { &mem_ops }, .mem = l, .pid = i + 1 };
    return l;
}

void link_mem_free(struct link_mem *l)
{
    const struct timespec pause = { 0, VS_NS_PER_MS };

    while (l->later > 0) /* the executor forgets what is due later */
        nanosleep(&pause, NULL);
    vs_exec_stop(l->exec);
    pthread_rwlock_destroy(&l->lock);
    free(l);
}

struct px_link *link_mem_of(struct link_mem *l, uint32_t pid)
{
    return &l->end[pid - 1].link;
}

static void link_mem_set(struct link_mem *l, uint32_t pid, struct meta_replica *m)
{
    pthread_rwlock_wrlock(&l->lock);
    l->up[pid - 1] = m;
    pthread_rwlock_unlock(&l->lock);
}

void link_mem_up(struct link_mem *l, uint32_t pid, struct meta_replica *m)
{
    link_mem_set(l, pid, m);
}

void link_mem_down(struct link_mem *l, uint32_t pid)
{
    link_mem_set(l, pid, NULL);
}

void link_mem_cut(struct link_mem *l, uint32_t from, uint32_t to, bool is_cut)
{
    l->cut[from - 1][to - 1] = is_cut;
}

void link_mem_isolate(struct link_mem *l, uint32_t pid, bool is_cut)
{
    for (uint32_t i = 1; i <= LINK_MEM_REPLICAS; i++) {
        link_mem_cut(l, pid, i, is_cut);
        link_mem_cut(l, i, pid, is_cut);
    }
}

void link_mem_delay(struct link_mem *l, int64_t ns)
{
    l->delay_ns = ns;
}

void link_mem_count(struct link_mem *l, struct link_mem_count *ret)
{
    *ret = (struct link_mem_count){ l->tells, l->asks, l->answers, l->questions };
}
