/* What a power cut may and may not leave of a file. */
#include "common/err.h"
#include "tests/support/sim_use.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS  200
#define SECTOR SIM_USE_SECTOR_BYTES
#define BLOCK  VS_IO_BLOCK_BYTES

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

static void direct_writes_are_seen_by_direct_reads_but_are_not_durable(void **state)
{
    uint8_t *block = aligned_alloc(BLOCK, BLOCK);
    bool lost = false;

    for (uint64_t seed = 0; seed < SEEDS && !lost; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint8_t sectors[1];

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        vs_file_close(sim_use_create(io, "a"));
        f = sim_use_open(io, "a", VS_IO_WRITE | VS_IO_DIRECT);
        memset(block, 3, BLOCK);
        assert_int_equal(vs_file_pwrite(f, block, BLOCK, 0), 0);
        memset(block, 0, BLOCK);
        assert_int_equal(vs_file_pread(f, block, BLOCK, 0), BLOCK);
        assert_int_equal(block[BLOCK - 1], 3);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        sim_use_sectors(*state, "a", sectors, 1);
        lost = sectors[0] != 3;
    }
    assert_true(lost);
    free(block);
}

static void what_was_synced_survives_every_seed(void **state)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint8_t sectors[16];

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 1, BLOCK, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        sim_use_fill(f, 2, BLOCK, BLOCK); /* unsynced, elsewhere */
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        sim_use_sectors(*state, "a", sectors, 16);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(sectors[i], 1);
        for (unsigned i = 8; i < 16; i++)
            assert_true(sectors[i] == 0 || sectors[i] == 2 || sectors[i] == SIM_USE_NO_SECTOR);
    }
}

static void an_unsynced_write_is_lost_or_torn_at_sectors_or_done(void **state)
{
    unsigned lost = 0, torn = 0, done = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint8_t sectors[8];
        unsigned fresh = 0;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 1, BLOCK, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        sim_use_fill(f, 2, BLOCK, 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        sim_use_sectors(*state, "a", sectors, 8);
        for (unsigned i = 0; i < 8; i++) {
            assert_true(sectors[i] == 1 || sectors[i] == 2);
            fresh += sectors[i] == 2;
        }
        lost += fresh == 0;
        torn += fresh > 0 && fresh < 8;
        done += fresh == 8;
    }
    assert_true(lost > SEEDS / 10 && torn > SEEDS / 10 && done > SEEDS / 10);
}

static void unsynced_writes_are_reordered(void **state)
{
    bool later_without_earlier = false, earlier_without_later = false;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint8_t sectors[2];

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 1, SECTOR, 0);
        sim_use_fill(f, 2, SECTOR, SECTOR);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        sim_use_sectors(*state, "a", sectors, 2);
        later_without_earlier |= sectors[0] != 1 && sectors[1] == 2;
        earlier_without_later |= sectors[0] == 1 && sectors[1] != 2;
    }
    assert_true(later_without_earlier && earlier_without_later);
}

static void a_sector_never_shows_a_later_write_without_an_earlier_one(void **state)
{
    bool both = false, first_only = false;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint8_t bytes[2] = { 0 };

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 1, 1, 0);
        sim_use_fill(f, 2, 1, 1);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        io = sim_io_boot(*state);
        f = sim_use_open(io, "a", VS_IO_READ);
        assert_true(vs_file_pread(f, bytes, 2, 0) >= 0);
        if (bytes[1] == 2)
            assert_int_equal(bytes[0], 1);
        both |= bytes[0] == 1 && bytes[1] == 2;
        first_only |= bytes[0] == 1 && bytes[1] == 0;
        vs_file_close(f);
        vs_io_free(io);
    }
    assert_true(both && first_only);
}

static void a_file_may_have_grown_without_its_bytes(void **state)
{
    bool zeros = false, short_file = false;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io = NULL;
        struct vs_file *f;
        uint8_t sectors[8];

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 9, BLOCK, 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        sim_use_sectors(*state, "a", sectors, 8);
        zeros |= sectors[7] == 0;
        short_file |= sectors[0] == SIM_USE_NO_SECTOR;
    }
    assert_true(zeros && short_file);
}

