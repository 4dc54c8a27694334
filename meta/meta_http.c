/* meta_http: questions to the metadata over HTTP; see the header.
 *
 * A question goes: submitted, (a change: its lane), encoded once, sent to one replica after the
 * other, answered. Its memory is on the heap from submit to answer.
 * Failure modes: no memory, a field beyond its limit: answered by a job, not sent. No answer: the
 * next replica; a pause when all have been tried; the deadline ends it. A replica that cannot read
 * the question is of another version: -EOPNOTSUPP. */
#include "meta/meta_http_impl.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/rand.h"

#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX     64
#define CONNECT_TIMEOUT_MS  2000
#define FIRST_MS_DEFAULT    300
#define FIRST_MS_ONE        2000 /* with one replica there is nobody else to ask */
#define DEADLINE_MS_DEFAULT 10000
#define OPEN_MS_DEFAULT     10000
#define PAUSE_NS_MIN        (10 * VS_NS_PER_MS)
#define PAUSE_DOUBLINGS_MAX 5
#define DOWN_MS             1000u             /* for a read, while nobody answers */
#define DOWN_NS             (5 * VS_NS_PER_S) /* so long after that was last seen */

struct ask {
    struct http_request req;
    struct meta_http *m;
    struct meta_req *r;
    struct vs_buf frame;
    void *answer;
    size_t answer_cap;
    int64_t deadline_ns;
    unsigned tries;    /* so far */
    unsigned rounds;   /* how often all have been tried */
    unsigned tried;    /* in this round: bits of replicas */
    unsigned replica;  /* that is asked */
    int lane;          /* -1: none */
    int status;        /* for the job that answers */
    struct vs_job job; /* a pause; or the answer */
    struct vs_list link;
};

static void ask_begin(struct ask *a);

/* ---- the end of a question --------------------------------------------------------------------
 */

/* Nothing came: what the operation gives is empty, and each register's fate unknown. */
static void set_failed(struct meta_req *r, int status)
{
    r->status = status;
    r->answer = (struct ns_answer){ .status = status };
    r->dirents_count = r->nodes_count = r->scan_count = 0;
    r->bytes.len = 0;
    r->slot = 0;
    r->reset = false;
    if (!meta_wire_op_regs(r->op))
        return;
    for (uint32_t i = 0; i < r->reg_count; i++) {
        r->regs[i].status = status;
        r->regs[i].current.len = 0;
    }
}

static struct ask *ask_of(struct vs_list *link)
{
    return vs_container_of(link, struct ask, link);
}

/* Give the lane back; the next change that waited for one, or NULL. */
static struct ask *lane_leave(struct meta_http *m, int lane)
{
    VS_LOCK_SCOPE(&m->lock);
    struct ask *next = NULL;

    if (lane < 0)
        return NULL;
    m->lanes[lane].busy = false;
    if (!vs_list_empty(&m->waiting)) {
        next = ask_of(m->waiting.next);
        vs_list_del(&next->link);
        m->lanes[lane].busy = true;
        next->lane = lane;
    }
    return next;
}

static void leave(struct meta_http *m)
{
    VS_LOCK_SCOPE(&m->lock);

    if (--m->in_flight == 0)
        pthread_cond_broadcast(&m->idle);
}

/* Does one replica answer it alone? Then the answer says nothing of a majority. */
static bool is_for_one(const struct meta_req *r)
{
    return r->hint || meta_op_feed(r->op);
}

/* Where nobody answers, who reads is told soon: a listing is several questions. */
static void note_down(struct meta_http *m, const struct meta_req *r)
{
    if (!is_for_one(r))
        atomic_store(&m->down_ns, r->status == -VS_EDOWN ? vs_now_ns(&vs_clock_system) : 0);
}

static unsigned patience_ms(struct meta_http *m, const struct meta_req *r, int64_t now_ns)
{
    int64_t down_ns = atomic_load(&m->down_ns);

    if (r->op == META_CHANGE || is_for_one(r) || down_ns == 0 || now_ns - down_ns > DOWN_NS ||
        m->config.deadline_ms < DOWN_MS)
        return m->config.deadline_ms;
    return DOWN_MS;
}

