/* Many operations at one coordinator: frames, order of time, room, epochs. */
#include "meta/px_coord.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N   3
#define OPS 64

struct fixture {
    struct px_coord c;
    struct px_coord_op *memory[PX_COORD_MEMORY(OPS)];
    struct px_coord_op op[OPS + 1];
    uint8_t space[OPS + 1][16];
    struct px_reg reg[N][OPS + 1];
    uint8_t value[N][OPS + 1][16];
    struct px_acceptor acceptor;
    unsigned messages;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct px_proposer who = { .pid = 1, .inc = 7, .epoch = 1, .acceptors = N };

    assert_non_null(f);
    assert_int_equal(px_coord_init(&f->c, &who, f->memory, OPS), 0);
    f->acceptor = (struct px_acceptor){ .epoch = 1, .votes = true, .members = 1 };
    f->acceptor.member[0].pid = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static struct vs_id id_of(unsigned i)
{
    return vs_id_make(1, 7, i, VS_ID_CHUNK);
}

static int create(struct fixture *f, unsigned i, unsigned id, uint64_t now_us)
{
    struct px_wish wish = { .goal = PX_CREATE,
                            .id = id_of(id),
                            .op = { 100, 1, i + 1 },
                            .fresh = true,
                            .value = (const uint8_t *)"v",
                            .value_len = 1,
                            .space = f->space[i],
                            .space_len = sizeof(f->space[i]) };

    return px_coord_start(&f->c, &f->op[i], &wish, now_us);
}

/* Let acceptor `to` answer a frame. */
static void answer(struct fixture *f, unsigned to, const struct px_ask *asks, unsigned n,
                   uint64_t now_us)
{
    struct px_head asked = { .epoch = f->c.proposer.epoch, .pid = 1, .inc = 7 };
    struct px_head head = { .epoch = f->acceptor.epoch };
    struct px_answer answers[OPS];

    for (unsigned i = 0; i < n; i++) {
        unsigned id = (unsigned)vs_id_seq(&asks[i].id);
        struct px_reg *reg = &f->reg[to][id];

        if (px_answer(&f->acceptor, &asked, reg, &asks[i], &answers[i]) == PX_STORE &&
            reg->accepted.value != NULL && reg->accepted.value != f->value[to][id]) {
            memcpy(f->value[to][id], reg->accepted.value, reg->accepted.value_len);
            reg->accepted.value = f->value[to][id];
        }
    }
    for (unsigned i = 0; i < n; i++)
        px_coord_answer(&f->c, to, &head, &answers[i], now_us, 5);
    px_coord_returned(&f->c, to);
}

/* Every frame that leaves now is answered at once. */
static void exchange(struct fixture *f, uint64_t now_us)
{
    struct px_ask asks[N][OPS];
    unsigned n[N];

    for (unsigned to = 0; to < N; to++) {
        n[to] = px_coord_take(&f->c, to, now_us, asks[to], OPS);
        f->messages += n[to] > 0 ? 2 : 0;
    }
    for (unsigned to = 0; to < N; to++)
        if (n[to] > 0)
            answer(f, to, asks[to], n[to], now_us);
}

static unsigned done(struct fixture *f, int status)
{
    struct px_coord_op *op;
    unsigned n = 0;

    for (; (op = px_coord_done(&f->c)) != NULL; n++)
        assert_int_equal(op->status, status);
    return n;
}

static void sixty_four_fresh_chunks_take_six_messages(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < OPS; i++)
        assert_int_equal(create(f, i, i, 0), 0);
    exchange(f, 0);
    assert_int_equal(done(f, 0), OPS);
    assert_int_equal(f->messages, 6); /* 0.094 each */
    for (unsigned to = 0; to < N; to++)
        assert_memory_equal(f->value[to][OPS - 1], "v", 1);
    assert_true(px_coord_wake_us(&f->c) == PX_COORD_NEVER_US);
}

