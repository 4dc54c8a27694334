/* node_metas: a node registers with every replica and sends heartbeats, and no replica that is
 * silent, new or unwilling keeps it from the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/conf.h"
#include "common/log.h"
#include "node/node_metas.h"
#include "node/store_mem.h"
#include "tests/support/http_script.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_STEPS 4000 /* of 5 ms */

/* What a replica of the test does, and what it has seen. */
struct replica {
    struct http_script *script;
    atomic_bool frozen, refuses, forgets; /* forgets: the next heartbeat is of an unknown node */
    atomic_uint registered, beats;
    const char *_Atomic lists; /* what it says of all replicas; NULL: nothing */
    char first[1024];          /* the first registration */
};

struct fixture {
    struct node node;
    struct replica replicas[2];
    char urls[NODE_METAS_MAX][NODE_METAS_URL_BYTES];
    struct node_metas *metas;
};

static void say(struct script_conn *c, const char *status, const char *body)
{
    script_say(c, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
}

static void replica_serve(struct script_conn *c)
{
    struct replica *r = c->arg;

    while (script_read(c)) {
        if (atomic_load(&r->frozen)) {
            script_stall(c);
            return;
        }
        if (strncmp(c->head, "POST /nodes/register ", 21) == 0) {
            if (atomic_load(&r->registered) == 0)
                snprintf(r->first, sizeof(r->first), "%.*s", (int)c->body_bytes, (char *)c->body);
            if (atomic_load(&r->refuses)) {
                say(c, "409 Conflict", "{\"error\":\"Not you.\",\"code\":\"other-store\"}");
            } else {
                char body[64];

                snprintf(body, sizeof(body), "{\"node\":1,\"boot\":%u}",
                         atomic_load(&r->registered) + 1);
                say(c, "200 OK", body);
            }
            atomic_fetch_add(&r->registered, 1);
        } else if (strncmp(c->head, "POST /nodes/n1/heartbeat ", 25) != 0 ||
                   atomic_exchange(&r->forgets, false)) {
            say(c, "404 Not Found", "{\"error\":\"Who?\",\"code\":\"missing\"}");
        } else {
            const char *lists = atomic_load(&r->lists);

            atomic_fetch_add(&r->beats, 1);
            say(c, "200 OK", lists != NULL ? lists : "{\"state\":\"up\"}");
        }
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    vs_log_set_level(VS_LOG_ERROR);
    snprintf(f->node.name, sizeof(f->node.name), "n1");
    snprintf(f->node.domain, sizeof(f->node.domain), "host/a");
    memset(f->node.uuid.b, 5, VS_ID_BYTES);
    memset(f->node.cluster.b, 6, VS_ID_BYTES);
    temp_dir_make(f->node.data);
    assert_int_equal(store_mem_new(&f->node.store, NULL), 0);
    for (unsigned i = 0; i < 2; i++) {
        f->replicas[i].script = http_script_start(replica_serve, &f->replicas[i]);
        snprintf(f->urls[i], NODE_METAS_URL_BYTES, "%s", http_script_origin(f->replicas[i].script));
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    node_metas_stop(f->metas);
    for (unsigned i = 0; i < 2; i++)
        http_script_stop(f->replicas[i].script);
    chunk_store_stop(f->node.store);
    temp_dir_remove(f->node.data);
    free(f);
    return 0;
}

static void start_with(struct fixture *f, unsigned count)
{
    assert_int_equal(node_metas_start(&f->metas, &f->node, f->urls, count, "http://127.0.0.1:7001"),
                     0);
}

static void start(struct fixture *f)
{
    start_with(f, 2);
}

static void await(atomic_uint *counter, unsigned want)
{
    for (unsigned i = 0; i < WAIT_STEPS && atomic_load(counter) < want; i++)
        usleep(5000);
    assert_true(atomic_load(counter) >= want);
}

static void a_node_registers_everywhere_and_its_heart_beats_everywhere(void **state)
{
    struct fixture *f = *state;

    start(f);
    for (unsigned i = 0; i < 2; i++) {
        await(&f->replicas[i].beats, 2);
        assert_int_equal(atomic_load(&f->replicas[i].registered), 1);
    }
    assert_non_null(strstr(f->replicas[0].first, "\"id\":\"n1\""));
    assert_non_null(strstr(f->replicas[0].first, "\"url\":\"http://127.0.0.1:7001\""));
    assert_non_null(strstr(f->replicas[0].first, "\"domain\":\"host/a\""));
    assert_non_null(strstr(f->replicas[0].first, "\"uuid\":\"05050505050505050505050505050505\""));
    assert_non_null(
        strstr(f->replicas[0].first, "\"cluster\":\"06060606060606060606060606060606\""));
}

static void a_frozen_replica_holds_up_nobody(void **state)
{
    struct fixture *f = *state;

    atomic_store(&f->replicas[0].frozen, true);
    start(f);
    await(&f->replicas[1].beats, 3);
    assert_int_equal(atomic_load(&f->replicas[0].registered), 0);
}

static void a_replica_that_does_not_know_the_node_is_told_again(void **state)
{
    struct fixture *f = *state;

    start(f);
    await(&f->replicas[0].beats, 1);
    atomic_store(&f->replicas[0].forgets, true);
    await(&f->replicas[0].registered, 2);
    await(&f->replicas[0].beats, 2);
    assert_int_equal(atomic_load(&f->replicas[1].registered), 1);
}

static void who_is_refused_tries_again_and_elsewhere_meanwhile(void **state)
{
    struct fixture *f = *state;

    atomic_store(&f->replicas[0].refuses, true);
    start(f);
    await(&f->replicas[0].registered, 3);
    await(&f->replicas[1].beats, 1);
    assert_int_equal(atomic_load(&f->replicas[0].beats), 0);
    atomic_store(&f->replicas[0].refuses, false);
    await(&f->replicas[0].beats, 1);
}

/* The list of a replica alone, as one of an epoch says it. */
static void list(const char *url, char text[1024], unsigned epoch)
{
    snprintf(text, 1024, "{\"state\":\"up\",\"epoch\":%u,\"metas\":[{\"id\":%u,\"url\":\"%s\"}]}",
             epoch, epoch, url);
}

static void a_newcomer_is_told_and_who_was_replaced_is_not_also_after_a_start(void **state)
{
    struct fixture *f = *state;
    char newer[1024], older[1024];

    list(http_script_origin(f->replicas[1].script), newer, 3);
    list(http_script_origin(f->replicas[0].script), older, 2);
    start_with(f, 1);
    await(&f->replicas[0].beats, 1);
    assert_int_equal(atomic_load(&f->replicas[1].registered), 0);
    atomic_store(&f->replicas[0].lists, newer);
    await(&f->replicas[1].beats, 2);
    atomic_store(&f->replicas[1].lists, older); /* is not news */
    await(&f->replicas[1].beats, atomic_load(&f->replicas[1].beats) + 2);
    assert_in_range(atomic_load(&f->replicas[0].beats), 2, 3); /* one may have been on its way */
    node_metas_stop(f->metas);

    /* The command line still says the one that was replaced, which is silent by now. */
    atomic_store(&f->replicas[0].frozen, true);
    atomic_store(&f->replicas[1].registered, 0);
    start_with(f, 1);
    await(&f->replicas[1].registered, 1);
}

static void addresses_are_of_this_machine_unless_it_is_said(void **state)
{
    char urls[NODE_METAS_MAX][NODE_METAS_URL_BYTES], why[CONF_WHY_BYTES], url[NODE_METAS_URL_BYTES];

    (void)state;
    assert_int_equal(node_metas_parse("", false, urls, why, sizeof(why)), 0);
    assert_int_equal(node_metas_parse("http://127.0.0.1:1,http://[::1]:2,http://localhost:3", false,
                                      urls, why, sizeof(why)),
                     3);
    assert_string_equal(urls[1], "http://[::1]:2");
    assert_int_equal(node_metas_parse("http://10.0.0.1:1", false, urls, why, sizeof(why)), -EINVAL);
    assert_non_null(strstr(why, "--insecure-lan"));
    assert_int_equal(node_metas_parse("http://10.0.0.1:1", true, urls, why, sizeof(why)), 1);
    assert_int_equal(node_metas_parse("http://127.0.0.1:1,x", false, urls, why, sizeof(why)),
                     -EINVAL);
    assert_int_equal(node_metas_parse("http://h:1,http://h:2,http://h:3,http://h:4,http://h:5,"
                                      "http://h:6,http://h:7,http://h:8",
                                      true, urls, why, sizeof(why)),
                     -EINVAL);
    assert_int_equal(node_metas_own_url("127.0.0.1:0", 7001, url), 0);
    assert_string_equal(url, "http://127.0.0.1:7001");
    assert_int_equal(node_metas_own_url("[::1]:0", 7001, url), 0);
    assert_string_equal(url, "http://[::1]:7001");
    assert_int_equal(node_metas_own_url("0.0.0.0:1", 7001, url), -EINVAL);
    assert_int_equal(node_metas_own_url("[::]:1", 7001, url), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_node_registers_everywhere_and_its_heart_beats_everywhere),
        T(a_frozen_replica_holds_up_nobody),
        T(a_replica_that_does_not_know_the_node_is_told_again),
        T(a_newcomer_is_told_and_who_was_replaced_is_not_also_after_a_start),
        T(who_is_refused_tries_again_and_elsewhere_meanwhile),
        cmocka_unit_test(addresses_are_of_this_machine_unless_it_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
