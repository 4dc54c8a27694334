/* What an upload has taken can be read, wherever it is just then. */
#include "common/err.h"
#include "ingest/upload.h"
#include "tests/support/upload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)

static void peek_check(struct upload_rig *rig, struct upload *u, uint64_t seed, uint64_t offset,
                       uint64_t *checked)
{
    uint8_t got[3000], want[3000];
    struct mf_chunk chunk;
    int64_t n = upload_peek(u, offset, got, sizeof(got), &chunk);

    assert_true(n >= 0 && n <= (int64_t)sizeof(got));
    if (n > 0) {
        upload_rig_fill(want, seed, offset, (size_t)n);
        assert_memory_equal(got, want, (size_t)n);
        return;
    }
    assert_true(offset >= chunk.offset && offset < chunk.offset + chunk.bytes);
    if (!(*checked >> chunk.offset / (4 * MIB) & 1)) /* each once: it takes long */
        upload_rig_check(rig, &chunk, 1, seed, chunk.offset);
    *checked |= UINT64_C(1) << chunk.offset / (4 * MIB);
}

static void what_was_taken_can_be_read_at_any_time(void **state)
{
    struct upload_rig rig;
    struct upload_flush f;
    struct mf_chunk chunk;
    struct upload *u;
    uint64_t checked = 0;
    uint8_t byte;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    for (unsigned i = 0; i < 5; i++)
        store_stall_delay(rig.stall[i], 30 * VS_NS_PER_MS);
    u = upload_rig_upload(&rig, "x", false, false);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(upload_rig_append(u, 5, 700001, 131072), 0);
        for (uint64_t offset = i * 1001; offset < upload_end(u); offset += 1234567)
            peek_check(&rig, u, 5, offset, &checked);
        peek_check(&rig, u, 5, upload_end(u) - 1, &checked);
    }
    assert_int_equal(upload_peek(u, upload_end(u), &byte, 1, &chunk), -EINVAL);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    for (uint64_t offset = 0; offset < upload_end(u); offset += 1234567)
        peek_check(&rig, u, 5, offset, &checked);
    upload_free(u);
    upload_rig_close(&rig);
}

static void peek_sees_holes_as_zeros(void **state)
{
    struct upload_rig rig;
    struct mf_chunk chunk;
    struct upload *u;
    uint8_t got[100], zeros[100] = { 0 };

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    u = upload_rig_upload(&rig, "x", false, true);
    assert_int_equal(upload_rig_append(u, 5, 1000, 1000), 0);
    assert_int_equal(upload_hole(u, 50), 0);
    assert_int_equal(upload_rig_append(u, 5, 1000, 1000), 0);
    memset(got, 1, sizeof(got));
    assert_int_equal(upload_peek(u, 1010, got, sizeof(got), &chunk), 40);
    assert_memory_equal(got, zeros, 40);
    assert_int_equal(upload_peek(u, 990, got, sizeof(got), &chunk) % 10, 0);
    upload_free(u);
    upload_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_can_be_read_at_any_time),
        cmocka_unit_test(peek_sees_holes_as_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
