/* Counters, histograms, and their text.
 *
 * Happy path: an addition; lines appended to a buffer. Failure modes: the text stops growing at its
 * limit and says so. */
#include "common/metrics.h"

#include "common/assert.h"
#include "common/err.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES_MAX 512
#define NS_PER_S       UINT64_C(1000000000)

static const struct {
    uint64_t ns;
    const char *text;
} bounds[VS_HISTOGRAM_BOUNDS] = {
    { 100000, "0.0001" },  { 250000, "0.00025" }, { 500000, "0.0005" },  { 1000000, "0.001" },
    { 2500000, "0.0025" }, { 5000000, "0.005" },  { 10000000, "0.01" },  { 25000000, "0.025" },
    { 50000000, "0.05" },  { 100000000, "0.1" },  { 250000000, "0.25" }, { 500000000, "0.5" },
    { 1000000000, "1" },   { 5000000000, "5" },   { 30000000000, "30" },
};

void vs_histogram_add(struct vs_histogram *h, int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    unsigned i = 0;

    while (i < VS_HISTOGRAM_BOUNDS && v > bounds[i].ns)
        i++;
    atomic_fetch_add_explicit(&h->bucket[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ns, v, memory_order_relaxed);
}

uint64_t vs_histogram_count(struct vs_histogram *h)
{
    uint64_t n = 0;

    for (unsigned i = 0; i <= VS_HISTOGRAM_BOUNDS; i++)
        n += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
    return n;
}

/* ---- text -------------------------------------------------------------------------------------
 */

static void line(struct vs_metrics_text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void line(struct vs_metrics_text *t, const char *fmt, ...)
{
    char text[LINE_BYTES_MAX];
    va_list args;
    int n;

    if (t->err < 0)
        return;
    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    VS_ASSERT(n > 0);
    t->err = n < LINE_BYTES_MAX ? vs_buf_append(t->buf, text, (size_t)n, VS_METRICS_BYTES_MAX)
                                : -EMSGSIZE;
}

void vs_metrics_family(struct vs_metrics_text *t, const char *name, const char *type,
                       const char *help)
{
    line(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* name{labels} without empty braces */
#define LABELS(l) (l)[0] != '\0' ? "{" : "", (l), (l)[0] != '\0' ? "}" : ""

void vs_metrics_u64(struct vs_metrics_text *t, const char *name, const char *labels, uint64_t v)
{
    line(t, "%s%s%s%s %" PRIu64 "\n", name, LABELS(labels), v);
}

void vs_metrics_one(struct vs_metrics_text *t, const char *name, const char *type, const char *help,
                    uint64_t v)
{
    vs_metrics_family(t, name, type, help);
    vs_metrics_u64(t, name, "", v);
}

void vs_metrics_seconds(struct vs_metrics_text *t, const char *name, const char *labels,
                        uint64_t ns)
{
    line(t, "%s%s%s%s %" PRIu64 ".%09" PRIu64 "\n", name, LABELS(labels), ns / NS_PER_S,
         ns % NS_PER_S);
}

void vs_metrics_histogram(struct vs_metrics_text *t, const char *name, const char *labels,
                          struct vs_histogram *h)
{
    const char *comma = labels[0] != '\0' ? "," : "";
    uint64_t sum_ns = atomic_load_explicit(&h->sum_ns, memory_order_relaxed), count = 0;

    for (unsigned i = 0; i <= VS_HISTOGRAM_BOUNDS; i++) {
        count += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
        line(t, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels, comma,
             i < VS_HISTOGRAM_BOUNDS ? bounds[i].text : "+Inf", count);
    }
    line(t, "%s_sum%s%s%s %" PRIu64 ".%09" PRIu64 "\n", name, LABELS(labels), sum_ns / NS_PER_S,
         sum_ns % NS_PER_S);
    line(t, "%s_count%s%s%s %" PRIu64 "\n", name, LABELS(labels), count);
}
