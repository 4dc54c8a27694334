/* Snapshots handed out: in pieces, of one moment, few at a time, and not for ever. */
#include "common/err.h"
#include "meta/kv_swap.h"
#include "meta/ns_record.h"
#include "meta/ns_store.h"
#include "meta/snap_give.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BIG_BYTES (900u << 10)

struct give_fixture {
    struct kv *kv;
    struct snap_give g;
    int64_t now_ns;
    struct px_snap answer;
    uint32_t from;
    struct vs_buf all;
    unsigned bases, pairs;
};

static const struct vs_id cluster = { { 4, 4 } };

static void put(struct give_fixture *f, const char *key, size_t len)
{
    uint8_t *value = calloc(1, len + 1);
    struct kv_batch *b;

    assert_int_equal(kv_batch_new(&b), 0);
    kv_batch_put(b, key, strlen(key), value, len);
    assert_int_equal(kv_write(f->kv, b, false), 0);
    kv_batch_free(b);
    free(value);
}

static void put_state(struct give_fixture *f, uint64_t slot)
{
    struct ns_state state = { .cluster = cluster, .slot = slot };
    struct vs_buf bytes = { 0 };
    struct kv_batch *b;

    assert_int_equal(kv_batch_new(&b), 0);
    assert_int_equal(ns_state_encode(&state, &bytes), 0);
    kv_batch_put(b, "A", 1, bytes.data, bytes.len);
    assert_int_equal(kv_write(f->kv, b, false), 0);
    kv_batch_free(b);
    vs_buf_close(&bytes);
}

static int setup(void **state)
{
    struct give_fixture *f = calloc(1, sizeof(*f));

    assert_int_equal(kv_mem_new(&f->kv), 0);
    snap_give_init(&f->g, f->kv, &cluster, 100);
    f->from = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct give_fixture *f = *state;

    snap_give_close(&f->g);
    kv_close(f->kv);
    vs_buf_close(&f->all);
    free(f);
    return 0;
}

static void ask(struct give_fixture *f, uint64_t id, uint64_t offset)
{
    struct px_snap m = { .kind = PX_SNAP_ASK, .id = id, .offset = offset };

    snap_give_ask(&f->g, f->from, &m, f->now_ns, &f->answer);
}

static void is_no(struct give_fixture *f, uint8_t reason)
{
    assert_int_equal(f->answer.kind, PX_SNAP_NO);
    assert_int_equal(f->answer.reason, reason);
}

static int see(void *arg, uint8_t section, const uint8_t *key, size_t key_len, const uint8_t *value,
               size_t value_len)
{
    struct give_fixture *f = arg;

    (void)value;
    (void)value_len;
    assert_int_equal(section, DUMP_NAMESPACE);
    f->pairs++;
    f->bases += key_len == 1 && key[0] == 'B';
    return 0;
}

/* All pieces, each asked for twice; the number of them. */
static unsigned take_all(struct give_fixture *f)
{
    uint64_t id = 0, offset = 0;
    unsigned pieces = 0;
    struct dump_in in;

    f->pairs = f->bases = 0;
    assert_int_equal(dump_in_init(&in), 0);
    do {
        ask(f, id, offset);
        assert_int_equal(f->answer.kind, PX_SNAP_PIECE);
        assert_true(f->answer.offset == offset);
        assert_true(f->answer.len > 0 && f->answer.len <= PX_SNAP_PIECE_BYTES_MAX);
        f->all.len = 0;
        assert_int_equal(vs_buf_append(&f->all, f->answer.bytes, f->answer.len, 2u << 20), 0);
        id = f->answer.id;
        ask(f, id, offset); /* its answer was lost */
        assert_int_equal(f->answer.kind, PX_SNAP_PIECE);
        assert_int_equal(f->answer.len, f->all.len);
        assert_memory_equal(f->answer.bytes, f->all.data, f->all.len);
        assert_int_equal(dump_in_feed(&in, f->answer.bytes, f->answer.len, see, f), 0);
        offset += f->answer.len;
        pieces++;
    } while (!f->answer.last);
    assert_int_equal(dump_in_done(&in), 0);
    assert_true(in.head.slot == f->answer.slot);
    dump_in_close(&in);
    ask(f, id, offset); /* thank you */
    is_no(f, PX_SNAP_GONE);
    return pieces;
}

static void it_comes_in_pieces_each_as_often_as_it_is_asked_for(void **state)
{
    struct give_fixture *f = *state;

    put_state(f, 5);
    assert_int_equal(take_all(f), 1);
    for (unsigned i = 0; i < 6; i++) {
        char name[3] = { 'I', (char)('a' + i), 0 };

        put(f, name, BIG_BYTES);
    }
    assert_true(take_all(f) >= 5);
    assert_int_equal(f->pairs, 7);
    assert_int_equal(snap_give_lapse(&f->g, f->now_ns), 0); /* given up at the end */
}

