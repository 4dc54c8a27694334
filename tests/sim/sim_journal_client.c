/* sim_journal_client: clients that write and read strictly, one operation at a time, and ask again
 * elsewhere under the same number when no answer comes; what they see is checked: every operation
 * is behind all that were answered before it began. */
#include "tests/sim/sim_journal.h"
#include "tests/sim/sim_journal_msg.h"

#define CLIENT_LATE_US (300 * WORLD_MS)

static void client_wait(struct sim_journal *s, struct sj_client *c, uint64_t delay_us)
{
    world_timer(s->w, c->proc, delay_us, SJ_T_CLIENT, ++c->generation);
}

/* Any replica of the newest configuration. */
static unsigned client_anybody(struct sim_journal *s)
{
    unsigned i;

    do
        i = (unsigned)world_below(s->w, s->replicas);
    while (!(s->members & 1u << i));
    return i;
}

/* Nobody answered here: some clients are stubborn, but not with a replica that was replaced. */
static void client_move(struct sim_journal *s, struct sj_client *c)
{
    bool stays = world_chance(s->w, c->stays_pct);

    if (!stays || world_healed(s->w) || !(s->members & 1u << c->target))
        c->target = client_anybody(s);
}

static void client_send(struct sim_journal *s, unsigned i)
{
    struct sj_client *c = &s->client[i];
    struct sj_msg_op m = {
        .type = SJ_OP, .client = i, .seq = c->seq, .is_read = c->is_read, .key = c->key
    };

    world_send(s->w, c->proc, s->replica[c->target].proc, &m, sizeof(m), 0);
    client_wait(s, c, CLIENT_LATE_US);
}

static void client_begin(struct sim_journal *s, unsigned i)
{
    struct sj_client *c = &s->client[i];

    if (c->seq + 1 >= SJ_OPS || (c->seq + 8 >= SJ_OPS && !world_healed(s->w))) {
        client_wait(s, c, 100 * WORLD_MS);
        return;
    }
    if (world_healed(s->w) && c->after_heal >= 2 && s->floor > 0)
        return; /* has seen enough */
    c->seq = ++c->ops;
    c->is_read = world_chance(s->w, c->reads_pct);
    c->key = (uint8_t)world_below(s->w, SJ_KEYS);
    c->floor = s->floor;
    c->is_late = true; /* unless an answer comes before the timer */
    s->op[i][c->seq].key = c->key;
    client_send(s, i);
}

void sj_client_timer(struct sim_journal *s, unsigned i, uint64_t generation)
{
    struct sj_client *c = &s->client[i];

    if (generation != c->generation)
        return;
    if (c->floor == UINT64_MAX) { /* resting */
        client_begin(s, i);
        return;
    }
    if (c->is_late)
        client_move(s, c);
    c->is_late = true;
    client_send(s, i);
}

/* I5, I12: a write has a slot of its own, a read has seen all slots up to the one it tells. */
static void client_done(struct sim_journal *s, unsigned i, uint64_t slot)
{
    struct sj_client *c = &s->client[i];
    const struct sj_op *op = &s->op[i][c->seq];

    if (c->is_read && slot < c->floor)
        world_violation(s->w, "client %u: a strict read saw slot %lu; %lu had been answered", i,
                        slot, c->floor);
    if (!c->is_read && slot <= c->floor)
        world_violation(s->w, "client %u: a write took slot %lu; %lu had been answered", i, slot,
                        c->floor);
    if (!c->is_read && op->effect != slot)
        world_violation(s->w, "client %u: write %lu was answered without effect", i, c->seq);
    if (slot > s->floor)
        s->floor = slot;
    world_mix(s->w, slot);
    c->floor = UINT64_MAX;
    c->after_heal += world_healed(s->w);
    client_wait(s, c, 1 + world_below(s->w, s->think_us + 1));
}

void sj_client_message(struct sim_journal *s, unsigned i, const struct sj_msg_answer *a)
{
    struct sj_client *c = &s->client[i];

    if (a->seq != c->seq || c->floor == UINT64_MAX)
        return;
    c->is_late = false;
    switch (a->kind) {
    case SJ_DONE:
        client_done(s, i, a->slot);
        break;
    case JOURNAL_NOT_LEADER:
        c->target =
            a->leader != 0 && world_chance(s->w, 80) ? (unsigned)a->leader - 1 : client_anybody(s);
        client_wait(s, c, world_below(s->w, (a->leader != 0 ? 10 : 60) * WORLD_MS));
        break;
    case JOURNAL_UNKNOWN:
        client_move(s, c);
        client_wait(s, c, 5 * WORLD_MS);
        break;
    default:
        client_wait(s, c, 30 * WORLD_MS);
        break;
    }
}
