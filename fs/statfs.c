/* statfs: how much film still fits.
 *
 * Stores that share a file system share its space: with n_d stores and free_d bytes on device d, S
 * is the largest fragment total per store such that  sum over d of min(free_d, n_d * S) >= (k + m)
 * * S; k * S more bytes of film fit. That holds for one disk, unequal disks and equal machines
 * alike. */
#include "fs/statfs.h"
#include "common/err.h"
#include "fs/store_domains.h"
#include <string.h>

#define STATFS_BLOCK           4096u
#define STATFS_STORE_BYTES_MAX (UINT64_C(1) << 50) /* more than any device has */

static unsigned statfs_devices(struct vsfs *fs, struct statfs_device *d)
{
    unsigned count = 0;

    for (unsigned i = 0; i < fs->stores.count; i++) {
        struct store_health h;
        unsigned j = 0;

        store_set_health(&fs->stores, i, &h);
        if (h.state != STORE_UP || atomic_load(&fs->stores.entries[i].takes) == STORE_TAKES_NOTHING)
            continue;
        while (j < count && d[j].device != h.device)
            j++;
        if (j == count)
            d[count++] = (struct statfs_device){ h.device, h.free_bytes, 0 };
        if (h.free_bytes > d[j].free_bytes)
            d[j].free_bytes = h.free_bytes; /* stores see preallocated space of their own as free */
        d[j].stores++;
    }
    return count;
}

static bool statfs_fits(const struct statfs_device *d, unsigned count, unsigned n, uint64_t s)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t want = d[i].stores * s;

        sum += want < d[i].free_bytes ? want : d[i].free_bytes;
    }
    return sum >= n * s;
}

uint64_t statfs_film_bytes(const struct statfs_device *d, unsigned count, unsigned up,
                           unsigned total)
{
    unsigned k = up >= 5 ? 3 : up == 4 ? 2 : 1, n = up >= 5 ? 5 : up;
    uint64_t low = 0, high = STATFS_STORE_BYTES_MAX;

    if (up == 0 || (up == 1 && total > 1)) /* one copy is taken only where there is one store */
        return 0;
    while (low < high) { /* largest s that fits */
        uint64_t mid = low + (high - low + 1) / 2;

        if (statfs_fits(d, count, n, mid))
            low = mid;
        else
            high = mid - 1;
    }
    return k * low;
}

int statfs_fill(struct vsfs *fs, struct statvfs *ret)
{
    struct statfs_device d[STORE_SET_MAX];
    struct meta_req req = { .op = META_STATS };
    int r = meta_call(fs->meta, &req);
    struct store_domains domains;
    unsigned count;
    uint64_t avail;

    if (r < 0)
        return r;
    count = statfs_devices(fs, d);
    domains = store_domains(&fs->stores);
    avail = statfs_film_bytes(d, count, domains.usable, domains.known) / STATFS_BLOCK;
    *ret = (struct statvfs){ .f_bsize = STATFS_BLOCK,
                             .f_frsize = STATFS_BLOCK,
                             .f_bfree = avail,
                             .f_bavail = avail,
                             .f_namemax = NS_NAME_BYTES_MAX };
    ret->f_blocks = avail + (req.stats.logical_bytes + STATFS_BLOCK - 1) / STATFS_BLOCK;
    ret->f_files = req.stats.files + req.stats.directories + req.stats.symlinks + UINT32_MAX;
    ret->f_ffree = ret->f_favail = UINT32_MAX;
    return 0;
}
