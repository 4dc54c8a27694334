/* The system's clocks behind the vtable; the one place that asks for the time. Cannot fail: both
 * clocks exist on every Linux. */
#include "common/clock.h"

#include "common/assert.h"

#include <time.h>

static int64_t clock_read(clockid_t id)
{
    struct timespec ts;

    VS_ASSERT(clock_gettime(id, &ts) == 0);
    return ts.tv_sec * VS_NS_PER_S + ts.tv_nsec;
}

static int64_t system_now_ns(const struct vs_clock *c)
{
    (void)c;
    return clock_read(CLOCK_MONOTONIC);
}

static int64_t system_real_ns(const struct vs_clock *c)
{
    (void)c;
    return clock_read(CLOCK_REALTIME);
}

const struct vs_clock vs_clock_system = {
    .now_ns = system_now_ns,
    .real_ns = system_real_ns,
};
