/* tail_record: see the header.
 *
 * Happy path: the fields in order, the entries, a CRC-32C of all before it. Failure modes: bytes
 * that are not whole or were written by a newer version; slots that are not what the head says. */
#include "meta/tail_record.h"
#include "common/clock.h"
#include "common/crc.h"
#include "common/err.h"
#include "meta/ns_entry.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_FORMAT      1
#define ENTRY_HEAD_BYTES 12
#define KIND_AT          1 /* of an entry's bytes */

static const uint8_t tail_magic[4] = { 'V', 'S', 'T', 'L' };

/* ---- entries ---- */

int tail_entry_encode(uint64_t slot, const void *bytes, size_t len, struct vs_buf *ret)
{
    size_t start = ret->len;
    struct vs_wr w = vs_wr_init(ret, start + TAIL_ENTRY_BYTES_MAX);

    vs_wr_u64(&w, slot);
    vs_wr_blob(&w, bytes, len);
    if (w.err < 0)
        ret->len = start;
    return w.err;
}

int tail_entry_next(struct vs_rd *rd, struct tail_entry *ret)
{
    struct tail_entry t;

    if (vs_rd_left(rd) == 0)
        return rd->err;
    t.slot = vs_rd_u64(rd);
    t.bytes = vs_rd_blob(rd, NS_ENTRY_BYTES_MAX, &t.len);
    if (rd->err < 0)
        return rd->err;
    *ret = t;
    return 1;
}

/* Content of the copy itself, and what is known of it. */
static bool is_of_copy(const struct tail_entry *t)
{
    struct ns_entry e;
    void *ids = NULL;
    bool of_copy = ns_entry_decode(t->bytes, t->len, &e, &ids) == 0 && e.ino == NS_INO_COPY;

    free(ids);
    return of_copy;
}

bool tail_is_quiet(const struct tail_entry *t)
{
    if (t->len <= KIND_AT)
        return true;
    switch (t->bytes[KIND_AT]) {
    case NS_E_NOP:
    case NS_E_FORGET:
    case NS_E_RESERVE:
    case NS_E_SESSION_OPEN:
    case NS_E_SESSION_EXTEND:
    case NS_E_SESSION_ABORT:
    case NS_E_SESSION_TOUCH:
    case NS_E_COLLECTED:
    case NS_E_MOUNT:
    case NS_E_MOUNT_END:
        return true;
    case NS_E_SWAP:
    case NS_E_SETXATTR:
        return is_of_copy(t);
    default:
        return false;
    }
}

int64_t tail_entry_ns(const struct tail_entry *t)
{
    struct ns_entry e = { .now = { 0 } };
    void *ids = NULL;
    int r = t->len > 0 ? ns_entry_decode(t->bytes, t->len, &e, &ids) : -ENODATA;

    free(ids);
    return r < 0 || e.now.s < 0 || e.now.s >= INT64_MAX / VS_NS_PER_S
               ? 0
               : e.now.s * VS_NS_PER_S + e.now.ns;
}

/* ---- records ---- */

/* Every slot behind `after` up to `upto`, each once. */
static int entries_check(const struct tail_record *t)
{
    struct vs_rd rd = vs_rd_init(t->entries, t->entries_len);
    uint64_t slot = t->after;
    struct tail_entry e = { 0 };
    int r;

    while ((r = tail_entry_next(&rd, &e)) > 0)
        if (e.slot != ++slot)
            return -VS_ECORRUPT;
    if (r < 0)
        return r;
    return slot == t->upto ? 0 : -VS_ECORRUPT;
}

int tail_record_encode(const struct tail_record *t, struct vs_buf *ret)
{
    size_t start = ret->len;
    struct vs_wr w = vs_wr_init(ret, start + TAIL_RECORD_BYTES_MAX);

    if (t->upto < t->after || entries_check(t) < 0)
        return -EINVAL;
    vs_wr_bytes(&w, tail_magic, sizeof(tail_magic));
    vs_wr_u8(&w, TAIL_FORMAT);
    vs_wr_bytes(&w, t->cluster.b, VS_ID_BYTES);
    vs_wr_u64(&w, t->continues);
    vs_wr_u64(&w, t->after);
    vs_wr_u64(&w, t->upto);
    vs_wr_blob(&w, t->entries, t->entries_len);
    if (w.err == 0)
        vs_wr_u32(&w, vs_crc32c(0, ret->data + start, ret->len - start));
    if (w.err < 0)
        ret->len = start;
    return w.err;
}

int tail_record_decode(const void *bytes, size_t len, struct tail_record *ret)
{
    struct vs_rd rd = vs_rd_init(bytes, len), crc;
    uint8_t magic[sizeof(tail_magic)];
    struct tail_record t;
    uint8_t format;
    int r;

    if (len < TAIL_HEAD_BYTES || len > TAIL_RECORD_BYTES_MAX)
        return -VS_ECORRUPT;
    crc = vs_rd_init((const uint8_t *)bytes + len - 4, 4);
    if (vs_rd_u32(&crc) != vs_crc32c(0, bytes, len - 4))
        return -VS_ECORRUPT;
    vs_rd_bytes(&rd, magic, sizeof(magic));
    format = vs_rd_u8(&rd);
    if (memcmp(magic, tail_magic, sizeof(magic)) != 0 || format == 0)
        return -VS_ECORRUPT;
    if (format > TAIL_FORMAT)
        return -VS_ENEWER;
    vs_rd_bytes(&rd, t.cluster.b, VS_ID_BYTES);
    t.continues = vs_rd_u64(&rd);
    t.after = vs_rd_u64(&rd);
    t.upto = vs_rd_u64(&rd);
    t.entries = vs_rd_blob(&rd, TAIL_RECORD_BYTES_MAX, &t.entries_len);
    (void)vs_rd_u32(&rd);
    r = vs_rd_done(&rd);
    if (r == 0 && t.upto < t.after)
        r = -VS_ECORRUPT;
    if (r == 0)
        r = entries_check(&t);
    if (r == 0)
        *ret = t;
    return r;
}
