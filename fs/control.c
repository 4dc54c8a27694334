/* control: `.vstack/`, and `.ignore` in the inbox. */
#include "fs/control.h"
#include "common/err.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool control_has_name(uint64_t parent, const char *name, size_t len)
{
    if (control_owns(parent))
        return true;
    if (parent == NS_INO_ROOT)
        return len == strlen(CONTROL_DIR_NAME) && memcmp(name, CONTROL_DIR_NAME, len) == 0;
    return parent == NS_INO_INBOX && len == strlen(CONTROL_IGNORE_NAME) &&
           memcmp(name, CONTROL_IGNORE_NAME, len) == 0;
}

int control_getattr(struct vsfs *fs, uint64_t ino, struct ns_attr *ret)
{
    struct ns_time now = vsfs_now(fs);

    *ret = (struct ns_attr){ .ino = ino,
                             .generation = 1,
                             .nlink = 1,
                             .atime = now,
                             .mtime = now,
                             .ctime = now,
                             .btime = now };
    if (ino == CONTROL_INO_DIR) {
        ret->mode = S_IFDIR | 0555;
        ret->nlink = 2;
        return 0;
    }
    ret->mode = S_IFREG | 0444;
    return ino == CONTROL_INO_IGNORE ? 0 : -ENOENT;
}

int control_lookup(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
                   struct ns_attr *ret)
{
    if (!control_has_name(parent, name, len) || control_owns(parent))
        return -ENOENT;
    return control_getattr(fs, parent == NS_INO_ROOT ? CONTROL_INO_DIR : CONTROL_INO_IGNORE, ret);
}

int control_readdir(struct vsfs *fs, uint64_t ino, struct ns_dirent *ret, unsigned max)
{
    (void)fs;
    (void)ret;
    (void)max;
    return ino == CONTROL_INO_DIR ? 0 : -ENOTDIR;
}

int control_open(struct vsfs *fs, uint64_t ino, int flags, struct control_file **ret)
{
    struct control_file *f;

    (void)fs;
    (void)flags;
    if (ino != CONTROL_INO_IGNORE)
        return -ENOENT;
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -ENOMEM;
    f->ino = ino;
    *ret = f;
    return 0;
}

int64_t control_write(struct vsfs *fs, struct control_file *f, const void *bytes, size_t len)
{
    (void)fs;
    (void)f;
    (void)bytes;
    (void)len;
    return -EPERM;
}

void control_close(struct vsfs *fs, struct control_file *f)
{
    (void)fs;
    if (f == NULL)
        return;
    vs_buf_close(&f->text);
    free(f);
}
