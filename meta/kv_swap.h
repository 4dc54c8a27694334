/* kv_swap: a key-value store that can be replaced by another one while it is used.
 *
 * Happy path: every call goes to the store inside. kv_swap_change() waits until nobody is inside,
 * keeps others out, and lets the caller close the old store and open the new one; whoever came
 * meanwhile goes on with the new one. So a scan sees one store or the other, never both. Views of
 * the old store end there: -ESTALE. Failure: a change that could not open anything leaves nothing
 * inside: every call is -EIO until the next change.
 *
 * Threads: as meta/kv.h; a change from any thread that is not inside (in a scan's callback). What
 * is written must come from one thread at a time, as always. */
#ifndef VS_META_KV_SWAP_H
#define VS_META_KV_SWAP_H

#include "meta/kv.h"

/* Takes `inner` over: kv_close() of the result closes it. -ENOMEM: it does not. */
int kv_swap_new(struct kv **ret, struct kv *inner);

/* Replace *inner (NULL: there is none): close it, set it to what comes in its place, NULL when
 * there is nothing. */
typedef int kv_swap_fn(void *arg, struct kv **inner);
/* What fn returned. */
int kv_swap_change(struct kv *swap, kv_swap_fn *fn, void *arg);

#endif
