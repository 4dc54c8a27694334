/* metrics: counters and histograms of latency, and their text in the Prometheus format
 * (prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4).
 *
 * Names carry their unit (_bytes, _seconds, _total). Gauges are read where they live when the text
 * is made.
 *
 * Pure. Threads: counting from any thread without a lock; a text is made by one thread, and shows
 * every counter as it was at some time during that. */
#ifndef VS_COMMON_METRICS_H
#define VS_COMMON_METRICS_H

#include "common/buf.h"
#include <stdatomic.h>
#include <stdint.h>

#define VS_HISTOGRAM_BOUNDS  15
#define VS_METRICS_BYTES_MAX (1u << 20)

struct vs_counter {
    _Atomic uint64_t v;
};

/* Latency: 100 us .. 30 s. */
struct vs_histogram {
    _Atomic uint64_t
        bucket[VS_HISTOGRAM_BOUNDS + 1]; /* not cumulative; the last: above all bounds */
    _Atomic uint64_t sum_ns;
};

static inline void vs_counter_add(struct vs_counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->v, n, memory_order_relaxed);
}
static inline uint64_t vs_counter_get(struct vs_counter *c)
{
    return atomic_load_explicit(&c->v, memory_order_relaxed);
}
void vs_histogram_add(struct vs_histogram *h, int64_t ns);
uint64_t vs_histogram_count(struct vs_histogram *h);

/* A text in progress; sticky like vs_wr: ask `err` once at the end. */
struct vs_metrics_text {
    struct vs_buf *buf; /* the caller's; appended to */
    int err;            /* 0, -EMSGSIZE, -ENOMEM */
};

/* A new family. type: "counter", "gauge", "histogram". */
void vs_metrics_family(struct vs_metrics_text *t, const char *name, const char *type,
                       const char *help);
/* One line of the family. labels: "" or "a=\"b\",c=\"d\"". */
void vs_metrics_u64(struct vs_metrics_text *t, const char *name, const char *labels, uint64_t v);
/* A family of one line without labels. */
void vs_metrics_one(struct vs_metrics_text *t, const char *name, const char *type, const char *help,
                    uint64_t v);
/* Nanoseconds as seconds. */
void vs_metrics_seconds(struct vs_metrics_text *t, const char *name, const char *labels,
                        uint64_t ns);
void vs_metrics_histogram(struct vs_metrics_text *t, const char *name, const char *labels,
                          struct vs_histogram *h);

#endif
