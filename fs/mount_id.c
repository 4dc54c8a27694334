/* mount_id: see the header. */
#include "fs/mount_id.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/rand.h"
#include "fs/data_path.h"
#include "meta/tail_record.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ID_NAME     "mount.id"
#define ID_NEW_NAME ID_NAME ".new"
#define ID_DIGITS   16

/* 0: there is none that can be read. */
static uint64_t id_read(int dir)
{
    VS_AUTO_FD int fd = openat(dir, ID_NAME, O_RDONLY | O_CLOEXEC);
    char text[ID_DIGITS + 2] = "";
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    if (n == ID_DIGITS + 1 && text[ID_DIGITS] == '\n')
        text[ID_DIGITS] = '\0';
    if (strspn(text, "0123456789abcdef") != ID_DIGITS || text[ID_DIGITS] != '\0')
        return 0;
    return strtoull(text, NULL, 16) & ~NS_MOUNT_TAIL;
}

static int id_write(int dir, uint64_t id)
{
    VS_AUTO_FD int fd = openat(dir, ID_NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    if (dprintf(fd, "%016" PRIx64 "\n", id) != ID_DIGITS + 1)
        return -ENOSPC;
    if (fsync(fd) < 0 || renameat(dir, ID_NEW_NAME, dir, ID_NAME) < 0 || fsync(dir) < 0)
        return -errno;
    return 0;
}

int mount_id_take(const struct vsfs *fs, uint64_t *ret)
{
    VS_AUTO_FD int dir = data_path_open_dir(fs, ".");
    uint64_t id = dir >= 0 ? id_read(dir) : 0;
    int r = dir < 0 ? dir : 0;

    if (r == 0 && id == 0) {
        while (id == 0) {
            vs_rand_system(&id, sizeof(id));
            id &= ~NS_MOUNT_TAIL;
        }
        r = id_write(dir, id);
    }
    if (r == 0)
        *ret = id;
    return r;
}
