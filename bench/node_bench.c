/* node_bench: a storage node and its client, measured beside what they are made of, as lines
 * "name value unit". Medians of three rounds; what is compared runs in turns.
 *
 *     node_bench [DIR]      DIR: an existing directory with room, default $BENCH_DIR or /tmp
 *
 *   bare_get, node_get        GET of 1.33 MiB fragments from the page cache, five at a time:
 *                             libmicrohttpd and libcurl alone; vstack-node and its client, every
 *                             byte verified
 *   node_get_64k_N, _frag_N   N requests in flight all the time, of one block or of a whole
 *                             fragment: the latency is the queue
 *   node_paced_64k_N, _frag_N N streams that together ask for half of that: what a player waits
 *   raw_write, node_put       sequential writes with one fdatasync per MiB; durable fragments over
 *                             HTTP, 32 at a time, in group commits
 *   node_idle_*, node_ping_*  many idle connections: memory of the node per connection, and how a
 *                             ping is answered beside them, and beside readers at full speed
 *
 * The node is $VSTACK_NODE or the one beside this program's folder. NODE_BENCH_IDLE (default 10000)
 * and NODE_BENCH_MIB (default 512) change the sizes. Failure modes: anything that goes wrong is
 * said on stderr, exit code 1. */
#include "bench/bare_http.h"
#include "bench/idle_conns.h"
#include "bench/node_load.h"
#include "common/err.h"
#include "common/thread.h"
#include "node/store_http.h"
#include "tests/support/node_proc.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAGMENTS    96u /* 128 MiB, in the page cache */
#define GET_WINDOW   5u
#define GET_S        1.5
#define LATENCY_S    2.0
#define PUT_WINDOW   32u
#define TIMES_MAX    2000000u
#define IDLE_DEFAULT 10000ul
#define MIB_DEFAULT  512ul

struct bench {
    char dir[TEMP_DIR_BYTES], data[TEMP_DIR_BYTES + 8], file[TEMP_DIR_BYTES + 8];
    struct bare_server bare;
    struct node_proc node;
    struct vs_exec *exec;
    struct http_client *client;
    struct chunk_store *store;
    struct node_load load;
    uint64_t next_key;
};

static unsigned long size_of(const char *name, unsigned long otherwise)
{
    const char *word = getenv(name);
    unsigned long n = word != NULL ? strtoul(word, NULL, 10) : 0;

    return n > 0 ? n : otherwise;
}

/* ---- up and down ------------------------------------------------------------------------------
 */

