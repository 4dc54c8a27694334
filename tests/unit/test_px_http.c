/* Unit tests for the way between replicas over HTTP: frames arrive, asks end once, and a peer that
 * is slow, silent or away costs the others nothing. */
#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/px_http.h"
#include "tests/support/http_script.h"
#include "tests/support/px_twin.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define HEAD    (PX_FRAME_HEAD_BYTES + PX_FRAME_CRC_BYTES)
#define LONG_MS 60000

struct fixture {
    struct px_twin two; /* replica 2; the link is replica 1's */
    struct http_script *script;
    struct px_http *http;
    struct px_link *link;
    struct px_count count;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL);
    *state = f;
    px_twin_start(&f->two, 2);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    px_http_stop(f->http);
    px_http_stop(NULL);
    if (f->script != NULL)
        http_script_stop(f->script);
    px_twin_stop(&f->two);
    free(f);
    return 0;
}

/* The link of replica 1 to 2 and to 3, which is at `three`. */
static void open_with(struct fixture *f, const char *three)
{
    const struct px_http_peer peers[] = { { 2, f->two.origin }, { 3, three } };
    const struct px_http_config config = { .peers = peers, .peer_count = 2, .count = &f->count };

    assert_int_equal(px_http_open(&f->http, &config), 0);
    f->link = px_http_link(f->http);
}

static void tell(struct fixture *f, uint32_t to, uint64_t number, size_t bytes)
{
    struct vs_buf b = { 0 };

    px_twin_frame(&b, PX_FRAME_JOURNAL, 1, number, bytes);
    px_link_tell(f->link, to, b.data, b.len);
    vs_buf_close(&b);
}

struct asking {
    struct px_link_ask a;
    struct vs_buf frame;
    sem_t done;
    unsigned times;
};

static void asking_done(struct px_link_ask *a)
{
    struct asking *k = vs_container_of(a, struct asking, a);

    k->times++;
    sem_post(&k->done);
}

static void ask_start(struct fixture *f, struct asking *k, uint32_t to, unsigned timeout_ms)
{
    *k = (struct asking){ .a = { .kind = PX_LINK_FRAME,
                                 .answer_max = PX_FRAME_BYTES_MAX,
                                 .timeout_ms = timeout_ms,
                                 .done = asking_done } };
    sem_init(&k->done, 0, 0);
    px_twin_frame(&k->frame, PX_FRAME_ASKS, 1, 17, 1000);
    k->a.bytes = k->frame.data;
    k->a.len = k->frame.len;
    px_link_ask(f->link, to, &k->a);
}

static int ask_wait(struct asking *k)
{
    int status;

    while (sem_wait(&k->done) != 0)
        ;
    assert_int_equal(k->times, 1);
    status = k->a.status;
    vs_buf_close(&k->frame);
    vs_buf_close(&k->a.answer);
    return status;
}

static int ask(struct fixture *f, uint32_t to, unsigned timeout_ms)
{
    struct asking k;

    ask_start(f, &k, to, timeout_ms);
    return ask_wait(&k);
}

/* ---- told ----------------------------------------------------------------------------------- */

static void what_is_told_arrives_and_is_counted(void **state)
{
    struct fixture *f = *state;
    uint64_t sum = 0;

    open_with(f, "http://127.0.0.1:1");
    for (unsigned i = 0; i < 100; i++)
        tell(f, 2, i, i % 10 == 0 ? 100000 : HEAD + i);
    px_twin_await(&f->two, 100);
    for (unsigned i = 0; i < 100; i++)
        sum += f->two.epoch[i];
    assert_int_equal(sum, 99 * 50);
    assert_int_equal(f->two.from, 1);
    assert_int_equal(vs_counter_get(&f->count.messages[PX_FRAME_JOURNAL][PX_COUNT_OUT]), 100);
    assert_int_equal(vs_counter_get(&f->two.count.messages[PX_FRAME_JOURNAL][PX_COUNT_IN]), 100);
    assert_int_equal(vs_counter_get(&f->count.dropped), 0);
    tell(f, 9, 1, HEAD); /* nobody */
    assert_int_equal(vs_counter_get(&f->count.dropped), 1);
}

static void the_longest_frame_arrives(void **state)
{
    struct fixture *f = *state;

    open_with(f, "http://127.0.0.1:1");
    tell(f, 2, 5, PX_FRAME_JOURNAL_BYTES_MAX);
    px_twin_await(&f->two, 1);
    assert_int_equal(f->two.epoch[0], 5);
}

