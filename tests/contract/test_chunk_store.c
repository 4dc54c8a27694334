/* One suite, run against every chunk store: in memory, the superblock store on a real directory
 * with threads, the same on a simulated disk without threads, and a storage node behind HTTP, a
 * process of its own. */
#include "common/assert.h"
#include "common/err.h"
#include "node/sb_store.h"
#include "node/store_http.h"
#include "node/store_mem.h"
#include "tests/support/node_proc.h"
#include "tests/support/sim_io.h"
#include "tests/support/store_sync.h"
#include "tests/support/temp_dir.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1u << 20)

#define HEALTH_MS  20    /* of the store over HTTP */
#define HEALTHY_MS 30000 /* the longest wait for its news */

enum kind { IN_MEMORY, ON_DISK, SIMULATED, OVER_HTTP };

struct fixture {
    struct sync_store ss;
    enum kind kind;
    struct vs_exec *exec;
    struct sim_io *sim;
    struct http_client *client;
    struct node_proc node;
    char dir[TEMP_DIR_BYTES];
};

static const struct vs_id cluster = { { 1 } }, node = { { 2 } };

static struct vs_io *fixture_io(struct fixture *f)
{
    struct vs_io *io = NULL;

    if (f->kind == SIMULATED)
        return sim_io_boot(f->sim);
    VS_ASSERT(vs_io_posix_new(&io, f->dir) == 0);
    return io;
}

static void fixture_open(struct fixture *f)
{
    struct sb_store_config config = {
        .io = fixture_io(f),
        .cluster = cluster,
        .node = node,
        .file_bytes = f->kind == SIMULATED ? 4 * MIB : 64 * MIB,
        .reserve_percent = 1,
        .gather_us = 500,
        .check_sha = true,
        .serial = f->kind == SIMULATED,
        .clock = &vs_clock_system,
    };

    VS_ASSERT(sb_store_open(&f->ss.s, &config, NULL) == 0);
    f->ss.run = config.serial ? sb_store_run : NULL;
}

static int setup_node(struct fixture *f)
{
    const char *const args[] = { "--reserve", "1", "--superblock-size", "64M", NULL };
    struct store_http_config config = { .name = "n1", .health_ms = HEALTH_MS };

    temp_dir_make(f->dir);
    VS_ASSERT(node_proc_start(&f->node, "n1", f->dir, 0, args) == 0);
    VS_ASSERT(vs_exec_start(&f->exec, "http", 2) == 0);
    VS_ASSERT(http_client_start(&f->client, f->exec) == 0);
    config.client = f->client;
    config.exec = f->exec;
    config.origin = f->node.origin;
    return store_http_new(&f->ss.s, &config);
}

static int setup(void **state, enum kind kind)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct vs_io *io;

    VS_ASSERT(f != NULL);
    f->kind = kind;
    *state = f;
    if (kind == OVER_HTTP)
        return setup_node(f);
    if (kind == IN_MEMORY) {
        VS_ASSERT(vs_exec_start(&f->exec, "mem", 2) == 0);
        return store_mem_new(&f->ss.s, f->exec);
    }
    if (kind == SIMULATED) {
        f->sim = sim_io_new();
    } else {
        temp_dir_make(f->dir);
    }
    io = fixture_io(f);
    VS_ASSERT(sb_store_format(io, &cluster, &node) == 0);
    vs_io_free(io);
    fixture_open(f);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    chunk_store_stop(f->ss.s);
    http_client_stop(f->client);
    vs_exec_stop(f->exec);
    VS_ASSERT(node_proc_stop(&f->node) == 0); /* a leak in the node is an exit code */
    if (f->dir[0] != '\0')
        temp_dir_remove(f->dir);
    sim_io_free(f->sim);
    free(f);
    return 0;
}

static int setup_mem(void **state)
{
    return setup(state, IN_MEMORY);
}

static int setup_disk(void **state)
{
    return setup(state, ON_DISK);
}

static int setup_sim(void **state)
{
    return setup(state, SIMULATED);
}

static int setup_http(void **state)
{
    return setup(state, OVER_HTTP);
}

/* ---- the rules --------------------------------------------------------------------------------
 */

static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 1398102, 3 * MIB };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void put(struct fixture *f, uint64_t n, size_t bytes)
{
    struct frag_key key = sync_key(n);
    uint8_t *data = sync_bytes(n, bytes);

    assert_int_equal(sync_put(&f->ss, &key, NULL, data, bytes), 0);
    free(data);
}

static int check(struct fixture *f, uint64_t n, size_t bytes)
{
    struct frag_key key = sync_key(n);

    return sync_check(&f->ss, &key, n, bytes);
}

