/* Gets and stats over HTTP against nodes that lie, stall and break off. */
#include "node/store_http.h"

#include "common/err.h"
#include "node/frag_text.h"
#include "tests/support/http_lie.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD       0xA5
#define GUARD_BYTES 64

struct bad_answer {
    const char *text; /* %T is the table */
    int status;
};

/* The text with the table in its place. */
static void tell_bad(struct http_lie_rig *f, const char *text)
{
    const char *mark = strstr(text, "%T");

    if (mark == NULL)
        http_lie_tell(f, "%s", text);
    else
        http_lie_tell(f, "%.*s%s%s", (int)(mark - text), text, f->table, mark + 2);
}

/* ---- gets -------------------------------------------------------------------------------------
 */

/* A get of `bytes` from `offset`; not a byte behind its memory may change. */
static int get_range(struct http_lie_rig *f, uint32_t offset, uint32_t bytes, struct store_get *ret)
{
    uint8_t *dst = malloc(bytes + GUARD_BYTES);
    int status;

    memset(dst, GUARD, bytes + GUARD_BYTES);
    *ret = (struct store_get){ .key = sync_key(1), .offset = offset, .bytes = bytes, .dst = dst };
    status = sync_get(&f->ss, ret);
    for (unsigned i = 0; i < GUARD_BYTES; i++)
        assert_int_equal(dst[bytes + i], GUARD);
    if (status == 0)
        assert_int_equal(frag_verify(ret, frag_table_crc(f->crc, 2), HTTP_LIE_PAYLOAD), 0);
    free(dst);
    ret->dst = NULL;
    return status;
}

static int get_all(struct http_lie_rig *f)
{
    struct store_get g;

    return get_range(f, 0, 4 * FRAG_BLOCK_BYTES, &g);
}

static void a_range_is_asked_for_by_its_bytes_and_the_node_by_its_name(void **state)
{
    struct http_lie_rig *f = *state;
    struct store_get g;

    http_lie_range(f, FRAG_BLOCK_BYTES, 100);
    assert_int_equal(get_range(f, FRAG_BLOCK_BYTES, FRAG_BLOCK_BYTES, &g), 0);
    assert_int_equal(g.got_bytes, 100);
    assert_int_equal(g.payload_bytes, HTTP_LIE_PAYLOAD);
    assert_true(http_lie_heard(f, "\r\nRange: bytes=65536-131071\r\n"));
    assert_true(http_lie_heard(f, "\r\nX-Vstack-Node: n1\r\n"));
    assert_true(http_lie_heard(f, "GET /chunk/"));
}

static void a_node_that_does_not_know_ranges_is_understood(void **state)
{
    struct http_lie_rig *f = *state;
    struct store_get g;

    http_lie_tell(f, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\nX-Vstack-CRC32C: %s\r\n\r\n",
                  (unsigned)HTTP_LIE_PAYLOAD, f->table);
    http_lie_body(f, f->payload, HTTP_LIE_PAYLOAD);
    assert_int_equal(get_all(f), 0);
    assert_int_equal(get_range(f, FRAG_BLOCK_BYTES, 2 * FRAG_BLOCK_BYTES, &g), -VS_ECORRUPT);
}

static void a_range_behind_the_end_is_an_answer_with_or_without_the_table(void **state)
{
    struct http_lie_rig *f = *state;
    struct store_get g;

    http_lie_tell(f,
                  "HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: bytes */%u\r\n"
                  "X-Vstack-CRC32C: %s\r\n\r\n",
                  (unsigned)HTTP_LIE_PAYLOAD, f->table);
    assert_int_equal(get_range(f, 4 * FRAG_BLOCK_BYTES, FRAG_BLOCK_BYTES, &g), 0);
    assert_int_equal(g.got_bytes, 0);
    assert_int_equal(http_lie_requests(f), 1);
    /* The table does not come: asked for once more, and not for ever. */
    http_lie_tell(f, "HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: bytes */%u\r\n\r\n",
                  (unsigned)HTTP_LIE_PAYLOAD);
    assert_int_equal(get_range(f, 4 * FRAG_BLOCK_BYTES, FRAG_BLOCK_BYTES, &g), -VS_ECORRUPT);
    assert_int_equal(http_lie_requests(f), 3);
}

#define LENGTH_65636 "Content-Length: 65636\r\n"
#define TABLE        "X-Vstack-CRC32C: %T\r\n"

