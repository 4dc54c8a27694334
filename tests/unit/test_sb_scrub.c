/* Rot: a single flipped bit anywhere in a superblock file is found, by the reader or by scrub, is
 * never handed out, and is healed by a put or by the other copy. */
#include "common/assert.h"
#include "common/err.h"
#include "common/rand.h"
#include "node/sb_format.h"
#include "tests/support/sb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FRAGS 6u
#define BYTES 70000u

struct told {
    unsigned count;
    struct frag_key key;
};

static void tell(void *arg, const struct frag_key *key)
{
    struct told *told = arg;

    told->count++;
    told->key = *key;
}

/* Six fragments, the third deleted, in one file: header, DATA, TOMB, a hole. */
static void fill(struct sb_rig *rig)
{
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < FRAGS; n++)
        assert_int_equal(sb_rig_put(rig, n, BYTES), 0);
    assert_int_equal(sb_rig_del(rig, 2), 0);
    /* The hole too is on the disk, so that rot in it is rot. */
    assert_int_equal(sim_io_write_back(rig->sim, "sb-0000000000000001.dat"), 0);
}

static void a_whole_store_scrubs_clean(void **state)
{
    struct sb_rig *rig = *state;
    struct told told = { 0 };

    fill(rig);
    assert_int_equal(sb_store_scrub(rig->ss.s, tell, &told), 0);
    for (uint64_t n = FRAGS; n < 60; n++) /* roll over, seal, remove nothing */
        assert_int_equal(sb_rig_put(rig, n, BYTES), 0);
    assert_true(sb_rig_files(rig, "sb-", NULL) > 3);
    assert_int_equal(sb_store_scrub(rig->ss.s, tell, &told), 0);
    sb_rig_crash(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_store_scrub(rig->ss.s, tell, &told), 0);
    assert_int_equal(told.count, 0);
}

/* One bit flipped in a store that runs. Found, told, not served; healed; clean again. */
static void flip_and_heal(struct sb_rig *rig, const char *name, uint64_t at, unsigned bit)
{
    struct told told = { 0 };
    bool served_wrong = false;
    int found;

    sb_rig_flip(rig, name, at, bit);
    for (uint64_t n = 0; n < FRAGS; n++) {
        int r = sb_rig_check(rig, n, BYTES);

        /* sync_check verifies like a reader; -VS_ECORRUPT is what the verification says */
        served_wrong = served_wrong || (r != 0 && r != -VS_ECORRUPT && n != 2);
    }
    assert_false(served_wrong);
    found = sb_store_scrub(rig->ss.s, tell, &told);
    if (found < 1)
        fail_msg("byte %d bit %u of %s was not found", (int)at, bit, name);
    if (told.count == 1) { /* as repair does: the same bytes again */
        uint64_t n = vs_id_seq(&told.key.chunk);

        assert_int_equal(sb_store_known_bad(rig->ss.s, NULL, NULL), 1);
        assert_int_equal(sb_rig_put(rig, n, BYTES), 0);
        assert_int_equal(sb_rig_check(rig, n, BYTES), 0);
        assert_int_equal(sb_store_known_bad(rig->ss.s, NULL, NULL), 0);
    }
    assert_true(told.count <= 1);
    for (uint64_t n = 0; n < FRAGS; n++)
        assert_int_equal(sb_rig_check(rig, n, BYTES), n == 2 ? -ENOENT : 0);
}

