/* The contract around struct vs_io is asserted before an implementation sees the call. */
#include "common/err.h"
#include "common/file_io.h"
#include "tests/support/aborts.h"
#include "tests/support/sim_io.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct sim_io *sim;
    struct vs_io *io;
    struct vs_file *f, *direct, *readonly;
    uint8_t *block; /* aligned */
    /* arguments of the call that ought to abort */
    const char *name;
    unsigned how;
};

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    x->sim = sim_io_new();
    x->io = sim_io_boot(x->sim);
    x->block = aligned_alloc(VS_IO_BLOCK_BYTES, 2 * VS_IO_BLOCK_BYTES);
    memset(x->block, 1, 2 * VS_IO_BLOCK_BYTES);
    assert_int_equal(vs_io_open(x->io, "a", VS_IO_WRITE | VS_IO_CREATE, &x->f), 0);
    assert_int_equal(vs_io_open(x->io, "a", VS_IO_WRITE | VS_IO_DIRECT, &x->direct), 0);
    assert_int_equal(vs_io_open(x->io, "a", VS_IO_READ, &x->readonly), 0);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    vs_file_close(x->readonly);
    vs_file_close(x->direct);
    vs_file_close(x->f);
    vs_file_close(NULL);
    vs_io_free(x->io);
    vs_io_free(NULL);
    sim_io_free(x->sim);
    free(x->block);
    free(x);
    return 0;
}

static void call_open(void *arg)
{
    struct fixture *x = arg;
    struct vs_file *f;

    vs_io_open(x->io, x->name, x->how, &f);
}

static void call_unlink(void *arg)
{
    struct fixture *x = arg;

    vs_io_unlink(x->io, x->name);
}

static void call_rename_from(void *arg)
{
    struct fixture *x = arg;

    vs_io_rename(x->io, x->name, "b");
}

static void call_rename_to(void *arg)
{
    struct fixture *x = arg;

    vs_io_rename(x->io, "a", x->name);
}

static void a_name_is_one_short_component(void **state)
{
    const char *const bad[] = { "", ".", "..", "a/b", "/a", "a/", NULL };
    char name[VS_IO_NAME_BYTES_MAX + 2];
    struct fixture *x = *state;

    memset(name, 'n', sizeof(name));
    name[VS_IO_NAME_BYTES_MAX + 1] = '\0';
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        x->name = bad[i] != NULL ? bad[i] : name;
        assert_true(test_aborts(call_open, x));
        assert_true(test_aborts(call_unlink, x));
        assert_true(test_aborts(call_rename_from, x));
        assert_true(test_aborts(call_rename_to, x));
    }
    name[VS_IO_NAME_BYTES_MAX] = '\0';
    x->name = name;
    assert_false(test_aborts(call_open, x));
    x->name = "..a";
    assert_false(test_aborts(call_open, x));
}

static void modes_of_open_fit_together(void **state)
{
    struct fixture *x = *state;

    x->name = "b";
    x->how = VS_IO_CREATE; /* without VS_IO_WRITE */
    assert_true(test_aborts(call_open, x));
    x->how = 8;
    assert_true(test_aborts(call_open, x));
}

static void read_unaligned_offset(void *arg)
{
    struct fixture *x = arg;

    vs_file_pread(x->direct, x->block, VS_IO_BLOCK_BYTES, 512);
}

static void read_unaligned_length(void *arg)
{
    struct fixture *x = arg;

    vs_file_pread(x->direct, x->block, 512, 0);
}

static void read_unaligned_memory(void *arg)
{
    struct fixture *x = arg;

    vs_file_pread(x->direct, x->block + 512, VS_IO_BLOCK_BYTES, 0);
}

static void write_unaligned_offset(void *arg)
{
    struct fixture *x = arg;

    vs_file_pwrite(x->direct, x->block, VS_IO_BLOCK_BYTES, 512);
}

static void write_unaligned_piece(void *arg)
{
    struct fixture *x = arg;
    const struct iovec iov[2] = { { x->block, 512 }, { x->block, VS_IO_BLOCK_BYTES - 512 } };

    vs_file_pwritev(x->direct, iov, 2, 0);
}

static void write_unaligned_memory(void *arg)
{
    struct fixture *x = arg;

    vs_file_pwrite(x->direct, x->block + 8, VS_IO_BLOCK_BYTES, 0);
}

