/* snap_take: one transfer of a snapshot, from the first ask to the namespace that has changed.
 *
 * Every ask is repeated when no answer came; the other replica gives the same piece again. Nothing
 * counts before the dump has checked as a whole, the state in it is what was said, and all of it is
 * durable. Failure: at any step, what was written is thrown away. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/dump_kv.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include "meta/px_wait.h"
#include "meta/snap.h"
#include <stdatomic.h>
#include <string.h>

struct take {
    const struct snap_config *config;
    const _Atomic int *is_stopping;
    uint32_t from;
    uint64_t id, slot, offset; /* of the next piece; id and slot from the first one on */
    struct dump_in in;
    struct dump_kv_in into;
    struct vs_buf frame;
};

/* ---- one ask ---- */

/* The answer's frame into t->frame. */
static int take_ask_once(struct take *t)
{
    const struct snap_config *c = t->config;
    struct px_head head = { .cluster = c->cluster, .pid = c->pid, .inc = c->inc };
    struct px_snap m = { .kind = PX_SNAP_ASK, .id = t->id, .offset = t->offset };
    struct vs_buf out = { 0 };
    int r = px_snap_encode(&head, &m, &out);

    if (r == 0)
        r = px_wait_ask(c->link, t->from, &out, PX_FRAME_SNAP_BYTES_MAX, SNAP_ASK_TIMEOUT_MS,
                        &t->frame);
    vs_buf_close(&out);
    return r;
}

static int reason_code(uint8_t reason)
{
    switch ((enum px_snap_reason)reason) {
    case PX_SNAP_BUSY:
        return -EAGAIN;
    case PX_SNAP_GONE:
        return -ESTALE;
    case PX_SNAP_FAILED:
        return -EREMOTEIO;
    }
    return -VS_ECORRUPT;
}

/* A piece that is the one asked for; its bytes are in t->frame. */
static int take_piece(struct take *t, struct px_snap *ret)
{
    struct px_head head;
    int r = -ETIMEDOUT;

    for (unsigned n = 0; n < SNAP_ASK_TRIES_MAX && (r == -ETIMEDOUT || r == -ECONNRESET); n++)
        r = *t->is_stopping ? -ECANCELED : take_ask_once(t);
    if (r == 0)
        r = px_snap_decode(t->frame.data, t->frame.len, &head, ret);
    if (r < 0)
        return r;
    if (head.pid != t->from || vs_id_cmp(&head.cluster, &t->config->cluster) != 0)
        return -VS_ECORRUPT;
    if (ret->kind == PX_SNAP_NO)
        return reason_code(ret->reason);
    if (ret->kind != PX_SNAP_PIECE || ret->offset != t->offset ||
        (t->id != 0 && (ret->id != t->id || ret->slot != t->slot)))
        return -VS_ECORRUPT;
    return 0;
}

/* ---- the whole ---- */

static int state_of(struct kv *kv, struct ns_state *ret)
{
    struct ns_key key = ns_key(NS_T_STATE);
    struct vs_buf bytes = { 0 };
    int r = kv_get(kv, key.b, key.len, &bytes);

    *ret = (struct ns_state){ 0 };
    if (r == 0)
        r = ns_state_decode(bytes.data, bytes.len, ret);
    vs_buf_close(&bytes);
    return r == -ENOENT ? 0 : r;
}

static int take_pair(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                     const uint8_t *value, size_t value_len)
{
    struct take *t = arg;

    if (section != DUMP_NAMESPACE)
        return -VS_ECORRUPT;
    return dump_kv_in_pair(&t->into, key, key_len, value, value_len);
}

static int take_pieces(struct take *t)
{
    struct px_snap piece = { 0 };
    struct ns_state here;
    int r = state_of(t->config->store->kv, &here);

    while (r == 0 && !piece.last) {
        r = take_piece(t, &piece);
        if (r < 0)
            break;
        if (t->id == 0 && piece.slot <= here.slot)
            return -EALREADY;
        t->id = piece.id;
        t->slot = piece.slot;
        t->offset += piece.len;
        r = dump_in_feed(&t->in, piece.bytes, piece.len, take_pair, t);
    }
    return r < 0 ? r : dump_in_done(&t->in);
}

/* Durable, and what it says it is. */
static int take_finish(struct take *t)
{
    const struct dump_head *head = &t->in.head;
    struct kv *fresh = t->config->store->fresh;
    struct ns_state state;
    int r;

    if (head->kind != DUMP_SNAPSHOT || head->slot != t->slot ||
        vs_id_cmp(&head->cluster, &t->config->cluster) != 0)
        return -VS_ECORRUPT;
    r = ns_store_set_base(fresh, t->slot);
    if (r == 0)
        r = dump_kv_in_end(&t->into);
    if (r == 0)
        r = state_of(fresh, &state);
    if (r == 0 && (state.slot != t->slot || vs_id_cmp(&state.cluster, &head->cluster) != 0))
        r = -VS_ECORRUPT;
    return r;
}

int snap_take(const struct snap_config *config, uint32_t from, const _Atomic int *is_stopping,
              uint64_t *ret_slot)
{
    struct take t = { .config = config, .is_stopping = is_stopping, .from = from };
    int r = dump_in_init(&t.in);

    if (r == 0)
        r = ns_store_fresh(config->store);
    if (r == 0)
        r = dump_kv_in_begin(&t.into, config->store->fresh);
    if (r == 0)
        r = take_pieces(&t);
    if (r == 0)
        r = take_finish(&t);
    if (r == 0)
        (void)take_ask_once(&t); /* behind the last piece: the other may forget it */
    dump_kv_in_close(&t.into);
    dump_in_close(&t.in);
    vs_buf_close(&t.frame);
    if (r == 0 && *is_stopping)
        r = -ECANCELED;
    if (r == 0)
        r = ns_store_take(config->store);
    else
        ns_store_drop(config->store);
    if (r == 0)
        *ret_slot = t.slot;
    return r;
}
