/* The counters of running metadata replicas, read over HTTP: /metrics of each. Whatever fails ends
 * the program. Threads: one at a time. */
#ifndef VS_BENCH_BENCH_METAS_H
#define VS_BENCH_BENCH_METAS_H

#include "common/http_client.h"

/* The sum of all samples of one replica that begin so. */
uint64_t bench_metric(struct http_host *replica, const char *begin);

#endif
