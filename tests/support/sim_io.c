/* The vtable of the simulated disk: what programs do to it. (What tests do to it: sim_disk.c.)
 *
 * Happy path: lock, enter (count, fault?), do, unlock. Every change goes through the pending lists
 * of sim_file.c and sim_dir.c.
 * Failure modes: the ones that tests order; running out of memory aborts. */
#include "tests/support/sim_io.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "tests/support/sim_disk.h"

#include <string.h>

/* One boot's view. */
struct sim_mount {
    struct vs_io io;
    struct sim_io *sim;
    uint64_t boot;
};

struct sim_handle {
    struct vs_file file;
    struct sim_file *inode; /* valid while the boot is the mount's */
};

/* ---- who may call ------------------------------------------------------------------------------
 */

enum sim_entry {
    SIM_GO,
    SIM_CUT,   /* begin, leave it pending, say -EIO */
    SIM_FAULT, /* say sim->faults[kind].err */
    SIM_DEAD,  /* say -EIO */
};

static struct sim_mount *mount_of(const struct vs_io *io)
{
    return vs_container_of(io, struct sim_mount, io);
}

static struct sim_io *sim_of(const struct vs_file *f)
{
    return mount_of(f->io)->sim;
}

static struct sim_file *inode_of(const struct vs_file *f)
{
    return vs_container_of(f, struct sim_handle, file)->inode;
}

static bool is_dead(const struct sim_mount *m)
{
    return m->sim->cut || m->boot != m->sim->boot;
}

static enum sim_entry sim_enter(const struct sim_mount *m, enum sim_io_kind kind)
{
    struct sim_io *sim = m->sim;
    struct sim_fault *fault = &sim->faults[kind];

    if (is_dead(m))
        return SIM_DEAD;
    sim->calls[kind]++;
    if (kind != SIM_IO_READ && kind != SIM_IO_OPEN) {
        sim->mutations++;
        if (sim->cut_armed && sim->cut_left-- == 0) {
            sim->cut = true;
            return SIM_CUT;
        }
    }
    if (!fault->armed)
        return SIM_GO;
    if (fault->left > 0) {
        fault->left--;
        return SIM_GO;
    }
    fault->fired = true;
    fault->armed = fault->sticky_lost && kind != SIM_IO_SYNC;
    return SIM_FAULT;
}

/* What a call says that did its work (r) after sim_enter() said `entry`. */
static int sim_leave(const struct sim_mount *m, enum sim_io_kind kind, enum sim_entry entry, int r)
{
    if (entry == SIM_FAULT)
        return m->sim->faults[kind].err;
    return entry == SIM_GO ? r : -EIO;
}

/* Does the call get to change something? */
static bool sim_acts(enum sim_entry entry)
{
    return entry == SIM_GO || entry == SIM_CUT;
}

/* ---- files -------------------------------------------------------------------------------------
 */

static int do_create(struct sim_io *sim, const char *name, struct sim_file **ret)
{
    if (sim_dir_find(&sim->dir, name) != NULL)
        return -EEXIST;
    *ret = sim_file_new();
    vs_list_add_tail(&sim->files, &(*ret)->link);
    sim_dir_create(&sim->dir, name, *ret);
    return 0;
}

static int sim_open(struct vs_io *io, const char *name, unsigned how, struct vs_file **ret)
{
    enum sim_io_kind kind = (how & VS_IO_CREATE) != 0 ? SIM_IO_CREATE : SIM_IO_OPEN;
    struct sim_mount *m = mount_of(io);
    struct sim_file *inode = NULL;
    struct sim_handle *handle;
    enum sim_entry entry;
    int r = 0;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, kind);
    if (sim_acts(entry) && kind == SIM_IO_CREATE) {
        r = do_create(m->sim, name, &inode);
    } else if (sim_acts(entry)) {
        inode = sim_dir_find(&m->sim->dir, name);
        r = inode != NULL ? 0 : -ENOENT;
    }
    r = sim_leave(m, kind, entry, r);
    if (r < 0)
        return r;

    handle = calloc(1, sizeof(*handle));
    VS_ASSERT(handle != NULL);
    handle->inode = inode;
    inode->open_count++;
    *ret = &handle->file;
    return 0;
}

static void sim_close(struct vs_file *f)
{
    struct sim_mount *m = mount_of(f->io);
    VS_LOCK_SCOPE(&m->sim->lock);

    if (m->boot == m->sim->boot) {
        inode_of(f)->open_count--;
        sim_disk_reap(m->sim);
    }
    free(vs_container_of(f, struct sim_handle, file));
}

static int64_t sim_pread(struct vs_file *f, void *dst, size_t len, uint64_t offset)
{
    struct sim_mount *m = mount_of(f->io);
    enum sim_entry entry;
    uint64_t bytes;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, SIM_IO_READ);
    if (!sim_acts(entry))
        return sim_leave(m, SIM_IO_READ, entry, 0);

    bytes = inode_of(f)->cache.bytes;
    if (offset >= bytes)
        return 0;
    if (len > bytes - offset)
        len = (size_t)(bytes - offset);
    if ((f->how & VS_IO_DIRECT) != 0)
        sim_file_read_direct(inode_of(f), dst, len, offset);
    else
        sim_image_read(&inode_of(f)->cache, dst, len, offset);
    return (int64_t)len;
}

