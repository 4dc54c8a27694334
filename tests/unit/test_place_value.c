/* place_value: a register's value comes back as it went in; nothing else decodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/rand.h"
#include "meta/manifest.h"
#include "meta/place_value.h"

#include <string.h>

static struct place_value make_value(uint8_t kind, uint8_t k, uint8_t m)
{
    struct place_value v = { .state = PLACE_LIVE,
                             .session = 0x1122334455667788,
                             .generation = 3,
                             .chunk_bytes = 4u << 20,
                             .red = { kind, k, m } };

    for (unsigned i = 0; i < (unsigned)k + m; i++) {
        v.frag[i].node = i + 1;
        v.frag[i].generation = i % 3 + 1;
        v.frag[i].table_crc = 0xc0ffee00 + i;
        memset(v.frag[i].sha256, (int)i + 1, sizeof(v.frag[i].sha256));
    }
    return v;
}

static void assert_same(const struct place_value *a, const struct place_value *b)
{
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->session, b->session);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->chunk_bytes, b->chunk_bytes);
    assert_memory_equal(&a->red, &b->red, sizeof(a->red));
    assert_memory_equal(a->frag, b->frag, sizeof(a->frag));
}

static void a_live_value_comes_back_as_it_went_in(void **state)
{
    const uint8_t forms[][3] = { { VS_RED_RS, 3, 2 },
                                 { VS_RED_RS, 2, 2 },
                                 { VS_RED_REPLICATE, 1, 2 },
                                 { VS_RED_REPLICATE, 1, 0 },
                                 { VS_RED_RS, 8, 4 } };
    struct vs_buf buf = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct place_value v = make_value(forms[i][0], forms[i][1], forms[i][2]), back;

        buf.len = 0;
        assert_int_equal(place_value_encode(&v, &buf), 0);
        assert_int_equal(place_value_decode(buf.data, buf.len, &back), 0);
        assert_same(&back, &v);
    }
    vs_buf_close(&buf);
}

static void a_tomb_keeps_session_and_generation_only(void **state)
{
    struct place_value v = make_value(VS_RED_RS, 3, 2), back;
    struct vs_buf buf = { 0 };

    (void)state;
    v.state = PLACE_TOMB;
    assert_int_equal(place_value_encode(&v, &buf), 0);
    assert_true(buf.len <= 60);
    assert_int_equal(place_value_decode(buf.data, buf.len, &back), 0);
    assert_int_equal(back.state, PLACE_TOMB);
    assert_int_equal(back.session, v.session);
    assert_int_equal(back.generation, 3);
    assert_int_equal(back.red.kind, VS_RED_NONE);
    vs_buf_close(&buf);
}

static void every_truncated_or_longer_value_is_refused(void **state)
{
    struct place_value v = make_value(VS_RED_RS, 3, 2), back;
    struct vs_buf buf = { 0 };

    (void)state;
    for (int tomb = 0; tomb < 2; tomb++) {
        v.state = tomb ? PLACE_TOMB : PLACE_LIVE;
        buf.len = 0;
        assert_int_equal(place_value_encode(&v, &buf), 0);
        for (size_t len = 0; len < buf.len; len++)
            assert_int_equal(place_value_decode(buf.data, len, &back), -VS_ECORRUPT);
        assert_int_equal(vs_buf_append(&buf, "", 1, SIZE_MAX), 0);
        assert_int_equal(place_value_decode(buf.data, buf.len, &back), -VS_ECORRUPT);
        buf.data[1] = 2;
        assert_int_equal(place_value_decode(buf.data, buf.len, &back), -VS_ENEWER);
    }
    vs_buf_close(&buf);
}

static void an_impossible_value_is_not_encoded(void **state)
{
    struct vs_buf buf = { 0 };

    (void)state;
    for (int lie = 0; lie < 9; lie++) {
        struct place_value v = make_value(VS_RED_RS, 3, 2);

        switch (lie) {
        case 0:
            v.state = PLACE_SEGMENT;
            break;
        case 1:
            v.state = 0;
            break;
        case 2:
            v.generation = 0;
            break;
        case 3:
            v.chunk_bytes = 0;
            break;
        case 4:
            v.chunk_bytes = MF_CHUNK_BYTES_MAX + 1;
            break;
        case 5:
            v.red.kind = VS_RED_NONE;
            break;
        case 6:
            v.frag[2].generation = 0;
            break;
        case 7: /* written for a placement that is still to come */
            v.frag[2].generation = v.generation + 1;
            break;
        default:
            v.frag[4].node = 0;
            break;
        }
        assert_int_equal(place_value_encode(&v, &buf), -EINVAL);
        assert_int_equal(buf.len, 0);
    }
    vs_buf_close(&buf);
}

static void random_bytes_decode_to_something_valid_or_nothing(void **state)
{
    struct place_value v = make_value(VS_RED_RS, 3, 2), back;
    struct vs_buf buf = { 0 }, again = { 0 };
    struct vs_rand rand;

    (void)state;
    vs_rand_init(&rand, 3);
    assert_int_equal(place_value_encode(&v, &buf), 0);
    for (int round = 0; round < 20000; round++) {
        size_t at = vs_rand_below(&rand, buf.len);
        uint8_t old = buf.data[at];

        buf.data[at] = (uint8_t)vs_rand_u64(&rand);
        if (place_value_decode(buf.data, buf.len, &back) == 0) {
            again.len = 0;
            assert_int_equal(place_value_encode(&back, &again), 0);
            assert_int_equal(again.len, buf.len);
            assert_memory_equal(again.data, buf.data, buf.len);
        }
        buf.data[at] = old;
    }
    vs_buf_close(&buf);
    vs_buf_close(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_live_value_comes_back_as_it_went_in),
        cmocka_unit_test(a_tomb_keeps_session_and_generation_only),
        cmocka_unit_test(every_truncated_or_longer_value_is_refused),
        cmocka_unit_test(an_impossible_value_is_not_encoded),
        cmocka_unit_test(random_bytes_decode_to_something_valid_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
