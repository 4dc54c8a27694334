/* The queues and deadlines of an HTTP client, and its I/O thread.
 *
 * Happy path: submit puts a request at the end of its host's queue and wakes the thread; the thread
 * starts it when the host has a slot (a connection's worth of state) to spare, moves bytes, and
 * hands the finished request to the executor.
 * Failure modes: a full queue, a cancel, a deadline and the end of the host are all the same move:
 * the request is taken from where it is (queue or slot) and finished with the code. A request is in
 * exactly one state, so it is finished once:
 *
 *   state      on the list                    in a slot   who moves it on
 *   WAITING    host->waiting                  no          the thread: to ACTIVE
 *   ACTIVE     host->active                   yes         the transport is done, or it is dropped
 *   DROPPED    client->dropped                maybe       the thread: to FINISHED
 *   FINISHED   none                           no          its callback runs, or has run
 *
 * WAITING and ACTIVE requests are on the list of deadlines too.
 *
 * Lock: one, client->lock, for all of the above. Not held in a callback, nor in a call of the
 * transport, new slots and wakes apart. */
#include "common/http_client_impl.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum request_state { IDLE, WAITING, ACTIVE, DROPPED, FINISHED };

struct http_client {
    struct vs_exec *exec; /* lent, or NULL */
    struct http_transport *transport;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t host_idle; /* a host has no request left, or no slots */
    /* under lock */
    struct vs_list hosts;     /* http_host.link */
    struct vs_list deadlines; /* http_request.by_deadline, the earliest first */
    struct vs_list dropped;   /* http_request.link */
    struct vs_list closed;    /* http_host.link: without requests, the thread frees their slots */
    unsigned hosts_count;
    unsigned connections; /* of all hosts */
    bool stopping;
};

struct http_host {
    struct http_client *client;
    struct vs_list link;
    char origin[HTTP_ORIGIN_BYTES_MAX];
    struct http_host_config config; /* its origin points above */
    /* under client->lock */
    struct vs_list waiting, active; /* http_request.link */
    unsigned in_flight;             /* submitted, and their callback has not returned */
    unsigned slots_made;
    struct http_slot **slots_free; /* slots_free_count of connections_max */
    unsigned slots_free_count;
    bool closing;
    bool slots_freed;
};

/* ---- finishing ---------------------------------------------------------------------------------
 */

/* The callback, and then nothing of the request is touched any more. */
static void request_answer(struct vs_job *job)
{
    struct http_request *r = vs_container_of(job, struct http_request, job);
    struct http_host *h = r->host;
    struct http_client *c = h->client;

    r->done(r);
    VS_LOCK_SCOPE(&c->lock);
    if (--h->in_flight == 0)
        pthread_cond_broadcast(&c->host_idle);
}

/* On the I/O thread, without the lock. */
static void request_finish(struct http_client *c, struct http_request *r)
{
    r->job.fn = request_answer;
    if (c->exec != NULL)
        vs_exec_submit(c->exec, &r->job);
    else
        request_answer(&r->job);
}

/* Under client->lock: take a request from where it is; the thread finishes it with `status`. */
static void request_drop_locked(struct http_client *c, struct http_request *r, int status)
{
    if (r->state != WAITING && r->state != ACTIVE)
        return;
    vs_list_del(&r->link);
    vs_list_del(&r->by_deadline);
    vs_list_add_tail(&c->dropped, &r->link);
    r->state = DROPPED;
    r->drop_status = status; /* the transport may be writing r->status */
}

/* ---- submit, cancel ----------------------------------------------------------------------------
 */

/* Under client->lock. From the end: most new deadlines are the latest. */
static void deadline_add_locked(struct http_client *c, struct http_request *r)
{
    struct vs_list *before;

    for (before = c->deadlines.prev; before != &c->deadlines; before = before->prev)
        if (vs_container_of(before, struct http_request, by_deadline)->deadline_ns <=
            r->deadline_ns)
            break;
    vs_list_add(before, &r->by_deadline);
}