static int sim_pwritev(struct vs_file *f, const struct iovec *iov, int iovcnt, uint64_t offset)
{
    struct sim_mount *m = mount_of(f->io);
    VS_AUTO_FREE uint8_t *bytes = NULL;
    uint64_t len = 0, at = 0, fit;
    enum sim_entry entry;
    int r = 0;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, SIM_IO_WRITE);
    if (entry == SIM_DEAD)
        return -EIO;
    for (int i = 0; i < iovcnt; i++)
        len += iov[i].iov_len;
    if (offset + len > SIM_IMAGE_BYTES_MAX)
        return sim_leave(m, SIM_IO_WRITE, entry, -EFBIG);
    bytes = malloc(len + 1);
    VS_ASSERT(bytes != NULL);
    for (int i = 0; i < iovcnt; i++) {
        if (iov[i].iov_len > 0)
            memcpy(bytes + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }

    if (entry == SIM_FAULT)
        len = len / 2 - len / 2 % SIM_SECTOR_BYTES;
    fit = sim_disk_fit(m->sim, inode_of(f), len, offset);
    if (fit < len)
        r = -ENOSPC;
    if (fit > 0)
        sim_file_change(inode_of(f), SIM_CHANGE_WRITE, bytes, fit, offset,
                        (f->how & VS_IO_DIRECT) != 0);
    return sim_leave(m, SIM_IO_WRITE, entry, r);
}

static int sim_fdatasync(struct vs_file *f)
{
    struct sim_mount *m = mount_of(f->io);
    enum sim_entry entry;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, SIM_IO_SYNC);
    if (entry == SIM_GO)
        sim_file_sync(inode_of(f));
    if (entry == SIM_FAULT && m->sim->faults[SIM_IO_SYNC].sticky_lost)
        sim_file_lose(inode_of(f));
    return sim_leave(m, SIM_IO_SYNC, entry, 0);
}

static int sim_allocate(struct vs_file *f, uint64_t offset, uint64_t len)
{
    struct sim_mount *m = mount_of(f->io);
    enum sim_entry entry;
    int r = 0;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, SIM_IO_ALLOCATE);
    if (sim_acts(entry)) {
        if (offset + len > SIM_IMAGE_BYTES_MAX)
            r = -EFBIG;
        else if (sim_disk_fit(m->sim, inode_of(f), len, offset) < len)
            r = -ENOSPC;
        else
            sim_file_change(inode_of(f), SIM_CHANGE_ALLOCATE, NULL, len, offset, false);
    }
    return sim_leave(m, SIM_IO_ALLOCATE, entry, r);
}

static int sim_punch(struct vs_file *f, uint64_t offset, uint64_t len)
{
    struct sim_mount *m = mount_of(f->io);
    enum sim_entry entry;
    uint64_t bytes;
    int r = 0;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, SIM_IO_PUNCH);
    if (sim_acts(entry)) {
        bytes = inode_of(f)->cache.bytes;
        if (!m->sim->can_punch)
            r = -EOPNOTSUPP;
        else if (offset < bytes) /* the last block of a file may be punched beyond its end */
            sim_file_change(inode_of(f), SIM_CHANGE_PUNCH, NULL,
                            len < bytes - offset ? len : bytes - offset, offset, false);
    }
    return sim_leave(m, SIM_IO_PUNCH, entry, r);
}

static int sim_truncate(struct vs_file *f, uint64_t file_bytes)
{
    struct sim_mount *m = mount_of(f->io);
    enum sim_entry entry;
    int r = 0;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, SIM_IO_TRUNCATE);
    if (sim_acts(entry)) {
        if (file_bytes > SIM_IMAGE_BYTES_MAX)
            r = -EFBIG;
        else
            sim_file_change(inode_of(f), SIM_CHANGE_TRUNCATE, NULL, 0, file_bytes, false);
    }
    return sim_leave(m, SIM_IO_TRUNCATE, entry, r);
}

static int sim_size(struct vs_file *f, uint64_t *ret_bytes)
{
    VS_LOCK_SCOPE(&sim_of(f)->lock);

    if (is_dead(mount_of(f->io)))
        return -EIO;
    *ret_bytes = inode_of(f)->cache.bytes;
    return 0;
}

static int sim_allocated(struct vs_file *f, uint64_t *ret_bytes)
{
    VS_LOCK_SCOPE(&sim_of(f)->lock);

    if (is_dead(mount_of(f->io)))
        return -EIO;
    *ret_bytes = inode_of(f)->cache.used * VS_IO_BLOCK_BYTES;
    return 0;
}