static void every_part_of_a_file_is_covered(void **state)
{
    struct sb_rig *rig = *state;
    const uint64_t record = 4096 + 18 * 4096; /* of BYTES bytes */
    struct vs_rand r;

    vs_rand_init(&r, 5);
    for (unsigned round = 0; round < 150; round++) {
        uint64_t end = SB_RECORDS_OFFSET + FRAGS * record + 2 * 4096;
        uint64_t at;
        struct vs_io *io;

        sim_io_reset(rig->sim);
        io = sb_rig_io(rig);
        assert_int_equal(sb_store_format(io, &rig->config.cluster, &rig->config.node), 0);
        vs_io_free(io);
        fill(rig);
        switch (round % 5) {
        case 0: /* both copies of the file's header */
            at = vs_rand_below(&r, SB_RECORDS_OFFSET);
            break;
        case 1: /* a record's header */
            at = SB_RECORDS_OFFSET + vs_rand_below(&r, FRAGS) * record + vs_rand_below(&r, 4096);
            break;
        case 2: /* padding of a live payload */
            at = SB_RECORDS_OFFSET + 4096 + BYTES + vs_rand_below(&r, record - 4096 - BYTES);
            break;
        case 3: /* the TOMB: header, entry, padding */
            at = end - 2 * 4096 + vs_rand_below(&r, 2 * 4096);
            break;
        default:
            at = vs_rand_below(&r, end);
            break;
        }
        flip_and_heal(rig, "sb-0000000000000001.dat", at, (unsigned)vs_rand_below(&r, 8));
        sb_rig_crash(rig);
    }
}

/* ---- every bit --------------------------------------------------------------------------------
 */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SPARSE 10007
#else
#define SPARSE 1009
#endif

/* A store with one of everything in two small files: both headers, payloads with and without
 * padding, an empty one, a hole, TOMBs, a SEAL; and checkpoints. */
static const size_t small_bytes[] = { 0, 1, 4096, 5000, 66000, 300 };
#define SMALLS (sizeof(small_bytes) / sizeof(small_bytes[0]))

static void fill_small(struct sb_rig *rig)
{
    rig->config.file_bytes = 120000;
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < SMALLS; n++)
        assert_int_equal(sb_rig_put(rig, n, small_bytes[n]), 0);
    assert_int_equal(sb_rig_del(rig, 2), 0);
    assert_int_equal(sb_rig_put(rig, 2, small_bytes[2]), 0);
    while (sb_rig_files(rig, "sb-", NULL) < 2) /* until the first is full, and sealed */
        assert_int_equal(sb_rig_put(rig, 50 + sim_io_mutations(rig->sim), 4000), 0);
    assert_int_equal(sb_rig_put(rig, 49, 4000), 0);
    assert_int_equal(sb_rig_del(rig, 1), 0);
    assert_int_equal(sb_rig_put(rig, 1, small_bytes[1]), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sb_store_checkpoint(rig->ss.s), 0);
    assert_int_equal(sim_io_write_back(rig->sim, "sb-0000000000000001.dat"), 0);
    assert_int_equal(sim_io_write_back(rig->sim, "sb-0000000000000002.dat"), 0);
    assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 0);
}

static uint8_t byte_of(struct sb_rig *rig, const char *name, uint64_t at)
{
    struct vs_io *io = sb_rig_io(rig);
    struct vs_file *f;
    uint8_t byte;

    assert_int_equal(vs_io_open(io, name, VS_IO_READ, &f), 0);
    assert_int_equal(vs_file_pread_full(f, &byte, 1, at), 0);
    vs_file_close(f);
    vs_io_free(io);
    return byte;
}

/* A read gives the right bytes, or an error, whatever is flipped. */
static void check_smalls(struct sb_rig *rig, bool whole)
{
    for (uint64_t n = 0; n < SMALLS; n++) {
        int r = sb_rig_check(rig, n, small_bytes[n]);

        if (r != 0 && (whole || r != -VS_ECORRUPT))
            fail_msg("fragment %d reads as %d", (int)n, r);
    }
}