/* While two requests are held back, frames gather, and leave together. */
static void what_waits_leaves_in_one_request(void **state)
{
    struct fixture *f = *state;

    open_with(f, "http://127.0.0.1:1");
    f->two.hold = true;
    for (unsigned i = 0; i < PX_HTTP_POSTS; i++) {
        tell(f, 2, i, HEAD);
        px_twin_await(&f->two, i + 1);
    }
    for (unsigned i = 0; i < 50; i++)
        tell(f, 2, 100 + i, HEAD);
    px_twin_release(&f->two);
    px_twin_await(&f->two, PX_HTTP_POSTS + 50);
    assert_in_range(vs_counter_get(&f->two.count.requests[PX_COUNT_IN]), PX_HTTP_POSTS + 1,
                    PX_HTTP_POSTS + 2);
}

/* Answers short frames and keeps silent about all others. */
static void serve_short_alone(struct script_conn *c)
{
    while (script_read(c)) {
        if (strstr(c->head, PX_HTTP_TELL_PATH) == NULL && strstr(c->head, "/ping") == NULL)
            script_stall(c);
        else if (strstr(c->head, PX_HTTP_TELL_PATH) != NULL)
            sem_post(c->arg);
        script_say(c, "HTTP/1.1 204 No Content\r\n\r\n");
    }
}

static void heartbeats_do_not_wait_behind_bulk(void **state)
{
    struct fixture *f = *state;
    struct asking k[10];
    sem_t heard;

    sem_init(&heard, 0, 0);
    f->script = http_script_start(serve_short_alone, &heard);
    open_with(f, http_script_origin(f->script));
    for (unsigned i = 0; i < 10; i++) {
        tell(f, 3, i, 1u << 20);
        ask_start(f, &k[i], 3, 5000);
    }
    for (unsigned i = 0; i < 20; i++) { /* one after the other: each is answered at once */
        tell(f, 3, i, HEAD);
        while (sem_wait(&heard) != 0)
            ;
    }
    px_http_stop(f->http);
    f->http = NULL;
    for (unsigned i = 0; i < 10; i++) /* none had ended before: this is not about time */
        assert_int_equal(ask_wait(&k[i]), -ECONNRESET);
}

static void serve_silence(struct script_conn *c)
{
    while (script_read(c))
        script_stall(c);
}

static void a_silent_peer_costs_the_others_nothing(void **state)
{
    struct fixture *f = *state;

    f->script = http_script_start(serve_silence, NULL);
    open_with(f, http_script_origin(f->script));
    for (unsigned i = 0; i < 500; i++) {
        tell(f, 3, i, i % 2 ? HEAD : 20000);
        if (i % 2 == 0) {
            tell(f, 2, i, i % 4 ? HEAD : 20000);
            px_twin_await(&f->two, i / 2 + 1);
        }
    }
    assert_int_equal(ask(f, 2, LONG_MS), 0);
}

/* The twin takes what is under way and does not end it: all others wait, until there are too many.
 */
static void a_full_queue_drops_its_oldest(void **state)
{
    struct fixture *f = *state;
    unsigned dropped, got;

    open_with(f, "http://127.0.0.1:1");
    f->two.hold = true;
    for (unsigned i = 0; i < PX_HTTP_POSTS; i++) {
        tell(f, 2, i, HEAD);
        px_twin_await(&f->two, i + 1);
    }
    for (unsigned i = 0; i < 1000; i++)
        tell(f, 2, 100 + i, HEAD);
    dropped = (unsigned)vs_counter_get(&f->count.dropped);
    assert_in_range(dropped, 1, 1000 - PX_HTTP_SHORT_FRAMES_MAX);
    px_twin_release(&f->two);
    px_twin_await(&f->two, PX_HTTP_POSTS + 1000 - dropped);
    got = f->two.frames;
    assert_int_equal(f->two.epoch[got - 1], 1099);
    assert_true(f->two.epoch[PX_HTTP_POSTS] > 100);
    assert_int_equal(got, PX_HTTP_POSTS + 1000 - dropped);
}

/* ---- asked ---------------------------------------------------------------------------------- */

static void an_ask_brings_back_what_it_was_answered(void **state)
{
    struct fixture *f = *state;
    struct asking k;
    struct px_frame in;

    open_with(f, "http://127.0.0.1:1");
    ask_start(f, &k, 2, LONG_MS);
    while (sem_wait(&k.done) != 0)
        ;
    assert_int_equal(k.a.status, 0);
    assert_int_equal(px_frame_open(k.a.answer.data, k.a.answer.len, &in), 0);
    assert_int_equal(in.kind, PX_FRAME_ANSWERS);
    assert_int_equal(in.head.epoch, 17);
    sem_post(&k.done);
    assert_int_equal(ask_wait(&k), 0);
    assert_int_equal(vs_counter_get(&f->count.messages[PX_FRAME_ASKS][PX_COUNT_OUT]), 1);
    assert_int_equal(vs_counter_get(&f->count.messages[PX_FRAME_ANSWERS][PX_COUNT_IN]), 1);
    f->two.status = -EAGAIN;
    assert_int_equal(ask(f, 2, LONG_MS), -EAGAIN);
    f->two.status = -ESTALE;
    assert_int_equal(ask(f, 2, LONG_MS), -ECONNREFUSED);
    assert_int_equal(ask(f, 9, LONG_MS), -ENOENT);
    assert_int_equal(ask(f, 3, LONG_MS), -ECONNREFUSED);
    f->two.hold = true;
    assert_int_equal(ask(f, 2, 50), -ETIMEDOUT);
}

