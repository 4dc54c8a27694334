/* nodes_report: the storage nodes as a list for people and programs, from what the metadata or a
 * mount says of them.
 *
 * One node: id, state ("up", "suspect", "down", "draining", "gone"; of a mount's stores "readonly",
 * too), address, and as far as they are known: domain, silent_ms (heard so long ago), free_bytes,
 * total_bytes, fragments.
 *
 * No I/O; threads: any. An answer may be hostile: each member has its type, its limit and no
 * control characters, or the whole page is -EBADMSG; a list ends. */
#ifndef VS_FS_NODES_REPORT_H
#define VS_FS_NODES_REPORT_H

#include "common/json.h"

#define NODES_REPORT_PAGE         20 /* of the longest rows, in HTTP_ASK_BODY_BYTES */
#define NODES_REPORT_MAX          1024
#define NODES_REPORT_ADVICE_BYTES 512

/* A page of GET /nodes/all (docs/API.md) that begins at `offset`: appended to `nodes`. *ret_next:
 * where the next page begins; 0: this was the last one. */
int nodes_report_page(const struct vs_json *page, uint64_t offset, struct vs_json *nodes,
                      uint64_t *ret_next);

/* The same list of the stores in a mount's status. */
struct vs_json *nodes_report_stores(const struct vs_json *status);

/* What to do, a sentence; of nodes that are processes, or of a mount's own stores. False: all are
 * up, or were removed for good. */
bool nodes_report_advice(const struct vs_json *nodes, bool processes,
                         char text[NODES_REPORT_ADVICE_BYTES]);

#endif
