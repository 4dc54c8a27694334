/* sim_journal_admin: changes of the set of replicas by fence (docs/CHUNKPAXOS.md, "Membership").
 *
 * Happy path: a majority F of epoch e stores e+1 durably and answers nothing any more; what F
 * accepted is merged, per slot the highest ballot; newcomers take that and a snapshot, durably;
 * then e+1 opens. A member of e+1 outside F has its records replaced before it votes, and keeps its
 * promise. Orders are repeated until they are confirmed; replicas may crash at any point. */
#include "common/assert.h"
#include "tests/sim/sim_journal.h"
#include "tests/sim/sim_journal_msg.h"
#include <string.h>

#define ADMIN_TICK_US (60 * WORLD_MS)

/* ---- choosing a change ---- */

static unsigned admin_spare(const struct sim_journal *s, unsigned taken)
{
    for (unsigned i = 0; i < s->replicas; i++)
        if (!(taken & 1u << i) && !s->replica[i].disk.is_member && !s->replica[i].is_wiped)
            return 1u << i;
    return 0;
}

static unsigned admin_wiped(const struct sim_journal *s)
{
    for (unsigned i = 0; i < s->replicas; i++)
        if ((s->members & 1u << i) && s->replica[i].is_wiped)
            return 1u << i;
    return 0;
}

static unsigned admin_some(struct sim_journal *s, unsigned of)
{
    unsigned i;

    do
        i = (unsigned)world_below(s->w, s->replicas);
    while (!(of & 1u << i));
    return 1u << i;
}

/* A random majority of those whose disks are there, of the size of a majority or more. */
static unsigned admin_fence_set(struct sim_journal *s)
{
    unsigned can = s->members, fence = 0;

    for (unsigned i = 0; i < s->replicas; i++)
        if (s->replica[i].is_wiped)
            can &= ~(1u << i);
    if ((unsigned)__builtin_popcount(can) < sj_majority_of(s->members))
        return 0;
    while ((unsigned)__builtin_popcount(fence) < sj_majority_of(s->members))
        fence |= admin_some(s, can);
    if (world_chance(s->w, 30))
        fence = can;
    return fence;
}

static void admin_begin(struct sim_journal *s)
{
    struct sj_admin *a = &s->admin;
    unsigned wiped = admin_wiped(s), members = s->members, spare = admin_spare(s, members);

    if ((wiped == 0 && a->changes == 0) || spare == 0)
        return;
    if (wiped != 0) {
        members = (members & ~wiped) | spare;
    } else {
        unsigned second = admin_spare(s, members | spare);

        a->changes--;
        if (__builtin_popcount(members) == 3 && second != 0)
            members |= spare | second;
        else
            members = (members & ~admin_some(s, members)) | spare;
    }
    a->fence = admin_fence_set(s);
    if (a->fence == 0)
        return;
    a->old = s->members;
    a->members = members;
    a->epoch++;
    a->fenced = a->joined = a->opened = 0;
    a->state = SJ_FENCING;
    journal_base_init(&a->base, a->slots, s->ring);
    memset(&a->ns, 0, sizeof(a->ns));
    world_say(s->w, "admin: epoch %lu, members %#x -> %#x, fence %#x", a->epoch, a->old, members,
              a->fence);
}

/* ---- orders ---- */

static void admin_order(struct sim_journal *s, unsigned to, enum sj_order order)
{
    const struct sj_admin *a = &s->admin;
    struct sj_msg_order m = { .type = SJ_ORDER, .order = order, .epoch = a->epoch, .ns = a->ns };

    m.disk.epoch = a->epoch;
    m.disk.first = a->base.first;
    m.disk.promised = a->base.promised;
    for (uint64_t slot = a->base.first; slot <= a->base.last; slot++) {
        const struct journal_slot *b = &a->slots[slot % s->ring];

        if (!px_ballot_is_none(&b->ballot))
            m.disk.record[slot % s->ring] =
                (struct sj_record){ .slot = slot, .ballot = b->ballot, .entry = b->entry };
    }
    for (unsigned i = 0; i < s->replicas; i++)
        if (a->members & 1u << i)
            m.disk.pid[m.disk.members++] = i + 1;
    world_send(s->w, a->proc, s->replica[to].proc, &m, sizeof(m), 0);
}

