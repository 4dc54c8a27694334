/* Contract of the key-value vtable: one suite, run against RocksDB (both kinds), its twin, and
 * a store that can be replaced. */
#include "common/buf.h"
#include "common/err.h"
#include "common/rand.h"
#include "meta/kv.h"
#include "meta/kv_swap.h"
#include "tests/support/temp_dir.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum kv_impl { IMPL_MEM, IMPL_ACCEPTOR, IMPL_NAMESPACE, IMPL_SWAP };

struct kv_fixture {
    enum kv_impl impl;
    char dir[TEMP_DIR_BYTES];
    struct kv *kv;
    struct kv_batch *b;
    struct vs_buf value;
};

static void fixture_open(struct kv_fixture *f, bool create)
{
    struct kv *inner;

    if (f->impl == IMPL_SWAP) {
        assert_int_equal(kv_mem_new(&inner), 0);
        assert_int_equal(kv_swap_new(&f->kv, inner), 0);
        return;
    }
    if (f->impl == IMPL_MEM)
        assert_int_equal(kv_mem_new(&f->kv), 0);
    else
        assert_int_equal(kv_rocks_open(&f->kv, f->dir, create,
                                       f->impl == IMPL_ACCEPTOR ? KV_ACCEPTOR : KV_NAMESPACE),
                         0);
}

static int setup(void **state, enum kv_impl impl)
{
    struct kv_fixture *f = calloc(1, sizeof(*f));

    f->impl = impl;
    temp_dir_make(f->dir);
    fixture_open(f, true);
    assert_int_equal(kv_batch_new(&f->b), 0);
    *state = f;
    return 0;
}

static int setup_mem(void **state)
{
    return setup(state, IMPL_MEM);
}

static int setup_swap(void **state)
{
    return setup(state, IMPL_SWAP);
}

static int setup_acceptor(void **state)
{
    return setup(state, IMPL_ACCEPTOR);
}

static int setup_namespace(void **state)
{
    return setup(state, IMPL_NAMESPACE);
}

