/* ns_rule_session: numbers are given out once, and every id that was reserved or released is
 * either linked or waits for the collector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/rand.h"
#include "meta/ns_schema.h"
#include "tests/support/ns_fixture.h"

#include <stdlib.h>
#include <string.h>

static int extend(struct nsf *f, uint64_t session, uint64_t count)
{
    struct ns_entry e = { .kind = NS_E_SESSION_EXTEND, .session = session, .count = count };

    return nsf_do(f, &e);
}

static int abort_(struct nsf *f, uint64_t session, const struct vs_id *released, size_t count)
{
    struct ns_entry e = { .kind = NS_E_SESSION_ABORT, .session = session };

    e.content.released = released;
    e.content.released_count = count;
    return nsf_do(f, &e);
}

static int collected(struct nsf *f, const struct vs_id *ids, size_t count)
{
    struct ns_entry e = { .kind = NS_E_COLLECTED, .collected = ids, .collected_count = count };

    return nsf_do(f, &e);
}

static int count_key(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    (void)key;
    (void)key_len;
    (void)value;
    (void)value_len;
    ++*(unsigned *)arg;
    return 0;
}

static unsigned keys_of(struct nsf *f, enum ns_table table)
{
    uint8_t from = (uint8_t)table, to = (uint8_t)(table + 1);
    unsigned count = 0;

    assert_int_equal(kv_scan(f->kv, &from, 1, &to, 1, count_key, &count), 0);
    return count;
}

static void sessions_never_share_a_number_or_an_id(void **state)
{
    struct nsf *f = *state;
    uint64_t a = nsf_session(f, 10), a_first = f->answer.first;
    uint64_t b = nsf_session(f, 5), b_first = f->answer.first, open[4];

    assert_int_not_equal(a, b);
    assert_int_equal(b_first, a_first + 10);
    assert_int_equal(extend(f, a, 3), 0);
    assert_int_equal(f->answer.session, a);
    assert_int_equal(f->answer.first, b_first + 5);
    assert_int_equal(nsf_scan_u64(f, META_SCAN_SESSIONS, open, 4), 2);
    assert_int_equal(open[0], a);
    assert_int_equal(open[1], b);
    assert_int_equal(abort_(f, b, NULL, 0), 0);
    assert_int_equal(nsf_session(f, 1), b + 1); /* an aborted number does not come back */
    assert_int_equal(f->answer.first, b_first + 8);
}

/* Number and second number of each session, from the list. */
static unsigned pairs(struct nsf *f, enum meta_scan scan, uint64_t session[4], uint64_t second[4])
{
    struct vs_id ids[4];
    unsigned n = (unsigned)nsf_scan_ids(f, scan, ids, 4);

    for (unsigned i = 0; i < n; i++)
        meta_pair_get(&ids[i], &session[i], &second[i]);
    return n;
}

static uint64_t open_of(struct nsf *f, uint64_t mount)
{
    struct ns_entry e = { .kind = NS_E_SESSION_OPEN, .count = 1, .pid = 1, .inc = 1 };

    e.mount = mount;
    assert_int_equal(nsf_do(f, &e), 0);
    return f->answer.session;
}

static void a_session_remembers_its_mount_and_counts_its_signs_of_life(void **state)
{
    struct nsf *f = *state;
    uint64_t a = open_of(f, 7), b = open_of(f, 8), c = open_of(f, 7), session[4], second[4];
    struct ns_entry touch = { .kind = NS_E_SESSION_TOUCH, .mount = 7 };

    assert_int_equal(pairs(f, META_SCAN_SESSION_MOUNTS, session, second), 3);
    assert_true(session[0] == a && session[1] == b && session[2] == c);
    assert_true(second[0] == 7 && second[1] == 8 && second[2] == 7);
    assert_int_equal(pairs(f, META_SCAN_SESSION_SIGNS, session, second), 3);
    assert_true(second[0] == 1 && second[1] == 1 && second[2] == 1);

    assert_int_equal(nsf_do(f, &touch), 0);
    assert_int_equal(f->answer.first, 2);
    assert_int_equal(extend(f, b, 1), 0);
    assert_int_equal(extend(f, c, 1), 0);
    assert_int_equal(pairs(f, META_SCAN_SESSION_SIGNS, session, second), 3);
    assert_true(second[0] == 2 && second[1] == 2 && second[2] == 3);

    touch.mount = 9;
    assert_int_equal(nsf_do(f, &touch), 0);
    assert_int_equal(f->answer.first, 0);
    touch.mount = 0;
    assert_int_equal(nsf_do(f, &touch), -EINVAL);
}

