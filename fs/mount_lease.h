/* mount_lease: this mount among others of the same metadata: it says that it lives, and which files
 * without a name it does not have open.
 *
 * An unlinked file keeps its bytes while any mount that lives may have it open (meta/ns_rules.h,
 * ns_rule_mount.c). Happy path: LEASE_SIGNS signs of life in the time of a lease; who hears of an
 * unlink strikes itself off at once, or when its last handle closes (fs/orphan.h). With each sign a
 * mount says what it has let go of, of all that was replaced (fs/content_held.h). Failure: a mount
 * that gives no sign for as long as the lease, by the clock and the lease of whoever watches it, is
 * ended by that one: what it had open may go. Signs that do not get through are tried again.
 *
 * Threads: a job on fs->ops. */
#ifndef VS_FS_MOUNT_LEASE_H
#define VS_FS_MOUNT_LEASE_H

#include "fs/vsfs.h"

#define LEASE_LAPSE_S     30 /* -o lease=S */
#define LEASE_LAPSE_S_MIN 3
#define LEASE_LAPSE_S_MAX 3600
#define LEASE_SIGNS       6 /* in that time */

struct mount_lease;

/* Gives the first sign, and waits for it: before any file is opened. What the metadata say. */
int mount_lease_start(struct mount_lease **ret, struct vsfs *fs);
/* No handle is open any more: the mount ends. Forgives NULL. */
void mount_lease_stop(struct mount_lease *l);

/* What the job does each time: sign, watch the others, see to what was missed. (waits; not two at
 * a time) */
void mount_lease_turn(struct mount_lease *l);

/* The last name of an inode is gone, by whoever: now, or when its last handle closes, this mount
 * forgets it. (waits) */
void mount_lease_unlinked(struct vsfs *fs, uint64_t ino);

#endif
