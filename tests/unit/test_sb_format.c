/* Every byte of the store's files: what is written is read, and nothing else is. */
#include "common/crc.h"
#include "common/err.h"
#include "common/rand.h"
#include "node/sb_format.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SALT UINT64_C(0x1122334455667788)

static struct sb_record some_record(uint32_t payload_bytes)
{
    struct sb_record rec = {
        .type = SB_DATA,
        .seq = 77,
        .synced_seq = 70,
        .sb = 3,
        .offset = SB_RECORDS_OFFSET + 5 * SB_BLOCK_BYTES,
        .birth = 66,
        .key = { vs_id_make(1, 2, 3, VS_ID_CHUNK), 4, 9 },
        .payload_bytes = payload_bytes,
        .note = {
            .red = { VS_RED_RS, 3, 2 },
            .chunk_bytes = 4000000,
            .session = 5,
            .inode = 6,
            .chunk_seq = 7,
            .file_offset = 8,
            .name_bytes = 5,
            .name = "a.mkv",
        },
    };
    struct vs_rand r;

    vs_rand_init(&r, payload_bytes);
    vs_rand_bytes(&r, rec.sha256, sizeof(rec.sha256));
    for (unsigned i = 0; i < frag_blocks(payload_bytes); i++)
        rec.crc[i] = (uint32_t)vs_rand_u64(&r);
    rec.table_crc = frag_table_crc(rec.crc, frag_blocks(payload_bytes));
    rec.total_blocks = sb_record_blocks(payload_bytes);
    return rec;
}

static struct sb_super some_super(void)
{
    return (struct sb_super){ .cluster = { { 1 } },
                              .node = { { 2 } },
                              .sb = 3,
                              .salt = SALT,
                              .created_ns = 4,
                              .run_seq = 5,
                              .prev_sb = 2,
                              .prev_seq = 6 };
}

static struct sb_ckpt_head some_head(void)
{
    return (struct sb_ckpt_head){ .flags = SB_CKPT_CLEAN,
                                  .number = 9,
                                  .cluster = { { 1 } },
                                  .node = { { 2 } },
                                  .created_ns = 3,
                                  .synced_seq = 4,
                                  .run_seq = 5,
                                  .next_seq = 6,
                                  .next_sb = 7,
                                  .file_count = 8,
                                  .dead_count = 10 };
}

/* ---- blocks -----------------------------------------------------------------------------------
 */

static void a_record_header_reads_back(void **state)
{
    static const uint32_t sizes[] = { 0, 1, 65536, 65537, 1398102, FRAG_BYTES_MAX };
    uint8_t block[SB_BLOCK_BYTES];

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct sb_record rec = some_record(sizes[i]), got;
        uint32_t crc;

        crc = sb_record_encode(&rec, SALT, block);
        assert_int_equal(crc, sb_block_crc(block));
        assert_true(sb_record_maybe(block));
        assert_int_equal(sb_record_decode(block, SALT, &got), 0);
        assert_memory_equal(&got, &rec, sizeof(rec));
    }
}

static void super_ident_and_checkpoint_head_read_back(void **state)
{
    struct sb_ident id = { .cluster = { { 1 } }, .node = { { 2 } }, .created_ns = 3 }, got_id;
    struct sb_ckpt_head head = some_head(), got_head;
    struct sb_super super = some_super(), got_super;
    uint8_t block[SB_BLOCK_BYTES];

    (void)state;
    memset(&got_head, 0, sizeof(got_head));
    sb_ident_encode(&id, block);
    assert_int_equal(sb_ident_decode(block, &got_id), 0);
    assert_memory_equal(&got_id, &id, sizeof(id));
    sb_super_encode(&super, block);
    assert_int_equal(sb_super_decode(block, &got_super), 0);
    assert_memory_equal(&got_super, &super, sizeof(super));
    sb_ckpt_encode_head(&head, block);
    assert_int_equal(sb_ckpt_decode_head(block, &got_head), 0);
    assert_int_equal(got_head.flags, head.flags);
    assert_int_equal(got_head.number, head.number);
    assert_int_equal(got_head.synced_seq, head.synced_seq);
    assert_int_equal(got_head.run_seq, head.run_seq);
    assert_int_equal(got_head.next_seq, head.next_seq);
    assert_int_equal(got_head.next_sb, head.next_sb);
    assert_int_equal(got_head.file_count, head.file_count);
    assert_int_equal(got_head.dead_count, head.dead_count);
}

