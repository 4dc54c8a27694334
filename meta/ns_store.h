/* ns_store: the directory of the namespace, which can be replaced by another one as a whole.
 *
 *   DIR/namespace       what is used
 *   DIR/namespace.new   being filled
 *   DIR/namespace.old   what was used before, on its way out
 *
 * Happy path: ns_store_fresh() makes an empty store beside the one in use; the caller fills it and
 * makes it durable; ns_store_take() puts it in the other's place while readers wait. Failure: a
 * crash at any point leaves the old one or the new one, whole: what the next start finds beside it
 * is removed, and a step half done is taken back (ns_store_open). If the new one cannot be opened
 * the old one comes back; if that cannot either, every call of the store fails with -EIO.
 *
 * Threads: open and close by the owner; fresh, take, drop by one thread at a time. */
#ifndef VS_META_NS_STORE_H
#define VS_META_NS_STORE_H

#include "meta/kv.h"

#define NS_STORE_PATH_MAX 4096

struct ns_store {
    struct kv *kv;    /* the one in use; a kv_swap, so it stays the same */
    struct kv *fresh; /* NULL: none is being filled */
    bool in_memory;
    char dir[NS_STORE_PATH_MAX]; /* holds namespace/ */
};

/* dir NULL: in memory. Leftovers of a step that was not finished go. -ENOENT: there is no
 * namespace, and none is to be made; else as kv_rocks_open(). */
int ns_store_open(struct ns_store *s, const char *dir, bool create);
void ns_store_close(struct ns_store *s); /* forgives zeroed and closed */

/* An empty store in s->fresh; one that was there already is thrown away. */
int ns_store_fresh(struct ns_store *s);
/* s->fresh, durable, takes the place. 0: durably; else the old one is in use. */
int ns_store_take(struct ns_store *s);
void ns_store_drop(struct ns_store *s); /* throw s->fresh away; forgives none */

/* Slot of the snapshot that the namespace grew from; 0: it has all from the first slot on. It is
 * not part of what snapshots carry. */
int ns_store_base(struct kv *kv, uint64_t *ret_slot);
int ns_store_set_base(struct kv *kv, uint64_t slot); /* unsynced */

#endif
