/* journal_member: life, queues and the thread; see the header and journal_member_impl.h. */
#include "meta/journal_member.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/log.h"
#include "common/thread.h"
#include "meta/journal_member_impl.h"
#include <stdlib.h>
#include <string.h>

/* ---- what comes in ---- */

static void member_wake(struct journal_member *m)
{
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
}

void journal_member_change(struct journal_member *m, struct meta_req *r)
{
    bool is_full;

    pthread_mutex_lock(&m->lock);
    VS_ASSERT(!m->is_stopping && r->op == META_CHANGE);
    is_full = m->change_count == JOURNAL_MEMBER_CHANGES_MAX;
    r->status = is_full ? -EAGAIN : 0;
    m->change_count += !is_full;
    /* Refused ones, too, are answered by the thread: never inside this call. */
    vs_list_add_tail(&m->changes, &r->link);
    member_wake(m);
}

void journal_member_read(struct journal_member *m, struct journal_member_read *r)
{
    pthread_mutex_lock(&m->lock);
    VS_ASSERT(!m->is_stopping);
    vs_list_add_tail(&m->reads, &r->link);
    member_wake(m);
}

int journal_member_receive(struct journal_member *m, uint32_t from, const void *frame, size_t len)
{
    struct member_message *msg = malloc(sizeof(*msg));
    struct px_head head;
    int r = -ENOMEM;

    if (msg == NULL)
        return r;
    msg->from = from;
    r = px_msg_journal_decode(frame, len, &head, &msg->msg, msg->item, member_entry_make, NULL);
    if (r < 0) {
        free(msg);
        return r;
    }
    pthread_mutex_lock(&m->lock);
    if (m->is_stopping || m->message_count == JOURNAL_MEMBER_MESSAGES_MAX || head.pid != from ||
        memcmp(&head.cluster, &m->head.cluster, sizeof(head.cluster)) != 0) {
        r = head.pid == from ? -ENOBUFS : -VS_ECORRUPT;
        pthread_mutex_unlock(&m->lock);
        px_msg_journal_put(&msg->msg);
        free(msg);
        return r;
    }
    m->message_count++;
    vs_list_add_tail(&m->messages, &msg->link);
    member_wake(m);
    return 0;
}

static void member_failed(void *arg, int err);

void journal_member_installed(struct journal_member *m, uint64_t slot)
{
    int r = slot > 0 ? journal_applier_reload(m->applier) : 0;

    if (r < 0) {
        member_failed(m, r);
        return;
    }
    if (slot > 0)
        m->applied_seen = slot;
    pthread_mutex_lock(&m->lock);
    m->is_installed = true;
    m->installed = slot;
    member_wake(m);
}

