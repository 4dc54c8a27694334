/* px_propose: see the header.
 *
 * Happy path: a fresh id is asked for once and decided; a change is promised, computed, accepted.
 * Failure: a refusal or a silence begins again with a higher round after a back-off that grows and
 * is drawn; after PX_ATTEMPTS_MAX the outcome is unknown. What has to be right, and often is not:
 *  - an answer counts only for the very operation, epoch, phase and ballot it repeats;
 *  - a value that is only reported, by a refused compare-and-set or a read, must be a chosen one:
 * it is written again unless everybody who promised has accepted it with the same ballot;
 *  - a restart may find its own change done: the last operations are part of the register. */
#include "meta/px_propose.h"
#include "common/assert.h"
#include "common/err.h"
#include "meta/px_mutant.h"
#include <string.h>

#define ASK0_REPEATS 3

static bool is_majority(const struct px_propose *p, uint32_t mask)
{
    return (unsigned)__builtin_popcount(mask) * 2 > p->proposer->acceptors;
}

static uint32_t everybody(const struct px_propose *p)
{
    return (1u << p->proposer->acceptors) - 1;
}

static void set_timer(struct px_propose *p, uint32_t us, struct px_actions *ret)
{
    ret->timer_us = us;
    ret->timer = ++p->timer;
}

static void finish(struct px_propose *p, int status, struct px_actions *ret)
{
    p->state = PX_DONE;
    p->timer++;
    *ret = (struct px_actions){ .done = true, .status = status };
}

static void send(struct px_propose *p, enum px_phase phase, uint32_t to, struct px_actions *ret)
{
    ret->send_to = to;
    ret->ask = (struct px_ask){
        .id = p->wish.id, .seq = p->seq, .phase = (uint8_t)phase, .ballot = p->ballot
    };
    if (phase == PX_ACCEPT0 || phase == PX_ACCEPT)
        ret->ask.value = p->next;
    if (phase == PX_ACCEPT)
        ret->ask.create = px_ballot_is_none(&p->at);
}

static void enter(struct px_propose *p, enum px_state state)
{
    p->state = state;
    p->said_yes = p->said_no = 0;
}

/* For the answers to what is asked now. Silence may be a slow disk: whoever asks again and again
 * with a new ballot would never hear an answer to the last one. */
static void set_patience(struct px_propose *p, struct px_actions *ret)
{
    unsigned doublings = p->attempts > 0 ? p->attempts - 1 : 0;

    set_timer(
        p,
        PX_PATIENCE_US << (doublings < PX_PATIENCE_DOUBLINGS ? doublings : PX_PATIENCE_DOUBLINGS),
        ret);
}

/* ---- beginning ---- */

static void begin_fresh(struct px_propose *p, struct px_actions *ret)
{
    struct px_accepted absent = { 0 };

    enter(p, PX_ASKING0);
    p->ballot = (struct px_ballot){ .pid = p->proposer->pid, .inc = p->proposer->inc };
    if (PX_MUTANT == 9)
        p->ballot.inc = vs_id_inc(&p->wish.id);
    p->next = px_follow(&absent, &p->wish.op, p->wish.value, p->wish.value_len);
    send(p, PX_ACCEPT0, everybody(p), ret);
    set_patience(p, ret);
}

static void begin_classic(struct px_propose *p, struct px_actions *ret)
{
    if (p->attempts++ >= PX_ATTEMPTS_MAX) {
        finish(p, -ETIMEDOUT, ret);
        return;
    }
    enter(p, PX_PREPARING);
    p->ballot = (struct px_ballot){ .round = ++p->round_seen,
                                    .pid = p->proposer->pid,
                                    .inc = p->proposer->inc };
    p->at = (struct px_ballot){ 0 };
    p->cur = (struct px_accepted){ 0 };
    p->uniform = true;
    send(p, PX_PREPARE, everybody(p), ret);
    set_patience(p, ret);
}

static void begin_read(struct px_propose *p, struct px_actions *ret)
{
    enter(p, PX_READING);
    /* Tells this life's answers from those to the same number in a former one. */
    p->ballot = (struct px_ballot){ .pid = p->proposer->pid, .inc = p->proposer->inc };
    p->at = (struct px_ballot){ 0 };
    p->cur = (struct px_accepted){ 0 };
    send(p, PX_READ, everybody(p), ret);
    set_timer(p, PX_HEDGE_US, ret);
}

/* Round 0 is for the very process that made the id, in the same life, and for one value. */
static bool may_skip_phase_1(const struct px_propose *p)
{
    const struct px_wish *wish = &p->wish;

    if (wish->goal != PX_CREATE || vs_id_pid(&wish->id) != p->proposer->pid)
        return false;
    return (wish->fresh && vs_id_inc(&wish->id) == p->proposer->inc) || PX_MUTANT == 9;
}

