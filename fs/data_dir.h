/* data_dir: the directory a mount lives on: lock, metadata, stores. With storage nodes elsewhere it
 * has no nodes/, with metadata replicas elsewhere no meta/ and setup.
 *
 *   DATA/lock            held while a mount runs
 *   DATA/setup           only while a new cluster is being made
 *   DATA/clean           only after a clean stop (fs/clean_mark.h)
 *   DATA/meta/           acceptor/ and namespace/
 *   DATA/nodes/n1 .. n5  one store each, unless --disk names other places
 *   DATA/staging/        bytes written backwards, until they are committed
 *
 * Happy path: the metadata names the stores by uuid; each is found at its recorded place, or among
 * the --disk directories, and opened. Failure: a store that is missing, empty or somebody else's is
 * down, with a sentence; all of them, or metadata missing beside stores that are there: refused,
 * since going on would look like an empty file system to a media server. Nothing is ever
 * initialised again by itself. A first start that was interrupted (DATA/setup is there, nothing was
 * served yet) is begun anew. */
#ifndef VS_FS_DATA_DIR_H
#define VS_FS_DATA_DIR_H

#include "fs/vsfs.h"

#define DATA_DIR_NODES_DEFAULT 5
#define DATA_DIR_LOCK_WAIT_S   10
#define DATA_DIR_WHY_BYTES     1024

struct data_dir {
    bool opened;  /* there is something to close */
    bool created; /* this start made the cluster */
    int lock_fd;  /* -1: not held */
};

/* Lock, open or create everything: fills fs->meta, fs->stores, fs->cluster, fs->staging_fd,
 * fs->single_device. On failure `why` is a sentence for the user and all is closed again. */
int data_dir_open(struct data_dir *d, struct vsfs *fs, char why[DATA_DIR_WHY_BYTES]);

/* Stop the stores: whatever is in flight on them has ended when it returns. */
void data_dir_close_stores(struct vsfs *fs);

/* Close what open opened, in the right order, and give the lock back. Forgives half-open,
 * zeroed, twice. */
void data_dir_close(struct data_dir *d, struct vsfs *fs);

/* Put a new, empty store in directory `path` in the place of node entry `name`. The directory must
 * exist and be empty; a store that works and holds something is not replaced (-EBUSY). `why` as
 * above. Waits: ops threads. */
int data_dir_replace_node(struct vsfs *fs, const char *name, const char *path,
                          char why[DATA_DIR_WHY_BYTES]);

#endif
