/* content_held: contents that are in use on this mount although another version has taken their
 * place: reads in flight, and writers who began before.
 *
 * What they consist of must not go before they do: the mount names their inodes with its signs of
 * life (fs/mount_lease.h), and the chunks stay (meta/ns_hold.h). Happy path: every content is
 * known here from before it is asked for until its last reference is put; whoever hears of a new
 * version marks those that are older.
 *
 * Threads: any. */
#ifndef VS_FS_CONTENT_HELD_H
#define VS_FS_CONTENT_HELD_H

#include "fs/content.h"

/* The content of `ino` (0: of every inode) is of `version` now: what is older, or on its way and
 * turns out to be, was replaced. UINT64_MAX: whatever there is, nobody knows. */
void content_replaced(struct meta_client *meta, uint64_t ino, uint64_t version);

static inline bool content_is_replaced(const struct content *c)
{
    return c->replaced;
}

/* Inodes of which a replaced content with chunks is in use, or may come to be; each once. How many
 * there are: more than `max` is max + 1. */
unsigned content_held(struct meta_client *meta, uint64_t *inos, unsigned max);

/* For content.c: a load begins; it has ended, with `c` or NULL; one was made otherwise; the last
 * reference is put. */
void content_held_load(struct content_load *l);
void content_held_loaded(struct content_load *l, struct content *c);
void content_held_made(struct content *c);
void content_held_end(struct content *c);

#endif