static void direct_io_is_aligned_in_every_way(void **state)
{
    struct fixture *x = *state;

    assert_true(test_aborts(read_unaligned_offset, x));
    assert_true(test_aborts(read_unaligned_length, x));
    assert_true(test_aborts(read_unaligned_memory, x));
    assert_true(test_aborts(write_unaligned_offset, x));
    assert_true(test_aborts(write_unaligned_piece, x));
    assert_true(test_aborts(write_unaligned_memory, x));
    assert_int_equal(vs_file_pwrite(x->direct, x->block, VS_IO_BLOCK_BYTES, VS_IO_BLOCK_BYTES), 0);
    assert_int_equal(vs_file_pread(x->direct, x->block, VS_IO_BLOCK_BYTES, VS_IO_BLOCK_BYTES),
                     VS_IO_BLOCK_BYTES);
}

static void write_readonly(void *arg)
{
    struct fixture *x = arg;

    vs_file_pwrite(x->readonly, "x", 1, 0);
}

static void truncate_readonly(void *arg)
{
    struct fixture *x = arg;

    vs_file_truncate(x->readonly, 0);
}

static void allocate_readonly(void *arg)
{
    struct fixture *x = arg;

    vs_file_allocate(x->readonly, 0, 1);
}

static void punch_readonly(void *arg)
{
    struct fixture *x = arg;

    vs_file_punch(x->readonly, 0, 1);
}

static void write_too_many(void *arg)
{
    struct fixture *x = arg;
    static const struct iovec iov[VS_IO_IOV_MAX + 1];

    vs_file_pwritev(x->f, iov, VS_IO_IOV_MAX + 1, 0);
}

static void only_a_file_open_for_writing_is_written(void **state)
{
    assert_true(test_aborts(write_readonly, *state));
    assert_true(test_aborts(truncate_readonly, *state));
    assert_true(test_aborts(allocate_readonly, *state));
    assert_true(test_aborts(punch_readonly, *state));
    assert_true(test_aborts(write_too_many, *state));
}

static void offsets_no_file_can_have_are_refused(void **state)
{
    struct fixture *x = *state;
    uint8_t byte;

    assert_int_equal(vs_file_pread(x->f, &byte, 1, INT64_MAX), -EINVAL);
    assert_int_equal(vs_file_pread(x->f, &byte, 1, UINT64_MAX), -EINVAL);
    assert_int_equal(vs_file_pwrite(x->f, "x", 1, UINT64_MAX), -EINVAL);
    assert_int_equal(vs_file_allocate(x->f, UINT64_MAX, 1), -EINVAL);
    assert_int_equal(vs_file_allocate(x->f, 0, 0), -EINVAL);
    assert_int_equal(vs_file_punch(x->f, 1, UINT64_MAX), -EINVAL);
    assert_int_equal(vs_file_punch(x->f, 0, 0), -EINVAL);
    assert_int_equal(vs_file_truncate(x->f, (uint64_t)INT64_MAX + 1), -EINVAL);
    vs_file_drop_cache(x->f, UINT64_MAX, 1);
}

static void a_full_read_of_a_short_file_is_corrupt(void **state)
{
    struct fixture *x = *state;
    uint8_t bytes[4];

    assert_int_equal(vs_file_pwrite(x->f, "abc", 3, 0), 0);
    assert_int_equal(vs_file_pread_full(x->f, bytes, 3, 0), 0);
    assert_int_equal(vs_file_pread_full(x->f, bytes, 4, 0), -VS_ECORRUPT);
    assert_int_equal(vs_file_pread_full(x->f, bytes, 1, 3), -VS_ECORRUPT);
    assert_int_equal(vs_file_pread_full(x->f, bytes, 0, 9), 0);
    sim_io_fail_at(x->sim, SIM_IO_READ, 0, -EIO, false);
    assert_int_equal(vs_file_pread_full(x->f, bytes, 3, 0), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(a_name_is_one_short_component),        RULE(modes_of_open_fit_together),
        RULE(direct_io_is_aligned_in_every_way),    RULE(only_a_file_open_for_writing_is_written),
        RULE(offsets_no_file_can_have_are_refused), RULE(a_full_read_of_a_short_file_is_corrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