static void what_was_put_reads_back(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < SIZES; i++)
        put(f, i, sizes[i]);
    for (unsigned i = 0; i < SIZES; i++)
        assert_int_equal(check(f, i, sizes[i]), 0);
    assert_int_equal(check(f, SIZES, 1), -ENOENT);
}

static void every_block_aligned_range_reads_back(void **state)
{
    struct fixture *f = *state;
    const size_t bytes = 5 * FRAG_BLOCK_BYTES + 100;
    uint8_t *want = sync_bytes(7, bytes), *got = malloc(bytes);
    uint32_t table[FRAG_BLOCKS_MAX];
    uint32_t table_crc = frag_table_crc(table, frag_crc_table(want, bytes, table));

    put(f, 7, bytes);
    for (uint32_t first = 0; first <= 6; first++) {
        for (uint32_t blocks = 0; blocks <= 7; blocks++) {
            struct store_get g = { .key = sync_key(7),
                                   .offset = first * FRAG_BLOCK_BYTES,
                                   .bytes = blocks * FRAG_BLOCK_BYTES };
            size_t left = g.offset < bytes ? bytes - g.offset : 0;

            g.dst = malloc(7 * FRAG_BLOCK_BYTES);
            assert_int_equal(sync_get(&f->ss, &g), 0);
            assert_int_equal(g.payload_bytes, bytes);
            assert_int_equal(g.got_bytes, left < g.bytes ? left : g.bytes);
            assert_int_equal(frag_verify(&g, table_crc, bytes), 0);
            assert_memory_equal(g.dst, want + (left > 0 ? g.offset : 0), g.got_bytes);
            free(g.dst);
        }
    }
    free(want);
    free(got);
}

static void a_range_that_ends_inside_a_block_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t dst[100];
    struct store_get g = { .key = sync_key(1), .bytes = 100, .dst = dst };

    put(f, 1, 2 * FRAG_BLOCK_BYTES);
    assert_int_equal(sync_get(&f->ss, &g), -EINVAL);
    g = (struct store_get){ .key = sync_key(1), .offset = 1, .bytes = 100, .dst = dst };
    assert_int_equal(sync_get(&f->ss, &g), -EINVAL);
    put(f, 2, 100);
    g = (struct store_get){ .key = sync_key(2), .bytes = 100, .dst = dst };
    assert_int_equal(sync_get(&f->ss, &g), 0);
    assert_int_equal(g.got_bytes, 100);
}

static void a_reader_refuses_other_bytes_lengths_and_tables(void **state)
{
    struct fixture *f = *state;
    const size_t bytes = 2 * FRAG_BLOCK_BYTES;
    uint8_t *dst = malloc(bytes);
    struct store_get g = { .key = sync_key(1), .bytes = bytes, .dst = dst };
    uint32_t table_crc;

    put(f, 1, bytes);
    assert_int_equal(sync_get(&f->ss, &g), 0);
    table_crc = frag_table_crc(g.crc, 2);
    assert_int_equal(frag_verify(&g, table_crc, bytes), 0);
    assert_int_equal(frag_verify(&g, table_crc ^ 1, bytes), -VS_ECORRUPT);
    assert_int_equal(frag_verify(&g, table_crc, bytes - 1), -VS_ECORRUPT);
    dst[bytes - 1] ^= 1;
    assert_int_equal(frag_verify(&g, table_crc, bytes), -VS_ECORRUPT);
    dst[bytes - 1] ^= 1;
    g.crc[1] ^= 1;
    assert_int_equal(frag_verify(&g, table_crc, bytes), -VS_ECORRUPT);
    g.crc[1] ^= 1;
    g.got_bytes -= FRAG_BLOCK_BYTES;
    assert_int_equal(frag_verify(&g, table_crc, bytes), -VS_ECORRUPT);
    g.got_bytes += FRAG_BLOCK_BYTES;
    g.status = -ENOENT;
    assert_int_equal(frag_verify(&g, table_crc, bytes), -VS_ECORRUPT);
    free(dst);
}

static void the_same_content_again_is_fine_and_other_content_is_refused(void **state)
{
    struct fixture *f = *state;
    struct frag_key key = sync_key(1);
    uint8_t *data = sync_bytes(1, 5000);

    assert_int_equal(sync_put(&f->ss, &key, NULL, data, 5000), 0);
    assert_int_equal(sync_put(&f->ss, &key, NULL, data, 5000), 0);
    assert_int_equal(sync_put(&f->ss, &key, NULL, data, 4999), -VS_EEXISTS_OTHER);
    data[4000] ^= 1;
    assert_int_equal(sync_put(&f->ss, &key, NULL, data, 5000), -VS_EEXISTS_OTHER);
    assert_int_equal(check(f, 1, 5000), 0);
    free(data);
}

