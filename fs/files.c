/* files: opening, committing and closing.
 *
 * Counting: opens and writers go up before anything is loaded, so that a close at the same time
 * keeps the write state, and an unlink keeps the content. */
#include "fs/files.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/cache_guard.h"
#include "fs/file_xattrs.h"
#include "fs/inbox.h"
#include "fs/notify.h"
#include "fs/orphan.h"
#include "fs/provisional.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- open ---- */

static struct file *file_new(struct inode *i, int flags)
{
    struct file *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->inode = i;
    f->writer = (flags & O_ACCMODE) != O_RDONLY;
    f->append = (flags & O_APPEND) != 0;
    return f;
}

/* Count a handle. -ESTALE: the file lost its last name; whoever came by it looks again. */
static int file_count(struct inode *i, bool writer)
{
    VS_LOCK_SCOPE(&i->lock);
    if (i->unlinked && (i->opens == 0 || i->told_in_inbox)) {
        i->told_in_inbox = false; /* who has no name to look up asks once more, and means it */
        return -ESTALE;
    }
    i->opens++;
    if (writer) {
        i->writers++;
        i->cached_version = 0; /* the kernel's pages are the writer's, which may never be stored */
    }
    return 0;
}

/* The same for a writer of what is there, who came by a name. A film that was in the inbox a moment
 * ago is not what the opener means: -ESTALE, the name is looked up again, and says alias. The same
 * for an upload of the inbox that is complete, if it is to be cut. Under the names of the inode, so
 * that it is not published between the two. */
static int file_count_writer(struct vsfs *fs, struct inode *i, bool cuts)
{
    bool elsewhere;

    VS_LOCK_SCOPE(&i->names);
    elsewhere = cuts ? inbox_before_cut(fs, i) > 0 : inbox_has_moved(fs, i);
    return elsewhere ? -ESTALE : file_count(i, true);
}

int files_before_cut(struct vsfs *fs, struct file *f)
{
    struct inode *i = f->inode;

    VS_LOCK_SCOPE(&i->names);
    return !f->wrote && inbox_before_cut(fs, i) > 0 ? -ESTALE : 0;
}

static void file_uncount_writer(struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    VS_ASSERT(i->writers > 0);
    i->writers--;
}

/* The last handle of a file without a name: its bytes go. Puts the handle's reference. */
static void file_uncount(struct vsfs *fs, struct inode *i)
{
    bool last, provisional;

    pthread_mutex_lock(&i->lock);
    VS_ASSERT(i->opens > 0);
    i->opens--;
    last = i->opens == 0 && i->unlinked;
    provisional = i->provisional;
    pthread_mutex_unlock(&i->lock);
    if (last) {
        wfile_drop(fs, i);
        if (!provisional)
            orphan_forget(fs, i->ino);
    }
    inode_put(fs->inodes, i);
}

/* A reader's content: what is in use is current, or let go. */
static int open_reader(struct vsfs *fs, struct inode *i, bool *ret_keep_pages)
{
    struct meta_req req = { .op = META_GETATTR, .ino = i->ino };
    struct content *old = NULL;
    bool grew_old;
    int r;

    pthread_mutex_lock(&i->lock);
    if (i->wfile != NULL || i->provisional) {
        i->cached_version = 0;
        pthread_mutex_unlock(&i->lock);
        *ret_keep_pages = false;
        return wfile_refresh(fs, i);
    }
    pthread_mutex_unlock(&i->lock);
    r = meta_call(fs->meta, &req);
    if (r < 0)
        return r;
    if (S_ISDIR(req.attr.mode))
        return -EISDIR;
    pthread_mutex_lock(&i->lock);
    if (req.attr.nlink == 0 && fs->shared) { /* another mount has removed it */
        i->unlinked = true;
        if (i->opens == 1) {
            pthread_mutex_unlock(&i->lock);
            return -ESTALE; /* looked up again, it is not there */
        }
    }
    if (i->content != NULL && i->content->version != req.attr.version && i->wfile == NULL) {
        old = i->content;
        i->content = NULL;
    }
    *ret_keep_pages =
        i->wfile == NULL && i->cached_version == req.attr.version && cache_guard_is_live(fs->guard);
    i->cached_version = i->wfile == NULL ? req.attr.version : 0;
    grew_old = fs->shared && i->told.ino != 0 && i->told.version < req.attr.version;
    pthread_mutex_unlock(&i->lock);
    content_put(old);
    if (grew_old) /* not heard of yet: the kernel would read up to the old size */
        (void)notify_attr(fs->notify, i->ino);
    return 0;
}

