/* journal_retry: exactly once: is a request that is to be applied new to its client's line of the
 * retry table? The table is applied state: one line per client with the sequence number of its last
 * request and what that was answered, written in the same batch as the request's effect.
 *
 * A client has one request at a time in the journal and numbers them upwards from 1; it repeats one
 * under the same number until it has an answer.
 *
 * Pure. Threads: any. */
#ifndef VS_META_JOURNAL_RETRY_H
#define VS_META_JOURNAL_RETRY_H

#include "meta/px_mutant.h"
#include <stdint.h>

enum journal_retry {
    JOURNAL_RETRY_NEW,   /* apply it, keep the answer */
    JOURNAL_RETRY_AGAIN, /* applied before: answer what was answered then */
    JOURNAL_RETRY_OLD,   /* a copy that was late: nobody waits for it */
};

/* last: of the client's line; 0: it has none. */
static inline enum journal_retry journal_retry(uint64_t last, uint64_t request)
{
    if (request > last || PX_MUTANT == 13)
        return JOURNAL_RETRY_NEW;
    return request == last ? JOURNAL_RETRY_AGAIN : JOURNAL_RETRY_OLD;
}

#endif
