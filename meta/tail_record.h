/* tail_record: the tail of the copy of the metadata that stores keep (fs/meta_tail.h): the
 * journal's entries behind the copy, a few in each record, so that the stores alone know what
 * happened up to a moment ago. docs/FORMAT.md, "Tail of the copy", has every byte.
 *
 * A record says which slots it has, without a gap, and which session its own one (that of its
 * fragments) continues. So a record of a former life of the metadata, whose slots had the same
 * numbers, is not mistaken for one of this.
 *
 * Pure. Encoders append: -EINVAL, -ENOMEM, -EMSGSIZE. Decoders are bounded and total, and what they
 * return points into the input: -VS_ECORRUPT, -VS_ENEWER. */
#ifndef VS_META_TAIL_RECORD_H
#define VS_META_TAIL_RECORD_H

#include "common/buf.h"
#include "common/codec.h"
#include "meta/ns_types.h"

#define TAIL_ENTRY_BYTES_MAX  (NS_ENTRY_BYTES_MAX + 12)
#define TAIL_RECORD_BYTES_MAX (8u << 20)                            /* one chunk */
#define TAIL_HEAD_BYTES       (4 + 1 + VS_ID_BYTES + 3 * 8 + 4 + 4) /* all but the entries */

/* A session whose mount has this bit keeps the tail of that mount: it is no upload, and open for as
 * long as it is needed. No mount's own number has it. */
#define NS_MOUNT_TAIL (UINT64_C(1) << 63)

struct tail_record {
    struct vs_id cluster;
    uint64_t continues; /* the session whose records those of its own follow; 0: none */
    uint64_t after;     /* slots from after + 1 */
    uint64_t upto;      /* to this one; == after: it has none */
    const uint8_t *entries;
    size_t entries_len;
};

int tail_record_encode(const struct tail_record *t, struct vs_buf *ret);
/* All of it was looked at: the slots are there, in order. What the entries say was not. */
int tail_record_decode(const void *bytes, size_t len, struct tail_record *ret);

/* The entry of a slot, one behind the other: in records, and in answers (META_ENTRIES). len 0: a
 * no-op. */
int tail_entry_encode(uint64_t slot, const void *bytes, size_t len, struct vs_buf *ret);

struct tail_entry {
    uint64_t slot;
    const uint8_t *bytes;
    size_t len;
};
/* 1: the next one; 0: there are no more; -VS_ECORRUPT. Begin with a reader over entries. */
int tail_entry_next(struct vs_rd *rd, struct tail_entry *ret);

/* Would nobody miss this change if it were the last one? What the program notes for itself: such
 * entries go along with the next one that is not of this kind. Also true of what cannot be read. */
bool tail_is_quiet(const struct tail_entry *t);
/* When it was proposed, ns since 1970; 0: not known. */
int64_t tail_entry_ns(const struct tail_entry *t);

#endif
