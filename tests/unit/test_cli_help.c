/* vstackfs help: every command, and the first two things to do. */
#include "tests/support/cli_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void help_names_every_command_and_how_to_begin(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "help"), 0);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        assert_non_null(strstr(r->out, c->usage));
    assert_non_null(strstr(r->out, "vstackfs [-f] [-o OPTS] [--data DIR]"));
    assert_non_null(strstr(r->out, "cp film.mkv MOUNTPOINT/inbox/"));
    assert_string_equal(r->err, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(help_names_every_command_and_how_to_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
