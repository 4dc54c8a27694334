/* snap_rig: see the header. */
#include "tests/support/snap_rig.h"
#include "common/err.h"
#include "meta/ns_entry.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define RIG_DEADLINE_NS (60 * VS_NS_PER_S)
#define RIG_POLL_NS     (2 * VS_NS_PER_MS)

static struct snap_rig *rig;                                   /* one at a time */
static pthread_rwlock_t rig_lock = PTHREAD_RWLOCK_INITIALIZER; /* member and snap pointers */

/* ---- links ---- */

static void rig_send(struct journal_link *l, uint32_t to, const void *frame, size_t len)
{
    struct snap_node *from = vs_container_of(l, struct snap_node, link);
    struct snap_node *n = &rig->node[to - 1];

    pthread_rwlock_rdlock(&rig_lock);
    if (from->member != NULL && n->member != NULL)
        (void)journal_member_receive(n->member, from->pid, frame, len);
    pthread_rwlock_unlock(&rig_lock);
}

static void rig_install(struct journal_link *l, uint32_t from)
{
    snap_install(vs_container_of(l, struct snap_node, link)->snap, from);
}

static void rig_tell(struct px_link *l, uint32_t to, const void *frame, size_t len)
{
    (void)l;
    (void)to;
    (void)frame;
    (void)len;
    fail_msg("snapshots are asked for, not told");
}

/* An ask on its way. */
struct rig_ask {
    struct meta_replica_frame frame;
    struct px_link_ask *ask;
    unsigned count;
};

static void *rig_ask_end(void *arg)
{
    struct px_link_ask *a = arg;

    a->done(a);
    return NULL;
}

static void rig_answered(struct meta_replica_frame *f)
{
    struct rig_ask *r = vs_container_of(f, struct rig_ask, frame);
    struct px_link_ask *a = r->ask;

    a->status = f->status;
    a->answer = f->answer;
    if (rig->on_answer != NULL && a->status == 0)
        rig->on_answer(rig->arg, r->count, &a->answer);
    assert_true(a->answer.len <= a->answer_max);
    free(r);
    a->done(a);
}

static void rig_ask(struct px_link *l, uint32_t to, struct px_link_ask *a)
{
    struct snap_node *from = vs_container_of(l, struct snap_node, asks);
    struct rig_ask *r = calloc(1, sizeof(*r));
    unsigned count = rig->asks++;
    pthread_t thread;

    a->answer = (struct vs_buf){ 0 };
    a->status = rig->on_ask != NULL ? rig->on_ask(rig->arg, count, from->pid, to) : 0;
    pthread_rwlock_rdlock(&rig_lock);
    if (a->status == 0 && rig->node[to - 1].snap == NULL)
        a->status = -ECONNREFUSED;
    if (a->status == 0) {
        r->frame = (struct meta_replica_frame){
            .from = from->pid, .bytes = a->bytes, .len = a->len, .done = rig_answered
        };
        r->ask = a;
        r->count = count;
        snap_receive(rig->node[to - 1].snap, &r->frame);
        pthread_rwlock_unlock(&rig_lock);
        return;
    }
    pthread_rwlock_unlock(&rig_lock);
    free(r);
    assert_int_equal(pthread_create(&thread, NULL, rig_ask_end, a), 0); /* not inside this call */
    pthread_detach(thread);
}

static const struct px_link_ops rig_ops = { .tell = rig_tell, .ask = rig_ask };

/* ---- replicas ---- */

static void rig_installed(void *arg, uint64_t slot)
{
    struct snap_node *n = arg;

    n->installed += slot > 0;
    journal_member_installed(n->member, slot);
}

