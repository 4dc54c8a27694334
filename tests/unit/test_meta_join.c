/* A newcomer takes the place of a lost replica: what was decided stays decided, what lost its disk
 * never votes again under its old id, and whoever dies in between goes on where it was. */
#include "common/err.h"
#include "meta/meta_join.h"
#include "meta/place_value.h"
#include "tests/support/reg_use.h"
#include "tests/support/trio.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define REGISTERS 1100 /* more than a page */

struct join_fixture {
    struct trio *t;
    struct vs_buf value;
    unsigned changes, registers;
    struct vs_id id[6 * REGISTERS];
    /* a newcomer that is stopped at a step */
    _Atomic int is_stopping;
    unsigned stop_at, steps;
    const char *stop_before; /* instead, if it is not NULL: the step of that name */
};

static int setup(void **state)
{
    struct join_fixture *f = calloc(1, sizeof(*f));

    f->value = reg_value(PLACE_LIVE, 1);
    f->t = trio_new_patient(3, true, 1000);
    *state = f;
    return 0;
}

/* Five: a majority can go on without one that stays. */
static int setup_five(void **state)
{
    struct join_fixture *f;

    setup(state);
    f = *state;
    trio_free(f->t);
    f->t = trio_new_patient(5, true, 1000);
    f->t->fence_ms = f->t->known_ms = LINK_MEM_ASK_MS;
    return 0;
}

static int teardown(void **state)
{
    struct join_fixture *f = *state;

    trio_free(f->t);
    vs_buf_close(&f->value);
    free(f);
    return 0;
}

static int change_at(struct join_fixture *f, uint32_t pid)
{
    char name[16];
    struct ns_entry entry = { .kind = NS_E_SETXATTR,
                              .client = 77,
                              .request = f->changes + 1,
                              .ino = NS_INO_ROOT,
                              .name = name,
                              .value = "x",
                              .value_len = 1 };
    struct meta_req r = { .op = META_CHANGE, .entry = &entry };
    int status;

    snprintf(name, sizeof(name), "user.%u", f->changes);
    entry.name_len = strlen(name);
    status = meta_call(trio_client(f->t, pid), &r);
    f->changes += status == 0;
    return status;
}

/* Fresh ids of that replica, a thousand at a time. */
static int create_at(struct join_fixture *f, uint32_t pid, unsigned count)
{
    struct meta_client *c = trio_client(f->t, pid);
    struct meta_reg *regs = calloc(META_REGISTER_BATCH_MAX, sizeof(*regs));
    int status = 0;

    while (count > 0 && status == 0) {
        unsigned n = count < META_REGISTER_BATCH_MAX ? count : META_REGISTER_BATCH_MAX;
        struct meta_req r = { .op = META_REG_CREATE, .regs = regs, .reg_count = n };

        assert_true(f->registers + n <= 6 * REGISTERS);
        for (unsigned i = 0; i < n; i++) {
            f->id[f->registers + i] = vs_id_make(c->pid, c->inc, f->registers + i, VS_ID_CHUNK);
            regs[i] = (struct meta_reg){ .id = f->id[f->registers + i],
                                         .value = f->value.data,
                                         .value_len = f->value.len };
        }
        status = meta_call(c, &r);
        f->registers += status == 0 ? n : 0;
        count -= n;
    }
    free(regs);
    return status;
}

static void read_all(struct join_fixture *f, uint32_t pid, struct meta_req *r)
{
    int64_t end = vs_now_ns(&vs_clock_system) + 60 * VS_NS_PER_S;
    bool is_down = true;

    while (is_down) {
        assert_true(vs_now_ns(&vs_clock_system) < end);
        is_down = meta_call(trio_client(f->t, pid), r) == -VS_EDOWN;
        for (unsigned i = 0; i < r->reg_count; i++)
            is_down |= r->regs[i].status == -VS_EDOWN;
    }
    assert_int_equal(r->status, 0);
}

