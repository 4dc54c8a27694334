/* sim_journal_replica: the driver of one simulated replica: carries out the actions of the core on
 * the world's disks and network. */
#include "common/assert.h"
#include "meta/journal_retry.h"
#include "tests/sim/sim_journal.h"
#include "tests/sim/sim_journal_msg.h"
#include <string.h>

#define REPLICA_INSTALL_US (400 * WORLD_MS)

#define REPLICA_INC_SHIFT 48

static void replica_event(struct sim_journal *s, unsigned i, struct journal_event *ev);

void sj_replica_timer_set(struct sim_journal *s, struct sj_replica *r, uint64_t delay_us,
                          enum sj_timer kind, uint64_t value)
{
    world_timer(s->w, r->proc, delay_us, kind, (uint64_t)r->disk.inc << REPLICA_INC_SHIFT | value);
}

/* ---- applying ---- */

static uint64_t replica_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 31;
}

static void replica_reply(struct sim_journal *s, unsigned i, uint64_t token, uint64_t kind,
                          uint64_t slot)
{
    unsigned client = (unsigned)(token & 0xff) - 1;
    struct sj_msg_answer a = { .type = SJ_ANSWER,
                               .seq = token >> 8,
                               .kind = kind,
                               .slot = slot,
                               .leader = journal_leader(&s->replica[i].journal) };

    world_send(s->w, s->replica[i].proc, s->client[client].proc, &a, sizeof(a), 0);
}

/* One entry: validation by the retry table, effect and answer in one batch with the slot. */
static void replica_apply(struct sim_journal *s, unsigned i, const struct journal_apply *a)
{
    struct sj_replica *r = &s->replica[i];
    struct sj_op *op = (struct sj_op *)a->entry;
    struct sj_ns ns = r->ns;

    if (a->slot != ns.applied + 1)
        world_violation(s->w, "%u applies slot %lu behind %lu", i, a->slot, ns.applied);
    ns.applied = a->slot;
    if (op != NULL && journal_retry(ns.last_seq[op->client], op->seq) == JOURNAL_RETRY_NEW) {
        ns.last_seq[op->client] = op->seq;
        ns.last_slot[op->client] = a->slot;
        ns.version[op->key] = a->slot;
        ns.hash = replica_mix(ns.hash, (uint64_t)op->client << 32 | op->seq);
        ns.hash = replica_mix(ns.hash, a->slot);
        if (op->effect != 0 && op->effect != a->slot)
            world_violation(s->w, "operation %u.%u took effect in slot %lu and %lu", op->client,
                            op->seq, op->effect, a->slot);
        op->effect = a->slot;
    }
    world_put(s->w, r->proc, 1, &r->ns, &ns, sizeof(ns));
    world_batch_end(s->w, r->proc, 1, false);
    world_mix(s->w, ns.hash);
    sj_ghost_apply(s, i, a->slot, a->entry);
    if (a->token != 0 && op != NULL && ns.last_seq[op->client] == op->seq)
        replica_reply(s, i, a->token, SJ_DONE, ns.last_slot[op->client]);
}

/* ---- actions ---- */

static void replica_put(struct sj_replica *r, uint64_t persist, uint64_t slot,
                        const struct px_ballot *b, struct journal_entry *e)
{
    VS_ASSERT(r->stored < SJ_STORED);
    r->store[(r->stored_head + r->stored++) % SJ_STORED] = (struct sj_stored){
        .persist = persist, .slot = slot, .epoch = r->disk.epoch, .ballot = *b, .entry = e
    };
}

static void replica_persist(struct sim_journal *s, struct sj_replica *r)
{
    const struct journal_actions *out = &s->out;
    uint64_t at;

    for (unsigned n = 0; n < out->puts; n++) {
        const struct journal_item *p = &out->put[n];
        struct sj_record record = {
            .slot = p->slot, .epoch = r->disk.epoch, .ballot = p->ballot, .entry = p->entry
        };

        world_put(s->w, r->proc, 0, &r->disk.record[p->slot % s->ring], &record, sizeof(record));
        replica_put(r, out->persist, p->slot, &p->ballot, p->entry);
    }
    if (px_ballot_cmp(&r->disk.promised, &out->promised) != 0)
        world_put(s->w, r->proc, 0, &r->disk.promised, &out->promised, sizeof(out->promised));
    if (r->disk.first != out->first)
        world_put(s->w, r->proc, 0, &r->disk.first, &out->first, sizeof(out->first));
    replica_put(r, out->persist, 0, &out->promised, NULL);
    at = world_batch_end(s->w, r->proc, 0, true);
    sj_replica_timer_set(s, r, at - world_now(s->w), SJ_T_PERSISTED, out->persist);
}

