/* ns_tx: one journal entry in the making: the namespace as it will be, seen through the batch.
 *
 * Rules (ns_rules.h) read and change records through it. Records are loaded, changed and put back
 * in one go, so that two rules that touch the same inode do not lose each other's change.
 *
 * Two kinds of failure: a function may answer an errno that refuses the entry (-ENOENT, ...), or
 * find the namespace unreadable, which is kept in `fail` and ends applying altogether. Functions
 * that put or delete return nothing: their failures are `fail` too.
 *
 * Threads: one applier. */
#ifndef VS_META_NS_TX_H
#define VS_META_NS_TX_H

#include "meta/kv.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"

struct ns_tx {
    struct kv *kv;          /* lent */
    struct kv_batch *batch; /* lent; what this entry changes */
    struct ns_state state;  /* as it will be */
    struct ns_time now;     /* of the entry */
    struct vs_buf in, out;  /* scratch: a value read, a record made */
    int fail;               /* 0, or why nothing may be applied any more */
};

/* ---- records ---- */

/* Value of a key, lent until the next call on `tx`. -ENOENT. */
int ns_tx_get(struct ns_tx *tx, const struct ns_key *key, const uint8_t **ret, size_t *ret_len);
void ns_tx_put(struct ns_tx *tx, const struct ns_key *key, const void *value, size_t len);
void ns_tx_del(struct ns_tx *tx, const struct ns_key *key);
/* Put the record in tx->out, whose encoder answered `r`; empties tx->out. */
void ns_tx_put_out(struct ns_tx *tx, const struct ns_key *key, int r);
/* A code that came from the store or a decoder: keeps it in `fail` unless it is -ENOENT. */
int ns_tx_note(struct ns_tx *tx, int r);
/* kv_scan over all keys with this prefix, as they were before the entry. */
int ns_tx_scan(struct ns_tx *tx, const struct ns_key *prefix, kv_scan_fn *fn, void *arg);

/* ---- inodes ---- */

int ns_tx_inode(struct ns_tx *tx, uint64_t ino, struct ns_inode *ret); /* -ENOENT */
void ns_tx_put_inode(struct ns_tx *tx, const struct ns_inode *i);
/* A directory that has a name. -ENOENT, -ENOTDIR. */
int ns_tx_dir(struct ns_tx *tx, uint64_t ino, struct ns_inode *ret);
bool ns_is_dir(const struct ns_inode *i);
/* Put a linked inode into the statistics (+1) or take it out (-1). */
void ns_tx_count(struct ns_tx *tx, const struct ns_inode *i, int sign);
/* The inode lost its last name: an orphan until FORGET. Changes and puts `i`. */
void ns_tx_orphan(struct ns_tx *tx, struct ns_inode *i);
/* One name less; orphan when it was the last. Not for directories. `ret`: as it is now. */
int ns_tx_unlink_inode(struct ns_tx *tx, uint64_t ino, struct ns_attr *ret);

/* ---- names ---- */

/* -ENOENT */
int ns_tx_find(struct ns_tx *tx, uint64_t dir, const char *name, size_t len, struct ns_link *ret);
/* Name of a directory entry by its cookie. -ENOENT */
int ns_tx_item(struct ns_tx *tx, uint64_t dir, uint64_t cookie, struct ns_item *ret);
/* Both keys of a name; nothing else. type: S_IFMT bits, or a whole mode. */
void ns_tx_set_name(struct ns_tx *tx, uint64_t dir, const char *name, size_t len,
                    const struct ns_link *link, uint32_t type);
void ns_tx_del_name(struct ns_tx *tx, uint64_t dir, const char *name, size_t len, uint64_t cookie);
/* Names in a directory changed: times are now, counts by these differences. */
int ns_tx_touch_dir(struct ns_tx *tx, uint64_t dir, int names, int subdirs);
/* A new name for `i`, which gets parent and cookie if it is a directory; `dir` is touched. */
int ns_tx_add_name(struct ns_tx *tx, uint64_t dir, const char *name, size_t len,
                   struct ns_inode *i);

/* ---- places ---- */

/* 1: `ino` is `above` or below it; 0: not (also when it is detached). */
int ns_tx_is_below(struct ns_tx *tx, uint64_t ino, uint64_t above);

#endif
