/* replica_rig: see the header. */
#include "tests/support/replica_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct px_ballot replica_ballot(uint64_t round, uint32_t pid)
{
    return (struct px_ballot){ .round = round, .pid = pid, .inc = 1 };
}

/* ---- life ---- */

static void rig_entries(struct replica_rig *f)
{
    for (unsigned n = 0; n < RIG_ENTRIES; n++) {
        f->payload[n] = (uint8_t)n;
        f->entry[n] = (struct journal_entry){ .refs = 1, .len = 1, .bytes = &f->payload[n] };
    }
}

void replica_init_at(struct replica_rig *f, unsigned members, uint64_t first, uint64_t flushed)
{
    struct journal_config config = { .pid = 1,
                                     .inc = 1,
                                     .ring = RIG_RING,
                                     .window = RIG_WINDOW,
                                     .ring_bytes = 1000,
                                     .slots = f->slots,
                                     .found = f->found };
    struct px_ballot old = replica_ballot(1, 3);

    memset(f, 0, sizeof(*f));
    rig_entries(f);
    f->now_ns = 1000 * JOURNAL_MS;
    assert_int_equal(journal_init(&f->j, &config, &old, first), 0);
    for (uint64_t slot = first; slot <= flushed; slot++)
        assert_int_equal(journal_restore(&f->j, slot, &old, &f->entry[slot]), 0);
    assert_int_equal(journal_start(&f->j, f->now_ns, flushed, 0), 0);
    replica_config(f, 1, members, true);
}

void replica_init(struct replica_rig *f, unsigned members)
{
    replica_init_at(f, members, 1, 0);
}

void replica_close(struct replica_rig *f)
{
    journal_close(&f->j);
    for (unsigned n = 0; n < RIG_ENTRIES; n++)
        assert_int_equal(f->entry[n].refs, 1);
}

/* ---- events ---- */

void replica_step(struct replica_rig *f, struct journal_event *ev)
{
    ev->now_ns = f->now_ns;
    ev->random = 7;
    journal_step(&f->j, ev, &f->out);
    if (f->out.persist != 0)
        f->persist = f->out.persist;
}

void replica_msg(struct replica_rig *f, uint32_t from, struct journal_msg msg)
{
    struct journal_event ev = { .kind = JOURNAL_EV_MESSAGE, .from = from, .msg = &msg };

    if (msg.epoch == 0)
        msg.epoch = f->epoch;
    replica_step(f, &ev);
}

void replica_wait(struct replica_rig *f, int64_t ms)
{
    struct journal_event ev = { .kind = JOURNAL_EV_TIMER };

    f->now_ns += ms * JOURNAL_MS;
    replica_step(f, &ev);
}

void replica_persisted(struct replica_rig *f)
{
    struct journal_event ev = { .kind = JOURNAL_EV_PERSISTED, .persist = f->persist };

    replica_step(f, &ev);
}

void replica_applied(struct replica_rig *f, uint64_t slot)
{
    struct journal_event ev = { .kind = JOURNAL_EV_APPLIED, .slot = slot };

    replica_step(f, &ev);
}

void replica_flushed(struct replica_rig *f, uint64_t slot)
{
    struct journal_event ev = { .kind = JOURNAL_EV_FLUSHED, .slot = slot };

    replica_step(f, &ev);
}

void replica_propose(struct replica_rig *f, unsigned entry, uint64_t token)
{
    struct journal_proposal p = { .entry = &f->entry[entry], .token = token };
    struct journal_event ev = { .kind = JOURNAL_EV_PROPOSE, .proposals = &p, .count = 1 };

    replica_step(f, &ev);
}

void replica_read(struct replica_rig *f, uint64_t token)
{
    struct journal_event ev = { .kind = JOURNAL_EV_READ, .token = token };

    replica_step(f, &ev);
}

void replica_config(struct replica_rig *f, uint64_t epoch, unsigned members, bool open)
{
    static const uint32_t pids[] = { 1, 2, 3, 4, 5 };
    struct journal_event ev = {
        .kind = JOURNAL_EV_CONFIG, .epoch = epoch, .pids = pids, .count = members, .open = open
    };

    f->epoch = epoch;
    replica_step(f, &ev);
}

void replica_accept(struct replica_rig *f, struct px_ballot b, uint64_t slot, unsigned count,
                    unsigned entry, uint64_t commit)
{
    struct journal_item item[8];
    struct journal_msg msg = { .kind = JOURNAL_MSG_ACCEPT,
                               .ballot = b,
                               .items = item,
                               .item_count = (uint16_t)count,
                               .commit = commit };

    assert_true(count <= 8);
    for (unsigned n = 0; n < count; n++)
        item[n] = (struct journal_item){ .slot = slot + n,
                                         .ballot = b,
                                         .entry = entry != 0 ? &f->entry[entry + n] : NULL };
    replica_msg(f, b.pid, msg);
}

void replica_heartbeat(struct replica_rig *f, struct px_ballot b, uint64_t round, uint64_t commit,
                       uint64_t safe, uint64_t lowest)
{
    struct journal_msg msg = { .kind = JOURNAL_MSG_HEARTBEAT,
                               .ballot = b,
                               .round = round,
                               .commit = commit,
                               .safe = safe,
                               .slot = lowest };

    replica_msg(f, b.pid, msg);
}

/* ---- looking ---- */

const struct journal_msg *replica_sent(const struct replica_rig *f, uint32_t to, unsigned kind)
{
    for (unsigned n = f->out.sends; n > 0; n--)
        if (f->out.send[n - 1].to == to && f->out.send[n - 1].msg.kind == kind)
            return &f->out.send[n - 1].msg;
    return NULL;
}

int replica_answered(const struct replica_rig *f, uint64_t token)
{
    for (unsigned n = 0; n < f->out.answers; n++)
        if (f->out.answer[n].token == token)
            return (int)f->out.answer[n].kind;
    return -1;
}

/* ---- roles ---- */

void replica_stand(struct replica_rig *f)
{
    replica_wait(f, JOURNAL_ELECTION_MAX_NS / JOURNAL_MS + 1);
    assert_int_equal(journal_role(&f->j), JOURNAL_ASKING);
    assert_non_null(replica_sent(f, 2, JOURNAL_MSG_ASK));
}

void replica_lead(struct replica_rig *f)
{
    struct journal_msg msg = { .kind = JOURNAL_MSG_ASKED };

    replica_stand(f);
    msg.ballot = f->j.ballot;
    replica_msg(f, 2, msg);
    assert_int_equal(journal_role(&f->j), JOURNAL_PREPARING);
    assert_non_null(replica_sent(f, 3, JOURNAL_MSG_PREPARE));
    replica_persisted(f); /* its own promise */
    msg.kind = JOURNAL_MSG_PROMISE;
    msg.ballot = f->j.ballot;
    msg.slot = f->j.start;
    replica_msg(f, 2, msg);
    assert_int_equal(journal_role(&f->j), JOURNAL_LEADING);
}

void replica_heard(struct replica_rig *f, uint32_t from, uint64_t have)
{
    struct journal_msg msg = {
        .kind = JOURNAL_MSG_HEARD, .ballot = f->j.ballot, .round = f->j.round, .have = have
    };

    replica_msg(f, from, msg);
}

void replica_settle(struct replica_rig *f)
{
    uint64_t mine;

    replica_lead(f);
    mine = f->j.mine;
    replica_persisted(f);
    replica_heard(f, 2, mine);
    assert_int_equal(f->j.commit, mine);
    replica_applied(f, mine);
}
