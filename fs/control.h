/* control: files that are not stored: `.vstack/` in the root (status and commands) and the empty
 * `.ignore` in the inbox that keeps media scanners out of it. None of them is listed in the
 * directory above except `.ignore`.
 *
 * Inode numbers from CONTROL_INO_BASE up; the metadata never uses them. Every function may wait:
 * ops threads only, except control_owns() and control_has_name(). Errors are what the man page of
 * the system call names. */
#ifndef VS_FS_CONTROL_H
#define VS_FS_CONTROL_H

#include "common/buf.h"
#include "fs/vsfs.h"
#include "meta/ns_types.h"
#include <pthread.h>

#define CONTROL_INO_BASE    (UINT64_C(1) << 63)
#define CONTROL_INO_DIR     CONTROL_INO_BASE       /* .vstack */
#define CONTROL_INO_IGNORE  (CONTROL_INO_BASE + 1) /* inbox/.ignore */
#define CONTROL_INO_FIRST   (CONTROL_INO_BASE + 16)
#define CONTROL_DIR_NAME    ".vstack"
#define CONTROL_IGNORE_NAME ".ignore"
#define CONTROL_ENTRIES_MAX 64

static inline bool control_owns(uint64_t ino)
{
    return ino >= CONTROL_INO_BASE;
}

/* Is this one of ours: below `.vstack`, or `.vstack` or `.ignore` itself? */
bool control_has_name(uint64_t parent, const char *name, size_t len);

int control_lookup(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
                   struct ns_attr *ret);
int control_getattr(struct vsfs *fs, uint64_t ino, struct ns_attr *ret);
/* The whole directory, at most CONTROL_ENTRIES_MAX, cookies from 1 up, attr filled; the number of
 * entries. */
int control_readdir(struct vsfs *fs, uint64_t ino, struct ns_dirent *ret, unsigned max);

/* An open file: what it says is fixed when it is opened, or answers what was written to it. */
struct control_file {
    uint64_t ino;
    pthread_mutex_t lock; /* one descriptor may be read and written by several threads */
    struct vs_buf text;   /* what read gives; under lock */
};
int control_open(struct vsfs *fs, uint64_t ino, int flags, struct control_file **ret);
/* Append up to `len` bytes from `offset` on to `ret`; nothing at the end. */
int control_read(struct control_file *f, uint64_t offset, size_t len, struct vs_buf *ret);
/* A command. The bytes taken. */
int64_t control_write(struct vsfs *fs, struct control_file *f, const void *bytes, size_t len);
void control_close(struct vsfs *fs, struct control_file *f); /* forgives NULL */

#endif
