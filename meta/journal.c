/* journal: life of a replica, and the step: what happened goes to the role it concerns, then every
 * role does what it can do now.
 *
 * Happy path: a follower hears its leader, stores what it sends, applies what is chosen. Failure
 * modes: silence makes it a candidate; a higher ballot ends a leader; a message of another epoch
 * gets no answer but that. Nothing here can fail: what does not fit is asked for again. */
#include "meta/journal.h"
#include "common/assert.h"
#include "common/err.h"
#include "meta/journal_state.h"
#include "meta/px_mutant.h"
#include <string.h>

/* ---- life ---- */

int journal_init(struct journal *j, const struct journal_config *config,
                 const struct px_ballot *promised, uint64_t first)
{
    memset(j, 0, sizeof(*j));
    if (config->pid == 0 || config->ring < 8 || config->ring > JOURNAL_RING_MAX ||
        config->window < 1 || config->window > JOURNAL_WINDOW_MAX ||
        config->window > config->ring / 2 || config->kept > config->ring / 2 || first < 1)
        return -EINVAL;
    j->config = *config;
    memset(config->slots, 0, config->ring * sizeof(*config->slots));
    memset(config->found, 0, config->ring * sizeof(*config->found));
    j->promised = *promised;
    j->round_seen = promised->round;
    j->first = first;
    return 0;
}

void journal_close(struct journal *j)
{
    if (j->config.slots == NULL)
        return;
    for (unsigned i = 0; i < j->config.ring; i++)
        journal_entry_put(j->config.slots[i].entry);
    journal_found_clear(j);
    memset(j, 0, sizeof(*j));
}

int journal_restore(struct journal *j, uint64_t slot, const struct px_ballot *ballot,
                    struct journal_entry *entry)
{
    struct journal_slot *s = journal_at(j, slot);

    if (slot < j->first || slot - j->first >= j->config.ring || px_ballot_is_none(ballot) ||
        px_ballot_cmp(ballot, &j->promised) > 0 || !px_ballot_is_none(&s->ballot))
        return -VS_ECORRUPT;
    *s = (struct journal_slot){ .ballot = *ballot, .entry = journal_entry_get(entry) };
    j->bytes += entry != NULL ? entry->len : 0;
    if (slot > j->last)
        j->last = slot;
    return 0;
}

int journal_start(struct journal *j, int64_t now_ns, uint64_t flushed, uint64_t installed)
{
    if (flushed + 1 < j->first)
        return -VS_EFORGOT; /* truncated what the namespace does not hold */
    if (flushed >= j->first && flushed > installed &&
        px_ballot_is_none(&journal_at(j, flushed)->ballot))
        return -VS_EFORGOT; /* an entry is stored before it is applied */
    j->applying = j->applied = j->flushed = flushed;
    j->have = flushed;
    j->known = installed + 1;
    j->heard_ns = now_ns - JOURNAL_ELECTION_MIN_NS;
    j->election_ns = now_ns + JOURNAL_ELECTION_MIN_NS;
    return 0;
}

enum journal_role journal_role(const struct journal *j)
{
    return j->role;
}

uint32_t journal_leader(const struct journal *j)
{
    return j->role == JOURNAL_LEADING ? j->config.pid : j->leader.pid;
}

uint64_t journal_applied(const struct journal *j)
{
    return j->applied;
}

uint64_t journal_commit(const struct journal *j)
{
    uint64_t commit = j->role == JOURNAL_LEADING ? j->commit : j->leader_commit;

    return commit > j->applied ? commit : j->applied;
}

/* ---- what the roles share ---- */

uint64_t journal_dirty(struct journal *j)
{
    if (!j->is_dirty) {
        if (j->issued == j->persisted)
            j->stall_ns = j->now_ns;
        j->is_dirty = true;
        j->out->persist = ++j->issued;
    }
    return j->issued;
}

struct journal_peer *journal_peer(struct journal *j, uint32_t pid)
{
    for (unsigned i = 0; i < j->members; i++)
        if (j->peer[i].pid == pid)
            return &j->peer[i];
    return NULL;
}

static void journal_on_message(struct journal *j, uint32_t from, const struct journal_msg *msg);

void journal_send(struct journal *j, uint32_t to, const struct journal_msg *msg)
{
    struct journal_msg m = *msg;

    m.epoch = j->epoch;
    if (to == j->config.pid) {
        journal_on_message(j, to, &m);
        return;
    }
    if (j->out->sends == JOURNAL_SENDS_MAX) {
        j->again = true; /* as if lost: it is sent again */
        return;
    }
    j->out->send[j->out->sends++] = (struct journal_send){ .to = to, .msg = m };
}

