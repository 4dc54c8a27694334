/* Messages of a change of membership: they come back as they went in, and nothing else decodes. */
#include "meta/px_msg_move.h"

#include "common/crc.h"
#include "common/err.h"
#include "common/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REGS 4

static const uint8_t value_bytes[PX_VALUE_BYTES_MAX] = "value";
static const uint8_t config_bytes[PX_MOVE_CONFIG_BYTES_MAX] = "who votes";

static struct px_head some_head(void)
{
    struct px_head head = { .epoch = 12, .pid = 4, .inc = 5 };

    memset(head.cluster.b, 0x77, sizeof(head.cluster.b));
    return head;
}

/* Promised only; accepted at a lower ballot, with history; accepted round 0; one bit of all. */
static void make_regs(struct vs_id ids[REGS], struct px_reg regs[REGS])
{
    memset(regs, 0, REGS * sizeof(regs[0]));
    for (unsigned i = 0; i < REGS; i++)
        ids[i] = vs_id_make(2, 5, i, VS_ID_CHUNK);
    regs[0].promised = (struct px_ballot){ 7, 1, 1 };
    regs[1].promised = (struct px_ballot){ 9, 3, 2 };
    regs[1].ballot = (struct px_ballot){ 8, 1, 4 };
    regs[1].accepted = (struct px_accepted){ .version = 6, .value = value_bytes, .value_len = 99 };
    for (unsigned i = 0; i < PX_OPS_KEPT; i++)
        regs[1].accepted.last_op[i] = (struct px_op_done){ { 1, 4, 50 - i }, 6 - i };
    regs[2].promised = regs[2].ballot = (struct px_ballot){ 0, 2, 5 };
    regs[2].accepted = (struct px_accepted){ .version = 1, .value = value_bytes, .value_len = 5 };
    regs[3].promised = regs[3].ballot = (struct px_ballot){ 1, 0, 0 };
}

static struct px_move move_of(uint8_t kind)
{
    return (struct px_move){ .kind = kind, .epoch = 13 };
}

static void encode(struct vs_buf *buf, const struct px_move *m, const struct vs_id *ids,
                   const struct px_reg *regs, unsigned count)
{
    struct px_head head = some_head();
    struct px_move_out out;

    assert_int_equal(px_move_begin(&out, buf, &head, m), 0);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(px_move_add(&out, &ids[i], &regs[i]), 0);
    assert_int_equal(px_move_end(&out, m->more), 0);
}

static void assert_same_move(const struct px_move *a, const struct px_move *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->records, b->records);
    assert_int_equal(a->rest, b->rest);
    assert_int_equal(a->whole, b->whole);
    assert_int_equal(a->more, b->more);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->above, b->above);
    assert_int_equal(a->mark, b->mark);
    assert_int_equal(a->members, b->members);
    assert_int_equal(vs_id_cmp(&a->after, &b->after), 0);
    assert_int_equal(a->config_len, b->config_len);
    if (a->config_len > 0)
        assert_memory_equal(a->config, b->config, a->config_len);
}

static void assert_same_reg(const struct px_reg *a, const struct px_reg *b)
{
    assert_int_equal(px_ballot_cmp(&a->promised, &b->promised), 0);
    assert_int_equal(px_ballot_cmp(&a->ballot, &b->ballot), 0);
    assert_int_equal(a->accepted.version, b->accepted.version);
    assert_memory_equal(a->accepted.last_op, b->accepted.last_op, sizeof(a->accepted.last_op));
    assert_int_equal(a->accepted.value_len, b->accepted.value_len);
    if (a->accepted.value_len > 0)
        assert_memory_equal(a->accepted.value, b->accepted.value, a->accepted.value_len);
}

