/* Applying the journal: one entry, one batch.
 *
 * Happy path: the rule for the entry's kind fills a batch; the state record with the slot joins it,
 * and so does the answer if the client may ask again; the batch is written. A refused entry writes
 * the slot (and the answer) alone. Failure modes: the namespace cannot be read or written: the
 * object is of no use any more, and says so for every later entry. */
#include "meta/ns_apply.h"

#include "common/assert.h"
#include "common/err.h"
#include "meta/feed.h"
#include "meta/journal_retry.h"
#include "meta/ns_rules.h"

#include <stdlib.h>

struct ns_apply {
    struct kv *kv; /* lent */
    struct kv_batch *batch;
    struct ns_state state; /* as written */
    struct vs_buf in, out;
    struct feed *feed; /* lent; NULL: nobody is told */
    int fail;
};

static int apply_load_state(struct ns_apply *a)
{
    struct ns_key key = ns_key(NS_T_STATE);
    int r;

    r = kv_get(a->kv, key.b, key.len, &a->in);
    if (r == -ENOENT) {
        a->state = (struct ns_state){ .next_ino = NS_INO_FIRST,
                                      .next_cookie = NS_COOKIE_FIRST,
                                      .next_session = 1,
                                      .next_seq = 1 };
        return 0;
    }
    return r < 0 ? r : ns_state_decode(a->in.data, a->in.len, &a->state);
}

