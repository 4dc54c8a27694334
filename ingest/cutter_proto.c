/* cutter_proto: see the header. */
#include "ingest/cutter_proto.h"
#include "common/err.h"
#include <stdlib.h>

void cutter_header_encode(uint8_t out[CUTTER_HEADER_BYTES], uint8_t type, uint32_t bytes)
{
    out[0] = type;
    for (unsigned i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(bytes >> (8 * i));
}

int cutter_header_decode(const uint8_t in[CUTTER_HEADER_BYTES], struct cutter_header *ret)
{
    struct vs_rd r = vs_rd_init(in, CUTTER_HEADER_BYTES);

    ret->type = vs_rd_u8(&r);
    ret->bytes = vs_rd_u32(&r);
    if (ret->type < CUTTER_KEYFRAME || ret->type > CUTTER_DATA ||
        ret->bytes > CUTTER_PAYLOAD_BYTES_MAX)
        return -VS_ECORRUPT;
    return 0;
}

int cutter_keyframe_decode(const void *bytes, size_t len, struct cutter_keyframe_message *ret)
{
    struct vs_rd r = vs_rd_init(bytes, len);

    ret->offset = vs_rd_u64(&r);
    ret->time_ms = vs_rd_u32(&r);
    ret->parsed = vs_rd_u64(&r);
    return vs_rd_done(&r);
}

int cutter_result_encode(const struct cutter_probe_result *r, struct vs_buf *ret)
{
    struct vs_wr w = vs_wr_init(ret, CUTTER_PAYLOAD_BYTES_MAX);
    struct vs_buf media = { 0 };
    int err = mf_media_encode(&r->media, &media);

    if (err == 0) {
        vs_wr_blob(&w, media.data, media.len);
        vs_wr_u32(&w, (uint32_t)r->keyframe_count);
        for (size_t i = 0; i < r->keyframe_count; i++) {
            vs_wr_u64(&w, r->keyframes[i].offset);
            vs_wr_u32(&w, r->keyframes[i].time_ms);
        }
        err = w.err;
    }
    vs_buf_close(&media);
    return err;
}

static int result_keyframes(struct vs_rd *r, struct cutter_probe_result *ret)
{
    uint32_t count = vs_rd_u32(r);

    if (r->err < 0 || count > CUTTER_RESULT_KEYFRAMES_MAX || vs_rd_left(r) != (size_t)count * 12)
        return -VS_ECORRUPT;
    ret->keyframes = calloc(count + 1u, sizeof(*ret->keyframes));
    if (ret->keyframes == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct cutter_keyframe k = { .offset = vs_rd_u64(r) };

        k.time_ms = vs_rd_u32(r);
        if (ret->keyframe_count > 0 && k.offset <= ret->keyframes[ret->keyframe_count - 1].offset)
            continue;
        ret->keyframes[ret->keyframe_count++] = k;
    }
    return vs_rd_done(r);
}

int cutter_result_decode(const void *bytes, size_t len, struct cutter_probe_result *ret)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    size_t media_len;
    const uint8_t *media = vs_rd_blob(&r, CUTTER_PAYLOAD_BYTES_MAX, &media_len);
    int err;

    *ret = (struct cutter_probe_result){ .keyframe_count = 0 };
    if (r.err < 0)
        return r.err;
    err = mf_media_decode(media, media_len, &ret->media);
    if (err == 0)
        err = result_keyframes(&r, ret);
    if (err < 0)
        cutter_probe_result_close(ret);
    return err;
}

void cutter_probe_result_close(struct cutter_probe_result *r)
{
    mf_media_close(&r->media);
    free(r->keyframes);
    *r = (struct cutter_probe_result){ .keyframe_count = 0 };
}
