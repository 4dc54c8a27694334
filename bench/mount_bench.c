/* mount_bench: small files and listings through a real mount, as lines "name value unit": embedded
 * metadata, then a cluster of three metadata replicas and five nodes on this machine.
 *
 *     mount_bench [DIR]      DIR: an existing directory with room, default $BENCH_DIR or /tmp
 *
 * Needs FUSE. MOUNT_BENCH_ENTRIES (default 100000) is the size of the large folder, which takes
 * minutes to make; MOUNT_BENCH_FILES (default 4000) the files of one measurement of writers;
 * MOUNT_BENCH_SHAPES=embedded or =cluster measures that one alone. "Cold": the mount has just
 * begun, the kernel knows nothing of it. "exclusive": with O_EXCL, as cp makes new files.
 *
 * Failure modes: any error is said on stderr, and the exit code is 1; what was started is ended. */
#include "bench/bench.h"
#include "bench/mount_shape.h"
#include "common/assert.h"
#include "common/thread.h"
#include "tests/support/temp_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_BYTES     1024
#define FILES_DEFAULT   4000ul
#define ENTRIES_FEW     1000ul
#define ENTRIES_DEFAULT 100000ul
#define LOOKUPS         20000ul
#define THREADS_MAX     64
#define MAKERS          8
#define OPENS           5 /* of which the fastest counts */

static struct mount_shape shape;

static unsigned long setting(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

/* A line whose name says which shape it is about. */
static void shape_line(const char *name, double value, const char *unit)
{
    char full[128];

    snprintf(full, sizeof(full), "%s_%s", shape.is_cluster ? "cluster" : "mount", name);
    bench_line(full, value, unit);
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
    bool own; /* each thread has a folder of its own */
    atomic_uint threads;
    char folder[MOUNT_SHAPE_MOUNTS_MAX][MOUNT_SHAPE_PATH_BYTES + 64];
    unsigned folders;
    unsigned long count;
    size_t bytes;
    int flags; /* of open(2), beside those that make a file */
    atomic_ulong next;
};

static void *writer(void *arg)
{
    static const char content[SMALL_BYTES] = { 'x' };
    struct writers *w = arg;
    unsigned me = atomic_fetch_add(&w->threads, 1);
    char own[16] = ".";
    unsigned long n;

    if (w->own)
        snprintf(own, sizeof(own), "%u", me);
    while ((n = atomic_fetch_add(&w->next, 1)) < w->count) {
        char path[sizeof(w->folder[0]) + 64];
        int fd;

        snprintf(path, sizeof(path), "%s/%s/file-%lu", w->folder[n % w->folders], own, n);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | w->flags, 0644);
        if (fd < 0 || (w->bytes > 0 && write(fd, content, w->bytes) != (ssize_t)w->bytes) ||
            close(fd) < 0)
            bench_die("%s: %s", path, strerror(errno));
    }
    return NULL;
}

static void run_threads(unsigned threads, void *(*fn)(void *), void *arg)
{
    pthread_t thread[THREADS_MAX];

    VS_ASSERT(threads <= THREADS_MAX);
    for (unsigned i = 0; i < threads; i++)
        VS_ASSERT(vs_thread_start(&thread[i], fn, arg) == 0);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
}

/* Seconds for so many files in one folder, by so many threads, by all mounts. */
static double write_files(const char *name, unsigned threads, struct writers *w)
{
    int64_t began;

    w->folders = shape.mounts;
    for (unsigned n = 0; n < w->folders; n++)
        snprintf(w->folder[n], sizeof(w->folder[n]), "%s/%s", shape.mnt[n], name);
    if (mkdir(w->folder[0], 0755) < 0)
        bench_die("%s: %s", w->folder[0], strerror(errno));
    for (unsigned n = 0; n < threads && w->own; n++) {
        char own[sizeof(w->folder[0]) + 16];

        snprintf(own, sizeof(own), "%s/%u", w->folder[0], n);
        if (mkdir(own, 0755) < 0)
            bench_die("%s: %s", own, strerror(errno));
    }
    atomic_store(&w->next, 0);
    atomic_store(&w->threads, 0);
    began = bench_now_ns();
    run_threads(threads, writer, w);
    return bench_seconds_since(began);
}

