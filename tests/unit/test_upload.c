/* Uploads on five stores in memory: what was appended is what the registers rebuild, whatever the
 * stores do meanwhile. */
#include "common/err.h"
#include "ingest/upload.h"
#include "node/store_mem.h"
#include "tests/support/upload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)

static void sha_of_source(uint64_t seed, uint64_t bytes, uint8_t digest[VS_SHA256_BYTES])
{
    uint8_t *all = malloc(bytes + 1);

    assert_non_null(all);
    upload_rig_fill(all, seed, 0, bytes);
    vs_sha256(all, bytes, digest);
    free(all);
}

static uint64_t chunks_end(const struct upload_flush *f)
{
    return f->chunk_count == 0
               ? 0
               : f->chunks[f->chunk_count - 1].offset + f->chunks[f->chunk_count - 1].bytes;
}

/* ---- all is well ---- */

static void every_size_comes_back_byte_exact(void **state)
{
    static const uint64_t sizes[] = { 1,           2,       4,           65535,
                                      65536,       65537,   4 * MIB - 1, 4 * MIB,
                                      4 * MIB + 1, 8 * MIB, 9 * MIB + 7, 17 * MIB + 12345 };
    static const size_t pieces[] = { 131072, 4097, MIB, 3 * MIB + 1 };
    struct upload_rig rig;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct upload *u = upload_rig_upload(&rig, "film.mkv", false, false);
        uint8_t digest[VS_SHA256_BYTES];
        struct upload_flush f;

        assert_int_equal(upload_rig_append(u, i, sizes[i], pieces[i % 4]), 0);
        assert_int_equal(upload_end(u), sizes[i]);
        assert_int_equal(upload_rig_flush(u, &f), 0);
        assert_int_equal(chunks_end(&f), sizes[i]);
        assert_int_equal(f.chunk_count, (sizes[i] + 4 * MIB - 1) / (4 * MIB));
        upload_rig_check(&rig, f.chunks, f.chunk_count, i, 0);
        for (size_t c = 0; c < f.chunk_count; c++) {
            assert_int_equal(f.chunks[c].cut, c + 1 < f.chunk_count ? MF_CUT_EXEMPT : MF_CUT_END);
            assert_int_equal(upload_chunk_start_ms(u, c), UINT32_MAX);
        }
        sha_of_source(i, sizes[i], digest);
        assert_true(f.sha_known);
        assert_memory_equal(f.sha256, digest, sizeof(digest));
        assert_int_equal(f.degraded, 0);
        assert_true(f.stored_bytes >= sizes[i] * 5 / 3 &&
                    f.stored_bytes <= sizes[i] * 5 / 3 + 10 * f.chunk_count);
        upload_free(u);
    }
    upload_rig_close(&rig);
}

static void an_empty_upload_has_no_chunks(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    uint8_t digest[VS_SHA256_BYTES];

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    u = upload_rig_upload(&rig, "empty", true, true);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    assert_int_equal(f.chunk_count, 0);
    assert_null(f.inline_bytes);
    vs_sha256("", 0, digest);
    assert_memory_equal(f.sha256, digest, sizeof(digest));
    upload_free(u);
    assert_int_equal(upload_session_number(rig.session), 0); /* no id was ever needed */
    upload_rig_close(&rig);
}

static void an_upload_may_begin_in_the_middle_of_a_file(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    struct upload_config config = {
        .ino = 5, .name = "x", .name_len = 1, .offset = 123456789, .chunk_seq = 40
    };

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    config.session = rig.session;
    assert_int_equal(upload_new(&u, rig.env, &config), 0);
    assert_int_equal(upload_rig_append(u, 3, 10 * MIB, MIB), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 3, 123456789);
    upload_free(u);
    upload_rig_close(&rig);
}

static void small_content_stays_in_memory_where_it_may(void **state)
{
    static const uint64_t sizes[] = { 1, 4096, 65536, 65537 };
    struct upload_rig rig;
    uint8_t source[65537];

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    for (unsigned i = 0; i < 4; i++) {
        struct upload *u = upload_rig_upload(&rig, "film.nfo", true, true);
        uint8_t digest[VS_SHA256_BYTES];
        struct upload_flush f;

        assert_int_equal(upload_rig_append(u, i, sizes[i], 1000), 0);
        assert_int_equal(upload_rig_flush(u, &f), 0);
        upload_rig_fill(source, i, 0, sizes[i]);
        vs_sha256(source, sizes[i], digest);
        assert_memory_equal(f.sha256, digest, sizeof(digest));
        if (sizes[i] <= NS_INLINE_BYTES_MAX) {
            assert_int_equal(f.chunk_count, 0);
            assert_int_equal(f.inline_len, sizes[i]);
            assert_memory_equal(f.inline_bytes, source, sizes[i]);
        } else {
            assert_null(f.inline_bytes);
            assert_int_equal(f.chunk_count, 1);
            upload_rig_check(&rig, f.chunks, 1, i, 0);
        }
        upload_free(u);
    }
    upload_rig_close(&rig);
}

