/* sim_world: the events of a world: a heap in virtual time, and the run of one schedule.
 *
 * Happy path: take the earliest event, hand it to the system, until the budget under faults is
 * used; heal; go on until the system is done; check. Failure: a violation leaves by longjmp and the
 * next schedule starts from nothing, so nothing has to be unwound. */
#include "tests/sim/sim_world.h"
#include "common/assert.h"
#include "tests/sim/sim_impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sim_world *running; /* whose violation a failed VS_ASSERT is */

_Noreturn void vs_assert_fail(const char *expr, const char *file, int line, const char *func)
{
    if (running != NULL)
        world_violation(running, "%s:%d %s: assertion \"%s\" does not hold", file, line, func,
                        expr);
    fprintf(stderr, "%s:%d %s: assertion \"%s\" does not hold\n", file, line, func, expr);
    abort();
}

struct sim_world *sim_world_new(const struct sim_system *system)
{
    struct sim_world *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->system = system;
    w->msg_stride = (system->msg_bytes_max + 63) / 64 * 64;
    w->msg_bytes = calloc(WORLD_MSGS_MAX, w->msg_stride);
    w->logs = calloc(WORLD_PROCS_MAX * WORLD_DISKS, WORLD_LOG_BYTES);
    w->sys = system->new ();
    if (w->msg_bytes == NULL || w->logs == NULL || w->sys == NULL) {
        sim_world_free(w);
        return NULL;
    }
    return w;
}

void sim_world_free(struct sim_world *w)
{
    if (w == NULL)
        return;
    if (w->sys != NULL)
        w->system->free(w->sys);
    free(w->msg_bytes);
    free(w->logs);
    free(w);
}

/* ---- heap ---- */

