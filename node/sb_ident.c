/* Making a store directory, and telling whose it is.
 *
 * Happy path: store.id is the last thing that format makes and the first that open reads.
 * Failure modes: a directory with other files is not formatted; one copy of store.id lost, or all
 * of it while superblock files are there, is survived; nothing at all is -ENOENT, never a new
 * store. */
#include "node/sb_ident.h"

#include "common/err.h"
#include "node/sb_file.h"
#include "node/sb_store.h"

#include <string.h>

#define IDENT_TMP_NAME SB_IDENT_NAME ".tmp"

static int write_tmp(struct vs_io *io, const struct sb_ident *id)
{
    uint8_t block[SB_BLOCK_BYTES];
    struct iovec iov[2] = { { block, sizeof(block) }, { block, sizeof(block) } };
    struct vs_file *f;
    int r;

    r = vs_io_unlink(io, IDENT_TMP_NAME); /* left by a crash */
    if (r < 0 && r != -ENOENT)
        return r;
    r = vs_io_open(io, IDENT_TMP_NAME, VS_IO_WRITE | VS_IO_CREATE, &f);
    if (r < 0)
        return r;
    sb_ident_encode(id, block);
    r = vs_file_pwritev(f, iov, 2, 0);
    if (r == 0)
        r = vs_file_fdatasync(f);
    vs_file_close(f);
    return r;
}

int sb_ident_write(struct vs_io *io, const struct sb_ident *id)
{
    int r;

    r = write_tmp(io, id);
    if (r == 0)
        r = vs_io_rename(io, IDENT_TMP_NAME, SB_IDENT_NAME);
    if (r == 0)
        r = vs_io_sync_dir(io);
    return r;
}

/* ---- format -----------------------------------------------------------------------------------
 */

static int refuse_other(void *arg, const char *name, uint64_t file_bytes)
{
    (void)arg;
    (void)file_bytes;
    return strcmp(name, IDENT_TMP_NAME) == 0 ? 0 : -ENOTEMPTY;
}

/* Can the file system do what deletes need? Tried on a file that goes away again. */
static int try_punch(struct vs_io *io)
{
    struct vs_file *f;
    int r, removed;

    r = vs_io_unlink(io, IDENT_TMP_NAME);
    if (r < 0 && r != -ENOENT)
        return r;
    r = vs_io_open(io, IDENT_TMP_NAME, VS_IO_WRITE | VS_IO_CREATE, &f);
    if (r < 0)
        return r;
    r = vs_file_allocate(f, 0, 4 * SB_BLOCK_BYTES);
    if (r == 0)
        r = vs_file_punch(f, SB_BLOCK_BYTES, SB_BLOCK_BYTES);
    vs_file_close(f);
    removed = vs_io_unlink(io, IDENT_TMP_NAME);
    return r < 0 ? r : removed;
}

int sb_store_format(struct vs_io *io, const struct vs_id *cluster, const struct vs_id *node)
{
    struct sb_ident id = { .cluster = *cluster, .node = *node };
    int r;

    id.created_ns = (uint64_t)vs_real_ns(&vs_clock_system);
    r = vs_io_list(io, refuse_other, NULL);
    if (r == 0)
        r = try_punch(io);
    if (r == 0)
        r = sb_ident_write(io, &id);
    return r;
}

/* ---- identify ---------------------------------------------------------------------------------
 */

/* Read both copies from an open file: the number of good ones, or -VS_ENEWER. */
static int read_copies(struct vs_file *f, struct sb_ident *ret)
{
    _Alignas(SB_BLOCK_BYTES) uint8_t block[SB_BLOCK_BYTES]; /* the file may be direct */
    int good = 0;

    for (unsigned copy = 0; copy < 2; copy++) {
        struct sb_ident id;
        int r;

        r = vs_file_pread_full(f, block, sizeof(block), copy * SB_BLOCK_BYTES);
        if (r == 0)
            r = sb_ident_decode(block, &id);
        if (r == -VS_ENEWER)
            return r;
        if (r < 0)
            continue;
        *ret = id;
        good++;
    }
    return good;
}

/* From store.id: the number of good copies, -VS_ENEWER, -ENOENT. */
static int read_ident(struct vs_io *io, struct sb_ident *ret)
{
    struct vs_file *f;
    int r;

    r = vs_io_open(io, SB_IDENT_NAME, VS_IO_READ, &f);
    if (r < 0)
        return r;
    r = read_copies(f, ret);
    vs_file_close(f);
    return r;
}

