/* What an acceptor's batches changed since a mark is known, to the last register, or it is said
 * that it is not. */
#include "meta/acceptor_trace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct vs_id id_of(unsigned n)
{
    return vs_id_make(1, 1, n + 1, VS_ID_CHUNK);
}

static void put(struct acceptor_trace *t, unsigned n)
{
    struct vs_id id = id_of(n);

    acceptor_trace_put(t, &id);
}

/* These, ascending, and no others. */
static void lists(struct acceptor_trace *t, uint64_t mark, unsigned count, const unsigned *want)
{
    struct vs_id after = { { 0 } }, ids[2];
    unsigned seen = 0;
    int n;

    while ((n = acceptor_trace_list(t, mark, &after, ids, 2)) > 0) {
        for (int i = 0; i < n; i++) {
            struct vs_id id = id_of(want[seen]);

            assert_true(seen < count);
            assert_int_equal(vs_id_cmp(&ids[i], &id), 0);
            seen++;
        }
        after = ids[n - 1];
    }
    assert_int_equal(n, 0);
    assert_int_equal(seen, count);
}

static void what_changed_behind_the_mark_is_listed_once(void **state)
{
    struct vs_id none = { { 0 } }, ids[2];
    struct acceptor_trace t;
    uint64_t mark;

    (void)state;
    acceptor_trace_init(&t, 7);
    put(&t, 1);
    acceptor_trace_durable(&t);
    assert_int_equal(acceptor_trace_list(&t, 8, &none, ids, 2), -ENODATA); /* none is held */
    put(&t, 9); /* of a batch that is durable only behind the mark */
    mark = acceptor_trace_mark(&t);
    assert_int_equal(mark, 8);
    lists(&t, mark, 0, NULL);
    put(&t, 2);
    lists(&t, mark, 0, NULL);
    acceptor_trace_durable(&t);
    lists(&t, mark, 2, (const unsigned[]){ 2, 9 });
    put(&t, 5);
    put(&t, 2);
    put(&t, 3);
    acceptor_trace_durable(&t);
    lists(&t, mark, 4, (const unsigned[]){ 2, 3, 5, 9 });
    lists(&t, mark + 1, 3, (const unsigned[]){ 2, 3, 5 });
    assert_int_equal(acceptor_trace_list(&t, mark - 1, &none, ids, 2), -ENODATA);

    /* Another one takes its place. */
    mark = acceptor_trace_mark(&t);
    assert_int_equal(mark, 10);
    assert_int_equal(acceptor_trace_list(&t, 8, &none, ids, 2), -ENODATA);
    put(&t, 4);
    acceptor_trace_durable(&t);
    lists(&t, mark, 1, (const unsigned[]){ 4 });
    acceptor_trace_drop(&t);
    assert_int_equal(acceptor_trace_list(&t, mark, &none, ids, 2), -ENODATA);
    acceptor_trace_close(&t);
}

static void too_many_changes_are_not_known_and_the_next_mark_is(void **state)
{
    struct vs_id none = { { 0 } }, ids[2];
    struct acceptor_trace t;
    uint64_t mark;

    (void)state;
    acceptor_trace_init(&t, 0);
    mark = acceptor_trace_mark(&t);
    for (unsigned n = 0; n < 3 * ACCEPTOR_TRACE_MAX; n++) {
        put(&t, n);
        if (n % 1000 == 999)
            acceptor_trace_durable(&t);
    }
    assert_int_equal(acceptor_trace_list(&t, mark, &none, ids, 2), -ENODATA);
    mark = acceptor_trace_mark(&t);
    put(&t, 3);
    acceptor_trace_durable(&t);
    lists(&t, mark, 1, (const unsigned[]){ 3 });

    /* One batch alone. */
    for (unsigned n = 0; n < 3 * ACCEPTOR_TRACE_MAX; n++)
        put(&t, n);
    acceptor_trace_durable(&t);
    assert_int_equal(acceptor_trace_list(&t, mark, &none, ids, 2), -ENODATA);
    acceptor_trace_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changed_behind_the_mark_is_listed_once),
        cmocka_unit_test(too_many_changes_are_not_known_and_the_next_mark_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