static void begin(struct px_propose *p, struct px_actions *ret)
{
    p->epoch = p->proposer->epoch;
    if (p->wish.goal == PX_LOOK || p->wish.goal == PX_HINT)
        begin_read(p, ret);
    else if (may_skip_phase_1(p))
        begin_fresh(p, ret);
    else
        begin_classic(p, ret);
}

/* Refused: somebody else is at it. 1, 2, 4 .. 64 ms, half of it drawn. */
static void back_off(struct px_propose *p, uint64_t draw, struct px_actions *ret)
{
    unsigned doublings = p->attempts > 0 ? p->attempts - 1 : 0;
    uint32_t us = PX_BACKOFF_MAX_US;

    if (doublings < 6)
        us = PX_BACKOFF_MIN_US << doublings;
    enter(p, PX_WAITING);
    set_timer(p, us / 2 + (uint32_t)(draw % (us / 2 + 1)), ret);
}

/* ---- answers ---- */

/* Keep the value of an answer as the current one. */
static bool keep(struct px_propose *p, const struct px_answer *a)
{
    p->at = a->accepted_at;
    p->cur = a->accepted;
    p->version = a->accepted.version;
    if (p->wish.space == NULL)
        return true;
    if (a->accepted.value_len > p->wish.space_len)
        return false;
    if (a->accepted.value_len > 0)
        memcpy(p->wish.space, a->accepted.value, a->accepted.value_len);
    p->cur.value = p->wish.space;
    return true;
}

static int create_over(struct px_propose *p)
{
    struct px_accepted wanted = { .value = p->wish.value, .value_len = p->wish.value_len };

    if (px_ballot_is_none(&p->at)) {
        p->next = px_follow(&p->cur, &p->wish.op, p->wish.value, p->wish.value_len);
        return 0;
    }
    p->result = px_same_value(&p->cur, &wanted) ? 0 : -VS_EEXISTS_OTHER;
    return 1;
}

/* 0: p->next is what the wish makes of the current value; 1: it stays as it is, with p->result. */
static int follow(struct px_propose *p)
{
    bool absent = px_ballot_is_none(&p->at);
    const uint8_t *value = NULL;
    size_t value_len = 0;
    uint64_t mine = px_op_version(&p->cur, &p->wish.op);
    int r;

    p->result = 0;
    p->version = mine != 0 ? mine : p->cur.version;
    if (mine != 0 || p->wish.goal == PX_LOOK || p->wish.goal == PX_HINT)
        return 1;
    if (p->wish.goal == PX_CREATE)
        return create_over(p);
    r = p->wish.fn(p->wish.arg, absent ? NULL : p->cur.value, absent ? 0 : p->cur.value_len, &value,
                   &value_len);
    p->result = r < 0 ? r : 0;
    if (r != 0)
        return 1;
    p->next = px_follow(&p->cur, &p->wish.op, value, value_len);
    return 0;
}

static void promised_by_majority(struct px_propose *p, struct px_actions *ret)
{
    if (follow(p) != 0) {
        if (p->uniform || PX_MUTANT == 8) { /* chosen already, or nothing is */
            finish(p, p->result, ret);
            return;
        }
        p->next = p->cur;
    } else {
        p->version = p->next.version;
    }
    enter(p, PX_ACCEPTING);
    send(p, PX_ACCEPT, everybody(p), ret);
    set_patience(p, ret);
}

static void on_promise(struct px_propose *p, unsigned from, const struct px_answer *a,
                       struct px_actions *ret)
{
    uint32_t bit = 1u << from;
    int order = px_ballot_cmp(&a->accepted_at, &p->at);

    if ((p->said_yes & bit) != 0)
        return;
    if (p->said_yes != 0 && order != 0)
        p->uniform = false;
    if (order > 0 && !keep(p, a)) {
        finish(p, -EMSGSIZE, ret);
        return;
    }
    p->said_yes |= bit;
    if (is_majority(p, p->said_yes))
        promised_by_majority(p, ret);
}

static void on_accepted(struct px_propose *p, unsigned from, struct px_actions *ret)
{
    p->said_yes |= 1u << from;
    if (!is_majority(p, p->said_yes))
        return;
    if (p->state == PX_ASKING0) {
        p->result = 0;
        p->version = p->next.version;
    }
    /* I2: what is chosen was made from what was chosen before, or is that. */
    VS_ASSERT(p->next.version - p->cur.version <= 1);
    p->cur = p->next;
    p->at = p->ballot;
    finish(p, p->result, ret);
}

static void on_read(struct px_propose *p, unsigned from, const struct px_answer *a,
                    struct px_actions *ret)
{
    unsigned same = 0;

