/* meta_bench: the metadata in this process, on a real disk, as lines "name value unit".
 *
 *     meta_bench [DIR]      DIR: an existing directory with room, default $BENCH_DIR or /tmp
 *
 * META_BENCH_FILES (default 20000) and META_BENCH_CHUNKS (default 200000) are the sizes of the
 * large state: 1000000 and 10000000 take minutes and 3 GiB. Before each start what was stored is
 * dropped from the page cache. Everything is removed at the end.
 *
 * Failure modes: any error is said on stderr, and the exit code is 1. */
#include "bench/bench.h"
#include "bench/meta_load.h"
#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/manifest.h"
#include "meta/meta_local.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES_DEFAULT  20000ul
#define CHUNKS_DEFAULT 200000ul
#define SMALL_BYTES    1024
#define LIST_FEW       1000ul
#define LIST_MANY      100000ul
#define LARGE_CHUNKS   25600u /* 100 GiB in chunks of 4 MiB */
#define OPENS          2000

static char dir[TEMP_DIR_BYTES];

static struct meta_client *open_meta(bool create)
{
    struct meta_local_config config = {
        .dir = dir, .create = create, .cluster = { { 1 } }, .clock = &vs_clock_system
    };
    struct meta_client *meta;
    int r = meta_local_open(&meta, &config);

    if (r < 0)
        bench_die("meta_bench: %s: %s", dir, vs_err_text(r));
    return meta;
}

static void drop_pages(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)fdatasync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

static unsigned long long disk_bytes; /* of the last walk */

static int walk_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)walk;
    if (kind == FTW_F) {
        disk_bytes += (unsigned long long)st->st_blocks * 512;
        drop_pages(path);
    }
    return 0;
}

/* Bytes of a store on the disk; what is in the page cache goes. */
static double disk_walk(const char *name)
{
    char path[TEMP_DIR_BYTES + 32];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    disk_bytes = 0;
    (void)nftw(path, walk_one, 16, FTW_PHYS);
    return (double)disk_bytes;
}

static double resident_mib(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f != NULL && fscanf(f, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    if (f != NULL)
        fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* ---- small files ------------------------------------------------------------------------------
 */

static void bench_creates(struct meta_client *meta)
{
    static const unsigned windows[] = { 1, 8, 64 };

    for (unsigned i = 0; i < 3; i++) {
        struct meta_load l = { .meta = meta, .window = windows[i] };
        unsigned long count = windows[i] == 1 ? 2000 : 10000;
        uint64_t before = meta_load_stats(meta).synced_batches, parent;
        char name[64];
        double s;

        snprintf(name, sizeof(name), "small-%u", windows[i]);
        parent = meta_load_mkdir(meta, name);
        s = meta_load_create(&l, parent, count, SMALL_BYTES);
        snprintf(name, sizeof(name), "meta_creates_%u_at_a_time", windows[i]);
        bench_line(name, (double)count / s, "files/s");
        snprintf(name, sizeof(name), "meta_syncs_per_create_%u_at_a_time", windows[i]);
        bench_line(name, (double)(meta_load_stats(meta).synced_batches - before) / (double)count,
                   "syncs");
    }
}

static void bench_lists(struct meta_client **meta)
{
    struct meta_load l = { .meta = *meta, .window = 512 };
    uint64_t few = meta_load_mkdir(*meta, "few"), many = meta_load_mkdir(*meta, "many");
    double resident;

    meta_load_create(&l, few, LIST_FEW, 0);
    meta_load_create(&l, many, LIST_MANY, 0);
    meta_client_stop(*meta);
    disk_walk("namespace");
    *meta = open_meta(false);
    bench_line("meta_list_1000_cold", meta_load_list(*meta, few, LIST_FEW) * 1000, "ms");
    resident = resident_mib();
    bench_line("meta_list_100000_cold", meta_load_list(*meta, many, LIST_MANY) * 1000, "ms");
    bench_line("meta_list_100000_memory", resident_mib() - resident, "MiB");
    l = (struct meta_load){ .meta = *meta, .window = 64 };
    bench_line("meta_lookups", (double)LIST_MANY / meta_load_lookup(&l, many, LIST_MANY),
               "lookups/s");
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static uint64_t make_film(struct meta_client *meta, const char *name, unsigned chunks)
{
    unsigned segments = (chunks + MF_SEGMENT_CHUNKS - 1) / MF_SEGMENT_CHUNKS;
    struct mf_head head = { .size = (uint64_t)chunks << 22,
                            .chunk_count = chunks,
                            .segments = calloc(segments, sizeof(*head.segments)),
                            .segment_count = segments };
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .now = { 1, 0 }, .count = 1 };
    struct meta_req r = { .op = META_CHANGE, .entry = &reserve };
    struct vs_buf bytes = { 0 };
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .now = { 1, 0 },
                          .parent = NS_INO_ROOT,
                          .name = name,
                          .name_len = strlen(name),
                          .attr = { .mode = S_IFREG | 0644 } };

    VS_ASSERT(head.segments != NULL && meta_call(meta, &r) == 0);
    e.ino = r.answer.first;
    for (unsigned i = 0; i < segments; i++)
        head.segments[i] = (struct mf_segment_ref){
            .id = vs_id_make(meta->pid, meta->inc, (UINT64_C(1) << 40) + i, VS_ID_SEGMENT),
            .offset = (uint64_t)i * MF_SEGMENT_CHUNKS << 22,
            .count = i + 1 < segments ? MF_SEGMENT_CHUNKS : chunks - i * MF_SEGMENT_CHUNKS,
        };
    VS_ASSERT(mf_head_encode(&head, &bytes) == 0);
    e.content = (struct ns_new_content){ .kind = NS_CONTENT_CHUNKS,
                                         .bytes = bytes.data,
                                         .bytes_len = bytes.len,
                                         .size = head.size,
                                         .data_bytes = head.size,
                                         .stored_bytes = head.size };
    r = (struct meta_req){ .op = META_CHANGE, .entry = &e };
    if (meta_call(meta, &r) < 0)
        bench_die("a file of %u chunks: %s", chunks, vs_err_text(r.status));
    vs_buf_close(&bytes);
    free(head.segments);
    return e.ino;
}

/* What opening asks of the metadata: the attributes and the manifest's head. */
static double open_us(struct meta_client *meta, uint64_t ino)
{
    int64_t began = bench_now_ns();

    for (unsigned i = 0; i < OPENS; i++) {
        struct meta_req r = { .op = META_CONTENT, .ino = ino };
        struct mf_head head;

        if (meta_call(meta, &r) < 0 || mf_head_decode(r.bytes.data, r.bytes.len, &head) < 0)
            bench_die("a file cannot be opened: %s", vs_err_text(r.status));
        mf_head_close(&head);
        vs_buf_close(&r.bytes);
    }
    return bench_seconds_since(began) * 1e6 / OPENS;
}

static void bench_opens(struct meta_client *meta)
{
    uint64_t small = make_film(meta, "small.mkv", 1);
    uint64_t large = make_film(meta, "large.mkv", LARGE_CHUNKS);
    double s[BENCH_ROUNDS], l[BENCH_ROUNDS];

    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        s[i] = open_us(meta, small);
        l[i] = open_us(meta, large);
    }
    bench_line("meta_open_4_mib", bench_median(s), "us");
    bench_line("meta_open_100_gib", bench_median(l), "us");
}

