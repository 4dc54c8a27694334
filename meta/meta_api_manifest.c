/* GET /manifest/{id}: what one file consists of, in pages of chunks.
 *
 * Happy path: head of the manifest, the segments of the page, the media description if there is
 * one. Failure modes: no such file; a segment that was collected meanwhile: 404, ask again. */
#include "meta/meta_server.h"

#include "common/conf.h"
#include "common/err.h"
#include "common/hex.h"
#include "meta/manifest.h"

#include <stdio.h>
#include <sys/stat.h>

struct manifest {
    struct meta_server *m;
    struct ns_attr attr;
    struct mf_head head;
    struct mf_media media;
    uint64_t limit, offset;
};

static const char *const cut_words[] = {
    [MF_CUT_END] = "end",
    [MF_CUT_KEYFRAME] = "keyframe",
    [MF_CUT_SIZE] = "size",
    [MF_CUT_EXEMPT] = "size",
};

static struct vs_json *chunk_json(const struct manifest *f, const struct mf_chunk *c, uint64_t n)
{
    struct vs_json *j = vs_json_object();
    char id[VS_ID_TEXT_BYTES];

    vs_json_set_u64(j, "index", n);
    vs_json_set_u64(j, "offset", c->offset);
    vs_json_set_u64(j, "bytes", c->bytes);
    if (vs_id_is_zero(&c->id)) {
        vs_json_set_bool(j, "hole", true);
        return j;
    }
    vs_id_to_text(&c->id, id);
    vs_json_set_text(j, "id", id);
    vs_json_set_u64(j, "crc32c", c->crc);
    vs_json_set_text(j, "cut", c->cut <= MF_CUT_EXEMPT ? cut_words[c->cut] : "size");
    if (n < f->media.chunk_start_count && f->media.chunk_start_ms[n] != UINT32_MAX)
        vs_json_set_u64(j, "start_ms", f->media.chunk_start_ms[n]);
    return j;
}

/* The chunks of the page. */
static int add_chunks(const struct manifest *f, struct vs_json *list)
{
    uint64_t first = 0, end = f->offset + f->limit;

    for (uint32_t s = 0; s < f->head.segment_count && first < end; s++) {
        const struct mf_segment_ref *ref = &f->head.segments[s];
        struct mf_chunk chunks[MF_SEGMENT_CHUNKS];
        struct vs_buf value = { 0 };
        int n = 0;

        if (first + ref->count > f->offset) {
            n = meta_api_register(f->m, &ref->id, &value);
            if (n == 0)
                n = mf_segment_decode(value.data, value.len, chunks);
            vs_buf_close(&value);
            if (n < 0)
                return n;
        }
        for (int i = 0; i < n; i++)
            if (first + (unsigned)i >= f->offset && first + (unsigned)i < end)
                vs_json_add(list, chunk_json(f, &chunks[i], first + (unsigned)i));
        first += ref->count;
    }
    return 0;
}

static void set_hash(struct vs_json *j, const char *key, const uint8_t hash[VS_SHA256_BYTES])
{
    char text[2 * VS_SHA256_BYTES + 1];

    vs_hex(hash, VS_SHA256_BYTES, text);
    vs_json_set_text(j, key, text);
}

static int manifest_reply(const struct manifest *f, struct http_req *q)
{
    struct vs_json *j = vs_json_object(), *list = vs_json_array();
    uint64_t next = f->offset + f->limit;
    int err = add_chunks(f, list);

    vs_json_set_u64(j, "id", f->attr.ino);
    vs_json_set_u64(j, "version", f->attr.version);
    vs_json_set_u64(j, "size", f->attr.size);
    vs_json_set_u64(j, "stored_bytes", f->attr.stored_bytes);
    vs_json_set_text(j, "stored_as", f->attr.content == NS_CONTENT_CHUNKS ? "chunks" : "metadata");
    if (f->head.has_sha)
        set_hash(j, "sha256", f->head.sha256);
    if (f->media.container[0] != '\0') {
        vs_json_set_text(j, "container", f->media.container);
        vs_json_set_u64(j, "duration_ms", f->media.duration_ms);
        vs_json_set_u64(j, "bitrate_bps", f->media.bitrate_bps);
        vs_json_set_u64(j, "streams", f->media.stream_count);
    }
    vs_json_set_u64(j, "chunk_count", f->head.chunk_count);
    vs_json_set_u64(j, "offset", f->offset);
    vs_json_set_u64(j, "limit", f->limit);
    vs_json_set(j, "chunks", list);
    if (next < f->head.chunk_count)
        vs_json_set_u64(j, "next_offset", next);
    else
        vs_json_set_null(j, "next_offset");
    if (err < 0)
        vs_json_free(j);
    else
        http_reply_json(q, 200, j);
    return err;
}

/* What the file consists of, and its description when there is one already. */
static int manifest_read(struct manifest *f, uint64_t ino)
{
    struct meta_req content = { .op = META_CONTENT, .ino = ino };
    struct meta_req media = { .op = META_MEDIA, .ino = ino };
    int err = meta_call(f->m->meta, &content);

    f->attr = content.attr;
    if (err == 0 && !S_ISREG(f->attr.mode))
        err = -ENOENT;
    if (err == 0 && f->attr.content == NS_CONTENT_CHUNKS)
        err = mf_head_decode(content.bytes.data, content.bytes.len, &f->head);
    vs_buf_close(&content.bytes);
    if (err == 0 && meta_call(f->m->meta, &media) == 0)
        err = mf_media_decode(media.bytes.data, media.bytes.len, &f->media);
    vs_buf_close(&media.bytes);
    return err;
}

static void manifest_answer(struct meta_server *m, struct http_req *q)
{
    struct manifest f = { .m = m };
    char what[64];
    uint64_t ino;
    int err;

    if (vs_conf_number(http_req_tail(q), 1, UINT64_MAX, &ino) < 0) {
        http_reply_error(q, 400, "invalid",
                         "'%.32s' is no file; its id is the decimal number that /videos gives.",
                         http_req_tail(q));
        return;
    }
    if (!meta_api_page(q, &f.limit, &f.offset))
        return;
    snprintf(what, sizeof(what), "file %llu", (unsigned long long)ino);
    err = manifest_read(&f, ino);
    if (err == 0)
        err = manifest_reply(&f, q);
    if (err < 0)
        meta_api_error(q, err, what);
    mf_head_close(&f.head);
    mf_media_close(&f.media);
}

void meta_manifest_run(struct http_req *q)
{
    meta_api_start(q, manifest_answer);
}
