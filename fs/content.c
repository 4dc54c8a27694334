/* content: loading a version of a file, and finding its chunks. See the header. */
#include "fs/content.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/content_held.h"
#include "meta/place_value.h"
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

struct content_segment {
    uint32_t count;
    struct mf_chunk chunks[];
};

struct content_segments {
    _Atomic(struct content_segment *) at[1]; /* one per head.segments; loaded once, never changed */
};

struct content *content_ref(struct content *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void content_put(struct content *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    content_held_end(c);
    if (c->segments != NULL)
        for (uint32_t i = 0; i < c->head.segment_count; i++)
            free(atomic_load(&c->segments->at[i]));
    free(c->segments);
    mf_head_close(&c->head);
    vs_buf_close(&c->bytes);
    free(c);
}

/* Make a content of what the metadata answered; takes the bytes of `req`. */
static int content_new(struct content **ret, struct meta_client *meta, struct meta_req *req)
{
    struct content *c = calloc(1, sizeof(*c));
    int r = 0;

    if (c == NULL)
        return -ENOMEM;
    atomic_store(&c->refs, 1);
    vs_list_init(&c->held);
    c->meta = meta;
    c->ino = req->attr.ino;
    c->version = req->attr.version;
    c->size = req->attr.size;
    c->kind = req->attr.content;
    c->bytes = req->bytes;
    req->bytes = (struct vs_buf){ 0 };

    if (c->kind == NS_CONTENT_INLINE) {
        c->inline_bytes = c->bytes.data;
        if (c->bytes.len != c->size)
            r = -VS_ECORRUPT;
    } else if (c->kind == NS_CONTENT_CHUNKS) {
        r = mf_head_decode(c->bytes.data, c->bytes.len, &c->head);
        if (r == 0 && c->head.size != c->size)
            r = -VS_ECORRUPT;
        if (r == 0) {
            c->segments = calloc(c->head.segment_count + 1, sizeof(c->segments->at[0]));
            if (c->segments == NULL)
                r = -ENOMEM;
        }
    } else if (S_ISREG(req->attr.mode) && c->size > 0) {
        r = -VS_ECORRUPT;
    } else {
        c->size = 0; /* a directory's counts its names */
    }
    if (r < 0) {
        content_put(c);
        return r;
    }
    *ret = c;
    return 0;
}

int content_made(struct content **ret, struct meta_client *meta, const struct ns_attr *attr,
                 const struct ns_new_content *made)
{
    struct meta_req req = { .attr = *attr };
    int r = vs_buf_append(&req.bytes, made->bytes, made->bytes_len, made->bytes_len);

    if (r == 0)
        r = content_new(ret, meta, &req);
    vs_buf_close(&req.bytes);
    if (r == 0)
        content_held_made(*ret);
    return r;
}

static void content_loaded(struct meta_req *req)
{
    struct content_load *l = vs_container_of(req, struct content_load, req);

    l->status = req->status;
    if (l->status == 0) {
        l->attr = req->attr;
        l->status = content_new(&l->content, l->meta, req);
    }
    content_held_loaded(l, l->status == 0 ? l->content : NULL);
    vs_buf_close(&req->bytes);
    l->done(l);
}

void content_load(struct meta_client *meta, struct content_load *l)
{
    l->content = NULL;
    l->meta = meta;
    l->req = (struct meta_req){ .op = META_CONTENT, .done = content_loaded, .ino = l->ino };
    content_held_load(l);
    meta_submit(meta, &l->req);
}

/* ---- finding a chunk ---- */

/* Is it what the head says of segment `index`: so many chunks, up to where the next one begins? */
static bool content_segment_fits(const struct mf_head *h, int index, const struct mf_chunk *chunks,
                                 uint32_t count)
{
    const struct mf_segment_ref *ref = &h->segments[index];
    uint64_t end = (uint32_t)index + 1 < h->segment_count ? ref[1].offset : h->size;

    return count == ref->count && chunks[0].offset == ref->offset &&
           chunks[count - 1].offset + chunks[count - 1].bytes == end;
}

static struct content_segment *content_segment_decode(const struct mf_head *head, int index,
                                                      const struct meta_reg *reg, int *ret_status)
{
    struct mf_chunk *chunks = malloc(MF_SEGMENT_CHUNKS * sizeof(*chunks));
    struct content_segment *seg = NULL;
    int n;

    if (chunks == NULL) {
        *ret_status = -ENOMEM;
        return NULL;
    }
    n = reg->status;
    if (n == -ENOENT || (n >= 0 && reg->current.len > 0 && reg->current.data[0] == PLACE_TOMB))
        n = -ESTALE; /* released: a newer version took its place */
    if (n == 0)
        n = mf_segment_decode(reg->current.data, reg->current.len, chunks);
    if (n >= 0 && !content_segment_fits(head, index, chunks, (uint32_t)n))
        n = -VS_ECORRUPT;
    if (n >= 0) {
        seg = malloc(sizeof(*seg) + (size_t)n * sizeof(*chunks));
        if (seg == NULL)
            n = -ENOMEM;
    }
    if (seg != NULL) {
        seg->count = (uint32_t)n;
        memcpy(seg->chunks, chunks, (size_t)n * sizeof(*chunks));
    }
    free(chunks);
    *ret_status = n < 0 ? n : 0;
    return seg;
}

static int content_find_in(struct content_find *f, const struct content_segment *seg)
{
    int i = mf_segment_find(seg->chunks, seg->count, f->offset);

    if (i < 0)
        return -VS_ECORRUPT; /* the head promised it here */
    f->chunk = seg->chunks[i];
    f->next = (struct mf_chunk){ .bytes = 0 };
    if ((uint32_t)i + 1 < seg->count)
        f->next = seg->chunks[i + 1];
    return 0;
}

static struct content_segment *content_segment_keep(struct content *c, int index,
                                                    struct content_segment *seg)
{
    struct content_segment *none = NULL;

    if (atomic_compare_exchange_strong(&c->segments->at[index], &none, seg))
        return seg;
    free(seg); /* somebody else was faster */
    return none;
}

static void content_segment_ask(struct content_find *f, const struct vs_id *id, bool hint);

static void content_segment_read(struct meta_req *req)
{
    struct content_find *f = vs_container_of(req, struct content_find, req);
    struct content *c = f->content;
    int index = mf_head_find(&c->head, f->offset);
    struct content_segment *seg = NULL;

    VS_ASSERT(index >= 0);
    f->status = req->status;
    if (f->status == 0)
        seg = content_segment_decode(&c->head, index, &f->reg, &f->status);
    vs_buf_close(&f->reg.current);
    if (seg == NULL && req->hint && f->status != -VS_EDOWN) {
        /* that replica lacks it, or has what was never decided; the others know */
        content_segment_ask(f, &c->head.segments[index].id, false);
        return;
    }
    if (seg != NULL)
        f->status = content_find_in(f, content_segment_keep(c, index, seg));
    f->done(f);
}

static void content_segment_ask(struct content_find *f, const struct vs_id *id, bool hint)
{
    vs_buf_close(&f->reg.current);
    f->reg = (struct meta_reg){ .id = *id };
    f->req = (struct meta_req){
        .op = META_REG_READ,
        .done = content_segment_read,
        .hint = hint,
        .regs = &f->reg,
        .reg_count = 1,
    };
    meta_submit(f->content->meta, &f->req);
}

int content_find(struct content *c, struct content_find *f)
{
    int index = mf_head_find(&c->head, f->offset);
    struct content_segment *seg;

    f->content = c;
    f->reg = (struct meta_reg){ .status = 0 };
    if (index < 0) {
        f->status = index;
        return 1;
    }
    seg = atomic_load(&c->segments->at[index]);
    if (seg != NULL) {
        f->status = content_find_in(f, seg);
        return 1;
    }
    content_segment_ask(f, &c->head.segments[index].id, true);
    return 0;
}