void snap_rig_up(struct snap_rig *r, unsigned node)
{
    struct snap_node *n = &r->node[node];
    struct journal_member_config config = { .ns = n->ns.kv,
                                            .clock = &vs_clock_system,
                                            .link = &n->link,
                                            .epoch = 1,
                                            .members = SNAP_RIG_NODES,
                                            .pid = { 1, 2, 3 },
                                            .ring = SNAP_RIG_RING,
                                            .kept = SNAP_RIG_KEPT };
    struct snap_config snap = { .store = &n->ns,
                                .clock = &vs_clock_system,
                                .link = &n->asks,
                                .pid = n->pid,
                                .installed = rig_installed,
                                .arg = n };
    struct journal_member *m;
    struct snap *s;

    if (!n->ns.in_memory) {
        char dir[NS_STORE_PATH_MAX];

        memcpy(dir, n->ns.dir, sizeof(dir));
        assert_int_equal(ns_store_open(&n->ns, dir, true), 0);
        config.ns = n->ns.kv;
    }
    assert_int_equal(acceptor_store_open_member(&n->store, n->acceptor, NULL), 0);
    assert_int_equal(acceptor_writer_new(&n->writer, n->store, &vs_clock_system), 0);
    assert_int_equal(ns_store_base(n->ns.kv, &config.installed), 0);
    if (config.installed > 0 && n->installed == 0)
        n->installed = 1; /* it went down when the snapshot was in its place, before it said so */
    snap.cluster = acceptor_identity(n->store)->cluster;
    snap.inc = acceptor_identity(n->store)->inc;
    assert_int_equal(snap_new(&s, &snap), 0);
    n->snap = s;
    config.store = n->store;
    config.writer = n->writer;
    pthread_rwlock_wrlock(&rig_lock); /* it is told to install as soon as it runs */
    assert_int_equal(journal_member_open(&m, &config), 0);
    n->member = m;
    pthread_rwlock_unlock(&rig_lock);
}

void snap_rig_down(struct snap_rig *r, unsigned node)
{
    struct snap_node *n = &r->node[node];
    struct journal_member *m = n->member;
    struct snap *s = n->snap;

    snap_quit(s);
    pthread_rwlock_wrlock(&rig_lock);
    n->member = NULL;
    n->snap = NULL;
    pthread_rwlock_unlock(&rig_lock);
    journal_member_stop(m);
    snap_free(s);
    acceptor_writer_free(n->writer);
    acceptor_store_close(n->store);
    if (!n->ns.in_memory)
        ns_store_close(&n->ns); /* dir stays known */
}

void snap_rig_start(struct snap_rig *r, const char *dir)
{
    struct ns_entry entry = { .kind = NS_E_CLUSTER, .attr = { .mode = S_IFDIR | 0755 } };
    struct vs_buf bytes = { 0 };

    *r = (struct snap_rig){ 0 };
    rig = r;
    memset(entry.cluster.b, 5, VS_ID_BYTES);
    assert_int_equal(ns_entry_encode(&entry, &bytes), 0);
    for (unsigned i = 0; i < SNAP_RIG_NODES; i++) {
        struct snap_node *n = &r->node[i];

        n->link = (struct journal_link){ .send = rig_send, .install = rig_install };
        n->asks.ops = &rig_ops;
        n->pid = i + 1;
        assert_int_equal(kv_mem_new(&n->acceptor), 0);
        if (dir == NULL) {
            assert_int_equal(ns_store_open(&n->ns, NULL, true), 0);
        } else {
            snprintf(n->ns.dir, sizeof(n->ns.dir), "%s/%u", dir, n->pid);
            assert_int_equal(mkdir(n->ns.dir, 0700), 0);
        }
        assert_int_equal(
            acceptor_store_create(n->acceptor, &entry.cluster, n->pid, bytes.data, bytes.len), 0);
    }
    for (unsigned i = 0; i < SNAP_RIG_NODES; i++)
        snap_rig_up(r, i);
    vs_buf_close(&bytes);
}

void snap_rig_stop(struct snap_rig *r)
{
    for (unsigned i = 0; i < SNAP_RIG_NODES; i++) {
        if (r->node[i].member != NULL)
            snap_rig_down(r, i);
        if (r->node[i].ns.in_memory)
            ns_store_close(&r->node[i].ns);
        kv_close(r->node[i].acceptor);
    }
}

/* ---- callers ---- */

struct rig_waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done;
    int status;
};

static void rig_wake(struct rig_waiter *w, int status)
{
    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    w->status = status;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static int rig_wait(struct rig_waiter *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->is_done)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return w->status;
}

