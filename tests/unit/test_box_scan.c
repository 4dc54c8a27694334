/* What the first bytes of a file say about cutting it live. */
#include "ingest/box_scan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static size_t box(uint8_t *to, uint32_t size, const char *type)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(size >> (24 - 8 * i));
    memcpy(to + 4, type, 4);
    return size;
}

static void an_mp4_with_its_index_first_is_cut_live(void **state)
{
    uint8_t b[256] = { 0 };
    size_t at = box(b, 24, "ftyp");

    (void)state;
    at += box(b + at, 8, "free");
    box(b + at, 100000, "moov"); /* longer than what is here */
    assert_string_equal(box_scan_live_format(b, sizeof(b)), "mov");
}

static void an_mp4_with_its_index_last_is_not(void **state)
{
    uint8_t b[256] = { 0 };
    size_t at = box(b, 24, "ftyp");

    (void)state;
    at += box(b + at, 1, "mdat");
    b[at - 1] = 0;
    assert_null(box_scan_live_format(b, sizeof(b)));
}

static void a_fragmented_mp4_is_cut_live(void **state)
{
    uint8_t b[256] = { 0 };
    size_t at = box(b, 24, "ftyp");

    (void)state;
    box(b + at, 64, "moof");
    assert_string_equal(box_scan_live_format(b, sizeof(b)), "mov");
}

static void boxes_of_impossible_size_end_the_look(void **state)
{
    static const uint32_t sizes[] = { 0, 1, 2, 7, 0x7fffffff, 0xffffffff };
    uint8_t b[64];

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(b, 0xff, sizeof(b));
        box(b, sizes[i], "ftyp");
        assert_null(box_scan_live_format(b, sizeof(b)));
    }
}

static void every_container_is_known_by_its_magic(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *format;
    } cases[] = {
        { "\x1a\x45\xdf\xa3zzzz", 8, "matroska" },
        { "RIFF\0\0\0\0AVI LIST", 16, "avi" },
        { "FLV\x01\x05\0\0\0\x09", 9, "flv" },
        { "OggS\0\2", 6, "ogg" },
        { "\0\0\1\xba\x44", 5, "mpeg" },
        { "\x30\x26\xb2\x75\x8e\x66\xcf\x11zz", 10, "asf" },
        { "RIFF\0\0\0\0WAVE", 12, NULL },
        { "\x7f"
          "ELF\2\1\1",
          7, NULL },
        { "#EXTM3U\nfile:///etc/passwd", 26, NULL },
        { "", 0, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *f = box_scan_live_format(cases[i].bytes, cases[i].len);

        if (cases[i].format == NULL)
            assert_null(f);
        else
            assert_string_equal(f, cases[i].format);
    }
}

static void a_transport_stream_shows_five_sync_bytes(void **state)
{
    uint8_t b[1024] = { 0 };

    (void)state;
    for (size_t i = 0; i < 5; i++)
        b[i * 188] = 0x47;
    assert_string_equal(box_scan_live_format(b, sizeof(b)), "mpegts");
    b[4 * 188] = 0;
    assert_null(box_scan_live_format(b, sizeof(b)));
    memset(b, 0, sizeof(b));
    for (size_t i = 0; i < 5; i++)
        b[4 + i * 192] = 0x47;
    assert_string_equal(box_scan_live_format(b, sizeof(b)), "mpegts");
}

/* Any prefix of anything is looked at without reading beyond it (the sanitizers watch). */
static void every_prefix_is_judged_within_its_bounds(void **state)
{
    uint8_t whole[512] = { 0 };
    size_t at = box(whole, 24, "ftyp");

    (void)state;
    box(whole + at, 1, "uuid"); /* its size follows in 64 bits: beyond what is here */
    memset(whole + at + 8, 0x7f, 8);
    for (size_t n = 0; n <= sizeof(whole); n++) {
        uint8_t *b = test_malloc(n + 1);

        memcpy(b, whole, n);
        assert_null(box_scan_live_format(b, n));
        test_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_mp4_with_its_index_first_is_cut_live),
        cmocka_unit_test(an_mp4_with_its_index_last_is_not),
        cmocka_unit_test(a_fragmented_mp4_is_cut_live),
        cmocka_unit_test(boxes_of_impossible_size_end_the_look),
        cmocka_unit_test(every_container_is_known_by_its_magic),
        cmocka_unit_test(a_transport_stream_shows_five_sync_bytes),
        cmocka_unit_test(every_prefix_is_judged_within_its_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
