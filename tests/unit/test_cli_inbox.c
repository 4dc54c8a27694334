/* vstackfs inbox: its list, and the commands it sends. */
#include "tests/support/cli_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char list[] =
    "{\"files\":[{\"name\":\"a.part\",\"state\":\"temporary\",\"size\":7},"
    "{\"name\":\"b\\u001b[2J\",\"state\":\"uploading\",\"size\":8}],"
    "\"results\":[{\"name\":\"c.mkv\",\"path\":\"c (2).mkv\",\"what\":\"published\"},"
    "{\"name\":\"d.mkv\",\"what\":\"not stored\",\"reason\":\"No space left on device\"}]}\n";

static void the_list_is_printed_line_by_line(void **state)
{
    struct cli_rig *r = *state;

    cli_rig_write(r, ".vstack/inbox", list);
    assert_int_equal(RUN(r, "inbox", "ls", "--mount", r->mount), 0);
    assert_string_equal(r->out, "temporary    a.part\n"
                                "uploading    b\\x1b[2J\n"
                                "published    c.mkv -> c (2).mkv\n"
                                "not stored   d.mkv: No space left on device\n");
    assert_int_equal(RUN(r, "inbox", "ls", "--json", "--mount", r->mount), 0);
    assert_string_equal(r->out, list);
}

static void an_empty_or_odd_list_is_no_crash(void **state)
{
    struct cli_rig *r = *state;

    cli_rig_write(r, ".vstack/inbox", "{\"files\":[],\"results\":7}");
    assert_int_equal(RUN(r, "inbox", "ls", "--mount", r->mount), 0);
    assert_string_equal(r->out, "");
    cli_rig_write(r, ".vstack/inbox", "{\"files\":[1,{},{\"name\":2}]}");
    assert_int_equal(RUN(r, "inbox", "ls", "--mount", r->mount), 0);
    cli_rig_write(r, ".vstack/inbox", "[");
    assert_int_equal(RUN(r, "inbox", "ls", "--mount", r->mount), 1);
}

static void publish_and_cancel_are_sent(void **state)
{
    struct cli_rig *r = *state;
    static const char publish[] = "{\"command\":\"inbox-publish\",\"name\":\"a b.part\"}";
    static const char cancel[] = "{\"command\":\"inbox-cancel\",\"name\":\"--x\"}";

    cli_rig_answer(r, publish, "{\"ok\":true}");
    assert_int_equal(RUN(r, "inbox", "publish", "a b.part", "--mount", r->mount), 0);
    assert_true(cli_rig_was_sent(r, publish));
    cli_rig_answer(r, cancel, "{\"ok\":false,\"error\":\"--x: No such file\"}");
    assert_int_equal(RUN(r, "inbox", "--mount", r->mount, "cancel", "--", "--x"), 1);
    assert_true(cli_rig_was_sent(r, cancel));
    assert_string_equal(r->err, "vstackfs: --x: No such file\n");
}

static void other_words_are_refused(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "inbox", "--mount", r->mount), 1);
    assert_non_null(strstr(r->err, "inbox ls | publish NAME | cancel NAME"));
    assert_int_equal(RUN(r, "inbox", "publish", "--mount", r->mount), 1);
    assert_int_equal(RUN(r, "inbox", "publish", "a", "b", "--mount", r->mount), 1);
    assert_non_null(strstr(r->err, "inbox ls | publish NAME | cancel NAME"));
    assert_int_equal(RUN(r, "inbox", "frob", "a", "--mount", r->mount), 1);
    assert_int_equal(RUN(r, "inbox", "ls", "a", "--mount", r->mount), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(the_list_is_printed_line_by_line),
        CLI_TEST(an_empty_or_odd_list_is_no_crash),
        CLI_TEST(publish_and_cancel_are_sent),
        CLI_TEST(other_words_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
