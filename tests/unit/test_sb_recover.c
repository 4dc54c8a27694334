/* Crashes: power cuts after every mutating call, torn and reordered writes, faults at every call,
 * kill -9. What was acknowledged is there; what was deleted stays deleted. */
#include "common/assert.h"
#include "common/err.h"
#include "tests/support/sb_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEPS     40
#define CUTS_MAX  4000
#define WORKLOADS 2
#define OUTCOMES  3
/* The sweeps run on one thread: a thread sanitizer has nothing to see in them. */
#if defined(__SANITIZE_THREAD__)
#define CUT_STEP 29
#elif defined(__SANITIZE_ADDRESS__)
#define CUT_STEP 5
#else
#define CUT_STEP 1
#endif

static int setup(void **state)
{
    *state = sim_io_new();
    return 0;
}

static int teardown(void **state)
{
    sim_io_free(*state);
    return 0;
}

/* Format and open on a healthy disk: the sweeps are about what comes then. */
static void begin(struct sb_model *m, struct sim_io *sim)
{
    sim_io_reset(sim);
    sb_model_init(m);
    assert_int_equal(sb_model_format(m, sim), 0);
    assert_int_equal(sb_model_open(m, sim), 0);
}

/* The store goes on working after it was recovered, and across a clean stop. */
static void go_on(struct sb_model *m, struct sim_io *sim, uint64_t seed)
{
    sb_model_workload(m, sim, seed, 6);
    sb_model_check(m);
    sb_model_close(m);
    assert_int_equal(sb_model_open(m, sim), 0);
    assert_true(m->recovery.clean);
    assert_int_equal(m->recovery.corrupt, 0);
    sb_model_check(m);
    sb_model_close(m);
}

/* Run a workload into the cut that was armed, and start again on what the disk kept. */
static void run_into_cut(struct sb_model *m, struct sim_io *sim, uint64_t workload, uint64_t seed,
                         bool *ret_fired)
{
    sb_model_workload(m, sim, workload, STEPS);
    sb_model_close(m); /* the cut may come in here as well */
    *ret_fired = sim_io_was_cut(sim);
    sim_io_restore_power(sim, seed);
}

static void everything_acknowledged_survives_every_power_cut(void **state)
{
    struct sim_io *sim = *state;

    for (uint64_t w = 1; w <= WORKLOADS; w++) {
        bool fired = true;
        uint64_t cut;

        for (cut = 0; fired; cut += CUT_STEP) {
            assert_true(cut < CUTS_MAX);
            for (uint64_t outcome = 0; outcome < OUTCOMES; outcome++) {
                struct sb_model m;

                begin(&m, sim);
                sim_io_cut_after(sim, cut);
                run_into_cut(&m, sim, w, outcome * 1000 + cut, &fired);
                assert_int_equal(sb_model_open(&m, sim), 0);
                assert_int_equal(m.recovery.corrupt, 0);
                sb_model_check(&m);
                go_on(&m, sim, cut);
            }
        }
        assert_true(cut > 100); /* the sweep saw a workload, not a refusal */
    }
}

/* The second cut comes while the first is being recovered from. */
static void recovery_survives_every_power_cut(void **state)
{
    struct sim_io *sim = *state;

    for (uint64_t first = 5; first < 270; first += 20) {
        bool fired = true, again = true;

        for (uint64_t second = 0; again; second += CUT_STEP) {
            struct sb_model m;

            assert_true(second < CUTS_MAX);
            begin(&m, sim);
            sim_io_cut_after(sim, first);
            run_into_cut(&m, sim, 1, first, &fired);
            assert_true(fired);
            sim_io_cut_after(sim, second);
            if (sb_model_open(&m, sim) == 0)
                sb_store_run(m.ss.s);
            sb_model_close(&m);
            again = sim_io_was_cut(sim);
            sim_io_restore_power(sim, second);
            assert_int_equal(sb_model_open(&m, sim), 0);
            assert_int_equal(m.recovery.corrupt, 0);
            sb_model_check(&m);
            go_on(&m, sim, second);
        }
    }
}

/* What the checkpoints tell, the superblock files must be able to tell alone. */
static int remove_checkpoint(void *arg, const char *name, uint64_t file_bytes)
{
    (void)file_bytes;
    return strncmp(name, "idx-", 4) == 0 ? vs_io_unlink(arg, name) : 0;
}

static void lose_checkpoints(struct sim_io *sim)
{
    struct vs_io *io = sim_io_boot(sim);

    assert_int_equal(vs_io_list(io, remove_checkpoint, io), 0);
    assert_int_equal(vs_io_sync_dir(io), 0);
    vs_io_free(io);
}

