/* notify: tells the kernel to forget what it has cached of a name or an inode.
 *
 * Attributes are forgotten at once, in the caller's thread: who changed a film by its alias must
 * not be shown the old ones. Names and pages wait inside the kernel for the lock of a directory or
 * of a page, which a request in flight may hold: one thread of its own sends these, holding no
 * lock, and nobody waits for it. Failure: the queue is full, or memory is out: the message is
 * dropped and logged once; the kernel then goes by its time-outs.
 *
 * Threads: any; callers of notify_attr() may hold inode->names, no other lock. Every function
 * forgives NULL and does nothing then (no mount: tests). */
#ifndef VS_FS_NOTIFY_H
#define VS_FS_NOTIFY_H

#include "common/exec.h"
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_QUEUE_MAX 65536

struct notify;
struct fuse_session;

/* What is sent goes through this; fs/fuse_ops.c gives the kernel's. */
struct notify_ops {
    /* offset < 0: attributes only. -ENOENT: the kernel does not know it (yet). */
    int (*inode)(void *ctx, uint64_t ino, int64_t offset);
    void (*entry)(void *ctx, uint64_t parent, const char *name, size_t len); /* and a NUL behind */
    /* All names that the kernel has are to be asked for again. -EINVAL: it cannot do that. */
    int (*names)(void *ctx);
};

int notify_start(struct notify **ret, const struct notify_ops *ops, void *ctx);
/* Sends what is queued. Call while the session is still open. */
void notify_stop(struct notify *n);

/* Attributes changed; sent when it returns. -ENOENT: the kernel does not know the inode; it may be
 * about to, by an answer that is on its way. */
int notify_attr(struct notify *n, uint64_t ino);
void notify_pages(struct notify *n, uint64_t ino); /* attributes and content changed */
void notify_entry(struct notify *n, uint64_t parent, const char *name, size_t len);
/* All names are doubtful; sent when it returns. -EINVAL: this kernel (before 6.16) keeps them. */
int notify_names(struct notify *n);
/* Run the job when all that was queued before it has been sent. */
void notify_fence(struct notify *n, struct vs_job *job);

#endif
