/* wfile_commit: what was written becomes the file: everything durable, a manifest, one journal
 * entry (CREATE for a file that was never committed, SWAP for a stored one).
 *
 * Happy path: layers -> chunks (or inline bytes) -> manifest -> entry -> the new version is the
 * base, and a new write state begins on it. Failure: sticky; the old version stays, the session is
 * aborted when the state goes. A file without a name is not committed: its layers just stay. */
#include "fs/wfile_commit.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/inbox.h"
#include "fs/media_worker.h"
#include "fs/names.h"
#include "fs/provisional.h"
#include <string.h>

/* ---- what is no longer referenced ---- */

static int commit_release(struct commit *c, const struct vs_id *id)
{
    if (vs_id_is_zero(id))
        return 0;
    if (c->released_count == c->released_cap) {
        size_t cap = c->released_cap > 0 ? c->released_cap * 2 : 64;
        struct vs_id *ids = realloc(c->released, cap * sizeof(*ids));

        if (ids == NULL)
            return -ENOMEM;
        c->released = ids;
        c->released_cap = cap;
    }
    c->released[c->released_count++] = *id;
    return 0;
}

/* Chunks of `list` that the file does not use any more. Both are in file order. */
static int commit_release_chunks(struct commit *c, const struct mf_chunk *list, size_t count)
{
    size_t at = 0;

    for (size_t k = 0; k < count; k++) {
        int r = 0;

        while (at < c->chunk_count && c->chunks[at].offset < list[k].offset)
            at++;
        if (at == c->chunk_count || c->chunks[at].offset != list[k].offset ||
            vs_id_cmp(&c->chunks[at].id, &list[k].id) != 0)
            r = commit_release(c, &list[k].id);
        if (r < 0)
            return r;
    }
    return 0;
}

static int commit_release_all(struct commit *c)
{
    const struct content *base = c->w->base;
    VS_AUTO_FREE struct vs_id *given_up = NULL;
    size_t count = 0;
    int r = commit_release_chunks(c, c->w->base_chunks, c->w->base_chunk_count);

    if (r == 0)
        r = commit_release_chunks(c, c->tail.flush.chunks, c->tail.flush.chunk_count);
    if (base != NULL && base->kind == NS_CONTENT_CHUNKS && c->chunk_count == 0)
        for (uint32_t k = 0; k < base->head.segment_count && r == 0; k++)
            r = commit_release(c, &base->head.segments[k].id);
    for (size_t k = 0; k < c->manifest.dropped_count && r == 0; k++)
        r = commit_release(c, &c->manifest.dropped[k]);
    if (r == 0 && c->w->session != NULL)
        r = upload_session_given_up(c->w->session, &given_up, &count);
    for (size_t k = 0; k < count && r == 0; k++)
        r = commit_release(c, &given_up[k]);
    return r;
}

/* ---- the new content ---- */

struct manifest_wait {
    struct manifest_write write;
    struct waiter waiter;
};

static void commit_manifest_written(struct manifest_write *w)
{
    waiter_wake(&vs_container_of(w, struct manifest_wait, write)->waiter);
}

/* What the stores are told of the file, for the day the metadata is lost: as far as it is known
 * here. `name` receives a copy. */
static void commit_about(const struct commit *c, struct file_about *about, char *name)
{
    struct inode *i = c->inode;
    struct meta_req req = { .op = META_GETATTR, .ino = i->ino };
    bool created;

    *about = (struct file_about){ .ino = i->ino, .flushed = c->content.flushed, .name = name };
    {
        VS_LOCK_SCOPE(&i->lock);
        VS_LOCK_SCOPE(&c->w->lock);
        created = i->provisional;
        about->parent = i->parent;
        about->name_len = i->name_len;
        memcpy(name, i->name, i->name_len);
        req.attr = i->attr;
        about->mtime = c->w->mtime;
    }
    if (!created)
        about->base_version = c->w->base->version;
    if (!created && meta_call(c->fs->meta, &req) < 0)
        return;
    about->mode = req.attr.mode;
    about->uid = req.attr.uid;
    about->gid = req.attr.gid;
}

