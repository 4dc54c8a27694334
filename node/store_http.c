/* A chunk store over HTTP: start, stop, what all operations share; put and delete.
 *
 * Happy path: an operation on the heap holds the HTTP request and its texts; its callback judges
 * the answer, answers the caller, and frees it.
 * Failure modes: no memory for an operation is -EAGAIN, answered by a job; all else comes back from
 * the HTTP client as one status, translated in one place, http_op_status(). */
#include "node/store_http_impl.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_DEFAULT        16
#define CONNECT_TIMEOUT_MS_DEFAULT 1000
#define GET_TIMEOUT_MS_DEFAULT     10000
#define PUT_TIMEOUT_MS_DEFAULT     30000
#define HEALTH_MS_DEFAULT          1000
#define HEALTH_TIMEOUT_MS_DEFAULT  2000

/* ---- operations --------------------------------------------------------------------------------
 */

void *http_op_new(struct store_http *s, size_t bytes, enum http_method method, http_done_fn *done)
{
    struct http_op *op = malloc(bytes);

    if (op == NULL)
        return NULL;
    memset(op, 0, sizeof(*op));
    op->store = s;
    op->req.method = method;
    op->req.path = op->path;
    op->req.headers = op->headers;
    op->req.picks = op->picks;
    op->req.done = done;
    op->req.timeout_ms = method == HTTP_PUT || method == HTTP_DELETE ? s->config.put_timeout_ms
                                                                     : s->config.get_timeout_ms;
    http_op_pick(op, NODE_HEADER_ERROR, op->error_word, sizeof(op->error_word));
    if (s->name[0] != '\0')
        http_op_header(op, NODE_HEADER_NODE, s->name);
    if (s->store[0] != '\0')
        http_op_header(op, NODE_HEADER_STORE, s->store);
    return op;
}

void http_op_path(struct http_op *op, const struct frag_key *key)
{
    char text[FRAG_KEY_TEXT_BYTES];

    frag_key_to_text(key, text);
    snprintf(op->path, sizeof(op->path), "%s%s", NODE_CHUNK_PATH, text);
}

void http_op_header(struct http_op *op, const char *name, const char *value)
{
    VS_ASSERT(op->req.headers_count < sizeof(op->headers) / sizeof(op->headers[0]));
    op->headers[op->req.headers_count++] = (struct http_header){ name, value };
}

struct http_pick *http_op_pick(struct http_op *op, const char *name, char *text, size_t cap)
{
    struct http_pick *p = &op->picks[op->req.picks_count];

    VS_ASSERT(op->req.picks_count < sizeof(op->picks) / sizeof(op->picks[0]));
    op->req.picks_count++;
    *p = (struct http_pick){ .name = name, .text = text, .cap = cap };
    return p;
}

void http_op_send(struct http_op *op)
{
    http_client_submit(op->store->host, &op->req);
}

int http_op_status(struct http_op *op)
{
    const struct http_request *r = &op->req;

    switch (r->status) {
    case 0:
        return node_error_from_http(r->http_status, op->error_word);
    case -ECANCELED:
        return -ECANCELED;
    case -EAGAIN:
    case -ENOMEM:
        return -EAGAIN;
    default:
        store_http_doubt(op->store);
        return -VS_EDOWN;
    }
}

void store_http_refuse(struct store_http *s, struct vs_job *job, vs_job_fn *fn)
{
    pthread_mutex_lock(&s->lock);
    s->refused++;
    pthread_mutex_unlock(&s->lock);
    job->fn = fn;
    vs_exec_submit(s->config.exec, job);
}

void store_http_refuse_done(struct store_http *s)
{
    VS_LOCK_SCOPE(&s->lock);

    if (--s->refused == 0)
        pthread_cond_broadcast(&s->idle);
}

/* ---- put ---------------------------------------------------------------------------------------
 */

struct put_op {
    struct http_op op; /* first */
    struct store_put *put;
    char sha[FRAG_SHA_TEXT_BYTES];
    char note[FRAG_NOTE_TEXT_BYTES];
    char table_crc[STORE_HTTP_NUMBER_BYTES];
};

static int put_judge(struct put_op *o)
{
    uint32_t crc[FRAG_BLOCKS_MAX];
    int status = http_op_status(&o->op);

    if (status < 0)
        return status;
    /* Without its receipt nothing is known of what was stored. */
    if (frag_crcs_from_text(o->table_crc, crc) != 1)
        return -VS_EDOWN;
    o->put->table_crc = crc[0];
    return 0;
}

static void put_done(struct http_request *r)
{
    struct put_op *o = vs_container_of(r, struct put_op, op.req);
    struct store_put *p = o->put;

    p->status = put_judge(o);
    p->done(p);
    free(o);
}

static void put_refused(struct vs_job *job)
{
    struct store_put *p = vs_container_of(job, struct store_put, job);
    struct store_http *s = p->store;

    p->done(p);
    store_http_refuse_done(s);
}

static void store_http_put(struct chunk_store *base, struct store_put *p)
{
    struct store_http *s = store_http_of(base);
    struct put_op *o = NULL;

    p->store = s;
    p->table_crc = 0;
    p->status = store_put_check(p);
    if (p->status == 0) {
        o = http_op_new(s, sizeof(*o), HTTP_PUT, put_done);
        p->status = -EAGAIN;
    }
    if (o == NULL) {
        store_http_refuse(s, &p->job, put_refused);
        return;
    }
    o->put = p;
    vs_hex(p->sha256, sizeof(p->sha256), o->sha);
    frag_note_to_text(p->note, o->note);
    o->table_crc[0] = '\0';
    http_op_path(&o->op, &p->key);
    http_op_header(&o->op, NODE_HEADER_SHA256, o->sha);
    http_op_header(&o->op, NODE_HEADER_RECORD, o->note);
    http_op_pick(&o->op, NODE_HEADER_TABLE_CRC, o->table_crc, sizeof(o->table_crc));
    o->op.req.send = p->data;
    o->op.req.send_bytes = p->bytes;
    http_op_send(&o->op);
}

