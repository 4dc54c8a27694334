/* vstackfs status: the mount's own words, as they are or for people. */
#include "tests/support/cli_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char status[] =
    "{\"state\":\"degraded\",\"advice\":\"bring the disk back\",\"mountpoint\":\"/mnt/videos\","
    "\"files\":3,\"chunks\":40,\"chunks_degraded\":7,\"chunks_lost\":2,\"logical_bytes\":1000,"
    "\"fragment_bytes\":1700,\"new_files_stored_as\":\"rs:2+2\",\"nodes\":["
    "{\"id\":\"n1\",\"state\":\"up\",\"path\":\"/disk/1\"},"
    "{\"id\":\"n2\",\"state\":\"down\",\"path\":\"/disk/2\",\"why\":\"no store here\"}]}\n";

static void json_is_passed_on_as_it_is(void **state)
{
    struct cli_rig *r = *state;

    cli_rig_write(r, ".vstack/status", status);
    assert_int_equal(RUN(r, "status", "--json", "--mount", r->mount), 0);
    assert_string_equal(r->out, status);
}

static void people_get_a_sentence_and_a_line_per_store(void **state)
{
    struct cli_rig *r = *state;

    cli_rig_write(r, ".vstack/status", status);
    assert_int_equal(RUN(r, "status", "--mount", r->mount), 0);
    assert_non_null(strstr(r->out, "/mnt/videos: degraded: bring the disk back\n"));
    assert_non_null(strstr(r->out, "files 3, bytes 1000, on disk 1700"));
    assert_non_null(strstr(r->out, "chunks 40, degraded 7, lost 2"));
    assert_non_null(strstr(r->out, "stored as rs:2+2"));
    assert_non_null(strstr(r->out, "n1     up       /disk/1\n"));
    assert_non_null(strstr(r->out, "n2     down     /disk/2  no store here\n"));
}

static void what_makes_no_sense_is_an_error(void **state)
{
    struct cli_rig *r = *state;

    cli_rig_write(r, ".vstack/status", "{");
    assert_int_equal(RUN(r, "status", "--mount", r->mount), 1);
    assert_non_null(strstr(r->err, "no answer that makes sense"));
    cli_rig_write(r, ".vstack/status", "{}"); /* nothing known is no crash */
    assert_int_equal(RUN(r, "status", "--mount", r->mount), 0);
    cli_rig_write(r, ".vstack/status", "{\"nodes\":7,\"files\":\"x\",\"state\":[]}");
    assert_int_equal(RUN(r, "status", "--mount", r->mount), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(json_is_passed_on_as_it_is),
        CLI_TEST(people_get_a_sentence_and_a_line_per_store),
        CLI_TEST(what_makes_no_sense_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
