/* lin_check: the search for an order that explains all answers of one key.
 *
 * Happy path: calls and answers are one list in the order of time. The first call whose answer fits
 * the value of the moment takes effect: its two entries leave the list and the search begins anew
 * at the front. Nobody's effect may come after his own answer, so an answer that is met means that
 * the last choice was wrong: it is taken back. Choices that lead to a (set of effects, value) met
 * before are not tried again, which is what keeps the search short.
 * Failure modes: memory for configurations is bounded; beyond it the search says so. */
#include "tests/lin/lin_check.h"

#include "common/assert.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX  (2 * LIN_OPS_MAX)
#define FRONT       EVENTS_MAX /* list's head */
#define SET_WORDS   (LIN_OPS_MAX / 64)
#define NO_CONFIG   UINT32_MAX
#define SLOTS_FIRST 1024u

struct config {
    uint64_t set[SET_WORDS]; /* operations that took effect */
    uint64_t value;
};

/* Configurations met before: open addressing over an array that grows. */
struct memo {
    struct config *configs;
    uint32_t count, room;
    uint32_t *slots; /* index into configs, or NO_CONFIG; a power of two of them */
    uint32_t slot_count;
};

struct event {
    uint16_t op;
    bool is_answer;
    uint16_t prev, next;
    uint16_t answer; /* of a call: the answer's event, or FRONT when none came */
};

struct search {
    const struct lin_op *ops;
    struct event events[EVENTS_MAX + 1];
    struct config now;
    struct memo memo;
    uint16_t chosen[LIN_OPS_MAX]; /* events of the calls that took effect, in order */
    uint64_t before[LIN_OPS_MAX]; /* the value before each */
    unsigned chosen_count;
    unsigned answers_left, answers_left_best;
};

