/* Asks and answers of registers: they come back as they went in, and nothing else decodes. */
#include "meta/px_msg.h"

#include "common/crc.h"
#include "common/err.h"
#include "common/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ASKS    9
#define ANSWERS 8

static const uint8_t value_bytes[PX_VALUE_BYTES_MAX] = "value";

static struct px_head head_of(uint32_t pid)
{
    struct px_head head = { .epoch = 12, .pid = pid, .inc = 5 };

    memset(head.cluster.b, 0x77, sizeof(head.cluster.b));
    return head;
}

static struct px_accepted accepted(uint64_t version, unsigned ops, size_t len)
{
    struct px_accepted a = { .version = version, .value = value_bytes, .value_len = len };

    for (unsigned i = 0; i < ops; i++)
        a.last_op[i] = (struct px_op_done){ { 2, 5, 1000 - i }, version - i };
    return a;
}

static struct px_ask ask_of(uint8_t phase, uint64_t round)
{
    struct px_ask ask = { .id = vs_id_make(2, 5, 9, VS_ID_CHUNK),
                          .seq = UINT64_C(0x1122334455667788),
                          .phase = phase,
                          .ballot = { round, 2, 5 } };

    if (phase == PX_ACCEPT0 || phase == PX_ACCEPT)
        ask.value = accepted(4, 2, 300);
    return ask;
}

static void assert_same_accepted(const struct px_accepted *a, const struct px_accepted *b)
{
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->value_len, b->value_len);
    assert_memory_equal(a->last_op, b->last_op, sizeof(a->last_op));
    if (a->value_len > 0)
        assert_memory_equal(a->value, b->value, a->value_len);
}

static void assert_same_ask(const struct px_ask *a, const struct px_ask *b)
{
    assert_int_equal(vs_id_cmp(&a->id, &b->id), 0);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->create, b->create);
    assert_int_equal(px_ballot_cmp(&a->ballot, &b->ballot), 0);
    assert_same_accepted(&a->value, &b->value);
}

static void assert_same_answer(const struct px_answer *a, const struct px_answer *b)
{
    assert_int_equal(vs_id_cmp(&a->id, &b->id), 0);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->word, b->word);
    assert_int_equal(px_ballot_cmp(&a->ballot, &b->ballot), 0);
    assert_int_equal(px_ballot_cmp(&a->promised, &b->promised), 0);
    assert_int_equal(px_ballot_cmp(&a->accepted_at, &b->accepted_at), 0);
    assert_same_accepted(&a->accepted, &b->accepted);
}

/* One of each: create with and without the flag, values with none to all operations. */
static unsigned make_asks(struct px_ask asks[ASKS])
{
    asks[0] = ask_of(PX_ACCEPT0, 0);
    asks[1] = ask_of(PX_PREPARE, 3);
    asks[2] = ask_of(PX_ACCEPT, UINT64_MAX);
    asks[2].create = true;
    asks[3] = ask_of(PX_READ, 0);
    asks[4] = ask_of(PX_ACCEPT, 1);
    asks[4].value = accepted(UINT64_MAX, PX_OPS_KEPT, 0);
    asks[5] = ask_of(PX_ACCEPT0, 0);
    asks[5].value = (struct px_accepted){ 0 };
    asks[6] = ask_of(PX_ACCEPT, 1);
    asks[6].value = accepted(3, 0, PX_VALUE_BYTES_MAX);
    asks[7] = ask_of(PX_ACCEPT, 1); /* an operation without a newer one before it */
    asks[7].value.last_op[0] = (struct px_op_done){ 0 };
    asks[8] = ask_of(PX_ACCEPT, 1); /* one bit more than nothing */
    asks[8].value.last_op[1] = (struct px_op_done){ { 1, 0, 0 }, 0 };
    return ASKS;
}

