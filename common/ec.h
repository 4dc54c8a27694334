/* Erasure coding: systematic Reed-Solomon over GF(2^8), Cauchy matrix, contiguous layout.
 *
 * A chunk of `n` bytes coded k+m has fragments of  L = ceil(n / k)  bytes each: data fragment i is
 * chunk bytes [i*L, (i+1)*L), the last ones padded with zeros; fragments k .. k+m-1 are parity.
 * Every byte position is coded on its own, so the range [a, b) of a lost fragment is rebuilt from
 * the same range [a, b) of any k others. Replication is k = 1: every fragment is a whole copy.
 *
 * Source: Plank & Xu, "Optimizing Cauchy Reed-Solomon Codes" (2006) for the matrix; isa-l does it.
 * Pure, no allocation. Threads: any. */
#ifndef VS_COMMON_EC_H
#define VS_COMMON_EC_H

#include <stddef.h>
#include <stdint.h>

#define VS_EC_K_MAX 8
#define VS_EC_M_MAX 4
#define VS_EC_N_MAX (VS_EC_K_MAX + VS_EC_M_MAX)

enum vs_red_kind {
    VS_RED_NONE = 0,      /* not decided; never on disk */
    VS_RED_RS = 1,        /* k data and m parity fragments */
    VS_RED_REPLICATE = 2, /* k = 1; m more whole copies, so k+m copies in all */
};

/* How a chunk is made redundant: rs:3+2 is {VS_RED_RS, 3, 2}, three copies {VS_RED_REPLICATE, 1,
 * 2}. */
struct vs_redundancy {
    uint8_t kind, k, m;
};

/* -EINVAL unless kind, k and m are within the limits above and fit each other. */
int vs_redundancy_check(const struct vs_redundancy *red);
/* "rs:3+2", "replicate:3". `text` holds at least 24 bytes. */
void vs_redundancy_to_text(const struct vs_redundancy *red, char text[24]);
/* The same words back; -EINVAL for anything else. */
int vs_redundancy_from_text(const char *text, struct vs_redundancy *ret);

/* Bytes of each fragment of a chunk of `chunk_bytes` (0 gives 0). */
static inline size_t vs_ec_fragment_bytes(size_t chunk_bytes, unsigned k)
{
    return (chunk_bytes + k - 1) / k;
}

/* Compute the m parity fragments.
 * data[k], parity[m]: `len` bytes each, no alignment needed. */
void vs_ec_encode(unsigned k, unsigned m, size_t len, const uint8_t *const data[],
                  uint8_t *const parity[]);

/* Rebuild one missing fragment (data or parity) from any k others, on one byte range.
 *
 * have[k]    distinct fragment numbers in 0 .. k+m-1, `want` not among them
 * src[k]     `len` bytes of the same range of each
 * dst        `len` bytes of fragment `want`
 * Errors     -EINVAL bad numbers */
int vs_ec_rebuild(unsigned k, unsigned m, const uint8_t have[], const uint8_t *const src[],
                  unsigned want, uint8_t *dst, size_t len);

#endif
