/* px_wait: one ask of a px_link, waited for: for threads that have nothing else to do. */
#ifndef VS_META_PX_WAIT_H
#define VS_META_PX_WAIT_H

#include "meta/px_link.h"

/* A frame to replica `to`; `answer` is replaced by what came back. The ask's status. Not on a
 * thread of the link. */
int px_wait_ask(struct px_link *l, uint32_t to, const struct vs_buf *frame, size_t answer_max,
                unsigned timeout_ms, struct vs_buf *answer);
/* The same with a question of a client, for the leader. */
int px_wait_question(struct px_link *l, uint32_t to, const struct vs_buf *question,
                     size_t answer_max, unsigned timeout_ms, struct vs_buf *answer);

#endif
