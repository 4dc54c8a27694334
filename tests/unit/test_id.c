/* Ids keep their fields, sort by owner and age, and have one text form. */
#include "common/err.h"
#include "common/id.h"
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void fields_come_back_and_the_layout_is_fixed(void **state)
{
    struct vs_id id = vs_id_make(0x0102, 0x03040506, 0x0708090a0b0c0d0e, VS_ID_SEGMENT);
    const uint8_t bytes[VS_ID_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 2, 0 };

    (void)state;
    assert_memory_equal(id.b, bytes, VS_ID_BYTES);
    assert_int_equal(vs_id_pid(&id), 0x0102);
    assert_int_equal(vs_id_inc(&id), 0x03040506);
    assert_int_equal(vs_id_seq(&id), 0x0708090a0b0c0d0e);
    assert_int_equal(vs_id_type(&id), VS_ID_SEGMENT);
}

static void ids_sort_by_owner_then_age(void **state)
{
    /* each is greater in one field and smaller in all fields behind it */
    const struct vs_id sorted[] = {
        vs_id_make(1, 0x100, 0xffff, VS_ID_SEGMENT),  vs_id_make(1, 0x100, 0x10000, VS_ID_CHUNK),
        vs_id_make(1, 0x100, 0x10000, VS_ID_SEGMENT), vs_id_make(1, 0x101, 0, VS_ID_CHUNK),
        vs_id_make(0x100, 0, 0, VS_ID_CHUNK),
    };

    (void)state;
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 5; k++) {
            int order = vs_id_cmp(&sorted[i], &sorted[k]);

            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

static void only_the_zero_id_is_zero(void **state)
{
    struct vs_id id = { { 0 } };

    (void)state;
    assert_true(vs_id_is_zero(&id));
    for (unsigned i = 0; i < VS_ID_BYTES; i++) {
        id.b[i] = 1;
        assert_false(vs_id_is_zero(&id));
        id.b[i] = 0;
    }
}

static void text_goes_both_ways_in_either_case(void **state)
{
    struct vs_id id = vs_id_make(0xabcd, 0xef012345, 0x6789abcdef012345, VS_ID_CHUNK), back;
    char text[VS_ID_TEXT_BYTES];

    (void)state;
    vs_id_to_text(&id, text);
    assert_string_equal(text, "abcdef0123456789abcdef0123450100");
    assert_int_equal(vs_id_from_text(text, &back), 0);
    assert_int_equal(vs_id_cmp(&id, &back), 0);
    for (char *c = text; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    assert_int_equal(vs_id_from_text(text, &back), 0);
    assert_int_equal(vs_id_cmp(&id, &back), 0);
}

static void any_other_text_is_refused_and_nothing_written(void **state)
{
    const char good[] = "abcdef0123456789abcdef0123450100";
    const char strange[] = "gG/:@`\x80\xff -";
    struct vs_id id = vs_id_make(1, 2, 3, VS_ID_CHUNK), before = id;
    char text[VS_ID_TEXT_BYTES + 1];

    (void)state;
    for (size_t len = 0; len < 32; len++) {
        char *cut = strndup(good, len); /* exact memory: the sanitizer watches its end */

        assert_int_equal(vs_id_from_text(cut, &id), -EINVAL);
        free(cut);
    }
    memcpy(text, good, sizeof(good));
    strncat(text, "0", 2);
    assert_int_equal(vs_id_from_text(text, &id), -EINVAL);
    for (size_t at = 0; at < 32; at++)
        for (const char *c = strange; *c != '\0'; c++) {
            memcpy(text, good, sizeof(good));
            text[at] = *c;
            assert_int_equal(vs_id_from_text(text, &id), -EINVAL);
        }
    assert_int_equal(vs_id_cmp(&id, &before), 0);
}

/* The example of RFC 9562, A.6. */
static void a_uuid_says_when_it_was_made(void **state)
{
    const uint8_t chance[VS_UUID_CHANCE_BYTES] = { 0x0c, 0xc3, 0x18, 0xc4, 0xdc,
                                                   0x0c, 0x0c, 0x07, 0x39, 0x8f };
    struct vs_id uuid = vs_uuid_make(1645557742000999999, chance);
    char text[VS_ID_TEXT_BYTES];
    int64_t born_ns = 0;

    (void)state;
    vs_id_to_text(&uuid, text);
    assert_string_equal(text, "017f22e279b07cc398c4dc0c0c07398f");
    assert_int_equal(vs_uuid_born_ns(&uuid, &born_ns), 0);
    assert_int_equal(born_ns, 1645557742000000000);
}

static void a_uuid_of_another_version_says_no_time(void **state)
{
    const char *const others[] = { "017f22e279b04cc398c4dc0c0c07398f",
                                   "017f22e279b07cc3d8c4dc0c0c07398f",
                                   "ffffffffffff7cc398c4dc0c0c07398f",
                                   "00000000000000000000000000000000" };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct vs_id uuid;
        int64_t born_ns = 4711;

        assert_int_equal(vs_id_from_text(others[i], &uuid), 0);
        assert_int_equal(vs_uuid_born_ns(&uuid, &born_ns), -EINVAL);
        assert_int_equal(born_ns, 4711);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_back_and_the_layout_is_fixed),
        cmocka_unit_test(ids_sort_by_owner_then_age),
        cmocka_unit_test(only_the_zero_id_is_zero),
        cmocka_unit_test(text_goes_both_ways_in_either_case),
        cmocka_unit_test(any_other_text_is_refused_and_nothing_written),
        cmocka_unit_test(a_uuid_says_when_it_was_made),
        cmocka_unit_test(a_uuid_of_another_version_says_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
