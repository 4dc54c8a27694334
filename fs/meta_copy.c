/* meta_copy: see the header. */
#include "fs/meta_copy.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "common/thread.h"
#include "fs/content.h"
#include "fs/meta_tail.h"
#include "fs/waiter.h"
#include "meta/meta_backup.h"
#include <string.h>
#include <sys/stat.h>

#define COPY_NAME    "metadata"
#define COPY_POLL_NS (VS_NS_PER_S / 2)

struct meta_copy {
    struct vsfs *fs;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop; /* under lock */
    struct meta_tail *tail;
    /* the thread's */
    int64_t next_ns; /* not before */
    uint64_t bytes;  /* of the newest copy */
    bool failed;     /* was said */
};

/* One copy in the making. */
struct copying {
    struct vsfs *fs;
    struct upload_session *session;
    struct upload *upload;
    struct content *base; /* the copy before; NULL: none */
    struct mf_chunk *old;
    size_t old_count;
    struct upload_flush flush;
    struct manifest_write manifest;
    struct waiter waiter;
    struct vs_id *released;
    size_t released_count;
};

/* ---- the bytes ---- */

struct copy_room {
    struct upload_room room;
    struct waiter waiter;
};

static void copy_has_room(struct upload_room *room)
{
    waiter_wake(&vs_container_of(room, struct copy_room, room)->waiter);
}

static int copy_append(void *arg, const void *bytes, size_t len)
{
    struct copying *c = arg;
    struct copy_room cr = { .room = { .done = copy_has_room }, .waiter = WAITER_INIT };
    int r = upload_append(c->upload, bytes, len, &cr.room);

    if (r != 1)
        return r;
    waiter_wait(&cr.waiter);
    return cr.room.status;
}

static void copy_flushed(struct upload_flush *f)
{
    waiter_wake(&vs_container_of(f, struct copying, flush)->waiter);
}

static int copy_upload(struct copying *c, struct meta_backup_result *ret)
{
    struct upload_config config = { .ino = NS_INO_COPY,
                                    .name = COPY_NAME,
                                    .name_len = strlen(COPY_NAME) };
    int r = upload_session_new(&c->session, c->fs->uploads);

    config.session = c->session;
    if (r == 0)
        r = upload_new(&c->upload, c->fs->uploads, &config);
    if (r == 0)
        r = meta_backup(c->fs->meta, true, vs_real_ns(c->fs->clock), copy_append, c, ret);
    if (r < 0)
        return r;
    c->flush.done = copy_flushed;
    upload_flush(c->upload, &c->flush);
    waiter_wait(&c->waiter);
    return c->flush.status;
}

/* ---- the manifest ---- */

static void copy_described(struct manifest_write *w)
{
    waiter_wake(&vs_container_of(w, struct copying, manifest)->waiter);
}

static int copy_describe(struct copying *c, uint64_t base_version)
{
    struct file_about about = { .ino = NS_INO_COPY,
                                .name = COPY_NAME,
                                .name_len = strlen(COPY_NAME),
                                .base_version = base_version,
                                .mode = S_IFREG | 0400,
                                .mtime = vsfs_now(c->fs) };

    c->manifest = (struct manifest_write){ .session = c->session,
                                           .chunks = c->flush.chunks,
                                           .chunk_count = c->flush.chunk_count,
                                           .sha = c->flush.sha_known ? c->flush.sha256 : NULL,
                                           .about = &about,
                                           .done = copy_described };
    manifest_write(c->fs->uploads, &c->manifest);
    waiter_wait(&c->waiter);
    return c->manifest.status;
}

/* ---- in the place of the one before ---- */

static int copy_load_old(struct copying *c)
{
    int r = content_load_wait(c->fs->meta, NS_INO_COPY, &c->base, NULL);

    if (r == -ENOENT)
        return 0;
    return r < 0 ? r : content_chunks_wait(c->base, &c->old, &c->old_count);
}

static int copy_release(struct copying *c)
{
    uint32_t segments = c->base != NULL ? c->base->head.segment_count : 0;
    VS_AUTO_FREE struct vs_id *given_up = NULL;
    size_t count = 0;
    int r = upload_session_given_up(c->session, &given_up, &count);

    if (r < 0)
        return r;
    c->released = calloc(c->old_count + segments + count + 1, sizeof(*c->released));
    if (c->released == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < c->old_count; i++)
        c->released[c->released_count++] = c->old[i].id;
    for (uint32_t i = 0; i < segments; i++)
        c->released[c->released_count++] = c->base->head.segments[i].id;
    for (size_t i = 0; i < count; i++)
        c->released[c->released_count++] = given_up[i];
    return c->released_count > NS_RELEASED_MAX ? -EFBIG : 0;
}

static int copy_swap(struct copying *c, uint64_t base_version)
{
    struct ns_entry e = { .kind = NS_E_SWAP, .ino = NS_INO_COPY, .base_version = base_version };
    struct meta_req req = { .op = META_CHANGE, .entry = &e };
    int r = copy_release(c);

    if (r < 0)
        return r;
    e.now = vsfs_now(c->fs);
    e.content = (struct ns_new_content){ .kind = NS_CONTENT_CHUNKS,
                                         .bytes = c->manifest.encoded.data,
                                         .bytes_len = c->manifest.encoded.len,
                                         .size = c->manifest.head.size,
                                         .data_bytes = c->manifest.head.size,
                                         .stored_bytes = c->flush.stored_bytes,
                                         .session = upload_session_number(c->session),
                                         .flushed = true,
                                         .released = c->released,
                                         .released_count = c->released_count };
    r = meta_call(c->fs->meta, &req);
    if (r == 0)
        upload_session_committed(c->session);
    return r;
}