/* ---- a large state ----------------------------------------------------------------------------
 */

static unsigned long env_count(const char *name, unsigned long fallback)
{
    const char *text = getenv(name);
    unsigned long n = text != NULL ? strtoul(text, NULL, 10) : 0;

    return n > 0 ? n : fallback;
}

static void start_line(const char *name)
{
    struct meta_client *meta;
    int64_t began;

    disk_walk("acceptor");
    disk_walk("namespace");
    began = bench_now_ns();
    meta = open_meta(false);
    bench_line(name, bench_seconds_since(began), "s");
    meta_client_stop(meta);
}

static void bench_large(struct meta_client *meta)
{
    unsigned long files = env_count("META_BENCH_FILES", FILES_DEFAULT);
    unsigned long chunks = env_count("META_BENCH_CHUNKS", CHUNKS_DEFAULT);
    struct meta_load names = { .meta = meta, .window = 512 }, regs = { .meta = meta, .window = 16 };
    double acceptor = disk_walk("acceptor"), namespace = disk_walk("namespace");

    bench_line("meta_large_files", (double)files, "files");
    bench_line("meta_large_creates",
               (double)files /
                   meta_load_create_films(&names, meta_load_mkdir(meta, "large"), files),
               "files/s");
    bench_line("meta_large_chunks", (double)chunks, "chunks");
    bench_line("meta_placements_batched", (double)chunks / meta_load_registers(&regs, chunks, 64),
               "chunks/s");
    bench_line("meta_large_memory", resident_mib(), "MiB");
    meta_client_stop(meta);
    bench_line("meta_bytes_per_chunk", (disk_walk("acceptor") - acceptor) / (double)chunks,
               "bytes");
    bench_line("meta_bytes_per_file", (disk_walk("namespace") - namespace) / (double)files,
               "bytes");
    start_line("meta_large_start");
}

/* A life that ends like a kill -9 behind its last answer, with a tail to replay. */
static void bench_start_after_kill(void)
{
    pid_t child = fork();
    int status;

    VS_ASSERT(child >= 0);
    if (child == 0) {
        struct meta_client *meta = open_meta(false);
        struct meta_load l = { .meta = meta, .window = 64 };

        meta_load_create(&l, meta_load_mkdir(meta, "tail"), 3000, SMALL_BYTES);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0)
        bench_die("meta_bench: the life before the kill failed");
    start_line("meta_large_start_after_kill");
}

int main(int argc, char **argv)
{
    const char *base = argc > 1 ? argv[1] : getenv("BENCH_DIR");
    struct meta_client *meta;

    setenv("TMPDIR", base != NULL ? base : "/tmp", 1);
    temp_dir_make(dir);
    meta = open_meta(true);
    bench_creates(meta);
    bench_lists(&meta);
    bench_opens(meta);
    bench_large(meta);
    bench_start_after_kill();
    temp_dir_remove(dir);
    return 0;
}
