/* journal_follower: hears a leader, applies what is chosen, keeps the log short.
 *
 * Happy path: the leader of ballot b says that slots up to c are chosen; a slot up to c is applied
 * when this replica's own record carries b and is durable, in slot order. A record of a lower
 * ballot may be another entry: the leader sends its own again, also for slots long chosen. Failure
 * modes: what the leader cannot send any more comes as a snapshot; a leader of a lower ballot than
 * one heard before is none. */
#include "common/assert.h"
#include "meta/journal_state.h"
#include "meta/px_mutant.h"

/* ---- hearing ---- */

/* Fetch a snapshot; what is being applied must be through before it can take the place. */
void journal_install(struct journal *j, uint32_t from)
{
    if (j->installing != 0 || j->applying != j->applied || from == j->config.pid)
        return; /* asked again by the next message */
    j->installing = from;
    j->out->install_from = from;
}

bool journal_follow(struct journal *j, const struct journal_msg *msg)
{
    int c = px_ballot_cmp(&msg->ballot, &j->leader);

    if (c < 0)
        return false;
    if (c > 0) {
        j->leader = msg->ballot;
        j->leader_commit = 0;
    }
    /* A candidate of a higher ballot goes on: a majority would promise it. */
    if (j->role == JOURNAL_ASKING ||
        (j->role != JOURNAL_FOLLOWER && px_ballot_cmp(&msg->ballot, &j->ballot) > 0))
        journal_step_down(j, 0, 0);
    if (msg->commit > j->leader_commit)
        j->leader_commit = msg->commit;
    if (msg->safe > j->safe)
        j->safe = msg->safe;
    j->heard_ns = j->now_ns;
    if (j->role == JOURNAL_FOLLOWER)
        j->election_ns = journal_soon_ns(j, JOURNAL_ELECTION_MIN_NS, JOURNAL_ELECTION_MAX_NS);
    if (j->applied + 1 < msg->slot && j->role == JOURNAL_FOLLOWER)
        journal_install(j, msg->ballot.pid);
    return true;
}

/* Answered at once, whatever the disk does. An acceptor confirms b only while it has promised
 * nothing higher; a leader's own acceptor is asked here like the others. A leader that hears a
 * higher one does not stop by hearsay: its acceptor takes the ballot, which a majority has
 * promised, and says so when it is asked. */
void journal_on_heartbeat(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    struct journal_msg heard = {
        .kind = JOURNAL_MSG_HEARD, .ballot = msg->ballot, .round = msg->round, .flushed = j->flushed
    };
    int c = px_ballot_cmp(&msg->ballot, &j->promised);

    if (msg->ballot.pid != from)
        return;
    if (c < 0 || (j->role != JOURNAL_LEADING && !journal_follow(j, msg))) {
        journal_nack(j, from, msg, JOURNAL_NACK_PROMISED);
        return;
    }
    if (c > 0) {
        j->promised = msg->ballot;
        journal_dirty(j);
    }
    heard.have = journal_have(j, &msg->ballot);
    if (msg->round != 0)
        journal_send(j, from, &heard);
}

/* ---- applying ---- */

static void follower_apply(struct journal *j)
{
    bool is_leading = j->role == JOURNAL_LEADING;
    const struct px_ballot *b = is_leading ? &j->ballot : &j->leader;
    uint64_t chosen = is_leading ? j->commit : j->leader_commit;

    if (j->installing != 0)
        return;
    while (j->applying < chosen && j->applying < j->last) {
        struct journal_slot *s = journal_at(j, j->applying + 1);

        if (j->applying + 1 < j->first || px_ballot_is_none(&s->ballot) ||
            s->persist > j->persisted)
            break;
        if (px_ballot_cmp(&s->ballot, b) != 0 && PX_MUTANT != 23)
            break;
        if (j->out->applies == JOURNAL_APPLIES_MAX ||
            j->applying - j->applied >= JOURNAL_APPLIES_MAX)
            break; /* goes on when these are applied */
        j->applying++;
        j->out->apply[j->out->applies++] =
            (struct journal_apply){ .slot = j->applying, .entry = s->entry, .token = s->token };
        s->token = 0;
    }
}

/* ---- keeping it short ---- */

static void follower_flush(struct journal *j)
{
    uint64_t unflushed = j->applied - j->flushed;
    bool is_many = unflushed >= j->config.ring / 4 || unflushed >= JOURNAL_FLUSH_MAX ||
                   (j->bytes > j->config.ring_bytes / 2 && unflushed > 0);

    if (is_many && !j->is_flushing && j->installing == 0) {
        j->is_flushing = true;
        j->out->flush = true;
    }
}

void journal_follower_pump(struct journal *j)
{
    if (!j->is_open || !j->is_member)
        return;
    follower_apply(j);
    follower_flush(j);
    journal_truncate(j);
}
