/* store_stall: a chunk store in front of another one that misbehaves on command: holds puts, fails
 * them, slows them down, tells wrong receipts. Everything else is passed on. For tests. */
#ifndef VS_TESTS_STORE_STALL_H
#define VS_TESTS_STORE_STALL_H

#include "node/chunk_store.h"

/* `exec` is lent. `inner` is owned: stopped with this one. */
struct chunk_store *store_stall_new(struct chunk_store *inner, struct vs_exec *exec);

/* Hold puts that come from now on; false passes the held ones on. A stop answers them -ECANCELED.
 */
void store_stall_hold(struct chunk_store *s, bool hold);
unsigned store_stall_held(struct chunk_store *s);
/* Wait until so many are held. */
void store_stall_await_held(struct chunk_store *s, unsigned count);
/* Answer puts with `status` (negative) and store nothing; 0: no more. */
void store_stall_fail(struct chunk_store *s, int status);
/* Store the next `count` puts, and tell a wrong receipt. */
void store_stall_lie(struct chunk_store *s, unsigned count);
/* Pass each put on only after so long. */
void store_stall_delay(struct chunk_store *s, int64_t delay_ns);
/* What health says; negative free_bytes: what the inner store says. */
void store_stall_health(struct chunk_store *s, enum store_state state, int64_t free_bytes);
/* Puts and deletes asked for so far. */
unsigned store_stall_puts(struct chunk_store *s);
unsigned store_stall_dels(struct chunk_store *s);

#endif
