/* fuse_reply: calls through threads that may wait, and what the kernel is told of an inode. */
#include "fs/fuse_reply.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/cache_guard.h"
#include "fs/feed_follow.h"
#include "fs/fuse_wire.h"
#include "fs/inbox.h"
#include "fs/provisional.h"
#include <stdlib.h>
#include <string.h>

#define FUSE_BLOCK_BYTES                                                                           \
    (1u << 20) /* st_blksize of files: what cp and stdio read and write at once */
#define FUSE_DIR_BLOCK_BYTES 4096u

/* Requests from callback to reply, and the quick threads; one session per process. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t none;
    unsigned count;
} fuse_open_calls = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
static struct vs_exec *fuse_quick;

int fuse_quick_start(void)
{
    return vs_exec_start(&fuse_quick, "names", FUSE_QUICK_THREADS);
}

void fuse_quick_stop(void)
{
    vs_exec_stop(fuse_quick);
    fuse_quick = NULL;
}

void fuse_begin(void)
{
    VS_LOCK_SCOPE(&fuse_open_calls.lock);
    fuse_open_calls.count++;
}

void fuse_end(void)
{
    VS_LOCK_SCOPE(&fuse_open_calls.lock);
    if (--fuse_open_calls.count == 0)
        pthread_cond_broadcast(&fuse_open_calls.none);
}

void fuse_wait_all(void)
{
    VS_LOCK_SCOPE(&fuse_open_calls.lock);
    while (fuse_open_calls.count > 0)
        pthread_cond_wait(&fuse_open_calls.none, &fuse_open_calls.lock);
}

void fuse_handles_add(struct fuse_handles *h, struct vs_list *handle)
{
    VS_LOCK_SCOPE(&h->lock);
    vs_list_add_tail(&h->list, handle);
}

void fuse_handles_del(struct fuse_handles *h, struct vs_list *handle)
{
    VS_LOCK_SCOPE(&h->lock);
    vs_list_del(handle);
}

struct vs_list *fuse_handles_take(struct fuse_handles *h)
{
    struct vs_list *handle;

    VS_LOCK_SCOPE(&h->lock);
    handle = h->list.next;
    if (handle == &h->list)
        return NULL;
    vs_list_del(handle);
    return handle;
}

struct vsfs *fuse_fs(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

void fuse_reply_error(fuse_req_t req, int r)
{
    fuse_reply_err(req, r < 0 ? -vs_err_to_errno(r) : 0);
}

/* ---- calls ---- */

struct fuse_call *fuse_call_new(fuse_req_t req, uint64_t ino)
{
    struct fuse_call *c = calloc(1, sizeof(*c));
    const struct fuse_ctx *ctx = fuse_req_ctx(req);

    if (c == NULL) {
        fuse_reply_err(req, ENOMEM);
        return NULL;
    }
    c->req = req;
    c->fs = fuse_fs(req);
    c->ino = ino;
    c->who = (struct names_caller){ .uid = ctx->uid, .gid = ctx->gid };
    c->kills_privs = fuse_wire_kills_privs();
    c->since = cache_guard_moment(c->fs->guard);
    fuse_begin();
    return c;
}

static void fuse_call_free(struct fuse_call *c)
{
    vs_buf_close(&c->bytes);
    free(c->text);
    free(c);
    fuse_end();
}

static bool fuse_call_fail(struct fuse_call *c, int err)
{
    fuse_reply_err(c->req, err);
    fuse_call_free(c);
    return false;
}

bool fuse_call_name(struct fuse_call *c, const char *name)
{
    c->name_len = strlen(name);
    if (c->name_len > NS_NAME_BYTES_MAX)
        return fuse_call_fail(c, ENAMETOOLONG);
    memcpy(c->name, name, c->name_len + 1);
    return true;
}

bool fuse_call_new_name(struct fuse_call *c, const char *name)
{
    c->new_name_len = strlen(name);
    if (c->new_name_len > NS_NAME_BYTES_MAX)
        return fuse_call_fail(c, ENAMETOOLONG);
    memcpy(c->new_name, name, c->new_name_len + 1);
    return true;
}