static void a_deleted_fragment_is_gone_and_may_come_back(void **state)
{
    struct fixture *f = *state;
    struct frag_key key = sync_key(1), other = sync_key(1);

    other.generation = 2;
    put(f, 1, 100000);
    assert_int_equal(sync_del(&f->ss, &other), 0);
    assert_int_equal(check(f, 1, 100000), 0);
    assert_int_equal(sync_del(&f->ss, &key), 0);
    assert_int_equal(check(f, 1, 100000), -ENOENT);
    assert_int_equal(sync_del(&f->ss, &key), 0);
    put(f, 1, 5000); /* sync_bytes(1) again, shorter: other content, since the key is free */
    assert_int_equal(check(f, 1, 5000), 0);
}

static void fragments_and_generations_of_a_chunk_are_apart(void **state)
{
    struct fixture *f = *state;
    uint8_t *data = sync_bytes(1, 3000);
    struct frag_key key = sync_key(1);

    for (unsigned i = 0; i < 10; i++) {
        key.fragment = i % 5;
        key.generation = 1 + i / 5;
        data[0] = (uint8_t)i;
        assert_int_equal(sync_put(&f->ss, &key, NULL, data, 3000), 0);
    }
    for (unsigned i = 0; i < 10; i++) {
        uint8_t *got;
        size_t bytes;

        key.fragment = i % 5;
        key.generation = 1 + i / 5;
        assert_int_equal(sync_get_all(&f->ss, &key, NULL, &got, &bytes), 0);
        assert_int_equal(got[0], i);
        free(got);
    }
    free(data);
}

static void stat_says_what_was_put(void **state)
{
    struct fixture *f = *state;
    struct frag_note note = {
        .red = { VS_RED_RS, 3, 2 },
        .chunk_bytes = 4000000,
        .session = 11,
        .inode = 22,
        .chunk_seq = 33,
        .file_offset = 44,
        .name_bytes = FRAG_NAME_BYTES_MAX,
    };
    struct frag_key key = sync_key(9);
    uint8_t *data = sync_bytes(9, 200000), sha[32];
    uint32_t crc[FRAG_BLOCKS_MAX];
    struct store_stat st;

    memset(note.name, 'n', sizeof(note.name));
    key.fragment = 4;
    vs_sha256(data, 200000, sha);
    assert_int_equal(sync_put(&f->ss, &key, &note, data, 200000), 0);
    assert_int_equal(sync_stat(&f->ss, &key, &st), 0);
    assert_int_equal(st.payload_bytes, 200000);
    assert_memory_equal(st.sha256, sha, sizeof(sha));
    assert_int_equal(st.table_crc, frag_table_crc(crc, frag_crc_table(data, 200000, crc)));
    assert_int_equal(st.note.chunk_bytes, note.chunk_bytes);
    assert_int_equal(st.note.session, 11);
    assert_int_equal(st.note.inode, 22);
    assert_int_equal(st.note.chunk_seq, 33);
    assert_int_equal(st.note.file_offset, 44);
    assert_int_equal(st.note.name_bytes, FRAG_NAME_BYTES_MAX);
    assert_memory_equal(st.note.name, note.name, FRAG_NAME_BYTES_MAX);
    key.fragment = 3;
    assert_int_equal(sync_stat(&f->ss, &key, &st), -ENOENT);
    free(data);
}

static void bad_keys_and_notes_are_refused(void **state)
{
    struct fixture *f = *state;
    struct frag_note note = { .red = { VS_RED_RS, 3, 2 } };
    struct frag_key key = sync_key(1);

    key.generation = 0;
    assert_int_equal(sync_put(&f->ss, &key, &note, "x", 1), -EINVAL);
    key = sync_key(1);
    key.fragment = 5;
    assert_int_equal(sync_put(&f->ss, &key, &note, "x", 1), -EINVAL);
    key = sync_key(1);
    note.name_bytes = FRAG_NAME_BYTES_MAX + 1;
    assert_int_equal(sync_put(&f->ss, &key, &note, "x", 1), -EINVAL);
    note = (struct frag_note){ .red = { VS_RED_RS, 200, 2 } };
    assert_int_equal(sync_put(&f->ss, &key, &note, "x", 1), -EINVAL);
    note = (struct frag_note){ 0 };
    assert_int_equal(sync_put(&f->ss, &key, &note, "x", 1), 0);
}

