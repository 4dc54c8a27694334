/* Any k fragments give back any other one, on any byte range; and the code never changes. */
#include "common/crc.h"
#include "common/ec.h"
#include "common/err.h"
#include "common/rand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN_MAX 300

struct coded {
    unsigned k, m;
    size_t len;
    uint8_t fragments[VS_EC_N_MAX][LEN_MAX];
};

static void code(struct coded *c, unsigned k, unsigned m, size_t len, struct vs_rand *rand)
{
    const uint8_t *data[VS_EC_K_MAX];
    uint8_t *parity[VS_EC_M_MAX];

    *c = (struct coded){ .k = k, .m = m, .len = len };
    for (unsigned i = 0; i < k; i++) {
        vs_rand_bytes(rand, c->fragments[i], len);
        data[i] = c->fragments[i];
    }
    for (unsigned i = 0; i < m; i++)
        parity[i] = c->fragments[k + i];
    vs_ec_encode(k, m, len, data, parity);
}

/* Rebuild every fragment that is not in the set `chosen` from the k that are. */
static void check_subset(const struct coded *c, unsigned chosen, struct vs_rand *rand)
{
    size_t from = vs_rand_below(rand, c->len + 1), len = vs_rand_below(rand, c->len - from + 1);
    const uint8_t *src[VS_EC_K_MAX];
    uint8_t have[VS_EC_K_MAX], dst[LEN_MAX + 1];
    unsigned count = 0;

    for (unsigned i = 0; i < c->k + c->m; i++)
        if ((chosen >> i & 1) != 0)
            have[count++] = (uint8_t)i;
    for (unsigned i = count; i > 1; i--) { /* in any order */
        unsigned other = (unsigned)vs_rand_below(rand, i);
        uint8_t swap = have[i - 1];

        have[i - 1] = have[other];
        have[other] = swap;
    }
    for (unsigned i = 0; i < count; i++)
        src[i] = c->fragments[have[i]] + from;

    for (unsigned want = 0; want < c->k + c->m; want++) {
        if ((chosen >> want & 1) != 0)
            continue;
        memset(dst, 0xaa, sizeof(dst));
        assert_int_equal(vs_ec_rebuild(c->k, c->m, have, src, want, dst, len), 0);
        assert_memory_equal(dst, c->fragments[want] + from, len);
        assert_int_equal(dst[len], 0xaa);
    }
}

static void any_k_fragments_rebuild_any_other_on_any_range(void **state)
{
    static struct coded c;
    struct vs_rand rand;

    (void)state;
    vs_rand_init(&rand, 2);
    for (unsigned k = 1; k <= VS_EC_K_MAX; k++)
        for (unsigned m = 1; m <= VS_EC_M_MAX; m++) {
            code(&c, k, m, 1 + vs_rand_below(&rand, LEN_MAX), &rand);
            for (unsigned chosen = 0; chosen < 1u << (k + m); chosen++)
                if ((unsigned)__builtin_popcount(chosen) == k)
                    check_subset(&c, chosen, &rand);
        }
}

static void replicas_are_copies(void **state)
{
    static struct coded c;
    struct vs_rand rand;

    (void)state;
    vs_rand_init(&rand, 3);
    code(&c, 1, VS_EC_M_MAX, LEN_MAX, &rand);
    for (unsigned i = 1; i <= VS_EC_M_MAX; i++)
        assert_memory_equal(c.fragments[i], c.fragments[0], LEN_MAX);
}

/* What is on disks was coded with this matrix: another one would read it as garbage. The bytes were
 * computed apart from isa-l: row i, column j is 1 / (i xor j) in GF(2^8) with polynomial 0x11d. */
static void the_parity_of_3_plus_2_never_changes(void **state)
{
    static struct coded c;
    const uint8_t *data[] = { (const uint8_t *)"V-St", (const uint8_t *)"ack ",
                              (const uint8_t *)"film" };
    uint8_t *parity[] = { c.fragments[3], c.fragments[4] };

    (void)state;
    vs_ec_encode(3, 2, 4, data, parity);
    assert_memory_equal(parity[0], "\xea\xcd\xe6\x51", 4);
    assert_memory_equal(parity[1], "\xc6\xce\x81\x2c", 4);
}

static void every_byte_position_is_coded_on_its_own(void **state)
{
    static struct coded c;
    const uint8_t *data[3];
    uint8_t parity[2][1], *parity_at[] = { parity[0], parity[1] };
    struct vs_rand rand;

    (void)state;
    vs_rand_init(&rand, 4);
    code(&c, 3, 2, LEN_MAX, &rand);
    for (size_t at = 0; at < LEN_MAX; at++) {
        for (unsigned i = 0; i < 3; i++)
            data[i] = c.fragments[i] + at;
        vs_ec_encode(3, 2, 1, data, parity_at);
        assert_int_equal(parity[0][0], c.fragments[3][at]);
        assert_int_equal(parity[1][0], c.fragments[4][at]);
    }
}

