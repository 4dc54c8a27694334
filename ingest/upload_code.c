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

static void frag_describe(struct up_attempt *a, unsigned i)
{
    uint32_t table[FRAG_BLOCKS_MAX];
    unsigned blocks = frag_crc_table(a->fragment[i], a->fragment_bytes, table);

    a->frag[i].table_crc = frag_table_crc(table, blocks);
    vs_sha256(a->fragment[i], a->fragment_bytes, a->frag[i].sha256);
}

static int code_parity(struct up_attempt *a)
{
    unsigned k = a->place.red.k, m = a->place.red.m;
    uint8_t *parity[VS_EC_M_MAX];

    a->parity = up_buf_new(&a->env->pool, (size_t)m * a->fragment_bytes);
    if (a->parity == NULL)
        return -ENOMEM;
    a->parity->used = (size_t)m * a->fragment_bytes;
    for (unsigned i = 0; i < m; i++) {
        parity[i] = a->parity->bytes + (size_t)i * a->fragment_bytes;
        a->fragment[k + i] = parity[i];
    }
    vs_ec_encode(k, m, a->fragment_bytes, a->fragment, parity);
    return 0;
}

/* Fragments and what is known of them. */
static int attempt_code(struct up_attempt *a, const uint8_t *bytes)
{
    unsigned k = a->place.red.k;
    int r = 0;

    for (unsigned i = 0; i < k; i++)
        a->fragment[i] = bytes + (size_t)i * a->fragment_bytes;
    if (a->place.red.kind == VS_RED_RS)
        r = code_parity(a);
    if (r < 0)
        return r;
    frag_describe(a, 0);
    for (unsigned i = 1; i < a->place.count; i++) {
        if (a->place.red.kind == VS_RED_RS) {
            frag_describe(a, i);
        } else {
            a->fragment[i] = a->fragment[0];
            a->frag[i] = a->frag[0];
        }
    }
    return 0;
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