static void request_check(const struct http_request *r)
{
    VS_ASSERT(r->done != NULL && r->path != NULL && r->path[0] == '/');
    VS_ASSERT(strlen(r->path) < HTTP_PATH_BYTES_MAX);
    VS_ASSERT(r->headers_count <= HTTP_REQUEST_HEADERS_MAX);
    VS_ASSERT(r->timeout_ms >= 1 && r->timeout_ms <= HTTP_CLIENT_TIMEOUT_MS_MAX);
    VS_ASSERT(r->send != NULL || r->send_bytes == 0);
    VS_ASSERT(r->body != NULL || r->body_cap == 0);
    for (unsigned i = 0; i < r->picks_count; i++)
        VS_ASSERT(r->picks[i].text != NULL && r->picks[i].cap > 0);
}

void http_client_submit(struct http_host *h, struct http_request *r)
{
    struct http_client *c = h->client;

    request_check(r);
    if (r->host != h) /* sent again from its callback, it may be being cancelled right now */
        r->host = h;
    r->slot = NULL;
    r->status = 0;
    r->http_status = 0;
    r->body_bytes = 0;
    r->error[0] = '\0';
    r->deadline_ns = vs_now_ns(&vs_clock_system) + (int64_t)r->timeout_ms * VS_NS_PER_MS;
    VS_LOCK_SCOPE(&c->lock);
    r->state = WAITING;
    vs_list_add_tail(&h->waiting, &r->link);
    deadline_add_locked(c, r);
    h->in_flight++;
    if (h->closing)
        request_drop_locked(c, r, -ECANCELED);
    else if (h->in_flight > h->config.queue_max)
        request_drop_locked(c, r, -EAGAIN);
    http_transport_wake(c->transport);
}

void http_client_cancel(struct http_request *r)
{
    struct http_client *c = r->host->client;
    VS_LOCK_SCOPE(&c->lock);

    request_drop_locked(c, r, -ECANCELED);
    http_transport_wake(c->transport);
}

/* ---- the I/O thread ----------------------------------------------------------------------------
 */

/* Under client->lock: a slot that may be used now, or NULL. */
static struct http_slot *host_take_slot_locked(struct http_host *h)
{
    struct http_slot *s;

    if (h->slots_free_count > 0)
        return h->slots_free[--h->slots_free_count];
    if (h->slots_made == h->config.connections_max || http_slot_new(&s, h->client->transport) < 0)
        return NULL;
    h->slots_made++;
    return s;
}

/* The next request that may be sent, ACTIVE with a slot; NULL when there is none. */
static struct http_request *client_next_to_send(struct http_client *c)
{
    struct vs_list *pos, *tmp;
    VS_LOCK_SCOPE(&c->lock);

    vs_list_for_each (pos, tmp, &c->hosts) {
        struct http_host *h = vs_container_of(pos, struct http_host, link);
        struct http_request *r = vs_list_first(&h->waiting, struct http_request, link);

        if (r == NULL)
            continue;
        r->slot = host_take_slot_locked(h);
        if (r->slot == NULL) {
            if (h->slots_made == 0) /* nobody will give one back */
                request_drop_locked(c, r, -ENOMEM);
            continue;
        }
        vs_list_del(&r->link);
        vs_list_add_tail(&h->active, &r->link);
        r->state = ACTIVE;
        return r;
    }
    return NULL;
}

/* Under client->lock: off all lists, and its slot can be used again. */
static void request_settle_locked(struct http_request *r)
{
    struct http_host *h = r->host;

    vs_list_del(&r->link);
    vs_list_del(&r->by_deadline); /* of a dropped one: linked to itself, nothing happens */
    if (r->slot != NULL)
        h->slots_free[h->slots_free_count++] = r->slot;
    r->slot = NULL;
    r->state = FINISHED;
}

/* The transport is done with a request. If it was dropped meanwhile, it has come too late for that.
 */
static void client_settle(struct http_client *c, struct http_request *r)
{
    pthread_mutex_lock(&c->lock);
    VS_ASSERT(r->state == ACTIVE || r->state == DROPPED);
    request_settle_locked(r);
    pthread_mutex_unlock(&c->lock);
    request_finish(c, r);
}

