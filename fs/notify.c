/* notify: what the kernel is to forget, told at once or by one thread. */
#include "fs/notify.h"
#include "common/exec.h"
#include "common/log.h"
#include "meta/ns_types.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct notify {
    const struct notify_ops *ops;
    void *ctx;
    struct vs_exec *exec; /* one thread: messages keep their order */
    _Atomic unsigned queued;
    _Atomic bool said_full;
};

struct notify_msg {
    struct vs_job job;
    struct notify *n;
    uint64_t ino; /* of the directory, for an entry */
    int64_t offset;
    size_t name_len; /* 0: about the inode */
    char name[];
};

int notify_start(struct notify **ret, const struct notify_ops *ops, void *ctx)
{
    struct notify *n = calloc(1, sizeof(*n));
    int r;

    if (n == NULL)
        return -ENOMEM;
    n->ops = ops;
    n->ctx = ctx;
    r = vs_exec_start(&n->exec, "notify", 1);
    if (r < 0) {
        free(n);
        return r;
    }
    *ret = n;
    return 0;
}

void notify_stop(struct notify *n)
{
    if (n == NULL)
        return;
    vs_exec_stop(n->exec);
    free(n);
}

static void notify_send(struct vs_job *job)
{
    struct notify_msg *m = vs_container_of(job, struct notify_msg, job);

    if (m->name_len > 0)
        m->n->ops->entry(m->n->ctx, m->ino, m->name, m->name_len);
    else
        m->n->ops->inode(m->n->ctx, m->ino, m->offset);
    atomic_fetch_sub(&m->n->queued, 1);
    free(m);
}

static void notify_queue(struct notify *n, uint64_t ino, int64_t offset, const char *name,
                         size_t len)
{
    struct notify_msg *m = NULL;

    if (n == NULL || len > NS_NAME_BYTES_MAX)
        return;
    if (atomic_fetch_add(&n->queued, 1) < NOTIFY_QUEUE_MAX)
        m = malloc(sizeof(*m) + len + 1);
    if (m == NULL) {
        atomic_fetch_sub(&n->queued, 1);
        if (!atomic_exchange(&n->said_full, true))
            vs_warn("mount: the kernel takes no more cache messages -> it may show old attributes "
                    "until its time-outs");
        return;
    }
    *m = (struct notify_msg){ .n = n, .ino = ino, .offset = offset, .name_len = len };
    if (len > 0)
        memcpy(m->name, name, len);
    m->name[len] = '\0';
    m->job.fn = notify_send;
    vs_exec_submit(n->exec, &m->job);
}

int notify_attr(struct notify *n, uint64_t ino)
{
    return n != NULL ? n->ops->inode(n->ctx, ino, -1) : 0;
}

int notify_names(struct notify *n)
{
    return n != NULL ? n->ops->names(n->ctx) : 0;
}

void notify_fence(struct notify *n, struct vs_job *job)
{
    vs_exec_submit(n->exec, job);
}

void notify_pages(struct notify *n, uint64_t ino)
{
    notify_queue(n, ino, 0, NULL, 0);
}

void notify_entry(struct notify *n, uint64_t parent, const char *name, size_t len)
{
    notify_queue(n, parent, 0, name, len);
}
