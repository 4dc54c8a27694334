/* file_xattrs: attributes of a file that the metadata does not know yet. */
#include "fs/file_xattrs.h"
#include "common/cleanup.h"
#include "common/err.h"
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

struct file_xattr {
    char *name;
    void *value;
    size_t len;
};

struct file_xattrs {
    struct file_xattr items[FILE_XATTRS_MAX];
    unsigned count;
    size_t bytes; /* of all names and values */
};

static struct file_xattr *file_xattrs_find(const struct file_xattrs *x, const char *name)
{
    for (unsigned n = 0; x != NULL && n < x->count; n++) {
        const struct file_xattr *a = &x->items[n];

        if (strcmp(a->name, name) == 0)
            return (struct file_xattr *)a;
    }
    return NULL;
}

static int file_xattrs_add(struct file_xattrs *x, const char *name, void *value, size_t len)
{
    struct file_xattr *a;
    char *own;

    if (x->count == FILE_XATTRS_MAX)
        return -ENOSPC;
    own = strdup(name);
    if (own == NULL)
        return -ENOMEM;
    a = &x->items[x->count++];
    *a = (struct file_xattr){ .name = own, .value = value, .len = len };
    x->bytes += strlen(name) + len;
    return 0;
}

int file_xattrs_set(struct file_xattrs **x, const char *name, const void *value, size_t len,
                    int flags)
{
    struct file_xattr *a = file_xattrs_find(*x, name);
    void *copy;
    int r;

    if (a != NULL && (flags & XATTR_CREATE))
        return -EEXIST;
    if (a == NULL && (flags & XATTR_REPLACE))
        return -ENODATA;
    if (*x == NULL)
        *x = calloc(1, sizeof(**x));
    if (*x == NULL)
        return -ENOMEM;
    if ((*x)->bytes + strlen(name) + len > FILE_XATTRS_BYTES_MAX)
        return -ENOSPC;
    copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, value, len);
    if (a != NULL) {
        (*x)->bytes += len - a->len;
        free(a->value);
        a->value = copy;
        a->len = len;
        return 0;
    }
    r = file_xattrs_add(*x, name, copy, len);
    if (r < 0)
        free(copy);
    return r;
}

int file_xattrs_get(const struct file_xattrs *x, const char *name, struct vs_buf *ret)
{
    const struct file_xattr *a = file_xattrs_find(x, name);

    if (a == NULL)
        return -ENODATA;
    return vs_buf_append(ret, a->value, a->len, NS_XATTR_VALUE_BYTES_MAX);
}

int file_xattrs_list(const struct file_xattrs *x, struct vs_buf *ret)
{
    int r = 0;

    for (unsigned n = 0; x != NULL && n < x->count && r == 0; n++)
        r = vs_buf_append(ret, x->items[n].name, strlen(x->items[n].name) + 1,
                          NS_XATTR_VALUE_BYTES_MAX);
    return r;
}

static void file_xattr_close(struct file_xattr *a)
{
    free(a->name);
    free(a->value);
}

int file_xattrs_remove(struct file_xattrs *x, const char *name)
{
    struct file_xattr *a = file_xattrs_find(x, name);

    if (a == NULL)
        return -ENODATA;
    x->bytes -= strlen(a->name) + a->len;
    file_xattr_close(a);
    *a = x->items[--x->count];
    return 0;
}

void file_xattrs_free(struct file_xattrs *x)
{
    if (x == NULL)
        return;
    for (unsigned n = 0; n < x->count; n++)
        file_xattr_close(&x->items[n]);
    free(x);
}

int file_xattrs_commit(struct vsfs *fs, struct inode *i)
{
    struct file_xattrs *x;
    int r = 0;

    VS_LOCK_SCOPE(&i->names); /* setxattr takes it too: an older value must not come last */
    pthread_mutex_lock(&i->lock);
    x = i->provisional ? NULL : i->xattrs;
    pthread_mutex_unlock(&i->lock);

    for (unsigned n = 0; x != NULL && n < x->count && r == 0; n++) {
        struct ns_entry e = { .kind = NS_E_SETXATTR,
                              .ino = i->ino,
                              .name = x->items[n].name,
                              .name_len = strlen(x->items[n].name),
                              .value = x->items[n].value,
                              .value_len = x->items[n].len };

        r = vsfs_change(fs, &e, NULL);
    }
    if (x == NULL || r < 0)
        return r;
    pthread_mutex_lock(&i->lock); /* readers had the list until the metadata has all of it */
    i->xattrs = NULL;
    pthread_mutex_unlock(&i->lock);
    file_xattrs_free(x);
    return 0;
}