void journal_nack(struct journal *j, uint32_t to, const struct journal_msg *request,
                  enum journal_nack reason)
{
    struct journal_msg nack = { .kind = JOURNAL_MSG_NACK,
                                .reason = reason,
                                .ballot = request->ballot,
                                .promised = j->promised,
                                .slot = j->first };

    if (reason == JOURNAL_NACK_PROMISED && px_ballot_cmp(&j->leader, &nack.promised) > 0)
        nack.promised = j->leader;
    journal_send(j, to, &nack);
}

void journal_answer(struct journal *j, uint64_t token, enum journal_answer_kind kind)
{
    VS_ASSERT(token != 0 && j->out->answers < JOURNAL_ANSWERS_MAX);
    j->out->answer[j->out->answers++] = (struct journal_answer){ .token = token, .kind = kind };
}

int64_t journal_soon_ns(struct journal *j, int64_t min_ns, int64_t max_ns)
{
    uint64_t spread = (uint64_t)(max_ns - min_ns);

    j->random = j->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return j->now_ns + min_ns + (int64_t)((j->random >> 16) % (spread + 1));
}

uint64_t journal_majority(const struct journal *j, uint64_t v[JOURNAL_REPLICAS_MAX])
{
    for (unsigned i = 1; i < j->members; i++) /* few: insertion sort, highest first */
        for (unsigned k = i; k > 0 && v[k] > v[k - 1]; k--) {
            uint64_t higher = v[k];

            v[k] = v[k - 1];
            v[k - 1] = higher;
        }
    return v[j->members / 2];
}

bool journal_is_stalled(const struct journal *j)
{
    return j->issued > j->persisted && j->now_ns - j->stall_ns > JOURNAL_STALL_NS;
}

/* ---- events ---- */

static void journal_see(struct journal *j, const struct px_ballot *b)
{
    if (b->round > j->round_seen)
        j->round_seen = b->round;
}

/* True: it is of this epoch, and to be looked at. */
static bool journal_check_epoch(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    bool is_config = msg->kind == JOURNAL_MSG_NACK && msg->reason == JOURNAL_NACK_CONFIG;

    if (msg->epoch > j->epoch) {
        j->out->config_epoch = msg->epoch;
        j->out->config_from = from;
        return false;
    }
    if (!j->is_open || !j->is_member || is_config)
        return false;
    if (msg->epoch < j->epoch) {
        if (msg->kind != JOURNAL_MSG_NACK)
            journal_nack(j, from, msg, JOURNAL_NACK_CONFIG);
        return false;
    }
    return journal_peer(j, from) != NULL;
}

static void journal_on_message(struct journal *j, uint32_t from, const struct journal_msg *msg)
{
    if (!journal_check_epoch(j, from, msg))
        return;
    journal_see(j, &msg->ballot);
    switch (msg->kind) {
    case JOURNAL_MSG_ASK:
        journal_on_ask(j, from, msg);
        break;
    case JOURNAL_MSG_ASKED:
        journal_on_asked(j, from, msg);
        break;
    case JOURNAL_MSG_PREPARE:
        journal_on_prepare(j, from, msg);
        break;
    case JOURNAL_MSG_PROMISE:
        journal_on_promise(j, from, msg);
        break;
    case JOURNAL_MSG_ACCEPT:
        journal_on_accept(j, from, msg);
        break;
    case JOURNAL_MSG_ACCEPTED:
        journal_on_accepted(j, from, msg);
        break;
    case JOURNAL_MSG_HEARTBEAT:
        journal_on_heartbeat(j, from, msg);
        break;
    case JOURNAL_MSG_HEARD:
        journal_on_heard(j, from, msg);
        break;
    case JOURNAL_MSG_NACK:
        journal_see(j, &msg->promised);
        journal_on_nack(j, from, msg);
        break;
    default:
        break; /* a newer program's word */
    }
}

static void journal_on_persisted(struct journal *j, uint64_t persist)
{
    VS_ASSERT(persist <= j->issued);
    if (persist > j->persisted) {
        j->persisted = persist;
        j->stall_ns = j->now_ns;
    }
}

static void journal_on_applied(struct journal *j, uint64_t slot)
{
    VS_ASSERT(slot >= j->applied && slot <= j->applying);
    j->applied = slot;
}

