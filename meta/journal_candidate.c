/* journal_candidate: a replica that heard no leader for too long stands itself.
 *
 * Happy path: it asks whether a majority would promise (nothing changes by that, so a replica that
 * is merely cut off disturbs nobody), then runs phase 1 from its durably applied slot on, collects
 * for every slot the record of the highest ballot, and leads. Failure modes: a higher ballot or a
 * live leader ends the attempt; so does a member that no longer keeps the first slot asked for: a
 * snapshot is installed first (an answer without those slots must never count). Every attempt has a
 * new ballot. */
#include "common/assert.h"
#include "meta/journal_state.h"

#define CANDIDATE_RETRY_MIN_NS (5 * JOURNAL_MS)
#define CANDIDATE_RETRY_MAX_NS (100 * JOURNAL_MS)

/* ---- asked ---- */

/* Heard from a leader other than `from` so lately that it must be alive. */
static bool candidate_has_leader(const struct journal *j, uint32_t from)
{
    if (j->role == JOURNAL_LEADING)
        return from != j->config.pid;
    return j->leader.pid != 0 && j->leader.pid != from &&
           j->now_ns - j->heard_ns < JOURNAL_ELECTION_MIN_NS;
}

void journal_on_ask(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    struct journal_msg yes = { .kind = JOURNAL_MSG_ASKED, .ballot = msg->ballot };

    if (candidate_has_leader(j, from))
        journal_nack(j, from, msg, JOURNAL_NACK_HEARD);
    else if (px_ballot_cmp(&msg->ballot, &j->promised) <= 0)
        journal_nack(j, from, msg, JOURNAL_NACK_PROMISED);
    else if (msg->slot < j->first)
        journal_nack(j, from, msg, JOURNAL_NACK_SNAPSHOT);
    else
        journal_send(j, from, &yes);
}

/* ---- standing ---- */

void journal_found_clear(struct journal *j)
{
    for (uint64_t slot = j->start; slot <= j->found_last; slot++) {
        struct journal_slot *f = &j->config.found[slot % j->config.ring];

        journal_entry_put(f->entry);
        *f = (struct journal_slot){ 0 };
    }
    j->found_last = 0;
}

void journal_step_down(struct journal *j, int64_t min_ns, int64_t max_ns)
{
    if (j->role == JOURNAL_LEADING)
        journal_leader_end(j);
    journal_found_clear(j);
    j->role = JOURNAL_FOLLOWER;
    j->election_ns = journal_soon_ns(j, min_ns, max_ns);
}

static unsigned candidate_bit(const struct journal *j, const struct journal_peer *p)
{
    return 1u << (p - j->peer);
}

/* To those that have not answered yet. */
static void candidate_send(struct journal *j)
{
    enum journal_role role = j->role;
    struct journal_msg msg = { .ballot = j->ballot };

    j->resend_ns = j->now_ns + JOURNAL_RESEND_NS;
    for (unsigned i = 0; i < j->members && j->role == role; i++) {
        struct journal_peer *p = &j->peer[i];

        if (role == JOURNAL_ASKING) {
            msg.kind = JOURNAL_MSG_ASK;
            msg.slot = j->start;
            if (!(j->yes & candidate_bit(j, p)))
                journal_send(j, p->pid, &msg);
        } else if (!p->is_done) {
            msg.kind = JOURNAL_MSG_PREPARE;
            msg.slot = p->next;
            journal_send(j, p->pid, &msg);
        }
    }
}

static void candidate_stand(struct journal *j, enum journal_role role)
{
    journal_found_clear(j);
    j->role = role;
    j->ballot = (struct px_ballot){ .round = j->round_seen + 1,
                                    .pid = j->config.pid,
                                    .inc = j->config.inc };
    j->start = j->flushed + 1;
    j->yes = 0;
    if (role == JOURNAL_PREPARING)
        j->round_seen = j->ballot.round; /* used now */
    for (unsigned i = 0; i < j->members; i++) {
        j->peer[i].is_done = false;
        j->peer[i].is_met = false;
        j->peer[i].next = j->start;
    }
    /* Promises wait for disks; with a new ballot the waiting would begin anew. */
    j->election_ns = role == JOURNAL_PREPARING
                         ? journal_soon_ns(j, JOURNAL_PREPARE_MIN_NS, JOURNAL_PREPARE_MAX_NS)
                         : journal_soon_ns(j, JOURNAL_ELECTION_MIN_NS, JOURNAL_ELECTION_MAX_NS);
    candidate_send(j);
}

void journal_on_asked(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    struct journal_peer *p = journal_peer(j, from);

    if (j->role != JOURNAL_ASKING || px_ballot_cmp(&msg->ballot, &j->ballot) != 0)
        return;
    j->yes |= candidate_bit(j, p);
    if ((unsigned)__builtin_popcount(j->yes) > j->members / 2)
        candidate_stand(j, JOURNAL_PREPARING);
}

/* The record of the highest ballot counts. False: further ahead than there is room for; a replica
 * that has all this may lead. */
