/* ns_hold: which released ids may go: what a swap replaced stays while a mount that lives may still
 * be reading it.
 *
 * A grace period, as in epoch-based reclamation (Fraser, Practical lock-freedom, 2004): a released
 * id bears the slot of the entry that replaced it; each mount says now and then up to which slot it
 * has let go of all that was replaced, and the inodes of which it has not (MOUNT, meta/ns_types.h).
 * An id is free once every mount that lives has let go. Once free, always free: slots that were
 * heard never fall, so an answer from an older copy of the namespace errs on the safe side.
 * Failure: a mount that says nothing holds everything until it is ended (fs/mount_lease.h).
 *
 * Threads: the caller's, each its own. */
#ifndef VS_META_NS_HOLD_H
#define VS_META_NS_HOLD_H

#include "meta/kv.h"
#include "meta/ns_record.h"

struct ns_hold {
    uint64_t heard;     /* by all of them */
    struct vs_buf pins; /* inodes of all of them, u64 */
};

/* What holds now. Before the ids are looked at: those released later are not free by it. On error
 * closed. */
int ns_hold_load(struct kv *kv, struct ns_hold *h);
void ns_hold_close(struct ns_hold *h); /* forgives zeroed */

bool ns_hold_frees(const struct ns_hold *h, const struct ns_released *r);

#endif
