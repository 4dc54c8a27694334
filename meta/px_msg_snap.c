/* px_msg_snap: see the header. Failure: a field that does not go with the kind makes the whole
 * frame corrupt, so there is one way to write each message. */
#include "meta/px_msg_snap.h"
#include "common/err.h"

static bool is_fine(const struct px_snap *m)
{
    bool is_piece = m->kind == PX_SNAP_PIECE, is_no = m->kind == PX_SNAP_NO;

    if (m->kind < PX_SNAP_ASK || m->kind > PX_SNAP_NO || m->len > PX_SNAP_PIECE_BYTES_MAX)
        return false;
    if (is_no != (m->reason >= PX_SNAP_BUSY && m->reason <= PX_SNAP_FAILED) ||
        (!is_no && m->reason != 0))
        return false;
    if (is_piece)
        return m->id != 0 && m->slot != 0 && m->len > 0;
    return m->slot == 0 && m->len == 0 && !m->last && (!is_no || (m->id == 0 && m->offset == 0));
}

int px_snap_encode(const struct px_head *head, const struct px_snap *m, struct vs_buf *buf)
{
    struct px_frame_out f;
    struct vs_wr w;
    int r;

    if (!is_fine(m))
        return -EINVAL;
    r = px_frame_begin(&f, buf, PX_FRAME_SNAP, head);
    if (r < 0)
        return r;
    w = vs_wr_init(buf, f.bytes_max);
    vs_wr_u8(&w, m->kind);
    vs_wr_u8(&w, m->reason);
    vs_wr_u8(&w, m->last);
    vs_wr_u64(&w, m->id);
    vs_wr_u64(&w, m->offset);
    vs_wr_u64(&w, m->slot);
    vs_wr_blob(&w, m->bytes, m->len);
    if (w.err < 0) {
        px_frame_drop(&f);
        return w.err;
    }
    f.count = 1;
    return px_frame_end(&f);
}

int px_snap_decode(const void *bytes, size_t len, struct px_head *ret_head, struct px_snap *ret)
{
    struct px_snap m = { 0 };
    struct px_frame f;
    uint8_t last;
    int r = px_frame_open(bytes, len, &f);

    if (r < 0)
        return r;
    if (f.kind != PX_FRAME_SNAP || f.count != 1)
        return -VS_ECORRUPT;
    m.kind = vs_rd_u8(&f.body);
    m.reason = vs_rd_u8(&f.body);
    last = vs_rd_u8(&f.body);
    m.last = last == 1;
    m.id = vs_rd_u64(&f.body);
    m.offset = vs_rd_u64(&f.body);
    m.slot = vs_rd_u64(&f.body);
    m.bytes = vs_rd_blob(&f.body, PX_SNAP_PIECE_BYTES_MAX, &m.len);
    r = vs_rd_done(&f.body);
    if (r < 0 || last > 1 || !is_fine(&m))
        return -VS_ECORRUPT;
    *ret_head = f.head;
    *ret = m;
    return 0;
}
