/* Checkpoints: what they save, what they may not hide, and what their loss costs. */
#include "common/assert.h"
#include "common/err.h"
#include "common/rand.h"
#include "tests/support/sb_model.h"
#include "tests/support/sb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FRAG 100000u

struct newest {
    char name[64];
    uint64_t bytes;
};

static int newest_one(void *arg, const char *name, uint64_t file_bytes)
{
    struct newest *n = arg;

    if (strncmp(name, "idx-", 4) == 0 && strcmp(name, n->name) > 0) {
        snprintf(n->name, sizeof(n->name), "%s", name);
        n->bytes = file_bytes;
    }
    return 0;
}

static struct newest newest_checkpoint(const struct sb_rig *rig)
{
    struct vs_io *io = sb_rig_io(rig);
    struct newest n = { 0 };

    assert_int_equal(vs_io_list(io, newest_one, &n), 0);
    vs_io_free(io);
    assert_true(n.bytes > 0);
    return n;
}

static void a_start_walks_only_what_came_after_the_checkpoint(void **state)
{
    struct sb_rig *rig = *state;

    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 40; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    assert_int_equal(sb_rig_del(rig, 7), 0);
    assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
    assert_int_equal(sb_rig_put(rig, 40, FRAG), 0);
    assert_int_equal(sb_rig_del(rig, 8), 0);
    sb_rig_crash(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_true(rig->recovery.from_checkpoint);
    assert_false(rig->recovery.clean);
    assert_int_equal(rig->recovery.records, 2);
    assert_int_equal(rig->recovery.fragments, 39);
    for (uint64_t n = 0; n <= 40; n++)
        assert_int_equal(sb_rig_check(rig, n, FRAG), n == 7 || n == 8 ? -ENOENT : 0);
}

static void one_that_was_reported_is_there_when_the_power_goes(void **state)
{
    struct sb_rig *rig = *state;

    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(sb_rig_open(rig), 0);
        assert_int_equal(sb_rig_put(rig, seed, FRAG), 0);
        assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
        sim_io_cut_now(rig->sim);
        sb_rig_close(rig);
        sim_io_restore_power(rig->sim, seed);
        assert_int_equal(sb_rig_open(rig), 0);
        assert_true(rig->recovery.from_checkpoint);
        assert_int_equal(rig->recovery.records, 0); /* nothing that it did not know */
        assert_int_equal(rig->recovery.fragments, seed + 1);
        sb_rig_close(rig);
    }
}

static void the_last_two_are_kept(void **state)
{
    struct sb_rig *rig = *state;

    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 5; n++) {
        assert_int_equal(sb_rig_put(rig, n, 10), 0);
        assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
        assert_int_equal(sb_rig_files(rig, "idx-", NULL), n == 0 ? 1 : 2);
    }
    sb_rig_close(rig);
    assert_int_equal(sb_rig_files(rig, "idx-", NULL), 2);
}

/* Any bit, anywhere in the newest one: it is passed over, the one before and a walk tell the same.
 */
static void a_rotten_checkpoint_is_passed_over(void **state)
{
    struct sb_rig *rig = *state;
    struct vs_rand r;

    vs_rand_init(&r, 3);
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 30; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    for (unsigned round = 0; round < 60; round++) {
        struct newest n;
        uint64_t at;

        assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
        assert_int_equal(sb_rig_del(rig, round % 30), 0);
        assert_int_equal(sb_rig_put(rig, round % 30, FRAG), 0);
        assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
        sb_rig_crash(rig);
        n = newest_checkpoint(rig);
        at = round < 20 ? round * n.bytes / 20 : vs_rand_below(&r, n.bytes);
        sb_rig_flip(rig, n.name, at, (unsigned)vs_rand_below(&r, 8));
        assert_int_equal(sb_rig_open(rig), 0);
        assert_true(rig->recovery.from_checkpoint);
        assert_int_equal(rig->recovery.corrupt, 0);
        assert_true(rig->recovery.records >= 1); /* the one before was used, and the put walked */
        for (uint64_t i = 0; i < 30; i++)
            assert_int_equal(sb_rig_check(rig, i, FRAG), 0);
    }
}

static void both_rotten_and_the_files_tell(void **state)
{
    struct sb_rig *rig = *state;

    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 30; n++)
        assert_int_equal(sb_rig_put(rig, n, FRAG), 0);
    assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
    assert_int_equal(sb_rig_del(rig, 3), 0);
    sb_rig_close(rig);
    sb_rig_flip(rig, "idx-0000000000000001.ckpt", 5000, 0);
    sb_rig_flip(rig, "idx-0000000000000002.ckpt", 5000, 0);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_false(rig->recovery.from_checkpoint);
    assert_false(rig->recovery.clean);
    assert_int_equal(rig->recovery.fragments, 29);
    for (uint64_t n = 0; n < 30; n++)
        assert_int_equal(sb_rig_check(rig, n, FRAG), n == 3 ? -ENOENT : 0);
}

/* ---- taken in the middle of things ------------------------------------------------------------
 */

/* Requests whose callbacks take a checkpoint, before the store has cleaned up behind them. */
struct hooked {
    struct store_put put;
    struct store_del del;
    struct sb_rig *rig;
    int status;
};

static void hooked_del_done(struct store_del *d)
{
    struct hooked *h = vs_container_of(d, struct hooked, del);

    h->status = d->status < 0 ? d->status : sb_store_checkpoint(h->rig->ss.s);
}