static void ask_finish(struct ask *a, int failed)
{
    struct meta_http *m = a->m;
    struct meta_req *r = a->r;
    struct ask *next = lane_leave(m, a->lane);

    if (failed < 0)
        set_failed(r, failed);
    note_down(m, r);
    vs_buf_close(&a->frame);
    free(a->answer);
    free(a);
    if (next != NULL)
        ask_begin(next);
    r->done(r); /* r may be gone now */
    leave(m);
}

static void ask_finish_job(struct vs_job *job)
{
    struct ask *a = vs_container_of(job, struct ask, job);

    ask_finish(a, a->status);
}

/* Answer it, but not inside the call that submits it. */
static void ask_refuse(struct ask *a, int status)
{
    a->status = status;
    a->job.fn = ask_finish_job;
    vs_exec_submit(a->m->config.exec, &a->job);
}

/* ---- on its way -------------------------------------------------------------------------------
 */

static unsigned left_ms(const struct ask *a)
{
    int64_t left_ns = a->deadline_ns - vs_now_ns(&vs_clock_system);

    return left_ns <= 0 ? 0 : (unsigned)(left_ns / VS_NS_PER_MS) + 1;
}

/* How long whoever is asked may wait before it answers. */
static unsigned asked_wait_ms(const struct meta_req *r)
{
    return meta_op_feed(r->op) ? r->wait_ms : 0;
}

/* An election takes longer than one round: the second one is as quick as the first. */
static unsigned doublings(const struct ask *a)
{
    unsigned n = a->rounds > 0 ? a->rounds - 1 : 0;

    return n < PAUSE_DOUBLINGS_MAX ? n : PAUSE_DOUBLINGS_MAX;
}

static void ask_send(struct ask *a)
{
    struct meta_http *m = a->m;
    unsigned left = left_ms(a);
    unsigned patience = (m->config.first_ms << doublings(a)) + asked_wait_ms(a->r);
    unsigned replica = meta_http_choose(m, a->tried);

    if (left == 0) {
        ask_refuse(a, -VS_EDOWN);
        return;
    }
    if (replica == META_HTTP_NONE) /* those that were left have fallen silent meanwhile */
        replica = meta_http_choose(m, a->tried = 0);
    if (a->tries++ > 0) { /* who did not answer this is not the first for the others, either */
        unsigned was = a->replica;

        if (atomic_compare_exchange_strong(&m->preferred, &was, replica))
            meta_http_look(m);
    }
    a->replica = replica;
    a->tried |= 1u << replica;
    a->req.timeout_ms = left < patience ? left : patience;
    http_client_submit(m->hosts[replica], &a->req);
}

static void ask_send_job(struct vs_job *job)
{
    ask_send(vs_container_of(job, struct ask, job));
}

static bool is_stopping(struct meta_http *m)
{
    VS_LOCK_SCOPE(&m->lock);

    return m->stopping;
}

/* The next replica at once; when all were tried, after a pause. */
static void ask_again(struct ask *a)
{
    if (left_ms(a) == 0 || is_stopping(a->m)) {
        ask_finish(a, -VS_EDOWN);
        return;
    }
    if (meta_http_choose(a->m, a->tried) != META_HTTP_NONE) {
        ask_send(a);
        return;
    }
    a->tried = 0;
    a->rounds++;
    a->job.fn = ask_send_job;
    vs_exec_after(a->m->config.exec, &a->job, PAUSE_NS_MIN << doublings(a));
}

