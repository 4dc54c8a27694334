/* read_report: see the header. */
#include "fs/read_report.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Put a name in front of what is at path[*at]. False: no room. */
static bool path_prepend(char *path, size_t *at, const char *name, size_t len)
{
    if (len + 1 > *at)
        return false;
    if (path[*at] != '\0')
        path[--*at] = '/';
    *at -= len;
    memcpy(path + *at, name, len);
    return true;
}

void read_report_path(struct vsfs *fs, struct inode *i, char path[READ_REPORT_PATH_BYTES])
{
    size_t at = READ_REPORT_PATH_BYTES - 1;
    uint64_t ino = i->ino;

    path[at] = '\0';
    for (unsigned n = 0; ino != NS_INO_ROOT && n < READ_REPORT_DEPTH_MAX; n++) {
        struct inode *d = inode_find(fs->inodes, ino);
        bool more = false;

        if (d == NULL)
            break;
        {
            VS_LOCK_SCOPE(&d->lock);
            if (d->name_len > 0)
                more = path_prepend(path, &at, d->name, d->name_len);
            ino = d->parent;
        }
        inode_put(fs->inodes, d);
        if (!more)
            break;
    }
    if (path[at] == '\0')
        snprintf(path, READ_REPORT_PATH_BYTES, "inode %" PRIu64, i->ino);
    else
        memmove(path, path + at, READ_REPORT_PATH_BYTES - at);
}

/* Was this file spoken of a moment ago? Remembers it, in the place of the oldest. */
static bool report_is_due(uint64_t ino, int64_t now_ns)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        uint64_t ino;
        int64_t ns;
    } said[READ_REPORT_FILES_MAX];
    unsigned oldest = 0;

    VS_LOCK_SCOPE(&lock);
    for (unsigned n = 0; n < READ_REPORT_FILES_MAX; n++) {
        if (said[n].ino == ino && now_ns - said[n].ns < READ_REPORT_EVERY_NS)
            return false;
        if (said[n].ino == ino || said[n].ns < said[oldest].ns)
            oldest = n;
    }
    said[oldest].ino = ino;
    said[oldest].ns = now_ns;
    return true;
}

void read_report(struct vsfs *fs, struct inode *i, uint64_t offset, uint64_t bytes, int status)
{
    VS_AUTO_FREE char *path = NULL;

    if (!report_is_due(i->ino, vs_now_ns(fs->clock)))
        return;
    path = malloc(READ_REPORT_PATH_BYTES);
    if (path == NULL)
        return;
    read_report_path(fs, i, path);
    vs_error("%s: bytes %" PRIu64 " to %" PRIu64
             " cannot be read: %s -> EIO; the rest of the folder "
             "works, see vstackfs status",
             path, offset, offset + bytes, vs_err_text(status));
}
