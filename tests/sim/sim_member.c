/* sim_member: changes of membership: the newcomer that collects what the new epoch begins with, and
 * members that leave the old one.
 *
 * Happy path: copy in the background, fence, take the rest, open. Failure: a newcomer that dies
 * begins again; a member that comes late asks the newcomer what the epoch began with before it
 * votes. The configuration itself is a journal entry: whoever looks it up gets the newest. */
#include "common/assert.h"
#include "meta/px_fence.h"
#include "meta/px_mutant.h"
#include "tests/sim/sim_reg.h"
#include <stddef.h>
#include <string.h>

#define JOIN_TICK_US  (5 * WORLD_MS)
#define JOIN_COPY_MAX 6 /* ticks of background copying */
#define JOIN_WAIT_MAX 4 /* more, for all that stay to be fenced */

static struct reg_records out; /* one world runs at a time */

static size_t records_bytes(const struct reg_records *m)
{
    return offsetof(struct reg_records, record) + m->n * sizeof(m->record[0]);
}

static unsigned index_of(const struct reg_config *c, unsigned replica)
{
    unsigned i = 0;

    while (i < c->n && c->member[i] != replica)
        i++;
    return i;
}

static void cell_put(struct reg_sim *s, unsigned r, struct reg_cell *to, const struct px_reg *reg,
                     const struct reg_value *value)
{
    struct reg_cell cell = { .reg = *reg, .batch = s->replica[r].disk.batches + 1 };

    if (!px_ballot_is_none(&reg->ballot)) {
        cell.value = *value;
        cell.reg.accepted.value = (const uint8_t *)&to->value;
    }
    world_put(s->w, r, 0, to, &cell, sizeof(cell));
}

static void batch_end(struct reg_sim *s, unsigned r)
{
    struct reg_disk *d = &s->replica[r].disk;
    uint64_t n = d->batches + 1;

    world_put(s->w, r, 0, &d->batches, &n, sizeof(n));
    s->replica[r].sync_at = world_batch_end(s->w, r, 0, true);
}

static void put_bool(struct reg_sim *s, unsigned r, bool *to, bool value)
{
    world_put(s->w, r, 0, to, &value, sizeof(value));
}

/* What is accepted in these cells and was stored by a batch above. */
static void add_records(struct reg_sim *s, const struct reg_cell *cells, uint64_t above)
{
    for (unsigned k = 0; k < s->keys; k++) {
        if (cells[k].batch <= above || px_ballot_is_none(&cells[k].reg.ballot))
            continue;
        out.record[out.n].key = (uint8_t)k;
        out.record[out.n].reg = cells[k].reg;
        out.record[out.n++].value = cells[k].value;
    }
}

/* ---- leaving an epoch ---- */

static void ask_newcomer(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];

    if (rep->asking || rep->disk.votes || rep->disk.newcomer)
        return;
    if (!reg_is_member(&rep->disk.config, r))
        return;
    rep->asking = true;
    world_timer(s->w, r, 2 * JOIN_TICK_US, TIMER_JOIN, 0);
}

void reg_member_learn(struct reg_sim *s, unsigned r)
{
    struct reg_disk *d = &s->replica[r].disk;
    struct reg_config config = s->coming;

    if (!d->identity || config.epoch <= d->config.epoch)
        return;
    put_bool(s, r, &d->whole, d->votes && config.epoch == d->config.epoch + 1);
    put_bool(s, r, &d->votes, false);
    put_bool(s, r, &d->newcomer, false);
    world_put(s->w, r, 0, &d->config, &config, sizeof(config));
    batch_end(s, r);
    world_say(s->w, "  r%u leaves epoch %u", r, (unsigned)config.epoch - 1);
    s->join[r].active = s->join[r].gathering = false;
    reg_replica_awake(s, r);
    reg_coordinator_epoch(s, r);
    ask_newcomer(s, r);
}

static void on_fence(struct reg_sim *s, unsigned r, unsigned from, const struct reg_records *m)
{
    struct reg_disk *d = &s->replica[r].disk;
    struct reg_records reply = { .kind = MSG_FENCED };

    if (!d->identity)
        return;
    if (m->epoch > d->config.epoch)
        reg_member_learn(s, r);
    if (m->epoch != d->config.epoch)
        return;
    reply.epoch = m->epoch;
    reply.whole = d->whole;
    world_send(s->w, r, from, &reply, records_bytes(&reply), s->replica[r].sync_at);
}

