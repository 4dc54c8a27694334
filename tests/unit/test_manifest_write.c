/* A manifest that was written reads back from its registers, and names what it no longer uses. */
#include "common/err.h"
#include "ingest/upload_env.h"
#include "tests/support/upload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct upload_rig rig;
    struct mf_chunk *chunks;
    size_t count;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    upload_rig_open(&x->rig, 5, 0, NULL);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    upload_rig_close(&x->rig);
    free(x->chunks);
    free(x);
    return 0;
}

/* Chunks as an upload would hand them over; each seventh is a hole. Their ids are made up. */
static void chunks_make(struct fixture *x, size_t count)
{
    uint64_t offset = 0;

    free(x->chunks);
    x->chunks = calloc(count, sizeof(*x->chunks));
    x->count = count;
    for (size_t i = 0; i < count; i++) {
        struct mf_chunk *c = &x->chunks[i];

        c->offset = offset;
        c->bytes = 1000 + i;
        c->cut = i + 1 == count ? MF_CUT_END : (uint8_t)(i % 4);
        offset += c->bytes;
        if (i % 7 == 6)
            continue;
        c->id = vs_id_make(1, 1, 1000000 + i, VS_ID_CHUNK);
        c->crc = (uint32_t)i;
        c->red = (struct vs_redundancy){ VS_RED_RS, 3, 2 };
    }
}

/* All chunks of a head, from the registers. */
static void head_check(struct fixture *x, const struct mf_head *head)
{
    size_t at = 0;

    assert_int_equal(head->chunk_count, x->count);
    for (uint32_t i = 0; i < head->segment_count; i++) {
        const struct mf_segment_ref *ref = &head->segments[i];
        struct mf_chunk got[MF_SEGMENT_CHUNKS];
        struct meta_reg reg = { .id = ref->id };
        struct meta_req req = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };

        assert_int_equal(meta_call(x->rig.meta, &req), 0);
        assert_int_equal(reg.status, 0);
        assert_int_equal(mf_segment_decode(reg.current.data, reg.current.len, got), ref->count);
        vs_buf_close(&reg.current);
        assert_int_equal(ref->offset, x->chunks[at].offset);
        for (uint32_t k = 0; k < ref->count; k++, at++) {
            assert_memory_equal(&got[k].id, &x->chunks[at].id, sizeof(got[k].id));
            assert_int_equal(got[k].offset, x->chunks[at].offset);
            assert_int_equal(got[k].bytes, x->chunks[at].bytes);
            assert_int_equal(got[k].crc, x->chunks[at].crc);
            assert_int_equal(got[k].cut, x->chunks[at].cut);
        }
    }
    assert_int_equal(at, x->count);
}

static void write_closed(struct manifest_write *w)
{
    mf_head_close(&w->head);
    vs_buf_close(&w->encoded);
    free(w->dropped);
}

static struct manifest_write write_now(struct fixture *x, const uint8_t *sha)
{
    struct manifest_write w = {
        .session = x->rig.session, .chunks = x->chunks, .chunk_count = x->count, .sha = sha
    };

    assert_int_equal(upload_rig_manifest(&x->rig, &w), 0);
    return w;
}

static void a_manifest_reads_back_from_its_registers(void **state)
{
    static const size_t counts[] = { 1, 255, 256, 257, 2000, 17000 };
    struct fixture *x = *state;

    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct manifest_write w;
        struct mf_head decoded;
        uint8_t sha[VS_SHA256_BYTES] = { 7 };
        const struct mf_chunk *last;

        chunks_make(x, counts[i]);
        w = write_now(x, i % 2 == 0 ? sha : NULL);
        head_check(x, &w.head);
        assert_int_equal(mf_head_decode(w.encoded.data, w.encoded.len, &decoded), 0);
        head_check(x, &decoded);
        last = &x->chunks[counts[i] - 1];
        assert_int_equal(decoded.size, last->offset + last->bytes);
        assert_int_equal(decoded.has_sha, i % 2 == 0);
        if (decoded.has_sha)
            assert_memory_equal(decoded.sha256, sha, sizeof(sha));
        assert_int_equal(w.dropped_count, 0);
        mf_head_close(&decoded);
        write_closed(&w);
    }
}

