/* GET and POST /chunk/{id}/commit: is the placement of a chunk decided; propose one.
 *
 * Happy path: a placement of a chunk whose id was reserved in a session that is still open, with
 * fragments on nodes of this cluster, each on another one, goes to the chunk's register by
 * compare-and-set on the generation; a copy of the same proposal is decided as well. Failure modes:
 * what cannot be a placement, an id without an open session, a generation that is not the current
 * one: each a sentence, and nothing is changed. No answer, or 503: unknown; ask, or propose the
 * same again.
 *
 * The fragments must be durable before: nobody checks that here. */
#include "meta/meta_server.h"

#include "common/err.h"
#include "meta/manifest.h"
#include "meta/place_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct commit {
    struct meta_server *m;
    struct http_req *q;
    struct vs_id id;
    char text[VS_ID_TEXT_BYTES];
    struct place_value value;
    uint32_t expect;
};

static void refuse(struct commit *c, const char *sentence)
{
    http_reply_error(c->q, 400, "invalid", "%s", sentence);
}

/* ---- what is decided --------------------------------------------------------------------------
 */

static void decided_reply(struct commit *c, const struct place_value *v)
{
    struct vs_json *j = vs_json_object();

    vs_json_set_text(j, "chunk", c->text);
    vs_json_set_bool(j, "decided", v != NULL);
    if (v != NULL) {
        vs_json_set_text(j, "state", v->state == PLACE_LIVE ? "live" : "tomb");
        vs_json_set_u64(j, "generation", v->generation);
    }
    http_reply_json(c->q, 200, j);
}

void meta_commit_look(struct meta_server *m, struct http_req *q, const struct vs_id *id)
{
    struct commit c = { .m = m, .q = q, .id = *id };
    struct vs_buf value = { 0 };
    int err = meta_api_register(m, id, &value);
    char what[64];

    vs_id_to_text(id, c.text);
    snprintf(what, sizeof(what), "chunk %s", c.text);
    if (err == 0)
        err = place_value_decode(value.data, value.len, &c.value);
    vs_buf_close(&value);
    if (err == 0)
        decided_reply(&c, &c.value);
    else if (err == -ENOENT)
        decided_reply(&c, NULL);
    else
        meta_api_error(q, err, what);
}

/* ---- a proposal -------------------------------------------------------------------------------
 */

