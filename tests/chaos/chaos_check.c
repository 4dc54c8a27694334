/* chaos_check: what the replicas hold, compared once all have stopped.
 *
 * Happy path: all have applied the same slot; their namespaces are equal, table by table; what two
 * of them accepted for a register or a journal slot with one ballot is one value (invariant I1),
 * nothing is above its promise (I3); a majority holds the value of every register that was read
 * last (it was decided); numbers that were given out never meet (I6). Failure modes: a database
 * that cannot be opened, replicas that do not come to the same slot: violations. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/sha.h"
#include "meta/acceptor_codec.h"
#include "meta/kv.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include "meta/place_value.h"
#include "tests/chaos/chaos.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#define SETTLE_MS      30000
#define SETTLE_STEP_MS 50
#define TABLES         256

/* ---- namespaces -------------------------------------------------------------------------------
 */

struct space {
    struct vs_sha *table[TABLES]; /* of all pairs whose key begins so */
    uint8_t digest[TABLES][VS_SHA256_BYTES];
    uint64_t count[TABLES];
    uint64_t slot;
};

static int space_pair(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                      size_t value_len)
{
    struct space *s = arg;
    uint64_t lengths[2] = { key_len, value_len };
    struct ns_state state;

    if (key_len == 0)
        return -VS_ECORRUPT;
    if (s->table[key[0]] == NULL && vs_sha_new(&s->table[key[0]]) < 0)
        return -ENOMEM;
    vs_sha_update(s->table[key[0]], lengths, sizeof(lengths));
    vs_sha_update(s->table[key[0]], key, key_len);
    vs_sha_update(s->table[key[0]], value, value_len);
    s->count[key[0]]++;
    if (key[0] == NS_T_STATE && ns_state_decode(value, value_len, &state) == 0)
        s->slot = state.slot;
    return 0;
}

static int space_read(const char *dir, struct space *ret)
{
    char path[TEMP_DIR_BYTES + 32];
    struct kv *kv = NULL;
    int r;

    *ret = (struct space){ 0 };
    snprintf(path, sizeof(path), "%s/namespace", dir);
    r = kv_rocks_open(&kv, path, false, KV_NAMESPACE);
    if (r == 0)
        r = kv_scan(kv, NULL, 0, NULL, 0, space_pair, ret);
    kv_close(kv);
    for (unsigned t = 0; t < TABLES; t++) {
        if (ret->table[t] != NULL)
            vs_sha_final(ret->table[t], ret->digest[t]);
        vs_sha_free(ret->table[t]);
    }
    return r;
}

static void spaces_compare(struct chaos *c, const struct space *a, const struct space *b,
                           unsigned replica)
{
    for (unsigned t = 0; t < TABLES; t++)
        if (a->count[t] != b->count[t] || memcmp(a->digest[t], b->digest[t], VS_SHA256_BYTES) != 0)
            chaos_violation(c, "replicas 1 and %u differ at slot %llu in table %c (%llu, %llu)",
                            replica, (unsigned long long)a->slot, (char)t,
                            (unsigned long long)a->count[t], (unsigned long long)b->count[t]);
}

/* False: they have not applied the same. */
static bool check_namespaces(struct chaos *c)
{
    struct space *s = calloc(c->config.metas, sizeof(*s));
    bool same = true;

    VS_ASSERT(s != NULL);
    for (unsigned i = 0; i < c->config.metas; i++) {
        int r = space_read(c->meta[i].dir, &s[i]);

        if (r < 0)
            chaos_violation(c, "the namespace of replica %u: %s", i + 1, vs_err_text(r));
        same = same && s[i].slot == s[0].slot;
    }
    for (unsigned i = 1; same && i < c->config.metas; i++)
        spaces_compare(c, &s[0], &s[i], i + 1);
    if (same)
        printf("namespaces equal at slot %llu\n", (unsigned long long)s[0].slot);
    free(s);
    return same;
}

