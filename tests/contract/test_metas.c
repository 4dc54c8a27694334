/* Three real metadata processes under faults, with writers and readers that go on through the
 * client of a mount: nothing that was acknowledged is lost or done twice, changes and reads go on
 * while a majority is there, and without one everything is an error in bounded time, never empty.
 *
 * The longest pause of each fault is printed. */
#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/place_value.h"
#include "tests/support/metas_rig.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE_MS  60000
#define WRITERS      3
#define PER_FAULT    10    /* rounds of each writer before and behind a fault */
#define PAUSE_MS_MAX 10000 /* a busy machine; the aim is 1000 */
#define LOOKED_AT    50    /* of the last rounds each one is looked up, of all others one in 20 */
#define DOWN_MS      1500  /* deadline of who finds no majority */

static int64_t now_ns(void)
{
    return vs_now_ns(&vs_clock_system);
}

/* ---- what writers do ------------------------------------------------------------------------ */

static int change(struct meta_client *meta, const struct ns_entry *e, struct ns_answer *ret)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };
    int status = meta_call(meta, &r);

    *ret = r.answer;
    return status;
}

static uint64_t reserve(struct meta_client *meta, uint64_t count)
{
    const struct ns_entry e = { .kind = NS_E_RESERVE, .count = count };
    struct ns_answer a;

    assert_int_equal(change(meta, &e, &a), 0);
    return a.first;
}

static uint64_t open_session(struct meta_client *meta, uint64_t count)
{
    const struct ns_entry e = { .kind = NS_E_SESSION_OPEN, .count = count };
    struct ns_answer a;

    assert_int_equal(change(meta, &e, &a), 0);
    return a.first;
}

static int make_dir(struct meta_client *meta, const char *name, uint64_t ino)
{
    const struct ns_entry e = { .kind = NS_E_CREATE,
                                .parent = NS_INO_ROOT,
                                .name = name,
                                .name_len = strlen(name),
                                .ino = ino,
                                .attr = { .mode = S_IFDIR | 0755 } };
    struct ns_answer a;

    return change(meta, &e, &a);
}

static int lookup(struct meta_client *meta, const char *name, uint64_t *ret_ino)
{
    struct meta_req r = {
        .op = META_LOOKUP, .ino = NS_INO_ROOT, .name = name, .name_len = strlen(name)
    };
    int status = meta_call(meta, &r);

    *ret_ino = r.attr.ino;
    return status;
}

static void placement(struct vs_buf *ret, uint64_t number)
{
    struct place_value v = {
        .state = PLACE_LIVE,
        .session = 1,
        .generation = 1,
        .chunk_bytes = 1 + (uint32_t)number,
        .red = { VS_RED_REPLICATE, 1, 1 },
        .frag = { { .node = 1, .generation = 1 }, { .node = 9, .generation = 1 } },
    };

    ret->len = 0;
    VS_ASSERT(place_value_encode(&v, ret) == 0);
}

static int create_register(struct meta_client *meta, const struct vs_id *id, uint64_t number)
{
    struct vs_buf value = { 0 };
    struct meta_reg reg = { .id = *id };
    struct meta_req r = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };
    int status;

    placement(&value, number);
    reg.value = value.data;
    reg.value_len = value.len;
    status = meta_call(meta, &r);
    vs_buf_close(&value);
    vs_buf_close(&reg.current);
    return status;
}

static bool register_is(struct meta_client *meta, const struct vs_id *id, uint64_t number)
{
    struct vs_buf value = { 0 };
    struct meta_reg reg = { .id = *id };
    struct meta_req r = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };
    bool same;

    placement(&value, number);
    same = meta_call(meta, &r) == 0 && reg.status == 0 && reg.current.len == value.len &&
           memcmp(reg.current.data, value.data, value.len) == 0;
    vs_buf_close(&value);
    vs_buf_close(&reg.current);
    return same;
}

/* ---- writers -------------------------------------------------------------------------------- */

struct writer {
    struct meta_client *meta;
    unsigned id;
    uint64_t first_ino, first_seq;
    atomic_uint rounds; /* acknowledged */
    atomic_uint wrong;
    _Atomic int64_t longest_ns; /* between two ends of rounds */
    atomic_bool *stop;
};

#define ROUNDS_MAX 20000

static struct vs_id writer_id(const struct writer *w, unsigned round)
{
    return vs_id_make(w->meta->pid, w->meta->inc, w->first_seq + round, VS_ID_CHUNK);
}