static void admin_order_all(struct sim_journal *s, unsigned bits, enum sj_order order)
{
    for (unsigned i = 0; i < s->replicas; i++)
        if (bits & 1u << i)
            admin_order(s, i, order);
}

/* Members of e+1 that are not in F: newcomers, and those whose records are replaced. */
static unsigned admin_joining(const struct sj_admin *a)
{
    return a->members & ~a->fence;
}

static unsigned admin_newcomers(const struct sj_admin *a)
{
    return a->members & ~a->old;
}

static unsigned admin_lost(const struct sim_journal *s)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < s->replicas; i++)
        if (s->replica[i].is_wiped)
            bits |= 1u << i;
    return bits;
}

/* One of F lost its disk before it was fenced: all others of e take its place. */
static void admin_fence_again(struct sim_journal *s)
{
    struct sj_admin *a = &s->admin;
    unsigned lost = admin_lost(s);

    if (a->fence & ~a->fenced & lost)
        a->fence = a->fenced | (a->old & ~lost);
}

static void admin_advance(struct sim_journal *s)
{
    struct sj_admin *a = &s->admin;

    if (a->state == SJ_FENCING && (a->fence & ~a->fenced) == 0) {
        a->fence = a->fenced;
        a->state = SJ_JOINING;
    }
    if (a->state == SJ_JOINING && (admin_newcomers(a) & ~a->joined) == 0) {
        a->state = SJ_OPENING;
        s->members = a->members;
        world_say(s->w, "admin: epoch %lu opens", a->epoch);
    }
    if (a->state == SJ_OPENING && (a->members & ~(a->joined | a->opened | admin_lost(s))) == 0) {
        a->state = SJ_IDLE;
        world_say(s->w, "admin: epoch %lu is complete", a->epoch);
    }
}

void sj_admin_tick(struct sim_journal *s)
{
    struct sj_admin *a = &s->admin;

    admin_fence_again(s);
    admin_advance(s);
    switch (a->state) {
    case SJ_IDLE:
        admin_begin(s);
        break;
    case SJ_FENCING:
        admin_order_all(s, a->fence & ~a->fenced, SJ_FENCE);
        break;
    case SJ_JOINING:
        admin_order_all(s, admin_newcomers(a) & ~a->joined, SJ_JOIN);
        break;
    case SJ_OPENING:
        admin_order_all(s, a->members & a->fence & ~a->opened, SJ_OPEN);
        /* Who lost its disk meanwhile is replaced by the next change. */
        admin_order_all(s, admin_joining(a) & ~a->joined & ~admin_lost(s), SJ_JOIN);
        break;
    }
    world_timer(s->w, a->proc, ADMIN_TICK_US / 2 + world_below(s->w, ADMIN_TICK_US), SJ_T_ADMIN, 0);
}

/* ---- reports ---- */

static void admin_merge(struct sim_journal *s, const struct sj_msg_order *m)
{
    struct sj_admin *a = &s->admin;

    journal_base_head(&a->base, m->disk.first);
    for (unsigned n = 0; n < s->ring; n++) {
        const struct sj_record *r = &m->disk.record[n];

        if (r->slot >= m->disk.first &&
            journal_base_record(&a->base, r->slot, &r->ballot, r->entry) < 0)
            world_violation(s->w, "slot %lu is in nobody's reach", r->slot);
    }
    if (m->ns.applied > a->ns.applied)
        a->ns = m->ns;
}

void sj_admin_report(struct sim_journal *s, unsigned i, const struct sj_msg_order *m)
{
    struct sj_admin *a = &s->admin;
    unsigned bit = 1u << i;

    if (m->epoch != a->epoch)
        return;
    if (m->order == SJ_FENCE && a->state == SJ_FENCING && !(a->fenced & bit)) {
        a->fenced |= bit;
        admin_merge(s, m);
    } else if (m->order == SJ_JOIN) {
        a->joined |= bit;
    } else if (m->order == SJ_OPEN) {
        a->opened |= bit;
    }
    admin_advance(s);
}