static void on_copy(struct reg_sim *s, unsigned r, unsigned from, const struct reg_records *m)
{
    struct reg_disk *d = &s->replica[r].disk;

    if (!d->identity || (m->rest && m->epoch != d->config.epoch && PX_MUTANT != 11))
        return;
    if (!m->rest && m->epoch != d->config.epoch + 1)
        return; /* in the background: only what belongs to the epoch before */
    out = (struct reg_records){ .kind = MSG_COPIED };
    out.records = m->records;
    out.rest = m->rest;
    out.epoch = m->epoch;
    out.mark = d->batches;
    if (m->records)
        add_records(s, d->cell, m->above);
    world_send(s->w, r, from, &out, records_bytes(&out), s->replica[r].sync_at);
}

/* ---- the newcomer ---- */

static void join_begin(struct reg_sim *s, unsigned r)
{
    struct reg_join *j = &s->join[r];

    j->active = true;
    j->ticks = 0;
    j->from = s->config;
    px_fence_begin(&j->fence, j->from.n);
    for (unsigned i = 0; i < j->from.n; i++)
        memset(j->copy[i], 0, s->keys * sizeof(j->copy[i][0]));
    world_timer(s->w, r, 1, TIMER_JOIN, 0);
}

static void join_ask(struct reg_sim *s, unsigned r, unsigned i, enum reg_msg_kind kind, bool rest,
                     uint64_t above)
{
    struct reg_join *j = &s->join[r];
    struct reg_records ask = { .kind = (uint8_t)kind };

    ask.epoch = s->replica[r].disk.config.epoch;
    ask.rest = rest;
    ask.above = above;
    ask.records = rest || px_fence_wants_copy(&j->fence, i);
    world_send(s->w, r, j->from.member[i], &ask, records_bytes(&ask), 0);
}

/* Best is to wait a little for all that stay; some newcomers are hasty. */
static bool join_closes(struct reg_sim *s, unsigned r)
{
    struct reg_join *j = &s->join[r];
    const struct reg_config *to = &s->replica[r].disk.config;

    for (unsigned i = 0; i < j->from.n && j->ticks < JOIN_COPY_MAX + JOIN_WAIT_MAX; i++)
        if (reg_is_member(to, j->from.member[i]) && (j->fence.fenced & 1u << i) == 0 && !s->hasty)
            return false;
    return px_fence_close(&j->fence);
}

static void join_tick(struct reg_sim *s, unsigned r)
{
    struct reg_join *j = &s->join[r];
    bool copying = j->ticks++ < JOIN_COPY_MAX && world_chance(s->w, 75);
    uint64_t above;

    for (unsigned i = 0; i < j->from.n && copying; i++)
        if ((j->fence.marked & 1u << i) == 0)
            join_ask(s, r, i, MSG_COPY, false, 0);
    if (!copying && !join_closes(s, r))
        for (unsigned i = 0; i < j->from.n; i++)
            if ((j->fence.fenced & 1u << i) == 0 && PX_MUTANT != 11 &&
                (!s->hasty || world_chance(s->w, 40)))
                join_ask(s, r, i, MSG_FENCE, false, 0);
    for (unsigned i = 0; i < j->from.n && !copying; i++)
        if (px_fence_wants_rest(&j->fence, i, &above))
            join_ask(s, r, i, MSG_COPY, true, above);
    world_timer(s->w, r, JOIN_TICK_US, TIMER_JOIN, 0);
}

/* I8: nobody can form a quorum of the epoch before any more. */
static void check_fenced(struct reg_sim *s, const struct reg_config *from)
{
    unsigned left = 0;

    for (unsigned i = 0; i < from->n; i++) {
        const struct reg_disk *d = &s->replica[from->member[i]].disk;

        left += d->identity && d->votes && d->config.epoch == from->epoch;
    }
    if (left * 2 > from->n)
        world_violation(s->w, "I8 epoch %u opens, and %u of %u acceptors still vote in the last",
                        (unsigned)from->epoch + 1, left, from->n);
}