/* I4: what is told is on the disk (what is applied is chosen, with whatever ballot). */
static void replica_check_told(struct sim_journal *s, const struct sj_replica *r,
                               const struct journal_msg *m)
{
    bool tells = m->kind == JOURNAL_MSG_PROMISE ||
                 (m->kind == JOURNAL_MSG_ACCEPTED && m->have > journal_applied(&r->journal));

    if (tells && px_ballot_cmp(&m->ballot, &r->durable) > 0)
        world_violation(s->w, "replica %u tells what is not durable", r->proc + 1);
}

static void replica_send(struct sim_journal *s, struct sj_replica *r,
                         const struct journal_send *send)
{
    struct sj_msg_journal m;

    replica_check_told(s, r, &send->msg);
    m.type = SJ_JOURNAL;
    m.msg = send->msg;
    if (m.msg.item_count > 0)
        memcpy(m.item, send->msg.items, m.msg.item_count * sizeof(m.item[0]));
    world_send(s->w, r->proc, s->replica[send->to - 1].proc, &m,
               offsetof(struct sj_msg_journal, item) + m.msg.item_count * sizeof(m.item[0]), 0);
}

static void replica_install(struct sim_journal *s, struct sj_replica *r)
{
    struct sj_msg_snapshot want = { .type = SJ_WANT, .number = ++s->installs };

    r->install = want.number;
    world_send(s->w, r->proc, s->replica[s->out.install_from - 1].proc, &want,
               offsetof(struct sj_msg_snapshot, ns), 0);
    sj_replica_timer_set(s, r, REPLICA_INSTALL_US, SJ_T_LATE, r->install);
}

static void replica_flush(struct sim_journal *s, struct sj_replica *r)
{
    uint64_t at = world_batch_end(s->w, r->proc, 1, true);

    sj_replica_timer_set(s, r, at - world_now(s->w), SJ_T_FLUSHED, journal_applied(&r->journal));
}

static void replica_answer(struct sim_journal *s, unsigned i, const struct journal_answer *a)
{
    replica_reply(s, i, a->token, a->kind == JOURNAL_READ_NOW ? SJ_DONE : a->kind,
                  s->replica[i].ns.applied);
}

static void replica_act(struct sim_journal *s, unsigned i)
{
    struct sj_replica *r = &s->replica[i];
    const struct journal_actions *out = &s->out;

    for (unsigned n = 0; n < out->sends; n++)
        replica_send(s, r, &out->send[n]);
    if (out->persist != 0)
        replica_persist(s, r);
    for (unsigned n = 0; n < out->applies; n++)
        replica_apply(s, i, &out->apply[n]);
    if (out->flush)
        replica_flush(s, r);
    if (out->install_from != 0)
        replica_install(s, r);
    for (unsigned n = 0; n < out->answers; n++)
        replica_answer(s, i, &out->answer[n]);
}

static void replica_arm(struct sim_journal *s, struct sj_replica *r)
{
    uint64_t now = world_now(s->w);
    int64_t wake = journal_wake_ns(&r->journal);
    uint64_t at = wake <= 0 ? now : (uint64_t)(wake + 999) / 1000;

    if (at <= now)
        at = now + 1;
    if (r->armed_us > now && r->armed_us <= at)
        return;
    r->armed_us = at;
    sj_replica_timer_set(s, r, at - now, SJ_T_WAKE, at);
}

static void replica_step(struct sim_journal *s, unsigned i, struct journal_event *ev)
{
    ev->now_ns = (int64_t)world_now(s->w) * 1000;
    ev->random = world_rand(s->w);
    journal_step(&s->replica[i].journal, ev, &s->out);
    replica_act(s, i);
}

static void replica_event(struct sim_journal *s, unsigned i, struct journal_event *ev)
{
    struct sj_replica *r = &s->replica[i];
    enum journal_role role = journal_role(&r->journal);

    replica_step(s, i, ev);
    if (role == JOURNAL_ASKING && journal_role(&r->journal) == JOURNAL_PREPARING)
        sj_foe_stands(s, i);
    while (r->ns.applied > journal_applied(&r->journal) && r->journal.installing == 0) {
        struct journal_event applied = { .kind = JOURNAL_EV_APPLIED, .slot = r->ns.applied };

        replica_step(s, i, &applied);
    }
    replica_arm(s, r);
}

/* ---- what comes in ---- */

static void replica_propose(struct sim_journal *s, unsigned i)
{
    struct sj_replica *r = &s->replica[i];
    struct journal_event ev = { .kind = JOURNAL_EV_PROPOSE,
                                .proposals = r->queue,
                                .count = r->queued };

    if (r->queued == 0)
        return;
    r->queued = 0;
    replica_event(s, i, &ev);
}

