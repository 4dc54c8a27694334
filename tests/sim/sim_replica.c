/* sim_replica: the acceptor of a replica: its disk, its start, and frames of asks.
 *
 * Happy path: step each ask, one batch, synced, then the answers leave. Failure: an answer never
 * leaves before everything it may have seen is durable; a replica without its identity stays out.
 */
#include "common/assert.h"
#include "meta/px_mutant.h"
#include "tests/sim/sim_reg.h"
#include <stddef.h>
#include <string.h>

bool reg_is_member(const struct reg_config *c, unsigned replica)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->member[i] == replica)
            return true;
    return false;
}

/* What follows from the disk. */
void reg_replica_awake(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];
    const struct reg_config *c = &rep->disk.config;
    struct px_acceptor *a = &rep->acceptor;

    *a = (struct px_acceptor){ .epoch = c->epoch, .votes = rep->disk.votes, .members = c->n };
    for (unsigned i = 0; i < c->n; i++)
        a->member[i].pid = c->member[i] + 1u;
}

void reg_replica_setup(struct reg_sim *s, unsigned r, bool member)
{
    struct reg_replica *rep = &s->replica[r];
    struct reg_disk *d = &rep->disk;

    d->identity = d->votes = d->whole = member;
    d->newcomer = false;
    d->pid = r + 1;
    d->inc = 1;
    d->batches = 0;
    d->config = s->config;
    rep->id_seq = rep->sync_at = rep->awake_at = 0;
    rep->asking = false;
    s->join[r].active = s->join[r].gathering = false;
    reg_replica_awake(s, r);
    reg_coordinator_setup(s, r);
}

/* The disk is empty: it does not even say who this is. */
void reg_replica_wiped(struct reg_sim *s, unsigned r)
{
    struct reg_disk *d = &s->replica[r].disk;

    memset(d->cell, 0, s->keys * sizeof(d->cell[0]));
    memset(d->start, 0, s->keys * sizeof(d->start[0]));
    d->identity = d->votes = d->whole = d->newcomer = false;
    d->inc = 0;
    d->batches = 0;
    s->join[r].active = s->join[r].gathering = false;
    if (reg_is_member(&s->config, r))
        s->wiped++;
}

void reg_replica_restart(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];
    struct reg_disk *d = &rep->disk;
    uint32_t inc = d->inc + 1;

    rep->id_seq = rep->sync_at = 0;
    rep->asking = false;
    if (!d->identity && !px_may_vote(false, 1, 0))
        return; /* refuses to start as a member; the operator replaces it */
    if (!d->identity) {
        d->identity = d->votes = d->whole = true; /* M3 */
        inc = 1000 + d->inc;                      /* of ids and ballots at least it thinks */
        d->config = s->config;
    } else {
        for (unsigned k = 0; k < s->keys; k++)
            history_restarted(&s->history, k, r, &d->cell[k].reg);
    }
    world_put(s->w, r, 0, &d->inc, &inc, sizeof(inc));
    rep->awake_at = rep->sync_at = world_batch_end(s->w, r, 0, true);
    reg_replica_awake(s, r);
    reg_coordinator_setup(s, r);
    reg_member_restart(s, r);
}

static void replica_store(struct reg_sim *s, unsigned r, unsigned key, const struct px_reg *reg)
{
    struct reg_replica *rep = &s->replica[r];
    struct reg_cell cell = { .reg = *reg, .batch = rep->disk.batches + 1 };

    if (!px_ballot_is_none(&reg->ballot)) {
        VS_ASSERT(reg->accepted.value_len == sizeof(cell.value));
        memcpy(&cell.value, reg->accepted.value, sizeof(cell.value));
        cell.reg.accepted.value = (const uint8_t *)&rep->disk.cell[key].value;
    }
    world_put(s->w, r, 0, &rep->disk.cell[key], &cell, sizeof(cell));
}

/* True when the register changed. */
static bool replica_step(struct reg_sim *s, unsigned r, const struct reg_frame *f,
                         const struct reg_ask *item, struct reg_answer *ret)
{
    struct reg_replica *rep = &s->replica[r];
    struct px_ask ask = item->ask;
    int key = reg_key_of(s, &ask.id);
    struct px_reg reg;
    bool accepted;

    VS_ASSERT(key >= 0);
    ask.value.value = (const uint8_t *)&item->value;
    reg = rep->disk.cell[key].reg;
    accepted = !px_ballot_is_none(&reg.ballot);
    if (px_answer(&rep->acceptor, &f->head, &reg, &ask, &ret->answer) == PX_STORE) {
        if (ask.create && accepted)
            world_violation(s->w, "key %d: CREATE over an accepted value", key);
        replica_store(s, r, (unsigned)key, &reg);
        memcpy(&ret->value, &rep->disk.cell[key].value, sizeof(ret->value));
        return true;
    }
    memcpy(&ret->value, &rep->disk.cell[key].value, sizeof(ret->value));
    return false;
}

void reg_replica_ask(struct reg_sim *s, unsigned r, unsigned from, const struct reg_frame *f)
{
    static struct reg_frame out; /* one world runs at a time */
    struct reg_replica *rep = &s->replica[r];
    enum px_entry entry;
    bool stored = false;

    if (!rep->disk.identity)
        return;
    entry = px_admit(&rep->acceptor, &f->head, from + 1);
    if (entry == PX_NEW_EPOCH)
        reg_member_learn(s, r);
    if (entry != PX_ADMIT && entry != PX_OLD_EPOCH)
        return;
    out.kind = MSG_ANSWER;
    out.n = f->n;
    out.head = (struct px_head){ .epoch = rep->acceptor.epoch,
                                 .pid = rep->disk.pid,
                                 .inc = rep->disk.inc };
    for (unsigned i = 0; i < f->n; i++)
        stored |= replica_step(s, r, f, &f->ask[i], &out.answer[i]);
    if (stored) {
        uint64_t n = rep->disk.batches + 1;

        world_put(s->w, r, 0, &rep->disk.batches, &n, sizeof(n));
        rep->sync_at = world_batch_end(s->w, r, 0, true);
    }
    if (s->wire)
        reg_wire(s, &out, &f->head);
    world_send(s->w, r, from, &out,
               offsetof(struct reg_frame, answer) + f->n * sizeof(out.answer[0]),
               PX_MUTANT == 4 ? 0 : rep->sync_at);
}
