/* Counters of metadata replicas; see the header. */
#include "bench/bench_metas.h"

#include "bench/bench.h"
#include "common/assert.h"
#include "common/list.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#define METRICS_BYTES_MAX  (256u << 10)
#define METRICS_TIMEOUT_MS 10000

struct metrics_call {
    struct http_request req;
    sem_t done;
    char body[METRICS_BYTES_MAX];
};

static void metrics_done(struct http_request *req)
{
    sem_post(&vs_container_of(req, struct metrics_call, req)->done);
}

uint64_t bench_metric(struct http_host *replica, const char *begin)
{
    struct metrics_call *m = calloc(1, sizeof(*m));
    uint64_t sum = 0;

    VS_ASSERT(m != NULL);
    m->req = (struct http_request){ .method = HTTP_GET,
                                    .path = "/metrics",
                                    .body = m->body,
                                    .body_cap = sizeof(m->body) - 1,
                                    .timeout_ms = METRICS_TIMEOUT_MS,
                                    .done = metrics_done };
    sem_init(&m->done, 0, 0);
    http_client_submit(replica, &m->req);
    while (sem_wait(&m->done) < 0) {
    }
    if (m->req.status < 0 || m->req.http_status != 200)
        bench_die("a replica of the metadata says no figures");
    for (const char *at = m->body; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, begin, strlen(begin)) == 0 && strchr(at, ' ') != NULL)
            sum += strtoull(strchr(at, ' ') + 1, NULL, 10);
    }
    sem_destroy(&m->done);
    free(m);
    return sum;
}
