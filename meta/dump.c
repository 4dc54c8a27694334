/* dump: see the header. A block is its type, the length of its body, the body, and the CRC-32C of
 * all of that. Failure: a block that is longer than any may be is refused before a byte of it is
 * kept; nothing behind a bad block is looked at. */
#include "meta/dump.h"
#include "common/assert.h"
#include "common/codec.h"
#include "common/crc.h"
#include "common/err.h"
#include <string.h>

#define BLOCK_HEAD_BYTES 5
#define BLOCK_CRC_BYTES  4
#define PAIR_BYTES       (2 + 4) /* lengths of key and value */
#define PAIRS_BYTES_MAX  (1 + PAIR_BYTES + DUMP_KEY_BYTES_MAX + DUMP_VALUE_BYTES_MAX)
#define HEAD_BYTES       (4 + 2 + 1 + 16 + 8 + 8)
#define END_BYTES        (8 + VS_SHA256_BYTES)

enum block_type { BLOCK_HEAD = 1, BLOCK_PAIRS = 2, BLOCK_END = 3 };

static const uint8_t magic[4] = { 'V', 'S', 'D', 'P' };

static size_t body_max(uint8_t type)
{
    switch (type) {
    case BLOCK_HEAD:
        return HEAD_BYTES;
    case BLOCK_PAIRS:
        return PAIRS_BYTES_MAX;
    case BLOCK_END:
        return END_BYTES;
    }
    return 0;
}

/* ---- writing ---- */

/* All of the block, or nothing of it. */
static int out_block(struct dump_out *o, uint8_t type, const void *body, size_t len,
                     struct vs_buf *to)
{
    size_t start = to->len;
    struct vs_wr w = vs_wr_init(to, DUMP_TO_BYTES_MAX);

    vs_wr_u8(&w, type);
    vs_wr_blob(&w, body, len);
    if (w.err == 0)
        vs_wr_u32(&w, vs_crc32c(0, to->data + start, to->len - start));
    if (w.err < 0)
        to->len = start;
    else
        vs_sha_update(o->sha, to->data + start, to->len - start);
    return w.err;
}

int dump_out_begin(struct dump_out *o, const struct dump_head *head, struct vs_buf *to)
{
    struct vs_buf body = { 0 };
    struct vs_wr w = vs_wr_init(&body, HEAD_BYTES);
    int r;

    *o = (struct dump_out){ 0 };
    r = vs_sha_new(&o->sha);
    if (r < 0)
        return r;
    vs_wr_bytes(&w, magic, sizeof(magic));
    vs_wr_u16(&w, DUMP_FORMAT);
    vs_wr_u8(&w, head->kind);
    vs_wr_bytes(&w, head->cluster.b, VS_ID_BYTES);
    vs_wr_u64(&w, head->slot);
    vs_wr_u64(&w, (uint64_t)head->made_ns);
    r = w.err < 0 ? w.err : out_block(o, BLOCK_HEAD, body.data, body.len, to);
    vs_buf_close(&body);
    if (r < 0)
        dump_out_close(o);
    return r;
}

static int out_pairs(struct dump_out *o, struct vs_buf *to)
{
    int r = 0;

    if (o->pairs.len > 0)
        r = out_block(o, BLOCK_PAIRS, o->pairs.data, o->pairs.len, to);
    if (r == 0)
        o->pairs.len = 0;
    return r;
}

/* Is this one behind the last one? */
static bool is_behind(uint8_t last_section, const struct vs_buf *last, uint8_t section,
                      const void *key, size_t key_len)
{
    size_t len = last->len < key_len ? last->len : key_len;
    int c;

    if (section != last_section)
        return section > last_section;
    c = memcmp(last->data, key, len);
    return c < 0 || (c == 0 && last->len < key_len);
}

static int set_last(struct vs_buf *last, const void *key, size_t key_len)
{
    last->len = 0;
    return vs_buf_append(last, key, key_len, DUMP_KEY_BYTES_MAX);
}

int dump_out_pair(struct dump_out *o, uint8_t section, const void *key, size_t key_len,
                  const void *value, size_t value_len, struct vs_buf *to)
{
    struct vs_wr w;
    size_t start;
    int r = 0;

    if (section == 0 || key_len == 0 || key_len > DUMP_KEY_BYTES_MAX ||
        value_len > DUMP_VALUE_BYTES_MAX || !is_behind(o->section, &o->last, section, key, key_len))
        return -EINVAL;
    if (section != o->section || o->pairs.len + PAIR_BYTES + key_len + value_len > DUMP_BLOCK_BYTES)
        r = out_pairs(o, to);
    if (r < 0)
        return r;
    start = o->pairs.len;
    w = vs_wr_init(&o->pairs, PAIRS_BYTES_MAX);
    if (start == 0)
        vs_wr_u8(&w, section);
    vs_wr_u16(&w, (uint16_t)key_len);
    vs_wr_u32(&w, (uint32_t)value_len);
    vs_wr_bytes(&w, key, key_len);
    vs_wr_bytes(&w, value, value_len);
    r = w.err < 0 ? w.err : set_last(&o->last, key, key_len);
    if (r < 0) {
        o->pairs.len = start;
        return r;
    }
    o->section = section;
    o->count++;
    return 0;
}

int dump_out_end(struct dump_out *o, struct vs_buf *to)
{
    uint8_t digest[VS_SHA256_BYTES];
    struct vs_buf body = { 0 };
    struct vs_wr w = vs_wr_init(&body, END_BYTES);
    int r = out_pairs(o, to);

    if (r == 0)
        r = vs_sha_peek(o->sha, digest);
    if (r < 0)
        return r;
    vs_wr_u64(&w, o->count);
    vs_wr_bytes(&w, digest, sizeof(digest));
    r = w.err < 0 ? w.err : out_block(o, BLOCK_END, body.data, body.len, to);
    vs_buf_close(&body);
    return r;
}

