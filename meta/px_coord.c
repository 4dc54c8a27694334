/* px_coord: see the header.
 *
 * Happy path: start, one frame per acceptor, answers, done. Failure modes are those of px_propose;
 * here only the lack of room, which is told, and asks that nobody needs any more, which do not
 * leave: an operation that is done, or asks for something else, takes its old asks back.
 *
 * Operations are found by register and by number in two hash tables, and by time in a heap; every
 * one in flight has a timer, so the heap has them all. */
#include "meta/px_coord.h"
#include "common/assert.h"
#include "common/err.h"
#include <string.h>

int px_coord_init(struct px_coord *c, const struct px_proposer *who, struct px_coord_op **memory,
                  unsigned ops_max)
{
    if (ops_max < 1 || ops_max > PX_COORD_OPS_MAX)
        return -EINVAL;
    *c = (struct px_coord){ .proposer = *who, .ops_max = ops_max, .buckets = 1 };
    while (c->buckets * 2 <= ops_max)
        c->buckets *= 2;
    c->heap = memory;
    c->ids = memory + ops_max;
    c->seqs = memory + 2 * ops_max;
    memset(memory, 0, PX_COORD_MEMORY(ops_max) * sizeof(memory[0]));
    for (unsigned i = 0; i < PX_ACCEPTORS_MAX; i++)
        vs_list_init(&c->out[i].ops);
    vs_list_init(&c->done);
    return 0;
}

/* ---- by register, by number ---- */

static struct px_coord_op **bucket_of_id(const struct px_coord *c, const struct vs_id *id)
{
    uint64_t mix = (vs_id_seq(id) ^ (uint64_t)vs_id_inc(id) << 32 ^ (uint64_t)vs_id_pid(id) << 16) *
                   UINT64_C(0x9e3779b97f4a7c15);

    return &c->ids[(mix >> 32) & (c->buckets - 1)];
}

static struct px_coord_op **bucket_of_seq(const struct px_coord *c, uint64_t seq)
{
    return &c->seqs[seq & (c->buckets - 1)];
}

struct px_coord_op *px_coord_find(const struct px_coord *c, uint64_t seq)
{
    struct px_coord_op *op = *bucket_of_seq(c, seq);

    while (op != NULL && op->propose.seq != seq)
        op = op->next_seq;
    return op;
}

static bool is_busy(const struct px_coord *c, const struct vs_id *id)
{
    struct px_coord_op *op = *bucket_of_id(c, id);

    while (op != NULL && vs_id_cmp(&op->propose.wish.id, id) != 0)
        op = op->next_id;
    return op != NULL;
}

static void tables_add(struct px_coord *c, struct px_coord_op *op)
{
    struct px_coord_op **id = bucket_of_id(c, &op->propose.wish.id);
    struct px_coord_op **seq = bucket_of_seq(c, op->propose.seq);

    op->next_id = *id;
    *id = op;
    op->next_seq = *seq;
    *seq = op;
}

static void tables_remove(struct px_coord *c, struct px_coord_op *op)
{
    struct px_coord_op **id = bucket_of_id(c, &op->propose.wish.id);
    struct px_coord_op **seq = bucket_of_seq(c, op->propose.seq);

    while (*id != op)
        id = &(*id)->next_id;
    *id = op->next_id;
    while (*seq != op)
        seq = &(*seq)->next_seq;
    *seq = op->next_seq;
}

/* ---- by time ---- */

static bool is_before(const struct px_coord_op *a, const struct px_coord_op *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->propose.seq < b->propose.seq;
}

static void heap_set(struct px_coord *c, unsigned at, struct px_coord_op *op)
{
    c->heap[at] = op;
    op->heap_at = at;
}