static uint64_t le(const uint8_t *block, unsigned offset, unsigned bytes)
{
    uint64_t v = 0;

    while (bytes-- > 0)
        v = v << 8 | block[offset + bytes];
    return v;
}

static void fields_are_where_the_document_says(void **state)
{
    struct sb_record rec = some_record(70000);
    struct sb_super super = some_super();
    uint8_t block[SB_BLOCK_BYTES];

    (void)state;
    sb_record_encode(&rec, SALT, block);
    assert_memory_equal(block, "VSRC\x01\0\x01\0", 8);
    assert_int_equal(le(block, 12, 4), rec.total_blocks);
    assert_int_equal(le(block, 16, 8), rec.seq);
    assert_int_equal(le(block, 24, 8), rec.synced_seq);
    assert_int_equal(le(block, 32, 8), rec.sb);
    assert_int_equal(le(block, 40, 8), rec.offset);
    assert_int_equal(le(block, 48, 8), rec.birth);
    assert_memory_equal(block + 56, rec.key.chunk.b, VS_ID_BYTES);
    assert_memory_equal(block + 72, "\x04\x01\x03\x02", 4);
    assert_int_equal(le(block, 76, 4), rec.key.generation);
    assert_int_equal(le(block, 80, 8), rec.payload_bytes);
    assert_memory_equal(block + 88, rec.sha256, 32);
    assert_int_equal(le(block, 120, 4), rec.table_crc);
    assert_int_equal(le(block, 124, 4), rec.note.chunk_bytes);
    assert_int_equal(le(block, 128, 4), rec.note.chunk_seq);
    assert_int_equal(le(block, 132, 8), rec.note.inode);
    assert_int_equal(le(block, 140, 8), rec.note.file_offset);
    assert_int_equal(le(block, 148, 8), rec.note.session);
    assert_int_equal(le(block, 156, 2), rec.note.name_bytes);
    assert_memory_equal(block + 160, rec.note.name, rec.note.name_bytes);
    assert_int_equal(le(block, 416, 4), rec.crc[0]);
    assert_int_equal(le(block, 420, 4), rec.crc[1]);

    sb_super_encode(&super, block);
    assert_memory_equal(block, "VSSB\x01\0\0\0", 8);
    assert_int_equal(le(block, 12, 4), SB_BLOCK_BYTES);
    assert_memory_equal(block + 16, super.cluster.b, VS_ID_BYTES);
    assert_memory_equal(block + 32, super.node.b, VS_ID_BYTES);
    assert_int_equal(le(block, 48, 8), super.sb);
    assert_true(le(block, 56, 8) == super.salt);
    assert_int_equal(le(block, 64, 8), super.created_ns);
    assert_int_equal(le(block, 72, 8), super.run_seq);
    assert_int_equal(le(block, 80, 8), super.prev_sb);
    assert_int_equal(le(block, 88, 8), super.prev_seq);
}

typedef int decode_fn(const uint8_t *block);

static int decode_record(const uint8_t *block)
{
    struct sb_record rec;

    return sb_record_decode(block, SALT, &rec);
}

static int decode_super(const uint8_t *block)
{
    struct sb_super super;

    return sb_super_decode(block, &super);
}

static int decode_ident(const uint8_t *block)
{
    struct sb_ident id;

    return sb_ident_decode(block, &id);
}

static int decode_head(const uint8_t *block)
{
    struct sb_ckpt_head head;

    return sb_ckpt_decode_head(block, &head);
}

struct kind {
    decode_fn *decode;
    uint8_t block[SB_BLOCK_BYTES];
    bool salted;
};

static void every_kind(struct kind kinds[4])
{
    struct sb_record rec = some_record(1398102);
    struct sb_super super = some_super();
    struct sb_ident id = { .cluster = { { 1 } }, .node = { { 2 } }, .created_ns = 3 };
    struct sb_ckpt_head head = some_head();

    kinds[0].decode = decode_record;
    kinds[0].salted = true;
    sb_record_encode(&rec, SALT, kinds[0].block);
    kinds[1].decode = decode_super;
    sb_super_encode(&super, kinds[1].block);
    kinds[2].decode = decode_ident;
    sb_ident_encode(&id, kinds[2].block);
    kinds[3].decode = decode_head;
    sb_ckpt_encode_head(&head, kinds[3].block);
}

