/* cluster_file: cluster.json on a disk (what it says: common/cluster_json.h).
 *
 * A save is whole or not there: written beside it, synced, renamed over it, the directory synced.
 * Who changes it while others may holds a lock of his own (`vstackfs up` and `down` do).
 *
 * Threads: any. Errors come with a sentence that names the file. */
#ifndef VS_COMMON_CLUSTER_FILE_H
#define VS_COMMON_CLUSTER_FILE_H

#include "common/cluster_json.h"

/* -ENOENT there is none; -EINVAL, -VS_ENEWER, -VS_ECORRUPT as cluster_json_parse(); I/O errors. */
int cluster_file_load(const char *path, struct cluster_json *ret, char why[CLUSTER_WHY_BYTES]);

/* Durable when it returns 0. On an error the former file is as it was. */
int cluster_file_save(const char *path, const struct cluster_json *c, char why[CLUSTER_WHY_BYTES]);

#endif
