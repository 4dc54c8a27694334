/* One operation against three acceptors in memory: round trips, conflicts, silence, retries. */
#include "common/err.h"
#include "meta/px_propose.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N         3
#define SPACE     64
#define STEPS_MAX 200

struct cell {
    struct px_acceptor acceptor;
    struct px_reg reg;
    uint8_t value[SPACE];
    bool down;
};

struct fixture {
    struct cell cell[N];
    struct px_proposer proposer[2]; /* pid 1 and 2 */
    struct vs_id id;                /* of pid 1 */
    uint8_t space[SPACE];
    unsigned messages, rounds;
};

/* One operation on its way. */
struct run {
    struct fixture *f;
    struct px_proposer *proposer;
    struct px_propose p;
    struct px_actions todo;
    bool done;
    int status;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    for (unsigned i = 0; i < N; i++)
        f->cell[i].acceptor = (struct px_acceptor){
            .epoch = 1, .votes = true, .members = 2, .member = { { 1, 0 }, { 2, 0 } }
        };
    for (unsigned i = 0; i < 2; i++)
        f->proposer[i] = (struct px_proposer){ .pid = i + 1, .inc = 7, .epoch = 1, .acceptors = N };
    f->id = vs_id_make(1, 7, 1, VS_ID_CHUNK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* The acceptor's answer to what the run wants to send; false: silence. */
static bool ask_one(struct run *r, const struct px_ask *ask, unsigned i, struct px_answer *ret)
{
    struct cell *c = &r->f->cell[i];
    struct px_head head = { .epoch = r->p.epoch, .pid = r->proposer->pid, .inc = r->proposer->inc };

    r->f->messages++;
    if (c->down)
        return false;
    if (px_answer(&c->acceptor, &head, &c->reg, ask, ret) == PX_STORE &&
        c->reg.accepted.value != NULL && c->reg.accepted.value != c->value) {
        assert_true(c->reg.accepted.value_len <= SPACE);
        memcpy(c->value, c->reg.accepted.value, c->reg.accepted.value_len);
        c->reg.accepted.value = c->value;
    }
    r->f->messages++;
    return true;
}

static void take(struct run *r, const struct px_actions *actions)
{
    if (actions->done) {
        r->done = true;
        r->status = actions->status;
    }
    if (actions->send_to != 0 || actions->timer_us != 0 || actions->done)
        r->todo = *actions;
}

/* Send what is wanted to the acceptors of the mask, and hand the answers over. */
static void round_trip(struct run *r, uint32_t mask)
{
    struct px_actions now = r->todo, next;
    struct px_head head = { .epoch = r->p.epoch };

    r->todo.send_to = 0;
    r->f->rounds++;
    for (unsigned i = 0; i < N; i++) {
        struct px_answer answer;

        if ((now.send_to & mask & 1u << i) == 0 || !ask_one(r, &now.ask, i, &answer))
            continue;
        px_propose_answer(&r->p, i, &head, &answer, 0, &next);
        take(r, &next);
    }
}

static void timer(struct run *r)
{
    struct px_actions next;

    px_propose_timer(&r->p, r->todo.timer, 0, &next);
    take(r, &next);
}

static struct run start(struct fixture *f, unsigned proposer, const struct px_wish *wish)
{
    struct run r = { .f = f, .proposer = &f->proposer[proposer] };
    struct px_actions actions;

    px_propose_start(&r.p, r.proposer, wish, &actions);
    take(&r, &actions);
    return r;
}

static void finish(struct run *r)
{
    for (unsigned n = 0; !r->done; n++) {
        assert_true(n < STEPS_MAX);
        if (r->todo.send_to != 0)
            round_trip(r, 7);
        else
            timer(r);
    }
}

static struct px_wish create(struct fixture *f, const char *value)
{
    return (struct px_wish){ .goal = PX_CREATE,
                             .id = f->id,
                             .op = { 100, 1, 1 },
                             .fresh = true,
                             .value = (const uint8_t *)value,
                             .value_len = strlen(value),
                             .space = f->space,
                             .space_len = SPACE };
}

struct cas {
    const char *expect, *to;
};

static int cas(void *arg, const uint8_t *cur, size_t cur_len, const uint8_t **ret_new,
               size_t *ret_new_len)
{
    const struct cas *c = arg;

    if (cur == NULL || cur_len != strlen(c->expect) || memcmp(cur, c->expect, cur_len) != 0)
        return -ESTALE;
    *ret_new = (const uint8_t *)c->to;
    *ret_new_len = strlen(c->to);
    return 0;
}

static struct px_wish change(struct fixture *f, struct cas *c, uint64_t op)
{
    return (struct px_wish){ .goal = PX_CHANGE,
                             .id = f->id,
                             .op = { 100, 1, op },
                             .fn = cas,
                             .arg = c,
                             .space = f->space,
                             .space_len = SPACE };
}

static struct px_wish look(struct fixture *f)
{
    return (struct px_wish){ .goal = PX_LOOK, .id = f->id, .space = f->space, .space_len = SPACE };
}

static void has(const struct run *r, const char *value)
{
    assert_int_equal(r->status, 0);
    assert_int_equal(r->p.cur.value_len, strlen(value));
    assert_memory_equal(r->p.cur.value, value, strlen(value));
}

static void see(struct fixture *f, const char *value)
{
    struct px_wish wish = look(f);
    struct run r = start(f, 1, &wish);

    finish(&r);
    has(&r, value);
}

static void a_fresh_id_takes_one_round_trip_and_six_messages(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);

    assert_int_equal(r.todo.ask.phase, PX_ACCEPT0);
    round_trip(&r, 7);
    assert_true(r.done);
    has(&r, "a");
    assert_int_equal(f->messages, 6);
    assert_int_equal(f->rounds, 1);
    see(f, "a");
}

static void a_change_takes_two_round_trips_and_twelve_messages(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);
    struct cas c = { "a", "b" };