static void unsynced_truncate_and_allocate_come_or_go(void **state)
{
    unsigned sizes[3] = { 0 }, allocated[2] = { 0 };

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint64_t bytes;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 1, 2 * BLOCK, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        assert_int_equal(vs_file_truncate(f, SECTOR + 1), 0);
        assert_int_equal(vs_file_allocate(f, 0, 4 * BLOCK), 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        io = sim_io_boot(*state);
        f = sim_use_open(io, "a", VS_IO_READ);
        assert_int_equal(vs_file_size(f, &bytes), 0);
        assert_true(bytes == SECTOR + 1 || bytes == 2 * BLOCK || bytes == 4 * BLOCK);
        sizes[bytes == 2 * BLOCK ? 1 : bytes == 4 * BLOCK ? 2 : 0]++;
        assert_int_equal(sim_use_byte_at(f, SECTOR), 1);
        if (bytes == 4 * BLOCK)
            allocated[sim_use_byte_at(f, SECTOR + 1)]++;
        vs_file_close(f);
        vs_io_free(io);
    }
    assert_true(sizes[0] > 0 && sizes[1] > 0 && sizes[2] > 0);
    assert_true(allocated[0] > 0 && allocated[1] > 0); /* with and without the truncate */
}

static void an_unsynced_hole_comes_or_goes_with_its_blocks(void **state)
{
    unsigned holes = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint64_t allocated;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 1, 3 * BLOCK, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        assert_int_equal(vs_file_punch(f, BLOCK, BLOCK), 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        io = sim_io_boot(*state);
        f = sim_use_open(io, "a", VS_IO_READ);
        assert_int_equal(vs_file_allocated(f, &allocated), 0);
        assert_int_equal(sim_use_byte_at(f, 0), 1);
        assert_int_equal(sim_use_byte_at(f, 2 * BLOCK), 1);
        assert_int_equal(allocated, sim_use_byte_at(f, BLOCK) == 1 ? 3 * BLOCK : 2 * BLOCK);
        holes += sim_use_byte_at(f, BLOCK) == 0;
        vs_file_close(f);
        vs_io_free(io);
    }
    assert_true(holes > SEEDS / 10 && holes < SEEDS * 9 / 10);
}

static void the_same_seed_makes_the_same_disk(void **state)
{
    uint8_t first[64], second[64];

    for (unsigned round = 0; round < 2; round++) {
        struct vs_io *io;
        struct vs_file *f;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        for (unsigned i = 0; i < 16; i++)
            sim_use_fill(f, (uint8_t)(i + 1), 4 * SECTOR, (uint64_t)i * 4 * SECTOR);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, 4242);
        sim_use_sectors(*state, "a", round == 0 ? first : second, 64);
    }
    assert_memory_equal(first, second, sizeof(first));
}

static void a_cut_sync_makes_nothing_certain(void **state)
{
    unsigned kept = 0, lost = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;
        uint8_t sectors[1];

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = sim_use_create(io, "a");
        sim_use_fill(f, 1, SECTOR, 0);
        sim_io_cut_after(*state, 0);
        assert_int_equal(vs_file_fdatasync(f), -EIO);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        sim_use_sectors(*state, "a", sectors, 1);
        kept += sectors[0] == 1;
        lost += sectors[0] != 1;
    }
    assert_true(kept > 0 && lost > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(direct_writes_are_seen_by_direct_reads_but_are_not_durable),
        RULE(what_was_synced_survives_every_seed),
        RULE(an_unsynced_write_is_lost_or_torn_at_sectors_or_done),
        RULE(unsynced_writes_are_reordered),
        RULE(a_sector_never_shows_a_later_write_without_an_earlier_one),
        RULE(a_file_may_have_grown_without_its_bytes),
        RULE(unsynced_truncate_and_allocate_come_or_go),
        RULE(an_unsynced_hole_comes_or_goes_with_its_blocks),
        RULE(the_same_seed_makes_the_same_disk),
        RULE(a_cut_sync_makes_nothing_certain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