static int teardown(void **state)
{
    struct kv_fixture *f = *state;

    kv_close(f->kv);
    kv_batch_free(f->b);
    vs_buf_close(&f->value);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

static void put(struct kv_fixture *f, const char *key, const char *value)
{
    kv_batch_put(f->b, key, strlen(key), value, strlen(value));
}

static void commit(struct kv_fixture *f, bool sync)
{
    assert_int_equal(kv_write(f->kv, f->b, sync), 0);
    kv_batch_clear(f->b);
}

static void expect(struct kv_fixture *f, const char *key, const char *value)
{
    int r = kv_get(f->kv, key, strlen(key), &f->value);

    if (value == NULL) {
        assert_int_equal(r, -ENOENT);
        return;
    }
    assert_int_equal(r, 0);
    assert_int_equal(f->value.len, strlen(value));
    assert_memory_equal(f->value.data, value, f->value.len);
}

static void what_was_written_is_read(void **state)
{
    struct kv_fixture *f = *state;

    put(f, "a", "1");
    put(f, "b", "");
    commit(f, true);
    expect(f, "a", "1");
    expect(f, "b", "");
    expect(f, "c", NULL);
    put(f, "a", "longer than before");
    kv_batch_del(f->b, "b", 1);
    kv_batch_del(f->b, "never there", 11);
    commit(f, false);
    expect(f, "a", "longer than before");
    expect(f, "b", NULL);
}

static void operations_of_a_batch_count_in_order(void **state)
{
    struct kv_fixture *f = *state;

    put(f, "k", "1");
    kv_batch_del(f->b, "k", 1);
    put(f, "l", "1");
    put(f, "l", "2");
    commit(f, false);
    expect(f, "k", NULL);
    expect(f, "l", "2");
    kv_batch_del(f->b, "l", 1);
    put(f, "l", "3");
    commit(f, false);
    expect(f, "l", "3");
}

/* Scan results joined into one text. */
struct collected {
    char text[256];
    unsigned stop_after;
    struct kv *kv;
};

static int collect(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                   size_t value_len)
{
    struct collected *c = arg;
    size_t len = strlen(c->text);

    snprintf(c->text + len, sizeof(c->text) - len, "%.*s=%.*s ", (int)key_len, key, (int)value_len,
             value);
    return c->stop_after > 0 && --c->stop_after == 0 ? 7 : 0;
}

static void scan_is(struct kv_fixture *f, const char *from, const char *to, const char *text)
{
    struct collected c = { .kv = f->kv };

    assert_int_equal(kv_scan(f->kv, from, strlen(from), to, strlen(to), collect, &c), 0);
    assert_string_equal(c.text, text);
}

static void a_scan_gives_the_range_in_order_of_bytes(void **state)
{
    struct kv_fixture *f = *state;
    struct collected c = { .stop_after = 2 };

    put(f, "b", "2");
    put(f, "ab", "1");
    put(f, "\xff", "5");
    put(f, "bb", "3");
    put(f, "a", "0");
    put(f, "c", "4");
    commit(f, false);
    scan_is(f, "a", "b", "a=0 ab=1 ");
    scan_is(f, "aa", "c", "ab=1 b=2 bb=3 ");
    scan_is(f, "", "b", "a=0 ab=1 ");
    scan_is(f, "c", "", "c=4 \xff=5 ");
    scan_is(f, "b", "b", "");
    scan_is(f, "c", "a", "");
    assert_int_equal(kv_scan(f->kv, "a", 1, "z", 1, collect, &c), 7);
    assert_string_equal(c.text, "a=0 ab=1 ");
}

static void view_is(struct kv_view *v, const char *from, const char *text)
{
    char seen[256] = "";
    const uint8_t *key, *value;
    size_t key_len, value_len, len;
    int r;

    assert_int_equal(kv_view_seek(v, from, strlen(from)), 0);
    while ((r = kv_view_next(v, &key, &key_len, &value, &value_len)) == 1) {
        len = strlen(seen);
        snprintf(seen + len, sizeof(seen) - len, "%.*s=%.*s ", (int)key_len, key, (int)value_len,
                 value);
    }
    assert_int_equal(r, 0);
    assert_int_equal(kv_view_next(v, &key, &key_len, &value, &value_len), 0); /* stays at the end */
    assert_string_equal(seen, text);
}

static void a_view_stays_as_it_was_while_others_write(void **state)
{
    struct kv_fixture *f = *state;
    struct kv_view *before = NULL, *after = NULL;

    put(f, "b", "2");
    put(f, "a", "");
    put(f, "\xff", "3");
    commit(f, false);
    assert_int_equal(kv_view_open(f->kv, &before), 0);
    put(f, "aa", "new");
    put(f, "b", "changed");
    kv_batch_del(f->b, "\xff", 1);
    commit(f, false);
    assert_int_equal(kv_flush(f->kv), 0);
    assert_int_equal(kv_view_open(f->kv, &after), 0);
    view_is(before, "", "a= b=2 \xff=3 ");
    view_is(before, "aa", "b=2 \xff=3 ");
    view_is(before, "", "a= b=2 \xff=3 ");
    view_is(after, "", "a= aa=new b=changed ");
    view_is(after, "c", "");
    kv_view_close(before);
    kv_view_close(after);
}

static void a_view_begins_with_the_first_pair(void **state)
{
    struct kv_fixture *f = *state;
    struct kv_view *v = NULL;
    const uint8_t *key, *value;
    size_t key_len, value_len;

    put(f, "b", "2");
    put(f, "a", "1");
    commit(f, false);
    assert_int_equal(kv_view_open(f->kv, &v), 0);
    assert_int_equal(kv_view_next(v, &key, &key_len, &value, &value_len), 1);
    assert_int_equal(key_len, 1);
    assert_int_equal(key[0], 'a');
    kv_view_close(v);
}

static int read_inside(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                       size_t value_len)
{
    struct kv_fixture *f = arg;

    assert_int_equal(kv_get(f->kv, key, key_len, &f->value), 0);
    assert_int_equal(f->value.len, value_len);
    assert_memory_equal(f->value.data, value, value_len);
    return 0;
}

static void a_scan_may_read(void **state)
{
    struct kv_fixture *f = *state;

    put(f, "a", "1");
    put(f, "b", "2");
    commit(f, false);
    assert_int_equal(kv_scan(f->kv, "a", 1, "z", 1, read_inside, f), 0);
}

static void a_batch_over_its_limit_writes_nothing(void **state)
{
    struct kv_fixture *f = *state;
    uint8_t *huge = calloc(1, KV_VALUE_BYTES_MAX + 1);

    put(f, "a", "1");
    kv_batch_put(f->b, "b", 1, huge, KV_VALUE_BYTES_MAX + 1);
    put(f, "c", "1");
    assert_int_equal(kv_write(f->kv, f->b, false), -EMSGSIZE);
    expect(f, "a", NULL);
    kv_batch_clear(f->b);
    kv_batch_put(f->b, "b", 1, huge, KV_VALUE_BYTES_MAX);
    commit(f, false);
    assert_int_equal(kv_get(f->kv, "b", 1, &f->value), 0);
    assert_int_equal(f->value.len, KV_VALUE_BYTES_MAX);
    free(huge);
}

/* A few hundred keys, random batches, against a plain array. */
static void agrees_with_a_plain_model(void **state)
{
    struct kv_fixture *f = *state;
    uint32_t model[256] = { 0 }; /* 0: absent */
    struct vs_rand rand;

    vs_rand_init(&rand, 42);
    for (uint32_t round = 1; round <= 400; round++) {
        for (unsigned i = 0; i < 16; i++) {
            uint8_t key[3] = { 'k', (uint8_t)vs_rand_below(&rand, 256), 0 };
            uint32_t value = round * 16 + i;

            if (vs_rand_below(&rand, 3) == 0) {
                kv_batch_del(f->b, key, 2);
                model[key[1]] = 0;
            } else {
                kv_batch_put(f->b, key, 2, &value, 4);
                model[key[1]] = value;
            }
        }
        commit(f, round % 64 == 0);
        if (round % 100 == 0)
            assert_int_equal(kv_flush(f->kv), 0);
    }
    for (unsigned i = 0; i < 256; i++) {
        uint8_t key[2] = { 'k', (uint8_t)i };
        int r = kv_get(f->kv, key, 2, &f->value);

        assert_int_equal(r, model[i] == 0 ? -ENOENT : 0);
        if (r == 0)
            assert_memory_equal(f->value.data, &model[i], 4);
    }
}

struct reader {
    struct kv *kv;
    atomic_bool stop;
    atomic_uint torn, reads;
};

static int pair_seen(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    uint32_t *seen = arg;

    (void)key_len;
    assert_int_equal(value_len, 4);
    memcpy(&seen[key[1] - 'a'], value, 4);
    return 0;
}

static void *read_pairs(void *arg)
{
    struct reader *r = arg;

    while (!r->stop) {
        uint32_t seen[2] = { 0, 0 };

        kv_scan(r->kv, "p", 1, "q", 1, pair_seen, seen);
        if (seen[0] != seen[1])
            r->torn++;
        r->reads++;
    }
    return NULL;
}

/* A reader beside the writer never sees half a batch. */
static void a_batch_is_atomic_to_readers(void **state)
{
    struct kv_fixture *f = *state;
    struct reader r = { .kv = f->kv };
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, read_pairs, &r), 0);
    for (uint32_t i = 1; i < 2000 || r.reads < 100; i++) {
        kv_batch_put(f->b, "pa", 2, &i, 4);
        kv_batch_put(f->b, "pb", 2, &i, 4);
        commit(f, false);
    }
    r.stop = true;
    pthread_join(thread, NULL);
    assert_int_equal(r.torn, 0);
}

