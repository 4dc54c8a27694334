/* A child process calls, and the parent looks how it ended. */
#include "tests/support/aborts.h"

#include "common/assert.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

bool test_aborts(void (*fn)(void *arg), void *arg)
{
    int status;
    pid_t pid;

    pid = fork();
    VS_ASSERT(pid >= 0);
    if (pid == 0) {
        const struct rlimit no_core = { 0, 0 };

        (void)setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL); /* cmocka and the sanitizers have their own */
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        fn(arg);
        _exit(0);
    }
    VS_ASSERT(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
