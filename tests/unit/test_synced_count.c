/* The count of synced batches beside acceptor/. */
#include "common/err.h"
#include "meta/synced_count.h"
#include "tests/support/temp_dir.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[TEMP_DIR_BYTES];
    struct vs_io *io;
    struct vs_id cluster;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    temp_dir_make(f->dir);
    assert_int_equal(vs_io_posix_new(&f->io, f->dir), 0);
    memset(f->cluster.b, 7, sizeof(f->cluster.b));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    vs_io_free(f->io);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

static uint64_t reopened(struct fixture *f)
{
    struct synced_count s;
    uint64_t recorded;

    assert_int_equal(synced_count_open(&s, f->io, &f->cluster), 0);
    recorded = s.recorded;
    synced_count_close(&s);
    synced_count_close(&s);
    return recorded;
}

static void damage(struct fixture *f, unsigned slot, size_t at)
{
    char path[TEMP_DIR_BYTES + 32];
    uint8_t byte;
    int fd;

    snprintf(path, sizeof(path), "%s/" SYNCED_COUNT_NAME, f->dir);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, slot * 4096 + (off_t)at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, slot * 4096 + (off_t)at), 1);
    close(fd);
}

static void the_newest_count_comes_back(void **state)
{
    struct fixture *f = *state;
    struct synced_count s;

    assert_int_equal(reopened(f), 0);
    assert_int_equal(synced_count_open(&s, f->io, &f->cluster), 0);
    for (uint64_t count = 1; count <= 5; count++) {
        assert_int_equal(synced_count_record(&s, count), 0);
        assert_int_equal(reopened(f), count);
    }
    synced_count_close(&s);
}

/* A torn write of the newest slot leaves the count before it; both gone leave nothing. */
static void a_damaged_slot_leaves_the_older_one(void **state)
{
    struct fixture *f = *state;
    struct synced_count s;

    assert_int_equal(synced_count_open(&s, f->io, &f->cluster), 0);
    for (uint64_t count = 10; count <= 12; count++)
        assert_int_equal(synced_count_record(&s, count), 0);
    synced_count_close(&s); /* slot 0 holds 12, slot 1 holds 11 */
    damage(f, 0, 25);
    assert_int_equal(reopened(f), 11);
    damage(f, 1, 3);
    assert_int_equal(reopened(f), 0);
    damage(f, 0, 25);
    assert_int_equal(reopened(f), 12);
}

static void after_a_reopen_the_newest_slot_is_not_written_over(void **state)
{
    struct fixture *f = *state;
    struct synced_count s;

    assert_int_equal(synced_count_open(&s, f->io, &f->cluster), 0);
    assert_int_equal(synced_count_record(&s, 10), 0);
    synced_count_close(&s);
    assert_int_equal(synced_count_open(&s, f->io, &f->cluster), 0);
    assert_int_equal(synced_count_record(&s, 11), 0);
    synced_count_close(&s);
    damage(f, 1, 25);
    assert_int_equal(reopened(f), 10);
}

static void a_file_of_another_cluster_is_refused(void **state)
{
    struct fixture *f = *state;
    struct synced_count s;

    assert_int_equal(synced_count_open(&s, f->io, &f->cluster), 0);
    assert_int_equal(synced_count_record(&s, 10), 0);
    synced_count_close(&s);
    f->cluster.b[0]++;
    assert_int_equal(synced_count_open(&s, f->io, &f->cluster), -VS_EFORGOT);
    assert_null(s.file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_count_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_slot_leaves_the_older_one, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_reopen_the_newest_slot_is_not_written_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_of_another_cluster_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests_name("synced_count", tests, NULL, NULL);
}
