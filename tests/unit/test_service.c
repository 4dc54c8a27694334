/* How a daemon begins, and says that it is ready. */
#include "common/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void its_signals_wait_and_a_closed_socket_is_no_signal(void **state)
{
    struct rlimit files = { .rlim_cur = 100 };
    sigset_t waited;
    int p[2], sig = 0;

    (void)state;
    assert_int_equal(prlimit(0, RLIMIT_NOFILE, NULL, &files), 0);
    files.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    vs_service_begin(&waited);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(files.rlim_cur, files.rlim_max);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(sigwait(&waited, &sig), 0);
    assert_int_equal(sig, SIGTERM);
    assert_int_equal(pipe(p), 0);
    close(p[0]);
    assert_int_equal(write(p[1], "x", 1), -1); /* and we are still here */
    close(p[1]);
}

static void ready_is_one_line_with_the_port_that_was_taken(void **state)
{
    int p[2], out = dup(STDOUT_FILENO);
    char line[128] = "";

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    fflush(stdout);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(dup2(p[1], STDOUT_FILENO), STDOUT_FILENO);
    vs_service_ready("vstack-node n1", "[::1]:0", 4711, "/srv/n1");
    dup2(out, STDOUT_FILENO);
    close(out);
    close(p[1]);
    assert_true(read(p[0], line, sizeof(line) - 1) > 0);
    close(p[0]);
    assert_string_equal(line, "vstack-node n1 ready on [::1]:4711\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_signals_wait_and_a_closed_socket_is_no_signal),
        cmocka_unit_test(ready_is_one_line_with_the_port_that_was_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
