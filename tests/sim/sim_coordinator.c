/* sim_coordinator: the coordinator of a replica carried out: requests of clients as operations,
 * their asks in frames, their answers back.
 *
 * A client whose register is busy here is not answered and asks the next replica. */
#include "common/assert.h"
#include "common/err.h"
#include "tests/sim/sim_reg.h"
#include <stddef.h>
#include <string.h>

void reg_coordinator_setup(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];
    struct px_proposer who = { .pid = rep->disk.pid,
                               .inc = rep->disk.inc,
                               .epoch = rep->disk.config.epoch,
                               .acceptors = rep->disk.config.n };

    px_coord_init(&rep->coord, &who, rep->coord_memory, REG_OPS_MAX);
    for (unsigned i = 0; i < rep->ops; i++)
        rep->op[i].used = false;
    rep->ops = 0;
    rep->wake_at = PX_COORD_NEVER_US;
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

static void op_end(struct reg_sim *s, unsigned r, struct reg_op *op)
{
    const struct px_propose *p = &op->coord.propose;
    int status = op->coord.status;
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

static struct reg_op *op_free(struct reg_replica *rep)
{
    for (unsigned i = 0; i < rep->ops; i++)
        if (!rep->op[i].used)
            return &rep->op[i];
    return rep->ops < REG_OPS_MAX ? &rep->op[rep->ops++] : NULL;
}

static void op_start(struct reg_sim *s, unsigned r, unsigned from, uint32_t client_op, unsigned i,
                     const struct reg_item *item)
{
    struct reg_replica *rep = &s->replica[r];
    struct reg_op *op = op_free(rep);
    struct px_wish wish = {
        .goal = item->what == WHAT_CREATE ? PX_CREATE
                : item->what == WHAT_LOOK ? PX_LOOK
                                          : PX_CHANGE,
        .id = s->id[item->key],
        .fresh = item->fresh,
        .value_len = sizeof(op->value),
        .fn = op_change,
        .space_len = sizeof(op->space),
    };

    if (op == NULL)
        return;
    if (world_chance(s->w, 30)) /* some callers have read before */
        wish.round = s->history.key[item->key].frontier.round;
    op->key = item->key;
    op->what = item->what;
    op->reply_to = (uint8_t)from;
    op->i = (uint8_t)i;
    op->client_op = client_op;
    op->value = item->value;
    op->expect = item->expect;
    op->floor = s->history.key[item->key].frontier;
    wish.value = (const uint8_t *)&op->value;
    wish.arg = op;
    wish.space = (uint8_t *)&op->space;
    if (item->what != WHAT_LOOK)
        wish.op = (struct px_op){ .pid = REG_CLIENT_PID + from,
                                  .inc = 1,
                                  .seq = (uint64_t)client_op * REG_BATCH_MAX + i };
    op->used = px_coord_start(&rep->coord, &op->coord, &wish, world_now(s->w)) == 0;
}

/* ---- frames ---- */

static void frame_send(struct reg_sim *s, unsigned r, unsigned to, const struct px_ask *asks,
                       unsigned n)
{
    static struct reg_frame f; /* one world runs at a time */
    struct reg_replica *rep = &s->replica[r];

    f.kind = MSG_ASK;
    f.n = (uint16_t)n;
    f.head = (struct px_head){ .epoch = rep->coord.proposer.epoch,
                               .pid = rep->coord.proposer.pid,
                               .inc = rep->coord.proposer.inc };
    for (unsigned i = 0; i < n; i++) {
        struct px_coord_op *op = px_coord_find(&rep->coord, asks[i].seq);
        int key = reg_key_of(s, &asks[i].id);

        VS_ASSERT(key >= 0);
        f.ask[i].ask = asks[i];
        if (asks[i].value.value == NULL)
            continue;
        if (op != NULL) /* NULL: decided, and recorded when the first of its asks left */
            history_proposed(&s->history, (unsigned)key, &asks[i].ballot,
                             asks[i].phase == PX_ACCEPT ? &op->propose.at
                                                        : &(struct px_ballot){ 0 },
                             &asks[i].value);
        memcpy(&f.ask[i].value, asks[i].value.value, sizeof(f.ask[i].value));
    }
    if (s->wire)
        reg_wire(s, &f, NULL);
    world_send(s->w, r, rep->disk.config.member[to], &f,
               offsetof(struct reg_frame, ask) + n * sizeof(f.ask[0]), rep->sync_at);
}

/* At the end of each handler: what is to be sent, what is done, when to wake up. */
static void coordinator_act(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];
    struct px_ask asks[REG_BATCH_MAX];
    struct px_coord_op *done;
    uint64_t wake;
    unsigned n;

    for (unsigned to = 0; to < rep->coord.proposer.acceptors; to++)
        while ((n = px_coord_take(&rep->coord, to, world_now(s->w), asks, REG_BATCH_MAX)) > 0) {
            frame_send(s, r, to, asks, n);
            if (!s->batching)
                px_coord_returned(&rep->coord, to);
        }
    while ((done = px_coord_done(&rep->coord)) != NULL)
        op_end(s, r, vs_container_of(done, struct reg_op, coord));
    wake = px_coord_wake_us(&rep->coord);
    if (wake < rep->wake_at) {
        rep->wake_at = wake;
        world_timer(s->w, r, wake > world_now(s->w) ? wake - world_now(s->w) : 0, TIMER_COORDINATOR,
                    ++rep->wake_timer);
    }
}

void reg_coordinator_request(struct reg_sim *s, unsigned r, unsigned from,
                             const struct reg_request *q)
{
    if (!s->replica[r].disk.identity)
        return;
    for (unsigned i = 0; i < q->n; i++)
        op_start(s, r, from, q->op, i, &q->item[i]);
    coordinator_act(s, r);
}

void reg_coordinator_epoch(struct reg_sim *s, unsigned r)
{
    struct reg_replica *rep = &s->replica[r];

    px_coord_epoch(&rep->coord, rep->disk.config.epoch, rep->disk.config.n, world_now(s->w));
    coordinator_act(s, r);
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
        int key = reg_key_of(s, &answer.id);

        VS_ASSERT(key >= 0);
        if (f->head.epoch == s->replica[from].disk.config.epoch)
            history_acknowledged(&s->history, (unsigned)key, from, &answer);
        answer.accepted.value = (const uint8_t *)&f->answer[i].value;
        px_coord_answer(&rep->coord, acceptor, &f->head, &answer, world_now(s->w),
                        world_rand(s->w));
    }
    px_coord_returned(&rep->coord, acceptor);
    coordinator_act(s, r);
    if (rep->coord.config)
        reg_member_learn(s, r);
    rep->coord.config = false;
}

void reg_coordinator_timer(struct reg_sim *s, unsigned r, uint64_t data)
{
    struct reg_replica *rep = &s->replica[r];

    if (data != rep->wake_timer)
        return;
    rep->wake_at = PX_COORD_NEVER_US;
    px_coord_tick(&rep->coord, world_now(s->w), world_rand(s->w));
    coordinator_act(s, r);
}
