/* meta_local: the metadata inside this process; see the header.
 *
 * Changes and register writes go to the journal's thread, which answers them; everything else to a
 * few reading threads. What a change has answered is applied, so a read that follows sees it.
 *
 * Failure at open: whatever was opened is closed again, and nothing was changed but the
 * incarnation, which may be raised for nothing. */
#include "meta/meta_local.h"
#include "common/err.h"
#include "common/file_io.h"
#include "meta/acceptor_store.h"
#include "meta/feed.h"
#include "meta/journal_driver.h"
#include "meta/kv.h"
#include "meta/meta_dumps.h"
#include "meta/ns_entry.h"
#include "meta/ns_read.h"
#include "meta/reg_batch.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCAL_PID          1 /* when nothing was said */
#define LOCAL_PATH_MAX     4096
#define LOCAL_READ_THREADS 2

struct meta_local {
    struct meta_client client;
    struct vs_io *io; /* the directory that holds both stores; NULL in memory */
    struct kv *acceptor, *ns;
    struct acceptor_store *store;
    struct journal_driver *journal;
    struct vs_exec *readers;
    struct meta_dumps dumps;
    struct feed *feed;
};

/* ---- requests ---- */

static int local_scan_registers(struct meta_local *m, struct meta_req *r)
{
    int n = acceptor_reg_list(m->store, &r->scan_after_id, r->scan_ids, r->scan_max);

    r->scan_count = n < 0 ? 0 : (uint32_t)n;
    return n < 0 ? n : 0;
}

static void local_stats(struct meta_local *m, struct meta_req *r)
{
    r->stats.first_slot = acceptor_first_slot(m->store);
    r->stats.synced_batches = acceptor_synced(m->store);
}

static void local_read(struct meta_local *m, struct meta_req *r)
{
    if (r->op == META_REG_READ) {
        reg_batch_read(m->store, r);
    } else if (r->op == META_SCAN && r->scan == META_SCAN_REGISTERS) {
        r->status = local_scan_registers(m, r);
    } else if (r->op == META_DUMP) {
        r->status = meta_dumps_read(&m->dumps, m->ns, r);
    } else if (r->op == META_CHANGES) {
        feed_answer(m->feed, r);
    } else {
        r->status = ns_read(m->ns, r);
        if (r->op == META_STATS && r->status == 0)
            local_stats(m, r);
    }
}

static void local_read_job(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);

    local_read(r->client, r);
    r->done(r);
}

static void local_wait_job(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);
    struct meta_local *m = r->client;

    feed_ask(m->feed, r);
}

static bool local_answer(struct meta_client *c, struct meta_req *r)
{
    if (r->op == META_CHANGE || r->op == META_REG_CREATE || r->op == META_REG_CHANGE ||
        r->op == META_CHANGES)
        return false;
    local_read(vs_container_of(c, struct meta_local, client), r);
    return true;
}

static void local_submit(struct meta_client *c, struct meta_req *r)
{
    struct meta_local *m = vs_container_of(c, struct meta_local, client);

    r->client = m;
    switch (r->op) {
    case META_CHANGE:
    case META_REG_CREATE:
    case META_REG_CHANGE:
        journal_driver_submit(m->journal, r);
        return;
    default:
        r->job.fn = r->op == META_CHANGES && r->hint ? local_wait_job : local_read_job;
        vs_exec_submit(m->readers, &r->job);
        return;
    }
}

/* ---- life ---- */

static void local_close(struct meta_local *m)
{
    journal_driver_stop(m->journal); /* its callbacks may still read */
    feed_stop(m->feed);
    vs_exec_stop(m->readers);
    meta_dumps_close(&m->dumps);
    feed_free(m->feed);
    acceptor_store_close(m->store);
    kv_close(m->ns);
    kv_close(m->acceptor);
    vs_io_free(m->io);
    free(m);
}

static void local_stop(struct meta_client *c)
{
    struct meta_local *m = vs_container_of(c, struct meta_local, client);
    struct kv *stores[] = { m->ns, m->acceptor };

    journal_driver_stop(m->journal);
    m->journal = NULL;
    /* Only to keep the logs short and the next start fast: a failure loses nothing. */
    for (unsigned i = 0; i < 2; i++)
        (void)kv_flush(stores[i]);
    local_close(m);
}

static const struct meta_client_ops meta_local_ops = { .submit = local_submit,
                                                       .stop = local_stop,
                                                       .answer = local_answer };

static int local_path(const struct meta_local_config *config, const char *name,
                      char path[LOCAL_PATH_MAX])
{
    int len = snprintf(path, LOCAL_PATH_MAX, "%s/%s", config->dir, name);

    return len < 0 || len >= LOCAL_PATH_MAX ? -ENAMETOOLONG : 0;
}

static int local_open_kv(const struct meta_local_config *config, const char *name, bool create,
                         enum kv_kind kind, struct kv **ret)
{
    char path[LOCAL_PATH_MAX];
    int r;