static void write_objects(const struct bench *b)
{
    int fd = open(b->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    for (unsigned i = 0; i < FRAGMENTS; i++)
        if (write(fd, b->load.payload, NODE_LOAD_FRAG_BYTES) != NODE_LOAD_FRAG_BYTES)
            bench_die("%s cannot be written", b->file);
    close(fd);
}

static void open_store(struct bench *b, unsigned connections)
{
    const struct store_http_config config = {
        .client = b->client,
        .exec = b->exec,
        .origin = b->node.origin,
        .name = "bench",
        .connections_max = connections,
        .get_timeout_ms = 60000,
        .put_timeout_ms = 60000,
    };

    chunk_store_stop(b->store);
    if (store_http_new(&b->store, &config) < 0)
        bench_die("the client does not start");
    b->load.store = b->store;
}

static void bench_up(struct bench *b)
{
    snprintf(b->data, sizeof(b->data), "%s/data", b->dir);
    snprintf(b->file, sizeof(b->file), "%s/file", b->dir);
    node_load_init(&b->load, NULL);
    write_objects(b);
    bare_server_start(&b->bare, b->file, FRAGMENTS, NODE_LOAD_FRAG_BYTES);
    if (node_proc_start(&b->node, "bench", b->data, 0, NULL) < 0)
        bench_die("vstack-node does not start; build it with: make");
    if (vs_exec_start(&b->exec, "bench", 1) < 0 || http_client_start(&b->client, b->exec) < 0)
        bench_die("the client does not start");
    open_store(b, GET_WINDOW);
    node_load_put(&b->load, 0, FRAGMENTS, PUT_WINDOW);
    b->next_key = FRAGMENTS;
}

static void bench_down(struct bench *b)
{
    chunk_store_stop(b->store);
    http_client_stop(b->client);
    vs_exec_stop(b->exec);
    bare_server_stop(&b->bare);
    if (node_proc_stop(&b->node) != 0)
        bench_die("vstack-node did not end well");
    node_load_close(&b->load);
    temp_dir_remove(b->dir);
}

/* ---- gets -------------------------------------------------------------------------------------
 */

static double get_all(struct bench *b, unsigned window, double seconds, struct bench_times *times)
{
    return node_load_get(&b->load, 0, FRAGMENTS, NODE_LOAD_FRAG_BYTES, window, seconds, times);
}

/* MB/s and CPU seconds per GiB, server and client, of one run. */
struct speed {
    double mb_s, cpu;
};

static struct speed speed_of(double mb_s, double cpu_s, double wall_s)
{
    return (struct speed){ mb_s, cpu_s / (mb_s * wall_s * 1e6 / (double)(1 << 30)) };
}

static struct speed get_once(struct bench *b, bool bare)
{
    int pid = bare ? b->bare.pid : b->node.pid;
    double cpu = bench_cpu_seconds(pid), mb_s;
    int64_t began_ns = bench_now_ns();

    mb_s = bare ? bare_get(&b->bare, FRAGMENTS, NODE_LOAD_FRAG_BYTES, GET_WINDOW, GET_S)
                : get_all(b, GET_WINDOW, GET_S, NULL);
    return speed_of(mb_s, bench_cpu_seconds(pid) - cpu, bench_seconds_since(began_ns));
}

static void measure_get(struct bench *b)
{
    double bare[BENCH_ROUNDS], node[BENCH_ROUNDS], ratio[BENCH_ROUNDS];
    double bare_cpu[BENCH_ROUNDS], node_cpu[BENCH_ROUNDS];

    get_once(b, false); /* into the page cache */
    get_once(b, true);
    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        struct speed x = get_once(b, true), y = get_once(b, false);

        bare[i] = x.mb_s;
        bare_cpu[i] = x.cpu;
        node[i] = y.mb_s;
        node_cpu[i] = y.cpu;
        ratio[i] = y.mb_s / x.mb_s;
    }
    bench_line("bare_get", bench_median(bare), "MB/s");
    bench_line("bare_get_cpu", bench_median(bare_cpu), "s/GiB");
    bench_line("node_get", bench_median(node), "MB/s");
    bench_line("node_get_cpu", bench_median(node_cpu), "s/GiB");
    bench_line("node_get_of_bare", bench_median(ratio), "x");
}

/* `window` streams of requests of `bytes` that ask for half of `mb_s`. */
static void measure_paced(struct bench *b, const char *what, uint32_t bytes, unsigned window,
                          double mb_s)
{
    double p50[BENCH_ROUNDS], p99[BENCH_ROUNDS];
    char name[64];

    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        struct bench_times times;

        bench_times_init(&times, TIMES_MAX);
        node_load_get_paced(&b->load, 0, FRAGMENTS, bytes, window, mb_s / 2, LATENCY_S, &times);
        p50[i] = bench_times_percentile(&times, 50);
        p99[i] = bench_times_percentile(&times, 99);
        bench_times_close(&times);
    }
    snprintf(name, sizeof(name), "node_paced_%s_%u", what, window);
    bench_line(name, mb_s / 2, "MB/s");
    snprintf(name, sizeof(name), "node_paced_%s_%u_p50", what, window);
    bench_line(name, bench_median(p50), "ms");
    snprintf(name, sizeof(name), "node_paced_%s_%u_p99", what, window);
    bench_line(name, bench_median(p99), "ms");
}

/* `window` requests of `bytes` in flight: three lines; and the same streams paced.
 * What they got, in MB/s. */
static double measure_latency(struct bench *b, const char *what, uint32_t bytes, unsigned window)
{
    double rate[BENCH_ROUNDS], p50[BENCH_ROUNDS], p99[BENCH_ROUNDS];
    char name[64];

    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        struct bench_times times;

        bench_times_init(&times, TIMES_MAX);
        rate[i] = node_load_get(&b->load, 0, FRAGMENTS, bytes, window, LATENCY_S, &times);
        p50[i] = bench_times_percentile(&times, 50);
        p99[i] = bench_times_percentile(&times, 99);
        bench_times_close(&times);
    }
    snprintf(name, sizeof(name), "node_get_%s_%u", what, window);
    bench_line(name, bench_median(rate), "MB/s");
    snprintf(name, sizeof(name), "node_get_%s_%u_p50", what, window);
    bench_line(name, bench_median(p50), "ms");
    snprintf(name, sizeof(name), "node_get_%s_%u_p99", what, window);
    bench_line(name, bench_median(p99), "ms");
    measure_paced(b, what, bytes, window, bench_median(rate));
    return bench_median(rate);
}

