/* names: changes of the directory tree as the kernel asks for them: create, mkdir, link, unlink,
 * rmdir, rename, over what is stored (metadata), provisional (fs/provisional.h), and the aliases of
 * the inbox (fs/inbox.h).
 *
 * Happy path: find what the name is now, one journal entry (none while the file is provisional),
 * tell the inbox. Failure: the errno the man page of the system call names; nothing is changed.
 *
 * The kernel holds the locks of the directories concerned, so two such changes of one directory do
 * not meet here; commits and publishing do not ask the kernel, hence inode->names.
 *
 * Threads: ops (may wait); caller holds nothing. */
#ifndef VS_FS_NAMES_H
#define VS_FS_NAMES_H

#include "fs/inode_table.h"

struct names_caller {
    uint32_t uid, gid;
};

enum names_kind { NAMES_NONE, NAMES_STORED, NAMES_PROVISIONAL, NAMES_ALIAS };

/* What a name stands for. names_found_close() gives the reference back; the rest stays readable. */
struct names_found {
    enum names_kind kind;
    struct ns_attr attr; /* STORED */
    struct inode *inode; /* PROVISIONAL, ALIAS: a reference; STORED: only if it is in the table */
};
int names_find(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
               struct names_found *ret);
void names_found_close(struct vsfs *fs, struct names_found *f);

/* May this name be made, removed, renamed here? 0, -ENAMETOOLONG, -EPERM (not ours to change),
 * and for a new name in the inbox -EINVAL. */
int names_check(uint64_t parent, const char *name, size_t len, bool fresh);

/* Attributes of a file in whatever state: overlays what is not committed. */
int names_attr(struct vsfs *fs, struct inode *i, struct ns_attr *ret);

/* A new file, provisional. `ret`: a reference. -EEXIST: there is one; open it instead, or not. */
int names_create(struct vsfs *fs, const struct names_caller *who, uint64_t parent, const char *name,
                 size_t len, uint32_t mode, struct inode **ret);
/* Directories, devices, pipes, sockets, empty files, symbolic links: stored at once. `target` is
 * for links only. */
int names_make(struct vsfs *fs, const struct names_caller *who, uint64_t parent, const char *name,
               size_t len, uint32_t mode, uint32_t rdev, const char *target, struct ns_attr *ret);
int names_link(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name, size_t len,
               struct ns_attr *ret);
int names_unlink(struct vsfs *fs, uint64_t parent, const char *name, size_t len);
int names_rmdir(struct vsfs *fs, uint64_t parent, const char *name, size_t len);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE of rename(2). Directories do not cross the border of
 * the inbox: -EXDEV, mv then copies. (fs/rename.c) */
int names_rename(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
                 uint64_t new_parent, const char *new_name, size_t new_len, unsigned flags);

/* Remove one stored name whose inode is `ino`, and see to the inode: as unlink, without looking at
 * provisional names. (for rename and the inbox) */
int names_unlink_stored(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name,
                        size_t len);
/* The same, under the `names` of its inode. */
int names_unlink_locked(struct vsfs *fs, uint64_t parent, const char *name, size_t len);
/* The provisional file `i` loses its name and will never be committed; the stored file that it hid
 * goes too. -ESTALE: it is committed by now. */
int names_drop_provisional(struct vsfs *fs, struct inode *i);
/* The same, under i->names; 1: it hid a stored file, which is the caller's to remove. */
int names_detach(struct vsfs *fs, struct inode *i);

/* A journal answer said that this inode lost a name: when it was the last one, its content goes as
 * soon as no handle has it open. `lost` may be empty (ino 0). */
void names_lost(struct vsfs *fs, const struct ns_attr *lost);
/* Remember where a file was seen last. */
void names_seen(struct inode *i, uint64_t parent, const char *name, size_t len);

#endif
