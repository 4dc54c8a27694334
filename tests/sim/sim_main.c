/* sim: runs the consensus code through simulated schedules.
 *
 *   sim [--system NAME] [--trace] SEED COUNT     COUNT schedules from SEED on
 *   sim --mutants [--seeds N] [NUMBER]...        every mutant (or these): is it found? Only in a
 *                                                build with -DPX_MUTANTS
 *
 * Ends with "sim: N schedules, V violations, seed S, trace HASH, R/s" (R per second of one core),
 * or, for mutants, with "N of M mutants found". Exit code 1: a violation, or a mutant that was not
 * found. The same seed gives the same trace hash. A schedule again, with every event: sim --trace
 * SEED 1. */
#include "common/err.h"
#include "meta/px_mutant.h"
#include "tests/sim/sim_system.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MUTANT_SEEDS_MAX 100000
#define TOLD_MAX         10

#ifdef PX_MUTANTS
int px_mutant;
#endif

static int usage(void)
{
    fprintf(stderr, "usage: sim [--system NAME] [--trace] SEED COUNT\n"
                    "       sim --mutants [--seeds N] [NUMBER]...\n");
    return 2;
}

static bool number(const char *text, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 0);
    return text[0] != '\0' && text[0] != '-' && *end == '\0' && errno == 0;
}

static const struct sim_system *system_named(const char *name)
{
    for (unsigned i = 0; i < sim_systems_count; i++)
        if (strcmp(sim_systems[i]->name, name) == 0)
            return sim_systems[i];
    return NULL;
}

/* Of this process on its core: others may be using the machine. */
static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_schedules(const struct sim_run *run)
{
    double start = cpu_seconds();
    struct sim_sum sum;
    double s;

    if (sim_run(run, false, stdout, &sum) < 0) {
        fprintf(stderr, "sim: no memory\n");
        return 1;
    }
    s = cpu_seconds() - start + 1e-9;
    if (sum.violations > 0)
        printf("again, with every event: make sim TRACE=1 N=1 SEED=%" PRIu64 "\n", sum.first_seed);
    printf("events: %.0f per schedule, %.1f million/s\n",
           (double)sum.events / (double)(sum.schedules > 0 ? sum.schedules : 1),
           (double)sum.events / s / 1e6);
    printf("sim: %" PRIu64 " schedules, %" PRIu64 " violations, seed %" PRIu64 ", trace %016" PRIx64
           ", %.0f/s\n",
           sum.schedules, sum.violations, run->seed, sum.hash, (double)sum.schedules / s);
    return sum.violations > 0;
}

#ifdef PX_MUTANTS
static bool mutant_found(const struct sim_mutant *m, uint64_t seeds)
{
    struct sim_run run = { .seed = 1, .count = seeds, .only = system_named(m->system) };
    double start = cpu_seconds();
    struct sim_sum sum;
    int r;

    if (run.only == NULL) {
        printf("M%d: there is no system \"%s\"\n", m->number, m->system);
        return false;
    }
    px_mutant = m->number;
    r = sim_run(&run, true, stdout, &sum);
    px_mutant = 0;
    if (r < 0 || sum.violations == 0) {
        printf("M%d NOT found in %" PRIu64 " seeds (%s)\n", m->number, sum.schedules, m->what);
        return false;
    }
    printf("M%d found at seed %" PRIu64 " in %.1f s (%s): %s\n", m->number, sum.first_seed,
           cpu_seconds() - start, m->what, sum.first_text);
    fflush(stdout);
    return true;
}

static int run_mutants(uint64_t seeds, char **numbers)
{
    unsigned found = 0, tried = 0;

    for (unsigned i = 0; i < sim_mutants_count; i++) {
        bool wanted = numbers[0] == NULL;
        uint64_t n;

        for (char **text = numbers; *text != NULL; text++)
            wanted |= number(*text, &n) && n == (uint64_t)sim_mutants[i].number;
        if (!wanted)
            continue;
        tried++;
        found += mutant_found(&sim_mutants[i], seeds);
    }
    printf("%u of %u mutants found\n", found, tried);
    return found != tried || tried == 0;
}
#else
static int run_mutants(uint64_t seeds, char **numbers)
{
    (void)seeds;
    (void)numbers;
    fprintf(stderr, "sim: this build has no mutants; use make sim-mutants\n");
    return 2;
}
#endif

int main(int argc, char **argv)
{
    static const struct option options[] = { { "system", required_argument, NULL, 's' },
                                             { "trace", no_argument, NULL, 't' },
                                             { "mutants", no_argument, NULL, 'm' },
                                             { "seeds", required_argument, NULL, 'n' },
                                             { NULL, 0, NULL, 0 } };
    struct sim_run run = { .tell = TOLD_MAX };
    uint64_t seeds = MUTANT_SEEDS_MAX;
    bool mutants = false;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 's' && (run.only = system_named(optarg)) == NULL) {
            fprintf(stderr, "sim: there is no system \"%s\"\n", optarg);
            return 2;
        }
        if (c == '?' || (c == 'n' && !number(optarg, &seeds)))
            return usage();
        run.trace |= c == 't';
        mutants |= c == 'm';
    }
    if (mutants)
        return run_mutants(seeds, argv + optind);
    if (argc - optind != 2 || !number(argv[optind], &run.seed) ||
        !number(argv[optind + 1], &run.count))
        return usage();
    return run_schedules(&run);
}
