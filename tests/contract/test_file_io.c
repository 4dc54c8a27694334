/* What every struct vs_io promises, run against the real file system and the simulated disk. */
#include "common/err.h"
#include "common/file_io.h"
#include "tests/support/sim_io.h"
#include "tests/support/temp_dir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK VS_IO_BLOCK_BYTES

struct fixture {
    struct vs_io *io;
    struct sim_io *sim; /* or NULL and: */
    char path[TEMP_DIR_BYTES];
};

static int set_up_sim(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof(*x));

    x->sim = sim_io_new();
    x->io = sim_io_boot(x->sim);
    return 0;
}

static int set_up_posix(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof(*x));

    temp_dir_make(x->path);
    return vs_io_posix_new(&x->io, x->path);
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    vs_io_free(x->io);
    if (x->sim == NULL)
        temp_dir_remove(x->path);
    sim_io_free(x->sim);
    free(x);
    return 0;
}

static struct vs_file *create(struct fixture *x, const char *name)
{
    struct vs_file *f = NULL;

    assert_int_equal(vs_io_open(x->io, name, VS_IO_WRITE | VS_IO_CREATE, &f), 0);
    return f;
}

static void assert_size(struct vs_file *f, uint64_t want)
{
    uint64_t bytes = 0;

    assert_int_equal(vs_file_size(f, &bytes), 0);
    assert_int_equal(bytes, want);
}

static void bytes_written_are_read(void **state)
{
    struct vs_file *f = create(*state, "a"), *again;
    struct fixture *x = *state;
    char bytes[8] = "zzzzzzz";

    assert_int_equal(vs_file_pwrite(f, "hello", 5, 3), 0);
    assert_size(f, 8);
    assert_int_equal(vs_file_pread(f, bytes, 8, 0), 8);
    assert_memory_equal(bytes, "\0\0\0hello", 8);
    assert_int_equal(vs_file_fdatasync(f), 0);
    assert_int_equal(vs_io_sync_dir(x->io), 0);

    assert_int_equal(vs_io_open(x->io, "a", VS_IO_READ, &again), 0);
    assert_int_equal(vs_file_pread(again, bytes, 8, 5), 3); /* short only at the end */
    assert_memory_equal(bytes, "llo", 3);
    assert_int_equal(vs_file_pread(again, bytes, 8, 8), 0);
    assert_int_equal(vs_file_pread(again, bytes, 8, 1000), 0);
    assert_int_equal(vs_file_pread(again, bytes, 0, 0), 0);
    vs_file_close(again);
    vs_file_close(f);
}

static void pieces_are_written_in_a_row(void **state)
{
    struct vs_file *f = create(*state, "a");
    char bytes[VS_IO_IOV_MAX], back[VS_IO_IOV_MAX];
    struct iovec iov[VS_IO_IOV_MAX];

    for (int i = 0; i < VS_IO_IOV_MAX; i++) {
        bytes[i] = (char)('0' + i);
        iov[i] = (struct iovec){ &bytes[i], i % 4 != 0 }; /* some are empty, the first too */
    }
    assert_int_equal(vs_file_pwritev(f, iov, VS_IO_IOV_MAX, 0), 0);
    assert_size(f, 48);
    assert_int_equal(vs_file_pread(f, back, sizeof(back), 0), 48);
    for (int i = 0, at = 0; i < VS_IO_IOV_MAX; i++)
        if (i % 4 != 0)
            assert_int_equal(back[at++], bytes[i]);
    assert_int_equal(vs_file_pwritev(f, iov, 0, 5), 0);
    assert_int_equal(vs_file_pwrite(f, NULL, 0, 5), 0);
    assert_size(f, 48);
    vs_file_close(f);
}

