/* What is left of a chunk, found among the fragments of all stores.
 *
 * Happy path: fragments of one form, the newest of each number; as many as it needs, and the chunk
 * is back. Failure: forms are not mixed, since an attempt that was given up may have left fragments
 * of another form; of several forms the one that is most complete wins: all hold the same bytes. */
#include "common/cleanup.h"
#include "common/crc.h"
#include "common/err.h"
#include "meta/salvage_impl.h"
#include <stdlib.h>
#include <string.h>

#define FORMS_MAX 8 /* of one chunk at a time: 3+2, 2+2, copies */

static bool same_form(const struct place_value *v, const struct sb_scan_frag *f)
{
    return memcmp(&v->red, &f->red, sizeof(v->red)) == 0 && v->chunk_bytes == f->chunk_bytes;
}

static void form_add(struct salvage_chunk *c, unsigned store, const struct sb_scan_frag *f)
{
    unsigned i = f->key.fragment;

    if (c->at[i].frag != NULL && c->at[i].frag->key.generation >= f->key.generation)
        return;
    c->have += c->at[i].frag == NULL;
    c->at[i].frag = f;
    c->at[i].store = store;
    if (f->key.generation > c->value.generation)
        c->value.generation = f->key.generation;
}

static bool frag_fits(const struct sb_scan_frag *f)
{
    return vs_redundancy_check(&f->red) == 0 && f->chunk_bytes > 0 &&
           f->chunk_bytes <= MF_CHUNK_BYTES_MAX &&
           f->key.fragment < (unsigned)f->red.k + f->red.m &&
           f->payload_bytes == vs_ec_fragment_bytes(f->chunk_bytes, f->red.k);
}

/* Is `a` the better one? */
static bool form_better(const struct salvage_chunk *a, const struct salvage_chunk *b)
{
    int spare_a = (int)a->have - a->value.red.k, spare_b = (int)b->have - b->value.red.k;

    if (b->have == 0 || (spare_a >= 0) != (spare_b >= 0))
        return b->have == 0 || spare_a >= 0;
    return spare_a != spare_b ? spare_a > spare_b : a->value.generation > b->value.generation;
}

static bool holds(const struct salvage *s, const struct salvage_chunk *c, uint32_t node)
{
    for (unsigned i = 0; i < VS_EC_N_MAX; i++)
        if (c->at[i].frag != NULL && s->stores[c->at[i].store].node == node)
            return true;
    return false;
}

/* Names every fragment; those that were not found are said to be on nodes that were not given. */
static void value_fill(const struct salvage *s, struct salvage_chunk *c)
{
    struct place_value *v = &c->value;
    unsigned absent = 0;

    for (unsigned i = 0; i < (unsigned)v->red.k + v->red.m; i++) {
        const struct sb_scan_frag *f = c->at[i].frag;
        struct place_frag *p = &v->frag[i];

        p->generation = v->generation;
        if (f != NULL) {
            p->node = s->stores[c->at[i].store].node;
            p->generation = f->key.generation;
            p->table_crc = f->table_crc;
            memcpy(p->sha256, f->sha256, sizeof(p->sha256));
            v->session = f->session;
            continue;
        }
        while (absent < s->absent_count && holds(s, c, s->absent[absent]))
            absent++;
        p->node = absent < s->absent_count ? s->absent[absent] : s->node_last + 1 + absent;
        absent++;
    }
}

int salvage_chunk_find(const struct salvage *s, const struct vs_id *id, struct salvage_chunk *ret)
{
    VS_AUTO_FREE struct salvage_chunk *forms = calloc(FORMS_MAX, sizeof(*forms));
    unsigned count = 0, best = 0;

    if (forms == NULL)
        return -ENOMEM;
    for (unsigned n = 0; n < s->store_count; n++) {
        uint64_t frags;
        const struct sb_scan_frag *f = sb_scan_find(&s->stores[n].scan, id, &frags);

        for (uint64_t i = 0; i < frags; i++) {
            unsigned k = 0;

            if (!frag_fits(&f[i]))
                continue;
            while (k < count && !same_form(&forms[k].value, &f[i]))
                k++;
            if (k == FORMS_MAX)
                continue;
            if (k == count)
                forms[count++].value = (struct place_value){ .state = PLACE_LIVE,
                                                             .red = f[i].red,
                                                             .chunk_bytes = f[i].chunk_bytes };
            form_add(&forms[k], n, &f[i]);
        }
    }
    for (unsigned k = 1; k < count; k++)
        if (form_better(&forms[k], &forms[best]))
            best = k;
    *ret = forms[best];
    if (count == 0 || ret->have < ret->value.red.k)
        return -ENOENT;
    value_fill(s, ret);
    return 0;
}

