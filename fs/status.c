/* status: see the header. */
#include "fs/status.h"
#include "common/err.h"
#include "fs/census.h"
#include "fs/data_metas.h"
#include "fs/meta_copy.h"
#include "fs/store_domains.h"
#include <stdio.h>

#define STATUS_FRESH_NS                                                                            \
    (500 * VS_NS_PER_MS)     /* a store that is silent for so long: its last word                  \
                              */
#define STATUS_STORES_SAFE 3 /* any two may be lost from here on */

static const char *status_node_state(enum store_state s)
{
    switch (s) {
    case STORE_UP:
        return "up";
    case STORE_READONLY:
        return "readonly";
    case STORE_DOWN:
        return "down";
    }
    return "down";
}

static struct vs_json *status_node(struct vsfs *fs, unsigned i, const struct store_health *h)
{
    struct vs_json *j = vs_json_object();
    const struct store_set_entry *e = &fs->stores.entries[i];
    char path[STORE_SET_PATH_BYTES];

    vs_json_set_text(j, "id", e->name);
    vs_json_set_text(j, "state",
                     h->state == STORE_UP && atomic_load(&e->takes) == STORE_TAKES_NOTHING
                         ? "draining"
                         : status_node_state(h->state));
    vs_json_set_text(j, "path", store_set_path(&fs->stores, i, path));
    if (h->why[0] != '\0')
        vs_json_set_text(j, "why", h->why);
    vs_json_set_u64(j, "fragments", h->fragments);
    vs_json_set_u64(j, "fragment_bytes", h->payload_bytes);
    vs_json_set_u64(j, "free_bytes", h->free_bytes);
    vs_json_set_u64(j, "total_bytes", h->total_bytes);
    vs_json_set_u64(j, "corrupt_records", h->corrupt_records);
    return j;
}

static void status_form(struct vs_json *j, struct vsfs *fs)
{
    struct store_domains d = store_domains(&fs->stores);
    struct vs_redundancy red = store_domains_form(&d);
    char text[24];

    vs_redundancy_to_text(&red, text);
    if (red.kind == VS_RED_NONE)
        vs_json_set_text(j, "new_files_stored_as",
                         d.usable > 0 ? "none: uploads fail until a second store is up"
                                      : "none: uploads fail");
    else
        vs_json_set_text(j, "new_files_stored_as", text);
}

/* The sentence a person reads first. */
static void status_advice(struct vs_json *j, struct vsfs *fs, const struct census *c, unsigned up,
                          unsigned metas_missing)
{
    unsigned count = fs->stores.count;
    char text[256];

    if (c->lost > 0)
        snprintf(text, sizeof(text),
                 "%llu chunk%s cannot be read: bring the missing stores back (see nodes)",
                 (unsigned long long)c->lost, c->lost == 1 ? "" : "s");
    else if (up < count)
        snprintf(text, sizeof(text), "%u of %u stores %s down%s: every film still plays; %s",
                 count - up, count, count - up == 1 ? "is" : "are",
                 metas_missing == 0   ? ""
                 : metas_missing == 1 ? ", and a metadata replica"
                                      : ", and metadata replicas",
                 fs->nodes != NULL ? "start vstack-node there again (vstackfs up --dir DIR)"
                                   : "bring the disk back or `vstackfs node replace ID DIR`");
    else if (metas_missing > 0)
        metas_ask_missing(metas_missing, text, sizeof(text));
    else if (c->degraded > 0)
        snprintf(text, sizeof(text), "%llu chunk%s less redundancy than there should be",
                 (unsigned long long)c->degraded, c->degraded == 1 ? " has" : "s have");
    else if (count < STATUS_STORES_SAFE)
        snprintf(text, sizeof(text),
                 "only %u store%s: the loss of %s loses films; give five or more with --disk from "
                 "the first mount on",
                 count, count == 1 ? "" : "s", count == 1 ? "it" : "both");
    else if (fs->single_device)
        snprintf(
            text, sizeof(text),
            "all stores are on one file system: this survives corruption, not the loss of that "
            "disk");
    else
        snprintf(text, sizeof(text), "all is well");
    vs_json_set_text(j, "advice", text);
}

/* Who holds the metadata. How many of them answer. */
static struct vs_json *status_metas(struct vsfs *fs, unsigned *ret_up, unsigned *ret_count)
{
    struct meta_said metas[CLUSTER_METAS_MAX];

