/* meta_twist: a metadata client in front of another one, whose answers a test may change or hold.
 * For tests. */
#ifndef VS_TESTS_META_TWIST_H
#define VS_TESTS_META_TWIST_H

#include "meta/meta_client.h"

/* Runs when the inner client has answered, before `done`, on the inner client's threads; may change
 * the answer, or block. */
typedef void meta_twist_fn(void *arg, struct meta_req *r);

/* `inner` is owned: stopped with this one. */
struct meta_client *meta_twist_new(struct meta_client *inner);
/* For requests that are answered from now on; NULL: none. */
void meta_twist_set(struct meta_client *c, meta_twist_fn *fn, void *arg);

#endif