/* ---- delete ------------------------------------------------------------------------------------
 */

struct del_op {
    struct http_op op; /* first */
    struct store_del *del;
};

static void del_done(struct http_request *r)
{
    struct del_op *o = vs_container_of(r, struct del_op, op.req);
    struct store_del *d = o->del;

    d->status = http_op_status(&o->op);
    if (d->status == -ENOENT)
        d->status = 0;
    d->done(d);
    free(o);
}

static void del_refused(struct vs_job *job)
{
    struct store_del *d = vs_container_of(job, struct store_del, job);
    struct store_http *s = d->store;

    d->done(d);
    store_http_refuse_done(s);
}

static void store_http_del(struct chunk_store *base, struct store_del *d)
{
    struct store_http *s = store_http_of(base);
    struct del_op *o = NULL;

    d->store = s;
    d->status = d->key.generation != 0 ? 0 : -EINVAL;
    if (d->status == 0) {
        o = http_op_new(s, sizeof(*o), HTTP_DELETE, del_done);
        d->status = -EAGAIN;
    }
    if (o == NULL) {
        store_http_refuse(s, &d->job, del_refused);
        return;
    }
    o->del = d;
    http_op_path(&o->op, &d->key);
    http_op_send(&o->op);
}

/* ---- start, stop -------------------------------------------------------------------------------
 */

static void store_http_free(struct store_http *s)
{
    http_host_close(s->host);
    http_host_close(s->health_host);
    pthread_cond_destroy(&s->reported);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void store_http_stop(struct chunk_store *base)
{
    struct store_http *s = store_http_of(base);

    store_http_health_stop(s);
    http_host_close(s->health_host);
    http_host_close(s->host); /* cancels what is on its way and waits for the callbacks */
    s->host = s->health_host = NULL;
    store_http_health_wait(s);
    pthread_mutex_lock(&s->lock);
    while (s->refused > 0)
        pthread_cond_wait(&s->idle, &s->lock);
    pthread_mutex_unlock(&s->lock);
    store_http_free(s);
}

static const struct chunk_store_ops store_http_ops = {
    .put = store_http_put,
    .get = store_http_get,
    .del = store_http_del,
    .stat = store_http_stat,
    .list = store_http_list,
    .health = store_http_health,
    .health_ask = store_http_health_ask,
    .health_wait = store_http_health_await,
    .cancel = store_http_cancel,
    .stop = store_http_stop,
};

static void config_fill(struct store_http_config *c)
{
    if (c->connections_max == 0)
        c->connections_max = CONNECTIONS_DEFAULT;
    if (c->connect_timeout_ms == 0)
        c->connect_timeout_ms = CONNECT_TIMEOUT_MS_DEFAULT;
    if (c->get_timeout_ms == 0)
        c->get_timeout_ms = GET_TIMEOUT_MS_DEFAULT;
    if (c->put_timeout_ms == 0)
        c->put_timeout_ms = PUT_TIMEOUT_MS_DEFAULT;
    if (c->health_ms == 0)
        c->health_ms = HEALTH_MS_DEFAULT;
    if (c->health_timeout_ms == 0)
        c->health_timeout_ms = HEALTH_TIMEOUT_MS_DEFAULT;
}

/* The name goes into a header: letters, digits and a few signs only. */
static bool name_ok(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len < STORE_HTTP_NAME_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static int store_http_open_host(struct store_http *s)
{
    const struct store_http_config *c = &s->config;
    const struct http_host_config host = {
        .origin = c->origin,
        .connections_max = c->connections_max,
        .queue_max = CHUNK_STORE_QUEUE_MAX,
        .connect_timeout_ms = c->connect_timeout_ms,
    };
    struct http_host_config health = host;
    int e;

    if (c->get_timeout_ms > HTTP_CLIENT_TIMEOUT_MS_MAX ||
        c->put_timeout_ms > HTTP_CLIENT_TIMEOUT_MS_MAX ||
        c->health_timeout_ms > HTTP_CLIENT_TIMEOUT_MS_MAX || (c->name != NULL && !name_ok(c->name)))
        return -EINVAL;
    health.connections_max = health.queue_max = 1;
    e = http_host_open(&s->health_host, c->client, &health);
    return e < 0 ? e : http_host_open(&s->host, c->client, &host);
}

int store_http_new(struct chunk_store **ret, const struct store_http_config *config)
{
    struct store_http *s = calloc(1, sizeof(*s));
    int e;

    if (s == NULL)
        return -ENOMEM;
    s->base.ops = &store_http_ops;
    s->config = *config;
    config_fill(&s->config);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    vs_cond_init(&s->reported);
    e = store_http_open_host(s);
    if (e < 0) {
        store_http_free(s);
        return e;
    }
    snprintf(s->origin, sizeof(s->origin), "%s", config->origin);
    snprintf(s->name, sizeof(s->name), "%s", config->name != NULL ? config->name : "");
    if (config->store != NULL)
        vs_id_to_text(config->store, s->store);
    s->config.origin = s->origin;
    s->config.name = s->name;
    s->config.store = NULL;
    store_http_health_start(s);
    *ret = &s->base;
    return 0;
}
