/* wfile: life of a write state, its owner, and what it says of attributes. See the headers.
 *
 * The state hangs on the inode while handles that may write are open. The last one leaves after it
 * has committed; an unlinked file keeps its state until the caller drops it, since other handles
 * still read from it. */
#include "common/err.h"
#include "fs/content_held.h"
#include "fs/notify.h"
#include "fs/provisional.h"
#include "fs/wfile_state.h"
#include <stdatomic.h>
#include <string.h>

struct wfile *wfile_get(struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    if (i->wfile != NULL)
        atomic_fetch_add(&i->wfile->refs, 1);
    return i->wfile;
}

void wfile_layers_take(struct wfile *from, struct wfile *to)
{
    *to = (struct wfile){ .base = from->base,
                          .base_chunks = from->base_chunks,
                          .session = from->session,
                          .tail = from->tail,
                          .tail_holes = from->tail_holes,
                          .zeros = from->zeros,
                          .staged = from->staged,
                          .staging = from->staging };
    from->base = NULL;
    from->base_chunks = NULL;
    from->base_chunk_count = 0;
    from->session = NULL;
    from->tail = NULL;
    from->tail_closed = false;
    from->tail_start = from->base_end = 0;
    from->staging = NULL;
    from->tail_holes = from->zeros = from->staged = (struct extent_set){ 0 };
}

void wfile_layers_free(struct wfile *w)
{
    upload_free(w->tail); /* uploads go before their session */
    upload_session_free(w->session);
    content_put(w->base);
    free(w->base_chunks);
    staging_put(w->staging);
    extent_set_close(&w->staged);
    extent_set_close(&w->zeros);
    extent_set_close(&w->tail_holes);
}

void wfile_put(struct wfile *w)
{
    if (w == NULL || atomic_fetch_sub(&w->refs, 1) > 1)
        return;
    wfile_layers_free(w);
    pthread_cond_destroy(&w->idle);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static struct wfile *wfile_new(void)
{
    struct wfile *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    atomic_store(&w->refs, 1);
    w->handles = 1;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->idle, NULL);
    return w;
}

void wfile_begin(struct wfile *w)
{
    VS_LOCK_SCOPE(&w->lock);
    while (w->busy)
        pthread_cond_wait(&w->idle, &w->lock);
    w->busy = true;
}

void wfile_end(struct wfile *w)
{
    VS_LOCK_SCOPE(&w->lock);
    w->busy = false;
    pthread_cond_signal(&w->idle);
}

/* ---- opening ---- */

/* under i->lock */
static void wfile_attach(struct inode *i, struct wfile *w)
{
    w->name_len = i->name_len;
    memcpy(w->name, i->name, i->name_len);
    i->wfile = w;
}

int wfile_create(struct vsfs *fs, struct inode *i)
{
    struct wfile *w = wfile_new();

    (void)fs;
    if (w == NULL)
        return -ENOMEM;
    VS_LOCK_SCOPE(&i->lock);
    w->mtime = i->attr.mtime;
    wfile_attach(i, w);
    return 0;
}

/* One more handle on the state that is there. */
static bool wfile_join(struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    if (i->wfile == NULL)
        return false;
    i->wfile->handles++;
    return true;
}

static int wfile_load(struct vsfs *fs, struct inode *i)
{
    struct wfile *w = wfile_new();
    struct content *old;
    struct ns_attr attr;
    int r;

    if (w == NULL)
        return -ENOMEM;
    r = content_load_wait(fs->meta, i->ino, &w->base, &attr);
    if (r < 0) {
        wfile_put(w);
        return r;
    }
    w->size = w->base_end = w->base->size;
    w->base_data_bytes = attr.data_bytes;
    w->mtime = attr.mtime;
    w->settled = attr.flags & NS_F_FLUSHED;
    {
        VS_LOCK_SCOPE(&i->lock);
        wfile_attach(i, w);
        old = inode_take_content(i, w->base);
    }
    content_put(old);
    return 0;
}

int wfile_enter(struct vsfs *fs, struct inode *i)
{
    VS_LOCK_SCOPE(&i->names); /* one opener loads; no commit changes the base meanwhile */
    return wfile_join(i) ? 1 : wfile_load(fs, i);
}

int wfile_open(struct vsfs *fs, struct inode *i, bool truncate)
{
    int r = wfile_enter(fs, i);

    if (r < 0)
        return r;
    if (r == 1)
        r = wfile_refresh(fs, i);
    if (r == 0 && truncate)
        r = wfile_truncate(fs, i, 0);
    if (r < 0)
        wfile_leave(fs, i);
    return r;
}

/* ---- another version ---- */