static void messages_and_registers_come_back_as_they_went_in(void **state)
{
    struct px_reg regs[REGS], got;
    struct vs_id ids[REGS], id;
    struct vs_buf buf = { 0 };
    struct px_move_in in;

    (void)state;
    make_regs(ids, regs);
    for (uint8_t kind = PX_MOVE_COPY; kind <= PX_MOVE_GATHERED; kind++) {
        struct px_move m = move_of(kind);

        m.records = kind % 2;
        m.rest = kind % 3 == 0;
        m.whole = kind == PX_MOVE_FENCED;
        m.more = kind == PX_MOVE_COPIED;
        m.above = UINT64_MAX - kind;
        m.mark = kind;
        m.members = 5;
        m.after = ids[1];
        m.config = config_bytes;
        m.config_len = kind == PX_MOVE_FENCE ? PX_MOVE_CONFIG_BYTES_MAX : 0;
        buf.len = 0;
        encode(&buf, &m, ids, regs, kind % 2 ? REGS : 0);
        assert_int_equal(px_move_open(buf.data, buf.len, &in), 0);
        assert_int_equal(in.head.pid, 4);
        assert_same_move(&in.move, &m);
        for (unsigned i = 0; kind % 2 && i < REGS; i++) {
            assert_true(px_move_next(&in, &id, &got));
            assert_int_equal(vs_id_cmp(&id, &ids[i]), 0);
            assert_same_reg(&got, &regs[i]);
        }
        assert_false(px_move_next(&in, &id, &got));
    }
    vs_buf_close(&buf);
}

static void pages_carry_any_number_of_registers(void **state)
{
    enum { ALL = 3000 };
    struct px_move m = move_of(PX_MOVE_COPIED);
    struct px_head head = some_head();
    struct px_reg reg, got;
    struct vs_id ids[REGS], id;
    struct px_reg regs[REGS];
    struct vs_buf buf = { 0 };
    unsigned sent = 0, taken = 0, pages = 0;

    (void)state;
    make_regs(ids, regs);
    reg = regs[1];
    for (bool more = true; more; pages++) {
        struct px_move_out out;
        struct px_move_in in;
        int r = 0;

        assert_true(pages < 100);
        buf.len = 0;
        assert_int_equal(px_move_begin(&out, &buf, &head, &m), 0);
        while (sent < ALL && r == 0) {
            reg.accepted.value_len = sent == 1500 ? PX_VALUE_BYTES_MAX : 200;
            id = vs_id_make(1, 1, sent, VS_ID_CHUNK);
            r = px_move_add(&out, &id, &reg);
            sent += r == 0;
        }
        more = r == -EMSGSIZE;
        assert_int_equal(px_move_end(&out, more), 0);
        assert_true(buf.len <= PX_FRAME_BYTES_MAX);
        assert_int_equal(px_move_open(buf.data, buf.len, &in), 0);
        assert_int_equal(in.move.more, more);
        while (px_move_next(&in, &id, &got))
            assert_int_equal(vs_id_seq(&id), taken++);
    }
    assert_int_equal(taken, ALL);
    assert_true(pages > 3);
    vs_buf_close(&buf);
}

static void what_is_no_message_or_register_is_not_sent(void **state)
{
    struct px_head head = some_head();
    struct px_move m = move_of(0);
    struct vs_buf buf = { 0 };
    struct px_move_out out;
    struct px_reg regs[REGS];
    struct vs_id ids[REGS];
    size_t len;

    (void)state;
    make_regs(ids, regs);
    assert_int_equal(px_move_begin(&out, &buf, &head, &m), -EINVAL);
    m.kind = PX_MOVE_TAIL + 1;
    assert_int_equal(px_move_begin(&out, &buf, &head, &m), -EINVAL);
    m.kind = PX_MOVE_FENCE;
    m.config_len = PX_MOVE_CONFIG_BYTES_MAX + 1;
    assert_int_equal(px_move_begin(&out, &buf, &head, &m), -EINVAL);
    assert_int_equal(buf.len, 0);
    m = move_of(PX_MOVE_COPIED);
    assert_int_equal(px_move_begin(&out, &buf, &head, &m), 0);
    len = buf.len;
    regs[0].accepted.version = 1; /* without a ballot it was accepted with */
    assert_int_equal(px_move_add(&out, &ids[0], &regs[0]), -EINVAL);
    regs[1].promised.round = 1; /* accepted above promised */
    assert_int_equal(px_move_add(&out, &ids[1], &regs[1]), -EINVAL);
    regs[2].accepted.value_len = PX_VALUE_BYTES_MAX + 1;
    assert_int_equal(px_move_add(&out, &ids[2], &regs[2]), -EINVAL);
    assert_int_equal(buf.len, len);
    assert_int_equal(px_move_end(&out, false), 0);
    vs_buf_close(&buf);
}

