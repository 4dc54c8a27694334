/* Records of acceptor/: whole or refused. */
#include "common/crc.h"
#include "common/err.h"
#include "common/rand.h"
#include "meta/acceptor_codec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct px_reg sample_reg(const uint8_t *value, size_t len)
{
    struct px_reg reg = {
        .promised = { 9, 2, 3 },
        .ballot = { 8, 1, 4 },
        .accepted = { .version = 5, .value = value, .value_len = len },
    };

    for (unsigned i = 0; i < PX_OPS_KEPT; i++)
        reg.accepted.last_op[i] = (struct px_op_done){ { 1, 4, 100 - i }, 5 - i };
    return reg;
}

static void a_register_comes_back_as_it_was(void **state)
{
    struct px_reg reg = sample_reg((const uint8_t *)"value", 5), got;
    struct vs_buf b = { 0 };

    (void)state;
    assert_int_equal(acceptor_reg_encode(&reg, &b), 0);
    assert_int_equal(acceptor_reg_decode(b.data, b.len, &got), 0);
    assert_int_equal(px_ballot_cmp(&got.promised, &reg.promised), 0);
    assert_int_equal(px_ballot_cmp(&got.ballot, &reg.ballot), 0);
    assert_int_equal(got.accepted.version, 5);
    assert_int_equal(got.accepted.value_len, 5);
    assert_memory_equal(got.accepted.value, "value", 5);
    for (unsigned i = 0; i < PX_OPS_KEPT; i++) {
        assert_int_equal(got.accepted.last_op[i].op.seq, 100 - i);
        assert_int_equal(got.accepted.last_op[i].op.inc, 4);
        assert_int_equal(got.accepted.last_op[i].version, 5 - i);
    }
    vs_buf_close(&b);
}

static void a_promise_alone_comes_back(void **state)
{
    struct px_reg reg = { .promised = { 1, 1, 1 } }, got;
    struct vs_buf b = { 0 };

    (void)state;
    assert_int_equal(acceptor_reg_encode(&reg, &b), 0);
    assert_int_equal(acceptor_reg_decode(b.data, b.len, &got), 0);
    assert_true(px_ballot_is_none(&got.ballot));
    assert_int_equal(got.promised.round, 1);
    vs_buf_close(&b);
}

static void a_value_over_its_limit_is_refused(void **state)
{
    uint8_t *huge = calloc(1, PX_VALUE_BYTES_MAX + 1);
    struct px_reg reg = sample_reg(huge, PX_VALUE_BYTES_MAX + 1);
    struct vs_buf b = { 0 };

    (void)state;
    assert_int_equal(acceptor_reg_encode(&reg, &b), -EMSGSIZE);
    reg.accepted.value_len--;
    assert_int_equal(acceptor_reg_encode(&reg, &b), 0);
    vs_buf_close(&b);
    free(huge);
}

/* Every length and every flipped bit of a register and a slot. */
static void a_cut_or_changed_record_is_corrupt(void **state)
{
    struct px_reg reg = sample_reg((const uint8_t *)"value", 5), got;
    struct px_ballot ballot = { 3, 1, 2 };
    const uint8_t *entry;
    size_t entry_len;
    struct vs_buf b = { 0 };

    (void)state;
    assert_int_equal(acceptor_reg_encode(&reg, &b), 0);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(acceptor_reg_decode(b.data, len, &got), -VS_ECORRUPT);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(acceptor_reg_decode(b.data, b.len, &got), -VS_ECORRUPT);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(acceptor_slot_encode(&ballot, "entry", 5, &b), 0);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(acceptor_slot_decode(b.data, b.len, &ballot, &entry, &entry_len),
                         -VS_ECORRUPT);
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(acceptor_slot_decode(b.data, b.len, &ballot, &entry, &entry_len), 0);
    assert_int_equal(entry_len, 5);
    assert_memory_equal(entry, "entry", 5);
    assert_int_equal(ballot.round, 3);
    vs_buf_close(&b);
}

/* Puts the checksum right again after a change. */
static void seal(struct vs_buf *b)
{
    uint32_t crc = vs_crc32c(0, b->data, b->len - 4);

    for (unsigned i = 0; i < 4; i++)
        b->data[b->len - 4 + i] = (uint8_t)(crc >> (8 * i));
}