    finish(&r);
    f->messages = f->rounds = 0;
    wish = change(f, &c, 2);
    r = start(f, 1, &wish);
    finish(&r); /* round 1 is above round 0 */
    has(&r, "b");
    assert_int_equal(r.p.version, 2);
    assert_int_equal(f->rounds, 2);
    assert_int_equal(f->messages, 12);
}

static void a_majority_is_enough_and_a_minority_is_not(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);

    f->cell[2].down = true;
    finish(&r);
    has(&r, "a");
    f->cell[1].down = true;
    wish = look(f);
    r = start(f, 1, &wish);
    finish(&r);
    assert_int_equal(r.status, -ETIMEDOUT);
}

static void whoever_does_not_own_an_id_prepares(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 1, &wish);

    assert_int_equal(r.todo.ask.phase, PX_PREPARE);
    finish(&r);
    has(&r, "a");
}

/* Mutant M9. */
static void a_former_life_or_a_second_thought_prepares(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r;

    wish.fresh = false;
    r = start(f, 0, &wish);
    assert_int_equal(r.todo.ask.phase, PX_PREPARE);
    wish.fresh = true;
    f->proposer[0].inc++;
    r = start(f, 0, &wish);
    assert_int_equal(r.todo.ask.phase, PX_PREPARE);
}

static void of_two_values_for_one_id_the_first_stays(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);

    finish(&r);
    wish = create(f, "b");
    wish.op.seq = 2;
    wish.fresh = false;
    r = start(f, 1, &wish);
    finish(&r);
    assert_int_equal(r.status, -VS_EEXISTS_OTHER);
    see(f, "a");
    wish.value = (const uint8_t *)"a";
    r = start(f, 1, &wish);
    finish(&r);
    has(&r, "a");
}

/* Mutant M8: what a refused compare-and-set saw with a minority is written before it is told. */
static void a_refused_change_reports_a_chosen_value(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct cas c = { "x", "y" };
    struct run r = start(f, 0, &wish);

    round_trip(&r, 1); /* accepted by one of three */
    assert_false(r.done);
    f->cell[2].down = true;
    wish = change(f, &c, 2);
    r = start(f, 1, &wish);
    finish(&r);
    assert_int_equal(r.status, -ESTALE);
    assert_memory_equal(r.p.cur.value, "a", 1);
    f->cell[2].down = false;
    f->cell[0].down = true; /* without the one that had it first */
    see(f, "a");
}

