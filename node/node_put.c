/* PUT of a fragment.
 *
 * Happy path: the headers say what it is; SHA-256 and nothing else is computed while the body
 * arrives in the memory that the store writes from; the store makes it durable; 201, or 200 when
 * the same was there already.
 * Failure modes: headers that are missing or wrong, a body that is not what its hash says: 400, and
 * nothing was stored. A client that goes away before the end has stored nothing; one that goes
 * after it has stored the fragment, and may say so again. */
#include "node/node.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/json.h"

#include <string.h>

struct put_req {
    struct node_req req; /* first */
    struct store_put put;
    struct frag_note note;
    struct vs_sha *sha;
};

static bool headers_take(struct put_req *r)
{
    struct http_req *q = r->req.q;
    const char *sha = http_req_header(q, NODE_HEADER_SHA256);
    const char *note = http_req_header(q, NODE_HEADER_RECORD);

    if (sha == NULL || frag_sha_from_text(sha, r->put.sha256) < 0) {
        node_reply_error(q, -EINVAL,
                         "%s must be the SHA-256 of the body as 64 hex digits; it is %s.",
                         NODE_HEADER_SHA256, sha == NULL ? "missing" : "something else");
        return false;
    }
    if (note != NULL && frag_note_from_text(note, &r->note) < 0) {
        node_reply_error(q, -EINVAL,
                         "%s must read kind=rs;k=3;m=2;chunk=BYTES;session=N;inode=N;seq=N;"
                         "offset=N;name=percent-encoded; it does not.",
                         NODE_HEADER_RECORD);
        return false;
    }
    if (frag_check(&r->req.key, &r->note, http_req_body_bytes(q)) < 0) {
        node_reply_err(&r->req, -EINVAL);
        return false;
    }
    return true;
}

void node_put_begin(struct http_req *q)
{
    struct put_req *r = node_req_new(q, sizeof(struct put_req), NODE_OP_PUT, true);

    if (r == NULL || !headers_take(r))
        return;
    if (vs_sha_new(&r->sha) < 0)
        node_reply_err(&r->req, -ENOMEM);
}

void node_put_body(struct http_req *q, const void *bytes, size_t len)
{
    struct put_req *r = http_req_state(q);

    vs_sha_update(r->sha, bytes, len);
}

static void put_done(struct store_put *p)
{
    struct put_req *r = vs_container_of(p, struct put_req, put);
    struct http_req *q = r->req.q;
    uint32_t crc[FRAG_BLOCKS_MAX];
    struct vs_json *j;

    if (p->status < 0) {
        node_reply_err(&r->req, p->status);
        return;
    }
    (void)frag_crc_table(p->data, p->bytes, crc);
    VS_ASSERT(frag_table_crc(crc, frag_blocks(p->bytes)) == p->table_crc);
    r->req.bytes = p->bytes;
    node_reply_table(q, crc, (uint32_t)p->bytes);
    j = vs_json_object();
    vs_json_set_bool(j, "stored", true);
    vs_json_set_u64(j, "bytes", p->bytes);
    http_reply_json(q, p->existed ? 200 : 201, j);
}

void node_put_run(struct http_req *q)
{
    struct put_req *r = http_req_state(q);
    uint8_t sha[VS_SHA256_BYTES];
    size_t bytes;
    const void *data = http_req_body(q, &bytes);

    vs_sha_final(r->sha, sha);
    if (memcmp(sha, r->put.sha256, sizeof(sha)) != 0) {
        node_reply_error(q, -EINVAL,
                         "The body of %zu bytes does not have the SHA-256 that %s says; it was "
                         "changed on its way, send it again.",
                         bytes, NODE_HEADER_SHA256);
        return;
    }
    r->put.key = r->req.key;
    r->put.note = &r->note;
    r->put.data = data;
    r->put.bytes = bytes;
    r->put.done = put_done;
    chunk_store_put(r->req.node->store, &r->put);
}

void node_put_end(struct http_req *q)
{
    struct put_req *r = http_req_state(q);

    if (r == NULL)
        return;
    vs_sha_free(r->sha);
    node_req_end(q);
}