void dump_out_close(struct dump_out *o)
{
    vs_buf_close(&o->pairs);
    vs_buf_close(&o->last);
    vs_sha_free(o->sha);
    *o = (struct dump_out){ 0 };
}

/* ---- reading ---- */

int dump_in_init(struct dump_in *in)
{
    *in = (struct dump_in){ 0 };
    return vs_sha_new(&in->sha);
}

void dump_in_close(struct dump_in *in)
{
    vs_buf_close(&in->block);
    vs_buf_close(&in->last);
    vs_sha_free(in->sha);
    *in = (struct dump_in){ .err = -VS_ECORRUPT };
}

static int in_head(struct dump_in *in, struct vs_rd *body)
{
    uint8_t seen[sizeof(magic)];
    uint16_t format;

    vs_rd_bytes(body, seen, sizeof(seen));
    format = vs_rd_u16(body);
    if (memcmp(seen, magic, sizeof(magic)) != 0 || format == 0)
        return -VS_ECORRUPT;
    if (format > DUMP_FORMAT)
        return -VS_ENEWER;
    in->head.kind = vs_rd_u8(body);
    vs_rd_bytes(body, in->head.cluster.b, VS_ID_BYTES);
    in->head.slot = vs_rd_u64(body);
    in->head.made_ns = (int64_t)vs_rd_u64(body);
    in->has_head = true;
    return vs_rd_done(body);
}

static int in_pairs(struct dump_in *in, struct vs_rd *body, dump_pair_fn *fn, void *arg)
{
    uint8_t section = vs_rd_u8(body);
    int r = section == 0 || vs_rd_left(body) == 0 ? -VS_ECORRUPT : 0;

    while (r == 0 && vs_rd_left(body) > 0) {
        size_t key_len = vs_rd_u16(body), value_len = vs_rd_u32(body);
        const uint8_t *key = vs_rd_view(body, key_len), *value = vs_rd_view(body, value_len);

        if (body->err < 0 || key_len == 0 || key_len > DUMP_KEY_BYTES_MAX ||
            value_len > DUMP_VALUE_BYTES_MAX ||
            !is_behind(in->section, &in->last, section, key, key_len))
            return -VS_ECORRUPT;
        in->section = section;
        in->count++;
        r = set_last(&in->last, key, key_len);
        if (r == 0)
            r = fn(arg, section, key, key_len, value, value_len);
    }
    return r;
}

static int in_end(struct dump_in *in, struct vs_rd *body)
{
    uint8_t said[VS_SHA256_BYTES], digest[VS_SHA256_BYTES];
    uint64_t count = vs_rd_u64(body);

    vs_rd_bytes(body, said, sizeof(said));
    vs_sha_final(in->sha, digest);
    in->is_ended = true;
    if (count != in->count || memcmp(said, digest, sizeof(digest)) != 0)
        return -VS_ECORRUPT;
    return vs_rd_done(body);
}

/* The block that in->block holds, whole. */
static int in_block(struct dump_in *in, dump_pair_fn *fn, void *arg)
{
    const struct vs_buf *b = &in->block;
    size_t checked = b->len - BLOCK_CRC_BYTES;
    struct vs_rd crc = vs_rd_init(b->data + checked, BLOCK_CRC_BYTES);
    struct vs_rd body = vs_rd_init(b->data + BLOCK_HEAD_BYTES, checked - BLOCK_HEAD_BYTES);
    uint8_t type = b->data[0];

    if (vs_rd_u32(&crc) != vs_crc32c(0, b->data, checked) || in->has_head == (type == BLOCK_HEAD) ||
        in->is_ended)
        return -VS_ECORRUPT;
    if (type == BLOCK_END)
        return in_end(in, &body);
    vs_sha_update(in->sha, b->data, b->len);
    return type == BLOCK_HEAD ? in_head(in, &body) : in_pairs(in, &body, fn, arg);
}

/* How many bytes the block that has begun is long, as far as can be told; 0: it is none. */
static size_t in_wants(const struct dump_in *in)
{
    struct vs_rd r = vs_rd_init(in->block.data, in->block.len);
    uint8_t type;
    size_t len;

    if (in->block.len < BLOCK_HEAD_BYTES)
        return BLOCK_HEAD_BYTES;
    type = vs_rd_u8(&r);
    len = vs_rd_u32(&r);
    if (len > body_max(type))
        return 0;
    return BLOCK_HEAD_BYTES + len + BLOCK_CRC_BYTES;
}

int dump_in_feed(struct dump_in *in, const void *bytes, size_t len, dump_pair_fn *fn, void *arg)
{
    const uint8_t *from = bytes;

    while (in->err == 0 && len > 0) {
        size_t wants = in_wants(in), take;

        if (wants == 0 || in->is_ended) {
            in->err = -VS_ECORRUPT;
            break;
        }
        take = wants - in->block.len < len ? wants - in->block.len : len;
        in->err = vs_buf_append(&in->block, from, take, PAIRS_BYTES_MAX + 64);
        from += take;
        len -= take;
        /* The first bytes of a block only tell how long it is. */
        if (in->err < 0 || in->block.len < wants || in->block.len == BLOCK_HEAD_BYTES)
            continue;
        in->err = in_block(in, fn, arg);
        in->block.len = 0;
    }
    return in->err;
}

int dump_in_done(const struct dump_in *in)
{
    if (in->err < 0)
        return in->err;
    return in->is_ended && in->block.len == 0 ? 0 : -VS_ECORRUPT;
}
