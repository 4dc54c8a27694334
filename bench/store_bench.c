/* store_bench: figures of the superblock store on a real disk, as lines "name value unit".
 *
 *     store_bench [DIR]      DIR: an existing directory with room, default $BENCH_DIR or /tmp
 *
 * STORE_BENCH_RECORDS (default 1000000; 4 KiB of disk each) and STORE_BENCH_MIB (default 1024)
 * change the sizes. Each phase is a process of its own, so that its memory is its own; a run that
 * is to be recovered from ends without a stop, like a kill -9. What was read before a start is
 * dropped from the page cache. Everything is removed at the end.
 *
 * Failure modes: any error of the store is said on stderr, and the exit code is 1. */
#include "common/err.h"
#include "common/rand.h"
#include "node/sb_store.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS_DEFAULT 1000000ul
#define MIB_DEFAULT     1024ul
#define FRAG_BYTES      1398102u /* a third of 4 MiB */
#define STREAMS         8u       /* uploads at the same time: keys ascend in each */
#define WINDOW          512u     /* requests in flight, small ones */
#define WINDOW_BIG      32u
#define TAIL            1000u /* records behind the checkpoint */

static const struct vs_id cluster = { { 1 } }, node = { { 2 } };

struct bench {
    char dir[128];
    unsigned long records, mib;
};

static int64_t now_ns(void)
{
    return vs_now_ns(&vs_clock_system);
}

static double seconds_since(int64_t began_ns)
{
    return (double)(now_ns() - began_ns) / (double)VS_NS_PER_S;
}

static void line(const char *name, double value, const char *unit)
{
    printf("%-44s %12.3f %s\n", name, value, unit);
    fflush(stdout);
}

