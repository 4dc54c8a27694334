/* ns_rule_views: reported views are added up per file, once, and go with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "meta/ns_read.h"
#include "meta/ns_schema.h"
#include "meta/views.h"
#include "tests/support/ns_fixture.h"

#include <string.h>

static int report(struct nsf *f, const struct views_item *items, unsigned count)
{
    struct vs_buf buf = { 0 };
    struct ns_entry e = { .kind = NS_E_VIEWS };
    int r;

    assert_int_equal(views_report_encode(items, count, &buf), 0);
    e.value = buf.data;
    e.value_len = buf.len;
    r = nsf_do(f, &e);
    vs_buf_close(&buf);
    return r;
}

static uint64_t views_of(struct nsf *f, uint64_t ino)
{
    struct meta_req r = { .op = META_VIEWS, .ino = ino };
    struct views v = { 0 };

    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.attr.ino, ino);
    if (r.bytes.len > 0)
        assert_int_equal(views_decode(r.bytes.data, r.bytes.len, &v), 0);
    vs_buf_close(&r.bytes);
    return v.views;
}

static struct views_item item(uint64_t ino, uint32_t count, uint64_t id)
{
    return (struct views_item){ ino, count, vs_id_make(1, 1, id, VS_ID_CHUNK) };
}

static void views_are_added_up_and_a_report_counts_once(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_file(f, NS_INO_ROOT, "a", "x"),
             b = (uint64_t)nsf_file(f, NS_INO_ROOT, "b", "x");
    struct views_item items[2] = { item(a, 2, 1), item(b, 1, 1) };

    assert_int_equal(views_of(f, a), 0);
    assert_int_equal(report(f, items, 2), 0);
    assert_int_equal(report(f, items, 2), 0);
    assert_int_equal(views_of(f, a), 2);
    assert_int_equal(views_of(f, b), 1);
    items[0] = item(a, 3, 2);
    assert_int_equal(report(f, items, 1), 0);
    assert_int_equal(views_of(f, a), 5);
}

static void views_of_what_is_gone_or_no_file_are_nobodys(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_file(f, NS_INO_ROOT, "a", "x");
    struct views_item items[3] = { item(NS_INO_ROOT, 1, 1), item(a, 1, 1), item(a + 1000, 1, 1) };
    struct ns_entry e = { .kind = NS_E_VIEWS, .value = "nonsense", .value_len = 8 };

    assert_int_equal(report(f, items, 3), 0);
    assert_int_equal(views_of(f, a), 1);
    assert_int_equal(views_of(f, NS_INO_ROOT), 0);
    assert_int_equal(nsf_do(f, &e), -EINVAL);
    e = (struct ns_entry){ .kind = NS_E_UNLINK, .parent = NS_INO_ROOT, .name = "a", .name_len = 1 };
    assert_int_equal(nsf_do(f, &e), 0);
    e = (struct ns_entry){ .kind = NS_E_FORGET, .ino = a };
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(report(f, items, 3), 0);
    {
        struct ns_key key = ns_key_u64(NS_T_VIEWS, a);
        struct vs_buf buf = { 0 };

        assert_int_equal(kv_get(f->kv, key.b, key.len, &buf), -ENOENT);
        vs_buf_close(&buf);
    }
}

static void an_id_is_reserved_in_an_open_session_alone(void **state)
{
    struct nsf *f = *state;
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = 8, .pid = 3, .inc = 4 };
    struct ns_entry abort = { .kind = NS_E_SESSION_ABORT };
    struct meta_req r = { .op = META_RESERVED };
    uint64_t first;

    assert_int_equal(nsf_do(f, &open), 0);
    r.ino = abort.session = f->answer.session;
    first = f->answer.first;
    r.scan_after_id = vs_id_make(3, 4, first, VS_ID_CHUNK);
    assert_int_equal(nsf_read(f, &r), 0);
    r.scan_after_id = vs_id_make(3, 4, first + 7, VS_ID_CHUNK);
    assert_int_equal(nsf_read(f, &r), 0);
    r.scan_after_id = vs_id_make(3, 4, first + 8, VS_ID_CHUNK);
    assert_int_equal(nsf_read(f, &r), -ENOENT);
    r.scan_after_id = vs_id_make(3, 5, first, VS_ID_CHUNK);
    assert_int_equal(nsf_read(f, &r), -ENOENT);
    assert_int_equal(nsf_do(f, &abort), 0);
    r.scan_after_id = vs_id_make(3, 4, first, VS_ID_CHUNK);
    assert_int_equal(nsf_read(f, &r), -ESTALE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(views_are_added_up_and_a_report_counts_once),
        NSF_TEST(views_of_what_is_gone_or_no_file_are_nobodys),
        NSF_TEST(an_id_is_reserved_in_an_open_session_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
