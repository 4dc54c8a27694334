/* Messages of the journal as bytes: they come back as they went in, and nothing else decodes. */
#include "meta/px_msg.h"

#include "common/crc.h"
#include "common/err.h"
#include "common/rand.h"
#include "meta/ns_types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Counts the entries that live; refuses to make more than `left`. */
struct maker {
    unsigned left;
};

static unsigned alive;

static void entry_free(struct journal_entry *e)
{
    alive--;
    free(e);
}

static struct journal_entry *make(void *arg, const uint8_t *bytes, uint32_t len)
{
    struct maker *m = arg;
    struct journal_entry *e;
    uint8_t *copy;

    if (m->left == 0)
        return NULL;
    m->left--;
    e = malloc(sizeof(*e) + len);
    assert_non_null(e);
    copy = (uint8_t *)(e + 1);
    if (len > 0)
        memcpy(copy, bytes, len);
    *e = (struct journal_entry){ .refs = 1, .len = len, .bytes = copy, .free = entry_free };
    alive++;
    return e;
}

static struct px_head some_head(void)
{
    struct px_head head = { .epoch = 99, .pid = 4, .inc = 17 };

    memset(head.cluster.b, 0x31, sizeof(head.cluster.b));
    return head;
}

static void assert_same_msg(const struct journal_msg *a, const struct journal_msg *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(px_ballot_cmp(&a->ballot, &b->ballot), 0);
    assert_int_equal(px_ballot_cmp(&a->promised, &b->promised), 0);
    assert_int_equal(a->slot, b->slot);
    assert_int_equal(a->next, b->next);
    assert_int_equal(a->commit, b->commit);
    assert_int_equal(a->safe, b->safe);
    assert_int_equal(a->have, b->have);
    assert_int_equal(a->flushed, b->flushed);
    assert_int_equal(a->round, b->round);
    assert_int_equal(a->item_count, b->item_count);
    for (unsigned i = 0; i < a->item_count; i++) {
        const struct journal_item *x = &a->items[i], *y = &b->items[i];

        assert_int_equal(x->slot, y->slot);
        assert_int_equal(px_ballot_cmp(&x->ballot, &y->ballot), 0);
        assert_int_equal(x->entry == NULL, y->entry == NULL);
        if (x->entry == NULL)
            continue;
        assert_int_equal(x->entry->len, y->entry->len);
        if (x->entry->len > 0)
            assert_memory_equal(x->entry->bytes, y->entry->bytes, x->entry->len);
    }
}

/* A message of any kind, from a random draw: sparse numbers, items with gaps and other ballots. */
struct sample {
    struct journal_msg msg;
    struct journal_item items[JOURNAL_ITEMS_MAX];
    struct journal_entry entries[JOURNAL_ITEMS_MAX];
    uint8_t bytes[256];
};

static uint64_t some(struct vs_rand *r)
{
    return vs_rand_below(r, 2) == 0 ? 0 : vs_rand_u64(r) >> vs_rand_below(r, 64);
}

static void sample_make(struct sample *s, struct vs_rand *r, unsigned items)
{
    struct journal_msg *m = &s->msg;
    uint64_t slot;

    *m = (struct journal_msg){
        .kind = (uint8_t)(JOURNAL_MSG_ASK + vs_rand_below(r, JOURNAL_MSG_NACK)),
        .reason = (uint8_t)vs_rand_below(r, JOURNAL_NACK_CONFIG + 1),
        .item_count = (uint16_t)items,
        .epoch = vs_rand_u64(r),
        .ballot = { some(r), 3, 9 },
        .slot = some(r),
        .next = some(r),
        .commit = some(r),
        .safe = some(r),
        .have = some(r),
        .flushed = some(r),
        .round = some(r),
        .items = s->items,
    };
    if (vs_rand_below(r, 2) == 0)
        m->promised = (struct px_ballot){ some(r), 5, 1 };
    vs_rand_bytes(r, s->bytes, sizeof(s->bytes));
    slot = m->slot;
    for (unsigned i = 0; i < items; i++) {
        struct journal_item *item = &s->items[i];

        slot += vs_rand_below(r, 4) == 0 ? 1 + vs_rand_below(r, 9) : 0;
        *item = (struct journal_item){ .slot = slot++, .ballot = m->ballot };
        if (vs_rand_below(r, 4) == 0)
            item->ballot.round++;
        if (vs_rand_below(r, 4) == 0)
            continue; /* no-op */
        s->entries[i] = (struct journal_entry){ .refs = 1,
                                                .len = (uint32_t)vs_rand_below(r, 200),
                                                .bytes = s->bytes + vs_rand_below(r, 56) };
        item->entry = &s->entries[i];
    }
}

static void encode(struct vs_buf *buf, const struct journal_msg *m)
{
    struct px_head head = some_head();

    assert_int_equal(px_msg_journal_encode(&head, m, buf), 0);
}

