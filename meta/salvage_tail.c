/* The tail of the copy (meta/tail_record.h) onto the copy: what the journal held behind it.
 *
 * Happy path: the records of the sessions that the copy knows, and of those that continue them, are
 * applied in the order of their slots, each slot once, as every replica did. Failure: at a slot
 * that no record has it ends, and says so; a record that is not whole on these stores, the newest
 * one, is told, too. Records of other sessions are of a former life, or of no use: left alone. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/ns_entry.h"
#include "meta/ns_schema.h"
#include "meta/salvage_impl.h"
#include "meta/tail_record.h"
#include <stdlib.h>
#include <string.h>

struct tail_item {
    struct vs_id id;
    uint64_t session, continues, after, upto;
    bool is_whole, is_trusted;
};

struct tail {
    struct salvage *s;
    struct tail_item *items;
    size_t count;
    uint8_t *bytes; /* of one record */
    uint64_t slot;  /* applied */
};

/* ---- finding ---- */

static int item_id_cmp(const void *a, const void *b)
{
    return vs_id_cmp(&((const struct tail_item *)a)->id, &((const struct tail_item *)b)->id);
}

/* By the first slot, the longest of these first. */
static int item_slot_cmp(const void *a, const void *b)
{
    const struct tail_item *x = a, *y = b;

    if (x->after != y->after)
        return x->after < y->after ? -1 : 1;
    if (x->upto != y->upto)
        return x->upto > y->upto ? -1 : 1;
    return vs_id_cmp(&x->id, &y->id);
}

static bool is_tail(const struct sb_scan_frag *f)
{
    return f->inode == NS_INO_TAIL && vs_id_type(&f->key.chunk) == VS_ID_CHUNK;
}

/* The record of a chunk, in t->bytes. -ENOENT, -VS_ECORRUPT: it is not whole. */
static int item_read(struct tail *t, const struct tail_item *item, struct tail_record *ret)
{
    struct salvage_chunk found;
    int r = salvage_chunk_find(t->s, &item->id, &found);

    if (r == 0)
        r = salvage_chunk_bytes(t->s, &found, t->bytes);
    if (r == 0)
        r = tail_record_decode(t->bytes, found.value.chunk_bytes, ret);
    if (r == 0 && vs_id_cmp(&ret->cluster, &t->s->cluster) != 0)
        r = -VS_ECORRUPT;
    return r;
}

static int items_find(struct tail *t)
{
    size_t max = 0, kept = 0;

    for (unsigned i = 0; i < t->s->store_count; i++)
        for (uint64_t k = 0; k < t->s->stores[i].scan.count; k++)
            max += is_tail(&t->s->stores[i].scan.frags[k]);
    t->items = calloc(max + 1, sizeof(*t->items));
    if (t->items == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < t->s->store_count; i++)
        for (uint64_t k = 0; k < t->s->stores[i].scan.count; k++) {
            const struct sb_scan_frag *f = &t->s->stores[i].scan.frags[k];

            if (is_tail(f))
                t->items[t->count++] =
                    (struct tail_item){ .id = f->key.chunk, .session = f->session };
        }
    if (t->count > 0)
        qsort(t->items, t->count, sizeof(*t->items), item_id_cmp);
    for (size_t i = 0; i < t->count; i++)
        if (i == 0 || vs_id_cmp(&t->items[i].id, &t->items[kept - 1].id) != 0)
            t->items[kept++] = t->items[i];
    t->count = kept;
    return 0;
}

static int items_read(struct tail *t)
{
    for (size_t i = 0; i < t->count; i++) {
        struct tail_item *item = &t->items[i];
        struct tail_record rec;
        int r = item_read(t, item, &rec);

        if (r == -ENOMEM)
            return r;
        if (r < 0)
            continue;
        item->is_whole = true;
        item->continues = rec.continues;
        item->after = rec.after;
        item->upto = rec.upto;
    }
    if (t->count > 0)
        qsort(t->items, t->count, sizeof(*t->items), item_slot_cmp);
    return 0;
}

/* ---- which are of this life ---- */

static void trust(struct tail *t, uint64_t session, bool *ret_more)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].session == session && !t->items[i].is_trusted)
            *ret_more = t->items[i].is_trusted = true;
}

static int trust_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                      size_t value_len)
{
    struct tail *t = arg;
    struct ns_session session;
    bool more = false;

    if (key_len != 1 + 8 || ns_session_decode(value, value_len, &session) < 0)
        return -VS_ECORRUPT;
    if ((session.mount & NS_MOUNT_TAIL) != 0)
        trust(t, ns_key_get_u64(key, 0), &more);
    return 0;
}