static unsigned make_answers(struct px_answer answers[ANSWERS])
{
    struct px_answer plain = { .id = vs_id_make(2, 5, 9, VS_ID_SEGMENT),
                               .seq = 8,
                               .phase = PX_ACCEPT,
                               .word = PX_SAYS_OK,
                               .ballot = { 4, 2, 5 } };

    for (unsigned i = 0; i < ANSWERS; i++)
        answers[i] = plain;
    answers[1].word = PX_SAYS_NO;
    answers[1].promised = (struct px_ballot){ 9, 3, 1 };
    answers[2].phase = PX_PREPARE;
    answers[2].promised = plain.ballot;
    answers[2].accepted_at = (struct px_ballot){ 0, 1, 7 };
    answers[2].accepted = accepted(6, 3, 77);
    answers[3].phase = PX_READ;
    answers[3].accepted_at = (struct px_ballot){ 0, 1, 7 };
    answers[3].accepted = accepted(1, 1, 0);
    answers[4].word = PX_SAYS_EPOCH;
    answers[5].phase = PX_ACCEPT0;
    answers[5].promised = answers[5].accepted_at = plain.ballot;
    answers[6].promised = answers[6].accepted_at = (struct px_ballot){ 1, 0, 0 };
    answers[7].phase = PX_READ; /* one bit more than nothing */
    answers[7].accepted.version = 1;
    return ANSWERS;
}

static void encode_asks(struct vs_buf *buf, const struct px_ask *asks, unsigned count)
{
    struct px_head head = head_of(2);
    struct px_msg_out out;

    assert_int_equal(px_msg_begin_asks(&out, buf, &head), 0);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(px_msg_add_ask(&out, &asks[i]), 0);
    assert_int_equal(px_msg_end(&out), 0);
}

static void encode_answers(struct vs_buf *buf, const struct px_answer *answers, unsigned count)
{
    struct px_head head = head_of(1), asked_by = head_of(2);
    struct px_msg_out out;

    assert_int_equal(px_msg_begin_answers(&out, buf, &head, &asked_by), 0);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(px_msg_add_answer(&out, &answers[i]), 0);
    assert_int_equal(px_msg_end(&out), 0);
}

static void asks_come_back_as_they_went_in(void **state)
{
    struct px_ask asks[ASKS], got;
    unsigned count = make_asks(asks);
    struct vs_buf buf = { 0 };
    struct px_msg_in in;
    struct px_answer no;

    (void)state;
    encode_asks(&buf, asks, count);
    assert_int_equal(px_msg_open(buf.data, buf.len, &in), 0);
    assert_int_equal(in.kind, PX_FRAME_ASKS);
    assert_int_equal(in.head.pid, 2);
    assert_int_equal(in.head.epoch, 12);
    assert_false(px_msg_next_answer(&in, &no));
    for (unsigned i = 0; i < count; i++) {
        assert_true(px_msg_next_ask(&in, &got));
        assert_same_ask(&got, &asks[i]);
    }
    assert_false(px_msg_next_ask(&in, &got));
    vs_buf_close(&buf);
}

static void answers_come_back_as_they_went_in(void **state)
{
    struct px_answer answers[ANSWERS], got;
    unsigned count = make_answers(answers);
    struct vs_buf buf = { 0 };
    struct px_msg_in in;
    struct px_ask no;

    (void)state;
    encode_answers(&buf, answers, count);
    assert_int_equal(px_msg_open(buf.data, buf.len, &in), 0);
    assert_int_equal(in.kind, PX_FRAME_ANSWERS);
    assert_int_equal(in.head.pid, 1); /* the acceptor's; the ballots are of 2 */
    assert_false(px_msg_next_ask(&in, &no));
    for (unsigned i = 0; i < count; i++) {
        assert_true(px_msg_next_answer(&in, &got));
        assert_same_answer(&got, &answers[i]);
    }
    assert_false(px_msg_next_answer(&in, &got));
    vs_buf_close(&buf);
}

