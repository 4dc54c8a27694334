/* ns_rule_content: content of CREATE, SWAP, MEDIA, FORGET, and what each lets go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "tests/support/ns_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROOT NS_INO_ROOT

static struct ns_entry create(const char *name)
{
    struct ns_entry e = {
        .kind = NS_E_CREATE, .parent = ROOT, .name = name, .name_len = strlen(name)
    };

    e.attr.mode = S_IFREG | 0644;
    return e;
}

static struct ns_entry swap(uint64_t ino, uint64_t base)
{
    return (struct ns_entry){ .kind = NS_E_SWAP, .ino = ino, .base_version = base };
}

static void set_inline(struct ns_entry *e, const char *text)
{
    e->content.kind = NS_CONTENT_INLINE;
    e->content.bytes = text;
    e->content.bytes_len = strlen(text);
    e->content.size = e->content.data_bytes = e->content.stored_bytes = strlen(text);
}

static void assert_content(struct nsf *f, uint64_t ino, const char *text)
{
    struct meta_req r = { .op = META_CONTENT, .ino = ino };

    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.bytes.len, strlen(text));
    assert_int_equal(r.attr.size, strlen(text));
    if (r.bytes.len > 0)
        assert_memory_equal(r.bytes.data, text, r.bytes.len);
    vs_buf_close(&r.bytes);
}

static void content_that_cannot_be_is_einval(void **state)
{
    static char big[NS_INLINE_BYTES_MAX + 1];
    struct nsf *f = *state;
    struct vs_buf head = { 0 };
    struct vs_id id;

    nsf_manifest(&head, 3, 1, 0);
    for (int lie = 0; lie < 12; lie++) {
        struct ns_entry e = create("x");

        set_inline(&e, "hello");
        switch (lie) {
        case 0:
            e.content.size = 6;
            break;
        case 1:
            e.content.data_bytes = 6;
            break;
        case 2:
            e.content.kind = NS_CONTENT_NONE;
            break;
        case 3:
            e.content.kind = 3;
            break;
        case 4:
            e.content.kind = NS_CONTENT_CHUNKS;
            break;
        case 5:
            e.content.bytes = big;
            e.content.bytes_len = e.content.size = sizeof(big);
            break;
        case 6:
            e.attr.mode = S_IFDIR | 0755;
            break;
        case 7:
            e.attr.mode = S_IFIFO | 0644;
            break;
        case 8:
            e.content.kind = NS_CONTENT_NONE;
            e.content.bytes_len = 0;
            break;
        case 9:
            nsf_content(&e, &head, 3, 0);
            e.content.size++; /* not what the head says */
            break;
        case 10:
            nsf_content(&e, &head, 3, 0);
            id = vs_id_make(1, 1, 2, VS_ID_SEGMENT); /* the head names it */
            e.content.released = &id;
            e.content.released_count = 1;
            break;
        default:
            nsf_content(&e, &head, 3, 0);
            e.content.stored_bytes = UINT64_MAX;
            break;
        }
        assert_int_equal(nsf_do(f, &e), -EINVAL);
    }
    vs_buf_close(&head);
}

static void an_empty_file_has_no_content_of_any_kind(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = create("x");

    set_inline(&e, "");
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.attr.content, NS_CONTENT_NONE);
    assert_content(f, f->answer.attr.ino, "");
}

static void chunks_are_linked_only_while_their_session_is_open(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = create("x"), abort = { .kind = NS_E_SESSION_ABORT };
    struct vs_buf head = { 0 };
    uint64_t session = nsf_session(f, 2), other = nsf_session(f, 1), open[4];

    nsf_manifest(&head, 2, f->answer.first - 2, 0);
    abort.session = other;
    assert_int_equal(nsf_do(f, &abort), 0);
    nsf_content(&e, &head, 2, other);
    assert_int_equal(nsf_do(f, &e), -ECANCELED);
    assert_int_equal(nsf_ino(f, ROOT, "x"), 0);
    e.content.session = session;
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(nsf_scan_u64(f, META_SCAN_SESSIONS, open, 4), 0);
    assert_int_equal(f->answer.attr.flags, NS_F_MEDIA_DUE);
    assert_int_equal(nsf_stats(f).chunks, 2);
    assert_int_equal(nsf_stats(f).logical_bytes, 2u << 20);
    e.name = "y";
    assert_int_equal(nsf_do(f, &e), -ECANCELED); /* committed is closed */
    e.content.session = 12345;
    assert_int_equal(nsf_do(f, &e), -ECANCELED);
    vs_buf_close(&head);
}