/* ---- acceptors --------------------------------------------------------------------------------
 */

/* What was accepted under a key with a ballot, by whoever came first. */
struct record {
    struct {
        uint8_t key[ACCEPTOR_REG_KEY_BYTES];
        struct px_ballot ballot;
    } id;
    uint8_t digest[VS_SHA256_BYTES];
    unsigned replica;
    UT_hash_handle hh;
};

struct acceptors {
    struct chaos *c;
    struct record *records;
    unsigned replica;
    struct px_ballot promised; /* of the journal */
    uint64_t registers, slots;
};

static void record_check(struct acceptors *a, const uint8_t *key, size_t key_len,
                         const struct px_ballot *ballot, const void *value, size_t len)
{
    struct record *r = calloc(1, sizeof(*r)), *there;

    VS_ASSERT(r != NULL && key_len <= sizeof(r->id.key));
    memcpy(r->id.key, key, key_len);
    r->id.ballot.round = ballot->round; /* padding stays zero */
    r->id.ballot.pid = ballot->pid;
    r->id.ballot.inc = ballot->inc;
    r->replica = a->replica;
    vs_sha256(value, len, r->digest);
    HASH_FIND(hh, a->records, &r->id, sizeof(r->id), there);
    if (there == NULL) {
        HASH_ADD(hh, a->records, id, sizeof(r->id), r);
        return;
    }
    if (memcmp(there->digest, r->digest, sizeof(r->digest)) != 0)
        chaos_violation(a->c, "%s: replicas %u and %u accepted two values with ballot %llu.%u.%u",
                        key[0] == 'r' ? "a register" : "a slot", there->replica, a->replica,
                        (unsigned long long)ballot->round, ballot->pid, ballot->inc);
    free(r);
}

/* Is it the value that was read at the end? */
static void held_count(struct chaos *c, const uint8_t *key, size_t key_len,
                       const struct px_reg *reg)
{
    struct place_value v;
    struct vs_id id;

    if (acceptor_reg_key_decode(key, key_len, &id) < 0 ||
        place_value_decode(reg->accepted.value, reg->accepted.value_len, &v) < 0)
        return;
    for (unsigned i = 0; i < c->old_count; i++)
        if (vs_id_cmp(&c->old[i].id, &id) == 0)
            c->old[i].held += v.session == c->old[i].last;
}

static void check_held(struct chaos *c)
{
    for (unsigned i = 0; i < c->old_count; i++)
        if (!vs_id_is_zero(&c->old[i].id) && c->old[i].last != 0 &&
            c->old[i].held <= c->config.metas / 2)
            chaos_violation(c, "%s was read, and only %u replicas hold it", c->old[i].key,
                            c->old[i].held);
}

static int acceptor_register(struct acceptors *a, const uint8_t *key, size_t key_len,
                             const uint8_t *value, size_t value_len)
{
    struct px_reg reg;
    int r = acceptor_reg_decode(value, value_len, &reg);

    if (r < 0)
        return r;
    a->registers++;
    if (px_ballot_cmp(&reg.ballot, &reg.promised) > 0)
        chaos_violation(a->c, "replica %u accepted above its promise", a->replica);
    if (!px_ballot_is_none(&reg.ballot))
        record_check(a, key, key_len, &reg.ballot, reg.accepted.value, reg.accepted.value_len);
    held_count(a->c, key, key_len, &reg);
    return 0;
}

