/* The calls of a struct vs_io with their contract asserted around them, so that a caller that would
 * only fail on a real disk fails in its unit test.
 *
 * Failure modes: a broken contract (name, alignment, counts, a result an implementation may not
 * give) is a bug here and aborts; an offset beyond what a file can have is -EINVAL, because offsets
 * are computed from what was read off a disk. */
#include "common/file_io.h"

#include "common/assert.h"
#include "common/err.h"

#include <string.h>

static bool name_ok(const char *name)
{
    size_t len = strnlen(name, VS_IO_NAME_BYTES_MAX + 1);

    return len >= 1 && len <= VS_IO_NAME_BYTES_MAX && strchr(name, '/') == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool range_ok(uint64_t offset, uint64_t len)
{
    return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

static bool block_aligned(uint64_t v)
{
    return v % VS_IO_BLOCK_BYTES == 0;
}

/* 0 or a negative code: what every call but pread, list and linked may give. */
static int result_ok(int r)
{
    VS_ASSERT(r <= 0);
    return r;
}

int vs_io_open(struct vs_io *io, const char *name, unsigned how, struct vs_file **ret)
{
    int r;

    VS_ASSERT(name_ok(name));
    VS_ASSERT((how & ~(unsigned)(VS_IO_WRITE | VS_IO_CREATE | VS_IO_DIRECT)) == 0);
    VS_ASSERT((how & VS_IO_CREATE) == 0 || (how & VS_IO_WRITE) != 0);

    r = result_ok(io->ops->open(io, name, how, ret));
    if (r == 0) {
        (*ret)->io = io;
        (*ret)->how = how;
    }
    return r;
}

void vs_file_close(struct vs_file *f)
{
    if (f != NULL)
        f->io->ops->close(f);
}

int64_t vs_file_pread(struct vs_file *f, void *dst, size_t len, uint64_t offset)
{
    int64_t n;

    if ((f->how & VS_IO_DIRECT) != 0)
        VS_ASSERT(block_aligned(offset) && block_aligned(len) && block_aligned((uintptr_t)dst));
    if (!range_ok(offset, len))
        return -EINVAL;
    n = f->io->ops->pread(f, dst, len, offset);
    VS_ASSERT(n <= (int64_t)len);
    return n;
}

int vs_file_pread_full(struct vs_file *f, void *dst, size_t len, uint64_t offset)
{
    int64_t n = vs_file_pread(f, dst, len, offset);

    if (n < 0)
        return (int)n;
    return (size_t)n == len ? 0 : -VS_ECORRUPT;
}

int vs_file_pwritev(struct vs_file *f, const struct iovec *iov, int iovcnt, uint64_t offset)
{
    uint64_t len = 0;

    VS_ASSERT((f->how & VS_IO_WRITE) != 0);
    VS_ASSERT(iovcnt >= 0 && iovcnt <= VS_IO_IOV_MAX);
    for (int i = 0; i < iovcnt; i++) {
        if ((f->how & VS_IO_DIRECT) != 0)
            VS_ASSERT(block_aligned((uintptr_t)iov[i].iov_base) && block_aligned(iov[i].iov_len));
        VS_ASSERT(iov[i].iov_len <= INT64_MAX - len);
        len += iov[i].iov_len;
    }
    if ((f->how & VS_IO_DIRECT) != 0)
        VS_ASSERT(block_aligned(offset));
    if (!range_ok(offset, len))
        return -EINVAL;
    return result_ok(f->io->ops->pwritev(f, iov, iovcnt, offset));
}

int vs_file_pwrite(struct vs_file *f, const void *src, size_t len, uint64_t offset)
{
    const struct iovec iov = { (void *)(uintptr_t)src, len };

    return vs_file_pwritev(f, &iov, 1, offset);
}

int vs_file_fdatasync(struct vs_file *f)
{
    return result_ok(f->io->ops->fdatasync(f));
}

int vs_file_allocate(struct vs_file *f, uint64_t offset, uint64_t len)
{
    VS_ASSERT((f->how & VS_IO_WRITE) != 0);
    if (len == 0 || !range_ok(offset, len))
        return -EINVAL;
    return result_ok(f->io->ops->allocate(f, offset, len));
}

int vs_file_punch(struct vs_file *f, uint64_t offset, uint64_t len)
{
    VS_ASSERT((f->how & VS_IO_WRITE) != 0);
    if (len == 0 || !range_ok(offset, len))
        return -EINVAL;
    return result_ok(f->io->ops->punch(f, offset, len));
}

int vs_file_truncate(struct vs_file *f, uint64_t file_bytes)
{
    VS_ASSERT((f->how & VS_IO_WRITE) != 0);
    if (!range_ok(file_bytes, 0))
        return -EINVAL;
    return result_ok(f->io->ops->truncate(f, file_bytes));
}

int vs_file_size(struct vs_file *f, uint64_t *ret_bytes)
{
    return result_ok(f->io->ops->size(f, ret_bytes));
}

int vs_file_allocated(struct vs_file *f, uint64_t *ret_bytes)
{
    return result_ok(f->io->ops->allocated(f, ret_bytes));
}

int vs_file_linked(struct vs_file *f)
{
    int r = f->io->ops->linked(f);

    VS_ASSERT(r <= 1);
    return r;
}

void vs_file_drop_cache(struct vs_file *f, uint64_t offset, uint64_t len)
{
    if (range_ok(offset, len))
        f->io->ops->drop_cache(f, offset, len);
}

int vs_file_fd(struct vs_file *f)
{
    return f->io->ops->fd != NULL ? f->io->ops->fd(f) : -EOPNOTSUPP;
}

int vs_io_unlink(struct vs_io *io, const char *name)
{
    VS_ASSERT(name_ok(name));
    return result_ok(io->ops->unlink(io, name));
}

int vs_io_rename(struct vs_io *io, const char *from, const char *to)
{
    VS_ASSERT(name_ok(from) && name_ok(to));
    return result_ok(io->ops->rename(io, from, to));
}

int vs_io_sync_dir(struct vs_io *io)
{
    return result_ok(io->ops->sync_dir(io));
}

int vs_io_list(struct vs_io *io, vs_io_list_fn *fn, void *arg)
{
    return io->ops->list(io, fn, arg);
}

int vs_io_space(struct vs_io *io, struct vs_io_space *ret)
{
    return result_ok(io->ops->space(io, ret));
}

void vs_io_free(struct vs_io *io)
{
    if (io != NULL)
        io->ops->free(io);
}