/* All that was answered, from a majority. */
static void all_there(struct join_fixture *f, uint32_t pid)
{
    struct meta_reg *regs = calloc(META_REGISTER_BATCH_MAX, sizeof(*regs));
    struct meta_req x = { .op = META_LISTXATTR, .ino = NS_INO_ROOT };
    unsigned names = 0;

    for (unsigned at = 0; at < f->registers; at += META_REGISTER_BATCH_MAX) {
        unsigned n = f->registers - at < META_REGISTER_BATCH_MAX ? f->registers - at
                                                                 : META_REGISTER_BATCH_MAX;
        struct meta_req r = { .op = META_REG_READ, .regs = regs, .reg_count = n };

        memset(regs, 0, n * sizeof(*regs));
        for (unsigned i = 0; i < n; i++)
            regs[i].id = f->id[at + i];
        read_all(f, pid, &r);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(regs[i].status, 0);
            assert_int_equal(regs[i].current.len, f->value.len);
            assert_memory_equal(regs[i].current.data, f->value.data, f->value.len);
            vs_buf_close(&regs[i].current);
        }
    }
    free(regs);
    read_all(f, pid, &x);
    for (size_t i = 0; i < x.bytes.len; i++)
        names += x.bytes.data[i] == '\0';
    assert_int_equal(names, f->changes);
    vs_buf_close(&x.bytes);
}

/* An election, or a slow machine, may take longer than one request waits. */
static void fill(struct join_fixture *f, uint32_t pid)
{
    int64_t end = vs_now_ns(&vs_clock_system) + 60 * VS_NS_PER_S;
    unsigned changes = f->changes + 20, registers = f->registers + REGISTERS;

    while (f->changes < changes || f->registers < registers) {
        assert_true(vs_now_ns(&vs_clock_system) < end);
        if (f->changes < changes)
            (void)change_at(f, pid);
        if (f->registers < registers)
            (void)create_at(f, pid, registers - f->registers);
    }
}

static void lose(struct join_fixture *f, uint32_t pid)
{
    trio_stop(f->t, pid);
    trio_wipe(f->t, pid);
}

/* It votes in it, or has left the one before for it. */
static void in_epoch(struct join_fixture *f, uint32_t pid, uint64_t epoch, bool voting)
{
    const struct timespec pause = { 0, VS_NS_PER_MS };
    int64_t end = vs_now_ns(&vs_clock_system) + 30 * VS_NS_PER_S;
    struct meta_replica_state s = { 0 };

    while (s.epoch != epoch || s.voting != voting) {
        assert_true(vs_now_ns(&vs_clock_system) < end);
        meta_replica_state(f->t->replica[pid - 1], &s);
        nanosleep(&pause, NULL);
    }
}

static void a_newcomer_replaces_a_lost_member_and_votes(void **state)
{
    struct join_fixture *f = *state;

    fill(f, 1);
    lose(f, 2);
    fill(f, 3);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0);
    in_epoch(f, 4, 2, true);
    assert_int_equal(f->t->rest, 0); /* nothing changed behind the marks */
    all_there(f, 4);
    all_there(f, 1);
    fill(f, 4);
    trio_stop(f->t, 1); /* now its vote is needed */
    all_there(f, 3);
    fill(f, 3);
    all_there(f, 4);
}

static void after_a_start_they_are_what_they_have_become(void **state)
{
    struct join_fixture *f = *state;

    fill(f, 1);
    lose(f, 2);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0);
    fill(f, 4);
    trio_stop(f->t, 1);
    trio_stop(f->t, 3);
    trio_stop(f->t, 4);
    trio_start(f->t, 4);
    trio_start(f->t, 3);
    all_there(f, 4);
    trio_start(f->t, 1);
    trio_stop(f->t, 3);
    all_there(f, 1);
    trio_stop(f->t, 4);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0); /* the same command again */
    all_there(f, 4);
}

static void a_wiped_one_never_comes_back_under_its_id(void **state)
{
    struct join_fixture *f = *state;

    fill(f, 1);
    lose(f, 2);
    assert_int_equal(trio_join(f->t, 2, 3, NULL, NULL), -VS_EFORGOT);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0);
    in_epoch(f, 1, 2, true);
    in_epoch(f, 3, 2, true);
    trio_stop(f->t, 4);
    trio_wipe(f->t, 4);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), -VS_EFORGOT);
    assert_int_equal(trio_join(f->t, 5, 2, NULL, NULL), -ENOENT); /* no member any more */
    assert_int_equal(trio_join(f->t, 5, 4, NULL, NULL), 0);
    all_there(f, 5);
}

