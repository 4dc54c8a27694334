/* What people and scripts ask a replica: figures, and the list of stored videos; see docs/API.md.
 * Such a request waits for the metadata, so it has a thread of its own while it runs.
 *
 * Happy path: a few questions to the metadata, one JSON answer, in pages. Failure modes: too many
 * at once is 503; an error of the metadata is its sentence; a tree that is too large to be walked
 * for one page says so. */
#include "meta/meta_server.h"

#include "common/clock.h"
#include "common/conf.h"
#include "common/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_DEFAULT   100
#define PAGE_MAX       1000
#define WALK_BATCH     128
#define WALK_DEPTH_MAX 128
#define WALK_NAMES_MAX 1000000 /* looked at for one page */
#define PATH_BYTES     4096

struct api_task {
    struct vs_job job;
    struct meta_server *m;
    struct http_req *q;
    meta_api_fn *fn;
};

static void api_run(struct vs_job *job)
{
    struct api_task *t = vs_container_of(job, struct api_task, job);

    t->fn(t->m, t->q);
    atomic_fetch_sub(&t->m->api_in_flight, 1);
    free(t);
}

void meta_api_start(struct http_req *q, meta_api_fn *fn)
{
    struct meta_server *m = http_req_arg(q);
    struct api_task *t = malloc(sizeof(*t));

    if (t == NULL || atomic_fetch_add(&m->api_in_flight, 1) >= META_SERVER_API_MAX) {
        if (t != NULL)
            atomic_fetch_sub(&m->api_in_flight, 1);
        free(t);
        http_reply_error(q, 503, "busy", "Too many requests at once; ask again in a second.");
        return;
    }
    *t = (struct api_task){ .job = { .fn = api_run }, .m = m, .q = q, .fn = fn };
    vs_exec_submit(m->api, &t->job);
}

void meta_api_error(struct http_req *q, int err, const char *what)
{
    if (err == -ENOENT)
        http_reply_error(q, 404, "missing", "There is no %s.", what);
    else if (err == -VS_EDOWN || err == -EAGAIN)
        http_reply_error(q, 503, "down", "The metadata is out of reach; ask again in a second.");
    else
        http_reply_error(q, 500, "metadata", "Reading %s failed: %s.", what, vs_err_text(err));
}

bool meta_api_number(struct http_req *q, const char *name, uint64_t max, uint64_t *ret)
{
    const char *text = http_req_query(q, name);

    if (text == NULL || vs_conf_number(text, 0, max, ret) == 0)
        return true;
    http_reply_error(q, 400, "invalid", "%s is a number from 0 to %" PRIu64 "; '%.32s' is not.",
                     name, max, text);
    return false;
}

bool meta_api_page(struct http_req *q, uint64_t *ret_limit, uint64_t *ret_offset)
{
    *ret_limit = PAGE_DEFAULT;
    *ret_offset = 0;
    return meta_api_number(q, "limit", PAGE_MAX, ret_limit) &&
           meta_api_number(q, "offset", UINT32_MAX, ret_offset);
}

struct vs_json *meta_api_body(struct http_req *q)
{
    struct vs_json *j = NULL;
    size_t len;
    const char *body = http_req_body(q, &len);

    if (vs_json_parse(body, len, &j) == 0)
        return j;
    http_reply_error(q, 400, "invalid", "The body is no JSON object (docs/API.md).");
    return NULL;
}

int meta_api_register(struct meta_server *m, const struct vs_id *id, struct vs_buf *ret)
{
    struct meta_reg reg = { .id = *id };
    struct meta_req r = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };
    int err = meta_call(m->meta, &r);

    *ret = reg.current;
    return err < 0 ? err : reg.status;
}

/* ---- /stats -----------------------------------------------------------------------------------
 */

static void stats_answer(struct meta_server *m, struct http_req *q)
{
    struct meta_req r = { .op = META_STATS };
    const struct meta_stats *s = &r.stats;
    int err = meta_call(m->meta, &r);
    struct vs_json *j;

    if (err < 0) {
        meta_api_error(q, err, "the figures");
        return;
    }
    j = vs_json_object();
    vs_json_set_u64(j, "files", s->files);
    vs_json_set_u64(j, "directories", s->directories);
    vs_json_set_u64(j, "symlinks", s->symlinks);
    vs_json_set_u64(j, "chunks", s->chunks);
    vs_json_set_u64(j, "logical_bytes", s->logical_bytes);
    vs_json_set_u64(j, "stored_bytes", s->stored_bytes);
    vs_json_set_u64(j, "released_waiting", s->released_waiting);
    if (s->brake[0] != '\0')
        vs_json_set_text(j, "brake", s->brake);
    vs_json_set_u64(j, "applied_slot", s->applied_slot);
    vs_json_set_u64(j, "first_slot", s->first_slot);
    vs_json_set_u64(j, "synced_batches", s->synced_batches);
    http_reply_json(q, 200, j);
}

