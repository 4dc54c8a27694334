/* One process of a local cluster, as far as it can be told without the daemons: those are
 * tests/e2e/'s. The program here is a script beside the test's own. */
#include "fs/cluster_proc.h"

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    char dir[TEMP_DIR_BYTES], program[64], path[CLUSTER_PROC_PATH_BYTES];
    char why[CLUSTER_PROC_WHY_BYTES];
    struct cluster_member member;
    struct cluster_proc proc;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    char log[TEMP_DIR_BYTES + 16];

    temp_dir_make(rig->dir);
    snprintf(log, sizeof(log), "%s/log", rig->dir);
    snprintf(rig->program, sizeof(rig->program), "cluster-proc-%d", (int)getpid());
    snprintf(rig->member.id, sizeof(rig->member.id), "n1");
    snprintf(rig->member.data, sizeof(rig->member.data), "%.200s", rig->dir);
    cluster_proc_init(&rig->proc, &rig->member, rig->program, "node", log);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    cluster_procs_end(&rig->proc, 1, true);
    if (rig->path[0] != '\0')
        unlink(rig->path);
    temp_dir_remove(rig->dir);
    free(rig);
    return 0;
}

/* A program of that name beside this one. */
static void make_program(struct rig *rig, const char *text)
{
    int fd;

    assert_int_equal(cluster_proc_program(&rig->proc, rig->path, rig->why), -ENOENT);
    fd = open(rig->path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    assert_int_equal(cluster_proc_program(&rig->proc, rig->path, rig->why), 0);
}

static void start(struct rig *rig, const char *text)
{
    const char *argv[CLUSTER_PROC_ARGS_MAX] = { NULL };

    make_program(rig, text);
    assert_int_equal(cluster_proc_address(&rig->proc, true, rig->why), 0);
    assert_int_equal(cluster_proc_start(&rig->proc, argv, rig->why), 0);
    assert_int_equal(rig->member.pid, rig->proc.started);
}

static int await(struct rig *rig)
{
    return cluster_proc_await(&rig->proc, vs_now_ns(&vs_clock_system) + 20 * VS_NS_PER_S, rig->why);
}

static void one_that_says_ready_is_awaited_and_ended(void **state)
{
    struct rig *rig = *state;
    int status, pid;

    start(rig, "#!/bin/sh\necho who ready on 127.0.0.1:1\nexec sleep 60\n");
    pid = rig->proc.started;
    assert_int_equal(await(rig), 0);
    assert_int_equal(rig->proc.port_fd, -1);
    assert_int_equal(cluster_procs_end(&rig->proc, 1, true), 0);
    assert_int_equal(rig->member.pid, 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void one_that_ends_is_told_with_its_last_line(void **state)
{
    struct rig *rig = *state;

    start(rig, "#!/bin/sh\necho first >&2\necho the disk is gone >&2\n");
    assert_int_equal(await(rig), -VS_EDOWN);
    assert_non_null(strstr(rig->why, "node n1 did not start: the disk is gone ("));
    assert_non_null(strstr(rig->why, "--degraded"));
}

static void an_address_stays_unless_it_may_move(void **state)
{
    struct rig *rig = *state;
    struct cluster_member other = { .id = "n2" };
    struct cluster_proc second;

    cluster_proc_init(&second, &other, rig->program, "node", "/dev/null");
    assert_int_equal(cluster_proc_address(&second, true, rig->why), 0);
    snprintf(rig->member.url, sizeof(rig->member.url), "%s", other.url);
    assert_int_equal(listen(second.port_fd, 1), 0);
    assert_int_equal(cluster_proc_address(&rig->proc, false, rig->why), -EADDRINUSE);
    assert_non_null(strstr(rig->why, "node n1 cannot have its address http://127.0.0.1:"));
    assert_string_equal(rig->member.url, other.url);
    assert_int_equal(cluster_proc_address(&rig->proc, true, rig->why), 0);
    assert_string_not_equal(rig->member.url, other.url);
    cluster_proc_close(&second);
    cluster_proc_close(&second);
}

static void a_number_of_somebody_else_is_no_process_of_ours(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(cluster_proc_runs(&rig->proc, rig->why), 0);
    rig->member.pid = getpid();
    assert_int_equal(cluster_proc_runs(&rig->proc, rig->why), 0);
    cluster_proc_thaw(&rig->proc);
    assert_int_equal(cluster_procs_end(&rig->proc, 1, false), 0);
    assert_int_equal(rig->member.pid, 0);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(one_that_says_ready_is_awaited_and_ended),
        RULE(one_that_ends_is_told_with_its_last_line),
        RULE(an_address_stays_unless_it_may_move),
        RULE(a_number_of_somebody_else_is_no_process_of_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
