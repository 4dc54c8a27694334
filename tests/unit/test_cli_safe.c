/* vstackfs safe: exit code 0 is what somebody deletes an original by. The attribute stands on a
 * plain file here. */
#include "tests/support/cli_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/xattr.h>

#include <cmocka.h>

static const char *film(struct cli_rig *r, const char *text)
{
    const char *path = cli_rig_path(r, "film.mkv");

    cli_rig_write(r, "film.mkv", "bytes");
    if (setxattr(path, "user.vstack.safe", text, strlen(text), 0) < 0) {
        print_message("no user attributes here\n");
        skip();
    }
    return path;
}

static void only_a_clear_yes_is_success(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "safe", film(r, "yes")), 0);
    assert_non_null(strstr(r->out, "film.mkv: yes\n"));
    assert_int_equal(RUN(r, "safe", film(r, "yes: all on one disk")), 0);
    assert_non_null(strstr(r->out, "film.mkv: yes: all on one disk\n"));
}

/* A no is an answer, on stdout, and not an error of the command. */
static int asked(struct cli_rig *r, const char *text)
{
    char *argv[] = { "safe", (char *)film(r, text) };
    int code;

    cli_rig_catch(r);
    code = cli_safe(2, argv);
    cli_rig_caught(r);
    return code;
}

static void everything_else_is_no(void **state)
{
    static const char *const texts[] = { "no: 1 of 2 chunks cannot be read", "no", "", "yesterday",
                                         "Yes" };
    struct cli_rig *r = *state;

    for (unsigned n = 0; n < sizeof(texts) / sizeof(texts[0]); n++) {
        assert_int_equal(asked(r, texts[n]), 1);
        assert_non_null(strstr(r->out, texts[n]));
        assert_string_equal(r->err, "");
    }
}

static void json_says_the_same(void **state)
{
    struct cli_rig *r = *state;
    struct vs_json *j;
    bool safe = true;

    assert_int_equal(RUN(r, "safe", "--json", film(r, "yes: so")), 0);
    assert_int_equal(vs_json_parse(r->out, strlen(r->out), &j), 0);
    assert_int_equal(vs_json_get_bool(j, "safe", &safe), 0);
    assert_true(safe);
    assert_string_equal(vs_json_get_text(j, "text"), "yes: so");
    vs_json_free(j);
}

static void what_is_no_film_of_ours_is_an_error(void **state)
{
    struct cli_rig *r = *state;

    cli_rig_write(r, "plain", "bytes");
    assert_int_equal(RUN(r, "safe", cli_rig_path(r, "plain")), 1);
    assert_non_null(strstr(r->err, "not a file in a V-Stack mount"));
    assert_int_equal(RUN(r, "safe", cli_rig_path(r, "nothing")), 1);
    assert_non_null(strstr(r->err, "No such file"));
    assert_int_equal(RUN(r, "safe"), 1);
    assert_non_null(strstr(r->err, "which file?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(only_a_clear_yes_is_success),
        CLI_TEST(everything_else_is_no),
        CLI_TEST(json_says_the_same),
        CLI_TEST(what_is_no_film_of_ours_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
