/* segment_note: what stores keep of a segment comes back as it went in; nothing else decodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "meta/segment_note.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct segment_note make_note(bool about)
{
    struct segment_note n = { .segment = "segment", .segment_len = 7, .has_about = about };

    if (about)
        n.about = (struct file_about){ .ino = 17,
                                       .parent = 2,
                                       .name = "film.mkv",
                                       .name_len = 8,
                                       .base_version = 3,
                                       .session = 99,
                                       .mode = S_IFREG | 0640,
                                       .uid = 1000,
                                       .gid = 1001,
                                       .mtime = { -12345, 999999999 },
                                       .flushed = true,
                                       .head = "head bytes",
                                       .head_len = 10 };
    return n;
}

static void a_note_comes_back_as_it_went_in(void **state)
{
    (void)state;
    for (int about = 0; about < 2; about++) {
        struct segment_note n = make_note(about), got;
        struct vs_buf b = { 0 };

        assert_int_equal(segment_note_encode(&n, &b), 0);
        assert_int_equal(segment_note_decode(b.data, b.len, &got), 0);
        assert_int_equal(got.segment_len, n.segment_len);
        assert_memory_equal(got.segment, n.segment, n.segment_len);
        assert_int_equal(got.has_about, about);
        if (about) {
            assert_int_equal(got.about.ino, n.about.ino);
            assert_int_equal(got.about.parent, n.about.parent);
            assert_int_equal(got.about.base_version, n.about.base_version);
            assert_int_equal(got.about.session, n.about.session);
            assert_int_equal(got.about.mode, n.about.mode);
            assert_int_equal(got.about.uid, n.about.uid);
            assert_int_equal(got.about.gid, n.about.gid);
            assert_int_equal(got.about.mtime.s, n.about.mtime.s);
            assert_int_equal(got.about.mtime.ns, n.about.mtime.ns);
            assert_true(got.about.flushed);
            assert_int_equal(got.about.name_len, n.about.name_len);
            assert_memory_equal(got.about.name, n.about.name, n.about.name_len);
            assert_int_equal(got.about.head_len, n.about.head_len);
            assert_memory_equal(got.about.head, n.about.head, n.about.head_len);
        }
        vs_buf_close(&b);
    }
}

static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    struct segment_note n = make_note(true), got;
    struct vs_buf b = { 0 };

    (void)state;
    assert_int_equal(segment_note_encode(&n, &b), 0);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(segment_note_decode(b.data, b.len, &got) < 0);
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(segment_note_decode(b.data, len, &got), -VS_ECORRUPT);
    vs_buf_close(&b);
}

static void what_cannot_be_is_not_written(void **state)
{
    struct segment_note n = make_note(true);
    struct vs_buf b = { 0 };

    (void)state;
    n.about.name = "a/b";
    n.about.name_len = 3;
    assert_int_equal(segment_note_encode(&n, &b), -EINVAL);
    n = make_note(true);
    n.about.ino = 0;
    assert_int_equal(segment_note_encode(&n, &b), -EINVAL);
    n = make_note(true);
    n.about.head_len = 0;
    assert_int_equal(segment_note_encode(&n, &b), -EINVAL);
    n = make_note(false);
    n.segment_len = 0;
    assert_int_equal(segment_note_encode(&n, &b), -EINVAL);
    assert_int_equal(b.len, 0);
    vs_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_comes_back_as_it_went_in),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_refused),
        cmocka_unit_test(what_cannot_be_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
