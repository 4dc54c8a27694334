/* The HTTP server on libmicrohttpd: its daemons, and the calls that come from them. The door to
 * that library, together with http_mhd_req.c and http_mhd_reply.c.
 *
 * Happy path: two daemons without a listening socket, each a pool of epoll threads; connections
 * are added by the accept thread. The library calls on_request() when the headers are there, for
 * each piece of the body, and when the request is complete; a request without a reply by then is
 * suspended until there is one. What does not block is answered without a change of thread.
 * Failure modes: without memory for a request its connection is closed. All time limits are kept
 * by http_conns, not by the library: it knows only the time since the last byte, which a client
 * that sends one byte per second never lets grow. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/http_impl.h"
#include "common/http_listen.h"
#include "common/log.h"
#include "common/thread.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* Of the library per connection: headers both ways, a piece of body. */
#define CONNECTION_MEMORY_BYTES 16384u
#define THREADS_MIN             2u /* a pool of one is none */
#define THREADS_DEFAULT_MAX     16u
#define DRAIN_STEP_MS           50
#define QUICK_NICE_STEP         5

/* ---- calls from the library -------------------------------------------------------------------
 */

static enum MHD_Result on_begin(struct http_server *s, bool quick, struct MHD_Connection *mhd,
                                const char *url, const char *method, void **con_cls)
{
    struct http_req *q = http_req_new(s, mhd, quick, url, method);

    if (q == NULL)
        return MHD_NO;
    *con_cls = q;
    /* Where the body is not worth waiting for, or the client waits for our word before it sends
     * it, answer now: the library closes the connection afterwards. */
    if (http_req_replied(q) && q->body_bytes > 0) {
        const char *expect = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Expect");

        if (expect != NULL || q->body_bytes > HTTP_DISCARD_BYTES_MAX)
            return http_reply_send(q) ? MHD_YES : MHD_NO;
    }
    return MHD_YES;
}

