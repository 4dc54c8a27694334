/* meta_replica_bench: three metadata replicas in one process, on a real disk, as lines
 * "name value unit". What goes between them is counted where it arrives.
 *
 *     meta_replica_bench [DIR]      DIR: an existing directory with room, default $BENCH_DIR
 *
 * META_BENCH_CHUNKS (default 40000) is how many placements are made at a time. Everything is
 * removed at the end.
 *
 * Failure modes: any error is said on stderr, and the exit code is 1. */
#include "bench/bench.h"
#include "bench/meta_load.h"
#include "tests/support/trio.h"
#include "tests/support/trio_use.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNKS_DEFAULT 40000ul
#define FILES          4000ul
#define SMALL_BYTES    1024
#define SINGLE         300ul

static uint64_t messages(struct trio *t)
{
    struct link_mem_count c;

    link_mem_count(t->link, &c);
    return c.asks + c.answers;
}

/* Of one chunk, client included: who asks, and who is answered, sits beside a replica. */
static void bench_messages(struct trio *t, struct meta_client *meta, unsigned batch)
{
    struct meta_load l = { .meta = meta, .window = 1 };
    unsigned long count = (unsigned long)batch * 50;
    uint64_t before = messages(t);
    char name[64];

    (void)meta_load_registers(&l, count, batch);
    snprintf(name, sizeof(name), "replicas_messages_per_chunk_batch_%u", batch);
    bench_line(name, (double)(messages(t) - before + 2 * 50) / (double)count, "messages");
}

static void bench_placements(struct trio *t, struct meta_client *meta, unsigned long chunks)
{
    struct meta_load one = { .meta = meta, .window = 1 }, many = { .meta = meta, .window = 16 };

    (void)meta_load_registers(&many, 1000, 64); /* warm */
    bench_line("replicas_placement_alone", meta_load_registers(&one, SINGLE, 1) * 1000 / SINGLE,
               "ms");
    bench_line("replicas_placements_batched",
               (double)chunks / meta_load_registers(&many, chunks, 64), "chunks/s");
    for (unsigned batch = 1; batch <= 64; batch *= 8)
        bench_messages(t, meta, batch);
}

static void bench_names(struct meta_client *meta, const char *where)
{
    struct meta_load eight = { .meta = meta, .window = 8 };
    struct meta_load many = { .meta = meta, .window = 64 };
    struct meta_load one = { .meta = meta, .window = 1 };
    char name[64];
    uint64_t dir;
    double s;

    dir = meta_load_mkdir(meta, where);
    snprintf(name, sizeof(name), "replicas_creates_8_at_a_time_%s", where);
    s = meta_load_create(&eight, dir, FILES, SMALL_BYTES);
    bench_line(name, FILES / s, "files/s");
    snprintf(name, sizeof(name), "replicas_lookups_1_at_a_time_%s", where);
    bench_line(name, FILES / meta_load_lookup(&one, dir, FILES), "lookups/s");
    snprintf(name, sizeof(name), "replicas_lookups_64_at_a_time_%s", where);
    bench_line(name, FILES / meta_load_lookup(&many, dir, FILES), "lookups/s");
}

/* From the moment the leader is cut off to the next change that is answered. */
static void bench_failover(struct trio *t)
{
    double worst = 0;

    for (unsigned i = 0; i < 5; i++) {
        uint32_t leader = trio_leader(t, 0), other = leader % 3 + 1;
        char name[32];
        int64_t began;
        double s;

        snprintf(name, sizeof(name), "failover%u", i);
        link_mem_isolate(t->link, leader, true);
        began = bench_now_ns();
        if (trio_make_dir(trio_client(t, other), name) < 0)
            bench_die("meta_replica_bench: no change after the leader is gone");
        s = bench_seconds_since(began);
        worst = s > worst ? s : worst;
        link_mem_isolate(t->link, leader, false);
        (void)trio_leader(t, leader);
    }
    bench_line("replicas_leader_lost_worst_of_5", worst, "s");
}

int main(int argc, char **argv)
{
    const char *chunks = getenv("META_BENCH_CHUNKS"), *home = getenv("BENCH_DIR");
    struct trio *t;
    uint32_t leader;

    if (argc > 1)
        home = argv[1];
    if (home != NULL)
        setenv("TMPDIR", home, 1);
    t = trio_new(3, true);
    leader = trio_leader(t, 0);
    bench_placements(t, trio_client(t, leader),
                     chunks != NULL ? strtoul(chunks, NULL, 10) : CHUNKS_DEFAULT);
    bench_names(trio_client(t, leader), "leader");
    bench_names(trio_client(t, leader % 3 + 1), "follower");
    bench_failover(t);
    trio_free(t);
    return 0;
}
