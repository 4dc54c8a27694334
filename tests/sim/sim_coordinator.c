/* sim_coordinator: the coordinator of a replica: requests of clients as operations, their asks in
 * frames, their answers back.
 *
 * At most one operation per register is in flight here; a client that comes meanwhile is not
 * answered and asks the next replica. */
#include "common/assert.h"
#include "common/err.h"
#include "tests/sim/sim_reg.h"
#include <stddef.h>
#include <string.h>

void reg_coordinator_setup(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];

    rep->proposer = (struct px_proposer){ .pid = rep->disk.pid,
                                          .inc = rep->disk.inc,
                                          .epoch = rep->disk.config.epoch,
                                          .acceptors = rep->disk.config.n };
    for (unsigned i = 0; i < rep->ops; i++)
        rep->op[i].used = false;
    rep->ops = 0;
    rep->flushing = rep->behind = false;
    for (unsigned i = 0; i < PX_ACCEPTORS_MAX; i++)
        rep->out[i].n = 0;
}

/* ---- ids ---- */

int reg_key_of(const struct reg_sim *s, const struct vs_id *id)
{
    for (unsigned k = 0; k < s->keys; k++)
        if (memcmp(&s->id[k], id, sizeof(*id)) == 0)
            return (int)k;
    return -1;
}

bool reg_may_issue(const struct reg_sim *s, unsigned r)
{
    return world_up(s->w, r) && s->replica[r].disk.identity &&
           world_now(s->w) >= s->replica[r].awake_at;
}

int reg_issue(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];
    struct vs_id id =
        vs_id_make((uint16_t)rep->disk.pid, rep->disk.inc, ++rep->id_seq, VS_ID_CHUNK);

    if (s->keys == REG_KEYS_MAX)
        return -1;
    if (reg_key_of(s, &id) >= 0)
        world_violation(s->w, "I6 an id is given out twice");
    history_key_reset(&s->history, s->keys);
    for (unsigned i = 0; i < s->replicas; i++) {
        memset(&s->replica[i].disk.cell[s->keys], 0, sizeof(struct reg_cell));
        memset(&s->replica[i].disk.start[s->keys], 0, sizeof(struct reg_cell));
        for (unsigned j = 0; j < PX_ACCEPTORS_MAX && (s->join[i].active || s->join[i].gathering);
             j++)
            memset(&s->join[i].copy[j][s->keys], 0, sizeof(struct reg_cell));
    }
    s->id[s->keys] = id;
    return (int)s->keys++;
}

/* ---- frames ---- */

static void out_send(struct reg_sim *s, unsigned r, unsigned i)
{
    struct reg_replica *rep = &s->replica[r];
    struct reg_frame *f = &rep->out[i];

    if (f->n == 0)
        return;
    f->kind = MSG_ASK;
    f->head = (struct px_head){ .epoch = rep->proposer.epoch,
                                .pid = rep->proposer.pid,
                                .inc = rep->proposer.inc };
    if (s->wire)
        reg_wire(s, f, NULL);
    world_send(s->w, r, rep->disk.config.member[i], f,
               offsetof(struct reg_frame, ask) + f->n * sizeof(f->ask[0]), rep->sync_at);
    f->n = 0;
}

static void out_add(struct reg_sim *s, unsigned r, unsigned i, const struct px_ask *ask)
{
    struct reg_frame *f = &s->replica[r].out[i];
    struct reg_ask *to = &f->ask[f->n++];

    to->ask = *ask;
    if (ask->value.value != NULL)
        memcpy(&to->value, ask->value.value, sizeof(to->value));
    if (f->n == REG_BATCH_MAX)
        out_send(s, r, i);
}

/* At the end of a handler. */
static void out_flush(struct reg_sim *s, unsigned r, bool now)
{
    struct reg_replica *rep = &s->replica[r];
    unsigned waiting = 0;

    if (rep->behind) {
        rep->behind = false;
        reg_member_learn(s, r);
    }

    for (unsigned i = 0; i < rep->proposer.acceptors; i++) {
        if (now || s->batch_us == 0)
            out_send(s, r, i);
        waiting += rep->out[i].n;
    }
    if (waiting > 0 && !rep->flushing) {
        rep->flushing = true;
        world_timer(s->w, r, s->batch_us, TIMER_FLUSH, 0);
    }
}