struct ident_scan {
    struct vs_io *io;
    struct sb_ident id;
    unsigned files; /* superblock files by their name */
    bool found;
};

static int scan_file(void *arg, const char *name, uint64_t file_bytes)
{
    struct ident_scan *scan = arg;
    struct sb_super super;
    struct vs_file *f;
    unsigned bad;
    uint64_t sb = sb_name_parse(name);
    int r;

    if (sb == 0 || file_bytes == 0)
        return 0;
    scan->files++;
    r = vs_io_open(scan->io, name, VS_IO_READ, &f);
    if (r < 0)
        return 0; /* another one may do */
    r = sb_file_read_super(f, sb, &super, &bad);
    vs_file_close(f);
    if (r == -VS_ENEWER)
        return r;
    if (r < 0)
        return 0;
    scan->id = (struct sb_ident){ super.cluster, super.node, super.created_ns };
    scan->found = true;
    return 1;
}

static int refuse_used(void *arg, const char *name, uint64_t file_bytes)
{
    return strcmp(name, SB_IDENT_NAME) == 0 ? 0 : refuse_other(arg, name, file_bytes);
}

int sb_store_unformat(struct vs_io *io, const struct vs_id *cluster)
{
    static const char *const names[] = { SB_IDENT_NAME, IDENT_TMP_NAME };
    struct sb_ident id;
    int r, good;

    r = vs_io_list(io, refuse_used, NULL);
    if (r < 0)
        return r;
    good = read_ident(io, &id);
    if (good == 0 || (good < 0 && good != -ENOENT))
        return good < 0 ? good : -VS_ECORRUPT;
    if (good > 0 && vs_id_cmp(&id.cluster, cluster) != 0)
        return -ESTALE;
    for (unsigned i = 0; i < 2; i++) {
        r = vs_io_unlink(io, names[i]);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return vs_io_sync_dir(io);
}

int sb_ident_find(struct vs_io *io, struct sb_ident *ret, bool *ret_damaged)
{
    struct ident_scan scan = { .io = io };
    int good, r;

    good = read_ident(io, ret);
    if (good > 0) {
        *ret_damaged = good < 2;
        return 0;
    }
    if (good == -VS_ENEWER)
        return good;
    r = vs_io_list(io, scan_file, &scan);
    if (r < 0)
        return r;
    if (scan.found) {
        *ret = scan.id;
        *ret_damaged = true;
        return 0;
    }
    if (good < 0 && good != -ENOENT)
        return good;
    return good == 0 || scan.files > 0 ? -VS_ECORRUPT : -ENOENT;
}

int sb_store_identify(struct vs_io *io, struct vs_id *ret_cluster, struct vs_id *ret_node)
{
    struct sb_ident id;
    bool damaged;
    int r;

    r = sb_ident_find(io, &id, &damaged);
    if (r < 0)
        return r;
    *ret_cluster = id.cluster;
    *ret_node = id.node;
    return 0;
}

/* ---- while it runs ----------------------------------------------------------------------------
 */

int sb_ident_mend(struct vs_io *io, const struct sb_ident *id, unsigned *bad)
{
    struct sb_ident found = *id;
    uint8_t block[SB_BLOCK_BYTES];
    struct iovec iov[2] = { { block, sizeof(block) }, { block, sizeof(block) } };
    struct vs_file *f;
    int good, r;

    r = vs_io_open(io, SB_IDENT_NAME, VS_IO_READ | VS_IO_DIRECT, &f);
    if (r == -EINVAL || r == -EOPNOTSUPP)
        r = vs_io_open(io, SB_IDENT_NAME, VS_IO_READ, &f);
    if (r < 0)
        return r == -ENOMEM ? r : 0; /* its absence is noticed elsewhere */
    good = read_copies(f, &found);
    vs_file_close(f);
    if (good < 0 || good == 2)
        return 0;
    *bad += 2 - (unsigned)good;
    r = vs_io_open(io, SB_IDENT_NAME, VS_IO_WRITE, &f);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    sb_ident_encode(&found, block); /* in place: the running store watches this very file */
    r = vs_file_pwritev(f, iov, 2, 0);
    if (r == 0)
        r = vs_file_fdatasync(f);
    vs_file_close(f);
    return r;
}
