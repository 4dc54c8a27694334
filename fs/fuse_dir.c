/* fuse_dir: opendir, readdir, readdirplus, releasedir.
 *
 * A listing is: "." and "..", what is stored (in the order of the metadata's cookies), then the
 * provisional names as they were when the listing began. A stored name that was provisional then
 * comes with those, so that a commit in the middle neither hides nor doubles it. Hidden: emptied
 * directories of the inbox. Positions: 0 ".", 1 "..", cookie + 2, DIR_PROVISIONAL + n. */
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/fuse_calls.h"
#include "fs/inbox.h"
#include "fs/provisional.h"
#include <stdlib.h>
#include <string.h>

#define DIR_BATCH          256u
#define DIR_PLUS_BYTES_MIN 160u /* of one entry in an answer with attributes */
#define FUSE_DIR_BYTES_MAX (256u << 10)
#define DIR_PROVISIONAL    (UINT64_C(1) << 62)

struct dir {
    struct vs_list of_session;
    uint64_t ino;
    bool in_inbox;
    pthread_mutex_t lock; /* the kernel asks one at a time, but nothing says that it must */
    struct provisional_name *fresh;
    size_t fresh_count;
    struct ns_dirent *batch; /* [at, count) are the stored entries behind `cookie` */
    uint32_t at, count;
    uint64_t cookie;
    bool with_attr;
};

/* One request. */
struct listing {
    struct fuse_call *c;
    struct dir *d;
    bool plus;
    char *buf; /* c->bytes */
    size_t used, size;
};

static struct dir *fuse_dir(const struct fuse_file_info *fi)
{
    return (struct dir *)(uintptr_t)fi->fh;
}

static struct fuse_handles dirs_open_now = FUSE_HANDLES_INIT(dirs_open_now);

static void dir_free(struct dir *d)
{
    pthread_mutex_destroy(&d->lock);
    free(d->fresh);
    free(d->batch);
    free(d);
}

static void dir_back(struct dir *d)
{
    fuse_handles_del(&dirs_open_now, &d->of_session);
    dir_free(d);
}

void fuse_dir_drop_all(void)
{
    struct vs_list *h;

    while ((h = fuse_handles_take(&dirs_open_now)) != NULL)
        dir_free(vs_container_of(h, struct dir, of_session));
}

/* ---- filling ---- */

/* 1: it is in the buffer; 0: the buffer is full; negative: error. */
static int list_add(struct listing *l, const char *name, size_t len, const struct ns_attr *attr,
                    uint64_t next)
{
    fuse_req_t req = l->c->req;
    char text[NS_NAME_BYTES_MAX + 1];
    struct fuse_entry_param e = { 0 };
    bool dots = len <= 2 && memcmp(name, "..", len) == 0;
    size_t need;
    int r;

    memcpy(text, name, len);
    text[len] = '\0';
    need = l->plus ? fuse_add_direntry_plus(req, NULL, 0, text, NULL, 0)
                   : fuse_add_direntry(req, NULL, 0, text, NULL, 0);
    if (need > l->size - l->used)
        return 0;
    if (l->plus && !dots) { /* counts a lookup: only now that it fits */
        r = fuse_entry(l->c->fs, l->c->since, l->d->ino, name, len, attr->ino, attr, &e);
        if (r < 0)
            return r;
    } else {
        fuse_stat(attr, &e.attr);
    }
    if (l->plus)
        fuse_add_direntry_plus(req, l->buf + l->used, need, text, &e, (off_t)next);
    else
        fuse_add_direntry(req, l->buf + l->used, need, text, &e.attr, (off_t)next);
    l->used += need;
    return 1;
}

static int list_dots(struct listing *l, uint64_t *position)
{
    struct ns_attr self = { .ino = l->d->ino, .mode = S_IFDIR };
    int r = 1;

    if (*position == 0) {
        r = list_add(l, ".", 1, &self, 1);
        *position += r > 0 ? 1 : 0;
    }
    if (r > 0 && *position == 1) {
        self.ino = NS_INO_ROOT; /* who wants the true one calls stat */
        r = list_add(l, "..", 2, &self, 2);
        *position += r > 0 ? 1 : 0;
    }
    return r;
}

