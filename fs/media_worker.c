/* media_worker: the queue and its thread. See the header. */
#include "fs/media_worker.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/thread.h"
#include "fs/inode_table.h"
#include "fs/media_map.h"
#include <string.h>

struct media_item {
    uint64_t ino, version; /* version 0: whatever is current */
    uint32_t *start_ms;    /* owned, or NULL */
    size_t count;
    struct vs_list link;
};

struct media_worker {
    struct vsfs *fs;
    pthread_t thread;
    pthread_mutex_t lock; /* the fields below */
    pthread_cond_t wake, idle;
    struct vs_list queue; /* of media_item.link */
    unsigned queued;
    bool look_again; /* something is due that the queue does not hold */
    bool working, stop;
};

static void media_item_free(struct media_item *item)
{
    free(item->start_ms);
    free(item);
}

/* ---- one file ---- */

struct media_reader {
    struct vsfs *fs;
    struct content *content;
    int failed; /* a read failed: what the probe says then is worth nothing */
};

static int64_t media_read(void *arg, uint64_t offset, void *dst, size_t len)
{
    struct media_reader *mr = arg;
    int64_t n = content_read_wait(mr->content, mr->fs->reader, offset, dst, len);

    if (n < 0)
        mr->failed = (int)n;
    return n;
}

static size_t media_name(struct vsfs *fs, uint64_t ino, char name[NS_NAME_BYTES_MAX])
{
    struct inode *i = fs->inodes != NULL ? inode_find(fs->inodes, ino) : NULL;
    size_t len = 0;

    if (i == NULL)
        return 0;
    {
        VS_LOCK_SCOPE(&i->lock);
        len = i->name_len;
        memcpy(name, i->name, len);
    }
    inode_put(fs->inodes, i);
    return len;
}

/* What libavformat says; a child that fails says "no video". */
static int media_probe(struct vsfs *fs, struct content *c, struct cutter_probe_result *ret)
{
    struct media_reader mr = { .fs = fs, .content = c };
    char name[NS_NAME_BYTES_MAX];
    size_t len = media_name(fs, c->ino, name);
    int r;

    *ret = (struct cutter_probe_result){ .keyframe_count = 0 };
    if (fs->cutter == NULL)
        return 0;
    r = cutter_probe(fs->cutter, c->size, name, len, media_read, &mr, ret);
    if (mr.failed < 0) {
        if (r == 0)
            cutter_probe_result_close(ret);
        return mr.failed;
    }
    if (r < 0) {
        vs_warn("%.*s: cannot be examined as a video (%s) -> kept without description", (int)len,
                name, vs_err_text(r));
        *ret = (struct cutter_probe_result){ .keyframe_count = 0 };
    }
    return 0;
}

/* The time map, into result->media. */
static int media_times(struct content *c, const struct media_item *item,
                       struct cutter_probe_result *result)
{
    struct mf_media *media = &result->media;
    const uint32_t *known = NULL;
    struct mf_chunk *chunks;
    size_t count;
    int r = content_chunks_wait(c, &chunks, &count);

    if (r < 0)
        return r;
    if (item->version == c->version && item->count == count)
        known = item->start_ms;
    media->chunk_start_ms = calloc(count + 1, sizeof(uint32_t));
    if (media->chunk_start_ms == NULL) {
        r = -ENOMEM;
    } else {
        media_map_build(chunks, count, known, result->keyframes, result->keyframe_count,
                        media->duration_ms, c->size, media->chunk_start_ms);
        media->chunk_start_count = (uint32_t)count;
    }
    free(chunks);
    return r;
}

static int media_describe(struct vsfs *fs, struct content *c, const struct media_item *item)
{
    struct cutter_probe_result result;
    struct ns_entry e = { .kind = NS_E_MEDIA, .ino = c->ino, .base_version = c->version };
    struct vs_buf value = { 0 };
    int r = media_probe(fs, c, &result);

    if (r < 0)
        return r;
    if (result.media.container[0] != '\0')
        r = media_times(c, item, &result);
    if (r == 0)
        r = mf_media_encode(&result.media, &value);
    if (r == -EMSGSIZE) { /* a film of terabytes: its time map does not fit an entry */
        result.media.chunk_start_count = 0;
        r = mf_media_encode(&result.media, &value);
    }
    if (r == 0) {
        e.value = value.data;
        e.value_len = value.len;
        r = vsfs_change(fs, &e, NULL);
    }
    vs_buf_close(&value);
    cutter_probe_result_close(&result);
    return r;
}

static void media_work(struct vsfs *fs, const struct media_item *item)
{
    struct content *c = NULL;
    struct ns_attr attr;
    int r = content_load_wait(fs->meta, item->ino, &c, &attr);

    if (r == 0 && c->kind == NS_CONTENT_CHUNKS && (attr.flags & NS_F_MEDIA_DUE))
        r = media_describe(fs, c, item);
    content_put(c);
    if (r < 0 && r != -ENOENT && r != -ESTALE) /* gone, or replaced: its newer version has a turn */
        vs_warn("inode %llu: its video description could not be made (%s) -> tried again at the "
                "next start",
                (unsigned long long)item->ino, vs_err_text(r));
}

