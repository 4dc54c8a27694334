/* vstackfs info: what the file's attribute says, as it is or for people. The attribute stands on a
 * plain file here. */
#include "tests/support/cli_rig.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/xattr.h>

#include <cmocka.h>

static const char info[] = "{\"state\":\"stored\",\"stored_as\":\"rs:3+2\",\"stored_bytes\":1700,"
                           "\"size\":1000,\"chunks\":4,\"container\":null,\"sha256\":\"abcd\"}";

/* A file with this text; its path. Skips where the file system keeps no attributes. */
static const char *put_info(struct cli_rig *r, const char *text)
{
    const char *path = cli_rig_path(r, "film.mkv");

    cli_rig_write(r, "film.mkv", "bytes");
    if (setxattr(path, "user.vstack.info", text, strlen(text), 0) < 0) {
        print_message("no user attributes here\n");
        skip();
    }
    return path;
}

static void json_is_passed_on_as_it_is(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "info", put_info(r, info), "--json"), 0);
    assert_memory_equal(r->out, info, strlen(info));
    assert_string_equal(r->out + strlen(info), "\n");
}

static void people_get_a_line_for_each_thing_known(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "info", put_info(r, info)), 0);
    assert_non_null(strstr(r->out, "film.mkv\n"));
    assert_non_null(strstr(r->out, "  state            stored\n"));
    assert_non_null(strstr(r->out, "  stored as        rs:3+2\n"));
    assert_non_null(strstr(r->out, "  bytes on disk    1700\n"));
    assert_non_null(strstr(r->out, "  sha256           abcd\n"));
    assert_null(strstr(r->out, "container")); /* not known */
}

static void what_is_no_film_of_ours_is_an_error(void **state)
{
    struct cli_rig *r = *state;

    cli_rig_write(r, "plain", "bytes");
    assert_int_equal(RUN(r, "info", cli_rig_path(r, "plain")), 1);
    assert_non_null(strstr(r->err, "not a file in a V-Stack mount"));
    assert_int_equal(RUN(r, "info", cli_rig_path(r, "nothing")), 1);
    assert_non_null(strstr(r->err, "No such file"));
    assert_int_equal(RUN(r, "info"), 1);
    assert_non_null(strstr(r->err, "which file?"));
    assert_int_equal(RUN(r, "info", "a", "b"), 1);
    assert_int_equal(RUN(r, "info", put_info(r, "nonsense")), 1);
    assert_non_null(strstr(r->err, "no answer that makes sense"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(json_is_passed_on_as_it_is),
        CLI_TEST(people_get_a_line_for_each_thing_known),
        CLI_TEST(what_is_no_film_of_ours_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
