/* What a replica tells others in a change of membership: where it stands, the registers and the
 * journal records that its acceptor holds, and that it has left an epoch.
 *
 * Failure: what cannot be answered gets a status, and is asked again. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/meta_move_impl.h"
#include "meta/ns_read.h"
#include "meta/px_msg.h"
#include <stdlib.h>
#include <string.h>

/* ---- where it stands ---- */

static int answer_one(struct meta_move *mv, const struct px_move *move, struct vs_buf *ret)
{
    struct px_head head = move_head(mv, move->epoch);
    struct px_move_out out;
    int r = px_move_begin(&out, ret, &head, move);

    return r < 0 ? r : px_move_end(&out, false);
}

static int serve_who(struct meta_move *mv, struct vs_buf *ret)
{
    struct acceptor_members now = move_now(mv);
    struct px_move state = { .kind = PX_MOVE_STATE,
                             .epoch = now.set.epoch,
                             .whole = now.stand == ACCEPTOR_VOTES,
                             .members = now.begin };
    struct vs_buf set = { 0 };
    struct ns_members known;
    int r = ns_read_members(mv->config.ns, &known);

    if (r == 0)
        state.mark = known.set.epoch;
    else if (r != -ENOENT)
        return r;
    r = member_set_encode(&now.set, &set);
    if (r == 0) {
        state.config = set.data;
        state.config_len = set.len;
        r = answer_one(mv, &state, ret);
    }
    vs_buf_close(&set);
    return r;
}

/* ---- leaving ---- */

/* Only for what the journal has decided on: two newcomers must not divide the replicas. */
static int serve_fence(struct meta_move *mv, const struct px_move *ask, struct vs_buf *ret)
{
    struct px_move fenced = { .kind = PX_MOVE_FENCED };
    struct acceptor_members now = move_now(mv);
    struct ns_members known;
    struct member_set set;
    int r = member_set_decode(ask->config, ask->config_len, &set);

    if (r == 0 && set.epoch > now.set.epoch) {
        r = ns_read_members(mv->config.ns, &known);
        if (r == -ENOENT || (r == 0 && !member_set_same(&known.set, &set)))
            r = -EAGAIN;
    }
    if (r == 0)
        r = move_leave(mv, &set);
    if (r < 0)
        return r;
    now = move_now(mv);
    if (now.set.epoch != set.epoch || now.stand != ACCEPTOR_LEFT)
        return -ESTALE;
    fenced.epoch = set.epoch;
    fenced.whole = now.whole;
    return answer_one(mv, &fenced, ret);
}

/* ---- registers ---- */

struct copy_page {
    struct px_move_out out;
    struct vs_buf storage;
    struct vs_id ids[PX_FRAME_ENTRIES_MAX];
    struct vs_id after;
    bool is_full;
    unsigned count;
};

static int copy_ids(struct meta_move *mv, struct copy_page *p, unsigned n)
{
    struct px_reg reg;
    int r = 0;

    for (unsigned i = 0; i < n && r == 0 && !p->is_full; i++) {
        r = acceptor_reg_read(mv->config.store, &p->ids[i], &reg, &p->storage);
        if (r == 0 && !px_ballot_is_none(&reg.ballot)) {
            r = px_move_add(&p->out, &p->ids[i], &reg);
            p->count += r == 0;
        }
        p->is_full = r == -EMSGSIZE;
        r = p->is_full ? 0 : r;
        if (!p->is_full)
            p->after = p->ids[i];
    }
    return r;
}

/* Until the frame is full or nothing is left: a page of nothing but promises would not tell where
 * the next one begins. */
static int copy_fill(struct meta_move *mv, struct copy_page *p, uint64_t above)
{
    int n = 1, r = 0;

    while (r == 0 && n > 0 && !p->is_full) {
        n = acceptor_reg_list_above(mv->config.store, above, &p->after, p->ids,
                                    PX_FRAME_ENTRIES_MAX);
        r = n < 0 ? n : copy_ids(mv, p, (unsigned)n);
    }
    return r;
}

/* One page of what is behind ask->after. */
static int serve_page(struct meta_move *mv, const struct px_move *ask, const struct px_move *answer,
                      struct vs_buf *ret)
{
    struct px_head head = move_head(mv, ask->epoch);
    struct copy_page *p = calloc(1, sizeof(*p));
    int r;

    if (p == NULL)
        return -ENOMEM;
    p->after = ask->after;
    r = px_move_begin(&p->out, ret, &head, answer);
    if (r == 0 && answer->records)
        r = copy_fill(mv, p, ask->above);
    if (r == 0)
        r = px_move_end(&p->out, p->is_full);
    vs_buf_close(&p->storage);
    free(p);
    return r;
}

static int serve_copy(struct meta_move *mv, const struct px_move *ask, struct vs_buf *ret)
{
    struct acceptor_members now = move_now(mv);
    uint64_t epoch = ask->rest ? ask->epoch : ask->epoch - 1;
    struct px_move copied = {
        .kind = PX_MOVE_COPIED, .records = ask->records, .rest = ask->rest, .epoch = ask->epoch
    };

    /* The rest is of who has left; the background copy of who votes in the epoch before. */
    if (epoch != now.set.epoch || ask->rest != (now.stand == ACCEPTOR_LEFT))
        return -EAGAIN;
    /* Before the first register is looked at. */
    copied.mark = !ask->rest && vs_id_is_zero(&ask->after) ? acceptor_mark(mv->config.store)
                                                           : acceptor_synced(mv->config.store);
    return serve_page(mv, ask, &copied, ret);
}