static enum MHD_Result on_complete(struct http_req *q)
{
    if (!q->ran) {
        q->ran = true;
        http_req_run(q);
    }
    pthread_mutex_lock(&q->lock);
    if (q->response == NULL) {
        q->suspended = true;
        MHD_suspend_connection(q->mhd);
        pthread_mutex_unlock(&q->lock);
        return MHD_YES;
    }
    pthread_mutex_unlock(&q->lock);
    return http_reply_send(q) ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(struct http_server *s, bool quick, struct MHD_Connection *mhd,
                                  const char *url, const char *method, const char *upload,
                                  size_t *upload_bytes, void **con_cls)
{
    struct http_req *q = *con_cls;

    if (q == NULL)
        return on_begin(s, quick, mhd, url, method, con_cls);
    if (*upload_bytes > 0) {
        http_req_take(q, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    return on_complete(q);
}

static enum MHD_Result on_pool_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                       const char *method, const char *version, const char *upload,
                                       size_t *upload_bytes, void **con_cls)
{
    (void)version;
    return on_request(cls, false, mhd, url, method, upload, upload_bytes, con_cls);
}

static enum MHD_Result on_quick_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                        const char *method, const char *version, const char *upload,
                                        size_t *upload_bytes, void **con_cls)
{
    (void)version;
    return on_request(cls, true, mhd, url, method, upload, upload_bytes, con_cls);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct http_server *s = cls;
    struct http_req *q = *con_cls;
    struct http_conn *c;

    (void)mhd;
    if (q == NULL)
        return;
    *con_cls = NULL;
    c = q->conn;
    q->sent = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    http_linger_add(&s->conns, c, q->linger);
    http_req_free(q);
    (void)http_conn_enter(c, HTTP_IDLE,
                          vs_now_ns(&vs_clock_system) + s->config.idle_ms * VS_NS_PER_MS);
    VS_LOCK_SCOPE(&s->lock);
    s->in_flight--;
    if (s->in_flight == 0)
        pthread_cond_broadcast(&s->idle);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = cls;
    const union MHD_ConnectionInfo *info;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = info != NULL ? http_conns_find(&s->conns, info->connect_fd) : NULL;
    } else {
        http_conns_remove(&s->conns, *socket_context);
        *socket_context = NULL;
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding in place, but for %00: what comes after it would be nobody's. */
static size_t on_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    char *to = text;

    (void)cls;
    (void)mhd;
    for (const char *pos = text; *pos != '\0'; pos++) {
        int high = *pos == '%' ? hex_digit(pos[1]) : -1;
        int low = high >= 0 ? hex_digit(pos[2]) : -1;

        if (low >= 0 && (high | low) != 0) {
            *to++ = (char)(high << 4 | low);
            pos += 2;
        } else {
            *to++ = *pos;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

static void on_log(void *cls, const char *fmt, va_list args)
{
    char line[512];

    (void)cls;
    vsnprintf(line, sizeof(line), fmt, args);
    line[strcspn(line, "\n")] = '\0';
    vs_debug("http: %s", line);
}

/* ---- the accept thread's --------------------------------------------------------------------
 */

/* "GET /ping HTTP/1.1": the route of a first line decides. */
static bool is_quick(void *arg, const char *first, size_t len)
{
    const struct http_server *s = arg;
    const char *path = memchr(first, ' ', len);
    size_t left;

    if (path == NULL)
        return false;
    path++;
    left = len - (size_t)(path - first);
    for (unsigned i = 0; i < s->config.route_count; i++) {
        const struct http_route *r = &s->config.routes[i];
        size_t n = strlen(r->path);

        if (r->quick && left > n && memcmp(path, r->path, n) == 0 &&
            (path[n] == ' ' || path[n] == '?' || r->path[n - 1] == '/'))
            return true;
    }
    return false;
}

static bool hand(void *arg, int fd, bool quick)
{
    struct http_server *s = arg;
    struct http_conn *c = http_conns_find(&s->conns, fd);
    struct sockaddr_storage peer = { .ss_family = AF_INET };
    socklen_t len = sizeof(peer);

    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0) {
        http_conns_remove(&s->conns, c);
        close(fd);
        return false;
    }
    if (MHD_add_connection(quick ? s->quick : s->pool, fd, (struct sockaddr *)&peer, len) ==
        MHD_YES)
        return true;
    http_conns_remove(&s->conns, c); /* the library has closed it */
    return false;
}

/* ---- start ------------------------------------------------------------------------------------
 */

static int options(struct http_server *s, const struct http_server_config *config)
{
    struct http_server_config *c = &s->config;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    *c = *config;
    if (c->threads == 0)
        c->threads = cores > (long)THREADS_DEFAULT_MAX ? THREADS_DEFAULT_MAX : (unsigned)cores;
    c->threads = c->threads < THREADS_MIN ? THREADS_MIN : c->threads;
    c->quick_threads = c->quick_threads < THREADS_MIN ? THREADS_MIN : c->quick_threads;
    c->connections_max = c->connections_max > 0 ? c->connections_max : HTTP_CONNECTIONS_DEFAULT;
    c->idle_ms = c->idle_ms > 0 ? c->idle_ms : 120000;
    c->head_ms = c->head_ms > 0 ? c->head_ms : 10000;
    c->grace_ms = c->grace_ms > 0 ? c->grace_ms : 10000;
    c->rate_bytes_per_s_min = c->rate_bytes_per_s_min > 0 ? c->rate_bytes_per_s_min : 262144;
    c->body_memory_bytes_max = c->body_memory_bytes_max > 0 ? c->body_memory_bytes_max : 256 << 20;
    if (c->threads > HTTP_THREADS_MAX || c->quick_threads > HTTP_THREADS_MAX ||
        c->connections_max > HTTP_CONNECTIONS_MAX)
        return -EINVAL;
    for (unsigned i = 0; i < c->route_count; i++)
        VS_ASSERT(c->routes[i].run != NULL && c->routes[i].body_bytes_max <= HTTP_BODY_BYTES_MAX);
    return 0;
}

static struct MHD_Daemon *daemon_start(struct http_server *s, bool quick)
{
    unsigned threads = quick ? s->config.quick_threads : s->config.threads;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

    /* The library divides its limit by the threads; ours is kept by http_conns. */
    return MHD_start_daemon(flags, 0, NULL, NULL, quick ? on_quick_request : on_pool_request, s,
                            MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_THREAD_POOL_SIZE,
                            threads, MHD_OPTION_CONNECTION_LIMIT,
                            (s->config.connections_max + 1) * threads,
                            MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
                            on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                            MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, s, MHD_OPTION_END);
}

/* Threads inherit the priority of the one that starts them (nice(2) is per thread on Linux): those
 * that accept and answer pings go before those that move bytes, where the system lets them. Returns
 * what to restore. */
static int priority_raise(void)
{
    int before = getpriority(PRIO_PROCESS, 0);

    (void)setpriority(PRIO_PROCESS, 0, before - QUICK_NICE_STEP);
    return before;
}

static int start_accept(struct http_server *s, int listen_fd)
{
    struct http_accept_config config = {
        .listen_fd = listen_fd,
        .conns = &s->conns,
        .idle_ns = s->config.idle_ms * VS_NS_PER_MS,
        .head_ns = s->config.head_ms * VS_NS_PER_MS,
        .arg = s,
        .is_quick = is_quick,
        .hand = hand,
    };

    return http_accept_start(&s->accept, &config);
}

/* Whatever of it there is. */
static void server_free(struct http_server *s)
{
    http_accept_stop(s->accept);
    if (s->pool != NULL)
        MHD_stop_daemon(s->pool);
    if (s->quick != NULL)
        MHD_stop_daemon(s->quick);
    http_reply_close(s);
    if (s->conns.by_fd != NULL)
        http_linger_close(&s->conns);
    http_conns_close(&s->conns);
    http_memory_close(&s->memory);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int server_start(struct http_server *s, char why[HTTP_WHY_BYTES])
{
    int fd, r, before;

    r = http_listen(s->config.listen, s->config.beyond_loopback, &fd, &s->port, why,
                    HTTP_WHY_BYTES);
    if (r < 0)
        return r;
    r = http_conns_init(&s->conns, s->config.connections_max, s->config.grace_ms * VS_NS_PER_MS);
    if (r == 0)
        r = http_reply_init(s);
    if (r == 0) {
        s->pool = daemon_start(s, false);
        r = s->pool == NULL ? -EAGAIN : 0;
    }
    before = priority_raise();
    if (r == 0) {
        s->quick = daemon_start(s, true);
        r = s->quick == NULL ? -EAGAIN : 0;
    }
    if (r == 0)
        r = start_accept(s, fd);
    else
        close(fd);
    (void)setpriority(PRIO_PROCESS, 0, before);
    return r;
}

int http_server_start(struct http_server **ret, const struct http_server_config *config,
                      char why[HTTP_WHY_BYTES])
{
    struct http_server *s = calloc(1, sizeof(*s));
    int r;

    why[0] = '\0';
    if (s == NULL)
        return -ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    vs_cond_init(&s->idle);
    *ret = s; /* before there can be a request that asks for it */
    r = options(s, config);
    if (r == 0) {
        http_memory_init(&s->memory, s->config.body_memory_bytes_max);
        r = server_start(s, why);
    }
    if (r < 0) {
        if (why[0] == '\0')
            snprintf(why, HTTP_WHY_BYTES, "cannot start the HTTP server: %s", vs_err_text(r));
        *ret = NULL;
        server_free(s);
        return r;
    }
    return 0;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

/* ---- stop -------------------------------------------------------------------------------------
 */

static unsigned in_flight(struct http_server *s)
{
    VS_LOCK_SCOPE(&s->lock);

    return s->in_flight;
}

/* Wait a moment, or until no request is in flight. */
static void wait_idle(struct http_server *s)
{
    int64_t until_ns = vs_now_ns(&vs_clock_system) + DRAIN_STEP_MS * VS_NS_PER_MS;
    VS_LOCK_SCOPE(&s->lock);

    if (s->in_flight > 0)
        vs_cond_wait_until(&s->idle, &s->lock, until_ns);
}

void http_server_stop(struct http_server *s, unsigned drain_ms)
{
    int64_t until_ns;

    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock); /* a request either is counted now, or sees that we stop */
    atomic_store(&s->draining, true);
    pthread_mutex_unlock(&s->lock);
    http_accept_quiesce(s->accept);
    until_ns = vs_now_ns(&vs_clock_system) + drain_ms * VS_NS_PER_MS;
    while (in_flight(s) > 0) { /* those that wait for their answer get it: no limit for them */
        wait_idle(s);
        http_conns_cut(&s->conns, vs_now_ns(&vs_clock_system) >= until_ns, NULL, NULL);
    }
    server_free(s);
}

void http_server_stats(struct http_server *s, struct http_server_stats *ret)
{
    *ret = (struct http_server_stats){ 0 };
    http_accept_counts(s->accept, &ret->accepted, &ret->refused);
    ret->timeouts = atomic_load(&s->conns.timeouts);
    ret->connections = http_conns_count(&s->conns);
    pthread_mutex_lock(&s->memory.lock);
    ret->body_memory_bytes = s->memory.lent;
    ret->body_memory_spare = s->memory.spare;
    ret->body_memory_bytes_max = s->memory.max;
    ret->out_of_memory = s->memory.refused;
    pthread_mutex_unlock(&s->memory.lock);
    VS_LOCK_SCOPE(&s->lock);
    ret->in_flight = s->in_flight;
    ret->requests = s->requests;
}