void wfile_rebase(struct inode *i, struct wfile *w, struct content *base,
                  const struct ns_attr *attr, bool is_cached)
{
    struct content *before;
    struct wfile old;

    {
        VS_LOCK_SCOPE(&i->lock);
        if (base->version < i->version) /* heard of before this was known to be in use */
            base->replaced = true;
        i->cached_version = is_cached && !base->replaced ? base->version : 0;
        before = inode_take_content(i, base);
        VS_LOCK_SCOPE(&w->lock);
        wfile_layers_take(w, &old);
        w->base = base;
        w->size = w->base_end = base->size;
        w->base_data_bytes = attr->data_bytes;
        w->dirty = w->mtime_set = false;
        w->mtime = attr->mtime;
        w->settled = attr->flags & NS_F_FLUSHED;
        w->epoch++;
    }
    content_put(before);
    wfile_layers_free(&old);
}

bool wfile_is_behind(const struct wfile *w)
{
    return !w->dirty && w->error == 0 && w->tail == NULL && w->base != NULL &&
           content_is_replaced(w->base);
}

static int wfile_catch_up(struct vsfs *fs, struct inode *i, struct wfile *w)
{
    struct content *base;
    struct ns_attr attr;
    int r;

    if (!wfile_is_behind(w) || wfile_nameless(i))
        return 0;
    r = content_load_wait(fs->meta, i->ino, &base, &attr);
    if (r == 0)
        wfile_rebase(i, w, base, &attr, false);
    return r;
}

int wfile_begin_change(struct vsfs *fs, struct inode *i, struct wfile *w)
{
    wfile_begin(w);
    return wfile_catch_up(fs, i, w);
}

void wfile_let_go(struct vsfs *fs, struct inode *i)
{
    struct wfile *w = wfile_get(i);
    bool ours = false;

    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    if (!w->busy && wfile_is_behind(w))
        w->busy = ours = true;
    pthread_mutex_unlock(&w->lock);
    if (ours) {
        (void)wfile_catch_up(fs, i, w); /* else with the next change, or look */
        wfile_end(w);
    }
    wfile_put(w);
}

int wfile_refresh(struct vsfs *fs, struct inode *i)
{
    struct meta_req req = { .op = META_GETATTR, .ino = i->ino };
    struct wfile *w = NULL;
    int r;

    {
        VS_LOCK_SCOPE(&i->lock);
        if (i->wfile == NULL || i->provisional || i->unlinked || !fs->shared)
            return 0;
        w = i->wfile;
        atomic_fetch_add(&w->refs, 1);
    }
    r = meta_call(fs->meta, &req);
    if (r == 0) {
        content_replaced(fs->meta, i->ino, req.attr.version);
        r = wfile_begin_change(fs, i, w);
        wfile_end(w);
    }
    wfile_put(w);
    return r;
}

/* ---- changing ---- */

bool wfile_nameless(struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    return i->unlinked;
}

bool wfile_in_inbox(struct vsfs *fs, struct inode *i)
{
    struct meta_req req = { .op = META_GETATTR };

    {
        VS_LOCK_SCOPE(&i->lock);
        req.ino = i->parent;
    }
    if (req.ino == NS_INO_ROOT)
        return false;
    if (req.ino == 0 || req.ino == NS_INO_INBOX)
        return true;
    return meta_call(fs->meta, &req) < 0 || req.attr.mirror != 0;
}

int wfile_change(struct vsfs *fs, struct inode *i, struct wfile *w)
{
    struct ns_entry e = {
        .kind = NS_E_SETATTR, .ino = i->ino, .set = NS_SET_FLAGS, .flags_clear = NS_F_FLUSHED
    };
    int r = 0;

    if (w->error < 0)
        return w->error;
    if (!w->settled)
        return 0;
    if (!wfile_nameless(i) && wfile_in_inbox(fs, i))
        r = vsfs_change(fs, &e, NULL);
    if (r < 0)
        return r;
    VS_LOCK_SCOPE(&w->lock);
    w->settled = false;
    return 0;
}

void wfile_changed(struct vsfs *fs, struct wfile *w, uint64_t size)
{
    w->size = size;
    w->dirty = true;
    w->complete_due = false; /* the commit of this change says it */
    w->mtime = vsfs_now(fs);
    w->mtime_set = false;
}

/* ---- attributes ---- */

int wfile_setattr(struct vsfs *fs, struct inode *i, uint32_t set, const struct ns_attr *attr)
{
    struct wfile *w = wfile_get(i);
    bool provisional;

    if (w == NULL)
        return 1;
    {
        VS_LOCK_SCOPE(&i->names); /* the commit reads what is set here in one piece */
        VS_LOCK_SCOPE(&i->lock);
        provisional = i->provisional;
        if (provisional) {
            if (set & NS_SET_MODE)
                i->attr.mode = (i->attr.mode & 0170000) | (attr->mode & 07777);
            if (set & NS_SET_UID)
                i->attr.uid = attr->uid;
            if (set & NS_SET_GID)
                i->attr.gid = attr->gid;
            if (set & NS_SET_ATIME)
                i->attr.atime = attr->atime;
            i->attr.ctime = vsfs_now(fs);
        }
        VS_LOCK_SCOPE(&w->lock);
        if (set & NS_SET_MTIME) {
            w->mtime = attr->mtime;
            w->mtime_set = provisional || w->dirty;
        }
    }
    wfile_put(w);
    return provisional ? 0 : 1;
}