static bool u32_of(const struct vs_json *j, const char *key, uint32_t *ret)
{
    uint64_t v = 0;

    if (vs_json_get_u64(j, key, &v) < 0 || v > UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}

/* 64 hex digits, read as two ids. */
static bool sha_of(const char *text, uint8_t sha[VS_SHA256_BYTES])
{
    char half[VS_ID_TEXT_BYTES];
    struct vs_id id[2];

    _Static_assert(sizeof(id) == VS_SHA256_BYTES, "a hash is as long as two ids");
    if (text == NULL || strlen(text) != 2 * (VS_ID_TEXT_BYTES - 1))
        return false;
    memcpy(half, text, sizeof(half) - 1);
    half[sizeof(half) - 1] = '\0';
    if (vs_id_from_text(half, &id[0]) < 0 ||
        vs_id_from_text(text + VS_ID_TEXT_BYTES - 1, &id[1]) < 0)
        return false;
    memcpy(sha, id, sizeof(id));
    return true;
}

static bool fragment_of(const struct vs_json *j, struct place_frag *f)
{
    return u32_of(j, "node", &f->node) && u32_of(j, "generation", &f->generation) &&
           u32_of(j, "table_crc32c", &f->table_crc) &&
           sha_of(vs_json_get_text(j, "sha256"), f->sha256);
}

/* The value that is proposed. False: answered. */
static bool value_of(struct commit *c, const struct vs_json *j)
{
    const struct vs_json *list = vs_json_get(j, "fragments"), *f = vs_json_first(list);
    const char *red = vs_json_get_text(j, "redundancy");
    struct place_value *v = &c->value;
    unsigned n;

    *v = (struct place_value){ .state = PLACE_LIVE };
    if (vs_json_get_u64(j, "session", &v->session) < 0 ||
        !u32_of(j, "generation", &v->generation) || !u32_of(j, "expect", &c->expect) ||
        !u32_of(j, "bytes", &v->chunk_bytes) || red == NULL ||
        vs_redundancy_from_text(red, &v->red) < 0 || vs_redundancy_check(&v->red) < 0) {
        refuse(c, "A placement has session, generation, expect (the current generation, 0 for "
                  "none), bytes, redundancy (rs:3+2) and fragments (docs/API.md).");
        return false;
    }
    for (n = 0; f != NULL && n < VS_EC_N_MAX; f = vs_json_next(f), n++)
        if (!fragment_of(f, &v->frag[n]))
            break;
    if (f != NULL || n != (unsigned)v->red.k + v->red.m) {
        refuse(c, "fragments are k+m in their order, each with node, generation, sha256 (64 hex "
                  "digits) and table_crc32c, all of them numbers but the hash.");
        return false;
    }
    if (v->generation <= c->expect) {
        refuse(c, "generation is higher than expect: each placement has a generation of its own.");
        return false;
    }
    return true;
}

/* Are its nodes of this cluster, and each another one? False: answered. */
static bool nodes_ok(struct commit *c)
{
    struct meta_req r = { .op = META_NODES, .nodes_max = NS_NODE_NUMBER_MAX };
    unsigned n = (unsigned)c->value.red.k + c->value.red.m;
    int err;

    r.nodes = calloc(r.nodes_max, sizeof(*r.nodes));
    err = r.nodes == NULL ? -ENOMEM : meta_call(c->m->meta, &r);
    if (err < 0)
        meta_api_error(c->q, err, "the list of nodes");
    for (unsigned i = 0; err == 0 && i < n; i++) {
        uint32_t node = c->value.frag[i].node;
        bool known = false, twice = false;

        for (uint32_t k = 0; k < r.nodes_count; k++)
            known = known || (r.nodes[k].node == node && r.nodes[k].state != NS_NODE_GONE);
        for (unsigned k = 0; k < i; k++)
            twice = twice || c->value.frag[k].node == node;
        if (!known || twice) {
            http_reply_error(c->q, 400, "invalid", "Fragment %u is on node %u, which %s.", i, node,
                             known ? "has another one already" : "is not of this cluster");
            err = -EINVAL;
        }
    }
    free(r.nodes);
    return err == 0;
}

/* Was the id reserved in a session that is open? False: answered. */
static bool session_ok(struct commit *c)
{
    struct meta_req r = { .op = META_RESERVED, .ino = c->value.session, .scan_after_id = c->id };
    int err = meta_call(c->m->meta, &r);

    if (err == -ESTALE)
        http_reply_error(c->q, 409, "session",
                         "Session %" PRIu64 " is not open: its upload was committed or given up.",
                         c->value.session);
    else if (err == -ENOENT)
        http_reply_error(c->q, 409, "session", "Chunk %s was not reserved in session %" PRIu64 ".",
                         c->text, c->value.session);
    else if (err < 0)
        meta_api_error(c->q, err, "the session");
    return err == 0;
}

/* The register holds something else than was expected. */
static void conflict_reply(struct commit *c, const struct vs_buf *current)
{
    struct place_value v;

    if (current->len == 0)
        http_reply_error(c->q, 409, "generation",
                         "Chunk %s has no placement yet, and generation %u was expected.", c->text,
                         c->expect);
    else if (place_value_decode(current->data, current->len, &v) < 0)
        http_reply_error(c->q, 500, "metadata", "The register of chunk %s cannot be read.",
                         c->text);
    else if (v.state == PLACE_TOMB)
        http_reply_error(c->q, 410, "gone", "Chunk %s is gone for ever.", c->text);
    else
        http_reply_error(c->q, 409, "generation",
                         "Chunk %s is at generation %u, and %u was expected; read it and decide "
                         "again.",
                         c->text, v.generation, c->expect);
}

static void propose(struct commit *c)
{
    struct meta_reg reg = { .id = c->id, .expect_generation = c->expect };
    /* the first one is made, by both phases unless this replica owns the id; others follow */
    struct meta_req r = { .op = c->expect == 0 ? META_REG_CREATE : META_REG_CHANGE,
                          .regs = &reg,
                          .reg_count = 1 };
    struct vs_buf value = { 0 };
    char what[64];
    int err = place_value_encode(&c->value, &value);

    snprintf(what, sizeof(what), "chunk %s", c->text);
    if (err < 0) {
        refuse(c, "That is no placement: generations begin at 1, no fragment's is above the "
                  "placement's, and a chunk has 1 to 16777216 bytes.");
        vs_buf_close(&value);
        return;
    }
    reg.value = value.data;
    reg.value_len = value.len;
    err = meta_call(c->m->meta, &r);
    err = reg.status < 0 ? reg.status : err;
    if (err == -VS_EEXISTS_OTHER) {
        vs_buf_close(&reg.current);
        err = meta_api_register(c->m, &c->id, &reg.current);
        err = err == 0 ? -ESTALE : err;
    }
    if (err == 0)
        decided_reply(c, &c->value);
    else if (err == -ESTALE)
        conflict_reply(c, &reg.current);
    else
        meta_api_error(c->q, err, what);
    vs_buf_close(&reg.current);
    vs_buf_close(&value);
}

static void commit_answer(struct meta_server *m, struct http_req *q)
{
    struct commit c = { .m = m, .q = q };
    struct vs_json *j;

    if (!meta_api_chunk_path(q, "/commit", c.text, &c.id))
        return;
    if (vs_id_type(&c.id) != VS_ID_CHUNK) {
        refuse(&c, "Only chunks have placements; that id is of something else.");
        return;
    }
    j = meta_api_body(q);
    if (j != NULL && value_of(&c, j) && nodes_ok(&c) && session_ok(&c))
        propose(&c);
    vs_json_free(j);
}

void meta_commit_run(struct http_req *q)
{
    meta_api_start(q, commit_answer);
}
