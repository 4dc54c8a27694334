/* Puts and deletes over HTTP, and the life of the store. What it does with an honest node is the
 * contract suite's. */
#include "node/store_http.h"

#include "common/err.h"
#include "tests/support/http_lie.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- puts, deletes, stats, lists --------------------------------------------------------------
 */

static void a_put_is_believed_only_with_its_receipt(void **state)
{
    struct http_lie_rig *f = *state;
    struct frag_key key = sync_key(1);

    http_lie_then(f, CLOSE);
    http_lie_tell(f, "HTTP/1.1 201 C\r\nContent-Length: 0\r\nX-Vstack-Table-CRC32C: %08x\r\n\r\n",
                  frag_table_crc(f->crc, 2));
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, HTTP_LIE_PAYLOAD), 0);
    assert_true(http_lie_heard(f, "\r\nX-Vstack-Record: kind=rs;k=3;m=2;"));
    assert_true(http_lie_heard(f, "\r\nX-Vstack-SHA256: "));
    http_lie_tell(f, "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, HTTP_LIE_PAYLOAD), -VS_EDOWN);
    http_lie_tell(f, "HTTP/1.1 201 C\r\nContent-Length: 0\r\nX-Vstack-Table-CRC32C: 1234\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, HTTP_LIE_PAYLOAD), -VS_EDOWN);
    http_lie_tell(f, "HTTP/1.1 507 F\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, HTTP_LIE_PAYLOAD), -ENOSPC);
    http_lie_tell(f, "HTTP/1.1 409 E\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, HTTP_LIE_PAYLOAD), -VS_EEXISTS_OTHER);
    http_lie_tell(f, "HTTP/1.1 403 R\r\nContent-Length: 0\r\nX-Vstack-Error: readonly\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, HTTP_LIE_PAYLOAD), -EROFS);
}

static void a_delete_of_what_is_not_there_is_done(void **state)
{
    struct http_lie_rig *f = *state;
    struct frag_key key = sync_key(1);

    http_lie_tell(f, "HTTP/1.1 204 N\r\n\r\n");
    assert_int_equal(sync_del(&f->ss, &key), 0);
    assert_true(http_lie_heard(f, "DELETE /chunk/"));
    http_lie_tell(f, "HTTP/1.1 404 N\r\nContent-Length: 0\r\nX-Vstack-Error: missing\r\n\r\n");
    assert_int_equal(sync_del(&f->ss, &key), 0);
    http_lie_then(f, CLOSE);
    http_lie_tell(f, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n"); /* another server's word */
    assert_int_equal(sync_del(&f->ss, &key), -VS_EDOWN);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

struct pending {
    struct store_get get;
    sem_t done;
};

static void pending_done(struct store_get *g)
{
    sem_post(&vs_container_of(g, struct pending, get)->done);
}

static void stop_answers_what_is_open(void **state)
{
    struct http_lie_rig *f = *state;
    struct pending *p = calloc(8, sizeof(*p));
    uint8_t byte[FRAG_BLOCK_BYTES];

    http_lie_then(f, STALL);
    for (unsigned i = 0; i < 8; i++) {
        sem_init(&p[i].done, 0, 0);
        p[i].get = (struct store_get){
            .key = sync_key(1), .bytes = sizeof(byte), .dst = byte, .done = pending_done
        };
        chunk_store_get(f->ss.s, &p[i].get);
    }
    chunk_store_stop(f->ss.s);
    f->ss.s = NULL;
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(sem_trywait(&p[i].done), 0);
        assert_int_equal(p[i].get.status, -ECANCELED);
        sem_destroy(&p[i].done);
    }
    free(p);
}

static void bad_addresses_and_names_are_refused(void **state)
{
    struct http_lie_rig *f = *state;
    struct store_http_config config = { .client = f->client, .exec = f->exec };
    struct chunk_store *s;

    config.origin = "ftp://x";
    assert_int_equal(store_http_new(&s, &config), -EINVAL);
    config.origin = "http://127.0.0.1:1";
    config.name = "a\r\nX: b";
    assert_int_equal(store_http_new(&s, &config), -EINVAL);
    config.name = "";
    assert_int_equal(store_http_new(&s, &config), -EINVAL);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, http_lie_setup, http_lie_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(stop_answers_what_is_open),
        RULE(a_put_is_believed_only_with_its_receipt),
        RULE(a_delete_of_what_is_not_there_is_done),
        RULE(bad_addresses_and_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
