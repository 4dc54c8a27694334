/* Places below the data directory. */
#include "fs/data_path.h"
#include "tests/support/temp_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[TEMP_DIR_BYTES];

static int set_up(void **state)
{
    (void)state;
    temp_dir_make(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static void names_are_below_the_data_directory(void **state)
{
    struct vsfs fs = { .opt.data_dir = "/data" };
    char path[DATA_PATH_BYTES];

    (void)state;
    data_path(&fs, "meta/acceptor", path);
    assert_string_equal(path, "/data/meta/acceptor");
}

static void all_folders_above_are_made_and_the_last_is_private(void **state)
{
    char path[DATA_PATH_BYTES];
    struct stat st;

    (void)state;
    snprintf(path, sizeof(path), "%s/a/b/c", dir);
    umask(022);
    assert_int_equal(data_path_make(path), 0);
    assert_int_equal(data_path_make(path), 0); /* is there */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    snprintf(path, sizeof(path), "%s/a/b", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
}

static void what_cannot_be_made_is_an_error(void **state)
{
    char path[2 * DATA_PATH_BYTES];
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "%s/file", dir);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    strncat(path, "/below", sizeof(path) - strlen(path) - 1);
    assert_int_equal(data_path_make(path), -ENOTDIR);
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(data_path_make(path), -ENAMETOOLONG);
}

static void a_file_is_no_folder_and_a_dangling_link_is_there(void **state)
{
    struct vsfs fs = { .opt.data_dir = dir };
    char path[DATA_PATH_BYTES];
    int fd;

    (void)state;
    assert_false(data_path_exists(&fs, "x"));
    assert_int_equal(data_path_open_dir(&fs, "x"), -ENOENT);
    data_path(&fs, "x", path);
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_true(data_path_exists(&fs, "x"));
    assert_int_equal(data_path_open_dir(&fs, "x"), -ENOENT);
    fd = data_path_open_dir(&fs, ".");
    assert_true(fd >= 0);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_below_the_data_directory),
        TEST(all_folders_above_are_made_and_the_last_is_private),
        TEST(what_cannot_be_made_is_an_error),
        TEST(a_file_is_no_folder_and_a_dangling_link_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
