/* Get and stat over HTTP: ask for a range, believe nothing of the answer that does not fit it.
 *
 * Happy path: 206 with the bytes where the caller wants them, Content-Range with the payload's
 * length, and the whole CRC table. A range of no bytes cannot be said in HTTP: one byte is asked
 * for and thrown away. A range that begins behind the payload is 416 with the length: success with
 * 0 bytes, and when the table did not come along, one byte from the start is asked for to get it.
 * Failure modes: an answer of a node about a fragment that contradicts itself is -VS_ECORRUPT;
 * anything else that is not a node's answer is -VS_EDOWN. The bytes themselves are checked by the
 * reader. */
#include "node/store_http_impl.h"

#include "common/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct get_op {
    struct http_op op; /* first */
    struct store_get *get;
    uint32_t from, asked; /* the range that is asked for */
    bool behind;          /* 416 came; asked once more for the table */
    uint8_t one;          /* the byte nobody wants */
    char range[STORE_HTTP_RANGE_BYTES];
    char content_range[STORE_HTTP_RANGE_BYTES];
    char table[FRAG_CRCS_TEXT_BYTES];
};

/* ---- numbers -----------------------------------------------------------------------------------
 */

/* A decimal number up to FRAG_BYTES_MAX; the first byte behind it, or NULL. */
static const char *length_from_text(const char *pos, uint32_t *ret)
{
    uint32_t v = 0;

    if (*pos < '0' || *pos > '9')
        return NULL;
    for (; *pos >= '0' && *pos <= '9'; pos++) {
        v = v * 10 + (uint32_t)(*pos - '0');
        if (v > FRAG_BYTES_MAX)
            return NULL;
    }
    *ret = v;
    return pos;
}

/* "bytes FIRST-LAST/TOTAL"; false for anything else. */
static bool content_range_parse(const char *text, uint32_t *ret_first, uint32_t *ret_last,
                                uint32_t *ret_total)
{
    const char *pos = text;

    if (strncmp(pos, "bytes ", 6) != 0)
        return false;
    pos = length_from_text(pos + 6, ret_first);
    if (pos == NULL || *pos != '-')
        return false;
    pos = length_from_text(pos + 1, ret_last);
    if (pos == NULL || *pos != '/')
        return false;
    pos = length_from_text(pos + 1, ret_total);
    return pos != NULL && *pos == '\0' && *ret_first <= *ret_last && *ret_last < *ret_total;
}

/* The answer to a range behind the end: "bytes * / TOTAL", without the blanks. */
static bool content_range_parse_none(const char *text, uint32_t *ret_total)
{
    const char *pos = text;

    if (strncmp(pos, "bytes */", 8) != 0)
        return false;
    pos = length_from_text(pos + 8, ret_total);
    return pos != NULL && *pos == '\0';
}

/* ---- get ---------------------------------------------------------------------------------------
 */

/* What a 200, 206 or 416 says about lengths, against what was asked; the payload's length. */
static int64_t get_lengths(const struct get_op *o)
{
    const struct http_request *r = &o->op.req;
    uint32_t first, last, total, left;

    if (r->http_status == 416)
        return content_range_parse_none(o->content_range, &total) && o->from >= total
                   ? (int64_t)total
                   : -VS_ECORRUPT;
    if (r->http_status == 200) /* the whole, because it was asked for, or ranges are not known */
        return o->from == 0 && !o->behind ? (int64_t)r->body_bytes : -VS_ECORRUPT;
    if (r->http_status != 206 || !content_range_parse(o->content_range, &first, &last, &total))
        return -VS_ECORRUPT;
    left = total - first; /* first <= last < total */
    if (first != o->from || last - first + 1 != (left < o->asked ? left : o->asked) ||
        r->body_bytes != last - first + 1)
        return -VS_ECORRUPT;
    return !o->behind || o->get->offset >= total ? (int64_t)total : -VS_ECORRUPT;
}

static int get_judge(struct get_op *o)
{
    const struct http_request *r = &o->op.req;
    struct store_get *g = o->get;
    int64_t total, got;
    int status = 0;

    if (r->status != 0 || r->http_status != 416)
        status = http_op_status(&o->op);
    if (status < 0)
        return status;
    if (o->table[0] == '\0' && o->content_range[0] == '\0')
        return -VS_EDOWN; /* some other web server */
    total = get_lengths(o);
    if (total < 0 || frag_crcs_from_text(o->table, g->crc) != (int)frag_blocks((size_t)total))
        return -VS_ECORRUPT;
    got = store_get_bytes(g, (uint32_t)total);
    if (got < 0)
        return (int)got;
    g->payload_bytes = (uint32_t)total;
    g->got_bytes = (uint32_t)got;
    return 0;
}

static void get_ask(struct get_op *o, uint32_t from, uint32_t bytes)
{
    o->from = from;
    o->asked = bytes > 0 ? bytes : 1;
    o->op.req.body = bytes > 0 ? o->get->dst : &o->one;
    o->op.req.body_cap = o->asked;
    snprintf(o->range, sizeof(o->range), "bytes=%" PRIu32 "-%" PRIu32, from, from + o->asked - 1);
    http_op_send(&o->op);
}