static void a_register_has_one_operation_at_a_time(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(create(f, 0, 9, 0), 0);
    assert_int_equal(create(f, 1, 9, 0), -EBUSY);
    exchange(f, 0);
    assert_int_equal(done(f, 0), 1);
    assert_int_equal(create(f, 1, 9, 0), 0);
}

static void there_is_room_for_so_many_and_it_comes_back(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < OPS; i++)
        assert_int_equal(create(f, i, i, 0), 0);
    assert_int_equal(create(f, OPS, OPS, 0), -EAGAIN);
    exchange(f, 0);
    assert_int_equal(done(f, 0), OPS);
    assert_int_equal(create(f, OPS, OPS, 0), 0);
}

static void asks_wait_for_company_while_a_frame_is_on_its_way_but_not_long(void **state)
{
    struct fixture *f = *state;
    struct px_ask asks[OPS];

    assert_int_equal(create(f, 0, 0, 0), 0);
    assert_int_equal(px_coord_take(&f->c, 0, 0, asks, OPS), 1);
    assert_int_equal(create(f, 1, 1, 10), 0);
    assert_int_equal(create(f, 2, 2, 20), 0);
    assert_int_equal(px_coord_take(&f->c, 0, 20, asks, OPS), 0);
    assert_true(px_coord_wake_us(&f->c) <= 10 + PX_COORD_GATHER_US);
    assert_int_equal(px_coord_take(&f->c, 0, 20, asks, 2), 2); /* full */
    assert_int_equal(create(f, 3, 3, 30), 0);
    assert_int_equal(px_coord_take(&f->c, 0, 29 + PX_COORD_GATHER_US, asks, OPS), 0);
    assert_int_equal(px_coord_take(&f->c, 0, 30 + PX_COORD_GATHER_US, asks, OPS), 1);
    assert_int_equal(create(f, 4, 4, 40), 0);
    for (unsigned frames = 0; frames < 3; frames++)
        px_coord_returned(&f->c, 0);
    assert_int_equal(px_coord_take(&f->c, 0, 40, asks, OPS), 1); /* nothing on its way */
}

static void what_a_majority_has_decided_is_sent_to_the_rest(void **state)
{
    struct fixture *f = *state;
    struct px_ask asks[OPS];

    assert_int_equal(create(f, 0, 0, 0), 0);
    for (unsigned to = 0; to < 2; to++) {
        assert_int_equal(px_coord_take(&f->c, to, 0, asks, OPS), 1);
        answer(f, to, asks, 1, 0);
    }
    assert_int_equal(done(f, 0), 0);
    assert_int_equal(px_coord_take(&f->c, 2, 0, asks, OPS), 1);
    assert_int_equal(asks[0].phase, PX_ACCEPT0);
    assert_int_equal(done(f, 0), 1);
}

static void what_has_been_read_asks_nobody_any_more(void **state)
{
    struct fixture *f = *state;
    struct px_wish wish = {
        .goal = PX_LOOK, .id = id_of(0), .space = f->space[0], .space_len = 16
    };
    struct px_ask asks[OPS];

    assert_int_equal(px_coord_start(&f->c, &f->op[0], &wish, 0), 0);
    for (unsigned to = 0; to < 2; to++) {
        assert_int_equal(px_coord_take(&f->c, to, 0, asks, OPS), 1);
        answer(f, to, asks, 1, 0);
    }
    assert_int_equal(done(f, 0), 1);
    assert_int_equal(px_coord_take(&f->c, 2, 0, asks, OPS), 0);
}

