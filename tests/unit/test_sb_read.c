/* Answers that are not what was asked for: misdirected, swapped and stale records. Either the store
 * says that it cannot answer, or the reader's check of the answer says no; nothing passes both. */
#include "common/assert.h"
#include "common/err.h"
#include "node/sb_format.h"
#include "tests/support/sb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES        150000u
#define FILE_NAME    "sb-0000000000000001.dat"
#define RECORD_BYTES (SB_BLOCK_BYTES + 37 * SB_BLOCK_BYTES)

static uint64_t record_at(uint64_t n)
{
    return SB_RECORDS_OFFSET + n * RECORD_BYTES;
}

/* Four fragments of the same length, and what the register knows of them. */
static void fill(struct sb_rig *rig, uint32_t table_crc[4])
{
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 4; n++) {
        struct frag_key key = sync_key(n);
        struct store_stat st = { 0 };

        assert_int_equal(sb_rig_put(rig, n, BYTES), 0);
        assert_int_equal(sync_stat(&rig->ss, &key, &st), 0);
        table_crc[n] = st.table_crc;
    }
}

/* What a reader gets of fragment `n`: the store's error, or what its own check says. */
static int read_checked(struct sb_rig *rig, uint64_t n, uint32_t table_crc)
{
    uint8_t *dst = malloc(BYTES), *want = sync_bytes(n, BYTES);
    struct store_get g = { .key = sync_key(n), .bytes = BYTES, .dst = dst };
    int r;

    r = sync_get(&rig->ss, &g);
    if (r == 0)
        r = frag_verify(&g, table_crc, BYTES);
    if (r == 0 && memcmp(dst, want, BYTES) != 0)
        fail_msg("fragment %d: wrong bytes passed every check", (int)n);
    free(want);
    free(dst);
    return r;
}

/* What the store says by itself. */
static int read_unchecked(struct sb_rig *rig, uint64_t n)
{
    uint8_t *dst = malloc(BYTES);
    struct store_get g = { .key = sync_key(n), .bytes = BYTES, .dst = dst };
    int r = sync_get(&rig->ss, &g);

    free(dst);
    return r;
}

static void read_file(struct sb_rig *rig, void *dst, size_t len, uint64_t offset)
{
    struct vs_io *io = sb_rig_io(rig);
    struct vs_file *f;

    assert_int_equal(vs_io_open(io, FILE_NAME, VS_IO_READ, &f), 0);
    assert_int_equal(vs_file_pread_full(f, dst, len, offset), 0);
    vs_file_close(f);
    vs_io_free(io);
}

static void write_file(struct sb_rig *rig, const void *src, size_t len, uint64_t offset)
{
    struct vs_io *io = sb_rig_io(rig);
    struct vs_file *f;

    assert_int_equal(vs_io_open(io, FILE_NAME, VS_IO_WRITE, &f), 0);
    assert_int_equal(vs_file_pwrite(f, src, len, offset), 0);
    assert_int_equal(vs_file_fdatasync(f), 0);
    vs_file_close(f);
    vs_io_free(io);
}

static void swap_on_disk(struct sb_rig *rig, uint64_t a, uint64_t b, size_t len)
{
    uint8_t *x = malloc(len), *y = malloc(len);

    read_file(rig, x, len, a);
    read_file(rig, y, len, b);
    write_file(rig, y, len, a);
    write_file(rig, x, len, b);
    free(x);
    free(y);
}

/* The disk wrote a record to the place of another one. */
static void a_misdirected_record_is_not_served(void **state)
{
    struct sb_rig *rig = *state;
    uint8_t *record = malloc(RECORD_BYTES);
    uint32_t crc[4];

    fill(rig, crc);
    read_file(rig, record, RECORD_BYTES, record_at(0));
    write_file(rig, record, RECORD_BYTES, record_at(2));
    assert_int_equal(read_checked(rig, 2, crc[2]), -VS_ECORRUPT);
    for (uint64_t n = 0; n < 4; n++)
        assert_int_equal(read_checked(rig, n, crc[n]), n == 2 ? -VS_ECORRUPT : 0);
    assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 1);
    sb_rig_crash(rig); /* and a start that walks does not believe it either */
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(rig->recovery.corrupt + rig->recovery.unknown, 1);
    assert_int_equal(read_checked(rig, 2, crc[2]), -ENOENT);
    assert_int_equal(read_checked(rig, 0, crc[0]), 0);
    assert_int_equal(sb_rig_put(rig, 2, BYTES), 0);
    assert_int_equal(read_checked(rig, 2, crc[2]), 0);
    free(record);
}