/* Of slot `slot`, or a later one. -EAGAIN: who was asked is not that far. */
static int copy_make(struct vsfs *fs, uint64_t slot, struct meta_backup_result *ret)
{
    struct copying c = { .fs = fs, .waiter = WAITER_INIT };
    uint64_t version;
    int r = copy_load_old(&c);

    version = c.base != NULL ? c.base->version : 0;
    if (r == 0)
        r = copy_upload(&c, ret);
    if (r == 0 && ret->slot < slot)
        r = -EAGAIN;
    if (r == 0)
        r = copy_describe(&c, version);
    if (r == 0)
        r = copy_swap(&c, version);
    mf_head_close(&c.manifest.head);
    vs_buf_close(&c.manifest.encoded);
    free(c.manifest.dropped);
    upload_free(c.upload);
    upload_session_free(c.session);
    content_put(c.base);
    free(c.old);
    free(c.released);
    if (r == 0 && fs->collect != NULL)
        collect_wake(fs->collect);
    return r;
}

/* ---- when ---- */

/* A copy, and the tail begins anew behind it. tail NULL: nothing changes any more. */
static int copy_with_tail(struct vsfs *fs, struct meta_tail *tail, struct meta_backup_result *ret)
{
    uint64_t slot = 0;
    int r = tail != NULL ? meta_tail_turn(tail, &slot) : 0;

    if (r == 0)
        r = copy_make(fs, slot, ret);
    if (r < 0)
        return r;
    if (tail != NULL)
        meta_tail_based(tail);
    else
        meta_tail_drop(fs);
    return 0;
}

static void copy_now(struct meta_copy *m)
{
    struct meta_backup_result made;
    int r = copy_with_tail(m->fs, m->tail, &made);
    int64_t now_ns = vs_now_ns(&vs_clock_system);

    if (r == -ESTALE || r == -EAGAIN) { /* another mount has just made one; a replica was behind */
        m->next_ns = now_ns + VS_NS_PER_S;
        return;
    }
    if (r < 0) {
        if (!m->failed)
            vs_warn("copy of the metadata on the stores: %s -> tried again", vs_err_text(r));
        m->failed = true;
        m->next_ns =
            now_ns + (META_COPY_RETRY_S + (int64_t)(m->bytes / META_COPY_BYTES_S)) * VS_NS_PER_S;
        return;
    }
    m->failed = false;
    m->bytes = made.bytes;
    m->next_ns = now_ns + (int64_t)(made.bytes / META_COPY_BYTES_S) * VS_NS_PER_S;
}

static bool copy_is_due(struct meta_copy *m)
{
    int64_t now_ns = vs_now_ns(&vs_clock_system);
    struct meta_tail_state t;

    meta_tail_look(m->tail, &t);
    if (!t.is_ours || now_ns < m->next_ns)
        return false;
    if (!t.is_based)
        return t.is_missed || now_ns - t.since_ns >= META_COPY_REST_S * VS_NS_PER_S;
    return t.stored > META_COPY_TAIL_BYTES && t.stored > 2 * m->bytes;
}

static void copy_wake(void *arg)
{
    struct meta_copy *m = arg;
    VS_LOCK_SCOPE(&m->lock);

    pthread_cond_signal(&m->wake);
}

static void *copy_main(void *arg)
{
    struct meta_copy *m = arg;

    pthread_mutex_lock(&m->lock);
    while (!m->stop) {
        bool due;

        pthread_mutex_unlock(&m->lock);
        due = copy_is_due(m);
        if (due)
            copy_now(m);
        pthread_mutex_lock(&m->lock);
        if (!due && !m->stop)
            vs_cond_wait_until(&m->wake, &m->lock, vs_now_ns(&vs_clock_system) + COPY_POLL_NS);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* ---- life ---- */

static void copy_free(struct meta_copy *m)
{
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

int meta_copy_start(struct meta_copy **ret, struct vsfs *fs)
{
    struct meta_copy *m = calloc(1, sizeof(*m));
    int r;

    if (m == NULL)
        return -ENOMEM;
    m->fs = fs;
    pthread_mutex_init(&m->lock, NULL);
    vs_cond_init(&m->wake);
    r = meta_tail_start(&m->tail, fs, copy_wake, m);
    if (r == 0)
        r = vs_thread_start(&m->thread, copy_main, m);
    if (r < 0) {
        meta_tail_stop(m->tail);
        copy_free(m);
        return r;
    }
    *ret = m;
    return 0;
}

void meta_copy_stop(struct meta_copy *m)
{
    struct meta_backup_result made;
    struct meta_tail_state t;

    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    m->stop = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    meta_tail_look(m->tail, &t);
    meta_tail_stop(m->tail);
    if (t.is_ours && !t.is_based && t.is_missed &&
        store_set_up_count(&m->fs->stores) == m->fs->stores.count)
        copy_with_tail(m->fs, NULL, &made);
    copy_free(m);
}

int64_t meta_copy_lag_ms(struct meta_copy *m)
{
    return meta_tail_lag_ms(m->tail);
}