static void silence_is_followed_by_another_try_at_its_time(void **state)
{
    struct fixture *f = *state;
    struct px_ask asks[OPS];
    uint64_t now = 0;

    for (unsigned i = 0; i < OPS; i++)
        assert_int_equal(create(f, i, i, i * 10), 0);
    for (unsigned to = 0; to < N; to++)
        assert_int_equal(px_coord_take(&f->c, to, 0, asks, OPS), OPS);
    for (unsigned i = 0; i < OPS; i++) { /* each at its own time, in order */
        now = px_coord_wake_us(&f->c);
        assert_true(now == i * 10 + PX_PATIENCE_US);
        px_coord_tick(&f->c, now - 1, 1);
        assert_true(px_coord_wake_us(&f->c) == now);
        px_coord_tick(&f->c, now, 1);
        assert_int_equal(px_coord_take(&f->c, 1, now + PX_COORD_GATHER_US, asks, OPS), 1);
        assert_int_equal(vs_id_seq(&asks[0].id), i);
        assert_int_equal(px_coord_take(&f->c, 0, now + PX_COORD_GATHER_US, asks, OPS), 1);
        assert_int_equal(px_coord_take(&f->c, 2, now + PX_COORD_GATHER_US, asks, OPS), 1);
    }
}

static void without_acceptors_everything_ends_as_unknown(void **state)
{
    struct fixture *f = *state;
    struct px_ask asks[OPS];
    unsigned ended = 0;

    for (unsigned i = 0; i < OPS; i++)
        assert_int_equal(create(f, i, i, 0), 0);
    for (unsigned n = 0; n < 10000 && ended < OPS; n++) {
        uint64_t now = px_coord_wake_us(&f->c);

        px_coord_tick(&f->c, now, n);
        for (unsigned to = 0; to < N; to++)
            while (px_coord_take(&f->c, to, now, asks, OPS) > 0)
                ;
        ended += done(f, -ETIMEDOUT);
    }
    assert_int_equal(ended, OPS);
    assert_int_equal(f->c.ops, 0);
}

static void a_new_epoch_begins_everything_again(void **state)
{
    struct fixture *f = *state;
    struct px_ask asks[OPS];

    for (unsigned i = 0; i < OPS; i++)
        assert_int_equal(create(f, i, i, 0), 0);
    for (unsigned to = 0; to < N; to++)
        assert_int_equal(px_coord_take(&f->c, to, 0, asks, OPS), OPS);
    f->acceptor.epoch = 2;
    answer(f, 0, asks, OPS, 0);
    assert_true(f->c.config);
    px_coord_epoch(&f->c, 2, N, 10);
    assert_false(f->c.config);
    exchange(f, 10);
    assert_int_equal(done(f, 0), OPS);
}

static void answers_to_what_is_over_are_ignored(void **state)
{
    struct fixture *f = *state;
    struct px_ask asks[N][OPS];

    assert_int_equal(create(f, 0, 0, 0), 0);
    for (unsigned to = 0; to < N; to++)
        assert_int_equal(px_coord_take(&f->c, to, 0, asks[to], OPS), 1);
    for (unsigned to = 0; to < N; to++)
        answer(f, to, asks[to], 1, 0);
    assert_int_equal(done(f, 0), 1);
    answer(f, 2, asks[2], 1, 0);
    assert_int_equal(done(f, 0), 0);
}

static void the_number_of_operations_has_limits(void **state)
{
    struct fixture *f = *state;
    struct px_proposer who = { .pid = 1, .inc = 1, .acceptors = 1 };

    assert_int_equal(px_coord_init(&f->c, &who, f->memory, 0), -EINVAL);
    assert_int_equal(px_coord_init(&f->c, &who, f->memory, PX_COORD_OPS_MAX + 1), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sixty_four_fresh_chunks_take_six_messages),
        TEST(a_register_has_one_operation_at_a_time),
        TEST(there_is_room_for_so_many_and_it_comes_back),
        TEST(asks_wait_for_company_while_a_frame_is_on_its_way_but_not_long),
        TEST(what_a_majority_has_decided_is_sent_to_the_rest),
        TEST(what_has_been_read_asks_nobody_any_more),
        TEST(silence_is_followed_by_another_try_at_its_time),
        TEST(without_acceptors_everything_ends_as_unknown),
        TEST(a_new_epoch_begins_everything_again),
        TEST(answers_to_what_is_over_are_ignored),
        TEST(the_number_of_operations_has_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