static void an_empty_frame_is_a_frame(void **state)
{
    struct vs_buf buf = { 0 };
    struct px_msg_in in;
    struct px_ask ask;

    (void)state;
    encode_asks(&buf, NULL, 0);
    assert_int_equal(px_msg_open(buf.data, buf.len, &in), 0);
    assert_false(px_msg_next_ask(&in, &ask));
    vs_buf_close(&buf);
}

static void a_fresh_placement_takes_less_than_100_bytes_around_its_value(void **state)
{
    struct px_ask ask = ask_of(PX_ACCEPT0, 0);
    struct vs_buf one = { 0 }, two = { 0 };
    struct px_ask both[2];

    (void)state;
    ask.value = accepted(1, 1, 250);
    both[0] = both[1] = ask;
    encode_asks(&one, both, 1);
    encode_asks(&two, both, 2);
    assert_true(two.len - one.len < 250 + 100);
    vs_buf_close(&one);
    vs_buf_close(&two);
}

static void a_full_frame_says_so_and_keeps_what_it_has(void **state)
{
    struct px_ask small = ask_of(PX_READ, 0), large = ask_of(PX_ACCEPT, 1), got;
    struct px_head head = head_of(2);
    struct vs_buf buf = { 0 };
    struct px_msg_out out;
    struct px_msg_in in;
    unsigned count = 0;

    (void)state;
    assert_int_equal(px_msg_begin_asks(&out, &buf, &head), 0);
    while (px_msg_add_ask(&out, &small) == 0)
        count++;
    assert_int_equal(count, PX_FRAME_ENTRIES_MAX);
    assert_int_equal(px_msg_add_ask(&out, &small), -EMSGSIZE);
    assert_int_equal(px_msg_end(&out), 0);
    assert_int_equal(px_msg_open(buf.data, buf.len, &in), 0);
    assert_int_equal(in.left, PX_FRAME_ENTRIES_MAX);

    buf.len = 0;
    large.value = accepted(9, 4, PX_VALUE_BYTES_MAX);
    assert_int_equal(px_msg_begin_asks(&out, &buf, &head), 0);
    for (count = 0; px_msg_add_ask(&out, &large) == 0;)
        count++;
    assert_int_equal(count, 3); /* a fourth 64 KiB and 256 KiB are over */
    assert_int_equal(px_msg_add_ask(&out, &large), -EMSGSIZE);
    assert_int_equal(px_msg_add_ask(&out, &small), 0);
    assert_int_equal(px_msg_end(&out), 0);
    assert_true(buf.len <= PX_FRAME_BYTES_MAX);
    assert_int_equal(px_msg_open(buf.data, buf.len, &in), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(px_msg_next_ask(&in, &got));
        assert_same_ask(&got, &large);
    }
    assert_true(px_msg_next_ask(&in, &got));
    assert_same_ask(&got, &small);
    vs_buf_close(&buf);
}

static void an_empty_frame_takes_the_largest_entry(void **state)
{
    struct px_answer answer = { .phase = PX_PREPARE,
                                .word = PX_SAYS_OK,
                                .ballot = { 1, 2, 5 },
                                .promised = { 1, 2, 5 },
                                .accepted_at = { 1, 2, 5 } };
    struct vs_buf buf = { 0 };

    (void)state;
    answer.accepted = accepted(1, PX_OPS_KEPT, PX_VALUE_BYTES_MAX);
    encode_answers(&buf, &answer, 1);
    vs_buf_close(&buf);
}

