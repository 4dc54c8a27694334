/* The one writer of an acceptor's store: what waits shares a sync, and is told when it is durable.
 */
#include "common/err.h"
#include "meta/acceptor_writer.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define JOBS 200

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_held; /* the first job's fill waits */
    unsigned done, wrong_order;
    struct acceptor_store *store;
} f = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

struct slot_job {
    struct acceptor_job job;
    uint64_t slot;
    int fill_err, err;
    bool is_gate;
};

static struct slot_job jobs[JOBS];

static int fill(struct acceptor_job *job, struct acceptor_store *store)
{
    struct slot_job *s = vs_container_of(job, struct slot_job, job);
    struct px_ballot b = { .round = 9, .pid = 1, .inc = 1 };

    pthread_mutex_lock(&f.lock);
    while (s->is_gate && f.is_held)
        pthread_cond_wait(&f.wake, &f.lock);
    pthread_mutex_unlock(&f.lock);
    if (s->fill_err < 0)
        return s->fill_err;
    return acceptor_slot_put(store, s->slot, &b, "entry", 5);
}

static int slot_there(void *arg, uint64_t slot, const uint8_t *entry, size_t entry_len)
{
    (void)entry;
    (void)entry_len;
    *(bool *)arg |= slot > 0;
    return 1;
}

static void done(struct acceptor_job *job, int err)
{
    struct slot_job *s = vs_container_of(job, struct slot_job, job);
    bool there = false;

    if (err == 0)
        acceptor_slots_scan(f.store, s->slot, slot_there, &there);
    pthread_mutex_lock(&f.lock);
    s->err = err;
    f.wrong_order += s != &jobs[f.done] || (err == 0 && !there);
    f.done++;
    pthread_cond_broadcast(&f.wake);
    pthread_mutex_unlock(&f.lock);
}

static void all_that_waits_is_written_with_one_sync_and_told_in_order(void **state)
{
    struct vs_id cluster = { .b = { 1 } };
    struct acceptor_writer *w;
    struct kv *kv;
    uint64_t before;

    (void)state;
    assert_int_equal(kv_mem_new(&kv), 0);
    assert_int_equal(acceptor_store_create(kv, &cluster, 1, "first", 5), 0);
    assert_int_equal(acceptor_store_open_member(&f.store, kv, NULL), 0);
    assert_int_equal(acceptor_writer_new(&w, f.store, &vs_clock_system), 0);
    before = acceptor_synced(f.store);
    f.is_held = true;
    for (unsigned n = 0; n < JOBS; n++) {
        jobs[n] = (struct slot_job){ .job = { .fill = fill, .done = done },
                                     .slot = 2 + n,
                                     .is_gate = n == 0,
                                     .fill_err = n == 7 ? -EMSGSIZE : 0,
                                     .err = 1 };
        acceptor_writer_submit(w, &jobs[n].job);
    }
    pthread_mutex_lock(&f.lock);
    f.is_held = false;
    pthread_cond_broadcast(&f.wake);
    while (f.done < JOBS)
        pthread_cond_wait(&f.wake, &f.lock);
    pthread_mutex_unlock(&f.lock);
    assert_int_equal(f.wrong_order, 0);
    assert_true(acceptor_synced(f.store) - before <= 2); /* the first alone, at most */
    assert_int_equal(jobs[6].err, 0);
    assert_int_equal(jobs[7].err, -EMSGSIZE);
    acceptor_writer_free(w);
    acceptor_writer_free(NULL);
    acceptor_store_close(f.store);
    kv_close(kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_waits_is_written_with_one_sync_and_told_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