/* ---- the queue ---- */

/* Put a file at the end; one that waits already gets the newer version. Under lock. */
static void media_enqueue(struct media_worker *m, struct media_item *item)
{
    struct vs_list *pos, *next;

    vs_list_for_each (pos, next, &m->queue) {
        struct media_item *old = vs_container_of(pos, struct media_item, link);

        if (old->ino != item->ino)
            continue;
        vs_list_del(&old->link);
        media_item_free(old);
        m->queued--;
        break;
    }
    vs_list_add_tail(&m->queue, &item->link);
    m->queued++;
}

void media_worker_add(struct media_worker *m, uint64_t ino, uint64_t version,
                      const uint32_t *start_ms, size_t count)
{
    struct media_item *item;

    if (m == NULL)
        return;
    item = calloc(1, sizeof(*item));
    if (item != NULL && start_ms != NULL && count > 0) {
        item->start_ms = malloc(count * sizeof(*start_ms));
        if (item->start_ms != NULL) {
            memcpy(item->start_ms, start_ms, count * sizeof(*start_ms));
            item->count = count;
        }
    }
    VS_LOCK_SCOPE(&m->lock);
    if (item == NULL || m->queued == MEDIA_WORKER_QUEUE_MAX) {
        if (item != NULL)
            media_item_free(item);
        m->look_again = true;
    } else {
        item->ino = ino;
        item->version = version;
        media_enqueue(m, item);
    }
    pthread_cond_signal(&m->wake);
}

/* Queue what the metadata says is due, as far as there is room. */
static void media_look(struct media_worker *m)
{
    VS_AUTO_FREE uint64_t *inos = calloc(META_LIST_MAX, sizeof(*inos));
    struct meta_req req = { .op = META_SCAN, .scan = META_SCAN_MEDIA_DUE, .scan_u64 = inos };

    if (inos == NULL)
        return;
    req.scan_max = META_LIST_MAX;
    do {
        if (meta_call(m->fs->meta, &req) < 0)
            return; /* due again at the next start */
        for (uint32_t k = 0; k < req.scan_count; k++)
            media_worker_add(m, inos[k], 0, NULL, 0);
        if (req.scan_count > 0)
            req.scan_after = inos[req.scan_count - 1];
        VS_LOCK_SCOPE(&m->lock);
        if (m->look_again || m->stop)
            return; /* full: on with it once these are done */
    } while (req.scan_count == META_LIST_MAX);
}

static void *media_thread(void *arg)
{
    struct media_worker *m = arg;

    pthread_setname_np(pthread_self(), "media");
    pthread_mutex_lock(&m->lock);
    while (!m->stop) {
        struct media_item *item = vs_list_first(&m->queue, struct media_item, link);

        if (item == NULL && !m->look_again) {
            m->working = false;
            pthread_cond_broadcast(&m->idle);
            pthread_cond_wait(&m->wake, &m->lock);
            continue;
        }
        m->working = true;
        if (item != NULL) {
            vs_list_del(&item->link);
            m->queued--;
        } else {
            m->look_again = false;
        }
        pthread_mutex_unlock(&m->lock);
        if (item != NULL) {
            media_work(m->fs, item);
            media_item_free(item);
        } else {
            media_look(m);
        }
        pthread_mutex_lock(&m->lock);
    }
    m->working = false;
    pthread_cond_broadcast(&m->idle);
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

int media_worker_start(struct media_worker **ret, struct vsfs *fs)
{
    struct media_worker *m = calloc(1, sizeof(*m));
    int r;

    if (m == NULL)
        return -ENOMEM;
    m->fs = fs;
    m->look_again = m->working = true;
    vs_list_init(&m->queue);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->wake, NULL);
    vs_cond_init(&m->idle);
    r = vs_thread_start(&m->thread, media_thread, m);
    if (r < 0) {
        free(m);
        return r;
    }
    *ret = m;
    return 0;
}

int media_worker_idle_wait(struct vsfs *fs, int64_t timeout_ns)
{
    struct media_worker *m = fs->media;
    int64_t until_ns = vs_now_ns(&vs_clock_system) + timeout_ns;

    if (m == NULL)
        return 0;
    VS_LOCK_SCOPE(&m->lock);
    while (m->working || m->queued > 0 || m->look_again)
        if (m->stop || !vs_cond_wait_until(&m->idle, &m->lock, until_ns))
            return -ETIMEDOUT;
    return 0;
}

void media_worker_stop(struct media_worker *m)
{
    struct media_item *item;

    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    m->stop = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    while ((item = vs_list_first(&m->queue, struct media_item, link)) != NULL) {
        vs_list_del(&item->link);
        media_item_free(item);
    }
    pthread_cond_destroy(&m->wake);
    pthread_cond_destroy(&m->idle);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
