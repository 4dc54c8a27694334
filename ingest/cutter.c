/* cutter: starting and ending child processes. See the header. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/thread.h"
#include "ingest/box_scan.h"
#include "ingest/cutter_impl.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define CUTTER_PIPE_BYTES (1 << 20)
#define CUTTER_FD_SPARE   16 /* pipe ends are moved above the child's fixed descriptors */

int cutter_start(struct cutter **ret, const char *program)
{
    struct cutter *c = calloc(1, sizeof(*c));
    int r;

    if (c == NULL)
        return -ENOMEM;
    snprintf(c->program, sizeof(c->program), "%s", program);
    pthread_mutex_init(&c->lock, NULL);
    vs_list_init(&c->lives);
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = c->wake_fd < 0 ? -errno : vs_thread_start(&c->thread, cutter_live_thread, c);
    c->started = r == 0;
    if (r < 0) {
        cutter_stop(c);
        return r;
    }
    *ret = c;
    return 0;
}

void cutter_wake(struct cutter *c)
{
    uint64_t one = 1;

    if (write(c->wake_fd, &one, sizeof(one)) < 0)
        VS_ASSERT(errno == EAGAIN); /* full: it is awake anyway */
}

void cutter_stop(struct cutter *c)
{
    if (c == NULL)
        return;
    if (c->started) {
        {
            VS_LOCK_SCOPE(&c->lock);
            c->stopping = true;
        }
        cutter_wake(c);
        pthread_join(c->thread, NULL);
    }
    VS_ASSERT(vs_list_empty(&c->lives));
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool cutter_expects_keyframes(const void *head, size_t head_len)
{
    return box_scan_live_format(head, head_len) != NULL;
}

/* A pipe whose ends are clear of the descriptors that the child uses. */
static int cutter_pipe(int fds[2])
{
    int raw[2];

    if (pipe2(raw, O_CLOEXEC) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        fds[i] = fcntl(raw[i], F_DUPFD_CLOEXEC, CUTTER_FD_SPARE);
        close(raw[i]);
    }
    if (fds[0] >= 0 && fds[1] >= 0) {
        fcntl(fds[0], F_SETPIPE_SZ, CUTTER_PIPE_BYTES); /* a wish: smaller works too */
        return 0;
    }
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return -EMFILE;
}

static int cutter_exec(const struct cutter *c, const char *format, int in, int out, pid_t *ret)
{
    char *argv[] = { "vstackfs", "--cutter", format != NULL ? "live" : "probe", (char *)format,
                     NULL };
    char *env[] = { NULL }; /* nothing of ours is its business */
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    int r;

    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, CUTTER_FD_IN);
    posix_spawn_file_actions_adddup2(&actions, out, CUTTER_FD_OUT);
    r = posix_spawn(ret, c->program, &actions, &attr, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return -r;
}

int cutter_child_spawn(const struct cutter *c, const char *format, struct cutter_child *ret)
{
    int in[2], out[2], r;

    r = cutter_pipe(in);
    if (r < 0)
        return r;
    r = cutter_pipe(out);
    if (r < 0) {
        close(in[0]);
        close(in[1]);
        return r;
    }
    r = cutter_exec(c, format, in[0], out[1], &ret->pid);
    close(in[0]);
    close(out[1]);
    ret->to_fd = in[1];
    ret->from_fd = out[0];
    if (r < 0) {
        close(in[1]);
        close(out[0]);
        *ret = (struct cutter_child){ .pid = 0 };
    }
    return r;
}

void cutter_child_end(struct cutter_child *child)
{
    if (child->pid <= 0)
        return;
    if (child->to_fd >= 0)
        close(child->to_fd);
    close(child->from_fd);
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *child = (struct cutter_child){ .pid = 0 };
}