static int decode(const uint8_t *bytes, size_t len, struct journal_msg *ret,
                  struct journal_item items[JOURNAL_ITEMS_MAX])
{
    struct maker maker = { UINT32_MAX };
    struct px_head head;
    int r = px_msg_journal_decode(bytes, len, &head, ret, items, make, &maker);

    if (r == 0) {
        assert_int_equal(head.pid, 4);
        assert_int_equal(head.inc, 17);
        assert_int_equal(head.epoch, ret->epoch);
    }
    return r;
}

static void messages_come_back_as_they_went_in(void **state)
{
    static struct sample s;
    struct journal_item items[JOURNAL_ITEMS_MAX];
    struct journal_msg got;
    struct vs_buf buf = { 0 };
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 1);
    for (unsigned i = 0; i < 2000; i++) {
        sample_make(&s, &r, i % 5 == 0 ? (unsigned)vs_rand_below(&r, JOURNAL_ITEMS_MAX + 1) : 0);
        buf.len = 0;
        encode(&buf, &s.msg);
        assert_int_equal(decode(buf.data, buf.len, &got, items), 0);
        assert_same_msg(&got, &s.msg);
        px_msg_journal_put(&got);
        assert_int_equal(alive, 0);
    }
    vs_buf_close(&buf);
}

static void a_heartbeat_is_short(void **state)
{
    struct journal_msg m = { .kind = JOURNAL_MSG_HEARTBEAT,
                             .epoch = 1,
                             .ballot = { 3, 1, 2 },
                             .commit = 1000,
                             .safe = 990,
                             .slot = 1,
                             .round = 17 };
    struct vs_buf buf = { 0 };

    (void)state;
    encode(&buf, &m);
    assert_true(buf.len <= 101);
    vs_buf_close(&buf);
}

static void one_entry_may_be_as_long_as_an_entry_gets(void **state)
{
    static uint8_t bytes[NS_ENTRY_BYTES_MAX + 1];
    struct journal_entry entry = { .refs = 1, .len = NS_ENTRY_BYTES_MAX, .bytes = bytes };
    struct journal_entry rest = { .refs = 1, .len = JOURNAL_ITEM_BYTES_MAX, .bytes = bytes };
    struct journal_item items[3] = { { .slot = 7, .entry = &entry },
                                     { .slot = 8, .entry = &rest },
                                     { .slot = 9, .entry = &entry } };
    struct journal_item got_items[JOURNAL_ITEMS_MAX];
    struct journal_msg m = { .kind = JOURNAL_MSG_ACCEPT, .item_count = 2, .items = items }, got;
    struct px_head head = some_head();
    struct vs_buf buf = { 0 };

    (void)state;
    encode(&buf, &m);
    assert_int_equal(decode(buf.data, buf.len, &got, got_items), 0);
    assert_same_msg(&got, &m);
    px_msg_journal_put(&got);
    m.item_count = 3; /* what no message may hold */
    assert_int_equal(px_msg_journal_encode(&head, &m, &buf), -EMSGSIZE);
    m.item_count = 1;
    entry.len++;
    assert_int_equal(px_msg_journal_encode(&head, &m, &buf), -EMSGSIZE);
    vs_buf_close(&buf);
}

static void what_is_no_message_is_not_sent(void **state)
{
    struct px_head head = some_head();
    struct journal_msg m = { .kind = 0 };
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(px_msg_journal_encode(&head, &m, &buf), -EINVAL);
    m.kind = JOURNAL_MSG_NACK + 1;
    assert_int_equal(px_msg_journal_encode(&head, &m, &buf), -EINVAL);
    m.kind = JOURNAL_MSG_NACK;
    m.reason = JOURNAL_NACK_CONFIG + 1;
    assert_int_equal(px_msg_journal_encode(&head, &m, &buf), -EINVAL);
    m.reason = JOURNAL_NACK_CONFIG;
    m.item_count = JOURNAL_ITEMS_MAX + 1;
    assert_int_equal(px_msg_journal_encode(&head, &m, &buf), -EINVAL);
    assert_int_equal(buf.len, 0);
    vs_buf_close(&buf);
}

static void no_memory_for_an_entry_leaves_none(void **state)
{
    static struct sample s;
    struct journal_item items[JOURNAL_ITEMS_MAX];
    struct journal_msg got;
    struct px_head head;
    struct vs_buf buf = { 0 };
    struct vs_rand r;
    bool all = false;

    (void)state;
    vs_rand_init(&r, 3);
    sample_make(&s, &r, 20);
    encode(&buf, &s.msg);
    for (unsigned room = 0; !all; room++) {
        struct maker maker = { room };
        int err = px_msg_journal_decode(buf.data, buf.len, &head, &got, items, make, &maker);

        assert_true(room <= 20);
        all = err == 0;
        if (all)
            px_msg_journal_put(&got);
        else
            assert_int_equal(err, -ENOMEM);
        assert_int_equal(alive, 0);
    }
    vs_buf_close(&buf);
}

