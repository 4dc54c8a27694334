/* idle_conns: many connections to a server that have said something once and then keep silent. */
#ifndef VS_BENCH_IDLE_CONNS_H
#define VS_BENCH_IDLE_CONNS_H

#include "bench/bench.h"

#include <stdint.h>

#define IDLE_CONNS_MAX 60000

struct idle_conns {
    int *fds;
    unsigned count;
};

/* Open `count` connections to the loopback port, one GET /ping on each. */
void idle_conns_open(struct idle_conns *c, uint16_t port, unsigned count);
void idle_conns_close(struct idle_conns *c);
/* GET /ping over one more connection, one after the other for `seconds`. */
void idle_conns_ping(uint16_t port, double seconds, struct bench_times *times);

#endif
