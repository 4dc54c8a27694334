/* What a power cut may and may not leave of names. */
#include "common/err.h"
#include "tests/support/sim_use.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SEEDS  200
#define SECTOR SIM_USE_SECTOR_BYTES

static int set_up(void **state)
{
    *state = sim_io_new();
    return 0;
}

static int tear_down(void **state)
{
    sim_io_free(*state);
    return 0;
}

static void a_name_not_synced_may_be_missing_although_its_file_is_synced(void **state)
{
    unsigned there = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_open(io, "a", VS_IO_WRITE | VS_IO_CREATE);
        sim_use_fill(f, 1, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        there += sim_use_exists(*state, "a");
    }
    assert_true(there > SEEDS / 10 && there < SEEDS * 9 / 10);
}

static void an_unlink_not_synced_may_be_undone_with_its_bytes(void **state)
{
    unsigned back = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint8_t sectors[1];

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 5, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        assert_int_equal(vs_io_unlink(io, "a"), 0);
        assert_false(sim_use_exists(*state, "a"));
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        if (!sim_use_exists(*state, "a"))
            continue;
        back++;
        sim_use_sectors(*state, "a", sectors, 1);
        assert_int_equal(sectors[0], 5);
    }
    assert_true(back > SEEDS / 10 && back < SEEDS * 9 / 10);
}

/* Old content under the name, or new content under the name; never none, never both names. */
static void a_rename_is_atomic(void **state)
{
    unsigned renamed = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint8_t sectors[1];

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "cur");
        sim_use_fill(f, 1, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        f = sim_use_create(io, "new");
        sim_use_fill(f, 2, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        assert_int_equal(vs_io_rename(io, "new", "cur"), 0);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        sim_use_sectors(*state, "cur", sectors, 1);
        assert_true(sectors[0] == 1 || sectors[0] == 2);
        assert_int_equal(sim_use_exists(*state, "new"), sectors[0] == 1);
        renamed += sectors[0] == 2;
    }
    assert_true(renamed > SEEDS / 10 && renamed < SEEDS * 9 / 10);
}

/* The name is used again: whatever came of that, the first film is under one of its names. */
static void a_durable_file_is_never_lost_by_changes_of_names(void **state)
{
    unsigned seen[3] = { 0 };

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint8_t a[1] = { 0 }, b[1] = { 0 };

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 1, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        assert_int_equal(vs_io_rename(io, "a", "b"), 0);
        f = sim_use_open(io, "a", VS_IO_WRITE | VS_IO_CREATE);
        sim_use_fill(f, 2, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        if (sim_use_exists(*state, "a"))
            sim_use_sectors(*state, "a", a, 1);
        if (sim_use_exists(*state, "b"))
            sim_use_sectors(*state, "b", b, 1);
        assert_true((a[0] == 1 && b[0] == 0) || (a[0] == 0 && b[0] == 1) ||
                    (a[0] == 2 && b[0] == 1));
        seen[a[0]]++;
    }
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
}

static void changes_of_different_names_are_reordered(void **state)
{
    bool later_without_earlier = false;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        vs_file_close(sim_use_open(io, "a", VS_IO_WRITE | VS_IO_CREATE));
        vs_file_close(sim_use_open(io, "b", VS_IO_WRITE | VS_IO_CREATE));
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        later_without_earlier |= sim_use_exists(*state, "b") && !sim_use_exists(*state, "a");
    }
    assert_true(later_without_earlier);
}

static void a_cut_sync_of_the_directory_makes_nothing_certain(void **state)
{
    unsigned there = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        vs_file_close(sim_use_open(io, "a", VS_IO_WRITE | VS_IO_CREATE));
        sim_io_cut_after(*state, 0);
        assert_int_equal(vs_io_sync_dir(io), -EIO);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        there += sim_use_exists(*state, "a");
    }
    assert_true(there > SEEDS / 10 && there < SEEDS * 9 / 10);
}

static void synced_names_are_certain(void **state)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        vs_file_close(sim_use_open(io, "a", VS_IO_WRITE | VS_IO_CREATE));
        vs_file_close(sim_use_open(io, "b", VS_IO_WRITE | VS_IO_CREATE));
        assert_int_equal(vs_io_rename(io, "a", "c"), 0);
        assert_int_equal(vs_io_unlink(io, "b"), 0);
        assert_int_equal(vs_io_sync_dir(io), 0);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        assert_true(!sim_use_exists(*state, "a") && !sim_use_exists(*state, "b") &&
                    sim_use_exists(*state, "c"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(a_name_not_synced_may_be_missing_although_its_file_is_synced),
        RULE(an_unlink_not_synced_may_be_undone_with_its_bytes),
        RULE(a_rename_is_atomic),
        RULE(a_durable_file_is_never_lost_by_changes_of_names),
        RULE(changes_of_different_names_are_reordered),
        RULE(a_cut_sync_of_the_directory_makes_nothing_certain),
        RULE(synced_names_are_certain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