static void serve_text(struct script_conn *c)
{
    if (script_read(c))
        script_say(c, "%s", (const char *)c->arg);
    script_reset(c);
}

static void an_ask_says_whether_it_may_have_arrived(void **state)
{
    static const struct {
        const char *said;
        int status;
    } rows[] = {
        { "HTTP/1.1 204 No Content\r\n\r\n", 0 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0 },
        { "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", -EAGAIN },
        { "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", -ECONNREFUSED },
        { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", 0 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", -ECONNRESET },
        { "what?\r\n\r\n", -ECONNRESET },
        { "", -ECONNRESET },
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f->script = http_script_start(serve_text, (void *)(uintptr_t)rows[i].said);
        open_with(f, http_script_origin(f->script));
        assert_int_equal(ask(f, 3, LONG_MS), rows[i].status);
        px_http_stop(f->http);
        f->http = NULL;
        http_script_stop(f->script);
        f->script = NULL;
    }
}

static void a_question_goes_where_questions_go(void **state)
{
    struct fixture *f = *state;
    struct asking k = { .a = { .kind = PX_LINK_QUESTION,
                               .bytes = "question",
                               .len = 8,
                               .answer_max = 100,
                               .timeout_ms = LONG_MS,
                               .done = asking_done } };

    open_with(f, "http://127.0.0.1:1");
    sem_init(&k.done, 0, 0);
    px_link_ask(f->link, 2, &k.a);
    while (sem_wait(&k.done) != 0)
        ;
    assert_int_equal(k.a.answer.len, 8);
    assert_memory_equal(k.a.answer.data, "question", 8);
    sem_post(&k.done);
    assert_int_equal(ask_wait(&k), 0);
    assert_int_equal(f->two.questions, 1);
    assert_int_equal(vs_counter_get(&f->count.messages[PX_COUNT_QUESTION][PX_COUNT_OUT]), 1);
    assert_int_equal(vs_counter_get(&f->count.messages[PX_COUNT_REPLY][PX_COUNT_IN]), 1);
}

/* ---- who is there --------------------------------------------------------------------------- */

static void who_answers_is_reachable(void **state)
{
    struct fixture *f = *state;
    struct px_http_peer_state peers[PX_HTTP_PEERS_MAX];
    struct timespec step = { 0, VS_NS_PER_MS };

    open_with(f, "http://127.0.0.1:1");
    for (unsigned i = 0; px_http_reachable(f->http) < 1; i++) {
        assert_true(i < LONG_MS);
        nanosleep(&step, NULL);
    }
    assert_int_equal(px_http_peers(f->http, peers), 2);
    assert_true(peers[0].pid == 2 && peers[0].reachable);
    assert_true(peers[1].pid == 3 && !peers[1].reachable);
}

static void peers_that_cannot_be_are_refused(void **state)
{
    const struct px_http_peer twice[] = { { 2, "http://h:1" }, { 2, "http://h:2" } };
    const struct px_http_peer zero[] = { { 0, "http://h:1" } };
    const struct px_http_peer none[] = { { 2, "nonsense" } };
    struct fixture *f = *state;
    struct px_http_config config = { .peers = twice, .peer_count = 2, .count = &f->count };

    assert_int_equal(px_http_open(&f->http, &config), -EINVAL);
    config.peers = zero;
    config.peer_count = 1;
    assert_int_equal(px_http_open(&f->http, &config), -EINVAL);
    config.peers = none;
    assert_int_equal(px_http_open(&f->http, &config), -EINVAL);
    assert_null(f->http);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_told_arrives_and_is_counted),
        TEST(the_longest_frame_arrives),
        TEST(what_waits_leaves_in_one_request),
        TEST(heartbeats_do_not_wait_behind_bulk),
        TEST(a_silent_peer_costs_the_others_nothing),
        TEST(a_full_queue_drops_its_oldest),
        TEST(an_ask_brings_back_what_it_was_answered),
        TEST(an_ask_says_whether_it_may_have_arrived),
        TEST(a_question_goes_where_questions_go),
        TEST(who_answers_is_reachable),
        TEST(peers_that_cannot_be_are_refused),
    };

    return cmocka_run_group_tests_name("px_http", tests, NULL, NULL);
}
