/* cluster_port: see the header.
 *
 * Happy path: a drawn port is bound. Failure: it is taken: another one is drawn, and at last the
 * kernel is asked for any. */
#include "fs/cluster_port.h"
#include "common/cleanup.h"
#include "common/rand.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#define DRAWS_MAX 64

/* Bound to `port`, and open to a listener of ours; negative errno. `again`: it was ours before, and
 * connections of that time may still be in TIME_WAIT. */
static int port_bind(uint16_t port, bool again, uint16_t *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, r;
    socklen_t len = sizeof(at);

    if (fd < 0)
        return -errno;
    /* without SO_REUSEADDR a port that is only held counts as taken, too */
    if ((again && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    *ret_port = ntohs(at.sin_port);
    return fd;
}

int cluster_port_hold(uint16_t wanted, uint16_t *ret_port)
{
    if (wanted != 0)
        return port_bind(wanted, true, ret_port);
    for (unsigned i = 0; i < DRAWS_MAX; i++) {
        uint32_t drawn;
        int fd;

        vs_rand_system(&drawn, sizeof(drawn));
        fd = port_bind(
            (uint16_t)(CLUSTER_PORT_FIRST + drawn % (CLUSTER_PORT_LAST - CLUSTER_PORT_FIRST + 1)),
            false, ret_port);
        if (fd != -EADDRINUSE)
            return fd;
    }
    return port_bind(0, false, ret_port);
}