static void without_checkpoints_the_files_tell_everything(void **state)
{
    struct sim_io *sim = *state;

    for (uint64_t w = 5; w <= 6; w++) {
        bool fired = true;

        for (uint64_t cut = 0; fired; cut += CUT_STEP) {
            struct sb_model m;

            assert_true(cut < CUTS_MAX);
            begin(&m, sim);
            sim_io_cut_after(sim, cut);
            run_into_cut(&m, sim, w, cut, &fired);
            lose_checkpoints(sim);
            assert_int_equal(sb_model_open(&m, sim), 0);
            assert_false(m.recovery.from_checkpoint);
            assert_int_equal(m.recovery.corrupt, 0);
            sb_model_check(&m);
            sb_model_workload(&m, sim, cut, 10);
            sb_model_close(&m);
            lose_checkpoints(sim); /* of two runs, the first of which ended in the cut */
            assert_int_equal(sb_model_open(&m, sim), 0);
            assert_int_equal(m.recovery.corrupt, 0);
            sb_model_check(&m);
            go_on(&m, sim, cut);
        }
    }
}

/* The process is restarted, not the machine: the cache still shows what a failed sync has lost. */
static void a_restart_after_a_failed_sync_believes_the_disk_and_not_the_cache(void **state)
{
    struct sim_io *sim = *state;
    uint64_t nth = 0;
    bool fired = true;

    for (; fired; nth += CUT_STEP) {
        struct sb_model m;

        assert_true(nth < CUTS_MAX);
        begin(&m, sim);
        sim_io_fail_at(sim, SIM_IO_SYNC, nth, -EIO, true);
        sb_model_workload(&m, sim, 1 + nth % 3, STEPS);
        fired = sim_io_fault_fired(sim, SIM_IO_SYNC);
        sb_model_close(&m);
        assert_int_equal(sb_model_open(&m, sim), 0);
        sb_model_check(&m); /* what it serves now must be on the disk */
        sim_io_cut_now(sim);
        sb_model_close(&m);
        sim_io_restore_power(sim, nth);
        assert_int_equal(sb_model_open(&m, sim), 0);
        assert_int_equal(m.recovery.corrupt, 0);
        sb_model_check(&m);
        go_on(&m, sim, nth);
    }
    assert_true(nth > 20);
}

/* ---- faults -----------------------------------------------------------------------------------
 */

struct fault {
    enum sim_io_kind kind;
    int err;
    bool sticky; /* a sync: what it should have made durable is lost, and the next sync says 0 */
};

/* One workload with one fault at its nth call. False when the fault did not strike any more. */
static bool run_into_fault(struct sim_io *sim, const struct fault *fault, uint64_t nth)
{
    struct sb_model m;
    bool fired;

    begin(&m, sim);
    sim_io_fail_at(sim, fault->kind, nth, fault->err, fault->sticky);
    sb_model_workload(&m, sim, 1 + nth % 3, STEPS);
    if (m.ss.s != NULL) {
        struct store_health h;

        chunk_store_health(m.ss.s, &h); /* a store that is down says why */
        assert_true(h.state == STORE_UP || h.why[0] != '\0');
    }
    fired = sim_io_fault_fired(sim, fault->kind);
    sb_model_close(&m);
    sim_io_restore_power(sim, nth); /* and what was not synced is lost, torn or there */
    assert_int_equal(sb_model_open(&m, sim), 0);
    assert_int_equal(m.recovery.corrupt, 0);
    sb_model_check(&m);
    go_on(&m, sim, nth);
    return fired;
}

static void no_fault_makes_an_acknowledgement_false(void **state)
{
    static const struct fault faults[] = {
        { SIM_IO_WRITE, -EIO, false },    { SIM_IO_WRITE, -ENOSPC, true },
        { SIM_IO_SYNC, -EIO, false },     { SIM_IO_SYNC, -EIO, true },
        { SIM_IO_ALLOCATE, -EIO, false }, { SIM_IO_ALLOCATE, -ENOSPC, false },
        { SIM_IO_TRUNCATE, -EIO, false }, { SIM_IO_PUNCH, -EIO, false },
        { SIM_IO_PUNCH, -ENOSPC, true },  { SIM_IO_CREATE, -EIO, false },
        { SIM_IO_CREATE, -ENOSPC, true }, { SIM_IO_UNLINK, -EIO, false },
        { SIM_IO_RENAME, -EIO, false },   { SIM_IO_SYNC_DIR, -EIO, false },
        { SIM_IO_OPEN, -EIO, false },     { SIM_IO_READ, -EIO, false },
    };
    struct sim_io *sim = *state;

    for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        uint64_t nth = 0;

        while (run_into_fault(sim, &faults[i], nth))
            assert_true((nth += CUT_STEP) < CUTS_MAX);
        assert_true(nth > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_acknowledged_survives_every_power_cut, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(recovery_survives_every_power_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(without_checkpoints_the_files_tell_everything, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_restart_after_a_failed_sync_believes_the_disk_and_not_the_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(no_fault_makes_an_acknowledgement_false, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
