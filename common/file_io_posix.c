/* struct vs_io on openat(2), relative to one directory descriptor.
 *
 * Happy path: each call is one system call, repeated until all bytes are through.
 * Failure modes: an interrupted call (EINTR) is repeated, except fdatasync and fsync: after any
 * error of those nobody knows what is on the disk (see file_io.h), so the caller must hear of it.
 * A write that makes no progress is -EIO. */
#include "common/file_io.h"

#include "common/assert.h"
#include "common/err.h"
#include "common/list.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILE_MODE 0600 /* people's films: the owner of the store only */

struct posix_io {
    struct vs_io io;
    int dir_fd;
};

struct posix_file {
    struct vs_file file;
    int fd;
};

static int io_dir_fd(const struct vs_io *io)
{
    return vs_container_of(io, struct posix_io, io)->dir_fd;
}

static int file_fd(const struct vs_file *f)
{
    return vs_container_of(f, struct posix_file, file)->fd;
}

static int posix_open(struct vs_io *io, const char *name, unsigned how, struct vs_file **ret)
{
    int flags = O_CLOEXEC | O_NOFOLLOW;
    struct posix_file *f;
    int fd;

    flags |= (how & VS_IO_WRITE) != 0 ? O_RDWR : O_RDONLY;
    flags |= (how & VS_IO_CREATE) != 0 ? O_CREAT | O_EXCL : 0;
    flags |= (how & VS_IO_DIRECT) != 0 ? O_DIRECT : 0;

    f = malloc(sizeof(*f));
    if (f == NULL)
        return -ENOMEM;
    do
        fd = openat(io_dir_fd(io), name, flags, FILE_MODE);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        int r = -errno;

        free(f);
        return r;
    }
    *f = (struct posix_file){ .fd = fd };
    *ret = &f->file;
    return 0;
}

static int posix_fd(struct vs_file *f)
{
    return file_fd(f);
}

static void posix_close(struct vs_file *file)
{
    struct posix_file *f = vs_container_of(file, struct posix_file, file);

    close(f->fd);
    free(f);
}

/* Is this the end of the file, or behind it? */
static bool ends_at(const struct vs_file *f, uint64_t offset)
{
    struct stat st;

    return fstat(file_fd(f), &st) == 0 && (uint64_t)st.st_size <= offset;
}

static int64_t posix_pread(struct vs_file *f, void *dst, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(file_fd(f), (uint8_t *)dst + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
        /* O_DIRECT may end in the middle of a block, where asking on would be unaligned. Only the
         * end of the file may look like one. */
        if ((f->how & VS_IO_DIRECT) != 0 && done % VS_IO_BLOCK_BYTES != 0)
            return ends_at(f, offset + done) ? (int64_t)done : -EIO;
    }
    return (int64_t)done;
}

/* Take `written` bytes off the front of iov[0 .. count); the index of the first one not empty. */
static int iov_advance(struct iovec *iov, int count, size_t written)
{
    int first = 0;

    while (first < count && written >= iov[first].iov_len)
        written -= iov[first++].iov_len;
    if (first < count) {
        iov[first].iov_base = (uint8_t *)iov[first].iov_base + written;
        iov[first].iov_len -= written;
    } else {
        VS_ASSERT(written == 0);
    }
    return first;
}