static void what_is_written_meanwhile_is_not_in_it(void **state)
{
    struct give_fixture *f = *state;
    uint64_t id, len;

    put_state(f, 5);
    put(f, "Ia", BIG_BYTES);
    put(f, "Ib", BIG_BYTES);
    ask(f, 0, 0);
    id = f->answer.id;
    len = f->answer.len;
    assert_false(f->answer.last);
    put_state(f, 6);
    put(f, "Ic", BIG_BYTES);
    ask(f, id, len);
    assert_true(f->answer.last);
    assert_true(f->answer.slot == 5);
}

static void what_this_copy_grew_from_is_not_in_it(void **state)
{
    struct give_fixture *f = *state;

    put_state(f, 5);
    assert_int_equal(ns_store_set_base(f->kv, 3), 0);
    put(f, "Ia", 10);
    take_all(f);
    assert_int_equal(f->pairs, 2);
    assert_int_equal(f->bases, 0);
}

static void only_so_many_at_a_time_and_they_lapse(void **state)
{
    struct give_fixture *f = *state;
    uint64_t first;

    put_state(f, 5);
    ask(f, 0, 0);
    first = f->answer.id;
    f->now_ns += SNAP_GIVE_LAPSE_NS / 2;
    for (f->from = 2; f->from <= SNAP_GIVE_MAX; f->from++)
        ask(f, 0, 0);
    ask(f, 0, 0);
    is_no(f, PX_SNAP_BUSY);
    ask(f, first, 0); /* another one's */
    is_no(f, PX_SNAP_GONE);
    f->now_ns += SNAP_GIVE_LAPSE_NS / 2;
    f->from = 1;
    ask(f, first, 0);
    is_no(f, PX_SNAP_GONE);
    ask(f, 0, 0);
    assert_int_equal(f->answer.kind, PX_SNAP_PIECE);
    assert_true(f->answer.id != first);
    f->now_ns += SNAP_GIVE_LAPSE_NS;
    assert_int_equal(snap_give_lapse(&f->g, f->now_ns), 0);
}

static void who_begins_again_has_only_the_new_one(void **state)
{
    struct give_fixture *f = *state;
    uint64_t first;

    put_state(f, 5);
    ask(f, 0, 0);
    first = f->answer.id;
    for (unsigned i = 0; i < 2 * SNAP_GIVE_MAX; i++) {
        ask(f, 0, 0);
        assert_int_equal(f->answer.kind, PX_SNAP_PIECE);
    }
    assert_int_equal(snap_give_lapse(&f->g, f->now_ns), 1);
    ask(f, first, 0);
    is_no(f, PX_SNAP_GONE);
}

static void a_late_copy_of_an_ask_does_not_end_it(void **state)
{
    struct give_fixture *f = *state;
    uint64_t id, len;

    put_state(f, 5);
    put(f, "Ia", BIG_BYTES);
    put(f, "Ib", BIG_BYTES);
    put(f, "Ic", BIG_BYTES);
    ask(f, 0, 0);
    id = f->answer.id;
    len = f->answer.len;
    ask(f, id, len);
    assert_int_equal(f->answer.kind, PX_SNAP_PIECE);
    ask(f, id, 0);
    is_no(f, PX_SNAP_GONE);
    ask(f, id, len);
    assert_int_equal(f->answer.kind, PX_SNAP_PIECE);
}

static void nothing_applied_nothing_given(void **state)
{
    struct give_fixture *f = *state;

    ask(f, 0, 0);
    is_no(f, PX_SNAP_FAILED);
    ask(f, 7, 0);
    is_no(f, PX_SNAP_GONE);
}

static int change_to_empty(void *arg, struct kv **inner)
{
    (void)arg;
    kv_close(*inner);
    return kv_mem_new(inner);
}

static void it_ends_when_the_namespace_itself_is_replaced(void **state)
{
    struct give_fixture *f = *state;
    struct kv *swap;
    uint64_t id, len;

    put_state(f, 5);
    put(f, "Ia", BIG_BYTES);
    put(f, "Ib", BIG_BYTES);
    put(f, "Ic", BIG_BYTES);
    put(f, "Id", BIG_BYTES);
    assert_int_equal(kv_swap_new(&swap, f->kv), 0);
    f->kv = f->g.ns = swap;
    ask(f, 0, 0);
    id = f->answer.id;
    len = f->answer.len;
    assert_int_equal(kv_swap_change(swap, change_to_empty, NULL), 0);
    while (f->answer.kind == PX_SNAP_PIECE) { /* what was read before is whole */
        ask(f, id, len);
        assert_false(f->answer.kind == PX_SNAP_PIECE && f->answer.last);
        len += f->answer.len;
    }
    is_no(f, PX_SNAP_GONE);
    assert_int_equal(snap_give_lapse(&f->g, f->now_ns), 0);
}

#define GIVE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GIVE_TEST(it_comes_in_pieces_each_as_often_as_it_is_asked_for),
        GIVE_TEST(what_is_written_meanwhile_is_not_in_it),
        GIVE_TEST(what_this_copy_grew_from_is_not_in_it),
        GIVE_TEST(only_so_many_at_a_time_and_they_lapse),
        GIVE_TEST(who_begins_again_has_only_the_new_one),
        GIVE_TEST(a_late_copy_of_an_ask_does_not_end_it),
        GIVE_TEST(nothing_applied_nothing_given),
        GIVE_TEST(it_ends_when_the_namespace_itself_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