/* Questions to the metadata that a file makes, by kind. */
static const char *const kinds[] = {
    "change", "lookup", "getattr", "readdir", "content", "reg_read"
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct counts {
    uint64_t kind[KINDS], entries;
};

static void count(struct counts *c)
{
    char name[96];

    for (unsigned n = 0; n < KINDS && shape.is_cluster; n++) {
        snprintf(name, sizeof(name), "vstack_meta_op_seconds_count{op=\"%s\"}", kinds[n]);
        c->kind[n] = mount_shape_counted(&shape, name);
    }
    if (shape.is_cluster)
        c->entries = mount_shape_entries(&shape);
}

static void counts_lines(const char *what, const struct counts *before, unsigned long files)
{
    struct counts after;
    char name[96];

    if (!shape.is_cluster)
        return;
    count(&after);
    for (unsigned n = 0; n < KINDS; n++) {
        snprintf(name, sizeof(name), "%s_%ss_each", what, kinds[n]);
        shape_line(name, (double)(after.kind[n] - before->kind[n]) / (double)files, "questions");
    }
    snprintf(name, sizeof(name), "%s_entries_each", what);
    shape_line(name, (double)(after.entries - before->entries) / (double)files, "entries");
}

static void bench_writers_of(const char *what, unsigned threads, int flags, bool own)
{
    struct writers w = { .count = setting("MOUNT_BENCH_FILES", FILES_DEFAULT),
                         .bytes = SMALL_BYTES,
                         .flags = flags,
                         .own = own };
    double rate[BENCH_ROUNDS], cpu = bench_cpu_seconds(mount_shape_pid(&shape));
    struct counts before;
    char name[64];

    count(&before);
    for (unsigned n = 0; n < BENCH_ROUNDS; n++) {
        snprintf(name, sizeof(name), "%s-%u", what, n);
        rate[n] = (double)w.count / write_files(name, threads, &w);
    }
    cpu = bench_cpu_seconds(mount_shape_pid(&shape)) - cpu;
    shape_line(what, bench_median(rate), "files/s");
    snprintf(name, sizeof(name), "%s_cpu_each", what);
    shape_line(name, cpu * 1e3 / (double)(BENCH_ROUNDS * w.count), "ms");
    counts_lines(what, &before, BENCH_ROUNDS * w.count);
}

static void bench_writers(void)
{
    mount_shape_mount(&shape, 1);
    bench_writers_of("creates_1_writer", 1, 0, false);
    bench_writers_of("creates_8_writers", 8, 0, false);
    bench_writers_of("creates_8_writers_8_folders", 8, 0, true);
    bench_writers_of("exclusive_creates_8_writers", 8, O_EXCL, false);
    if (!shape.is_cluster)
        return;
    mount_shape_mount(&shape, 2);
    bench_writers_of("creates_2_mounts_8_writers", 8, 0, false);
}

/* ---- listings ---------------------------------------------------------------------------------
 */

/* As `ls -l` does: every name, then the attributes of each. */
static double list_folder(const char *name, unsigned long expected)
{
    char path[MOUNT_SHAPE_PATH_BYTES + 64];
    unsigned long seen = 0;
    const struct dirent *e;
    struct stat st;
    int64_t began;
    DIR *d;

    snprintf(path, sizeof(path), "%s/%s", shape.mnt[0], name);
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
    if (seen != expected)
        bench_die("%s: %lu names were listed, %lu are there", path, seen, expected);
    return bench_seconds_since(began);
}

static void bench_lists(unsigned long many)
{
    double s[BENCH_ROUNDS], before[BENCH_ROUNDS], after[BENCH_ROUNDS];
    struct counts c;

    for (unsigned n = 0; n < BENCH_ROUNDS; n++) {
        mount_shape_mount(&shape, 1);
        count(&c);
        s[n] = list_folder("few", ENTRIES_FEW) * 1e3;
    }
    shape_line("ls_l_1000_cold", bench_median(s), "ms");
    counts_lines("ls_l_1000", &c, 1);
    for (unsigned n = 0; n < BENCH_ROUNDS; n++) {
        mount_shape_mount(&shape, 1);
        before[n] = resident_mib(mount_shape_pid(&shape));
        s[n] = list_folder("many", many);
        after[n] = resident_mib(mount_shape_pid(&shape));
    }
    shape_line("ls_l_many_entries", (double)many, "entries");
    shape_line("ls_l_many_cold", bench_median(s), "s");
    shape_line("resident_before", bench_median(before), "MiB");
    shape_line("resident_after", bench_median(after), "MiB");
}

/* ---- lookups ----------------------------------------------------------------------------------
 */

struct lookups {
    unsigned long many, count;
    atomic_ulong next;
};

/* Names that lie far from each other, each once. */
static void *looker(void *arg)
{
    struct lookups *l = arg;
    unsigned long n;

    while ((n = atomic_fetch_add(&l->next, 1)) < l->count) {
        char path[MOUNT_SHAPE_PATH_BYTES + 64];
        struct stat st;

        snprintf(path, sizeof(path), "%s/many/file-%lu", shape.mnt[0], n * 7919 % l->many);
        if (stat(path, &st) < 0)
            bench_die("%s: %s", path, strerror(errno));
    }
    return NULL;
}

static void bench_lookups(unsigned long many, unsigned threads)
{
    double rate[BENCH_ROUNDS];
    char name[64];

    for (unsigned n = 0; n < BENCH_ROUNDS; n++) {
        struct lookups l = { .many = many, .count = many < LOOKUPS ? many : LOOKUPS };
        int64_t began;

        mount_shape_mount(&shape, 1);
        began = bench_now_ns();
        run_threads(threads, looker, &l);
        rate[n] = (double)l.count / bench_seconds_since(began);
    }
    snprintf(name, sizeof(name), "lookups_cold_%u_threads", threads);
    shape_line(name, bench_median(rate), "lookups/s");
}

/* ---- opening ----------------------------------------------------------------------------------
 */

/* Open, one page from the middle, close: by a mount that has just begun. */
static double open_cold(const char *name)
{
    char path[MOUNT_SHAPE_PATH_BYTES + 64], page[4096];
    struct stat st;
    int64_t began;
    int fd;

    mount_shape_mount(&shape, 1);
    snprintf(path, sizeof(path), "%s/%s", shape.mnt[0], name);
    (void)stat(shape.mnt[0], &st); /* the first question makes a connection */
    began = bench_now_ns();
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || pread(fd, page, sizeof(page), st.st_size / 2) < 0)
        bench_die("%s: %s", path, strerror(errno));
    close(fd);
    return bench_seconds_since(began) * 1e3;
}

