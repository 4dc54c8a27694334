/* sb_scan: what the files of a store say, read without changing anything: for the day when the
 * metadata is lost, or a disk is looked at from elsewhere.
 *
 * Every superblock file is walked from header to header; of each key the highest birth counts, and
 * a TOMB kills lower ones, as at a start of the store. Payloads are read only when asked for, and
 * checked then. A store that is in use must not be scanned: what it writes meanwhile is not seen.
 * About 100 bytes of memory per fragment.
 *
 * Threads: one at a time per object. */
#ifndef VS_NODE_SB_SCAN_H
#define VS_NODE_SB_SCAN_H

#include "common/file_io.h"
#include "common/sha.h"
#include "node/frag.h"

struct sb_scan_frag {
    struct frag_key key;
    struct vs_redundancy red;
    uint32_t chunk_bytes; /* of the whole chunk */
    uint32_t payload_bytes;
    uint32_t table_crc;
    uint8_t sha256[VS_SHA256_BYTES];
    uint64_t session, inode;
    uint64_t birth;
    uint64_t sb, offset; /* where its record is */
};

struct sb_scan {
    struct vs_io *io; /* owned */
    struct vs_id cluster, node;
    struct sb_scan_frag *frags; /* live, ascending by key */
    uint64_t count;
    uint64_t damaged; /* records and files that could not be read */
    uint64_t bytes;   /* payloads of the live ones */
    void *priv;
};

/* `io` is owned from here on, also on failure. -ENOENT no store; -VS_ENEWER; -VS_ECORRUPT; -ENOMEM;
 * I/O errors of the directory. */
int sb_scan_open(struct sb_scan *ret, struct vs_io *io);
void sb_scan_close(struct sb_scan *s); /* forgives zeroed and closed */

/* All fragments of a chunk: the first, and *ret_count. */
const struct sb_scan_frag *sb_scan_find(const struct sb_scan *s, const struct vs_id *chunk,
                                        uint64_t *ret_count);

/* The payload, checked against its record: payload_bytes into `dst`. -VS_ECORRUPT, I/O errors. */
int sb_scan_read(struct sb_scan *s, const struct sb_scan_frag *f, void *dst);

#endif