static void join_open(struct reg_sim *s, unsigned r)
{
    struct reg_join *j = &s->join[r];
    struct reg_disk *d = &s->replica[r].disk;
    uint8_t fence = 0;

    for (unsigned k = 0; k < s->keys; k++) {
        struct px_reg start = { 0 };

        for (unsigned i = 0; i < j->from.n; i++)
            if (px_fence_counts(&j->fence, i))
                px_fence_merge(&start, &j->copy[i][k].reg);
        cell_put(s, r, &d->cell[k], &start, (const struct reg_value *)start.accepted.value);
        cell_put(s, r, &d->start[k], &start, (const struct reg_value *)start.accepted.value);
        history_replaced(&s->history, k, r);
    }
    for (unsigned i = 0; i < j->from.n; i++)
        if ((j->fence.members & 1u << i) != 0)
            fence |= (uint8_t)(1u << j->from.member[i]);
    world_put(s->w, r, 0, &d->fence, &fence, sizeof(fence));
    put_bool(s, r, &d->votes, true);
    put_bool(s, r, &d->whole, true);
    batch_end(s, r);
    world_say(s->w, "  epoch %u opens, F = %x", (unsigned)d->config.epoch, fence);
    check_fenced(s, &j->from);
    j->active = false;
    s->config = d->config;
    s->wiped = 0;
    reg_replica_awake(s, r);
}

static void on_copied(struct reg_sim *s, unsigned r, unsigned from, const struct reg_records *m)
{
    struct reg_join *j = &s->join[r];
    unsigned i = index_of(&j->from, from);

    if (!j->active || m->epoch != s->replica[r].disk.config.epoch || i == j->from.n)
        return;
    if (!m->rest && ((j->fence.marked & 1u << i) != 0 || j->fence.members != 0))
        return; /* came twice, or too late */
    for (unsigned n = 0; n < m->n; n++) {
        struct reg_cell *to = &j->copy[i][m->record[n].key];

        to->reg = m->record[n].reg;
        to->value = m->record[n].value;
        to->reg.accepted.value = (const uint8_t *)&to->value;
    }
    if (m->rest)
        px_fence_taken(&j->fence, i);
    else
        px_fence_copied(&j->fence, i, m->records, m->mark);
    if (px_fence_may_open(&j->fence))
        join_open(s, r);
}

static void on_fenced(struct reg_sim *s, unsigned r, unsigned from, const struct reg_records *m)
{
    struct reg_join *j = &s->join[r];
    unsigned i = index_of(&j->from, from);

    if (j->active && m->epoch == s->replica[r].disk.config.epoch && i < j->from.n)
        px_fence_fenced(&j->fence, i, m->whole);
}

/* ---- opening ---- */

static void on_open(struct reg_sim *s, unsigned r, unsigned from, const struct reg_records *m)
{
    struct reg_disk *d = &s->replica[r].disk;

    if (!d->identity || !d->newcomer || !d->votes || m->epoch != d->config.epoch)
        return;
    out = (struct reg_records){ .kind = MSG_OPENED };
    out.epoch = m->epoch;
    out.fence = d->fence;
    add_records(s, d->start, 0);
    world_send(s->w, r, from, &out, records_bytes(&out), s->replica[r].sync_at);
}

static void begin_with(struct reg_sim *s, unsigned r, unsigned key, const struct px_reg *start)
{
    struct reg_cell *cell = &s->replica[r].disk.cell[key];
    struct px_reg own = cell->reg;
    struct reg_value value = { 0 };

    px_fence_adopt(&own, start);
    if (!px_ballot_is_none(&own.ballot))
        memcpy(&value, own.accepted.value, sizeof(value));
    cell_put(s, r, cell, &own, &value);
    history_replaced(&s->history, key, r);
}

static void vote(struct reg_sim *s, unsigned r, const char *with)
{
    struct reg_disk *d = &s->replica[r].disk;

    world_say(s->w, "  r%u votes in epoch %u with the records of %s", r, (unsigned)d->config.epoch,
              with);
    s->join[r].gathering = false;
    put_bool(s, r, &d->votes, true);
    batch_end(s, r);
    reg_replica_awake(s, r);
}

static void gather_begin(struct reg_sim *s, unsigned r)
{
    struct reg_join *j = &s->join[r];

    if (j->gathering)
        return;
    j->gathering = true;
    j->gathered = 0;
    memset(j->copy[0], 0, s->keys * sizeof(j->copy[0][0]));
}

