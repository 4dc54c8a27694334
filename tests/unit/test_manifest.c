/* manifest: head and segments come back as they went in; nothing else decodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/rand.h"
#include "meta/manifest.h"
#include "meta/place_value.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENTS 5u

/* Five full segments and one chunk more, each of 4 MiB. */
static void make_head(struct mf_head *h, struct mf_segment_ref refs[SEGMENTS + 1])
{
    *h = (struct mf_head){ .segments = refs, .segment_count = SEGMENTS + 1 };
    for (uint32_t i = 0; i <= SEGMENTS; i++)
        refs[i] = (struct mf_segment_ref){ .id = vs_id_make(1, 2, 100 + i, VS_ID_SEGMENT),
                                           .offset = (uint64_t)i * MF_SEGMENT_CHUNKS << 22,
                                           .count = i < SEGMENTS ? MF_SEGMENT_CHUNKS : 1 };
    h->chunk_count = SEGMENTS * MF_SEGMENT_CHUNKS + 1;
    h->hole_count = 3;
    h->size = h->chunk_count << 22;
    h->has_sha = true;
    memset(h->sha256, 0x5a, sizeof(h->sha256));
    memset(h->root, 0xa5, sizeof(h->root));
    h->cuts_at_keyframe = 1000;
    h->cuts_by_size = 7;
    h->cuts_interior = 1007;
}

static void make_chunks(struct mf_chunk *c, uint32_t count, uint64_t offset)
{
    for (uint32_t i = 0; i < count; i++) {
        c[i] = (struct mf_chunk){ .id = vs_id_make(3, 4, 5 + i, VS_ID_CHUNK),
                                  .offset = offset,
                                  .bytes = (3u << 20) + i,
                                  .crc = 0x1000 + i,
                                  .cut = (uint8_t)(i % 4),
                                  .red = { VS_RED_RS, 3, 2 } };
        if (i % 10 == 9)
            c[i] = (struct mf_chunk){ .offset = offset, .bytes = UINT64_C(5) << 30 };
        offset += c[i].bytes;
    }
}

static void encode_head(struct vs_buf *buf)
{
    struct mf_segment_ref refs[SEGMENTS + 1];
    struct mf_head h;

    make_head(&h, refs);
    assert_int_equal(mf_head_encode(&h, buf), 0);
}

static void a_head_comes_back_as_it_went_in(void **state)
{
    struct mf_segment_ref refs[SEGMENTS + 1];
    struct vs_buf buf = { 0 };
    struct mf_head h, back;

    (void)state;
    make_head(&h, refs);
    for (int sha = 0; sha < 2; sha++) {
        h.has_sha = sha != 0;
        if (!h.has_sha)
            memset(h.sha256, 0, sizeof(h.sha256));
        buf.len = 0;
        assert_int_equal(mf_head_encode(&h, &buf), 0);
        assert_int_equal(mf_head_decode(buf.data, buf.len, &back), 0);
        assert_int_equal(back.size, h.size);
        assert_int_equal(back.chunk_count, h.chunk_count);
        assert_int_equal(back.hole_count, 3);
        assert_int_equal(back.has_sha, h.has_sha);
        assert_memory_equal(back.sha256, h.sha256, sizeof(h.sha256));
        assert_memory_equal(back.root, h.root, sizeof(h.root));
        assert_int_equal(back.cuts_interior, 1007);
        assert_int_equal(back.cuts_at_keyframe, 1000);
        assert_int_equal(back.cuts_by_size, 7);
        assert_int_equal(back.segment_count, h.segment_count);
        for (uint32_t i = 0; i < h.segment_count; i++) {
            assert_int_equal(vs_id_cmp(&back.segments[i].id, &refs[i].id), 0);
            assert_int_equal(back.segments[i].offset, refs[i].offset);
            assert_int_equal(back.segments[i].count, refs[i].count);
        }
        mf_head_close(&back);
        make_head(&h, refs);
    }
    vs_buf_close(&buf);
}

static void a_head_of_an_empty_file_has_no_segments(void **state)
{
    struct vs_buf buf = { 0 };
    struct mf_head h = { 0 }, back;

    (void)state;
    assert_int_equal(mf_head_encode(&h, &buf), 0);
    assert_int_equal(mf_head_decode(buf.data, buf.len, &back), 0);
    assert_int_equal(back.segment_count, 0);
    assert_null(back.segments);
    assert_int_equal(mf_head_find(&back, 0), -ENOENT);
    mf_head_close(&back);
    mf_head_close(&back);
    vs_buf_close(&buf);
}

