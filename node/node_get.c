/* GET and HEAD of a fragment.
 *
 * Happy path: the store says where the payload lies and holds it there; the answer is sent by
 * sendfile from the superblock file, any range of it, with the checksums of all blocks in a header;
 * the hold ends with the request.
 * Where a file cannot be sent (the quick threads, a store without files) the blocks around the
 * range are read to memory first.
 * Failure modes: a range that is none is 416 with the length; what is damaged is said so, and the
 * reader, who checks every block, finds the rest. */
#include "node/node.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/http_range.h"
#include "node/store_hold.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "application/octet-stream"

struct get_req;

/* A hold outlives its request until the last byte has left the machine. */
struct get_hold {
    struct store_hold hold;
    struct chunk_store *store;
    struct get_req *r; /* until the reply */
};

struct get_req {
    struct node_req req; /* first */
    struct get_hold *hold;
    struct store_stat stat;
    struct store_get get;
    uint32_t first, bytes; /* the range that was asked for */
    int status;            /* 200 or 206 */
};

/* What the answer says about the record beside its payload. */
static void describe(struct get_req *r, const uint8_t sha256[VS_SHA256_BYTES],
                     const struct frag_note *note_of)
{
    char sha[FRAG_SHA_TEXT_BYTES], note[FRAG_NOTE_TEXT_BYTES];

    vs_hex(sha256, VS_SHA256_BYTES, sha);
    frag_note_to_text(note_of, note);
    http_reply_header(r->req.q, NODE_HEADER_SHA256, sha);
    http_reply_header(r->req.q, NODE_HEADER_RECORD, note);
    http_reply_header(r->req.q, "Accept-Ranges", "bytes");
}

/* ---- the range --------------------------------------------------------------------------------
 */

/* Which bytes: false: replied. */
static bool range_take(struct get_req *r, uint32_t payload_bytes)
{
    struct http_req *q = r->req.q;
    const char *text = http_req_header(q, "Range");
    uint64_t first, bytes;
    char value[64];
    int part;

    part = text == NULL ? 0 : http_range_parse(text, payload_bytes, &first, &bytes);
    if (part < 0) {
        snprintf(value, sizeof(value), "bytes */%" PRIu32, payload_bytes);
        http_reply_header(q, "Content-Range", value);
        http_reply_header(q, NODE_HEADER_ERROR, "range");
        http_reply_error(q, 416, "range",
                         "Range '%.64s' does not fit a payload of %" PRIu32
                         " bytes; ask for one range, bytes=FIRST-LAST.",
                         text, payload_bytes);
        return false;
    }
    r->first = part > 0 ? (uint32_t)first : 0;
    r->bytes = part > 0 ? (uint32_t)bytes : payload_bytes;
    r->status = part > 0 ? 206 : 200;
    if (part > 0) {
        snprintf(value, sizeof(value), "bytes %" PRIu32 "-%" PRIu32 "/%" PRIu32, r->first,
                 r->first + r->bytes - 1, payload_bytes);
        http_reply_header(q, "Content-Range", value);
    }
    return true;
}

/* ---- through memory ---------------------------------------------------------------------------
 */

static void get_done(struct store_get *g)
{
    struct get_req *r = vs_container_of(g, struct get_req, get);
    uint32_t skip = r->first - g->offset;

    if (g->status < 0 || g->got_bytes < skip + r->bytes) {
        node_reply_err(&r->req, g->status < 0 ? g->status : -VS_ECORRUPT);
        return;
    }
    r->req.bytes = r->bytes;
    describe(r, r->stat.sha256, &r->stat.note);
    node_reply_table(r->req.q, g->crc, g->payload_bytes);
    http_reply_lent(r->req.q, r->status, TYPE, (const uint8_t *)g->dst + skip, r->bytes);
}

static void get_memory(struct get_req *r)
{
    uint32_t from = r->first / FRAG_BLOCK_BYTES * FRAG_BLOCK_BYTES;
    uint32_t to =
        (r->first + r->bytes + FRAG_BLOCK_BYTES - 1) / FRAG_BLOCK_BYTES * FRAG_BLOCK_BYTES;

    r->get.key = r->req.key;
    r->get.offset = from;
    r->get.bytes = to - from;
    r->get.done = get_done;
    r->get.dst = http_req_memory(r->req.q, r->get.bytes);
    if (r->get.dst == NULL) {
        node_reply_err(&r->req, -EAGAIN);
        return;
    }
    chunk_store_get(r->req.node->store, &r->get);
}

