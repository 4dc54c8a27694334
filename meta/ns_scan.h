/* ns_scan: the program's own lists in the namespace: sessions, orphans, released ids, media due.
 * What each list means: enum meta_scan, and meta/ns_schema.h for the released ids. */
#ifndef VS_META_NS_SCAN_H
#define VS_META_NS_SCAN_H

#include "meta/kv.h"
#include "meta/meta_client.h"

/* One page of r->scan behind r->scan_after or r->scan_after_id, at most r->scan_max items,
 * ascending. -EINVAL for a list that is not kept here. Threads: any. */
int ns_scan(struct kv *kv, struct meta_req *r);

#endif
