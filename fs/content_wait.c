/* content_wait: content for those who may wait: the write path's jobs, workers, commands. Never on
 * a thread that completions run on. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/content.h"
#include "fs/waiter.h"
#include <string.h>

struct load_wait {
    struct content_load load;
    struct waiter waiter;
};

static void load_wait_done(struct content_load *l)
{
    waiter_wake(&vs_container_of(l, struct load_wait, load)->waiter);
}

int content_load_wait(struct meta_client *meta, uint64_t ino, struct content **ret,
                      struct ns_attr *ret_attr)
{
    struct load_wait lw = { .load = { .ino = ino, .done = load_wait_done }, .waiter = WAITER_INIT };

    content_load(meta, &lw.load);
    waiter_wait(&lw.waiter);
    if (lw.load.status < 0)
        return lw.load.status;
    *ret = lw.load.content;
    if (ret_attr != NULL)
        *ret_attr = lw.load.attr;
    return 0;
}

struct find_wait {
    struct content_find find;
    struct waiter waiter;
};

static void find_wait_done(struct content_find *f)
{
    waiter_wake(&vs_container_of(f, struct find_wait, find)->waiter);
}

static int content_find_wait(struct content *c, uint64_t offset, struct mf_chunk *ret)
{
    struct find_wait fw = { .find = { .offset = offset, .done = find_wait_done },
                            .waiter = WAITER_INIT };

    if (content_find(c, &fw.find) == 0)
        waiter_wait(&fw.waiter);
    if (fw.find.status == 0)
        *ret = fw.find.chunk;
    return fw.find.status;
}

int content_chunks_wait(struct content *c, struct mf_chunk **ret, size_t *ret_count)
{
    struct mf_chunk *all;
    uint64_t at = 0;
    size_t n = 0;

    VS_ASSERT(c->kind == NS_CONTENT_CHUNKS);
    all = calloc(c->head.chunk_count + 1, sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    for (; at < c->size && n < c->head.chunk_count; at += all[n++].bytes) {
        int r = content_find_wait(c, at, &all[n]);

        if (r < 0) {
            free(all);
            return r;
        }
    }
    if (n != c->head.chunk_count || at != c->size) {
        free(all);
        return -VS_ECORRUPT;
    }
    *ret = all;
    *ret_count = n;
    return 0;
}

struct read_wait {
    struct chunk_read read;
    struct waiter waiter;
};

static void read_wait_done(struct chunk_read *r)
{
    waiter_wake(&vs_container_of(r, struct read_wait, read)->waiter);
}

/* Part of one chunk: [offset, offset+len) of the file lies inside it. */
static int chunk_read_wait(struct chunk_reader *cr, const struct mf_chunk *chunk, uint64_t ino,
                           uint64_t offset, void *dst, size_t len)
{
    struct read_wait rw = { .read = { .chunk = *chunk,
                                      .offset = (uint32_t)(offset - chunk->offset),
                                      .bytes = (uint32_t)len,
                                      .ino = ino,
                                      .done = read_wait_done },
                            .waiter = WAITER_INIT };

    if (chunk_read_start(cr, &rw.read) == 0)
        waiter_wait(&rw.waiter);
    if (rw.read.status == 0)
        memcpy(dst, rw.read.data, len);
    chunk_read_put(&rw.read);
    return rw.read.status;
}

int64_t content_read_wait(struct content *c, struct chunk_reader *cr, uint64_t offset, void *dst,
                          size_t len)
{
    size_t got = 0;

    if (offset >= c->size)
        return 0;
    if (len > c->size - offset)
        len = c->size - offset;
    if (c->kind == NS_CONTENT_INLINE) {
        memcpy(dst, c->inline_bytes + offset, len);
        return (int64_t)len;
    }
    while (got < len) {
        struct mf_chunk chunk;
        uint64_t at = offset + got;
        size_t n = len - got;
        int r = content_find_wait(c, at, &chunk);

        if (r < 0)
            return r;
        if (n > chunk.offset + chunk.bytes - at)
            n = chunk.offset + chunk.bytes - at;
        if (vs_id_is_zero(&chunk.id))
            memset((uint8_t *)dst + got, 0, n);
        else
            r = chunk_read_wait(cr, &chunk, c->ino, at, (uint8_t *)dst + got, n);
        if (r < 0)
            return r;
        got += n;
    }
    return (int64_t)got;
}