static const struct {
    const char *name;
    uint64_t chunks;
} films[] = { { "open_40_mb_cold", 10 }, { "open_100_gb_cold", 25600 } };
#define FILMS (sizeof(films) / sizeof(films[0]))

/* In turns, the best of some: what one costs more than the other, and not what else runs here. */
static void bench_opens(void)
{
    double ms[FILMS][BENCH_ROUNDS];
    struct counts before;

    if (!shape.is_cluster)
        return;
    for (unsigned i = 0; i < FILMS; i++)
        mount_shape_large(&shape, films[i].name, films[i].chunks);
    for (unsigned n = 0; n < BENCH_ROUNDS * OPENS; n++) {
        for (unsigned i = 0; i < FILMS; i++) {
            double one = open_cold(films[i].name), *best = &ms[i][n / OPENS];

            *best = n % OPENS == 0 || one < *best ? one : *best;
        }
    }
    for (unsigned i = 0; i < FILMS; i++) {
        shape_line(films[i].name, bench_median(ms[i]), "ms");
        count(&before);
        (void)open_cold(films[i].name);
        counts_lines(films[i].name, &before, 1);
    }
}

static void bench_shape(const char *base, bool is_cluster)
{
    unsigned long many = setting("MOUNT_BENCH_ENTRIES", ENTRIES_DEFAULT);
    struct writers few = { .count = ENTRIES_FEW }, all = { .count = many };
    const char *only = getenv("MOUNT_BENCH_SHAPES");

    if (only != NULL && strcmp(only, is_cluster ? "cluster" : "embedded") != 0)
        return;
    mount_shape_make(&shape, base, is_cluster);
    bench_writers();
    mount_shape_mount(&shape, 1);
    write_files("few", MAKERS, &few);
    write_files("many", THREADS_MAX, &all);
    bench_lists(many);
    bench_lookups(many, 8);
    bench_lookups(many, 64);
    bench_opens();
    mount_shape_end(&shape);
}

int main(int argc, char **argv)
{
    const char *base = argc > 1 ? argv[1] : getenv("BENCH_DIR");
    char dir[TEMP_DIR_BYTES];

    setenv("TMPDIR", base != NULL ? base : "/tmp", 1);
    temp_dir_make(dir);
    bench_shape(dir, false);
    bench_shape(dir, true);
    temp_dir_remove(dir);
    return 0;
}
