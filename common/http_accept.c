/* Accepting.
 *
 * Happy path: one epoll for the listening socket and for connections that have not spoken; the
 * first bytes are looked at (MSG_PEEK), not taken. Once in a while the table of connections is
 * swept for those over their time.
 * Failure modes: above the limit of connections, or without descriptors (one is kept in reserve
 * for this), a connection is told 503 and closed. */
#include "common/http_accept.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/http_head.h"
#include "common/http_linger.h"
#include "common/thread.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define EVENTS_MAX  256
#define ACCEPT_MAX  256 /* in a row, before those that have spoken get their turn */
#define SWEEP_MS    100
#define ANSWERED_NS VS_NS_PER_S
#define SHORT_OF_MS 50 /* pause when even the reserve descriptor does not help */

struct http_accept {
    struct http_accept_config config;
    int epoll_fd, wake_fd;
    int reserve_fd;
    pthread_t thread;
    bool running, listening; /* listening: the thread's */
    _Atomic bool quiesce, stop;
    _Atomic uint64_t accepted, refused;
};

/* ---- refusing ---------------------------------------------------------------------------------
 */

static void refuse(struct http_accept *a, int fd)
{
    atomic_fetch_add(&a->refused, 1);
    http_say(fd, "503 Service Unavailable", "Retry-After: 1\r\n",
             "{\"error\":\"This server has as many connections as it takes; try again in a "
             "second.\",\"code\":\"busy\"}\n");
    shutdown(fd, SHUT_WR);
    close(fd);
}

static void close_conn(void *arg, struct http_conn *c)
{
    struct http_accept *a = arg;
    int fd = c->fd;

    (void)epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    http_conns_remove(a->config.conns, c);
    close(fd);
}

/* ---- accepting --------------------------------------------------------------------------------
 */

