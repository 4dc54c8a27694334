/* Keys, notes and tables of fragments as text. */
#include "common/err.h"
#include "node/frag_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef"

static void a_key_reads_back(void **state)
{
    static const char *const good[] = { ID ".0.1", ID ".255.4294967295", ID ".3.17" };
    char text[FRAG_KEY_TEXT_BYTES];
    struct frag_key key;

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(frag_key_from_text(good[i], &key), 0);
        frag_key_to_text(&key, text);
        assert_string_equal(text, good[i]);
    }
    assert_int_equal(key.chunk.b[0], 0x01);
    assert_int_equal(key.fragment, 3);
    assert_int_equal(key.generation, 17);
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        ID,
        ID ".",
        ID ".0",
        ID ".0.",
        ID ".0.0",
        ID ".256.1",
        ID ".-1.1",
        ID ".01.1",
        ID ".0.01",
        ID ".0.1.",
        ID ".0.1 ",
        ID " .0.1",
        ID ".0.4294967296",
        ID "0.0.1",
        ID ".0x1.1",
        ID "..1",
        ID "/0/1",
        " " ID ".0.1",
        ID ".0.1\n",
        "g123456789abcdef0123456789abcdef.0.1",
        ID ".99999999999999999999999999.1",
    };
    struct frag_key key = { .fragment = 9 };

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(frag_key_from_text(bad[i], &key), -EINVAL);
    assert_int_equal(key.fragment, 9);
}

static struct frag_note full_note(void)
{
    struct frag_note note = {
        .red = { VS_RED_REPLICATE, 1, 2 },
        .chunk_bytes = UINT32_MAX,
        .session = UINT64_MAX,
        .inode = UINT64_MAX - 1,
        .chunk_seq = UINT32_MAX,
        .file_offset = UINT64_MAX,
        .name_bytes = FRAG_NAME_BYTES_MAX,
    };

    for (unsigned i = 0; i < FRAG_NAME_BYTES_MAX; i++)
        note.name[i] = (char)(255 - i); /* every byte but 0, the worst to encode among them */
    return note;
}

static void every_byte_of_a_note_reads_back(void **state)
{
    struct frag_note note = full_note(), back;
    char text[FRAG_NOTE_TEXT_BYTES];

    (void)state;
    frag_note_to_text(&note, text);
    assert_true(strlen(text) < sizeof(text));
    assert_int_equal(strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "-._~%=;"),
                     strlen(text));
    assert_int_equal(frag_note_from_text(text, &back), 0);
    assert_memory_equal(&back, &note, sizeof(note));
}

static void the_longest_note_has_room(void **state)
{
    struct frag_note note = full_note(), back;
    char text[FRAG_NOTE_TEXT_BYTES];

    (void)state;
    memset(note.name, ' ', sizeof(note.name)); /* three bytes of text each */
    note.red = (struct vs_redundancy){ VS_RED_REPLICATE, 1, 255 };
    frag_note_to_text(&note, text);
    assert_int_equal(frag_note_from_text(text, &back), 0);
    assert_memory_equal(&back, &note, sizeof(note));
}

static void fields_may_be_missing_empty_and_in_any_order(void **state)
{
    struct frag_note note;

    (void)state;
    assert_int_equal(frag_note_from_text("", &note), 0);
    assert_int_equal(note.red.kind, VS_RED_NONE);
    assert_int_equal(note.name_bytes, 0);
    assert_int_equal(frag_note_from_text("kind=rs;k=3;m=2;chunk=9;session=;inode=;seq=;offset=;"
                                         "name=a%20b%2fc",
                                         &note),
                     0);
    assert_int_equal(note.red.k, 3);
    assert_int_equal(note.session, 0);
    assert_int_equal(note.name_bytes, 5);
    assert_memory_equal(note.name, "a b/c", 5);
    assert_int_equal(frag_note_from_text("name=x;inode=7;kind=none;", &note), 0);
    assert_int_equal(note.inode, 7);
    assert_int_equal(note.red.kind, VS_RED_NONE);
}