/* Sessions that the copy has as open ones, and what continues them. */
static int items_trust(struct tail *t)
{
    struct ns_key from = ns_key(NS_T_SESSION), to = ns_key_end(&from);
    int r = kv_scan(t->s->rebuild.ns, from.b, from.len, to.b, to.len, trust_item, t);
    bool more = true;

    while (r == 0 && more) {
        more = false;
        for (size_t i = 0; i < t->count; i++)
            for (size_t k = 0;
                 t->items[i].continues != 0 && !t->items[i].is_trusted && k < t->count; k++)
                if (t->items[k].is_trusted && t->items[k].session == t->items[i].continues) {
                    trust(t, t->items[i].session, &more);
                    break;
                }
    }
    return r;
}

/* ---- applying ---- */

static int entry_apply(struct tail *t, struct ns_apply *apply, const struct tail_entry *te)
{
    struct ns_entry e = { .kind = NS_E_NOP };
    struct ns_answer answer;
    void *ids = NULL;
    int64_t made_ns = tail_entry_ns(te);
    int r = te->len > 0 ? ns_entry_decode(te->bytes, te->len, &e, &ids) : 0;

    if (r == 0)
        r = ns_apply_entry(apply, te->slot, &e, &answer);
    free(ids);
    if (r < 0)
        return salvage_fail(t->s, r,
                            "slot %llu of the journal cannot be applied: %s; the stores were not "
                            "changed",
                            (unsigned long long)te->slot, vs_err_text(r));
    t->slot = te->slot;
    if (made_ns > t->s->result->as_of_ns)
        t->s->result->as_of_ns = made_ns;
    return 0;
}

static int record_apply(struct tail *t, struct ns_apply *apply, const struct tail_item *item)
{
    struct tail_record rec;
    struct tail_entry e;
    struct vs_rd rd;
    int r = item_read(t, item, &rec);

    if (r < 0)
        return r;
    rd = vs_rd_init(rec.entries, rec.entries_len);
    while (r == 0 && tail_entry_next(&rd, &e) > 0)
        if (e.slot > t->slot)
            r = entry_apply(t, apply, &e);
    t->s->result->tail_records++;
    return r;
}

/* Records behind a slot that none has. */
static bool gap_say(struct tail *t, const struct tail_item *item)
{
    if (item->after <= t->slot)
        return false;
    salvage_say(t->s, SALVAGE_LOST,
                "the journal's slots %llu to %llu are on none of these stores: small files, "
                "folders, renames and removals behind slot %llu are not back; give all stores "
                "that there are",
                (unsigned long long)t->slot + 1, (unsigned long long)item->after,
                (unsigned long long)t->slot);
    return true;
}

/* Is the newest record one that was never whole, or of which too little is left? */
static void torn_say(struct tail *t)
{
    const struct tail_item *torn = NULL;
    uint64_t newest = 0, whole = 0;

    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].is_trusted && t->items[i].session > newest)
            newest = t->items[i].session;
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].session == newest && t->items[i].is_whole &&
            vs_id_seq(&t->items[i].id) > whole)
            whole = vs_id_seq(&t->items[i].id);
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].session == newest && !t->items[i].is_whole &&
            vs_id_seq(&t->items[i].id) > whole)
            torn = &t->items[i];
    if (torn != NULL && newest != 0)
        salvage_say(t->s, SALVAGE_LOST,
                    "the newest record of the journal is not whole on these stores: small files, "
                    "folders, renames and removals behind slot %llu are not back",
                    (unsigned long long)t->slot);
}

static int tail_apply(struct tail *t, struct ns_apply *apply)
{
    bool gap = false;
    int r = 0;

    for (size_t i = 0; r == 0 && !gap && i < t->count; i++) {
        const struct tail_item *item = &t->items[i];

        if (!item->is_whole || !item->is_trusted || item->upto <= t->slot)
            continue;
        gap = gap_say(t, item);
        if (!gap)
            r = record_apply(t, apply, item);
    }
    if (r == 0 && !gap)
        torn_say(t);
    return r;
}

int salvage_tail_apply(struct salvage *s)
{
    struct tail t = { .s = s };
    struct ns_apply *apply = NULL;
    int r;

    s->result->as_of_ns = s->result->copy_ns;
    if (!s->result->has_copy)
        return 0;
    t.bytes = malloc(MF_CHUNK_BYTES_MAX);
    r = t.bytes != NULL ? items_find(&t) : -ENOMEM;
    if (r == 0)
        r = items_read(&t);
    if (r == 0)
        r = items_trust(&t);
    if (r == 0)
        r = ns_apply_new(&apply, s->rebuild.ns);
    if (r == 0) {
        t.slot = ns_apply_slot(apply);
        r = tail_apply(&t, apply);
    }
    s->result->tail_slot = t.slot;
    ns_apply_free(apply);
    free(t.bytes);
    free(t.items);
    return r;
}
