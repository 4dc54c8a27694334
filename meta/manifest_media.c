/* Media description of a manifest, as bytes and back.
 *
 * Happy path: texts with a length byte, lists with a count, each count checked against the bytes
 * that are left before memory is taken for it. Failure modes: bytes of a newer format, bytes that
 * are not whole, texts or numbers out of their limits.
 *
 * Little-endian; docs/FORMAT.md, "Media description". */
#include "common/codec.h"
#include "common/err.h"
#include "meta/manifest.h"

#include <stdlib.h>
#include <string.h>

#define MF_MEDIA_FORMAT  1
#define MF_CHUNKS_MAX    (MF_SEGMENTS_MAX * (uint64_t)MF_SEGMENT_CHUNKS)
#define MF_RANGE_BYTES   16u
#define MF_STREAM_BYTES  (1u + 1u + 16u + 1u) /* at least: both texts empty */
#define MF_STREAM_TYPES  "vasd"
#define MF_RANGE_END_MAX ((uint64_t)INT64_MAX)

static bool mf_text_ok(const char *text, size_t cap)
{
    return memchr(text, '\0', cap) != NULL;
}

static void mf_wr_text(struct vs_wr *w, const char *text, size_t cap)
{
    size_t len = strnlen(text, cap);

    vs_wr_u8(w, (uint8_t)len);
    vs_wr_bytes(w, text, len);
}

/* text: `cap` bytes, zeroed by the caller. */
static void mf_rd_text(struct vs_rd *r, char *text, size_t cap)
{
    size_t len = vs_rd_u8(r);

    if (len >= cap)
        r->err = -VS_ECORRUPT;
    else
        vs_rd_bytes(r, text, len);
    if (r->err == 0 && memchr(text, '\0', len) != NULL)
        r->err = -VS_ECORRUPT; /* a text has one way to be written */
}

static bool mf_stream_ok(const struct mf_stream *s)
{
    return s->type != '\0' && strchr(MF_STREAM_TYPES, s->type) != NULL &&
           mf_text_ok(s->codec, sizeof(s->codec)) && mf_text_ok(s->language, sizeof(s->language));
}

static bool mf_ranges_ok(const struct mf_range *ranges, uint32_t count)
{
    if (count > MF_RANGES_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (ranges[i].bytes > MF_RANGE_END_MAX ||
            ranges[i].offset > MF_RANGE_END_MAX - ranges[i].bytes)
            return false;
    return true;
}

static bool mf_media_ok(const struct mf_media *m)
{
    if (!mf_text_ok(m->container, sizeof(m->container)) || m->stream_count > MF_STREAMS_MAX)
        return false;
    for (uint32_t i = 0; i < m->stream_count; i++)
        if (!mf_stream_ok(&m->streams[i]))
            return false;
    return mf_ranges_ok(m->index_ranges, m->index_range_count) &&
           mf_ranges_ok(m->probe_pack, m->probe_pack_count) &&
           m->chunk_start_count <= MF_CHUNKS_MAX;
}

static void mf_wr_ranges(struct vs_wr *w, const struct mf_range *ranges, uint32_t count)
{
    vs_wr_u16(w, (uint16_t)count);
    for (uint32_t i = 0; i < count; i++) {
        vs_wr_u64(w, ranges[i].offset);
        vs_wr_u64(w, ranges[i].bytes);
    }
}

int mf_media_encode(const struct mf_media *media, struct vs_buf *ret)
{
    size_t start = ret->len;
    struct vs_wr w = vs_wr_init(ret, start + MF_MEDIA_BYTES_MAX);

    if (!mf_media_ok(media))
        return -EINVAL;
    vs_wr_u8(&w, MF_MEDIA_FORMAT);
    mf_wr_text(&w, media->container, sizeof(media->container));
    vs_wr_u64(&w, media->duration_ms);
    vs_wr_u64(&w, media->bitrate_bps);
    vs_wr_u8(&w, (uint8_t)media->stream_count);
    for (uint32_t i = 0; i < media->stream_count; i++) {
        const struct mf_stream *s = &media->streams[i];

        vs_wr_u8(&w, s->type);
        mf_wr_text(&w, s->codec, sizeof(s->codec));
        vs_wr_u32(&w, s->width);
        vs_wr_u32(&w, s->height);
        vs_wr_u32(&w, s->sample_rate);
        vs_wr_u32(&w, s->channels);
        mf_wr_text(&w, s->language, sizeof(s->language));
    }
    mf_wr_ranges(&w, media->index_ranges, media->index_range_count);
    mf_wr_ranges(&w, media->probe_pack, media->probe_pack_count);
    vs_wr_u32(&w, media->chunk_start_count);
    for (uint32_t i = 0; w.err == 0 && i < media->chunk_start_count; i++)
        vs_wr_u32(&w, media->chunk_start_ms[i]);
    if (w.err < 0)
        ret->len = start; /* a caller may try again without the time map */
    return w.err;
}

/* Zeroed array for `count` elements of at least `coded` bytes each in the input. NULL and r->err
 * when they cannot be there; NULL alone when count is 0. */
static void *mf_rd_array(struct vs_rd *r, uint64_t count, size_t coded, size_t size)
{
    void *array;

    if (r->err < 0 || count == 0)
        return NULL;
    if (count > vs_rd_left(r) / coded) {
        r->err = -VS_ECORRUPT;
        return NULL;
    }
    array = calloc(count, size);
    if (array == NULL)
        r->err = -ENOMEM;
    return array;
}

static void mf_rd_streams(struct vs_rd *r, struct mf_media *m)
{
    uint32_t count = vs_rd_u8(r);

    m->streams = mf_rd_array(r, count, MF_STREAM_BYTES, sizeof(*m->streams));
    if (m->streams == NULL)
        return;
    m->stream_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct mf_stream *s = &m->streams[i];

        s->type = vs_rd_u8(r);
        mf_rd_text(r, s->codec, sizeof(s->codec));
        s->width = vs_rd_u32(r);
        s->height = vs_rd_u32(r);
        s->sample_rate = vs_rd_u32(r);
        s->channels = vs_rd_u32(r);
        mf_rd_text(r, s->language, sizeof(s->language));
    }
}

