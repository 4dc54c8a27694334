/* Sweeps over cuts and faults. The loops are bounded by PLACES_MAX. */
#include "tests/support/sb_sweep.h"

#include "common/err.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLACES_MAX    20000
#define STEPS_TELLING 40 /* a workload of so many steps contains everything */

/* Format and open on a healthy disk: the sweeps are about what comes then. */
static void begin(struct sb_sweep *sw, struct sb_model *m)
{
    sim_io_reset(sw->sim);
    sb_model_init(m);
    if (sw->capacity_bytes > 0)
        sim_io_set_capacity(sw->sim, sw->capacity_bytes);
    assert_int_equal(sb_model_format(m, sw->sim), 0);
    assert_int_equal(sb_model_open(m, sw->sim), 0);
}

/* Nothing is missing, and the store goes on working, across a clean stop. */
static void check_and_go_on(struct sb_sweep *sw, struct sb_model *m, uint64_t seed)
{
    assert_int_equal(sb_model_open(m, sw->sim), 0);
    assert_int_equal(m->recovery.corrupt, 0);
    sim_io_set_capacity(sw->sim, SIM_IO_CAPACITY_BYTES_DEFAULT);
    sb_model_check(m);
    sb_model_workload(m, sw->sim, seed, 6);
    sb_model_check(m);
    sb_model_close(m);
    assert_int_equal(sb_model_open(m, sw->sim), 0);
    assert_true(m->recovery.clean);
    assert_int_equal(m->recovery.corrupt, 0);
    sb_model_check(m);
    sb_model_close(m);
    sw->runs++;
}

/* Run a workload into what was armed, its stop included. */
static void run(struct sb_sweep *sw, struct sb_model *m, uint64_t workload)
{
    sb_model_workload(m, sw->sim, workload, sw->steps);
    sb_model_close(m);
}

void sb_sweep_record(struct sb_sweep *sw, uint64_t workload)
{
    struct sb_model m;
    uint64_t before;

    begin(sw, &m);
    before = sim_io_mutations(sw->sim);
    run(sw, &m, workload);
    sw->workloads++;
    sw->operations += m.operations;
    sw->refused += m.refused;
    sw->calls += sim_io_mutations(sw->sim) - before;
    if (sw->steps < STEPS_TELLING)
        return;
    if (sw->capacity_bytes > 0) {
        assert_true(m.refused > 0);
        return;
    }
    assert_true(m.puts_acked > 20 && m.dels_acked > 20);
    assert_true(sim_io_calls(sw->sim, SIM_IO_CREATE) > 3); /* it rolls over */
    assert_true(sim_io_calls(sw->sim, SIM_IO_UNLINK) > 0);
    assert_true(sim_io_calls(sw->sim, SIM_IO_RENAME) > 1); /* checkpoints */
    assert_true(sim_io_calls(sw->sim, SIM_IO_PUNCH) > 0);
}

void sb_sweep_cuts(struct sb_sweep *sw, uint64_t workload)
{
    bool fired = true;

    sb_sweep_record(sw, workload);
    for (uint64_t cut = 0; fired; cut += sw->stride) {
        assert_true(cut < PLACES_MAX);
        for (uint64_t outcome = 0; outcome < sw->outcomes; outcome++) {
            struct sb_model m;

            begin(sw, &m);
            sim_io_cut_after(sw->sim, cut);
            run(sw, &m, workload);
            fired = sim_io_was_cut(sw->sim);
            sim_io_restore_power(sw->sim, outcome * 100000 + cut);
            check_and_go_on(sw, &m, cut);
        }
    }
}

static int remove_checkpoint(void *arg, const char *name, uint64_t file_bytes)
{
    (void)file_bytes;
    return strncmp(name, "idx-", 4) == 0 ? vs_io_unlink(arg, name) : 0;
}

