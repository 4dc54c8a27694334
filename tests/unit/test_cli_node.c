/* vstackfs node replace: sent with an absolute path, whatever was typed. */
#include "tests/support/cli_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void the_folder_is_sent_by_its_absolute_path(void **state)
{
    struct cli_rig *r = *state;
    char command[8192], *real;

    assert_int_equal(mkdir(cli_rig_path(r, "new"), 0700), 0);
    real = realpath(cli_rig_path(r, "new"), NULL);
    assert_non_null(real);
    snprintf(command, sizeof(command),
             "{\"command\":\"node-replace\",\"id\":\"n3\",\"path\":\"%s\"}", real);
    assert_int_equal(chdir(r->mount), 0);
    cli_rig_answer(r, command, "{\"ok\":true}");
    assert_int_equal(RUN(r, "node", "replace", "n3", "./new/", "--mount", r->mount), 0);
    assert_true(cli_rig_was_sent(r, command));
    assert_non_null(strstr(r->out, "n3 is now"));
    cli_rig_answer(r, command, "{\"ok\":false,\"error\":\"n3 works\"}");
    assert_int_equal(RUN(r, "node", "replace", "n3", "new", "--mount", r->mount), 1);
    assert_string_equal(r->err, "vstackfs: n3 works\n");
    assert_string_equal(r->out, "");
    assert_int_equal(chdir("/"), 0);
    free(real);
}

static void what_is_not_there_is_not_sent(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "node", "replace", "n3", "/no/where", "--mount", r->mount), 1);
    assert_non_null(strstr(r->err, "/no/where: No such file"));
    assert_int_equal(access(cli_rig_path(r, ".vstack/control"), F_OK), -1);
}

static void other_words_are_refused(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "node", "--mount", r->mount), 1);
    assert_non_null(strstr(r->err, "node replace ID DIR"));
    assert_int_equal(RUN(r, "node", "replace", "n3", "--mount", r->mount), 1);
    assert_int_equal(RUN(r, "node", "remove", "n3", "/", "--mount", r->mount), 1);
    assert_int_equal(RUN(r, "node", "replace", "n3", "/", "/", "--mount", r->mount), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(the_folder_is_sent_by_its_absolute_path),
        CLI_TEST(what_is_not_there_is_not_sent),
        CLI_TEST(other_words_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