static void bad_numbers_are_refused(void **state)
{
    static const uint8_t bytes[3][8];
    const uint8_t *src[] = { bytes[0], bytes[1], bytes[2] };
    uint8_t dst[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

    (void)state;
    assert_int_equal(vs_ec_rebuild(3, 2, (uint8_t[]){ 0, 1, 2 }, src, 5, dst, 8), -EINVAL);
    assert_int_equal(vs_ec_rebuild(3, 2, (uint8_t[]){ 0, 1, 5 }, src, 2, dst, 8), -EINVAL);
    assert_int_equal(vs_ec_rebuild(3, 2, (uint8_t[]){ 0, 1, 255 }, src, 2, dst, 8), -EINVAL);
    assert_int_equal(vs_ec_rebuild(3, 2, (uint8_t[]){ 0, 1, 1 }, src, 2, dst, 8), -EINVAL);
    assert_int_equal(vs_ec_rebuild(3, 2, (uint8_t[]){ 0, 1, 2 }, src, 2, dst, 8), -EINVAL);
    assert_int_equal(vs_ec_rebuild(0, 2, (uint8_t[]){ 0 }, src, 1, dst, 8), -EINVAL);
    assert_int_equal(vs_ec_rebuild(9, 2, (uint8_t[]){ 0 }, src, 1, dst, 8), -EINVAL);
    assert_int_equal(vs_ec_rebuild(3, 5, (uint8_t[]){ 0, 1, 2 }, src, 3, dst, 8), -EINVAL);
    assert_int_equal(dst[0], 1);
    assert_int_equal(vs_ec_rebuild(3, 2, (uint8_t[]){ 0, 1, 2 }, src, 3, dst, 8), 0);
    assert_int_equal(dst[0], 0);
}

static void redundancy_has_limits_and_a_text(void **state)
{
    struct vs_redundancy red;
    char text[24];

    (void)state;
    for (unsigned kind = 0; kind < 5; kind++)
        for (unsigned k = 0; k < 12; k++)
            for (unsigned m = 0; m < 7; m++) {
                bool rs = kind == VS_RED_RS && k >= 2 && k <= 8 && m >= 1 && m <= 4;
                bool copies = kind == VS_RED_REPLICATE && k == 1 && m <= 4;

                red = (struct vs_redundancy){ (uint8_t)kind, (uint8_t)k, (uint8_t)m };
                assert_int_equal(vs_redundancy_check(&red), rs || copies ? 0 : -EINVAL);
            }
    vs_redundancy_to_text(&(struct vs_redundancy){ VS_RED_RS, 3, 2 }, text);
    assert_string_equal(text, "rs:3+2");
    vs_redundancy_to_text(&(struct vs_redundancy){ VS_RED_REPLICATE, 1, 2 }, text);
    assert_string_equal(text, "replicate:3");
    assert_int_equal(vs_redundancy_from_text("rs:3+2", &red), 0);
    assert_true(red.kind == VS_RED_RS && red.k == 3 && red.m == 2);
    assert_int_equal(vs_redundancy_from_text("replicate:3", &red), 0);
    assert_true(red.kind == VS_RED_REPLICATE && red.k == 1 && red.m == 2);
    assert_int_equal(vs_redundancy_from_text("rs:3+9", &red), -EINVAL);
    assert_int_equal(vs_redundancy_from_text("rs:3+2 ", &red), -EINVAL);
    assert_int_equal(vs_redundancy_from_text("none", &red), -EINVAL);
    vs_redundancy_to_text(&(struct vs_redundancy){ 77, 255, 255 }, text);
    assert_string_equal(text, "none");
    vs_redundancy_to_text(&(struct vs_redundancy){ VS_RED_REPLICATE, 255, 255 }, text);
    assert_string_equal(text, "replicate:510");
}

static void fragments_are_the_chunk_divided_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(vs_ec_fragment_bytes(0, 3), 0);
    assert_int_equal(vs_ec_fragment_bytes(1, 3), 1);
    assert_int_equal(vs_ec_fragment_bytes(3, 3), 1);
    assert_int_equal(vs_ec_fragment_bytes(4, 3), 2);
    assert_int_equal(vs_ec_fragment_bytes(4194304, 1), 4194304);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_k_fragments_rebuild_any_other_on_any_range),
        cmocka_unit_test(replicas_are_copies),
        cmocka_unit_test(the_parity_of_3_plus_2_never_changes),
        cmocka_unit_test(every_byte_position_is_coded_on_its_own),
        cmocka_unit_test(bad_numbers_are_refused),
        cmocka_unit_test(redundancy_has_limits_and_a_text),
        cmocka_unit_test(fragments_are_the_chunk_divided_rounded_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