static int commit_manifest(struct commit *c)
{
    char name[NS_NAME_BYTES_MAX];
    struct file_about about;
    struct manifest_wait mw = { .write = { .session = c->w->session,
                                           .chunks = c->chunks,
                                           .chunk_count = c->chunk_count,
                                           .sha = c->sha,
                                           .about = &about,
                                           .done = commit_manifest_written },
                                .waiter = WAITER_INIT };

    commit_about(c, &about, name);
    if (c->w->base != NULL && c->w->base->kind == NS_CONTENT_CHUNKS) {
        mw.write.base = &c->w->base->head;
        mw.write.base_chunks = c->w->base_chunks;
    }
    manifest_write(c->fs->uploads, &mw.write);
    waiter_wait(&mw.waiter);
    c->manifest = mw.write;
    return mw.write.status;
}

static int commit_make_chunks(struct commit *c)
{
    struct ns_new_content *to = &c->content;
    int r = commit_chunks(c);

    if (r == 0 && c->w->session == NULL) /* only holes were added, or chunks dropped */
        r = upload_session_new(&c->w->session, c->fs->uploads);
    if (r == 0)
        r = commit_manifest(c);
    if (r < 0)
        return r;
    to->kind = NS_CONTENT_CHUNKS;
    to->bytes = c->manifest.encoded.data;
    to->bytes_len = c->manifest.encoded.len;
    for (size_t k = 0; k < c->chunk_count; k++) {
        const struct mf_chunk *m = &c->chunks[k];

        if (vs_id_is_zero(&m->id))
            continue;
        to->data_bytes += m->bytes;
        to->stored_bytes +=
            (uint64_t)vs_ec_fragment_bytes((size_t)m->bytes, m->red.k) * (m->red.k + m->red.m);
    }
    return 0;
}

static int commit_make_inline(struct commit *c)
{
    struct ns_new_content *to = &c->content;
    int64_t n;
    int r = wfile_load_chunks(c->w); /* they are released */

    if (r < 0)
        return r;
    c->inline_bytes = malloc(NS_INLINE_BYTES_MAX);
    if (c->inline_bytes == NULL)
        return -ENOMEM;
    n = wfile_view_read(c->fs, c->inode, c->w, 0, c->inline_bytes, c->w->size, false);
    if (n < 0 || (uint64_t)n != c->w->size)
        return n < 0 ? (int)n : -EIO;
    to->kind = n > 0 ? NS_CONTENT_INLINE : NS_CONTENT_NONE;
    to->bytes = c->inline_bytes;
    to->bytes_len = to->data_bytes = to->stored_bytes = (size_t)n;
    return 0;
}

static int commit_make_content(struct commit *c)
{
    int r;

    c->content.size = c->w->size;
    c->content.flushed = c->how != WFILE_FSYNC;
    r = c->w->size <= NS_INLINE_BYTES_MAX ? commit_make_inline(c) : commit_make_chunks(c);
    if (r == 0)
        r = commit_release_all(c);
    if (r < 0)
        return r;
    if (c->w->session != NULL)
        c->content.session = upload_session_number(c->w->session);
    c->content.released = c->released;
    c->content.released_count =
        c->released_count < NS_RELEASED_MAX ? c->released_count : NS_RELEASED_MAX;
    return 0;
}

/* ---- the entry ---- */