static void lose_checkpoints(struct sb_sweep *sw)
{
    struct vs_io *io = sim_io_boot(sw->sim);

    assert_int_equal(vs_io_list(io, remove_checkpoint, io), 0);
    assert_int_equal(vs_io_sync_dir(io), 0);
    vs_io_free(io);
}

void sb_sweep_cuts_without_checkpoints(struct sb_sweep *sw, uint64_t workload)
{
    bool fired = true;

    sb_sweep_record(sw, workload);
    for (uint64_t cut = 0; fired; cut += sw->stride) {
        struct sb_model m;

        assert_true(cut < PLACES_MAX);
        begin(sw, &m);
        sim_io_cut_after(sw->sim, cut);
        run(sw, &m, workload);
        fired = sim_io_was_cut(sw->sim);
        sim_io_restore_power(sw->sim, cut);
        lose_checkpoints(sw);
        assert_int_equal(sb_model_open(&m, sw->sim), 0);
        assert_false(m.recovery.from_checkpoint);
        assert_int_equal(m.recovery.corrupt, 0);
        sb_model_check(&m);
        sb_model_workload(&m, sw->sim, cut, 10);
        sb_model_close(&m);
        lose_checkpoints(sw); /* of two runs, the first of which ended in the cut */
        check_and_go_on(sw, &m, cut);
    }
}

void sb_sweep_recovery(struct sb_sweep *sw, uint64_t workload, uint64_t first)
{
    bool again = true;

    for (uint64_t second = 0; again; second += sw->stride) {
        struct sb_model m;

        assert_true(second < PLACES_MAX);
        begin(sw, &m);
        sim_io_cut_after(sw->sim, first);
        run(sw, &m, workload);
        assert_true(sim_io_was_cut(sw->sim));
        sim_io_restore_power(sw->sim, first);
        sim_io_cut_after(sw->sim, second);
        if (sb_model_open(&m, sw->sim) == 0)
            sb_store_run(m.ss.s);
        sb_model_close(&m);
        again = sim_io_was_cut(sw->sim);
        sim_io_restore_power(sw->sim, second);
        check_and_go_on(sw, &m, second);
    }
}

/* A workload into one fault at its nth call. False when it did not strike any more. */
static bool run_into_fault(struct sb_sweep *sw, uint64_t workload,
                           const struct sb_sweep_fault *fault, uint64_t nth, bool power)
{
    struct sb_model m;
    bool fired;

    begin(sw, &m);
    sim_io_fail_at(sw->sim, fault->kind, nth, fault->err, fault->sticky);
    sb_model_workload(&m, sw->sim, workload, sw->steps);
    if (m.ss.s != NULL) {
        struct store_health h;

        chunk_store_health(m.ss.s, &h); /* a store that is down says why */
        assert_true(h.state == STORE_UP || h.why[0] != '\0');
    }
    fired = sim_io_fault_fired(sw->sim, fault->kind);
    sb_model_close(&m);
    if (!power) { /* what it serves now must be on the disk, whatever the cache shows */
        assert_int_equal(sb_model_open(&m, sw->sim), 0);
        sb_model_check(&m);
        sim_io_cut_now(sw->sim);
        sb_model_close(&m);
    }
    sim_io_restore_power(sw->sim, nth); /* and what was not synced is lost, torn or there */
    check_and_go_on(sw, &m, nth);
    return fired;
}

void sb_sweep_faults(struct sb_sweep *sw, uint64_t workload, const struct sb_sweep_fault *fault,
                     bool power)
{
    uint64_t nth = 0;

    while (run_into_fault(sw, workload, fault, nth, power))
        assert_true((nth += sw->stride) < PLACES_MAX);
}

void sb_sweep_print(const struct sb_sweep *sw, const char *name)
{
    print_message("%s: %" PRIu64 " workloads, %" PRIu64 " operations (%" PRIu64
                  " found no room), %" PRIu64 " changes of the disk; %" PRIu64
                  " runs into a cut or a fault, 0 violations\n",
                  name, sw->workloads, sw->operations, sw->refused, sw->calls, sw->runs);
}