static void create_is_exclusive_and_open_needs_a_file(void **state)
{
    struct vs_file *f = create(*state, "a"), *other = NULL;
    struct fixture *x = *state;

    assert_int_equal(vs_io_open(x->io, "a", VS_IO_WRITE | VS_IO_CREATE, &other), -EEXIST);
    assert_int_equal(vs_io_open(x->io, "b", VS_IO_READ, &other), -ENOENT);
    assert_int_equal(vs_io_open(x->io, "b", VS_IO_WRITE, &other), -ENOENT);
    assert_null(other);
    vs_file_close(f);
}

static void truncate_cuts_and_grows_with_zeros(void **state)
{
    struct vs_file *f = create(*state, "a");
    char bytes[6];

    assert_int_equal(vs_file_pwrite(f, "abcdef", 6, 0), 0);
    assert_int_equal(vs_file_truncate(f, 3), 0);
    assert_size(f, 3);
    assert_int_equal(vs_file_truncate(f, 6), 0);
    assert_int_equal(vs_file_pread(f, bytes, 6, 0), 6);
    assert_memory_equal(bytes, "abc\0\0\0", 6);
    vs_file_close(f);
}

static void allocate_grows_with_zeros_and_takes_blocks(void **state)
{
    struct vs_file *f = create(*state, "a");
    uint64_t allocated = 0;
    char bytes[4];

    assert_int_equal(vs_file_pwrite(f, "abc", 3, 0), 0);
    assert_int_equal(vs_file_allocate(f, 0, 16 * BLOCK), 0);
    assert_size(f, 16 * BLOCK);
    assert_int_equal(vs_file_allocated(f, &allocated), 0);
    assert_true(allocated >= 16 * BLOCK && allocated < 64 * BLOCK);
    assert_int_equal(vs_file_pread(f, bytes, 4, 0), 4);
    assert_memory_equal(bytes, "abc\0", 4);
    assert_int_equal(vs_file_allocate(f, 0, BLOCK), 0);
    assert_size(f, 16 * BLOCK); /* never shrinks */
    vs_file_close(f);
}

static void punch_gives_blocks_back_and_reads_as_zeros(void **state)
{
    struct vs_file *f = create(*state, "a");
    uint8_t *bytes = malloc(32 * BLOCK);
    uint64_t before = 0, after = 0;

    memset(bytes, 7, 32 * BLOCK);
    assert_int_equal(vs_file_pwrite(f, bytes, 32 * BLOCK, 0), 0);
    assert_int_equal(vs_file_fdatasync(f), 0);
    assert_int_equal(vs_file_allocated(f, &before), 0);
    assert_int_equal(vs_file_punch(f, BLOCK + 1, 16 * BLOCK), 0); /* 15 whole ones inside */
    assert_int_equal(vs_file_fdatasync(f), 0);
    assert_int_equal(vs_file_allocated(f, &after), 0);
    assert_int_equal(before - after, 15 * BLOCK);
    assert_size(f, 32 * BLOCK);
    assert_int_equal(vs_file_pread_full(f, bytes, 32 * BLOCK, 0), 0);
    for (size_t i = 0; i < 32 * BLOCK; i++)
        if (bytes[i] != (i > BLOCK && i <= 17 * BLOCK ? 0 : 7))
            fail_msg("byte %zu is %u", i, bytes[i]);

    assert_int_equal(vs_file_punch(f, 31 * BLOCK, 9 * BLOCK), 0); /* over the end */
    assert_size(f, 32 * BLOCK);
    free(bytes);
    vs_file_close(f);
}

static void direct_reads_see_what_was_synced(void **state)
{
    struct vs_file *f = create(*state, "a"), *direct;
    uint8_t *bytes = aligned_alloc(BLOCK, 3 * BLOCK);
    struct fixture *x = *state;

    memset(bytes, 7, 3 * BLOCK);
    assert_int_equal(vs_file_pwrite(f, bytes, 2 * BLOCK + 100, 0), 0);
    assert_int_equal(vs_file_fdatasync(f), 0);
    assert_int_equal(vs_io_open(x->io, "a", VS_IO_DIRECT, &direct), 0);
    memset(bytes, 0, 3 * BLOCK);
    assert_int_equal(vs_file_pread(direct, bytes, 3 * BLOCK, 0), 2 * BLOCK + 100);
    assert_int_equal(bytes[0], 7);
    assert_int_equal(bytes[2 * BLOCK + 99], 7);
    assert_int_equal(vs_file_pread(direct, bytes, BLOCK, 3 * BLOCK), 0);
    vs_file_close(direct);
    free(bytes);
    vs_file_close(f);
}