    *ret_count = data_metas_ask(fs, metas);
    return metas_ask_json(metas, *ret_count, ret_up);
}

/* The metadata is out of reach: what can be said without it, and never that all is well. */
static struct vs_json *status_without_meta(struct vsfs *fs)
{
    struct vs_json *j = vs_json_object(), *nodes = vs_json_array(), *metas;
    unsigned up, count;
    char text[256];

    metas = status_metas(fs, &up, &count);
    for (unsigned i = 0; i < fs->stores.count; i++) {
        struct store_health h;

        store_set_health(&fs->stores, i, &h);
        vs_json_add(nodes, status_node(fs, i, &h));
    }
    metas_ask_no_majority(up, count, text, sizeof(text));
    vs_json_set_text(j, "state", "down");
    vs_json_set_text(j, "advice", text);
    vs_json_set_text(j, "mountpoint", fs->opt.mountpoint);
    vs_json_set_text(j, "data", fs->opt.data_dir);
    vs_json_set_text(j, "metadata", "replicas");
    vs_json_set_text(j, "cluster", fs->opt.cluster_file);
    vs_json_set(j, "metas", metas);
    vs_json_set(j, "nodes", nodes);
    return j;
}

/* One replica less is no harm yet, and has to be known. */
static const char *status_state(const struct vsfs *fs, const struct census *c, unsigned up,
                                bool metas_missing)
{
    return c->lost > 0                                                 ? "lost"
           : c->degraded > 0 || up < fs->stores.count || metas_missing ? "degraded"
                                                                       : "ok";
}

struct vs_json *status_json(struct vsfs *fs, int *ret_status)
{
    struct meta_req req = { .op = META_STATS };
    struct vs_json *j, *nodes, *metas;
    struct census c;
    uint64_t fragment_bytes = 0;
    unsigned up = 0, metas_up, metas_count;
    int r = meta_call(fs->meta, &req);

    if (r == 0)
        r = census_take(fs, &c);
    if (r == -VS_EDOWN && fs->metas != NULL) {
        *ret_status = 0;
        return status_without_meta(fs);
    }
    *ret_status = r;
    if (r < 0)
        return NULL;
    j = vs_json_object();
    nodes = vs_json_array();
    metas = status_metas(fs, &metas_up, &metas_count);
    store_set_refresh(&fs->stores, STATUS_FRESH_NS);
    for (unsigned i = 0; i < fs->stores.count; i++) {
        struct store_health h;

        store_set_health(&fs->stores, i, &h);
        up += h.state == STORE_UP;
        fragment_bytes += h.payload_bytes;
        vs_json_add(nodes, status_node(fs, i, &h));
    }
    vs_json_set_text(j, "state", status_state(fs, &c, up, metas_up < metas_count));
    status_advice(j, fs, &c, up, metas_count - metas_up);
    vs_json_set_text(j, "mountpoint", fs->opt.mountpoint);
    vs_json_set_text(j, "data", fs->opt.data_dir);
    vs_json_set_text(j, "metadata",
                     fs->metas != NULL   ? "replicas"
                     : fs->nodes != NULL ? "this mount alone"
                                         : "this mount");
    if (fs->opt.cluster_file != NULL)
        vs_json_set_text(j, "cluster", fs->opt.cluster_file);
    vs_json_set_u64(j, "files", req.stats.files);
    vs_json_set_u64(j, "directories", req.stats.directories);
    vs_json_set_u64(j, "chunks", c.chunks);
    vs_json_set_u64(j, "chunks_degraded", c.degraded);
    vs_json_set_u64(j, "chunks_lost", c.lost);
    vs_json_set_u64(j, "logical_bytes", req.stats.logical_bytes);
    vs_json_set_u64(j, "fragment_bytes", fragment_bytes);
    status_form(j, fs);
    vs_json_set_bool(j, "one_file_system", fs->single_device);
    vs_json_set_u64(j, "synced_batches", req.stats.synced_batches);
    vs_json_set_u64(j, "waiting_to_be_collected", req.stats.released_waiting);
    if (req.stats.brake[0] != '\0')
        vs_json_set_text(j, "brake", req.stats.brake);
    if (fs->copy != NULL)
        vs_json_set_u64(j, "metadata_copy_lag_ms", (uint64_t)meta_copy_lag_ms(fs->copy));
    if (fs->metas != NULL)
        vs_json_set(j, "metas", metas);
    else
        vs_json_free(metas);
    vs_json_set(j, "nodes", nodes);
    return j;
}