/* ---- at a replica ---- */

static void obey_confirm(struct sim_journal *s, unsigned i, const struct sj_msg_order *m)
{
    struct sj_replica *r = &s->replica[i];
    struct sj_msg_order report = {
        .type = SJ_REPORT, .order = m->order, .epoch = m->epoch, .disk = r->disk, .ns = r->ns
    };
    uint64_t at = world_batch_end(s->w, r->proc, 0, true);

    world_send(s->w, r->proc, s->admin.proc, &report, sizeof(report), at);
}

static void obey_configure(struct sim_journal *s, struct sj_replica *r, const struct sj_disk *to,
                           bool is_open)
{
    world_put(s->w, r->proc, 0, &r->disk.epoch, &to->epoch, sizeof(to->epoch));
    world_put(s->w, r->proc, 0, &r->disk.members, &to->members, sizeof(to->members));
    world_put(s->w, r->proc, 0, r->disk.pid, to->pid, sizeof(to->pid));
    world_put(s->w, r->proc, 0, &r->disk.is_open, &is_open, sizeof(is_open));
}

/* The namespace first: an acceptor must not hold less than it. True: it is durable. */
static bool obey_snapshot(struct sim_journal *s, struct sj_replica *r, const struct sj_ns *from)
{
    struct sj_ns ns = *from;

    if (ns.applied > r->ns.applied) {
        ns.installed = ns.applied;
        world_put(s->w, r->proc, 1, &r->ns, &ns, sizeof(ns));
        r->installed_us = 0;
    }
    if (r->installed_us == 0)
        r->installed_us = world_batch_end(s->w, r->proc, 1, true);
    return r->installed_us <= world_now(s->w);
}

/* A newcomer, or a member whose records are replaced: like a start from new disks. */
static void obey_join(struct sim_journal *s, unsigned i, const struct sj_msg_order *m)
{
    struct sj_replica *r = &s->replica[i];
    struct sj_disk disk = m->disk;
    uint64_t at;

    r->is_running = false;
    if (!obey_snapshot(s, r, &m->ns))
        return; /* the order comes again */
    r->installed_us = 0;
    disk.is_member = disk.is_open = true;
    disk.inc = r->disk.inc + 1;
    if (px_ballot_cmp(&r->disk.promised, &disk.promised) > 0)
        disk.promised = r->disk.promised;
    world_put(s->w, r->proc, 0, &r->disk, &disk, sizeof(disk));
    at = world_batch_end(s->w, r->proc, 0, true);
    sj_replica_timer_set(s, r, at - world_now(s->w) + 1, SJ_T_START, 0);
    obey_confirm(s, i, m);
}

void sj_admin_obey(struct sim_journal *s, unsigned i, const struct sj_msg_order *m)
{
    struct sj_replica *r = &s->replica[i];

    if (r->is_wiped)
        return; /* what it promised is lost: it may not come back under this number */
    switch ((enum sj_order)m->order) {
    case SJ_FENCE:
        if (!r->is_running || r->disk.epoch > m->epoch)
            return;
        if (r->disk.epoch < m->epoch) {
            obey_configure(s, r, &m->disk, false);
            sj_replica_configure(s, i);
        }
        obey_confirm(s, i, m);
        break;
    case SJ_JOIN:
        if (r->disk.epoch < m->epoch)
            obey_join(s, i, m);
        else if (r->is_running)
            obey_confirm(s, i, m);
        break;
    case SJ_OPEN:
        if (!r->is_running || r->disk.epoch != m->epoch)
            return;
        if (!r->disk.is_open) {
            obey_configure(s, r, &m->disk, true);
            sj_replica_configure(s, i);
        }
        obey_confirm(s, i, m);
        break;
    }
}
