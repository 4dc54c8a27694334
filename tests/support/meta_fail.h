/* meta_fail: a metadata client in front of another one that refuses requests on command. For tests.
 */
#ifndef VS_TESTS_META_FAIL_H
#define VS_TESTS_META_FAIL_H

#include "meta/meta_client.h"

/* `inner` is owned, `exec` lent: refusals are answered there. */
struct meta_client *meta_fail_new(struct meta_client *inner, struct vs_exec *exec);

/* Refuse requests of one kind with `status` (negative); 0: no more. Of registers, the
 * request as a whole (META_FAIL_ALL), or only the one at index `one`. Of changes, those of `kind`.
 */
#define META_FAIL_ALL UINT32_MAX
void meta_fail_changes(struct meta_client *c, enum ns_entry_kind kind, int status);
void meta_fail_registers(struct meta_client *c, uint32_t one, int status);
/* Hold META_REG_CREATE requests; false passes them on. */
void meta_fail_hold_registers(struct meta_client *c, bool hold);
/* META_REG_CREATE requests, and registers in them, so far. */
unsigned meta_fail_requests(struct meta_client *c, unsigned *ret_registers);

#endif