static void client_send_waiting(struct http_client *c)
{
    struct http_request *r;

    while ((r = client_next_to_send(c)) != NULL) {
        int e = http_slot_begin(r->slot, r, r->host->origin, r->host->config.connect_timeout_ms);

        if (e < 0) {
            r->status = e;
            client_settle(c, r);
        }
    }
}

/* Under client->lock: drop what is late; when to look again. */
static int64_t client_expire_locked(struct http_client *c)
{
    int64_t now_ns = vs_now_ns(&vs_clock_system);
    struct http_request *r;

    while ((r = vs_list_first(&c->deadlines, struct http_request, by_deadline)) != NULL) {
        if (r->deadline_ns > now_ns)
            return r->deadline_ns;
        request_drop_locked(c, r, -ETIMEDOUT);
    }
    return INT64_MAX;
}

/* Finish what was dropped; each is aborted first, so that nobody writes to its memory any more. */
static void client_finish_dropped(struct http_client *c)
{
    for (;;) {
        struct http_request *r;

        pthread_mutex_lock(&c->lock);
        r = vs_list_first(&c->dropped, struct http_request, link);
        pthread_mutex_unlock(&c->lock);
        if (r == NULL)
            return;
        if (r->slot != NULL) /* set and taken by this thread only */
            http_slot_abort(r->slot);
        pthread_mutex_lock(&c->lock);
        r->status = r->drop_status;
        request_settle_locked(r);
        pthread_mutex_unlock(&c->lock);
        request_finish(c, r);
    }
}

static void client_free_closed(struct http_client *c)
{
    struct http_host *h;

    for (;;) {
        pthread_mutex_lock(&c->lock);
        h = vs_list_first(&c->closed, struct http_host, link);
        if (h != NULL)
            vs_list_del(&h->link);
        pthread_mutex_unlock(&c->lock);
        if (h == NULL)
            return;
        VS_ASSERT(h->slots_free_count == h->slots_made);
        for (unsigned i = 0; i < h->slots_made; i++)
            http_slot_free(h->slots_free[i]);
        pthread_mutex_lock(&c->lock);
        h->slots_freed = true;
        pthread_cond_broadcast(&c->host_idle);
        pthread_mutex_unlock(&c->lock);
    }
}

/* When to wake up at the latest, and how many connections to keep; false: it is over. */
static bool client_look_ahead(struct http_client *c, int64_t *ret_until_ns, unsigned *ret_keep)
{
    VS_LOCK_SCOPE(&c->lock);

    *ret_keep = c->connections;
    *ret_until_ns = client_expire_locked(c);
    if (!vs_list_empty(&c->dropped))
        *ret_until_ns = 0;
    return !c->stopping;
}

static void *client_main(void *arg)
{
    struct http_client *c = arg;
    struct http_request *r;
    unsigned keep, kept = 0;
    int64_t until_ns;

    pthread_setname_np(pthread_self(), "http-client");
    while (client_look_ahead(c, &until_ns, &keep)) {
        if (keep != kept)
            http_transport_keep(c->transport, keep);
        kept = keep;
        client_finish_dropped(c);
        client_free_closed(c);
        client_send_waiting(c);
        http_transport_run(c->transport, until_ns);
        while ((r = http_transport_next_done(c->transport)) != NULL)
            client_settle(c, r);
    }
    return NULL;
}

/* ---- hosts -------------------------------------------------------------------------------------
 */

