/* meta_scan: the program's own lists of the metadata (META_SCAN), and how two numbers are an item
 * of one.
 *
 * Pure. */
#ifndef VS_META_META_SCAN_H
#define VS_META_META_SCAN_H

#include "common/id.h"
#include <endian.h>
#include <string.h>

/* Lists that a starting mount and the collector need; pages of at most META_LIST_MAX. */
enum meta_scan {
    META_SCAN_SESSIONS,       /* u64s: OPEN sessions */
    META_SCAN_ORPHANS,        /* u64s: unlinked inodes not yet forgotten */
    META_SCAN_RELEASED,       /* ids: released, not yet collected: exactly these registers go */
    META_SCAN_MEDIA_DUE,      /* u64s: inodes whose media description is due */
    META_SCAN_REGISTERS,      /* ids: all registers, ascending, after scan_after_id */
    META_SCAN_RELEASED_WHOLE, /* ids of segments: released with every chunk they name (a removed
                                 file): the chunks go first, then the segment */
    META_SCAN_SESSION_MOUNTS, /* pairs: OPEN sessions, and whose mount each is */
    META_SCAN_SESSION_SIGNS,  /* pairs: OPEN sessions, and how many signs of life each has given */
    META_SCAN_MOUNTS,  /* pairs: mounts that live, and how many signs of life each has given */
    META_SCAN_WRITERS, /* pairs: files that a mount has stored in the inbox, and is to
                          publish: which mount */
};

/* Two numbers as an item of an id list, ordered by the first. */
static inline struct vs_id meta_pair(uint64_t a, uint64_t b)
{
    const uint64_t be[2] = { htobe64(a), htobe64(b) };
    struct vs_id id;

    memcpy(id.b, be, sizeof(id.b));
    return id;
}

static inline void meta_pair_get(const struct vs_id *id, uint64_t *ret_a, uint64_t *ret_b)
{
    uint64_t be[2];

    memcpy(be, id->b, sizeof(be));
    *ret_a = be64toh(be[0]);
    *ret_b = be64toh(be[1]);
}

#endif
