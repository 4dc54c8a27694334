/* acceptor_store: durable registers, slots, identity.
 *
 * Happy path: load a register, step it (px), store it; put slots; commit: one synced write that
 * also carries the count of synced batches. Failure: a record that does not decode is said to be
 * corrupt and never guessed at; a failed write ends the process. */
#include "meta/acceptor_store.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/acceptor_trace.h"
#include "meta/synced_count.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct acceptor_store {
    struct kv *kv;
    struct acceptor_identity id;
    struct acceptor_journal journal;
    bool has_members;
    struct acceptor_members members;
    struct kv_batch *batch;
    size_t batch_bytes;
    bool is_committed;     /* the batch is durable and only kept to be looked at */
    struct vs_buf scratch; /* record being encoded */
    struct synced_count recorded;
    bool has_recorded;
    _Atomic uint64_t synced;
    struct acceptor_trace trace;
    _Atomic uint64_t first; /* journal.first, for other threads */
};

/* What is in memory is ahead of what is known of the disk, so nothing may be answered any more. */
static void acceptor_halt(const char *what, int err)
{
    vs_error("metadata (acceptor): %s failed: %s -> stopping, so that nothing that was promised "
             "is forgotten; check the disk, then mount again",
             what, vs_err_text(err));
    abort();
}

static int put_scratch(struct acceptor_store *s, const void *key, size_t key_len)
{
    VS_ASSERT(!s->is_committed);
    kv_batch_put(s->batch, key, key_len, s->scratch.data, s->scratch.len);
    s->batch_bytes += key_len + s->scratch.len;
    return 0;
}

static int put_identity(struct acceptor_store *s)
{
    int r = acceptor_identity_encode(&s->id, &s->scratch);

    return r < 0 ? r : put_scratch(s, ACCEPTOR_KEY_IDENTITY, ACCEPTOR_KEY_BYTES);
}

static int put_journal(struct acceptor_store *s)
{
    int r = acceptor_journal_encode(&s->journal, &s->scratch);

    return r < 0 ? r : put_scratch(s, ACCEPTOR_KEY_JOURNAL, ACCEPTOR_KEY_BYTES);
}

static int put_count(struct acceptor_store *s)
{
    int r = acceptor_count_encode(s->synced + 1, &s->scratch);

    return r < 0 ? r : put_scratch(s, ACCEPTOR_KEY_COUNT, ACCEPTOR_KEY_BYTES);
}