static void what_is_no_ask_is_not_sent(void **state)
{
    struct px_ask ask = ask_of(PX_PREPARE, 1);
    struct px_head head = head_of(2);
    struct px_answer answer = { .phase = PX_READ, .word = PX_SAYS_OK, .ballot = { 0, 2, 5 } };
    struct vs_buf buf = { 0 };
    struct px_msg_out out;
    size_t len;

    (void)state;
    assert_int_equal(px_msg_begin_asks(&out, &buf, &head), 0);
    len = buf.len;
    assert_int_equal(px_msg_add_answer(&out, &answer), -EINVAL);
    ask.ballot.pid = 3; /* another's ballot */
    assert_int_equal(px_msg_add_ask(&out, &ask), -EINVAL);
    ask = ask_of(PX_PREPARE, 1);
    ask.ballot.inc = 4; /* of a former life */
    assert_int_equal(px_msg_add_ask(&out, &ask), -EINVAL);
    ask = ask_of(PX_PREPARE, 1);
    ask.create = true;
    assert_int_equal(px_msg_add_ask(&out, &ask), -EINVAL);
    ask = ask_of(PX_READ, 1);
    ask.value = accepted(1, 0, 1);
    assert_int_equal(px_msg_add_ask(&out, &ask), -EINVAL);
    ask = ask_of(PX_ACCEPT, 1);
    ask.value.value_len = PX_VALUE_BYTES_MAX + 1;
    assert_int_equal(px_msg_add_ask(&out, &ask), -EINVAL);
    ask = ask_of(9, 1);
    assert_int_equal(px_msg_add_ask(&out, &ask), -EINVAL);
    assert_int_equal(buf.len, len);
    assert_int_equal(px_msg_end(&out), 0);

    buf.len = 0;
    assert_int_equal(px_msg_begin_answers(&out, &buf, &head, &head), 0);
    assert_int_equal(px_msg_add_ask(&out, &ask), -EINVAL);
    answer.word = 0;
    assert_int_equal(px_msg_add_answer(&out, &answer), -EINVAL);
    answer.word = PX_SAYS_EPOCH + 1;
    assert_int_equal(px_msg_add_answer(&out, &answer), -EINVAL);
    answer.word = PX_SAYS_OK;
    answer.ballot.pid = 1;
    assert_int_equal(px_msg_add_answer(&out, &answer), -EINVAL);
    assert_int_equal(px_msg_end(&out), 0);
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

/* Opens and reads everything; an accepted frame must be what it would be written as. */
static int open_all(const uint8_t *bytes, size_t len)
{
    struct px_head asked_by = { 0 };
    struct vs_buf again = { 0 };
    struct px_answer answer;
    struct px_msg_out out;
    struct px_msg_in in;
    struct px_ask ask;
    int r = px_msg_open(bytes, len, &in);

    if (r < 0)
        return r;
    asked_by.pid = in.pid;
    asked_by.inc = in.inc;
    if (in.kind == PX_FRAME_ASKS)
        assert_int_equal(px_msg_begin_asks(&out, &again, &in.head), 0);
    else
        assert_int_equal(px_msg_begin_answers(&out, &again, &in.head, &asked_by), 0);
    while (px_msg_next_ask(&in, &ask))
        assert_int_equal(px_msg_add_ask(&out, &ask), 0);
    while (px_msg_next_answer(&in, &answer))
        assert_int_equal(px_msg_add_answer(&out, &answer), 0);
    assert_int_equal(px_msg_end(&out), 0);
    assert_int_equal(again.len, len);
    assert_memory_equal(again.data, bytes, len);
    vs_buf_close(&again);
    return 0;
}

/* Bodies of two frames, small values. */
static void make_samples(struct vs_buf samples[2])
{
    struct px_answer answers[ANSWERS];
    struct px_ask asks[ASKS];

    make_asks(asks);
    asks[6].value.value_len = 3;
    encode_asks(&samples[0], asks, ASKS);
    make_answers(answers);
    encode_answers(&samples[1], answers, ANSWERS);
}

static void every_truncation_is_refused_with_or_without_a_right_checksum(void **state)
{
    struct vs_buf samples[2] = { { 0 }, { 0 } };

    (void)state;
    make_samples(samples);
    for (unsigned s = 0; s < 2; s++) {
        for (size_t len = 0; len < samples[s].len; len++) {
            uint8_t *exact = malloc(len + 1); /* a byte too far is seen by a sanitizer */

            assert_non_null(exact);
            memcpy(exact, samples[s].data, len);
            assert_true(open_all(exact, len) < 0);
            if (len >= PX_FRAME_HEAD_BYTES + 4) {
                put_crc_and_length(exact, len);
                assert_true(open_all(exact, len) < 0);
            }
            free(exact);
        }
        vs_buf_close(&samples[s]);
    }
}

static void every_changed_byte_is_refused_or_read_as_what_it_says_now(void **state)
{
    struct vs_buf samples[2] = { { 0 }, { 0 } };
    unsigned taken = 0;

    (void)state;
    make_samples(samples);
    for (unsigned s = 0; s < 2; s++) {
        for (size_t at = 0; at < samples[s].len; at++) {
            for (unsigned x = 1; x < 256; x = x == 128 ? 255 : 2 * x) {
                uint8_t *exact = malloc(samples[s].len);

                assert_non_null(exact);
                memcpy(exact, samples[s].data, samples[s].len);
                exact[at] ^= (uint8_t)x;
                assert_true(open_all(exact, samples[s].len) < 0); /* the checksum's work */
                put_crc_and_length(exact, samples[s].len);
                taken += open_all(exact, samples[s].len) == 0;
                free(exact);
                if (x == 255)
                    break;
            }
        }
        vs_buf_close(&samples[s]);
    }
    assert_true(taken > 1000);
}

static void noise_behind_a_good_head_never_gets_out_of_bounds(void **state)
{
    struct vs_buf samples[2] = { { 0 }, { 0 } };
    struct vs_rand rand;

    (void)state;
    vs_rand_init(&rand, 11);
    make_samples(samples);
    for (unsigned i = 0; i < 20000; i++) {
        const struct vs_buf *b = &samples[i % 2];
        size_t len = PX_FRAME_HEAD_BYTES + 4 + vs_rand_below(&rand, 300);
        uint8_t *exact = malloc(len);

        assert_non_null(exact);
        vs_rand_bytes(&rand, exact, len);
        memcpy(exact, b->data, PX_FRAME_HEAD_BYTES + vs_rand_below(&rand, len - 48 + 1));
        put_crc_and_length(exact, len);
        open_all(exact, len);
        free(exact);
    }
    vs_buf_close(&samples[0]);
    vs_buf_close(&samples[1]);
}

static void a_count_that_is_not_that_of_the_entries_is_refused(void **state)
{
    struct vs_buf samples[2] = { { 0 }, { 0 } };

    (void)state;
    make_samples(samples);
    for (unsigned count = 0; count < 2000; count++) {
        samples[0].data[6] = (uint8_t)count;
        samples[0].data[7] = (uint8_t)(count >> 8);
        put_crc_and_length(samples[0].data, samples[0].len);
        assert_int_equal(open_all(samples[0].data, samples[0].len),
                         count == ASKS ? 0 : -VS_ECORRUPT);
    }
    vs_buf_close(&samples[0]);
    vs_buf_close(&samples[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_come_back_as_they_went_in),
        cmocka_unit_test(answers_come_back_as_they_went_in),
        cmocka_unit_test(an_empty_frame_is_a_frame),
        cmocka_unit_test(a_fresh_placement_takes_less_than_100_bytes_around_its_value),
        cmocka_unit_test(a_full_frame_says_so_and_keeps_what_it_has),
        cmocka_unit_test(an_empty_frame_takes_the_largest_entry),
        cmocka_unit_test(what_is_no_ask_is_not_sent),
        cmocka_unit_test(every_truncation_is_refused_with_or_without_a_right_checksum),
        cmocka_unit_test(every_changed_byte_is_refused_or_read_as_what_it_says_now),
        cmocka_unit_test(noise_behind_a_good_head_never_gets_out_of_bounds),
        cmocka_unit_test(a_count_that_is_not_that_of_the_entries_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
