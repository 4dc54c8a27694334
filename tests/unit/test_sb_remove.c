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

static void del_done(struct store_del *d)
{
    (void)d;
}

/* In one group: what dies together is removed together. */
static void del_both(struct sb_rig *rig, uint64_t a, uint64_t b)
{
    struct store_del del[2] = { { .key = sync_key(a), .done = del_done },
                                { .key = sync_key(b), .done = del_done } };

    chunk_store_del(rig->ss.s, &del[0]);
    chunk_store_del(rig->ss.s, &del[1]);
    sb_store_run(rig->ss.s);
}

/* File A: 0, 1 and another. File B: TOMBs of 0 and of the other, and one that lives. File C: the
 * TOMBs of all else. *ret_last is the fragment that keeps B. */
static void three_files(struct sb_rig *rig, uint64_t *ret_last)
{
    uint64_t n = 10, first_of_b;
    struct vs_io *io;

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
    *ret_last = n;
    next_file(rig, &n);
    for (uint64_t i = first_of_b; i < n; i++)
        if (i != *ret_last)
            assert_int_equal(sb_rig_del(rig, i), 0);
    assert_int_equal(sb_rig_files(rig, "sb-", NULL), 3);
}

/* 1 and the last of B die together, so A and B are removed in one go. Or only B dies, and A stays.
 * Whatever a power cut leaves, and without checkpoints, 0 stays deleted. */
static void tombs_outlive_what_they_killed(void **state)
{
    struct sb_rig *rig = *state;

    for (unsigned together = 0; together < 2; together++) {
        bool fired = true;

        for (uint64_t cut = 0; fired; cut++) {
            assert_true(cut < 200);
            for (uint64_t outcome = 0; outcome < 8; outcome++) {
                uint64_t last;

                three_files(rig, &last);
                sim_io_cut_after(rig->sim, cut);
                if (together == 1)
                    del_both(rig, 1, last);
                else
                    (void)sb_rig_del(rig, last);
                sb_rig_close(rig);
                fired = sim_io_was_cut(rig->sim);
                sim_io_restore_power(rig->sim, outcome);
                lose_checkpoints(rig);
                assert_int_equal(sb_rig_open(rig), 0);
                assert_int_equal(rig->recovery.corrupt, 0);
                assert_int_equal(sb_rig_check(rig, 0, FRAG), -ENOENT);
                assert_int_equal(sb_rig_check(rig, 10, FRAG), -ENOENT);
                if (together == 0)
                    assert_int_equal(sb_rig_check(rig, 1, FRAG), 0);
                sb_rig_close(rig);
            }
        }
    }
}

/* A damaged record was replaced; replacement and TOMB are gone with their files; the damaged one
 * still lies in a file that stays. */
static void a_replaced_record_does_not_come_back(void **state)
{
    struct sb_rig *rig = *state;
    uint64_t n = 10;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 0, FRAG), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    next_file(rig, &n);
    sb_rig_flip(rig, "sb-0000000000000001.dat", 8192 + 4096 + 50, 0);
    assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 1);
    assert_int_equal(sb_rig_put(rig, 0, FRAG), 0); /* in file 2 */
    assert_int_equal(sb_rig_check(rig, 0, FRAG), 0);
    next_file(rig, &n);
    assert_int_equal(sb_rig_del(rig, 0), 0); /* its TOMB in file 3 */
    next_file(rig, &n);
    for (uint64_t i = 10; i < n; i++)
        assert_int_equal(sb_rig_del(rig, i), 0);
    assert_int_equal(sb_rig_files(rig, "sb-", NULL), 2); /* 1 with what stays, and the active one */
    sb_rig_close(rig);
    lose_checkpoints(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_check(rig, 0, FRAG), -ENOENT);
    assert_int_equal(sb_rig_check(rig, 1, FRAG), 0);
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
        ON_SIM(a_replaced_record_does_not_come_back),
        ON_SIM(a_file_that_cannot_be_read_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
