/* Walking a superblock file: from header to header, over what is broken, to the end. */
#include "common/assert.h"
#include "common/err.h"
#include "node/sb_walk.h"
#include "tests/support/sb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAME   "sb-0000000000000001.dat"
#define FRAGS  6u
#define BYTES  70000u
#define RECORD (4096u + 18 * 4096u)

struct seen {
    struct sb_walk w;
    unsigned records, tombs, bad, gaps, stop_after;
    uint64_t gap_from, gap_to;
    uint64_t good_bytes;
};

static int on_record(void *arg, const struct sb_walk_record *r)
{
    struct seen *seen = arg;

    seen->records++;
    seen->tombs += r->rec->type == SB_TOMB;
    seen->bad += !r->good;
    assert_true(r->rec->type != SB_TOMB || !r->good || r->payload != NULL);
    if (r->good)
        seen->good_bytes += r->rec->payload_bytes;
    return seen->records == seen->stop_after ? 77 : 0;
}

static int on_gap(void *arg, uint64_t from, uint64_t to, uint64_t seq)
{
    struct seen *seen = arg;

    (void)seq;
    seen->gaps++;
    seen->gap_from = from;
    seen->gap_to = to;
    return 0;
}

/* Six fragments and a TOMB of the third (whose payload is a hole), as a stopped store leaves them.
 */
static void fill(struct sb_rig *rig)
{
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < FRAGS; n++)
        assert_int_equal(sb_rig_put(rig, n, BYTES), 0);
    assert_int_equal(sb_rig_del(rig, 2), 0);
    sb_rig_close(rig);
}

static int walk(struct sb_rig *rig, enum sb_walk_check check, struct seen *seen)
{
    struct vs_io *io = sb_rig_io(rig);
    struct sb_super super;
    struct vs_file *f;
    unsigned bad;
    int r;

    assert_int_equal(vs_io_open(io, NAME, VS_IO_READ | VS_IO_DIRECT, &f), 0);
    assert_int_equal(sb_file_read_super(f, 1, &super, &bad), 0);
    seen->w = (struct sb_walk){ .f = f,
                                .id = 1,
                                .salt = super.salt,
                                .from = SB_RECORDS_OFFSET,
                                .last_seq = super.prev_seq,
                                .check = check,
                                .arg = seen,
                                .record = on_record,
                                .gap = on_gap };
    assert_int_equal(vs_file_size(f, &seen->w.to), 0);
    r = sb_walk_run(&seen->w);
    vs_file_close(f);
    vs_io_free(io);
    return r;
}

static void a_whole_file_is_walked_to_its_end(void **state)
{
    struct sb_rig *rig = *state;

    fill(rig);
    for (enum sb_walk_check check = SB_WALK_HEADERS; check <= SB_WALK_ALL; check++) {
        struct seen seen = { 0 };

        assert_int_equal(walk(rig, check, &seen), 0);
        assert_int_equal(seen.records, FRAGS + 1);
        assert_int_equal(seen.tombs, 1);
        assert_int_equal(seen.gaps, 0);
        assert_int_equal(seen.bad, check == SB_WALK_HEADERS ? 0 : 1); /* the hole */
        assert_int_equal(seen.w.end, SB_RECORDS_OFFSET + FRAGS * RECORD + 2 * 4096);
        assert_int_equal(seen.w.end, seen.w.to);
        assert_int_equal(seen.w.nonzero_end, seen.w.end);
        assert_int_equal(seen.w.last_seq, FRAGS + 1);
    }
}

static void a_broken_header_is_a_gap_up_to_the_next_good_one(void **state)
{
    struct sb_rig *rig = *state;
    struct seen seen = { 0 };

    fill(rig);
    sb_rig_flip(rig, NAME, SB_RECORDS_OFFSET + RECORD + 500, 1);
    assert_int_equal(walk(rig, SB_WALK_CRC, &seen), 0);
    assert_int_equal(seen.records, FRAGS);
    assert_int_equal(seen.gaps, 1);
    assert_int_equal(seen.gap_from, SB_RECORDS_OFFSET + RECORD);
    assert_int_equal(seen.gap_to, SB_RECORDS_OFFSET + 2 * RECORD);
    assert_int_equal(seen.w.last_seq, FRAGS + 1);
}