static uint64_t config_hash(const struct config *c)
{
    uint64_t h = c->value;

    for (unsigned i = 0; i < SET_WORDS; i++) {
        h = (h ^ c->set[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

static bool config_same(const struct config *a, const struct config *b)
{
    return a->value == b->value && memcmp(a->set, b->set, sizeof(a->set)) == 0;
}

static uint32_t *memo_slot(const struct memo *m, const struct config *c)
{
    uint32_t i = (uint32_t)config_hash(c) & (m->slot_count - 1);

    while (m->slots[i] != NO_CONFIG && !config_same(&m->configs[m->slots[i]], c))
        i = (i + 1) & (m->slot_count - 1);
    return &m->slots[i];
}

static enum lin_fault memo_grow(struct memo *m)
{
    uint32_t slot_count = m->slot_count == 0 ? SLOTS_FIRST : 2 * m->slot_count;
    struct config *configs;

    if (m->count >= LIN_CONFIGS_MAX)
        return LIN_UNDECIDED;
    configs = realloc(m->configs, slot_count / 2 * sizeof(*configs));
    if (configs == NULL)
        return LIN_NO_MEMORY;
    m->configs = configs;
    m->room = slot_count / 2;
    free(m->slots);
    m->slots = malloc(slot_count * sizeof(*m->slots));
    m->slot_count = slot_count;
    if (m->slots == NULL)
        return LIN_NO_MEMORY;
    memset(m->slots, 0xff, slot_count * sizeof(*m->slots));
    for (uint32_t i = 0; i < m->count; i++)
        *memo_slot(m, &m->configs[i]) = i;
    return LIN_OK;
}

/* Remember a configuration; *ret_new: it was not known. */
static enum lin_fault memo_add(struct memo *m, const struct config *c, bool *ret_new)
{
    enum lin_fault fault = LIN_OK;
    uint32_t *slot;

    if (m->count == m->room)
        fault = memo_grow(m);
    if (fault != LIN_OK)
        return fault;
    slot = memo_slot(m, c);
    *ret_new = *slot == NO_CONFIG;
    if (*ret_new) {
        m->configs[m->count] = *c;
        *slot = m->count++;
    }
    return LIN_OK;
}

/* Can the operation take effect on `value`? What becomes of it then. */
static bool step(const struct lin_op *op, uint64_t value, uint64_t *ret_value)
{
    *ret_value = value;
    switch (op->kind) {
    case LIN_READ:
        return op->value == value;
    case LIN_WRITE:
        *ret_value = op->value;
        return true;
    case LIN_CAS:
        if (op->outcome == LIN_REFUSED)
            return value != op->expect && (op->version == LIN_NO_VERSION || op->value == value);
        *ret_value = op->value;
        return value == op->expect;
    }
    return false;
}

/* ---- the list of events ---------------------------------------------------------------------- */

struct moment {
    int64_t at;
    bool is_answer;
    uint16_t op;
};

/* A call at the moment of another's answer counts as before it: as concurrent. */
static int by_time(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->is_answer != y->is_answer)
        return x->is_answer ? 1 : -1;
    return (int)x->op - (int)y->op;
}

/* Does any answer depend on the value being there at some time? */
static bool is_seen(const struct lin_op *ops, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++) {
        const struct lin_op *op = &ops[i];

        if (op->kind == LIN_READ && op->outcome == LIN_DONE && op->value == value)
            return true;
        if (op->kind == LIN_CAS && op->outcome != LIN_REFUSED && op->expect == value)
            return true;
        /* Refused: it saw this value; or did not say what it saw, and may have seen any. */
        if (op->outcome == LIN_REFUSED && (op->version == LIN_NO_VERSION || op->value == value))
            return true;
    }
    return false;
}

/* May the operation be left out? A write without an answer whose value nobody saw: if it took
 * effect, something wrote over it before anybody looked. Each one kept doubles the search. */
static bool is_idle(const struct search *s, size_t count, const struct lin_op *op)
{
    if (op->kind == LIN_READ)
        return op->outcome != LIN_DONE;
    return op->outcome == LIN_UNKNOWN && !is_seen(s->ops, count, op->value);
}

static void list_make(struct search *s, size_t count)
{
    struct moment moments[EVENTS_MAX];
    uint16_t calls[LIN_OPS_MAX];
    unsigned n = 0;

    for (uint16_t i = 0; i < count; i++) {
        const struct lin_op *op = &s->ops[i];

        if (is_idle(s, count, op))
            continue;
        moments[n++] = (struct moment){ op->call, false, i };
        if (op->outcome != LIN_UNKNOWN) {
            VS_ASSERT(op->call <= op->ret);
            moments[n++] = (struct moment){ op->ret, true, i };
            s->answers_left++;
        }
    }
    qsort(moments, n, sizeof(moments[0]), by_time);
    for (uint16_t i = 0; i < n; i++) {
        struct event *e = &s->events[i];

        *e = (struct event){ .op = moments[i].op, .is_answer = moments[i].is_answer };
        e->prev = i == 0 ? FRONT : (uint16_t)(i - 1);
        e->next = i + 1u == n ? FRONT : (uint16_t)(i + 1);
        e->answer = FRONT;
        if (e->is_answer)
            s->events[calls[e->op]].answer = i;
        else
            calls[e->op] = i;
    }
    s->events[FRONT].next = n == 0 ? FRONT : 0;
    s->events[FRONT].prev = n == 0 ? FRONT : (uint16_t)(n - 1);
}

static void list_take(struct search *s, uint16_t i)
{
    s->events[s->events[i].prev].next = s->events[i].next;
    s->events[s->events[i].next].prev = s->events[i].prev;
}

static void list_put_back(struct search *s, uint16_t i)
{
    s->events[s->events[i].prev].next = i;
    s->events[s->events[i].next].prev = i;
}

/* ---- the search ------------------------------------------------------------------------------ */

static void set_flip(struct config *c, unsigned op)
{
    c->set[op / 64] ^= UINT64_C(1) << op % 64;
}

/* Let the call take effect if it can and if that leads anywhere new. */
static enum lin_fault try_call(struct search *s, uint16_t i, bool *ret_taken)
{
    const struct event *e = &s->events[i];
    struct config next = s->now;
    enum lin_fault fault;

    *ret_taken = false;
    if (!step(&s->ops[e->op], s->now.value, &next.value))
        return LIN_OK;
    set_flip(&next, e->op);
    fault = memo_add(&s->memo, &next, ret_taken);
    if (fault != LIN_OK || !*ret_taken)
        return fault;
    s->chosen[s->chosen_count] = i;
    s->before[s->chosen_count++] = s->now.value;
    s->now = next;
    list_take(s, i);
    if (e->answer != FRONT) {
        list_take(s, e->answer);
        s->answers_left--;
    }
    return LIN_OK;
}

/* Take back the last effect; returns its call's event. */
static uint16_t take_back(struct search *s)
{
    uint16_t i = s->chosen[--s->chosen_count];
    const struct event *e = &s->events[i];

    s->now.value = s->before[s->chosen_count];
    set_flip(&s->now, e->op);
    if (e->answer != FRONT) {
        list_put_back(s, e->answer);
        s->answers_left++;
    }
    list_put_back(s, i);
    return i;
}

static enum lin_fault run(struct search *s, struct lin_report *ret)
{
    uint16_t i = s->events[FRONT].next;

    s->answers_left_best = UINT32_MAX;
    while (s->answers_left > 0) {
        VS_ASSERT(i != FRONT); /* an answer is left, and is met before the end */
        if (!s->events[i].is_answer) {
            bool taken;
            enum lin_fault fault = try_call(s, i, &taken);

            if (fault != LIN_OK)
                return fault;
            i = s->events[taken ? FRONT : i].next;
            continue;
        }
        if (s->answers_left < s->answers_left_best) { /* as far as it ever came */
            s->answers_left_best = s->answers_left;
            ret->op = s->events[i].op;
        }
        if (s->chosen_count == 0)
            return LIN_NO_ORDER;
        i = s->events[take_back(s)].next;
    }
    ret->op = LIN_NO_OP;
    return LIN_OK;
}

enum lin_fault lin_check_order(const struct lin_op *ops, size_t count, struct lin_report *ret)
{
    struct search *s;

    *ret = (struct lin_report){ LIN_TOO_LONG, LIN_NO_OP, LIN_NO_OP };
    if (count > LIN_OPS_MAX)
        return ret->fault;
    s = calloc(1, sizeof(*s));
    ret->fault = LIN_NO_MEMORY;
    if (s == NULL)
        return ret->fault;
    s->ops = ops;
    list_make(s, count);
    ret->fault = run(s, ret);
    if (ret->fault != LIN_NO_ORDER)
        ret->op = LIN_NO_OP;
    free(s->memo.configs);
    free(s->memo.slots);
    free(s);
    return ret->fault;
}

const char *lin_fault_text(enum lin_fault fault)
{
    static const char *const text[] = {
        [LIN_OK] = "all answers are explained",
        [LIN_TOO_LONG] = "too many operations on one key for the search",
        [LIN_UNDECIDED] = "the search met its limit before an order was found or excluded",
        [LIN_NO_MEMORY] = "out of memory",
        [LIN_NO_ORDER] = "no order of the operations explains this answer",
        [LIN_VERSION_TWICE] = "two writes made the same version",
        [LIN_TWO_VALUES] = "one version was seen with two values",
        [LIN_TWO_EFFECTS] = "one write took effect twice",
        [LIN_WENT_BACK] = "older than what was known before its call",
        [LIN_NOT_WRITTEN] = "a value that nobody wrote",
        [LIN_TOO_EARLY] = "a value seen before it was written",
        [LIN_CAS_JUMPED] = "a compare-and-set replaced another value than it compared",
    };

    VS_ASSERT((size_t)fault < sizeof(text) / sizeof(text[0]));
    return text[fault];
}