/* A folder, found at once; a register, read at once. */
static bool writer_round(struct writer *w, unsigned round)
{
    struct vs_id id = writer_id(w, round);
    uint64_t ino = 0;
    char name[32];

    snprintf(name, sizeof(name), "w%u-%u", w->id, round);
    return make_dir(w->meta, name, w->first_ino + round) == 0 && lookup(w->meta, name, &ino) == 0 &&
           ino == w->first_ino + round && create_register(w->meta, &id, round) == 0 &&
           register_is(w->meta, &id, round);
}

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    int64_t before = now_ns();

    for (unsigned round = 0; !atomic_load(w->stop) && round < ROUNDS_MAX; round++) {
        int64_t now;

        if (!writer_round(w, round))
            atomic_fetch_add(&w->wrong, 1);
        now = now_ns();
        if (now - before > atomic_load(&w->longest_ns))
            atomic_store(&w->longest_ns, now - before);
        before = now;
        atomic_store(&w->rounds, round + 1);
    }
    return NULL;
}

/* ---- the fixture: writers run from setup to teardown ---------------------------------------- */

struct fixture {
    struct metas_rig rig;
    struct meta_client *meta[WRITERS];
    struct writer writer[WRITERS];
    pthread_t thread[WRITERS];
    atomic_bool stop;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL);
    *state = f;
    metas_rig_start(&f->rig, 3);
    for (unsigned i = 0; i < WRITERS; i++) {
        struct writer *w = &f->writer[i];

        f->meta[i] = metas_rig_open(&f->rig, PATIENCE_MS);
        *w = (struct writer){ .meta = f->meta[i], .id = i, .stop = &f->stop };
        w->first_ino = reserve(w->meta, ROUNDS_MAX);
        w->first_seq = open_session(w->meta, ROUNDS_MAX);
        VS_ASSERT(pthread_create(&f->thread[i], NULL, writer_run, w) == 0);
    }
    return 0;
}

/* Each writer ends that many rounds. */
static void go_on(struct fixture *f, unsigned rounds)
{
    int64_t end_ns = now_ns() + PATIENCE_MS * VS_NS_PER_MS;
    struct timespec step = { 0, VS_NS_PER_MS };

    for (unsigned i = 0; i < WRITERS; i++) {
        unsigned until = atomic_load(&f->writer[i].rounds) + rounds;

        while (atomic_load(&f->writer[i].rounds) < until) {
            assert_true(now_ns() < end_ns);
            nanosleep(&step, NULL);
        }
    }
}

/* The longest pause since the last call, said and bounded. */
static void pause_is_bounded(struct fixture *f, const char *what)
{
    int64_t longest = 0;

    for (unsigned i = 0; i < WRITERS; i++) {
        int64_t ns = atomic_exchange(&f->writer[i].longest_ns, 0);

        longest = ns > longest ? ns : longest;
    }
    printf("longest pause, %s: %u ms\n", what, (unsigned)(longest / VS_NS_PER_MS));
    assert_true(longest < PAUSE_MS_MAX * VS_NS_PER_MS);
}

static void stop_writers(struct fixture *f)
{
    if (atomic_exchange(&f->stop, true))
        return;
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(f->thread[i], NULL);
}