static void stat_done(struct store_stat *st)
{
    struct get_req *r = vs_container_of(st, struct get_req, stat);
    struct http_req *q = r->req.q;

    if (st->status < 0) {
        node_reply_err(&r->req, st->status);
        return;
    }
    if (http_req_method(q) == HTTP_HEAD) {
        describe(r, r->stat.sha256, &r->stat.note);
        node_reply_table_crc(q, st->table_crc);
        http_reply_head(q, 200, TYPE, st->payload_bytes);
        return;
    }
    if (range_take(r, st->payload_bytes))
        get_memory(r);
}

static void stat_first(struct get_req *r)
{
    r->stat.key = r->req.key;
    r->stat.done = stat_done;
    chunk_store_stat(r->req.node->store, &r->stat);
}

/* ---- from the file ----------------------------------------------------------------------------
 */

static void hold_end(void *arg)
{
    struct get_hold *gh = arg;

    chunk_store_unhold(gh->store, &gh->hold);
    free(gh);
}

/* The store has it in place: send the range. */
static void hold_send(struct get_req *r)
{
    struct get_hold *gh = r->hold;
    const struct store_hold *h = &gh->hold;
    struct http_req *q = r->req.q;
    int fd;

    node_reply_table(q, h->crc, h->payload_bytes); /* also beside a range that is none */
    if (!range_take(r, h->payload_bytes))
        return;
    fd = r->bytes > 0 ? fcntl(h->fd, F_DUPFD_CLOEXEC, 0) : -1; /* the answer closes its own */
    if (r->bytes > 0 && fd < 0) {
        node_reply_err(&r->req, -EAGAIN);
        return;
    }
    r->req.bytes = r->bytes;
    describe(r, h->sha256, &h->note);
    if (r->bytes == 0) {
        http_reply(q, r->status, TYPE, "", 0);
        return;
    }
    r->hold = NULL; /* it ends with the file's way */
    http_reply_file(q, r->status, TYPE, fd, h->offset + r->first, r->bytes, hold_end, gh);
}

static void hold_done(struct store_hold *h)
{
    struct get_hold *gh = vs_container_of(h, struct get_hold, hold);
    struct get_req *r = gh->r;
    int status = h->status;

    if (status == 0) {
        hold_send(r);
        return;
    }
    r->hold = NULL;
    free(gh);
    if (status == -EOPNOTSUPP)
        stat_first(r);
    else
        node_reply_err(&r->req, status);
}

/* What will be read of it, as far as the header tells without the length of the payload. */
static void hold_first(struct get_req *r)
{
    const char *text = http_req_header(r->req.q, "Range");
    uint64_t first = 0, bytes = FRAG_BYTES_MAX;
    struct get_hold *gh;
    int now;

    if (text != NULL && http_range_parse(text, FRAG_BYTES_MAX, &first, &bytes) < 0)
        bytes = 0;
    gh = malloc(sizeof(*gh));
    if (gh == NULL) {
        node_reply_err(&r->req, -ENOMEM);
        return;
    }
    gh->hold.first = (uint32_t)first;
    gh->hold.bytes = (uint32_t)bytes;
    gh->hold.key = r->req.key;
    gh->hold.done = hold_done;
    gh->store = r->req.node->store;
    gh->r = r;
    r->hold = gh;
    now = chunk_store_hold_now(gh->store, &gh->hold);
    if (now != -EAGAIN) {
        gh->hold.status = now;
        hold_done(&gh->hold);
        return;
    }
    chunk_store_hold(gh->store, &gh->hold); /* a thread of the store waits for the disk */
}

void node_get_run(struct http_req *q)
{
    enum node_op op = http_req_method(q) == HTTP_HEAD ? NODE_OP_HEAD : NODE_OP_GET;
    struct get_req *r = node_req_new(q, sizeof(struct get_req), op, true);

    if (r == NULL)
        return;
    if (op == NODE_OP_GET && !http_req_quick(q) && chunk_store_can_hold(r->req.node->store))
        hold_first(r);
    else
        stat_first(r);
}

void node_get_end(struct http_req *q)
{
    struct get_req *r = http_req_state(q);

    if (r != NULL && r->hold != NULL)
        hold_end(r->hold);
    node_req_end(q);
}
