/* segment_note: see the header.
 *
 * Happy path: the fields in order, a CRC-32C of all before it at the end. Failure modes: bytes that
 * are not whole or were written by a newer version; a name or a time that cannot be. */
#include "meta/segment_note.h"
#include "common/codec.h"
#include "common/crc.h"
#include "common/err.h"
#include <string.h>

#define NOTE_FORMAT 1

static const uint8_t note_magic[4] = { 'V', 'S', 'S', 'N' };

enum note_bits { NOTE_ABOUT = 1, NOTE_FLUSHED = 2 };

static bool about_ok(const struct file_about *a)
{
    return a->ino != 0 && a->name_len <= NS_NAME_BYTES_MAX && a->head_len > 0 &&
           a->mtime.ns < 1000000000u && memchr(a->name, '/', a->name_len) == NULL &&
           memchr(a->name, '\0', a->name_len) == NULL;
}

static void about_wr(struct vs_wr *w, const struct file_about *a)
{
    vs_wr_u64(w, a->ino);
    vs_wr_u64(w, a->parent);
    vs_wr_u64(w, a->base_version);
    vs_wr_u64(w, a->session);
    vs_wr_u32(w, a->mode);
    vs_wr_u32(w, a->uid);
    vs_wr_u32(w, a->gid);
    vs_wr_u64(w, (uint64_t)a->mtime.s);
    vs_wr_u32(w, a->mtime.ns);
    vs_wr_u8(w, (uint8_t)a->name_len);
    vs_wr_bytes(w, a->name, a->name_len);
    vs_wr_blob(w, a->head, a->head_len);
}

static void about_rd(struct vs_rd *r, struct file_about *a)
{
    a->ino = vs_rd_u64(r);
    a->parent = vs_rd_u64(r);
    a->base_version = vs_rd_u64(r);
    a->session = vs_rd_u64(r);
    a->mode = vs_rd_u32(r);
    a->uid = vs_rd_u32(r);
    a->gid = vs_rd_u32(r);
    a->mtime.s = (int64_t)vs_rd_u64(r);
    a->mtime.ns = vs_rd_u32(r);
    a->name_len = vs_rd_u8(r);
    a->name = (const char *)vs_rd_view(r, a->name_len);
    a->head = vs_rd_blob(r, SEGMENT_NOTE_BYTES_MAX, &a->head_len);
}

int segment_note_encode(const struct segment_note *n, struct vs_buf *ret)
{
    struct vs_wr w = vs_wr_init(ret, ret->len + SEGMENT_NOTE_BYTES_MAX);
    size_t start = ret->len;

    if (n->segment_len == 0 || (n->has_about && !about_ok(&n->about)))
        return -EINVAL;
    vs_wr_bytes(&w, note_magic, sizeof(note_magic));
    vs_wr_u8(&w, NOTE_FORMAT);
    vs_wr_u8(&w, (uint8_t)((n->has_about ? NOTE_ABOUT : 0) |
                           (n->has_about && n->about.flushed ? NOTE_FLUSHED : 0)));
    vs_wr_blob(&w, n->segment, n->segment_len);
    if (n->has_about)
        about_wr(&w, &n->about);
    if (w.err == 0)
        vs_wr_u32(&w, vs_crc32c(0, ret->data + start, ret->len - start));
    return w.err;
}

int segment_note_decode(const void *bytes, size_t len, struct segment_note *ret)
{
    struct vs_rd r = vs_rd_init(bytes, len), tail;
    struct segment_note n = { 0 };
    uint8_t magic[sizeof(note_magic)], format, bits;

    if (len < sizeof(note_magic) + 4 || len > SEGMENT_NOTE_BYTES_MAX)
        return -VS_ECORRUPT;
    tail = vs_rd_init((const uint8_t *)bytes + len - 4, 4);
    if (vs_rd_u32(&tail) != vs_crc32c(0, bytes, len - 4))
        return -VS_ECORRUPT;
    r.end -= 4;
    vs_rd_bytes(&r, magic, sizeof(magic));
    format = vs_rd_u8(&r);
    if (memcmp(magic, note_magic, sizeof(magic)) != 0 || format == 0)
        return -VS_ECORRUPT;
    if (format > NOTE_FORMAT)
        return -VS_ENEWER;
    bits = vs_rd_u8(&r);
    n.segment = vs_rd_blob(&r, SEGMENT_NOTE_BYTES_MAX, &n.segment_len);
    n.has_about = bits & NOTE_ABOUT;
    if (n.has_about) {
        about_rd(&r, &n.about);
        n.about.flushed = bits & NOTE_FLUSHED;
    }
    if (vs_rd_done(&r) < 0 || bits > (NOTE_ABOUT | NOTE_FLUSHED) || n.segment_len == 0 ||
        (n.has_about ? !about_ok(&n.about) : bits != 0))
        return -VS_ECORRUPT;
    *ret = n;
    return 0;
}
