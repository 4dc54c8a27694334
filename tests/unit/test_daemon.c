/* Processes that run on their own: ours, or somebody else's by now. */
#include "fs/daemon.h"

#include "tests/support/temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    char dir[TEMP_DIR_BYTES], log[TEMP_DIR_BYTES + 32];
};

static int setup(void **state)
{
    static struct rig rig;

    temp_dir_make(rig.dir);
    snprintf(rig.log, sizeof(rig.log), "%s/log", rig.dir);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    temp_dir_remove(((struct rig *)*state)->dir);
    return 0;
}

static pid_t start(struct rig *rig, char *const argv[], int *out)
{
    pid_t pid;

    assert_int_equal(daemon_start(argv, rig->log, &pid, out), 0);
    return pid;
}

/* Wait until it runs its program: the pipe's other end, which the child copies, tells nothing. */
static void await_exec(pid_t pid, const char *program, const char *arg)
{
    for (unsigned i = 0; i < 5000 && !daemon_is(pid, program, arg); i++)
        usleep(1000);
    assert_true(daemon_is(pid, program, arg));
}

static void end(pid_t pid, int out)
{
    int fd = daemon_open_child(pid);

    assert_true(fd >= 0);
    assert_int_equal(daemon_signal(fd, SIGKILL), 0);
    assert_int_equal(daemon_wait(fd, 5000), 0);
    close(fd);
    close(out);
    waitpid(pid, NULL, 0);
}

static void a_process_is_ours_by_program_and_argument(void **state)
{
    char *argv[] = { "/bin/sleep", "1000", NULL };
    int out, fd;
    pid_t pid = start(*state, argv, &out);

    await_exec(pid, "sleep", "1000");
    assert_false(daemon_is(pid, "sleep", "100"));
    assert_false(daemon_is(pid, "slee", "1000"));
    assert_false(daemon_is(pid, "vstack-node", "1000"));
    assert_false(daemon_is(0, "sleep", "1000"));
    assert_int_equal(daemon_open(pid, "sleep", "999"), -ESRCH);
    fd = daemon_open(pid, "sleep", "1000");
    assert_true(fd >= 0);
    assert_int_equal(daemon_wait(fd, 1), -ETIMEDOUT);
    close(fd);
    end(pid, out);
    assert_int_equal(daemon_open(pid, "sleep", "1000"), -ESRCH);
}

/* Ended, and nobody has asked how: its number is still there, its program is not. */
static void one_that_has_ended_is_known_before_its_number_is_free(void **state)
{
    siginfo_t info;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(kill(pid, 0), 0);
    assert_true(daemon_has_ended(pid));
    assert_false(daemon_has_ended(getpid()));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(daemon_has_ended(pid));
}

static void it_has_a_session_a_log_and_a_pipe_of_its_own(void **state)
{
    struct rig *rig = *state;
    char *argv[] = { "/bin/bash", "-c",
                     "echo out; echo err >&2; ls /proc/self/fd | wc -l; read x; exec sleep 1000",
                     NULL };
    int held = open("/dev/null", O_RDONLY), out, fd; /* not passed on */
    pid_t pid = start(rig, argv, &out);
    char text[64] = "";
    size_t len = 0;

    while (len < sizeof(text) - 1 && strchr(text, '4') == NULL && strchr(text, '5') == NULL) {
        ssize_t n = read(out, text + len, sizeof(text) - 1 - len);

        assert_true(n > 0);
        len += (size_t)n;
    }
    assert_string_equal(text, "out\n4\n"); /* 0, 1, 2, and the directory that ls reads */
    assert_int_equal(getsid(pid), pid);
    fd = open(rig->log, O_RDONLY);
    memset(text, 0, sizeof(text));
    assert_int_equal(read(fd, text, sizeof(text) - 1), 4);
    assert_string_equal(text, "err\n");
    close(fd);
    close(held);
    end(pid, out);
}

static void a_program_that_is_missing_says_so_in_the_log(void **state)
{
    struct rig *rig = *state;
    char *argv[] = { "/nowhere/program", NULL };
    char text[128] = "";
    int out, fd;
    pid_t pid = start(rig, argv, &out);

    assert_int_equal(read(out, text, 1), 0); /* it has ended */
    fd = open(rig->log, O_RDONLY);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "/nowhere/program: No such file"));
    close(fd);
    close(out);
    waitpid(pid, NULL, 0);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_process_is_ours_by_program_and_argument),
        RULE(one_that_has_ended_is_known_before_its_number_is_free),
        RULE(it_has_a_session_a_log_and_a_pipe_of_its_own),
        RULE(a_program_that_is_missing_says_so_in_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
