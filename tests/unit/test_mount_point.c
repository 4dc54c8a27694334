/* Where a mount may go. Mounts themselves are tests/e2e/'s. */
#include "fs/mount_point.h"
#include "tests/support/temp_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[TEMP_DIR_BYTES];

static int set_up(void **state)
{
    char real[MOUNT_POINT_PATH_BYTES];

    (void)state;
    temp_dir_make(dir);
    assert_non_null(realpath(dir, real));
    snprintf(dir, sizeof(dir), "%.60s", real);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(chdir("/"), 0);
    temp_dir_remove(dir);
    return 0;
}

static const char *below(const char *name)
{
    static char path[4][MOUNT_POINT_PATH_BYTES];
    static unsigned turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
    return path[turn];
}

static void check_refused(const char *path, int error, const char *words)
{
    char why[512] = "";

    assert_int_equal(mount_point_prepare(path, why), error);
    if (strstr(why, words) == NULL || strstr(why, path) == NULL)
        fail_msg("no \"%s\" in: %s", words, why);
}

static void an_empty_folder_is_ready(void **state)
{
    char why[512] = "";

    (void)state;
    assert_int_equal(mkdir(below("mnt"), 0700), 0);
    assert_int_equal(mount_point_prepare(below("mnt"), why), 0);
    assert_string_equal(why, "");
}

static void what_is_no_empty_folder_is_refused(void **state)
{
    int fd;

    (void)state;
    check_refused(below("nothing"), -ENOENT, "make it with mkdir");
    assert_int_equal(mkdir(below("full"), 0700), 0);
    fd = open(below("full/.hidden"), O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    check_refused(below("full"), -ENOTEMPTY, "choose an empty folder");
    check_refused(below("full/.hidden"), -ENOTDIR, "cannot mount on");
}

static int count(void *arg, const char *path)
{
    assert_int_equal(path[0], '/');
    ++*(unsigned *)arg;
    return 0;
}

static int stop(void *arg, const char *path)
{
    (void)path;
    ++*(unsigned *)arg;
    return 7;
}

/* Whatever is mounted on this machine, the list can be read, and these are none of ours. */
static void mounts_of_others_are_not_ours(void **state)
{
    unsigned n = 0, once = 0;
    int r;

    (void)state;
    assert_int_equal(mount_point_each(count, &n), 0);
    r = mount_point_each(stop, &once);
    assert_int_equal(r, once > 0 ? 7 : 0);
    assert_true(once <= 1); /* the first one ends it */
    assert_false(mount_point_is_ours("/"));
    assert_false(mount_point_is_ours("/proc"));
    assert_false(mount_point_is_ours(dir));
}

static void check_resolved(const char *path, const char *want)
{
    char got[MOUNT_POINT_PATH_BYTES];

    mount_point_resolve(path, got);
    assert_string_equal(got, want);
}

static void paths_are_resolved_as_the_kernel_writes_them(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below("mnt"), 0700), 0);
    assert_int_equal(symlink("mnt", below("link")), 0);
    check_resolved(below("mnt"), below("mnt"));
    check_resolved(below("mnt/"), below("mnt"));
    check_resolved(below("./mnt/../mnt//"), below("mnt"));
    check_resolved(below("link"), below("mnt"));
    assert_int_equal(chdir(dir), 0);
    check_resolved("mnt", below("mnt"));
    check_resolved("./mnt/", below("mnt"));
    check_resolved(".", dir);
}

/* Of a dead mount only the folder above can be looked at; a name that is not there is the same. */
static void a_path_that_cannot_be_looked_at_is_resolved_all_the_same(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below("sub"), 0700), 0);
    assert_int_equal(symlink("sub", below("link")), 0);
    check_resolved(below("dead"), below("dead"));
    check_resolved(below("dead///"), below("dead"));
    check_resolved(below("link/dead/"), below("sub/dead"));
    assert_int_equal(chdir(dir), 0);
    check_resolved("dead", below("dead"));
    check_resolved("dead/", below("dead"));
    check_resolved("./link/../dead", below("dead"));
    check_resolved("/no-such-thing", "/no-such-thing");
    check_resolved("nowhere/dead", "nowhere/dead"); /* nothing to go by */
    check_resolved("nowhere/..", "nowhere/..");
    check_resolved("", "");
}

static void what_is_not_mounted_cannot_be_detached(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("only root can detach by itself\n");
        skip();
    }
    assert_int_equal(mkdir(below("mnt"), 0700), 0);
    assert_int_equal(mount_point_detach(below("mnt"), false), -EINVAL);
    assert_int_equal(mount_point_detach(below("nothing"), false), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_folder_is_ready),
        TEST(what_is_no_empty_folder_is_refused),
        TEST(mounts_of_others_are_not_ours),
        TEST(paths_are_resolved_as_the_kernel_writes_them),
        TEST(a_path_that_cannot_be_looked_at_is_resolved_all_the_same),
        TEST(what_is_not_mounted_cannot_be_detached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