void meta_stats_run(struct http_req *q)
{
    meta_api_start(q, stats_answer);
}

/* ---- /videos ----------------------------------------------------------------------------------
 */

/* The tree from the root, folder by folder in the order of their names' making. */
struct walk {
    struct meta_server *m;
    uint64_t limit, offset;
    uint64_t seen, given, names;
    bool more, deep; /* there is more behind the page; folders below the limit were left out */
    struct vs_json *list;
    struct walk_dir {
        uint64_t ino, cookie;
        size_t path_len;
    } dirs[WALK_DEPTH_MAX];
    unsigned depth;
    char path[PATH_BYTES];
    struct ns_dirent page[WALK_BATCH];
};

static void walk_file(struct walk *w, const struct ns_dirent *d, size_t path_len)
{
    struct vs_json *j;

    if (w->seen++ < w->offset)
        return;
    if (w->given == w->limit) {
        w->more = true;
        return;
    }
    j = vs_json_object();
    vs_json_set_u64(j, "id", d->attr.ino);
    vs_json_set_bytes(j, "path", w->path, path_len);
    vs_json_set_u64(j, "size", d->attr.size);
    vs_json_set_u64(j, "stored_bytes", d->attr.stored_bytes);
    vs_json_set_u64(j, "version", d->attr.version);
    vs_json_set_u64(j, "modified_s", d->attr.mtime.s > 0 ? (uint64_t)d->attr.mtime.s : 0);
    vs_json_add(w->list, j);
    w->given++;
}

/* One name: a file is counted; a folder is gone into: true. */
static bool walk_name(struct walk *w, const struct ns_dirent *d)
{
    struct walk_dir *dir = &w->dirs[w->depth - 1];
    size_t len = dir->path_len;

    dir->cookie = d->cookie;
    w->names++;
    if (len + 1 + d->name_len > sizeof(w->path)) {
        w->deep = true;
        return false;
    }
    if (len > 0)
        w->path[len++] = '/';
    memcpy(w->path + len, d->name, d->name_len);
    len += d->name_len;
    if (S_ISREG(d->attr.mode))
        walk_file(w, d, len);
    if (!S_ISDIR(d->attr.mode) || d->attr.ino == NS_INO_INBOX)
        return false;
    if (w->depth == WALK_DEPTH_MAX) {
        w->deep = true;
        return false;
    }
    w->dirs[w->depth++] = (struct walk_dir){ .ino = d->attr.ino, .path_len = len };
    return true;
}

static int walk(struct walk *w)
{
    w->dirs[0] = (struct walk_dir){ .ino = NS_INO_ROOT };
    w->depth = 1;
    while (w->depth > 0 && !w->more) {
        struct walk_dir *dir = &w->dirs[w->depth - 1];
        struct meta_req r = { .op = META_READDIR,
                              .ino = dir->ino,
                              .cookie = dir->cookie,
                              .with_attr = true,
                              .dirents = w->page,
                              .dirents_max = WALK_BATCH };
        int err = meta_call(w->m->meta, &r);

        if (err == -ENOENT || err == -ENOTDIR) /* removed meanwhile */
            r.dirents_count = 0;
        else if (err < 0)
            return err;
        if (r.dirents_count == 0)
            w->depth--;
        for (uint32_t i = 0; i < r.dirents_count && !w->more; i++)
            if (walk_name(w, &w->page[i]))
                break;
        if (w->names > WALK_NAMES_MAX)
            return -E2BIG;
    }
    return 0;
}

static void videos_reply(struct http_req *q, struct walk *w)
{
    struct vs_json *j = vs_json_object();

    vs_json_set_u64(j, "offset", w->offset);
    vs_json_set_u64(j, "limit", w->limit);
    vs_json_set(j, "videos", w->list);
    w->list = NULL;
    if (w->more)
        vs_json_set_u64(j, "next_offset", w->offset + w->given);
    else
        vs_json_set_null(j, "next_offset");
    if (w->deep)
        vs_json_set_bool(j, "incomplete", true);
    http_reply_json(q, 200, j);
}

static void videos_answer(struct meta_server *m, struct http_req *q)
{
    struct walk *w = calloc(1, sizeof(*w));
    int err;

    if (w == NULL) {
        meta_api_error(q, -ENOMEM, "the tree");
        return;
    }
    w->m = m;
    if (meta_api_page(q, &w->limit, &w->offset)) {
        w->list = vs_json_array();
        err = walk(w);
        if (err == -E2BIG)
            http_reply_error(q, 500, "too-many",
                             "More than %d names lie before that page; list folders on a mount "
                             "instead.",
                             WALK_NAMES_MAX);
        else if (err < 0)
            meta_api_error(q, err, "the tree");
        else
            videos_reply(q, w);
    }
    vs_json_free(w->list);
    free(w);
}

void meta_videos_run(struct http_req *q)
{
    meta_api_start(q, videos_answer);
}
