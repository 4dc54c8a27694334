/* What the benchmarks share: lines "name value unit", medians, percentiles, warm random bytes. */
#ifndef VS_BENCH_BENCH_H
#define VS_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_ROUNDS 3 /* of which the median counts */

void bench_line(const char *name, double value, const char *unit);
/* A sentence on stderr, and exit code 1. */
_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

int64_t bench_now_ns(void);
void bench_sleep_until(int64_t due_ns); /* at once when that is over */
double bench_seconds_since(int64_t began_ns);

/* CPU time of this process and of child `pid`, so far, in seconds. */
double bench_cpu_seconds(int pid);

double bench_median(const double v[BENCH_ROUNDS]);

/* Latencies of one run, from many threads. */
struct bench_times {
    uint32_t *us;
    size_t max;
    size_t count; /* atomic; may pass max: what is above is not kept */
};
void bench_times_init(struct bench_times *t, size_t max);
void bench_times_add(struct bench_times *t, int64_t began_ns);
/* In ms; 0 without any. Sorts. */
double bench_times_percentile(struct bench_times *t, double percent);
void bench_times_close(struct bench_times *t);

#endif