void snap_rig_pause(void)
{
    struct timespec t = { 0, RIG_POLL_NS };

    nanosleep(&t, NULL);
}

static void rig_change_done(struct meta_req *r)
{
    rig_wake(r->waiter, r->status);
}

int snap_rig_leader(struct snap_rig *r)
{
    for (unsigned i = 0; i < SNAP_RIG_NODES; i++)
        if (r->node[i].member != NULL && journal_member_leader(r->node[i].member) == i + 1)
            return (int)i;
    return -1;
}

void snap_rig_change(struct snap_rig *r)
{
    static uint64_t request;
    int64_t end = vs_now_ns(&vs_clock_system) + RIG_DEADLINE_NS;
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = 1, .client = 1 };

    entry.request = ++request;
    while (vs_now_ns(&vs_clock_system) < end) {
        struct rig_waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                .wake = PTHREAD_COND_INITIALIZER };
        struct meta_req q = {
            .op = META_CHANGE, .entry = &entry, .done = rig_change_done, .waiter = &w
        };
        int leader = snap_rig_leader(r);

        if (leader >= 0) {
            journal_member_change(r->node[leader].member, &q);
            if (rig_wait(&w) == 0)
                return;
        }
        snap_rig_pause();
    }
    fail_msg("no change within %d s", (int)(RIG_DEADLINE_NS / VS_NS_PER_S));
}

struct rig_read {
    struct journal_member_read read;
    struct rig_waiter w;
};

static void rig_read_done(struct journal_member_read *read, int status)
{
    rig_wake(&vs_container_of(read, struct rig_read, read)->w, status);
}

static bool rig_strict(struct snap_rig *r, int leader)
{
    struct rig_read q = { .read = { .done = rig_read_done },
                          .w = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                 .wake = PTHREAD_COND_INITIALIZER } };

    journal_member_read(r->node[leader].member, &q.read);
    return rig_wait(&q.w) == 0;
}

void snap_rig_settle(struct snap_rig *r)
{
    int64_t end = vs_now_ns(&vs_clock_system) + RIG_DEADLINE_NS;
    uint64_t slot = 0;
    bool is_all = false;

    while (!is_all && vs_now_ns(&vs_clock_system) < end) {
        int leader = snap_rig_leader(r);

        snap_rig_pause();
        if (leader < 0 || !rig_strict(r, leader))
            continue;
        slot = journal_member_applied(r->node[leader].member);
        is_all = true;
        for (unsigned i = 0; i < SNAP_RIG_NODES; i++)
            if (r->node[i].member != NULL && journal_member_applied(r->node[i].member) != slot)
                is_all = false;
    }
    if (!is_all)
        fail_msg("not all have applied slot %lu", (unsigned long)slot);
}

static int rig_next(struct kv_view *v, const uint8_t **key, size_t *key_len, const uint8_t **value,
                    size_t *value_len)
{
    int r = kv_view_next(v, key, key_len, value, value_len);

    if (r == 1 && *key_len == 1 && (*key)[0] == 'B')
        r = kv_view_next(v, key, key_len, value, value_len);
    return r;
}

void snap_rig_equal(struct snap_rig *r, unsigned a, unsigned b)
{
    struct kv_view *va, *vb;
    const uint8_t *key[2], *value[2];
    size_t key_len[2], value_len[2];
    int got;

    assert_int_equal(kv_view_open(r->node[a].ns.kv, &va), 0);
    assert_int_equal(kv_view_open(r->node[b].ns.kv, &vb), 0);
    do {
        got = rig_next(va, &key[0], &key_len[0], &value[0], &value_len[0]);
        assert_int_equal(rig_next(vb, &key[1], &key_len[1], &value[1], &value_len[1]), got);
        if (got == 1) {
            assert_int_equal(key_len[0], key_len[1]);
            assert_memory_equal(key[0], key[1], key_len[0]);
            assert_int_equal(value_len[0], value_len[1]);
            if (value_len[0] > 0)
                assert_memory_equal(value[0], value[1], value_len[0]);
        }
    } while (got == 1);
    assert_int_equal(got, 0);
    kv_view_close(va);
    kv_view_close(vb);
}
