/* journal_leader: completes what it found, then proposes what callers ask for.
 *
 * Happy path: phase 1 is through; for every slot from its first on, the entry found (or a no-op in
 * a gap) is proposed under the new ballot, then one no-op of its own, then the callers' entries.
 * The own acceptor takes them like the others' do, and sends the rest of the way: what a member
 * lacks, also slots chosen long ago, is sent under this ballot. A slot is chosen when a majority
 * has it durably. Failure modes: any acceptor that promised a higher ballot, a majority not heard
 * for too long, the own disk not answering: it steps down, and callers are told that their entries
 * may or may not have been applied. */
#include "common/assert.h"
#include "meta/journal_state.h"
#include "meta/px_mutant.h"

/* ---- begin and end ---- */

/* I: what was applied here had been chosen, so phase 1 found it again. */
static void leader_check_found(const struct journal *j)
{
    for (uint64_t slot = j->start; slot <= j->applied; slot++)
        VS_ASSERT(slot < j->first ||
                  !px_ballot_is_none(&j->config.found[slot % j->config.ring].ballot));
}

void journal_lead(struct journal *j)
{
    leader_check_found(j);
    j->role = JOURNAL_LEADING;
    j->next = j->start;
    j->mine = j->found_last >= j->start ? j->found_last + 1 : j->start;
    j->commit = j->applied;
    j->told = 0;
    j->round = 0;
    j->heartbeat_ns = j->now_ns;
    j->reads = j->reads_head = 0;
    for (unsigned i = 0; i < j->members; i++) {
        struct journal_peer *p = &j->peer[i];

        p->have = p->flushed = p->round = 0;
        p->sent = 0;
        p->heard_ns = p->resend_ns = j->now_ns;
    }
}

void journal_leader_end(struct journal *j)
{
    for (uint64_t slot = j->applying + 1; slot < j->next; slot++) {
        struct journal_slot *s = journal_at(j, slot);

        if (s->token != 0)
            journal_answer(j, s->token, JOURNAL_UNKNOWN);
        s->token = 0;
    }
    journal_read_end(j);
}

/* ---- proposing ---- */

/* Propose in the next slot. False: there is no room, or a higher ballot was promised. */
static bool leader_put(struct journal *j, struct journal_entry *e, uint64_t token)
{
    switch (journal_accept(j, &j->ballot, j->next, e)) {
    case JOURNAL_TAKEN:
        journal_at(j, j->next)->token = token;
        break;
    case JOURNAL_BELOW: /* flushed here, and by a majority, since phase 1 began */
        VS_ASSERT(j->next <= j->flushed && token == 0);
        break;
    case JOURNAL_HELD:
    case JOURNAL_REFUSED: /* the next heartbeat will say it, too */
    case JOURNAL_FULL:
        return false;
    }
    if (px_ballot_cmp(&j->ack, &j->ballot) != 0) {
        j->ack = j->ballot; /* it is told like any acceptor's leader */
        j->acked = 0;
    }
    j->next++;
    return true;
}

static bool leader_has_room(const struct journal *j)
{
    return j->next <= j->commit + j->config.window;
}

/* What was found, no-ops in its gaps, and one no-op of its own. */
static void leader_complete(struct journal *j)
{
    while (j->next <= j->mine && leader_has_room(j)) {
        uint64_t slot = j->next;
        struct journal_slot *f = &j->config.found[slot % j->config.ring];

        if (!leader_put(j, slot < j->mine ? f->entry : NULL, 0))
            return;
        if (slot < j->mine) {
            journal_entry_put(f->entry);
            *f = (struct journal_slot){ 0 };
        }
    }
}

unsigned journal_room(const struct journal *j)
{
    uint64_t ring = j->first + j->config.ring, window = j->commit + j->config.window + 1;
    uint64_t end = window < ring ? window : ring;

    if (j->role != JOURNAL_LEADING || !j->is_open)
        return JOURNAL_ITEMS_MAX;
    if (j->next <= j->mine || j->bytes >= j->config.ring_bytes || j->next >= end)
        return 0;
    return (unsigned)(end - j->next);
}

void journal_propose(struct journal *j, const struct journal_event *ev)
{
    VS_ASSERT(ev->count <= JOURNAL_ITEMS_MAX);
    for (unsigned i = 0; i < ev->count; i++) {
        const struct journal_proposal *p = &ev->proposals[i];

        if (j->role != JOURNAL_LEADING || !j->is_open)
            journal_answer(j, p->token, JOURNAL_NOT_LEADER);
        else if (j->next <= j->mine || !leader_has_room(j) || j->bytes >= j->config.ring_bytes ||
                 !leader_put(j, p->entry, p->token))
            journal_answer(j, p->token, JOURNAL_BUSY);
    }
}

/* ---- sending ---- */

static uint64_t leader_lowest(const struct journal *j)
{
    return j->first > j->known ? j->first : j->known;
}

static void leader_notice(struct journal *j, struct journal_msg *msg)
{
    msg->ballot = j->ballot;
    msg->commit = j->commit;
    msg->safe = j->safe;
    msg->slot = leader_lowest(j);
}

static bool leader_item(struct journal *j, uint64_t slot, struct journal_msg *msg, size_t *bytes)
{
    const struct journal_slot *s = journal_at(j, slot);

    VS_ASSERT(!px_ballot_is_none(&s->ballot));
    *bytes += s->entry != NULL ? s->entry->len : 0;
    if (msg->item_count == JOURNAL_ITEMS_MAX || j->out->items == JOURNAL_OUT_ITEMS ||
        (msg->item_count > 0 && *bytes > JOURNAL_ITEM_BYTES_MAX))
        return false;
    j->out->item[j->out->items++] =
        (struct journal_item){ .slot = slot, .ballot = j->ballot, .entry = s->entry };
    msg->item_count++;
    return true;
}

