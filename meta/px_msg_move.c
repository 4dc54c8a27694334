/* px_msg_move: messages of a change of membership. See px_msg_move.h. Happy path: the message, then
 * registers in a row. Failure: anything unknown, or that could have been written shorter, makes the
 * whole frame corrupt. */
#include "meta/px_msg_move.h"

#include "common/assert.h"
#include "common/err.h"

/* A field that is added there needs a place here. */
_Static_assert(sizeof(struct px_move) == 72, "px_move");
_Static_assert(sizeof(struct px_reg) == 152, "px_reg");

enum move_bits {
    MOVE_RECORDS = 1,
    MOVE_REST = 2,
    MOVE_WHOLE = 4,
    MOVE_MORE = 8,
    MOVE_BITS = 15,
};

enum register_bits {
    REGISTER_PROMISED = 1,
    REGISTER_ACCEPTED = 2, /* ballot and record */
    REGISTER_BITS = 3,
};

static bool is_known(uint8_t kind)
{
    return kind >= PX_MOVE_COPY && kind <= PX_MOVE_TAIL;
}

int px_move_begin(struct px_move_out *o, struct vs_buf *buf, const struct px_head *head,
                  const struct px_move *move)
{
    struct vs_wr w;
    int r;

    if (!is_known(move->kind) || move->config_len > PX_MOVE_CONFIG_BYTES_MAX)
        return -EINVAL;
    r = px_frame_begin(&o->frame, buf, PX_FRAME_MOVE, head);
    if (r < 0)
        return r;
    w = vs_wr_init(buf, o->frame.bytes_max);
    vs_wr_u8(&w, move->kind);
    o->bits_at = buf->len;
    vs_wr_u8(&w, (uint8_t)((move->records ? MOVE_RECORDS : 0) | (move->rest ? MOVE_REST : 0) |
                           (move->whole ? MOVE_WHOLE : 0)));
    vs_wr_u64(&w, move->epoch);
    vs_wr_u64(&w, move->above);
    vs_wr_u64(&w, move->mark);
    vs_wr_u32(&w, move->members);
    vs_wr_bytes(&w, move->after.b, VS_ID_BYTES);
    vs_wr_blob(&w, move->config, move->config_len);
    if (w.err < 0)
        px_frame_drop(&o->frame);
    return w.err;
}

int px_move_add(struct px_move_out *o, const struct vs_id *id, const struct px_reg *reg)
{
    struct vs_wr w = vs_wr_init(o->frame.buf, o->frame.bytes_max);
    size_t before = o->frame.buf->len;
    bool promised = !px_ballot_is_none(&reg->promised);
    bool accepted = !px_ballot_is_none(&reg->ballot);

    if (reg->accepted.value_len > PX_VALUE_BYTES_MAX ||
        px_ballot_cmp(&reg->ballot, &reg->promised) > 0 ||
        (!accepted && !px_frame_record_is_none(&reg->accepted)))
        return -EINVAL;
    if (o->frame.count >= PX_FRAME_ENTRIES_MAX)
        return -EMSGSIZE;
    vs_wr_bytes(&w, id->b, VS_ID_BYTES);
    vs_wr_u8(&w,
             (uint8_t)((promised ? REGISTER_PROMISED : 0) | (accepted ? REGISTER_ACCEPTED : 0)));
    if (promised)
        px_frame_wr_ballot(&w, &reg->promised);
    if (accepted) {
        px_frame_wr_ballot(&w, &reg->ballot);
        px_frame_wr_record(&w, &reg->accepted);
    }
    if (w.err < 0)
        o->frame.buf->len = before;
    else
        o->frame.count++;
    return w.err;
}

int px_move_end(struct px_move_out *o, bool more)
{
    VS_ASSERT(o->bits_at < o->frame.buf->len);
    if (more)
        o->frame.buf->data[o->bits_at] |= MOVE_MORE;
    return px_frame_end(&o->frame);
}

static void rd_move(struct vs_rd *r, struct px_move *ret)
{
    struct px_move m = { 0 };
    uint8_t bits;

    m.kind = vs_rd_u8(r);
    bits = vs_rd_u8(r);
    m.records = (bits & MOVE_RECORDS) != 0;
    m.rest = (bits & MOVE_REST) != 0;
    m.whole = (bits & MOVE_WHOLE) != 0;
    m.more = (bits & MOVE_MORE) != 0;
    m.epoch = vs_rd_u64(r);
    m.above = vs_rd_u64(r);
    m.mark = vs_rd_u64(r);
    m.members = vs_rd_u32(r);
    vs_rd_bytes(r, m.after.b, VS_ID_BYTES);
    m.config = vs_rd_blob(r, PX_MOVE_CONFIG_BYTES_MAX, &m.config_len);
    if (!is_known(m.kind) || (bits & ~MOVE_BITS) != 0)
        r->err = -VS_ECORRUPT;
    *ret = m;
}

static void rd_register(struct vs_rd *r, struct vs_id *ret_id, struct px_reg *ret)
{
    struct px_reg reg = { 0 };
    uint8_t bits;

    vs_rd_bytes(r, ret_id->b, VS_ID_BYTES);
    bits = vs_rd_u8(r);
    reg.promised = px_frame_rd_some_ballot(r, bits & REGISTER_PROMISED);
    reg.ballot = px_frame_rd_some_ballot(r, bits & REGISTER_ACCEPTED);
    if (bits & REGISTER_ACCEPTED)
        px_frame_rd_record(r, &reg.accepted);
    if ((bits & ~REGISTER_BITS) != 0 || px_ballot_cmp(&reg.ballot, &reg.promised) > 0)
        r->err = -VS_ECORRUPT;
    *ret = reg;
}

int px_move_open(const void *bytes, size_t len, struct px_move_in *ret)
{
    struct px_move_in in = { 0 };
    struct px_frame frame;
    struct px_reg reg;
    struct vs_id id;
    struct vs_rd check;
    int r = px_frame_open(bytes, len, &frame);

    if (r < 0)
        return r;
    if (frame.kind != PX_FRAME_MOVE || frame.count > PX_FRAME_ENTRIES_MAX)
        return -VS_ECORRUPT;
    in.head = frame.head;
    in.left = frame.count;
    in.rest = frame.body;
    rd_move(&in.rest, &in.move);
    check = in.rest;
    for (unsigned i = 0; i < in.left && check.err == 0; i++)
        rd_register(&check, &id, &reg);
    r = vs_rd_done(&check);
    if (r == 0)
        *ret = in;
    return r;
}

bool px_move_next(struct px_move_in *in, struct vs_id *ret_id, struct px_reg *ret)
{
    if (in->left == 0)
        return false;
    in->left--;
    rd_register(&in->rest, ret_id, ret);
    return true;
}