static void a_refused_create_leaves_the_session_open(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = create("x");
    struct vs_buf head = { 0 };
    uint64_t session = nsf_session(f, 1);

    nsf_manifest(&head, 1, f->answer.first, 0);
    assert_true(nsf_file(f, ROOT, "x", "1") > 0);
    nsf_content(&e, &head, 1, session);
    assert_int_equal(nsf_do(f, &e), -EEXIST);
    e.name = "y";
    assert_int_equal(nsf_do(f, &e), 0);
    vs_buf_close(&head);
}

/* ---- swap ---- */

static void a_swap_applies_to_the_version_it_was_made_from(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "one");
    struct ns_attr was = nsf_attr(f, x);
    struct ns_entry e = swap(x, 1);

    set_inline(&e, "other one");
    e.content.flushed = true;
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.attr.version, 2);
    assert_int_equal(f->answer.attr.flags, NS_F_FLUSHED);
    assert_int_equal(f->answer.attr.mtime.s, f->now.s);
    assert_int_equal(f->answer.attr.ctime.s, f->now.s);
    assert_int_equal(f->answer.attr.atime.s, was.atime.s);
    assert_int_equal(f->answer.attr.btime.s, was.btime.s);
    assert_content(f, x, "other one");
    assert_int_equal(nsf_do(f, &e), -ESTALE);
    e.base_version = 3;
    assert_int_equal(nsf_do(f, &e), -ESTALE);
    e.base_version = 2;
    e.content.flushed = false;
    e.keep_times = true;
    was = nsf_attr(f, x);
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.attr.mtime.s, was.mtime.s);
    assert_int_equal(f->answer.attr.ctime.s, f->now.s);
    assert_int_equal(f->answer.attr.flags, 0);
    assert_int_equal(nsf_stats(f).logical_bytes, 9);
}

static void only_a_file_with_a_name_can_be_swapped(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "one"), d = (uint64_t)nsf_mkdir(f, ROOT, "d");
    uint64_t s = (uint64_t)nsf_symlink(f, ROOT, "s", "t");
    struct ns_entry e = swap(d, 1);

    set_inline(&e, "new");
    assert_int_equal(nsf_do(f, &e), -EINVAL);
    e.ino = s;
    assert_int_equal(nsf_do(f, &e), -EINVAL);
    e.ino = 99999;
    assert_int_equal(nsf_do(f, &e), -ENOENT);
    assert_int_equal(nsf_unlink(f, ROOT, "x"), 0);
    e.ino = x;
    assert_int_equal(nsf_do(f, &e), -ESTALE);
    assert_content(f, x, "one");
}

static void a_swap_releases_exactly_what_it_names(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_big_file(f, ROOT, "x", 3, 1);
    uint64_t first = f->answer.attr.ino == x ? 1 : 0; /* sequences begin at 1 */
    struct ns_entry e = swap(x, 1);
    struct vs_id released[4], out[8];

    released[0] = vs_id_make(1, 1, first + 2, VS_ID_SEGMENT);
    released[1] = released[0];             /* named twice, counted once */
    released[2] = (struct vs_id){ { 0 } }; /* a hole */
    released[3] = vs_id_make(1, 1, first, VS_ID_CHUNK);
    set_inline(&e, "small now");
    e.content.released = released;
    e.content.released_count = 4;
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(f->answer.attr.flags, 0);
    assert_int_equal(nsf_stats(f).released_waiting, 2);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_RELEASED, out, 8), 2);
    assert_int_equal(vs_id_cmp(&out[0], &released[3]), 0);
    assert_int_equal(vs_id_cmp(&out[1], &released[0]), 0);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_RELEASED_WHOLE, out, 8), 0);
    assert_int_equal(nsf_stats(f).chunks, 0);
}

/* ---- media ---- */

