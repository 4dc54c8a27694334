/* What questions and answers share: the frame around them; see the header.
 *
 * Happy path: a head, a body, a checksum over both. Failure modes: too short, another magic, a
 * newer format, a checksum that does not fit: refused before anything in it is believed. */
#include "meta/meta_wire.h"

#include "common/crc.h"
#include "common/err.h"

#include <string.h>

#define HEAD_BYTES_MIN 8

struct vs_wr meta_wire_begin(struct vs_buf *buf, const char magic[4], unsigned op)
{
    struct vs_wr w = vs_wr_init(buf, buf->len + META_WIRE_BYTES_MAX - META_WIRE_CRC_BYTES);

    vs_wr_bytes(&w, magic, 4);
    vs_wr_u8(&w, META_WIRE_FORMAT);
    vs_wr_u8(&w, (uint8_t)op);
    return w;
}

int meta_wire_end(struct vs_wr *w, size_t start)
{
    w->bytes_max += META_WIRE_CRC_BYTES;
    if (w->err == 0)
        vs_wr_u32(w, vs_crc32c(0, w->buf->data + start, w->buf->len - start));
    if (w->err < 0)
        w->buf->len = start;
    return w->err;
}

int meta_wire_open(const void *bytes, size_t len, const char magic[4], struct vs_rd *ret,
                   unsigned *ret_op)
{
    struct vs_rd r, crc;
    char start[4];
    uint8_t format;

    if (len < HEAD_BYTES_MIN + META_WIRE_CRC_BYTES || len > META_WIRE_BYTES_MAX)
        return -VS_ECORRUPT;
    r = vs_rd_init(bytes, len - META_WIRE_CRC_BYTES);
    crc = vs_rd_init((const uint8_t *)bytes + len - META_WIRE_CRC_BYTES, META_WIRE_CRC_BYTES);
    vs_rd_bytes(&r, start, sizeof(start));
    format = vs_rd_u8(&r);
    *ret_op = vs_rd_u8(&r);
    if (memcmp(start, magic, sizeof(start)) != 0 || format == 0)
        return -VS_ECORRUPT;
    if (vs_rd_u32(&crc) != vs_crc32c(0, bytes, len - META_WIRE_CRC_BYTES))
        return -VS_ECORRUPT;
    if (format > META_WIRE_FORMAT)
        return -VS_ENEWER;
    *ret = r;
    return 0;
}

void meta_wire_wr_blob(struct vs_wr *w, const void *bytes, size_t len, size_t len_max)
{
    if (w->err == 0 && len > len_max)
        w->err = -EMSGSIZE;
    if (w->err == 0)
        vs_wr_blob(w, bytes, len);
}

bool meta_wire_op_regs(enum meta_op op)
{
    return op == META_REG_CREATE || op == META_REG_READ || op == META_REG_CHANGE;
}

int meta_wire_scan_ids(unsigned scan)
{
    switch (scan) {
    case META_SCAN_SESSIONS:
    case META_SCAN_ORPHANS:
    case META_SCAN_MEDIA_DUE:
        return 0;
    case META_SCAN_RELEASED:
    case META_SCAN_RELEASED_WHOLE:
    case META_SCAN_REGISTERS:
    case META_SCAN_SESSION_MOUNTS:
    case META_SCAN_SESSION_SIGNS:
    case META_SCAN_WRITERS:
    case META_SCAN_MOUNTS:
        return 1;
    default:
        return -EINVAL;
    }
}
