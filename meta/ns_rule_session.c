/* Numbers that are given out, and what becomes of them: inode numbers (RESERVE), upload sessions
 * and their ids (SESSION_OPEN, _EXTEND, _TOUCH, _ABORT), released ids until they are gone
 * (COLLECTED).
 *
 * Happy path: a session is open as long as it has a record; the entry that links its content
 * removes the record, so does an abort, which leaves the ids it reserved to the collector as
 * ranges: an abort is one small batch however much was uploaded. Failure modes: an upload whose
 * session is closed is told -ECANCELED, who aborts what is closed -ESTALE. docs/CHUNKPAXOS.md,
 * "Sessions". */
#include "meta/ns_rules.h"

#include "common/assert.h"
#include "common/err.h"

#include <string.h>

/* ---- ranges of numbers -------------------------------------------------------------------------
 */

struct range_search {
    struct ns_tx *tx;
    size_t key_len;
    struct ns_key key; /* of the range found */
    uint64_t first, last;
};

/* First range that is still there: the batch may have removed or shortened it. */
static int range_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                      size_t value_len)
{
    struct range_search *s = arg;
    int r = kv_batch_find(s->tx->batch, key, key_len, &value, &value_len);

    if (r == -ENOENT)
        return 0;
    if (key_len != s->key_len || ns_u64_decode(value, value_len, &s->first) < 0)
        return -VS_ECORRUPT;
    memcpy(s->key.b, key, key_len);
    s->key.len = key_len;
    s->last = ns_key_get_u64(key, key_len - 1 - 8);
    return 1;
}

static void range_put(struct ns_tx *tx, const struct ns_key *key, uint64_t first)
{
    ns_tx_put_out(tx, key, ns_u64_encode(first, &tx->out));
}

int ns_range_take(struct ns_tx *tx, const struct ns_key *prefix, uint64_t n)
{
    struct ns_key from = ns_key_add_u64(*prefix, n), to = ns_key_end(prefix);
    struct range_search s = { .tx = tx, .key_len = from.len };
    int r;

    r = ns_tx_note(tx, kv_scan(tx->kv, from.b, from.len, to.b, to.len, range_item, &s));
    if (r < 0)
        return r;
    if (r == 0 || s.first > n)
        return -ENOENT;
    if (s.first < n) { /* the part below gets a key of its own */
        struct ns_key below = ns_key_add_u64(*prefix, n - 1);

        range_put(tx, &below, s.first);
    }
    if (n < s.last)
        range_put(tx, &s.key, n + 1);
    else
        ns_tx_del(tx, &s.key);
    return 0;
}

int ns_rule_reserve(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key key;

    if (e->count < 1 || e->count > NS_RESERVE_MAX)
        return -EINVAL;
    a->first = tx->state.next_ino;
    tx->state.next_ino += e->count;
    key = ns_key_u64(NS_T_NUMBERS, tx->state.next_ino - 1);
    range_put(tx, &key, a->first);
    return 0;
}

/* ---- sessions ----------------------------------------------------------------------------------
 */

static int session_load(struct ns_tx *tx, uint64_t session, struct ns_session *ret)
{
    struct ns_key key = ns_key_u64(NS_T_SESSION, session);
    const uint8_t *value;
    size_t len;
    int r;

    r = ns_tx_get(tx, &key, &value, &len);
    if (r < 0)
        return r;
    return ns_tx_note(tx, ns_session_decode(value, len, ret));
}

/* Reserve ids behind those that were given out last; one range, if nobody came between. */
static int session_reserve(struct ns_tx *tx, uint64_t session, struct ns_session *s, uint64_t count,
                           uint64_t *ret_first)
{
    struct ns_key key = ns_key_u64(NS_T_SESSION, session), range;

    if (count < 1 || count > NS_RESERVE_MAX)
        return -EINVAL;
    *ret_first = tx->state.next_seq;
    if (s->range_count > 0 && s->last_first + s->last_count == tx->state.next_seq) {
        s->last_count += count;
    } else {
        if (s->range_count == NS_SESSION_RANGES_MAX)
            return -ENOSPC;
        s->last_first = tx->state.next_seq;
        s->last_count = count;
        s->range_count++;
    }
    tx->state.next_seq += count;
    VS_ASSERT(tx->state.next_seq > *ret_first); /* I6: never back to numbers that were given out */
    s->extended = tx->now;
    s->signs++;
    range = ns_key_u64x2(NS_T_SESSION_IDS, session, s->last_first);
    range_put(tx, &range, s->last_count);
    ns_tx_put_out(tx, &key, ns_session_encode(s, &tx->out));
    return 0;
}

int ns_rule_session_open(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_session s = { .pid = e->pid, .inc = e->inc, .opened = tx->now, .mount = e->mount };

    a->session = tx->state.next_session++;
    return session_reserve(tx, a->session, &s, e->count, &a->first);
}

int ns_rule_session_extend(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_session s;
    int r;

    r = session_load(tx, e->session, &s);
    if (r < 0)
        return r == -ENOENT ? -ECANCELED : r;
    a->session = e->session;
    return session_reserve(tx, e->session, &s, e->count, &a->first);
}

struct session_touch {
    struct ns_tx *tx;
    uint64_t mount;
    uint64_t touched;
};