/* ---- operations ---- */

static int op_change(void *arg, const uint8_t *cur, size_t cur_len, const uint8_t **ret_new,
                     size_t *ret_new_len)
{
    struct reg_op *op = arg;
    struct reg_value is = { 0 };

    if (cur != NULL) {
        VS_ASSERT(cur_len == sizeof(is));
        memcpy(&is, cur, sizeof(is));
    }
    op->made = op->value;
    switch ((enum reg_what)op->what) {
    case WHAT_TOMB:
        if (is.state == REG_TOMB)
            return 1;
        break;
    case WHAT_TOMB_ABSENT:
        if (cur != NULL)
            return is.state == REG_TOMB ? 1 : -ESTALE;
        break;
    case WHAT_RAISE:
        op->made = is;
        op->made.generation++;
        /* fall through */
    default:
        if (is.state != REG_LIVE || is.generation != op->expect.generation ||
            is.tag != op->expect.tag)
            return -ESTALE;
        break;
    }
    *ret_new = (const uint8_t *)&op->made;
    *ret_new_len = sizeof(op->made);
    return 0;
}

static void op_end(struct reg_sim *s, unsigned r, struct reg_op *op, int status)
{
    const struct px_propose *p = &op->propose;
    struct reg_reply reply = { .kind = MSG_REPLY,
                               .key = op->key,
                               .i = op->i,
                               .present = !px_ballot_is_none(&p->at),
                               .op = op->client_op,
                               .status = status };

    op->used = false;
    if (status != -ETIMEDOUT) {
        history_decided(&s->history, op->key, &p->at, &op->floor);
        if (status < 0)
            history_refused(&s->history, op->key, &p->wish.op, &p->at, p->cur.version);
        reg_decided(s, op->key);
    }
    if (reply.present && status != -ETIMEDOUT)
        memcpy(&reply.value, p->cur.value, sizeof(reply.value));
    s->decided += status == 0 && op->what != WHAT_LOOK;
    s->looked += status == 0 && op->what == WHAT_LOOK;
    world_mix(s->w, (uint64_t)op->key << 32 | (uint32_t)status);
    if (world_tracing(s->w))
        world_say(s->w, "  r%u: op %u of key %u ends: %d, (%llu,%u,%u) version %llu", r,
                  op->client_op, op->key, status, (unsigned long long)p->at.round, p->at.pid,
                  p->at.inc, (unsigned long long)p->version);
    world_send(s->w, r, op->reply_to, &reply, sizeof(reply), 0);
}

static void op_act(struct reg_sim *s, unsigned r, struct reg_op *op, const struct px_actions *a)
{
    if (a->done) {
        op_end(s, r, op, a->status);
        return;
    }
    if (a->config)
        s->replica[r].behind = true; /* acted on at the end of the handler */
    if (a->send_to != 0 && a->ask.value.value != NULL) {
        struct px_ballot parent = { 0 };

        if (a->ask.phase == PX_ACCEPT)
            parent = op->propose.at;
        history_proposed(&s->history, op->key, &a->ask.ballot, &parent, &a->ask.value);
    }
    for (unsigned i = 0; i < PX_ACCEPTORS_MAX; i++)
        if ((a->send_to & 1u << i) != 0)
            out_add(s, r, i, &a->ask);
    if (a->timer_us > 0)
        world_timer(s->w, r, a->timer_us, TIMER_OP, op->propose.seq << 24 | a->timer);
}

static struct reg_op *op_new(struct reg_replica *rep, unsigned key)
{
    struct reg_op *free = NULL;

    for (unsigned i = 0; i < rep->ops; i++) {
        if (!rep->op[i].used)
            free = &rep->op[i];
        else if (rep->op[i].key == key)
            return NULL;
    }
    if (free == NULL && rep->ops < REG_OPS_MAX)
        free = &rep->op[rep->ops++];
    return free;
}

static struct reg_op *op_find(struct reg_replica *rep, uint64_t seq)
{
    for (unsigned i = 0; i < rep->ops; i++)
        if (rep->op[i].used && rep->op[i].propose.seq == seq)
            return &rep->op[i];
    return NULL;
}