static void journal_on_flushed(struct journal *j, uint64_t slot)
{
    VS_ASSERT(slot <= j->applied);
    j->is_flushing = false;
    if (slot > j->flushed)
        j->flushed = slot;
}

static void journal_on_installed(struct journal *j, uint64_t slot)
{
    j->installing = 0;
    j->election_ns = journal_soon_ns(j, JOURNAL_ELECTION_MIN_NS, JOURNAL_ELECTION_MAX_NS);
    if (slot == 0)
        return;
    VS_ASSERT(slot >= j->applied && j->applying == j->applied);
    /* Records up to here need not be what was chosen, so they are not handed on as such. */
    if (slot > j->applied)
        j->known = slot + 1;
    j->applying = j->applied = j->flushed = slot;
    j->is_flushing = false;
}

/* An epoch change ends leadership: the promises were given by another set of replicas. */
static void journal_on_config(struct journal *j, const struct journal_event *ev)
{
    bool was_leading = j->role == JOURNAL_LEADING;

    VS_ASSERT(ev->count >= 1 && ev->count <= JOURNAL_REPLICAS_MAX && ev->epoch >= j->epoch);
    if (!(PX_MUTANT == 16 && was_leading)) {
        journal_step_down(j, JOURNAL_HEARTBEAT_NS, JOURNAL_ELECTION_MIN_NS);
        j->leader = (struct px_ballot){ 0 };
        j->leader_commit = 0;
    }
    j->promise.to = 0;
    j->ack = (struct px_ballot){ 0 }; /* answers count within one epoch */
    j->epoch = ev->epoch;
    j->is_open = ev->open;
    j->members = ev->count;
    memset(j->peer, 0, sizeof(j->peer));
    for (unsigned i = 0; i < ev->count; i++) {
        j->peer[i].pid = ev->pids[i];
        j->peer[i].heard_ns = j->now_ns;
    }
    j->is_member = journal_peer(j, j->config.pid) != NULL;
    if (j->members == 1)
        j->election_ns = j->now_ns; /* there is nobody to wait for */
}

static void journal_dispatch(struct journal *j, const struct journal_event *ev)
{
    switch (ev->kind) {
    case JOURNAL_EV_TIMER:
        break;
    case JOURNAL_EV_MESSAGE:
        journal_on_message(j, ev->from, ev->msg);
        break;
    case JOURNAL_EV_PERSISTED:
        journal_on_persisted(j, ev->persist);
        break;
    case JOURNAL_EV_APPLIED:
        journal_on_applied(j, ev->slot);
        break;
    case JOURNAL_EV_FLUSHED:
        journal_on_flushed(j, ev->slot);
        break;
    case JOURNAL_EV_PROPOSE:
        journal_propose(j, ev);
        break;
    case JOURNAL_EV_READ:
        journal_read(j, ev->token);
        break;
    case JOURNAL_EV_INSTALLED:
        journal_on_installed(j, ev->slot);
        break;
    case JOURNAL_EV_CONFIG:
        journal_on_config(j, ev);
        break;
    }
}

void journal_step(struct journal *j, const struct journal_event *ev, struct journal_actions *out)
{
    struct px_ballot before = j->promised;

    out->sends = out->puts = out->applies = out->answers = out->items = 0;
    out->persist = out->config_epoch = 0;
    out->flush = false;
    out->install_from = out->config_from = 0;
    j->out = out;
    j->now_ns = ev->now_ns;
    j->random = ev->random;
    j->is_dirty = j->again = false;

    journal_dispatch(j, ev);
    journal_acceptor_pump(j);
    journal_candidate_pump(j);
    journal_leader_pump(j);
    journal_follower_pump(j);

    VS_ASSERT(px_ballot_cmp(&j->promised, &before) >= 0); /* I3 */
    out->promised = j->promised;
    out->first = j->first;
    j->out = NULL;
}

static int64_t journal_sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t journal_wake_ns(const struct journal *j)
{
    int64_t wake = j->election_ns;

    if (j->again)
        return j->now_ns;
    if (!j->is_open || !j->is_member)
        return j->now_ns + JOURNAL_ELECTION_MAX_NS;
    switch (j->role) {
    case JOURNAL_FOLLOWER:
        break;
    case JOURNAL_ASKING:
    case JOURNAL_PREPARING:
        wake = journal_sooner(wake, j->resend_ns);
        break;
    case JOURNAL_LEADING:
        wake = j->heartbeat_ns; /* resends are looked at then */
        break;
    }
    return wake;
}
