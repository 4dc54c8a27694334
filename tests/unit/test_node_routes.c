/* What all routes of a storage node have in common: keys, errors as sentences, counting. */
#include "common/err.h"
#include "tests/support/node_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef"

static void a_path_that_names_no_fragment_is_400_for_every_method(void **state)
{
    static const char *const bad[] = { "",           "x",         ID,
                                       ID ".0.0",    ID ".256.1", "../node.name",
                                       "%2e%2e/%00", ID ".0.1/" };
    static const char *const methods[] = { "GET", "DELETE", "PUT" };
    struct node_rig *rig = *state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (unsigned m = 0; m < 3; m++) {
            struct raw_answer a;
            const char *length = m == 2 ? "Content-Length: 0\r\n" : "";

            raw_ask(rig->port, &a, "%s /chunk/%s HTTP/1.1\r\nHost: h\r\n%s\r\n", methods[m], bad[i],
                    length);
            assert_int_equal(a.status, 400);
            assert_non_null(strstr(a.body, "names no fragment"));
            assert_string_equal(raw_header(&a, "X-Vstack-Error"), "invalid");
            raw_answer_close(&a);
        }
    }
}

static void a_request_for_another_node_is_not_answered(void **state)
{
    struct node_rig *rig = *state;
    struct raw_answer a;

    assert_int_equal(node_rig_put(rig, 1, 100), 201);
    assert_int_equal(node_rig_get(rig, 1, "X-Vstack-Node: n1\r\n", NULL), 200);
    assert_int_equal(node_rig_get(rig, 1, "X-Vstack-Node: n2\r\n", &a), 421);
    assert_string_equal(a.body,
                        "{\"error\":\"This is node n1, and the request is for node n2; look "
                        "up the address of that node.\",\"code\":\"other-node\"}\n");
    raw_answer_close(&a);
}

static void a_request_for_another_store_is_not_answered(void **state)
{
    struct node_rig *rig = *state;
    char uuid[VS_ID_TEXT_BYTES], header[128];
    struct raw_answer a;

    vs_id_to_text(&rig->node.uuid, uuid);
    assert_int_equal(node_rig_put(rig, 1, 100), 201);
    snprintf(header, sizeof(header), "X-Vstack-Node: n1\r\nX-Vstack-Store: %s\r\n", uuid);
    assert_int_equal(node_rig_get(rig, 1, header, NULL), 200);
    snprintf(header, sizeof(header), "X-Vstack-Store: %s\r\n", ID);
    assert_int_equal(node_rig_get(rig, 1, header, &a), 421);
    assert_string_equal(raw_header(&a, "X-Vstack-Error"), "other-store");
    assert_non_null(strstr(a.body, "was its disk replaced?"));
    raw_answer_close(&a);
}

static void every_error_of_the_store_has_status_word_and_sentence(void **state)
{
    static const struct {
        int err, status;
        const char *word, *sentence;
    } rows[] = {
        { -ENOENT, 404, "missing", "Node n1 has no fragment " },
        { -VS_EEXISTS_OTHER, 409, "exists", "write it with another generation" },
        { -ENOSPC, 507, "full", "reserve of 5 %" },
        { -VS_ECORRUPT, 500, "corrupt", "is damaged; read the chunk from other nodes" },
        { -EINVAL, 400, "invalid", "does not fit" },
        { -EROFS, 403, "readonly", "Node n1: The disk failed twice." },
        { -VS_EDOWN, 500, "down", "Node n1: The disk is gone." },
        { -EAGAIN, 503, "busy", "try again in a second" },
        { -ENOMEM, 503, "busy", "try again in a second" },
    };
    struct node_rig *rig = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct raw_answer a;

        rig->answer = rows[i].err;
        assert_int_equal(node_rig_get(rig, 1, "", &a), rows[i].status);
        assert_string_equal(raw_header(&a, "X-Vstack-Error"), rows[i].word);
        if (strstr(a.body, rows[i].sentence) == NULL)
            fail_msg("%s", a.body);
        assert_int_equal(raw_header(&a, "Retry-After") != NULL, rows[i].status == 503);
        raw_answer_close(&a);
        assert_int_equal(node_rig_put(rig, 1, 10), rows[i].status);
    }
}

