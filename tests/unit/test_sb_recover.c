/* Crashes: power cuts in every call that changes the disk, torn and reordered writes, faults at
 * every call. What was acknowledged is there; what was deleted stays deleted.
 *
 * VS_SWEEP=n sweeps n times as many workloads (make test-long). */
#include "common/err.h"
#include "tests/support/sb_sweep.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SWEEP_MAX 10000
/* The sweeps run on one thread: a thread sanitizer has nothing to see in them. */
#if defined(__SANITIZE_THREAD__)
#define STRIDE 29
#elif defined(__SANITIZE_ADDRESS__)
#define STRIDE 5
#else
#define STRIDE 1
#endif

static struct sb_sweep all; /* the sum of all sweeps */

static int setup(void **state)
{
    struct sb_sweep *sw = calloc(1, sizeof(*sw));

    assert_non_null(sw);
    *sw = (struct sb_sweep){ .sim = sim_io_new(), .steps = 40, .stride = STRIDE, .outcomes = 3 };
    *state = sw;
    return 0;
}

static int teardown(void **state)
{
    struct sb_sweep *sw = *state;

    all.workloads += sw->workloads;
    all.operations += sw->operations;
    all.refused += sw->refused;
    all.calls += sw->calls;
    all.runs += sw->runs;
    sim_io_free(sw->sim);
    free(sw);
    return 0;
}

/* `few` workloads, or VS_SWEEP times as many. */
static uint64_t workloads(unsigned few)
{
    const char *word = getenv("VS_SWEEP");
    unsigned long n = word != NULL ? strtoul(word, NULL, 10) : 1;

    return few * (n < 1 ? 1 : n < SWEEP_MAX ? n : SWEEP_MAX);
}

static void everything_acknowledged_survives_every_power_cut(void **state)
{
    struct sb_sweep *sw = *state;

    for (uint64_t w = 1; w <= workloads(2); w++)
        sb_sweep_cuts(sw, w);
    sb_sweep_print(sw, "power cuts");
}

/* The second cut comes while the first is being recovered from. */
static void recovery_survives_every_power_cut(void **state)
{
    struct sb_sweep *sw = *state;

    sb_sweep_record(sw, 1);
    for (uint64_t first = 5; first < 270; first += 30)
        sb_sweep_recovery(sw, 1, first);
    for (uint64_t w = 2; w <= workloads(1); w++)
        sb_sweep_recovery(sw, w, 20 + w * 37 % 250);
    sb_sweep_print(sw, "power cuts of recoveries");
}

/* Puts are refused, deletes live on the ballast, checkpoints find no room; it starts on the full
 * disk, too. */
static void a_full_disk_survives_every_power_cut(void **state)
{
    struct sb_sweep *sw = *state;

    sw->outcomes = 1;
    for (uint64_t w = 40001; w <= 40000 + workloads(2); w++) {
        sw->capacity_bytes = w % 2 == 0 ? 500u << 10 : 1500u << 10; /* without ballast, and with */
        sb_sweep_cuts(sw, w);
    }
    sb_sweep_print(sw, "power cuts on a full disk");
}

/* What the checkpoints tell, the superblock files must be able to tell alone. */
static void without_checkpoints_the_files_tell_everything(void **state)
{
    struct sb_sweep *sw = *state;

    for (uint64_t w = 10001; w <= 10000 + workloads(2); w++)
        sb_sweep_cuts_without_checkpoints(sw, w);
    sb_sweep_print(sw, "power cuts, checkpoints lost");
}

/* The process is restarted, not the machine: the cache still shows what a failed sync has lost. */
static void a_restart_after_a_failed_sync_believes_the_disk_and_not_the_cache(void **state)
{
    static const struct sb_sweep_fault lost = { SIM_IO_SYNC, -EIO, true };
    struct sb_sweep *sw = *state;

    for (uint64_t w = 20001; w <= 20000 + workloads(3); w++) {
        sb_sweep_record(sw, w);
        sb_sweep_faults(sw, w, &lost, false);
    }
    sb_sweep_print(sw, "lost syncs, restarts");
}

static void no_fault_makes_an_acknowledgement_false(void **state)
{
    static const struct sb_sweep_fault faults[] = {
        { SIM_IO_WRITE, -EIO, false },       { SIM_IO_WRITE, -ENOSPC, true },
        { SIM_IO_SYNC, -EIO, false },        { SIM_IO_SYNC, -EIO, true },
        { SIM_IO_SYNC, -ENOSPC, true },      { SIM_IO_ALLOCATE, -EIO, false },
        { SIM_IO_ALLOCATE, -ENOSPC, false }, { SIM_IO_ALLOCATE, -ENOSPC, true },
        { SIM_IO_TRUNCATE, -EIO, false },    { SIM_IO_PUNCH, -EIO, false },
        { SIM_IO_PUNCH, -ENOSPC, true },     { SIM_IO_CREATE, -EIO, false },
        { SIM_IO_CREATE, -ENOSPC, true },    { SIM_IO_UNLINK, -EIO, false },
        { SIM_IO_RENAME, -EIO, false },      { SIM_IO_SYNC_DIR, -EIO, false },
        { SIM_IO_OPEN, -EIO, false },        { SIM_IO_READ, -EIO, false },
    };
    struct sb_sweep *sw = *state;

    for (uint64_t w = 30001; w <= 30000 + workloads(1); w++) {
        sb_sweep_record(sw, w);
        for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
            sb_sweep_faults(sw, w, &faults[i], true);
    }
    sb_sweep_print(sw, "EIO and ENOSPC at every call");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_acknowledged_survives_every_power_cut, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(recovery_survives_every_power_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_survives_every_power_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(without_checkpoints_the_files_tell_everything, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_restart_after_a_failed_sync_believes_the_disk_and_not_the_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(no_fault_makes_an_acknowledgement_false, setup, teardown),
    };
    int r = cmocka_run_group_tests(tests, NULL, NULL);

    sb_sweep_print(&all, "all sweeps");
    return r;
}