static void the_head_counts_cuts_and_holes_and_carries_the_root(void **state)
{
    struct fixture *x = *state;
    struct manifest_write w;
    struct vs_sha *root;
    uint8_t digest[VS_SHA256_BYTES];

    chunks_make(x, 29);
    w = write_now(x, NULL);
    assert_int_equal(w.head.hole_count, 4);
    assert_int_equal(w.head.cuts_interior, 21); /* 0 of each four and the last one are ends */
    assert_int_equal(w.head.cuts_at_keyframe, 7);
    assert_int_equal(w.head.cuts_by_size, 14);
    assert_int_equal(vs_sha_new(&root), 0);
    for (size_t i = 0; i < x->count; i++)
        mf_root_add(root, &x->chunks[i]);
    vs_sha_final(root, digest);
    vs_sha_free(root);
    assert_memory_equal(w.head.root, digest, sizeof(digest));
    write_closed(&w);
}

static void an_empty_file_has_no_segments(void **state)
{
    struct fixture *x = *state;
    struct manifest_write w = write_now(x, NULL);

    assert_int_equal(w.head.segment_count, 0);
    assert_int_equal(w.head.size, 0);
    assert_true(w.encoded.len > 0);
    assert_int_equal(upload_session_number(x->rig.session), 0); /* nor did it need an id */
    write_closed(&w);
}

static void unchanged_segments_stay_and_the_others_are_dropped(void **state)
{
    struct fixture *x = *state;
    struct manifest_write first, second;
    struct mf_chunk *base;

    chunks_make(x, 1000);
    first = write_now(x, NULL);
    base = malloc(x->count * sizeof(*base));
    memcpy(base, x->chunks, x->count * sizeof(*base));
    x->chunks[301].crc++; /* the second segment */
    second = (struct manifest_write){ .session = x->rig.session,
                                      .chunks = x->chunks,
                                      .chunk_count = x->count,
                                      .base = &first.head,
                                      .base_chunks = base };
    assert_int_equal(upload_rig_manifest(&x->rig, &second), 0);
    head_check(x, &second.head);
    assert_int_equal(second.dropped_count, 1);
    assert_int_equal(vs_id_cmp(&second.dropped[0], &first.head.segments[1].id), 0);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(vs_id_cmp(&second.head.segments[i].id, &first.head.segments[i].id) == 0,
                         i != 1);
    write_closed(&second);

    x->count = 10; /* cut short: all of them go */
    second = (struct manifest_write){ .session = x->rig.session,
                                      .chunks = x->chunks,
                                      .chunk_count = x->count,
                                      .base = &first.head,
                                      .base_chunks = base };
    assert_int_equal(upload_rig_manifest(&x->rig, &second), 0);
    head_check(x, &second.head);
    assert_int_equal(second.dropped_count, 4);
    write_closed(&second);
    write_closed(&first);
    free(base);
}

static void chunks_that_cannot_be_encoded_are_refused_and_ids_given_up(void **state)
{
    struct fixture *x = *state;
    struct manifest_write w;
    size_t given_up;

    chunks_make(x, 10);
    x->chunks[5].offset++; /* a gap */
    w = (struct manifest_write){ .session = x->rig.session,
                                 .chunks = x->chunks,
                                 .chunk_count = x->count };
    assert_int_equal(upload_rig_manifest(&x->rig, &w), -EINVAL);
    assert_null(w.head.segments);
    assert_null(w.encoded.data);
    upload_session_given_up(x->rig.session, NULL, &given_up);
    assert_int_equal(given_up, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_manifest_reads_back_from_its_registers, setup, teardown),
        cmocka_unit_test_setup_teardown(the_head_counts_cuts_and_holes_and_carries_the_root, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_has_no_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(unchanged_segments_stay_and_the_others_are_dropped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(chunks_that_cannot_be_encoded_are_refused_and_ids_given_up,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