/* Fill a CREATE from the inode; under names and lock. `name` receives a copy. */
static void commit_entry_create(struct commit *c, struct ns_entry *e, char *name)
{
    const struct inode *i = c->inode;

    memcpy(name, i->name, i->name_len);
    e->kind = NS_E_CREATE;
    e->parent = i->parent;
    e->name = name;
    e->name_len = i->name_len;
    e->flags = i->replace ? NS_CREATE_REPLACE : 0;
    e->attr = i->attr;
    e->attr.mtime = c->w->mtime;
    e->set = NS_SET_ATIME | NS_SET_MTIME;
    e->now = i->attr.ctime; /* what stat has been saying of the file, and of its directory */
    if (!c->w->mtime_set &&
        (e->now.s < c->w->mtime.s || (e->now.s == c->w->mtime.s && e->now.ns < c->w->mtime.ns)))
        e->now = c->w->mtime;
}

static void commit_entry_swap(struct commit *c, struct ns_entry *e)
{
    e->kind = NS_E_SWAP;
    e->base_version = c->w->base->version;
    e->keep_times = c->w->mtime_set;
    if (!c->w->mtime_set)
        e->now = c->w->mtime; /* what stat has been saying since the last write */
}

static int commit_enter(struct commit *c)
{
    struct ns_entry e = { .ino = c->inode->ino, .content = c->content };
    struct inode *i = c->inode;
    char name[NS_NAME_BYTES_MAX];
    uint64_t parent;
    bool created;
    int r;

    VS_LOCK_SCOPE(&i->names);
    {
        VS_LOCK_SCOPE(&i->lock);
        VS_LOCK_SCOPE(&c->w->lock);
        parent = i->parent;
        c->nameless = i->unlinked;
        created = i->provisional;
        if (created)
            commit_entry_create(c, &e, name);
        else
            commit_entry_swap(c, &e);
    }
    if (c->nameless)
        return 0;
    if (c->fs->inbox != NULL && inbox_has_dir(c->fs->inbox, parent))
        e.mount = c->fs->mount;
    r = vsfs_change(c->fs, &e, &c->answer);
    if (r < 0 || !created)
        return r;
    {
        VS_LOCK_SCOPE(&i->lock);
        i->provisional = i->replace = false;
        i->attr = c->answer.attr;
    }
    if (c->fs->provisional != NULL)
        provisional_drop(c->fs->provisional, i);
    return 0;
}

/* What one entry could not release goes with further swaps to the same content. */
static void commit_release_rest(struct commit *c)
{
    for (size_t at = c->content.released_count; at < c->released_count;) {
        struct ns_entry e = { .kind = NS_E_SWAP,
                              .ino = c->inode->ino,
                              .base_version = c->answer.attr.version,
                              .keep_times = true,
                              .content = c->content };

        e.content.session = 0;
        e.content.released = c->released + at;
        e.content.released_count =
            c->released_count - at < NS_RELEASED_MAX ? c->released_count - at : NS_RELEASED_MAX;
        if (vsfs_change(c->fs, &e, &c->answer) < 0) {
            vs_warn("inode %llu: %zu replaced chunks could not be released -> fsck finds them",
                    (unsigned long long)c->inode->ino, c->released_count - at);
            return;
        }
        at += e.content.released_count;
    }
}

/* ---- afterwards ---- */

/* The committed version is the base of a write state with nothing on it. */
static int commit_rebase(struct commit *c)
{
    const struct ns_attr *attr = &c->answer.attr;
    struct content *base = NULL;
    int r = content_made(&base, c->fs->meta, attr, &c->content);

    if (r < 0)
        return r;
    wfile_rebase(c->inode, c->w, base, attr, true); /* the kernel's pages are the writer's */
    VS_LOCK_SCOPE(&c->w->lock);
    c->w->complete_due = c->how == WFILE_FSYNC;
    return 0;
}

/* The entry is applied: whatever follows, the file is stored. */
static int commit_applied(struct commit *c)
{
    int r;

    if (c->w->session != NULL)
        upload_session_committed(c->w->session);
    {
        VS_LOCK_SCOPE(&c->inode->lock);
        if (c->inode->version < c->answer.attr.version)
            c->inode->version = c->answer.attr.version;
    }
    commit_release_rest(c);
    r = commit_rebase(c);
    names_lost(c->fs, &c->answer.replaced);
    if (c->released_count > 0 && c->fs->collect != NULL)
        collect_wake(c->fs->collect);
    if (c->answer.attr.flags & NS_F_MEDIA_DUE)
        media_worker_add(c->fs->media, c->inode->ino, c->answer.attr.version, c->start_ms,
                         c->chunk_count);
    return r;
}