static int media(struct nsf *f, uint64_t ino, uint64_t base)
{
    struct mf_media m = { .container = "mov", .duration_ms = 7 };
    struct ns_entry e = { .kind = NS_E_MEDIA, .ino = ino, .base_version = base };
    struct vs_buf buf = { 0 };
    int r;

    assert_int_equal(mf_media_encode(&m, &buf), 0);
    e.value = buf.data;
    e.value_len = buf.len;
    r = nsf_do(f, &e);
    vs_buf_close(&buf);
    return r;
}

static void a_description_belongs_to_the_version_it_was_made_from(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_big_file(f, ROOT, "x", 1, 0), due[2];
    int64_t ctime = nsf_attr(f, x).ctime.s;
    struct ns_entry e = swap(x, 1), bad = { .kind = NS_E_MEDIA, .ino = x, .base_version = 1 };
    struct meta_req r = { .op = META_MEDIA, .ino = x };

    bad.value = "nonsense";
    bad.value_len = 8;
    assert_int_equal(nsf_read(f, &r), -ENODATA);
    assert_int_equal(nsf_do(f, &bad), -EINVAL);
    assert_int_equal(media(f, x, 2), -ESTALE);
    assert_int_equal(media(f, x, 1), 0);
    assert_int_equal(f->answer.attr.flags, 0);
    assert_int_equal(f->answer.attr.ctime.s, ctime); /* nothing that people did */
    assert_int_equal(nsf_scan_u64(f, META_SCAN_MEDIA_DUE, due, 2), 0);
    assert_int_equal(nsf_read(f, &r), 0);
    assert_true(r.bytes.len > 0);
    set_inline(&e, "small now");
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(nsf_read(f, &r), -ENODATA);
    assert_int_equal(media(f, x, 1), -ESTALE);
    assert_int_equal(media(f, ROOT, 1), -EINVAL);
    assert_int_equal(media(f, 99999, 1), -ENOENT);
    assert_int_equal(media(f, x, 2), 0);
    assert_int_equal(nsf_unlink(f, ROOT, "x"), 0);
    assert_int_equal(media(f, x, 2), -ESTALE);
    assert_int_equal(nsf_forget(f, x), 0);
    vs_buf_close(&r.bytes);
}

/* ---- forget ---- */

static void a_forgotten_file_releases_its_segments_whole(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_big_file(f, ROOT, "x", 3, 0);
    struct vs_id out[8];

    assert_int_equal(nsf_setxattr(f, x, "user.a", "1", 0), 0);
    assert_int_equal(media(f, x, 1), 0);
    assert_int_equal(nsf_forget(f, x), -EBUSY);
    assert_int_equal(nsf_unlink(f, ROOT, "x"), 0);
    assert_int_equal(nsf_stats(f).released_waiting, 0); /* it may be open and playing */
    assert_int_equal(nsf_stats(f).stored_bytes, 0);
    assert_int_equal(nsf_forget(f, x), 0);
    assert_int_equal(nsf_stats(f).released_waiting, 3);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_RELEASED, out, 8), 0);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_RELEASED_WHOLE, out, 8), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(vs_id_type(&out[i]), VS_ID_SEGMENT);
        assert_int_equal(vs_id_seq(&out[i]), 1 + i);
    }
}

static void a_replaced_file_releases_nothing_until_it_is_forgotten(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_big_file(f, ROOT, "x", 2, 0);
    struct ns_entry e = create("x");

    e.flags = NS_CREATE_REPLACE;
    set_inline(&e, "new");
    assert_int_equal(nsf_do(f, &e), 0);
    assert_int_equal(nsf_stats(f).released_waiting, 0);
    assert_int_equal(nsf_forget(f, x), 0);
    assert_int_equal(nsf_stats(f).released_waiting, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(content_that_cannot_be_is_einval),
        NSF_TEST(an_empty_file_has_no_content_of_any_kind),
        NSF_TEST(chunks_are_linked_only_while_their_session_is_open),
        NSF_TEST(a_refused_create_leaves_the_session_open),
        NSF_TEST(a_swap_applies_to_the_version_it_was_made_from),
        NSF_TEST(only_a_file_with_a_name_can_be_swapped),
        NSF_TEST(a_swap_releases_exactly_what_it_names),
        NSF_TEST(a_description_belongs_to_the_version_it_was_made_from),
        NSF_TEST(a_forgotten_file_releases_its_segments_whole),
        NSF_TEST(a_replaced_file_releases_nothing_until_it_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
