/* inbox_list: walking the inbox: after a start, for `inbox ls`, and finding what a command names.
 *
 * States: uploading (somebody writes it, or it is not committed yet), waiting (empty, or about to
 * be published), interrupted (its writer never closed it), temporary (a temporary name that nobody
 * has touched for INBOX_TEMPORARY_AGE_S). */
#include "common/cleanup.h"
#include "common/err.h"
#include "common/json.h"
#include "common/log.h"
#include "fs/inbox_rules.h"
#include "fs/inbox_state.h"
#include "fs/names.h"
#include "fs/provisional.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INBOX_TEMPORARY_AGE_S (24 * 3600)
#define WALK_BATCH            128
#define WALK_DIRS_MAX         (1u << 20)

/* ---- walk ---- */

struct walk_dirs {
    uint64_t *ino;
    size_t count, cap;
};

static int walk_push(struct walk_dirs *w, uint64_t ino)
{
    uint64_t *more;
    size_t cap = w->cap > 0 ? w->cap * 2 : 64;

    if (w->count == WALK_DIRS_MAX)
        return -ENOBUFS;
    if (w->count == w->cap) {
        more = realloc(w->ino, cap * sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        w->ino = more;
        w->cap = cap;
    }
    w->ino[w->count++] = ino;
    return 0;
}

static int walk_dir(struct vsfs *fs, struct walk_dirs *w, uint64_t dir, struct ns_dirent *items,
                    inbox_walk_fn *fn, void *arg)
{
    struct meta_req req = { .op = META_READDIR,
                            .ino = dir,
                            .with_attr = true,
                            .dirents = items,
                            .dirents_max = WALK_BATCH };
    int r;

    do {
        r = meta_call(fs->meta, &req);
        for (uint32_t n = 0; r == 0 && n < req.dirents_count; n++) {
            const struct ns_dirent *e = &items[n];

            if (S_ISDIR(e->attr.mode)) {
                inbox_dir_seen(fs->inbox, dir, e->name, e->name_len, &e->attr);
                r = walk_push(w, e->attr.ino);
            } else {
                r = fn(fs, dir, e, arg);
            }
        }
        if (r == 0 && req.dirents_count > 0)
            req.cookie = items[req.dirents_count - 1].cookie;
    } while (r == 0 && req.dirents_count > 0);
    return r == -ENOENT ? 0 : r; /* removed meanwhile */
}

int inbox_walk(struct vsfs *fs, inbox_walk_fn *fn, void *arg)
{
    struct ns_dirent *items = malloc(WALK_BATCH * sizeof(*items));
    struct walk_dirs w = { 0 };
    int r = items != NULL ? walk_push(&w, NS_INO_INBOX) : -ENOMEM;

    for (size_t n = 0; r == 0 && n < w.count; n++)
        r = walk_dir(fs, &w, w.ino[n], items, fn, arg);
    free(w.ino);
    free(items);
    return r;
}

/* ---- start ---- */

/* One pair of a list, by its first number; 0: there is none, 1: `ret` is the second. */
static int recover_pair(struct vsfs *fs, enum meta_scan scan, uint64_t first, uint64_t *ret)
{
    struct vs_id pair;
    struct meta_req r = { .op = META_SCAN,
                          .scan = scan,
                          .scan_after_id = meta_pair(first - 1, 0),
                          .scan_ids = &pair,
                          .scan_max = 1 };
    uint64_t found;
    int err = meta_call(fs->meta, &r);

    if (err < 0 || r.scan_count == 0)
        return err < 0 ? err : 0;
    meta_pair_get(&pair, &found, ret);
    return found == first;
}

/* 1: a mount that lives is to publish it, another one than this. Whose it is, first: who lives by
 * then, and has written it, is found. */
static int recover_is_theirs(struct vsfs *fs, uint64_t ino)
{
    uint64_t mount, signs;
    int r;

    if (fs->mount == 0)
        return 0;
    r = recover_pair(fs, META_SCAN_WRITERS, ino, &mount);
    if (r <= 0 || mount == fs->mount)
        return r < 0 ? r : 0;
    return recover_pair(fs, META_SCAN_MOUNTS, mount, &signs);
}

static int recover_one(struct vsfs *fs, uint64_t dir, const struct ns_dirent *e, void *arg)
{
    struct inbox_settle s = {
        .ino = e->attr.ino, .parent = dir, .name = e->name, .len = e->name_len
    };
    int r = recover_is_theirs(fs, s.ino);

    (void)arg;
    if (r != 0)
        return r < 0 ? r : 0;
    r = inbox_settle(fs, &s);
    /* One that cannot be published (its name is taken, and so on) is in the log, and stays. */
    return r == -EHOSTDOWN || r == -EIO ? r : 0;
}

int inbox_recover(struct vsfs *fs)
{
    int r = inbox_walk(fs, recover_one, NULL);

    return r < 0 ? r : inbox_dirs_sweep(fs, NS_INO_INBOX, 0);
}

struct recover_job {
    struct vs_job job;
    struct vsfs *fs;
};

static void recover_run(struct vs_job *job)
{
    struct recover_job *j = vs_container_of(job, struct recover_job, job);
    struct inbox *b = j->fs->inbox;
    int r = inbox_walk(j->fs, recover_one, NULL);

    if (r < 0)
        vs_warn("inbox: what a mount that is gone left there cannot be published now: %s -> by the "
                "next start of a mount",
                vs_err_text(r));
    free(j);
    inbox_job_end(b);
}

void inbox_recover_soon(struct vsfs *fs)
{
    struct recover_job *j = fs->inbox != NULL ? calloc(1, sizeof(*j)) : NULL;

    if (j == NULL)
        return;
    j->fs = fs;
    if (!inbox_job_start(fs->inbox, &j->job, recover_run))
        free(j);
}

/* ---- inbox ls ---- */

struct inbox_lister {
    struct vs_json *files;
    struct ns_time now;
    unsigned count;
};

static void list_file(struct vsfs *fs, struct inbox_lister *l, uint64_t dir, const char *name,
                      size_t len, const char *state, uint64_t size)
{
    struct vs_json *j = vs_json_object();
    char path[INBOX_PATH_MAX];

    inbox_path(fs->inbox, dir, name, len, path);
    vs_json_set_text(j, "name", path);
    vs_json_set_text(j, "state", state);
    vs_json_set_u64(j, "size", size);
    vs_json_add(l->files, j);
    l->count++;
}

/* NULL: not worth a line. */
static const char *list_state(const struct inbox_lister *l, const struct ns_dirent *e, bool writers)
{
    const struct ns_attr *a = &e->attr;
    int64_t changed = a->ctime.s > a->mtime.s ? a->ctime.s : a->mtime.s;

    if (writers)
        return "uploading";
    if (inbox_is_temporary(e->name, e->name_len))
        return l->now.s - changed > INBOX_TEMPORARY_AGE_S ? "temporary" : NULL;
    return (a->flags & NS_F_FLUSHED) || !S_ISREG(a->mode) ? "waiting" : "interrupted";
}

static int list_one(struct vsfs *fs, uint64_t dir, const struct ns_dirent *e, void *arg)
{
    struct inbox_lister *l = arg;
    struct ns_attr attr = e->attr;
    struct inode *i = inode_find(fs->inodes, e->attr.ino);
    bool writers = false;
    const char *state;

    if (l->count == INBOX_LIST_MAX) {
        inode_put(fs->inodes, i);
        return 1;
    }
    if (i != NULL) {
        pthread_mutex_lock(&i->lock);
        writers = i->writers > 0;
        pthread_mutex_unlock(&i->lock);
        names_attr(fs, i, &attr);
    }
    inode_put(fs->inodes, i);
    state = list_state(l, e, writers);
    if (state != NULL)
        list_file(fs, l, dir, e->name, e->name_len, state, attr.size);
    return 0;
}

static uint64_t provisional_size(struct vsfs *fs, uint64_t ino)
{
    struct inode *i = inode_find(fs->inodes, ino);
    struct ns_attr attr = { 0 };

    if (i != NULL)
        names_attr(fs, i, &attr);
    inode_put(fs->inodes, i);
    return attr.size;
}

/* Files that are not committed yet. */
static int list_provisional(struct vsfs *fs, struct inbox_lister *l)
{
    uint64_t *dirs;
    size_t dir_count;
    int r = inbox_dirs_all(fs->inbox, &dirs, &dir_count);

    for (size_t d = 0; r == 0 && d < dir_count; d++) {
        struct provisional_name *names = NULL;
        size_t count = 0;

        r = provisional_list(fs->provisional, dirs[d], &names, &count);
        for (size_t n = 0; r == 0 && n < count && l->count < INBOX_LIST_MAX; n++)
            list_file(fs, l, dirs[d], names[n].name, names[n].name_len, "uploading",
                      provisional_size(fs, names[n].ino));
        free(names);
    }
    free(dirs);
    return r;
}

static void list_results(struct inbox *b, struct vs_json *results)
{
    unsigned first;

    VS_LOCK_SCOPE(&b->lock);
    first = b->result_count > INBOX_RESULTS_MAX ? b->result_count - INBOX_RESULTS_MAX : 0;
    for (unsigned n = first; n < b->result_count; n++) {
        const struct inbox_result *r = &b->results[n % INBOX_RESULTS_MAX];
        struct vs_json *j = vs_json_object();

        vs_json_set_text(j, "name", r->name);
        if (r->path[0] != '\0')
            vs_json_set_text(j, "path", r->path);
        vs_json_set_text(j, "what", r->what);
        if (r->err < 0)
            vs_json_set_text(j, "reason", vs_err_text(r->err));
        vs_json_set_double(j, "time", (double)r->at.s);
        vs_json_add(results, j);
    }
}

struct vs_json *inbox_list(struct vsfs *fs)
{
    struct inbox_lister l = { .files = vs_json_array(), .now = vsfs_now(fs) };
    struct vs_json *j = vs_json_object(), *results = vs_json_array();
    int r = list_provisional(fs, &l);

    if (r == 0)
        r = inbox_walk(fs, list_one, &l);
    list_results(fs->inbox, results);
    vs_json_set(j, "files", l.files);
    vs_json_set(j, "results", results);
    if (r == 1)
        vs_json_set_bool(j, "more", true);
    if (r < 0) {
        vs_json_free(j);
        return NULL;
    }
    return j;
}

/* ---- publish, cancel ---- */

struct inbox_place {
    uint64_t dir;
    const char *name; /* in the caller's path */
    size_t len;
};

/* The directories of a path; its last name may be anything. */
static int place_find(struct vsfs *fs, const char *path, struct inbox_place *ret)
{
    uint64_t dir = NS_INO_INBOX;

    for (unsigned n = 0; n < INBOX_DEPTH_MAX; n++) {
        size_t len = strcspn(path, "/");
        struct meta_req req = { .op = META_LOOKUP, .ino = dir, .name = path, .name_len = len };
        int r;

        if (len == 0 || len > NS_NAME_BYTES_MAX)
            return len == 0 ? -EINVAL : -ENAMETOOLONG;
        if (path[len] == '\0') {
            *ret = (struct inbox_place){ .dir = dir, .name = path, .len = len };
            return 0;
        }
        r = meta_call(fs->meta, &req);
        if (r < 0)
            return r;
        if (!S_ISDIR(req.attr.mode))
            return -ENOTDIR;
        inbox_dir_seen(fs->inbox, dir, path, len, &req.attr);
        dir = req.attr.ino;
        path += len + 1;
    }
    return -ENAMETOOLONG;
}

/* Whoever writes it must have closed it. */
static int publish_closed(struct vsfs *fs, uint64_t ino, const struct inbox_place *p)
{
    struct inode *i = inode_get(fs->inodes, ino);
    bool writers;
    int r;

    if (i == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&i->names);
    pthread_mutex_lock(&i->lock);
    writers = i->writers > 0;
    pthread_mutex_unlock(&i->lock);
    r = writers ? -EBUSY : inbox_publish_now(fs, ino, p->dir, p->name, p->len, true);
    pthread_mutex_unlock(&i->names);
    inode_put(fs->inodes, i);
    return r;
}

int inbox_publish(struct vsfs *fs, const char *path)
{
    struct names_found found;
    struct inbox_place p;
    int r = place_find(fs, path, &p);

    if (r == 0)
        r = names_find(fs, p.dir, p.name, p.len, &found);
    if (r < 0)
        return r;
    if (found.kind == NAMES_PROVISIONAL)
        r = -EBUSY;
    else if (found.kind != NAMES_STORED)
        r = -ENOENT;
    else if (S_ISDIR(found.attr.mode))
        r = -EISDIR;
    else
        r = publish_closed(fs, found.attr.ino, &p);
    names_found_close(fs, &found);
    return r;
}

int inbox_cancel(struct vsfs *fs, const char *path)
{
    struct inbox_place p;
    int r = place_find(fs, path, &p);

    return r < 0 ? r : names_unlink(fs, p.dir, p.name, p.len);
}
