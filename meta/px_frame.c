/* px_frame: see px_frame.h. Happy path: head, body, checksum; the length is filled in at the end.
 * Failure: bytes that are not exactly one frame are refused before anything in them is believed. */
#include "meta/px_frame.h"

#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"

#include <string.h>

/* A field that is added there needs a place here. */
_Static_assert(sizeof(struct px_accepted) == 120, "px_accepted");

#define COUNT_AT  6
#define LENGTH_AT 8

static const uint8_t magic[4] = { 'V', 'S', 'P', 'X' };

size_t px_frame_limit(uint8_t kind)
{
    switch ((enum px_frame_kind)kind) {
    case PX_FRAME_ASKS:
    case PX_FRAME_ANSWERS:
    case PX_FRAME_MOVE:
        return PX_FRAME_BYTES_MAX;
    case PX_FRAME_JOURNAL:
        return PX_FRAME_JOURNAL_BYTES_MAX;
    case PX_FRAME_SNAP:
        return PX_FRAME_SNAP_BYTES_MAX;
    }
    return 0;
}

int px_frame_begin(struct px_frame_out *f, struct vs_buf *buf, enum px_frame_kind kind,
                   const struct px_head *head)
{
    size_t limit = px_frame_limit((uint8_t)kind);
    struct vs_wr w;

    VS_ASSERT(limit > 0);
    *f = (struct px_frame_out){ .buf = buf, .start = buf->len };
    f->bytes_max = f->start + limit - PX_FRAME_CRC_BYTES;
    w = vs_wr_init(buf, f->bytes_max);
    vs_wr_bytes(&w, magic, sizeof(magic));
    vs_wr_u8(&w, PX_FRAME_FORMAT);
    vs_wr_u8(&w, (uint8_t)kind);
    vs_wr_u16(&w, 0); /* count and length: px_frame_end() */
    vs_wr_u32(&w, 0);
    vs_wr_bytes(&w, head->cluster.b, VS_ID_BYTES);
    vs_wr_u64(&w, head->epoch);
    vs_wr_u32(&w, head->pid);
    vs_wr_u32(&w, head->inc);
    if (w.err < 0)
        px_frame_drop(f);
    return w.err;
}

void px_frame_drop(struct px_frame_out *f)
{
    if (f->buf != NULL)
        f->buf->len = f->start;
    f->buf = NULL;
}

static void put_le(uint8_t *at, uint32_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

int px_frame_end(struct px_frame_out *f)
{
    struct vs_wr w = vs_wr_init(f->buf, f->bytes_max + PX_FRAME_CRC_BYTES);
    size_t len = f->buf->len - f->start;
    uint8_t *bytes = f->buf->data + f->start;

    VS_ASSERT(len >= PX_FRAME_HEAD_BYTES && f->count <= UINT16_MAX);
    put_le(bytes + COUNT_AT, f->count, 2);
    put_le(bytes + LENGTH_AT, (uint32_t)(len + PX_FRAME_CRC_BYTES), 4);
    vs_wr_u32(&w, vs_crc32c(0, bytes, len));
    if (w.err < 0)
        px_frame_drop(f);
    f->buf = NULL;
    return w.err;
}

/* The first PX_FRAME_LENGTH_BYTES: 0 and what they say. */
static int read_start(struct vs_rd *r, uint8_t *ret_kind, unsigned *ret_count, size_t *ret_len)
{
    uint8_t start[sizeof(magic)], format;

    vs_rd_bytes(r, start, sizeof(start));
    format = vs_rd_u8(r);
    *ret_kind = vs_rd_u8(r);
    *ret_count = vs_rd_u16(r);
    *ret_len = vs_rd_u32(r);
    if (r->err < 0 || memcmp(start, magic, sizeof(magic)) != 0 || format == 0)
        return -VS_ECORRUPT;
    if (format > PX_FRAME_FORMAT)
        return -VS_ENEWER;
    if (*ret_len > px_frame_limit(*ret_kind) || *ret_len < PX_FRAME_HEAD_BYTES + PX_FRAME_CRC_BYTES)
        return -VS_ECORRUPT;
    return 0;
}

int px_frame_length(const void *bytes, size_t len)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    uint8_t kind;
    unsigned count;
    size_t frame;
    int err;

    if (len < PX_FRAME_LENGTH_BYTES)
        return 0;
    err = read_start(&r, &kind, &count, &frame);
    return err < 0 ? err : (int)frame;
}