/* Everything acknowledged is there, once: the names by their number, too. */
static void check_all(struct fixture *f)
{
    unsigned made = 0;

    stop_writers(f);
    for (unsigned i = 0; i < WRITERS; i++) {
        struct writer *w = &f->writer[i];

        assert_int_equal(atomic_load(&w->wrong), 0);
        made += atomic_load(&w->rounds);
        for (unsigned round = 0; round < atomic_load(&w->rounds); round++) {
            struct vs_id id = writer_id(w, round);
            char name[32];
            uint64_t ino;

            if (round + LOOKED_AT < atomic_load(&w->rounds) && round % 20 != 0)
                continue;
            snprintf(name, sizeof(name), "w%u-%u", i, round);
            assert_int_equal(lookup(f->meta[0], name, &ino), 0);
            assert_int_equal(ino, w->first_ino + round);
            assert_true(register_is(f->meta[0], &id, round));
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        struct meta_req r = { .op = META_STATS };

        assert_int_equal(meta_call(f->meta[i], &r), 0);
        assert_int_equal(r.stats.directories, made + 2); /* root and inbox */
    }
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop_writers(f);
    for (unsigned i = 0; i < WRITERS; i++)
        meta_client_stop(f->meta[i]);
    metas_rig_stop(&f->rig);
    free(f);
    return 0;
}

/* ---- faults --------------------------------------------------------------------------------- */

static void killed_replicas_lose_nothing_and_stop_nobody(void **state)
{
    struct fixture *f = *state;

    go_on(f, PER_FAULT);
    pause_is_bounded(f, "no fault");
    for (unsigned n = 0; n < 3; n++) {
        unsigned victim = n == 1 ? (metas_rig_leader(&f->rig) + 1) % 3 : metas_rig_leader(&f->rig);

        node_proc_kill(&f->rig.proc[victim]);
        go_on(f, PER_FAULT);
        pause_is_bounded(f, n == 1 ? "a follower killed" : "the leader killed");
        metas_rig_restart(&f->rig, victim);
        go_on(f, PER_FAULT);
    }
    check_all(f);
}

static void frozen_replicas_stop_nobody(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 0; n < 3; n++) {
        unsigned victim = metas_rig_leader(&f->rig);

        victim = n == 1 ? (victim + 1) % 3 : victim;
        go_on(f, PER_FAULT);
        pause_is_bounded(f, "thawed");
        node_proc_freeze(&f->rig.proc[victim]);
        go_on(f, PER_FAULT);
        pause_is_bounded(f, n == 1 ? "a follower frozen" : "the leader frozen");
        go_on(f, PER_FAULT);
        pause_is_bounded(f, "while it stays frozen");
        node_proc_thaw(&f->rig.proc[victim]);
        go_on(f, PER_FAULT);
    }
    check_all(f);
}

static void replicas_that_are_cut_off_stop_nobody(void **state)
{
    struct fixture *f = *state;
    unsigned leader, follower;

    go_on(f, PER_FAULT);
    leader = metas_rig_leader(&f->rig);
    metas_rig_isolate(&f->rig, leader, true);
    go_on(f, PER_FAULT);
    pause_is_bounded(f, "the leader cut off");
    metas_rig_isolate(&f->rig, leader, false);
    go_on(f, PER_FAULT);
    follower = (metas_rig_leader(&f->rig) + 1) % 3;
    pause_is_bounded(f, "it is back");
    metas_rig_isolate(&f->rig, follower, true);
    go_on(f, PER_FAULT);
    pause_is_bounded(f, "a follower cut off");
    metas_rig_isolate(&f->rig, follower, false);
    go_on(f, PER_FAULT);
    check_all(f);
}

static void a_way_cut_in_one_direction_stops_nobody(void **state)
{
    struct fixture *f = *state;

    go_on(f, PER_FAULT);
    for (unsigned n = 0; n < 4; n++) {
        unsigned leader = metas_rig_leader(&f->rig), a = (leader + 1) % 3, b = (leader + 2) % 3;
        /* what the leader sends to all; what all send to it; to one; of one */
        const struct {
            const char *what;
            unsigned from[2], to[2];
        } rows[] = {
            { "the leader is not heard", { leader, leader }, { a, b } },
            { "the leader does not hear", { a, b }, { leader, leader } },
            { "one follower does not hear the leader", { leader, leader }, { a, a } },
            { "one follower is not heard", { a, a }, { leader, b } },
        };

        for (unsigned i = 0; i < 2; i++)
            metas_rig_cut(&f->rig, rows[n].from[i], rows[n].to[i], true);
        go_on(f, PER_FAULT);
        pause_is_bounded(f, rows[n].what);
        for (unsigned i = 0; i < 2; i++)
            metas_rig_cut(&f->rig, rows[n].from[i], rows[n].to[i], false);
        go_on(f, PER_FAULT);
    }
    check_all(f);
}

/* ---- without a majority --------------------------------------------------------------------- */

