/* statfs: how much film still fits.
 *
 * S chunks of one byte per fragment fit if k + m fragments of each find a place: a failure domain
 * takes one fragment of a chunk, so S at most in all its stores together, and a device as many
 * bytes as are free on it, whoever shares it. That is a flow from domains to devices, of (k + m) *
 * S; any such flow can be dealt out chunk by chunk (McNaughton's wrap-around rule, 1959). With the
 * largest S, k * S more bytes of film fit. Where each domain is on one device it is sum over
 * devices of min(free, domains on it * S) >= (k + m) * S. */
#include "fs/statfs.h"
#include "common/err.h"
#include "fs/store_domains.h"
#include <string.h>

#define STATFS_BLOCK           4096u
#define STATFS_STORE_BYTES_MAX (UINT64_C(1) << 50) /* more than any device has */

/* Domains and devices by their place here, and what flows from one to the other. */
struct statfs_flow {
    unsigned domains, devices;
    uint64_t domain[STORE_SET_MAX], device[STORE_SET_MAX], free[STORE_SET_MAX];
    bool on[STORE_SET_MAX][STORE_SET_MAX]; /* has the domain a store on the device? */
    uint64_t flow[STORE_SET_MAX][STORE_SET_MAX];
    uint64_t from[STORE_SET_MAX], to[STORE_SET_MAX]; /* sums of it */
};

static unsigned statfs_index(uint64_t *list, unsigned *count, uint64_t what)
{
    unsigned i = 0;

    while (i < *count && list[i] != what)
        i++;
    if (i == *count)
        list[(*count)++] = what;
    return i;
}

static void statfs_flow_init(struct statfs_flow *f, const struct statfs_store *stores,
                             unsigned count)
{
    memset(f, 0, sizeof(*f));
    for (unsigned i = 0; i < count; i++) {
        unsigned domain = statfs_index(f->domain, &f->domains, stores[i].domain);
        unsigned device = statfs_index(f->device, &f->devices, stores[i].device);

        f->on[domain][device] = true;
        if (stores[i].free_bytes > f->free[device])
            f->free[device] = stores[i].free_bytes; /* each sees preallocated space of its own */
    }
}

/* The shortest way from a domain with something left, over what flows already, to a device with
 * room (Edmonds and Karp, 1972). The device, or -1; via_*: where each was reached from. */
static int statfs_flow_way(const struct statfs_flow *f, uint64_t s, int *via_domain,
                           int *via_device)
{
    unsigned queue[STORE_SET_MAX], head = 0, tail = 0;

    for (unsigned d = 0; d < f->devices; d++)
        via_device[d] = -1;
    for (unsigned i = 0; i < f->domains; i++) {
        via_domain[i] = f->from[i] < s ? -1 : -2;
        if (f->from[i] < s)
            queue[tail++] = i;
    }
    while (head < tail) {
        unsigned i = queue[head++];

        for (unsigned d = 0; d < f->devices; d++) {
            if (!f->on[i][d] || via_device[d] >= 0)
                continue;
            via_device[d] = (int)i;
            if (f->to[d] < f->free[d])
                return (int)d;
            for (unsigned other = 0; other < f->domains; other++)
                if (via_domain[other] == -2 && f->flow[other][d] > 0) {
                    via_domain[other] = (int)d;
                    queue[tail++] = other;
                }
        }
    }
    return -1;
}

/* Send as much as the way takes. */
static void statfs_flow_send(struct statfs_flow *f, uint64_t s, int last, const int *via_domain,
                             const int *via_device)
{
    uint64_t most = f->free[last] - f->to[last];
    int d = last, i = via_device[d];

    for (; via_domain[i] >= 0; d = via_domain[i], i = via_device[d])
        if (f->flow[i][via_domain[i]] < most)
            most = f->flow[i][via_domain[i]];
    if (s - f->from[i] < most)
        most = s - f->from[i];
    f->from[i] += most;
    f->to[last] += most;
    for (d = last, i = via_device[d];; d = via_domain[i], i = via_device[d]) {
        f->flow[i][d] += most;
        if (via_domain[i] < 0)
            return;
        f->flow[i][via_domain[i]] -= most;
    }
}

static bool statfs_fits(struct statfs_flow *f, unsigned n, uint64_t s)
{
    int via_domain[STORE_SET_MAX], via_device[STORE_SET_MAX], last;
    uint64_t sum = 0;

    memset(f->flow, 0, sizeof(f->flow));
    memset(f->from, 0, sizeof(f->from));
    memset(f->to, 0, sizeof(f->to));
    while ((last = statfs_flow_way(f, s, via_domain, via_device)) >= 0)
        statfs_flow_send(f, s, last, via_domain, via_device);
    for (unsigned i = 0; i < f->domains; i++)
        sum += f->from[i];
    return sum >= n * s;
}

uint64_t statfs_film_bytes(const struct statfs_store *stores, unsigned count, unsigned up,
                           unsigned total)
{
    struct statfs_flow f;
    unsigned k = up >= 5 ? 3 : up == 4 ? 2 : 1, n = up >= 5 ? 5 : up;
    uint64_t low = 0, high = STATFS_STORE_BYTES_MAX;

    if (up == 0 || (up == 1 && total > 1)) /* one copy is taken only where there is one store */
        return 0;
    statfs_flow_init(&f, stores, count);
    while (low < high) { /* largest s that fits */
        uint64_t mid = low + (high - low + 1) / 2;

        if (statfs_fits(&f, n, mid))
            low = mid;
        else
            high = mid - 1;
    }
    return k * low;
}

static unsigned statfs_stores(struct vsfs *fs, struct statfs_store *ret)
{
    unsigned count = 0;

    for (unsigned i = 0; i < fs->stores.count; i++) {
        const struct store_set_entry *e = &fs->stores.entries[i];
        struct store_health h;

        store_set_health(&fs->stores, i, &h);
        if (h.state == STORE_UP && atomic_load(&e->takes) != STORE_TAKES_NOTHING)
            ret[count++] = (struct statfs_store){ store_domain(e, i), h.device, h.free_bytes };
    }
    return count;
}

int statfs_fill(struct vsfs *fs, struct statvfs *ret)
{
    struct statfs_store stores[STORE_SET_MAX];
    struct meta_req req = { .op = META_STATS };
    int r = meta_call(fs->meta, &req);
    struct store_domains domains;
    unsigned count;
    uint64_t avail;

    if (r < 0)
        return r;
    count = statfs_stores(fs, stores);
    domains = store_domains(&fs->stores);
    avail = statfs_film_bytes(stores, count, domains.usable, domains.known) / STATFS_BLOCK;
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
