/* provisional: names of files that are created and not yet committed: (directory, name) -> inode.
 *
 * A create makes no journal entry; until the first commit this map alone knows the name. It comes
 * before what the metadata says: a provisional file that was renamed over a stored one hides it
 * (inode->replace), and the commit replaces it. The map holds a reference on each inode.
 *
 * Happy path: created -> put; committed, or unlinked -> dropped. Failure: a name that is there is
 * -EEXIST; PROVISIONAL_MAX files at once is -ENFILE.
 *
 * Threads: any. Keys follow inode->parent and name, which change under inode->names, in here. */
#ifndef VS_FS_PROVISIONAL_H
#define VS_FS_PROVISIONAL_H

#include "fs/inode_table.h"

#define PROVISIONAL_MAX (1u << 20)

struct provisional;

/* One name of a directory, for listings. */
struct provisional_name {
    uint64_t ino;
    uint32_t mode;
    uint8_t name_len;
    char name[NS_NAME_BYTES_MAX];
};

int provisional_new(struct provisional **ret, struct inode_table *table);
void provisional_free(struct provisional *p); /* forgives NULL */

/* The file of that name, a reference; NULL: none. */
struct inode *provisional_find(struct provisional *p, uint64_t parent, const char *name,
                               size_t len);
/* Enter i under i->parent, i->name. */
int provisional_put(struct provisional *p, struct inode *i);
/* Move to another name, which must be free (provisional_drop() what is there). */
int provisional_move(struct provisional *p, struct inode *i, uint64_t parent, const char *name,
                     size_t len);
/* The name is committed, or gone. 1: it was there; 0: it was not. */
int provisional_drop(struct provisional *p, struct inode *i);

/* Is any provisional file in this directory? */
bool provisional_any(struct provisional *p, uint64_t dir);
/* The same, and when the last name was made there that is still provisional. */
bool provisional_newest(struct provisional *p, uint64_t dir, struct ns_time *ret);
/* All names of a directory, on the heap; NULL and 0 when there is none. -ENOMEM. */
int provisional_list(struct provisional *p, uint64_t dir, struct provisional_name **ret,
                     size_t *ret_count);

#endif
