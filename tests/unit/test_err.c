/* Texts and kernel values of error codes. */
#include "common/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_own_code_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int a = VS_ERR_FIRST; a < VS_ERR_LAST; a++) {
        assert_non_null(vs_err_text(-a));
        assert_string_not_equal(vs_err_text(-a), "Unknown error");
        for (int b = VS_ERR_FIRST; b < a; b++)
            assert_string_not_equal(vs_err_text(-a), vs_err_text(-b));
    }
}

static void errno_values_have_the_texts_of_the_c_library(void **state)
{
    (void)state;
    assert_string_equal(vs_err_text(-EIO), strerror(EIO));
    assert_string_equal(vs_err_text(-ENOSPC), strerror(ENOSPC));
}

static void any_number_has_a_text(void **state)
{
    const int odd[] = { -999, -VS_ERR_LAST, -VS_ERR_FIRST + 1, -2147483647 - 1, -5000 };

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        assert_string_equal(vs_err_text(odd[i]), "Unknown error");
    assert_string_equal(vs_err_text(0), "Success");
    assert_string_equal(vs_err_text(3), "Success");
}

static void the_kernel_is_told_only_what_it_takes(void **state)
{
    (void)state;
    assert_int_equal(vs_err_to_errno(-VS_ECORRUPT), -EIO);
    assert_int_equal(vs_err_to_errno(-VS_ENEWER), -EIO);
    assert_int_equal(vs_err_to_errno(-VS_EDOWN), -EHOSTDOWN);
    assert_int_equal(vs_err_to_errno(-VS_EEXISTS_OTHER), -EIO);
    assert_int_equal(vs_err_to_errno(-VS_ELOST), -EIO);
    assert_int_equal(vs_err_to_errno(-VS_EFORGOT), -EIO);
    assert_int_equal(vs_err_to_errno(-ENOENT), -ENOENT);
    assert_int_equal(vs_err_to_errno(0), 0);
    for (int err = -1; err > -6000; err--)
        assert_in_range(-vs_err_to_errno(err), 1, 511); /* beyond that a FUSE reply is refused */
    assert_int_equal(vs_err_to_errno(-2147483647 - 1), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_own_code_has_a_text_of_its_own),
        cmocka_unit_test(errno_values_have_the_texts_of_the_c_library),
        cmocka_unit_test(any_number_has_a_text),
        cmocka_unit_test(the_kernel_is_told_only_what_it_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