bool fuse_call_text(struct fuse_call *c, const void *bytes, size_t len)
{
    c->text = malloc(len + 1);
    if (c->text == NULL)
        return fuse_call_fail(c, ENOMEM);
    memcpy(c->text, bytes, len);
    c->text[len] = '\0';
    c->len = len;
    return true;
}

static void fuse_call_run(struct vs_job *job)
{
    struct fuse_call *c = vs_container_of(job, struct fuse_call, job);

    c->answer(c, c->work(c));
    fuse_call_free(c);
}

void fuse_call_start(struct fuse_call *c, fuse_work_fn *work, fuse_answer_fn *answer)
{
    c->work = work;
    c->answer = answer;
    c->job.fn = fuse_call_run;
    vs_exec_submit(fuse_quick, &c->job);
}

void fuse_call_start_long(struct fuse_call *c, fuse_work_fn *work, fuse_answer_fn *answer)
{
    c->work = work;
    c->answer = answer;
    c->job.fn = fuse_call_run;
    vs_exec_submit(c->fs->ops, &c->job);
}

int fuse_work_no_memory(struct fuse_call *c)
{
    (void)c;
    return -ENOMEM;
}

void fuse_answer_err(struct fuse_call *c, int r)
{
    fuse_reply_error(c->req, r);
}

/* ---- inodes as the kernel sees them ---- */

static struct timespec fuse_time(struct ns_time t)
{
    return (struct timespec){ .tv_sec = t.s, .tv_nsec = t.ns };
}

void fuse_stat(const struct ns_attr *attr, struct stat *ret)
{
    *ret =
        (struct stat){ .st_ino = attr->ino,
                       .st_mode = attr->mode,
                       .st_nlink = attr->nlink,
                       .st_uid = attr->uid,
                       .st_gid = attr->gid,
                       .st_rdev = attr->rdev,
                       .st_size = (off_t)attr->size,
                       .st_blksize = S_ISREG(attr->mode) ? FUSE_BLOCK_BYTES : FUSE_DIR_BLOCK_BYTES,
                       .st_blocks = (blkcnt_t)((attr->data_bytes + 511) / 512),
                       .st_atim = fuse_time(attr->atime),
                       .st_mtim = fuse_time(attr->mtime),
                       .st_ctim = fuse_time(attr->ctime) };
}

/* Being written: only we know its size and times. */
static bool inode_moving(struct inode *i)
{
    VS_LOCK_SCOPE(&i->lock);
    return i->wfile != NULL || i->provisional;
}

/* Names that are not committed yet have changed their directory, too. */
static bool dir_moving(struct vsfs *fs, struct ns_attr *attr)
{
    struct ns_time newest;

    if (!S_ISDIR(attr->mode) || !provisional_newest(fs->provisional, attr->ino, &newest))
        return false;
    if (newest.s > attr->mtime.s || (newest.s == attr->mtime.s && newest.ns > attr->mtime.ns))
        attr->mtime = attr->ctime = newest;
    return true;
}

/* Read before a commit that is over by now: the kernel may have asked after it saw the new bytes.
 */
static bool attr_is_old(struct inode *i, const struct ns_attr *attr)
{
    VS_LOCK_SCOPE(&i->lock);
    return attr->version < i->version;
}

/* For times without metadata: fs/fuse_attr.c. */
static void attr_note(struct inode *i, const struct ns_attr *attr)
{
    VS_LOCK_SCOPE(&i->lock);
    if (attr->version >= i->told.version)
        i->told = *attr;
}

/* `ls -l` asks each file for security.selinux: most have nothing of the kind. A directory may get
 * them with another one (its mirror), so it is asked. */
static void xattrs_note(struct inode *i, const struct ns_attr *attr)
{
    VS_LOCK_SCOPE(&i->lock);
    i->no_xattrs = S_ISREG(attr->mode) && (attr->flags & NS_F_XATTRS) == 0 && !i->xattrs_set;
}

