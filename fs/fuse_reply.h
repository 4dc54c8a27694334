/* fuse_reply: what the callbacks of fs/fuse_*.c share: one request on its way through a thread that
 * may wait, attributes as the kernel takes them, and how long it may keep them.
 *
 * Two pools: quick ones, which wait for the metadata only (names, attributes), and fs->ops, where
 * they may wait for stores (flush, release, truncate): a rename never queues behind an upload.
 *
 * Every request is counted from its callback to its reply, so that an unmount can wait for all.
 *
 * Threads: any. */
#ifndef VS_FS_FUSE_REPLY_H
#define VS_FS_FUSE_REPLY_H

#define FUSE_USE_VERSION 314

#include "fs/files.h"
#include <fuse_lowlevel.h>

#define FUSE_OPS_BYTES_MAX  (1u << 20) /* one read or write */
#define FUSE_TREE_TIMEOUT_S 3600.0     /* the kernel is told of every change of the tree */

/* ---- requests that wait ---- */

struct fuse_call;
/* Does the work; its result is passed to the answer. */
typedef int fuse_work_fn(struct fuse_call *c);
/* The one place that answers. `r` < 0: an error. */
typedef void fuse_answer_fn(struct fuse_call *c, int r);

struct fuse_call {
    fuse_req_t req;
    struct vsfs *fs;
    fuse_work_fn *work;
    fuse_answer_fn *answer;
    struct vs_job job;
    struct names_caller who;
    /* in, as the operation needs them */
    uint64_t since; /* cache_guard_moment() when it came */
    uint64_t ino, new_ino, offset, len;
    char name[NS_NAME_BYTES_MAX + 1], new_name[NS_NAME_BYTES_MAX + 1];
    size_t name_len, new_name_len;
    uint32_t mode, rdev, set;
    unsigned flags;
    bool data;  /* seek */
    char *text; /* symlink target, written bytes, attribute value; freed with the call */
    struct file *file;
    struct fuse_file_info fi;
    bool kills_privs; /* fuse_wire_kills_privs() */
    bool has_size;
    uint64_t size;
    /* out */
    struct ns_attr attr;
    int64_t count;
    struct vs_buf bytes;
    bool keep_pages;
};

/* A call with req, fs, who and ino; NULL: out of memory, and the kernel has been told. */
struct fuse_call *fuse_call_new(fuse_req_t req, uint64_t ino);
/* Copy a name into it. false: too long, the call is freed and the kernel has been told. */
bool fuse_call_name(struct fuse_call *c, const char *name);
bool fuse_call_new_name(struct fuse_call *c, const char *name);
/* Copy bytes into c->text, with a NUL behind. false as above. */
bool fuse_call_text(struct fuse_call *c, const void *bytes, size_t len);
/* Run `work` on a quick thread, or on one of fs->ops, then `answer`; the call is freed then. */
void fuse_call_start(struct fuse_call *c, fuse_work_fn *work, fuse_answer_fn *answer);
void fuse_call_start_long(struct fuse_call *c, fuse_work_fn *work, fuse_answer_fn *answer);
void fuse_answer_err(struct fuse_call *c, int r); /* a fuse_answer_fn: nothing but the result */

int fuse_work_no_memory(struct fuse_call *c); /* a fuse_work_fn */

#define FUSE_QUICK_THREADS 8
int fuse_quick_start(void);
void fuse_quick_stop(void); /* after fuse_wait_all(); forgives not started */

/* Requests that take other ways are counted with these. */
void fuse_begin(void);
void fuse_end(void);
/* Wait until every request has been answered. */
void fuse_wait_all(void);

/* ---- handles ---- */

/* Handles that the kernel has been given and not given back. A release that is on its way when the
 * session ends never arrives: fuse_handles_take() then hands over what is left, one at a time. */
struct fuse_handles {
    pthread_mutex_t lock;
    struct vs_list list;
};
#define FUSE_HANDLES_INIT(name)                                                                    \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, VS_LIST_INIT(name.list)                                         \
    }
void fuse_handles_add(struct fuse_handles *h, struct vs_list *handle);
void fuse_handles_del(struct fuse_handles *h, struct vs_list *handle);
struct vs_list *fuse_handles_take(struct fuse_handles *h); /* NULL: none left */

/* ---- answers ---- */

struct vsfs *fuse_fs(fuse_req_t req);
void fuse_reply_error(fuse_req_t req, int r); /* r < 0, own codes too; or 0 */
void fuse_stat(const struct ns_attr *attr, struct stat *ret);
/* The inode `node` (attr.ino, or an alias of it) was found as `name` in `parent`: fill what the
 * kernel is told, and count the lookup. since: cache_guard_moment() before the metadata were asked.
 * -ENOMEM. */
int fuse_entry(struct vsfs *fs, uint64_t since, uint64_t parent, const char *name, size_t len,
               uint64_t node, const struct ns_attr *attr, struct fuse_entry_param *ret);
/* Fill and reply. */
void fuse_reply_found(fuse_req_t req, uint64_t since, uint64_t parent, const char *name, size_t len,
                      uint64_t node, const struct ns_attr *attr);
/* Attributes, overlaid with what is being written, and their time-out. */
void fuse_reply_attributes(fuse_req_t req, uint64_t since, uint64_t node,
                           const struct ns_attr *attr);

#endif