static void ask_done(struct http_request *req)
{
    struct ask *a = vs_container_of(req, struct ask, req);
    struct meta_http *m = a->m;
    int r = req->status;

    if (r == -ETIMEDOUT || r == -ECONNREFUSED || r == -ECONNRESET)
        meta_http_silent(m, a->replica);
    if (r == 0 && req->http_status == 200)
        r = meta_wire_answered(a->answer, req->body_bytes, a->r);
    else if (r == 0)
        r = req->http_status == 400 ? -EOPNOTSUPP : -VS_EDOWN;
    switch (r) {
    case 0:
        if (a->tries > 1) /* whoever answers is asked first from now on */
            atomic_store(&m->preferred, a->replica);
        if (a->r->passed)
            meta_http_look(m);
        ask_finish(a, 0);
        return;
    case -EOPNOTSUPP:
    case -VS_ENEWER:
    case -EMSGSIZE: /* longer than any answer to this is */
        ask_finish(a, r);
        return;
    default:
        ask_again(a);
    }
}

/* ---- the beginning ----------------------------------------------------------------------------
 */

/* A change gets its number, and a session that names no owner the one of the first answer, whatever
 * became of that replica since. */
static int encode_change(struct ask *a)
{
    struct meta_http *m = a->m;
    struct ns_entry entry = *a->r->entry;
    struct meta_req r = { .op = META_CHANGE, .entry = &entry };

    if (a->lane >= 0) { /* the lane is ours alone while it is busy */
        entry.client = m->first_client + (unsigned)a->lane;
        entry.request = ++m->lanes[a->lane].request;
    }
    if (entry.kind == NS_E_SESSION_OPEN && entry.pid == 0) {
        entry.pid = m->base.pid;
        entry.inc = m->base.inc;
    }
    return meta_wire_ask(&r, &m->base.cluster, &a->frame);
}

static void ask_begin(struct ask *a)
{
    struct meta_http *m = a->m;
    int r = a->r->op == META_CHANGE ? encode_change(a)
                                    : meta_wire_ask(a->r, &m->base.cluster, &a->frame);

    if (r == 0) {
        a->answer_cap = meta_wire_answer_max(a->r);
        a->answer = malloc(a->answer_cap);
        r = a->answer == NULL ? -ENOMEM : 0;
    }
    if (r < 0) {
        ask_refuse(a, r);
        return;
    }
    a->req = (struct http_request){ .method = HTTP_POST,
                                    .path = META_HTTP_PATH,
                                    .send = a->frame.data,
                                    .send_bytes = a->frame.len,
                                    .body = a->answer,
                                    .body_cap = a->answer_cap,
                                    .done = ask_done };
    ask_send(a);
}

/* A lane for the change, or a place among those that wait: false. */
static bool lane_enter(struct meta_http *m, struct ask *a)
{
    VS_LOCK_SCOPE(&m->lock);

    for (int i = 0; i < META_HTTP_LANES; i++) {
        if (!m->lanes[i].busy) {
            m->lanes[i].busy = true;
            a->lane = i;
            return true;
        }
    }
    vs_list_add_tail(&m->waiting, &a->link);
    return false;
}

static void no_memory(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);
    struct meta_http *m = r->client;

    set_failed(r, -ENOMEM);
    r->done(r);
    leave(m);
}

static void meta_http_submit(struct meta_client *c, struct meta_req *r)
{
    struct meta_http *m = vs_container_of(c, struct meta_http, base);
    struct ask *a = malloc(sizeof(*a));
    int64_t now_ns = vs_now_ns(&vs_clock_system);

    pthread_mutex_lock(&m->lock);
    m->in_flight++;
    pthread_mutex_unlock(&m->lock);
    r->client = m;
    if (a == NULL) {
        r->job.fn = no_memory;
        vs_exec_submit(m->config.exec, &r->job);
        return;
    }
    meta_http_follow(m, now_ns);
    *a = (struct ask){ .m = m, .r = r, .lane = -1 };
    a->deadline_ns =
        now_ns + (int64_t)(patience_ms(m, r, now_ns) + asked_wait_ms(r)) * VS_NS_PER_MS;
    if (r->op == META_CHANGE && r->entry->client == 0 && !lane_enter(m, a))
        return;
    ask_begin(a);
}

/* ---- open, stop -------------------------------------------------------------------------------
 */