static void frames_of_registers_are_no_messages_of_the_journal(void **state)
{
    struct journal_item items[JOURNAL_ITEMS_MAX];
    struct journal_msg m = { .kind = JOURNAL_MSG_ASK }, got;
    struct px_head head = some_head();
    struct vs_buf buf = { 0 };
    struct px_msg_out out;
    struct px_msg_in in;

    (void)state;
    assert_int_equal(px_msg_begin_asks(&out, &buf, &head), 0);
    assert_int_equal(px_msg_end(&out), 0);
    assert_int_equal(decode(buf.data, buf.len, &got, items), -VS_ECORRUPT);
    buf.len = 0;
    encode(&buf, &m);
    assert_int_equal(px_msg_open(buf.data, buf.len, &in), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void put_crc_and_length(uint8_t *bytes, size_t len)
{
    uint32_t crc;

    for (unsigned i = 0; i < 4; i++)
        bytes[8 + i] = (uint8_t)(len >> 8 * i);
    crc = vs_crc32c(0, bytes, len - 4);
    for (unsigned i = 0; i < 4; i++)
        bytes[len - 4 + i] = (uint8_t)(crc >> 8 * i);
}

/* A message that decodes must be what it would be written as. */
static int decode_all(const uint8_t *bytes, size_t len)
{
    struct maker maker = { UINT32_MAX };
    struct journal_item items[JOURNAL_ITEMS_MAX];
    struct journal_msg m;
    struct px_head head;
    struct vs_buf again = { 0 };
    int r = px_msg_journal_decode(bytes, len, &head, &m, items, make, &maker);

    if (r < 0) {
        assert_int_equal(maker.left, UINT32_MAX); /* nothing was made of what is not whole */
        return r;
    }
    assert_int_equal(px_msg_journal_encode(&head, &m, &again), 0);
    assert_int_equal(again.len, len);
    assert_memory_equal(again.data, bytes, len);
    px_msg_journal_put(&m);
    vs_buf_close(&again);
    return 0;
}

static void every_truncation_is_refused_with_or_without_a_right_checksum(void **state)
{
    static struct sample s;
    struct vs_buf buf = { 0 };
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 5);
    sample_make(&s, &r, 12);
    encode(&buf, &s.msg);
    for (size_t len = 0; len < buf.len; len++) {
        uint8_t *exact = malloc(len + 1);

        assert_non_null(exact);
        memcpy(exact, buf.data, len);
        assert_true(decode_all(exact, len) < 0);
        if (len >= PX_FRAME_HEAD_BYTES + 4) {
            put_crc_and_length(exact, len);
            assert_true(decode_all(exact, len) < 0);
        }
        free(exact);
    }
    vs_buf_close(&buf);
}

static void every_changed_byte_is_refused_or_read_as_what_it_says_now(void **state)
{
    static struct sample s;
    struct vs_buf buf = { 0 };
    struct vs_rand r;
    unsigned taken = 0;

    (void)state;
    vs_rand_init(&r, 8);
    sample_make(&s, &r, 12);
    s.msg.round = 1; /* one bit more than nothing; and a slot one bit from the one it would have */
    s.items[5].slot = (s.items[4].slot + 1) ^ 4;
    encode(&buf, &s.msg);
    for (size_t at = 0; at < buf.len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t *exact = malloc(buf.len);

            assert_non_null(exact);
            memcpy(exact, buf.data, buf.len);
            exact[at] ^= (uint8_t)(1u << bit);
            assert_true(decode_all(exact, buf.len) < 0);
            put_crc_and_length(exact, buf.len);
            taken += decode_all(exact, buf.len) == 0;
            free(exact);
        }
    }
    assert_true(taken > 1000);
    vs_buf_close(&buf);
}

static void noise_behind_a_good_head_never_gets_out_of_bounds(void **state)
{
    static struct sample s;
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 12);
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = PX_FRAME_HEAD_BYTES + 4 + vs_rand_below(&r, 300);
        struct vs_buf buf = { 0 };
        uint8_t *exact = malloc(len);
        size_t kept;

        assert_non_null(exact);
        sample_make(&s, &r, i % 8);
        encode(&buf, &s.msg);
        vs_rand_bytes(&r, exact, len);
        kept = PX_FRAME_HEAD_BYTES + vs_rand_below(&r, len - PX_FRAME_HEAD_BYTES);
        memcpy(exact, buf.data, kept < buf.len ? kept : buf.len);
        put_crc_and_length(exact, len);
        decode_all(exact, len);
        free(exact);
        vs_buf_close(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_back_as_they_went_in),
        cmocka_unit_test(a_heartbeat_is_short),
        cmocka_unit_test(one_entry_may_be_as_long_as_an_entry_gets),
        cmocka_unit_test(what_is_no_message_is_not_sent),
        cmocka_unit_test(no_memory_for_an_entry_leaves_none),
        cmocka_unit_test(frames_of_registers_are_no_messages_of_the_journal),
        cmocka_unit_test(every_truncation_is_refused_with_or_without_a_right_checksum),
        cmocka_unit_test(every_changed_byte_is_refused_or_read_as_what_it_says_now),
        cmocka_unit_test(noise_behind_a_good_head_never_gets_out_of_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
