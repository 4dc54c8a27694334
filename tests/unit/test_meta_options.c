/* The command line of a metadata replica: what is said is taken, what is wrong is said. */
#include "meta/meta_options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ARGS_MAX 16

/* The three that must be there, then `more` (NULL-terminated). */
static int parse(struct meta_options *o, const char *const more[], char why[CONF_WHY_BYTES])
{
    const char *argv[ARGS_MAX] = { "--id", "2", "--listen", "127.0.0.1:0", "--data", "/srv/meta" };
    int argc = 6;

    for (unsigned i = 0; more[i] != NULL; i++)
        argv[argc++] = more[i];
    why[0] = '\0';
    return meta_options_parse(o, argc, (char **)argv, why);
}

static void what_is_said_is_taken_and_the_rest_has_its_default(void **state)
{
    const char *const more[] = { "--existing", "--drain=0", NULL };
    struct meta_options o;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(parse(&o, more, why), 0);
    assert_int_equal(o.id, 2);
    assert_string_equal(o.data, "/srv/meta");
    assert_true(o.existing);
    assert_false(o.insecure_lan);
    assert_int_equal(o.drain_s, 0);
    assert_int_equal(o.timeout_s, 10);
    assert_string_equal(o.cluster, "");
}

static void replicas_are_one_three_or_five(void **state)
{
#define URL "http://127.0.0.1:7101"
    static const struct {
        const char *peers, *says;
        unsigned others;
    } cases[] = {
        { "2=" URL, NULL, 0 },
        { "1=" URL ",3=" URL, NULL, 2 },
        { "1=" URL ",2=" URL ",3=" URL, NULL, 2 },
        { "1=" URL ",3=" URL ",4=" URL ",5=" URL, NULL, 4 },
        { "5=" URL ",4=" URL ",3=" URL ",2=" URL ",65535=" URL, NULL, 4 },
        { "1=" URL, "are 2 replicas; a cluster has 1, 3 or 5", 0 },
        { "1=" URL ",2=" URL, "are 2 replicas", 0 },
        { "1=" URL ",3=" URL ",4=" URL ",5=" URL ",6=" URL, "are 6 replicas", 0 },
        { "1=" URL ",3=" URL ",4=" URL ",5=" URL ",6=" URL ",7=" URL, "are 7 replicas", 0 },
        { "1=" URL ",1=" URL, "names replica 1 twice", 0 },
        { "2=" URL ",2=" URL, "names replica 2 twice", 0 },
        { "2=http://", "ID=URL", 0 },
        { "2", "ID=URL", 0 },
        { "=http://x", "ID=URL", 0 },
        { "0=" URL, "ID=URL", 0 },
        { "65536=" URL, "ID=URL", 0 },
        { "99999999999=" URL, "ID=URL", 0 },
        { "2=" URL ",,", "ID=URL", 0 },
        { "2=ftp://127.0.0.1:7101", "ID=URL", 0 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const more[] = { "--peers", cases[i].peers, "--cluster",
                                     "00112233445566778899aabbccddeeff", NULL };
        struct meta_options o;
        char why[CONF_WHY_BYTES];

        assert_int_equal(parse(&o, more, why), cases[i].says == NULL ? 0 : -EINVAL);
        if (cases[i].says != NULL)
            assert_non_null(strstr(why, cases[i].says));
        else
            assert_int_equal(o.peer_count, cases[i].others);
        for (unsigned k = 0; cases[i].says == NULL && k < o.peer_count; k++) {
            assert_int_not_equal(o.peer[k].id, 2);
            assert_string_equal(o.peer[k].url, URL);
        }
    }
}

static void several_replicas_are_told_whose_they_are(void **state)
{
    const char *const more[] = { "--peers", "1=" URL ",3=" URL, NULL };
    struct meta_options o;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(parse(&o, more, why), -EINVAL);
    assert_non_null(strstr(why, "give --cluster UUID"));
}

static void a_cluster_is_a_uuid(void **state)
{
    static const char *const wrong[] = { "x", "00000000000000000000000000000000",
                                         "0011223344556677889900112233445" };
    const char *const right[] = { "--cluster", "00112233445566778899aabbccddeeff", NULL };
    struct meta_options o;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(parse(&o, right, why), 0);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *const more[] = { "--cluster", wrong[i], NULL };

        assert_int_equal(parse(&o, more, why), -EINVAL);
        assert_non_null(strstr(why, "--cluster is a uuid"));
    }
}

static void a_newcomer_says_who_stays_and_where_it_is_itself(void **state)
{
    static const char *const wrong[][2] = {
        { "4", "1=" URL ",3=" URL },           /* where is this one? */
        { "3", "1=" URL ",2=" URL ",3=" URL }, /* the lost one is named */
        { "2", "1=" URL ",2=" URL ",3=" URL }, /* itself */
    };
    const char *const right[] = { "--peers",   "1=" URL ",2=" URL ",3=" URL,       "--replace", "4",
                                  "--cluster", "00112233445566778899aabbccddeeff", NULL };
    struct meta_options o;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(parse(&o, right, why), 0);
    assert_int_equal(o.replace, 4);
    assert_string_equal(o.url, URL);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *const more[] = { "--peers",   wrong[i][1], "--replace",
                                     wrong[i][0], "--cluster", "00112233445566778899aabbccddeeff",
                                     NULL };

        assert_int_equal(parse(&o, more, why), -EINVAL);
        assert_non_null(strstr(why, "--replace"));
    }
}

static void help_asks_for_nothing_else(void **state)
{
    char *argv[] = { "--help" };
    struct meta_options o;
    char why[CONF_WHY_BYTES];

    (void)state;
    assert_int_equal(meta_options_parse(&o, 1, argv, why), 0);
    assert_true(o.help);
    assert_int_equal(meta_options_parse(&o, 0, argv, why), -EINVAL);
    assert_non_null(strstr(why, "--id is missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_taken_and_the_rest_has_its_default),
        cmocka_unit_test(replicas_are_one_three_or_five),
        cmocka_unit_test(several_replicas_are_told_whose_they_are),
        cmocka_unit_test(a_cluster_is_a_uuid),
        cmocka_unit_test(a_newcomer_says_who_stays_and_where_it_is_itself),
        cmocka_unit_test(help_asks_for_nothing_else),
    };

    return cmocka_run_group_tests_name("meta_options", tests, NULL, NULL);
}