static void every_request_is_counted_once(void **state)
{
    struct node_rig *rig = *state;
    struct node_metrics *m = &rig->node.metrics;

    assert_int_equal(node_rig_put(rig, 1, 1000), 201);
    assert_int_equal(node_rig_put(rig, 1, 1000), 200);
    assert_int_equal(node_rig_put(rig, 2, 50), 201);
    assert_int_equal(node_rig_get(rig, 1, "", NULL), 200);
    assert_int_equal(node_rig_get(rig, 1, "Range: bytes=10-19\r\n", NULL), 206);
    assert_int_equal(node_rig_get(rig, 3, "", NULL), 404);
    assert_int_equal(raw_ask(rig->port, NULL, "GET /list HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    http_server_stop(rig->node.http, 1000); /* all ends have run */
    rig->node.http = NULL;
    assert_int_equal(vs_histogram_count(&m->op[NODE_OP_PUT].latency), 3);
    assert_int_equal(vs_histogram_count(&m->op[NODE_OP_GET].latency), 2);
    assert_int_equal(vs_histogram_count(&m->op[NODE_OP_LIST].latency), 1);
    assert_int_equal(vs_counter_get(&m->op[NODE_OP_GET].failed), 1);
    assert_int_equal(vs_counter_get(&m->op[NODE_OP_GET].lost), 0);
    assert_int_equal(vs_counter_get(&m->put_bytes), 2050);
    assert_int_equal(vs_counter_get(&m->get_bytes), 1010);
}

/* ---- without memory ---------------------------------------------------------------------------
 */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

/* The allocator of this program, failing the nth call once it is armed, on every thread but the
 * test's own. */
static _Atomic long fail_in = -1;
static _Atomic bool failed;
static __thread bool spared;

static bool fails(void)
{
    if (spared || atomic_load(&fail_in) < 0 || atomic_fetch_sub(&fail_in, 1) != 0)
        return false;
    atomic_store(&failed, true);
    return true;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

static bool is_answer(int status)
{
    return status == 0 || (status >= 200 && status < 300) || status == 404 || status == 500 ||
           status == 503 || status == 416;
}

/* One of everything; every answer is one, or the connection ends. */
static void one_of_everything(struct node_rig *rig, uint64_t n)
{
    char key[FRAG_KEY_TEXT_BYTES];

    node_rig_key(n, key);
    assert_true(is_answer(node_rig_put(rig, n, 100000)));
    assert_true(is_answer(node_rig_get(rig, n, "", NULL)));
    assert_true(is_answer(node_rig_get(rig, n, "Range: bytes=70000-70009\r\n", NULL)));
    assert_true(
        is_answer(raw_ask(rig->port, NULL, "HEAD /chunk/%s HTTP/1.1\r\nHost: h\r\n\r\n", key)));
    assert_true(is_answer(raw_ask(rig->port, NULL, "GET /list HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_true(is_answer(raw_ask(rig->port, NULL, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_true(is_answer(raw_ask(rig->port, NULL, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_true(
        is_answer(raw_ask(rig->port, NULL, "DELETE /chunk/%s HTTP/1.1\r\nHost: h\r\n\r\n", key)));
}

static void an_allocation_that_fails_is_an_answer_and_harms_nothing(void **state)
{
    struct node_rig *rig = *state;
    struct http_server_stats st;
    uint64_t n = 1;
    long nth = -1;

    spared = true;
    do {
        assert_true(++nth < 5000); /* the sweep itself is bounded */
        atomic_store(&failed, false);
        atomic_store(&fail_in, nth);
        one_of_everything(rig, ++n);
        atomic_store(&fail_in, -1);
        if (nth % 20 != 0)
            continue;
        assert_int_equal(node_rig_put(rig, ++n, 100000), 201);
        assert_int_equal(node_rig_get(rig, n, "", NULL), 200);
    } while (atomic_load(&failed));
    assert_true(nth > 50); /* it has failed that often */
    http_server_stats(rig->node.http, &st);
    assert_int_equal(st.body_memory_bytes, 0);
    print_message("%ld allocations\n", nth);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test_setup_teardown(an_allocation_that_fails_is_an_answer_and_harms_nothing,
                                        node_rig_setup_disk, node_rig_teardown),
#endif
        cmocka_unit_test_setup_teardown(a_path_that_names_no_fragment_is_400_for_every_method,
                                        node_rig_setup_mem, node_rig_teardown),
        cmocka_unit_test_setup_teardown(a_request_for_another_node_is_not_answered,
                                        node_rig_setup_mem, node_rig_teardown),
        cmocka_unit_test_setup_teardown(a_request_for_another_store_is_not_answered,
                                        node_rig_setup_mem, node_rig_teardown),
        cmocka_unit_test_setup_teardown(every_error_of_the_store_has_status_word_and_sentence,
                                        node_rig_setup_refusing, node_rig_teardown),
        cmocka_unit_test_setup_teardown(every_request_is_counted_once, node_rig_setup_mem,
                                        node_rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