static void meta_http_free(struct meta_http *m)
{
    for (unsigned i = 0; i < m->host_count; i++)
        http_host_close(m->hosts[i]);
    vs_buf_close(&m->hello);
    pthread_cond_destroy(&m->idle);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static void meta_http_stop(struct meta_client *c)
{
    struct meta_http *m = vs_container_of(c, struct meta_http, base);

    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    while (m->in_flight > 0)
        pthread_cond_wait(&m->idle, &m->lock);
    pthread_mutex_unlock(&m->lock);
    meta_http_free(m);
}

static void meta_http_owner(struct meta_client *c, uint16_t *ret_pid, uint32_t *ret_inc)
{
    struct meta_http *m = vs_container_of(c, struct meta_http, base);
    uint64_t owner = atomic_load(&m->owner[atomic_load(&m->preferred)]);

    if (owner == 0) { /* until it has said so, whoever answered first will do */
        meta_http_look(m);
        return;
    }
    *ret_pid = (uint16_t)(owner >> 32);
    *ret_inc = (uint32_t)owner;
}

static const struct meta_client_ops meta_http_ops = { .submit = meta_http_submit,
                                                      .stop = meta_http_stop,
                                                      .owner = meta_http_owner };

static void config_fill(struct meta_http_config *c)
{
    if (c->first_ms == 0)
        c->first_ms = c->origin_count > 1 ? FIRST_MS_DEFAULT : FIRST_MS_ONE;
    if (c->deadline_ms == 0)
        c->deadline_ms = DEADLINE_MS_DEFAULT;
    if (c->open_ms == 0)
        c->open_ms = OPEN_MS_DEFAULT;
}

int meta_http_add(struct meta_http *m, const char *origin)
{
    const struct http_host_config host = {
        .origin = origin,
        .connections_max = CONNECTIONS_MAX,
        .queue_max = HTTP_CLIENT_QUEUE_MAX,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
    };
    unsigned i = atomic_load(&m->host_count);
    int r;

    if (i == META_HTTP_HOSTS_MAX || strlen(origin) >= sizeof(m->origin[i]))
        return -EINVAL;
    r = http_host_open(&m->hosts[i], m->config.client, &host);
    if (r < 0)
        return r;
    memcpy(m->origin[i], origin, strlen(origin) + 1);
    atomic_store(&m->host_count, i + 1);
    atomic_fetch_or(&m->listed, 1u << i);
    return 0;
}

int meta_http_open(struct meta_client **ret, const struct meta_http_config *config)
{
    struct meta_wire_hello hello;
    struct meta_http *m;
    int r = 0;

    if (config->origin_count == 0 || config->origin_count > META_HTTP_ORIGINS_MAX ||
        config->first_ms > DEADLINE_MS_DEFAULT || config->deadline_ms > HTTP_CLIENT_TIMEOUT_MS_MAX)
        return -EINVAL;
    m = calloc(1, sizeof(*m));
    if (m == NULL)
        return -ENOMEM;
    m->base.ops = &meta_http_ops;
    m->config = *config;
    m->config.origins = NULL;
    config_fill(&m->config);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->idle, NULL);
    vs_list_init(&m->waiting);
    vs_rand_system(&m->first_client, sizeof(m->first_client));
    m->follow.epoch = 1;
    m->first_client |= UINT64_C(1) << 32; /* never 0, and no lane's number wraps to it */
    m->first_client &= ~(uint64_t)(META_HTTP_LANES - 1);
    for (unsigned i = 0; r == 0 && i < config->origin_count; i++)
        r = meta_http_add(m, config->origins[i]);
    if (r == 0)
        r = meta_wire_ask_hello(&m->hello);
    if (r == 0)
        r = meta_http_hello(m, &hello);
    if (r < 0) {
        meta_http_free(m);
        return r;
    }
    m->base.pid = hello.pid;
    m->base.inc = hello.inc;
    m->base.cluster = hello.cluster;
    m->base.own_first = m->first_client;
    m->base.own_count = META_HTTP_LANES;
    meta_http_listed(m, &hello.members);
    *ret = &m->base;
    return 0;
}
