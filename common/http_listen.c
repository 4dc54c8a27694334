/* The listening socket.
 *
 * Happy path: the first address of the host that can be bound. Failure modes: a sentence with the
 * address, what is wrong with it and what to do. */
#include "common/http_listen.h"

#include "common/cleanup.h"
#include "common/err.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HOST_BYTES 256

/* "HOST:PORT" or "[HOST]:PORT" in two. */
static int split(const char *address, char host[HOST_BYTES], char port[6])
{
    const char *colon = strrchr(address, ':'), *first = address;
    size_t n;

    if (colon == NULL || strlen(colon + 1) < 1 || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return -EINVAL;
    n = (size_t)(colon - first);
    if (n >= 2 && first[0] == '[' && first[n - 1] == ']') {
        first++;
        n -= 2;
    } else if (memchr(first, ':', n) != NULL) {
        return -EINVAL;
    }
    if (n == 0 || n >= HOST_BYTES || strtoul(colon + 1, NULL, 10) > UINT16_MAX)
        return -EINVAL;
    memcpy(host, first, n);
    host[n] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return 0;
}

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    if (sa->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
    return false;
}

static int open_one(const struct addrinfo *ai, uint16_t *ret_port)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);
    int on = 1, fd, r;

    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, HTTP_LISTEN_BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    *ret_port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                  : ((struct sockaddr_in *)&bound)->sin_port);
    return fd;
}

/* Open the first address that can be. */
static int open_any(const struct addrinfo *list, bool beyond_loopback, uint16_t *ret_port)
{
    int r = -EADDRNOTAVAIL;

    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        if (!beyond_loopback && !is_loopback(ai->ai_addr))
            return -EACCES;
        r = open_one(ai, ret_port);
        if (r >= 0)
            return r;
    }
    return r;
}

int http_listen(const char *address, bool beyond_loopback, int *ret_fd, uint16_t *ret_port,
                char *why, size_t why_bytes)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
    char host[HOST_BYTES], port[6];
    int r;

    if (split(address, host, port) < 0) {
        snprintf(why, why_bytes, "'%.100s' is no address to listen on; give HOST:PORT", address);
        return -EINVAL;
    }
    r = getaddrinfo(host, port, &hints, &list);
    if (r != 0) {
        snprintf(why, why_bytes, "'%.100s' is no address of this machine: %s", host,
                 gai_strerror(r));
        return -EINVAL;
    }
    r = open_any(list, beyond_loopback, ret_port);
    freeaddrinfo(list);
    if (r >= 0) {
        *ret_fd = r;
        return 0;
    }
    if (r == -EACCES && !beyond_loopback)
        snprintf(why, why_bytes,
                 "%.100s can be reached by other machines, and this connection is not encrypted; "
                 "listen on 127.0.0.1, or accept that with --insecure-lan",
                 address);
    else
        snprintf(why, why_bytes, "cannot listen on %.100s: %s", address, vs_err_text(r));
    return r;
}
