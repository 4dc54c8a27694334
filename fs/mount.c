/* mount: parse, go to the background, start, mount, serve, stop. See the header.
 *
 * The process forks before anything has threads; the parent waits on a pipe for one byte,
 * "serving", or for the sentence to print. */
#include "fs/mount.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/thread.h"
#include "fs/cli/cli.h"
#include "fs/fuse_ops.h"
#include "fs/inbox.h"
#include "fs/mount_options.h"
#include "fs/mount_point.h"
#include "fs/statfs.h"
#include "fs/vsfs_start.h"
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define MOUNT_LOG_BYTES_MAX (16u << 20)
#define MOUNT_READ_AHEAD_KB 1024
#define MOUNT_FILES_MAX     65536
#define MOUNT_MALLOC_TOP    (64u << 20)

struct mounting {
    struct mount_options options;
    struct vsfs fs;
    struct data_dir data;
    int tell_fd; /* background: the parent reads it; -1 in the foreground */
    char why[DATA_DIR_WHY_BYTES];
};

/* ---- background ---- */

/* Parent: wait for the child's word. */
static int mount_parent(int fd)
{
    char text[DATA_DIR_WHY_BYTES + 64];
    size_t len = 0;
    ssize_t n;

    while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) != 0) {
        if (n > 0)
            len += (size_t)n;
        else if (errno != EINTR)
            break;
    }
    text[len] = '\0';
    if (len > 0 && text[0] == '+') {
        fputs(text + 1, stdout);
        return 0;
    }
    return cli_fail("%s", len > 0 ? text : "the mount process ended; see its log");
}

/* 0 in the child (or in the foreground), 1 in the parent with the exit code set. */
static int mount_background(struct mounting *m, int *ret_code)
{
    int pipefd[2];
    pid_t pid;

    m->tell_fd = -1;
    if (m->options.fs.foreground)
        return 0;
    if (pipe2(pipefd, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        *ret_code = cli_fail("cannot start a process: %s", strerror(errno));
        return 1;
    }
    if (pid > 0) {
        close(pipefd[1]);
        *ret_code = mount_parent(pipefd[0]);
        return 1;
    }
    close(pipefd[0]);
    m->tell_fd = pipefd[1];
    setsid();
    if (chdir("/") < 0)
        return 0; /* nothing depends on it */
    return 0;
}

static void mount_tell(struct mounting *m, const char *text)
{
    if (m->tell_fd < 0) {
        fputs(text[0] == '+' ? text + 1 : text, text[0] == '+' ? stdout : stderr);
        fflush(stdout);
        return;
    }
    if (write(m->tell_fd, text, strlen(text)) < 0)
        vs_warn("mount: nobody waits for the start any more");
    close(m->tell_fd);
    m->tell_fd = -1;
}

static int mount_refuse(struct mounting *m)
{
    vs_error("mount %s: %s -> not mounted", m->options.fs.mountpoint, m->why);
    if (m->tell_fd < 0)
        return cli_fail("%s", m->why);
    mount_tell(m, m->why);
    return 1;
}

/* In the background the log is DATA/vstackfs.log; a large old one is kept once. False: there is no
 * place for it, or it is not asked for. */
static bool mount_log_to_file(const struct mounting *m)
{
    VS_AUTO_FREE char *path = NULL;
    VS_AUTO_FREE char *old = NULL;
    struct stat st;
    int fd, null;

    if (m->tell_fd < 0 || asprintf(&path, "%s/vstackfs.log", m->options.fs.data_dir) < 0 ||
        asprintf(&old, "%s.1", path) < 0)
        return false;
    if (stat(path, &st) == 0 && st.st_size > MOUNT_LOG_BYTES_MAX && rename(path, old) < 0)
        vs_warn("%s: cannot be renamed -> it grows on", path);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return false; /* the data directory is not made yet, or will be refused */
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
        dup2(fd, 2);
        close(null);
    }
    vs_log_to_fd(2);
    close(fd);
    return true;
}

/* ---- FUSE ---- */

/* The kernel reads 128 KiB ahead unless told otherwise; 1 MiB serves players and copies better. */
static void mount_read_ahead(const char *mountpoint)
{
    char path[128], text[16];
    VS_AUTO_FD int fd = -1;
    struct stat st;

    if (stat(mountpoint, &st) < 0)
        return;
    snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev),
             minor(st.st_dev));
    snprintf(text, sizeof(text), "%d", MOUNT_READ_AHEAD_KB);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        vs_info("mount: read-ahead stays at 128 KiB (only root may raise it)");
}

static int mount_session(struct mounting *m)
{
    VS_AUTO_FREE char *opts = NULL;
    const struct vsfs_options *o = &m->options.fs;
    const char *kernel = m->options.kernel;

    if (asprintf(&opts, "fsname=%s,subtype=vstackfs,default_permissions%s%s%s%s", o->data_dir,
                 o->allow_other ? ",allow_other" : "", m->options.read_only ? ",ro" : "",
                 kernel[0] != '\0' ? "," : "", kernel) < 0)
        return -ENOMEM;
    return fuse_ops_mount(&m->fs, opts);
}

static void *mount_read_ahead_thread(void *arg)
{
    mount_read_ahead(arg);
    return NULL;
}

