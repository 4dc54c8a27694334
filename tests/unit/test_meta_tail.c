/* meta_tail: what ends it, and what is asked for then. That it is complete is shown by salvage. */
#include "common/cleanup.h"
#include "common/err.h"
#include "common/thread.h"
#include "fs/inode_table.h"
#include "fs/meta_tail.h"
#include "ingest/upload_env.h"
#include "tests/support/meta_twist.h"
#include "tests/support/wfile_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#define PATIENCE_NS (60 * VS_NS_PER_S)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken;
static uint64_t steps; /* of the tail; under lock */
static struct meta_tail *t;

static int teardown(void **state)
{
    meta_tail_stop(t);
    t = NULL;
    return rig_teardown(state);
}

static void step_made(void *arg)
{
    (void)arg;
    VS_LOCK_SCOPE(&lock);
    steps++;
    pthread_cond_broadcast(&woken);
}

/* After the next step of the tail, or some later one. */
static struct meta_tail_state next_state(void)
{
    int64_t until_ns = vs_now_ns(&vs_clock_system) + PATIENCE_NS;
    struct meta_tail_state s;

    {
        VS_LOCK_SCOPE(&lock);
        uint64_t seen = steps;

        while (steps == seen)
            assert_true(vs_cond_wait_until(&woken, &lock, until_ns));
    }
    meta_tail_look(t, &s);
    return s;
}

static void change(struct rig *r, unsigned n)
{
    char name[16];
    struct ns_entry e = { .kind = NS_E_CREATE, .parent = NS_INO_ROOT, .name = name };

    e.name_len = (size_t)snprintf(name, sizeof(name), "dir %u", n);
    assert_int_equal(inode_number_new(r->fs.inodes, &e.ino), 0);
    e.attr.mode = S_IFDIR | 0755;
    assert_int_equal(vsfs_change(&r->fs, &e, NULL), 0);
}

static void base(void)
{
    struct meta_tail_state s;
    uint64_t slot;

    assert_int_equal(meta_tail_turn(t, &slot), 0);
    meta_tail_based(t);
    meta_tail_look(t, &s);
    assert_true(s.is_based);
}

/* Behind a change. */
static struct meta_tail_state until_broken(void)
{
    struct meta_tail_state s;

    do
        s = next_state();
    while (s.is_based);
    return s;
}

static void a_change_that_a_broken_tail_lacks_asks_for_a_copy(void **state)
{
    struct rig *r = *state;
    struct meta_tail_state s;

    assert_int_equal(meta_tail_start(&t, &r->fs, step_made, NULL), 0);
    base();
    meta_tail_drop(&r->fs); /* as another mount's copy does */
    change(r, 1);
    s = until_broken();
    assert_true(s.is_missed);
    assert_true(meta_tail_lag_ms(t) > 0);
    base();
    assert_int_equal(meta_tail_lag_ms(t), 0);
}

static void no_more_ids(void *arg, struct meta_req *q)
{
    (void)arg;
    if (q->op == META_CHANGE && q->entry->kind == NS_E_SESSION_EXTEND)
        q->status = -VS_EDOWN;
}

static void a_session_that_got_no_more_ids_is_not_written_to_for_ever(void **state)
{
    struct rig *r = *state;
    struct meta_tail_state s = { .is_based = true };

    r->fs.uploads->meta = r->fs.meta = meta_twist_new(r->fs.meta);
    assert_int_equal(meta_tail_start(&t, &r->fs, step_made, NULL), 0);
    base();
    meta_twist_set(r->fs.meta, no_more_ids, NULL);
    for (unsigned n = 0; s.is_based && n < 1000; n++) {
        change(r, n);
        s = next_state();
    }
    assert_false(s.is_based);
    meta_twist_set(r->fs.meta, NULL, NULL);
    base();
    assert_int_equal(meta_tail_lag_ms(t), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_change_that_a_broken_tail_lacks_asks_for_a_copy),
        TEST(a_session_that_got_no_more_ids_is_not_written_to_for_ever),
    };

    vs_cond_init(&woken);
    return cmocka_run_group_tests_name("meta_tail", tests, NULL, NULL);
}