    p->said[from] = a->accepted_at;
    p->said_yes |= 1u << from;
    for (unsigned i = 0; i < p->proposer->acceptors; i++)
        if ((p->said_yes & 1u << i) != 0)
            same += px_ballot_cmp(&p->said[i], &a->accepted_at) == 0;
    if (PX_MUTANT == 5 && px_ballot_cmp(&a->accepted_at, &p->at) > 0)
        keep(p, a);
    if (PX_MUTANT == 5 && is_majority(p, p->said_yes)) {
        finish(p, 0, ret);
        return;
    }
    if (p->wish.goal == PX_HINT && !px_ballot_is_none(&a->accepted_at)) {
        finish(p, keep(p, a) ? 0 : -EMSGSIZE, ret);
        return;
    }
    /* A majority that has accepted the same ballot has chosen it; the answer at hand is one of it.
     */
    if (same * 2 > p->proposer->acceptors)
        finish(p, keep(p, a) ? 0 : -EMSGSIZE, ret);
    else if ((p->said_yes | p->said_no) == everybody(p))
        begin_classic(p, ret);
}

static void on_refusal(struct px_propose *p, unsigned from, const struct px_answer *a,
                       uint64_t draw, struct px_actions *ret)
{
    uint32_t bit = 1u << from;

    if (a->phase == PX_PREPARE && (p->said_yes & bit) != 0)
        return; /* the network delivered it twice; the first answer counts */
    if (a->promised.round > p->round_seen)
        p->round_seen = a->promised.round;
    if ((p->said_yes & bit) == 0)
        p->said_no |= bit;
    if (is_majority(p, everybody(p) & ~p->said_no))
        return;
    if (p->state == PX_ASKING0)
        begin_classic(p, ret);
    else
        back_off(p, draw, ret);
}

static const uint8_t phase_of[] = { [PX_ASKING0] = PX_ACCEPT0,
                                    [PX_PREPARING] = PX_PREPARE,
                                    [PX_ACCEPTING] = PX_ACCEPT,
                                    [PX_READING] = PX_READ,
                                    [PX_DONE] = 0 };

static bool answer_counts(const struct px_propose *p, const struct px_head *head,
                          const struct px_answer *a)
{
    if (a->seq != p->seq || phase_of[p->state] == 0)
        return false;
    if (PX_MUTANT == 7)
        return true;
    return head->epoch == p->epoch && a->phase == phase_of[p->state] &&
           px_ballot_cmp(&a->ballot, &p->ballot) == 0 && vs_id_cmp(&a->id, &p->wish.id) == 0;
}

void px_propose_answer(struct px_propose *p, unsigned from, const struct px_head *head,
                       const struct px_answer *a, uint64_t draw, struct px_actions *ret)
{
    *ret = (struct px_actions){ 0 };
    VS_ASSERT(from < p->proposer->acceptors);
    if (a->word == PX_SAYS_EPOCH) {
        ret->config = a->seq == p->seq && head->epoch > p->epoch && p->state != PX_DONE;
        return;
    }
    if (!answer_counts(p, head, a))
        return;
    if (a->word != PX_SAYS_OK)
        on_refusal(p, from, a, draw, ret);
    else if (p->state == PX_PREPARING)
        on_promise(p, from, a, ret);
    else if (p->state == PX_READING)
        on_read(p, from, a, ret);
    else
        on_accepted(p, from, ret);
}

/* ---- silence, and the rest ---- */

void px_propose_timer(struct px_propose *p, uint32_t timer, uint64_t draw, struct px_actions *ret)
{
    *ret = (struct px_actions){ 0 };
    if (timer != p->timer || p->state == PX_DONE)
        return;
    switch (p->state) {
    case PX_ASKING0:
        if (p->attempts++ >= ASK0_REPEATS) {
            begin_classic(p, ret);
            break;
        }
        send(p, PX_ACCEPT0, everybody(p) & ~p->said_yes, ret);
        set_patience(p, ret);
        break;
    case PX_WAITING:
    case PX_READING:
        begin_classic(p, ret);
        break;
    default:
        p->attempts++;
        back_off(p, draw, ret);
        break;
    }
}

void px_propose_epoch(struct px_propose *p, struct px_actions *ret)
{
    *ret = (struct px_actions){ 0 };
    if (p->state != PX_DONE && p->epoch != p->proposer->epoch)
        begin(p, ret);
}

void px_propose_start(struct px_propose *p, struct px_proposer *proposer,
                      const struct px_wish *wish, struct px_actions *ret)
{
    *ret = (struct px_actions){ 0 };
    VS_ASSERT(proposer->acceptors >= 1 && proposer->acceptors <= PX_ACCEPTORS_MAX);
    VS_ASSERT(wish->goal != PX_CHANGE || wish->fn != NULL);
    *p = (struct px_propose){
        .proposer = proposer, .wish = *wish, .seq = ++proposer->seq, .round_seen = wish->round
    };
    begin(p, ret);
}
