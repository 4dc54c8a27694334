/* Fragments held in their place while they are sent. */
#include "common/err.h"
#include "node/sb_hold.h"
#include "tests/support/sb_rig.h"

#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES (1u << 20)
#define SLACK (64u << 10) /* what the file system needs to remember a hole */

struct held {
    struct store_hold h;
    sem_t done;
};

static void on_done(struct store_hold *h)
{
    sem_post(&vs_container_of(h, struct held, h)->done);
}

static int hold(struct sb_rig *rig, struct held *x, uint64_t n)
{
    *x = (struct held){ .h.key = sync_key(n), .h.bytes = UINT32_MAX, .h.done = on_done };
    sem_init(&x->done, 0, 0);
    chunk_store_hold(rig->ss.s, &x->h);
    sem_wait(&x->done);
    return x->h.status;
}

static bool bytes_are(const struct held *x, uint64_t n)
{
    uint8_t *want = sync_bytes(n, BYTES), *got = malloc(BYTES);
    bool same =
        pread(x->h.fd, got, BYTES, (off_t)x->h.offset) == BYTES && memcmp(got, want, BYTES) == 0;

    free(want);
    free(got);
    return same;
}

static uint64_t allocated(struct sb_rig *rig)
{
    uint64_t bytes;

    (void)sb_rig_files(rig, "sb-", &bytes);
    return bytes;
}

static void a_hold_says_where_the_bytes_are_and_what_they_are(void **state)
{
    struct sb_rig *rig = *state;
    uint8_t *data = sync_bytes(1, BYTES), sha[VS_SHA256_BYTES];
    uint32_t crc[FRAG_BLOCKS_MAX];
    struct held x;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_true(chunk_store_can_hold(rig->ss.s));
    assert_int_equal(sb_rig_put(rig, 1, BYTES), 0);
    assert_int_equal(hold(rig, &x, 1), 0);
    assert_int_equal(x.h.payload_bytes, BYTES);
    assert_true(bytes_are(&x, 1));
    frag_crc_table(data, BYTES, crc);
    assert_memory_equal(x.h.crc, crc, frag_blocks(BYTES) * sizeof(crc[0]));
    assert_int_equal(x.h.table_crc, frag_table_crc(crc, frag_blocks(BYTES)));
    vs_sha256(data, BYTES, sha);
    assert_memory_equal(x.h.sha256, sha, sizeof(sha));
    chunk_store_unhold(rig->ss.s, &x.h);
    free(data);
    sb_rig_close(rig);
}

static void what_is_not_there_cannot_be_held(void **state)
{
    struct sb_rig *rig = *state;
    struct held x;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(hold(rig, &x, 1), -ENOENT);
    assert_int_equal(sb_rig_put(rig, 1, BYTES), 0);
    assert_int_equal(sb_rig_del(rig, 1), 0);
    assert_int_equal(hold(rig, &x, 1), -ENOENT);
    sb_rig_close(rig); /* asserts that nothing is held */
}

/* What is in memory is held without a thread of the store; what is not is left to one. */
static void a_hold_at_once_is_given_for_what_is_in_memory(void **state)
{
    struct sb_rig *rig = *state;
    struct held x = { .h.key = sync_key(1), .h.bytes = UINT32_MAX };

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(chunk_store_hold_now(rig->ss.s, &x.h), -ENOENT);
    assert_int_equal(sb_rig_put(rig, 1, BYTES), 0);
    assert_int_equal(chunk_store_hold_now(rig->ss.s, &x.h), 0);
    assert_int_equal(x.h.payload_bytes, BYTES);
    assert_true(bytes_are(&x, 1));
    assert_int_equal(posix_fadvise(x.h.fd, (off_t)x.h.offset, BYTES, POSIX_FADV_DONTNEED), 0);
    chunk_store_unhold(rig->ss.s, &x.h);
    if (chunk_store_hold_now(rig->ss.s, &x.h) == 0) { /* a file system that lives in memory */
        chunk_store_unhold(rig->ss.s, &x.h);
    } else {
        assert_int_equal(hold(rig, &x, 1), 0); /* reads it */
        chunk_store_unhold(rig->ss.s, &x.h);
        x.h = (struct store_hold){ .key = sync_key(1), .bytes = UINT32_MAX };
        assert_int_equal(chunk_store_hold_now(rig->ss.s, &x.h), 0);
        chunk_store_unhold(rig->ss.s, &x.h);
    }
    sb_rig_close(rig);
}

/* Two readers: the space comes back after the last of them. */
static void a_deleted_fragment_keeps_its_bytes_until_the_last_hold_ends(void **state)
{
    struct sb_rig *rig = *state;
    struct held x, y;
    uint64_t full;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, BYTES), 0);
    assert_int_equal(sb_rig_put(rig, 2, BYTES), 0);
    assert_int_equal(hold(rig, &x, 1), 0);
    assert_int_equal(hold(rig, &y, 1), 0);
    full = allocated(rig);
    assert_int_equal(sb_rig_del(rig, 1), 0);
    assert_int_equal(sb_rig_del(rig, 2), 0);
    for (unsigned i = 0; i < 1000 && allocated(rig) > full - BYTES + SLACK; i++)
        usleep(5000); /* what is not held is given back beside it */
    assert_true(allocated(rig) <= full - BYTES + SLACK);
    chunk_store_unhold(rig->ss.s, &x.h);
    usleep(1100000); /* two ticks: nothing to await, for nothing may happen */
    assert_true(bytes_are(&y, 1));
    assert_true(allocated(rig) > full - 2 * BYTES + SLACK);
    chunk_store_unhold(rig->ss.s, &y.h);
    for (unsigned i = 0; i < 1000 && allocated(rig) > full - 2 * BYTES + SLACK; i++)
        usleep(5000);
    assert_true(allocated(rig) <= full - 2 * BYTES + SLACK);
    sb_rig_close(rig);
}

static void places_are_told_apart(void **state)
{
    struct store_hold a = { 0 }, b = { 0 };
    struct sb_holds t;

    (void)state;
    sb_holds_init(&t);
    assert_false(sb_holds_cover(&t, 1, 2 * 4096));
    sb_holds_add(&t, &a, 1, 1);
    sb_holds_add(&t, &b, 1, 1);
    assert_true(sb_holds_cover(&t, 1, 2 * 4096));
    assert_false(sb_holds_cover(&t, 2, 2 * 4096));
    assert_false(sb_holds_cover(&t, 1, 3 * 4096));
    sb_holds_remove(&t, &a);
    assert_true(sb_holds_cover(&t, 1, 2 * 4096));
    sb_holds_remove(&t, &b);
    assert_false(sb_holds_cover(&t, 1, 2 * 4096));
    assert_int_equal(t.count, 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, sb_rig_setup_disk, sb_rig_teardown)
    const struct CMUnitTest tests[] = {
        T(a_hold_says_where_the_bytes_are_and_what_they_are),
        T(what_is_not_there_cannot_be_held),
        T(a_hold_at_once_is_given_for_what_is_in_memory),
        T(a_deleted_fragment_keeps_its_bytes_until_the_last_hold_ends),
        cmocka_unit_test(places_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
