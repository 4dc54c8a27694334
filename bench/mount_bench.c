/* mount_bench: small files and listings through a real mount, as lines "name value unit".
 *
 *     mount_bench [DIR]      DIR: an existing directory with room, default $BENCH_DIR or /tmp
 *
 * Needs FUSE. MOUNT_BENCH_ENTRIES (default 100000) is the size of the large folder, which takes a
 * minute to make. "Cold": the mount has just begun, the kernel knows nothing of it.
 *
 * Failure modes: any error is said on stderr, and the exit code is 1; the mount is ended. */
#include "bench/bench.h"
#include "common/assert.h"
#include "common/thread.h"
#include "tests/support/temp_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL_BYTES     1024
#define FILES           8000ul
#define ENTRIES_FEW     1000ul
#define ENTRIES_DEFAULT 100000ul
#define WRITERS_MAX     8

static char dir[TEMP_DIR_BYTES], mnt[TEMP_DIR_BYTES + 8], data[TEMP_DIR_BYTES + 8];
static char program[4096];
static bool is_mounted;

static void run(const char *const argv[])
{
    pid_t child = fork();
    int status;

    VS_ASSERT(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, STDOUT_FILENO);
        execv(program, (char *const *)argv);
        _exit(127);
    }
    if (waitpid(child, &status, 0) != child || status != 0)
        bench_die("%s %s: did not succeed", program, argv[1]);
}

static void unmount(void)
{
    const char *argv[] = { "vstackfs", "umount", mnt, NULL };

    if (is_mounted)
        run(argv);
    is_mounted = false;
}

static void mount_again(void)
{
    const char *argv[] = { "vstackfs", "--data", data, mnt, NULL };

    unmount();
    run(argv);
    is_mounted = true;
}

static void at_end(void)
{
    if (is_mounted)
        (void)umount2(mnt, MNT_DETACH);
}

/* The process that serves the mount: the one with our directory on its command line. */
static int server_pid(void)
{
    DIR *proc = opendir("/proc");
    const struct dirent *e;
    int pid = 0;

    VS_ASSERT(proc != NULL);
    while (pid == 0 && (e = readdir(proc)) != NULL) {
        char path[300], line[4096];
        size_t n;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%.20s/cmdline", e->d_name);
        f = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
        if (f == NULL)
            continue;
        n = fread(line, 1, sizeof(line) - 1, f);
        fclose(f);
        line[n] = '\0';
        if (memmem(line, n, data, strlen(data)) != NULL)
            pid = (int)strtol(e->d_name, NULL, 10);
    }
    closedir(proc);
    return pid;
}