static bool due_before(const struct world_due *a, const struct world_due *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

struct world_event *world_event_add(struct sim_world *w, uint64_t at)
{
    struct world_due due;
    unsigned i, up;

    if (w->events_free == 0)
        return NULL;
    due.at = at < w->now ? w->now : at;
    due.order = w->age++ << 16 | w->event_free[--w->events_free];
    for (i = w->waiting++; i > 0; i = up) {
        up = (i - 1) / 4;
        if (!due_before(&due, &w->due[up]))
            break;
        w->due[i] = w->due[up];
    }
    w->due[i] = due;
    return &w->event[due.order & 0xffff];
}

/* Put `due` where it belongs at or below place i. */
static void heap_sink(struct sim_world *w, unsigned i, struct world_due due)
{
    for (;;) {
        unsigned best = 4 * i + 1, end = best + 4;

        if (best >= w->waiting)
            break;
        if (end > w->waiting)
            end = w->waiting;
        for (unsigned j = best + 1; j < end; j++)
            if (due_before(&w->due[j], &w->due[best]))
                best = j;
        if (!due_before(&w->due[best], &due))
            break;
        w->due[i] = w->due[best];
        i = best;
    }
    w->due[i] = due;
}

static uint16_t event_take(struct sim_world *w)
{
    uint16_t first = (uint16_t)w->due[0].order;
    struct world_due last = w->due[--w->waiting];

    w->now = w->due[0].at;
    heap_sink(w, 0, last);
    w->event_free[w->events_free++] = first;
    return first;
}

void world_pauses_end(struct sim_world *w)
{
    for (unsigned i = 0; i < w->waiting; i++) {
        if (w->event[w->due[i].order & 0xffff].waited)
            w->due[i].at = w->now;
    }
    for (unsigned i = w->waiting; i-- > 0;)
        heap_sink(w, i, w->due[i]);
    for (unsigned p = 0; p < w->procs; p++)
        w->proc[p].paused_to = 0;
}

/* ---- one event ---- */

static void proc_die(struct sim_world *w, unsigned proc, bool wipe)
{
    struct world_proc *p = &w->proc[proc];

    p->up = false;
    p->died_at[p->life++] = w->now;
    p->paused_to = 0;
    world_disks_crash(w, proc, wipe);
    w->system->crash(w->sys, proc, wipe);
}

static void event_crash(struct sim_world *w, const struct world_event *e)
{
    struct world_proc *p = &w->proc[e->proc];
    struct world_event *back;

    if (!p->up || p->life != e->life || p->life >= WORLD_CRASHES_MAX)
        return;
    world_say(w, "%s dies%s", p->name, e->wipe ? ", its disks are lost" : "");
    proc_die(w, e->proc, e->wipe);
    back = world_event_add(w, w->now + (w->healed ? 1 : WORLD_MS << world_below(w, 12)));
    VS_ASSERT(back != NULL);
    *back = (struct world_event){ .kind = EVENT_RESTART, .proc = e->proc, .life = p->life };
}

static void event_restart(struct sim_world *w, const struct world_event *e)
{
    struct world_proc *p = &w->proc[e->proc];

    if (p->up || p->life != e->life)
        return;
    world_say(w, "%s starts", p->name);
    p->up = true;
    w->system->restart(w->sys, e->proc);
}

/* A paused process handles nothing; what comes waits. */
static bool event_waits(struct sim_world *w, const struct world_event *e)
{
    struct world_proc *p = &w->proc[e->proc];
    struct world_event *later;

    if (p->paused_to <= w->now || (e->kind != EVENT_MESSAGE && e->kind != EVENT_TIMER))
        return false;
    later = world_event_add(w, p->paused_to);
    VS_ASSERT(later != NULL); /* the place of `e` is free */
    *later = *e;
    later->waited = true;
    return true;
}

static void event_handle(struct sim_world *w, const struct world_event *e)
{
    if (event_waits(w, e))
        return;
    w->events++;
    world_mix(w, w->now << 16 | (uint64_t)e->kind << 8 | e->proc);
    switch ((enum world_event_kind)e->kind) {
    case EVENT_MESSAGE:
        world_net_deliver(w, e);
        break;
    case EVENT_TIMER:
        if (!w->proc[e->proc].up || w->proc[e->proc].life != e->life)
            break;
        world_mix(w, e->timer);
        w->system->timer(w->sys, e->proc, e->timer, e->data);
        break;
    case EVENT_CRASH:
        event_crash(w, e);
        break;
    case EVENT_RESTART:
        event_restart(w, e);
        break;
    case EVENT_FAULT:
        world_fault_strike(w);
        break;
    }
}

/* ---- a schedule ---- */

static void world_reset(struct sim_world *w, uint64_t seed, bool trace, struct world_result *ret)
{
    vs_rand_init(&w->rand, seed);
    w->now = w->hash = w->age = 0;
    w->events = w->waiting = w->procs = 0;
    w->healed = false;
    w->tracing = trace;
    for (unsigned i = 0; i < WORLD_EVENTS_MAX; i++)
        w->event_free[i] = (uint16_t)i;
    w->events_free = WORLD_EVENTS_MAX;
    world_net_reset(w);
    *ret = (struct world_result){ 0 };
    w->result = ret;
    w->running = true;
    world_mix(w, seed);
}

static void world_go(struct sim_world *w)
{
    bool quiet = false;

    world_rates_draw(w);
    w->system->setup(w->sys, w);
    world_fault_next(w);
    while (w->waiting > 0 && w->events < w->rates.events) {
        struct world_event e = w->event[event_take(w)];

        event_handle(w, &e);
    }
    w->healed = true;
    world_say(w, "-- the world heals");
    world_faults_end(w);
    if (w->system->heal != NULL)
        w->system->heal(w->sys);
    for (unsigned n = 0; n < WORLD_HEAL_EVENTS && !quiet && w->waiting > 0; n++) {
        struct world_event e = w->event[event_take(w)];

        event_handle(w, &e);
        quiet = w->system->done(w->sys);
    }
    w->system->check(w->sys, quiet || w->system->done(w->sys));
}

void sim_world_run(struct sim_world *w, uint64_t seed, bool trace, struct world_result *ret)
{
    world_reset(w, seed, trace, ret);
    VS_ASSERT(running == NULL);
    running = w;
    if (setjmp(w->out) == 0)
        world_go(w);
    running = NULL;
    w->running = false;
    ret->hash = w->hash;
    ret->events = w->events;
}

/* ---- for systems ---- */

unsigned world_proc_add(struct sim_world *w, const char *name, unsigned may)
{
    struct world_proc *p = &w->proc[w->procs];

    VS_ASSERT(w->procs < WORLD_PROCS_MAX);
    p->name = name;
    p->may = may;
    p->up = true;
    p->life = 0;
    p->paused_to = p->skew = 0;
    memset(p->cut_to, 0, sizeof(p->cut_to));
    world_disks_open(w, w->procs);
    return w->procs++;
}

struct world_rates *world_rates(struct sim_world *w)
{
    return &w->rates;
}

uint64_t world_now(const struct sim_world *w)
{
    return w->now;
}

uint64_t world_clock(const struct sim_world *w, unsigned proc)
{
    return w->now + w->proc[proc].skew;
}

bool world_up(const struct sim_world *w, unsigned proc)
{
    return w->proc[proc].up;
}

bool world_healed(const struct sim_world *w)
{
    return w->healed;
}

uint64_t world_rand(struct sim_world *w)
{
    return vs_rand_u64(&w->rand);
}

/* The bias of a 32-bit multiplication is far below what any rate here could show. */
uint64_t world_below(struct sim_world *w, uint64_t bound)
{
    VS_ASSERT(bound >= 1);
    if (bound > UINT32_MAX)
        return vs_rand_u64(&w->rand) % bound;
    return (vs_rand_u64(&w->rand) >> 32) * bound >> 32;
}

bool world_chance(struct sim_world *w, unsigned pct)
{
    return world_below(w, 100) < pct;
}

void world_timer(struct sim_world *w, unsigned proc, uint64_t delay_us, uint32_t kind,
                 uint64_t data)
{
    struct world_event *e = world_event_add(w, w->now + delay_us);

    VS_ASSERT(e != NULL);
    *e = (struct world_event){ .kind = EVENT_TIMER,
                               .proc = (uint8_t)proc,
                               .life = w->proc[proc].life,
                               .timer = kind,
                               .data = data };
}

void world_crash(struct sim_world *w, unsigned proc, bool wipe)
{
    struct world_event *e = world_event_add(w, w->now);

    VS_ASSERT(e != NULL);
    *e = (struct world_event){
        .kind = EVENT_CRASH, .proc = (uint8_t)proc, .life = w->proc[proc].life, .wipe = wipe
    };
}

void world_revive(struct sim_world *w, unsigned proc)
{
    struct world_event *e = world_event_add(w, w->now);

    VS_ASSERT(e != NULL);
    w->proc[proc].paused_to = 0;
    *e = (struct world_event){ .kind = EVENT_RESTART,
                               .proc = (uint8_t)proc,
                               .life = w->proc[proc].life };
}

void world_mix(struct sim_world *w, uint64_t v)
{
    w->hash = (w->hash ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    w->hash ^= w->hash >> 29;
}

bool world_tracing(const struct sim_world *w)
{
    return w->tracing;
}

void world_say(struct sim_world *w, const char *fmt, ...)
{
    va_list ap;

    if (!w->tracing)
        return;
    printf("%12.3f ms  ", (double)w->now / 1000);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

_Noreturn void world_violation(struct sim_world *w, const char *fmt, ...)
{
    va_list ap;

    w->result->violated = true;
    va_start(ap, fmt);
    vsnprintf(w->result->text, sizeof(w->result->text), fmt, ap);
    va_end(ap);
    world_say(w, "VIOLATION %s", w->result->text);
    longjmp(w->out, 1);
}