/* The reaper says what it has seen: a sign of life since then, and the session stays. */
static void a_session_that_gave_a_sign_meanwhile_is_not_aborted(void **state)
{
    struct nsf *f = *state;
    uint64_t a = open_of(f, 7), session[4], second[4];
    struct ns_entry touch = { .kind = NS_E_SESSION_TOUCH, .mount = 7 };
    struct ns_entry e = { .kind = NS_E_SESSION_ABORT, .session = a, .signs = 1 };

    assert_int_equal(nsf_do(f, &touch), 0);
    assert_int_equal(nsf_do(f, &e), -EBUSY);
    assert_int_equal(pairs(f, META_SCAN_SESSION_SIGNS, session, second), 1);
    e.signs = 2;
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(pairs(f, META_SCAN_SESSION_SIGNS, session, second), 0);
    assert_int_equal(nsf_do(f, &e), -ESTALE);
}

static void sessions_are_refused_what_they_cannot_have(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = { .kind = NS_E_SESSION_OPEN, .count = 0 };
    uint64_t a;

    assert_int_equal(nsf_do(f, &e), -EINVAL);
    e.count = NS_RESERVE_MAX + 1;
    assert_int_equal(nsf_do(f, &e), -EINVAL);
    e.count = NS_RESERVE_MAX;
    assert_int_equal(nsf_do(f, &e), 0);
    a = f->answer.session;
    assert_int_equal(extend(f, a, 0), -EINVAL);
    assert_int_equal(extend(f, a + 1, 1), -ECANCELED);
    assert_int_equal(abort_(f, a + 1, NULL, 0), -ESTALE);
    assert_int_equal(abort_(f, a, NULL, 0), 0);
    assert_int_equal(extend(f, a, 1), -ECANCELED);
    assert_int_equal(abort_(f, a, NULL, 0), -ESTALE);
    assert_int_equal(nsf_stats(f).released_waiting, 2 * NS_RESERVE_MAX);
}

static void ranges_that_touch_are_kept_as_one(void **state)
{
    struct nsf *f = *state;
    uint64_t a = nsf_session(f, 10), b;

    assert_int_equal(extend(f, a, 10), 0);
    assert_int_equal(extend(f, a, 10), 0);
    assert_int_equal(keys_of(f, NS_T_SESSION_IDS), 1);
    b = nsf_session(f, 1);
    assert_int_equal(extend(f, a, 10), 0);
    assert_int_equal(extend(f, b, 10), 0);
    assert_int_equal(keys_of(f, NS_T_SESSION_IDS), 4);
    assert_int_equal(abort_(f, a, NULL, 0), 0);
    assert_int_equal(abort_(f, b, NULL, 0), 0);
    assert_int_equal(keys_of(f, NS_T_SESSION_IDS), 0);
    assert_int_equal(keys_of(f, NS_T_SESSION), 0);
}

static void an_aborted_session_leaves_all_its_ids_as_chunks_and_segments(void **state)
{
    struct nsf *f = *state;
    uint64_t a = nsf_session(f, 3), first = f->answer.first;
    struct vs_id out[16];

    assert_true(nsf_session(f, 2) > 0);
    assert_int_equal(extend(f, a, 1), 0);
    assert_int_equal(abort_(f, a, NULL, 0), 0);
    assert_int_equal(nsf_stats(f).released_waiting, 8);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_RELEASED, out, 16), 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(vs_id_seq(&out[i]), i < 6 ? first + i / 2 : first + 5);
        assert_int_equal(vs_id_type(&out[i]), i % 2 == 0 ? VS_ID_CHUNK : VS_ID_SEGMENT);
        assert_int_equal(vs_id_pid(&out[i]), 1);
        assert_int_equal(vs_id_inc(&out[i]), 1);
    }
}

static void what_was_given_up_is_released_with_the_abort(void **state)
{
    struct nsf *f = *state;
    uint64_t a = nsf_session(f, 1);
    struct vs_id ids[2] = { vs_id_make(9, 9, 9, VS_ID_CHUNK), /* another owner's */
                            vs_id_make(1, 1, f->answer.first, VS_ID_CHUNK) };
    struct vs_id out[8];

    assert_int_equal(abort_(f, a, ids, 2), 0);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_RELEASED, out, 8), 3); /* listed once each */
    assert_int_equal(collected(f, out, 3), 0);
    assert_int_equal(nsf_stats(f).released_waiting, 0);
    assert_int_equal(keys_of(f, NS_T_RELEASED) + keys_of(f, NS_T_ABORTED_IDS), 0);
}

