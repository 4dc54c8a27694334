/* feed_change: what one journal entry changed, as bytes: what the change feed (meta/feed.h) keeps
 * and hands out.
 *
 *   record   slot:u64 client:u64 count:u16 change*     one per entry that changed anything
 *   change   what:u8 ino:u64 version:u64               an inode
 *            what:u8 dir:u64 ino:u64 len:u8 name       FEED_NAME: a name in a directory; ino: what
 * it stands for now, 0: nothing
 *
 * little-endian, records in slot order. docs/API.md has the same as JSON. */
#ifndef VS_META_FEED_CHANGE_H
#define VS_META_FEED_CHANGE_H

#include "common/codec.h"
#include "meta/ns_types.h"

#define FEED_ANSWER_BYTES_MAX (1u << 20) /* records in one answer */
#define FEED_RECORD_BYTES_MAX (256u << 10)
#define FEED_INODES_MAX       1024 /* one entry may change; more: the feed begins anew behind it */

struct kv_batch;

enum feed_what {
    FEED_ATTR = 1,    /* attributes */
    FEED_CONTENT = 2, /* bytes; `version` is the new one */
    FEED_XATTR = 4,
    FEED_GONE = 8, /* with ATTR: has lost its last name; without: is forgotten */
    FEED_NAME = 16,
};

struct feed_change {
    uint64_t slot;
    uint64_t client; /* of the entry; 0: it has none */
    uint8_t what;    /* enum feed_what; NAME alone, the others together */
    uint64_t ino;    /* NAME: see above */
    uint64_t version;
    uint64_t dir; /* NAME, with the two below */
    const char *name;
    uint8_t name_len;
};

/* The record of an entry, from the keys that its batch put or deleted, appended. 1: there is one;
 * 0: nothing of interest was changed. -ENOBUFS more than a record holds; -VS_ECORRUPT, -VS_ENEWER a
 * value that cannot be read; -ENOMEM; then `ret` is as it was. */
int feed_record(uint64_t slot, uint64_t client, const struct kv_batch *batch, struct vs_buf *ret);

/* Changes one after the other: begin with a reader over records and a zeroed struct. 1: `c` is the
 * next one, its name lent from the bytes; 0: there are no more; -VS_ECORRUPT. */
struct feed_walk {
    struct vs_rd rd;
    uint64_t slot, client;
    uint16_t left; /* of the record that was begun */
};
struct feed_walk feed_walk_init(const void *records, size_t len);
int feed_walk_next(struct feed_walk *w, struct feed_change *c);

#endif
