/* meta_replica: life of a replica, and where its requests go; see the header.
 *
 * Failure at open: whatever was opened is closed again, and nothing was changed but the
 * incarnation, which may be raised for nothing. */
#include "meta/meta_replica.h"
#include "common/assert.h"
#include "common/err.h"
#include "meta/meta_replica_impl.h"
#include "meta/ns_read.h"
#include "meta/px_frame.h"
#include <stdlib.h>
#include <time.h>

#define READ_THREADS 2
#define ALONE_RING   16384 /* slots */
#define ALONE_KEPT   16
#define LEAD_POLL_NS VS_NS_PER_MS

/* ---- requests ---- */

static int read_registers(struct meta_replica *m, struct meta_req *r)
{
    struct vs_buf storage = { 0 };

    for (uint32_t i = 0; i < r->reg_count; i++) {
        struct meta_reg *reg = &r->regs[i];
        struct px_reg state;

        reg->current.len = 0;
        reg->status = acceptor_reg_read(m->dir.store, &reg->id, &state, &storage);
        if (reg->status == 0 && px_ballot_is_none(&state.ballot))
            reg->status = -ENOENT;
        if (reg->status == 0)
            reg->status = vs_buf_append(&reg->current, state.accepted.value,
                                        state.accepted.value_len, PX_VALUE_BYTES_MAX);
    }
    vs_buf_close(&storage);
    return 0;
}

static int list_registers(struct meta_replica *m, struct meta_req *r)
{
    int n = acceptor_reg_list(m->dir.store, &r->scan_after_id, r->scan_ids, r->scan_max);

    r->scan_count = n < 0 ? 0 : (uint32_t)n;
    return n < 0 ? n : 0;
}

static struct feed *replica_feed(struct meta_replica *m, const struct meta_req *r)
{
    return r->op == META_ENTRIES ? m->entries : m->feed;
}

int replica_read_here(struct meta_replica *m, struct meta_req *r)
{
    int status;

    if (r->op == META_REG_READ)
        return read_registers(m, r);
    if (r->op == META_SCAN && r->scan == META_SCAN_REGISTERS)
        return list_registers(m, r);
    if (r->op == META_DUMP)
        return meta_dumps_read(&m->dumps, m->ns, r);
    if (meta_op_feed(r->op)) {
        feed_answer(replica_feed(m, r), r);
        return r->status;
    }
    status = ns_read(m->ns, r);
    if (r->op == META_STATS && status == 0) {
        r->stats.first_slot = acceptor_first_slot(m->dir.store);
        r->stats.synced_batches = acceptor_synced(m->dir.store);
    }
    return status;
}

static void replica_read_job(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);
    struct meta_replica *m = r->client;

    r->status = replica_read_here(m, r);
    r->done(r);
    replica_leave(m);
}

static void replica_wait_job(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);
    struct meta_replica *m = r->client;

    feed_ask(replica_feed(m, r), r);
}

/* From what this replica has, whatever the others say. */
static bool is_answered_here(const struct meta_replica *m, const struct meta_req *r)
{
    switch (r->op) {
    case META_CHANGE:
    case META_REG_CREATE:
    case META_REG_CHANGE:
        return false;
    case META_DUMP:
        return true;    /* any slot will do */
    case META_REG_READ: /* alone, what is accepted is decided */
        return (m->is_alone || r->hint) && r->reg_count <= META_REGISTER_BATCH_MAX;
    case META_SCAN:
        return m->is_alone || (r->here && r->scan == META_SCAN_REGISTERS);
    default: /* alone, nothing is answered before it is applied */
        return m->is_alone || (r->hint && (r->op == META_CONTENT || r->op == META_NODES));
    }
}

static bool replica_answer(struct meta_client *c, struct meta_req *r)
{
    struct meta_replica *m = vs_container_of(c, struct meta_replica, client);

    if (meta_op_feed(r->op) || !is_answered_here(m, r))
        return false;
    replica_enter(m);
    r->status = replica_read_here(m, r);
    replica_leave(m);
    return true;
}

