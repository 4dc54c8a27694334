/* Files in which nothing is live go away, and what they knew about others stays. */
#include "common/assert.h"
#include "common/err.h"
#include "tests/support/sb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FRAG 100000u

static int remove_checkpoint(void *arg, const char *name, uint64_t file_bytes)
{
    (void)file_bytes;
    return strncmp(name, "idx-", 4) == 0 ? vs_io_unlink(arg, name) : 0;
}

static void lose_checkpoints(struct sb_rig *rig)
{
    struct vs_io *io = sb_rig_io(rig);

    assert_int_equal(vs_io_list(io, remove_checkpoint, io), 0);
    assert_int_equal(vs_io_sync_dir(io), 0);
    vs_io_free(io);
}

static void a_file_without_live_fragments_is_removed(void **state)
{
    struct sb_rig *rig = *state;
    uint64_t allocated;

    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 50; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    assert_true(sb_rig_files(rig, "sb-", NULL) >= 5);
    for (uint64_t n = 0; n < 49; n++)
        assert_int_equal(sb_rig_del(rig, n), 0);
    assert_true(sb_rig_files(rig, "sb-", &allocated) <= 2);
    assert_true(allocated < 3u << 20);
    sb_rig_close(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(rig->recovery.fragments, 1);
    assert_int_equal(sb_rig_check(rig, 49, FRAG), 0);
    sb_rig_close(rig);
    lose_checkpoints(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(rig->recovery.fragments, 1);
    assert_int_equal(rig->recovery.corrupt, 0);
}

/* Deletes for ever do not make files for ever. */
static void a_store_that_is_filled_and_emptied_stays_small(void **state)
{
    struct sb_rig *rig = *state;
    uint64_t allocated;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1000, FRAG), 0); /* one stays */
    for (unsigned round = 0; round < 200; round++) {
        for (uint64_t n = 0; n < 5; n++)
            assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
        for (uint64_t n = 0; n < 5; n++)
            assert_int_equal(sb_rig_del(rig, n), 0);
        if (round % 50 == 49) {
            sb_rig_crash(rig);
            assert_int_equal(sb_rig_open(rig), 0);
        }
    }
    assert_true(sb_rig_files(rig, "sb-", &allocated) <= 4);
    assert_true(allocated < 4u << 20);
    assert_int_equal(sb_rig_check(rig, 1000, FRAG), 0);
}

/* The put's record closes the active file: what follows goes to the next one. */
static void next_file(struct sb_rig *rig, uint64_t *n)
{
    unsigned files = sb_rig_files(rig, "sb-", NULL);

    while (sb_rig_files(rig, "sb-", NULL) == files)
        assert_int_equal(sb_rig_put(rig, (*n)++, FRAG), 0);
}

/* File A: 0 and 1. File B: a TOMB of 0, and 2. File C: more. Then 1 and 2 die together: A and B are
 * removed in one go. Whatever the power cut leaves, and without checkpoints, 0 stays deleted. */
static void tombs_outlive_what_they_killed(void **state)
{
    struct sb_rig *rig = *state;
    bool fired = true;

    for (uint64_t cut = 0; fired; cut++) {
        for (uint64_t outcome = 0; outcome < 8; outcome++) {
            uint64_t n = 10, first_of_b, last;
            struct vs_io *io;

            assert_true(cut < 200);
            sim_io_reset(rig->sim);
            rig->config.file_bytes = 400000;
            io = sb_rig_io(rig);
            assert_int_equal(sb_store_format(io, &rig->config.cluster, &rig->config.node), 0);
            vs_io_free(io);
            assert_int_equal(sb_rig_open(rig), 0);
            assert_int_equal(sb_rig_put(rig, 0, FRAG), 0);
            assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
            next_file(rig, &n);
            first_of_b = n - 1;
            for (uint64_t i = 10; i < first_of_b; i++)
                assert_int_equal(sb_rig_del(rig, i), 0);
            assert_int_equal(sb_rig_del(rig, 0), 0);
            assert_int_equal(sb_rig_put(rig, 2, 10), 0);
            last = n;
            next_file(rig, &n);
            for (uint64_t i = first_of_b; i < n; i++)
                if (i != last)
                    assert_int_equal(sb_rig_del(rig, i), 0);
            assert_int_equal(sb_rig_del(rig, 2), 0);
            sim_io_cut_after(rig->sim, cut);
            (void)sb_rig_del(rig, 1); /* the last of A; then A, B and what was between go */
            (void)sb_rig_del(rig, last);
            fired = sim_io_was_cut(rig->sim);
            sb_rig_close(rig);
            fired = sim_io_was_cut(rig->sim);
            sim_io_restore_power(rig->sim, outcome);
            lose_checkpoints(rig);
            assert_int_equal(sb_rig_open(rig), 0);
            assert_int_equal(rig->recovery.corrupt, 0);
            assert_int_equal(sb_rig_check(rig, 0, FRAG), -ENOENT);
            assert_int_equal(sb_rig_check(rig, 2, 10), -ENOENT);
            sb_rig_close(rig);
        }
    }
}

/* A file with something unreadable in it is kept: what it held is not known. */
static void a_file_that_cannot_be_read_is_kept(void **state)
{
    struct sb_rig *rig = *state;

    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 12; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    assert_true(sb_rig_files(rig, "sb-", NULL) == 2);
    sb_rig_flip(rig, "sb-0000000000000001.dat", 8192 + 100, 0); /* the header of fragment 0 */
    for (uint64_t n = 0; n < 12; n++)
        assert_int_equal(sb_rig_del(rig, n), 0);
    assert_int_equal(sb_rig_files(rig, "sb-0000000000000001", NULL), 1);
}

#define ON_SIM(test) cmocka_unit_test_setup_teardown(test, sb_rig_setup_sim, sb_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(a_file_without_live_fragments_is_removed),
        ON_SIM(a_store_that_is_filled_and_emptied_stays_small),
        ON_SIM(tombs_outlive_what_they_killed),
        ON_SIM(a_file_that_cannot_be_read_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