static int posix_pwritev(struct vs_file *f, const struct iovec *iov, int iovcnt, uint64_t offset)
{
    struct iovec rest[VS_IO_IOV_MAX];
    int first = 0;

    VS_ASSERT(iovcnt <= VS_IO_IOV_MAX);
    memcpy(rest, iov, (size_t)iovcnt * sizeof(*iov));
    first = iov_advance(rest, iovcnt, 0); /* empty ones */
    while (first < iovcnt) {
        ssize_t n = pwritev(file_fd(f), rest + first, iovcnt - first, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        offset += (uint64_t)n;
        first += iov_advance(rest + first, iovcnt - first, (size_t)n);
    }
    return 0;
}

static int posix_fdatasync(struct vs_file *f)
{
    return fdatasync(file_fd(f)) < 0 ? -errno : 0;
}

static int do_fallocate(struct vs_file *f, int mode, uint64_t offset, uint64_t len)
{
    int r;

    do
        r = fallocate(file_fd(f), mode, (off_t)offset, (off_t)len);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return 0;
    return errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

static int posix_allocate(struct vs_file *f, uint64_t offset, uint64_t len)
{
    return do_fallocate(f, 0, offset, len);
}

static int posix_punch(struct vs_file *f, uint64_t offset, uint64_t len)
{
    return do_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
}

static int posix_truncate(struct vs_file *f, uint64_t file_bytes)
{
    int r;

    do
        r = ftruncate(file_fd(f), (off_t)file_bytes);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

static int posix_size(struct vs_file *f, uint64_t *ret_bytes)
{
    struct stat st;

    if (fstat(file_fd(f), &st) < 0)
        return -errno;
    *ret_bytes = (uint64_t)st.st_size;
    return 0;
}

static int posix_allocated(struct vs_file *f, uint64_t *ret_bytes)
{
    struct stat st;

    if (fstat(file_fd(f), &st) < 0)
        return -errno;
    *ret_bytes = (uint64_t)st.st_blocks * 512; /* stat(2): units of 512 whatever the disk */
    return 0;
}

static int posix_linked(struct vs_file *f)
{
    struct stat st, dir_st;

    if (fstat(file_fd(f), &st) < 0 || fstat(io_dir_fd(f->io), &dir_st) < 0)
        return -errno;
    return st.st_nlink > 0 && dir_st.st_nlink > 0;
}

static void posix_drop_cache(struct vs_file *f, uint64_t offset, uint64_t len)
{
    /* DONTNEED passes over dirty pages, so the write-back is begun first. */
    (void)sync_file_range(file_fd(f), (off_t)offset, (off_t)len, SYNC_FILE_RANGE_WRITE);
    (void)posix_fadvise(file_fd(f), (off_t)offset, (off_t)len, POSIX_FADV_DONTNEED);
}

static int posix_unlink(struct vs_io *io, const char *name)
{
    return unlinkat(io_dir_fd(io), name, 0) < 0 ? -errno : 0;
}

static int posix_rename(struct vs_io *io, const char *from, const char *to)
{
    return renameat(io_dir_fd(io), from, io_dir_fd(io), to) < 0 ? -errno : 0;
}

static int posix_sync_dir(struct vs_io *io)
{
    return fsync(io_dir_fd(io)) < 0 ? -errno : 0;
}

static int list_entries(struct vs_io *io, DIR *dir, vs_io_list_fn *fn, void *arg)
{
    for (;;) {
        const struct dirent *entry;
        struct stat st;
        int r;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL)
            return -errno;
        if (strlen(entry->d_name) > VS_IO_NAME_BYTES_MAX || entry->d_type == DT_DIR)
            continue;
        if (fstatat(io_dir_fd(io), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT) /* unlinked since readdir saw it */
                continue;
            return -errno;
        }
        if (!S_ISREG(st.st_mode))
            continue;
        r = fn(arg, entry->d_name, (uint64_t)st.st_size);
        if (r != 0)
            return r;
    }
}

static int posix_list(struct vs_io *io, vs_io_list_fn *fn, void *arg)
{
    DIR *dir;
    int fd, r;

    /* A descriptor of its own: fdopendir takes it over, and two lists must not share a position. */
    fd = openat(io_dir_fd(io), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (dir == NULL) {
        r = -errno;
        close(fd);
        return r;
    }
    r = list_entries(io, dir, fn, arg);
    closedir(dir);
    return r;
}

static int posix_space(struct vs_io *io, struct vs_io_space *ret)
{
    struct statvfs vfs;
    struct stat st;

    if (fstatvfs(io_dir_fd(io), &vfs) < 0 || fstat(io_dir_fd(io), &st) < 0)
        return -errno;
    /* f_bavail, not f_bfree, also for root: the reserve of the file system is for the machine. */
    *ret = (struct vs_io_space){
        .total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize,
        .free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize,
        .device = st.st_dev,
    };
    return 0;
}

static void posix_free(struct vs_io *io)
{
    struct posix_io *p = vs_container_of(io, struct posix_io, io);

    close(p->dir_fd);
    free(p);
}

static const struct vs_io_ops posix_ops = {
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .pwritev = posix_pwritev,
    .fdatasync = posix_fdatasync,
    .allocate = posix_allocate,
    .punch = posix_punch,
    .truncate = posix_truncate,
    .size = posix_size,
    .allocated = posix_allocated,
    .linked = posix_linked,
    .drop_cache = posix_drop_cache,
    .fd = posix_fd,
    .unlink = posix_unlink,
    .rename = posix_rename,
    .sync_dir = posix_sync_dir,
    .list = posix_list,
    .space = posix_space,
    .free = posix_free,
};

int vs_io_posix_new(struct vs_io **ret, const char *path)
{
    struct posix_io *p;

    p = malloc(sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    *p = (struct posix_io){ .io.ops = &posix_ops };
    p->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir_fd < 0) {
        int r = -errno;

        free(p);
        return r;
    }
    *ret = &p->io;
    return 0;
}