static void replica_submit(struct meta_client *c, struct meta_req *r)
{
    struct meta_replica *m = vs_container_of(c, struct meta_replica, client);

    r->client = m;
    if (meta_op_feed(r->op) && r->hint) { /* stop does not wait for it, the feed answers it */
        r->job.fn = replica_wait_job;
        vs_exec_submit(m->readers, &r->job);
        return;
    }
    if (is_answered_here(m, r)) {
        replica_enter(m);
        r->job.fn = replica_read_job;
        vs_exec_submit(m->readers, &r->job);
        return;
    }
    switch (r->op) {
    case META_REG_CREATE:
    case META_REG_READ:
    case META_REG_CHANGE:
        reg_coord_submit(m->coord, r);
        return;
    case META_SCAN:
        if (r->scan == META_SCAN_REGISTERS) {
            replica_list(m, r);
            return;
        }
        /* fall through */
    default:
        replica_ask(m, r);
        return;
    }
}

/* The client is the replica's own: it is stopped with it. */
static void replica_client_stop(struct meta_client *c)
{
    (void)c;
}

static const struct meta_client_ops replica_ops = { .submit = replica_submit,
                                                    .stop = replica_client_stop,
                                                    .answer = replica_answer };

struct meta_client *meta_replica_client(struct meta_replica *m)
{
    return &m->client;
}

/* ---- frames ---- */

static void replica_tell(struct journal_link *l, uint32_t to, const void *frame, size_t len)
{
    struct meta_replica *m = vs_container_of(l, struct meta_replica, journal_link);

    px_link_tell(m->link, to, frame, len);
}

static void replica_install(struct journal_link *l, uint32_t from)
{
    snap_install(vs_container_of(l, struct meta_replica, journal_link)->snap, from);
}

static void replica_installed(void *arg, uint64_t slot)
{
    struct meta_replica *m = arg;
    struct journal_member *journal;

    pthread_mutex_lock(&m->lock); /* it may have said install before it was opened */
    journal = m->journal;
    pthread_mutex_unlock(&m->lock);
    journal_member_installed(journal, slot);
}

static int receive_journal(struct meta_replica *m, const struct meta_replica_frame *f)
{
    int r = journal_member_receive(m->journal, f->from, f->bytes, f->len);

    return r == -ENOBUFS ? -EAGAIN : r;
}

void meta_replica_receive(struct meta_replica *m, struct meta_replica_frame *f)
{
    struct px_frame frame;

    f->answer = (struct vs_buf){ 0 };
    f->status = px_frame_open(f->bytes, f->len, &frame);
    if (f->status == 0 && vs_id_cmp(&frame.head.cluster, &m->client.cluster) != 0)
        f->status = -ESTALE;
    if (f->status == 0 && frame.kind == PX_FRAME_ASKS) {
        reg_serve_frame(m->serve, f);
        return;
    }
    if (f->status == 0 && frame.kind == PX_FRAME_SNAP && m->snap != NULL) {
        snap_receive(m->snap, f);
        return;
    }
    if (f->status == 0 && frame.kind == PX_FRAME_MOVE && m->move != NULL) {
        meta_move_receive(m->move, f);
        return;
    }
    if (f->status == 0)
        f->status = frame.kind == PX_FRAME_JOURNAL ? receive_journal(m, f) : -VS_ECORRUPT;
    f->done(f);
}

void meta_replica_state(struct meta_replica *m, struct meta_replica_state *ret)
{
    *ret = (struct meta_replica_state){ 0 };
    journal_member_state(m->journal, &ret->epoch, &ret->commit_slot);
    ret->leader = journal_member_leader(m->journal);
    ret->leading = ret->leader == m->client.pid;
    ret->voting = m->move == NULL || meta_move_votes(m->move);
    ret->applied_slot = journal_member_applied(m->journal);
}

/* ---- life ---- */

static int config_check(const struct meta_replica_config *c)
{
    bool is_member = !c->create; /* who is there may be stored otherwise */

    if (c->member_count == 1 && c->pid == 0 && !c->create)
        return 0; /* whoever it is */
    if ((c->member_count != 1 && c->member_count != 3 && c->member_count != 5) || c->pid == 0 ||
        (c->link == NULL && c->member_count > 1))
        return -EINVAL;
    for (unsigned i = 0; i < c->member_count; i++) {
        is_member |= c->members[i] == c->pid;
        for (unsigned k = 0; k < i; k++)
            if (c->members[k] == c->members[i] || c->members[i] == 0)
                return -EINVAL;
    }
    return is_member ? 0 : -EINVAL;
}

