/* The store over HTTP against nodes that lie, stall, break off, or are another one. What it does
 * with an honest node is the contract suite's. */
#include "node/store_http.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "node/frag_text.h"
#include "node/node_wire.h"
#include "tests/support/http_script.h"
#include "tests/support/store_sync.h"

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
#define PAYLOAD     (FRAG_BLOCK_BYTES + 100) /* two blocks */
#define HEALTH_MS   20
#define WAIT_MS     20000

static const char report[] =
    "{\"id\":\"n1\",\"state\":\"%s\",\"why\":\"%s\",\"fragments\":3,\"payload_bytes\":4,"
    "\"total_bytes\":100,\"free_bytes\":50,\"device\":7,\"corrupt_records\":0}";

/* What the scripted node says; the test changes it under the lock. */
struct lie {
    pthread_mutex_t lock;
    char health[512];                  /* "": an honest report */
    char answer[HTTP_SCRIPT_HEAD_MAX]; /* to anything but /health */
    const uint8_t *body;               /* behind it */
    size_t body_bytes;
    bool stall;                      /* keep silent afterwards; otherwise go on */
    bool close;                      /* close afterwards */
    unsigned requests;               /* for chunks and lists */
    char head[HTTP_SCRIPT_HEAD_MAX]; /* of the last of them */
};

struct fixture {
    struct sync_store ss;
    struct http_client *client;
    struct vs_exec *exec;
    struct http_script *script;
    struct lie lie;
    uint8_t payload[PAYLOAD];
    uint32_t crc[FRAG_BLOCKS_MAX];
    char table[FRAG_CRCS_TEXT_BYTES];
};

static bool say_health(struct script_conn *c, struct lie *lie)
{
    char body[512];
    VS_LOCK_SCOPE(&lie->lock);

    snprintf(body, sizeof(body), report, "up", "");
    if (lie->health[0] != '\0')
        memcpy(body, lie->health, sizeof(body));
    return script_say(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
}

static bool say_answer(struct script_conn *c, struct lie *lie, bool *ret_stall)
{
    char answer[HTTP_SCRIPT_HEAD_MAX];
    const uint8_t *body;
    size_t body_bytes;
    bool close_it;

    pthread_mutex_lock(&lie->lock);
    memcpy(lie->head, c->head, sizeof(lie->head));
    lie->requests++;
    memcpy(answer, lie->answer, sizeof(answer));
    body = lie->body;
    body_bytes = lie->body_bytes;
    *ret_stall = lie->stall;
    close_it = lie->close;
    pthread_mutex_unlock(&lie->lock);
    return script_send(c, answer, strlen(answer)) && script_send(c, body, body_bytes) && !close_it;
}

static void node_script(struct script_conn *c)
{
    struct lie *lie = c->arg;
    bool stall;

    while (script_read(c)) {
        if (strncmp(c->head, "GET /health ", 12) == 0) {
            if (!say_health(c, lie))
                return;
            continue;
        }
        if (!say_answer(c, lie, &stall))
            return;
        if (stall)
            script_stall(c);
    }
}

/* ---- telling the node what to say -------------------------------------------------------------
 */

static void tell(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct fixture *f, const char *fmt, ...)
{
    va_list ap;
    VS_LOCK_SCOPE(&f->lie.lock);

    va_start(ap, fmt);
    vsnprintf(f->lie.answer, sizeof(f->lie.answer), fmt, ap);
    va_end(ap);
}

static void tell_body(struct fixture *f, const uint8_t *body, size_t bytes)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    f->lie.body = body;
    f->lie.body_bytes = bytes;
}

enum then { GO_ON, CLOSE, STALL };

static void tell_then(struct fixture *f, enum then then)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    f->lie.close = then == CLOSE;
    f->lie.stall = then == STALL;
}

static void tell_health(struct fixture *f, const char *text)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    snprintf(f->lie.health, sizeof(f->lie.health), "%s", text);
}

