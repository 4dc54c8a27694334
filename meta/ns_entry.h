/* ns_entry codec: journal entries as bytes. Bounded, total, versioned. Pure. */
#ifndef VS_META_NS_ENTRY_H
#define VS_META_NS_ENTRY_H

#include "common/buf.h"
#include "meta/ns_types.h"

/* -EMSGSIZE beyond NS_ENTRY_BYTES_MAX, -EINVAL a field out of its limits. */
int ns_entry_encode(const struct ns_entry *e, struct vs_buf *ret);

/* `ret` points into `bytes`, and into `*ret_ids` (released and collected ids; the caller frees it).
 * -VS_ECORRUPT, -VS_ENEWER, -ENOMEM. */
int ns_entry_decode(const void *bytes, size_t len, struct ns_entry *ret, void **ret_ids);

#endif
