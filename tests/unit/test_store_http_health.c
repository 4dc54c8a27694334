/* Health over HTTP: a report, none, or that of another node. */
#include "node/store_http.h"

#include "common/clock.h"
#include "common/err.h"
#include "tests/support/http_lie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000

/* ---- health -----------------------------------------------------------------------------------
 */

static enum store_state wait_health(struct http_lie_rig *f, const char *why)
{
    struct store_health h;

    for (unsigned i = 0; i < WAIT_MS; i++) {
        chunk_store_health(f->ss.s, &h);
        if (strstr(h.why, why) != NULL && (why[0] != '\0' || h.state == STORE_UP))
            return h.state;
        usleep(1000);
    }
    fail_msg("health still says: %s", h.why);
    return STORE_DOWN;
}

static void health_is_the_nodes_own_report(void **state)
{
    struct http_lie_rig *f = *state;
    struct store_health h;
    char text[512];

    assert_int_equal(wait_health(f, ""), STORE_UP);
    chunk_store_health(f->ss.s, &h);
    assert_int_equal(h.fragments, 3);
    assert_int_equal(h.payload_bytes, 4);
    assert_int_equal(h.total_bytes, 100);
    assert_int_equal(h.free_bytes, 50);
    assert_int_equal(h.device, 7);
    snprintf(text, sizeof(text), http_lie_report, "readonly", "Two errors of the disk.");
    http_lie_health(f, text);
    assert_int_equal(wait_health(f, "Two errors"), STORE_READONLY);
    http_lie_health(f, "");
    assert_int_equal(wait_health(f, ""), STORE_UP);
}

static void a_report_that_is_none_or_of_another_node_is_down(void **state)
{
    struct http_lie_rig *f = *state;

    assert_int_equal(wait_health(f, ""), STORE_UP);
    http_lie_health(
        f, "{\"id\":\"n2\",\"state\":\"up\",\"why\":\"\",\"fragments\":3,\"payload_bytes\":"
           "4,\"total_bytes\":100,\"free_bytes\":50,\"device\":7,\"corrupt_records\":0}");
    assert_int_equal(wait_health(f, "answers as another node, n2"), STORE_DOWN);
    http_lie_health(f, "{\"id\":\"n1\",\"state\":\"up\"}");
    assert_int_equal(wait_health(f, "not a node's report"), STORE_DOWN);
    http_lie_health(f, "<html>");
    assert_int_equal(wait_health(f, "no report"), STORE_DOWN);
}

static void nothing_done(struct store_get *g)
{
    (void)g;
}

/* Every connection is busy and hundreds of gets wait; the node still says that it is up. */
static void a_node_with_much_to_do_is_not_down(void **state)
{
    enum { GETS = 200 };
    struct http_lie_rig *f = *state;
    struct store_get *gets = calloc(GETS, sizeof(*gets));
    uint8_t *dst = malloc(FRAG_BLOCK_BYTES);

    http_lie_then(f, STALL);
    for (unsigned i = 0; i < GETS; i++) {
        gets[i] = (struct store_get){
            .key = sync_key(i), .bytes = FRAG_BLOCK_BYTES, .dst = dst, .done = nothing_done
        };
        chunk_store_get(f->ss.s, &gets[i]);
    }
    http_lie_health(f, "<html>");
    assert_int_equal(wait_health(f, "no report"), STORE_DOWN);
    http_lie_health(f, "");
    assert_int_equal(wait_health(f, ""), STORE_UP);
    chunk_store_stop(f->ss.s);
    f->ss.s = NULL;
    free(gets);
    free(dst);
}

static void health_of_a_silent_node_does_not_block(void **state)
{
    struct http_lie_rig *f = *state;
    struct store_http_config config = { .client = f->client,
                                        .exec = f->exec,
                                        .health_timeout_ms = 50,
                                        .health_ms = HTTP_LIE_HEALTH_MS };
    struct chunk_store *silent, *swap = f->ss.s;
    char origin[64];
    int64_t began_ns = vs_now_ns(&vs_clock_system);
    struct store_health h;

    snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", (unsigned)http_script_dead_port());
    config.origin = origin;
    assert_int_equal(store_http_new(&silent, &config), 0);
    for (unsigned i = 0; i < 1000; i++)
        chunk_store_health(silent, &h);
    assert_in_range((vs_now_ns(&vs_clock_system) - began_ns) / VS_NS_PER_MS, 0, 5000);
    assert_int_equal(h.state, STORE_DOWN);
    f->ss.s = silent;
    wait_health(f, "cannot be reached");
    f->ss.s = swap;
    chunk_store_stop(silent);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, http_lie_setup, http_lie_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(health_is_the_nodes_own_report),
        RULE(a_report_that_is_none_or_of_another_node_is_down),
        RULE(a_node_with_much_to_do_is_not_down),
        RULE(health_of_a_silent_node_does_not_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