static void hooked_put_done(struct store_put *p)
{
    struct hooked *h = vs_container_of(p, struct hooked, put);

    VS_ASSERT(p->status == 0);
    h->del = (struct store_del){ .key = sync_key(0), .done = hooked_del_done };
    chunk_store_del(h->rig->ss.s, &h->del);
}

/* The put rolls over to a new file, whose TOMB then names a record of the old one; the checkpoint
 * comes before the old one is sealed. The SEAL lists the dead record, and the TOMB lies before what
 * a start walks. */
static void a_seal_written_after_the_checkpoint_brings_nothing_back(void **state)
{
    static const struct frag_note note = { .red = { VS_RED_RS, 3, 2 } };
    struct sb_rig *rig = *state;
    uint8_t *data = sync_bytes(99, FRAG);
    struct hooked h = { .rig = rig, .status = 1 };
    uint64_t n = 0;

    assert_int_equal(sb_rig_open(rig), 0);
    while (sb_rig_files(rig, "sb-", NULL) < 2) {
        h.put = (struct store_put){ .key = sync_key(100 + n),
                                    .note = &note,
                                    .data = data,
                                    .bytes = FRAG,
                                    .done = hooked_put_done };
        vs_sha256(data, FRAG, h.put.sha256);
        assert_int_equal(sb_rig_put(rig, 0, FRAG), 0);
        chunk_store_put(rig->ss.s, &h.put);
        sb_store_run(rig->ss.s);
        assert_int_equal(h.status, 0);
        assert_true(++n < 100);
    }
    sb_rig_crash(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_check(rig, 0, FRAG), -ENOENT);
    free(data);
}

/* The crash comes after TOMB and checkpoint, before the hole was punched. */
static void a_payload_that_was_not_punched_yet_is_punched_after_the_crash(void **state)
{
    struct sb_rig *rig = *state;
    struct hooked h = { .rig = rig, .status = 1 };
    uint64_t before, after;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 0, 10 * FRAG), 0);
    assert_int_equal(sb_rig_put(rig, 1, 10), 0);
    sb_rig_files(rig, "sb-", &before);
    sim_io_fail_at(rig->sim, SIM_IO_PUNCH, 0, -ENOSPC, true);
    h.del = (struct store_del){ .key = sync_key(0), .done = hooked_del_done };
    chunk_store_del(rig->ss.s, &h.del);
    sb_store_run(rig->ss.s);
    assert_int_equal(h.status, 0);
    sb_rig_files(rig, "sb-", &after);
    assert_int_equal(after, before);
    sb_rig_crash(rig);
    sim_io_fail_at(rig->sim, SIM_IO_PUNCH, UINT64_MAX / 2, -EIO, false);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(rig->recovery.records, 0); /* no TOMB was walked that could tell */
    sb_store_run(rig->ss.s);
    sb_rig_files(rig, "sb-", &after);
    assert_true(after + 9 * FRAG < before);
    assert_int_equal(sb_rig_check(rig, 1, 10), 0);
}

static void no_room_for_a_checkpoint_is_no_harm(void **state)
{
    struct sb_rig *rig = *state;
    struct store_health h;

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    sim_io_set_capacity(rig->sim, 4096);
    sim_io_fail_at(rig->sim, SIM_IO_ALLOCATE, 0, -ENOSPC, true);
    assert_int_equal(sb_store_checkpoint(rig->ss.s), -ENOSPC);
    chunk_store_health(rig->ss.s, &h);
    assert_int_equal(h.state, STORE_UP);
    assert_int_equal(sb_rig_files(rig, "idx", NULL), 0);
    assert_int_equal(sb_rig_check(rig, 1, FRAG), 0);
    sb_rig_crash(rig);
    sim_io_set_capacity(rig->sim, SIM_IO_CAPACITY_BYTES_DEFAULT);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_check(rig, 1, FRAG), 0);
}

/* ---- by time ----------------------------------------------------------------------------------
 */

static int64_t hand_ns;

static int64_t hand_now(const struct vs_clock *c)
{
    (void)c;
    return hand_ns;
}

static void it_is_taken_every_checkpoint_s_seconds_when_something_changed(void **state)
{
    static const struct vs_clock hand = { hand_now, hand_now };
    struct sb_rig *rig = *state;

    rig->config.clock = &hand;
    rig->config.checkpoint_s = 60;
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, FRAG), 0);
    hand_ns += 59 * VS_NS_PER_S;
    sb_store_run(rig->ss.s);
    assert_int_equal(sb_rig_files(rig, "idx-", NULL), 0);
    hand_ns += VS_NS_PER_S;
    sb_store_run(rig->ss.s);
    assert_int_equal(sb_rig_files(rig, "idx-", NULL), 1);
    hand_ns += 600 * VS_NS_PER_S;
    sb_store_run(rig->ss.s);
    assert_int_equal(sb_rig_files(rig, "idx-", NULL), 1);
}

#define ON_SIM(test) cmocka_unit_test_setup_teardown(test, sb_rig_setup_sim, sb_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(a_start_walks_only_what_came_after_the_checkpoint),
        ON_SIM(one_that_was_reported_is_there_when_the_power_goes),
        ON_SIM(the_last_two_are_kept),
        ON_SIM(a_rotten_checkpoint_is_passed_over),
        ON_SIM(both_rotten_and_the_files_tell),
        ON_SIM(a_seal_written_after_the_checkpoint_brings_nothing_back),
        ON_SIM(a_payload_that_was_not_punched_yet_is_punched_after_the_crash),
        ON_SIM(no_room_for_a_checkpoint_is_no_harm),
        ON_SIM(it_is_taken_every_checkpoint_s_seconds_when_something_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
