/* metas_bench: three replicas of vstack-meta as processes on this machine, asked over HTTP, as
 * lines "name value unit"; and how many messages a decided chunk costs, from the replicas' own
 * counters: the table of docs/CHUNKPAXOS.md, 5.
 *
 *     metas_bench [DIR]      DIR: an existing directory with room, default $BENCH_DIR or /tmp
 *
 * All replicas share this machine's processors and its disk: what three machines do is more.
 * Failure modes: any error is said on stderr, and the exit code is 1. */
#include "bench/bench.h"
#include "bench/bench_metas.h"
#include "bench/meta_load.h"
#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/thread.h"
#include "tests/chaos/chaos.h"
#include "tests/support/msg_counts.h"
#include "tests/support/reg_use.h"

#include <stdlib.h>
#include <string.h>

#define METAS      3
#define CLIENTS    8
#define CREATES    8000ul
#define LOOKUPS    20000ul
#define PLACEMENTS 200000ul
#define LEADER_MS  30000
#define BATCHES    50ul

static struct chaos c;
static struct chaos_client client[CLIENTS];

/* ---- the replicas' counters ----------------------------------------------------------------- */

static uint64_t all_metas(void *arg, const char *begin)
{
    uint64_t sum = 0;

    (void)arg;
    for (unsigned i = 0; i < METAS; i++)
        sum += bench_metric(c.host[i], begin);
    return sum;
}

static struct msg_counts settled(void)
{
    return msg_counts_settled(all_metas, NULL);
}

/* ---- messages ---------------------------------------------------------------------------------
 */

/* A row of the table (docs/CHUNKPAXOS.md, 5): what a chunk costs a coordinator that is none of the
 * replicas, and one that is, with the client's question and its answer. */
static void table_row(const char *what, const struct msg_counts *cost, unsigned long chunks)
{
    char name[96];

    snprintf(name, sizeof(name), "metas_messages_%s_coordinator_elsewhere", what);
    bench_line(name, (double)(cost->wire + cost->own) / (double)chunks, "messages");
    snprintf(name, sizeof(name), "metas_messages_%s_coordinator_is_one_client_included", what);
    bench_line(name, (double)(cost->wire + 2 * cost->questions) / (double)chunks, "messages");
}

/* BATCHES requests of `batch` chunks each, one after the other. */
static void bench_fresh(struct meta_client *meta, unsigned batch)
{
    struct meta_load l = { .meta = meta, .window = 1 };
    unsigned long count = BATCHES * batch;
    struct msg_counts before = settled(), now;
    char what[32];

    meta_load_registers(&l, count, batch);
    now = settled();
    now = msg_counts_since(&before, &now);
    snprintf(what, sizeof(what), "fresh_chunk_batch_%u", batch);
    table_row(what, &now, count);
}

/* Both phases: compare-and-set of what is there. `alone`: nothing else is on its way; else the next
 * begins as soon as a majority has decided, and its asks may share a frame with the last ones to
 * the third, or spare it the first phase. */
static void bench_change(struct meta_client *meta, const struct vs_id *id, bool alone,
                         uint32_t generation)
{
    struct msg_counts before = settled(), now;

    for (uint32_t n = 0; n < BATCHES; n++) {
        int r = reg_raise(meta, id, generation + n);

        if (r < 0)
            bench_die("a register: %s", vs_err_text(r));
        if (alone)
            (void)settled();
    }
    now = settled();
    now = msg_counts_since(&before, &now);
    table_row(alone ? "change" : "change_close_behind_another", &now, BATCHES);
}

static void bench_classic(struct chaos_client *k)
{
    struct vs_id id;

    if (!chaos_need_id(k, &id) || reg_create(k->meta, &id, 1) < 0)
        bench_die("no register can be had");
    bench_change(k->meta, &id, true, 2);
    bench_change(k->meta, &id, false, 2 + BATCHES);
}

/* ---- rates ------------------------------------------------------------------------------------
 */

struct maker {
    struct meta_load load;
    uint64_t dir;
};

static void *maker_main(void *arg)
{
    struct maker *m = arg;

    meta_load_create(&m->load, m->dir, CREATES / CLIENTS, 1024);
    return NULL;
}

static void bench_creates(unsigned window)
{
    struct maker maker[CLIENTS];
    pthread_t thread[CLIENTS];
    uint64_t syncs = 0;
    char name[64];
    int64_t began;

    for (unsigned i = 0; i < CLIENTS; i++) {
        snprintf(name, sizeof(name), "made-%u-%u", window, i);
        maker[i] =
            (struct maker){ { client[i].meta, window }, meta_load_mkdir(client[i].meta, name) };
    }
    syncs = meta_load_stats(client[0].meta).synced_batches;
    began = bench_now_ns();
    for (unsigned i = 0; i < CLIENTS; i++)
        VS_ASSERT(vs_thread_start(&thread[i], maker_main, &maker[i]) == 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(thread[i], NULL);
    snprintf(name, sizeof(name), "metas_creates_8_clients_%u_at_a_time", window);
    bench_line(name, (double)CREATES / bench_seconds_since(began), "files/s");
    syncs = meta_load_stats(client[0].meta).synced_batches - syncs;
    snprintf(name, sizeof(name), "metas_syncs_per_create_%u_at_a_time", window);
    bench_line(name, (double)syncs / CREATES, "syncs");
}

static void bench_lookups(struct meta_client *meta)
{
    struct meta_load l = { .meta = meta, .window = 64 }, one = { .meta = meta, .window = 1 };
    uint64_t dir = meta_load_mkdir(meta, "looked-up");

    meta_load_create(&l, dir, LOOKUPS, 0);
    bench_line("metas_lookups_64_at_a_time", (double)LOOKUPS / meta_load_lookup(&l, dir, LOOKUPS),
               "lookups/s");
    bench_line("metas_lookups_1_at_a_time",
               (double)LOOKUPS / 10 / meta_load_lookup(&one, dir, LOOKUPS / 10), "lookups/s");
    bench_line("metas_list_20000", meta_load_list(meta, dir, LOOKUPS) * 1e3, "ms");
}

static void bench_placements(struct meta_client *meta)
{
    struct meta_load l = { .meta = meta, .window = 16 };

    bench_line("metas_placements_batched",
               (double)PLACEMENTS / meta_load_registers(&l, PLACEMENTS, 64), "chunks/s");
}

int main(int argc, char **argv)
{
    const char *base = argc > 1 ? argv[1] : getenv("BENCH_DIR");

    setenv("TMPDIR", base != NULL ? base : "/tmp", 1);
    temp_dir_make(c.dir);
    pthread_mutex_init(&c.ranges_lock, NULL);
    c.config.metas = METAS;
    c.config.is_direct = true;
    if (chaos_cluster_start(&c) < 0 || chaos_leader(&c, LEADER_MS) == CHAOS_METAS_MAX)
        bench_die("metas_bench: three replicas do not find a leader");
    for (unsigned i = 0; i < CLIENTS; i++)
        if (chaos_client_start(&client[i], &c, i) < 0)
            bench_die("metas_bench: no client can reach the replicas");
    bench_classic(&client[0]);
    bench_fresh(client[0].meta, 1);
    bench_fresh(client[0].meta, 8);
    bench_fresh(client[0].meta, 64);
    bench_creates(1);
    bench_creates(8);
    bench_lookups(client[0].meta);
    bench_placements(client[0].meta);
    for (unsigned i = 0; i < CLIENTS; i++)
        chaos_client_stop(&client[i]);
    chaos_cluster_stop(&c);
    chaos_cluster_close(&c);
    temp_dir_remove(c.dir);
    return 0;
}
