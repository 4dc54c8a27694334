/* sb_scan: what a scan of a store's files finds is what the store would serve, and nothing is
 * changed by looking. */
#include "common/err.h"
#include "node/sb_scan.h"
#include "tests/support/sb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PUTS 40

static size_t bytes_of(uint64_t n)
{
    return (size_t)(n * 5003);
}

/* Every third was deleted, every fifth of those put again. */
static bool is_there(uint64_t n)
{
    return n % 3 != 0 || n % 5 == 0;
}

static void fill(struct sb_rig *rig)
{
    for (uint64_t n = 0; n < PUTS; n++)
        assert_int_equal(sb_rig_put(rig, n, bytes_of(n)), 0);
    for (uint64_t n = 0; n < PUTS; n += 3)
        assert_int_equal(sb_rig_del(rig, n), 0);
    for (uint64_t n = 0; n < PUTS; n += 15)
        assert_int_equal(sb_rig_put(rig, n, bytes_of(n)), 0);
}

static void check(struct sb_scan *s, uint64_t damaged)
{
    uint64_t there = 0;

    for (uint64_t n = 0; n < PUTS; n++) {
        struct frag_key key = sync_key(n);
        uint64_t count;
        const struct sb_scan_frag *f = sb_scan_find(s, &key.chunk, &count);
        uint8_t *want = sync_bytes(n, bytes_of(n)), *got = malloc(bytes_of(n) + 1);

        assert_int_equal(count, is_there(n));
        there += count;
        if (count > 0) {
            assert_int_equal(f->payload_bytes, bytes_of(n));
            assert_int_equal(sb_scan_read(s, f, got), 0);
            assert_memory_equal(got, want, bytes_of(n));
        }
        free(want);
        free(got);
    }
    assert_int_equal(s->count, there);
    assert_int_equal(s->damaged, damaged);
}

static void a_scan_finds_what_the_store_would_serve(void **state)
{
    struct sb_rig *rig = *state;
    struct sb_scan s;

    assert_int_equal(sb_rig_open(rig), 0);
    fill(rig);
    sb_rig_close(rig);
    assert_int_equal(sb_scan_open(&s, sb_rig_io(rig)), 0);
    assert_memory_equal(&s.node, &rig->config.node, sizeof(s.node));
    check(&s, 0);
    sb_scan_close(&s);
}

static void a_store_that_died_is_scanned_as_well_and_opens_afterwards(void **state)
{
    struct sb_rig *rig = *state;
    struct sb_scan s;

    assert_int_equal(sb_rig_open(rig), 0);
    fill(rig);
    sb_rig_crash(rig);
    assert_int_equal(sb_scan_open(&s, sb_rig_io(rig)), 0);
    check(&s, 0);
    sb_scan_close(&s);
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < PUTS; n++)
        if (is_there(n))
            assert_int_equal(sb_rig_check(rig, n, bytes_of(n)), 0);
}

static void a_flipped_bit_in_a_payload_is_not_handed_out(void **state)
{
    struct sb_rig *rig = *state;
    struct frag_key key = sync_key(1);
    const struct sb_scan_frag *f;
    struct sb_scan s;
    uint64_t count;
    char name[64];
    uint8_t *got = malloc(bytes_of(1));

    assert_int_equal(sb_rig_open(rig), 0);
    fill(rig);
    sb_rig_close(rig);
    assert_int_equal(sb_scan_open(&s, sb_rig_io(rig)), 0);
    f = sb_scan_find(&s, &key.chunk, &count);
    assert_int_equal(count, 1);
    snprintf(name, sizeof(name), "sb-%016llx.dat", (unsigned long long)f->sb);
    sb_rig_flip(rig, name, f->offset + 4096 + 17, 3);
    assert_int_equal(sb_scan_read(&s, f, got), -VS_ECORRUPT);
    sb_scan_close(&s);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_scan_finds_what_the_store_would_serve, sb_rig_setup_sim,
                                        sb_rig_teardown),
        cmocka_unit_test_setup_teardown(a_store_that_died_is_scanned_as_well_and_opens_afterwards,
                                        sb_rig_setup_sim, sb_rig_teardown),
        cmocka_unit_test_setup_teardown(a_flipped_bit_in_a_payload_is_not_handed_out,
                                        sb_rig_setup_sim, sb_rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