static void what_is_no_note_is_refused(void **state)
{
    static const char *const bad[] = {
        "kind=xor",
        "kind=rs1",
        "k=256",
        "k=-1",
        "k=03",
        "k=3;k=3",
        "what=1",
        "k",
        "k=3m=2",
        ";",
        "k=3;;m=2",
        "name=a b",
        "name=%",
        "name=%2",
        "name=%zz",
        "seq=1x",
        "seq=4294967296",
        "name=a;name=b",
        "inode=18446744073709551616",
        "name=\xc3\xa4",
        "name=a=b",
        "K=3",
        " k=3",
    };
    char longer[6 + 256];
    struct frag_note note = { .inode = 9 };

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(frag_note_from_text(bad[i], &note), -EINVAL);
    memset(longer, 'n', sizeof(longer));
    memcpy(longer, "name=", 5);
    longer[5 + 256] = '\0';
    assert_int_equal(frag_note_from_text(longer, &note), -EINVAL);
    assert_int_equal(note.inode, 9);
}

static void a_table_reads_back(void **state)
{
    uint32_t crc[FRAG_BLOCKS_MAX], back[FRAG_BLOCKS_MAX];
    char text[FRAG_CRCS_TEXT_BYTES];

    (void)state;
    for (unsigned i = 0; i < FRAG_BLOCKS_MAX; i++)
        crc[i] = i * 0x9E3779B9u;
    frag_crcs_to_text(crc, FRAG_BLOCKS_MAX, text);
    assert_int_equal(strlen(text), FRAG_CRCS_TEXT_BYTES - 2);
    assert_int_equal(frag_crcs_from_text(text, back), FRAG_BLOCKS_MAX);
    assert_memory_equal(back, crc, sizeof(crc));
    frag_crcs_to_text(crc, 2, text);
    assert_string_equal(text, "00000000,9e3779b9");
    frag_crcs_to_text(crc, 0, text);
    assert_string_equal(text, "");
    assert_int_equal(frag_crcs_from_text("", back), 0);
    assert_int_equal(frag_crcs_from_text("9E3779B9", back), 1);
}

static void what_is_no_table_is_refused(void **state)
{
    static const char *const bad[] = { "1",         "1234567",          "123456789",
                                       "12345678,", ",12345678",        "12345678;12345678",
                                       "1234567g",  "12345678, 2345678" };
    char longer[9 * (FRAG_BLOCKS_MAX + 1) + 1];
    uint32_t crc[FRAG_BLOCKS_MAX];

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(frag_crcs_from_text(bad[i], crc), -EINVAL);
    for (unsigned i = 0; i < FRAG_BLOCKS_MAX + 1; i++)
        memcpy(longer + 9 * i, "12345678,", 9);
    longer[9 * (FRAG_BLOCKS_MAX + 1) - 1] = '\0';
    assert_int_equal(frag_crcs_from_text(longer, crc), -EINVAL);
}

static void a_hash_is_64_digits(void **state)
{
    static const char good[] = "00ff0102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E";
    uint8_t sha[FRAG_SHA256_BYTES] = { 9 };

    (void)state;
    assert_int_equal(frag_sha_from_text("", sha), -EINVAL);
    assert_int_equal(frag_sha_from_text("00ff", sha), -EINVAL);
    assert_int_equal(frag_sha_from_text("xx", sha), -EINVAL);
    assert_int_equal(sha[0], 9);
    assert_int_equal(frag_sha_from_text(good, sha), 0);
    assert_int_equal(sha[1], 0xff);
    assert_int_equal(sha[31], 0x1e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_reads_back),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(every_byte_of_a_note_reads_back),
        cmocka_unit_test(the_longest_note_has_room),
        cmocka_unit_test(fields_may_be_missing_empty_and_in_any_order),
        cmocka_unit_test(what_is_no_note_is_refused),
        cmocka_unit_test(a_table_reads_back),
        cmocka_unit_test(what_is_no_table_is_refused),
        cmocka_unit_test(a_hash_is_64_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