/* Resident memory of this process, in bytes. */
static double resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f != NULL) {
        if (fscanf(f, "%lu %lu", &size, &resident) != 2)
            resident = 0;
        fclose(f);
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* ---- the store --------------------------------------------------------------------------------
 */

static struct vs_io *open_dir(const struct bench *b)
{
    struct vs_io *io = NULL;
    int r = vs_io_posix_new(&io, b->dir);

    if (r < 0) {
        fprintf(stderr, "store_bench: %s: %s\n", b->dir, vs_err_text(r));
        exit(1);
    }
    return io;
}

static struct chunk_store *open_store(const struct bench *b, struct sb_recovery *ret)
{
    struct sb_store_config config = {
        .io = open_dir(b), .cluster = cluster, .node = node, .gather_us = 500
    };
    struct chunk_store *s;
    int r = sb_store_open(&s, &config, ret);

    if (r < 0) {
        fprintf(stderr, "store_bench: %s does not open: %s\n", b->dir, vs_err_text(r));
        exit(1);
    }
    return s;
}

static int drop_one(void *arg, const char *name, uint64_t file_bytes)
{
    struct vs_file *f;

    (void)file_bytes;
    if (vs_io_open(arg, name, VS_IO_READ, &f) == 0) {
        vs_file_drop_cache(f, 0, UINT64_C(1) << 40);
        vs_file_close(f);
    }
    return 0;
}

static int unlink_one(void *arg, const char *name, uint64_t file_bytes)
{
    (void)file_bytes;
    return vs_io_unlink(arg, name);
}

static int unlink_checkpoint(void *arg, const char *name, uint64_t file_bytes)
{
    return strncmp(name, "idx-", 4) == 0 ? unlink_one(arg, name, file_bytes) : 0;
}

static void each_file(const struct bench *b, vs_io_list_fn *fn)
{
    struct vs_io *io = open_dir(b);

    (void)vs_io_list(io, fn, io);
    vs_io_free(io);
}

/* ---- puts -------------------------------------------------------------------------------------
 */

struct bench_put {
    struct store_put put;
    sem_t *done;
    bool busy;
};

static void put_done(struct store_put *p)
{
    struct bench_put *bp = vs_container_of(p, struct bench_put, put);

    if (p->status != 0) {
        fprintf(stderr, "store_bench: a put failed: %s\n", vs_err_text(p->status));
        _exit(1);
    }
    __atomic_store_n(&bp->busy, false, __ATOMIC_RELEASE);
    sem_post(bp->done);
}

static void take(sem_t *sem)
{
    while (sem_wait(sem) < 0)
        continue;
}

/* Key `i`: of several streams, each ascending. */
static struct frag_key key_of(uint64_t i)
{
    return (struct frag_key){ vs_id_make((uint16_t)(1 + i % STREAMS), 1, i / STREAMS, VS_ID_CHUNK),
                              (uint8_t)(i % 5), 1 };
}

/* Put the keys first .. last - 1 of `bytes` bytes each, `window` at a time. */
static void put_many(struct chunk_store *s, uint64_t first, uint64_t last, size_t bytes,
                     unsigned window)
{
    static const struct frag_note note = {
        .red = { VS_RED_RS, 3, 2 }, .chunk_bytes = 4u << 20, .name_bytes = 8, .name = "film.mkv"
    };
    struct bench_put *puts = calloc(window, sizeof(*puts));
    uint8_t *data = malloc(bytes + 1), sha[VS_SHA256_BYTES];
    struct vs_rand r;
    unsigned at = 0;
    sem_t done;

    if (puts == NULL || data == NULL)
        exit(1);
    vs_rand_init(&r, 1);
    vs_rand_bytes(&r, data, bytes);
    vs_sha256(data, bytes, sha);
    sem_init(&done, 0, window);
    for (uint64_t i = first; i < last; i++) {
        take(&done);
        while (__atomic_load_n(&puts[at].busy, __ATOMIC_ACQUIRE))
            at = (at + 1) % window;
        puts[at].done = &done;
        puts[at].busy = true;
        puts[at].put = (struct store_put){
            .key = key_of(i), .note = &note, .data = data, .bytes = bytes, .done = put_done
        };
        memcpy(puts[at].put.sha256, sha, sizeof(sha));
        chunk_store_put(s, &puts[at].put);
    }
    for (unsigned i = 0; i < window; i++)
        take(&done);
    sem_destroy(&done);
    free(data);
    free(puts);
}

/* ---- phases, each a process -------------------------------------------------------------------
 */

static void phase_fill(const struct bench *b)
{
    struct sb_recovery rec;
    struct chunk_store *s = open_store(b, &rec);
    double before = resident_bytes();
    int64_t began_ns = now_ns();

    put_many(s, 0, b->records, 0, WINDOW);
    line("store_put_empty", (double)b->records / seconds_since(began_ns), "1/s");
    line("store_memory_per_fragment_put", (resident_bytes() - before) / (double)b->records,
         "bytes");
    began_ns = now_ns();
    if (sb_store_checkpoint(s) < 0)
        exit(1);
    line("store_checkpoint_write", seconds_since(began_ns), "s");
    put_many(s, b->records, b->records + TAIL, 0, WINDOW);
    _exit(0); /* no stop: the next start has to recover */
}

/* Open, say how long it took and what it costs; `name` of the figure. */
static void start(const struct bench *b, const char *name, bool memory)
{
    struct sb_recovery rec;
    struct chunk_store *s;
    double before;
    int64_t began_ns;

    each_file(b, drop_one);
    before = resident_bytes();
    began_ns = now_ns();
    s = open_store(b, &rec);
    line(name, seconds_since(began_ns), "s");
    if (rec.fragments != b->records + TAIL || rec.corrupt > 0) {
        fprintf(stderr, "store_bench: %lu fragments, %lu corrupt\n", (unsigned long)rec.fragments,
                (unsigned long)rec.corrupt);
        exit(1);
    }
    if (memory)
        line("store_memory_per_fragment_start", (resident_bytes() - before) / (double)rec.fragments,
             "bytes");
    chunk_store_stop(s);
}

static void phase_start_recovery(const struct bench *b)
{
    start(b, "store_start_recovery", true);
}

static void phase_start_clean(const struct bench *b)
{
    start(b, "store_start_clean", false);
}

static void phase_start_walk(const struct bench *b)
{
    each_file(b, unlink_checkpoint);
    start(b, "store_start_no_checkpoint", false);
}

/* Sequential writes with one fdatasync for each MiB: what the disk can do. */
static double raw_mib_s(const struct bench *b)
{
    static uint8_t mib[1 << 20];
    char path[160];
    int64_t began_ns;
    double s;
    int fd;

    snprintf(path, sizeof(path), "%s/raw", b->dir);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        exit(1);
    memset(mib, 0x5a, sizeof(mib));
    began_ns = now_ns();
    for (unsigned long i = 0; i < b->mib; i++)
        if (pwrite(fd, mib, sizeof(mib), (off_t)(i << 20)) != (ssize_t)sizeof(mib) ||
            fdatasync(fd) < 0)
            exit(1);
    s = seconds_since(began_ns);
    close(fd);
    (void)unlink(path);
    return (double)b->mib / s;
}

static void phase_put(const struct bench *b)
{
    uint64_t count = ((uint64_t)b->mib << 20) / FRAG_BYTES, first = UINT64_C(1) << 40;
    double raw = raw_mib_s(b), put;
    struct sb_recovery rec;
    struct chunk_store *s;
    int64_t began_ns;

    each_file(b, unlink_one);
    {
        struct vs_io *io = open_dir(b);

        if (sb_store_format(io, &cluster, &node) < 0)
            exit(1);
        vs_io_free(io);
    }
    s = open_store(b, &rec);
    put_many(s, first, first + WINDOW_BIG, FRAG_BYTES, WINDOW_BIG); /* warm */
    began_ns = now_ns();
    put_many(s, first + WINDOW_BIG, first + WINDOW_BIG + count, FRAG_BYTES, WINDOW_BIG);
    put = (double)count * FRAG_BYTES / (1 << 20) / seconds_since(began_ns);
    chunk_store_stop(s);
    line("raw_write_sync_per_mib", raw, "MiB/s");
    line("store_put", put, "MiB/s");
    line("store_put_of_raw", put / raw, "x");
}

/* ---- all --------------------------------------------------------------------------------------
 */

static int run(const struct bench *b, void (*phase)(const struct bench *b))
{
    pid_t pid = fork();
    int status;

    if (pid < 0)
        return 1;
    if (pid == 0) {
        phase(b);
        exit(0);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static unsigned long size_of(const char *name, unsigned long otherwise)
{
    const char *word = getenv(name);
    unsigned long n = word != NULL ? strtoul(word, NULL, 10) : 0;

    return n > 0 ? n : otherwise;
}

int main(int argc, char **argv)
{
    void (*const phases[])(const struct bench *b) = { phase_fill, phase_start_recovery,
                                                      phase_start_clean, phase_start_walk,
                                                      phase_put };
    const char *where = argc > 1 ? argv[1] : getenv("BENCH_DIR");
    struct bench b = { .records = size_of("STORE_BENCH_RECORDS", RECORDS_DEFAULT),
                       .mib = size_of("STORE_BENCH_MIB", MIB_DEFAULT) };
    struct vs_io *io;
    int r = 0;

    snprintf(b.dir, sizeof(b.dir), "%.100s/vs-store-bench-XXXXXX", where != NULL ? where : "/tmp");
    if (mkdtemp(b.dir) == NULL) {
        fprintf(stderr, "store_bench: %s: cannot be made\n", b.dir);
        return 1;
    }
    io = open_dir(&b);
    r = sb_store_format(io, &cluster, &node) < 0;
    vs_io_free(io);
    line("store_records", (double)b.records, "records");
    for (unsigned i = 0; r == 0 && i < sizeof(phases) / sizeof(phases[0]); i++)
        r = run(&b, phases[i]);
    each_file(&b, unlink_one);
    (void)rmdir(b.dir);
    return r;
}
