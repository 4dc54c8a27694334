/* sb_files: the superblock files of a store by id, and their descriptors: at most
 * SB_FILES_OPEN_MAX are open beside those in use, least recently used closed first.
 *
 * Threads: any; one lock of its own, the innermost. Opening a file happens under it. */
#ifndef VS_NODE_SB_FILES_H
#define VS_NODE_SB_FILES_H

#include "node/sb_file.h"
#include <pthread.h>

#define SB_FILES_OPEN_MAX 48
#define SB_FILES_MAX      (1u << 20)

struct sb_files {
    struct vs_io *io;   /* lent */
    struct sb_file **v; /* by ascending id; owned */
    uint32_t count, cap;
    struct vs_list lru; /* open, not pinned; oldest first */
    unsigned lru_count;
    pthread_mutex_t lock;
};

void sb_files_init(struct sb_files *t, struct vs_io *io);
/* Nothing may be pinned. */
void sb_files_close(struct sb_files *t);

/* Add a file (calloc'ed; ownership moves on success). -EEXIST, -ENOMEM, -ENOSPC at the limit. */
int sb_files_add(struct sb_files *t, struct sb_file *f);
/* Close and free a file that nobody has pinned; false when somebody has. */
bool sb_files_remove(struct sb_files *t, uint64_t id);
/* The file or NULL. A file leaves the table only when nothing in it is live or pending. */
struct sb_file *sb_files_find(struct sb_files *t, uint64_t id);
/* The first file with an id above `id`, or NULL. */
struct sb_file *sb_files_after(struct sb_files *t, uint64_t id);

/* The id of that file, or 0. */
uint64_t sb_files_next_id(struct sb_files *t, uint64_t id);
/* The highest id that is at most `id`, or 0. */
uint64_t sb_files_id_below(struct sb_files *t, uint64_t id);
/* Under the store's lock: what was written to the files `low` .. `high`, in bytes. */
uint64_t sb_files_bytes(struct sb_files *t, uint64_t low, uint64_t high);

/* Find and pin: open (f->fd) until sb_files_unpin(). -ENOENT not in the table, or its file is gone;
 * I/O errors. */
int sb_files_pin(struct sb_files *t, uint64_t id, struct sb_file **ret);
/* The same if it is open now; -EAGAIN when it is not. Does not block on a disk. */
int sb_files_pin_open(struct sb_files *t, uint64_t id, struct sb_file **ret);
/* Pin once more what is pinned. */
void sb_files_pin_again(struct sb_files *t, struct sb_file *f);
/* Pin a file of the table with a descriptor that the caller has; ownership of `fd` moves. */
void sb_files_pin_fd(struct sb_files *t, struct sb_file *f, struct vs_file *fd);
void sb_files_unpin(struct sb_files *t, struct sb_file *f);

#endif