static void two_changes_in_a_row(void **state)
{
    struct join_fixture *f = *state;

    fill(f, 1);
    lose(f, 2);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0);
    in_epoch(f, 1, 2, true);
    in_epoch(f, 3, 2, true);
    fill(f, 4);
    lose(f, 3);
    assert_int_equal(trio_join(f->t, 5, 3, NULL, NULL), 0);
    in_epoch(f, 5, 3, true);
    trio_stop(f->t, 1); /* none that was there at the beginning is left */
    all_there(f, 4);
    fill(f, 5);
    all_there(f, 5);
}

/* ---- in the middle ---- */

static void stop_at_step(void *arg, const char *what)
{
    struct join_fixture *f = arg;

    if (f->stop_before != NULL ? strcmp(what, f->stop_before) == 0 : f->steps++ == f->stop_at)
        f->is_stopping = 1;
}

static void a_newcomer_that_dies_at_any_step_goes_on(void **state)
{
    struct join_fixture *f = *state;
    int r = -ECANCELED;

    fill(f, 1);
    lose(f, 2);
    f->t->is_stopping = &f->is_stopping;
    for (f->stop_at = 0; r == -ECANCELED; f->stop_at++) {
        assert_true(f->stop_at < 20);
        f->is_stopping = 0;
        f->steps = 0;
        r = trio_join(f->t, 4, 2, stop_at_step, f);
    }
    assert_int_equal(r, 0);
    assert_true(f->stop_at > 4);
    trio_stop(f->t, 3);
    all_there(f, 4);
    fill(f, 1);
}

/* The whole majority that is fenced goes down, and comes back. */
static void what_is_fenced_stays_fenced_over_a_start(void **state)
{
    struct join_fixture *f = *state;

    fill(f, 1);
    lose(f, 2);
    f->t->is_stopping = &f->is_stopping;
    f->stop_before = "taking the rest"; /* behind the fence */
    assert_int_equal(trio_join(f->t, 4, 2, stop_at_step, f), -ECANCELED);
    in_epoch(f, 1, 2, false);
    in_epoch(f, 3, 2, false);
    assert_int_equal(change_at(f, 1), -VS_EDOWN);
    trio_stop(f->t, 1);
    trio_stop(f->t, 3);
    trio_start(f->t, 1);
    trio_start(f->t, 3);
    assert_int_equal(change_at(f, 3), -VS_EDOWN);
    f->is_stopping = 0;
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0);
    all_there(f, 4);
    trio_stop(f->t, 1);
    all_there(f, 3);
    fill(f, 3);
}

/* One that works is replaced: it hears of it, and is silent from then on. */
static void who_was_replaced_does_not_vote_any_more(void **state)
{
    struct join_fixture *f = *state;

    fill(f, 1);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0);
    in_epoch(f, 2, 2, false);
    fill(f, 4);
    trio_stop(f->t, 1);
    all_there(f, 4);
    trio_stop(f->t, 3);
    assert_int_equal(change_at(f, 4), -VS_EDOWN);
    assert_int_equal(change_at(f, 2), -VS_EDOWN);
}

static void *stop_soon(void *arg)
{
    struct join_fixture *f = arg;
    const struct timespec t = { 1, 0 }; /* a few attempts */

    nanosleep(&t, NULL);
    f->is_stopping = 1;
    return NULL;
}

static void alarm_soon(struct join_fixture *f)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, stop_soon, f), 0);
    pthread_detach(thread);
}

/* An empty disk does not know whether it has voted: all that stay must say that they did not hear
 * that it was open. */
