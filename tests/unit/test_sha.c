/* SHA-256 against FIPS 180-4 and against itself in pieces. */
#include "common/err.h"
#include "common/hex.h"
#include "common/rand.h"
#include "common/sha.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_digest(const uint8_t digest[VS_SHA256_BYTES], const char *want)
{
    char text[2 * VS_SHA256_BYTES + 1];

    vs_hex(digest, VS_SHA256_BYTES, text);
    assert_string_equal(text, want);
}

static void published_values(void **state)
{
    uint8_t digest[VS_SHA256_BYTES];
    struct vs_sha *s;

    (void)state;
    vs_sha256("", 0, digest);
    assert_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    vs_sha256(NULL, 0, digest);
    assert_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    vs_sha256("abc", 3, digest);
    assert_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

    assert_int_equal(vs_sha_new(&s), 0);
    for (unsigned i = 0; i < 1000000; i++)
        vs_sha_update(s, "a", 1);
    vs_sha_final(s, digest);
    assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    vs_sha_free(s);
    vs_sha_free(NULL);
}

static void pieces_make_the_digest_of_the_whole(void **state)
{
    static uint8_t bytes[10000];
    uint8_t digest[VS_SHA256_BYTES], want[VS_SHA256_BYTES];
    struct vs_rand rand;
    struct vs_sha *s;

    (void)state;
    vs_rand_init(&rand, 1);
    vs_rand_bytes(&rand, bytes, sizeof(bytes));
    vs_sha256(bytes, sizeof(bytes), want);
    assert_int_equal(vs_sha_new(&s), 0);
    for (unsigned round = 0; round < 50; round++) { /* ready for a new message after final */
        for (size_t at = 0, n; at < sizeof(bytes); at += n) {
            n = vs_rand_below(&rand, 300);
            n = n < sizeof(bytes) - at ? n : sizeof(bytes) - at;
            vs_sha_update(s, bytes + at, n);
        }
        vs_sha_final(s, digest);
        assert_memory_equal(digest, want, sizeof(want));
    }
    vs_sha_free(s);
}

static void zeros_are_zeros(void **state)
{
    const size_t counts[] = { 0, 1, 63, 64, 65535, 65536, 65537, 300001 };
    uint8_t digest[VS_SHA256_BYTES], want[VS_SHA256_BYTES];
    uint8_t *zeros = calloc(1, 300001);
    struct vs_sha *s;

    (void)state;
    assert_int_equal(vs_sha_new(&s), 0);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        vs_sha_update_zeros(s, counts[i]);
        vs_sha_final(s, digest);
        vs_sha256(zeros, counts[i], want);
        assert_memory_equal(digest, want, sizeof(want));
    }
    vs_sha_free(s);
    free(zeros);
}

static void a_peek_does_not_end_the_message(void **state)
{
    uint8_t digest[VS_SHA256_BYTES], want[VS_SHA256_BYTES];
    struct vs_sha *s;

    (void)state;
    assert_int_equal(vs_sha_new(&s), 0);
    vs_sha_update(s, "ab", 2);
    assert_int_equal(vs_sha_peek(s, digest), 0);
    vs_sha256("ab", 2, want);
    assert_memory_equal(digest, want, sizeof(want));
    vs_sha_update(s, "c", 1);
    vs_sha_final(s, digest);
    vs_sha256("abc", 3, want);
    assert_memory_equal(digest, want, sizeof(want));
    vs_sha_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values),
        cmocka_unit_test(pieces_make_the_digest_of_the_whole),
        cmocka_unit_test(zeros_are_zeros),
        cmocka_unit_test(a_peek_does_not_end_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
