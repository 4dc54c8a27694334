/* File I/O vtable: what a store may do with the files of one directory.
 *
 * One struct vs_io is one directory. Names are single path components made by the program (never
 * by a user), at most VS_IO_NAME_BYTES_MAX bytes. The posix implementation sits on openat(2); the
 * simulated disk of the tests (tests/support/sim_io.h) cuts the power, tears and reorders unsynced
 * writes, and fails chosen calls.
 *
 * Durability contract: bytes are durable after fdatasync of the file returned 0; a created,
 * renamed or unlinked name is durable after sync_dir returned 0. An error of a write or a sync
 * means the state of what was written since the last good sync is unknown, for ever: a later sync
 * that returns 0 proves nothing (PostgreSQL fsyncgate, 2018). Callers must stop using the store.
 *
 * Threads: any, also on the same file. Calls block; run them on the store's own threads.
 * Errors: negative errno. Short reads happen only at the end of the file; short writes never. */
#ifndef VS_COMMON_FILE_IO_H
#define VS_COMMON_FILE_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define VS_IO_NAME_BYTES_MAX 63
#define VS_IO_BLOCK_BYTES    4096u
#define VS_IO_IOV_MAX        64

struct vs_io;
struct vs_file; /* one open file; implementations embed it first */

enum vs_io_open {
    VS_IO_READ = 0,
    VS_IO_WRITE = 1,  /* read and write */
    VS_IO_CREATE = 2, /* with VS_IO_WRITE: must not exist (O_EXCL) */
    VS_IO_DIRECT = 4, /* around the page cache: offset, length and memory aligned to 4 KiB */
};

struct vs_io_space {
    uint64_t total_bytes, free_bytes; /* of the file system; free as seen by this process */
    uint64_t device;                  /* st_dev: stores with the same device share the space */
};

typedef int vs_io_list_fn(void *arg, const char *name, uint64_t file_bytes);

struct vs_io_ops {
    int (*open)(struct vs_io *io, const char *name, unsigned how, struct vs_file **ret);
    void (*close)(struct vs_file *f);
    /* Bytes read, less than len only at the end of the file. */
    int64_t (*pread)(struct vs_file *f, void *dst, size_t len, uint64_t offset);
    /* All bytes or an error. iovcnt <= VS_IO_IOV_MAX. */
    int (*pwritev)(struct vs_file *f, const struct iovec *iov, int iovcnt, uint64_t offset);
    int (*fdatasync)(struct vs_file *f);
    /* Reserve blocks and grow the file to offset+len (zeros). */
    int (*allocate)(struct vs_file *f, uint64_t offset, uint64_t len);
    /* Give blocks back, keep the size; they read as zeros. -EOPNOTSUPP where it cannot. */
    int (*punch)(struct vs_file *f, uint64_t offset, uint64_t len);
    int (*truncate)(struct vs_file *f, uint64_t file_bytes);
    int (*size)(struct vs_file *f, uint64_t *ret_bytes);
    /* Blocks allocated to the file, in bytes. */
    int (*allocated)(struct vs_file *f, uint64_t *ret_bytes);
    /* 1 while the file still has a name in this directory tree, 0 once it was unlinked or its
     * directory removed: what is written to it then is lost with the process. */
    int (*linked)(struct vs_file *f);
    /* Start writing back, and drop from the page cache what is clean. Advice: errors are ignored.
     */
    void (*drop_cache)(struct vs_file *f, uint64_t offset, uint64_t len);
    /* The descriptor, for sending from it; may be NULL: there is none. */
    int (*fd)(struct vs_file *f);
    int (*unlink)(struct vs_io *io, const char *name);
    int (*rename)(struct vs_io *io, const char *from, const char *to);
    int (*sync_dir)(struct vs_io *io);
    /* Call fn for each regular file until it returns non-zero, which is then the result. fn may
     * unlink. Files with names longer than ours are somebody else's and are left out. */
    int (*list)(struct vs_io *io, vs_io_list_fn *fn, void *arg);
    int (*space)(struct vs_io *io, struct vs_io_space *ret);
    void (*free)(struct vs_io *io);
};

struct vs_io {
    const struct vs_io_ops *ops;
};

struct vs_file {
    struct vs_io *io; /* both set by vs_io_open() */
    unsigned how;
};

/* Open directory `path` (must exist). -ENOENT, -ENOTDIR, -EACCES, -ENOMEM. */
int vs_io_posix_new(struct vs_io **ret, const char *path);

/* The calls, with the contract asserted around them (alignment of VS_IO_DIRECT, name length,
 * iovec count). vs_io_free and vs_file_close forgive NULL. */
int vs_io_open(struct vs_io *io, const char *name, unsigned how, struct vs_file **ret);
void vs_file_close(struct vs_file *f);
int64_t vs_file_pread(struct vs_file *f, void *dst, size_t len, uint64_t offset);
/* Read exactly len bytes; -VS_ECORRUPT when the file ends before. */
int vs_file_pread_full(struct vs_file *f, void *dst, size_t len, uint64_t offset);
int vs_file_pwritev(struct vs_file *f, const struct iovec *iov, int iovcnt, uint64_t offset);
int vs_file_pwrite(struct vs_file *f, const void *src, size_t len, uint64_t offset);
int vs_file_fdatasync(struct vs_file *f);
int vs_file_allocate(struct vs_file *f, uint64_t offset, uint64_t len);
int vs_file_punch(struct vs_file *f, uint64_t offset, uint64_t len);
int vs_file_truncate(struct vs_file *f, uint64_t file_bytes);
int vs_file_size(struct vs_file *f, uint64_t *ret_bytes);
int vs_file_allocated(struct vs_file *f, uint64_t *ret_bytes);
int vs_file_linked(struct vs_file *f);
void vs_file_drop_cache(struct vs_file *f, uint64_t offset, uint64_t len);
/* Borrowed while the file is open; -EOPNOTSUPP where a file is no descriptor. */
int vs_file_fd(struct vs_file *f);
int vs_io_unlink(struct vs_io *io, const char *name);
int vs_io_rename(struct vs_io *io, const char *from, const char *to);
int vs_io_sync_dir(struct vs_io *io);
int vs_io_list(struct vs_io *io, vs_io_list_fn *fn, void *arg);
int vs_io_space(struct vs_io *io, struct vs_io_space *ret);
void vs_io_free(struct vs_io *io);

#endif
