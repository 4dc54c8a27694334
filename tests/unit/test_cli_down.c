/* vstackfs down: what is refused, and what is left alone. */
#include "tests/support/cli_rig.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void a_directory_that_is_no_cluster_is_refused(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "down"), 1);
    assert_non_null(strstr(r->err, "--dir"));
    assert_int_equal(RUN(r, "down", "--dir", r->mount), 1);
    assert_non_null(strstr(r->err, "nothing was started"));
    assert_int_equal(RUN(r, "down", "--dir", r->mount, "--now"), 1);
    cli_rig_write(r, "cluster.json", "{\"version\":9}");
    assert_int_equal(RUN(r, "down", "--dir", r->mount), 1);
    assert_non_null(strstr(r->err, "version 9 is not known"));
}

/* Numbers in the file, and in the lock, that are not what they were. */
static void processes_of_others_are_not_touched(void **state)
{
    struct cli_rig *r = *state;
    char text[512];
    int fd;

    snprintf(text, sizeof(text),
             "{\"version\":1,\"cluster\":\"0123456789abcdef0123456789abcdef\",\"metas\":[],"
             "\"nodes\":[{\"id\":\"n1\",\"url\":\"\",\"data\":\"/nowhere/n1\",\"pid\":%d}],"
             "\"mounts\":[{\"path\":\"/nowhere/mnt\",\"pid\":%d}]}",
             (int)getpid(), (int)getpid());
    cli_rig_write(r, "cluster.json", text);
    assert_int_equal(RUN(r, "down", "--dir", r->mount), 0);
    cli_rig_write(r, "cluster.json", text);
    snprintf(text, sizeof(text), "%d\n", (int)getpid());
    cli_rig_write(r, "lock", text);
    fd = open(cli_rig_path(r, "lock"), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(RUN(r, "down", "--dir", r->mount), 1);
    assert_non_null(strstr(r->err, "is no mount of this cluster"));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(a_directory_that_is_no_cluster_is_refused),
        CLI_TEST(processes_of_others_are_not_touched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