/* A range behind the end, and no table with it. */
static bool get_lacks_table(const struct get_op *o)
{
    uint32_t total;

    return o->op.req.status == 0 && o->op.req.http_status == 416 && !o->behind &&
           o->table[0] == '\0' && content_range_parse_none(o->content_range, &total) && total > 0 &&
           o->get->offset >= total;
}

static void get_done(struct http_request *r)
{
    struct get_op *o = vs_container_of(r, struct get_op, op.req);
    struct store_get *g = o->get;

    if (get_lacks_table(o)) {
        o->behind = true;
        get_ask(o, 0, 0);
        return;
    }
    g->status = get_judge(o);
    g->done(g);
    free(o); /* after done: until then it may be cancelled */
}

static void get_refused(struct vs_job *job)
{
    struct store_get *g = vs_container_of(job, struct store_get, job);
    struct store_http *s = g->store;

    g->done(g);
    store_http_refuse_done(s);
}

void store_http_get(struct chunk_store *base, struct store_get *g)
{
    struct store_http *s = store_http_of(base);
    struct get_op *o = NULL;

    g->store = s;
    g->priv[0] = NULL;
    g->got_bytes = g->payload_bytes = 0;
    g->status = store_get_check(g);
    if (g->status == 0) {
        o = http_op_new(s, sizeof(*o), HTTP_GET, get_done);
        g->status = -EAGAIN;
    }
    if (o == NULL) {
        store_http_refuse(s, &g->job, get_refused);
        return;
    }
    o->get = g;
    g->priv[0] = o;
    o->behind = false;
    http_op_path(&o->op, &g->key);
    http_op_header(&o->op, "Range", o->range);
    http_op_pick(&o->op, "Content-Range", o->content_range, sizeof(o->content_range));
    http_op_pick(&o->op, NODE_HEADER_TABLE, o->table, sizeof(o->table));
    get_ask(o, g->offset, g->bytes);
}

void store_http_cancel(struct chunk_store *base, struct store_get *g)
{
    struct get_op *o = g->priv[0];

    (void)base;
    if (o != NULL)
        http_client_cancel(&o->op.req);
}

/* ---- stat --------------------------------------------------------------------------------------
 */

struct stat_op {
    struct http_op op; /* first */
    struct store_stat *stat;
    char length[STORE_HTTP_NUMBER_BYTES];
    char sha[FRAG_SHA_TEXT_BYTES];
    char note[FRAG_NOTE_TEXT_BYTES];
    char table_crc[STORE_HTTP_NUMBER_BYTES];
};

static int stat_judge(struct stat_op *o)
{
    struct store_stat *st = o->stat;
    uint32_t crc[FRAG_BLOCKS_MAX], bytes;
    struct frag_note note = { 0 };
    const char *end;
    int status = http_op_status(&o->op);

    if (status < 0)
        return status;
    if (o->sha[0] == '\0' && o->table_crc[0] == '\0')
        return -VS_EDOWN; /* some other web server */
    end = length_from_text(o->length, &bytes);
    if (end == NULL || *end != '\0' || frag_crcs_from_text(o->table_crc, crc) != 1 ||
        frag_note_from_text(o->note, &note) < 0 || frag_check(&st->key, &note, bytes) < 0 ||
        frag_sha_from_text(o->sha, st->sha256) < 0)
        return -VS_ECORRUPT;
    st->payload_bytes = bytes;
    st->table_crc = crc[0];
    st->note = note;
    return 0;
}

static void stat_done(struct http_request *r)
{
    struct stat_op *o = vs_container_of(r, struct stat_op, op.req);
    struct store_stat *st = o->stat;

    st->status = stat_judge(o);
    st->done(st);
    free(o);
}

static void stat_refused(struct vs_job *job)
{
    struct store_stat *st = vs_container_of(job, struct store_stat, job);
    struct store_http *s = st->store;

    st->done(st);
    store_http_refuse_done(s);
}

void store_http_stat(struct chunk_store *base, struct store_stat *st)
{
    struct store_http *s = store_http_of(base);
    struct stat_op *o = http_op_new(s, sizeof(*o), HTTP_HEAD, stat_done);

    st->store = s;
    st->status = -EAGAIN;
    if (o == NULL) {
        store_http_refuse(s, &st->job, stat_refused);
        return;
    }
    o->stat = st;
    http_op_path(&o->op, &st->key);
    http_op_pick(&o->op, "Content-Length", o->length, sizeof(o->length));
    http_op_pick(&o->op, NODE_HEADER_SHA256, o->sha, sizeof(o->sha));
    http_op_pick(&o->op, NODE_HEADER_RECORD, o->note, sizeof(o->note));
    http_op_pick(&o->op, NODE_HEADER_TABLE_CRC, o->table_crc, sizeof(o->table_crc));
    http_op_send(&o->op);
}
