/* trio_use: what callers do with metadata in the tests of replicas: one call each, its status
 * returned. Changes carry a number of their own. */
#ifndef VS_TESTS_TRIO_USE_H
#define VS_TESTS_TRIO_USE_H

#include "meta/meta_client.h"

int trio_make_dir(struct meta_client *c, const char *name);
int trio_lookup(struct meta_client *c, const char *name);

/* A chunk's id that nobody has used, of the client's owner. */
struct vs_id trio_id(struct meta_client *c);

#endif