static int session_touch_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                              size_t value_len)
{
    struct session_touch *t = arg;
    struct ns_session s;
    struct ns_key to;

    if (key_len != 1 + 8 || ns_session_decode(value, value_len, &s) < 0)
        return -VS_ECORRUPT;
    if (s.mount != t->mount)
        return 0;
    s.extended = t->tx->now;
    s.signs++;
    t->touched++;
    to = ns_key_u64(NS_T_SESSION, ns_key_get_u64(key, 0));
    ns_tx_put_out(t->tx, &to, ns_session_encode(&s, &t->tx->out));
    return 0;
}

int ns_rule_session_touch(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct session_touch t = { tx, e->mount, 0 };
    struct ns_key all = ns_key(NS_T_SESSION);
    int r;

    if (e->mount == 0)
        return -EINVAL;
    r = ns_tx_note(tx, ns_tx_scan(tx, &all, session_touch_item, &t));
    a->first = t.touched;
    return r;
}

/* Every range of a closing session: gone, or (abort) left to the collector, once as chunks and once
 * as segments: which of both an id was made is not known here. */
struct session_close {
    struct ns_tx *tx;
    const struct ns_session *aborted; /* NULL: committed */
};

static int session_close_range(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                               size_t value_len)
{
    const uint8_t types[] = { VS_ID_CHUNK, VS_ID_SEGMENT };
    struct session_close *c = arg;
    uint64_t first, count;

    if (key_len != 1 + 8 + 8 || ns_u64_decode(value, value_len, &count) < 0 || count == 0)
        return -VS_ECORRUPT;
    first = ns_key_get_u64(key, 8);
    kv_batch_del(c->tx->batch, key, key_len);
    for (size_t t = 0; c->aborted != NULL && t < sizeof(types); t++) {
        struct ns_key to = ns_key_aborted(types[t], c->aborted->pid, c->aborted->inc);

        to = ns_key_add_u64(to, first + count - 1);
        range_put(c->tx, &to, first);
        c->tx->state.released += count;
    }
    return 0;
}

static int session_close(struct ns_tx *tx, uint64_t session, const struct ns_session *aborted)
{
    struct ns_key key = ns_key_u64(NS_T_SESSION, session);
    struct ns_key ids = ns_key_u64(NS_T_SESSION_IDS, session);
    struct session_close c = { .tx = tx, .aborted = aborted };

    ns_tx_del(tx, &key);
    return ns_tx_note(tx, ns_tx_scan(tx, &ids, session_close_range, &c));
}

int ns_session_commit(struct ns_tx *tx, uint64_t session)
{
    struct ns_session s;
    int r;

    r = session_load(tx, session, &s);
    if (r < 0)
        return r == -ENOENT ? -ECANCELED : r;
    return session_close(tx, session, NULL);
}

int ns_rule_session_abort(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_session s;
    int r;

    (void)a;
    r = session_load(tx, e->session, &s);
    if (r < 0)
        return r == -ENOENT ? -ESTALE : r;
    if (e->signs != 0 && e->signs != s.signs) /* somebody still drives it */
        return -EBUSY;
    r = ns_release(tx, NS_T_RELEASED, e->content.released, e->content.released_count, 0);
    return r < 0 ? r : session_close(tx, e->session, &s);
}

/* ---- released ids ------------------------------------------------------------------------------
 */

int ns_release(struct ns_tx *tx, enum ns_table table, const struct vs_id *ids, size_t count,
               uint64_t ino)
{
    struct ns_released whose = { tx->state.slot + 1, ino };
    const uint8_t *value;
    size_t len;
    int r, held = 0;

    if (count > NS_RELEASED_MAX)
        return -EINVAL;
    if (ino != 0 && count > 0)
        held = ns_mounts_live(tx);
    if (held < 0)
        return held;
    for (size_t i = 0; i < count; i++) {
        struct ns_key key = ns_key_id(table, &ids[i]);

        if (vs_id_is_zero(&ids[i])) /* a hole */
            continue;
        r = ns_tx_get(tx, &key, &value, &len);
        if (r == 0) /* twice in the list, or released before */
            continue;
        if (r != -ENOENT)
            return r;
        if (held)
            ns_tx_put_out(tx, &key, ns_released_encode(&whose, &tx->out));
        else
            ns_tx_put(tx, &key, NULL, 0);
        tx->state.released++;
    }
    return 0;
}

/* One id left the queue `table`, if it was there. */
static int collected_from(struct ns_tx *tx, enum ns_table table, const struct vs_id *id)
{
    struct ns_key key = ns_key_id(table, id);
    const uint8_t *value;
    size_t len;
    int r;

    r = ns_tx_get(tx, &key, &value, &len);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    ns_tx_del(tx, &key);
    return 1;
}

int ns_rule_collected(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    (void)a;
    if (e->collected_count > NS_RELEASED_MAX)
        return -EINVAL;
    for (size_t i = 0; i < e->collected_count; i++) {
        const struct vs_id *id = &e->collected[i];
        struct ns_key aborted = ns_key_aborted(vs_id_type(id), vs_id_pid(id), vs_id_inc(id));
        int alone, whole, range;

        alone = collected_from(tx, NS_T_RELEASED, id);
        whole = collected_from(tx, NS_T_RELEASED_WHOLE, id);
        range = ns_range_take(tx, &aborted, vs_id_seq(id));
        if (tx->fail < 0)
            return tx->fail;
        tx->state.released -= (uint64_t)(alone + whole + (range == 0 ? 1 : 0));
    }
    return 0;
}