static double mount_room_gib(struct mounting *m)
{
    struct statvfs st;

    return statfs_fill(&m->fs, &st) == 0 ? (double)st.f_bavail * (double)st.f_frsize / (1u << 30)
                                         : 0;
}

/* Where all of it lies: the directory of cluster.json, or the mount's own. */
static int mount_place(const struct vsfs_options *o)
{
    return o->cluster_file != NULL ? (int)(strrchr(o->cluster_file, '/') - o->cluster_file)
                                   : (int)strlen(o->data_dir);
}

static void mount_greet(struct mounting *m)
{
    char text[2048];
    const struct vsfs_options *o = &m->fs.opt;
    const char *place = o->cluster_file != NULL ? o->cluster_file : o->data_dir;
    unsigned up = store_set_up_count(&m->fs.stores);
    int n = snprintf(text, sizeof(text), "+");

    if (m->data.created)
        n += snprintf(
            text + n, sizeof(text) - (size_t)n,
            "V-Stack: a new video store in %.*s\n"
            "  stores      %u%s\n"
            "%s"
            "  room for    %.1f GiB of film\n"
            "  survives    %s\n"
            "  copy in     cp film.mkv %s/inbox/   (it appears as %s/film.mkv)\n"
            "  look        vstackfs status --mount %s\n"
            "  stop        vstackfs %s %.*s\n",
            mount_place(o), place, m->fs.stores.count,
            o->cluster_file != NULL ? " (storage nodes of their own)"
            : o->disk_count > 0     ? " (--disk)"
                                    : " below nodes/",
            m->fs.metas != NULL       ? "  metadata    with replicas of its own\n"
            : o->cluster_file != NULL ? "  metadata    with this mount alone, in the folder above\n"
                                      : "",
            mount_room_gib(m),
            m->fs.single_device ? "corruption in any two stores, not the loss of this one disk"
                                : "the loss of disks, as `vstackfs status` says",
            o->mountpoint, o->mountpoint, o->mountpoint,
            o->cluster_file != NULL ? "down --dir" : "umount",
            o->cluster_file != NULL ? mount_place(o) : (int)strlen(o->mountpoint),
            o->cluster_file != NULL ? place : o->mountpoint);
    else if (up < m->fs.stores.count)
        n += snprintf(text + n, sizeof(text) - (size_t)n,
                      "V-Stack: %u of %u stores are down; see vstackfs status --mount %s\n",
                      m->fs.stores.count - up, m->fs.stores.count, o->mountpoint);
    mount_tell(m, text);
}

static void mount_limits(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < MOUNT_FILES_MAX ? files.rlim_max : MOUNT_FILES_MAX;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* chunk buffers come back instead of faulting in anew */
    mallopt(M_TRIM_THRESHOLD, MOUNT_MALLOC_TOP);
    umask(0077);
}

static int mount_serve(struct mounting *m)
{
    pthread_t helper;
    int r = mount_session(m);

    if (r < 0) {
        snprintf(m->why, sizeof(m->why), "cannot mount on %s: %s%s%s%s", m->fs.opt.mountpoint,
                 vs_err_text(r), m->tell_fd >= 0 ? "; the end of " : "",
                 m->tell_fd >= 0 ? m->fs.opt.data_dir : "",
                 m->tell_fd >= 0 ? "/vstackfs.log says more" : "");
        return mount_refuse(m);
    }
    r = inbox_recover(&m->fs); /* publishing precedes the first reply */
    if (r < 0)
        vs_error("inbox: what a crash left there cannot be published: %s", vs_err_text(r));
    /* stat(2) of our own mount must be answered by the loop below */
    if (vs_thread_start(&helper, mount_read_ahead_thread, (void *)m->fs.opt.mountpoint) == 0)
        pthread_detach(helper);
    mount_greet(m);
    r = fuse_ops_loop(&m->fs);
    fuse_ops_unmount(&m->fs);
    return r < 0 ? 1 : 0;
}

static int mount_child(struct mounting *m)
{
    bool logs;
    int r;

    m->fs.opt = m->options.fs;
    m->fs.clock = &vs_clock_system;
    mount_limits();
    logs = mount_log_to_file(m);
    if (vsfs_start(&m->fs, &m->data, m->why) < 0)
        return mount_refuse(m);
    if (!logs)
        mount_log_to_file(m); /* there was no place for it before */
    vs_info("mount %s: serving %s", m->fs.opt.mountpoint, m->fs.opt.data_dir);
    r = mount_serve(m);
    vsfs_stop(&m->fs, &m->data);
    vs_info("mount %s: stopped", m->fs.opt.mountpoint);
    return r;
}

int mount_main(int argc, char **argv)
{
    struct mounting *m = calloc(1, sizeof(*m));
    int code = 1;

    if (m == NULL)
        return cli_fail("out of memory");
    if (mount_options_parse(&m->options, argc, argv, m->why) < 0)
        cli_fail("%s", m->why[0] != '\0' ? m->why : "out of memory");
    else if (m->options.help)
        code = cli_help(0, NULL);
    else if (mount_point_prepare(m->options.fs.mountpoint, m->why) < 0)
        cli_fail("%s", m->why);
    else if (mount_background(m, &code) == 0)
        code = mount_child(m);
    mount_options_close(&m->options);
    free(m);
    return code;
}