/* All bits of a file from the `first` on, every `stride`th; the number of those flipped. */
static unsigned flip_all(struct sb_rig *rig, const char *name, uint64_t first, uint64_t stride)
{
    uint64_t bytes, to;
    unsigned flips = 0;

    assert_int_equal(sim_io_file_bytes(rig->sim, name, &bytes), 0);
    to = bytes;
    while (to > 0 &&
           byte_of(rig, name, to - 1) == 0) /* behind the last record nothing is written */
        to--;
    to = (to + SB_BLOCK_BYTES - 1) / SB_BLOCK_BYTES * SB_BLOCK_BYTES;
    for (uint64_t bit = first; bit < 8 * to && bit < 8 * bytes; bit += stride, flips++) {
        uint8_t before = byte_of(rig, name, bit / 8);

        sb_rig_flip(rig, name, bit / 8, (unsigned)(bit % 8));
        check_smalls(rig, false);
        if (sb_store_scrub(rig->ss.s, NULL, NULL) < 1)
            fail_msg("bit %d of byte %d of %s was not found", (int)(bit % 8), (int)(bit / 8), name);
        if (byte_of(rig, name, bit / 8) != before) /* headers of files are repaired on the way */
            sb_rig_flip(rig, name, bit / 8, (unsigned)(bit % 8));
    }
    assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 0);
    check_smalls(rig, true);
    return flips;
}

/* What is allocated behind the last record is no part of the store. VS_SWEEP=50 (make test-long):
 * every byte, and each of its bits as often as the others; VS_SWEEP=1000: every bit. */
static void every_flipped_bit_is_found_and_none_is_served(void **state)
{
    const char *word = getenv("VS_SWEEP");
    unsigned long sweep = word != NULL ? strtoul(word, NULL, 10) : 1;
    uint64_t stride = sweep >= 1000 ? 1 : sweep >= 45 ? 7 : SPARSE / (sweep < 1 ? 1 : sweep);
    struct sb_rig *rig = *state;
    unsigned flips = 0;

    fill_small(rig);
    flips += flip_all(rig, "sb-0000000000000001.dat", 0, stride);
    flips += flip_all(rig, "sb-0000000000000002.dat", stride / 2, stride);
    flips += flip_all(rig, "store.id", stride / 3, stride);
    print_message("%u bits flipped, one at a time, all found, none served\n", flips);
    assert_true(flips > 1000000 / SPARSE);
}

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

/* Scrub writes new ones, so each flip is in another file. */
static void every_flipped_bit_of_a_checkpoint_is_found(void **state)
{
    const char *word = getenv("VS_SWEEP");
    uint64_t stride = word != NULL ? 1 : SPARSE / 10, bits = 1;
    struct sb_rig *rig = *state;
    unsigned flips = 0;

    fill_small(rig);
    for (uint64_t bit = 0; bit < bits; bit += stride, flips++) {
        struct newest n = { 0 };
        struct vs_io *io = sb_rig_io(rig);

        assert_int_equal(vs_io_list(io, newest_one, &n), 0);
        vs_io_free(io);
        bits = 8 * n.bytes;
        sb_rig_flip(rig, n.name, bit / 8, (unsigned)(bit % 8));
        assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 1);
    }
    assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 0);
    print_message("%u bits of checkpoints flipped, one at a time, all found\n", flips);
    assert_true(flips > 300000 / SPARSE);
}

static void a_rotten_header_of_a_file_is_written_again(void **state)
{
    struct sb_rig *rig = *state;

    fill(rig);
    for (unsigned copies = 1; copies <= 2; copies++) {
        for (unsigned copy = 0; copy < copies; copy++)
            sb_rig_flip(rig, "sb-0000000000000001.dat", copy * 4096 + 100, 1);
        assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), (int)copies);
        assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 0);
    }
    sb_rig_close(rig);
    for (unsigned copy = 0; copy < 2;
         copy++) { /* while stopped, both: the checkpoint has the salt */
        sb_rig_flip(rig, "sb-0000000000000001.dat", copy * 4096 + 100, 1);
    }
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < FRAGS; n++)
        assert_int_equal(sb_rig_check(rig, n, BYTES), n == 2 ? -ENOENT : 0);
    assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 2);
    assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 0);
}

