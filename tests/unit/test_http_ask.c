/* Reports of several processes, asked for at once: each is what it is. */
#include "common/err.h"
#include "fs/http_ask.h"
#include "tests/support/server_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void each_answer_is_its_own(void **state)
{
    struct server_rig *x = *state;
    struct http_client *client;
    struct vs_exec *exec;
    struct http_ask *asks = calloc(3, sizeof(*asks));
    char origin[64];

    assert_non_null(asks);
    snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", (unsigned)x->port);
    assert_int_equal(vs_exec_start(&exec, "ask", 1), 0);
    assert_int_equal(http_client_start(&client, exec), 0);
    asks[0] = (struct http_ask){ .origin = origin, .path = "/hello?name=1", .timeout_ms = 5000 };
    asks[1] = (struct http_ask){ .origin = origin, .path = "/hello", .timeout_ms = 5000 };
    asks[2] = (struct http_ask){ .origin = "", .path = "/hello", .timeout_ms = 5000 };
    http_ask_all(client, asks, 3);
    assert_int_equal(asks[0].status, 0); /* "1" is JSON */
    assert_non_null(asks[0].json);
    assert_int_equal(asks[1].status, -EBADMSG); /* "hello" is none */
    assert_null(asks[1].json);
    assert_int_equal(asks[2].status, -ENOENT);
    vs_json_free(asks[0].json);

    server_rig_teardown(state);
    *state = NULL;
    asks[0].timeout_ms = 2000;
    http_ask_all(client, asks, 1);
    assert_int_equal(asks[0].status, -ECONNREFUSED);
    http_client_stop(client);
    vs_exec_stop(exec);
    free(asks);
}

static int teardown(void **state)
{
    return *state != NULL ? server_rig_teardown(state) : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_answer_is_its_own, server_rig_setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