static int acceptor_store_new(struct acceptor_store **ret, struct kv *kv)
{
    struct acceptor_store *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL)
        return -ENOMEM;
    s->kv = kv;
    acceptor_trace_init(&s->trace, 0);
    r = kv_batch_new(&s->batch);
    if (r < 0) {
        acceptor_trace_close(&s->trace);
        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

static void acceptor_store_free(struct acceptor_store *s)
{
    synced_count_close(&s->recorded);
    kv_batch_free(s->batch);
    vs_buf_close(&s->scratch);
    acceptor_trace_close(&s->trace);
    free(s);
}

static int acceptor_create(struct kv *kv, const struct vs_id *cluster, uint32_t pid,
                           const struct acceptor_journal *journal, struct acceptor_store **ret)
{
    struct acceptor_store *s = NULL;
    int r = acceptor_store_new(&s, kv);

    if (r < 0)
        return r;
    r = kv_get(kv, ACCEPTOR_KEY_IDENTITY, ACCEPTOR_KEY_BYTES, &s->scratch);
    if (r != -ENOENT) {
        acceptor_store_free(s);
        return r == 0 ? -EEXIST : r;
    }
    s->id = (struct acceptor_identity){ .cluster = *cluster, .pid = pid };
    s->journal = *journal;
    *ret = s;
    return 0;
}

static int acceptor_create_end(struct acceptor_store *s, int r)
{
    if (r == 0)
        r = put_identity(s);
    if (r == 0)
        r = put_journal(s);
    if (r == 0)
        r = put_count(s);
    if (r == 0)
        r = kv_write(s->kv, s->batch, true);
    acceptor_store_free(s);
    return r;
}

int acceptor_store_create(struct kv *kv, const struct vs_id *cluster, uint32_t pid,
                          const void *entry, size_t entry_len)
{
    struct acceptor_journal journal = { .promised = { .round = 1, .pid = pid }, .first = 1 };
    struct acceptor_store *s = NULL;
    int r = acceptor_create(kv, cluster, pid, &journal, &s);

    return r < 0 ? r : acceptor_create_end(s, acceptor_slot_store(s, 1, entry, entry_len));
}

int acceptor_store_create_joining(struct kv *kv, const struct vs_id *cluster, uint32_t pid,
                                  const struct member_set *set)
{
    struct acceptor_members members = { .stand = ACCEPTOR_JOINING, .set = *set };
    struct acceptor_journal journal = { .first = 1 };
    struct acceptor_store *s = NULL;
    int r = acceptor_create(kv, cluster, pid, &journal, &s);

    return r < 0 ? r : acceptor_create_end(s, acceptor_members_put(s, &members));
}

/* Identity, journal state and count as the last start left them. */
static int acceptor_load(struct acceptor_store *s)
{
    struct vs_buf *b = &s->scratch;
    uint64_t count = 0;
    int r;

    r = kv_get(s->kv, ACCEPTOR_KEY_IDENTITY, ACCEPTOR_KEY_BYTES, b);
    if (r == 0)
        r = acceptor_identity_decode(b->data, b->len, &s->id);
    if (r < 0)
        return r;
    r = kv_get(s->kv, ACCEPTOR_KEY_JOURNAL, ACCEPTOR_KEY_BYTES, b);
    if (r == 0)
        r = acceptor_journal_decode(b->data, b->len, &s->journal);
    if (r < 0)
        return r == -ENOENT ? -VS_ECORRUPT : r;
    r = kv_get(s->kv, ACCEPTOR_KEY_COUNT, ACCEPTOR_KEY_BYTES, b);
    if (r == 0)
        r = acceptor_count_decode(b->data, b->len, &count);
    if (r < 0)
        return r == -ENOENT ? -VS_ECORRUPT : r;
    s->synced = s->trace.batches = count;
    s->first = s->journal.first;
    r = kv_get(s->kv, ACCEPTOR_KEY_MEMBERS, ACCEPTOR_KEY_BYTES, b);
    if (r == 0)
        r = acceptor_members_decode(b->data, b->len, &s->members);
    s->has_members = r == 0;
    return r == -ENOENT ? 0 : r;
}

static int acceptor_check_count(struct acceptor_store *s, struct vs_io *io)
{
    int r = synced_count_open(&s->recorded, io, &s->id.cluster);

    if (r < 0)
        return r;
    s->has_recorded = true;
    return s->synced < s->recorded.recorded ? -VS_EFORGOT : 0;
}

/* No ballot of an earlier start may be used again, so this is durable before anything else. */
static int acceptor_raise(struct acceptor_store *s, bool is_alone)
{
    int r;

    if (s->id.inc == UINT32_MAX)
        return -EOVERFLOW;
    s->id.inc++;
    if (is_alone) {
        s->journal.promised.round++;
        s->journal.promised.pid = s->id.pid;
        s->journal.promised.inc = s->id.inc;
    }
    r = put_identity(s);
    if (r == 0)
        r = put_journal(s);
    if (r == 0)
        r = put_count(s);
    if (r == 0)
        r = kv_write(s->kv, s->batch, true);
    if (r < 0)
        return r;
    s->synced++;
    acceptor_trace_durable(&s->trace);
    s->is_committed = true;
    acceptor_batch_begin(s);
    return 0;
}

static int acceptor_open(struct acceptor_store **ret, struct kv *kv, struct vs_io *io,
                         bool is_alone)
{
    struct acceptor_store *s = NULL;
    int r = acceptor_store_new(&s, kv);

    if (r < 0)
        return r;
    r = acceptor_load(s);
    if (r == 0 && io != NULL)
        r = acceptor_check_count(s, io);
    if (r == 0)
        r = acceptor_raise(s, is_alone);
    if (r < 0) {
        acceptor_store_free(s);
        return r;
    }
    acceptor_record_count(s);
    *ret = s;
    return 0;
}

int acceptor_store_open(struct acceptor_store **ret, struct kv *kv, struct vs_io *io)
{
    return acceptor_open(ret, kv, io, true);
}

int acceptor_store_open_member(struct acceptor_store **ret, struct kv *kv, struct vs_io *io)
{
    return acceptor_open(ret, kv, io, false);
}

void acceptor_store_close(struct acceptor_store *s)
{
    if (s == NULL)
        return;
    acceptor_record_count(s);
    acceptor_store_free(s);
}

const struct acceptor_identity *acceptor_identity(const struct acceptor_store *s)
{
    return &s->id;
}

uint64_t acceptor_first_slot(const struct acceptor_store *s)
{
    return s->first;
}

uint64_t acceptor_synced(const struct acceptor_store *s)
{
    return s->synced;
}

static int reg_decode(struct px_reg *ret, const struct vs_buf *storage)
{
    return acceptor_reg_decode(storage->data, storage->len, ret);
}

int acceptor_reg_load(struct acceptor_store *s, const struct vs_id *id, struct px_reg *ret,
                      struct vs_buf *storage)
{
    uint8_t key[ACCEPTOR_REG_KEY_BYTES];
    const uint8_t *bytes;
    size_t len;
    int r;

    acceptor_reg_key(id, key);
    if (s->is_committed || kv_batch_find(s->batch, key, sizeof(key), &bytes, &len) <= 0)
        return acceptor_reg_read(s, id, ret, storage);
    storage->len = 0; /* copied: the batch moves when it grows */
    r = vs_buf_append(storage, bytes, len, ACCEPTOR_RECORD_BYTES_MAX);
    return r < 0 ? r : reg_decode(ret, storage);
}

int acceptor_reg_read(struct acceptor_store *s, const struct vs_id *id, struct px_reg *ret,
                      struct vs_buf *storage)
{
    uint8_t key[ACCEPTOR_REG_KEY_BYTES];
    int r;

    acceptor_reg_key(id, key);
    r = kv_get(s->kv, key, sizeof(key), storage);
    if (r == -ENOENT) {
        *ret = (struct px_reg){ 0 };
        return 0;
    }
    return r < 0 ? r : reg_decode(ret, storage);
}

const struct acceptor_members *acceptor_members(const struct acceptor_store *s)
{
    return s->has_members ? &s->members : NULL;
}

int acceptor_members_put(struct acceptor_store *s, const struct acceptor_members *m)
{
    int r = acceptor_members_encode(m, &s->scratch);

    if (r < 0)
        return r;
    s->has_members = true;
    s->members = *m;
    return put_scratch(s, ACCEPTOR_KEY_MEMBERS, ACCEPTOR_KEY_BYTES);
}

struct reg_list {
    struct vs_id *ids;
    uint32_t count, max;
};

static int reg_list_add(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                        size_t value_len)
{
    struct reg_list *l = arg;
    int r;

    (void)value;
    (void)value_len;
    if (l->count == l->max)
        return 1;
    r = acceptor_reg_key_decode(key, key_len, &l->ids[l->count]);
    if (r == 0)
        l->count++;
    return r;
}

int acceptor_reg_list(struct acceptor_store *s, const struct vs_id *after, struct vs_id *ids,
                      uint32_t max)
{
    uint8_t from[ACCEPTOR_REG_KEY_BYTES + 1] = { 0 }; /* the zero behind it: not `after` itself */
    struct reg_list l = { .ids = ids, .max = max };
    int r;

    acceptor_reg_key(after, from);
    r = kv_scan(s->kv, from, sizeof(from), "s", 1, reg_list_add, &l);
    return r < 0 ? r : (int)l.count;
}

uint64_t acceptor_mark(struct acceptor_store *s)
{
    return acceptor_trace_mark(&s->trace);
}

void acceptor_mark_drop(struct acceptor_store *s)
{
    acceptor_trace_drop(&s->trace);
}

int acceptor_reg_list_above(struct acceptor_store *s, uint64_t mark, const struct vs_id *after,
                            struct vs_id *ids, uint32_t max)
{
    int n = mark == 0 ? -ENODATA : acceptor_trace_list(&s->trace, mark, after, ids, max);

    return n == -ENODATA ? acceptor_reg_list(s, after, ids, max) : n;
}

int acceptor_reg_store(struct acceptor_store *s, const struct vs_id *id, const struct px_reg *reg)
{
    uint8_t key[ACCEPTOR_REG_KEY_BYTES];
    int r;

    VS_ASSERT(px_ballot_cmp(&reg->ballot, &reg->promised) <= 0); /* I3 */
    r = acceptor_reg_encode(reg, &s->scratch);
    if (r < 0)
        return r;
    acceptor_reg_key(id, key);
    acceptor_trace_put(&s->trace, id);
    return put_scratch(s, key, sizeof(key));
}

int acceptor_slot_store(struct acceptor_store *s, uint64_t slot, const void *entry,
                        size_t entry_len)
{
    return acceptor_slot_put(s, slot, &s->journal.promised, entry, entry_len);
}

int acceptor_slot_put(struct acceptor_store *s, uint64_t slot, const struct px_ballot *ballot,
                      const void *entry, size_t entry_len)
{
    uint8_t key[ACCEPTOR_SLOT_KEY_BYTES];
    int r = acceptor_slot_encode(ballot, entry, entry_len, &s->scratch);

    if (r < 0)
        return r;
    acceptor_slot_key(slot, key);
    return put_scratch(s, key, sizeof(key));
}

int acceptor_slots_drop(struct acceptor_store *s, uint64_t first)
{
    uint64_t old = s->journal.first;
    uint8_t key[ACCEPTOR_SLOT_KEY_BYTES];
    int r;

    VS_ASSERT(first >= old);
    s->journal.first = first;
    r = put_journal(s);
    if (r < 0) {
        s->journal.first = old;
        return r;
    }
    /* A snapshot may lie far above: what never was need not be deleted. */
    for (uint64_t slot = old; slot < first && slot - old < ACCEPTOR_SLOTS_MAX; slot++) {
        acceptor_slot_key(slot, key);
        kv_batch_del(s->batch, key, sizeof(key));
    }
    s->first = first;
    return 0;
}

int acceptor_head_put(struct acceptor_store *s, const struct px_ballot *promised, uint64_t first)
{
    struct px_ballot old = s->journal.promised;
    int r;

    VS_ASSERT(px_ballot_cmp(promised, &old) >= 0); /* I3 */
    s->journal.promised = *promised;
    r = acceptor_slots_drop(s, first);
    if (r < 0)
        s->journal.promised = old;
    return r;
}

struct px_ballot acceptor_promised(const struct acceptor_store *s)
{
    return s->journal.promised;
}

int acceptor_slot_peek(struct acceptor_store *s, uint64_t slot, const uint8_t **ret_entry,
                       size_t *ret_len)
{
    uint8_t key[ACCEPTOR_SLOT_KEY_BYTES];
    struct px_ballot ballot;
    const uint8_t *bytes;
    size_t len;

    acceptor_slot_key(slot, key);
    if (kv_batch_find(s->batch, key, sizeof(key), &bytes, &len) <= 0)
        return -ENOENT;
    return acceptor_slot_decode(bytes, len, &ballot, ret_entry, ret_len);
}

size_t acceptor_batch_bytes(const struct acceptor_store *s)
{
    return s->batch_bytes;
}

bool acceptor_batch_empty(const struct acceptor_store *s)
{
    return kv_batch_count(s->batch) == 0;
}

void acceptor_commit(struct acceptor_store *s)
{
    int r;

    VS_ASSERT(!s->is_committed);
    r = put_count(s);
    if (r == 0)
        r = kv_write(s->kv, s->batch, true);
    if (r < 0)
        acceptor_halt("a synced write", r);
    s->synced++;
    acceptor_trace_durable(&s->trace);
    s->is_committed = true;
}

void acceptor_batch_begin(struct acceptor_store *s)
{
    VS_ASSERT(s->is_committed || acceptor_batch_empty(s));
    kv_batch_clear(s->batch);
    s->batch_bytes = 0;
    s->is_committed = false;
}

struct records_scan {
    acceptor_record_fn *fn;
    void *arg;
};

static int records_scan_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                            size_t value_len)
{
    struct records_scan *scan = arg;
    struct px_ballot ballot;
    const uint8_t *entry;
    size_t entry_len;
    uint64_t slot;
    int r = acceptor_slot_key_decode(key, key_len, &slot);

    if (r == 0)
        r = acceptor_slot_decode(value, value_len, &ballot, &entry, &entry_len);
    return r < 0 ? r : scan->fn(scan->arg, slot, &ballot, entry, entry_len);
}

