/* Unit tests for the receiving end of POST /px: each refusal has its status, frames are answered
 * together, and what is held by the replica is answered when it ends. */
#include "common/assert.h"
#include "common/err.h"
#include "tests/support/px_twin.h"
#include "tests/support/raw_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD (PX_FRAME_HEAD_BYTES + PX_FRAME_CRC_BYTES)

static int setup(void **state)
{
    struct px_twin *t = calloc(1, sizeof(*t));

    VS_ASSERT(t != NULL);
    *state = t;
    px_twin_start(t, 1);
    return 0;
}

static int teardown(void **state)
{
    px_twin_stop(*state);
    free(*state);
    return 0;
}

static void say(int fd, const char *path, const struct vs_buf *b)
{
    raw_say(fd, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", path, b->len);
    assert_true(b->len == 0 || raw_send(fd, b->data, b->len));
}

/* Send the frames, and read the answer; its status. */
static int post(struct px_twin *t, const char *path, struct vs_buf *b, struct raw_answer *a)
{
    int fd = raw_connect(t->port, 0), status;
    struct raw_answer own;

    a = a != NULL ? a : &own;
    say(fd, path, b);
    raw_read(fd, false, a);
    status = a->status;
    if (a == &own)
        raw_answer_close(a);
    close(fd);
    vs_buf_close(b);
    return status;
}

static void frames_of_one_body_are_answered_together(void **state)
{
    struct px_twin *t = *state;
    struct vs_buf b = { 0 };
    struct raw_answer a;
    struct px_post *p = malloc(sizeof(*p));

    px_twin_frame(&b, PX_FRAME_ASKS, 2, 11, 200);
    px_twin_frame(&b, PX_FRAME_JOURNAL, 2, 12, HEAD);
    px_twin_frame(&b, PX_FRAME_ASKS, 2, 13, 300);
    assert_int_equal(post(t, "/px", &b, &a), 200);
    assert_int_equal(px_post_split(a.body, a.body_bytes, p), 2);
    assert_int_equal(p->frame[0].len, 200);
    assert_int_equal(p->frame[1].len, 300);
    assert_int_equal(t->frames, 3);
    raw_answer_close(&a);
    free(p);
    px_twin_frame(&b, PX_FRAME_JOURNAL, 2, 14, HEAD);
    assert_int_equal(post(t, "/px", &b, NULL), 204);
    assert_int_equal(vs_counter_get(&t->count.messages[PX_FRAME_ANSWERS][PX_COUNT_OUT]), 2);
}

static void each_refusal_has_its_status(void **state)
{
    static const struct {
        int err, status;
    } rows[] = { { -EAGAIN, 503 }, { -ENOMEM, 503 },      { -ENOBUFS, 503 },
                 { -ESTALE, 409 }, { -VS_ECORRUPT, 400 }, { -VS_ENEWER, 400 } };
    struct px_twin *t = *state;
    struct vs_buf b = { 0 };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        t->status = rows[i].err;
        px_twin_frame(&b, PX_FRAME_ASKS, 2, 1, HEAD);
        assert_int_equal(post(t, "/px", &b, NULL), rows[i].status);
    }
    t->status = 0;
    assert_int_equal(t->frames, 6);
    px_twin_frame(&b, PX_FRAME_ASKS, 9, 1, HEAD);
    assert_int_equal(post(t, "/px", &b, NULL), 403);
    px_twin_frame(&b, PX_FRAME_ASKS, 1, 1, HEAD); /* itself */
    assert_int_equal(post(t, "/px", &b, NULL), 403);
    assert_int_equal(vs_buf_append(&b, "nonsense", 8, 8), 0);
    assert_int_equal(post(t, "/px", &b, NULL), 400);
    assert_int_equal(post(t, "/px", &b, NULL), 400); /* nothing */
    px_twin_frame(&b, PX_FRAME_ASKS, 2, 1, HEAD);    /* told, but it asks */
    assert_int_equal(post(t, "/px/tell", &b, NULL), 400);
    t->serve.gate.cluster.b[0] = 8;
    px_twin_frame(&b, PX_FRAME_ASKS, 2, 1, HEAD);
    assert_int_equal(post(t, "/px", &b, NULL), 421);
    assert_int_equal(t->frames, 6); /* nothing of that was handed on */
    assert_int_equal(vs_counter_get(&t->count.refused), 12);
}

static void a_held_frame_is_answered_when_it_ends(void **state)
{
    struct px_twin *t = *state;
    struct vs_buf b = { 0 };
    int fd[20];

    t->hold = true;
    for (unsigned i = 0; i < 20; i++) {
        fd[i] = raw_connect(t->port, 0);
        px_twin_frame(&b, PX_FRAME_ASKS, 2, 1, HEAD);
        px_twin_frame(&b, PX_FRAME_ASKS, 2, 2, HEAD);
        say(fd[i], "/px", &b);
        vs_buf_close(&b);
    }
    px_twin_await(t, 40);
    close(fd[19]); /* one does not wait */
    px_twin_release(t);
    for (unsigned i = 0; i < 19; i++) {
        struct raw_answer a;

        raw_read(fd[i], false, &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(a.body_bytes, 2 * HEAD);
        raw_answer_close(&a);
        close(fd[i]);
    }
}

static void a_body_beyond_its_limit_is_refused(void **state)
{
    struct px_twin *t = *state;
    struct vs_buf b = { 0 };

    for (unsigned i = 0; b.len <= PX_SERVE_TELL_BYTES_MAX; i++)
        px_twin_frame(&b, PX_FRAME_JOURNAL, 2, i, 1000);
    assert_int_equal(post(t, "/px/tell", &b, NULL), 413);
    assert_int_equal(t->frames, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(frames_of_one_body_are_answered_together),
        TEST(each_refusal_has_its_status),
        TEST(a_held_frame_is_answered_when_it_ends),
        TEST(a_body_beyond_its_limit_is_refused),
    };

    return cmocka_run_group_tests_name("px_serve", tests, NULL, NULL);
}
