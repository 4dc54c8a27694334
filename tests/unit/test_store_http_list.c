/* Listings over HTTP against nodes that lie. */
#include "node/store_http.h"

#include "common/err.h"
#include "tests/support/http_lie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct bad_answer {
    const char *text;
    int status; /* or the number of keys */
};

#define KEY_A "0001000000010000000000000000" /* and 4 digits more */

static void a_list_that_does_not_fit_is_refused(void **state)
{
    static const struct bad_answer answers[] = {
        { KEY_A "0100.0.1\n" KEY_A "0100.1.1\n", 2 },
        { "", 0 },
        { KEY_A "0100.0.1\n" KEY_A "0100.0.1\n", -VS_EDOWN }, /* twice */
        { KEY_A "0200.0.1\n" KEY_A "0100.0.1\n", -VS_EDOWN }, /* back */
        { KEY_A "0100.0.1", -VS_EDOWN },                      /* cut */
        { KEY_A "0100.0.1\nhello\n", -VS_EDOWN },             /* no key */
        { KEY_A "0100.0.1\n" KEY_A "0100.1.1\n" KEY_A "0100.2.1\n" KEY_A "0100.3.1\n", -VS_EDOWN },
        { "\n", -VS_EDOWN },
    };
    struct http_lie_rig *f = *state;
    struct frag_key keys[3];
    uint32_t n;

    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        int r;

        http_lie_tell(f, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                      strlen(answers[i].text), answers[i].text);
        r = sync_list(&f->ss, NULL, keys, 3, &n);
        assert_int_equal(r < 0 ? r : (int)n, answers[i].status);
        assert_true(http_lie_heard(f, "GET /list?max=3 "));
    }
}

static void a_place_between_two_keys_is_said_as_the_key_before_it(void **state)
{
    struct http_lie_rig *f = *state;
    struct frag_key after = sync_key(0x100), keys[3];
    uint32_t n;

    http_lie_tell(f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    after.generation = 0;
    after.fragment = 2;
    assert_int_equal(sync_list(&f->ss, &after, keys, 3, &n), 0);
    assert_true(http_lie_heard(f, ".1.4294967295&max=3 "));
    after.fragment = 0;
    memset(after.chunk.b, 0, sizeof(after.chunk.b));
    after.chunk.b[13] = 1;
    assert_int_equal(sync_list(&f->ss, &after, keys, 3, &n), 0);
    assert_true(http_lie_heard(f, "after=0000000000000000000000000000ffff.255.4294967295&max=3 "));
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, http_lie_setup, http_lie_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_list_that_does_not_fit_is_refused),
        RULE(a_place_between_two_keys_is_said_as_the_key_before_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