static void every_single_bit_flip_of_a_block_is_noticed(void **state)
{
    struct kind *kinds = calloc(4, sizeof(*kinds));

    (void)state;
    every_kind(kinds);
    for (unsigned k = 0; k < 4; k++) {
        assert_int_equal(kinds[k].decode(kinds[k].block), 0);
        for (unsigned bit = 0; bit < SB_BLOCK_BYTES * 8; bit++) {
            kinds[k].block[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(kinds[k].decode(kinds[k].block), -VS_ECORRUPT);
            kinds[k].block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    free(kinds);
}

/* The checksum of a block as docs/FORMAT.md gives it, computed here on its own. */
static void sign(uint8_t block[SB_BLOCK_BYTES], bool salted)
{
    uint64_t salt = htole64(SALT);
    uint32_t crc = salted ? vs_crc32c(0, &salt, 8) : 0;

    memset(block + 8, 0, 4);
    crc = htole32(vs_crc32c(crc, block, SB_BLOCK_BYTES));
    memcpy(block + 8, &crc, 4);
}

static void a_newer_format_is_refused_as_newer(void **state)
{
    struct kind *kinds = calloc(4, sizeof(*kinds));

    (void)state;
    every_kind(kinds);
    for (unsigned k = 0; k < 4; k++) {
        sign(kinds[k].block, kinds[k].salted);
        assert_int_equal(kinds[k].decode(kinds[k].block), 0); /* the document says the truth */
        kinds[k].block[4] = SB_FORMAT_VERSION + 1;
        sign(kinds[k].block, kinds[k].salted);
        assert_int_equal(kinds[k].decode(kinds[k].block), -VS_ENEWER);
        kinds[k].block[4] = 0;
        sign(kinds[k].block, kinds[k].salted);
        assert_int_equal(kinds[k].decode(kinds[k].block), -VS_ECORRUPT);
    }
    free(kinds);
}

static void bytes_that_should_be_zero_are_checked_also_when_they_are_signed(void **state)
{
    struct kind *kinds = calloc(4, sizeof(*kinds));

    (void)state;
    every_kind(kinds);
    for (unsigned k = 0; k < 4; k++) {
        kinds[k].block[SB_BLOCK_BYTES - 1] = 1;
        sign(kinds[k].block, kinds[k].salted);
        assert_int_equal(kinds[k].decode(kinds[k].block), -VS_ECORRUPT);
    }
    free(kinds);
}

static void a_header_with_another_salt_is_none(void **state)
{
    struct sb_record rec = some_record(5000), got;
    uint8_t block[SB_BLOCK_BYTES];

    (void)state;
    sb_record_encode(&rec, SALT, block);
    assert_int_equal(sb_record_decode(block, SALT ^ 1, &got), -VS_ECORRUPT);
}

static void signed_nonsense_in_a_record_is_refused(void **state)
{
    /* type, blocks, seq, sb, offset, birth, fragment, redundancy, generation, payload, name length
     * and the zeros around the name */
    static const struct {
        unsigned at;
        uint8_t value;
    } bad[] = { { 6, 0 },  { 6, 4 },  { 7, 1 },   { 12, 9 },  { 16, 0 }, { 32, 0 },
                { 36, 1 }, { 40, 1 }, { 54, 99 }, { 72, 5 },  { 73, 9 }, { 74, 99 },
                { 76, 0 }, { 84, 1 }, { 157, 1 }, { 158, 1 }, { 415, 1 } };
    struct sb_record rec = some_record(5000), got;
    uint8_t block[SB_BLOCK_BYTES];

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sb_record_encode(&rec, SALT, block);
        block[bad[i].at] = bad[i].value;
        sign(block, true);
        if (sb_record_decode(block, SALT, &got) != -VS_ECORRUPT)
            fail_msg("byte %u = %u was accepted", bad[i].at, bad[i].value);
    }
    rec.table_crc ^= 1;
    sb_record_encode(&rec, SALT, block);
    assert_int_equal(sb_record_decode(block, SALT, &got), -VS_ECORRUPT);
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static void tombs_read_back(void **state)
{
    struct vs_buf b = { 0 };
    struct sb_tomb t = { .key = { vs_id_make(1, 2, 3, VS_ID_CHUNK), 4, 9 }, .sb = 7 }, got;

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        t.offset = SB_RECORDS_OFFSET + i * SB_BLOCK_BYTES;
        t.birth = i;
        assert_int_equal(sb_tomb_append(&b, &t), 0);
    }
    assert_int_equal(b.len, 10 * SB_TOMB_ENTRY_BYTES);
    assert_int_equal(sb_tomb_count(b.len), 10);
    assert_int_equal(sb_tomb_count(b.len - 1), -VS_ECORRUPT);
    assert_int_equal(sb_tomb_decode(b.data, 9, &got), 0);
    assert_int_equal(frag_key_cmp(&got.key, &t.key), 0);
    assert_int_equal(got.sb, t.sb);
    assert_int_equal(got.offset, t.offset);
    assert_int_equal(got.birth, t.birth);
    b.data[9 * SB_TOMB_ENTRY_BYTES + 24] = 0; /* superblock 0 */
    assert_int_equal(sb_tomb_decode(b.data, 9, &got), -VS_ECORRUPT);
    vs_buf_close(&b);
}

static void a_seal_reads_back_and_is_found_from_its_last_block(void **state)
{
    struct sb_seal_entry e = { .key = { vs_id_make(1, 2, 3, VS_ID_CHUNK), 4, 9 },
                               .type = SB_DATA,
                               .offset_block = 2,
                               .payload_bytes = 5,
                               .hdr_crc = 6,
                               .seq = 7,
                               .birth = 8 },
                         got;

    (void)state;
    memset(&got, 0, sizeof(got));
    for (uint32_t count = 0; count < 200; count += 7) {
        struct sb_seal_head head = { .count = count, .data_bytes = 99 }, got_head;
        struct vs_buf b = { 0 };
        uint64_t offset;

        assert_int_equal(sb_seal_begin(&b, &head), 0);
        for (uint32_t i = 0; i < count; i++) {
            e.seq = i;
            assert_int_equal(sb_seal_append(&b, &e), 0);
        }
        assert_int_equal(sb_seal_end(&b, 123 * SB_BLOCK_BYTES), 0);
        assert_int_equal(b.len, sb_seal_bytes(count));
        assert_int_equal(sb_seal_decode_head(b.data, b.len, &got_head), 0);
        assert_int_equal(got_head.count, count);
        assert_int_equal(got_head.data_bytes, 99);
        if (count > 0) {
            assert_int_equal(sb_seal_decode(b.data, count - 1, &got), 0);
            assert_int_equal(got.seq, count - 1);
            assert_int_equal(frag_key_cmp(&got.key, &e.key), 0);
            assert_int_equal(got.hdr_crc, 6);
        }
        assert_int_equal(sb_seal_trailer(b.data + b.len - SB_BLOCK_BYTES, &offset), 0);
        assert_int_equal(offset, 123 * SB_BLOCK_BYTES);
        for (unsigned bit = 0; bit < 24 * 8; bit++) {
            b.data[b.len - 24 + bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(sb_seal_trailer(b.data + b.len - SB_BLOCK_BYTES, &offset),
                             -VS_ECORRUPT);
            b.data[b.len - 24 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        vs_buf_close(&b);
    }
}

static void checkpoint_items_have_their_sizes_and_read_back(void **state)
{
    struct sb_ckpt_file file = { .sb = 1,
                                 .salt = 2,
                                 .scanned_to = 2 * SB_BLOCK_BYTES,
                                 .run_seq = 3,
                                 .prev_sb = 4,
                                 .prev_seq = 5,
                                 .last_seq = 6,
                                 .state = SB_STATE_DOOMED,
                                 .records = 7 },
                        got_file;
    struct sb_ckpt_entry entry = { .key = { vs_id_make(1, 2, 3, VS_ID_CHUNK), 4, 9 },
                                   .flags = SB_ENTRY_BAD,
                                   .sb = 1,
                                   .birth = 2,
                                   .offset_block = 3,
                                   .payload_bytes = 4 },
                         got_entry;
    struct sb_ckpt_dead dead = { 1, 3 * SB_BLOCK_BYTES, SB_BLOCK_BYTES }, got_dead;
    struct vs_buf b = { 0 };
    struct vs_wr w = vs_wr_init(&b, 1000);
    struct vs_rd r;

    (void)state;
    memset(&got_file, 0, sizeof(got_file));
    memset(&got_entry, 0, sizeof(got_entry));
    sb_ckpt_put_file(&w, &file);
    assert_int_equal(b.len, SB_CKPT_FILE_BYTES);
    sb_ckpt_put_dead(&w, &dead);
    assert_int_equal(b.len, SB_CKPT_FILE_BYTES + SB_CKPT_DEAD_BYTES);
    sb_ckpt_put_entry(&w, &entry);
    assert_int_equal(b.len, SB_CKPT_FILE_BYTES + SB_CKPT_DEAD_BYTES + SB_CKPT_ENTRY_BYTES);
    r = vs_rd_init(b.data, b.len);
    assert_int_equal(sb_ckpt_get_file(&r, &got_file), 0);
    assert_int_equal(sb_ckpt_get_dead(&r, &got_dead), 0);
    assert_int_equal(sb_ckpt_get_entry(&r, &got_entry), 0);
    assert_int_equal(vs_rd_done(&r), 0);
    assert_memory_equal(&got_file, &file, sizeof(file));
    assert_memory_equal(&got_dead, &dead, sizeof(dead));
    assert_int_equal(frag_key_cmp(&got_entry.key, &entry.key), 0);
    assert_int_equal(got_entry.birth, entry.birth);
    assert_int_equal(got_entry.offset_block, 3);
    for (size_t len = 0; len < b.len; len++) {
        int last = 0;

        r = vs_rd_init(b.data, len);
        last = sb_ckpt_get_file(&r, &got_file);
        last = last < 0 ? last : sb_ckpt_get_dead(&r, &got_dead);
        last = last < 0 ? last : sb_ckpt_get_entry(&r, &got_entry);
        assert_int_equal(last, -VS_ECORRUPT);
    }
    vs_buf_close(&b);
}

static void names_are_read_as_they_are_written_and_no_other_way(void **state)
{
    static const char *const others[] = { "",
                                          "sb-0000000000000001.da",
                                          "sb-0000000000000001.datx",
                                          "sb-000000000000000g.dat",
                                          "sb-000000000000000A.dat",
                                          "sb-00000000000000001.dat",
                                          "sb-0000000000000000.dat",
                                          "sb-0000000100000000.dat",
                                          "idx-0000000000000001.tmp",
                                          "store.id" };
    char name[SB_NAME_BYTES], ckpt[SB_CKPT_NAME_BYTES];

    (void)state;
    sb_name(0xabc, name);
    assert_string_equal(name, "sb-0000000000000abc.dat");
    assert_int_equal(sb_name_parse(name), 0xabc);
    sb_ckpt_name(UINT64_MAX, ckpt);
    assert_string_equal(ckpt, "idx-ffffffffffffffff.ckpt");
    assert_true(sb_ckpt_name_parse(ckpt) == UINT64_MAX);
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(sb_name_parse(others[i]), 0);
        assert_int_equal(sb_ckpt_name_parse(others[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_header_reads_back),
        cmocka_unit_test(fields_are_where_the_document_says),
        cmocka_unit_test(super_ident_and_checkpoint_head_read_back),
        cmocka_unit_test(every_single_bit_flip_of_a_block_is_noticed),
        cmocka_unit_test(a_newer_format_is_refused_as_newer),
        cmocka_unit_test(bytes_that_should_be_zero_are_checked_also_when_they_are_signed),
        cmocka_unit_test(a_header_with_another_salt_is_none),
        cmocka_unit_test(signed_nonsense_in_a_record_is_refused),
        cmocka_unit_test(tombs_read_back),
        cmocka_unit_test(a_seal_reads_back_and_is_found_from_its_last_block),
        cmocka_unit_test(checkpoint_items_have_their_sizes_and_read_back),
        cmocka_unit_test(names_are_read_as_they_are_written_and_no_other_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
