/* data_path: where things are below the data directory of a mount. */
#ifndef VS_FS_DATA_PATH_H
#define VS_FS_DATA_PATH_H

#include "fs/vsfs.h"

#define DATA_PATH_BYTES         512
#define DATA_PATH_DIR_BYTES_MAX 190 /* of the data directory itself: records keep 255 bytes */
#define DATA_PATH_DISK_MAX      255 /* of a --disk directory */

/* DATA/name. */
void data_path(const struct vsfs *fs, const char *name, char path[DATA_PATH_BYTES]);
bool data_path_exists(const struct vsfs *fs, const char *name);
/* Directory DATA/name ("." for DATA), open for reading and syncing; negative errno. */
int data_path_open_dir(const struct vsfs *fs, const char *name);
/* mkdir -p, the last one for its owner only; 0 also when it is there. */
int data_path_make(const char *path);

#endif
