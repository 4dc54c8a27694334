/* cutter_child_live: keyframes of a stream that cannot seek, while it arrives.
 *
 * Reports where video keyframes begin ("at or after this byte") in ascending order, and how far it
 * has looked. avformat_find_stream_info() is left out: it decodes, and the keyframes are the same
 * without it. Some containers make their streams late, so the video stream is chosen anew while
 * packets are read. */
#include "common/err.h"
#include "ingest/cutter_child.h"
#include <unistd.h>

#define LIVE_PROGRESS_BYTES (512u << 10) /* tell how far we are at least so often */
#define LIVE_SPACING_BYTES  (32u << 10)  /* nearer keyframes make no better cuts */

struct live {
    uint64_t sent_parsed;   /* last progress told */
    uint64_t last_keyframe; /* offset of the last one told, or UINT64_MAX */
    uint64_t position;      /* highest packet position seen */
};

static int live_read(void *opaque, uint8_t *buf, int len)
{
    (void)opaque;
    for (;;) {
        ssize_t n = read(CUTTER_FD_IN, buf, (size_t)len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return AVERROR(EIO);
        return n == 0 ? AVERROR_EOF : (int)n;
    }
}

static int live_tell(struct live *l, uint64_t offset, uint32_t time_ms)
{
    struct vs_buf b = { 0 };
    struct vs_wr w = vs_wr_init(&b, 64);
    int r;

    vs_wr_u64(&w, offset);
    vs_wr_u32(&w, time_ms);
    vs_wr_u64(&w, l->position);
    r = w.err < 0 ? w.err : child_send(CUTTER_KEYFRAME, b.data, b.len);
    vs_buf_close(&b);
    l->sent_parsed = l->position;
    if (offset != UINT64_MAX)
        l->last_keyframe = offset;
    return r;
}

static int live_packet(struct live *l, const AVFormatContext *c, const AVPacket *p)
{
    bool keyframe = p->stream_index == child_video_stream(c) && (p->flags & AV_PKT_FLAG_KEY) != 0;

    if (p->pos >= 0 && (uint64_t)p->pos > l->position)
        l->position = (uint64_t)p->pos;
    if (keyframe) {
        const AVStream *st = c->streams[p->stream_index];
        uint64_t at = p->pos >= 0 ? (uint64_t)p->pos : l->position;

        if (l->last_keyframe == UINT64_MAX || at >= l->last_keyframe + LIVE_SPACING_BYTES)
            return live_tell(l, at, child_time_ms(st, p->pts != AV_NOPTS_VALUE ? p->pts : p->dts));
    }
    if (l->position >= l->sent_parsed + LIVE_PROGRESS_BYTES)
        return live_tell(l, UINT64_MAX, UINT32_MAX);
    return 0;
}

int cutter_child_live(const char *format)
{
    const AVInputFormat *input = av_find_input_format(format);
    AVIOContext *io = avio_alloc_context(av_malloc(CHILD_AVIO_BYTES), CHILD_AVIO_BYTES, 0, NULL,
                                         live_read, NULL, NULL);
    AVFormatContext *c = child_context(io);
    AVPacket *p = av_packet_alloc();
    struct live l = { .last_keyframe = UINT64_MAX };

    if (input == NULL || c == NULL || p == NULL)
        return -ENOMEM;
    io->seekable = 0;
    if (avformat_open_input(&c, "", input, NULL) < 0)
        return -EINVAL;
    while (av_read_frame(c, p) >= 0) {
        int r = live_packet(&l, c, p);

        av_packet_unref(p);
        if (r < 0)
            return r;
    }
    return 0; /* the process ends here: nothing is freed */
}