static void without_a_majority_everything_is_an_error_in_time(void **state)
{
    struct fixture *f = *state;
    struct meta_client *meta;
    struct ns_dirent page[8];
    struct meta_req list = {
        .op = META_READDIR, .ino = NS_INO_ROOT, .dirents = page, .dirents_max = 8
    };
    struct vs_id id;
    struct meta_reg reg = { .status = 0 };
    struct meta_req read = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };
    struct meta_req hint = { .op = META_REG_READ, .regs = &reg, .reg_count = 1, .hint = true };
    char word[16];
    int64_t start;
    uint64_t ino;

    go_on(f, PER_FAULT);
    stop_writers(f);
    meta = metas_rig_open(&f->rig, DOWN_MS);
    id = writer_id(&f->writer[0], 0);
    reg.id = id;
    node_proc_kill(&f->rig.proc[0]);
    node_proc_freeze(&f->rig.proc[1]);
    start = now_ns();
    assert_int_equal(meta_call(meta, &list), -VS_EDOWN);
    assert_int_equal(list.dirents_count, 0);
    assert_int_equal(lookup(meta, "w0-0", &ino), -VS_EDOWN);
    assert_int_equal(make_dir(meta, "nobody", 3), -VS_EDOWN);
    assert_int_equal(meta_call(meta, &read), -VS_EDOWN);
    assert_int_equal(reg.status, -VS_EDOWN);
    assert_true(now_ns() - start < (4 * DOWN_MS + PAUSE_MS_MAX) * VS_NS_PER_MS);
    /* What a player needs goes on. */
    assert_int_equal(meta_call(meta, &hint), 0);
    assert_int_equal(reg.status, 0);
    assert_true(metas_rig_health(&f->rig, 2, "majority", word, sizeof(word)));
    assert_string_equal(word, "false");
    vs_buf_close(&reg.current);
    node_proc_thaw(&f->rig.proc[1]);
    (void)metas_rig_leader(&f->rig);
    metas_rig_restart(&f->rig, 0);
    meta_client_stop(meta);
    check_all(f);
}

static void all_of_them_killed_and_started_again_have_everything(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 0; n < 2; n++) {
        go_on(f, PER_FAULT);
        for (unsigned i = 0; i < 3; i++)
            node_proc_kill(&f->rig.proc[i]);
        for (unsigned i = 0; i < 3; i++)
            metas_rig_restart(&f->rig, i);
        go_on(f, PER_FAULT);
    }
    pause_is_bounded(f, "all killed and started again");
    check_all(f);
}

static uint64_t applied(struct fixture *f, unsigned i)
{
    char text[32];

    return metas_rig_health(&f->rig, i, "applied_slot", text, sizeof(text))
               ? strtoull(text, NULL, 10)
               : 0;
}

static void a_replica_that_was_away_catches_up_and_can_stand_in(void **state)
{
    struct fixture *f = *state;
    struct timespec step = { 0, 10 * VS_NS_PER_MS };
    int64_t end_ns = now_ns() + PATIENCE_MS * VS_NS_PER_MS;
    unsigned leader = metas_rig_leader(&f->rig), away = (leader + 1) % 3;
    uint64_t slot;

    node_proc_kill(&f->rig.proc[away]);
    go_on(f, 10 * PER_FAULT);
    stop_writers(f);
    slot = applied(f, leader);
    metas_rig_restart(&f->rig, away);
    while (applied(f, away) < slot) {
        assert_true(now_ns() < end_ns);
        nanosleep(&step, NULL);
    }
    node_proc_kill(&f->rig.proc[leader]); /* now it is one of the two that are left */
    check_all(f);
    metas_rig_restart(&f->rig, leader);
}

/* Ids belong to the replica that was asked first; when it is gone, the others make them. */
static void a_session_outlives_the_replica_that_opened_it(void **state)
{
    struct fixture *f = *state;
    unsigned first = f->writer[0].meta->pid - 1u;

    go_on(f, PER_FAULT);
    node_proc_kill(&f->rig.proc[first]);
    go_on(f, PER_FAULT);
    stop_writers(f);
    assert_int_equal(open_session(f->meta[0], 5) > 0, 1); /* and more are opened */
    metas_rig_restart(&f->rig, first);
    check_all(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(killed_replicas_lose_nothing_and_stop_nobody),
        TEST(frozen_replicas_stop_nobody),
        TEST(replicas_that_are_cut_off_stop_nobody),
        TEST(a_way_cut_in_one_direction_stops_nobody),
        TEST(without_a_majority_everything_is_an_error_in_time),
        TEST(all_of_them_killed_and_started_again_have_everything),
        TEST(a_replica_that_was_away_catches_up_and_can_stand_in),
        TEST(a_session_outlives_the_replica_that_opened_it),
    };

    return cmocka_run_group_tests_name("metas", tests, NULL, NULL);
}