static int acceptor_pair(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                         size_t value_len)
{
    struct acceptors *a = arg;
    struct acceptor_journal j;
    struct px_ballot ballot;
    const uint8_t *entry;
    size_t entry_len;
    int r;

    if (key_len == ACCEPTOR_REG_KEY_BYTES && key[0] == 'r')
        return acceptor_register(a, key, key_len, value, value_len);
    if (key_len == ACCEPTOR_KEY_BYTES && key[0] == ACCEPTOR_KEY_JOURNAL[0]) {
        r = acceptor_journal_decode(value, value_len, &j);
        a->promised = j.promised;
        return r;
    }
    if (key_len != ACCEPTOR_SLOT_KEY_BYTES || key[0] != 's')
        return 0;
    r = acceptor_slot_decode(value, value_len, &ballot, &entry, &entry_len);
    if (r < 0)
        return r;
    a->slots++;
    if (px_ballot_cmp(&ballot, &a->promised) > 0) /* 'j' sorts before 's' */
        chaos_violation(a->c, "replica %u has a slot above its promise", a->replica);
    record_check(a, key, key_len, &ballot, entry, entry_len);
    return 0;
}

static void check_acceptors(struct chaos *c)
{
    struct acceptors a = { .c = c };
    struct record *r, *next;

    for (unsigned i = 0; i < c->config.metas; i++) {
        char path[TEMP_DIR_BYTES + 32];
        struct kv *kv = NULL;
        int err;

        snprintf(path, sizeof(path), "%s/acceptor", c->meta[i].dir);
        a.replica = i + 1;
        err = kv_rocks_open(&kv, path, false, KV_ACCEPTOR);
        if (err == 0)
            err = kv_scan(kv, NULL, 0, NULL, 0, acceptor_pair, &a);
        if (err < 0)
            chaos_violation(c, "the acceptor of replica %u: %s", i + 1, vs_err_text(err));
        kv_close(kv);
    }
    printf("acceptors: %llu registers and %llu slots on %u replicas compared\n",
           (unsigned long long)a.registers, (unsigned long long)a.slots, (unsigned)c->config.metas);
    check_held(c);
    HASH_ITER (hh, a.records, r, next) {
        HASH_DEL(a.records, r);
        free(r);
    }
}

/* ---- together ---------------------------------------------------------------------------------
 */

/* Until all say that they have applied the same. */
static void await_same_slot(struct chaos *c)
{
    int64_t until = chaos_now() + SETTLE_MS * VS_NS_PER_MS;
    bool same = false;

    while (!same && chaos_now() < until) {
        struct chaos_health first = { 0 }, h;

        same = true;
        for (unsigned i = 0; i < c->config.metas; i++) {
            same = chaos_health(c, i, 1000, &h) == 0 && same;
            if (i == 0)
                first = h;
            same = same && h.applied == first.applied;
        }
        if (!same)
            usleep(SETTLE_STEP_MS * 1000);
    }
}

void chaos_replicas_check(struct chaos *c)
{
    bool same = false;

    for (unsigned attempt = 0; !same && attempt < 3; attempt++) {
        for (unsigned i = 0; attempt > 0 && i < c->config.metas; i++)
            if (chaos_meta_start(c, i) < 0)
                chaos_violation(c, "replica %u does not start again", i + 1);
        await_same_slot(c);
        chaos_cluster_stop(c);
        same = check_namespaces(c);
    }
    if (!same)
        chaos_violation(c, "the replicas do not come to the same slot");
    check_acceptors(c);
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

void chaos_range(struct chaos *c, uint64_t owner, uint64_t first, uint64_t count)
{
    VS_LOCK_SCOPE(&c->ranges_lock);

    if (c->range_count < CHAOS_RANGES_MAX)
        c->ranges[c->range_count++] = (struct chaos_range){ owner, first, count };
}

void chaos_ranges_check(struct chaos *c)
{
    for (unsigned i = 0; i < c->range_count; i++) {
        const struct chaos_range *a = &c->ranges[i];

        for (unsigned j = i + 1; j < c->range_count; j++) {
            const struct chaos_range *b = &c->ranges[j];

            if (a->owner == b->owner && a->first < b->first + b->count &&
                b->first < a->first + a->count)
                chaos_violation(c, "numbers were given out twice: %llu to %llu of owner %llx",
                                (unsigned long long)b->first,
                                (unsigned long long)(b->first + b->count - 1),
                                (unsigned long long)b->owner);
        }
    }
}