int files_restart_alias(struct vsfs *fs, const struct names_caller *who, uint64_t ino,
                        struct inode **ret)
{
    struct inode *alias = inode_find(fs->inodes, ino), *film = inode_resolve(fs->inodes, ino);
    char name[NS_NAME_BYTES_MAX];
    struct ns_attr attr;
    uint64_t parent;
    size_t len;
    int r = -ENOMEM;

    if (alias != NULL && film != NULL)
        r = alias->replace ? -ENODATA : names_attr(fs, film, &attr);
    if (r == 0)
        r = inbox_alias_take(fs, alias, &parent, name, &len);
    if (r == -ENOENT)
        r = -ESTALE; /* looked up again, the name says what it is now; never cut the film */
    if (r == 0)
        r = names_create(fs, who, parent, name, len, attr.mode & 07777, ret);
    if (r == 0) {
        alias->alias_of = (*ret)->ino; /* who has the alias open sees the new file */
        alias->replace = true;
    }
    inode_put(fs->inodes, alias);
    inode_put(fs->inodes, film);
    return r;
}

static int open_control(struct vsfs *fs, uint64_t ino, int flags, struct file **ret)
{
    struct file *f = file_new(NULL, flags);
    int r;

    if (f == NULL)
        return -ENOMEM;
    r = control_open(fs, ino, flags, &f->control);
    if (r < 0) {
        free(f);
        return r;
    }
    *ret = f;
    return 0;
}

/* What a handle of a file that is there needs: write state, or current content. */
static int open_prepare(struct vsfs *fs, struct file *f, struct inode *i, int flags,
                        bool *ret_keep_pages)
{
    if (!f->writer)
        return open_reader(fs, i, ret_keep_pages);
    inbox_unexpect(fs, i->ino);
    f->wrote = (flags & O_TRUNC) != 0;
    return wfile_open(fs, i, (flags & O_TRUNC) != 0);
}

static int open_existing(struct vsfs *fs, uint64_t ino, int flags, struct file **ret,
                         bool *ret_keep_pages)
{
    struct inode *i = inode_resolve(fs->inodes, ino);
    struct file *f = i != NULL ? file_new(i, flags) : NULL;
    bool cuts = (flags & O_TRUNC) != 0 && !inode_is_alias(ino);
    int r = -ENOMEM;

    if (f != NULL && f->writer && !cuts)
        inbox_await(fs, i); /* its close() has returned: the next look finds the alias */
    if (f != NULL)
        r = f->writer ? file_count_writer(fs, i, cuts) : file_count(i, false);
    if (r < 0) {
        inode_put(fs->inodes, i);
        free(f);
        return r;
    }
    r = open_prepare(fs, f, i, flags, ret_keep_pages);
    if (r < 0) {
        if (f->writer)
            file_uncount_writer(i);
        f->writer = false; /* there is no write state of this handle to commit */
        files_release(fs, f);
        return r;
    }
    *ret = f;
    return 0;
}

int files_open(struct vsfs *fs, const struct names_caller *who, uint64_t ino, int flags,
               struct file **ret, bool *ret_keep_pages)
{
    bool truncates = (flags & O_ACCMODE) != O_RDONLY && (flags & O_TRUNC) != 0;
    struct inode *fresh = NULL;
    int r = -ENODATA;

    *ret_keep_pages = false;
    if (control_owns(ino))
        return open_control(fs, ino, flags, ret);
    if (inode_is_alias(ino) && truncates)
        r = files_restart_alias(fs, who, ino, &fresh);
    if (r == -ENODATA)
        r = open_existing(fs, ino, flags, ret, ret_keep_pages);
    else if (r == 0)
        r = files_open_created(fs, fresh, flags, ret);
    inode_put(fs->inodes, fresh);
    if (r < 0 || !inode_is_alias(ino))
        return r;
    (*ret)->alias = true;
    *ret_keep_pages = false;
    return 0;
}

int files_cut(struct vsfs *fs, struct inode *i, uint64_t size, bool by_name)
{
    bool others, last;
    int r = file_count_writer(fs, i, by_name && size == 0);

    if (r < 0)
        return r;
    pthread_mutex_lock(&i->lock);
    others = i->writers > 1;
    pthread_mutex_unlock(&i->lock);
    r = wfile_truncate(fs, i, size);
    pthread_mutex_lock(&i->lock);
    i->writers--;
    last = i->writers == 0;
    pthread_mutex_unlock(&i->lock);
    if (last && others) /* they closed it meanwhile, and left this to us */
        inbox_released(fs, i);
    file_uncount(fs, inode_ref(i, fs->inodes));
    return r;
}

