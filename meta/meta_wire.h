/* meta_wire: questions to the metadata and their answers, as bytes: one frame each, sent as the
 * body of POST /meta and of what comes back (docs/API.md).
 *
 *   question  "VSMQ" format op flags:u16 cluster:16 body crc:u32
 *   answer    "VSMA" format op status:u16 body crc:u32      status: the negated code, and 0x8000
 *                                                           when another replica answered
 *
 * little-endian, the CRC-32C of all before it at the end. The body holds the fields that the
 * operation uses, in the order of struct meta_req; HELLO asks who answers, and has none. An unknown
 * operation, list or format is refused; so is everything that is longer than its limit, before
 * memory is taken for it, and every byte left over.
 *
 * No sockets, files, threads, clock; memory only where `_close` says so. */
#ifndef VS_META_META_WIRE_H
#define VS_META_META_WIRE_H

#include "common/codec.h"
#include "common/member_set.h"
#include "meta/meta_client.h"

#define META_WIRE_FORMAT          1
#define META_WIRE_BYTES_MAX       (64u << 20) /* of a frame */
#define META_WIRE_NAME_BYTES_MAX  4096        /* sent; which names may be, the namespace says */
#define META_WIRE_NODES_MAX       1024
#define META_WIRE_HELLO_BYTES_MAX (MEMBER_SET_BYTES_MAX + 64) /* of its answer */
#define META_WIRE_BLOB_BYTES_MAX  (8u << 20) /* content, media, attribute values and lists */

/* Who answers: the owner of the ids that the caller may use first, whose metadata it is, and
 * whether it leads. */
struct meta_wire_hello {
    uint16_t pid;
    uint32_t inc;
    struct vs_id cluster;
    bool leads;
    struct member_set members; /* all replicas; count 0: it is alone, or does not vote now */
};

/* ---- meta_wire_ask.c: questions ---------------------------------------------------------------
 */

/* Appended to `ret`. At most META_LIST_MAX directory entries and META_WIRE_NODES_MAX nodes are
 * asked for, whatever `r` has room for. -ENAMETOOLONG, -ERANGE (name of an attribute), -EMSGSIZE,
 * -EINVAL, -ENOMEM; then `ret` is as it was. */
int meta_wire_ask(const struct meta_req *r, const struct vs_id *cluster, struct vs_buf *ret);
int meta_wire_ask_hello(struct vs_buf *ret);

/* A question off the wire. `req` points into the frame and into memory of this struct; it is ready
 * to be submitted, but for `done`. */
struct meta_wire_asked {
    bool hello; /* only who answers is asked; req is empty */
    struct vs_id cluster;
    struct meta_req req;
    struct ns_entry entry; /* CHANGE */
    void *ids;             /* private: of the entry */
    void *room;            /* private: where lists of the answer go */
};
/* -VS_ECORRUPT, -VS_ENEWER, -ENOMEM; then there is nothing to close. */
int meta_wire_asked(const void *bytes, size_t len, struct meta_wire_asked *ret);
/* Frees what the answer was put into, too. Forgives a zeroed struct. */
void meta_wire_asked_close(struct meta_wire_asked *a);

/* ---- meta_wire_answer.c: answers ---------------------------------------------------------------
 */

/* The answer to a request that is done, appended. -EMSGSIZE, -ENOMEM; then `ret` is as it was. */
int meta_wire_answer(const struct meta_req *r, struct vs_buf *ret);
int meta_wire_answer_hello(const struct meta_wire_hello *h, struct vs_buf *ret);

/* No answer to `r` is longer. */
size_t meta_wire_answer_max(const struct meta_req *r);

/* Fill in `r`, the request that was asked: status and what its operation gives. -VS_ECORRUPT also
 * when the answer is to another operation or has more than there is room for; -VS_ENEWER; -ENOMEM;
 * then what `r` gives is not to be believed, and it may be asked again. */
int meta_wire_answered(const void *bytes, size_t len, struct meta_req *r);
int meta_wire_answered_hello(const void *bytes, size_t len, struct meta_wire_hello *ret);

/* ---- meta_wire.c: what both share --------------------------------------------------------------
 */

#define META_WIRE_OP_HELLO          0  /* others: enum meta_op + 1 */
#define META_WIRE_HINT              1u /* flags: struct meta_req */
#define META_WIRE_HERE              2u
#define META_WIRE_PASSED            0x8000u /* beside a status */
#define META_WIRE_ASK_HEAD_BYTES    24
#define META_WIRE_ANSWER_HEAD_BYTES 8
#define META_WIRE_CRC_BYTES         4

/* Begin and end a frame; the writer's limit is that of a frame. */
struct vs_wr meta_wire_begin(struct vs_buf *buf, const char magic[4], unsigned op);
int meta_wire_end(struct vs_wr *w, size_t start);
/* Is it one whole frame? The reader is behind the operation then, and ends before the CRC. */
int meta_wire_open(const void *bytes, size_t len, const char magic[4], struct vs_rd *ret,
                   unsigned *ret_op);
/* A blob that is at most `len_max` long. */
void meta_wire_wr_blob(struct vs_wr *w, const void *bytes, size_t len, size_t len_max);
/* Does the operation have an answer's body although it failed? */
bool meta_wire_op_regs(enum meta_op op);
/* Is the list one of ids, not of numbers? -EINVAL: there is no such list. */
int meta_wire_scan_ids(unsigned scan);

#endif
