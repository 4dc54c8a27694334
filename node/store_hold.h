/* store_hold: a fragment's bytes where they lie, held in place, so that they can be sent from the
 * file without passing through memory.
 *
 * An operation of the chunk-store vtable like the others (chunk_store.h has the contract), which
 * only stores with files have. While a fragment is held its bytes stay readable at their place,
 * also when it is deleted meanwhile; the space comes back afterwards.
 *
 *   chunk_store_hold(s, h) -> done(h), status 0 -> send from h->fd -> chunk_store_unhold(s, h)
 *
 * With another status nothing is held. Every hold ends before the store is stopped. */
#ifndef VS_NODE_STORE_HOLD_H
#define VS_NODE_STORE_HOLD_H

#include "node/chunk_store.h"

typedef void store_hold_fn(struct store_hold *h);

struct store_hold {
    struct frag_key key;
    uint32_t first, bytes; /* what will be read: it is in memory when done runs, as far as there is
                              room; bytes behind the end of the payload are none */
    store_hold_fn *done;
    int status;                      /* out */
    int fd;                          /* out: lent until the end of the hold; only for reading */
    uint64_t offset;                 /* out: of the payload in it */
    uint32_t payload_bytes;          /* out */
    uint32_t table_crc;              /* out */
    uint8_t sha256[VS_SHA256_BYTES]; /* out */
    struct frag_note note;           /* out */
    uint32_t crc[FRAG_BLOCKS_MAX];   /* out: the whole table */
    struct vs_job job;               /* private from here */
    struct vs_list link;
    uint64_t place;
    void *store;
    void *priv;
};

/* Can this store do it? */
static inline bool chunk_store_can_hold(const struct chunk_store *s)
{
    return s->ops->hold != NULL;
}

/* -EOPNOTSUPP in status: this store's files cannot be sent; get it instead. */
void chunk_store_hold(struct chunk_store *s, struct store_hold *h);
/* The same at once, as long as no disk and no queue has to be waited for: 0 it is held, and `done`
 * does not run; -EAGAIN not now, use chunk_store_hold(); else as its status. Does not block. */
int chunk_store_hold_now(struct chunk_store *s, struct store_hold *h);
/* End a hold. From any thread; does not block. */
void chunk_store_unhold(struct chunk_store *s, struct store_hold *h);

#endif
