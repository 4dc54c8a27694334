/* ns_read: what the namespace answers: lookups, listings, contents. Reads through the kv vtable.
 *
 * Threads: any (the kv's reads are). */
#ifndef VS_META_NS_READ_H
#define VS_META_NS_READ_H

#include "meta/kv.h"
#include "meta/meta_client.h"
#include "meta/ns_record.h"

/* Answer any read request of meta_client.h that concerns the namespace: LOOKUP GETATTR READDIR
 * CONTENT MEDIA GETXATTR LISTXATTR NODES STATS and SCAN of sessions, orphans, released, media due.
 * Fills the outputs of `r` except status, and returns what status should be. */
int ns_read(struct kv *kv, struct meta_req *r);

/* The newest configuration of the metadata replicas. -ENOENT: none but the first there was. */
int ns_read_members(struct kv *kv, struct ns_members *ret);

/* Cluster uuid of a namespace. -ENOENT when it is empty. */
int ns_read_cluster(struct kv *kv, struct vs_id *ret);

#endif