static void one_store_gets_one_copy(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 1, 0, NULL);
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 9, 5 * MIB, MIB), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 9, 0);
    assert_int_equal(f.stored_bytes, 5 * MIB);
    assert_int_equal(f.degraded, 2);
    upload_free(u);
    upload_rig_close(&rig);
}

/* ---- holes ---- */

static void holes_store_nothing_and_count_as_zeros(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    uint8_t *all = calloc(1, 12 * MIB), digest[VS_SHA256_BYTES];

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    u = upload_rig_upload(&rig, "sparse", false, true);
    assert_int_equal(upload_hole(u, MIB), 0);
    assert_int_equal(upload_rig_append(u, 4, 5 * MIB + 1, 100000), 0);
    assert_int_equal(upload_hole(u, 2 * MIB), 0);
    assert_int_equal(upload_hole(u, 0), 0);
    assert_int_equal(upload_rig_append(u, 4, 10, 10), 0);
    assert_int_equal(upload_hole(u, MIB), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);

    assert_int_equal(f.chunk_count, 6);
    assert_true(vs_id_is_zero(&f.chunks[0].id));
    assert_int_equal(f.chunks[1].bytes, 4 * MIB);
    assert_int_equal(f.chunks[1].cut, MF_CUT_EXEMPT);
    assert_int_equal(f.chunks[2].bytes, MIB + 1);
    assert_int_equal(f.chunks[2].cut, MF_CUT_END); /* a hole follows */
    assert_true(vs_id_is_zero(&f.chunks[3].id));
    assert_int_equal(f.chunks[4].bytes, 10);
    assert_int_equal(f.chunks[4].cut, MF_CUT_END);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 4, 0);

    upload_rig_fill(all + MIB, 4, MIB, 5 * MIB + 1);
    upload_rig_fill(all + 8 * MIB + 1, 4, 8 * MIB + 1, 10);
    vs_sha256(all, 9 * MIB + 11, digest);
    assert_true(f.sha_known);
    assert_memory_equal(f.sha256, digest, sizeof(digest));
    free(all);
    upload_free(u);
    upload_rig_close(&rig);
}

static void a_sparse_terabyte_is_not_hashed(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    u = upload_rig_upload(&rig, "sparse", false, true);
    assert_int_equal(upload_rig_append(u, 4, 100, 100), 0);
    assert_int_equal(upload_hole(u, UINT64_C(1) << 40), 0);
    assert_int_equal(upload_rig_append(u, 4, 100, 100), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    assert_false(f.sha_known);
    assert_int_equal(f.chunk_count, 3);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 4, 0);
    assert_int_equal(upload_rig_fragments(&rig), 10);
    upload_free(u);
    upload_rig_close(&rig);
}

/* ---- stores that are down ---- */

static void an_upload_takes_the_form_for_the_stores_that_are_up(void **state)
{
    (void)state;
    for (unsigned down = 1; down <= 3; down++) {
        struct upload_rig rig;
        struct upload_flush f;
        struct upload *u;

        upload_rig_open(&rig, 5, 0, NULL);
        for (unsigned i = 0; i < down; i++)
            store_mem_set_down(rig.mem[(2 * i + 1) % 5], true);
        u = upload_rig_upload(&rig, "x", false, false);
        assert_int_equal(upload_rig_append(u, down, 9 * MIB, MIB), 0);
        assert_int_equal(upload_rig_flush(u, &f), 0);
        upload_rig_check(&rig, f.chunks, f.chunk_count, down, 0);
        assert_int_equal(f.degraded, f.chunk_count);
        assert_int_equal(upload_rig_fragments(&rig), f.chunk_count * (5 - down));
        upload_free(u);
        upload_rig_close(&rig);
    }
}

static void too_few_stores_are_eio_and_it_sticks(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct mf_chunk chunk;
    struct upload *u;
    uint8_t byte;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    for (unsigned i = 0; i < 4; i++)
        store_mem_set_down(rig.mem[i], true);
    u = upload_rig_upload(&rig, "x", false, false);
    upload_rig_append(u, 1, 9 * MIB, MIB); /* may hear of it already */
    assert_int_equal(upload_rig_flush(u, &f), -EIO);
    assert_int_equal(upload_peek(u, 0, &byte, 1, &chunk), -EIO);
    upload_free(u);

    u = upload_rig_upload(&rig, "x", false, false);
    while (upload_rig_append(u, 1, MIB, MIB) == 0)
        assert_true(upload_end(u) < UINT64_C(4) << 30);
    assert_int_equal(upload_rig_append(u, 1, 1, 1), -EIO);
    assert_int_equal(upload_hole(u, 1), -EIO);
    upload_free(u);
    upload_rig_close(&rig);
}

