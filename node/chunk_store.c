/* The calls of a chunk store with the contract asserted around them, what every implementation
 * checks of a request, and the reader's check of an answer.
 *
 * Happy path: pass on, nothing kept. Failure modes: a request without a callback or without memory
 * behind its lengths is a bug of the caller and aborts; numbers that may come off a wire are
 * answered with -EINVAL by the implementation. */
#include "node/store_hold.h"

#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"

void chunk_store_put(struct chunk_store *s, struct store_put *p)
{
    VS_ASSERT(p->done != NULL && p->note != NULL && (p->data != NULL || p->bytes == 0));
    p->existed = false;
    s->ops->put(s, p);
}

void chunk_store_get(struct chunk_store *s, struct store_get *g)
{
    VS_ASSERT(g->done != NULL && (g->dst != NULL || g->bytes == 0));
    s->ops->get(s, g);
}

void chunk_store_del(struct chunk_store *s, struct store_del *d)
{
    VS_ASSERT(d->done != NULL);
    s->ops->del(s, d);
}

void chunk_store_stat(struct chunk_store *s, struct store_stat *st)
{
    VS_ASSERT(st->done != NULL);
    s->ops->stat(s, st);
}

void chunk_store_list(struct chunk_store *s, struct store_list *l)
{
    VS_ASSERT(l->done != NULL && (l->keys != NULL || l->keys_max == 0));
    s->ops->list(s, l);
}

void chunk_store_hold(struct chunk_store *s, struct store_hold *h)
{
    VS_ASSERT(h->done != NULL && s->ops->hold != NULL && s->ops->unhold != NULL);
    s->ops->hold(s, h);
}

int chunk_store_hold_now(struct chunk_store *s, struct store_hold *h)
{
    return s->ops->hold_now != NULL ? s->ops->hold_now(s, h) : -EAGAIN;
}

void chunk_store_unhold(struct chunk_store *s, struct store_hold *h)
{
    s->ops->unhold(s, h);
}

uint64_t chunk_store_health_ask(struct chunk_store *s)
{
    return s->ops->health_ask != NULL ? s->ops->health_ask(s) : 0;
}

void chunk_store_health_wait(struct chunk_store *s, uint64_t asked, int64_t until_ns)
{
    if (s->ops->health_wait != NULL)
        s->ops->health_wait(s, asked, until_ns);
}

void chunk_store_health(struct chunk_store *s, struct store_health *ret)
{
    *ret = (struct store_health){ 0 };
    s->ops->health(s, ret);
    VS_ASSERT((ret->state == STORE_UP) == (ret->why[0] == '\0'));
}

void chunk_store_cancel(struct chunk_store *s, struct store_get *g)
{
    if (s->ops->cancel != NULL)
        s->ops->cancel(s, g);
}

void chunk_store_stop(struct chunk_store *s)
{
    if (s != NULL)
        s->ops->stop(s);
}

int store_put_check(const struct store_put *p)
{
    return frag_check(&p->key, p->note, p->bytes);
}

int store_get_check(const struct store_get *g)
{
    if (g->offset % FRAG_BLOCK_BYTES != 0 || g->offset > FRAG_BYTES_MAX ||
        g->bytes > FRAG_BYTES_MAX)
        return -EINVAL;
    return 0;
}

int64_t store_get_bytes(const struct store_get *g, uint32_t payload_bytes)
{
    uint32_t left = g->offset < payload_bytes ? payload_bytes - g->offset : 0;

    if (g->bytes >= left)
        return left;
    return g->bytes % FRAG_BLOCK_BYTES == 0 ? (int64_t)g->bytes : -EINVAL;
}

int frag_verify(const struct store_get *g, uint32_t table_crc, uint32_t payload_bytes)
{
    const uint8_t *pos = g->dst;
    uint32_t first = g->offset / FRAG_BLOCK_BYTES;
    uint32_t left = g->got_bytes;

    if (g->status != 0 || payload_bytes > FRAG_BYTES_MAX || g->payload_bytes != payload_bytes ||
        g->offset % FRAG_BLOCK_BYTES != 0)
        return -VS_ECORRUPT;
    if (frag_table_crc(g->crc, frag_blocks(payload_bytes)) != table_crc)
        return -VS_ECORRUPT;
    if (left > g->bytes || (int64_t)left != store_get_bytes(g, payload_bytes))
        return -VS_ECORRUPT;
    for (uint32_t i = first; left > 0; i++) {
        uint32_t n = left < FRAG_BLOCK_BYTES ? left : FRAG_BLOCK_BYTES;

        if (vs_crc32c(0, pos, n) != g->crc[i])
            return -VS_ECORRUPT;
        pos += n;
        left -= n;
    }
    return 0;
}
