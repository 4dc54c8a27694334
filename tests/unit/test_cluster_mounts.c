/* Who has a local cluster mounted: known by the locks that mounts hold. */
#include "fs/cluster_mounts.h"

#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void each_mount_point_has_a_name_of_its_own(void **state)
{
    const char *const points[] = { "/mnt/videos", "/srv/videos", "/mnt/video",
                                   "/",           "/mnt/a b",    "/mnt/\xff" };
    char name[6][CLUSTER_MOUNTS_NAME_BYTES];

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        cluster_mounts_name(points[i], name[i]);
        assert_int_equal(strncmp(name[i], "mounts/", 7), 0);
        assert_null(strchr(name[i] + 7, '/'));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(name[i], name[j]);
    }
    assert_int_equal(strncmp(name[0], "mounts/videos-", 14), 0);
}

/* A lock with a number in it. */
static int hold(const char *dir, const char *name, const char *number)
{
    char path[TEMP_DIR_BYTES + 128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/%s/lock", dir, name);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, number, strlen(number)), strlen(number));
    assert_int_equal(flock(fd, LOCK_EX), 0);
    return fd;
}

static void holders_are_found_and_those_that_ended_are_not(void **state)
{
    char dir[TEMP_DIR_BYTES], name[CLUSTER_MOUNTS_NAME_BYTES];
    pid_t pids[CLUSTER_MOUNTS_MAX];
    int own, one, two;

    (void)state;
    temp_dir_make(dir);
    assert_int_equal(cluster_mounts_all(dir, pids), 0);
    own = hold(dir, ".", "11\n");
    hold(dir, "mounts", "no mount\n");
    cluster_mounts_name("/mnt/a", name);
    one = hold(dir, name, "12\n");
    assert_int_equal(cluster_mounts_holder(dir, name), 12);
    cluster_mounts_name("/mnt/b", name);
    two = hold(dir, name, "13\n");
    assert_int_equal(cluster_mounts_all(dir, pids), 3);
    assert_int_equal(pids[0] + pids[1] + pids[2], 11 + 12 + 13);
    close(two);
    assert_int_equal(cluster_mounts_holder(dir, name), 0);
    assert_int_equal(cluster_mounts_all(dir, pids), 2);
    close(own);
    close(one);
    assert_int_equal(cluster_mounts_all(dir, pids), 0);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mount_point_has_a_name_of_its_own),
        cmocka_unit_test(holders_are_found_and_those_that_ended_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
