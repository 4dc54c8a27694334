/* SHA-256 through OpenSSL. The door to openssl/sha.h.
 *
 * The SHA256_* calls rather than EVP: they keep their state in the caller's memory, so update,
 * final, peek and the one-shot digest have no allocation that could fail in the middle of a film.
 * Both run the same assembly. OpenSSL 3 calls them old-fashioned; that is muted here only. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/sha.h"

#include "common/assert.h"
#include "common/err.h"

#include <openssl/sha.h>
#include <stdlib.h>

_Static_assert(VS_SHA256_BYTES == SHA256_DIGEST_LENGTH, "digest size");

struct vs_sha {
    SHA256_CTX ctx;
};

int vs_sha_new(struct vs_sha **ret)
{
    struct vs_sha *s;

    s = malloc(sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    VS_ASSERT(SHA256_Init(&s->ctx) == 1);
    *ret = s;
    return 0;
}

void vs_sha_update(struct vs_sha *s, const void *bytes, size_t len)
{
    if (len > 0)
        VS_ASSERT(SHA256_Update(&s->ctx, bytes, len) == 1);
}

void vs_sha_update_zeros(struct vs_sha *s, uint64_t count)
{
    static const uint8_t zeros[64 * 1024];

    while (count > 0) {
        size_t piece = count < sizeof(zeros) ? (size_t)count : sizeof(zeros);

        vs_sha_update(s, zeros, piece);
        count -= piece;
    }
}

void vs_sha_final(struct vs_sha *s, uint8_t digest[VS_SHA256_BYTES])
{
    VS_ASSERT(SHA256_Final(digest, &s->ctx) == 1);
    VS_ASSERT(SHA256_Init(&s->ctx) == 1);
}

int vs_sha_peek(const struct vs_sha *s, uint8_t digest[VS_SHA256_BYTES])
{
    SHA256_CTX copy = s->ctx;

    VS_ASSERT(SHA256_Final(digest, &copy) == 1);
    return 0;
}

void vs_sha_free(struct vs_sha *s)
{
    free(s);
}

void vs_sha256(const void *bytes, size_t len, uint8_t digest[VS_SHA256_BYTES])
{
    SHA256_CTX ctx;

    VS_ASSERT(SHA256_Init(&ctx) == 1);
    if (len > 0)
        VS_ASSERT(SHA256_Update(&ctx, bytes, len) == 1);
    VS_ASSERT(SHA256_Final(digest, &ctx) == 1);
}