static const struct bad_answer bad_gets[] = {
    /* Lengths that contradict each other. */
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE "Content-Range: bytes 0-65634/65636\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE "Content-Range: bytes 1-65636/65637\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE "Content-Range: bytes 0-65635/99999\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE "Content-Range: bytes 0-65635/65635\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE "Content-Range: bytes 0-65635/*\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE "Content-Range: bytes 9-5/65636\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE
      "Content-Range: bytes 0-65635/18446744073709617252\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE "Content-Range: BYTES 0-65635/65636 \r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE "\r\n", -VS_ECORRUPT },
    { "HTTP/1.1 204 No\r\n" TABLE "\r\n", -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\nContent-Length: 0\r\n" TABLE "Content-Range: bytes 0-65635/65636\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 416 P\r\nContent-Length: 0\r\n" TABLE "Content-Range: bytes */65636\r\n\r\n",
      -VS_ECORRUPT },
    /* Tables that are none. */
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 "Content-Range: bytes 0-65635/65636\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636
      "X-Vstack-CRC32C: 12345678\r\nContent-Range: bytes 0-65635/65636\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636
      "X-Vstack-CRC32C: %T,00000000\r\nContent-Range: bytes 0-65635/65636\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636
      "X-Vstack-CRC32C: 1234567g,12345678\r\nContent-Range: bytes 0-65635/65636\r\n\r\n",
      -VS_ECORRUPT },
    { "HTTP/1.1 206 P\r\n" LENGTH_65636 TABLE TABLE "Content-Range: bytes 0-65635/65636\r\n\r\n",
      -VS_EDOWN },
    /* Not a node. */
    { "HTTP/1.1 200 OK\r\n" LENGTH_65636 "\r\n", -VS_EDOWN },
    { "HTTP/1.1 404 Not here\r\nContent-Length: 0\r\n\r\n", -VS_EDOWN },
    { "HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", -VS_EDOWN },
    { "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", -VS_EDOWN },
    { "220 mail ESMTP\r\n", -VS_EDOWN },
    /* What a node says. */
    { "HTTP/1.1 404 N\r\nContent-Length: 0\r\nX-Vstack-Error: missing\r\n\r\n", -ENOENT },
    { "HTTP/1.1 500 C\r\nContent-Length: 0\r\nX-Vstack-Error: corrupt\r\n\r\n", -VS_ECORRUPT },
    { "HTTP/1.1 503 B\r\nContent-Length: 0\r\nX-Vstack-Error: busy\r\n\r\n", -EAGAIN },
    { "HTTP/1.1 421 O\r\nContent-Length: 0\r\nX-Vstack-Error: other-node\r\n\r\n", -VS_EDOWN },
    { "HTTP/1.1 400 I\r\nContent-Length: 0\r\n\r\n", -EINVAL },
};

static void an_answer_that_does_not_fit_is_refused(void **state)
{
    struct http_lie_rig *f = *state;

    http_lie_then(f, CLOSE);
    for (unsigned i = 0; i < sizeof(bad_gets) / sizeof(bad_gets[0]); i++) {
        int status;

        tell_bad(f, bad_gets[i].text);
        http_lie_body(f, f->payload,
                      strstr(bad_gets[i].text, LENGTH_65636) != NULL ? HTTP_LIE_PAYLOAD : 0);
        status = get_all(f);
        if (status != bad_gets[i].status)
            print_error("answer %u: %s\n", i, vs_err_text(status));
        assert_int_equal(status, bad_gets[i].status);
    }
}

static void a_table_as_long_as_a_film_is_refused(void **state)
{
    struct http_lie_rig *f = *state;
    char entries[9 * (FRAG_BLOCKS_MAX + 1) + 1];

    for (unsigned i = 0; i <= FRAG_BLOCKS_MAX; i++)
        memcpy(entries + 9 * (size_t)i, "00000000,", 10);
    entries[sizeof(entries) - 2] = '\0'; /* one more than there can be */
    http_lie_tell(f,
                  "HTTP/1.1 206 P\r\n" LENGTH_65636
                  "Content-Range: bytes 0-65635/65636\r\nX-Vstack-CRC32C: %s\r\n\r\n",
                  entries);
    http_lie_body(f, f->payload, HTTP_LIE_PAYLOAD);
    http_lie_then(f, CLOSE);
    assert_int_equal(get_all(f), -VS_EDOWN);
}

static void more_bytes_than_asked_for_are_refused(void **state)
{
    struct http_lie_rig *f = *state;
    struct store_get g;

    http_lie_tell(f,
                  "HTTP/1.1 206 P\r\nContent-Length: %u\r\nContent-Range: bytes 0-65535/65636\r\n"
                  "X-Vstack-CRC32C: %s\r\n\r\n",
                  (unsigned)HTTP_LIE_PAYLOAD, f->table);
    http_lie_body(f, f->payload, HTTP_LIE_PAYLOAD);
    http_lie_then(f, CLOSE);
    assert_int_equal(get_range(f, 0, FRAG_BLOCK_BYTES, &g), -VS_EDOWN);
}

