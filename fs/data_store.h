/* data_store: one store directory of an embedded mount: find it, judge it, open it, make it. */
#ifndef VS_FS_DATA_STORE_H
#define VS_FS_DATA_STORE_H

#include "fs/vsfs.h"

/* Absolute path of a node: its recorded one when absolute, else below the data directory. */
void data_store_path(const struct vsfs *fs, const struct ns_node *node, char path[256]);

/* Where the store with this uuid is now: a --disk directory that holds it, else the recorded path.
 */
void data_store_locate(const struct vsfs *fs, const struct ns_node *node, char path[256]);

/* Open the store of `node` at `path` into `ret`. Negative: `why` is a sentence. */
int data_store_open(struct vsfs *fs, const struct ns_node *node, const char *path,
                    struct chunk_store **ret, char why[256]);

/* Make an empty store of a new uuid (written to node->uuid) in `path`. */
int data_store_format(struct vsfs *fs, struct ns_node *node, const char *path, char why[256]);

/* 1 a store is there, 0 none, negative: cannot be told. */
int data_store_exists(const char *path);

/* Is the store in this directory the one of that cluster and uuid? */
bool data_store_is(const char *path, const struct vs_id *cluster, const struct vs_id *uuid);

/* Make a directory empty again that was formatted for `cluster` and never used. 0 also when no
 * store is there; -ENOTEMPTY something was written in it; -ESTALE another cluster's. */
int data_store_unformat(const char *path, const struct vs_id *cluster);

/* Register a node, or its new place or uuid, in the metadata. Waits. */
int data_store_record(struct vsfs *fs, const struct ns_node *node);

#endif
