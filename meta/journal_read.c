/* journal_read: strict reads: what they see is no older than anything answered before they came.
 *
 * Happy path: a read notes the commit slot, or the leader's own no-op if that is not chosen yet
 * (behind it lies whatever earlier leaders answered); it waits until a majority of acceptors has
 * confirmed a heartbeat sent after it came (so no higher ballot had a majority then), and until the
 * noted slot is applied. Many reads share a heartbeat. Failure modes: a deposed leader gets no
 * majority and answers nothing; when it steps down its reads are sent elsewhere. */
#include "common/assert.h"
#include "meta/journal_state.h"
#include "meta/px_mutant.h"

static struct journal_read *read_at(struct journal *j, unsigned i)
{
    return &j->read[(j->reads_head + i) % JOURNAL_READS_MAX];
}

void journal_read(struct journal *j, uint64_t token)
{
    struct journal_read *r;

    if (j->role != JOURNAL_LEADING || !j->is_open) {
        journal_answer(j, token, JOURNAL_NOT_LEADER);
        return;
    }
    if (j->reads == JOURNAL_READS_MAX) {
        journal_answer(j, token, JOURNAL_BUSY);
        return;
    }
    r = read_at(j, j->reads++);
    r->token = token;
    r->slot = j->commit > j->mine || PX_MUTANT == 17 ? j->commit : j->mine;
    r->round = j->round + 1;
}

static uint64_t read_confirmed(const struct journal *j)
{
    uint64_t round[JOURNAL_REPLICAS_MAX];

    for (unsigned i = 0; i < j->members; i++)
        round[i] = j->peer[i].round;
    return journal_majority(j, round);
}

static void read_answer(struct journal *j, uint64_t confirmed)
{
    while (j->reads > 0) {
        const struct journal_read *r = read_at(j, 0);

        if ((r->round > confirmed && PX_MUTANT != 14) || r->slot > j->applied)
            return;
        journal_answer(j, r->token, JOURNAL_READ_NOW);
        j->reads_head = (j->reads_head + 1) % JOURNAL_READS_MAX;
        j->reads--;
    }
}

/* A heartbeat leaves at once for the first read; those that come meanwhile share the next. */
void journal_read_pump(struct journal *j)
{
    uint64_t confirmed = read_confirmed(j);

    if (j->reads > 0 && read_at(j, j->reads - 1)->round > j->round && confirmed == j->round) {
        journal_heartbeat(j, false);
        if (j->role != JOURNAL_LEADING)
            return;
        confirmed = read_confirmed(j); /* one member: confirmed already */
    }
    read_answer(j, confirmed);
}

void journal_read_end(struct journal *j)
{
    while (j->reads > 0) {
        journal_answer(j, read_at(j, 0)->token, JOURNAL_NOT_LEADER);
        j->reads_head = (j->reads_head + 1) % JOURNAL_READS_MAX;
        j->reads--;
    }
}