static int open_dir(struct meta_replica *m, const struct meta_replica_config *c)
{
    struct meta_dir_config config = { .dir = c->dir,
                                      .in_memory = c->in_memory,
                                      .create = c->create,
                                      .cluster = c->cluster,
                                      .born_ns = c->born_ns,
                                      .root_uid = c->root_uid,
                                      .root_gid = c->root_gid,
                                      .pid = c->pid,
                                      .is_member = c->member_count > 1 };
    int r = meta_dir_open(&m->dir, &config);
    const struct acceptor_identity *id;

    if (r < 0)
        return r;
    id = acceptor_identity(m->dir.store);
    if ((c->pid != 0 && id->pid != c->pid) ||
        (!vs_id_is_zero(&c->cluster) && vs_id_cmp(&id->cluster, &c->cluster) != 0))
        return -ESTALE;
    m->ns = m->dir.ns;
    m->client.pid = (uint16_t)id->pid;
    m->client.inc = id->inc;
    m->client.cluster = id->cluster;
    return replica_open_members(m, c);
}

static int open_registers(struct meta_replica *m)
{
    const struct acceptor_identity *id = acceptor_identity(m->dir.store);
    struct px_acceptor acceptor = { .cluster = id->cluster,
                                    .epoch = m->begun.set.epoch,
                                    .votes = m->begun.stand == ACCEPTOR_VOTES,
                                    .members = m->begun.set.count };
    struct reg_coord_config config = { .id = id,
                                       .store = m->dir.store,
                                       .link = m->link,
                                       .clock = m->clock,
                                       .epoch = m->begun.set.epoch,
                                       .members = m->begun.set.count,
                                       .patience_ms = m->is_alone ? 0 : m->patience_ms,
                                       .count = m->count };
    int r;

    for (unsigned i = 0; i < m->begun.set.count; i++) {
        acceptor.member[i].pid = m->begun.set.member[i].pid;
        config.pid[i] = m->begun.set.member[i].pid;
    }
    r = reg_serve_new(&m->serve, m->writer, id, &acceptor);
    config.serve = m->serve;
    return r < 0 ? r : reg_coord_new(&m->coord, &config);
}

/* The way of snapshots, to this replica and from it. */
static int open_snap(struct meta_replica *m)
{
    struct snap_config config = { .store = &m->dir.names,
                                  .clock = m->clock,
                                  .link = m->link,
                                  .cluster = m->client.cluster,
                                  .pid = m->client.pid,
                                  .inc = m->client.inc,
                                  .installed = replica_installed,
                                  .arg = m };

    if (m->is_alone)
        return 0;
    m->journal_link.install = replica_install;
    return snap_new(&m->snap, &config);
}

static int open_journal(struct meta_replica *m, const struct meta_replica_config *c)
{
    struct journal_member_config config = { .store = m->dir.store,
                                            .writer = m->writer,
                                            .ns = m->ns,
                                            .clock = m->clock,
                                            .link = &m->journal_link,
                                            .feed = m->feed,
                                            .entries = m->entries,
                                            .epoch = m->begun.set.epoch,
                                            .members = m->begun.set.count,
                                            .is_closed = m->begun.stand != ACCEPTOR_VOTES,
                                            .ring = c->ring,
                                            .kept = c->kept };
    int r = ns_store_base(m->ns, &config.installed);

    if (r < 0)
        return r;
    if (m->is_alone && config.ring == 0) { /* nobody comes back and needs old ones */
        config.ring = ALONE_RING;
        config.kept = ALONE_KEPT;
    }
    m->journal_link.send = replica_tell;
    m->journal_link.config = replica_heard;
    for (unsigned i = 0; i < m->begun.set.count; i++)
        config.pid[i] = m->begun.set.member[i].pid;
    pthread_mutex_lock(&m->lock);
    r = journal_member_open(&m->journal, &config);
    pthread_mutex_unlock(&m->lock);
    return r;
}