static struct mf_range *mf_rd_ranges(struct vs_rd *r, uint32_t *ret_count)
{
    uint32_t count = vs_rd_u16(r);
    struct mf_range *ranges = mf_rd_array(r, count, MF_RANGE_BYTES, sizeof(*ranges));

    if (ranges == NULL)
        return NULL;
    *ret_count = count;
    for (uint32_t i = 0; i < count; i++) {
        ranges[i].offset = vs_rd_u64(r);
        ranges[i].bytes = vs_rd_u64(r);
    }
    return ranges;
}

static void mf_rd_time_map(struct vs_rd *r, struct mf_media *m)
{
    uint32_t count = vs_rd_u32(r);

    m->chunk_start_ms = mf_rd_array(r, count, sizeof(uint32_t), sizeof(uint32_t));
    if (m->chunk_start_ms == NULL)
        return;
    m->chunk_start_count = count;
    for (uint32_t i = 0; i < count; i++)
        m->chunk_start_ms[i] = vs_rd_u32(r);
}

int mf_media_decode(const void *bytes, size_t len, struct mf_media *ret)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    struct mf_media m = { 0 };
    uint8_t format;
    int err;

    format = vs_rd_u8(&r);
    if (r.err < 0 || format == 0 || len > MF_MEDIA_BYTES_MAX)
        return -VS_ECORRUPT;
    if (format > MF_MEDIA_FORMAT)
        return -VS_ENEWER;
    mf_rd_text(&r, m.container, sizeof(m.container));
    m.duration_ms = vs_rd_u64(&r);
    m.bitrate_bps = vs_rd_u64(&r);
    mf_rd_streams(&r, &m);
    m.index_ranges = mf_rd_ranges(&r, &m.index_range_count);
    m.probe_pack = mf_rd_ranges(&r, &m.probe_pack_count);
    mf_rd_time_map(&r, &m);
    err = r.err < 0 ? r.err : vs_rd_done(&r);
    if (err == 0 && !mf_media_ok(&m))
        err = -VS_ECORRUPT;
    if (err < 0) {
        mf_media_close(&m);
        return err;
    }
    *ret = m;
    return 0;
}

void mf_media_close(struct mf_media *media)
{
    free(media->streams);
    free(media->index_ranges);
    free(media->probe_pack);
    free(media->chunk_start_ms);
    *media = (struct mf_media){ 0 };
}