static int sim_linked(struct vs_file *f)
{
    VS_LOCK_SCOPE(&sim_of(f)->lock);

    if (is_dead(mount_of(f->io)))
        return -EIO;
    return sim_dir_is_linked(&sim_of(f)->dir, inode_of(f));
}

static void sim_drop_cache(struct vs_file *f, uint64_t offset, uint64_t len)
{
    VS_LOCK_SCOPE(&sim_of(f)->lock);

    if (!is_dead(mount_of(f->io)))
        sim_file_drop_cache(inode_of(f), len, offset);
}

/* ---- names -------------------------------------------------------------------------------------
 */

static int sim_unlink(struct vs_io *io, const char *name)
{
    struct sim_mount *m = mount_of(io);
    enum sim_entry entry;
    int r = 0;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, SIM_IO_UNLINK);
    if (sim_acts(entry)) {
        if (sim_dir_find(&m->sim->dir, name) != NULL)
            sim_dir_unlink(&m->sim->dir, name);
        else
            r = -ENOENT;
    }
    return sim_leave(m, SIM_IO_UNLINK, entry, r);
}

static int sim_rename(struct vs_io *io, const char *from, const char *to)
{
    struct sim_mount *m = mount_of(io);
    enum sim_entry entry;
    int r = 0;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, SIM_IO_RENAME);
    if (sim_acts(entry)) {
        if (sim_dir_find(&m->sim->dir, from) != NULL)
            sim_dir_rename(&m->sim->dir, from, to);
        else
            r = -ENOENT;
    }
    return sim_leave(m, SIM_IO_RENAME, entry, r);
}

static int sim_sync_dir(struct vs_io *io)
{
    struct sim_mount *m = mount_of(io);
    enum sim_entry entry;
    VS_LOCK_SCOPE(&m->sim->lock);

    entry = sim_enter(m, SIM_IO_SYNC_DIR);
    if (entry == SIM_GO) {
        sim_dir_sync(&m->sim->dir);
        sim_disk_reap(m->sim);
    }
    return sim_leave(m, SIM_IO_SYNC_DIR, entry, 0);
}

struct sim_listed {
    char name[VS_IO_NAME_BYTES_MAX + 1];
    uint64_t bytes;
};

/* A copy of the names, so that fn is called without the lock and may unlink. */
static int list_snapshot(struct vs_io *io, struct sim_listed **ret_names, size_t *ret_count)
{
    struct sim_mount *m = mount_of(io);
    struct vs_list *pos, *tmp;
    size_t count = 0;
    VS_LOCK_SCOPE(&m->sim->lock);

    if (is_dead(m))
        return -EIO;
    vs_list_for_each (pos, tmp, &m->sim->dir.now)
        count++;
    *ret_names = calloc(count + 1, sizeof(**ret_names));
    VS_ASSERT(*ret_names != NULL);
    *ret_count = 0;
    vs_list_for_each (pos, tmp, &m->sim->dir.now) {
        const struct sim_name *n = vs_container_of(pos, struct sim_name, link);
        struct sim_listed *listed = &(*ret_names)[(*ret_count)++];

        memcpy(listed->name, n->name, sizeof(listed->name));
        listed->bytes = n->file->cache.bytes;
    }
    return 0;
}

static int sim_list(struct vs_io *io, vs_io_list_fn *fn, void *arg)
{
    VS_AUTO_FREE struct sim_listed *names = NULL;
    size_t count = 0;
    int r;

    r = list_snapshot(io, &names, &count);
    for (size_t i = 0; i < count && r == 0; i++)
        r = fn(arg, names[i].name, names[i].bytes);
    return r;
}

static int sim_space(struct vs_io *io, struct vs_io_space *ret)
{
    struct sim_mount *m = mount_of(io);
    VS_LOCK_SCOPE(&m->sim->lock);

    if (is_dead(m))
        return -EIO;
    *ret = (struct vs_io_space){
        .total_bytes = m->sim->capacity_bytes,
        .free_bytes = sim_disk_free_blocks(m->sim) * VS_IO_BLOCK_BYTES,
        .device = m->sim->device,
    };
    return 0;
}

static void sim_mount_free(struct vs_io *io)
{
    free(mount_of(io));
}

static const struct vs_io_ops sim_ops = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .fdatasync = sim_fdatasync,
    .allocate = sim_allocate,
    .punch = sim_punch,
    .truncate = sim_truncate,
    .size = sim_size,
    .allocated = sim_allocated,
    .linked = sim_linked,
    .drop_cache = sim_drop_cache,
    .unlink = sim_unlink,
    .rename = sim_rename,
    .sync_dir = sim_sync_dir,
    .list = sim_list,
    .space = sim_space,
    .free = sim_mount_free,
};

struct vs_io *sim_io_boot(struct sim_io *sim)
{
    struct sim_mount *m = calloc(1, sizeof(*m));
    VS_LOCK_SCOPE(&sim->lock);

    VS_ASSERT(m != NULL && !sim->cut);
    *m = (struct sim_mount){ .io.ops = &sim_ops, .sim = sim, .boot = sim->boot };
    return &m->io;
}