static int commit_run_all(struct commit *c)
{
    int r = commit_make_content(c);

    if (r == 0)
        r = commit_enter(c);
    if (r == 0 && !c->nameless)
        r = commit_applied(c);
    return r;
}

/* FLUSH behind an fsync that has committed everything: the inbox file is complete. */
static int commit_complete(struct vsfs *fs, struct inode *i, struct wfile *w)
{
    struct ns_entry e = {
        .kind = NS_E_SETATTR, .ino = i->ino, .set = NS_SET_FLAGS, .flags_set = NS_F_FLUSHED
    };
    int r = 0;

    if (wfile_in_inbox(fs, i)) {
        r = vsfs_change(fs, &e, NULL);
        if (r < 0)
            return r;
    }
    VS_LOCK_SCOPE(&w->lock);
    w->settled = true;
    w->complete_due = false;
    return 0;
}

/* What to do about it, for the log. */
static const char *commit_advice(int error)
{
    switch (error) {
    case -ENOSPC:
        return "delete something or add a disk (vstackfs status), then write it again";
    case -ESTALE:
        return "another version was stored meanwhile: look at it before writing again";
    case -ECANCELED:
        return "its upload gave no sign of life for so long that it was given up: write it again";
    case -EEXIST:
        return "another file took its name meanwhile: write it under another one";
    default:
        return "bring the stores back (vstackfs status), then write it again";
    }
}

/* What a writer is told of it. */
static int commit_errno(int error)
{
    return error == -ECANCELED ? -EIO : error;
}

/* The error sticks; what went wrong is said once per write state, whoever met it first: a commit,
 * or a write whose bytes could not be stored. */
static void commit_fail(struct vsfs *fs, struct inode *i, struct wfile *w, int error)
{
    char name[NS_NAME_BYTES_MAX + 1] = "";
    bool fresh, nameless, said; /* fresh: never committed */

    {
        VS_LOCK_SCOPE(&i->lock);
        fresh = i->provisional;
        nameless = i->unlinked;
        memcpy(name, i->name, i->name_len);
        VS_LOCK_SCOPE(&w->lock);
        said = w->error_said;
        w->error_said = true;
        if (w->error == 0)
            w->error = commit_errno(error);
    }
    if (said || nameless)
        return;
    vs_error("%s: cannot be stored (%s) -> %s; %s", name, vs_err_text(error),
             fresh ? "it is not kept" : "the last stored version stays", commit_advice(error));
    inbox_not_stored(fs, i, error);
}

static int commit_owner(struct vsfs *fs, struct inode *i, struct wfile *w, enum wfile_flush how)
{
    struct commit c = { .fs = fs, .inode = i, .w = w, .how = how };
    bool fresh, nameless;
    int r = w->error;

    {
        VS_LOCK_SCOPE(&i->lock);
        fresh = i->provisional; /* never committed */
        nameless = i->unlinked;
    }
    if (r == 0 && nameless)
        return 0;
    if (r == 0 && !w->dirty && (!fresh || how == WFILE_FLUSH))
        return how != WFILE_FSYNC && w->complete_due ? commit_complete(fs, i, w) : 0;
    if (r == 0) {
        r = commit_run_all(&c);
        commit_close(&c);
    }
    if (r < 0)
        commit_fail(fs, i, w, r);
    return commit_errno(r);
}

int wfile_commit(struct vsfs *fs, struct inode *i, struct wfile *w, enum wfile_flush how)
{
    int r;

    wfile_begin(w);
    r = commit_owner(fs, i, w, how);
    wfile_end(w);
    return r;
}
