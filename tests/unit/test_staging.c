/* Rules of fs/staging: what is staged reads back, is counted, is bounded, and leaves no trace. */
#include "fs/staging.h"
#include "tests/support/temp_dir.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[TEMP_DIR_BYTES];
    struct vsfs fs;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    temp_dir_make(f->dir);
    f->fs.staging_fd = open(f->dir, O_RDONLY | O_DIRECTORY);
    assert_true(f->fs.staging_fd >= 0);
    f->fs.opt.staging_bytes_max = 1u << 20;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    close(f->fs.staging_fd);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

static unsigned names_in(const char *dir)
{
    struct dirent *e;
    unsigned n = 0;
    DIR *d = opendir(dir);

    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void what_is_staged_reads_back_wherever_it_lies(void **state)
{
    struct fixture *f = *state;
    const uint64_t far = UINT64_C(1) << 40;
    struct staging *s;
    char got[8];

    assert_int_equal(staging_new(&s, &f->fs), 0);
    assert_int_equal(staging_write(s, far, "abcdefgh", 8, 8), 0);
    assert_int_equal(staging_write(s, far + 2, "XY", 2, 0), 0);
    assert_int_equal(staging_read(s, far, got, 8), 0);
    assert_memory_equal(got, "abXYefgh", 8);
    assert_int_equal(f->fs.staging_used, 8);
    staging_put(s);
}

static void a_staging_file_has_no_name_and_gives_its_space_back(void **state)
{
    struct fixture *f = *state;
    struct staging *s;

    assert_int_equal(staging_new(&s, &f->fs), 0);
    assert_int_equal(staging_write(s, 0, "abc", 3, 3), 0);
    assert_int_equal(names_in(f->dir), 0);
    staging_put(staging_ref(s));
    assert_int_equal(f->fs.staging_used, 3);
    staging_put(s);
    assert_int_equal(f->fs.staging_used, 0);
    staging_put(NULL);
}

static void all_files_together_stay_below_the_limit(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[600u << 10];
    struct staging *a, *b;

    assert_int_equal(staging_new(&a, &f->fs), 0);
    assert_int_equal(staging_new(&b, &f->fs), 0);
    assert_int_equal(staging_write(a, 0, bytes, sizeof(bytes), sizeof(bytes)), 0);
    assert_int_equal(staging_write(b, 0, bytes, sizeof(bytes), sizeof(bytes)), -ENOSPC);
    assert_int_equal(f->fs.staging_used, sizeof(bytes));
    staging_punch(a, 0, sizeof(bytes), sizeof(bytes));
    assert_int_equal(staging_write(b, 0, bytes, sizeof(bytes), sizeof(bytes)), 0);
    staging_put(a);
    staging_put(b);
    assert_int_equal(f->fs.staging_used, 0);
}

static void punched_bytes_read_as_zeros(void **state)
{
    struct fixture *f = *state;
    struct staging *s;
    uint8_t bytes[16384], zeros[8192] = { 0 }, got[16384];

    memset(bytes, 7, sizeof(bytes));
    assert_int_equal(staging_new(&s, &f->fs), 0);
    assert_int_equal(staging_write(s, 0, bytes, sizeof(bytes), sizeof(bytes)), 0);
    staging_punch(s, 4096, 12288, 8192);
    assert_int_equal(staging_read(s, 0, got, sizeof(got)), 0);
    assert_memory_equal(got + 4096, zeros, 8192);
    assert_memory_equal(got, bytes, 4096);
    assert_int_equal(f->fs.staging_used, 8192);
    staging_put(s);
}

static void reading_what_was_never_staged_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct staging *s;
    char got[4];

    assert_int_equal(staging_new(&s, &f->fs), 0);
    assert_int_equal(staging_read(s, 100, got, 4), -EIO);
    staging_put(s);
}

static void a_start_removes_leftovers_only_and_sets_a_limit(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    for (int n = 0; n < 3; n++) {
        const char *names[] = { "stage-0011223344556677", "stage-ffeeddccbbaa9988", "README" };
        int fd = openat(f->fs.staging_fd, names[n], O_CREAT | O_WRONLY, 0600);

        assert_true(fd >= 0);
        close(fd);
    }
    f->fs.opt.staging_bytes_max = 0;
    assert_int_equal(staging_clean(&f->fs), 0);
    assert_int_equal(names_in(f->dir), 1);
    assert_int_equal(fstatat(f->fs.staging_fd, "README", &st, 0), 0);
    assert_true(f->fs.opt.staging_bytes_max > 0);
}

static void a_limit_that_was_given_stays(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(staging_clean(&f->fs), 0);
    assert_int_equal(f->fs.opt.staging_bytes_max, 1u << 20);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_staged_reads_back_wherever_it_lies),
        T(a_staging_file_has_no_name_and_gives_its_space_back),
        T(all_files_together_stay_below_the_limit),
        T(punched_bytes_read_as_zeros),
        T(reading_what_was_never_staged_is_an_error),
        T(a_start_removes_leftovers_only_and_sets_a_limit),
        T(a_limit_that_was_given_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
