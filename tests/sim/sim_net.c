/* sim_net: the network of a world: messages are lost, doubled, late, cut off one way.
 *
 * A message is copied into a slot once, however often it arrives. A message that had to wait for
 * a sync never left when its sender died before that. No place left: the network loses it. */
#include "common/assert.h"
#include "tests/sim/sim_impl.h"
#include <string.h>

void world_net_reset(struct sim_world *w)
{
    for (unsigned i = 0; i < WORLD_MSGS_MAX; i++)
        w->msg_free[i] = (uint16_t)(WORLD_MSGS_MAX - 1 - i);
    w->msgs_free = WORLD_MSGS_MAX;
}

void world_net_drop(struct sim_world *w, const struct world_event *e)
{
    struct world_slot *slot = &w->slot[e->msg];

    if (--slot->users == 0)
        w->msg_free[w->msgs_free++] = e->msg;
}

static uint64_t net_delay(struct sim_world *w)
{
    uint64_t draw = world_rand(w);
    bool slow = (draw & 0xffff) % 100 < w->rates.slow_pct;
    uint64_t max = slow ? w->rates.delay_max_us : w->rates.delay_us;

    return 50 + (draw >> 32) * max / UINT32_MAX;
}

static bool net_arrive(struct sim_world *w, unsigned from, unsigned to, uint16_t msg,
                       uint64_t left_at)
{
    uint64_t delay = from == to ? 1 : net_delay(w);
    struct world_event *e = world_event_add(w, left_at + delay);

    if (e == NULL)
        return false;
    *e = (struct world_event){ .kind = EVENT_MESSAGE,
                               .proc = (uint8_t)to,
                               .from = (uint8_t)from,
                               .life = w->proc[from].life,
                               .msg = msg,
                               .left_at = left_at };
    w->slot[msg].users++;
    return true;
}

static void net_trace(struct sim_world *w, const char *what, unsigned from, unsigned to,
                      const void *msg, size_t len)
{
    char text[WORLD_TEXT_MAX] = "";

    if (!w->tracing)
        return;
    if (w->system->describe != NULL)
        w->system->describe(msg, len, text);
    world_say(w, "%s %s -> %s  %s", what, w->proc[from].name, w->proc[to].name, text);
}

void world_send(struct sim_world *w, unsigned from, unsigned to, const void *msg, size_t len,
                uint64_t not_before)
{
    uint64_t draw = world_rand(w), left_at = not_before > w->now ? not_before : w->now;
    bool lost = (draw & 0xffffff) % 100 < w->rates.loss_pct || w->proc[from].cut_to[to] > left_at;
    bool twice = (draw >> 32) % 100 < w->rates.dup_pct;
    uint16_t slot;

    VS_ASSERT(len <= w->system->msg_bytes_max && from < w->procs && to < w->procs);
    VS_ASSERT(w->proc[from].up);
    if ((lost && from != to) || w->msgs_free == 0) {
        net_trace(w, "  lost", from, to, msg, len);
        return;
    }
    slot = w->msg_free[--w->msgs_free];
    memcpy(w->msg_bytes + slot * w->msg_stride, msg, len);
    w->slot[slot] = (struct world_slot){ .len = (uint32_t)len };
    if (!net_arrive(w, from, to, slot, left_at))
        w->msg_free[w->msgs_free++] = slot;
    else if (twice && from != to)
        net_arrive(w, from, to, slot, left_at);
}

void world_net_deliver(struct sim_world *w, const struct world_event *e)
{
    const struct world_proc *from = &w->proc[e->from], *to = &w->proc[e->proc];
    const void *msg = w->msg_bytes + e->msg * w->msg_stride;
    size_t len = w->slot[e->msg].len;
    /* from->life != e->life: it died since; before this left? */
    bool never_left = from->life != e->life && from->died_at[e->life] < e->left_at;

    if (!to->up || never_left) {
        net_trace(w, never_left ? "unsent" : "  dead", e->from, e->proc, msg, len);
    } else {
        net_trace(w, "   msg", e->from, e->proc, msg, len);
        world_mix(w, (uint64_t)e->from << 32 | len);
        w->system->message(w->sys, e->proc, e->from, msg, len);
    }
    world_net_drop(w, e);
}