static void every_truncated_or_longer_head_is_refused(void **state)
{
    struct vs_buf buf = { 0 };
    struct mf_head back;

    (void)state;
    encode_head(&buf);
    for (size_t len = 0; len < buf.len; len++)
        assert_int_equal(mf_head_decode(buf.data, len, &back), -VS_ECORRUPT);
    assert_int_equal(vs_buf_append(&buf, "", 1, SIZE_MAX), 0);
    assert_int_equal(mf_head_decode(buf.data, buf.len, &back), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

static void a_newer_head_is_said_to_be_newer(void **state)
{
    struct vs_buf buf = { 0 };
    struct mf_head back;

    (void)state;
    encode_head(&buf);
    buf.data[0] = 2;
    assert_int_equal(mf_head_decode(buf.data, buf.len, &back), -VS_ENEWER);
    buf.data[0] = 0;
    assert_int_equal(mf_head_decode(buf.data, buf.len, &back), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

/* Each of these is one lie about a good head. */
static void an_impossible_head_is_not_encoded(void **state)
{
    struct mf_segment_ref refs[SEGMENTS + 1];
    struct vs_buf buf = { 0 };
    struct mf_head h;

    (void)state;
    for (int lie = 0; lie < 11; lie++) {
        make_head(&h, refs);
        switch (lie) {
        case 0:
            h.chunk_count++;
            break;
        case 1:
            h.hole_count = h.chunk_count + 1;
            break;
        case 2:
            h.cuts_interior++;
            break;
        case 3:
            refs[0].offset = 1;
            break;
        case 4:
            refs[2].offset = refs[1].offset;
            break;
        case 5:
            h.size = refs[SEGMENTS].offset;
            break;
        case 6:
            refs[1].count = 0;
            refs[2].count *= 2;
            break;
        case 7:
            refs[3].id = vs_id_make(1, 2, 3, VS_ID_CHUNK);
            break;
        case 8:
            h.size = UINT64_C(1) << 63;
            break;
        case 9:
            h.segment_count = 0;
            h.chunk_count = h.hole_count = 0;
            break;
        default:
            h.size = 0;
            break;
        }
        assert_int_equal(mf_head_encode(&h, &buf), -EINVAL);
        assert_int_equal(buf.len, 0);
    }
    vs_buf_close(&buf);
}

static void the_segment_of_an_offset_is_found(void **state)
{
    struct mf_segment_ref refs[SEGMENTS + 1];
    struct mf_head h;

    (void)state;
    make_head(&h, refs);
    for (uint32_t i = 0; i <= SEGMENTS; i++) {
        assert_int_equal(mf_head_find(&h, refs[i].offset), i);
        if (i > 0)
            assert_int_equal(mf_head_find(&h, refs[i].offset - 1), i - 1);
    }
    assert_int_equal(mf_head_find(&h, h.size - 1), SEGMENTS);
    assert_int_equal(mf_head_find(&h, h.size), -ENOENT);
}

/* ---- segments ---- */

static void a_segment_comes_back_as_it_went_in(void **state)
{
    static struct mf_chunk c[MF_SEGMENT_CHUNKS], back[MF_SEGMENT_CHUNKS];
    const uint32_t counts[] = { 1, 2, 255, MF_SEGMENT_CHUNKS };
    struct vs_buf buf = { 0 };

    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        make_chunks(c, counts[n], 12345);
        buf.len = 0;
        assert_int_equal(mf_segment_encode(c, counts[n], &buf), 0);
        assert_int_equal(buf.data[0], PLACE_SEGMENT);
        assert_true(buf.len <= PLACE_VALUE_BYTES_MAX);
        assert_int_equal(mf_segment_decode(buf.data, buf.len, back), counts[n]);
        for (uint32_t i = 0; i < counts[n]; i++) {
            assert_int_equal(vs_id_cmp(&back[i].id, &c[i].id), 0);
            assert_int_equal(back[i].offset, c[i].offset);
            assert_int_equal(back[i].bytes, c[i].bytes);
            assert_int_equal(back[i].crc, c[i].crc);
            assert_int_equal(back[i].cut, c[i].cut);
            assert_memory_equal(&back[i].red, &c[i].red, sizeof(c[i].red));
        }
    }
    vs_buf_close(&buf);
}

static void a_hole_is_written_without_crc_and_redundancy(void **state)
{
    static struct mf_chunk many[MF_SEGMENT_CHUNKS];
    struct mf_chunk c = { .bytes = 1, .crc = 9, .red = { VS_RED_RS, 3, 2 } };
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(mf_segment_encode(&c, 1, &buf), 0);
    assert_int_equal(mf_segment_decode(buf.data, buf.len, many), 1);
    assert_int_equal(many[0].crc, 0);
    assert_int_equal(many[0].red.kind, VS_RED_NONE);
    buf.data[buf.len - 1] = 1; /* a hole that claims parity */
    assert_int_equal(mf_segment_decode(buf.data, buf.len, many), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

static void every_truncated_or_longer_segment_is_refused(void **state)
{
    static struct mf_chunk c[20], back[MF_SEGMENT_CHUNKS];
    struct vs_buf buf = { 0 };

    (void)state;
    make_chunks(c, 20, 0);
    assert_int_equal(mf_segment_encode(c, 20, &buf), 0);
    for (size_t len = 0; len < buf.len; len++)
        assert_int_equal(mf_segment_decode(buf.data, len, back), -VS_ECORRUPT);
    assert_int_equal(vs_buf_append(&buf, "", 1, SIZE_MAX), 0);
    assert_int_equal(mf_segment_decode(buf.data, buf.len, back), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

static void an_impossible_segment_is_not_encoded(void **state)
{
    static struct mf_chunk c[MF_SEGMENT_CHUNKS + 1];
    struct vs_buf buf = { 0 };

    (void)state;
    make_chunks(c, MF_SEGMENT_CHUNKS + 1, 0);
    assert_int_equal(mf_segment_encode(c, 0, &buf), -EINVAL);
    assert_int_equal(mf_segment_encode(c, MF_SEGMENT_CHUNKS + 1, &buf), -EINVAL);
    for (int lie = 0; lie < 8; lie++) {
        make_chunks(c, 4, 0);
        switch (lie) {
        case 0:
            c[1].offset++; /* a gap */
            break;
        case 1:
            c[3].bytes = 0;
            break;
        case 2:
            c[3].bytes = MF_CHUNK_BYTES_MAX + 1;
            break;
        case 3:
            c[2].cut = MF_CUT_EXEMPT + 1;
            break;
        case 4:
            c[2].red.k = 0;
            break;
        case 5:
            c[2].red.kind = VS_RED_NONE;
            break;
        case 6:
            c[0].id = vs_id_make(1, 1, 1, VS_ID_SEGMENT);
            break;
        default:
            c[3].id = (struct vs_id){ { 0 } };
            c[3].bytes = UINT64_MAX - c[3].offset; /* the end wraps */
            break;
        }
        assert_int_equal(mf_segment_encode(c, 4, &buf), -EINVAL);
        assert_int_equal(buf.len, 0);
    }
    vs_buf_close(&buf);
}

static void a_segment_register_that_says_tomb_holds_nothing(void **state)
{
    static struct mf_chunk back[MF_SEGMENT_CHUNKS];
    struct place_value tomb = { .state = PLACE_TOMB, .generation = 2 }, v;
    struct mf_chunk c = { .bytes = 1 };
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(place_value_encode(&tomb, &buf), 0);
    assert_int_equal(mf_segment_decode(buf.data, buf.len, back), -ENOENT);
    buf.len = 0;
    assert_int_equal(mf_segment_encode(&c, 1, &buf), 0);
    assert_int_equal(place_value_decode(buf.data, buf.len, &v), -VS_ECORRUPT);
    buf.data[1] = 2;
    assert_int_equal(mf_segment_decode(buf.data, buf.len, back), -VS_ENEWER);
    vs_buf_close(&buf);
}

static void the_chunk_of_an_offset_is_found(void **state)
{
    static struct mf_chunk c[100];

    (void)state;
    make_chunks(c, 100, 777);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(mf_segment_find(c, 100, c[i].offset), i);
        assert_int_equal(mf_segment_find(c, 100, c[i].offset + c[i].bytes - 1), i);
    }
    assert_int_equal(mf_segment_find(c, 100, 776), -ENOENT);
    assert_int_equal(mf_segment_find(c, 100, c[99].offset + c[99].bytes), -ENOENT);
    assert_int_equal(mf_segment_find(c, 0, 0), -ENOENT);
}

/* Whatever decodes must be what would be written: decoding and encoding again gives the bytes. */
static void random_bytes_decode_to_something_valid_or_nothing(void **state)
{
    static struct mf_chunk c[MF_SEGMENT_CHUNKS], back[MF_SEGMENT_CHUNKS];
    struct vs_buf head = { 0 }, segment = { 0 }, again = { 0 };
    struct vs_rand rand;
    struct mf_head h;

    (void)state;
    vs_rand_init(&rand, 1);
    encode_head(&head);
    make_chunks(c, 20, 0);
    assert_int_equal(mf_segment_encode(c, 20, &segment), 0);
    for (int round = 0; round < 20000; round++) {
        struct vs_buf *b = round % 2 == 0 ? &head : &segment;
        size_t at = vs_rand_below(&rand, b->len);
        uint8_t old = b->data[at];
        int r;

        b->data[at] = (uint8_t)vs_rand_u64(&rand);
        again.len = 0;
        if (b == &head && mf_head_decode(b->data, b->len, &h) == 0) {
            assert_int_equal(mf_head_encode(&h, &again), 0);
            mf_head_close(&h);
        } else if (b == &segment && (r = mf_segment_decode(b->data, b->len, back)) >= 0) {
            assert_int_equal(mf_segment_encode(back, (uint32_t)r, &again), 0);
        }
        if (again.len > 0) {
            assert_int_equal(again.len, b->len);
            assert_memory_equal(again.data, b->data, b->len);
        }
        b->data[at] = old;
    }
    vs_buf_close(&head);
    vs_buf_close(&segment);
    vs_buf_close(&again);
}

static void the_root_hash_names_place_bytes_and_id_of_each_chunk(void **state)
{
    struct mf_chunk c = {
        .id = vs_id_make(1, 2, 3, VS_ID_CHUNK), .offset = 0x0102, .bytes = 0x0304, .crc = 0x05060708
    };
    uint8_t bytes[36] = { 0x02, 0x01, [8] = 0x04, 0x03, [16] = 0x08, 0x07, 0x06, 0x05 };
    uint8_t want[VS_SHA256_BYTES], got[VS_SHA256_BYTES];
    struct vs_sha *sha;

    (void)state;
    memcpy(bytes + 20, c.id.b, VS_ID_BYTES);
    vs_sha256(bytes, sizeof(bytes), want);
    assert_int_equal(vs_sha_new(&sha), 0);
    mf_root_add(sha, &c);
    vs_sha_final(sha, got);
    assert_memory_equal(got, want, sizeof(want));

    c.id = (struct vs_id){ { 0 } }; /* a hole's crc does not count */
    memset(bytes + 16, 0, 20);
    vs_sha256(bytes, sizeof(bytes), want);
    mf_root_add(sha, &c);
    vs_sha_final(sha, got);
    assert_memory_equal(got, want, sizeof(want));
    vs_sha_free(sha);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_comes_back_as_it_went_in),
        cmocka_unit_test(a_head_of_an_empty_file_has_no_segments),
        cmocka_unit_test(every_truncated_or_longer_head_is_refused),
        cmocka_unit_test(a_newer_head_is_said_to_be_newer),
        cmocka_unit_test(an_impossible_head_is_not_encoded),
        cmocka_unit_test(the_segment_of_an_offset_is_found),
        cmocka_unit_test(a_segment_comes_back_as_it_went_in),
        cmocka_unit_test(a_hole_is_written_without_crc_and_redundancy),
        cmocka_unit_test(every_truncated_or_longer_segment_is_refused),
        cmocka_unit_test(an_impossible_segment_is_not_encoded),
        cmocka_unit_test(a_segment_register_that_says_tomb_holds_nothing),
        cmocka_unit_test(the_chunk_of_an_offset_is_found),
        cmocka_unit_test(random_bytes_decode_to_something_valid_or_nothing),
        cmocka_unit_test(the_root_hash_names_place_bytes_and_id_of_each_chunk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