int ns_apply_new(struct ns_apply **ret, struct kv *kv)
{
    struct ns_apply *a = calloc(1, sizeof(*a));
    int r;

    if (a == NULL)
        return -ENOMEM;
    a->kv = kv;
    r = kv_batch_new(&a->batch);
    if (r == 0)
        r = apply_load_state(a);
    if (r < 0) {
        ns_apply_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void ns_apply_free(struct ns_apply *a)
{
    if (a == NULL)
        return;
    kv_batch_free(a->batch);
    vs_buf_close(&a->in);
    vs_buf_close(&a->out);
    free(a);
}

void ns_apply_set_feed(struct ns_apply *a, struct feed *feed)
{
    if (feed != NULL)
        feed_begin(feed, a->state.slot);
    a->feed = feed;
}

uint64_t ns_apply_slot(const struct ns_apply *a)
{
    return a->state.slot;
}

static int apply_nop(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *answer)
{
    (void)tx;
    (void)e;
    (void)answer;
    return 0;
}

static ns_rule_fn *apply_rule(unsigned kind)
{
    static ns_rule_fn *const rules[] = {
        [NS_E_NOP] = apply_nop,
        [NS_E_CREATE] = ns_rule_create,
        [NS_E_LINK] = ns_rule_link,
        [NS_E_UNLINK] = ns_rule_unlink,
        [NS_E_RMDIR] = ns_rule_rmdir,
        [NS_E_RENAME] = ns_rule_rename,
        [NS_E_SETATTR] = ns_rule_setattr,
        [NS_E_SETXATTR] = ns_rule_setxattr,
        [NS_E_REMOVEXATTR] = ns_rule_removexattr,
        [NS_E_SWAP] = ns_rule_swap,
        [NS_E_FORGET] = ns_rule_forget,
        [NS_E_PUBLISH] = ns_rule_publish,
        [NS_E_RESERVE] = ns_rule_reserve,
        [NS_E_SESSION_OPEN] = ns_rule_session_open,
        [NS_E_SESSION_EXTEND] = ns_rule_session_extend,
        [NS_E_SESSION_ABORT] = ns_rule_session_abort,
        [NS_E_SESSION_TOUCH] = ns_rule_session_touch,
        [NS_E_MOUNT] = ns_rule_mount,
        [NS_E_MOUNT_END] = ns_rule_mount_end,
        [NS_E_MEDIA] = ns_rule_media,
        [NS_E_NODE_PUT] = ns_rule_node_put,
        [NS_E_COLLECTED] = ns_rule_collected,
        [NS_E_CLUSTER] = ns_rule_cluster,
        [NS_E_BRAKE] = ns_rule_brake,
        [NS_E_MEMBERS] = ns_rule_members,
        [NS_E_VIEWS] = ns_rule_views,
    };

    return kind < sizeof(rules) / sizeof(rules[0]) ? rules[kind] : NULL;
}

/* What the client was told last: 1, it asked for this before and *answer is what it was told; 0, it
 * asks for the first time. An older request is a copy that was late: -EALREADY. */
static int apply_retry(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *answer)
{
    struct ns_key key = ns_key_u64(NS_T_RETRY, e->client);
    struct ns_retry last;
    const uint8_t *value;
    size_t len;
    int r;

    if (e->client == 0)
        return 0;
    r = ns_tx_get(tx, &key, &value, &len);
    if (r == 0)
        r = ns_tx_note(tx, ns_retry_decode(value, len, &last));
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    switch (journal_retry(last.request, e->request)) {
    case JOURNAL_RETRY_NEW:
        return 0;
    case JOURNAL_RETRY_AGAIN:
        *answer = last.answer;
        return 1;
    case JOURNAL_RETRY_OLD:
        break;
    }
    return -EALREADY;
}

static void apply_keep_answer(struct ns_tx *tx, const struct ns_entry *e,
                              const struct ns_answer *answer)
{
    struct ns_key key = ns_key_u64(NS_T_RETRY, e->client);
    struct ns_retry retry = { .request = e->request, .answer = *answer };

    if (e->client != 0)
        ns_tx_put_out(tx, &key, ns_retry_encode(&retry, &tx->out));
}

/* Fill the batch and the answer. A refused entry leaves neither but its status. */
static void apply_rule_run(struct ns_apply *a, struct ns_tx *tx, const struct ns_entry *e,
                           struct ns_answer *answer)
{
    ns_rule_fn *rule = apply_rule((unsigned)e->kind);
    int r = apply_retry(tx, e, answer);

    if (r > 0)
        return;
    if (r == 0) {
        if (rule == NULL)
            r = -EINVAL;
        else if (vs_id_is_zero(&tx->state.cluster) && e->kind != NS_E_CLUSTER &&
                 e->kind != NS_E_NOP)
            r = -ENOENT; /* there is nothing yet to change */
        else
            r = rule(tx, e, answer);
        if (r < 0) {
            kv_batch_clear(a->batch);
            tx->state = a->state;
            *answer = (struct ns_answer){ 0 };
        }
        VS_ASSERT(r <= 0);
        answer->status = r;
        apply_keep_answer(tx, e, answer);
    } else {
        *answer = (struct ns_answer){ .status = r };
    }
}

/* The batch is full: add the state, write, make it ours. */
static int apply_write(struct ns_apply *a, struct ns_tx *tx, uint64_t slot)
{
    struct ns_key key = ns_key(NS_T_STATE);
    int r;

    tx->state.slot = slot;
    ns_tx_put_out(tx, &key, ns_state_encode(&tx->state, &tx->out));
    if (tx->fail < 0)
        return tx->fail;
    r = kv_write(a->kv, a->batch, false);
    if (r == 0)
        a->state = tx->state;
    return r;
}

int ns_apply_entry(struct ns_apply *a, uint64_t slot, const struct ns_entry *e,
                   struct ns_answer *ret_answer)
{
    struct ns_answer answer = { 0 };
    struct ns_tx tx;

    if (a->fail < 0)
        return a->fail;
    if (slot <= a->state.slot)
        return -EALREADY;
    if (slot != a->state.slot + 1) /* a gap in the journal: going on would forget what it held */
        return -VS_ECORRUPT;
    tx = (struct ns_tx){ .kv = a->kv, .batch = a->batch, .state = a->state, .now = e->now };
    tx.in = a->in;
    tx.out = a->out;
    apply_rule_run(a, &tx, e, &answer);
    a->fail = tx.fail < 0 ? tx.fail : apply_write(a, &tx, slot);
    if (a->fail == 0)
        feed_note(a->feed, slot, e->client, a->batch);
    kv_batch_clear(a->batch);
    a->in = tx.in; /* the buffers may have grown */
    a->out = tx.out;
    if (a->fail == 0)
        *ret_answer = answer;
    return a->fail;
}
