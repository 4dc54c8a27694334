/* Fuzz target: whatever a server answers, a store over HTTP writes to the memory it was lent and no
 * further, and what it calls a success holds together.
 *
 * The HTTP client is a fake that stands before the real one at link time: each request is answered
 * with the next lines and bytes of the input, cut up as libcurl would.
 *   byte 0: which operation; bytes 1 .. 3: its numbers; then answers, each
 *   u16 HTTP status, u8 whole or broken off, header lines up to an empty one, u16 body length, body
 */
#include "common/assert.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/http_answer.h"
#include "node/store_http.h"

#include <stdlib.h>
#include <string.h>

#define DST_MAX    (3 * FRAG_BLOCK_BYTES)
#define KEYS_MAX   8u
#define GUARD      0xA5
#define GUARD_SIZE 16
#define ASKED_MAX  64 /* requests of one operation */

/* ---- the fake client --------------------------------------------------------------------------
 */

struct http_host {
    struct vs_list link;
};

static struct http_host fake_host;
static const uint8_t *input;
static size_t input_left;
static struct vs_list asked; /* http_request.link, in order */

static size_t take(const uint8_t **ret, size_t max)
{
    size_t n = max < input_left ? max : input_left;

    *ret = input;
    input += n;
    input_left -= n;
    return n;
}

static unsigned take_number(unsigned bytes)
{
    const uint8_t *p;
    unsigned v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | (take(&p, 1) == 1 ? *p : 0);
    return v;
}

/* One line, line end included. */
static size_t take_line(const uint8_t **ret)
{
    const uint8_t *end = input_left > 0 ? memchr(input, '\n', input_left) : NULL;

    return take(ret, end != NULL ? (size_t)(end - input) + 1 : input_left);
}

static void answer(struct http_request *r)
{
    struct http_answer a;
    unsigned code = take_number(2) % 600;
    const uint8_t *p;
    size_t n;
    int e = take_number(1) % 8 == 7 ? -ECONNRESET : 0;

    http_answer_start(&a, r);
    do {
        n = take_line(&p);
        if (e == 0)
            e = http_answer_header(&a, (const char *)p, n);
    } while (n > 2);
    n = take(&p, take_number(2) * 4);
    if (e == 0 && n > 0)
        e = http_answer_body(&a, code, p, n);
    if (e == 0)
        e = http_answer_whole(&a, code);
    r->http_status = code;
    r->status = e;
    r->done(r);
}

static void answer_all(void)
{
    struct http_request *r;

    for (unsigned i = 0; (r = vs_list_first(&asked, struct http_request, link)) != NULL; i++) {
        vs_list_del(&r->link);
        if (i < ASKED_MAX) {
            answer(r);
        } else {
            r->status = -ECANCELED;
            r->done(r);
        }
    }
}

int http_host_open(struct http_host **ret, struct http_client *c,
                   const struct http_host_config *config)
{
    (void)c;
    (void)config;
    *ret = &fake_host;
    return 0;
}

void http_host_close(struct http_host *h)
{
    if (h != NULL)
        answer_all();
}

void http_client_submit(struct http_host *h, struct http_request *r)
{
    (void)h;
    r->error[0] = '\0';
    vs_list_add_tail(&asked, &r->link);
}

void http_client_cancel(struct http_request *r)
{
    (void)r;
}

/* ---- operations -------------------------------------------------------------------------------
 */

static const struct frag_key key = { { { 1 } }, 0, 1 };

static void check_guard(const uint8_t *memory)
{
    for (unsigned i = 0; i < GUARD_SIZE; i++)
        VS_ASSERT(memory[i] == GUARD);
}

static void got(struct store_get *g)
{
    if (g->status != 0)
        return;
    VS_ASSERT(g->got_bytes <= g->bytes && g->payload_bytes <= FRAG_BYTES_MAX);
    VS_ASSERT((int64_t)g->got_bytes == store_get_bytes(g, g->payload_bytes));
    (void)frag_verify(g, frag_table_crc(g->crc, frag_blocks(g->payload_bytes)), g->payload_bytes);
}

static void try_get(struct chunk_store *s)
{
    struct store_get g = { .key = key, .done = got };
    uint8_t *memory;

    g.offset = take_number(1) % 4 * FRAG_BLOCK_BYTES;
    g.bytes = take_number(2) % (DST_MAX + 1);
    memory = malloc(g.bytes + GUARD_SIZE);
    memset(memory, 0, g.bytes);
    memset(memory + g.bytes, GUARD, GUARD_SIZE);
    g.dst = memory;
    chunk_store_get(s, &g);
    answer_all();
    check_guard(memory + g.bytes);
    free(memory);
}

static void listed(struct store_list *l)
{
    VS_ASSERT(l->keys_count <= l->keys_max);
    for (uint32_t i = 0; l->status == 0 && i < l->keys_count; i++)
        VS_ASSERT(frag_key_cmp(i == 0 ? &l->after : &l->keys[i - 1], &l->keys[i]) < 0);
}

static void try_list(struct chunk_store *s)
{
    struct frag_key *keys = malloc(KEYS_MAX * sizeof(*keys)); /* exact: a sanitizer is the guard */
    struct store_list l = { .keys = keys,
                            .keys_max = 1 + take_number(3) % KEYS_MAX,
                            .done = listed };

    chunk_store_list(s, &l);
    answer_all();
    free(keys);
}

static void statted(struct store_stat *st)
{
    if (st->status == 0)
        VS_ASSERT(st->payload_bytes <= FRAG_BYTES_MAX &&
                  frag_check(&st->key, &st->note, st->payload_bytes) == 0);
}

static void put_done(struct store_put *p)
{
    (void)p;
}

static void try_others(struct chunk_store *s, unsigned which)
{
    static const struct frag_note note;
    struct store_stat st = { .key = key, .done = statted };
    struct store_put p = { .key = key, .note = &note, .data = "x", .bytes = 1, .done = put_done };

    if (which == 0)
        chunk_store_stat(s, &st);
    else if (which == 1)
        chunk_store_put(s, &p);
    answer_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store_http_config config = { .origin = "http://127.0.0.1:1", .name = "n1" };
    struct http_request *poll; /* the question for its health: answered last */
    struct store_health h;
    struct chunk_store *s;
    unsigned op;

    input = data;
    input_left = size;
    op = take_number(1) % 5;
    vs_list_init(&asked);
    VS_ASSERT(vs_exec_serial_new(&config.exec) == 0);
    VS_ASSERT(store_http_new(&s, &config) == 0);
    poll = vs_list_first(&asked, struct http_request, link);
    vs_list_del(&poll->link);
    if (op == 0)
        try_get(s);
    else if (op == 1)
        try_list(s);
    else
        try_others(s, op - 2);
    answer(poll);
    chunk_store_health(s, &h);
    chunk_store_stop(s);
    vs_exec_stop(config.exec);
    return 0;
}