/* Mutant M5. */
static void a_read_agrees_with_a_majority_or_makes_one(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);

    round_trip(&r, 1);
    f->cell[2].down = true;
    f->rounds = 0;
    see(f, "a"); /* READ, PREPARE, ACCEPT */
    assert_int_equal(f->rounds, 3);
    assert_int_equal(f->cell[1].reg.accepted.version, 1);
    f->rounds = 0;
    see(f, "a");
    assert_int_equal(f->rounds, 1);
    f->cell[2].down = false;
    f->cell[0].down = true;
    see(f, "a");
}

/* A player's read: contents never change, so any record will do. */
static void a_hint_is_what_one_acceptor_has(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);

    round_trip(&r, 2);
    wish = look(f);
    wish.goal = PX_HINT;
    r = start(f, 1, &wish);
    f->cell[2].down = true;
    round_trip(&r, 7);
    assert_true(r.done);
    has(&r, "a");
    assert_int_equal(f->cell[0].reg.accepted.version, 0); /* nothing was written */
}

static void an_absent_register_reads_as_absent(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = look(f);
    struct run r = start(f, 1, &wish);

    finish(&r);
    assert_int_equal(r.status, 0);
    assert_true(px_ballot_is_none(&r.p.at));
    assert_int_equal(f->rounds, 1);
}

static void a_retry_finds_its_own_success(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);
    struct cas ab = { "a", "b" }, bc = { "b", "c" };

    finish(&r);
    wish = change(f, &ab, 2);
    r = start(f, 1, &wish);
    finish(&r);
    has(&r, "b");
    wish = change(f, &bc, 3);
    r = start(f, 0, &wish);
    finish(&r);
    has(&r, "c");
    wish = change(f, &ab, 2); /* at another coordinator, under the same number */
    r = start(f, 0, &wish);
    finish(&r);
    assert_int_equal(r.status, 0);
    assert_int_equal(r.p.version, 2);
    see(f, "c");
}

/* Mutant M7. */
static void answers_to_something_else_do_not_count(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);
    struct px_head head = { .epoch = 1 };
    struct px_answer good = { .id = f->id,
                              .seq = r.p.seq,
                              .phase = PX_ACCEPT0,
                              .word = PX_SAYS_OK,
                              .ballot = r.todo.ask.ballot };
    struct px_actions actions;

    for (unsigned wrong = 0; wrong < 5; wrong++) {
        struct px_answer a = good;
        struct px_head h = head;

        a.seq += wrong == 0;
        a.phase = wrong == 1 ? PX_PREPARE : a.phase;
        a.ballot.round += wrong == 2;
        h.epoch += wrong == 3;
        a.id.b[3] ^= wrong == 4;
        for (unsigned i = 0; i < N; i++) {
            px_propose_answer(&r.p, i, &h, &a, 0, &actions);
            assert_false(actions.done);
        }
    }
    px_propose_answer(&r.p, 0, &head, &good, 0, &actions);
    px_propose_answer(&r.p, 0, &head, &good, 0, &actions); /* twice by the same one */
    assert_false(actions.done);
    px_propose_answer(&r.p, 1, &head, &good, 0, &actions);
    assert_true(actions.done);
}

/* Its own earlier ballot is in the way: that is a refusal, and no answer that came twice. */
static void a_second_change_of_the_same_proposer_does_not_wait_for_its_timer(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);
    struct cas ab = { "a", "b" }, bc = { "b", "c" };

    finish(&r);
    wish = change(f, &ab, 2);
    r = start(f, 0, &wish);
    finish(&r);
    wish = change(f, &bc, 3);
    r = start(f, 0, &wish);
    round_trip(&r, 7);
    assert_true(r.todo.timer_us <= PX_BACKOFF_MIN_US);
    finish(&r);
    has(&r, "c");

    wish = change(f, &ab, 4);
    wish.round = r.p.at.round; /* the caller knows: no refusal at all */
    r = start(f, 0, &wish);
    round_trip(&r, 7);
    assert_int_equal(r.status, -ESTALE);
    assert_true(r.done);
}