static void a_newcomer_that_was_wiped_needs_the_word_of_all_that_stay(void **state)
{
    struct join_fixture *f = *state;

    fill(f, 1);
    f->t->is_stopping = &f->is_stopping;
    f->stop_before = "taking the rest";
    assert_int_equal(trio_join(f->t, 4, 2, stop_at_step, f), -ECANCELED);
    in_epoch(f, 1, 2, false);
    in_epoch(f, 3, 2, false);
    trio_wipe(f->t, 4);
    trio_stop(f->t, 3);
    f->is_stopping = 0;
    link_mem_isolate(f->t->link, 3, true);
    alarm_soon(f);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), -ECANCELED);
    link_mem_isolate(f->t->link, 3, false);
    trio_start(f->t, 3);
    f->is_stopping = 0;
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0);
    all_there(f, 4);
}

/* ---- one that stays is left behind ---- */

/* It was cut off while 6 took the place of 2, and holds records that only it has accepted. */
static void leave_five_behind(struct join_fixture *f, struct vs_id *only_there)
{
    struct meta_client *c = trio_client(f->t, 5);
    struct meta_reg reg = { .id = vs_id_make(c->pid, c->inc, 1u << 20, VS_ID_CHUNK),
                            .value = f->value.data,
                            .value_len = f->value.len };
    struct meta_req r = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };

    fill(f, 1);
    link_mem_isolate(f->t->link, 5, true);
    (void)meta_call(c, &r);
    assert_int_equal(reg.status, -VS_EDOWN);
    vs_buf_close(&reg.current);
    *only_there = reg.id;
    lose(f, 2);
    fill(f, 3);
    assert_int_equal(trio_join(f->t, 6, 2, NULL, NULL), 0);
    fill(f, 6);
    link_mem_isolate(f->t->link, 5, false);
    in_epoch(f, 5, 2, false);
    assert_int_equal(change_at(f, 1), 0);
}

static int holds(struct join_fixture *f, uint32_t pid, const struct vs_id *id)
{
    struct meta_reg reg = { .id = *id };
    struct meta_req r = { .op = META_REG_READ, .hint = true, .regs = &reg, .reg_count = 1 };

    assert_int_equal(meta_call(trio_client(f->t, pid), &r), 0);
    vs_buf_close(&reg.current);
    return reg.status;
}

/* Its vote is needed now, and what it took. */
static void five_votes(struct join_fixture *f)
{
    in_epoch(f, 5, 2, true);
    trio_stop(f->t, 1);
    trio_stop(f->t, 3);
    all_there(f, 5);
    fill(f, 4);
    all_there(f, 6);
}

static void who_was_left_behind_takes_what_the_others_have_and_votes(void **state)
{
    struct join_fixture *f = *state;
    struct vs_id only_there;

    leave_five_behind(f, &only_there);
    assert_int_equal(holds(f, 5, &only_there), 0);
    trio_stop(f->t, 5);
    assert_int_equal(trio_rejoin(f->t, 5, NULL, NULL), 0);
    assert_int_equal(holds(f, 5, &only_there), -ENOENT);
    for (unsigned i = 0; i < f->registers; i++)
        assert_int_equal(holds(f, 5, &f->id[i]), 0);
    five_votes(f);
}

static void who_dies_while_it_takes_that_begins_again(void **state)
{
    struct join_fixture *f = *state;
    struct vs_id only_there;
    int r = -ECANCELED;

    leave_five_behind(f, &only_there);
    trio_stop(f->t, 5);
    f->t->is_stopping = &f->is_stopping;
    for (f->stop_at = 0; r == -ECANCELED; f->stop_at++) {
        assert_true(f->stop_at < 10);
        f->is_stopping = 0;
        f->steps = 0;
        r = trio_rejoin(f->t, 5, stop_at_step, f);
        if (r == -ECANCELED) { /* a start that asks nobody does not vote either */
            trio_start(f->t, 5);
            in_epoch(f, 5, 2, false);
            trio_stop(f->t, 5);
        }
    }
    assert_int_equal(r, 0);
    assert_int_equal(f->stop_at, 4);
    assert_int_equal(holds(f, 5, &only_there), -ENOENT);
    five_votes(f);
}

