/* SHA-256 (FIPS 180-4), streaming. OpenSSL behind it (about 1.9 GB/s per core here).
 * Threads: one at a time per object. */
#ifndef VS_COMMON_SHA_H
#define VS_COMMON_SHA_H

#include <stddef.h>
#include <stdint.h>

#define VS_SHA256_BYTES 32

struct vs_sha; /* opaque: a digest in progress */

/* -ENOMEM */
int vs_sha_new(struct vs_sha **ret);
void vs_sha_update(struct vs_sha *s, const void *bytes, size_t len);
/* `count` zero bytes, without a buffer from the caller (holes). */
void vs_sha_update_zeros(struct vs_sha *s, uint64_t count);
/* The digest; the object is ready for a new message afterwards. */
void vs_sha_final(struct vs_sha *s, uint8_t digest[VS_SHA256_BYTES]);
/* Digest of what was given so far, without ending it. -ENOMEM */
int vs_sha_peek(const struct vs_sha *s, uint8_t digest[VS_SHA256_BYTES]);
void vs_sha_free(struct vs_sha *s);

/* One call for a whole message. */
void vs_sha256(const void *bytes, size_t len, uint8_t digest[VS_SHA256_BYTES]);

#endif