static void a_newer_format_is_refused_as_newer(void **state)
{
    struct acceptor_identity id = { .pid = 1, .inc = 2 }, got_id;
    struct acceptor_journal j = { .promised = { 1, 1, 1 }, .first = 1 }, got_j;
    struct vs_buf b = { 0 };
    uint64_t count;

    (void)state;
    assert_int_equal(acceptor_identity_encode(&id, &b), 0);
    b.data[0]++;
    seal(&b);
    assert_int_equal(acceptor_identity_decode(b.data, b.len, &got_id), -VS_ENEWER);
    assert_int_equal(acceptor_journal_encode(&j, &b), 0);
    b.data[0]++;
    seal(&b);
    assert_int_equal(acceptor_journal_decode(b.data, b.len, &got_j), -VS_ENEWER);
    assert_int_equal(acceptor_count_encode(7, &b), 0);
    assert_int_equal(acceptor_count_decode(b.data, b.len, &count), 0);
    assert_int_equal(count, 7);
    b.data[0]++;
    seal(&b);
    assert_int_equal(acceptor_count_decode(b.data, b.len, &count), -VS_ENEWER);
    vs_buf_close(&b);
}

/* Right checksums, impossible contents: accepted above promised, slot 0, pid 0. */
static void what_cannot_be_is_corrupt_even_with_a_right_checksum(void **state)
{
    struct px_reg reg = sample_reg((const uint8_t *)"v", 1), got;
    struct acceptor_identity id = { .pid = 0 }, got_id;
    struct acceptor_journal j = { .first = 0 }, got_j;
    struct vs_buf b = { 0 };

    (void)state;
    reg.ballot.round = 10;
    assert_int_equal(acceptor_reg_encode(&reg, &b), 0);
    assert_int_equal(acceptor_reg_decode(b.data, b.len, &got), -VS_ECORRUPT);
    assert_int_equal(acceptor_identity_encode(&id, &b), 0);
    assert_int_equal(acceptor_identity_decode(b.data, b.len, &got_id), -VS_ECORRUPT);
    assert_int_equal(acceptor_journal_encode(&j, &b), 0);
    assert_int_equal(acceptor_journal_decode(b.data, b.len, &got_j), -VS_ECORRUPT);
    vs_buf_close(&b);
}

static void random_bytes_with_a_right_checksum_are_taken_safely(void **state)
{
    struct vs_rand rand;
    uint8_t bytes[300];
    struct px_reg reg;
    struct px_ballot ballot;
    const uint8_t *entry;
    size_t len;

    (void)state;
    vs_rand_init(&rand, 1);
    for (unsigned i = 0; i < 20000; i++) {
        struct vs_buf b = { .data = bytes, .len = 5 + vs_rand_below(&rand, sizeof(bytes) - 5) };
        int r;

        vs_rand_bytes(&rand, bytes, b.len);
        bytes[0] = 1;
        seal(&b);
        r = acceptor_reg_decode(b.data, b.len, &reg);
        assert_true(r == 0 || r == -VS_ECORRUPT);
        r = acceptor_slot_decode(b.data, b.len, &ballot, &entry, &len);
        assert_true(r == -VS_ECORRUPT || (r == 0 && entry + len <= bytes + b.len));
    }
}

static void keys_sort_as_ids_and_slots_do(void **state)
{
    uint8_t a[ACCEPTOR_SLOT_KEY_BYTES], b[ACCEPTOR_SLOT_KEY_BYTES];
    uint8_t reg[ACCEPTOR_REG_KEY_BYTES];
    struct vs_id id = vs_id_make(1, 2, 3, VS_ID_SEGMENT), got;
    uint64_t slot;

    (void)state;
    acceptor_slot_key(255, a);
    acceptor_slot_key(256, b);
    assert_true(memcmp(a, b, sizeof(a)) < 0);
    acceptor_slot_key(UINT64_MAX, b);
    assert_true(memcmp(a, b, sizeof(a)) < 0);
    assert_int_equal(acceptor_slot_key_decode(a, sizeof(a), &slot), 0);
    assert_int_equal(slot, 255);
    acceptor_reg_key(&id, reg);
    assert_int_equal(acceptor_reg_key_decode(reg, sizeof(reg), &got), 0);
    assert_int_equal(vs_id_cmp(&id, &got), 0);
    assert_int_equal(acceptor_reg_key_decode(a, sizeof(a), &got), -VS_ECORRUPT);
    assert_int_equal(acceptor_slot_key_decode(reg, sizeof(reg), &slot), -VS_ECORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_register_comes_back_as_it_was),
        cmocka_unit_test(a_promise_alone_comes_back),
        cmocka_unit_test(a_value_over_its_limit_is_refused),
        cmocka_unit_test(a_cut_or_changed_record_is_corrupt),
        cmocka_unit_test(a_newer_format_is_refused_as_newer),
        cmocka_unit_test(what_cannot_be_is_corrupt_even_with_a_right_checksum),
        cmocka_unit_test(random_bytes_with_a_right_checksum_are_taken_safely),
        cmocka_unit_test(keys_sort_as_ids_and_slots_do),
    };

    return cmocka_run_group_tests_name("acceptor_codec", tests, NULL, NULL);
}