/* The honest answer to a range, with the whole table. */
static void tell_range(struct fixture *f, uint32_t offset, uint32_t bytes)
{
    tell(f,
         "HTTP/1.1 206 Partial\r\nContent-Length: %u\r\nContent-Range: bytes %u-%u/%u\r\n"
         "X-Vstack-CRC32C: %s\r\n\r\n",
         bytes, offset, offset + bytes - 1, (unsigned)PAYLOAD, f->table);
    tell_body(f, f->payload + offset, bytes);
}

static bool heard(struct fixture *f, const char *text)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    return strstr(f->lie.head, text) != NULL;
}

static unsigned requests(struct fixture *f)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    return f->lie.requests;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct store_http_config config = {
        .name = "n1", .health_ms = HEALTH_MS, .get_timeout_ms = 2000, .put_timeout_ms = 2000
    };
    uint8_t *bytes = sync_bytes(5, PAYLOAD);

    VS_ASSERT(f != NULL);
    pthread_mutex_init(&f->lie.lock, NULL);
    memcpy(f->payload, bytes, PAYLOAD);
    free(bytes);
    frag_crcs_to_text(f->crc, frag_crc_table(f->payload, PAYLOAD, f->crc), f->table);
    VS_ASSERT(vs_exec_start(&f->exec, "http", 2) == 0);
    VS_ASSERT(http_client_start(&f->client, f->exec) == 0);
    f->script = http_script_start(node_script, &f->lie);
    config.client = f->client;
    config.exec = f->exec;
    config.origin = http_script_origin(f->script);
    VS_ASSERT(store_http_new(&f->ss.s, &config) == 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    chunk_store_stop(f->ss.s);
    http_client_stop(f->client);
    http_script_stop(f->script);
    vs_exec_stop(f->exec);
    pthread_mutex_destroy(&f->lie.lock);
    free(f);
    return 0;
}

/* ---- gets -------------------------------------------------------------------------------------
 */

/* A get of `bytes` from `offset`; not a byte behind its memory may change. */
static int get_range(struct fixture *f, uint32_t offset, uint32_t bytes, struct store_get *ret)
{
    uint8_t *dst = malloc(bytes + GUARD_BYTES);
    int status;

    memset(dst, GUARD, bytes + GUARD_BYTES);
    *ret = (struct store_get){ .key = sync_key(1), .offset = offset, .bytes = bytes, .dst = dst };
    status = sync_get(&f->ss, ret);
    for (unsigned i = 0; i < GUARD_BYTES; i++)
        assert_int_equal(dst[bytes + i], GUARD);
    if (status == 0)
        assert_int_equal(frag_verify(ret, frag_table_crc(f->crc, 2), PAYLOAD), 0);
    free(dst);
    ret->dst = NULL;
    return status;
}

static int get_all(struct fixture *f)
{
    struct store_get g;

    return get_range(f, 0, 4 * FRAG_BLOCK_BYTES, &g);
}

static void a_range_is_asked_for_by_its_bytes_and_the_node_by_its_name(void **state)
{
    struct fixture *f = *state;
    struct store_get g;

    tell_range(f, FRAG_BLOCK_BYTES, 100);
    assert_int_equal(get_range(f, FRAG_BLOCK_BYTES, FRAG_BLOCK_BYTES, &g), 0);
    assert_int_equal(g.got_bytes, 100);
    assert_int_equal(g.payload_bytes, PAYLOAD);
    assert_true(heard(f, "\r\nRange: bytes=65536-131071\r\n"));
    assert_true(heard(f, "\r\nX-Vstack-Node: n1\r\n"));
    assert_true(heard(f, "GET /chunk/"));
}

static void a_node_that_does_not_know_ranges_is_understood(void **state)
{
    struct fixture *f = *state;
    struct store_get g;

    tell(f, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\nX-Vstack-CRC32C: %s\r\n\r\n",
         (unsigned)PAYLOAD, f->table);
    tell_body(f, f->payload, PAYLOAD);
    assert_int_equal(get_all(f), 0);
    assert_int_equal(get_range(f, FRAG_BLOCK_BYTES, 2 * FRAG_BLOCK_BYTES, &g), -VS_ECORRUPT);
}