int acceptor_records_scan(struct acceptor_store *s, uint64_t from, acceptor_record_fn *fn,
                          void *arg)
{
    uint8_t key[ACCEPTOR_SLOT_KEY_BYTES];
    struct records_scan scan = { fn, arg };

    acceptor_slot_key(from, key);
    return kv_scan(s->kv, key, sizeof(key), "t", 1, records_scan_one, &scan);
}

static int slots_clear_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                           size_t value_len)
{
    struct acceptor_store *s = arg;

    (void)value;
    (void)value_len;
    kv_batch_del(s->batch, key, key_len);
    return 0;
}

int acceptor_slots_clear(struct acceptor_store *s)
{
    uint8_t key[ACCEPTOR_SLOT_KEY_BYTES];

    acceptor_slot_key(0, key);
    return kv_scan(s->kv, key, sizeof(key), "t", 1, slots_clear_one, s);
}

struct slots_scan {
    acceptor_slot_fn *fn;
    void *arg;
};

static int slots_scan_one(void *arg, uint64_t slot, const struct px_ballot *ballot,
                          const uint8_t *entry, size_t entry_len)
{
    struct slots_scan *scan = arg;

    (void)ballot;
    return scan->fn(scan->arg, slot, entry, entry_len);
}

int acceptor_slots_scan(struct acceptor_store *s, uint64_t from, acceptor_slot_fn *fn, void *arg)
{
    struct slots_scan scan = { fn, arg };

    return acceptor_records_scan(s, from, slots_scan_one, &scan);
}

void acceptor_record_count(struct acceptor_store *s)
{
    uint64_t count = s->synced;
    int r;

    if (!s->has_recorded || s->recorded.recorded == count)
        return;
    r = synced_count_record(&s->recorded, count);
    if (r < 0)
        acceptor_halt("recording the count of synced batches", r);
}
