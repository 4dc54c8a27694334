/* How long nothing can be written while a new replica takes a lost one's place, by how many
 * registers there are: three replicas in one process, on a disk.
 *
 * JOIN_BENCH_REGISTERS: how many (default 1000 and 100000). Prints, of each: the background copy's
 * and the pause's milliseconds, and registers that were taken in the pause. */
#include "common/assert.h"
#include "common/log.h"
#include "meta/place_value.h"
#include "tests/support/trio.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch {
    int64_t began_ns, fenced_ns;
};

static void step(void *arg, const char *what)
{
    struct watch *w = arg;

    if (strcmp(what, "fencing") == 0)
        w->fenced_ns = vs_now_ns(&vs_clock_system);
}

static void create(struct trio *t, unsigned count)
{
    static struct meta_reg regs[META_REGISTER_BATCH_MAX];
    struct meta_client *c = trio_client(t, 1);
    struct place_value v = {
        .state = PLACE_LIVE,
        .session = 1,
        .generation = 1,
        .chunk_bytes = 1,
        .red = { VS_RED_REPLICATE, 1, 1 },
        .frag = { { .node = 1, .generation = 1 }, { .node = 9, .generation = 1 } },
    };
    struct vs_buf value = { 0 };

    VS_ASSERT(place_value_encode(&v, &value) == 0);
    for (unsigned at = 0; at < count; at += META_REGISTER_BATCH_MAX) {
        struct meta_req r = { .op = META_REG_CREATE, .regs = regs };

        for (; r.reg_count < META_REGISTER_BATCH_MAX && at + r.reg_count < count; r.reg_count++)
            regs[r.reg_count] =
                (struct meta_reg){ .id = vs_id_make(c->pid, c->inc, at + r.reg_count, VS_ID_CHUNK),
                                   .value = value.data,
                                   .value_len = value.len };
        VS_ASSERT(meta_call(c, &r) == 0);
    }
    vs_buf_close(&value);
}

static void measure(unsigned count)
{
    struct trio *t = trio_new_patient(3, true, 20000);
    struct watch w = { 0 };
    int64_t end_ns;

    (void)trio_leader(t, 0);
    create(t, count);
    trio_stop(t, 2);
    trio_wipe(t, 2);
    (void)trio_leader(t, 0);
    w.began_ns = vs_now_ns(&vs_clock_system);
    VS_ASSERT(trio_join(t, 4, 2, step, &w) == 0);
    end_ns = vs_now_ns(&vs_clock_system);
    printf("join_copy_%u %.1f ms\n", count, (double)(w.fenced_ns - w.began_ns) / VS_NS_PER_MS);
    printf("join_pause_%u %.1f ms\n", count, (double)(end_ns - w.fenced_ns) / VS_NS_PER_MS);
    printf("join_rest_%u %llu registers\n", count, (unsigned long long)t->rest);
    fflush(stdout);
    trio_free(t);
}

int main(void)
{
    const char *said = getenv("JOIN_BENCH_REGISTERS");

    vs_log_set_level(VS_LOG_ERROR);
    if (said != NULL) {
        measure((unsigned)strtoul(said, NULL, 10));
        return 0;
    }
    measure(1000);
    measure(100000);
    return 0;
}
