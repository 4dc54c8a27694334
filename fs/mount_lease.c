/* mount_lease: see the header. */
#include "fs/mount_lease.h"

#include "common/cleanup.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/log.h"
#include "common/periodic.h"
#include "fs/content_held.h"
#include "fs/inbox.h"
#include "fs/inode_table.h"
#include "fs/orphan.h"
#include "fs/wfile.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PAGE 256

/* Another mount as it was seen last. */
struct lease_seen {
    uint64_t mount, signs;
    int64_t since_ns; /* when this many were seen first */
};

struct mount_lease {
    struct vsfs *fs;
    struct vs_periodic turn;
    /* the turn's own */
    struct lease_seen seen[NS_MOUNTS_MAX];
    unsigned seen_count;
    uint64_t resets; /* of the feed, when the orphans were looked at last */
    uint64_t heard;  /* said last ... */
    struct vs_buf pins;
};

static int64_t lease_ns(const struct vsfs *fs)
{
    return (fs->opt.lease_s > 0 ? fs->opt.lease_s : LEASE_LAPSE_S) * VS_NS_PER_S;
}

void mount_lease_unlinked(struct vsfs *fs, uint64_t ino)
{
    struct inode *i = inode_find(fs->inodes, ino);
    bool busy = false;

    if (i != NULL) {
        VS_LOCK_SCOPE(&i->lock);
        i->unlinked = true;
        busy = i->opens > 0;
    }
    inode_put(fs->inodes, i);
    if (!busy)
        orphan_forget(fs, ino);
}

/* Whatever this mount did not hear of. */
static void lease_sweep(struct mount_lease *l)
{
    uint64_t inos[PAGE];
    struct meta_req r = {
        .op = META_SCAN, .scan = META_SCAN_ORPHANS, .scan_u64 = inos, .scan_max = PAGE
    };

    do {
        if (meta_call(l->fs->meta, &r) < 0)
            return; /* they wait for the next time */
        for (uint32_t n = 0; n < r.scan_count; n++)
            mount_lease_unlinked(l->fs, inos[n]);
        if (r.scan_count > 0)
            r.scan_after = inos[r.scan_count - 1];
    } while (r.scan_count == PAGE);
}

/* ---- other mounts -----------------------------------------------------------------------------
 */

/* How long it has been seen without another sign. */
static int64_t lease_silent_ns(struct mount_lease *l, uint64_t mount, uint64_t signs,
                               int64_t now_ns)
{
    struct lease_seen *s = NULL;

    for (unsigned n = 0; n < l->seen_count && s == NULL; n++)
        if (l->seen[n].mount == mount)
            s = &l->seen[n];
    if (s == NULL && l->seen_count == NS_MOUNTS_MAX)
        l->seen_count = 0; /* of many that are gone: watched anew */
    if (s == NULL) {
        s = &l->seen[l->seen_count++];
        *s = (struct lease_seen){ mount, signs, now_ns };
    }
    if (s->signs != signs)
        *s = (struct lease_seen){ mount, signs, now_ns };
    return now_ns - s->since_ns;
}

/* True: one has ended. */
static bool lease_watch(struct mount_lease *l)
{
    int64_t now_ns = vs_now_ns(l->fs->clock);
    struct vs_id pairs[PAGE];
    struct meta_req r = {
        .op = META_SCAN, .scan = META_SCAN_MOUNTS, .scan_ids = pairs, .scan_max = PAGE
    };
    bool ended = false;

    do {
        if (meta_call(l->fs->meta, &r) < 0)
            return ended;
        for (uint32_t n = 0; n < r.scan_count; n++) {
            struct ns_entry e = { .kind = NS_E_MOUNT_END };

            meta_pair_get(&pairs[n], &e.mount, &e.signs);
            if (e.mount == l->fs->mount ||
                lease_silent_ns(l, e.mount, e.signs, now_ns) < lease_ns(l->fs))
                continue;
            ended = vsfs_change(l->fs, &e, NULL) == 0 || ended;
        }
        if (r.scan_count > 0)
            r.scan_after_id = pairs[r.scan_count - 1];
    } while (r.scan_count == PAGE);
    return ended;
}

/* ---- this one ---------------------------------------------------------------------------------
 */