static void collected_ids_leave_every_list_they_are_in(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_big_file(f, NS_INO_ROOT, "x", 2, 0);
    struct vs_id whole[2], none = vs_id_make(7, 7, 7, VS_ID_CHUNK);

    assert_int_equal(nsf_unlink(f, NS_INO_ROOT, "x"), 0);
    assert_int_equal(nsf_forget(f, x), 0);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_RELEASED_WHOLE, whole, 2), 2);
    assert_int_equal(collected(f, &none, 1), 0); /* unknown: ignored */
    assert_int_equal(nsf_stats(f).released_waiting, 2);
    assert_int_equal(collected(f, whole, 1), 0);
    assert_int_equal(collected(f, whole, 1), 0);
    assert_int_equal(nsf_stats(f).released_waiting, 1);
    assert_int_equal(collected(f, whole + 1, 1), 0);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_RELEASED_WHOLE, whole, 2), 0);
}

/* Whatever is collected, in whatever portions and order: what is left is listed, nothing else. */
static void ranges_shrink_id_by_id_in_any_order(void **state)
{
    enum { SEQS = 60 };
    struct nsf *f = *state;
    struct vs_id out[2 * SEQS], take[16];
    uint64_t a = nsf_session(f, SEQS), first = f->answer.first;
    bool gone[2][SEQS] = { { false } };
    struct vs_rand rand;
    unsigned left = 2 * SEQS;

    vs_rand_init(&rand, 6);
    assert_int_equal(abort_(f, a, NULL, 0), 0);
    while (left > 0) {
        size_t count = 1 + vs_rand_below(&rand, 15);
        uint32_t listed;

        for (size_t i = 0; i < count; i++) {
            unsigned type = (unsigned)vs_rand_below(&rand, 2);
            unsigned seq = (unsigned)vs_rand_below(&rand, SEQS);

            take[i] = vs_id_make(1, 1, first + seq, type == 0 ? VS_ID_CHUNK : VS_ID_SEGMENT);
        }
        if (left % 2 == 0) /* as the collector does; else in any order, which may take less */
            count = 1;
        assert_int_equal(collected(f, take, count), 0);
        listed = nsf_scan_ids(f, META_SCAN_RELEASED, out, 2 * SEQS);
        assert_true(listed <= left);
        memset(gone, true, sizeof(gone));
        for (uint32_t i = 0; i < listed; i++)
            gone[vs_id_type(&out[i]) == VS_ID_SEGMENT][vs_id_seq(&out[i]) - first] = false;
        assert_true(gone[vs_id_type(&take[0]) == VS_ID_SEGMENT][vs_id_seq(&take[0]) - first]);
        assert_int_equal(nsf_stats(f).released_waiting, listed);
        left = listed;
    }
    assert_int_equal(keys_of(f, NS_T_ABORTED_IDS), 0);
}

static void a_page_in_order_is_taken_whole_by_one_entry(void **state)
{
    struct nsf *f = *state;
    static struct vs_id out[META_LIST_MAX];
    uint64_t a = nsf_session(f, 400), b = nsf_session(f, 300);
    unsigned rounds = 0;
    uint32_t n;

    assert_int_equal(extend(f, a, 300), 0);
    assert_int_equal(abort_(f, a, NULL, 0), 0);
    assert_int_equal(abort_(f, b, NULL, 0), 0);
    assert_int_equal(nsf_stats(f).released_waiting, 2000);
    while ((n = nsf_scan_ids(f, META_SCAN_RELEASED, out, META_LIST_MAX)) > 0) {
        assert_int_equal(collected(f, out, n), 0);
        rounds++;
    }
    assert_int_equal(rounds, 2);
    assert_int_equal(nsf_stats(f).released_waiting, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(sessions_never_share_a_number_or_an_id),
        NSF_TEST(a_session_remembers_its_mount_and_counts_its_signs_of_life),
        NSF_TEST(a_session_that_gave_a_sign_meanwhile_is_not_aborted),
        NSF_TEST(sessions_are_refused_what_they_cannot_have),
        NSF_TEST(ranges_that_touch_are_kept_as_one),
        NSF_TEST(an_aborted_session_leaves_all_its_ids_as_chunks_and_segments),
        NSF_TEST(what_was_given_up_is_released_with_the_abort),
        NSF_TEST(collected_ids_leave_every_list_they_are_in),
        NSF_TEST(ranges_shrink_id_by_id_in_any_order),
        NSF_TEST(a_page_in_order_is_taken_whole_by_one_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