static bool list_skips(struct listing *l, const struct ns_dirent *e)
{
    struct dir *d = l->d;

    for (size_t n = 0; n < d->fresh_count; n++) {
        if (d->fresh[n].name_len == e->name_len &&
            memcmp(d->fresh[n].name, e->name, e->name_len) == 0)
            return true;
    }
    return d->in_inbox && S_ISDIR(e->attr.mode) && inbox_dir_hidden(l->c->fs->inbox, e->attr.ino);
}

/* Have the stored entries behind `cookie` in the batch. */
static int list_fetch(struct listing *l, uint64_t cookie)
{
    struct dir *d = l->d;
    struct meta_req req = { .op = META_READDIR,
                            .ino = d->ino,
                            .cookie = cookie,
                            .with_attr = l->plus,
                            .dirents_max = DIR_BATCH };
    int r;

    if (l->plus && l->size / DIR_PLUS_BYTES_MIN + 1 < DIR_BATCH)
        req.dirents_max = (uint32_t)(l->size / DIR_PLUS_BYTES_MIN + 1);

    if (d->cookie == cookie && d->at < d->count && (d->with_attr || !l->plus))
        return 0;
    d->at = d->count = 0;
    d->cookie = cookie;
    d->with_attr = l->plus;
    if (control_owns(d->ino)) {
        r = cookie == 0 ? control_readdir(l->c->fs, d->ino, d->batch, DIR_BATCH) : 0;
        d->count = r > 0 ? (uint32_t)r : 0;
        return r < 0 ? r : 0;
    }
    req.dirents = d->batch;
    r = meta_call(l->c->fs->meta, &req);
    if (r == 0)
        d->count = req.dirents_count;
    return r;
}

static int list_stored(struct listing *l, uint64_t *position)
{
    struct dir *d = l->d;
    int r = list_fetch(l, *position - 2);

    while (r == 0 && d->at < d->count) {
        const struct ns_dirent *e = &d->batch[d->at];
        int added =
            list_skips(l, e) ? 1 : list_add(l, e->name, e->name_len, &e->attr, e->cookie + 2);

        if (added <= 0)
            return added;
        d->at++;
        d->cookie = e->cookie;
        *position = e->cookie + 2;
        if (d->at == d->count)
            r = list_fetch(l, d->cookie);
    }
    if (r == 0)
        *position = DIR_PROVISIONAL;
    return r < 0 ? r : 1;
}

/* Number n of the names that are not stored. -ENOENT: it is gone meanwhile. */
static int list_fresh_attr(struct listing *l, const struct provisional_name *p, struct ns_attr *ret)
{
    struct vsfs *fs = l->c->fs;
    struct inode *i;
    int r;

    *ret = (struct ns_attr){ .ino = p->ino, .mode = p->mode };
    if (control_owns(p->ino))
        return control_getattr(fs, p->ino, ret);
    i = inode_find(fs->inodes, p->ino);
    r = i != NULL ? names_attr(fs, i, ret) : -ENOENT;
    if (r == 0 && ret->nlink == 0)
        r = -ENOENT;
    inode_put(fs->inodes, i);
    return r;
}

static int list_fresh(struct listing *l, uint64_t position)
{
    struct dir *d = l->d;
    int r = 1;

    for (uint64_t n = position - DIR_PROVISIONAL; r > 0 && n < d->fresh_count; n++) {
        const struct provisional_name *p = &d->fresh[n];
        struct ns_attr attr;

        if (list_fresh_attr(l, p, &attr) == 0)
            r = list_add(l, p->name, p->name_len, &attr, DIR_PROVISIONAL + n + 1);
    }
    return r;
}