/* One message of what this member lacks and is not on its way. */
static void leader_send(struct journal *j, struct journal_peer *p)
{
    struct journal_msg msg = { .kind = JOURNAL_MSG_ACCEPT };
    size_t bytes = 0;
    uint64_t slot;

    if (!p->is_met || p->at + 1 < leader_lowest(j))
        return; /* a heartbeat asks, or tells it to take a snapshot */
    if (p->sent > p->at + 1 && j->now_ns >= p->resend_ns)
        p->sent = p->at + 1;
    if (p->sent < p->at + 1)
        p->sent = p->at + 1;
    if (p->sent >= j->next || p->sent > p->at + j->config.window)
        return;
    leader_notice(j, &msg);
    msg.items = &j->out->item[j->out->items];
    for (slot = p->sent; slot < j->next && slot <= p->at + j->config.window; slot++)
        if (!leader_item(j, slot, &msg, &bytes)) {
            j->again = true;
            break;
        }
    if (msg.item_count == 0)
        return;
    p->sent = slot;
    p->resend_ns = j->now_ns + JOURNAL_RESEND_NS;
    journal_send(j, p->pid, &msg);
}

void journal_heartbeat(struct journal *j, bool notice)
{
    struct journal_msg msg = { .kind = JOURNAL_MSG_HEARTBEAT };

    if (!notice) {
        j->round++;
        j->heartbeat_ns = j->now_ns + (j->members == 1 ? JOURNAL_ALONE_NS : JOURNAL_HEARTBEAT_NS);
    }
    leader_notice(j, &msg);
    msg.round = notice ? 0 : j->round;
    j->told = j->commit;
    for (unsigned i = 0; i < j->members && j->role == JOURNAL_LEADING; i++) {
        struct journal_peer *p = &j->peer[i];

        if (PX_MUTANT == 24 && p->pid == j->config.pid) {
            p->round = j->round;
            p->heard_ns = j->now_ns;
            continue;
        }
        if (p->pid != j->config.pid || !notice)
            journal_send(j, p->pid, &msg);
    }
}

/* ---- hearing ---- */

static struct journal_peer *leader_met(struct journal *j, uint32_t from,
                                       const struct journal_msg *msg)
{
    struct journal_peer *p = journal_peer(j, from);

    if (j->role != JOURNAL_LEADING || px_ballot_cmp(&msg->ballot, &j->ballot) != 0)
        return NULL;
    if (!p->is_met || msg->have > p->at)
        p->resend_ns = j->now_ns + JOURNAL_RESEND_NS;
    p->is_met = true;
    p->at = msg->have; /* may be lower than it was: it started again, or this message is old */
    if (msg->have > p->have)
        p->have = msg->have;
    p->flushed = msg->flushed;
    return p;
}

void journal_on_accepted(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    leader_met(j, from, msg);
}

void journal_on_heard(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    struct journal_peer *p = leader_met(j, from, msg);

    if (p == NULL || msg->round > j->round)
        return;
    if (msg->round > p->round)
        p->round = msg->round;
    p->heard_ns = j->now_ns;
}

/* A slot is chosen when a majority has accepted it with this ballot, or applied it. */
static void leader_choose(struct journal *j)
{
    uint64_t have[JOURNAL_REPLICAS_MAX], flushed[JOURNAL_REPLICAS_MAX], chosen, safe;

    for (unsigned i = 0; i < j->members; i++) {
        have[i] = j->peer[i].have;
        flushed[i] = j->peer[i].flushed;
    }
    chosen = journal_majority(j, have);
    safe = journal_majority(j, flushed);
    if (chosen >= j->next)
        chosen = j->next - 1;
    if (chosen > j->commit)
        j->commit = chosen;
    if (safe > j->safe)
        j->safe = safe;
}

static bool leader_is_lonely(const struct journal *j)
{
    unsigned near = 0;

    if (j->members == 1)
        return false; /* however long the process was stopped */
    for (unsigned i = 0; i < j->members; i++)
        near += j->now_ns - j->peer[i].heard_ns <= JOURNAL_LONELY_NS;
    return near <= j->members / 2;
}

/* Its disk hangs, and others have what it cannot apply. When all disks are slow, another leader
 * would be no better. */
static bool leader_is_slow(const struct journal *j)
{
    return j->members > 1 && journal_is_stalled(j) && j->commit > j->applying;
}

void journal_leader_pump(struct journal *j)
{
    if (j->role != JOURNAL_LEADING || !j->is_open)
        return;
    if (leader_is_lonely(j) || leader_is_slow(j)) {
        journal_step_down(j, JOURNAL_ELECTION_MIN_NS, JOURNAL_ELECTION_MAX_NS);
        return;
    }
    leader_choose(j);
    leader_complete(j);
    /* What is sent is what the own acceptor holds. Once that has promised a higher ballot, it may
     * hold another leader's entries: they must not go out under this one. */
    for (unsigned i = 0; i < j->members && px_ballot_cmp(&j->promised, &j->ballot) == 0; i++)
        if (j->peer[i].pid != j->config.pid)
            leader_send(j, &j->peer[i]);
    if (j->role == JOURNAL_LEADING && j->now_ns >= j->heartbeat_ns)
        journal_heartbeat(j, false);
    else if (j->role == JOURNAL_LEADING && j->commit > j->told)
        journal_heartbeat(j, true);
    if (j->role == JOURNAL_LEADING)
        journal_read_pump(j);
}
