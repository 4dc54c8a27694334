/* mix: spreads a number over 64 bits, so that neighbours have nothing in common: splitmix64's
 * finish (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). One
 * to one. What was placed by it is found by it: it never changes.
 *
 * Pure. */
#ifndef VS_COMMON_MIX_H
#define VS_COMMON_MIX_H

#include <stdint.h>

static inline uint64_t vs_mix64(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

#endif