/* A store goes down while chunks are on their way to it. */
static void a_store_that_goes_down_in_the_middle_costs_nothing(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    unsigned recoded = 0;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 7, 20 * MIB, 131072), 0);
    store_stall_fail(rig.stall[2], -VS_EDOWN); /* says it is up and is not: the puts find out */
    assert_int_equal(upload_rig_append(u, 7, 20 * MIB, 131072), 0);
    store_mem_set_down(rig.mem[2], true);
    assert_int_equal(upload_rig_append(u, 7, 20 * MIB, 131072), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    store_mem_set_down(rig.mem[2], false);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 7, 0);
    for (size_t i = 0; i < f.chunk_count; i++) {
        struct place_value v;

        upload_rig_place(&rig, &f.chunks[i].id, &v);
        recoded += v.generation > 1;
        assert_int_equal(v.red.k + v.red.m == 4, f.chunks[i].red.k == 2);
    }
    assert_true(recoded > 0);
    assert_true(f.degraded >= recoded);
    upload_free(u);
    upload_rig_close(&rig);
}

/* ---- space ---- */

static void a_full_store_is_left_out_and_full_stores_are_enospc(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    store_stall_fail(rig.stall[0], -ENOSPC);
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 1, 9 * MIB, MIB), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 1, 0);
    assert_int_equal(f.degraded, f.chunk_count);
    upload_free(u);

    store_stall_health(rig.stall[1], STORE_UP, 100); /* nearly full by its own word */
    u = upload_rig_upload(&rig, "x", false, false);
    upload_rig_append(u, 1, 5 * MIB, MIB);
    assert_int_equal(upload_rig_flush(u, &f), -ENOSPC);
    upload_free(u);

    for (unsigned i = 0; i < 5; i++) { /* all of them find out with the put */
        store_stall_health(rig.stall[i], STORE_UP, -1);
        store_stall_fail(rig.stall[i], -ENOSPC);
    }
    upload_rig_skip_ms(&rig, 10000);
    u = upload_rig_upload(&rig, "x", false, false);
    upload_rig_append(u, 1, 5 * MIB, MIB);
    assert_int_equal(upload_rig_flush(u, &f), -ENOSPC);
    upload_free(u);

    for (unsigned i = 0; i < 5; i++)
        store_stall_fail(rig.stall[i], 0);
    upload_rig_await_idle(&rig);
    upload_rig_skip_ms(&rig, 10000); /* space was made: it is not held against them */
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 1, 5 * MIB, MIB), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    assert_int_equal(f.degraded, 0);
    upload_free(u);
    upload_rig_close(&rig);
}

static void a_store_for_reading_only_gets_nothing(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    store_stall_health(rig.stall[3], STORE_READONLY, -1);
    u = upload_rig_upload(&rig, "x", false, false);
    assert_int_equal(upload_rig_append(u, 1, 9 * MIB, MIB), 0);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 1, 0);
    assert_int_equal(store_stall_puts(rig.stall[3]), 0);
    upload_free(u);
    upload_rig_close(&rig);
}

/* ---- the end ---- */

static void freeing_at_any_moment_leaks_nothing(void **state)
{
    struct upload_rig rig;

    (void)state;
    upload_rig_open(&rig, 5, 32 * MIB, NULL);
    for (unsigned i = 0; i < 5; i++)
        store_stall_delay(rig.stall[i], (int64_t)i * VS_NS_PER_MS);
    for (unsigned i = 0; i < 60; i++) {
        struct upload *u = upload_rig_upload(&rig, "x", false, i % 2 == 0);

        assert_int_equal(upload_rig_append(u, i, 1 + i * 100000u, 131072), 0);
        if (i % 3 == 0)
            assert_int_equal(upload_hole(u, 4096), 0);
        upload_free(u);
    }
    upload_rig_close(&rig); /* asserts that all memory came back, and waits for all puts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_comes_back_byte_exact),
        cmocka_unit_test(an_empty_upload_has_no_chunks),
        cmocka_unit_test(an_upload_may_begin_in_the_middle_of_a_file),
        cmocka_unit_test(small_content_stays_in_memory_where_it_may),
        cmocka_unit_test(one_store_gets_one_copy),
        cmocka_unit_test(holes_store_nothing_and_count_as_zeros),
        cmocka_unit_test(a_sparse_terabyte_is_not_hashed),
        cmocka_unit_test(an_upload_takes_the_form_for_the_stores_that_are_up),
        cmocka_unit_test(too_few_stores_are_eio_and_it_sticks),
        cmocka_unit_test(a_store_that_goes_down_in_the_middle_costs_nothing),
        cmocka_unit_test(a_full_store_is_left_out_and_full_stores_are_enospc),
        cmocka_unit_test(a_store_for_reading_only_gets_nothing),
        cmocka_unit_test(freeing_at_any_moment_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