static void swapped_records_are_not_served(void **state)
{
    struct sb_rig *rig = *state;
    uint32_t crc[4];

    fill(rig, crc);
    swap_on_disk(rig, record_at(1), record_at(2), RECORD_BYTES);
    assert_int_equal(read_checked(rig, 1, crc[1]), -VS_ECORRUPT);
    assert_int_equal(read_checked(rig, 2, crc[2]), -VS_ECORRUPT);
    assert_int_equal(read_checked(rig, 3, crc[3]), 0);
    assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 2);
}

static void swapped_payloads_and_swapped_blocks_fail_the_readers_check(void **state)
{
    struct sb_rig *rig = *state;
    uint32_t crc[4];

    fill(rig, crc);
    swap_on_disk(rig, record_at(0) + SB_BLOCK_BYTES, record_at(1) + SB_BLOCK_BYTES, BYTES);
    swap_on_disk(rig, record_at(2) + SB_BLOCK_BYTES,
                 record_at(2) + SB_BLOCK_BYTES + FRAG_BLOCK_BYTES, FRAG_BLOCK_BYTES);
    for (uint64_t n = 0; n < 4; n++)
        assert_int_equal(read_checked(rig, n, crc[n]), n == 3 ? 0 : -VS_ECORRUPT);
    assert_int_equal(sb_store_scrub(rig->ss.s, NULL, NULL), 3);
}

/* Header and table as if the store had written them so: another fragment's, with the right place
 * and the right salt. Only a bug can do that; the key and the register's checksum remain. */
static void a_header_that_checks_and_is_not_the_right_one_is_not_served(void **state)
{
    struct sb_rig *rig = *state;
    uint8_t block[SB_BLOCK_BYTES], payload[BYTES];
    struct sb_super super;
    struct sb_record rec;
    uint32_t crc[4];

    fill(rig, crc);
    read_file(rig, block, sizeof(block), 0);
    assert_int_equal(sb_super_decode(block, &super), 0);
    read_file(rig, block, sizeof(block), record_at(1));
    assert_int_equal(sb_record_decode(block, super.salt, &rec), 0);
    read_file(rig, payload, sizeof(payload), record_at(1) + SB_BLOCK_BYTES);
    rec.offset = record_at(0); /* the whole record 1, moved to the place of 0, signed */
    rec.seq = rec.birth = 1;
    sb_record_encode(&rec, super.salt, block);
    write_file(rig, block, sizeof(block), record_at(0));
    write_file(rig, payload, sizeof(payload), record_at(0) + SB_BLOCK_BYTES);
    assert_int_equal(read_unchecked(rig, 0), -VS_ECORRUPT);
    assert_int_equal(read_checked(rig, 0, crc[0]), -VS_ECORRUPT);
    rec.key = sync_key(0); /* and now it says that it is fragment 0 */
    sb_record_encode(&rec, super.salt, block);
    write_file(rig, block, sizeof(block), record_at(0));
    assert_int_equal(read_checked(rig, 0, crc[0]), -VS_ECORRUPT);
    assert_int_equal(read_checked(rig, 1, crc[1]), 0);
    rec.offset = record_at(3); /* of this place, of this key, and of another place */
    sb_record_encode(&rec, super.salt, block);
    write_file(rig, block, sizeof(block), record_at(0));
    assert_int_equal(read_unchecked(rig, 0), -VS_ECORRUPT);
}

/* Old bytes under the same key: a store whose disk was set back. They are whole, and they are not
 * what the register names. */