static void a_range_behind_the_end_is_an_answer_with_or_without_the_table(void **state)
{
    struct fixture *f = *state;
    struct store_get g;

    tell(f,
         "HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: bytes */%u\r\n"
         "X-Vstack-CRC32C: %s\r\n\r\n",
         (unsigned)PAYLOAD, f->table);
    assert_int_equal(get_range(f, 4 * FRAG_BLOCK_BYTES, FRAG_BLOCK_BYTES, &g), 0);
    assert_int_equal(g.got_bytes, 0);
    assert_int_equal(requests(f), 1);
    /* The table does not come: asked for once more, and not for ever. */
    tell(f, "HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: bytes */%u\r\n\r\n",
         (unsigned)PAYLOAD);
    assert_int_equal(get_range(f, 4 * FRAG_BLOCK_BYTES, FRAG_BLOCK_BYTES, &g), -VS_ECORRUPT);
    assert_int_equal(requests(f), 3);
}

struct bad_answer {
    const char *text; /* %T is the table */
    int status;
};

/* The text with the table in its place. */
static void tell_bad(struct fixture *f, const char *text)
{
    const char *mark = strstr(text, "%T");

    if (mark == NULL)
        tell(f, "%s", text);
    else
        tell(f, "%.*s%s%s", (int)(mark - text), text, f->table, mark + 2);
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
    struct fixture *f = *state;

    tell_then(f, CLOSE);
    for (unsigned i = 0; i < sizeof(bad_gets) / sizeof(bad_gets[0]); i++) {
        int status;

        tell_bad(f, bad_gets[i].text);
        tell_body(f, f->payload, strstr(bad_gets[i].text, LENGTH_65636) != NULL ? PAYLOAD : 0);
        status = get_all(f);
        if (status != bad_gets[i].status)
            print_error("answer %u: %s\n", i, vs_err_text(status));
        assert_int_equal(status, bad_gets[i].status);
    }
}

static void a_table_as_long_as_a_film_is_refused(void **state)
{
    struct fixture *f = *state;
    char entries[9 * (FRAG_BLOCKS_MAX + 1) + 1];

    for (unsigned i = 0; i <= FRAG_BLOCKS_MAX; i++)
        memcpy(entries + 9 * (size_t)i, "00000000,", 10);
    entries[sizeof(entries) - 2] = '\0'; /* one more than there can be */
    tell(f,
         "HTTP/1.1 206 P\r\n" LENGTH_65636
         "Content-Range: bytes 0-65635/65636\r\nX-Vstack-CRC32C: %s\r\n\r\n",
         entries);
    tell_body(f, f->payload, PAYLOAD);
    tell_then(f, CLOSE);
    assert_int_equal(get_all(f), -VS_EDOWN);
}

static void more_bytes_than_asked_for_are_refused(void **state)
{
    struct fixture *f = *state;
    struct store_get g;

    tell(f,
         "HTTP/1.1 206 P\r\nContent-Length: %u\r\nContent-Range: bytes 0-65535/65636\r\n"
         "X-Vstack-CRC32C: %s\r\n\r\n",
         (unsigned)PAYLOAD, f->table);
    tell_body(f, f->payload, PAYLOAD);
    tell_then(f, CLOSE);
    assert_int_equal(get_range(f, 0, FRAG_BLOCK_BYTES, &g), -VS_EDOWN);
}

static void half_an_answer_and_silence_are_down(void **state)
{
    struct fixture *f = *state;

    tell_range(f, 0, PAYLOAD);
    tell_body(f, f->payload, PAYLOAD / 2);
    tell_then(f, CLOSE);
    assert_int_equal(get_all(f), -VS_EDOWN);
    tell_then(f, STALL);
    assert_int_equal(get_all(f), -VS_EDOWN); /* at its deadline */
}