int px_frame_open(const void *bytes, size_t len, struct px_frame *ret)
{
    struct vs_rd r = vs_rd_init(bytes, len), crc;
    struct px_frame f = { 0 };
    size_t said;
    int err;

    err = read_start(&r, &f.kind, &f.count, &said);
    if (err < 0)
        return err;
    if (said != len)
        return -VS_ECORRUPT;
    crc = vs_rd_init((const uint8_t *)bytes + len - PX_FRAME_CRC_BYTES, PX_FRAME_CRC_BYTES);
    if (vs_rd_u32(&crc) != vs_crc32c(0, bytes, len - PX_FRAME_CRC_BYTES))
        return -VS_ECORRUPT;
    vs_rd_bytes(&r, f.head.cluster.b, VS_ID_BYTES);
    f.head.epoch = vs_rd_u64(&r);
    f.head.pid = vs_rd_u32(&r);
    f.head.inc = vs_rd_u32(&r);
    if (f.head.pid == 0)
        return -VS_ECORRUPT;
    f.body = vs_rd_init(r.pos, vs_rd_left(&r) - PX_FRAME_CRC_BYTES);
    *ret = f;
    return 0;
}

void px_frame_wr_ballot(struct vs_wr *w, const struct px_ballot *b)
{
    vs_wr_be64(w, b->round);
    vs_wr_be32(w, b->pid);
    vs_wr_be32(w, b->inc);
}

struct px_ballot px_frame_rd_ballot(struct vs_rd *r)
{
    struct px_ballot b;

    b.round = vs_rd_be64(r);
    b.pid = vs_rd_be32(r);
    b.inc = vs_rd_be32(r);
    return b;
}

struct px_ballot px_frame_rd_some_ballot(struct vs_rd *r, bool there)
{
    struct px_ballot b = { 0 };

    if (!there)
        return b;
    b = px_frame_rd_ballot(r);
    if (px_ballot_is_none(&b))
        r->err = -VS_ECORRUPT; /* none has a way to be said: the bit */
    return b;
}

static bool op_done_is_none(const struct px_op_done *d)
{
    return d->op.pid == 0 && d->op.inc == 0 && d->op.seq == 0 && d->version == 0;
}

bool px_frame_record_is_none(const struct px_accepted *a)
{
    for (unsigned i = 0; i < PX_OPS_KEPT; i++) {
        if (!op_done_is_none(&a->last_op[i]))
            return false;
    }
    return a->version == 0 && a->value_len == 0;
}

void px_frame_wr_record(struct vs_wr *w, const struct px_accepted *a)
{
    uint8_t ops = 0;

    for (unsigned i = 0; i < PX_OPS_KEPT; i++)
        ops |= (uint8_t)(!op_done_is_none(&a->last_op[i]) << i);
    vs_wr_u64(w, a->version);
    vs_wr_u8(w, ops);
    for (unsigned i = 0; i < PX_OPS_KEPT; i++) {
        const struct px_op_done *d = &a->last_op[i];

        if ((ops >> i & 1) == 0)
            continue;
        vs_wr_u32(w, d->op.pid);
        vs_wr_u32(w, d->op.inc);
        vs_wr_u64(w, d->op.seq);
        vs_wr_u64(w, d->version);
    }
    vs_wr_blob(w, a->value, a->value_len);
}

void px_frame_rd_record(struct vs_rd *r, struct px_accepted *a)
{
    uint8_t ops;

    a->version = vs_rd_u64(r);
    ops = vs_rd_u8(r);
    if (ops >> PX_OPS_KEPT != 0)
        r->err = -VS_ECORRUPT;
    for (unsigned i = 0; i < PX_OPS_KEPT; i++) {
        struct px_op_done *d = &a->last_op[i];

        if ((ops >> i & 1) == 0)
            continue;
        d->op.pid = vs_rd_u32(r);
        d->op.inc = vs_rd_u32(r);
        d->op.seq = vs_rd_u64(r);
        d->version = vs_rd_u64(r);
        if (op_done_is_none(d))
            r->err = -VS_ECORRUPT;
    }
    a->value = vs_rd_blob(r, PX_VALUE_BYTES_MAX, &a->value_len);
}
