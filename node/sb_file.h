/* sb_file: one superblock file: made, headers read, records read.
 *
 * Happy path: both copies of the header are equal; a record is read by its place and says that it
 * belongs there. Failure modes: one bad copy of the header is survived (and told), two are not
 * unless the salt is known from a checkpoint; a record that does not check is -VS_ECORRUPT.
 *
 * Threads: reading, any. The fields of struct sb_file name their lock. */
#ifndef VS_NODE_SB_FILE_H
#define VS_NODE_SB_FILE_H

#include "common/file_io.h"
#include "common/list.h"
#include "node/sb_format.h"

struct sb_file {
    /* fixed once it is in the table */
    uint64_t id, salt, run_seq, prev_sb, prev_seq;
    /* under the store's append_lock (and for its owner before the store serves) */
    uint64_t append;       /* where the next record goes */
    uint64_t allocated_to; /* size of the file */
    /* under the store's lock */
    enum sb_state state;
    bool to_seal;        /* closed by a roll-over: gets its SEAL when nothing is pending */
    bool keep;           /* something in it is unreadable: never removed by itself */
    uint64_t last_seq;   /* last reserved in it */
    uint32_t records;    /* reserved in it */
    uint32_t pending;    /* reserved and not yet committed */
    uint32_t live;       /* DATA records in the index */
    uint64_t live_bytes; /* their payloads */
    /* the committer's */
    uint64_t dropped_to; /* page cache given up before this */
    /* under the lock of struct sb_files */
    struct vs_file *fd; /* NULL: not open now */
    unsigned pins;      /* while > 0 it is open and stays so */
    struct vs_list lru; /* of those that are open and not pinned */
};

/* Write a new superblock file and sync it and the directory; an existing one is -EEXIST.
 *
 * Errors -ENOSPC: nothing is left behind and nothing else is wrong; any other error of a write or
 * a sync is fatal for the store. */
int sb_file_create(struct vs_io *io, const struct sb_super *super, struct vs_file **ret);

/* Read the header of file `id` from its copies. `*ret_bad` copies (0 .. 2) do not check.
 * -VS_ECORRUPT both are bad; -VS_ENEWER; I/O errors. */
int sb_file_read_super(struct vs_file *f, uint64_t id, struct sb_super *ret, unsigned *ret_bad);

/* Write the header copies again, where one was bad, and sync. Errors are fatal for the store. */
int sb_file_write_super(struct vs_file *f, const struct sb_super *super);

/* Read and check the header of the record at `offset`. -VS_ECORRUPT, -VS_ENEWER, I/O errors. */
int sb_file_read_record(struct vs_file *f, uint64_t id, uint64_t salt, uint64_t offset,
                        struct sb_record *ret);

/* Check a block read from there: that it decodes, and that it says so itself. */
int sb_record_check_at(const uint8_t block[SB_BLOCK_BYTES], uint64_t id, uint64_t salt,
                       uint64_t offset, struct sb_record *ret);

/* Read the whole payload of a TOMB or SEAL to a new buffer, checked against the record.
 * -VS_ECORRUPT, -ENOMEM, I/O errors. */
int sb_file_read_payload(struct vs_file *f, const struct sb_record *rec, struct vs_buf *ret);

#endif
