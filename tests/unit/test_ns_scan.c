/* ns_scan: the program's own lists, page by page, each item once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "tests/support/ns_fixture.h"

#include <stdlib.h>
#include <string.h>

#define ROOT NS_INO_ROOT

static void lists_of_numbers_come_in_pages(void **state)
{
    struct nsf *f = *state;
    uint64_t n[4], after = 0, total = 0, x;
    struct meta_req r = {
        .op = META_SCAN, .scan = META_SCAN_ORPHANS, .scan_u64 = n, .scan_max = 4
    };

    for (unsigned i = 0; i < 10; i++) {
        x = (uint64_t)nsf_file(f, ROOT, "x", "1");
        assert_true(x > 0);
        assert_int_equal(nsf_unlink(f, ROOT, "x"), 0);
    }
    do {
        r.scan_after = after;
        assert_int_equal(nsf_read(f, &r), 0);
        for (uint32_t i = 0; i < r.scan_count; i++) {
            assert_true(n[i] > after);
            after = n[i];
        }
        total += r.scan_count;
    } while (r.scan_count > 0);
    assert_int_equal(total, 10);
    r.scan_after = UINT64_MAX;
    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.scan_count, 0);
    r.scan_max = 0;
    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.scan_count, 0);
    r.scan = META_SCAN_REGISTERS;
    assert_int_equal(nsf_read(f, &r), -EINVAL); /* not kept here */
}

static int id_cmp(const void *a, const void *b)
{
    return vs_id_cmp(a, b);
}

/* Single ids and ranges of several owners, in one list that is in order whatever the page size. */
static void released_ids_come_in_order_from_wherever_they_are(void **state)
{
    enum { IDS = 2 * (7 + 5 + 3) + 40 };
    struct nsf *f = *state;
    struct vs_id want[IDS], got[IDS + 1], page[IDS];
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN };
    struct ns_entry abort = { .kind = NS_E_SESSION_ABORT };
    const struct {
        uint16_t pid;
        uint32_t inc;
        uint64_t count;
    } owners[] = { { 2, 1, 7 }, { 1, 9, 5 }, { 1, 8, 3 } };
    size_t total = 0;

    for (unsigned o = 0; o < 3; o++) {
        open.pid = owners[o].pid;
        open.inc = owners[o].inc;
        open.count = owners[o].count;
        assert_int_equal(nsf_do(f, &open), 0);
        for (uint64_t i = 0; i < open.count; i++) {
            want[total++] = vs_id_make(open.pid, open.inc, f->answer.first + i, VS_ID_CHUNK);
            want[total++] = vs_id_make(open.pid, open.inc, f->answer.first + i, VS_ID_SEGMENT);
        }
        abort.session = f->answer.session;
        assert_int_equal(nsf_do(f, &abort), 0);
    }
    for (unsigned i = 0; i < 40; i++)
        want[total++] = vs_id_make((uint16_t)(i % 4), i % 11, 100 + i, VS_ID_CHUNK);
    assert_int_equal(total, IDS);
    open.count = 1;
    assert_int_equal(nsf_do(f, &open), 0);
    abort.session = f->answer.session;
    abort.content.released = want + IDS - 40;
    abort.content.released_count = 40;
    assert_int_equal(nsf_do(f, &abort), 0);
    qsort(want, IDS, sizeof(want[0]), id_cmp);

    for (uint32_t max = 1; max < IDS; max += max < 4 ? 1 : 13) {
        struct meta_req r = {
            .op = META_SCAN, .scan = META_SCAN_RELEASED, .scan_ids = page, .scan_max = max
        };

        total = 0;
        do {
            assert_int_equal(nsf_read(f, &r), 0);
            for (uint32_t i = 0; i < r.scan_count; i++) {
                if (vs_id_pid(&page[i]) == 1 && vs_id_inc(&page[i]) == 8 &&
                    vs_id_seq(&page[i]) == 16)
                    continue; /* the last session's own, reserved behind all others */
                got[total++] = page[i];
            }
            if (r.scan_count > 0)
                r.scan_after_id = page[r.scan_count - 1];
            assert_true(total <= IDS);
        } while (r.scan_count > 0);
        assert_int_equal(total, IDS);
        assert_memory_equal(got, want, sizeof(want));
    }
}

static void a_page_of_ids_has_a_limit(void **state)
{
    struct nsf *f = *state;
    struct vs_id page[1];
    struct meta_req r = {
        .op = META_SCAN, .scan = META_SCAN_RELEASED, .scan_ids = page, .scan_max = META_LIST_MAX + 1
    };

    assert_int_equal(nsf_read(f, &r), -EINVAL);
    r.scan_max = 0;
    assert_int_equal(nsf_read(f, &r), 0);
    r.scan = META_SCAN_RELEASED_WHOLE;
    assert_int_equal(nsf_read(f, &r), 0);
}

static void whole_segments_come_in_pages(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_big_file(f, ROOT, "x", 10, 0), next = 1;
    struct vs_id page[3];
    struct meta_req r = {
        .op = META_SCAN, .scan = META_SCAN_RELEASED_WHOLE, .scan_ids = page, .scan_max = 3
    };

    assert_int_equal(nsf_unlink(f, ROOT, "x"), 0);
    assert_int_equal(nsf_forget(f, x), 0);
    do {
        assert_int_equal(nsf_read(f, &r), 0);
        for (uint32_t i = 0; i < r.scan_count; i++)
            assert_int_equal(vs_id_seq(&page[i]), next++);
        if (r.scan_count > 0)
            r.scan_after_id = page[r.scan_count - 1];
    } while (r.scan_count > 0);
    assert_int_equal(next, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(lists_of_numbers_come_in_pages),
        NSF_TEST(released_ids_come_in_order_from_wherever_they_are),
        NSF_TEST(a_page_of_ids_has_a_limit),
        NSF_TEST(whole_segments_come_in_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
