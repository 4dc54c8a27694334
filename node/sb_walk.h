/* sb_walk: go through the records of one superblock file, from header to header, over what is
 * broken, to its end. Recovery, sealing, removal and scrub are walks.
 *
 * Reads are 1 MiB at a time and aligned, so that the file may be open with VS_IO_DIRECT. */
#ifndef VS_NODE_SB_WALK_H
#define VS_NODE_SB_WALK_H

#include "node/sb_file.h"

enum sb_walk_check {
    SB_WALK_HEADERS, /* read headers, and payloads of TOMB and SEAL */
    SB_WALK_CRC,     /* read everything, compare the CRC table */
    SB_WALK_ALL,     /* and the SHA-256, and that the padding is zero */
};

/* A record with a good header. */
struct sb_walk_record {
    const struct sb_record *rec;
    uint32_t hdr_crc;
    bool good;              /* the payload passed what was asked for */
    bool zero;              /* all of it is zero: it may have been punched (SB_WALK_CRC and up) */
    const uint8_t *payload; /* good TOMB and SEAL: lent until the callback returns */
};

struct sb_walk {
    struct vs_file *f;
    uint64_t id, salt;
    uint64_t from, to; /* offsets; `to` is at most the size of the file */
    uint64_t last_seq; /* records have higher numbers (a SEAL may have an equal one) */
    enum sb_walk_check check;
    void *arg;
    int (*record)(void *arg, const struct sb_walk_record *r);
    /* No good header in [from, to), although something is there; `seq` is the last one before. */
    int (*gap)(void *arg, uint64_t from, uint64_t to, uint64_t seq);
    /* out */
    uint64_t end;         /* behind the last record with a good header (`from` without one) */
    uint64_t nonzero_end; /* behind the last block that is not all zero, at least `end` */
    /* private */
    uint8_t *window;
    uint64_t window_at;
    size_t window_bytes;
};

/* Walk. A callback that returns non-zero ends it with that result. 0, -ENOMEM, -VS_ENEWER, I/O
 * errors. last_seq is that of the last record found afterwards. */
int sb_walk_run(struct sb_walk *w);

#endif
