/* META_SCAN_REGISTERS: ids of registers from a majority of acceptors: a register that is decided is
 * accepted by one of any majority, so none is missing.
 *
 * Happy path: all are asked for the same page; once a majority has answered, the pages are one list
 * up to where the first page that is full ends. Failure: without a majority -VS_EDOWN. Each
 * acceptor's own list is asked for with `here`. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/meta_replica_impl.h"
#include "meta/meta_wire.h"
#include <stdlib.h>
#include <string.h>

#define LIST_ASK_MS 1000

struct list_page {
    struct replica_list *list;
    struct px_link_ask ask;
    struct vs_id *ids;
    uint32_t count;
    bool is_there;
};

struct replica_list {
    struct meta_replica *m;
    struct meta_req *r;
    struct meta_req question;
    struct vs_buf frame;
    struct vs_job job;
    pthread_mutex_t lock;
    unsigned left;    /* under lock: pages on their way */
    unsigned members; /* when it began */
    uint16_t pid[JOURNAL_REPLICAS_MAX];
    struct list_page page[JOURNAL_REPLICAS_MAX];
};

static int ids_order(const void *a, const void *b)
{
    return vs_id_cmp(a, b);
}

/* Behind the end of a full page there may be more of that acceptor's. */
static bool list_limit(const struct replica_list *l, struct vs_id *ret)
{
    bool is_limited = false;

    for (unsigned i = 0; i < l->members; i++) {
        const struct list_page *p = &l->page[i];

        if (!p->is_there || p->count < l->r->scan_max)
            continue;
        if (!is_limited || vs_id_cmp(&p->ids[p->count - 1], ret) < 0)
            *ret = p->ids[p->count - 1];
        is_limited = true;
    }
    return is_limited;
}

static int list_merge(struct replica_list *l)
{
    struct meta_req *r = l->r;
    size_t count = 0, max = (size_t)r->scan_max * l->members;
    struct vs_id limit, *all = calloc(max, sizeof(*all));
    bool is_limited = list_limit(l, &limit);

    if (all == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < l->members; i++) {
        const struct list_page *p = &l->page[i];

        for (uint32_t n = 0; p->is_there && n < p->count; n++)
            if (!is_limited || vs_id_cmp(&p->ids[n], &limit) <= 0)
                all[count++] = p->ids[n];
    }
    qsort(all, count, sizeof(*all), ids_order);
    r->scan_count = 0;
    for (size_t n = 0; n < count && r->scan_count < r->scan_max; n++)
        if (n == 0 || vs_id_cmp(&all[n], &all[n - 1]) != 0)
            r->scan_ids[r->scan_count++] = all[n];
    free(all);
    return 0;
}

static void list_end(struct vs_job *job)
{
    struct replica_list *l = vs_container_of(job, struct replica_list, job);
    struct meta_replica *m = l->m;
    struct meta_req *r = l->r;
    unsigned there = 0;

    for (unsigned i = 0; i < l->members; i++)
        there += l->page[i].is_there;
    r->scan_count = 0;
    r->status = there * 2 > l->members ? list_merge(l) : -VS_EDOWN;
    for (unsigned i = 0; i < l->members; i++) {
        vs_buf_close(&l->page[i].ask.answer);
        free(l->page[i].ids);
    }
    vs_buf_close(&l->frame);
    pthread_mutex_destroy(&l->lock);
    free(l);
    r->done(r);
    replica_leave(m);
}

static void list_came(struct replica_list *l)
{
    bool is_last;

    pthread_mutex_lock(&l->lock);
    is_last = --l->left == 0;
    pthread_mutex_unlock(&l->lock);
    if (!is_last)
        return;
    l->job.fn = list_end;
    vs_exec_submit(l->m->readers, &l->job);
}

static void list_answered(struct px_link_ask *ask)
{
    struct list_page *p = vs_container_of(ask, struct list_page, ask);
    struct meta_req r = p->list->question;

    r.scan_ids = p->ids;
    if (ask->status == 0 && meta_wire_answered(ask->answer.data, ask->answer.len, &r) == 0 &&
        r.status == 0) {
        p->count = r.scan_count;
        p->is_there = true;
    }
    list_came(p->list);
}

static void list_own(struct vs_job *job)
{
    struct replica_list *l = vs_container_of(job, struct replica_list, job);

    for (unsigned i = 0; i < l->members; i++) {
        struct list_page *p = &l->page[i];
        struct meta_req r = l->question;

        if (l->pid[i] != l->m->client.pid)
            continue;
        r.scan_ids = p->ids;
        p->is_there = replica_read_here(l->m, &r) == 0;
        p->count = r.scan_count;
    }
    list_came(l);
}

static int list_begin(struct replica_list *l)
{
    for (unsigned i = 0; i < l->members; i++) {
        l->page[i].list = l;
        l->page[i].ids = calloc(l->r->scan_max, sizeof(struct vs_id));
        if (l->page[i].ids == NULL)
            return -ENOMEM;
    }
    return meta_wire_ask(&l->question, &l->m->client.cluster, &l->frame);
}

static void list_refuse(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);
    struct meta_replica *m = r->client;

    r->scan_count = 0;
    r->status = -ENOMEM;
    r->done(r);
    replica_leave(m);
}

void replica_list(struct meta_replica *m, struct meta_req *r)
{
    struct replica_list *l = calloc(1, sizeof(*l));

    replica_enter(m);
    if (l == NULL) {
        r->job.fn = list_refuse;
        vs_exec_submit(m->readers, &r->job);
        return;
    }
    l->m = m;
    l->r = r;
    l->question = *r;
    l->question.here = true;
    l->left = l->members = replica_members(m, l->pid);
    pthread_mutex_init(&l->lock, NULL);
    if (list_begin(l) < 0) {
        l->job.fn = list_end; /* without a page: -VS_EDOWN */
        vs_exec_submit(m->readers, &l->job);
        return;
    }
    for (unsigned i = 0; i < l->members; i++) {
        struct list_page *p = &l->page[i];

        if (l->pid[i] == m->client.pid)
            continue;
        p->ask = (struct px_link_ask){ .kind = PX_LINK_QUESTION,
                                       .bytes = l->frame.data,
                                       .len = l->frame.len,
                                       .answer_max = meta_wire_answer_max(&l->question),
                                       .timeout_ms = LIST_ASK_MS,
                                       .done = list_answered };
        px_link_ask(m->link, l->pid[i], &p->ask);
    }
    l->job.fn = list_own;
    vs_exec_submit(m->readers, &l->job);
}
