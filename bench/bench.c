/* Lines, medians, percentiles. Failure modes: a benchmark that cannot go on says why and exits 1.
 */
#include "bench/bench.h"

#include "common/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void bench_line(const char *name, double value, const char *unit)
{
    printf("%-44s %12.3f %s\n", name, value, unit);
    fflush(stdout);
}

_Noreturn void bench_die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

int64_t bench_now_ns(void)
{
    return vs_now_ns(&vs_clock_system);
}

void bench_sleep_until(int64_t due_ns)
{
    struct timespec due = { due_ns / VS_NS_PER_S, due_ns % VS_NS_PER_S };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
}

double bench_seconds_since(int64_t began_ns)
{
    return (double)(bench_now_ns() - began_ns) / (double)VS_NS_PER_S;
}

double bench_cpu_seconds(int pid)
{
    unsigned long user = 0, sys = 0;
    struct rusage self;
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r");
    if (f == NULL ||
        fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &sys) != 2 ||
        getrusage(RUSAGE_SELF, &self) < 0)
        bench_die("%s cannot be read", path);
    fclose(f);
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK) + (double)self.ru_utime.tv_sec +
           (double)self.ru_stime.tv_sec +
           (double)(self.ru_utime.tv_usec + self.ru_stime.tv_usec) / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double bench_median(const double v[BENCH_ROUNDS])
{
    double sorted[BENCH_ROUNDS];

    memcpy(sorted, v, sizeof(sorted));
    qsort(sorted, BENCH_ROUNDS, sizeof(sorted[0]), by_value);
    return sorted[BENCH_ROUNDS / 2];
}

void bench_times_init(struct bench_times *t, size_t max)
{
    *t = (struct bench_times){ .us = malloc(max * sizeof(t->us[0])), .max = max };
    if (t->us == NULL)
        bench_die("no memory");
}

void bench_times_add(struct bench_times *t, int64_t began_ns)
{
    size_t i = __atomic_fetch_add(&t->count, 1, __ATOMIC_RELAXED);

    if (i < t->max)
        t->us[i] = (uint32_t)((bench_now_ns() - began_ns) / 1000);
}

static int by_us(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

double bench_times_percentile(struct bench_times *t, double percent)
{
    size_t n = t->count < t->max ? t->count : t->max;

    if (n == 0)
        return 0;
    qsort(t->us, n, sizeof(t->us[0]), by_us);
    return t->us[(size_t)((double)(n - 1) * percent / 100)] / 1000.0;
}

void bench_times_close(struct bench_times *t)
{
    free(t->us);
    *t = (struct bench_times){ 0 };
}
