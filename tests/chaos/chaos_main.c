/* chaos: the metadata under kill, freeze and cut; see tests/chaos/chaos.h.
 *
 *   chaos [--metas 3] [--faults 8] [--kills 3] [--freezes 3] [--seconds 60] [--seed 1] ...
 *
 * Exit code 0: as many faults as asked, no violation; 1: a violation; 2: it could not be run. */
#include "common/assert.h"
#include "common/clock.h"
#include "common/conf.h"
#include "common/err.h"
#include "tests/chaos/chaos.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int parse(struct chaos_config *o, int argc, char **argv)
{
    const struct conf_flag flags[] = {
        { "--dir", CONF_TEXT, &o->dir, 0, 0, NULL, false },
        { "--metas", CONF_NUMBER, &o->metas, 1, CHAOS_METAS_MAX, NULL, false },
        { "--clients", CONF_NUMBER, &o->clients, 1, CHAOS_CLIENTS_MAX, NULL, false },
        { "--seed", CONF_NUMBER, &o->seed, 0, UINT32_MAX, NULL, false },
        { "--faults", CONF_NUMBER, &o->faults, 0, 100000, NULL, false },
        { "--kills", CONF_NUMBER, &o->kills, 0, 100000, NULL, false },
        { "--freezes", CONF_NUMBER, &o->freezes, 0, 100000, NULL, false },
        { "--cuts", CONF_NUMBER, &o->cuts, 0, 100000, NULL, false },
        { "--seconds", CONF_NUMBER, &o->seconds, 1, 100000, "seconds", false },
        { "--gap-ms", CONF_NUMBER, &o->gap_ms, 0, 100000, "milliseconds", false },
        { "--drop", CONF_SWITCH, &o->drop, 0, 0, NULL, false },
        { "--keep", CONF_SWITCH, &o->keep, 0, 0, NULL, false },
    };
    char why[CONF_WHY_BYTES];

    *o = (struct chaos_config){ .dir = "",
                                .metas = 3,

                                .clients = 6,
                                .seed = 1,
                                .faults = 8,
                                .kills = 3,
                                .freezes = 3,
                                .seconds = 60 };
    if (vs_conf_flags(flags, sizeof(flags) / sizeof(flags[0]), argc - 1, argv + 1, why) == 0)
        return 0;
    fprintf(stderr, "chaos: %s\n", why);
    return -EINVAL;
}

static void *client_main(void *arg)
{
    struct chaos_client *k = arg;

    while (!atomic_load(&k->c->is_over)) {
        if (vs_rand_below(&k->rand, 2) == 0)
            chaos_names_step(k);
        else
            chaos_values_step(k);
    }
    return NULL;
}

/* The directory of all names. */
static int make_parent(struct chaos_client *k)
{
    struct ns_answer a;
    struct ns_entry e;
    uint64_t ino;
    int r;

    if (!chaos_need_ino(k, &ino))
        return -EIO;
    k->c->parent = NS_INO_ROOT;
    e = chaos_create_entry(k, "chaos", ino);
    e.attr.mode = S_IFDIR | 0755;
    r = chaos_change(k, &e, &a);
    k->c->parent = a.attr.ino;
    return r;
}

/* Clients at work while the faults happen, then everything once more. */
static void run(struct chaos *c, struct chaos_client *k)
{
    unsigned count = (unsigned)c->config.clients;
    pthread_t threads[CHAOS_CLIENTS_MAX + 1];

    c->began_ns = chaos_now();
    atomic_store(&c->pair_last_ns, c->began_ns);
    for (unsigned i = 0; i <= count; i++)
        VS_ASSERT(pthread_create(&threads[i], NULL, i < count ? client_main : chaos_pairs, &k[i]) ==
                  0);
    chaos_faults(c);
    atomic_store(&c->is_over, true);
    for (unsigned i = 0; i <= count; i++)
        pthread_join(threads[i], NULL);
    chaos_names_last(&k[0]);
    chaos_values_last(&k[0]);
}

static void report(const struct chaos *c)
{
    int64_t gap_ns = atomic_load(&c->gap_ns);

    printf("faults:\n");
    chaos_faults_print();
    printf("chaos: %lu operations, %lu without an answer, %lu pairs, longest gap %lld ms "
           "(ended at %.1f s), %u violations, seed %llu\n",
           atomic_load(&c->ops), atomic_load(&c->unknown), atomic_load(&c->pairs),
           (long long)(gap_ns / VS_NS_PER_MS),
           (double)(atomic_load(&c->gap_end_ns) - c->began_ns) / VS_NS_PER_S,
           atomic_load(&c->violations), (unsigned long long)c->config.seed);
}

static int chaos_run(struct chaos *c)
{
    struct chaos_client k[CHAOS_CLIENTS_MAX + 1] = { 0 };
    int r = chaos_cluster_start(c);

    for (unsigned i = 0; r == 0 && i <= c->config.clients; i++)
        r = chaos_client_start(&k[i], c, i);
    if (r == 0)
        r = make_parent(&k[0]);
    if (r == 0)
        run(c, k);
    for (unsigned i = 0; i <= c->config.clients; i++)
        chaos_client_stop(&k[i]);
    if (r < 0) {
        chaos_cluster_stop(c);
        fprintf(stderr, "chaos: the metadata cannot be used: %s\n", vs_err_text(r));
        return r;
    }
    chaos_history_check(c);
    chaos_replicas_check(c);
    chaos_ranges_check(c);
    if (c->config.gap_ms != 0 && atomic_load(&c->gap_ns) > (int64_t)c->config.gap_ms * VS_NS_PER_MS)
        chaos_violation(c, "a gap of %lld ms", (long long)(atomic_load(&c->gap_ns) / VS_NS_PER_MS));
    report(c);
    return 0;
}

static void chaos_close(struct chaos *c)
{
    chaos_cluster_close(c);
    free(c->old);
    if ((atomic_load(&c->violations) > 0 && !c->config.drop) || c->config.keep)
        printf("kept: %s\n", c->dir);
    else
        temp_dir_remove(c->dir);
}

int main(int argc, char **argv)
{
    static struct chaos c;
    int r;

    if (parse(&c.config, argc, argv) < 0)
        return 2;
    if (c.config.dir[0] == '\0')
        temp_dir_make(c.dir);
    else
        snprintf(c.dir, sizeof(c.dir), "%s", c.config.dir);
    vs_rand_init(&c.rand, c.config.seed);
    pthread_mutex_init(&c.values_lock, NULL);
    pthread_mutex_init(&c.ranges_lock, NULL);
    pthread_mutex_init(&c.history_lock, NULL);
    c.old = calloc(CHAOS_OLD_MAX, sizeof(*c.old));
    snprintf(c.history_path, sizeof(c.history_path), "%s/history.json", c.dir);
    c.history = fopen(c.history_path, "we");
    if (c.old == NULL || c.history == NULL) {
        fprintf(stderr, "chaos: cannot write to %s\n", c.dir);
        return 2;
    }
    r = chaos_run(&c);
    chaos_close(&c);
    return atomic_load(&c.violations) > 0 ? 1 : r < 0 ? 2 : 0;
}