/* The operation at `at` has another time, or is another one. */
static void heap_settle(struct px_coord *c, unsigned at)
{
    struct px_coord_op *op = c->heap[at];

    while (at > 0 && is_before(op, c->heap[(at - 1) / 2])) {
        heap_set(c, at, c->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        unsigned next = 2 * at + 1;

        if (next + 1 < c->ops && is_before(c->heap[next + 1], c->heap[next]))
            next++;
        if (next >= c->ops || !is_before(c->heap[next], op))
            break;
        heap_set(c, at, c->heap[next]);
        at = next;
    }
    heap_set(c, at, op);
}

static void heap_remove(struct px_coord *c, unsigned at)
{
    struct px_coord_op *last = c->heap[--c->ops];

    if (at == c->ops)
        return;
    heap_set(c, at, last);
    heap_settle(c, at);
}

/* ---- what waits to leave ---- */

static void out_remove(struct px_coord *c, struct px_coord_op *op)
{
    for (unsigned i = 0; i < PX_ACCEPTORS_MAX; i++) {
        if (vs_list_empty(&op->out[i]))
            continue;
        vs_list_del(&op->out[i]);
        c->out[i].waiting--;
    }
}

static void out_add(struct px_coord *c, struct px_coord_op *op, uint32_t to, uint64_t now_us)
{
    for (unsigned i = 0; i < c->proposer.acceptors; i++) {
        struct px_coord_out *out = &c->out[i];

        if ((to & 1u << i) == 0)
            continue;
        if (out->waiting++ == 0)
            out->since_us = now_us;
        vs_list_add_tail(&out->ops, &op->out[i]);
    }
}

static bool out_may_leave(const struct px_coord_out *out, uint64_t now_us, unsigned max)
{
    return out->waiting > 0 && (out->frames == 0 || out->waiting >= max ||
                                now_us >= out->since_us + PX_COORD_GATHER_US);
}

unsigned px_coord_take(struct px_coord *c, unsigned to, uint64_t now_us, struct px_ask *asks,
                       unsigned max)
{
    struct px_coord_out *out = &c->out[to];
    unsigned n = 0;

    VS_ASSERT(to < PX_ACCEPTORS_MAX && max > 0);
    if (!out_may_leave(out, now_us, max))
        return 0;
    while (n < max && !vs_list_empty(&out->ops)) {
        struct vs_list *first = out->ops.next - to; /* of the operation's nodes */
        struct px_coord_op *op = vs_container_of(first, struct px_coord_op, out);

        asks[n++] = op->ask;
        vs_list_del(&op->out[to]);
        out->waiting--;
    }
    out->frames++;
    return n;
}

void px_coord_returned(struct px_coord *c, unsigned to)
{
    VS_ASSERT(to < PX_ACCEPTORS_MAX);
    if (c->out[to].frames > 0)
        c->out[to].frames--;
}

/* ---- operations ---- */

/* What a majority has accepted, the others shall have too. */
static bool is_worth_sending(const struct px_coord_op *op, int status)
{
    return status != -ETIMEDOUT && (op->ask.phase == PX_ACCEPT0 || op->ask.phase == PX_ACCEPT);
}

static void act(struct px_coord *c, struct px_coord_op *op, const struct px_actions *a,
                uint64_t now_us)
{
    c->config |= a->config;
    if (a->send_to != 0 || (a->done && !is_worth_sending(op, a->status)))
        out_remove(c, op); /* what it asked before does not matter any more */
    if (a->send_to != 0) {
        op->ask = a->ask;
        out_add(c, op, a->send_to, now_us);
    }
    if (a->timer_us > 0) {
        op->due_us = now_us + a->timer_us;
        op->timer = a->timer;
        heap_settle(c, op->heap_at);
    }
    if (a->done) {
        op->status = a->status;
        tables_remove(c, op);
        heap_remove(c, op->heap_at);
        vs_list_add_tail(&c->done, &op->done);
    }
}

int px_coord_start(struct px_coord *c, struct px_coord_op *op, const struct px_wish *wish,
                   uint64_t now_us)
{
    struct px_actions actions;

    if (is_busy(c, &wish->id))
        return -EBUSY;
    if (c->ops == c->ops_max)
        return -EAGAIN;
    for (unsigned i = 0; i < PX_ACCEPTORS_MAX; i++)
        vs_list_init(&op->out[i]);
    vs_list_init(&op->done);
    px_propose_start(&op->propose, &c->proposer, wish, &actions);
    op->due_us = now_us + actions.timer_us;
    tables_add(c, op);
    heap_set(c, c->ops++, op);
    heap_settle(c, op->heap_at);
    act(c, op, &actions, now_us);
    return 0;
}

bool px_coord_cancel(struct px_coord *c, struct px_coord_op *op)
{
    if (px_coord_find(c, op->propose.seq) != op)
        return false;
    out_remove(c, op);
    tables_remove(c, op);
    heap_remove(c, op->heap_at);
    return true;
}

void px_coord_answer(struct px_coord *c, unsigned from, const struct px_head *head,
                     const struct px_answer *answer, uint64_t now_us, uint64_t draw)
{
    struct px_coord_op *op = px_coord_find(c, answer->seq);
    struct px_actions actions;

    if (op == NULL || from >= c->proposer.acceptors)
        return;
    px_propose_answer(&op->propose, from, head, answer, draw, &actions);
    act(c, op, &actions, now_us);
}

void px_coord_tick(struct px_coord *c, uint64_t now_us, uint64_t draw)
{
    unsigned n = c->ops; /* each at most once */

    while (n-- > 0 && c->ops > 0 && c->heap[0]->due_us <= now_us) {
        struct px_coord_op *op = c->heap[0];
        struct px_actions actions;

        px_propose_timer(&op->propose, op->timer, draw ^ op->propose.seq * 0x9e3779b97f4a7c15,
                         &actions);
        VS_ASSERT(actions.done || actions.timer_us > 0); /* else it would be due for ever */
        act(c, op, &actions, now_us);
    }
}

uint64_t px_coord_wake_us(const struct px_coord *c)
{
    uint64_t wake = c->ops > 0 ? c->heap[0]->due_us : PX_COORD_NEVER_US;

    for (unsigned i = 0; i < c->proposer.acceptors; i++) {
        uint64_t due = c->out[i].since_us + PX_COORD_GATHER_US;

        if (c->out[i].waiting > 0 && due < wake)
            wake = due;
    }
    return wake;
}

void px_coord_epoch(struct px_coord *c, uint64_t epoch, unsigned acceptors, uint64_t now_us)
{
    c->config = false;
    if (epoch <= c->proposer.epoch)
        return;
    c->proposer.epoch = epoch;
    c->proposer.acceptors = acceptors;
    for (unsigned i = 0; i < PX_ACCEPTORS_MAX; i++) {
        while (!vs_list_empty(&c->out[i].ops))
            vs_list_del(c->out[i].ops.next);
        c->out[i].waiting = c->out[i].frames = 0;
    }
    for (unsigned i = 0; i < c->buckets; i++) {
        struct px_coord_op *op = c->seqs[i], *next;

        for (; op != NULL; op = next) {
            struct px_actions actions;

            next = op->next_seq;
            px_propose_epoch(&op->propose, &actions);
            act(c, op, &actions, now_us);
        }
    }
}

struct px_coord_op *px_coord_done(struct px_coord *c)
{
    struct px_coord_op *op = vs_list_first(&c->done, struct px_coord_op, done);

    for (unsigned i = 0; op != NULL && i < PX_ACCEPTORS_MAX; i++)
        if (!vs_list_empty(&op->out[i]))
            return NULL; /* at most PX_COORD_GATHER_US */
    if (op != NULL)
        vs_list_del(&op->done);
    return op;
}
