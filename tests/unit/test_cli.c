/* What the commands share: words and flags, the mount they talk to, its answers. */
#include "fs/cli/cli.h"
#include "tests/support/cli_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Parse these words behind the command's own; caught, since it may say why not. */
static bool parse(struct cli_rig *r, struct cli_args *a, int argc, char **argv)
{
    bool ok;

    cli_rig_catch(r);
    ok = cli_parse(a, argc, argv);
    cli_rig_caught(r);
    assert_int_equal(ok, r->err[0] == '\0');
    return ok;
}

#define PARSE(r, a, ...)                                                                           \
    parse(r, a, (int)(sizeof((char *[]){ "cmd", __VA_ARGS__ }) / sizeof(char *)),                  \
          (char *[]){ "cmd", __VA_ARGS__ })

static void every_command_is_found_by_its_word(void **state)
{
    unsigned n = 0;

    (void)state;
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++, n++) {
        assert_ptr_equal(cli_find(c->name), c);
        assert_memory_equal(c->usage, c->name, strlen(c->name));
        assert_non_null(c->fn);
    }
    assert_true(n >= 7);
    assert_null(cli_find("frob"));
    assert_null(cli_find(""));
    assert_null(cli_find("statu"));
}

static void every_command_says_how_it_is_used(void **state)
{
    struct cli_rig *r = *state;

    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        static const char *const flags[] = { "--help", "-h" };

        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(RUN(r, c->name, "x", flags[i]), 0);
            assert_non_null(strstr(r->out, c->usage));
            assert_string_equal(r->err, "");
        }
    }
}

static void flags_may_stand_anywhere(void **state)
{
    struct cli_args a;

    assert_true(PARSE(*state, &a, "one", "--json", "two", "--mount", "/mnt", "--force"));
    assert_true(a.json && a.force);
    assert_string_equal(a.mount, "/mnt");
    assert_int_equal(a.rest_count, 2);
    assert_string_equal(a.rest[0], "one");
    assert_string_equal(a.rest[1], "two");
    assert_true(PARSE(*state, &a, "--mount=/mnt/x", "one"));
    assert_string_equal(a.mount, "/mnt/x");
    assert_false(a.json || a.force);
    assert_true(PARSE(*state, &a, "-"));
    assert_string_equal(a.rest[0], "-");
    assert_null(a.mount);
}

static void behind_two_dashes_all_are_names(void **state)
{
    struct cli_args a;

    assert_true(PARSE(*state, &a, "--json", "--", "--force", "--", "-x"));
    assert_true(a.json);
    assert_false(a.force);
    assert_int_equal(a.rest_count, 3);
    assert_string_equal(a.rest[0], "--force");
    assert_string_equal(a.rest[1], "--");
    assert_string_equal(a.rest[2], "-x");
}

static void what_is_not_understood_is_refused(void **state)
{
    struct cli_rig *r = *state;
    struct cli_args a;

    assert_false(PARSE(r, &a, "--frob"));
    assert_non_null(strstr(r->err, "--frob: unknown option"));
    assert_false(PARSE(r, &a, "--mount")); /* without its value */
    assert_false(PARSE(r, &a, "--jsonx"));
    assert_true(PARSE(r, &a, "1", "2", "3", "4", "5", "6", "7", "8"));
    assert_int_equal(a.rest_count, CLI_ARGS_MAX);
    assert_false(PARSE(r, &a, "1", "2", "3", "4", "5", "6", "7", "8", "9"));
    assert_non_null(strstr(r->err, "too many arguments"));
}

static void the_mount_that_is_named_is_taken(void **state)
{
    struct cli_args a = { .mount = "/some/where" };
    char path[CLI_PATH_BYTES];

    (void)state;
    assert_true(cli_mount(&a, path));
    assert_string_equal(path, "/some/where");
}

/* ---- .vstack/ ---- */