static void a_rotten_seal_is_found(void **state)
{
    struct sb_rig *rig = *state;
    uint64_t bytes;

    fill(rig);
    for (uint64_t n = FRAGS; n < 20; n++)
        assert_int_equal(sb_rig_put(rig, n, BYTES), 0);
    assert_int_equal(sim_io_file_bytes(rig->sim, "sb-0000000000000001.dat", &bytes), 0);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t at = bytes - (i == 0 ? 8192 : i == 1 ? 4000 : 10); /* header, index, trailer */

        sb_rig_flip(rig, "sb-0000000000000001.dat", at, 0);
        assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 1);
        sb_rig_flip(rig, "sb-0000000000000001.dat", at, 0);
        assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 0);
    }
}

static void a_file_that_vanished_is_told_fragment_by_fragment(void **state)
{
    struct sb_rig *rig = *state;
    struct told told = { 0 };
    struct vs_io *io;

    fill(rig);
    for (uint64_t n = FRAGS; n < 30; n++)
        assert_int_equal(sb_rig_put(rig, n, BYTES), 0);
    io = sb_rig_io(rig);
    assert_int_equal(vs_io_unlink(io, "sb-0000000000000001.dat"), 0);
    vs_io_free(io);
    assert_true(sb_store_scrub(rig->ss.s, tell, &told) >= (int)FRAGS);
    assert_true(told.count >= FRAGS);
    assert_int_equal(sb_rig_put(rig, 0, BYTES), 0);
    assert_int_equal(sb_rig_check(rig, 0, BYTES), 0);
}

/* Found at a start, in what no checkpoint covers: counted, served as far as it is whole, healed by
 * a put, and the record that was replaced does not come back. */
static void rot_found_by_recovery_is_counted_and_healed(void **state)
{
    struct sb_rig *rig = *state;

    fill(rig);
    assert_int_equal(sb_rig_put(rig, 50, BYTES), 0); /* a later record: the others were durable */
    sb_rig_crash(rig);
    sb_rig_flip(rig, "sb-0000000000000001.dat", SB_RECORDS_OFFSET + 4096 + 66000, 0);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(rig->recovery.corrupt, 1);
    assert_int_equal(rig->recovery.unknown, 0);
    assert_int_equal(sb_rig_check(rig, 0, BYTES), -VS_ECORRUPT);
    {
        uint8_t dst[FRAG_BLOCK_BYTES];
        struct store_get g = { .key = sync_key(0), .bytes = FRAG_BLOCK_BYTES, .dst = dst };

        assert_int_equal(sync_get(&rig->ss, &g), 0); /* the first block is whole */
        assert_int_equal(frag_verify(&g, frag_table_crc(g.crc, 2), BYTES), 0);
    }
    assert_int_equal(sb_rig_put(rig, 0, BYTES), 0);
    assert_int_equal(sb_rig_check(rig, 0, BYTES), 0);
    sb_rig_crash(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(rig->recovery.corrupt, 0);
    assert_int_equal(sb_rig_check(rig, 0, BYTES), 0);
    assert_int_equal(sb_rig_del(rig, 0), 0);
    sb_rig_crash(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_check(rig, 0, BYTES), -ENOENT);
}

#define ON_SIM(test) cmocka_unit_test_setup_teardown(test, sb_rig_setup_sim, sb_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(a_whole_store_scrubs_clean),
        ON_SIM(every_part_of_a_file_is_covered),
        ON_SIM(every_flipped_bit_is_found_and_none_is_served),
        ON_SIM(every_flipped_bit_of_a_checkpoint_is_found),
        ON_SIM(a_rotten_header_of_a_file_is_written_again),
        ON_SIM(a_rotten_seal_is_found),
        ON_SIM(a_file_that_vanished_is_told_fragment_by_fragment),
        ON_SIM(rot_found_by_recovery_is_counted_and_healed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