static void on_opened(struct reg_sim *s, unsigned r, const struct reg_records *m)
{
    struct reg_disk *d = &s->replica[r].disk;

    if (!d->identity || d->votes || d->newcomer || m->epoch != d->config.epoch)
        return;
    if ((m->fence >> r & 1) != 0) {
        vote(s, r, "its own"); /* they were whole when it left the last epoch */
        return;
    }
    if (s->gather && !s->join[r].gathering) {
        gather_begin(s, r);
        return;
    }
    for (unsigned k = 0, n = 0; k < s->keys; k++) {
        struct px_reg start = { 0 };

        if (n < m->n && m->record[n].key == k) {
            start = m->record[n].reg;
            start.accepted.value = (const uint8_t *)&m->record[n++].value;
        }
        begin_with(s, r, k, &start);
    }
    vote(s, r, "F");
}

/* ---- late members that ask whoever votes ---- */

static void on_gather(struct reg_sim *s, unsigned r, unsigned from, const struct reg_records *m)
{
    struct reg_disk *d = &s->replica[r].disk;

    if (!d->identity || !d->votes || m->epoch != d->config.epoch)
        return;
    out = (struct reg_records){ .kind = MSG_GATHERED };
    out.epoch = m->epoch;
    add_records(s, d->cell, 0);
    world_send(s->w, r, from, &out, records_bytes(&out), s->replica[r].sync_at);
}

static void on_gathered(struct reg_sim *s, unsigned r, unsigned from, const struct reg_records *m)
{
    struct reg_disk *d = &s->replica[r].disk;
    struct reg_join *j = &s->join[r];

    if (!j->gathering || m->epoch != d->config.epoch || (j->gathered >> from & 1) != 0)
        return;
    j->gathered |= (uint8_t)(1u << from);
    for (unsigned n = 0; n < m->n; n++) {
        struct reg_cell *to = &j->copy[0][m->record[n].key];
        struct px_ballot was = to->reg.ballot;

        px_fence_merge(&to->reg, &m->record[n].reg);
        if (px_ballot_cmp(&was, &to->reg.ballot) == 0)
            continue;
        to->value = m->record[n].value;
        to->reg.accepted.value = (const uint8_t *)&to->value;
    }
    if (__builtin_popcount(j->gathered) * 2 <= d->config.n)
        return;
    for (unsigned k = 0; k < s->keys; k++)
        begin_with(s, r, k, &j->copy[0][k].reg);
    vote(s, r, "a majority that votes");
}

/* ---- all that ---- */

void reg_member_begin(struct reg_sim *s, unsigned r)
{
    if (s->replica[r].disk.newcomer)
        join_begin(s, r);
    else
        ask_newcomer(s, r);
}

void reg_member_message(struct reg_sim *s, unsigned to, unsigned from, const struct reg_records *m)
{
    switch ((enum reg_msg_kind)m->kind) {
    case MSG_COPY:
        on_copy(s, to, from, m);
        break;
    case MSG_COPIED:
        on_copied(s, to, from, m);
        break;
    case MSG_FENCE:
        on_fence(s, to, from, m);
        break;
    case MSG_FENCED:
        on_fenced(s, to, from, m);
        break;
    case MSG_OPEN:
        on_open(s, to, from, m);
        break;
    case MSG_GATHER:
        on_gather(s, to, from, m);
        break;
    case MSG_GATHERED:
        on_gathered(s, to, from, m);
        break;
    default:
        on_opened(s, to, m);
        break;
    }
}

void reg_member_timer(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];
    struct reg_records ask = { .kind = MSG_OPEN };

    if (s->join[r].active) {
        join_tick(s, r);
        return;
    }
    rep->asking = false;
    if (!rep->disk.identity || rep->disk.votes || rep->disk.newcomer)
        return;
    reg_member_learn(s, r);
    ask.epoch = rep->disk.config.epoch;
    if (s->join[r].gathering && world_chance(s->w, 70)) { /* there may be no majority yet */
        ask.kind = MSG_GATHER;
        for (unsigned i = 0; i < rep->disk.config.n; i++)
            world_send(s->w, r, rep->disk.config.member[i], &ask, records_bytes(&ask), 0);
    } else {
        world_send(s->w, r, s->newcomer, &ask, records_bytes(&ask), 0);
    }
    ask_newcomer(s, r);
}

void reg_member_restart(struct reg_sim *s, unsigned r)
{
    const struct reg_disk *d = &s->replica[r].disk;

    s->join[r].active = s->join[r].gathering = false;
    if (d->newcomer && !d->votes)
        join_begin(s, r);
    else
        ask_newcomer(s, r);
}
