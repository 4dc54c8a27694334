/* store_late: a chunk store in front of another one that keeps silent about gets while it is told
 * to, and whose gets can be cancelled, as over a network. For tests. */
#ifndef VS_TESTS_STORE_LATE_H
#define VS_TESTS_STORE_LATE_H

#include "node/store_set.h"

#define STORE_LATE_HELD_MAX 256

/* In front of the store that entry `i` has: it becomes the entry's, and owns the other. `exec` is
 * lent. */
struct chunk_store *store_late_entry(struct store_set *set, unsigned i, struct vs_exec *exec);
/* Hold gets that come from now on; false passes the held ones on. */
void store_late_hold(struct chunk_store *s, bool hold);
unsigned store_late_held(struct chunk_store *s);
unsigned store_late_gets(struct chunk_store *s); /* so far */
unsigned store_late_cancels(struct chunk_store *s);
/* What health says. */
void store_late_state(struct chunk_store *s, enum store_state state);

#endif
