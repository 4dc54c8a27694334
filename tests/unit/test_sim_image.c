/* The simulated disk does to bytes and sizes what a real file system does. */
#include "common/rand.h"
#include "tests/support/sim_use.h"
#include "tests/support/temp_dir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_BYTES_MAX (12 * VS_IO_BLOCK_BYTES)
#define CHANGES        400

struct change {
    unsigned kind;
    uint64_t offset, len;
    uint8_t byte;
};

static struct change random_change(struct vs_rand *rand)
{
    struct change c = {
        .kind = (unsigned)vs_rand_below(rand, 5),
        .offset = vs_rand_below(rand, FILE_BYTES_MAX),
        .byte = (uint8_t)vs_rand_u64(rand),
    };

    if (vs_rand_below(rand, 3) == 0) /* edges of blocks are where mistakes are */
        c.offset -= c.offset % VS_IO_BLOCK_BYTES;
    c.len = 1 + vs_rand_below(rand, FILE_BYTES_MAX - c.offset);
    if (vs_rand_below(rand, 3) == 0 && c.len > VS_IO_BLOCK_BYTES)
        c.len -= c.len % VS_IO_BLOCK_BYTES;
    return c;
}

static int apply(struct vs_file *f, const struct change *c)
{
    switch (c->kind) {
    case 0:
        return vs_file_truncate(f, c->offset);
    case 1:
        return vs_file_allocate(f, c->offset, c->len);
    case 2:
        return vs_file_punch(f, c->offset, c->len);
    default:
        sim_use_fill(f, c->byte, c->len, c->offset);
        return 0;
    }
}

static void assert_same(struct vs_file *a, struct vs_file *b)
{
    static uint8_t bytes_a[FILE_BYTES_MAX], bytes_b[FILE_BYTES_MAX];
    uint64_t size_a = 0, size_b = 0;

    assert_int_equal(vs_file_size(a, &size_a), 0);
    assert_int_equal(vs_file_size(b, &size_b), 0);
    assert_int_equal(size_a, size_b);
    assert_int_equal(vs_file_pread_full(a, bytes_a, size_a, 0), 0);
    assert_int_equal(vs_file_pread_full(b, bytes_b, size_b, 0), 0);
    assert_memory_equal(bytes_a, bytes_b, size_a);
}

/* Sync, cut the power, and find everything as it was: bytes, size, blocks. */
static void assert_synced_survives(struct sim_io *sim, struct vs_io **io, struct vs_file **f,
                                   uint64_t seed)
{
    static uint8_t before[FILE_BYTES_MAX], after[FILE_BYTES_MAX];
    uint64_t size = 0, allocated = 0, allocated_after = 0;

    assert_int_equal(vs_file_fdatasync(*f), 0);
    assert_int_equal(vs_file_size(*f, &size), 0);
    assert_int_equal(vs_file_allocated(*f, &allocated), 0);
    assert_int_equal(vs_file_pread_full(*f, before, size, 0), 0);
    vs_file_close(*f);
    vs_io_free(*io);
    sim_io_restore_power(sim, seed);
    *io = sim_io_boot(sim);
    *f = sim_use_open(*io, "f", VS_IO_READ);
    assert_int_equal(vs_file_pread(*f, after, sizeof(after), 0), size);
    assert_memory_equal(before, after, size);
    assert_int_equal(vs_file_allocated(*f, &allocated_after), 0);
    assert_int_equal(allocated, allocated_after);
}

static void random_changes_give_the_bytes_of_a_real_file_system(void **state)
{
    char path[TEMP_DIR_BYTES];
    struct sim_io *sim = sim_io_new();
    struct vs_io *io = sim_io_boot(sim), *real_io;
    struct vs_rand rand;

    (void)state;
    temp_dir_make(path);
    assert_int_equal(vs_io_posix_new(&real_io, path), 0);
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct vs_file *f = sim_use_open(io, "f", VS_IO_WRITE | VS_IO_CREATE);
        struct vs_file *real = sim_use_open(real_io, "f", VS_IO_WRITE | VS_IO_CREATE);

        vs_rand_init(&rand, seed);
        for (unsigned i = 0; i < CHANGES; i++) {
            struct change c = random_change(&rand);

            assert_int_equal(apply(f, &c), apply(real, &c));
            assert_same(f, real);
            if (vs_rand_below(&rand, 8) == 0)
                assert_int_equal(vs_file_fdatasync(f), 0);
        }
        vs_file_close(real);
        assert_int_equal(vs_io_unlink(real_io, "f"), 0);

        assert_int_equal(vs_io_sync_dir(io), 0);
        assert_synced_survives(sim, &io, &f, seed);
        vs_file_close(f);
        assert_int_equal(vs_io_unlink(io, "f"), 0);
        assert_int_equal(vs_io_sync_dir(io), 0);
    }
    vs_io_free(real_io);
    temp_dir_remove(path);
    vs_io_free(io);
    sim_io_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_give_the_bytes_of_a_real_file_system),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
