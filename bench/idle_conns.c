/* Idle connections on raw sockets, so that what they cost here is nothing but descriptors. */
#include "bench/idle_conns.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPARE_FDS 512

static int conn_open(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        bench_die("a connection is refused");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* A ping and its answer, which is small and comes in one piece. */
static void conn_ping(int fd)
{
    static const char ask[] = "GET /ping HTTP/1.1\r\nHost: bench\r\n\r\n";
    char answer[1024];
    ssize_t n;

    if (send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof(ask) - 1))
        bench_die("a ping cannot be sent");
    n = recv(fd, answer, sizeof(answer), 0);
    if (n < 12 || memcmp(answer, "HTTP/1.1 200", 12) != 0)
        bench_die("a ping is not answered");
}

void idle_conns_open(struct idle_conns *c, uint16_t port, unsigned count)
{
    struct rlimit files;

    if (count > IDLE_CONNS_MAX || getrlimit(RLIMIT_NOFILE, &files) < 0)
        bench_die("too many connections");
    if (files.rlim_cur < count + SPARE_FDS) {
        files.rlim_cur = files.rlim_max;
        if (files.rlim_max < count + SPARE_FDS || setrlimit(RLIMIT_NOFILE, &files) < 0)
            bench_die("%u connections need more descriptors: ulimit -n %u", count,
                      count + SPARE_FDS);
    }
    c->fds = malloc(count * sizeof(c->fds[0]));
    if (c->fds == NULL)
        bench_die("no memory");
    for (c->count = 0; c->count < count; c->count++) {
        c->fds[c->count] = conn_open(port);
        conn_ping(c->fds[c->count]);
    }
}

void idle_conns_close(struct idle_conns *c)
{
    for (unsigned i = 0; i < c->count; i++)
        close(c->fds[i]);
    free(c->fds);
    *c = (struct idle_conns){ 0 };
}

void idle_conns_ping(uint16_t port, double seconds, struct bench_times *times)
{
    int64_t end_ns = bench_now_ns() + (int64_t)(seconds * 1e9);
    int fd = conn_open(port);

    for (int64_t now_ns = bench_now_ns(); now_ns < end_ns; now_ns = bench_now_ns()) {
        conn_ping(fd);
        bench_times_add(times, now_ns);
    }
    close(fd);
}