static void what_was_written_is_there_after_reopen(void **state)
{
    struct kv_fixture *f = *state;

    put(f, "a", "1");
    commit(f, true);
    put(f, "b", "2");
    commit(f, false);
    assert_int_equal(kv_flush(f->kv), 0);
    put(f, "c", "3");
    commit(f, false);
    kv_close(f->kv);
    fixture_open(f, false);
    expect(f, "a", "1");
    expect(f, "b", "2");
    expect(f, "c", "3");
}

static void a_second_open_is_told_that_it_is_locked(void **state)
{
    struct kv_fixture *f = *state;
    struct kv *other = NULL;

    assert_int_equal(kv_rocks_open(&other, f->dir, false, KV_ACCEPTOR), -EAGAIN);
    assert_null(other);
}

static void what_is_not_there_is_not_made_by_an_open(void **state)
{
    struct kv_fixture *f = *state;
    char dir[TEMP_DIR_BYTES + 16];
    struct kv *other = NULL;
    struct stat st;

    snprintf(dir, sizeof(dir), "%s/none", f->dir);
    assert_int_equal(kv_rocks_open(&other, dir, false, KV_ACCEPTOR), -ENOENT);
    assert_int_equal(stat(dir, &st), -1);
}

static void damaged_files_are_said_to_be_corrupt(void **state)
{
    struct kv_fixture *f = *state;
    char cmd[TEMP_DIR_BYTES + 96];
    struct kv *other = NULL;

    put(f, "a", "1");
    commit(f, true);
    kv_close(f->kv);
    f->kv = NULL;
    snprintf(cmd, sizeof(cmd), "for f in %s/MANIFEST-*; do echo damaged >$f; done", f->dir);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(kv_rocks_open(&other, f->dir, false, KV_ACCEPTOR), -VS_ECORRUPT);
}