static void list_gives_every_key_once_in_order_page_by_page(void **state)
{
    enum { COUNT = 50 };
    struct fixture *f = *state;
    struct frag_key keys[7], after = { 0 };
    uint32_t n, seen = 0;

    for (unsigned i = 0; i < COUNT; i++)
        put(f, (i * 37) % COUNT, 10);
    do {
        assert_int_equal(sync_list(&f->ss, &after, keys, 7, &n), 0);
        for (uint32_t i = 0; i < n; i++) {
            struct frag_key want = sync_key(seen++);

            assert_int_equal(frag_key_cmp(&keys[i], &want), 0);
            after = keys[i];
        }
    } while (n == 7);
    assert_int_equal(seen, COUNT);
}

static void health_counts_what_is_live(void **state)
{
    struct fixture *f = *state;
    struct frag_key key = sync_key(0);
    struct store_health h;

    for (unsigned i = 0; i < 4; i++)
        put(f, i, 1000);
    assert_int_equal(sync_del(&f->ss, &key), 0);
    chunk_store_health(f->ss.s, &h);
    /* News from afar take their time. */
    for (unsigned i = 0; f->kind == OVER_HTTP && h.fragments != 3 && i < HEALTHY_MS; i++) {
        usleep(1000);
        chunk_store_health(f->ss.s, &h);
    }
    assert_int_equal(h.state, STORE_UP);
    assert_int_equal(h.fragments, 3);
    assert_int_equal(h.payload_bytes, 3000);
    assert_true(h.free_bytes > 0 && h.free_bytes <= h.total_bytes);
    assert_int_equal(h.corrupt_records, 0);
}

/* ---- many at once -----------------------------------------------------------------------------
 */

struct burst {
    struct store_put put;
    pthread_mutex_t *lock;
    unsigned *done;
};

static void burst_done(struct store_put *p)
{
    struct burst *b = vs_container_of(p, struct burst, put);

    pthread_mutex_lock(b->lock);
    (*b->done)++;
    pthread_mutex_unlock(b->lock);
}

static void a_callback_runs_once_and_never_inside_the_call(void **state)
{
    enum { COUNT = 300, BYTES = 20000 };
    static const struct frag_note note = { .red = { VS_RED_RS, 3, 2 } };
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct fixture *f = *state;
    struct burst *v = calloc(COUNT, sizeof(*v));
    uint8_t *data = sync_bytes(1, BYTES);
    unsigned done = 0, seen = 0;

    /* Each key twice: the second waits for the first and finds the same content. */
    pthread_mutex_lock(&lock); /* a callback inside the call would hang here */
    for (unsigned i = 0; i < COUNT; i++) {
        v[i].put = (struct store_put){
            .key = sync_key(i / 2), .note = &note, .data = data, .bytes = BYTES, .done = burst_done
        };
        vs_sha256(data, BYTES, v[i].put.sha256);
        v[i].lock = &lock;
        v[i].done = &done;
        chunk_store_put(f->ss.s, &v[i].put);
    }
    pthread_mutex_unlock(&lock);
    while (seen < COUNT) {
        if (f->ss.run != NULL)
            f->ss.run(f->ss.s);
        pthread_mutex_lock(&lock);
        seen = done;
        pthread_mutex_unlock(&lock);
        usleep(100);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        struct frag_key key = sync_key(i / 2);

        assert_int_equal(v[i].put.status, 0);
        assert_int_equal(sync_check(&f->ss, &key, 1, BYTES), 0);
    }
    free(data);
    free(v);
}

#define RULE(name, on)                                                                             \
    {                                                                                              \
#name " (" #on ")", name, setup_##on, teardown, NULL                                       \
    }
#define RULES(on)                                                                                  \
    RULE(what_was_put_reads_back, on), RULE(every_block_aligned_range_reads_back, on),             \
        RULE(a_range_that_ends_inside_a_block_is_refused, on),                                     \
        RULE(a_reader_refuses_other_bytes_lengths_and_tables, on),                                 \
        RULE(the_same_content_again_is_fine_and_other_content_is_refused, on),                     \
        RULE(a_deleted_fragment_is_gone_and_may_come_back, on),                                    \
        RULE(fragments_and_generations_of_a_chunk_are_apart, on),                                  \
        RULE(stat_says_what_was_put, on), RULE(bad_keys_and_notes_are_refused, on),                \
        RULE(list_gives_every_key_once_in_order_page_by_page, on),                                 \
        RULE(health_counts_what_is_live, on),                                                      \
        RULE(a_callback_runs_once_and_never_inside_the_call, on)

int main(void)
{
    const struct CMUnitTest tests[] = { RULES(mem), RULES(disk), RULES(sim), RULES(http) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
