/* px_msg_snap: messages of the transfer of a snapshot, as bytes: a dump of the namespace
 * (meta/dump.h) in pieces, one ask for each.
 *
 * Pure: no allocation but growth of the caller's buffer. Threads: any. docs/FORMAT.md has every
 * byte. */
#ifndef VS_META_PX_MSG_SNAP_H
#define VS_META_PX_MSG_SNAP_H

#include "meta/px_frame.h"

#define PX_SNAP_PIECE_BYTES_MAX (1u << 20)

enum px_snap_kind {
    PX_SNAP_ASK = 1,   /* id (0: make one), offset of the piece that is wanted */
    PX_SNAP_PIECE = 2, /* id, offset, slot, last, bytes */
    PX_SNAP_NO = 3,    /* reason */
};

enum px_snap_reason {
    PX_SNAP_BUSY = 1,   /* too many at once: ask again, or somebody else */
    PX_SNAP_GONE = 2,   /* not known, or not any more: begin again */
    PX_SNAP_FAILED = 3, /* it cannot be read there: ask somebody else */
};

/* Which fields count: by kind; the others are 0. */
struct px_snap {
    uint8_t kind;   /* enum px_snap_kind */
    uint8_t reason; /* enum px_snap_reason */
    bool last;
    uint64_t id;
    uint64_t offset;
    uint64_t slot;
    const uint8_t *bytes; /* lent */
    size_t len;           /* 1 .. PX_SNAP_PIECE_BYTES_MAX */
};

/* A frame at the end of `buf`. -EINVAL: fields that do not go with the kind; -ENOMEM. On error
 * nothing is written. */
int px_snap_encode(const struct px_head *head, const struct px_snap *m, struct vs_buf *buf);
/* -VS_ECORRUPT: also for other kinds of frames; -VS_ENEWER. */
int px_snap_decode(const void *bytes, size_t len, struct px_head *ret_head, struct px_snap *ret);

#endif
