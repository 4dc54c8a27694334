/* The command line of vstack-node. */
#include "common/err.h"
#include "node/node_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int parse(struct node_options *o, char why[CONF_WHY_BYTES], const char *line)
{
    static char text[1024];
    char *argv[32];
    int argc = 0;

    strncpy(text, line, sizeof(text) - 1);
    for (char *pos = text; *pos != '\0';) {
        argv[argc++] = pos;
        pos += strcspn(pos, " ");
        if (*pos == ' ')
            *pos++ = '\0';
    }
    return node_options_parse(o, argc, argv, why);
}

#define NEEDED "--id n1 --listen 127.0.0.1:0 --data /d"

static void three_flags_are_enough(void **state)
{
    struct node_options o;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(parse(&o, why, NEEDED), 0);
    assert_string_equal(o.id, "n1");
    assert_string_equal(o.listen, "127.0.0.1:0");
    assert_string_equal(o.data, "/d");
    assert_string_equal(o.domain, "");
    assert_int_equal(o.superblock_bytes, 0);
    assert_int_equal(o.reserve_percent, 5);
    assert_int_equal(o.body_memory_bytes, 256 << 20);
    assert_int_equal(o.timeout_s, 10);
    assert_false(o.insecure_lan);
    assert_false(o.help);
}

static void every_flag_is_taken(void **state)
{
    struct node_options o;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(parse(&o, why,
                           NEEDED " --domain h1/r2 --superblock-size 64M --reserve 2 --timeout 1 "
                                  "--drain 0 --connections 16 --body-memory 16M --scrub-rate 0 "
                                  "--insecure-lan --existing "
                                  "--cluster 000102030405060708090a0b0c0d0e0f"),
                     0);
    assert_true(o.existing);
    assert_string_equal(o.cluster, "000102030405060708090a0b0c0d0e0f");
    assert_string_equal(o.domain, "h1/r2");
    assert_int_equal(o.superblock_bytes, 64 << 20);
    assert_int_equal(o.reserve_percent, 2);
    assert_int_equal(o.timeout_s, 1);
    assert_int_equal(o.drain_s, 0);
    assert_int_equal(o.connections_max, 16);
    assert_int_equal(o.body_memory_bytes, 16 << 20);
    assert_int_equal(o.scrub_bytes_s, 0);
    assert_true(o.insecure_lan);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *line, *said;
    } rows[] = {
        { "--id n1 --listen 127.0.0.1:0", "--data is missing" },
        { NEEDED " --superblock-size 1M", "--superblock-size is 67108864 to 1073741824 bytes" },
        { NEEDED " --superblock-size 2G", "'2G' is not" },
        { NEEDED " --reserve 51", "--reserve is 0 to 50 percent" },
        { NEEDED " --reserve -1", "'-1' is not" },
        { NEEDED " --frobnicate", "'--frobnicate' is not known" },
        { "--id a/b --listen 127.0.0.1:0 --data /d", "--id is a name" },
        { "--id= --listen 127.0.0.1:0 --data /d", "--id is a name" },
        { NEEDED " --domain a\"b", "--domain is HOST/RACK" },
        { NEEDED " --cluster x", "--cluster is a uuid" },
        { NEEDED " --cluster 00000000000000000000000000000000", "--cluster is a uuid" },
    };
    struct node_options o;
    char why[CONF_WHY_BYTES];

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(&o, why, rows[i].line), -EINVAL);
        if (strstr(why, rows[i].said) == NULL)
            fail_msg("%s", why);
    }
}

/* Whatever else is on the line: who asks for help gets it. */
static void help_is_help(void **state)
{
    static const char *const flags[] = { "--id",         "--listen",      "--data",
                                         "--domain",     "--reserve",     "--superblock-size",
                                         "--scrub-rate", "--connections", "--body-memory",
                                         "--timeout",    "--drain",       "--insecure-lan" };
    struct node_options o;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(parse(&o, why, "--nonsense --help"), 0);
    assert_true(o.help);
    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        assert_non_null(strstr(node_options_help, flags[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_flags_are_enough),
        cmocka_unit_test(every_flag_is_taken),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(help_is_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