static void op_start(struct reg_sim *s, unsigned r, unsigned from, uint32_t client_op, unsigned i,
                     const struct reg_item *item)
{
    struct reg_replica *rep = &s->replica[r];
    struct reg_op *op = op_new(rep, item->key);
    struct px_actions actions;
    struct px_wish wish;

    if (op == NULL)
        return;
    op->used = true;
    op->key = item->key;
    op->what = item->what;
    op->reply_to = (uint8_t)from;
    op->i = (uint8_t)i;
    op->client_op = client_op;
    op->value = item->value;
    op->expect = item->expect;
    op->floor = s->history.key[item->key].frontier;
    wish = (struct px_wish){
        .goal = item->what == WHAT_CREATE ? PX_CREATE
                : item->what == WHAT_LOOK ? PX_LOOK
                                          : PX_CHANGE,
        .id = s->id[item->key],
        .fresh = item->fresh,
        .value = (const uint8_t *)&op->value,
        .value_len = sizeof(op->value),
        .fn = op_change,
        .arg = op,
        .space = (uint8_t *)&op->space,
        .space_len = sizeof(op->space),
    };
    if (item->what != WHAT_LOOK)
        wish.op = (struct px_op){ .pid = REG_CLIENT_PID + from,
                                  .inc = 1,
                                  .seq = (uint64_t)client_op * REG_BATCH_MAX + i };
    px_propose_start(&op->propose, &rep->proposer, &wish, &actions);
    op_act(s, r, op, &actions);
}

void reg_coordinator_request(struct reg_sim *s, unsigned r, unsigned from,
                             const struct reg_request *q)
{
    if (!s->replica[r].disk.identity)
        return;
    for (unsigned i = 0; i < q->n; i++)
        op_start(s, r, from, q->op, i, &q->item[i]);
    out_flush(s, r, false);
}

void reg_coordinator_epoch(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];

    for (unsigned i = 0; i < PX_ACCEPTORS_MAX; i++)
        rep->out[i].n = 0;
    rep->proposer.epoch = rep->disk.config.epoch;
    rep->proposer.acceptors = rep->disk.config.n;
    for (unsigned i = 0; i < rep->ops; i++) {
        struct px_actions actions;

        if (!rep->op[i].used)
            continue;
        px_propose_epoch(&rep->op[i].propose, &actions);
        op_act(s, r, &rep->op[i], &actions);
    }
    out_flush(s, r, false);
}

static unsigned acceptor_of(const struct reg_config *c, unsigned replica)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->member[i] == replica)
            return i;
    return PX_ACCEPTORS_MAX;
}

void reg_coordinator_answer(struct reg_sim *s, unsigned r, unsigned from, const struct reg_frame *f)
{
    struct reg_replica *rep = &s->replica[r];
    unsigned acceptor = acceptor_of(&rep->disk.config, from);

    if (acceptor == PX_ACCEPTORS_MAX)
        return;
    for (unsigned i = 0; i < f->n; i++) {
        struct px_answer answer = f->answer[i].answer;
        struct reg_op *op = op_find(rep, answer.seq);
        int key = reg_key_of(s, &answer.id);
        struct px_actions actions;

        VS_ASSERT(key >= 0);
        if (f->head.epoch == s->replica[from].disk.config.epoch)
            history_acknowledged(&s->history, (unsigned)key, from, &answer);
        if (op == NULL)
            continue;
        answer.accepted.value = (const uint8_t *)&f->answer[i].value;
        px_propose_answer(&op->propose, acceptor, &f->head, &answer, world_rand(s->w), &actions);
        op_act(s, r, op, &actions);
    }
    out_flush(s, r, false);
}

void reg_coordinator_timer(struct reg_sim *s, unsigned r, uint32_t kind, uint64_t data)
{
    struct reg_replica *rep = &s->replica[r];
    struct reg_op *op = kind == TIMER_OP ? op_find(rep, data >> 24) : NULL;
    struct px_actions actions;

    if (op != NULL) {
        px_propose_timer(&op->propose, data & 0xffffff, world_rand(s->w), &actions);
        op_act(s, r, op, &actions);
    }
    if (kind == TIMER_FLUSH)
        rep->flushing = false;
    out_flush(s, r, kind == TIMER_FLUSH);
}