/* It waits for a majority that votes: fewer prove nothing. */
static void without_a_majority_it_stays_behind(void **state)
{
    struct join_fixture *f = *state;
    struct vs_id only_there;

    leave_five_behind(f, &only_there);
    trio_stop(f->t, 5);
    trio_stop(f->t, 1);
    trio_stop(f->t, 3);
    f->t->is_stopping = &f->is_stopping;
    alarm_soon(f);
    assert_int_equal(trio_rejoin(f->t, 5, NULL, NULL), -ECANCELED);
    trio_start(f->t, 5);
    in_epoch(f, 5, 2, false);
    assert_int_equal(change_at(f, 4), -VS_EDOWN);
}

/* Whoever votes, or waits for an epoch that nobody has opened, is left as it is. */
static void who_is_not_left_behind_is_left_alone(void **state)
{
    struct join_fixture *f = *state;

    fill(f, 1);
    trio_stop(f->t, 3);
    assert_int_equal(trio_rejoin(f->t, 3, NULL, NULL), 0);
    in_epoch(f, 3, 1, true);
    f->t->is_stopping = &f->is_stopping;
    f->stop_before = "taking the rest";
    assert_int_equal(trio_join(f->t, 4, 2, stop_at_step, f), -ECANCELED);
    f->is_stopping = 0;
    in_epoch(f, 3, 2, false);
    trio_stop(f->t, 3);
    assert_int_equal(trio_rejoin(f->t, 3, NULL, NULL), 0);
    in_epoch(f, 3, 2, false);
    trio_stop(f->t, 2);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0); /* its records count as before */
    in_epoch(f, 3, 2, true);
    trio_stop(f->t, 1);
    all_there(f, 3);
}

/* ---- while others write ---- */

struct writer {
    struct join_fixture *f;
    atomic_bool is_stopping;
    int64_t longest_ns;
    unsigned done;
};

static void *write_on(void *arg)
{
    struct writer *w = arg;
    int64_t last_ns = vs_now_ns(&vs_clock_system);

    while (!w->is_stopping) {
        int64_t now_ns;

        if (change_at(w->f, 1) == 0 && create_at(w->f, 1, 1) == 0) {
            now_ns = vs_now_ns(&vs_clock_system);
            if (now_ns - last_ns > w->longest_ns)
                w->longest_ns = now_ns - last_ns;
            last_ns = now_ns;
            w->done++;
        }
        if (w->f->registers > 4 * REGISTERS)
            break;
    }
    return NULL;
}

static void what_is_written_meanwhile_is_there(void **state)
{
    struct join_fixture *f = *state;
    struct writer w = { .f = f };
    pthread_t thread;

    fill(f, 1);
    lose(f, 2);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
    assert_int_equal(trio_join(f->t, 4, 2, NULL, NULL), 0);
    w.is_stopping = true;
    pthread_join(thread, NULL);
    assert_true(w.done > 0);
    assert_true(f->t->rest <= 2 * (uint64_t)w.done + 2); /* of two members, and one on its way */
    print_message("%u pairs written, the longest pause %u ms\n", w.done,
                  (unsigned)(w.longest_ns / VS_NS_PER_MS));
    all_there(f, 4);
    trio_stop(f->t, 1);
    all_there(f, 4);
}

#define FIVE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_five, teardown)
#define JOIN_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOIN_TEST(a_newcomer_replaces_a_lost_member_and_votes),
        JOIN_TEST(after_a_start_they_are_what_they_have_become),
        JOIN_TEST(a_wiped_one_never_comes_back_under_its_id),
        JOIN_TEST(two_changes_in_a_row),
        JOIN_TEST(a_newcomer_that_dies_at_any_step_goes_on),
        JOIN_TEST(what_is_fenced_stays_fenced_over_a_start),
        JOIN_TEST(a_newcomer_that_was_wiped_needs_the_word_of_all_that_stay),
        FIVE_TEST(who_was_left_behind_takes_what_the_others_have_and_votes),
        FIVE_TEST(who_dies_while_it_takes_that_begins_again),
        FIVE_TEST(without_a_majority_it_stays_behind),
        JOIN_TEST(who_is_not_left_behind_is_left_alone),
        JOIN_TEST(who_was_replaced_does_not_vote_any_more),
        JOIN_TEST(what_is_written_meanwhile_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