static void a_broken_payload_is_told_with_its_record(void **state)
{
    struct sb_rig *rig = *state;

    fill(rig);
    sb_rig_flip(rig, NAME, SB_RECORDS_OFFSET + 4096 + 69999, 1); /* last byte of fragment 0 */
    sb_rig_flip(rig, NAME, SB_RECORDS_OFFSET + RECORD + 4096 + 70001, 1); /* padding of 1 */
    for (enum sb_walk_check check = SB_WALK_HEADERS; check <= SB_WALK_ALL; check++) {
        struct seen seen = { 0 };

        assert_int_equal(walk(rig, check, &seen), 0);
        assert_int_equal(seen.records, FRAGS + 1);
        assert_int_equal(seen.bad, check == SB_WALK_HEADERS ? 0 : check == SB_WALK_CRC ? 2 : 3);
    }
}

static void a_torn_tail_is_a_gap_and_zeros_behind_it_are_none(void **state)
{
    struct sb_rig *rig = *state;
    struct seen seen = { 0 };
    struct vs_io *io;
    struct vs_file *f;
    uint64_t bytes;

    fill(rig);
    io = sb_rig_io(rig);
    assert_int_equal(vs_io_open(io, NAME, VS_IO_WRITE, &f), 0);
    assert_int_equal(vs_file_size(f, &bytes), 0);
    assert_int_equal(vs_file_allocate(f, bytes, 1u << 20), 0);
    assert_int_equal(vs_file_pwrite(f, "torn", 4, bytes + 3 * 4096), 0);
    assert_int_equal(vs_file_fdatasync(f), 0);
    vs_file_close(f);
    vs_io_free(io);
    assert_int_equal(walk(rig, SB_WALK_CRC, &seen), 0);
    assert_int_equal(seen.records, FRAGS + 1);
    assert_int_equal(seen.gaps, 1);
    assert_int_equal(seen.gap_from, bytes);
    assert_int_equal(seen.gap_to, bytes + 4 * 4096);
    assert_int_equal(seen.w.end, bytes);
    assert_int_equal(seen.w.nonzero_end, bytes + 4 * 4096);
}

static void what_the_disk_cannot_read_is_broken_and_not_the_end(void **state)
{
    struct sb_rig *rig = *state;

    fill(rig);
    for (uint64_t nth = 2; nth < 12; nth++) { /* the first two reads are the headers of the file */
        struct seen seen = { 0 };

        sim_io_fail_at(rig->sim, SIM_IO_READ, nth, -EIO, false);
        assert_int_equal(walk(rig, SB_WALK_HEADERS, &seen), 0);
        assert_in_range(seen.records, FRAGS, FRAGS + 1);
        assert_true(sim_io_fault_fired(rig->sim, SIM_IO_READ) || nth > 8);
    }
}

static void a_callback_ends_the_walk_with_its_result(void **state)
{
    struct sb_rig *rig = *state;
    struct seen seen = { .stop_after = 3 };

    fill(rig);
    assert_int_equal(walk(rig, SB_WALK_CRC, &seen), 77);
    assert_int_equal(seen.records, 3);
}

/* A header that a user's payload carries, copied from another file of the store, is payload. */
static void a_header_inside_a_payload_is_payload(void **state)
{
    struct sb_rig *rig = *state;
    struct sb_record rec = { .type = SB_DATA,
                             .seq = 100,
                             .sb = 1,
                             .offset = SB_RECORDS_OFFSET + 2 * 4096,
                             .birth = 100,
                             .key = sync_key(666),
                             .note = { .red = { VS_RED_RS, 3, 2 } } };
    struct frag_key key = sync_key(5);
    uint8_t *payload = calloc(4, 4096);
    struct seen seen = { 0 };

    vs_sha256("", 0, rec.sha256);
    sb_record_encode(&rec, 12345, payload + 4096); /* its place fits, the salt is another */
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sync_put(&rig->ss, &key, NULL, payload, 4 * 4096), 0);
    sb_rig_close(rig);
    sb_rig_flip(rig, NAME, SB_RECORDS_OFFSET + 20, 0); /* now the walk steps through the payload */
    assert_int_equal(walk(rig, SB_WALK_CRC, &seen), 0);
    assert_int_equal(seen.records, 0);
    assert_int_equal(seen.gaps, 1);
    free(payload);
}

#define ON_SIM(test) cmocka_unit_test_setup_teardown(test, sb_rig_setup_sim, sb_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(a_whole_file_is_walked_to_its_end),
        ON_SIM(a_broken_header_is_a_gap_up_to_the_next_good_one),
        ON_SIM(a_broken_payload_is_told_with_its_record),
        ON_SIM(a_torn_tail_is_a_gap_and_zeros_behind_it_are_none),
        ON_SIM(what_the_disk_cannot_read_is_broken_and_not_the_end),
        ON_SIM(a_callback_ends_the_walk_with_its_result),
        ON_SIM(a_header_inside_a_payload_is_payload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
