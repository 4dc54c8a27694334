/* daemon: see the header. */
#include "fs/daemon.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#define CMDLINE_BYTES_MAX 65536
#define DELETED_SUFFIX    " (deleted)" /* the kernel's, after the program was built anew */

/* ---- start ---- */

/* In the child: nothing but system calls. */
_Noreturn static void daemon_child(char *const argv[], int log, int out)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(log, 2) < 0 || chdir("/") < 0)
        _exit(126);
    close_range(3, ~0U, 0);
    execv(argv[0], argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int daemon_start(char *const argv[], const char *log, pid_t *ret_pid, int *ret_out)
{
    VS_AUTO_FD int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int out[2];
    pid_t pid;

    if (fd < 0 || pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        daemon_child(argv, fd, out[1]);
    close(out[1]);
    if (pid < 0) {
        int r = -errno;

        close(out[0]);
        return r;
    }
    *ret_pid = pid;
    *ret_out = out[0];
    return 0;
}

/* ---- ours? ---- */

static bool runs_program(pid_t pid, const char *program)
{
    char path[64], exe[4096];
    size_t suffix = strlen(DELETED_SUFFIX);
    const char *name;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    n = readlink(path, exe, sizeof(exe) - 1);
    if (n <= 0)
        return false;
    if ((size_t)n > suffix && memcmp(exe + n - suffix, DELETED_SUFFIX, suffix) == 0)
        n -= (ssize_t)suffix;
    exe[n] = '\0';
    name = strrchr(exe, '/');
    return name != NULL && strcmp(name + 1, program) == 0;
}

static bool has_argument(pid_t pid, const char *arg)
{
    VS_AUTO_FREE char *line = malloc(CMDLINE_BYTES_MAX + 1);
    char path[64];
    size_t len = 0;
    ssize_t n = 1;
    VS_AUTO_FD int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && line != NULL && n > 0 && len < CMDLINE_BYTES_MAX) {
        n = read(fd, line + len, CMDLINE_BYTES_MAX - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (len == 0)
        return false;
    line[len] = '\0';
    for (const char *a = line; a < line + len; a += strlen(a) + 1)
        if (strcmp(a, arg) == 0)
            return true;
    return false;
}

bool daemon_is(pid_t pid, const char *program, const char *arg)
{
    return pid > 0 && runs_program(pid, program) && has_argument(pid, arg);
}

bool daemon_has_ended(pid_t pid)
{
    char path[64], exe[1];

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    return readlink(path, exe, sizeof(exe)) < 0 && errno == ENOENT;
}

int daemon_open(pid_t pid, const char *program, const char *arg)
{
    int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

    if (fd >= 0 && daemon_is(pid, program, arg))
        return fd;
    if (fd >= 0)
        close(fd);
    return -ESRCH;
}

int daemon_open_child(pid_t pid)
{
    int fd = pidfd_open(pid, 0);

    return fd < 0 ? -errno : fd;
}

int daemon_signal(int pidfd, int sig)
{
    return pidfd_send_signal(pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int daemon_wait(int pidfd, unsigned timeout_ms)
{
    struct pollfd p = { pidfd, POLLIN, 0 };

    return poll(&p, 1, (int)timeout_ms) == 1 ? 0 : -ETIMEDOUT;
}