void journal_member_configure(struct journal_member *m, uint64_t epoch, unsigned members,
                              const uint32_t *pid, bool open)
{
    VS_ASSERT(members >= 1 && members <= JOURNAL_REPLICAS_MAX);
    pthread_mutex_lock(&m->lock);
    m->next.epoch = epoch;
    m->next.members = members;
    memcpy(m->next.pid, pid, members * sizeof(pid[0]));
    m->next.open = open;
    m->is_configured = true;
    pthread_cond_signal(&m->wake);
    while (m->is_configured && !m->is_stopping)
        pthread_cond_wait(&m->in_effect, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

static void member_applied(void *arg, uint64_t slot)
{
    struct journal_member *m = arg;

    m->applied_seen = slot;
    pthread_mutex_lock(&m->lock);
    m->applied = slot;
    member_wake(m);
}

static void member_flushed(void *arg, uint64_t slot)
{
    struct journal_member *m = arg;

    pthread_mutex_lock(&m->lock);
    m->flushed = slot;
    member_wake(m);
}

static void member_failed(void *arg, int err)
{
    struct journal_member *m = arg;

    vs_error("metadata (namespace): applying a change failed: %s -> this replica does not vote "
             "until it is started again, which carries on from the journal; check the disk first",
             vs_err_text(err));
    m->failed_seen = err;
    pthread_mutex_lock(&m->lock);
    m->is_failed = true;
    member_wake(m);
}
void journal_member_resign(struct journal_member *m)
{
    pthread_mutex_lock(&m->lock);
    m->is_resigned = true;
    member_wake(m);
}

uint32_t journal_member_leader(struct journal_member *m)
{
    return m->leader;
}

uint64_t journal_member_applied(struct journal_member *m)
{
    return m->applied_seen;
}

int journal_member_failed(struct journal_member *m)
{
    return m->failed_seen;
}

void journal_member_state(struct journal_member *m, uint64_t *ret_epoch, uint64_t *ret_commit)
{
    *ret_epoch = m->epoch_seen;
    *ret_commit = m->commit_seen;
}

/* ---- the thread ---- */

/* What was taken from under the lock. */
struct member_work {
    struct vs_list messages, reads, written;
    uint64_t applied, flushed, installed;
    bool is_installed, is_failed, is_stopping;
};

static void list_move(struct vs_list *from, struct vs_list *to)
{
    vs_list_init(to);
    while (!vs_list_empty(from)) {
        struct vs_list *link = from->next;

        vs_list_del(link);
        vs_list_add_tail(to, link);
    }
}

static bool member_has_work(const struct journal_member *m)
{
    return m->is_configured || !vs_list_empty(&m->messages) || !vs_list_empty(&m->changes) ||
           !vs_list_empty(&m->reads) || !vs_list_empty(&m->written) || m->is_installed ||
           m->is_failed || m->is_resigned || m->is_stopping || m->applied > m->journal.applied ||
           m->flushed > m->journal.flushed;
}

static void member_take(struct journal_member *m, struct member_work *w)
{
    int64_t wake_ns = journal_wake_ns(&m->journal);

    pthread_mutex_lock(&m->lock);
    while (!member_has_work(m))
        if (!vs_cond_wait_until(&m->wake, &m->lock, wake_ns))
            break;
    list_move(&m->messages, &w->messages);
    vs_list_splice_tail(&m->pending, &m->changes);
    list_move(&m->reads, &w->reads);
    list_move(&m->written, &w->written);
    m->message_count = 0;
    w->applied = m->applied;
    w->flushed = m->flushed;
    w->installed = m->installed;
    w->is_installed = m->is_installed;
    w->is_failed = m->is_failed || m->is_resigned;
    w->is_stopping = m->is_stopping;
    m->is_installed = m->is_failed = m->is_resigned = false;
    pthread_mutex_unlock(&m->lock);
}

static void member_on_written(struct journal_member *m, struct vs_list *written)
{
    struct acceptor_job *job;

    while ((job = vs_list_first(written, struct acceptor_job, link)) != NULL) {
        struct member_batch *b = vs_container_of(job, struct member_batch, job);
        struct journal_event ev = { .kind = JOURNAL_EV_PERSISTED, .persist = b->persist };

        vs_list_del(&job->link);
        member_batch_free(b);
        pthread_mutex_lock(&m->lock);
        m->batches--;
        pthread_mutex_unlock(&m->lock);
        member_step(m, &ev);
    }
}

static void member_put_applied(struct journal_member *m, uint64_t slot)
{
    for (; m->put_to < slot; m->put_to++) {
        struct journal_entry **e = &m->applying[(m->put_to + 1) % JOURNAL_APPLIES_MAX];

        journal_entry_put(*e);
        *e = NULL;
    }
}

static void member_on_namespace(struct journal_member *m, const struct member_work *w)
{
    struct journal_event applied = { .kind = JOURNAL_EV_APPLIED, .slot = w->applied };
    struct journal_event flushed = { .kind = JOURNAL_EV_FLUSHED, .slot = w->flushed };
    struct journal_event installed = { .kind = JOURNAL_EV_INSTALLED, .slot = w->installed };

    if (w->applied > m->journal.applied) {
        member_put_applied(m, w->applied);
        member_step(m, &applied);
    }
    if (w->flushed > m->journal.flushed)
        member_step(m, &flushed);
    if (w->is_installed) {
        if (installed.slot < m->journal.applied)
            installed.slot = 0; /* older than what is here */
        m->put_to = installed.slot > m->put_to ? installed.slot : m->put_to;
        member_step(m, &installed);
    }
}

static void member_on_messages(struct journal_member *m, struct vs_list *messages)
{
    struct member_message *msg;

    while ((msg = vs_list_first(messages, struct member_message, link)) != NULL) {
        struct journal_event ev = { .kind = JOURNAL_EV_MESSAGE,
                                    .from = msg->from,
                                    .msg = &msg->msg };

        vs_list_del(&msg->link);
        member_step(m, &ev);
        px_msg_journal_put(&msg->msg);
        free(msg);
    }
}

static void member_configure(struct journal_member *m, bool is_open)
{
    struct journal_event ev = { .kind = JOURNAL_EV_CONFIG,
                                .epoch = m->config.epoch,
                                .pids = m->config.pid,
                                .count = m->config.members,
                                .open = is_open };

    member_step(m, &ev);
}

/* What another thread has set; the config itself is this thread's. */
static void member_take_config(struct journal_member *m)
{
    struct journal_member_config *c = &m->config;

    pthread_mutex_lock(&m->lock);
    if (m->is_configured && m->next.epoch >= c->epoch) {
        c->epoch = m->next.epoch;
        c->members = m->next.members;
        memcpy(c->pid, m->next.pid, sizeof(c->pid));
        c->is_closed = !m->next.open;
        pthread_mutex_unlock(&m->lock);
        member_configure(m, !c->is_closed && !m->has_failed);
        pthread_mutex_lock(&m->lock);
    }
    m->is_configured = false;
    pthread_cond_broadcast(&m->in_effect);
    pthread_mutex_unlock(&m->lock);
}

static void *member_main(void *arg)
{
    struct journal_member *m = arg;
    struct member_work w = { 0 };

    pthread_setname_np(pthread_self(), "vs-journal");
    member_configure(m, !m->config.is_closed);
    while (!w.is_stopping) {
        struct journal_event tick = { .kind = JOURNAL_EV_TIMER };

        member_take(m, &w);
        member_take_config(m);
        member_on_messages(m, &w.messages);
        member_on_written(m, &w.written);
        member_on_namespace(m, &w);
        member_on_reads(m, &w.reads);
        m->has_failed |= w.is_failed;
        if (w.is_failed || w.is_stopping)
            member_configure(m, false); /* whoever waits is told */
        else if (vs_now_ns(m->config.clock) >= journal_wake_ns(&m->journal))
            member_step(m, &tick);
        member_on_changes(m);
    }
    return NULL;
}

/* ---- life ---- */

static int member_load_slot(void *arg, uint64_t slot, const struct px_ballot *ballot,
                            const uint8_t *entry, size_t entry_len)
{
    struct journal_member *m = arg;
    struct journal_entry *e = NULL;
    int r;

    if (slot < m->journal.first)
        return 0; /* of before a snapshot */
    if (entry_len > 0) {
        e = member_entry_make(NULL, entry, (uint32_t)entry_len);
        if (e == NULL)
            return -ENOMEM;
    }
    r = journal_restore(&m->journal, slot, ballot, e);
    journal_entry_put(e);
    return r;
}

static int member_load(struct journal_member *m)
{
    struct px_ballot promised = acceptor_promised(m->config.store);
    uint32_t window = m->config.ring / 2;
    struct journal_config config = { .pid = m->head.pid,
                                     .inc = m->head.inc,
                                     .ring = m->config.ring,
                                     .window =
                                         window < JOURNAL_WINDOW_MAX ? window : JOURNAL_WINDOW_MAX,
                                     .kept = m->config.kept,
                                     .ring_bytes = JOURNAL_MEMBER_RING_BYTES,
                                     .slots = m->slots,
                                     .found = m->found };
    uint64_t flushed = journal_applier_slot(m->applier);
    int r;

    r = journal_init(&m->journal, &config, &promised, acceptor_first_slot(m->config.store));
    if (r == 0)
        r = acceptor_records_scan(m->config.store, 1, member_load_slot, m);
    if (r == 0)
        r = journal_start(&m->journal, vs_now_ns(m->config.clock), flushed, m->config.installed);
    /* What one replica alone has lost, no other has. */
    for (uint64_t slot = flushed + 1; r == 0 && m->config.members == 1 && slot <= m->journal.last;
         slot++)
        if (px_ballot_is_none(&journal_at(&m->journal, slot)->ballot))
            r = -VS_ECORRUPT;
    m->put_to = m->applied = m->flushed = flushed;
    m->applied_seen = flushed;
    return r;
}

static void member_free(struct journal_member *m)
{
    journal_close(&m->journal);
    journal_applier_free(m->applier);
    free(m->slots);
    free(m->found);
    free(m->out);
    vs_buf_close(&m->frame);
    vs_buf_close(&m->encoded);
    pthread_cond_destroy(&m->wake);
    pthread_cond_destroy(&m->in_effect);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static void member_init(struct journal_member *m, const struct journal_member_config *config)
{
    const struct acceptor_identity *id = acceptor_identity(config->store);

    m->config = *config;
    m->config.ring = config->ring > 0 ? config->ring : JOURNAL_MEMBER_RING;
    m->config.kept = config->kept > 0 ? config->kept : JOURNAL_MEMBER_KEPT;
    m->head = (struct px_head){ .cluster = id->cluster, .pid = id->pid, .inc = id->inc };
    vs_list_init(&m->messages);
    vs_list_init(&m->changes);
    vs_list_init(&m->pending);
    vs_list_init(&m->reads);
    vs_list_init(&m->written);
    pthread_mutex_init(&m->lock, NULL); /* these cannot fail on Linux */
    vs_cond_init(&m->wake);
    pthread_cond_init(&m->in_effect, NULL);
}

int journal_member_open(struct journal_member **ret, const struct journal_member_config *config)
{
    struct journal_member *m = calloc(1, sizeof(*m));
    struct journal_applier_calls calls = { .applied = member_applied,
                                           .flushed = member_flushed,
                                           .failed = member_failed,
                                           .arg = m,
                                           .feed = config->feed,
                                           .entries = config->entries };
    int r = -ENOMEM;

    if (m == NULL)
        return r;
    member_init(m, config);
    m->slots = calloc(m->config.ring, sizeof(*m->slots));
    m->found = calloc(m->config.ring, sizeof(*m->found));
    m->out = calloc(1, sizeof(*m->out));
    if (m->slots != NULL && m->found != NULL && m->out != NULL)
        r = journal_applier_new(&m->applier, config->ns, &calls);
    if (r == 0)
        r = member_load(m);
    if (r == 0)
        r = vs_thread_start(&m->thread, member_main, m);
    if (r < 0) {
        member_free(m);
        return r;
    }
    *ret = m;
    return 0;
}

/* After the thread: batches that the writer still has come back to the list. */
static void member_drain(struct journal_member *m)
{
    struct vs_list written;
    struct acceptor_job *job;
    bool is_more = true;

    while (is_more) {
        pthread_mutex_lock(&m->lock);
        while (m->batches > 0 && vs_list_empty(&m->written))
            pthread_cond_wait(&m->wake, &m->lock);
        list_move(&m->written, &written);
        pthread_mutex_unlock(&m->lock);
        while ((job = vs_list_first(&written, struct acceptor_job, link)) != NULL) {
            vs_list_del(&job->link);
            member_batch_free(vs_container_of(job, struct member_batch, job));
            m->batches--; /* the thread is gone */
        }
        is_more = m->batches > 0;
    }
}

void journal_member_stop(struct journal_member *m)
{
    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    m->is_stopping = true;
    pthread_cond_broadcast(&m->in_effect);
    member_wake(m);
    pthread_join(m->thread, NULL);
    member_drain(m);
    journal_applier_free(m->applier); /* answers what it has; needs the entries */
    m->applier = NULL;
    for (unsigned n = 0; n < JOURNAL_APPLIES_MAX; n++)
        journal_entry_put(m->applying[n]);
    member_free(m);
}
