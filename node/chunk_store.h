/* chunk_store: where fragments live, as a vtable: a local superblock store, a node over HTTP, an
 * in-memory twin for tests, decorators that inject faults.
 *
 * A fragment is immutable: one payload per key (chunk, fragment number, generation). The store
 * keeps a CRC-32C per 64 KiB block of the payload; it never checks them when it answers a get: the
 * reader does, with frag_verify(), against the table and the register's checksum of the table, so
 * that a byte is checked once, end to end. Nobody outside the reader's side may use unverified
 * bytes.
 *
 * Asynchronous: every request is the caller's memory, embedded in something larger; it must stay in
 * place until `done` has run. `done` runs exactly once, on a thread of the store, never inside the
 * call that took the request; `status` holds the result. Memory that the request points to is lent
 * until then. Any number of requests may be in flight; a store queues at most
 * CHUNK_STORE_QUEUE_MAX of them and answers -EAGAIN above.
 *
 * Errors in `status`:  -ENOENT no such fragment;  -VS_EDOWN the store is down (nothing is known
 * about the request; use another store);  -ENOSPC beyond the reserve;  -VS_EEXISTS_OTHER other
 * content under this key;  -VS_ECORRUPT what is on disk cannot be used;  -EINVAL bad arguments;
 * -EAGAIN overloaded;  -EROFS it reads and deletes only (STORE_READONLY);  -ECANCELED stopped. */
#ifndef VS_NODE_CHUNK_STORE_H
#define VS_NODE_CHUNK_STORE_H

#include "common/exec.h"
#include "common/sha.h"
#include "node/frag.h"

#define CHUNK_STORE_QUEUE_MAX 4096

struct chunk_store;
struct store_put;
struct store_get;
struct store_del;
struct store_stat;
struct store_list;
struct store_hold;
typedef void store_put_fn(struct store_put *p);
typedef void store_get_fn(struct store_get *g);
typedef void store_del_fn(struct store_del *d);
typedef void store_stat_fn(struct store_stat *s);
typedef void store_list_fn(struct store_list *l);

/* Store one fragment; status 0 means durable (written and synced). Writing the same content under
 * the same key again is 0. `table_crc` is the receipt: the writer compares it with its own. */
struct store_put {
    struct frag_key key;
    const struct frag_note *note; /* lent */
    const void *data;             /* lent */
    size_t bytes;                 /* 0 .. FRAG_BYTES_MAX */
    uint8_t sha256[VS_SHA256_BYTES];
    store_put_fn *done;
    int status;         /* out */
    uint32_t table_crc; /* out: frag_table_crc() of the stored CRC table */
    bool existed;       /* out: status 0, and the same content was there before */
    struct vs_job job;  /* private from here */
    void *store;
    void *priv[2];
};

/* Read a block-aligned range: offset a multiple of FRAG_BLOCK_BYTES; the range ends at a block
 * boundary or at the end of the payload (bytes beyond it are cut off: see got_bytes). */
struct store_get {
    struct frag_key key;
    uint32_t offset;
    uint32_t bytes;
    void *dst; /* lent; `bytes` long */
    store_get_fn *done;
    int status;                    /* out */
    uint32_t got_bytes;            /* out */
    uint32_t payload_bytes;        /* out: of the whole fragment */
    uint32_t crc[FRAG_BLOCKS_MAX]; /* out: the whole table, one per block of payload_bytes */
    struct vs_job job;             /* private from here */
    void *store;
    void *priv[2];
};

/* Delete exactly this fragment; 0 also when it was not there. Durable when status is 0. */
struct store_del {
    struct frag_key key;
    store_del_fn *done;
    int status;        /* out */
    struct vs_job job; /* private from here */
    void *store;
    void *priv[2];
};

/* What the record says, without reading the payload. */
struct store_stat {
    struct frag_key key;
    store_stat_fn *done;
    int status;                      /* out */
    uint32_t payload_bytes;          /* out */
    uint32_t table_crc;              /* out */
    uint8_t sha256[VS_SHA256_BYTES]; /* out */
    struct frag_note note;           /* out */
    struct vs_job job;               /* private from here */
    void *store;
    void *priv[2];
};

