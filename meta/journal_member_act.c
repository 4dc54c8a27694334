/* journal_member_act: carries out what one step of the core says: frames leave at once; records go
 * to the acceptor's writer, which comes back when they are durable; chosen entries to the applier;
 * answers to whoever waits. */
#include "common/assert.h"
#include "common/err.h"
#include "common/log.h"
#include "common/rand.h"
#include "meta/journal_member_impl.h"
#include <stdlib.h>
#include <string.h>

/* ---- entries ---- */

static void entry_free(struct journal_entry *e)
{
    free(e);
}

struct journal_entry *member_entry_make(void *arg, const uint8_t *bytes, uint32_t len)
{
    struct journal_entry *e = malloc(sizeof(*e) + len);

    (void)arg;
    if (e == NULL)
        return NULL;
    *e = (struct journal_entry){
        .refs = 1, .len = len, .bytes = (const uint8_t *)(e + 1), .free = entry_free
    };
    memcpy(e + 1, bytes, len);
    return e;
}

/* ---- frames ---- */

static void act_send(struct journal_member *m, const struct journal_send *send)
{
    int r;

    m->frame.len = 0;
    r = px_msg_journal_encode(&m->head, &send->msg, &m->frame);
    if (r < 0) /* no memory: as if it were lost */
        vs_warn("metadata (journal): a message of kind %u is not sent: %s", send->msg.kind,
                vs_err_text(r));
    else
        m->config.link->send(m->config.link, send->to, m->frame.data, m->frame.len);
}

/* ---- records ---- */

int member_batch_fill(struct acceptor_job *job, struct acceptor_store *store)
{
    struct member_batch *b = vs_container_of(job, struct member_batch, job);
    int r = 0;

    for (unsigned n = 0; n < b->count && r == 0; n++) {
        const struct journal_item *i = &b->item[n];

        r = acceptor_slot_put(store, i->slot, &i->ballot, i->entry != NULL ? i->entry->bytes : NULL,
                              i->entry != NULL ? i->entry->len : 0);
    }
    if (r == 0)
        r = acceptor_head_put(store, &b->promised, b->first);
    /* The core counts on this batch; without it the replica could forget. */
    if (r < 0) {
        vs_error("metadata (journal): a record cannot be stored: %s -> stopping, so that nothing "
                 "that was promised is forgotten; free some memory, then start again",
                 vs_err_text(r));
        abort();
    }
    return 0;
}

void member_batch_written(struct acceptor_job *job, int err)
{
    struct member_batch *b = vs_container_of(job, struct member_batch, job);
    struct journal_member *m = b->member;

    VS_ASSERT(err == 0);
    pthread_mutex_lock(&m->lock);
    vs_list_add_tail(&m->written, &b->job.link);
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
}

void member_batch_free(struct member_batch *b)
{
    for (unsigned n = 0; n < b->count; n++)
        journal_entry_put(b->item[n].entry);
    free(b);
}

static void act_persist(struct journal_member *m)
{
    const struct journal_actions *out = m->out;
    struct member_batch *b = malloc(sizeof(*b) + out->puts * sizeof(b->item[0]));

    if (b == NULL) {
        vs_error("metadata (journal): no memory for records -> stopping; free some, start again");
        abort();
    }
    *b = (struct member_batch){
        .job = { .fill = member_batch_fill, .done = member_batch_written, .weight = out->puts },
        .member = m,
        .persist = out->persist,
        .first = out->first,
        .promised = out->promised,
        .count = out->puts
    };
    for (unsigned n = 0; n < out->puts; n++) {
        b->item[n] = out->put[n];
        journal_entry_get(b->item[n].entry);
    }
    pthread_mutex_lock(&m->lock);
    m->batches++;
    pthread_mutex_unlock(&m->lock);
    acceptor_writer_submit(m->config.writer, &b->job);
}

/* ---- the namespace ---- */

static void act_apply(struct journal_member *m, const struct journal_apply *a)
{
    m->applying[a->slot % JOURNAL_APPLIES_MAX] = journal_entry_get(a->entry);
    journal_applier_add(m->applier, a->slot, a->entry, (struct meta_req *)(uintptr_t)a->token);
}

static void act_install(struct journal_member *m)
{
    if (m->config.link->install != NULL)
        m->config.link->install(m->config.link, m->out->install_from);
    else
        journal_member_installed(m, 0);
}

/* ---- answers ---- */

static int answer_status(enum journal_answer_kind kind)
{
    switch (kind) {
    case JOURNAL_READ_NOW:
        return 0;
    case JOURNAL_NOT_LEADER:
        return -EREMOTE;
    case JOURNAL_BUSY:
        return -EAGAIN;
    case JOURNAL_UNKNOWN:
        return -ETIMEDOUT;
    }
    return -EIO;
}

/* The lowest bit of a token tells reads from changes. */
static void act_answer(const struct journal_answer *a)
{
    if (a->token & 1) {
        struct journal_member_read *r =
            (struct journal_member_read *)(uintptr_t)(a->token & ~UINT64_C(1));

        r->done(r, answer_status(a->kind));
    } else {
        struct meta_req *r = (struct meta_req *)(uintptr_t)a->token;

        r->status = answer_status(a->kind);
        r->done(r);
    }
}

void member_act(struct journal_member *m)
{
    const struct journal_actions *out = m->out;

    m->leader = journal_leader(&m->journal);
    m->commit_seen = journal_commit(&m->journal);
    m->epoch_seen = m->journal.epoch;
    for (unsigned n = 0; n < out->sends; n++)
        act_send(m, &out->send[n]);
    if (out->persist != 0)
        act_persist(m);
    for (unsigned n = 0; n < out->applies; n++)
        act_apply(m, &out->apply[n]);
    if (out->flush)
        journal_applier_flush(m->applier);
    if (out->install_from != 0)
        act_install(m);
    if (out->config_epoch != 0 && m->config.link->config != NULL)
        m->config.link->config(m->config.link, out->config_epoch, out->config_from);
    for (unsigned n = 0; n < out->answers; n++)
        act_answer(&out->answer[n]);
}

void member_step(struct journal_member *m, struct journal_event *ev)
{
    ev->now_ns = vs_now_ns(m->config.clock);
    vs_rand_system(&ev->random, sizeof(ev->random));
    journal_step(&m->journal, ev, m->out);
    member_act(m);
}