/* ---- damage ------------------------------------------------------------------------------------
 */

static void put_crc_and_length(uint8_t *bytes, size_t len)
{
    uint32_t crc;

    for (unsigned i = 0; i < 4; i++)
        bytes[8 + i] = (uint8_t)(len >> 8 * i);
    crc = vs_crc32c(0, bytes, len - 4);
    for (unsigned i = 0; i < 4; i++)
        bytes[len - 4 + i] = (uint8_t)(crc >> 8 * i);
}

/* Opens and reads everything; an accepted frame must be what it would be written as. */
static int open_all(const uint8_t *bytes, size_t len)
{
    struct vs_buf again = { 0 };
    struct px_move_out out;
    struct px_move_in in;
    struct px_reg reg;
    struct vs_id id;
    int r = px_move_open(bytes, len, &in);

    if (r < 0)
        return r;
    assert_int_equal(px_move_begin(&out, &again, &in.head, &in.move), 0);
    while (px_move_next(&in, &id, &reg))
        assert_int_equal(px_move_add(&out, &id, &reg), 0);
    assert_int_equal(px_move_end(&out, in.move.more), 0);
    assert_int_equal(again.len, len);
    assert_memory_equal(again.data, bytes, len);
    vs_buf_close(&again);
    return 0;
}

static void make_sample(struct vs_buf *buf)
{
    struct px_move m = move_of(PX_MOVE_OPENED);
    struct px_reg regs[REGS];
    struct vs_id ids[REGS];

    make_regs(ids, regs);
    m.config = config_bytes;
    m.config_len = 9;
    encode(buf, &m, ids, regs, REGS);
}

static void every_truncation_is_refused_with_or_without_a_right_checksum(void **state)
{
    struct vs_buf buf = { 0 };

    (void)state;
    make_sample(&buf);
    for (size_t len = 0; len < buf.len; len++) {
        uint8_t *exact = malloc(len + 1); /* a byte too far is seen by a sanitizer */

        assert_non_null(exact);
        memcpy(exact, buf.data, len);
        assert_true(open_all(exact, len) < 0);
        if (len >= PX_FRAME_HEAD_BYTES + 4) {
            put_crc_and_length(exact, len);
            assert_true(open_all(exact, len) < 0);
        }
        free(exact);
    }
    vs_buf_close(&buf);
}

static void every_changed_byte_is_refused_or_read_as_what_it_says_now(void **state)
{
    struct vs_buf buf = { 0 };
    unsigned taken = 0;

    (void)state;
    make_sample(&buf);
    for (size_t at = 0; at < buf.len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t *exact = malloc(buf.len);

            assert_non_null(exact);
            memcpy(exact, buf.data, buf.len);
            exact[at] ^= (uint8_t)(1u << bit);
            assert_true(open_all(exact, buf.len) < 0);
            put_crc_and_length(exact, buf.len);
            taken += open_all(exact, buf.len) == 0;
            free(exact);
        }
    }
    assert_true(taken > 1000);
    vs_buf_close(&buf);
}

static void noise_behind_a_good_head_never_gets_out_of_bounds(void **state)
{
    struct vs_buf buf = { 0 };
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 12);
    make_sample(&buf);
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = PX_FRAME_HEAD_BYTES + 4 + vs_rand_below(&r, 400), kept;
        uint8_t *exact = malloc(len);

        assert_non_null(exact);
        vs_rand_bytes(&r, exact, len);
        kept = PX_FRAME_HEAD_BYTES + vs_rand_below(&r, len - PX_FRAME_HEAD_BYTES);
        memcpy(exact, buf.data, kept < buf.len ? kept : buf.len);
        put_crc_and_length(exact, len);
        open_all(exact, len);
        free(exact);
    }
    vs_buf_close(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_and_registers_come_back_as_they_went_in),
        cmocka_unit_test(pages_carry_any_number_of_registers),
        cmocka_unit_test(what_is_no_message_or_register_is_not_sent),
        cmocka_unit_test(every_truncation_is_refused_with_or_without_a_right_checksum),
        cmocka_unit_test(every_changed_byte_is_refused_or_read_as_what_it_says_now),
        cmocka_unit_test(noise_behind_a_good_head_never_gets_out_of_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