/* ---- bytes ---- */

/* Data fragment `want` of the chunk from the `k` that were read. */
static int chunk_rebuild(const struct place_value *v, uint8_t *const read[], unsigned want,
                         uint8_t *dst, size_t len)
{
    const uint8_t *src[VS_EC_K_MAX];
    uint8_t have[VS_EC_K_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < (unsigned)v->red.k + v->red.m && n < v->red.k; i++)
        if (read[i] != NULL) {
            have[n] = (uint8_t)i;
            src[n++] = read[i];
        }
    if (n < v->red.k)
        return -VS_ECORRUPT;
    return vs_ec_rebuild(v->red.k, v->red.m, have, src, want, dst, len);
}

int salvage_chunk_bytes(struct salvage *s, const struct salvage_chunk *c, uint8_t *dst)
{
    const struct place_value *v = &c->value;
    size_t len = vs_ec_fragment_bytes(v->chunk_bytes, v->red.k);
    VS_AUTO_FREE uint8_t *room = malloc(len * VS_EC_N_MAX), *spare = malloc(len);
    uint8_t *read[VS_EC_N_MAX] = { NULL };

    if (room == NULL || spare == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < (unsigned)v->red.k + v->red.m; i++)
        if (c->at[i].frag != NULL &&
            sb_scan_read(&s->stores[c->at[i].store].scan, c->at[i].frag, room + i * len) == 0)
            read[i] = room + i * len;
    for (unsigned i = 0; i < v->red.k; i++) {
        size_t at = i * len, n = at >= v->chunk_bytes        ? 0
                                 : v->chunk_bytes - at < len ? v->chunk_bytes - at
                                                             : len;
        int r = read[i] != NULL ? 0 : chunk_rebuild(v, read, i, spare, len);

        if (r < 0)
            return r;
        memcpy(dst + at, read[i] != NULL ? read[i] : spare, n);
    }
    return 0;
}

int salvage_chunk_read(struct salvage *s, const struct mf_chunk *chunk, uint8_t *dst)
{
    struct salvage_chunk c;
    int r = salvage_chunk_find(s, &chunk->id, &c);

    if (r == 0 && c.value.chunk_bytes != chunk->bytes)
        r = -VS_ECORRUPT;
    if (r == 0)
        r = salvage_chunk_bytes(s, &c, dst);
    if (r < 0)
        return r;
    return vs_crc32c(0, dst, (size_t)chunk->bytes) == chunk->crc ? 0 : -VS_ECORRUPT;
}

/* ---- files ---- */

int salvage_head_chunks(const struct salvage *s, const struct mf_head *head, struct mf_chunk **ret,
                        size_t *ret_count)
{
    struct mf_chunk *chunks =
        calloc((size_t)head->segment_count * MF_SEGMENT_CHUNKS + 1, sizeof(*chunks));
    size_t count = 0;

    if (chunks == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < head->segment_count; i++) {
        const struct salvage_note *n = salvage_note_find(s, &head->segments[i].id);
        int got = n != NULL
                      ? mf_segment_decode(n->note.segment, n->note.segment_len, chunks + count)
                      : -ENOENT;

        if (got < 0 || (uint32_t)got != head->segments[i].count) {
            free(chunks);
            return -ENOENT;
        }
        count += (size_t)got;
    }
    *ret = chunks;
    *ret_count = count;
    return 0;
}

int salvage_head_whole(const struct salvage *s, const struct mf_head *head)
{
    VS_AUTO_FREE struct mf_chunk *chunks = NULL;
    struct salvage_chunk found;
    size_t count;
    int r = salvage_head_chunks(s, head, &chunks, &count);

    for (size_t i = 0; r == 0 && i < count; i++)
        if (!vs_id_is_zero(&chunks[i].id))
            r = salvage_chunk_find(s, &chunks[i].id, &found);
    return r;
}
