/* journal_rig: see the header. */
#include "tests/support/journal_rig.h"
#include "common/err.h"
#include "common/list.h"
#include "meta/ns_entry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

static struct kv *below(struct kv *kv)
{
    return vs_container_of(kv, struct spy_kv, kv)->below;
}

static int spy_get(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret)
{
    return kv_get(below(kv), key, key_len, ret);
}

static int spy_scan(struct kv *kv, const void *from, size_t from_len, const void *to, size_t to_len,
                    kv_scan_fn *fn, void *arg)
{
    return kv_scan(below(kv), from, from_len, to, to_len, fn, arg);
}

static int spy_write(struct kv *kv, struct kv_batch *b, bool sync)
{
    if (vs_container_of(kv, struct spy_kv, kv)->fail_writes)
        return -ENOSPC;
    return kv_write(below(kv), b, sync);
}

static int spy_flush(struct kv *kv)
{
    vs_container_of(kv, struct spy_kv, kv)->flushes++;
    return kv_flush(below(kv));
}

static const struct kv_ops spy_ops = {
    .get = spy_get, .scan = spy_scan, .write = spy_write, .flush = spy_flush
};

struct lead {
    struct journal_member_read read;
    struct journal_waiter w;
    int status;
};

static void lead_said(struct journal_member_read *read, int status)
{
    struct lead *l = vs_container_of(read, struct lead, read);

    pthread_mutex_lock(&l->w.lock);
    l->status = status;
    l->w.left--;
    pthread_cond_broadcast(&l->w.wake);
    pthread_mutex_unlock(&l->w.lock);
}

/* Until it leads, or has failed. */
static void rig_lead(struct journal_rig *f)
{
    const struct timespec pause = { 0, VS_NS_PER_MS };
    struct lead l;

    do {
        l = (struct lead){ .read = { .done = lead_said }, .w = JOURNAL_WAITER(1) };
        journal_member_read(f->journal, &l.read);
        journal_waiter_wait(&l.w);
        nanosleep(&pause, NULL);
    } while (l.status < 0 && journal_member_failed(f->journal) == 0);
}

int journal_rig_try(struct journal_rig *f)
{
    struct journal_member_config config = { .ns = &f->ns.kv,
                                            .clock = &vs_clock_system,
                                            .link = &f->link,
                                            .epoch = 1,
                                            .members = 1,
                                            .pid = { 1 },
                                            .ring = f->ring,
                                            .kept = f->kept };
    int r;

    assert_int_equal(acceptor_store_open_member(&f->store, f->acceptor, NULL), 0);
    assert_int_equal(acceptor_writer_new(&f->writer, f->store, &vs_clock_system), 0);
    config.store = f->store;
    config.writer = f->writer;
    r = journal_member_open(&f->journal, &config);
    if (r == 0)
        rig_lead(f);
    else
        journal_rig_close(f);
    return r;
}

void journal_rig_open(struct journal_rig *f)
{
    assert_int_equal(journal_rig_try(f), 0);
}

void journal_rig_close(struct journal_rig *f)
{
    journal_member_stop(f->journal);
    acceptor_writer_free(f->writer);
    acceptor_store_close(f->store);
    f->journal = NULL;
    f->writer = NULL;
    f->store = NULL;
}

struct journal_rig *journal_rig_new(void)
{
    struct journal_rig *f = calloc(1, sizeof(*f));
    struct ns_entry entry = { .kind = NS_E_CLUSTER, .attr = { .mode = S_IFDIR | 0755 } };
    struct vs_buf bytes = { 0 };

    memset(entry.cluster.b, 5, VS_ID_BYTES);
    assert_int_equal(kv_mem_new(&f->acceptor), 0);
    f->ns.kv.ops = &spy_ops;
    assert_int_equal(kv_mem_new(&f->ns.below), 0);
    assert_int_equal(ns_entry_encode(&entry, &bytes), 0);
    assert_int_equal(acceptor_store_create(f->acceptor, &entry.cluster, 1, bytes.data, bytes.len),
                     0);
    vs_buf_close(&bytes);
    journal_rig_open(f);
    return f;
}

void journal_rig_free(struct journal_rig *f)
{
    journal_rig_close(f);
    kv_close(f->acceptor);
    kv_close(f->ns.below);
    free(f);
}

void journal_waiter_done(struct meta_req *r)
{
    struct journal_waiter *w = r->waiter;

    pthread_mutex_lock(&w->lock);
    w->left--;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void journal_waiter_wait(struct journal_waiter *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->left > 0)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

int journal_rig_run(struct journal_rig *f, struct meta_req *r)
{
    struct journal_waiter w = JOURNAL_WAITER(1);

    r->done = journal_waiter_done;
    r->waiter = &w;
    journal_member_change(f->journal, r);
    journal_waiter_wait(&w);
    return r->status;
}

/* The first of `count` fresh inode numbers: a change whose answer depends on all before it. */
uint64_t journal_rig_reserve(struct journal_rig *f, uint64_t count)
{
    struct ns_entry entry = { .kind = NS_E_RESERVE, .count = count };
    struct meta_req r = { .op = META_CHANGE, .entry = &entry };

    assert_int_equal(journal_rig_run(f, &r), 0);
    return r.answer.first;
}

static int last_slot_seen(void *arg, uint64_t slot, const uint8_t *entry, size_t entry_len)
{
    (void)entry;
    (void)entry_len;
    *(uint64_t *)arg = slot;
    return 0;
}

uint64_t journal_rig_last_slot(struct journal_rig *f)
{
    uint64_t slot = 0;

    assert_int_equal(acceptor_slots_scan(f->store, 1, last_slot_seen, &slot), 0);
    return slot;
}

static int copy_pair(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    kv_batch_put(arg, key, key_len, value, value_len);
    return 0;
}

struct kv *kv_copy(struct kv *from)
{
    struct kv_batch *b;
    struct kv *to;

    assert_int_equal(kv_mem_new(&to), 0);
    assert_int_equal(kv_batch_new(&b), 0);
    assert_int_equal(kv_scan(from, "", 0, "", 0, copy_pair, b), 0);
    assert_int_equal(kv_write(to, b, true), 0);
    kv_batch_free(b);
    return to;
}

static int dump_pair(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    size_t lens[2] = { key_len, value_len };

    assert_int_equal(vs_buf_append(arg, lens, sizeof(lens), 1u << 20), 0);
    assert_int_equal(vs_buf_append(arg, key, key_len, 1u << 20), 0);
    assert_int_equal(vs_buf_append(arg, value, value_len, 1u << 20), 0);
    return 0;
}

void kv_expect_same(struct kv *a, struct kv *b)
{
    struct vs_buf dump_a = { 0 }, dump_b = { 0 };

    assert_int_equal(kv_scan(a, "", 0, "", 0, dump_pair, &dump_a), 0);
    assert_int_equal(kv_scan(b, "", 0, "", 0, dump_pair, &dump_b), 0);
    assert_true(dump_a.len > 0);
    assert_int_equal(dump_a.len, dump_b.len);
    assert_memory_equal(dump_a.data, dump_b.data, dump_a.len);
    vs_buf_close(&dump_a);
    vs_buf_close(&dump_b);
}
