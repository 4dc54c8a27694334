/* vsfs_start: see the header. */
#include "fs/vsfs_start.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/cache_guard.h"
#include "fs/clean_mark.h"
#include "fs/dir_view.h"
#include "fs/inbox.h"
#include "fs/inode_table.h"
#include "fs/media_worker.h"
#include "fs/meta_copy.h"
#include "fs/mount_id.h"
#include "fs/mount_lease.h"
#include "fs/node_follow.h"
#include "fs/provisional.h"
#include "fs/staging.h"
#include "fs/store_watch.h"
#include "fs/tend.h"
#include "fs/view_report.h"
#include <stdio.h>

#define VSFS_STOP_COLLECT_NS (5 * VS_NS_PER_S)

static int vsfs_start_paths(struct vsfs *fs)
{
    struct upload_env_config up = { .stores = &fs->stores,
                                    .meta = fs->meta,
                                    .budget_bytes = fs->opt.write_bytes,
                                    .mount = fs->mount,
                                    .missed = &fs->missed,
                                    .clock = fs->clock };
    int r = vs_exec_start(&fs->exec, "cpu", VSFS_CPU_THREADS);

    if (r == 0)
        r = vs_exec_start(&fs->ops, "ops", VSFS_OPS_THREADS);
    if (r == 0)
        r = chunk_reader_new(&fs->reader, &fs->stores, fs->meta, fs->exec, fs->opt.cache_bytes);
    if (r == 0 && cutter_start(&fs->cutter, "/proc/self/exe") < 0)
        vs_warn("cutter: cannot start -> films are cut by size");
    up.exec = fs->exec;
    up.cutter = fs->cutter;
    if (r == 0)
        r = upload_env_new(&fs->uploads, &up);
    return r;
}

static int vsfs_start_names(struct vsfs *fs)
{
    int r = inode_table_new(&fs->inodes, fs);

    if (r == 0 && fs->shared)
        r = cache_guard_new(&fs->guard, &vs_clock_system);
    if (r == 0 && fs->shared)
        r = dir_view_new(&fs->dirs, fs->guard, &vs_clock_system); /* before anybody changes names */
    if (r == 0)
        r = provisional_new(&fs->provisional, fs->inodes);
    if (r == 0)
        r = inbox_start(&fs->inbox, fs);
    if (r == 0)
        r = media_worker_start(&fs->media, fs);
    if (r == 0)
        r = store_watch_start(&fs->watch, fs);
    if (r == 0)
        r = node_follow_start(&fs->node_follow, fs);
    if (r == 0)
        r = view_report_start(&fs->view_report, fs);
    if (r == 0 && fs->mount != 0)
        r = tend_start(&fs->tend, fs);
    if (r == 0 && fs->mount != 0)
        r = mount_lease_start(&fs->lease, fs);
    if (r == 0)
        r = meta_copy_start(&fs->copy, fs);
    return r;
}

/* Ask the stores about their fragments, but for those where a clean stop left nothing to find. */
static void vsfs_audit(struct vsfs *fs, const struct clean_mark *mark)
{
    fs->audited_s = vsfs_now(fs).s;
    for (unsigned i = 0; i < fs->stores.count; i++) {
        if (clean_mark_has(mark, fs->stores.entries[i].node))
            fs->audited_s = mark->audited_s;
        else
            collect_audit(fs->collect, i);
    }
}

/* What the next start may go by, once nothing has been missed until the very end. */
static void vsfs_mark(struct vsfs *fs, struct clean_mark *ret)
{
    uint64_t unaudited = collect_unaudited(fs->collect);

    *ret = (struct clean_mark){ .audited_s = fs->audited_s };
    for (unsigned i = 0; i < fs->stores.count; i++) {
        struct store_health h;

        store_set_health(&fs->stores, i, &h);
        if (h.state == STORE_UP && (unaudited & UINT64_C(1) << i) == 0)
            ret->nodes[ret->count++] = fs->stores.entries[i].node;
    }
}

int vsfs_start(struct vsfs *fs, struct data_dir *d, char why[DATA_DIR_WHY_BYTES])
{
    struct clean_mark mark;
    int r = data_dir_open(d, fs, why);

    if (r < 0)
        return r;
    fs->missed = false;
    clean_mark_take(fs, &mark);
    r = staging_clean(fs);
    fs->mount = 0;
    if (r == 0 && fs->metas != NULL)
        r = mount_id_take(fs, &fs->mount);
    if (r == 0)
        r = vsfs_start_paths(fs);
    if (r == 0)
        r = collect_start(&fs->collect, fs->meta, &fs->stores, fs->ops);
    if (r == 0)
        r = collect_at_start(fs->collect, fs->mount);
    if (r == 0)
        vsfs_audit(fs, &mark);
    if (r == 0)
        r = vsfs_start_names(fs);
    if (r < 0) {
        snprintf(why, DATA_DIR_WHY_BYTES, "cannot start: %s", vs_err_text(r));
        vsfs_stop(fs, d);
        return r;
    }
    return 0;
}

void vsfs_stop(struct vsfs *fs, struct data_dir *d)
{
    struct clean_mark mark = { .count = 0 };

    mount_lease_stop(fs->lease);
    tend_stop(fs->tend);
    view_report_stop(fs->view_report);
    fs->view_report = NULL; /* handles that are closed from here on are not counted */
    node_follow_stop(fs->node_follow);
    store_watch_stop(fs->watch);
    media_worker_stop(fs->media);
    inbox_stop(fs->inbox);
    meta_copy_stop(fs->copy);
    if (fs->collect != NULL && collect_drain(fs->collect, VSFS_STOP_COLLECT_NS) == 0 &&
        fs->audited_s != 0)
        vsfs_mark(fs, &mark);
    collect_stop(fs->collect);
    vs_exec_stop(fs->ops);
    provisional_free(fs->provisional);
    inode_table_free(fs->inodes);
    upload_env_free(fs->uploads);
    cutter_stop(fs->cutter);
    data_dir_close_stores(fs);
    vs_exec_stop(fs->exec);
    chunk_reader_free(fs->reader);
    dir_view_free(fs->dirs);
    cache_guard_free(fs->guard);
    if (mark.count > 0 && !fs->missed)
        clean_mark_put(fs, &mark);
    data_dir_close(d, fs);
    fs->audited_s = 0;
    fs->dirs = NULL;
    fs->guard = NULL;
    fs->tend = NULL;
    fs->lease = NULL;
    fs->copy = NULL;
    fs->watch = NULL;
    fs->node_follow = NULL;
    fs->media = NULL;
    fs->inbox = NULL;
    fs->collect = NULL;
    fs->provisional = NULL;
    fs->inodes = NULL;
    fs->uploads = NULL;
    fs->cutter = NULL;
    fs->reader = NULL;
    fs->ops = fs->exec = NULL;
}