static void replica_op(struct sim_journal *s, unsigned i, const struct sj_msg_op *m)
{
    struct sj_replica *r = &s->replica[i];
    uint64_t token = (m->client + 1) | m->seq << 8;

    if (m->is_read) {
        struct journal_event ev = { .kind = JOURNAL_EV_READ, .token = token };

        replica_event(s, i, &ev);
        return;
    }
    r->queue[r->queued++] =
        (struct journal_proposal){ .entry = &s->op[m->client][m->seq % SJ_OPS].entry,
                                   .token = token };
    if (s->gather_us == 0 || r->queued == SJ_QUEUE)
        replica_propose(s, i);
    else if (r->queued == 1)
        sj_replica_timer_set(s, r, s->gather_us, SJ_T_GATHERED, 0);
}

static void replica_on_snapshot(struct sim_journal *s, unsigned i, const struct sj_msg_snapshot *m)
{
    struct sj_replica *r = &s->replica[i];
    struct sj_ns ns = m->ns;
    uint64_t at;

    if (r->install != m->number || ns.applied <= r->ns.applied)
        return;
    r->install = 0;
    ns.installed = ns.applied;
    world_put(s->w, r->proc, 1, &r->ns, &ns, sizeof(ns));
    at = world_batch_end(s->w, r->proc, 1, true);
    sj_replica_timer_set(s, r, at - world_now(s->w), SJ_T_INSTALLED, ns.applied);
}

static void replica_on_journal(struct sim_journal *s, unsigned i, unsigned from,
                               const struct sj_msg_journal *m)
{
    struct journal_msg msg = m->msg;
    struct journal_event ev = { .kind = JOURNAL_EV_MESSAGE, .from = from + 1, .msg = &msg };

    if (s->cut_us[from][i] > world_now(s->w) ||
        (msg.kind == JOURNAL_MSG_NACK && s->no_nack_us[i] > world_now(s->w)))
        return;
    msg.items = m->item;
    replica_event(s, i, &ev);
}

void sj_replica_message(struct sim_journal *s, unsigned i, unsigned from, const void *msg,
                        size_t len)
{
    struct sj_replica *r = &s->replica[i];
    uint64_t type;

    memcpy(&type, msg, sizeof(type));
    (void)len;
    if (type == SJ_ORDER) {
        sj_admin_obey(s, i, msg);
        return;
    }
    if (!r->is_running)
        return;
    switch ((enum sj_msg_type)type) {
    case SJ_JOURNAL:
        replica_on_journal(s, i, from, msg);
        break;
    case SJ_OP:
        replica_op(s, i, msg);
        break;
    case SJ_WANT: {
        struct sj_msg_snapshot m = { .type = SJ_SNAPSHOT, .ns = r->ns };

        m.number = ((const struct sj_msg_snapshot *)msg)->number;
        if (r->journal.installing == 0)
            world_send(s->w, r->proc, from, &m, sizeof(m), 0);
        break;
    }
    case SJ_SNAPSHOT:
        replica_on_snapshot(s, i, msg);
        break;
    default:
        break;
    }
}

static void replica_on_persisted(struct sim_journal *s, unsigned i, uint64_t persist)
{
    struct sj_replica *r = &s->replica[i];
    struct journal_event ev = { .kind = JOURNAL_EV_PERSISTED, .persist = persist };

    for (; r->stored > 0; r->stored--) {
        const struct sj_stored *d = &r->store[r->stored_head];

        if (d->persist > persist)
            break;
        if (d->slot != 0)
            sj_ghost_accepted(s, i, d->epoch, d->slot, &d->ballot, d->entry);
        else
            r->durable = d->ballot;
        r->stored_head = (r->stored_head + 1) % SJ_STORED;
    }
    if (px_ballot_cmp(&r->durable, &r->highest) > 0)
        r->highest = r->durable;
    replica_event(s, i, &ev);
}

void sj_replica_timer(struct sim_journal *s, unsigned i, uint32_t kind, uint64_t data)
{
    struct sj_replica *r = &s->replica[i];
    struct journal_event ev = { .kind = JOURNAL_EV_TIMER };

    if (data >> REPLICA_INC_SHIFT != r->disk.inc)
        return; /* of a core that is gone */
    data &= (UINT64_C(1) << REPLICA_INC_SHIFT) - 1;
    ev.slot = data;
    if (kind == SJ_T_START && !r->is_running) {
        sj_replica_run(s, i);
        return;
    }
    if (!r->is_running)
        return;
    switch (kind) {
    case SJ_T_WAKE:
        if (data != r->armed_us)
            return;
        r->armed_us = 0;
        break;
    case SJ_T_PERSISTED:
        replica_on_persisted(s, i, data);
        return;
    case SJ_T_FLUSHED:
        ev.kind = JOURNAL_EV_FLUSHED;
        break;
    case SJ_T_INSTALLED:
        ev.kind = JOURNAL_EV_INSTALLED;
        break;
    case SJ_T_LATE:
        if (r->install != data)
            return;
        r->install = 0;
        ev.kind = JOURNAL_EV_INSTALLED;
        ev.slot = 0;
        break;
    case SJ_T_GATHERED:
        replica_propose(s, i);
        return;
    default:
        return;
    }
    replica_event(s, i, &ev);
}