static void take(struct http_accept *a, int fd)
{
    int64_t deadline_ns = vs_now_ns(&vs_clock_system) + a->config.idle_ns;
    struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };
    struct http_conn *c;
    int on = 1;

    atomic_fetch_add(&a->accepted, 1);
    if (http_conns_add(a->config.conns, fd, deadline_ns, &c) < 0) {
        refuse(a, fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ev.data.ptr = c;
    if (epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        http_conns_remove(a->config.conns, c);
        refuse(a, fd);
    }
}

/* Without a descriptor left, use the reserve to say so. */
static void accept_short(struct http_accept *a)
{
    struct timespec pause = { 0, SHORT_OF_MS * VS_NS_PER_MS };
    int fd;

    if (a->reserve_fd >= 0)
        close(a->reserve_fd);
    fd = accept4(a->config.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        refuse(a, fd);
    else
        nanosleep(&pause, NULL);
    a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_some(struct http_accept *a)
{
    for (unsigned i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(a->config.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take(a, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accept_short(a);
            return;
        } else if (errno == EAGAIN) {
            return;
        } /* else that connection is gone already: the next one */
    }
}

/* ---- the first bytes --------------------------------------------------------------------------
 */

/* Answer what is no request, and then wait a little for the client to hang up: a close with bytes
 * unread would reset the connection, and the answer with it. */
static void answer(struct http_conn *c, int status, const char *why)
{
    const char *line = status == 505   ? "505 HTTP Version Not Supported"
                       : status == 413 ? "413 Content Too Large"
                                       : "400 Bad Request";
    char body[HTTP_SAY_BYTES_MAX / 2];

    snprintf(body, sizeof(body), "{\"error\":\"%s\",\"code\":\"http\"}\n", why);
    http_say(c->fd, line, "", body);
    shutdown(c->fd, SHUT_WR);
    c->answered = true;
    http_conn_extend(c, vs_now_ns(&vs_clock_system) + ANSWERED_NS);
}

/* Throw away what comes behind the answer. */
static void discard(struct http_accept *a, struct http_conn *c)
{
    char bytes[HTTP_PEEK_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_conn(a, c);
}

static void spoken(struct http_accept *a, struct http_conn *c)
{
    char first[HTTP_PEEK_BYTES];
    int fd = c->fd, status;
    ssize_t n = recv(fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
    int64_t deadline_ns = vs_now_ns(&vs_clock_system) + a->config.head_ns;
    const char *why;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_conn(a, c);
        return;
    }
    status = http_head_check(first, (size_t)n, &why);
    if (status != 0) {
        answer(c, status, why);
        return;
    }
    (void)epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    (void)http_conn_enter(c, HTTP_HEAD_READ, deadline_ns); /* only this thread cuts in PEEK */
    (void)a->config.hand(a->config.arg, fd, a->config.is_quick(a->config.arg, first, (size_t)n));
}

static void stop_listening(struct http_accept *a)
{
    close(a->config.listen_fd); /* leaves the epoll with it */
    a->config.listen_fd = -1;
    a->listening = false;
    http_conns_cut(a->config.conns, false, close_conn, a);
}

static void *accept_main(void *arg)
{
    struct http_accept *a = arg;
    struct epoll_event events[EVENTS_MAX];
    int64_t sweep_ns = 0;

    pthread_setname_np(pthread_self(), "http-accept");
    while (!atomic_load(&a->stop)) {
        int n = epoll_wait(a->epoll_fd, events, EVENTS_MAX, SWEEP_MS);
        int64_t now_ns;

        if (atomic_load(&a->quiesce) && a->listening) {
            stop_listening(a);
            n = 0; /* what they name may be gone */
        }
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &a->wake_fd)
                continue;
            if (events[i].data.ptr == &a->config)
                accept_some(a);
            else if (((struct http_conn *)events[i].data.ptr)->answered)
                discard(a, events[i].data.ptr);
            else
                spoken(a, events[i].data.ptr);
        }
        now_ns = vs_now_ns(&vs_clock_system);
        if (now_ns - sweep_ns >= SWEEP_MS * VS_NS_PER_MS) {
            http_conns_sweep(a->config.conns, now_ns, close_conn, a);
            http_linger_sweep(a->config.conns, now_ns);
            sweep_ns = now_ns;
        }
    }
    if (a->listening)
        stop_listening(a);
    return NULL;
}

/* ---- start, stop ------------------------------------------------------------------------------
 */

static void wake(struct http_accept *a)
{
    uint64_t one = 1;

    (void)!write(a->wake_fd, &one, sizeof(one));
}

void http_accept_quiesce(struct http_accept *a)
{
    atomic_store(&a->quiesce, true);
    wake(a);
}

void http_accept_counts(struct http_accept *a, uint64_t *ret_accepted, uint64_t *ret_refused)
{
    *ret_accepted = atomic_load(&a->accepted);
    *ret_refused = atomic_load(&a->refused);
}

void http_accept_stop(struct http_accept *a)
{
    if (a == NULL)
        return;
    atomic_store(&a->stop, true);
    if (a->running) {
        wake(a);
        VS_ASSERT(pthread_join(a->thread, NULL) == 0);
    }
    if (a->config.listen_fd >= 0)
        close(a->config.listen_fd);
    if (a->epoll_fd >= 0)
        close(a->epoll_fd);
    if (a->wake_fd >= 0)
        close(a->wake_fd);
    if (a->reserve_fd >= 0)
        close(a->reserve_fd);
    free(a);
}

static int accept_open(struct http_accept *a)
{
    struct epoll_event listening = { .events = EPOLLIN, .data.ptr = &a->config };
    struct epoll_event waking = { .events = EPOLLIN | EPOLLET, .data.ptr = &a->wake_fd };

    a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (a->epoll_fd < 0 || a->wake_fd < 0 || a->reserve_fd < 0 ||
        epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, a->config.listen_fd, &listening) < 0 ||
        epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, a->wake_fd, &waking) < 0)
        return -errno;
    return 0;
}

int http_accept_start(struct http_accept **ret, const struct http_accept_config *config)
{
    struct http_accept *a = malloc(sizeof(*a));
    int r;

    if (a == NULL) {
        close(config->listen_fd);
        return -ENOMEM;
    }
    *a = (struct http_accept){
        .config = *config, .epoll_fd = -1, .wake_fd = -1, .reserve_fd = -1, .listening = true
    };
    r = accept_open(a);
    *ret = a; /* before there can be a connection whose request asks for it */
    if (r == 0) {
        r = vs_thread_start(&a->thread, accept_main, a);
        a->running = r == 0;
    }
    if (r < 0) {
        *ret = NULL;
        http_accept_stop(a);
        return r;
    }
    return 0;
}