/* One page of keys, in ascending order, beginning after `after` (all zero: from the start). */
struct store_list {
    struct frag_key after;
    struct frag_key *keys; /* lent; filled */
    uint32_t keys_max;
    store_list_fn *done;
    int status;          /* out */
    uint32_t keys_count; /* out; less than keys_max at the end */
    struct vs_job job;   /* private from here */
    void *store;
    void *priv[2];
};

enum store_state {
    STORE_UP,
    STORE_READONLY, /* serves reads and deletes, refuses puts */
    STORE_DOWN,
};

struct store_health {
    enum store_state state;
    char why[256];                     /* a sentence when not up, else "" */
    uint64_t fragments, payload_bytes; /* live */
    uint64_t total_bytes;              /* of the file system below */
    uint64_t free_bytes; /* free to puts: behind the reserve; preallocated unused space is free */
    uint64_t device;     /* same number: same file system below, the space is shared */
    uint64_t corrupt_records; /* found since start */
};

struct chunk_store_ops {
    void (*put)(struct chunk_store *s, struct store_put *p);
    void (*get)(struct chunk_store *s, struct store_get *g);
    void (*del)(struct chunk_store *s, struct store_del *d);
    void (*stat)(struct chunk_store *s, struct store_stat *st);
    void (*list)(struct chunk_store *s, struct store_list *l);
    /* May be NULL: store_hold.h. */
    void (*hold)(struct chunk_store *s, struct store_hold *h);
    int (*hold_now)(struct chunk_store *s, struct store_hold *h);
    void (*unhold)(struct chunk_store *s, struct store_hold *h);
    /* What is known now; does not block on a disk or a network. */
    void (*health)(struct chunk_store *s, struct store_health *ret);
    /* May be NULL: that is always the newest. Ask for a report from now on; wait for it. */
    uint64_t (*health_ask)(struct chunk_store *s);
    void (*health_wait)(struct chunk_store *s, uint64_t asked, int64_t until_ns);
    /* May be NULL: a get runs to its end. */
    void (*cancel)(struct chunk_store *s, struct store_get *g);
    /* Finish or cancel what is queued, stop threads, free. After a clean stop a start is fast. */
    void (*stop)(struct chunk_store *s);
};

struct chunk_store {
    const struct chunk_store_ops *ops;
};

/* The calls, with the contract asserted around them. */
void chunk_store_put(struct chunk_store *s, struct store_put *p);
void chunk_store_get(struct chunk_store *s, struct store_get *g);
void chunk_store_del(struct chunk_store *s, struct store_del *d);
void chunk_store_stat(struct chunk_store *s, struct store_stat *st);
void chunk_store_list(struct chunk_store *s, struct store_list *l);
void chunk_store_health(struct chunk_store *s, struct store_health *ret);
/* What it says from now on: ask, then wait, no longer than until a time of vs_clock_system, for
 * chunk_store_health() to be no older than the question. In two steps, so that several stores are
 * asked at a time. */
uint64_t chunk_store_health_ask(struct chunk_store *s);
void chunk_store_health_wait(struct chunk_store *s, uint64_t asked, int64_t until_ns);
/* Ask that a get in flight end soon: its callback runs once as ever, with -ECANCELED or as it went.
 * The caller knows, by a lock of its own, that the callback has not returned. */
void chunk_store_cancel(struct chunk_store *s, struct store_get *g);
void chunk_store_stop(struct chunk_store *s); /* forgives NULL */

/* For implementations: what of a request can be refused before anything is read. 0 or -EINVAL. */
int store_put_check(const struct store_put *p);
int store_get_check(const struct store_get *g);
/* For implementations: the bytes to read once the payload's length is known (0 beyond its end);
 * -EINVAL when the range ends inside a block. */
int64_t store_get_bytes(const struct store_get *g, uint32_t payload_bytes);

/* Check a finished get on the reader's side: the table against `table_crc` of the register, the
 * length against `payload_bytes` (what the chunk's length says), each received block against the
 * table. 0 or -VS_ECORRUPT. Only after 0 may the bytes be used. */
int frag_verify(const struct store_get *g, uint32_t table_crc, uint32_t payload_bytes);

#endif