/* Every length that an answer can be cut to: never a whole answer, never a stray byte. */
static void an_answer_cut_anywhere_is_down(void **state)
{
    struct fixture *f = *state;
    char whole[HTTP_SCRIPT_HEAD_MAX];

    tell_range(f, 0, PAYLOAD);
    snprintf(whole, sizeof(whole), "%s", f->lie.answer);
    tell_body(f, NULL, 0);
    tell_then(f, CLOSE);
    for (size_t len = strlen(whole); len > 0; len--) {
        tell(f, "%.*s", (int)len, whole);
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
    struct fixture *f = *state;
    struct pending *p = calloc(1, sizeof(*p));
    uint8_t byte[FRAG_BLOCK_BYTES];

    tell_then(f, STALL);
    sem_init(&p->done, 0, 0);
    p->get = (struct store_get){
        .key = sync_key(1), .bytes = sizeof(byte), .dst = byte, .done = pending_done
    };
    chunk_store_get(f->ss.s, &p->get);
    while (requests(f) == 0)
        usleep(100);
    chunk_store_cancel(f->ss.s, &p->get);
    while (sem_wait(&p->done) < 0)
        ;
    assert_int_equal(p->get.status, -ECANCELED);
    sem_destroy(&p->done);
    free(p);
}

static void stop_answers_what_is_open(void **state)
{
    struct fixture *f = *state;
    struct pending *p = calloc(8, sizeof(*p));
    uint8_t byte[FRAG_BLOCK_BYTES];

    tell_then(f, STALL);
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

/* ---- puts, deletes, stats, lists --------------------------------------------------------------
 */

static void a_put_is_believed_only_with_its_receipt(void **state)
{
    struct fixture *f = *state;
    struct frag_key key = sync_key(1);

    tell_then(f, CLOSE);
    tell(f, "HTTP/1.1 201 C\r\nContent-Length: 0\r\nX-Vstack-Table-CRC32C: %08x\r\n\r\n",
         frag_table_crc(f->crc, 2));
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, PAYLOAD), 0);
    assert_true(heard(f, "\r\nX-Vstack-Record: kind=rs;k=3;m=2;"));
    assert_true(heard(f, "\r\nX-Vstack-SHA256: "));
    tell(f, "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, PAYLOAD), -VS_EDOWN);
    tell(f, "HTTP/1.1 201 C\r\nContent-Length: 0\r\nX-Vstack-Table-CRC32C: 1234\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, PAYLOAD), -VS_EDOWN);
    tell(f, "HTTP/1.1 507 F\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, PAYLOAD), -ENOSPC);
    tell(f, "HTTP/1.1 409 E\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, PAYLOAD), -VS_EEXISTS_OTHER);
    tell(f, "HTTP/1.1 403 R\r\nContent-Length: 0\r\nX-Vstack-Error: readonly\r\n\r\n");
    assert_int_equal(sync_put(&f->ss, &key, NULL, f->payload, PAYLOAD), -EROFS);
}

static void a_delete_of_what_is_not_there_is_done(void **state)
{
    struct fixture *f = *state;
    struct frag_key key = sync_key(1);

    tell(f, "HTTP/1.1 204 N\r\n\r\n");
    assert_int_equal(sync_del(&f->ss, &key), 0);
    assert_true(heard(f, "DELETE /chunk/"));
    tell(f, "HTTP/1.1 404 N\r\nContent-Length: 0\r\nX-Vstack-Error: missing\r\n\r\n");
    assert_int_equal(sync_del(&f->ss, &key), 0);
    tell_then(f, CLOSE);
    tell(f, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n"); /* another server's word */
    assert_int_equal(sync_del(&f->ss, &key), -VS_EDOWN);
}

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
    struct fixture *f = *state;
    struct frag_key key = sync_key(1);
    struct store_stat st;

    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        tell(f, "HTTP/1.1 200 OK\r\n%s\r\n", answers[i].text);
        assert_int_equal(sync_stat(&f->ss, &key, &st), answers[i].status);
    }
}

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
    struct fixture *f = *state;
    struct frag_key keys[3];
    uint32_t n;

    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        int r;

        tell(f, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(answers[i].text),
             answers[i].text);
        r = sync_list(&f->ss, NULL, keys, 3, &n);
        assert_int_equal(r < 0 ? r : (int)n, answers[i].status);
        assert_true(heard(f, "GET /list?max=3 "));
    }
}

static void a_place_between_two_keys_is_said_as_the_key_before_it(void **state)
{
    struct fixture *f = *state;
    struct frag_key after = sync_key(0x100), keys[3];
    uint32_t n;

    tell(f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    after.generation = 0;
    after.fragment = 2;
    assert_int_equal(sync_list(&f->ss, &after, keys, 3, &n), 0);
    assert_true(heard(f, ".1.4294967295&max=3 "));
    after.fragment = 0;
    memset(after.chunk.b, 0, sizeof(after.chunk.b));
    after.chunk.b[13] = 1;
    assert_int_equal(sync_list(&f->ss, &after, keys, 3, &n), 0);
    assert_true(heard(f, "after=0000000000000000000000000000ffff.255.4294967295&max=3 "));
}

/* ---- health -----------------------------------------------------------------------------------
 */

static enum store_state wait_health(struct fixture *f, const char *why)
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
    struct fixture *f = *state;
    struct store_health h;
    char text[512];

    assert_int_equal(wait_health(f, ""), STORE_UP);
    chunk_store_health(f->ss.s, &h);
    assert_int_equal(h.fragments, 3);
    assert_int_equal(h.payload_bytes, 4);
    assert_int_equal(h.total_bytes, 100);
    assert_int_equal(h.free_bytes, 50);
    assert_int_equal(h.device, 7);
    snprintf(text, sizeof(text), report, "readonly", "Two errors of the disk.");
    tell_health(f, text);
    assert_int_equal(wait_health(f, "Two errors"), STORE_READONLY);
    tell_health(f, "");
    assert_int_equal(wait_health(f, ""), STORE_UP);
}

static void a_report_that_is_none_or_of_another_node_is_down(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(wait_health(f, ""), STORE_UP);
    tell_health(f, "{\"id\":\"n2\",\"state\":\"up\",\"why\":\"\",\"fragments\":3,\"payload_bytes\":"
                   "4,\"total_bytes\":100,\"free_bytes\":50,\"device\":7,\"corrupt_records\":0}");
    assert_int_equal(wait_health(f, "answers as another node, n2"), STORE_DOWN);
    tell_health(f, "{\"id\":\"n1\",\"state\":\"up\"}");
    assert_int_equal(wait_health(f, "not a node's report"), STORE_DOWN);
    tell_health(f, "<html>");
    assert_int_equal(wait_health(f, "no report"), STORE_DOWN);
}

static void health_of_a_silent_node_does_not_block(void **state)
{
    struct fixture *f = *state;
    struct store_http_config config = {
        .client = f->client, .exec = f->exec, .health_timeout_ms = 50, .health_ms = HEALTH_MS
    };
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

static void bad_addresses_and_names_are_refused(void **state)
{
    struct fixture *f = *state;
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

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_range_is_asked_for_by_its_bytes_and_the_node_by_its_name),
        RULE(a_node_that_does_not_know_ranges_is_understood),
        RULE(a_range_behind_the_end_is_an_answer_with_or_without_the_table),
        RULE(an_answer_that_does_not_fit_is_refused),
        RULE(a_table_as_long_as_a_film_is_refused),
        RULE(more_bytes_than_asked_for_are_refused),
        RULE(half_an_answer_and_silence_are_down),
        RULE(an_answer_cut_anywhere_is_down),
        RULE(a_get_can_be_cancelled),
        RULE(stop_answers_what_is_open),
        RULE(a_put_is_believed_only_with_its_receipt),
        RULE(a_delete_of_what_is_not_there_is_done),
        RULE(a_stat_that_does_not_fit_is_refused),
        RULE(a_list_that_does_not_fit_is_refused),
        RULE(a_place_between_two_keys_is_said_as_the_key_before_it),
        RULE(health_is_the_nodes_own_report),
        RULE(a_report_that_is_none_or_of_another_node_is_down),
        RULE(health_of_a_silent_node_does_not_block),
        RULE(bad_addresses_and_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