static void a_stale_fragment_fails_the_readers_check(void **state)
{
    struct sb_rig *rig = *state;
    uint8_t *old = sync_bytes(99, BYTES);
    struct frag_key key = sync_key(5), next = key;
    uint8_t *got = NULL;
    uint32_t crc[4];
    size_t bytes;

    fill(rig, crc);
    assert_int_equal(sync_put(&rig->ss, &key, NULL, old, BYTES), 0);
    /* the register names generation 1 with other content, of fragment 0 here */
    assert_int_equal(sync_get_all(&rig->ss, &key, &crc[0], &got, &bytes), -VS_ECORRUPT);
    /* or a later generation, which the stale store does not have */
    next.generation = 2;
    assert_int_equal(sync_get_all(&rig->ss, &next, &crc[0], &got, &bytes), -ENOENT);
    /* it is not replaced behind the back of who wrote it */
    assert_int_equal(sb_rig_put(rig, 5, BYTES), -VS_EEXISTS_OTHER);
    free(old);
}

/* A length that is not the one of the chunk. */
static void a_fragment_of_another_length_fails_the_readers_check(void **state)
{
    struct sb_rig *rig = *state;
    uint8_t dst[FRAG_BLOCK_BYTES];
    struct store_get g = { .key = sync_key(1), .bytes = FRAG_BLOCK_BYTES, .dst = dst };
    uint32_t crc[4];

    fill(rig, crc);
    assert_int_equal(sync_get(&rig->ss, &g), 0);
    assert_int_equal(frag_verify(&g, crc[1], BYTES), 0);
    assert_int_equal(frag_verify(&g, crc[1], BYTES - 1), -VS_ECORRUPT);
    assert_int_equal(frag_verify(&g, crc[1], BYTES + 1), -VS_ECORRUPT);
    assert_int_equal(frag_verify(&g, crc[2], BYTES), -VS_ECORRUPT);
    g.got_bytes--; /* cut on its way */
    assert_int_equal(frag_verify(&g, crc[1], BYTES), -VS_ECORRUPT);
}

/* What is said of a fragment comes from its record: enough to rebuild the names from stores alone.
 */
static void a_record_says_which_part_of_which_file_it_is(void **state)
{
    static const struct frag_note note = { .red = { VS_RED_RS, 3, 2 },
                                           .chunk_bytes = 4194304,
                                           .session = 77,
                                           .inode = 4711,
                                           .chunk_seq = 12,
                                           .file_offset = UINT64_C(50331648),
                                           .name_bytes = 11,
                                           .name = "wedding.mkv" };
    struct sb_rig *rig = *state;
    struct frag_key key = { sync_key(1).chunk, 4, 3 };
    struct store_stat st = { 0 };

    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sync_put(&rig->ss, &key, &note, "x", 1), 0);
    sb_rig_crash(rig);
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sync_stat(&rig->ss, &key, &st), 0);
    assert_memory_equal(&st.note.red, &note.red, sizeof(note.red));
    assert_int_equal(st.note.chunk_bytes, note.chunk_bytes);
    assert_int_equal(st.note.session, note.session);
    assert_int_equal(st.note.inode, note.inode);
    assert_int_equal(st.note.chunk_seq, note.chunk_seq);
    assert_int_equal(st.note.file_offset, note.file_offset);
    assert_int_equal(st.note.name_bytes, note.name_bytes);
    assert_memory_equal(st.note.name, note.name, note.name_bytes);
}

#define ON_SIM(test) cmocka_unit_test_setup_teardown(test, sb_rig_setup_sim, sb_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(a_misdirected_record_is_not_served),
        ON_SIM(swapped_records_are_not_served),
        ON_SIM(swapped_payloads_and_swapped_blocks_fail_the_readers_check),
        ON_SIM(a_header_that_checks_and_is_not_the_right_one_is_not_served),
        ON_SIM(a_stale_fragment_fails_the_readers_check),
        ON_SIM(a_fragment_of_another_length_fails_the_readers_check),
        ON_SIM(a_record_says_which_part_of_which_file_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
