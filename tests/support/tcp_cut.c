/* tcp_cut: see the header. One thread polls all sockets; a direction that is cut, or whose buffer
 * is full, is not read. */
#include "tests/support/tcp_cut.h"

#include "common/assert.h"
#include "common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_CUT_BUFFER 65536

/* One direction of a connection. */
struct cut_pipe {
    int from, to;
    bool is_ended; /* nothing more comes */
    size_t at, len;
    uint8_t bytes[TCP_CUT_BUFFER];
};

struct cut_conn {
    int fd[2];               /* who connected; the target */
    struct cut_pipe pipe[2]; /* forward, backward */
};

struct tcp_cut {
    int listener, wake;
    uint16_t port, target;
    pthread_t thread;
    struct cut_conn *conn[TCP_CUT_CONNECTIONS_MAX]; /* the thread's */
    unsigned conns;
    pthread_mutex_t lock;
    pthread_cond_t seen;
    /* under lock */
    bool is_cut[2], is_stopping;
    uint64_t asked, done; /* changes of the cut */
};

static int cut_socket(uint16_t port, bool listens)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    VS_ASSERT(fd >= 0);
    if (listens)
        VS_ASSERT(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 64) == 0);
    else if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) { /* loopback: at once */
        close(fd);
        return -1;
    }
    VS_ASSERT(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

static void conn_add(struct tcp_cut *t)
{
    int fd = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int target = fd < 0 || t->conns == TCP_CUT_CONNECTIONS_MAX ? -1 : cut_socket(t->target, false);
    struct cut_conn *c;

    if (target < 0) {
        if (fd >= 0)
            close(fd);
        return;
    }
    c = calloc(1, sizeof(*c));
    VS_ASSERT(c != NULL);
    c->fd[0] = c->pipe[0].from = c->pipe[1].to = fd;
    c->fd[1] = c->pipe[0].to = c->pipe[1].from = target;
    t->conn[t->conns++] = c;
}

static void conn_close(struct tcp_cut *t, unsigned i)
{
    close(t->conn[i]->fd[0]);
    close(t->conn[i]->fd[1]);
    free(t->conn[i]);
    t->conn[i] = t->conn[--t->conns];
}

/* Take what is there, give what is held. False: the connection is over. */
static bool pipe_move(struct cut_pipe *p)
{
    ssize_t n;

    if (p->len == 0 && !p->is_ended) {
        p->at = 0;
        n = recv(p->from, p->bytes, sizeof(p->bytes), 0);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        p->is_ended = n == 0;
        p->len = (size_t)n;
        if (p->is_ended)
            shutdown(p->to, SHUT_WR);
    }
    if (p->len > 0) {
        n = send(p->to, p->bytes + p->at, p->len, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        p->at += (size_t)n;
        p->len -= (size_t)n;
    }
    return true;
}

static bool conn_move(struct cut_conn *c, const bool is_cut[2])
{
    for (unsigned d = 0; d < 2; d++)
        if (!is_cut[d] && !pipe_move(&c->pipe[d]))
            return false;
    return !c->pipe[0].is_ended || !c->pipe[1].is_ended;
}

/* What each socket waits for. */
static unsigned polls_fill(const struct tcp_cut *t, const bool is_cut[2], struct pollfd *p)
{
    unsigned n = 0;

    p[n++] = (struct pollfd){ .fd = t->wake, .events = POLLIN };
    p[n++] = (struct pollfd){ .fd = is_cut[0] ? -1 : t->listener, .events = POLLIN };
    for (unsigned i = 0; i < t->conns; i++) {
        const struct cut_conn *c = t->conn[i];

        for (unsigned s = 0; s < 2; s++) {
            const struct cut_pipe *in = &c->pipe[s], *out = &c->pipe[1 - s];
            short events = 0;

            if (!is_cut[s] && !in->is_ended && in->len == 0)
                events |= POLLIN;
            if (!is_cut[1 - s] && out->len > 0)
                events |= POLLOUT;
            /* An error is told even when nothing is asked for: a cut direction hears of none. */
            p[n++] = (struct pollfd){ .fd = events != 0 ? c->fd[s] : -1, .events = events };
        }
    }
    return n;
}

/* What was asked for is in effect; false: it is over. */
static bool cut_take(struct tcp_cut *t, bool is_cut[2])
{
    VS_LOCK_SCOPE(&t->lock);

    memcpy(is_cut, t->is_cut, sizeof(t->is_cut));
    t->done = t->asked;
    pthread_cond_broadcast(&t->seen);
    return !t->is_stopping;
}

static void *cut_main(void *arg)
{
    struct tcp_cut *t = arg;
    struct pollfd polls[2 + 2 * TCP_CUT_CONNECTIONS_MAX];
    uint64_t woken;
    bool is_cut[2];

    while (cut_take(t, is_cut)) {
        unsigned n = polls_fill(t, is_cut, polls);

        VS_ASSERT(poll(polls, n, -1) >= 0 || errno == EINTR);
        if (polls[0].revents != 0 && read(t->wake, &woken, sizeof(woken)) < 0)
            continue;
        if (polls[0].revents != 0)
            continue; /* the cut first */
        for (unsigned i = t->conns; i > 0; i--)
            if (!conn_move(t->conn[i - 1], is_cut))
                conn_close(t, i - 1);
        if (polls[1].revents != 0)
            conn_add(t);
    }
    while (t->conns > 0)
        conn_close(t, t->conns - 1);
    return NULL;
}

struct tcp_cut *tcp_cut_start(uint16_t target_port)
{
    struct tcp_cut *t = calloc(1, sizeof(*t));
    struct sockaddr_in a;
    socklen_t len = sizeof(a);

    VS_ASSERT(t != NULL);
    t->target = target_port;
    t->listener = cut_socket(0, true);
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    VS_ASSERT(t->wake >= 0 && getsockname(t->listener, (struct sockaddr *)&a, &len) == 0);
    t->port = ntohs(a.sin_port);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->seen, NULL);
    VS_ASSERT(pthread_create(&t->thread, NULL, cut_main, t) == 0);
    return t;
}

uint16_t tcp_cut_port(const struct tcp_cut *t)
{
    return t->port;
}

static void cut_ask(struct tcp_cut *t, bool forward, bool backward, bool stop)
{
    uint64_t one = 1, asked;
    VS_LOCK_SCOPE(&t->lock);

    t->is_cut[0] = forward;
    t->is_cut[1] = backward;
    t->is_stopping = stop;
    asked = ++t->asked;
    VS_ASSERT(write(t->wake, &one, sizeof(one)) == sizeof(one));
    while (t->done < asked)
        pthread_cond_wait(&t->seen, &t->lock);
}

void tcp_cut_set(struct tcp_cut *t, bool forward, bool backward)
{
    cut_ask(t, forward, backward, false);
}

void tcp_cut_stop(struct tcp_cut *t)
{
    if (t == NULL)
        return;
    cut_ask(t, true, true, true);
    pthread_join(t->thread, NULL);
    close(t->listener);
    close(t->wake);
    pthread_cond_destroy(&t->seen);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
