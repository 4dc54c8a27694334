/* Fuzz target: manifest heads, segments, media descriptions, placement values, and copies of
 * segments (without their checksum, which is made here). The first byte says which; whatever
 * decodes encodes to the same bytes, so there is one way to write each. */
#include "common/assert.h"
#include "common/codec.h"
#include "common/crc.h"
#include "meta/manifest.h"
#include "meta/place_value.h"
#include "meta/segment_note.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int note_again(const uint8_t *data, size_t size, struct vs_buf *ret)
{
    struct segment_note note;
    struct vs_buf whole = { 0 };
    struct vs_wr w = vs_wr_init(&whole, SEGMENT_NOTE_BYTES_MAX);
    int r;

    vs_wr_bytes(&w, data, size);
    vs_wr_u32(&w, vs_crc32c(0, data, size));
    r = segment_note_decode(whole.data, whole.len, &note);
    if (r == 0) {
        VS_ASSERT(segment_note_encode(&note, ret) == 0);
        ret->len -= sizeof(uint32_t);
    }
    vs_buf_close(&whole);
    return r == 0;
}

/* What the bytes decode to, encoded again: 1, or 0 when they are refused. */
static int again(uint8_t which, const uint8_t *data, size_t size, struct vs_buf *ret)
{
    static struct mf_chunk chunks[MF_SEGMENT_CHUNKS];
    struct place_value place;
    struct mf_media media;
    struct mf_head head;
    int count;

    switch (which % 5) {
    case 0:
        if (mf_head_decode(data, size, &head) < 0)
            return 0;
        VS_ASSERT(mf_head_encode(&head, ret) == 0);
        VS_ASSERT(head.size == 0 || mf_head_find(&head, head.size - 1) >= 0);
        mf_head_close(&head);
        return 1;
    case 1:
        count = mf_segment_decode(data, size, chunks);
        if (count < 0)
            return 0;
        VS_ASSERT(mf_segment_encode(chunks, (uint32_t)count, ret) == 0);
        VS_ASSERT(mf_segment_find(chunks, (uint32_t)count, chunks[count - 1].offset) == count - 1);
        return 1;
    case 2:
        if (mf_media_decode(data, size, &media) < 0)
            return 0;
        VS_ASSERT(mf_media_encode(&media, ret) == 0);
        mf_media_close(&media);
        return 1;
    case 3:
        return note_again(data, size, ret);
    default:
        if (place_value_decode(data, size, &place) < 0)
            return 0;
        VS_ASSERT(place_value_encode(&place, ret) == 0);
        return 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vs_buf buf = { 0 };

    if (size > 0 && again(data[0], data + 1, size - 1, &buf) > 0) {
        VS_ASSERT(buf.len == size - 1);
        VS_ASSERT(memcmp(buf.data, data + 1, buf.len) == 0);
    }
    vs_buf_close(&buf);
    return 0;
}