/* ---- life ---- */

static void replica_restore(struct sim_journal *s, unsigned i)
{
    struct sj_replica *r = &s->replica[i];

    for (unsigned n = 0; n < s->ring; n++) {
        const struct sj_record *d = &r->disk.record[n];

        if (d->slot < r->disk.first)
            continue; /* forgotten */
        if (journal_restore(&r->journal, d->slot, &d->ballot, d->entry) < 0)
            world_violation(s->w, "replica %u: slot %lu cannot be restored", i + 1, d->slot);
        if (d->epoch == r->disk.epoch)
            sj_ghost_accepted(s, i, d->epoch, d->slot, &d->ballot, d->entry);
    }
}

void sj_replica_configure(struct sim_journal *s, unsigned i)
{
    struct sj_replica *r = &s->replica[i];
    struct journal_event ev = { .kind = JOURNAL_EV_CONFIG,
                                .epoch = r->disk.epoch,
                                .pids = r->disk.pid,
                                .count = r->disk.members,
                                .open = r->disk.is_open };

    replica_event(s, i, &ev);
}

void sj_replica_run(struct sim_journal *s, unsigned i)
{
    struct sj_replica *r = &s->replica[i];
    struct journal_config config = { .pid = i + 1,
                                     .inc = r->disk.inc,
                                     .ring = s->ring,
                                     .window = s->window,
                                     .kept = s->kept,
                                     .ring_bytes = s->ring_bytes,
                                     .slots = r->slots,
                                     .found = r->found };

    if (px_ballot_cmp(&r->disk.promised, &r->highest) < 0)
        world_violation(s->w, "replica %u forgot a promise", i + 1); /* I3 */
    VS_ASSERT(journal_init(&r->journal, &config, &r->disk.promised, r->disk.first) == 0);
    replica_restore(s, i);
    if (journal_start(&r->journal, (int64_t)world_now(s->w) * 1000, r->ns.applied,
                      r->ns.installed) < 0)
        world_violation(s->w, "replica %u holds less than its namespace has applied", i + 1);
    r->durable = r->disk.promised;
    r->is_running = true;
    r->armed_us = 0;
    r->install = 0;
    r->queued = r->stored = r->stored_head = 0;
    sj_replica_configure(s, i);
}

/* The incarnation is raised and synced before the first message. */
void sj_replica_restart(struct sim_journal *s, unsigned i)
{
    struct sj_replica *r = &s->replica[i];
    uint32_t inc = r->disk.inc + 1;
    uint64_t at;

    if (!r->disk.is_member)
        return; /* lost its disk: it does not start as a member */
    world_put(s->w, r->proc, 0, &r->disk.inc, &inc, sizeof(inc));
    at = world_batch_end(s->w, r->proc, 0, true);
    sj_replica_timer_set(s, r, at - world_now(s->w), SJ_T_START, 0);
}

void sj_replica_crash(struct sim_journal *s, unsigned i, bool wiped)
{
    struct sj_replica *r = &s->replica[i];

    r->is_running = false;
    r->installed_us = 0;
    if (wiped) {
        memset(&r->disk, 0, sizeof(r->disk));
        memset(&r->ns, 0, sizeof(r->ns));
        r->is_wiped = true;
    }
}

void sj_replica_init(struct sim_journal *s, unsigned i, bool is_member, unsigned members)
{
    struct sj_replica *r = &s->replica[i];

    memset(&r->disk, 0, sizeof(r->disk));
    memset(&r->ns, 0, sizeof(r->ns));
    r->is_running = r->is_wiped = false;
    r->installed_us = 0;
    r->durable = r->highest = (struct px_ballot){ 0 };
    if (!is_member)
        return;
    r->disk.is_member = r->disk.is_open = true;
    r->disk.inc = 1;
    r->disk.epoch = 1;
    r->disk.first = 1;
    for (unsigned n = 0; n < SJ_REPLICAS; n++)
        if (members & 1u << n)
            r->disk.pid[r->disk.members++] = n + 1;
    sj_replica_run(s, i);
}