/* A closed, small database stays small: log, WAL and manifest do not preallocate megabytes. */
static void an_idle_database_takes_little_room(void **state)
{
    struct kv_fixture *f = *state;
    char cmd[TEMP_DIR_BYTES + 96];

    for (unsigned i = 0; i < 5; i++) {
        put(f, "a", "1");
        commit(f, true);
        kv_close(f->kv);
        fixture_open(f, false);
    }
    snprintf(cmd, sizeof(cmd), "test $(du -sk %s | cut -f1) -lt 1024", f->dir);
    assert_int_equal(system(cmd), 0);
}

#define KV_TEST(fn, setup_fn)                                                                      \
    {                                                                                              \
#fn, fn, setup_fn, teardown, NULL                                                          \
    }

#define KV_SUITE(setup_fn)                                                                         \
    KV_TEST(what_was_written_is_read, setup_fn),                                                   \
        KV_TEST(operations_of_a_batch_count_in_order, setup_fn),                                   \
        KV_TEST(a_scan_gives_the_range_in_order_of_bytes, setup_fn),                               \
        KV_TEST(a_scan_may_read, setup_fn),                                                        \
        KV_TEST(a_view_stays_as_it_was_while_others_write, setup_fn),                              \
        KV_TEST(a_view_begins_with_the_first_pair, setup_fn),                                      \
        KV_TEST(a_batch_over_its_limit_writes_nothing, setup_fn),                                  \
        KV_TEST(agrees_with_a_plain_model, setup_fn),                                              \
        KV_TEST(a_batch_is_atomic_to_readers, setup_fn)

int main(void)
{
    const struct CMUnitTest mem[] = { KV_SUITE(setup_mem) };
    const struct CMUnitTest swap[] = { KV_SUITE(setup_swap) };
    const struct CMUnitTest acceptor[] = {
        KV_SUITE(setup_acceptor),
        KV_TEST(what_was_written_is_there_after_reopen, setup_acceptor),
        KV_TEST(a_second_open_is_told_that_it_is_locked, setup_acceptor),
        KV_TEST(what_is_not_there_is_not_made_by_an_open, setup_acceptor),
        KV_TEST(damaged_files_are_said_to_be_corrupt, setup_acceptor),
        KV_TEST(an_idle_database_takes_little_room, setup_acceptor),
    };
    const struct CMUnitTest names[] = {
        KV_SUITE(setup_namespace),
        KV_TEST(what_was_written_is_there_after_reopen, setup_namespace),
    };
    int failed = cmocka_run_group_tests_name("kv_mem", mem, NULL, NULL);

    failed += cmocka_run_group_tests_name("kv_swap", swap, NULL, NULL);
    failed += cmocka_run_group_tests_name("kv_rocks acceptor", acceptor, NULL, NULL);
    failed += cmocka_run_group_tests_name("kv_rocks namespace", names, NULL, NULL);
    return failed;
}
