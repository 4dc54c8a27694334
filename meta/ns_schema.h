/* ns_schema: keys of the namespace/ store. Key order is the order of bytes; numbers in keys are
 * big-endian. What is behind the keys: meta/ns_record.h; all of it: docs/FORMAT.md, "Metadata:
 * namespace/".
 *
 *   A                        state: cluster, applied slot, counters, statistics
 *   B                        slot of the snapshot that this copy grew from (meta/ns_store.h)
 *   D dir name               name in a directory -> inode, cookie
 *   E dir cookie             listing order -> inode, type, name
 *   G                        metadata replicas: the newest configuration, open or coming
 *   K                        why nothing may be collected now (a sentence); not there: it may
 *   I ino                    inode: attributes
 *   J ino                    written in the inbox, not published: by which mount
 *   C ino                    content: inline bytes, symlink target or manifest head
 *   L mount                  a mount that lives -> its signs of life, what it has let go of
 *   M ino                    media description
 *   U ino mount              unlinked, and this mount may have it open
 *   X ino name               extended attribute
 *   H ino                    how often it was watched
 *   O ino                    unlinked, not yet forgotten
 *   W ino                    media description due
 *   P last                   reserved inode numbers: first .. last
 *   S session                session, OPEN (a closed one has no record)
 *   Q session first          ids reserved in it: sequences first .. first + count - 1
 *   N node                   storage node
 *   T client                 last request of a client, and its answer
 *   Z id                     released, this register alone -> by which entry, of which inode
 *   Y id                     released segment, with all chunks that it names
 *   V type pid inc last      released ids of an aborted session: sequences first .. last
 *
 * What the collector needs to know of the last three. There are two ways to release, and they must
 * not be confused, or chunks that are still in use are lost:
 * - META_SCAN_RELEASED (Z and V, merged, ascending): each id is to go *alone*. A segment among them
 *   must NOT be expanded: a SWAP that rewrites one chunk releases the old segment and that chunk,
 *   and the new segment names the other 255 again. The ids of V may never have been used: their
 *   registers are absent, and get a TOMB all the same (an aborted writer may still be on its way).
 *   Each sequence is listed as a chunk and as a segment, since the session does not know which.
 *   What a mount that lives may still be reading is not listed (meta/ns_hold.h).
 * - META_SCAN_RELEASED_WHOLE (Y): segments of an inode that was forgotten. Read the segment's
 *   register, TOMB and delete every chunk it names, then TOMB the segment. Do it in this order, so
 *   that a segment found as TOMB (or absent) has nothing left to do.
 * COLLECTED takes ids of both lists alike, removes what it finds there and ignores the rest.
 * Ascending order within one COLLECTED entry lets it shrink V's ranges in one go. */
#ifndef VS_META_NS_SCHEMA_H
#define VS_META_NS_SCHEMA_H

#include "common/id.h"

#include <stddef.h>
#include <stdint.h>

enum ns_table {
    NS_T_STATE = 'A',
    NS_T_BASE = 'B',
    NS_T_CONTENT = 'C',
    NS_T_NAME = 'D',
    NS_T_COOKIE = 'E',
    NS_T_MEMBERS = 'G',
    NS_T_INODE = 'I',
    NS_T_WRITER = 'J',
    NS_T_BRAKE = 'K',
    NS_T_MOUNT = 'L',
    NS_T_MEDIA = 'M',
    NS_T_NODE = 'N',
    NS_T_ORPHAN = 'O',
    NS_T_NUMBERS = 'P',
    NS_T_SESSION_IDS = 'Q',
    NS_T_SESSION = 'S',
    NS_T_RETRY = 'T',
    NS_T_HOLDER = 'U',
    NS_T_ABORTED_IDS = 'V',
    NS_T_MEDIA_DUE = 'W',
    NS_T_VIEWS = 'H',
    NS_T_XATTR = 'X',
    NS_T_RELEASED_WHOLE = 'Y',
    NS_T_RELEASED = 'Z',
};

#define NS_KEY_BYTES_MAX (1 + 8 + 255)

struct ns_key {
    size_t len;
    uint8_t b[NS_KEY_BYTES_MAX];
};

struct ns_key ns_key(enum ns_table table);
/* The same key with a number behind it: one for most tables, two for COOKIE and SESSION_IDS. */
struct ns_key ns_key_add_u64(struct ns_key key, uint64_t n);
struct ns_key ns_key_u64(enum ns_table table, uint64_t n);
struct ns_key ns_key_u64x2(enum ns_table table, uint64_t n, uint64_t m);
/* NAME, XATTR. len <= 255. */
struct ns_key ns_key_named(enum ns_table table, uint64_t n, const char *name, size_t len);
/* RELEASED, RELEASED_WHOLE. */
struct ns_key ns_key_id(enum ns_table table, const struct vs_id *id);
/* ABORTED_IDS without its last number. */
struct ns_key ns_key_aborted(uint8_t type, uint16_t pid, uint32_t inc);

/* First key behind all that begin with `prefix`: the end of a scan. */
struct ns_key ns_key_end(const struct ns_key *prefix);
/* First key behind `key` itself: where a page goes on. */
struct ns_key ns_key_behind(const struct ns_key *key);

/* The number `at` bytes behind the table's letter. The caller has checked the length. */
uint64_t ns_key_get_u64(const uint8_t *key, size_t at);

#endif