/* Overlay what is being written; the time-out of the attributes. */
static double fuse_attr_timeout(struct vsfs *fs, uint64_t since, uint64_t parent, uint64_t node,
                                struct inode *i, struct ns_attr *attr)
{
    attr_note(i, attr);
    wfile_getattr(i, attr);
    if (attr_is_old(i, attr) || dir_moving(fs, attr) || inode_is_alias(node) || inode_moving(i) ||
        inbox_has_dir(fs->inbox, parent) || inbox_has_dir(fs->inbox, node) ||
        !cache_guard_inode(fs->guard, i->ino, since))
        return 0;
    xattrs_note(i, attr);
    return FUSE_TREE_TIMEOUT_S;
}

static double fuse_entry_timeout(struct vsfs *fs, uint64_t since, uint64_t parent, const char *name,
                                 size_t len, struct inode *i)
{
    bool provisional;

    pthread_mutex_lock(&i->lock);
    provisional = i->provisional; /* a commit that fails takes the name back */
    pthread_mutex_unlock(&i->lock);
    if (provisional || inbox_has_dir(fs->inbox, parent) ||
        !cache_guard_name(fs->guard, parent, name, len, since))
        return 0;
    return feed_follow_names_long(fs->follow) ? FUSE_TREE_TIMEOUT_S : FEED_FOLLOW_NAMES_S;
}

int fuse_entry(struct vsfs *fs, uint64_t since, uint64_t parent, const char *name, size_t len,
               uint64_t node, const struct ns_attr *attr, struct fuse_entry_param *ret)
{
    struct inode *i, *target;
    struct ns_attr now = *attr;

    *ret = (struct fuse_entry_param){ .ino = node, .generation = 1 };
    if (control_owns(node)) {
        fuse_stat(attr, &ret->attr);
        return 0;
    }
    i = inode_get(fs->inodes, node);
    target = i != NULL ? inode_resolve(fs->inodes, node) : NULL;
    if (target == NULL) {
        inode_put(fs->inodes, i);
        return -ENOMEM;
    }
    if (S_ISDIR(attr->mode))
        inbox_dir_seen(fs->inbox, parent, name, len, attr);
    if (name != NULL && i == target) {
        names_seen(i, parent, name, len);
        inbox_told(fs, i, parent);
    }
    inode_looked_up(fs->inodes, i); /* from here on changes are told to the kernel */
    ret->attr_timeout = fuse_attr_timeout(fs, since, parent, node, target, &now);
    ret->entry_timeout = i != target ? 0 : fuse_entry_timeout(fs, since, parent, name, len, i);
    fuse_stat(&now, &ret->attr);
    inode_put(fs->inodes, i);
    inode_put(fs->inodes, target);
    return 0;
}

void fuse_reply_found(fuse_req_t req, uint64_t since, uint64_t parent, const char *name, size_t len,
                      uint64_t node, const struct ns_attr *attr)
{
    struct vsfs *fs = fuse_fs(req);
    struct fuse_entry_param e;
    int r = fuse_entry(fs, since, parent, name, len, node, attr, &e);

    if (r < 0)
        fuse_reply_error(req, r);
    else if (fuse_reply_entry(req, &e) == -ENOENT) /* interrupted: the kernel never heard of it */
        inode_forget(fs->inodes, node, 1);
}

void fuse_reply_attributes(fuse_req_t req, uint64_t since, uint64_t node,
                           const struct ns_attr *attr)
{
    struct vsfs *fs = fuse_fs(req);
    struct ns_attr now = *attr;
    struct inode *i = NULL;
    double timeout = 0;
    struct stat st;
    uint64_t parent;

    if (!control_owns(node))
        i = inode_resolve(fs->inodes, node);
    if (i != NULL) {
        pthread_mutex_lock(&i->lock);
        parent = i->parent;
        pthread_mutex_unlock(&i->lock);
        timeout = fuse_attr_timeout(fs, since, parent, node, i, &now);
    }
    inode_put(fs->inodes, i);
    fuse_stat(&now, &st);
    fuse_reply_attr(req, &st, timeout);
}
