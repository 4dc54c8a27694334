/* Seeded random numbers (splitmix64) and the kernel's.
 *
 * Failure modes: none to return. A kernel that has no randomness to give is not a place where ids
 * may be made, so that is an assertion. */
#include "common/rand.h"

#include "common/assert.h"
#include "common/mix.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

uint64_t vs_rand_u64(struct vs_rand *r)
{
    return vs_mix64(r->state += UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t vs_rand_below(struct vs_rand *r, uint64_t bound)
{
    uint64_t reject, v;

    VS_ASSERT(bound >= 1);
    reject = -bound % bound; /* 2^64 mod bound: drawing again below it leaves a multiple of bound */
    do
        v = vs_rand_u64(r);
    while (v < reject);
    return v % bound;
}

void vs_rand_bytes(struct vs_rand *r, void *dst, size_t len)
{
    uint8_t *pos = dst;

    while (len > 0) {
        uint64_t v = vs_rand_u64(r);
        size_t piece = len < sizeof(v) ? len : sizeof(v);

        memcpy(pos, &v, piece);
        pos += piece;
        len -= piece;
    }
}

void vs_rand_system(void *dst, size_t len)
{
    uint8_t *pos = dst;

    while (len > 0) {
        ssize_t got = getrandom(pos, len, 0);

        VS_ASSERT(got > 0 || (got < 0 && errno == EINTR));
        if (got > 0) {
            pos += got;
            len -= (size_t)got;
        }
    }
}
