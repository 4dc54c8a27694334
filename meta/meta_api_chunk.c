/* GET /chunk/{chunk}/fragments: what a register means; and what this shares with /consensus.
 *
 * Happy path: the register's value, decoded. Failure modes: a text that is no id, a register that
 * was never written, a segment where a chunk was asked for: each a sentence. */
#include "meta/meta_server.h"

#include "common/err.h"
#include "common/hex.h"
#include "meta/manifest.h"
#include "meta/meta_wire.h"
#include "meta/place_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool meta_api_chunk_path(struct http_req *q, const char *behind, char text[VS_ID_TEXT_BYTES],
                         struct vs_id *ret)
{
    const char *tail = http_req_tail(q);

    snprintf(text, VS_ID_TEXT_BYTES, "%s", tail);
    if (strlen(tail) >= VS_ID_TEXT_BYTES - 1 && strcmp(tail + VS_ID_TEXT_BYTES - 1, behind) == 0 &&
        vs_id_from_text(text, ret) == 0)
        return true;
    http_reply_error(q, 400, "invalid", "'%.64s' names no chunk; a name is 32 hex digits.", tail);
    return false;
}

void meta_api_set_place(struct vs_json *j, const struct place_value *v)
{
    char text[24];

    vs_json_set_u64(j, "session", v->session);
    vs_json_set_u64(j, "generation", v->generation);
    if (v->state != PLACE_LIVE)
        return;
    vs_json_set_u64(j, "bytes", v->chunk_bytes);
    vs_redundancy_to_text(&v->red, text);
    vs_json_set_text(j, "redundancy", text);
}

/* ---- /chunk/{chunk}/fragments -----------------------------------------------------------------
 */

/* Name of a node, "" when it is not known. */
static const char *node_name(const struct meta_req *nodes, uint32_t node)
{
    for (uint32_t i = 0; i < nodes->nodes_count; i++)
        if (nodes->nodes[i].node == node)
            return nodes->nodes[i].name;
    return "";
}

static struct vs_json *fragments_json(const struct place_value *v, const struct meta_req *nodes)
{
    struct vs_json *list = vs_json_array();

    for (unsigned i = 0; i < (unsigned)v->red.k + v->red.m; i++) {
        struct vs_json *j = vs_json_object();
        char sha[2 * VS_SHA256_BYTES + 1];

        vs_hex(v->frag[i].sha256, VS_SHA256_BYTES, sha);
        vs_json_set_u64(j, "fragment", i);
        vs_json_set_u64(j, "node", v->frag[i].node);
        vs_json_set_text(j, "name", node_name(nodes, v->frag[i].node));
        vs_json_set_u64(j, "generation", v->frag[i].generation);
        vs_json_set_text(j, "sha256", sha);
        vs_json_set_u64(j, "table_crc32c", v->frag[i].table_crc);
        vs_json_add(list, j);
    }
    return list;
}

static int fragments_reply(struct meta_server *m, struct http_req *q, const char *text,
                           const struct place_value *v)
{
    struct meta_req nodes = { .op = META_NODES, .nodes_max = META_WIRE_NODES_MAX };
    struct vs_json *j;
    int err;

    nodes.nodes = calloc(nodes.nodes_max, sizeof(*nodes.nodes));
    err = nodes.nodes == NULL ? -ENOMEM : meta_call(m->meta, &nodes);
    if (err == 0) {
        j = vs_json_object();
        vs_json_set_text(j, "chunk", text);
        meta_api_set_place(j, v);
        vs_json_set(j, "fragments", fragments_json(v, &nodes));
        http_reply_json(q, 200, j);
    }
    free(nodes.nodes);
    return err;
}

static void fragments_answer(struct meta_server *m, struct http_req *q)
{
    char text[VS_ID_TEXT_BYTES], what[64];
    struct vs_buf value = { 0 };
    struct place_value v;
    struct vs_id id;
    int err;

    if (!meta_api_chunk_path(q, "/fragments", text, &id))
        return;
    snprintf(what, sizeof(what), "chunk %s", text);
    err = meta_api_register(m, &id, &value);
    if (err == 0 && vs_id_type(&id) != VS_ID_CHUNK)
        err = -ENOENT;
    if (err == 0)
        err = place_value_decode(value.data, value.len, &v);
    vs_buf_close(&value);
    if (err == 0 && v.state != PLACE_LIVE)
        http_reply_error(q, 410, "gone", "Chunk %s is gone for ever.", text);
    else if (err == 0)
        err = fragments_reply(m, q, text, &v);
    if (err < 0)
        meta_api_error(q, err, what);
}

static void commit_look(struct meta_server *m, struct http_req *q)
{
    char text[VS_ID_TEXT_BYTES];
    struct vs_id id;

    if (meta_api_chunk_path(q, "/commit", text, &id))
        meta_commit_look(m, q, &id);
}

void meta_chunk_run(struct http_req *q)
{
    const char *slash = strchr(http_req_tail(q), '/');

    meta_api_start(q,
                   slash != NULL && strcmp(slash, "/commit") == 0 ? commit_look : fragments_answer);
}