/* Bytes that are no hole, as far as it is known before the commit. Under lock. */
static uint64_t wfile_data_bytes(const struct wfile *w)
{
    uint64_t end = wfile_stream_end(w), bytes = w->base_data_bytes;

    if (bytes > w->base_end)
        bytes = w->base_end;
    if (w->tail != NULL)
        bytes += end - w->tail_start - w->tail_holes.bytes;
    bytes += extent_set_bytes_in(&w->staged, end, UINT64_MAX);
    bytes -= w->zeros.bytes < bytes ? w->zeros.bytes : bytes;
    return bytes < w->size ? bytes : w->size;
}

void wfile_getattr(struct inode *i, struct ns_attr *attr)
{
    struct wfile *w = wfile_get(i);
    bool provisional;

    if (w == NULL)
        return;
    {
        VS_LOCK_SCOPE(&i->lock);
        provisional = i->provisional;
    }
    {
        VS_LOCK_SCOPE(&w->lock);
        if (provisional || w->dirty) {
            attr->size = w->size;
            attr->data_bytes = wfile_data_bytes(w);
            attr->mtime = w->mtime;
            if (!w->mtime_set && (attr->ctime.s < w->mtime.s ||
                                  (attr->ctime.s == w->mtime.s && attr->ctime.ns < w->mtime.ns)))
                attr->ctime = w->mtime;
        }
    }
    wfile_put(w);
}

bool wfile_dirty(struct inode *i)
{
    struct wfile *w = wfile_get(i);
    bool dirty;

    if (w == NULL)
        return false;
    {
        VS_LOCK_SCOPE(&w->lock);
        dirty = w->dirty;
    }
    wfile_put(w);
    return dirty;
}

/* ---- closing ---- */

/* Take the state off the inode. Under i->lock; the caller puts the reference. */
static struct wfile *wfile_detach(struct inode *i)
{
    struct wfile *w = i->wfile;

    i->wfile = NULL;
    return w;
}

void wfile_drop(struct vsfs *fs, struct inode *i)
{
    struct wfile *w;

    (void)fs;
    {
        VS_LOCK_SCOPE(&i->lock);
        w = wfile_detach(i);
    }
    wfile_put(w);
}

/* A file that could not be committed even once, and that nobody writes any more, is no file. */
static void wfile_forget_name(struct vsfs *fs, struct inode *i)
{
    char name[NS_NAME_BYTES_MAX];
    uint64_t parent;
    size_t len;

    VS_LOCK_SCOPE(&i->names);
    {
        VS_LOCK_SCOPE(&i->lock);
        if (!i->provisional || i->unlinked)
            return;
        i->unlinked = true;
        parent = i->parent;
        len = i->name_len;
        memcpy(name, i->name, len);
    }
    if (fs->provisional != NULL)
        provisional_drop(fs->provisional, i);
    notify_entry(fs->notify, parent, name, len);
}

int wfile_leave(struct vsfs *fs, struct inode *i)
{
    struct wfile *w, *detached = NULL;
    int r;

    {
        VS_LOCK_SCOPE(&i->lock);
        w = i->wfile;
        if (w == NULL)
            return 0;
        if (w->handles > 1) {
            w->handles--;
            return 0;
        }
        atomic_fetch_add(&w->refs, 1);
    }
    r = wfile_commit(fs, i, w, WFILE_RELEASE);
    if (r < 0)
        wfile_forget_name(fs, i);
    {
        VS_LOCK_SCOPE(&i->lock);
        if (r < 0)
            i->cached_version = 0; /* the kernel's pages hold what was never stored */
        if (--w->handles == 0 && i->wfile == w && !i->unlinked)
            detached = wfile_detach(i);
    }
    if (r < 0)
        notify_pages(fs->notify, i->ino);
    wfile_put(detached);
    wfile_put(w);
    return r;
}

int wfile_flush(struct vsfs *fs, struct inode *i, enum wfile_flush how)
{
    struct wfile *w;
    int r;

    if (how == WFILE_RELEASE)
        return wfile_leave(fs, i);
    w = wfile_get(i);
    if (w == NULL)
        return 0;
    r = wfile_commit(fs, i, w, how);
    wfile_put(w);
    return r;
}