int files_open_created(struct vsfs *fs, struct inode *i, int flags, struct file **ret)
{
    struct file *f = file_new(i, flags);
    int r = f != NULL ? file_count(i, true) : -ENOMEM;

    if (r < 0) {
        free(f);
        return r;
    }
    f->writer = true; /* also of O_RDONLY: its release creates the file, empty */
    inode_ref(i, fs->inodes);
    *ret = f;
    return 0;
}

/* ---- commit ---- */

void files_drop_pages(struct vsfs *fs, struct inode *i)
{
    pthread_mutex_lock(&i->lock);
    i->cached_version = 0;
    pthread_mutex_unlock(&i->lock);
    notify_pages(fs->notify, i->ino);
}

int files_commit(struct vsfs *fs, struct inode *i, enum wfile_flush how)
{
    bool stored;
    int r, x;

    r = wfile_flush(fs, i, how);
    if (r < 0)
        files_drop_pages(fs, i); /* they hold what was written and is not stored */
    pthread_mutex_lock(&i->lock);
    stored = !i->provisional && !i->unlinked;
    pthread_mutex_unlock(&i->lock);
    if (!stored)
        return r;
    provisional_drop(fs->provisional, i);
    x = file_xattrs_commit(fs, i);
    if (r == 0)
        r = x;
    if (r == 0 && how != WFILE_FSYNC)
        inbox_flushed(fs, i);
    return r;
}

/* The film changed through another inode of the kernel. */
static void file_changed(struct vsfs *fs, const struct file *f, struct inode *i)
{
    if (f->alias && f->wrote)
        files_drop_pages(fs, i);
}

/* Created, and not a byte written: its release may come long after close() has returned, or never.
 * One that hides a stored file waits: that file is not to go for an empty one. */
static bool file_is_new(struct inode *i)
{
    bool is_new;

    pthread_mutex_lock(&i->lock);
    is_new = i->provisional && !i->unlinked && !i->replace;
    pthread_mutex_unlock(&i->lock);
    return is_new && !wfile_dirty(i);
}

bool files_flush_due(struct file *f)
{
    struct inode *i = f->inode;

    return i != NULL && f->writer && (f->wrote || file_is_new(i));
}

int files_flush(struct vsfs *fs, struct file *f)
{
    struct inode *i = f->inode;
    int r;

    if (!files_flush_due(f))
        return 0;
    /* dd and shells close a copy of the descriptor before the first write: not complete by that */
    r = files_commit(fs, i, f->wrote ? WFILE_FLUSH : WFILE_FSYNC);
    file_changed(fs, f, i);
    return r;
}

int files_fsync(struct vsfs *fs, struct file *f)
{
    struct inode *i = f->inode;
    bool writing;

    if (i == NULL)
        return 0;
    pthread_mutex_lock(&i->lock);
    writing = i->wfile != NULL;
    pthread_mutex_unlock(&i->lock);
    return writing ? files_commit(fs, i, WFILE_FSYNC) : 0;
}

/* ---- release ---- */

bool files_release_waits(struct file *f)
{
    struct inode *i = f->inode;

    if (f->writer || f->control != NULL)
        return true;
    VS_LOCK_SCOPE(&i->lock);
    return i->unlinked && i->opens == 1;
}

static void release_writer(struct vsfs *fs, struct inode *i)
{
    bool last;
    int r;

    r = files_commit(fs, i, WFILE_RELEASE);
    pthread_mutex_lock(&i->lock);
    VS_ASSERT(i->writers > 0);
    i->writers--;
    last = i->writers == 0;
    pthread_mutex_unlock(&i->lock);
    if (r < 0)
        inbox_unexpect(fs,
                       i->ino); /* the commit has said why in the log, and close() to its caller */
    else if (last)
        inbox_released(fs, i);
    if (last)
        notify_attr(fs->notify, i->ino); /* what it said while it was written may be kept now */
}

void files_release(struct vsfs *fs, struct file *f)
{
    struct inode *i = f->inode;

    control_close(fs, f->control);
    view_report_closed(fs->view_report, &f->track);
    if (f->left != NULL) {
        if (f->writer)
            release_writer(fs, f->left);
        file_changed(fs, f, f->left);
        file_uncount(fs, f->left);
    }
    if (i != NULL) {
        if (f->writer)
            release_writer(fs, i);
        file_changed(fs, f, i);
        file_uncount(fs, i);
    }
    free(f);
}