static char *read_control(struct cli_rig *r, const char *mount, const char *name)
{
    char *text;

    cli_rig_catch(r);
    text = cli_read_control(mount, name);
    cli_rig_caught(r);
    return text;
}

static void all_of_a_control_file_is_read(void **state)
{
    struct cli_rig *r = *state;
    const size_t len = 300000;
    char *big = malloc(len + 1), *got;

    assert_non_null(big);
    memset(big, 'x', len);
    big[len] = '\0';
    cli_rig_write(r, ".vstack/status", big);
    got = read_control(r, r->mount, "status");
    assert_non_null(got);
    assert_int_equal(strlen(got), len);
    free(got);
    free(big);
    cli_rig_write(r, ".vstack/status", "");
    got = read_control(r, r->mount, "status");
    assert_string_equal(got, "");
    free(got);
}

static void a_folder_that_is_no_mount_is_said(void **state)
{
    struct cli_rig *r = *state;

    assert_null(read_control(r, "/", "status"));
    assert_non_null(strstr(r->err, "is that a V-Stack mount?"));
    assert_int_equal(RUN(r, "status", "--mount", "/nowhere"), 1);
    assert_non_null(strstr(r->err, "/nowhere"));
}

static int send(struct cli_rig *r, const char *command, const char *answer)
{
    struct vs_json *j = vs_json_object();
    char *text;
    int code;

    vs_json_set_text(j, "command", command);
    text = vs_json_print(j, false);
    cli_rig_answer(r, text, answer);
    cli_rig_catch(r);
    code = cli_command_send(r->mount, j);
    cli_rig_caught(r);
    assert_true(cli_rig_was_sent(r, text));
    free(text);
    vs_json_free(j);
    return code;
}

static void only_a_clear_yes_is_success(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(send(r, "x", "{\"ok\":true}"), 0);
    assert_string_equal(r->err, "");
    assert_int_equal(send(r, "x", "{\"ok\":false,\"error\":\"no such node\"}"), 1);
    assert_string_equal(r->err, "vstackfs: no such node\n");
    assert_int_equal(send(r, "x", "{\"ok\":false}"), 1);
    assert_int_equal(send(r, "x", "{}"), 1);
    assert_int_equal(send(r, "x", "{\"ok\":\"true\"}"), 1);
    assert_int_equal(send(r, "x", ""), 1);
    assert_non_null(strstr(r->err, "no answer that makes sense"));
    assert_int_equal(send(r, "x", "garbage"), 1);
}

/* ---- text ---- */

static void check_put(struct cli_rig *r, const char *text, const char *want)
{
    cli_rig_catch(r);
    cli_put(text);
    cli_rig_caught(r);
    assert_string_equal(r->out, want);
}

static void names_cannot_move_the_cursor(void **state)
{
    struct cli_rig *r = *state;

    check_put(r, "film (2).mkv", "film (2).mkv");
    check_put(r, "\303\244 \344\270\255.mkv", "\303\244 \344\270\255.mkv");
    check_put(r, "a\033[2Jb", "a\\x1b[2Jb");
    check_put(r, "a\nb\rc\td\177", "a\\x0ab\\x0dc\\x09d\\x7f");
    check_put(r, "a\302\233b", "a\\xc2\\x9bb"); /* CSI in one character */
    check_put(r, "\302", "\302");
    check_put(r, "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(every_command_is_found_by_its_word), CLI_TEST(every_command_says_how_it_is_used),
        CLI_TEST(flags_may_stand_anywhere),           CLI_TEST(behind_two_dashes_all_are_names),
        CLI_TEST(what_is_not_understood_is_refused),  CLI_TEST(the_mount_that_is_named_is_taken),
        CLI_TEST(all_of_a_control_file_is_read),      CLI_TEST(a_folder_that_is_no_mount_is_said),
        CLI_TEST(only_a_clear_yes_is_success),        CLI_TEST(names_cannot_move_the_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