static void direct_writes_are_read(void **state)
{
    struct vs_file *f = create(*state, "a"), *direct;
    uint8_t *bytes = aligned_alloc(BLOCK, 2 * BLOCK);
    struct fixture *x = *state;

    assert_int_equal(vs_io_open(x->io, "a", VS_IO_WRITE | VS_IO_DIRECT, &direct), 0);
    memset(bytes, 9, 2 * BLOCK);
    assert_int_equal(vs_file_pwrite(direct, bytes, 2 * BLOCK, BLOCK), 0);
    memset(bytes, 0, 2 * BLOCK);
    assert_int_equal(vs_file_pread(direct, bytes, 2 * BLOCK, BLOCK), 2 * BLOCK);
    assert_int_equal(bytes[2 * BLOCK - 1], 9);
    assert_int_equal(vs_file_pread(f, bytes, 2 * BLOCK, 0), 2 * BLOCK);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[BLOCK], 9);
    vs_file_close(direct);
    free(bytes);
    vs_file_close(f);
}

static void an_unlinked_file_lives_while_open_and_says_so(void **state)
{
    struct vs_file *f = create(*state, "a"), *other = NULL;
    struct fixture *x = *state;
    char byte;

    assert_int_equal(vs_file_pwrite(f, "x", 1, 0), 0);
    assert_int_equal(vs_file_linked(f), 1);
    assert_int_equal(vs_io_unlink(x->io, "a"), 0);
    assert_int_equal(vs_file_linked(f), 0);
    assert_int_equal(vs_file_pread(f, &byte, 1, 0), 1);
    assert_int_equal(vs_io_open(x->io, "a", VS_IO_READ, &other), -ENOENT);
    assert_int_equal(vs_io_unlink(x->io, "a"), -ENOENT);
    vs_file_close(f);
}

static void a_rename_replaces_and_keeps_open_files_apart(void **state)
{
    struct vs_file *a = create(*state, "a"), *b = create(*state, "b"), *now;
    struct fixture *x = *state;
    char byte = 0;

    assert_int_equal(vs_file_pwrite(a, "a", 1, 0), 0);
    assert_int_equal(vs_file_pwrite(b, "b", 1, 0), 0);
    assert_int_equal(vs_io_rename(x->io, "a", "b"), 0);
    assert_int_equal(vs_io_open(x->io, "a", VS_IO_READ, &now), -ENOENT);
    assert_int_equal(vs_io_open(x->io, "b", VS_IO_READ, &now), 0);
    assert_int_equal(vs_file_pread(now, &byte, 1, 0), 1);
    assert_int_equal(byte, 'a');
    assert_int_equal(vs_file_pread(b, &byte, 1, 0), 1);
    assert_int_equal(byte, 'b');
    assert_int_equal(vs_file_linked(a), 1);
    assert_int_equal(vs_file_linked(b), 0);
    assert_int_equal(vs_io_rename(x->io, "nobody", "b"), -ENOENT);
    vs_file_close(now);
    vs_file_close(b);
    vs_file_close(a);
}

static int count_files(void *arg, const char *name, uint64_t file_bytes)
{
    uint64_t *seen = arg;

    *seen += file_bytes * 1000 + (strlen(name) == 5 && strncmp(name, "file", 4) == 0);
    return 0;
}

static int stop_at_third(void *arg, const char *name, uint64_t file_bytes)
{
    unsigned *count = arg;

    (void)name;
    (void)file_bytes;
    return ++*count == 3 ? -EXDEV : 0;
}