/* ---- puts -------------------------------------------------------------------------------------
 */

/* Sequential writes with one fdatasync for each MiB: what the disk can do. */
static double raw_write(const struct bench *b, unsigned long mib)
{
    static uint8_t block[1 << 20];
    char path[TEMP_DIR_BYTES + 8];
    int64_t began_ns;
    double took;
    int fd;

    snprintf(path, sizeof(path), "%s/raw", b->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    memset(block, 0x5a, sizeof(block));
    began_ns = bench_now_ns();
    for (unsigned long i = 0; i < mib; i++)
        if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) || fdatasync(fd) < 0)
            bench_die("%s cannot be written", path);
    took = bench_seconds_since(began_ns);
    close(fd);
    (void)unlink(path);
    return (double)mib / took;
}

static void measure_put(struct bench *b)
{
    unsigned long mib = size_of("NODE_BENCH_MIB", MIB_DEFAULT);
    unsigned count = (unsigned)(mib * (1 << 20) / NODE_LOAD_FRAG_BYTES);
    double raw[BENCH_ROUNDS], put[BENCH_ROUNDS], ratio[BENCH_ROUNDS];

    open_store(b, PUT_WINDOW);
    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        raw[i] = raw_write(b, mib);
        put[i] = node_load_put(&b->load, b->next_key, count, PUT_WINDOW);
        ratio[i] = put[i] / raw[i];
        b->next_key += count;
    }
    bench_line("raw_write_sync_per_mib", bench_median(raw), "MiB/s");
    bench_line("node_put", bench_median(put), "MiB/s");
    bench_line("node_put_of_raw", bench_median(ratio), "x");
}

/* ---- idle connections -------------------------------------------------------------------------
 */

/* Resident memory of the node, in bytes. */
static double node_resident(const struct bench *b)
{
    unsigned long size = 0, resident = 0;
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)b->node.pid);
    f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%lu %lu", &size, &resident) != 2)
        bench_die("%s cannot be read", path);
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void ping_lines(struct bench *b, const char *beside)
{
    struct bench_times times;
    char name[64];

    bench_times_init(&times, TIMES_MAX);
    idle_conns_ping(b->node.port, LATENCY_S, &times);
    snprintf(name, sizeof(name), "node_ping_beside_%s_p99", beside);
    bench_line(name, bench_times_percentile(&times, 99), "ms");
    snprintf(name, sizeof(name), "node_ping_beside_%s_max", beside);
    bench_line(name, bench_times_percentile(&times, 100), "ms");
    bench_times_close(&times);
}

static void *read_at_full_speed(void *arg)
{
    get_all(arg, GET_WINDOW, LATENCY_S * 1.5, NULL);
    return NULL;
}

static void measure_idle(struct bench *b)
{
    unsigned count = (unsigned)size_of("NODE_BENCH_IDLE", IDLE_DEFAULT);
    double before = node_resident(b), after;
    struct idle_conns conns;
    pthread_t reader;

    idle_conns_open(&conns, b->node.port, count);
    after = node_resident(b);
    bench_line("node_idle_connections", conns.count, "connections");
    bench_line("node_idle_memory", (after - before) / count, "bytes/connection");
    ping_lines(b, "idle");
    if (vs_thread_start(&reader, read_at_full_speed, b) != 0)
        bench_die("no thread");
    ping_lines(b, "idle_and_readers");
    pthread_join(reader, NULL);
    idle_conns_close(&conns);
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : getenv("BENCH_DIR");
    struct bench b = { 0 };
    double frag_mb_s;

    setenv("TMPDIR", where != NULL ? where : "/tmp", 1);
    temp_dir_make(b.dir);
    bench_up(&b);
    measure_get(&b);
    open_store(&b, 0); /* as many connections as a mount has */
    measure_latency(&b, "64k", FRAG_BLOCK_BYTES, 100);
    measure_latency(&b, "64k", FRAG_BLOCK_BYTES, 1000);
    frag_mb_s = measure_latency(&b, "frag", NODE_LOAD_FRAG_BYTES, 100);
    measure_paced(&b, "frag", NODE_LOAD_FRAG_BYTES, 1000, frag_mb_s);
    measure_idle(&b);
    measure_put(&b);
    bench_down(&b);
    return 0;
}
