/* sim_run: many schedules, summed up. */
#include "common/err.h"
#include "tests/sim/sim_system.h"
#include <inttypes.h>
#include <string.h>

#define SYSTEMS_MAX 4

static uint64_t mix(uint64_t hash, uint64_t v)
{
    hash = (hash ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static void sum_add(struct sim_sum *sum, const struct sim_run *run, uint64_t seed,
                    const char *system, const struct world_result *r, FILE *out)
{
    sum->schedules++;
    sum->events += r->events;
    sum->hash = mix(sum->hash, r->hash);
    if (!r->violated)
        return;
    if (sum->violations++ == 0) {
        sum->first_seed = seed;
        memcpy(sum->first_text, r->text, sizeof(sum->first_text));
    }
    if (sum->violations <= run->tell)
        fprintf(out, "violation: %s, seed %" PRIu64 ": %s\n", system, seed, r->text);
}

int sim_run(const struct sim_run *run, bool stop_first, FILE *out, struct sim_sum *ret)
{
    struct sim_world *worlds[SYSTEMS_MAX] = { 0 };
    struct world_result result;
    int r = 0;

    *ret = (struct sim_sum){ 0 };
    if (sim_systems_count == 0)
        return -ENOENT;
    for (uint64_t i = 0; i < run->count && r == 0; i++) {
        uint64_t seed = run->seed + i;
        unsigned s = (unsigned)(seed % sim_systems_count);

        for (unsigned n = 0; run->only != NULL && n < sim_systems_count; n++)
            if (sim_systems[n] == run->only)
                s = n;
        if (worlds[s] == NULL)
            worlds[s] = sim_world_new(sim_systems[s]);
        if (worlds[s] == NULL) {
            r = -ENOMEM;
            break;
        }
        sim_world_run(worlds[s], seed, run->trace, &result);
        sum_add(ret, run, seed, sim_systems[s]->name, &result, out);
        if (stop_first && result.violated)
            break;
    }
    for (unsigned s = 0; s < sim_systems_count; s++)
        sim_world_free(worlds[s]);
    return r;
}