/* "http://" and a host with or without port: nothing that could mean something else to libcurl. */
static bool origin_ok(const char *origin)
{
    static const char scheme[] = "http://";
    size_t len = strlen(origin);

    if (len >= HTTP_ORIGIN_BYTES_MAX || strncmp(origin, scheme, sizeof(scheme) - 1) != 0)
        return false;
    origin += sizeof(scheme) - 1;
    return origin[0] != '\0' &&
           origin[strspn(origin, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789.-_:[]")] == '\0';
}

static int client_add_host(struct http_client *c, struct http_host *h)
{
    VS_LOCK_SCOPE(&c->lock);

    if (c->hosts_count == HTTP_CLIENT_HOSTS_MAX)
        return -ENOBUFS;
    c->hosts_count++;
    c->connections += h->config.connections_max;
    vs_list_add_tail(&c->hosts, &h->link);
    return 0;
}

int http_host_open(struct http_host **ret, struct http_client *c,
                   const struct http_host_config *config)
{
    struct http_host *h;
    int e;

    if (config->connections_max < 1 || config->connections_max > HTTP_CLIENT_CONNECTIONS_MAX ||
        config->queue_max < 1 || config->queue_max > HTTP_CLIENT_QUEUE_MAX ||
        config->connect_timeout_ms < 1 || config->connect_timeout_ms > HTTP_CLIENT_TIMEOUT_MS_MAX ||
        !origin_ok(config->origin))
        return -EINVAL;
    h = calloc(1, sizeof(*h));
    if (h == NULL)
        return -ENOMEM;
    h->slots_free = calloc(config->connections_max, sizeof(h->slots_free[0]));
    if (h->slots_free == NULL) {
        free(h);
        return -ENOMEM;
    }
    h->client = c;
    h->config = *config;
    snprintf(h->origin, sizeof(h->origin), "%s", config->origin);
    h->config.origin = h->origin;
    vs_list_init(&h->waiting);
    vs_list_init(&h->active);
    e = client_add_host(c, h);
    if (e < 0) {
        free(h->slots_free);
        free(h);
        return e;
    }
    *ret = h;
    return 0;
}

static void requests_drop_locked(struct http_client *c, struct vs_list *list)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, list)
        request_drop_locked(c, vs_container_of(pos, struct http_request, link), -ECANCELED);
}

void http_host_close(struct http_host *h)
{
    struct http_client *c;

    if (h == NULL)
        return;
    c = h->client;
    pthread_mutex_lock(&c->lock);
    VS_ASSERT(!h->closing);
    h->closing = true;
    requests_drop_locked(c, &h->waiting);
    requests_drop_locked(c, &h->active);
    http_transport_wake(c->transport);
    while (h->in_flight > 0)
        pthread_cond_wait(&c->host_idle, &c->lock);
    vs_list_del(&h->link);
    vs_list_add_tail(&c->closed, &h->link);
    c->hosts_count--;
    c->connections -= h->config.connections_max;
    http_transport_wake(c->transport);
    while (!h->slots_freed)
        pthread_cond_wait(&c->host_idle, &c->lock);
    pthread_mutex_unlock(&c->lock);
    free(h->slots_free);
    free(h);
}

/* ---- start, stop -------------------------------------------------------------------------------
 */

static void client_free(struct http_client *c)
{
    http_transport_free(c->transport);
    pthread_cond_destroy(&c->host_idle);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int http_client_start(struct http_client **ret, struct vs_exec *exec)
{
    struct http_client *c = calloc(1, sizeof(*c));
    int e;

    if (c == NULL)
        return -ENOMEM;
    c->exec = exec;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->host_idle, NULL);
    vs_list_init(&c->hosts);
    vs_list_init(&c->deadlines);
    vs_list_init(&c->dropped);
    vs_list_init(&c->closed);
    e = http_transport_new(&c->transport);
    if (e == 0)
        e = vs_thread_start(&c->thread, client_main, c);
    if (e < 0) {
        client_free(c);
        return e;
    }
    *ret = c;
    return 0;
}

static struct http_host *client_first_host(struct http_client *c)
{
    VS_LOCK_SCOPE(&c->lock);

    return vs_list_first(&c->hosts, struct http_host, link);
}

void http_client_stop(struct http_client *c)
{
    struct http_host *h;

    if (c == NULL)
        return;
    while ((h = client_first_host(c)) != NULL)
        http_host_close(h);
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    http_transport_wake(c->transport);
    pthread_mutex_unlock(&c->lock);
    VS_ASSERT(pthread_join(c->thread, NULL) == 0);
    client_free(c);
}