static double resident_mib(int pid)
{
    unsigned long size = 0, resident = 0;
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    f = fopen(path, "re");
    if (f != NULL && fscanf(f, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    if (f != NULL)
        fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* ---- writers ----------------------------------------------------------------------------------
 */

struct writers {
    char folder[TEMP_DIR_BYTES + 64];
    unsigned long count;
    size_t bytes;
    atomic_ulong next;
};

static void *writer(void *arg)
{
    static const char content[SMALL_BYTES] = { 'x' };
    struct writers *w = arg;
    unsigned long n;

    while ((n = atomic_fetch_add(&w->next, 1)) < w->count) {
        char path[sizeof(w->folder) + 32];
        int fd;

        snprintf(path, sizeof(path), "%s/file-%lu", w->folder, n);
        fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
        if (fd < 0 || (w->bytes > 0 && write(fd, content, w->bytes) != (ssize_t)w->bytes) ||
            close(fd) < 0)
            bench_die("%s: %s", path, strerror(errno));
    }
    return NULL;
}

/* Seconds for `count` files by so many threads. */
static double write_files(const char *name, unsigned threads, unsigned long count, size_t bytes)
{
    struct writers w = { .count = count, .bytes = bytes };
    pthread_t thread[WRITERS_MAX];
    int64_t began;

    snprintf(w.folder, sizeof(w.folder), "%s/%s", mnt, name);
    if (mkdir(w.folder, 0755) < 0)
        bench_die("%s: %s", w.folder, strerror(errno));
    began = bench_now_ns();
    for (unsigned i = 0; i < threads; i++)
        VS_ASSERT(vs_thread_start(&thread[i], writer, &w) == 0);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    return bench_seconds_since(began);
}

static void bench_writers(void)
{
    static const unsigned threads[] = { 1, 8 };

    for (unsigned i = 0; i < 2; i++) {
        double rate[BENCH_ROUNDS], cpu = bench_cpu_seconds(server_pid());
        char name[64];

        for (unsigned n = 0; n < BENCH_ROUNDS; n++) {
            snprintf(name, sizeof(name), "small-%u-%u", threads[i], n);
            rate[n] = (double)FILES / write_files(name, threads[i], FILES, SMALL_BYTES);
        }
        cpu = bench_cpu_seconds(server_pid()) - cpu;
        snprintf(name, sizeof(name), "mount_creates_%u_writers", threads[i]);
        bench_line(name, bench_median(rate), "files/s");
        snprintf(name, sizeof(name), "mount_cpu_per_create_%u_writers", threads[i]);
        bench_line(name, cpu * 1e3 / (double)(BENCH_ROUNDS * FILES), "ms");
    }
}

/* ---- listings ---------------------------------------------------------------------------------
 */

/* As `ls -l` does: every name, then the attributes of each. */
static double list_folder(const char *name, unsigned long count)
{
    char path[TEMP_DIR_BYTES + 64];
    unsigned long seen = 0;
    const struct dirent *e;
    struct stat st;
    int64_t began;
    DIR *d;

    snprintf(path, sizeof(path), "%s/%s", mnt, name);
    began = bench_now_ns();
    d = opendir(path);
    if (d == NULL)
        bench_die("%s: %s", path, strerror(errno));
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            bench_die("%s/%s: %s", path, e->d_name, strerror(errno));
        seen++;
    }
    closedir(d);
    if (seen != count)
        bench_die("%s: %lu names were listed, %lu are there", path, seen, count);
    return bench_seconds_since(began);
}

static void bench_lists(void)
{
    const char *text = getenv("MOUNT_BENCH_ENTRIES");
    unsigned long many = text != NULL ? strtoul(text, NULL, 10) : ENTRIES_DEFAULT;
    double ms[BENCH_ROUNDS], before;

    write_files("few", WRITERS_MAX, ENTRIES_FEW, 0);
    write_files("many", WRITERS_MAX, many, 0);
    for (unsigned n = 0; n < BENCH_ROUNDS; n++) {
        mount_again();
        ms[n] = list_folder("few", ENTRIES_FEW) * 1e3;
    }
    bench_line("mount_ls_l_1000_cold", bench_median(ms), "ms");
    mount_again();
    before = resident_mib(server_pid());
    bench_line("mount_ls_l_many_entries", (double)many, "entries");
    bench_line("mount_ls_l_many_cold", list_folder("many", many), "s");
    bench_line("mount_resident_before", before, "MiB");
    bench_line("mount_resident_after", resident_mib(server_pid()), "MiB");
}

int main(int argc, char **argv)
{
    const char *base = argc > 1 ? argv[1] : getenv("BENCH_DIR");
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 32);
    char *slash;

    VS_ASSERT(n > 0);
    program[n] = '\0';
    for (unsigned i = 0; i < 2; i++) { /* BUILD/bench/mount_bench */
        slash = strrchr(program, '/');
        VS_ASSERT(slash != NULL);
        *slash = '\0';
    }
    snprintf(slash, 16, "/vstackfs");
    setenv("TMPDIR", base != NULL ? base : "/tmp", 1);
    temp_dir_make(dir);
    snprintf(mnt, sizeof(mnt), "%s/mnt", dir);
    snprintf(data, sizeof(data), "%s/data", dir);
    VS_ASSERT(mkdir(mnt, 0755) == 0 && mkdir(data, 0755) == 0);
    atexit(at_end);
    mount_again();
    bench_writers();
    bench_lists();
    unmount();
    temp_dir_remove(dir);
    return 0;
}