    if (config->in_memory)
        return kv_mem_new(ret);
    r = local_path(config, name, path);
    return r < 0 ? r : kv_rocks_open(ret, path, create, kind);
}

static bool local_is_there(const struct meta_local_config *config, const char *name)
{
    char path[LOCAL_PATH_MAX];

    return !config->in_memory && local_path(config, name, path) == 0 && access(path, F_OK) == 0;
}

/* The directory's own name must be as durable as what is put into it. */
static int local_make_dir(const char *dir)
{
    char parent[LOCAL_PATH_MAX];
    int fd, len, r = 0;

    if (mkdir(dir, 0700) < 0)
        return errno == EEXIST ? 0 : -errno;
    len = snprintf(parent, sizeof(parent), "%s/..", dir);
    if (len < 0 || (size_t)len >= sizeof(parent))
        return -ENAMETOOLONG;
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fsync(fd) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* Identity and first entry, as one synced batch: a crash before it leaves nothing that counts. */
static int local_create(struct meta_local *m, const struct meta_local_config *config)
{
    int64_t real_ns = vs_real_ns(config->clock);
    struct ns_entry entry = {
        .kind = NS_E_CLUSTER,
        .now = { real_ns / VS_NS_PER_S, (uint32_t)(real_ns % VS_NS_PER_S) },
        .attr = { .mode = S_IFDIR | 0755, .uid = config->root_uid, .gid = config->root_gid },
        .cluster = config->cluster,
    };
    uint16_t pid = config->pid > 0 ? config->pid : LOCAL_PID;
    struct vs_buf bytes = { 0 };
    int r = ns_entry_encode(&entry, &bytes);

    if (r == 0)
        r = acceptor_store_create(m->acceptor, &config->cluster, pid, bytes.data, bytes.len);
    vs_buf_close(&bytes);
    if (r == 0 && m->io != NULL)
        r = vs_io_sync_dir(m->io);
    return r;
}

static int local_open_acceptor(struct meta_local *m, const struct meta_local_config *config)
{
    int r;

    if (config->create && local_is_there(config, "namespace/CURRENT"))
        return -EEXIST; /* the acceptor may be lost: no new cluster over the old one's names */
    if (config->create && !config->in_memory) {
        r = local_make_dir(config->dir);
        if (r < 0)
            return r;
    }
    if (!config->in_memory) {
        r = vs_io_posix_new(&m->io, config->dir);
        if (r < 0)
            return r == -ENOTDIR ? -ENOENT : r;
    }
    r = local_open_kv(config, "acceptor", config->create, KV_ACCEPTOR, &m->acceptor);
    if (r == 0 && config->create)
        r = local_create(m, config);
    if (r == 0)
        r = acceptor_store_open(&m->store, m->acceptor, m->io);
    if (r == -ENOENT && local_is_there(config, "namespace/CURRENT"))
        return -VS_EFORGOT;
    return r;
}

/* A namespace that is gone can be had again while the journal still begins at the beginning. */
static int local_open_namespace(struct meta_local *m, const struct meta_local_config *config)
{
    struct vs_id cluster;
    int r = local_open_kv(config, "namespace", false, KV_NAMESPACE, &m->ns);

    if (r == -ENOENT) {
        if (acceptor_first_slot(m->store) > 1)
            return -VS_ECORRUPT;
        r = local_open_kv(config, "namespace", true, KV_NAMESPACE, &m->ns);
        if (r == 0)
            r = vs_io_sync_dir(m->io);
    }
    if (r < 0)
        return r;
    r = ns_read_cluster(m->ns, &cluster);
    if (r == -ENOENT)
        return 0;
    if (r == 0 && vs_id_cmp(&cluster, &acceptor_identity(m->store)->cluster) != 0)
        return -VS_ECORRUPT;
    return r;
}

int meta_local_open(struct meta_client **ret, const struct meta_local_config *config)
{
    unsigned threads = config->read_threads > 0 ? config->read_threads : LOCAL_READ_THREADS;
    struct meta_local *m = calloc(1, sizeof(*m));
    const struct acceptor_identity *id;
    int r;

    if (m == NULL)
        return -ENOMEM;
    m->client.ops = &meta_local_ops;
    meta_dumps_init(&m->dumps);
    r = local_open_acceptor(m, config);
    if (r == 0)
        r = local_open_namespace(m, config);
    if (r == 0)
        r = journal_driver_open(&m->journal, m->store, m->ns, config->clock);
    if (r == 0)
        r = vs_exec_start(&m->readers, "vs-meta-read", threads);
    if (r == 0)
        r = feed_new(&m->feed, m->readers);
    if (r == 0)
        journal_driver_set_feed(m->journal, m->feed);
    if (r == 0)
        r = journal_driver_start(m->journal);
    if (r < 0) {
        local_close(m);
        return r;
    }
    id = acceptor_identity(m->store);
    m->client.pid = (uint16_t)id->pid;
    m->client.inc = id->inc;
    m->client.cluster = id->cluster;
    *ret = &m->client;
    return 0;
}
