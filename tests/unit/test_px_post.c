/* Unit tests for bodies of POST /px: whole frames of one replica that may be heard, or nothing. */
#include "common/err.h"
#include "meta/px_post.h"
#include "tests/support/px_twin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD (PX_FRAME_HEAD_BYTES + PX_FRAME_CRC_BYTES)

static struct px_post_gate gate(void)
{
    return (struct px_post_gate){ .cluster = { { 7 } },
                                  .peers = 2,
                                  .peer = { { .pid = 2 }, { .pid = 3 } } };
}

/* One frame of (pid, inc) of a cluster. */
static void frame(struct vs_buf *b, uint8_t cluster, uint32_t pid, uint32_t inc)
{
    const struct px_head head = { { { cluster } }, 1, pid, inc };
    struct px_frame_out f;

    assert_int_equal(px_frame_begin(&f, b, PX_FRAME_JOURNAL, &head), 0);
    f.count = 1;
    assert_int_equal(px_frame_end(&f), 0);
}

static int judge(struct px_post_gate *g, struct vs_buf *b)
{
    struct px_post *p = malloc(sizeof(*p));
    int r = px_post_split(b->data, b->len, p);

    if (r > 0)
        r = px_post_judge(g, p);
    if (r == 0)
        assert_true(p->pid == 2 || p->pid == 3);
    free(p);
    vs_buf_close(b);
    return r;
}

static void a_body_is_whole_frames(void **state)
{
    struct vs_buf b = { 0 };
    struct px_post *p = malloc(sizeof(*p));

    (void)state;
    px_twin_frame(&b, PX_FRAME_JOURNAL, 2, 1, 100);
    px_twin_frame(&b, PX_FRAME_ASKS, 2, 2, HEAD);
    assert_int_equal(px_post_split(b.data, b.len, p), 2);
    assert_true(p->frame[0].len == 100 && p->frame[0].kind == PX_FRAME_JOURNAL);
    assert_true(p->frame[1].len == HEAD && p->frame[1].kind == PX_FRAME_ASKS);
    assert_ptr_equal(p->frame[1].bytes, b.data + 100);
    for (size_t len = 0; len < b.len; len++)
        if (len != 100)
            assert_int_equal(px_post_split(b.data, len, p), -VS_ECORRUPT);
    b.data[100] ^= 1;
    assert_int_equal(px_post_split(b.data, b.len, p), -VS_ECORRUPT);
    b.data[100] ^= 1;
    b.data[104] = PX_FRAME_FORMAT + 1;
    assert_int_equal(px_post_split(b.data, b.len, p), -VS_ENEWER);
    vs_buf_close(&b);
    free(p);
}

static void a_body_has_no_more_frames_than_there_is_room_for(void **state)
{
    struct vs_buf b = { 0 };
    struct px_post *p = malloc(sizeof(*p));

    (void)state;
    for (unsigned i = 0; i < PX_POST_FRAMES_MAX; i++)
        px_twin_frame(&b, PX_FRAME_JOURNAL, 2, 1, HEAD);
    assert_int_equal(px_post_split(b.data, b.len, p), PX_POST_FRAMES_MAX);
    px_twin_frame(&b, PX_FRAME_JOURNAL, 2, 1, HEAD);
    assert_int_equal(px_post_split(b.data, b.len, p), -VS_ECORRUPT);
    vs_buf_close(&b);
    free(p);
}

static void only_other_replicas_of_the_cluster_are_heard(void **state)
{
    struct px_post_gate g = gate();
    struct vs_buf b = { 0 };

    (void)state;
    frame(&b, 7, 3, 1);
    assert_int_equal(judge(&g, &b), 0);
    frame(&b, 8, 3, 1);
    assert_int_equal(judge(&g, &b), -EXDEV);
    frame(&b, 7, 1, 1);
    assert_int_equal(judge(&g, &b), -EPERM);
    frame(&b, 7, 2, 1);
    frame(&b, 7, 3, 1); /* two senders in one body */
    assert_int_equal(judge(&g, &b), -EPERM);
    frame(&b, 7, 2, 1);
    b.data[b.len - 1] ^= 1;
    assert_int_equal(judge(&g, &b), -VS_ECORRUPT);
}

static void a_former_life_is_not_heard_again(void **state)
{
    struct px_post_gate g = gate();
    struct vs_buf b = { 0 };

    (void)state;
    frame(&b, 7, 2, 5);
    assert_int_equal(judge(&g, &b), 0);
    frame(&b, 7, 2, 4);
    assert_int_equal(judge(&g, &b), -ESTALE);
    frame(&b, 7, 3, 4); /* another replica's count is its own */
    assert_int_equal(judge(&g, &b), 0);
    frame(&b, 7, 2, 6);
    assert_int_equal(judge(&g, &b), 0);
    frame(&b, 7, 2, 5);
    assert_int_equal(judge(&g, &b), -ESTALE);
}

/* What is refused leaves no trace: a broken frame cannot make a replica a former life of itself. */
static void a_frame_that_is_refused_is_not_remembered(void **state)
{
    struct px_post_gate g = gate();
    struct vs_buf b = { 0 };

    (void)state;
    frame(&b, 7, 2, 9);
    frame(&b, 8, 2, 9);
    assert_int_equal(judge(&g, &b), -EXDEV);
    frame(&b, 7, 2, 9);
    b.data[b.len - 1] ^= 1;
    assert_int_equal(judge(&g, &b), -VS_ECORRUPT);
    frame(&b, 7, 2, 1);
    assert_int_equal(judge(&g, &b), 0);
}

/* It asks before anybody knows it, and has no incarnation yet; nothing else of it is heard. */
static void a_newcomer_may_ask_about_membership_and_for_snapshots_alone(void **state)
{
    static const struct {
        enum px_frame_kind kind;
        uint32_t inc;
        int said;
    } cases[] = { { PX_FRAME_MOVE, 0, 0 },
                  { PX_FRAME_SNAP, 0, 0 },
                  { PX_FRAME_JOURNAL, 0, -EPERM },
                  { PX_FRAME_ASKS, 0, -EPERM },
                  { PX_FRAME_MOVE, 1, -EPERM } };
    struct px_post_gate g = gate();
    struct vs_buf b = { 0 };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct px_head head = { { { 7 } }, 1, 4, cases[i].inc };
        struct px_post *p = malloc(sizeof(*p));
        struct px_frame_out f;

        assert_int_equal(px_frame_begin(&f, &b, cases[i].kind, &head), 0);
        f.count = 1;
        assert_int_equal(px_frame_end(&f), 0);
        assert_int_equal(px_post_split(b.data, b.len, p), 1);
        assert_int_equal(px_post_judge(&g, p), cases[i].said);
        if (cases[i].said == 0)
            assert_int_equal(p->pid, 4);
        free(p);
        vs_buf_close(&b);
    }
    frame(&b, 7, 4, 1);
    assert_int_equal(judge(&g, &b), -EPERM);
    assert_int_equal(g.peers, 2);
    px_post_know(&g, 4);
    px_post_know(&g, 4);
    assert_int_equal(g.peers, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_whole_frames),
        cmocka_unit_test(a_body_has_no_more_frames_than_there_is_room_for),
        cmocka_unit_test(only_other_replicas_of_the_cluster_are_heard),
        cmocka_unit_test(a_former_life_is_not_heard_again),
        cmocka_unit_test(a_newcomer_may_ask_about_membership_and_for_snapshots_alone),
        cmocka_unit_test(a_frame_that_is_refused_is_not_remembered),
    };

    return cmocka_run_group_tests_name("px_post", tests, NULL, NULL);
}
