/* The simulated disk keeps exactly the promises that sim_io.h makes, no more. */
#include "common/err.h"
#include "tests/support/sim_io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS  200
#define SECTOR 512u
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

static struct vs_file *open_file(struct vs_io *io, const char *name, unsigned how)
{
    struct vs_file *f = NULL;

    assert_int_equal(vs_io_open(io, name, how, &f), 0);
    return f;
}

static struct vs_file *create_durable(struct vs_io *io, const char *name)
{
    struct vs_file *f = open_file(io, name, VS_IO_WRITE | VS_IO_CREATE);

    assert_int_equal(vs_io_sync_dir(io), 0);
    return f;
}

static void fill(struct vs_file *f, uint8_t byte, size_t len, uint64_t offset)
{
    uint8_t *bytes = malloc(len);

    memset(bytes, byte, len);
    assert_int_equal(vs_file_pwrite(f, bytes, len, offset), 0);
    free(bytes);
}

static uint8_t byte_at(struct vs_file *f, uint64_t offset)
{
    uint8_t byte = 0xee;

    assert_int_equal(vs_file_pread(f, &byte, 1, offset), 1);
    return byte;
}

/* First byte of each of `count` sectors of a file, by a fresh boot; 0xee behind its end. */
static void read_sectors(struct sim_io *sim, const char *name, uint8_t *ret, size_t count)
{
    struct vs_io *io = sim_io_boot(sim);
    struct vs_file *f = open_file(io, name, VS_IO_READ);

    for (size_t i = 0; i < count; i++) {
        uint8_t sector[SECTOR];
        int64_t n = vs_file_pread(f, sector, sizeof(sector), i * SECTOR);

        assert_true(n == 0 || n == SECTOR);
        ret[i] = n == 0 ? 0xee : sector[0];
        for (size_t k = 1; n > 0 && k < SECTOR; k++)
            assert_int_equal(sector[k], sector[0]); /* never torn within a sector */
    }
    vs_file_close(f);
    vs_io_free(io);
}

