/* Random numbers: a seeded generator for decisions that must be repeatable (splitmix64, Steele,
 * Lea, Flood 2014), and the kernel's for uuids and salts. The one place that knows either. */
#ifndef VS_COMMON_RAND_H
#define VS_COMMON_RAND_H

#include <stddef.h>
#include <stdint.h>

struct vs_rand {
    uint64_t state;
};

static inline void vs_rand_init(struct vs_rand *r, uint64_t seed)
{
    r->state = seed;
}
uint64_t vs_rand_u64(struct vs_rand *r);
/* Uniform in 0 .. bound-1, bound >= 1. */
uint64_t vs_rand_below(struct vs_rand *r, uint64_t bound);
void vs_rand_bytes(struct vs_rand *r, void *dst, size_t len);

/* Fill from getrandom(2); cannot fail after boot. Threads: any. */
void vs_rand_system(void *dst, size_t len);

#endif
