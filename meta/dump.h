/* dump: the whole content of ordered key-value stores as one stream of bytes: what a replica that
 * was away gets, and what a backup consists of.
 *
 *   head block, blocks of pairs, end block      docs/FORMAT.md, "Dump", has every byte
 *
 * Every block has its CRC-32C; the end has the number of pairs and the SHA-256 of all before, so a
 * dump that was cut off, or put together from two, is never taken for a whole one. Pairs belong to
 * sections (one store each); sections ascend, keys ascend within one, so the same content at the
 * same moment makes the same bytes.
 *
 * Writing: dump_out_begin(), dump_out_pair() in order, dump_out_end(); whole blocks appear in `to`,
 * which the caller empties as often as it likes. Reading: dump_in_feed() with pieces of any length;
 * pairs come out as their blocks are complete. They count only when dump_in_done() has said so.
 *
 * Pure: no I/O. Threads: one at a time per object. */
#ifndef VS_META_DUMP_H
#define VS_META_DUMP_H

#include "common/buf.h"
#include "common/id.h"
#include "common/sha.h"
#include <stdbool.h>

#define DUMP_FORMAT          1
#define DUMP_KEY_BYTES_MAX   1024
#define DUMP_VALUE_BYTES_MAX (16u << 20)
#define DUMP_BLOCK_BYTES     (256u << 10) /* pairs in a block; one pair may be more */
#define DUMP_TO_BYTES_MAX    (64u << 20)  /* what the caller lets gather */

enum dump_kind {
    DUMP_SNAPSHOT = 1, /* of namespace/, for another replica */
    DUMP_BACKUP = 2,
};

enum dump_section {
    DUMP_NAMESPACE = 1, /* keys and values of namespace/ */
    DUMP_REGISTERS = 2, /* id: value */
    DUMP_ABOUT = 3,     /* words about the cluster, by name */
};

struct dump_head {
    uint8_t kind; /* enum dump_kind */
    struct vs_id cluster;
    uint64_t slot;   /* the namespace is what the journal made up to this one */
    int64_t made_ns; /* since 1970; 0: not said */
};

struct dump_out {
    struct vs_buf pairs; /* of the block being filled */
    struct vs_sha *sha;
    uint64_t count;
    uint8_t section;
    struct vs_buf last; /* key given last in this section */
};

/* Zeroed before. `to` gets the head. -ENOMEM */
int dump_out_begin(struct dump_out *o, const struct dump_head *head, struct vs_buf *to);
/* -EINVAL: not in order, or over a limit; -ENOMEM; -EMSGSIZE: `to` must be emptied first, then the
 * same pair again. */
int dump_out_pair(struct dump_out *o, uint8_t section, const void *key, size_t key_len,
                  const void *value, size_t value_len, struct vs_buf *to);
/* The rest and the end. -ENOMEM, -EMSGSIZE */
int dump_out_end(struct dump_out *o, struct vs_buf *to);
void dump_out_close(struct dump_out *o); /* forgives zeroed and closed */

/* A pair; lent. Non-zero ends the reading and is its result. */
typedef int dump_pair_fn(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                         const uint8_t *value, size_t value_len);

struct dump_in {
    struct dump_head head; /* once has_head */
    bool has_head, is_ended;
    struct vs_buf block; /* of what is not complete yet */
    struct vs_sha *sha;
    uint64_t count;
    uint8_t section;
    struct vs_buf last;
    int err; /* sticky */
};

/* -ENOMEM */
int dump_in_init(struct dump_in *in);
/* -VS_ECORRUPT, -VS_ENEWER, -ENOMEM, or what fn said; then and ever after. */
int dump_in_feed(struct dump_in *in, const void *bytes, size_t len, dump_pair_fn *fn, void *arg);
/* 0: this was all of it, and it is whole. -VS_ECORRUPT */
int dump_in_done(const struct dump_in *in);
void dump_in_close(struct dump_in *in); /* forgives zeroed and closed */

#endif
