/* Coding of a chunk: its pieces brought together, parity, hashes and CRC tables. Runs on executor
 * threads, without the lock; the chunk's bytes do not change any more.
 *
 * Happy path: the data fragments are slices of the chunk's own buffer, the last one reaching into
 * zeros behind it; copies are the buffer itself; only parity is new memory. Failure modes: -ENOMEM.
 */
#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"
#include "ingest/upload_chunk.h"

#include <stdlib.h>
#include <string.h>

static struct up_buf *copy_pieces(struct up_chunk *c)
{
    struct up_buf *b = up_buf_new(&c->env->pool, c->bytes);
    struct vs_list *pos, *tmp;

    if (b == NULL)
        return NULL;
    vs_list_for_each (pos, tmp, &c->pieces) {
        const struct up_piece *p = vs_container_of(pos, struct up_piece, link);

        memcpy(b->bytes + b->used, p->buf->bytes + p->from, p->bytes);
        b->used += p->bytes;
    }
    VS_ASSERT(b->used == c->bytes);
    return b;
}

int up_gather(struct up_chunk *c)
{
    struct upload_env *env = c->env;
    const struct up_piece *first = vs_list_first(&c->pieces, struct up_piece, link);
    struct up_buf *b;
    size_t from = 0;

    if (c->buf != NULL)
        return 0;
    if (c->in_place) {
        b = up_buf_ref(first->buf);
        from = first->from;
    } else {
        b = copy_pieces(c);
        if (b == NULL)
            return -ENOMEM;
    }
    memset(b->bytes + from + c->bytes, 0, VS_EC_K_MAX);
    c->crc = vs_crc32c(0, b->bytes + from, c->bytes);

    pthread_mutex_lock(&env->lock); /* readers of uploads look at either */
    c->buf = b;
    c->from = from;
    upload_pieces_free(&c->pieces);
    pthread_mutex_unlock(&env->lock);
    return 0;
}

/* What is computed of one fragment, block by block. */
struct describing {
    struct vs_sha *sha;
    uint32_t table[FRAG_BLOCKS_MAX];
};

static int parity_new(struct up_attempt *a)
{
    unsigned k = a->place.red.k, m = a->place.red.m;

    a->parity = up_buf_new(&a->env->pool, (size_t)m * a->fragment_bytes);
    if (a->parity == NULL)
        return -ENOMEM;
    a->parity->used = (size_t)m * a->fragment_bytes;
    for (unsigned i = 0; i < m; i++)
        a->fragment[k + i] = a->parity->bytes + (size_t)i * a->fragment_bytes;
    return 0;
}

static void code_block(struct up_attempt *a, size_t at, size_t len)
{
    unsigned k = a->place.red.k, m = a->place.red.m;
    const uint8_t *data[VS_EC_K_MAX];
    uint8_t *parity[VS_EC_M_MAX];

    for (unsigned i = 0; i < k; i++)
        data[i] = a->fragment[i] + at;
    for (unsigned i = 0; i < m; i++)
        parity[i] = a->parity->bytes + (size_t)i * a->fragment_bytes + at;
    vs_ec_encode(k, m, len, data, parity);
}

/* One pass over the memory: a block of all fragments is coded, summed and hashed while it is in the
 * cache. */
static void fragments_describe(struct up_attempt *a, struct describing d[], unsigned count)
{
    unsigned block = 0;

    for (size_t at = 0; at < a->fragment_bytes; at += FRAG_BLOCK_BYTES, block++) {
        size_t left = a->fragment_bytes - at;
        size_t len = left < FRAG_BLOCK_BYTES ? left : FRAG_BLOCK_BYTES;

        if (a->parity != NULL)
            code_block(a, at, len);
        for (unsigned i = 0; i < count; i++) {
            frag_crc_table(a->fragment[i] + at, len, &d[i].table[block]);
            vs_sha_update(d[i].sha, a->fragment[i] + at, len);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        a->frag[i].table_crc = frag_table_crc(d[i].table, block);
        vs_sha_final(d[i].sha, a->frag[i].sha256);
    }
}

static int attempt_code(struct up_attempt *a, const uint8_t *bytes)
{
    bool coded = a->place.red.kind == VS_RED_RS;
    unsigned count = coded ? a->place.count : 1; /* copies are described once */
    struct describing *d = calloc(count, sizeof(*d));
    int r = d != NULL ? 0 : -ENOMEM;

    for (unsigned i = 0; i < a->place.red.k; i++)
        a->fragment[i] = bytes + (size_t)i * a->fragment_bytes;
    if (r == 0 && coded)
        r = parity_new(a);
    for (unsigned i = 0; r == 0 && i < count; i++)
        r = vs_sha_new(&d[i].sha);
    if (r == 0)
        fragments_describe(a, d, count);
    for (unsigned i = count; i < a->place.count; i++) {
        a->fragment[i] = a->fragment[0];
        a->frag[i] = a->frag[0];
    }
    for (unsigned i = 0; d != NULL && i < count; i++)
        vs_sha_free(d[i].sha);
    free(d);
    return r;
}

int up_attempt_new(struct up_attempt **ret, struct up_chunk *c, const struct um_place *place)
{
    struct up_attempt *a = calloc(1, sizeof(*a) + place->count * sizeof(a->put[0]));
    int r;

    if (a == NULL)
        return -ENOMEM;
    a->env = c->env;
    a->session = c->session;
    a->place = *place;
    a->refs = 1;
    a->generation = c->generation;
    a->note = c->note;
    a->note.red = place->red;
    a->fragment_bytes = (uint32_t)vs_ec_fragment_bytes(c->bytes, place->red.k);
    vs_list_init(&a->link);
    r = attempt_code(a, c->buf->bytes + c->from);
    if (r < 0) {
        up_buf_put(a->parity);
        free(a);
        return r;
    }
    for (unsigned i = 0; i < place->count; i++)
        a->frag[i].node = c->env->stores->entries[place->entry[i]].node;
    a->buf = up_buf_ref(c->buf);
    *ret = a;
    return 0;
}
