/* One superblock file, and the table of them: headers in two copies, descriptors within a limit. */
#include "common/assert.h"
#include "common/err.h"
#include "node/sb_files.h"
#include "tests/support/sim_io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct sim_io *sim;
    struct vs_io *io;
    struct sb_files files;
};

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof(*fx));

    VS_ASSERT(fx != NULL);
    fx->sim = sim_io_new();
    fx->io = sim_io_boot(fx->sim);
    sb_files_init(&fx->files, fx->io);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    sb_files_close(&fx->files);
    sb_files_close(&fx->files);
    vs_io_free(fx->io);
    sim_io_free(fx->sim);
    free(fx);
    return 0;
}

static struct sb_super super_of(uint64_t id)
{
    return (struct sb_super){ .sb = id, .salt = id * 17, .run_seq = 1, .prev_sb = id - 1 };
}

static void make(struct fixture *fx, uint64_t id)
{
    struct sb_file *f = calloc(1, sizeof(*f));
    struct sb_super super = super_of(id);
    struct vs_file *fd;

    assert_int_equal(sb_file_create(fx->io, &super, &fd), 0);
    vs_file_close(fd);
    f->id = id;
    assert_int_equal(sb_files_add(&fx->files, f), 0);
}

static void a_header_survives_one_bad_copy(void **state)
{
    struct fixture *fx = *state;
    struct sb_super super = super_of(3), got;
    char name[SB_NAME_BYTES];
    struct vs_file *f;
    unsigned bad;

    sb_name(3, name);
    assert_int_equal(sb_file_create(fx->io, &super, &f), 0);
    assert_int_equal(sb_file_read_super(f, 3, &got, &bad), 0);
    assert_int_equal(bad, 0);
    assert_int_equal(sb_file_read_super(f, 4, &got, &bad), -VS_ECORRUPT); /* not its name */
    for (unsigned copy = 0; copy < 2; copy++) {
        assert_int_equal(sim_io_flip_bit(fx->sim, name, copy * SB_BLOCK_BYTES + 50, 2), 0);
        assert_int_equal(sb_file_read_super(f, 3, &got, &bad), copy == 0 ? 0 : -VS_ECORRUPT);
        assert_int_equal(bad, copy + 1);
    }
    assert_int_equal(sb_file_write_super(f, &super), 0);
    assert_int_equal(sb_file_read_super(f, 3, &got, &bad), 0);
    assert_int_equal(bad, 0);
    assert_memory_equal(&got, &super, sizeof(super));
    vs_file_close(f);
}

static void a_file_is_made_once_and_not_at_all_on_a_full_disk(void **state)
{
    struct fixture *fx = *state;
    struct sb_super super = super_of(1);
    struct vs_file *f;
    uint64_t bytes;

    sim_io_set_capacity(fx->sim, SB_BLOCK_BYTES);
    assert_int_equal(sb_file_create(fx->io, &super, &f), -ENOSPC);
    assert_int_equal(sim_io_file_bytes(fx->sim, "sb-0000000000000001.dat", &bytes), -ENOENT);
    sim_io_set_capacity(fx->sim, SIM_IO_CAPACITY_BYTES_DEFAULT);
    assert_int_equal(sb_file_create(fx->io, &super, &f), 0);
    vs_file_close(f);
    assert_int_equal(sb_file_create(fx->io, &super, &f), -EEXIST);
}

static void files_are_found_by_id_and_in_order(void **state)
{
    struct fixture *fx = *state;
    static const uint64_t ids[] = { 5, 1, 9, 3 };
    struct sb_file *again = calloc(1, sizeof(*again));

    for (unsigned i = 0; i < 4; i++)
        make(fx, ids[i]);
    again->id = 3;
    assert_int_equal(sb_files_add(&fx->files, again), -EEXIST);
    free(again);
    assert_int_equal(sb_files_find(&fx->files, 3)->id, 3);
    assert_null(sb_files_find(&fx->files, 4));
    assert_int_equal(sb_files_after(&fx->files, 0)->id, 1);
    assert_int_equal(sb_files_after(&fx->files, 5)->id, 9);
    assert_null(sb_files_after(&fx->files, 9));
    assert_int_equal(sb_files_next_id(&fx->files, 3), 5);
    assert_int_equal(sb_files_next_id(&fx->files, 9), 0);
}

static unsigned open_files(const struct sb_files *t)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < t->count; i++)
        n += t->v[i]->fd != NULL;
    return n;
}

static void open_descriptors_stay_within_the_limit_beside_those_in_use(void **state)
{
    enum { FILES = SB_FILES_OPEN_MAX + 20 };
    struct fixture *fx = *state;
    struct sb_file *pinned[10], *f;

    for (uint64_t id = 1; id <= FILES; id++)
        make(fx, id);
    for (uint64_t id = 1; id <= 10; id++)
        assert_int_equal(sb_files_pin(&fx->files, id, &pinned[id - 1]), 0);
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t id = 1; id <= FILES; id++) {
            assert_int_equal(sb_files_pin(&fx->files, id, &f), 0);
            assert_int_equal(f->id, id);
            assert_non_null(f->fd);
            sb_files_unpin(&fx->files, f);
            assert_true(open_files(&fx->files) <= SB_FILES_OPEN_MAX + 10);
        }
    }
    for (unsigned i = 0; i < 10; i++) {
        assert_non_null(pinned[i]->fd);
        sb_files_unpin(&fx->files, pinned[i]);
    }
    assert_int_equal(open_files(&fx->files), SB_FILES_OPEN_MAX);
}

static void a_file_in_use_is_not_removed_and_a_missing_one_not_found(void **state)
{
    struct fixture *fx = *state;
    struct sb_file *f;

    make(fx, 1);
    make(fx, 2);
    assert_int_equal(sb_files_pin(&fx->files, 1, &f), 0);
    sb_files_pin_again(&fx->files, f);
    assert_false(sb_files_remove(&fx->files, 1));
    sb_files_unpin(&fx->files, f);
    assert_false(sb_files_remove(&fx->files, 1));
    sb_files_unpin(&fx->files, f);
    assert_true(sb_files_remove(&fx->files, 1));
    assert_int_equal(sb_files_pin(&fx->files, 1, &f), -ENOENT);
    assert_int_equal(vs_io_unlink(fx->io, "sb-0000000000000002.dat"), 0);
    assert_int_equal(sb_files_pin(&fx->files, 2, &f), -ENOENT);
}

#define RULE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_header_survives_one_bad_copy),
        RULE(a_file_is_made_once_and_not_at_all_on_a_full_disk),
        RULE(files_are_found_by_id_and_in_order),
        RULE(open_descriptors_stay_within_the_limit_beside_those_in_use),
        RULE(a_file_in_use_is_not_removed_and_a_missing_one_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
