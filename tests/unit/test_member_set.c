/* Configurations: what is written is read; one that could not be is neither. */
#include "common/err.h"
#include "common/member_set.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct member_set three = {
    .epoch = 7, .count = 3, .member = { { 1, "http://a:1" }, { 2, "" }, { 65535, "http://c:3" } }
};

static void what_is_written_is_read(void **state)
{
    struct vs_buf b = { 0 };
    struct member_set s;

    (void)state;
    assert_int_equal(vs_buf_append(&b, "x", 1, 10), 0); /* appended */
    assert_int_equal(member_set_encode(&three, &b), 0);
    assert_int_equal(member_set_decode(b.data + 1, b.len - 1, &s), 0);
    assert_memory_equal(&s, &three, sizeof(s));
    for (size_t len = 0; len < b.len - 1; len++)
        assert_int_equal(member_set_decode(b.data + 1, len, &s), -VS_ECORRUPT);
    b.data[1] = 2;
    assert_int_equal(member_set_decode(b.data + 1, b.len - 1, &s), -VS_ENEWER);
    vs_buf_close(&b);
}

static void what_could_not_be_is_refused(void **state)
{
    struct member_set s;
    struct vs_buf b = { 0 };

    (void)state;
    s = three;
    s.epoch = 0;
    assert_int_equal(member_set_encode(&s, &b), -EINVAL);
    for (unsigned count = 0; count <= MEMBER_SET_MAX; count += 2) {
        s = three;
        s.count = count;
        assert_int_equal(member_set_encode(&s, &b), -EINVAL);
    }
    s = three;
    s.member[1].pid = 1;
    assert_int_equal(member_set_encode(&s, &b), -EINVAL);
    s.member[1].pid = 65536;
    assert_int_equal(member_set_encode(&s, &b), -EINVAL);
    s.member[1].pid = 0;
    assert_int_equal(member_set_encode(&s, &b), -EINVAL);
    s = three;
    s.member[0].url[4] = (char)32;
    assert_int_equal(member_set_encode(&s, &b), -EINVAL);
    s = three;
    memset(s.member[0].url, 'x', sizeof(s.member[0].url));
    assert_int_equal(member_set_encode(&s, &b), -EINVAL);
    assert_int_equal(b.len, 0);
}

static void the_bytes_of_one_that_could_not_be_are_corrupt(void **state)
{
    struct vs_buf b = { 0 };
    struct member_set s;

    (void)state;
    assert_int_equal(member_set_encode(&three, &b), 0);
    b.data[9] = 200; /* members */
    assert_int_equal(member_set_decode(b.data, b.len, &s), -VS_ECORRUPT);
    b.data[9] = 3;
    b.data[10] = 2; /* the first is the second */
    assert_int_equal(member_set_decode(b.data, b.len, &s), -VS_ECORRUPT);
    b.data[10] = 1;
    b.data[16] = 0; /* in an address */
    assert_int_equal(member_set_decode(b.data, b.len, &s), -VS_ECORRUPT);
    vs_buf_close(&b);
}

static void a_newcomer_takes_the_place_of_the_lost_one(void **state)
{
    struct member_set s;

    (void)state;
    assert_int_equal(member_set_replace(&three, 2, 4, "http://d:4", &s), 0);
    assert_int_equal(s.epoch, 8);
    assert_int_equal(s.count, 3);
    assert_int_equal(member_set_find(&s, 4), 1);
    assert_int_equal(member_set_find(&s, 2), -1);
    assert_string_equal(s.member[1].url, "http://d:4");
    assert_int_equal(member_set_replace(&three, 5, 4, "", &s), -ENOENT);
    assert_int_equal(member_set_replace(&three, 2, 1, "", &s), -EEXIST);
    assert_int_equal(member_set_replace(&three, 2, 4, "a b", &s), -EINVAL);
    assert_int_equal(member_set_replace(&three, 2, 0, "", &s), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_could_not_be_is_refused),
        cmocka_unit_test(the_bytes_of_one_that_could_not_be_are_corrupt),
        cmocka_unit_test(a_newcomer_takes_the_place_of_the_lost_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
