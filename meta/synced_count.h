/* synced_count: how many synced batches acceptor/ has acknowledged, kept in a small file beside it.
 *
 * A database that comes back with fewer batches than the file says has forgotten promises: it must
 * be treated as a lost disk. The file is written from time to time, not with each batch, so it is a
 * lower bound. Two slots are written in turn, so a torn write leaves the older one.
 *
 * Threads: one at a time. */
#ifndef VS_META_SYNCED_COUNT_H
#define VS_META_SYNCED_COUNT_H

#include "common/file_io.h"
#include "common/id.h"

#define SYNCED_COUNT_NAME "acceptor.synced"

struct synced_count {
    struct vs_file *file; /* NULL: closed */
    struct vs_id cluster;
    uint64_t recorded; /* newest count in the file */
    unsigned slot;     /* written next */
};

/* Open the file in `io` (lent until close), making it when it is missing: a missing or unreadable
 * file proves nothing, so it counts as 0. -VS_EFORGOT it belongs to another cluster. */
int synced_count_open(struct synced_count *s, struct vs_io *io, const struct vs_id *cluster);

/* Write and sync. A failure leaves the recorded count as it was; the caller must not go on. */
int synced_count_record(struct synced_count *s, uint64_t count);

void synced_count_close(struct synced_count *s); /* forgives zeroed and closed */

#endif
