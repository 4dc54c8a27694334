/* The simulated disk keeps exactly the promises that sim_io.h makes to programs and tests. */
#include "common/err.h"
#include "tests/support/sim_use.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void buffered_reads_see_unsynced_writes_and_direct_reads_do_not(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = sim_use_create(io, "a");
    struct vs_file *direct = sim_use_open(io, "a", VS_IO_DIRECT);
    uint8_t *block = aligned_alloc(BLOCK, BLOCK);

    sim_use_fill(f, 7, BLOCK, 0);
    assert_int_equal(sim_use_byte_at(f, 5), 7);
    assert_int_equal(vs_file_pread(direct, block, BLOCK, 0), BLOCK);
    assert_int_equal(block[5], 0);

    assert_int_equal(vs_file_fdatasync(f), 0);
    assert_int_equal(vs_file_pread(direct, block, BLOCK, 0), BLOCK);
    assert_int_equal(block[5], 7);

    sim_use_fill(f, 8, BLOCK, 0);
    assert_int_equal(sim_io_write_back(*state, "a"), 0);
    assert_int_equal(vs_file_pread(direct, block, BLOCK, 0), BLOCK);
    assert_int_equal(block[5], 8);

    free(block);
    vs_file_close(direct);
    vs_file_close(f);
    vs_io_free(io);
}

