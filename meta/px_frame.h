/* px_frame: what every message between metadata replicas has around it: its length, its kind, who
 * sends it in which epoch, and a checksum over all of it.
 *
 *   "VSPX" | format u8 | kind u8 | count u16 | length u32 | cluster 16 | epoch u64 | pid u32 |
 *   inc u32 | body | CRC-32C u32            little-endian; docs/FORMAT.md has every byte
 *
 * Frames may follow each other in one stream; px_frame_length() says where the next one begins.
 *
 * Pure: no allocation but growth of the caller's buffer. Threads: any. */
#ifndef VS_META_PX_FRAME_H
#define VS_META_PX_FRAME_H

#include "common/codec.h"
#include "meta/px_acceptor.h"

#define PX_FRAME_FORMAT            1
#define PX_FRAME_HEAD_BYTES        44
#define PX_FRAME_CRC_BYTES         4
#define PX_FRAME_LENGTH_BYTES      12 /* so many first bytes tell the length */
#define PX_FRAME_JOURNAL_BYTES_MAX (5u << 20)
#define PX_FRAME_SNAP_BYTES_MAX    ((1u << 20) + 4096)

enum px_frame_kind {
    PX_FRAME_ASKS = 1,    /* px_msg.h: count of them, at most PX_FRAME_BYTES_MAX in all */
    PX_FRAME_ANSWERS = 2, /* the same */
    PX_FRAME_JOURNAL = 3, /* one message: count is 1, at most PX_FRAME_JOURNAL_BYTES_MAX */
    PX_FRAME_MOVE = 4,    /* px_msg_move.h: count of records, at most PX_FRAME_BYTES_MAX in all */
    PX_FRAME_SNAP = 5,    /* px_msg_snap.h: count is 1, at most PX_FRAME_SNAP_BYTES_MAX */
};

/* Bytes of a whole frame of that kind at most; 0: no such kind. */
size_t px_frame_limit(uint8_t kind);

/* A frame being written at the end of `buf`, which is lent until px_frame_end(). */
struct px_frame_out {
    struct vs_buf *buf;
    size_t start;     /* of the frame in buf */
    size_t bytes_max; /* of buf, for what is written before the end */
    unsigned count;
};

/* -ENOMEM: buf is as it was. */
int px_frame_begin(struct px_frame_out *f, struct vs_buf *buf, enum px_frame_kind kind,
                   const struct px_head *head);
/* Count, length and checksum. -ENOMEM: buf is as it was before the frame. */
int px_frame_end(struct px_frame_out *f);
/* Give up: buf is as it was before the frame. */
void px_frame_drop(struct px_frame_out *f);

struct px_frame {
    uint8_t kind; /* enum px_frame_kind */
    unsigned count;
    struct px_head head;
    struct vs_rd body; /* into the bytes given, which are lent */
};

/* Length of the frame that begins here, 0 when fewer than PX_FRAME_LENGTH_BYTES are given.
 * -VS_ECORRUPT: no frame, or longer than any; -VS_ENEWER */
int px_frame_length(const void *bytes, size_t len);
/* Its kind, once its length is known. */
static inline uint8_t px_frame_kind(const void *bytes)
{
    return ((const uint8_t *)bytes)[5];
}

/* Exactly one frame, its checksum right. -VS_ECORRUPT, -VS_ENEWER */
int px_frame_open(const void *bytes, size_t len, struct px_frame *ret);

/* Parts of bodies: a ballot, 16 bytes, big-endian as in acceptor/. */
void px_frame_wr_ballot(struct vs_wr *w, const struct px_ballot *b);
struct px_ballot px_frame_rd_ballot(struct vs_rd *r);
/* One that is not none, if it is there at all: none is said by a bit. */
struct px_ballot px_frame_rd_some_ballot(struct vs_rd *r, bool there);

/* And what a register has accepted: version, last operations, value (lent). */
bool px_frame_record_is_none(const struct px_accepted *a);
void px_frame_wr_record(struct vs_wr *w, const struct px_accepted *a);
void px_frame_rd_record(struct vs_rd *r, struct px_accepted *a);

#endif