static void buffered_reads_see_unsynced_writes_and_direct_reads_do_not(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = create_durable(io, "a");
    struct vs_file *direct = open_file(io, "a", VS_IO_DIRECT);
    uint8_t *block = aligned_alloc(BLOCK, BLOCK);

    fill(f, 7, BLOCK, 0);
    assert_int_equal(byte_at(f, 5), 7);
    assert_int_equal(vs_file_pread(direct, block, BLOCK, 0), BLOCK);
    assert_int_equal(block[5], 0);

    assert_int_equal(vs_file_fdatasync(f), 0);
    assert_int_equal(vs_file_pread(direct, block, BLOCK, 0), BLOCK);
    assert_int_equal(block[5], 7);

    fill(f, 8, BLOCK, 0);
    assert_int_equal(sim_io_write_back(*state, "a"), 0);
    assert_int_equal(vs_file_pread(direct, block, BLOCK, 0), BLOCK);
    assert_int_equal(block[5], 8);

    free(block);
    vs_file_close(direct);
    vs_file_close(f);
    vs_io_free(io);
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
        vs_file_close(create_durable(io, "a"));
        f = open_file(io, "a", VS_IO_WRITE | VS_IO_DIRECT);
        memset(block, 3, BLOCK);
        assert_int_equal(vs_file_pwrite(f, block, BLOCK, 0), 0);
        memset(block, 0, BLOCK);
        assert_int_equal(vs_file_pread(f, block, BLOCK, 0), BLOCK);
        assert_int_equal(block[BLOCK - 1], 3);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        read_sectors(*state, "a", sectors, 1);
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
        f = create_durable(io, "a");
        fill(f, 1, BLOCK, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        fill(f, 2, BLOCK, BLOCK); /* unsynced, elsewhere */
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        read_sectors(*state, "a", sectors, 16);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(sectors[i], 1);
        for (unsigned i = 8; i < 16; i++)
            assert_true(sectors[i] == 0 || sectors[i] == 2 || sectors[i] == 0xee);
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
        f = create_durable(io, "a");
        fill(f, 1, BLOCK, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        fill(f, 2, BLOCK, 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        read_sectors(*state, "a", sectors, 8);
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
        f = create_durable(io, "a");
        fill(f, 1, SECTOR, 0);
        fill(f, 2, SECTOR, SECTOR);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        read_sectors(*state, "a", sectors, 2);
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
        f = create_durable(io, "a");
        fill(f, 1, 1, 0);
        fill(f, 2, 1, 1);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        io = sim_io_boot(*state);
        f = open_file(io, "a", VS_IO_READ);
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
        f = create_durable(io, "a");
        fill(f, 9, BLOCK, 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        read_sectors(*state, "a", sectors, 8);
        zeros |= sectors[7] == 0;
        short_file |= sectors[0] == 0xee;
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
        f = create_durable(io, "a");
        fill(f, 1, 2 * BLOCK, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        assert_int_equal(vs_file_truncate(f, SECTOR + 1), 0);
        assert_int_equal(vs_file_allocate(f, 0, 4 * BLOCK), 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        io = sim_io_boot(*state);
        f = open_file(io, "a", VS_IO_READ);
        assert_int_equal(vs_file_size(f, &bytes), 0);
        assert_true(bytes == SECTOR + 1 || bytes == 2 * BLOCK || bytes == 4 * BLOCK);
        sizes[bytes == 2 * BLOCK ? 1 : bytes == 4 * BLOCK ? 2 : 0]++;
        assert_int_equal(byte_at(f, SECTOR), 1);
        if (bytes == 4 * BLOCK)
            allocated[byte_at(f, SECTOR + 1)]++;
        vs_file_close(f);
        vs_io_free(io);
    }
    assert_true(sizes[0] > 0 && sizes[1] > 0 && sizes[2] > 0);
    assert_true(allocated[0] > 0 && allocated[1] > 0); /* with and without the truncate */
}

static void the_cut_call_fails_and_so_does_everything_after_it(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f, *other;
    struct vs_io_space space;
    uint64_t bytes;
    uint8_t byte;

    sim_io_cut_after(*state, 3);
    f = open_file(io, "a", VS_IO_WRITE | VS_IO_CREATE);
    assert_int_equal(vs_io_sync_dir(io), 0);
    fill(f, 1, 10, 0);
    assert_int_equal(byte_at(f, 0), 1); /* reads do not count */
    assert_false(sim_io_was_cut(*state));
    assert_int_equal(vs_file_fdatasync(f), -EIO);
    assert_true(sim_io_was_cut(*state));

    assert_int_equal(vs_file_pread(f, &byte, 1, 0), -EIO);
    assert_int_equal(vs_file_pwrite(f, "x", 1, 0), -EIO);
    assert_int_equal(vs_file_fdatasync(f), -EIO);
    assert_int_equal(vs_file_truncate(f, 0), -EIO);
    assert_int_equal(vs_file_allocate(f, 0, 1), -EIO);
    assert_int_equal(vs_file_punch(f, 0, 1), -EIO);
    assert_int_equal(vs_file_size(f, &bytes), -EIO);
    assert_int_equal(vs_file_allocated(f, &bytes), -EIO);
    assert_int_equal(vs_file_linked(f), -EIO);
    assert_int_equal(vs_io_open(io, "a", VS_IO_READ, &other), -EIO);
    assert_int_equal(vs_io_unlink(io, "a"), -EIO);
    assert_int_equal(vs_io_rename(io, "a", "b"), -EIO);
    assert_int_equal(vs_io_sync_dir(io), -EIO);
    assert_int_equal(vs_io_space(io, &space), -EIO);
    assert_int_equal(sim_io_mutations(*state), 4);

    sim_io_restore_power(*state, 1);
    assert_int_equal(vs_file_pwrite(f, "x", 1, 0), -EIO); /* still the dead program's handle */
    vs_file_close(f);
    vs_io_free(io);
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
        f = create_durable(io, "a");
        fill(f, 1, SECTOR, 0);
        sim_io_cut_after(*state, 0);
        assert_int_equal(vs_file_fdatasync(f), -EIO);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        read_sectors(*state, "a", sectors, 1);
        kept += sectors[0] == 1;
        lost += sectors[0] != 1;
    }
    assert_true(kept > 0 && lost > 0);
}

static bool exists(struct sim_io *sim, const char *name)
{
    uint64_t bytes;

    return sim_io_file_bytes(sim, name, &bytes) == 0;
}

static void a_name_not_synced_may_be_missing_although_its_file_is_synced(void **state)
{
    unsigned there = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;
        struct vs_file *f;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = open_file(io, "a", VS_IO_WRITE | VS_IO_CREATE);
        fill(f, 1, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        there += exists(*state, "a");
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
        f = create_durable(io, "a");
        fill(f, 5, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        assert_int_equal(vs_io_unlink(io, "a"), 0);
        assert_false(exists(*state, "a"));
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        if (!exists(*state, "a"))
            continue;
        back++;
        read_sectors(*state, "a", sectors, 1);
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
        f = create_durable(io, "cur");
        fill(f, 1, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        f = create_durable(io, "new");
        fill(f, 2, SECTOR, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        vs_file_close(f);
        assert_int_equal(vs_io_rename(io, "new", "cur"), 0);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        read_sectors(*state, "cur", sectors, 1);
        assert_true(sectors[0] == 1 || sectors[0] == 2);
        assert_int_equal(exists(*state, "new"), sectors[0] == 1);
        renamed += sectors[0] == 2;
    }
    assert_true(renamed > SEEDS / 10 && renamed < SEEDS * 9 / 10);
}

static void synced_names_are_certain(void **state)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct vs_io *io;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        vs_file_close(open_file(io, "a", VS_IO_WRITE | VS_IO_CREATE));
        vs_file_close(open_file(io, "b", VS_IO_WRITE | VS_IO_CREATE));
        assert_int_equal(vs_io_rename(io, "a", "c"), 0);
        assert_int_equal(vs_io_unlink(io, "b"), 0);
        assert_int_equal(vs_io_sync_dir(io), 0);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        assert_true(!exists(*state, "a") && !exists(*state, "b") && exists(*state, "c"));
    }
}

static void a_failed_sync_loses_its_pages_and_the_next_one_lies(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = create_durable(io, "a");
    struct vs_file *direct = open_file(io, "a", VS_IO_DIRECT);
    uint8_t *block = aligned_alloc(BLOCK, BLOCK);
    uint8_t sectors[1];

    fill(f, 1, BLOCK, 0);
    assert_int_equal(vs_file_fdatasync(f), 0);
    fill(f, 2, BLOCK, 0);
    sim_io_fail_at(*state, SIM_IO_SYNC, 0, -EIO, true);
    assert_int_equal(vs_file_fdatasync(f), -EIO);
    assert_true(sim_io_fault_fired(*state, SIM_IO_SYNC));
    assert_int_equal(vs_file_fdatasync(f), 0);

    assert_int_equal(byte_at(f, 0), 2); /* the cache still shows it */
    assert_int_equal(vs_file_pread(direct, block, BLOCK, 0), BLOCK);
    assert_int_equal(block[0], 1);
    vs_file_drop_cache(f, 0, BLOCK);
    assert_int_equal(byte_at(f, 0), 1);

    fill(f, 3, BLOCK, 0); /* what is written afterwards is written */
    assert_int_equal(vs_file_fdatasync(f), 0);
    free(block);
    vs_file_close(direct);
    vs_file_close(f);
    vs_io_free(io);
    sim_io_restore_power(*state, 1);
    read_sectors(*state, "a", sectors, 1);
    assert_int_equal(sectors[0], 3);
}

static void a_failed_sync_without_loss_keeps_the_writes_pending(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = create_durable(io, "a");
    uint8_t sectors[1];

    fill(f, 2, SECTOR, 0);
    sim_io_fail_at(*state, SIM_IO_SYNC, 0, -EIO, false);
    assert_int_equal(vs_file_fdatasync(f), -EIO);
    assert_int_equal(vs_file_fdatasync(f), 0);
    vs_file_close(f);
    vs_io_free(io);
    sim_io_restore_power(*state, 1);
    read_sectors(*state, "a", sectors, 1);
    assert_int_equal(sectors[0], 2);
}

static void the_nth_call_of_a_kind_fails_once_or_from_then_on(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = create_durable(io, "a");
    uint64_t bytes;

    sim_io_fail_at(*state, SIM_IO_WRITE, 1, -EIO, false);
    fill(f, 1, SECTOR, 0);
    assert_false(sim_io_fault_fired(*state, SIM_IO_WRITE));
    assert_int_equal(vs_file_pwrite(f, "0123456789", 10, SECTOR), -EIO);
    assert_int_equal(vs_file_size(f, &bytes), 0);
    assert_int_equal(bytes, SECTOR); /* half of ten bytes is no whole sector */
    fill(f, 1, SECTOR, SECTOR);

    sim_io_fail_at(*state, SIM_IO_ALLOCATE, 0, -ENOSPC, true);
    assert_int_equal(vs_file_allocate(f, 0, BLOCK), -ENOSPC);
    assert_int_equal(vs_file_allocate(f, 0, BLOCK), -ENOSPC);
    sim_io_fail_at(*state, SIM_IO_ALLOCATE, 5, -ENOSPC, false);
    assert_int_equal(vs_file_allocate(f, 0, BLOCK), 0);
    assert_int_equal(sim_io_calls(*state, SIM_IO_ALLOCATE), 3);
    vs_file_close(f);
    vs_io_free(io);
}

static void a_failed_write_leaves_its_first_half(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = create_durable(io, "a");
    uint8_t bytes[4 * SECTOR];
    uint64_t size;

    memset(bytes, 1, sizeof(bytes));
    sim_io_fail_at(*state, SIM_IO_WRITE, 0, -EIO, false);
    assert_int_equal(vs_file_pwrite(f, bytes, sizeof(bytes), 0), -EIO);
    assert_int_equal(vs_file_size(f, &size), 0);
    assert_int_equal(size, 2 * SECTOR);
    assert_int_equal(byte_at(f, 2 * SECTOR - 1), 1);
    vs_file_close(f);
    vs_io_free(io);
}

static void a_full_disk_refuses_and_gives_room_again(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = create_durable(io, "a");
    struct vs_file *g = create_durable(io, "b");
    uint8_t bytes[3 * BLOCK] = { 0 };
    struct vs_io_space space;
    uint64_t size;

    sim_io_set_capacity(*state, 4 * BLOCK);
    assert_int_equal(vs_file_allocate(f, 0, 2 * BLOCK), 0);
    assert_int_equal(vs_file_allocate(g, 0, 3 * BLOCK), -ENOSPC);
    assert_int_equal(vs_file_size(g, &size), 0);
    assert_int_equal(size, 0);
    fill(f, 1, 2 * BLOCK, 0); /* reserved: needs nothing more */
    assert_int_equal(vs_file_pwrite(g, bytes, sizeof(bytes), 0), -ENOSPC);
    assert_int_equal(vs_file_size(g, &size), 0);
    assert_int_equal(size, 2 * BLOCK);
    assert_int_equal(vs_io_space(io, &space), 0);
    assert_int_equal(space.free_bytes, 0);
    assert_int_equal(space.total_bytes, 4 * BLOCK);

    assert_int_equal(vs_file_punch(f, 0, BLOCK), 0);
    assert_int_equal(vs_io_space(io, &space), 0);
    assert_int_equal(space.free_bytes, BLOCK);

    assert_int_equal(vs_io_unlink(io, "b"), 0);
    assert_int_equal(vs_file_linked(g), 0);
    assert_int_equal(vs_io_space(io, &space), 0);
    assert_int_equal(space.free_bytes, BLOCK); /* somebody has it open */
    vs_file_close(g);
    assert_int_equal(vs_io_space(io, &space), 0);
    assert_int_equal(space.free_bytes, 3 * BLOCK);
    vs_file_close(f);
    vs_io_free(io);
}

static void a_file_system_may_be_unable_to_punch(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = create_durable(io, "a");

    fill(f, 1, BLOCK, 0);
    sim_io_set_punch(*state, false);
    assert_int_equal(vs_file_punch(f, 0, BLOCK), -EOPNOTSUPP);
    assert_int_equal(byte_at(f, 0), 1);
    vs_file_close(f);
    vs_io_free(io);
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
        f = create_durable(io, "a");
        fill(f, 1, 3 * BLOCK, 0);
        assert_int_equal(vs_file_fdatasync(f), 0);
        assert_int_equal(vs_file_punch(f, BLOCK, BLOCK), 0);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, seed);
        io = sim_io_boot(*state);
        f = open_file(io, "a", VS_IO_READ);
        assert_int_equal(vs_file_allocated(f, &allocated), 0);
        assert_int_equal(byte_at(f, 0), 1);
        assert_int_equal(byte_at(f, 2 * BLOCK), 1);
        assert_int_equal(allocated, byte_at(f, BLOCK) == 1 ? 3 * BLOCK : 2 * BLOCK);
        holes += byte_at(f, BLOCK) == 0;
        vs_file_close(f);
        vs_io_free(io);
    }
    assert_true(holes > SEEDS / 10 && holes < SEEDS * 9 / 10);
}

static void a_flipped_bit_is_read_and_survives_and_twice_is_none(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = create_durable(io, "a");
    uint8_t sectors[1];

    fill(f, 0, SECTOR, 0);
    fill(f, 0x10, 1, SECTOR);
    assert_int_equal(vs_file_fdatasync(f), 0);
    assert_int_equal(sim_io_flip_bit(*state, "a", SECTOR, 3), 0);
    assert_int_equal(byte_at(f, SECTOR), 0x18);
    assert_int_equal(sim_io_flip_bit(*state, "a", SECTOR, 3), 0);
    assert_int_equal(byte_at(f, SECTOR), 0x10);
    for (unsigned i = 0; i < SECTOR; i++)
        assert_int_equal(sim_io_flip_bit(*state, "a", i, 7), 0);
    assert_int_equal(sim_io_flip_bit(*state, "a", SECTOR + 1, 0), -EINVAL);
    assert_int_equal(sim_io_flip_bit(*state, "b", 0, 0), -ENOENT);
    vs_file_close(f);
    vs_io_free(io);
    sim_io_restore_power(*state, 1);
    read_sectors(*state, "a", sectors, 1);
    assert_int_equal(sectors[0], 0x80);
}

static void the_same_seed_makes_the_same_disk(void **state)
{
    uint8_t first[64], second[64];

    for (unsigned round = 0; round < 2; round++) {
        struct vs_io *io;
        struct vs_file *f;

        sim_io_reset(*state);
        io = sim_io_boot(*state);
        f = create_durable(io, "a");
        for (unsigned i = 0; i < 16; i++)
            fill(f, (uint8_t)(i + 1), 4 * SECTOR, (uint64_t)i * 4 * SECTOR);
        vs_file_close(f);
        vs_io_free(io);
        sim_io_restore_power(*state, 4242);
        read_sectors(*state, "a", round == 0 ? first : second, 64);
    }
    assert_memory_equal(first, second, sizeof(first));
}

static void a_killed_program_leaves_the_cache_to_the_next(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = open_file(io, "a", VS_IO_WRITE | VS_IO_CREATE);
    uint8_t sectors[1];

    fill(f, 4, SECTOR, 0);
    vs_file_close(f);
    vs_io_free(io);
    read_sectors(*state, "a", sectors, 1);
    assert_int_equal(sectors[0], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(buffered_reads_see_unsynced_writes_and_direct_reads_do_not),
        RULE(direct_writes_are_seen_by_direct_reads_but_are_not_durable),
        RULE(what_was_synced_survives_every_seed),
        RULE(an_unsynced_write_is_lost_or_torn_at_sectors_or_done),
        RULE(unsynced_writes_are_reordered),
        RULE(a_sector_never_shows_a_later_write_without_an_earlier_one),
        RULE(a_file_may_have_grown_without_its_bytes),
        RULE(unsynced_truncate_and_allocate_come_or_go),
        RULE(the_cut_call_fails_and_so_does_everything_after_it),
        RULE(a_cut_sync_makes_nothing_certain),
        RULE(a_name_not_synced_may_be_missing_although_its_file_is_synced),
        RULE(an_unlink_not_synced_may_be_undone_with_its_bytes),
        RULE(a_rename_is_atomic),
        RULE(synced_names_are_certain),
        RULE(a_failed_sync_loses_its_pages_and_the_next_one_lies),
        RULE(a_failed_sync_without_loss_keeps_the_writes_pending),
        RULE(the_nth_call_of_a_kind_fails_once_or_from_then_on),
        RULE(a_failed_write_leaves_its_first_half),
        RULE(a_full_disk_refuses_and_gives_room_again),
        RULE(a_file_system_may_be_unable_to_punch),
        RULE(an_unsynced_hole_comes_or_goes_with_its_blocks),
        RULE(a_flipped_bit_is_read_and_survives_and_twice_is_none),
        RULE(the_same_seed_makes_the_same_disk),
        RULE(a_killed_program_leaves_the_cache_to_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