static bool candidate_merge(struct journal *j, const struct journal_msg *msg)
{
    for (unsigned i = 0; i < msg->item_count; i++) {
        const struct journal_item *item = &msg->items[i];
        struct journal_slot *f = &j->config.found[item->slot % j->config.ring];

        if (item->slot < j->start)
            continue;
        if (item->slot - j->start >= j->config.ring)
            return false;
        if (px_ballot_cmp(&item->ballot, &f->ballot) <= 0)
            continue;
        journal_entry_get(item->entry);
        journal_entry_put(f->entry);
        *f = (struct journal_slot){ .ballot = item->ballot, .entry = item->entry };
        if (item->slot > j->found_last)
            j->found_last = item->slot;
    }
    return true;
}

void journal_on_promise(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    struct journal_peer *p = journal_peer(j, from);
    unsigned done = 0;

    if (j->role != JOURNAL_PREPARING || px_ballot_cmp(&msg->ballot, &j->ballot) != 0 ||
        p->is_done || msg->slot != p->next)
        return;
    if (!candidate_merge(j, msg)) {
        journal_step_down(j, JOURNAL_ELECTION_MIN_NS, JOURNAL_ELECTION_MAX_NS);
        return;
    }
    if (msg->next != 0) {
        struct journal_msg more = { .kind = JOURNAL_MSG_PREPARE,
                                    .ballot = j->ballot,
                                    .slot = msg->next };

        p->next = msg->next;
        journal_send(j, from, &more);
        return;
    }
    p->is_done = true;
    p->is_met = true;
    p->at = msg->have;
    for (unsigned i = 0; i < j->members; i++)
        done += j->peer[i].is_done;
    if (done > j->members / 2)
        journal_lead(j);
}

/* ---- refused ---- */

/* Slots from the one asked for on are gone at `from`. */
static void candidate_gone(struct journal *j, uint32_t from, uint64_t first)
{
    if (first <= j->flushed + 1) {
        journal_step_down(j, CANDIDATE_RETRY_MIN_NS, CANDIDATE_RETRY_MAX_NS);
    } else if (first <= j->applied + 1) { /* only not flushed yet */
        journal_step_down(j, CANDIDATE_RETRY_MIN_NS, CANDIDATE_RETRY_MAX_NS);
        j->is_flushing = true;
        j->out->flush = true;
    } else {
        journal_step_down(j, JOURNAL_ELECTION_MIN_NS, JOURNAL_ELECTION_MAX_NS);
        journal_install(j, from);
    }
}

static void candidate_on_nack(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    switch (msg->reason) {
    case JOURNAL_NACK_PROMISED:
        if (j->role == JOURNAL_PREPARING)
            journal_step_down(j, CANDIDATE_RETRY_MIN_NS, CANDIDATE_RETRY_MAX_NS);
        else /* only asked: ask higher, not sooner than the others would */
            j->resend_ns = j->now_ns + JOURNAL_RESEND_NS;
        break;
    case JOURNAL_NACK_SNAPSHOT:
        if (msg->slot > j->start)
            candidate_gone(j, from, msg->slot);
        break;
    default:
        break; /* HEARD: somebody leads; it will be heard here, too, or asked again */
    }
}

/* A leader is told of its end here: by any acceptor, its own included. */
static void leader_on_nack(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    if (msg->reason == JOURNAL_NACK_PROMISED && px_ballot_cmp(&msg->promised, &j->ballot) > 0) {
        journal_step_down(j, CANDIDATE_RETRY_MIN_NS, CANDIDATE_RETRY_MAX_NS);
    } else if (msg->reason == JOURNAL_NACK_SNAPSHOT && msg->slot > j->commit + 1) {
        /* Others have chosen, flushed and forgotten what is still to be chosen here. */
        journal_step_down(j, JOURNAL_ELECTION_MIN_NS, JOURNAL_ELECTION_MAX_NS);
        journal_install(j, from);
    }
}

void journal_on_nack(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    if (px_ballot_cmp(&msg->ballot, &j->ballot) != 0)
        return;
    if (j->role == JOURNAL_LEADING)
        leader_on_nack(j, from, msg);
    else if (j->role != JOURNAL_FOLLOWER)
        candidate_on_nack(j, from, msg);
}

/* ---- time ---- */

void journal_candidate_pump(struct journal *j)
{
    if (!j->is_open || !j->is_member || j->role == JOURNAL_LEADING)
        return;
    if (j->now_ns >= j->election_ns && j->members == 1 && j->role == JOURNAL_PREPARING) {
        j->election_ns = j->now_ns + JOURNAL_PREPARE_MAX_NS; /* only its own disk can end that */
    } else if (j->now_ns >= j->election_ns) {
        if (j->installing != 0 || (j->members > 1 && journal_is_stalled(j))) {
            journal_step_down(j, JOURNAL_ELECTION_MIN_NS, JOURNAL_ELECTION_MAX_NS);
            return;
        }
        VS_ASSERT(j->first <= j->flushed + 1);
        candidate_stand(j, JOURNAL_ASKING);
    } else if (j->role != JOURNAL_FOLLOWER && j->now_ns >= j->resend_ns) {
        candidate_send(j);
    }
}