static void the_cut_call_fails_and_so_does_everything_after_it(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f, *other;
    struct vs_io_space space;
    uint64_t bytes;
    uint8_t byte;

    sim_io_cut_after(*state, 3);
    f = sim_use_open(io, "a", VS_IO_WRITE | VS_IO_CREATE);
    assert_int_equal(vs_io_sync_dir(io), 0);
    sim_use_fill(f, 1, 10, 0);
    assert_int_equal(sim_use_byte_at(f, 0), 1); /* reads do not count */
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

static void a_failed_sync_loses_its_pages_and_the_next_one_lies(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = sim_use_create(io, "a");
    struct vs_file *direct = sim_use_open(io, "a", VS_IO_DIRECT);
    uint8_t *block = aligned_alloc(BLOCK, BLOCK);
    uint8_t sectors[1];

    sim_use_fill(f, 1, BLOCK, 0);
    assert_int_equal(vs_file_fdatasync(f), 0);
    sim_use_fill(f, 2, BLOCK, 0);
    sim_io_fail_at(*state, SIM_IO_SYNC, 0, -EIO, true);
    assert_int_equal(vs_file_fdatasync(f), -EIO);
    assert_true(sim_io_fault_fired(*state, SIM_IO_SYNC));
    assert_int_equal(vs_file_fdatasync(f), 0);

    assert_int_equal(sim_use_byte_at(f, 0), 2); /* the cache still shows it */
    assert_int_equal(vs_file_pread(direct, block, BLOCK, 0), BLOCK);
    assert_int_equal(block[0], 1);
    vs_file_drop_cache(f, 0, BLOCK);
    assert_int_equal(sim_use_byte_at(f, 0), 1);

    sim_use_fill(f, 3, BLOCK, 0); /* what is written afterwards is written */
    assert_int_equal(vs_file_fdatasync(f), 0);
    free(block);
    vs_file_close(direct);
    vs_file_close(f);
    vs_io_free(io);
    sim_io_restore_power(*state, 1);
    sim_use_sectors(*state, "a", sectors, 1);
    assert_int_equal(sectors[0], 3);
}

static void a_failed_sync_without_loss_keeps_the_writes_pending(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = sim_use_create(io, "a");
    uint8_t sectors[1];

    sim_use_fill(f, 2, SECTOR, 0);
    sim_io_fail_at(*state, SIM_IO_SYNC, 0, -EIO, false);
    assert_int_equal(vs_file_fdatasync(f), -EIO);
    assert_int_equal(vs_file_fdatasync(f), 0);
    vs_file_close(f);
    vs_io_free(io);
    sim_io_restore_power(*state, 1);
    sim_use_sectors(*state, "a", sectors, 1);
    assert_int_equal(sectors[0], 2);
}

static void the_nth_call_of_a_kind_fails_once_or_from_then_on(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = sim_use_create(io, "a");
    uint64_t bytes;

    sim_io_fail_at(*state, SIM_IO_WRITE, 1, -EIO, false);
    sim_use_fill(f, 1, SECTOR, 0);
    assert_false(sim_io_fault_fired(*state, SIM_IO_WRITE));
    assert_int_equal(vs_file_pwrite(f, "0123456789", 10, SECTOR), -EIO);
    assert_int_equal(vs_file_size(f, &bytes), 0);
    assert_int_equal(bytes, SECTOR); /* half of ten bytes is no whole sector */
    sim_use_fill(f, 1, SECTOR, SECTOR);

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
    struct vs_file *f = sim_use_create(io, "a");
    uint8_t bytes[4 * SECTOR];
    uint64_t size;

    memset(bytes, 1, sizeof(bytes));
    sim_io_fail_at(*state, SIM_IO_WRITE, 0, -EIO, false);
    assert_int_equal(vs_file_pwrite(f, bytes, sizeof(bytes), 0), -EIO);
    assert_int_equal(vs_file_size(f, &size), 0);
    assert_int_equal(size, 2 * SECTOR);
    assert_int_equal(sim_use_byte_at(f, 2 * SECTOR - 1), 1);
    vs_file_close(f);
    vs_io_free(io);
}

static void a_full_disk_refuses_and_gives_room_again(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = sim_use_create(io, "a");
    struct vs_file *g = sim_use_create(io, "b");
    uint8_t bytes[3 * BLOCK] = { 0 };
    struct vs_io_space space;
    uint64_t size;

    sim_io_set_capacity(*state, 4 * BLOCK);
    assert_int_equal(vs_file_allocate(f, 0, 2 * BLOCK), 0);
    assert_int_equal(vs_file_allocate(g, 0, 3 * BLOCK), -ENOSPC);
    assert_int_equal(vs_file_size(g, &size), 0);
    assert_int_equal(size, 0);
    sim_use_fill(f, 1, 2 * BLOCK, 0); /* reserved: needs nothing more */
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
    struct vs_file *f = sim_use_create(io, "a");

    sim_use_fill(f, 1, BLOCK, 0);
    sim_io_set_punch(*state, false);
    assert_int_equal(vs_file_punch(f, 0, BLOCK), -EOPNOTSUPP);
    assert_int_equal(sim_use_byte_at(f, 0), 1);
    vs_file_close(f);
    vs_io_free(io);
}

static void a_flipped_bit_is_read_and_survives_and_twice_is_none(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = sim_use_create(io, "a");
    uint8_t sectors[1];

    sim_use_fill(f, 0, SECTOR, 0);
    sim_use_fill(f, 0x10, 1, SECTOR);
    assert_int_equal(vs_file_fdatasync(f), 0);
    assert_int_equal(sim_io_flip_bit(*state, "a", SECTOR, 3), 0);
    assert_int_equal(sim_use_byte_at(f, SECTOR), 0x18);
    assert_int_equal(sim_io_flip_bit(*state, "a", SECTOR, 3), 0);
    assert_int_equal(sim_use_byte_at(f, SECTOR), 0x10);
    for (unsigned i = 0; i < SECTOR; i++)
        assert_int_equal(sim_io_flip_bit(*state, "a", i, 7), 0);
    assert_int_equal(sim_io_flip_bit(*state, "a", SECTOR + 1, 0), -EINVAL);
    assert_int_equal(sim_io_flip_bit(*state, "b", 0, 0), -ENOENT);
    vs_file_close(f);
    vs_io_free(io);
    sim_io_restore_power(*state, 1);
    sim_use_sectors(*state, "a", sectors, 1);
    assert_int_equal(sectors[0], 0x80);
}

static void a_killed_program_leaves_the_cache_to_the_next(void **state)
{
    struct vs_io *io = sim_io_boot(*state);
    struct vs_file *f = sim_use_open(io, "a", VS_IO_WRITE | VS_IO_CREATE);
    uint8_t sectors[1];

    sim_use_fill(f, 4, SECTOR, 0);
    vs_file_close(f);
    vs_io_free(io);
    sim_use_sectors(*state, "a", sectors, 1);
    assert_int_equal(sectors[0], 4);
}

#define RECORDS 3

struct workload {
    bool sync_data, sync_name; /* false: the mistake */
    unsigned acknowledged;     /* records 1 .. acknowledged are promised */
};

/* Append records of one sector, each acknowledged once it is durable, until a call fails. */
static void append_records(struct vs_io *io, struct workload *w)
{
    struct vs_file *f = NULL;
    uint8_t record[SECTOR];
    int r;

    w->acknowledged = 0;
    r = vs_io_open(io, "log", VS_IO_WRITE | VS_IO_CREATE, &f);
    if (r == 0 && w->sync_name)
        r = vs_io_sync_dir(io);
    for (unsigned i = 1; i <= RECORDS && r == 0; i++) {
        memset(record, (int)i, sizeof(record));
        r = vs_file_pwrite(f, record, sizeof(record), (i - 1) * sizeof(record));
        if (r == 0 && w->sync_data)
            r = vs_file_fdatasync(f);
        if (r == 0)
            w->acknowledged = i;
    }
    vs_file_close(f);
}

/* Cut the power in every call, with some seeds each; how often something acknowledged was gone. */
static unsigned sweep(struct sim_io *sim, struct workload *w, uint64_t *ret_cuts)
{
    unsigned lost = 0;
    bool fired = true;
    uint64_t cut;

    for (cut = 0; fired; cut++) {
        assert_true(cut < 100);
        for (uint64_t seed = 0; seed < 30; seed++) {
            uint8_t sectors[RECORDS];
            struct vs_io *io;

            sim_io_reset(sim);
            sim_io_cut_after(sim, cut);
            io = sim_io_boot(sim);
            append_records(io, w);
            vs_io_free(io);
            fired = sim_io_was_cut(sim);
            sim_io_restore_power(sim, seed);
            if (!sim_use_exists(sim, "log")) {
                lost += w->acknowledged > 0;
                continue;
            }
            sim_use_sectors(sim, "log", sectors, RECORDS);
            for (unsigned i = 0; i < w->acknowledged; i++)
                lost += sectors[i] != i + 1;
        }
    }
    *ret_cuts = cut - 1;
    return lost;
}

static void a_sweep_clears_a_sound_program_and_convicts_the_others(void **state)
{
    struct workload sound = { true, true, 0 }, no_sync = { false, true, 0 };
    struct workload no_name = { true, false, 0 };
    uint64_t cuts;

    assert_int_equal(sweep(*state, &sound, &cuts), 0);
    assert_int_equal(cuts, 2 + 2 * RECORDS); /* every mutating call was cut once */
    assert_true(sweep(*state, &no_sync, &cuts) > 0);
    assert_true(sweep(*state, &no_name, &cuts) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(buffered_reads_see_unsynced_writes_and_direct_reads_do_not),
        RULE(the_cut_call_fails_and_so_does_everything_after_it),
        RULE(a_failed_sync_loses_its_pages_and_the_next_one_lies),
        RULE(a_failed_sync_without_loss_keeps_the_writes_pending),
        RULE(the_nth_call_of_a_kind_fails_once_or_from_then_on),
        RULE(a_failed_write_leaves_its_first_half),
        RULE(a_full_disk_refuses_and_gives_room_again),
        RULE(a_file_system_may_be_unable_to_punch),
        RULE(a_flipped_bit_is_read_and_survives_and_twice_is_none),
        RULE(a_sweep_clears_a_sound_program_and_convicts_the_others),
        RULE(a_killed_program_leaves_the_cache_to_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