/* What is not stored, as it is when a listing begins. */
static int dir_begin(struct vsfs *fs, struct dir *d)
{
    static const struct provisional_name ignore = { .ino = CONTROL_INO_IGNORE,
                                                    .mode = S_IFREG,
                                                    .name_len = sizeof(CONTROL_IGNORE_NAME) - 1,
                                                    .name = CONTROL_IGNORE_NAME };
    struct provisional_name *more;
    int r;

    d->at = d->count = 0;
    free(d->fresh);
    d->fresh = NULL;
    d->fresh_count = 0;
    if (control_owns(d->ino))
        return 0;
    r = provisional_list(fs->provisional, d->ino, &d->fresh, &d->fresh_count);
    if (r < 0 || d->ino != NS_INO_INBOX)
        return r;
    more = realloc(d->fresh, (d->fresh_count + 1) * sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    d->fresh = more;
    d->fresh[d->fresh_count++] = ignore;
    return 0;
}

static int list_fill(struct listing *l, uint64_t position)
{
    int r = 1;

    if (position == 0)
        r = dir_begin(l->c->fs, l->d) < 0 ? -ENOMEM : 1;
    if (r > 0 && position < 2)
        r = list_dots(l, &position);
    if (r > 0 && position >= 2 && position < DIR_PROVISIONAL)
        r = list_stored(l, &position);
    if (r > 0 && position >= DIR_PROVISIONAL)
        r = list_fresh(l, position);
    return r < 0 && l->used == 0 ? r : 0; /* an error behind entries comes again next time */
}

/* ---- callbacks ---- */

static int work_readdir(struct fuse_call *c)
{
    struct listing l = { .c = c, .d = fuse_dir(&c->fi), .plus = c->flags != 0, .size = c->len };
    int r;

    l.buf = malloc(l.size);
    if (l.buf == NULL)
        return -ENOMEM;
    c->bytes.data = (uint8_t *)l.buf;
    c->bytes.cap = l.size;
    pthread_mutex_lock(&l.d->lock);
    /* The kernel keeps attributes that are not older than its question: nothing from before it. */
    if (l.plus)
        l.d->at = l.d->count = 0;
    r = list_fill(&l, c->offset);
    pthread_mutex_unlock(&l.d->lock);
    c->bytes.len = l.used;
    return r;
}

static void answer_readdir(struct fuse_call *c, int r)
{
    if (r < 0)
        fuse_reply_error(c->req, r);
    else
        fuse_reply_buf(c->req, (const char *)c->bytes.data, c->bytes.len);
}

static void readdir_start(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                          struct fuse_file_info *fi, bool plus)
{
    struct fuse_call *c = fuse_call_new(req, ino);

    if (c == NULL)
        return;
    c->fi = *fi;
    c->len = size < FUSE_DIR_BYTES_MAX ? size : FUSE_DIR_BYTES_MAX;
    c->offset = (uint64_t)off;
    c->flags = plus;
    fuse_call_start(c, work_readdir, answer_readdir);
}

void fuse_call_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    readdir_start(req, ino, size, off, fi, false);
}

void fuse_call_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                           struct fuse_file_info *fi)
{
    readdir_start(req, ino, size, off, fi, true);
}

void fuse_call_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct dir *d = calloc(1, sizeof(*d));

    if (d != NULL)
        d->batch = malloc(DIR_BATCH * sizeof(*d->batch));
    if (d == NULL || d->batch == NULL) {
        free(d);
        fuse_reply_err(req, ENOMEM);
        return;
    }
    pthread_mutex_init(&d->lock, NULL);
    d->ino = ino;
    d->in_inbox = inbox_has_dir(fuse_fs(req)->inbox, ino);
    fi->fh = (uintptr_t)d;
    fuse_handles_add(&dirs_open_now, &d->of_session);
    if (fuse_reply_open(req, fi) == -ENOENT) /* interrupted: no releasedir will come */
        dir_back(d);
}

void fuse_call_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    dir_back(fuse_dir(fi));
    fuse_reply_err(req, 0);
}

/* Every change of a name is durable before it is answered; a provisional file is fsync's own. */
void fuse_call_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    (void)ino;
    (void)datasync;
    (void)fi;
    fuse_reply_err(req, 0);
}