/* What this mount still reads of what was replaced: heard of first, looked at then, so that nothing
 * that was replaced up to that slot is missed. More than a sign can name: what was said last. */
static void lease_held(struct mount_lease *l)
{
    uint64_t heard = atomic_load(&l->fs->feed_slot), inos[NS_MOUNT_PINS_MAX];
    unsigned count = content_held(l->fs->meta, inos, NS_MOUNT_PINS_MAX);
    struct vs_buf pins = { 0 };
    struct vs_wr w = vs_wr_init(&pins, sizeof(inos));

    for (unsigned n = 0; n < count && n < NS_MOUNT_PINS_MAX; n++)
        vs_wr_u64(&w, inos[n]);
    if (count > NS_MOUNT_PINS_MAX || w.err < 0) {
        vs_buf_close(&pins);
        return;
    }
    vs_buf_close(&l->pins);
    l->pins = pins;
    l->heard = heard;
}

/* Writers that are idle need not keep what was replaced: the next sign does not name it. */
static void lease_let_go(struct mount_lease *l)
{
    struct vs_rd r = vs_rd_init(l->pins.data, l->pins.len);

    while (vs_rd_left(&r) > 0) {
        struct inode *i = inode_find(l->fs->inodes, vs_rd_u64(&r));

        if (i != NULL)
            wfile_let_go(l->fs, i);
        inode_put(l->fs->inodes, i);
    }
}

static int lease_sign(struct mount_lease *l, uint64_t *ret_signs)
{
    struct ns_entry e = { .kind = NS_E_MOUNT, .mount = l->fs->mount };
    struct ns_answer a;
    int r;

    lease_held(l);
    e.heard = l->heard;
    e.value = l->pins.data;
    e.value_len = l->pins.len;
    r = vsfs_change(l->fs, &e, &a);
    if (r == 0)
        *ret_signs = a.first;
    return r;
}

/* What waited for signs like this one may go now. */
static void lease_collect(struct mount_lease *l)
{
    struct meta_req r = { .op = META_STATS };

    if (l->fs->collect != NULL && meta_call(l->fs->meta, &r) == 0 && r.stats.released_waiting > 0)
        collect_wake(l->fs->collect);
}

void mount_lease_turn(struct mount_lease *l)
{
    uint64_t signs, resets;
    bool due;

    if (lease_sign(l, &signs) == 0) {
        if (signs == 1)
            vs_warn(
                "mount: no sign of life of this mount got through for %d s -> files that others "
                "removed meanwhile may be gone for who had them open here",
                (int)(lease_ns(l->fs) / VS_NS_PER_S));
        due = lease_watch(l);
        if (due)
            inbox_recover_soon(l->fs);
        due = due || signs == 1;
        resets = atomic_load(&l->fs->feed_resets);
        if (due || resets != l->resets)
            lease_sweep(l);
        l->resets = resets;
        lease_let_go(l);
        lease_collect(l);
    }
}

static void lease_turn(struct vs_periodic *p)
{
    mount_lease_turn(vs_container_of(p, struct mount_lease, turn));
}

int mount_lease_start(struct mount_lease **ret, struct vsfs *fs)
{
    struct mount_lease *l = calloc(1, sizeof(*l));
    uint64_t signs;
    int r;

    if (l == NULL)
        return -ENOMEM;
    l->fs = fs;
    r = lease_sign(l, &signs);
    if (r < 0) {
        vs_buf_close(&l->pins);
        free(l);
        return r;
    }
    lease_sweep(l); /* of a former life: nothing is open */
    *ret = l;
    vs_periodic_start(&l->turn, fs->ops, lease_ns(fs) / LEASE_SIGNS, lease_ns(fs) / LEASE_SIGNS,
                      lease_turn);
    return 0;
}

void mount_lease_stop(struct mount_lease *l)
{
    struct ns_entry e = { .kind = NS_E_MOUNT_END };

    if (l == NULL)
        return;
    vs_periodic_stop(&l->turn);
    e.mount = l->fs->mount;
    (void)vsfs_change(l->fs, &e, NULL); /* else whoever watches it ends it */
    vs_buf_close(&l->pins);
    free(l);
}