static void a_refusal_waits_longer_each_time_and_aims_higher(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish;
    struct cas c = { "a", "b" };
    struct run r;
    uint32_t last = 0;

    for (unsigned i = 0; i < N; i++)
        f->cell[i].reg.promised = (struct px_ballot){ .round = 10, .pid = 2, .inc = 7 };
    wish = change(f, &c, 2);
    r = start(f, 0, &wish);
    for (unsigned n = 0; n < 9; n++) {
        round_trip(&r, 7);
        assert_int_equal(r.todo.send_to, 0);
        assert_true(r.todo.timer_us >= last && r.todo.timer_us >= PX_BACKOFF_MIN_US / 2);
        assert_true(r.todo.timer_us <= PX_BACKOFF_MAX_US);
        last = r.todo.timer_us;
        timer(&r);
        assert_true(r.todo.ask.ballot.round > 10);
        for (unsigned i = 0; i < N; i++)
            f->cell[i].reg.promised.round = r.todo.ask.ballot.round + 5;
    }
    assert_true(last >= PX_BACKOFF_MAX_US / 2);
}

static void the_outcome_is_unknown_after_so_many_attempts(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);

    for (unsigned i = 0; i < N; i++)
        f->cell[i].down = true;
    finish(&r);
    assert_int_equal(r.status, -ETIMEDOUT);
}

static void a_new_epoch_begins_again_with_all_its_phases(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "a");
    struct run r = start(f, 0, &wish);
    struct px_actions actions;
    struct cas c = { "a", "b" };

    finish(&r);
    wish = change(f, &c, 2);
    r = start(f, 1, &wish);
    round_trip(&r, 7);
    assert_int_equal(r.todo.ask.phase, PX_ACCEPT);
    for (unsigned i = 0; i < N; i++)
        f->cell[i].acceptor.epoch = 2;
    for (unsigned i = 0; i < N; i++) {
        struct px_head head = { .epoch = 2 };
        struct px_answer answer;

        assert_true(ask_one(&r, &r.todo.ask, i, &answer));
        assert_int_equal(answer.word, PX_SAYS_EPOCH);
        px_propose_answer(&r.p, i, &head, &answer, 0, &actions);
        assert_true(actions.config);
        assert_false(actions.done);
    }
    f->proposer[1].epoch = 2;
    px_propose_epoch(&r.p, &actions);
    take(&r, &actions);
    assert_int_equal(r.todo.ask.phase, PX_PREPARE);
    finish(&r);
    has(&r, "b");
}

static void a_value_longer_than_the_space_is_refused(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = create(f, "abcdef");
    struct run r = start(f, 0, &wish);

    finish(&r);
    wish = look(f);
    wish.space_len = 3;
    r = start(f, 1, &wish);
    finish(&r);
    assert_int_equal(r.status, -EMSGSIZE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_id_takes_one_round_trip_and_six_messages),
        TEST(a_change_takes_two_round_trips_and_twelve_messages),
        TEST(a_majority_is_enough_and_a_minority_is_not),
        TEST(whoever_does_not_own_an_id_prepares),
        TEST(a_former_life_or_a_second_thought_prepares),
        TEST(of_two_values_for_one_id_the_first_stays),
        TEST(a_refused_change_reports_a_chosen_value),
        TEST(a_read_agrees_with_a_majority_or_makes_one),
        TEST(a_hint_is_what_one_acceptor_has),
        TEST(an_absent_register_reads_as_absent),
        TEST(a_retry_finds_its_own_success),
        TEST(answers_to_something_else_do_not_count),
        TEST(a_second_change_of_the_same_proposer_does_not_wait_for_its_timer),
        TEST(a_refusal_waits_longer_each_time_and_aims_higher),
        TEST(the_outcome_is_unknown_after_so_many_attempts),
        TEST(a_new_epoch_begins_again_with_all_its_phases),
        TEST(a_value_longer_than_the_space_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