struct lead_wait {
    struct journal_member_read read;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int status; /* under lock; 1: not known yet */
};

static void lead_said(struct journal_member_read *read, int status)
{
    struct lead_wait *w = vs_container_of(read, struct lead_wait, read);

    pthread_mutex_lock(&w->lock);
    w->status = status;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

/* One replica alone leads as soon as its disk has said so, and has applied all it holds then. */
static int open_lead(struct meta_replica *m)
{
    const struct timespec pause = { 0, LEAD_POLL_NS };
    struct lead_wait w = { .read = { .done = lead_said },
                           .lock = PTHREAD_MUTEX_INITIALIZER,
                           .wake = PTHREAD_COND_INITIALIZER,
                           .status = m->is_alone ? -EREMOTE : 0 };

    while (w.status < 0 && journal_member_failed(m->journal) == 0) {
        w.status = 1;
        journal_member_read(m->journal, &w.read);
        pthread_mutex_lock(&w.lock);
        while (w.status == 1)
            pthread_cond_wait(&w.wake, &w.lock);
        pthread_mutex_unlock(&w.lock);
        if (w.status < 0)
            nanosleep(&pause, NULL);
    }
    return journal_member_failed(m->journal);
}

static void replica_close(struct meta_replica *m, bool flush)
{
    meta_move_quit(m->move);
    snap_quit(m->snap);
    journal_member_stop(m->journal);
    meta_move_free(m->move);
    snap_free(m->snap);
    reg_coord_stop(m->coord);
    acceptor_writer_free(m->writer);
    reg_serve_free(m->serve);
    feed_stop(m->feed);
    feed_stop(m->entries);
    vs_exec_stop(m->readers);
    meta_dumps_close(&m->dumps);
    feed_free(m->feed);
    feed_free(m->entries);
    meta_dir_close(&m->dir, flush);
    pthread_cond_destroy(&m->idle);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

int meta_replica_open(struct meta_replica **ret, const struct meta_replica_config *config)
{
    unsigned threads = config->read_threads > 0 ? config->read_threads : READ_THREADS;
    struct meta_replica *m;
    int r = config_check(config);

    if (r < 0)
        return r;
    m = calloc(1, sizeof(*m));
    if (m == NULL)
        return -ENOMEM;
    m->client.ops = &replica_ops;
    meta_dumps_init(&m->dumps);
    m->link = config->link;
    m->count = config->count;
    m->clock = config->clock;
    m->late = config->late;
    m->late_arg = config->arg;
    m->patience_ms = config->patience_ms > 0 ? config->patience_ms : META_REPLICA_PATIENCE_MS;
    pthread_mutex_init(&m->lock, NULL); /* these cannot fail on Linux */
    pthread_cond_init(&m->idle, NULL);
    r = open_dir(m, config);
    if (r == 0)
        r = acceptor_writer_new(&m->writer, m->dir.store, m->clock);
    if (r == 0)
        r = vs_exec_start(&m->readers, "vs-meta-read", threads);
    if (r == 0)
        r = feed_new(&m->feed, m->readers, FEED_BYTES_MAX);
    if (r == 0)
        r = feed_new(&m->entries, m->readers, FEED_ENTRIES_BYTES_MAX);
    if (r == 0)
        r = open_registers(m);
    if (r == 0)
        r = open_snap(m);
    if (r == 0)
        r = open_journal(m, config);
    if (r == 0)
        r = replica_open_move(m);
    if (r == 0)
        r = open_lead(m);
    if (r < 0) {
        replica_close(m, false);
        return r;
    }
    *ret = m;
    return 0;
}

static void replica_end(struct meta_replica *m)
{
    pthread_mutex_lock(&m->lock);
    m->is_stopping = true;
    pthread_mutex_unlock(&m->lock);
}

void meta_replica_resign(struct meta_replica *m)
{
    replica_end(m);
    journal_member_resign(m->journal);
}

void meta_replica_stop(struct meta_replica *m)
{
    if (m == NULL)
        return;
    replica_end(m);
    pthread_mutex_lock(&m->lock);
    while (m->asks > 0)
        pthread_cond_wait(&m->idle, &m->lock);
    pthread_mutex_unlock(&m->lock);
    replica_close(m, true);
}
