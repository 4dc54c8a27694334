/* Rules of fs/media_map: times of chunks between keyframes. */
#include "common/rand.h"
#include "fs/media_map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CHUNKS 4
#define MIB    (UINT64_C(1) << 20)

static struct mf_chunk chunks[CHUNKS] = {
    { .offset = 0, .bytes = 4 * MIB },
    { .offset = 4 * MIB, .bytes = 4 * MIB },
    { .offset = 8 * MIB, .bytes = 4 * MIB },
    { .offset = 12 * MIB, .bytes = 4 * MIB },
};

static void without_keyframes_time_follows_the_bytes_to_the_duration(void **state)
{
    uint32_t ms[CHUNKS];

    (void)state;
    media_map_build(chunks, CHUNKS, NULL, NULL, 0, 16000, 16 * MIB, ms);
    for (uint32_t i = 0; i < CHUNKS; i++)
        assert_int_equal(ms[i], i * 4000);
}

static void nothing_known_is_unknown(void **state)
{
    uint32_t ms[CHUNKS];

    (void)state;
    media_map_build(chunks, CHUNKS, NULL, NULL, 0, 0, 16 * MIB, ms);
    for (uint32_t i = 0; i < CHUNKS; i++)
        assert_int_equal(ms[i], UINT32_MAX);
}

static void a_chunk_that_begins_at_a_keyframe_has_its_time(void **state)
{
    const struct cutter_keyframe keys[] = { { 1000, 0 }, { 4 * MIB, 7000 }, { 12 * MIB, 9000 } };
    uint32_t ms[CHUNKS];

    (void)state;
    media_map_build(chunks, CHUNKS, NULL, keys, 3, 20000, 16 * MIB, ms);
    assert_int_equal(ms[0], 0);
    assert_int_equal(ms[1], 7000);
    assert_int_equal(ms[2], 8000); /* half way between two */
    assert_int_equal(ms[3], 9000);
}

static void what_was_seen_live_wins(void **state)
{
    const uint32_t known[CHUNKS] = { 0, UINT32_MAX, 9500, UINT32_MAX };
    uint32_t ms[CHUNKS];

    (void)state;
    media_map_build(chunks, CHUNKS, known, NULL, 0, 16000, 16 * MIB, ms);
    assert_int_equal(ms[0], 0);
    assert_int_equal(ms[1], 4000);
    assert_int_equal(ms[2], 9500);
    assert_int_equal(ms[3], 12000);
}

/* Whatever a demuxer says. */
static void times_never_fall_and_never_overflow(void **state)
{
    struct cutter_keyframe keys[32];
    uint32_t known[CHUNKS], ms[CHUNKS];
    struct vs_rand r;

    (void)state;
    vs_rand_init(&r, 11);
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t offset = 0;
        size_t n = vs_rand_below(&r, 32);

        for (size_t k = 0; k < n; k++) {
            offset += vs_rand_below(&r, MIB);
            keys[k] = (struct cutter_keyframe){ offset, (uint32_t)vs_rand_u64(&r) };
        }
        for (size_t k = 0; k < CHUNKS; k++)
            known[k] = vs_rand_below(&r, 2) == 0 ? UINT32_MAX : (uint32_t)vs_rand_u64(&r);
        media_map_build(chunks, CHUNKS, known, keys, n, vs_rand_u64(&r), 16 * MIB, ms);
        for (size_t k = 1; k < CHUNKS; k++)
            assert_true(ms[k] >= ms[k - 1] || ms[k] == UINT32_MAX || ms[k - 1] == UINT32_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_keyframes_time_follows_the_bytes_to_the_duration),
        cmocka_unit_test(nothing_known_is_unknown),
        cmocka_unit_test(a_chunk_that_begins_at_a_keyframe_has_its_time),
        cmocka_unit_test(what_was_seen_live_wins),
        cmocka_unit_test(times_never_fall_and_never_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