static void a_range_outside_of_the_payload_it_is_of_is_refused(void **state)
{
    struct http_lie_rig *f = *state;
    struct store_get g;

    http_lie_tell(f, "HTTP/1.1 206 P\r\nContent-Length: 65536\r\nX-Vstack-CRC32C: 12345678\r\n"
                     "Content-Range: bytes 65536-131071/100\r\n\r\n");
    http_lie_body(f, f->payload, FRAG_BLOCK_BYTES);
    assert_int_equal(get_range(f, FRAG_BLOCK_BYTES, FRAG_BLOCK_BYTES, &g), -VS_ECORRUPT);
}

static void half_an_answer_and_silence_are_down(void **state)
{
    struct http_lie_rig *f = *state;

    http_lie_range(f, 0, HTTP_LIE_PAYLOAD);
    http_lie_body(f, f->payload, HTTP_LIE_PAYLOAD / 2);
    http_lie_then(f, CLOSE);
    assert_int_equal(get_all(f), -VS_EDOWN);
    http_lie_then(f, STALL);
    assert_int_equal(get_all(f), -VS_EDOWN); /* at its deadline */
}

/* Every length that an answer can be cut to: never a whole answer, never a stray byte. */
static void an_answer_cut_anywhere_is_down(void **state)
{
    struct http_lie_rig *f = *state;
    char whole[HTTP_SCRIPT_HEAD_MAX];

    http_lie_range(f, 0, HTTP_LIE_PAYLOAD);
    snprintf(whole, sizeof(whole), "%s", f->lie.answer);
    http_lie_body(f, NULL, 0);
    http_lie_then(f, CLOSE);
    for (size_t len = strlen(whole); len > 0; len--) {
        http_lie_tell(f, "%.*s", (int)len, whole);
        assert_int_equal(get_all(f), -VS_EDOWN);
    }
}

struct pending {
    struct store_get get;
    sem_t done;
};

static void pending_done(struct store_get *g)
{
    sem_post(&vs_container_of(g, struct pending, get)->done);
}

static void a_get_can_be_cancelled(void **state)
{
    struct http_lie_rig *f = *state;
    struct pending *p = calloc(1, sizeof(*p));
    uint8_t byte[FRAG_BLOCK_BYTES];

    http_lie_then(f, STALL);
    sem_init(&p->done, 0, 0);
    p->get = (struct store_get){
        .key = sync_key(1), .bytes = sizeof(byte), .dst = byte, .done = pending_done
    };
    chunk_store_get(f->ss.s, &p->get);
    while (http_lie_requests(f) == 0)
        usleep(100);
    chunk_store_cancel(f->ss.s, &p->get);
    while (sem_wait(&p->done) < 0)
        ;
    assert_int_equal(p->get.status, -ECANCELED);
    sem_destroy(&p->done);
    free(p);
}

/* ---- stats ------------------------------------------------------------------------------------
 */

#define SHA "X-Vstack-SHA256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
#define REC "X-Vstack-Record: kind=rs;k=3;m=2;chunk=9\r\n"
#define TCR "X-Vstack-Table-CRC32C: 12345678\r\n"

static void a_stat_that_does_not_fit_is_refused(void **state)
{
    static const struct bad_answer answers[] = {
        { "Content-Length: 5\r\n" SHA REC TCR, 0 },
        { SHA REC TCR, -VS_ECORRUPT },
        { "Content-Length: 16777217\r\n" SHA REC TCR, -VS_ECORRUPT },
        { "Content-Length: 5\r\n" REC TCR, -VS_ECORRUPT },
        { "Content-Length: 5\r\n" SHA REC, -VS_ECORRUPT },
        { "Content-Length: 5\r\n" SHA TCR "X-Vstack-Record: kind=rs;k=3;m=2;k=4\r\n",
          -VS_ECORRUPT },
        { "Content-Length: 5\r\n" SHA TCR "X-Vstack-Record: kind=rs;k=200;m=2\r\n", -VS_ECORRUPT },
        { "Content-Length: 5\r\n", -VS_EDOWN },
    };
    struct http_lie_rig *f = *state;
    struct frag_key key = sync_key(1);
    struct store_stat st;

    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        http_lie_tell(f, "HTTP/1.1 200 OK\r\n%s\r\n", answers[i].text);
        assert_int_equal(sync_stat(&f->ss, &key, &st), answers[i].status);
    }
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, http_lie_setup, http_lie_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_range_is_asked_for_by_its_bytes_and_the_node_by_its_name),
        RULE(a_node_that_does_not_know_ranges_is_understood),
        RULE(a_range_behind_the_end_is_an_answer_with_or_without_the_table),
        RULE(an_answer_that_does_not_fit_is_refused),
        RULE(a_table_as_long_as_a_film_is_refused),
        RULE(more_bytes_than_asked_for_are_refused),
        RULE(a_range_outside_of_the_payload_it_is_of_is_refused),
        RULE(half_an_answer_and_silence_are_down),
        RULE(an_answer_cut_anywhere_is_down),
        RULE(a_get_can_be_cancelled),
        RULE(a_stat_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
