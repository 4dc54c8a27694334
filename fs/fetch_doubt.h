/* fetch_doubt: which stores a read had better not wait for: those that are late and have answered
 * nobody since they were asked. A store that is slow but answers is not doubted.
 *
 * Pure; times are arguments. Threads: any. */
#ifndef VS_FS_FETCH_DOUBT_H
#define VS_FS_FETCH_DOUBT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FETCH_DOUBT_STORES_MAX 64
/* A doubt fades: the next read tries the store again. By then its health is known (2 s). */
#define FETCH_DOUBT_NS         (INT64_C(4) * 1000 * 1000 * 1000)

/* Zeroed: no doubts. */
struct fetch_doubt {
    struct {
        _Atomic int64_t answered_ns; /* when it last answered a read; 0: never */
        _Atomic int64_t until_ns;    /* doubted until then */
    } of[FETCH_DOUBT_STORES_MAX];
};

/* Store i of the set answered, whatever it said: it is there. */
void fetch_doubt_answered(struct fetch_doubt *d, unsigned i, int64_t now_ns);
/* Store i owes an answer since asked_ns, for too long. */
void fetch_doubt_late(struct fetch_doubt *d, unsigned i, int64_t asked_ns, int64_t now_ns);
bool fetch_doubt_is(struct fetch_doubt *d, unsigned i, int64_t now_ns);

#endif
