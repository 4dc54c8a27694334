/* fetch_doubt: see the header. Failure: none; a wrong doubt costs a read from another store. */
#include "fs/fetch_doubt.h"

void fetch_doubt_answered(struct fetch_doubt *d, unsigned i, int64_t now_ns)
{
    atomic_store(&d->of[i].answered_ns, now_ns);
    if (atomic_load(&d->of[i].until_ns) != 0)
        atomic_store(&d->of[i].until_ns, 0);
}

void fetch_doubt_late(struct fetch_doubt *d, unsigned i, int64_t asked_ns, int64_t now_ns)
{
    if (atomic_load(&d->of[i].answered_ns) < asked_ns)
        atomic_store(&d->of[i].until_ns, now_ns + FETCH_DOUBT_NS);
}

bool fetch_doubt_is(struct fetch_doubt *d, unsigned i, int64_t now_ns)
{
    return now_ns < atomic_load(&d->of[i].until_ns);
}
