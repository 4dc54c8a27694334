/* Clock vtable: real time for stamps, monotonic time for deadlines. Pure code takes times as
 * arguments; drivers take a clock, so that tests can turn it by hand. */
#ifndef VS_COMMON_CLOCK_H
#define VS_COMMON_CLOCK_H

#include <stdint.h>

#define VS_NS_PER_S  INT64_C(1000000000)
#define VS_NS_PER_MS INT64_C(1000000)

struct vs_clock {
    int64_t (*now_ns)(const struct vs_clock *c);  /* monotonic */
    int64_t (*real_ns)(const struct vs_clock *c); /* since 1970, UTC */
};

/* The system's clocks. Threads: any. */
extern const struct vs_clock vs_clock_system;

static inline int64_t vs_now_ns(const struct vs_clock *c)
{
    return c->now_ns(c);
}

static inline int64_t vs_real_ns(const struct vs_clock *c)
{
    return c->real_ns(c);
}

#endif
