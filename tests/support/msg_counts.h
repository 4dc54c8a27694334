/* msg_counts: what registers cost replicas of the metadata in messages, from their own counters
 * (meta/px_count.h). */
#ifndef VS_TESTS_MSG_COUNTS_H
#define VS_TESTS_MSG_COUNTS_H

#include <stdint.h>

struct msg_counts {
    uint64_t wire;      /* asks and answers between replicas */
    uint64_t own;       /* between a coordinator and the acceptor of its own replica */
    uint64_t questions; /* of clients, about registers: each has an answer */
};

/* The sum of all counters of all replicas whose names begin so. */
typedef uint64_t msg_sum_fn(void *arg, const char *begin);

/* Once nothing is on its way any more: what a majority has decided still goes to the others.
 * Aborts when that takes longer than a minute. */
struct msg_counts msg_counts_settled(msg_sum_fn *sum, void *arg);
struct msg_counts msg_counts_since(const struct msg_counts *before, const struct msg_counts *now);

#endif