struct unlinker {
    struct vs_io *io;
    unsigned count;
};

static int unlink_each(void *arg, const char *name, uint64_t file_bytes)
{
    struct unlinker *u = arg;

    (void)file_bytes;
    u->count++;
    return vs_io_unlink(u->io, name);
}

static void list_gives_each_file_once_until_told_to_stop(void **state)
{
    struct fixture *x = *state;
    struct unlinker unlinker = { x->io, 0 };
    unsigned count = 0;
    uint64_t seen = 0;

    assert_int_equal(vs_io_list(x->io, count_files, &seen), 0);
    assert_int_equal(seen, 0);
    for (unsigned i = 0; i < 9; i++) {
        char name[8];
        struct vs_file *f;

        snprintf(name, sizeof(name), "file%u", i);
        f = create(x, name);
        assert_int_equal(vs_file_truncate(f, i), 0);
        vs_file_close(f);
    }
    assert_int_equal(vs_io_list(x->io, count_files, &seen), 0);
    assert_int_equal(seen, 36 * 1000 + 9);
    assert_int_equal(vs_io_list(x->io, stop_at_third, &count), -EXDEV);
    assert_int_equal(count, 3);
    assert_int_equal(vs_io_list(x->io, unlink_each, &unlinker), 0);
    assert_int_equal(unlinker.count, 9);
    seen = 0;
    assert_int_equal(vs_io_list(x->io, count_files, &seen), 0);
    assert_int_equal(seen, 0);
}

static void space_is_plausible(void **state)
{
    struct fixture *x = *state;
    struct vs_io_space space = { 0 };

    assert_int_equal(vs_io_space(x->io, &space), 0);
    assert_true(space.total_bytes > 0 && space.free_bytes <= space.total_bytes);
    assert_true(space.device != 0);
}

static void dropping_the_cache_changes_nothing(void **state)
{
    struct vs_file *f = create(*state, "a");
    char bytes[4];

    assert_int_equal(vs_file_pwrite(f, "abcd", 4, 0), 0);
    vs_file_drop_cache(f, 0, 4); /* dirty */
    assert_int_equal(vs_file_fdatasync(f), 0);
    vs_file_drop_cache(f, 0, 1 << 20); /* clean, and more than there is */
    assert_int_equal(vs_file_pread(f, bytes, 4, 0), 4);
    assert_memory_equal(bytes, "abcd", 4);
    vs_file_close(f);
}

int main(void)
{
#define RULE(name, up) cmocka_unit_test_setup_teardown(name, up, tear_down)
#define RULES(up)                                                                                  \
    RULE(bytes_written_are_read, up), RULE(pieces_are_written_in_a_row, up),                       \
        RULE(create_is_exclusive_and_open_needs_a_file, up),                                       \
        RULE(truncate_cuts_and_grows_with_zeros, up),                                              \
        RULE(allocate_grows_with_zeros_and_takes_blocks, up),                                      \
        RULE(punch_gives_blocks_back_and_reads_as_zeros, up),                                      \
        RULE(direct_reads_see_what_was_synced, up), RULE(direct_writes_are_read, up),              \
        RULE(an_unlinked_file_lives_while_open_and_says_so, up),                                   \
        RULE(a_rename_replaces_and_keeps_open_files_apart, up),                                    \
        RULE(list_gives_each_file_once_until_told_to_stop, up), RULE(space_is_plausible, up),      \
        RULE(dropping_the_cache_changes_nothing, up)
    const struct CMUnitTest sim[] = { RULES(set_up_sim) };
    const struct CMUnitTest posix[] = { RULES(set_up_posix) };
    int failed = 0;

    failed += cmocka_run_group_tests_name("simulated disk", sim, NULL, NULL);
    failed += cmocka_run_group_tests_name("posix", posix, NULL, NULL);
    return failed;
}