/* Only who votes: records of an epoch that this one has left prove nothing. */
static int serve_gather(struct meta_move *mv, const struct px_move *ask, struct vs_buf *ret)
{
    struct acceptor_members now = move_now(mv);
    struct px_move gathered = { .kind = PX_MOVE_GATHERED, .records = true, .epoch = ask->epoch };

    if (ask->epoch != now.set.epoch || now.stand != ACCEPTOR_VOTES)
        return -EAGAIN;
    return serve_page(mv, ask, &gathered, ret);
}

/* ---- the journal ---- */

struct tail_page {
    struct journal_item item[JOURNAL_ITEMS_MAX];
    struct journal_entry entry[JOURNAL_ITEMS_MAX];
    unsigned count;
    size_t bytes;
    uint64_t next; /* 0: that was all */
    struct vs_buf storage[JOURNAL_ITEMS_MAX];
};

static int tail_record(void *arg, uint64_t slot, const struct px_ballot *ballot,
                       const uint8_t *entry, size_t entry_len)
{
    struct tail_page *p = arg;
    unsigned n = p->count;
    int r;

    if (n == JOURNAL_ITEMS_MAX || (n > 0 && p->bytes + entry_len > JOURNAL_ITEM_BYTES_MAX)) {
        p->next = slot;
        return 1;
    }
    r = vs_buf_append(&p->storage[n], entry, entry_len, ACCEPTOR_RECORD_BYTES_MAX);
    if (r < 0)
        return r;
    p->entry[n] = (struct journal_entry){ .refs = 1,
                                          .len = (uint32_t)entry_len,
                                          .bytes = p->storage[n].data };
    p->item[n] = (struct journal_item){ .slot = slot,
                                        .ballot = *ballot,
                                        .entry = entry_len > 0 ? &p->entry[n] : NULL };
    p->count++;
    p->bytes += entry_len;
    return 0;
}

static int tail_encode(struct meta_move *mv, const struct px_move *ask, const struct tail_page *p,
                       struct vs_buf *ret)
{
    struct px_head head = move_head(mv, ask->epoch);
    uint64_t first = acceptor_first_slot(mv->config.store);
    struct journal_msg msg = { .kind = JOURNAL_MSG_PROMISE,
                               .epoch = ask->epoch,
                               .ballot = { 1, mv->config.pid, mv->config.inc },
                               .slot = ask->above,
                               .next = p->next,
                               .items = p->item,
                               .item_count = (uint16_t)p->count };

    if (ask->above < first) {
        msg.kind = JOURNAL_MSG_NACK;
        msg.reason = JOURNAL_NACK_SNAPSHOT;
        msg.slot = first;
        msg.next = 0;
        msg.item_count = 0;
    }
    return px_msg_journal_encode(&head, &msg, ret);
}

static int serve_tail(struct meta_move *mv, const struct px_move *ask, struct vs_buf *ret)
{
    struct acceptor_members now = move_now(mv);
    struct tail_page *p;
    int r;

    if (now.set.epoch != ask->epoch || ask->above == 0 ||
        now.stand != (ask->whole ? ACCEPTOR_VOTES : ACCEPTOR_LEFT))
        return -EAGAIN;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    r = acceptor_records_scan(mv->config.store, ask->above, tail_record, p);
    if (r >= 0)
        r = tail_encode(mv, ask, p, ret);
    for (unsigned n = 0; n < JOURNAL_ITEMS_MAX; n++)
        vs_buf_close(&p->storage[n]);
    free(p);
    return r;
}

/* ---- frames ---- */

static int serve_ask(struct meta_move *mv, const struct px_move *ask, struct vs_buf *ret)
{
    switch ((enum px_move_kind)ask->kind) {
    case PX_MOVE_WHO:
        return serve_who(mv, ret);
    case PX_MOVE_FENCE:
        return serve_fence(mv, ask, ret);
    case PX_MOVE_COPY:
        return serve_copy(mv, ask, ret);
    case PX_MOVE_GATHER:
        return serve_gather(mv, ask, ret);
    case PX_MOVE_TAIL:
        return serve_tail(mv, ask, ret);
    default:
        return -VS_ECORRUPT;
    }
}

static void serve_frame(struct meta_move *mv, struct meta_replica_frame *f)
{
    struct px_move_in in;
    int r = px_move_open(f->bytes, f->len, &in);

    if (r == 0 && in.head.pid != f->from)
        r = -VS_ECORRUPT;
    if (r == 0 && vs_id_cmp(&in.head.cluster, &mv->config.cluster) != 0)
        r = -ESTALE;
    if (r == 0)
        r = serve_ask(mv, &in.move, &f->answer);
    if (r < 0)
        f->answer.len = 0;
    f->status = r;
    f->done(f); /* f may be gone now */
}

void move_serve_job(struct vs_job *job)
{
    struct meta_move *mv = vs_container_of(job, struct meta_move, serve);
    struct meta_replica_frame *f;

    do {
        pthread_mutex_lock(&mv->lock);
        f = vs_list_first(&mv->asks, struct meta_replica_frame, link);
        if (f != NULL) {
            vs_list_del(&f->link);
            mv->ask_count--;
        }
        mv->is_serving = f != NULL;
        pthread_mutex_unlock(&mv->lock);
        if (f != NULL)
            serve_frame(mv, f);
    } while (f != NULL);
}
