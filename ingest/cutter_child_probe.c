/* cutter_child_probe: describe a stored file, reading it through the parent.
 *
 * Opens it as any player would, so that the ranges which the parent sees being read are what
 * players and scanners will read: the probe pack. The parent limits how much is read in all. */
#include "common/err.h"
#include "ingest/cutter_child.h"
#include <libavcodec/avcodec.h>
#include <libavutil/dict.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_FIRST_PACKETS_MAX 4096 /* looked at for the first packet of every track */

struct probe {
    int64_t size, at;
};

static int probe_read(void *opaque, uint8_t *buf, int len)
{
    struct probe *p = opaque;
    uint8_t header[CUTTER_HEADER_BYTES], ask[12];
    uint64_t at = (uint64_t)p->at;
    uint32_t want = len > (int)CUTTER_READ_BYTES_MAX ? CUTTER_READ_BYTES_MAX : (uint32_t)len;
    struct cutter_header h;

    if (p->at >= p->size)
        return AVERROR_EOF;
    for (unsigned i = 0; i < 8; i++)
        ask[i] = (uint8_t)(at >> (8 * i));
    for (unsigned i = 0; i < 4; i++)
        ask[8 + i] = (uint8_t)(want >> (8 * i));
    if (child_send(CUTTER_READ, ask, sizeof(ask)) < 0 || child_read(header, sizeof(header)) < 0 ||
        cutter_header_decode(header, &h) < 0 || h.type != CUTTER_DATA || h.bytes > want)
        return AVERROR(EIO);
    if (h.bytes == 0)
        return AVERROR_EOF;
    if (child_read(buf, h.bytes) < 0)
        return AVERROR(EIO);
    p->at += h.bytes;
    return (int)h.bytes;
}

static int64_t probe_seek(void *opaque, int64_t offset, int whence)
{
    struct probe *p = opaque;

    whence &= ~AVSEEK_FORCE;
    if (whence == AVSEEK_SIZE)
        return p->size;
    if (whence == SEEK_CUR)
        offset += p->at;
    else if (whence == SEEK_END)
        offset += p->size;
    if (offset < 0)
        return AVERROR(EINVAL);
    p->at = offset;
    return offset;
}

static void probe_phase(uint8_t phase)
{
    if (child_send(CUTTER_PHASE, &phase, 1) < 0)
        exit(1);
}

static uint8_t probe_stream_type(enum AVMediaType t)
{
    switch (t) {
    case AVMEDIA_TYPE_VIDEO:
        return 'v';
    case AVMEDIA_TYPE_AUDIO:
        return 'a';
    case AVMEDIA_TYPE_SUBTITLE:
        return 's';
    default:
        return 'd';
    }
}

static void probe_streams(const AVFormatContext *c, struct mf_media *m)
{
    m->streams = calloc(MF_STREAMS_MAX, sizeof(*m->streams));
    for (unsigned i = 0; m->streams != NULL && i < c->nb_streams && i < MF_STREAMS_MAX; i++) {
        const AVCodecParameters *par = c->streams[i]->codecpar;
        const AVDictionaryEntry *lang = av_dict_get(c->streams[i]->metadata, "language", NULL, 0);
        struct mf_stream *s = &m->streams[m->stream_count++];

        s->type = probe_stream_type(par->codec_type);
        snprintf(s->codec, sizeof(s->codec), "%s", avcodec_get_name(par->codec_id));
        s->width = par->width > 0 ? (uint32_t)par->width : 0;
        s->height = par->height > 0 ? (uint32_t)par->height : 0;
        s->sample_rate = par->sample_rate > 0 ? (uint32_t)par->sample_rate : 0;
        s->channels = par->ch_layout.nb_channels > 0 ? (uint32_t)par->ch_layout.nb_channels : 0;
        if (lang != NULL)
            snprintf(s->language, sizeof(s->language), "%.7s", lang->value);
    }
}

/* The first name of libavformat's list ("mov,mp4,m4a" is mov; "matroska,webm" is matroska). */
static void probe_container(const AVFormatContext *c, struct mf_media *m)
{
    size_t n = strcspn(c->iformat->name, ",");

    snprintf(m->container, sizeof(m->container), "%.*s", (int)n, c->iformat->name);
}

static void probe_keyframes(const AVFormatContext *c, struct cutter_probe_result *r)
{
    int v = child_video_stream(c);
    AVStream *st = v >= 0 ? c->streams[v] : NULL;
    int n = st != NULL ? avformat_index_get_entries_count(st) : 0;

    r->keyframes = n > 0 ? calloc((size_t)n, sizeof(*r->keyframes)) : NULL;
    for (int i = 0; r->keyframes != NULL && i < n; i++) {
        const AVIndexEntry *e = avformat_index_get_entry(st, i);

        if (e == NULL || (e->flags & AVINDEX_KEYFRAME) == 0 || e->pos < 0)
            continue;
        if (r->keyframe_count > 0 && (uint64_t)e->pos <= r->keyframes[r->keyframe_count - 1].offset)
            continue;
        if (r->keyframe_count == CUTTER_RESULT_KEYFRAMES_MAX)
            break;
        r->keyframes[r->keyframe_count].offset = (uint64_t)e->pos;
        r->keyframes[r->keyframe_count++].time_ms = child_time_ms(st, e->timestamp);
    }
}

/* Read until every track has shown a packet. */
static void probe_first_packets(AVFormatContext *c)
{
    AVPacket *p = av_packet_alloc();
    bool seen[MF_STREAMS_MAX] = { false };
    unsigned missing = c->nb_streams < MF_STREAMS_MAX ? c->nb_streams : MF_STREAMS_MAX;

    for (unsigned n = 0; p != NULL && missing > 0 && n < PROBE_FIRST_PACKETS_MAX; n++) {
        if (av_read_frame(c, p) < 0)
            break;
        if (p->stream_index < MF_STREAMS_MAX && !seen[p->stream_index]) {
            seen[p->stream_index] = true;
            missing--;
        }
        av_packet_unref(p);
    }
}

static int probe_send(const struct cutter_probe_result *r)
{
    struct vs_buf b = { 0 };
    int err = cutter_result_encode(r, &b);

    return err < 0 ? err : child_send(CUTTER_RESULT, b.data, b.len);
}

static void probe_file(AVFormatContext *c, struct cutter_probe_result *r)
{
    bool matroska = strncmp(c->iformat->name, "matroska", 8) == 0;

    probe_container(c, &r->media);
    if (matroska) { /* its Cues are read at the first seek */
        probe_phase(CUTTER_PHASE_INDEX);
        av_seek_frame(c, -1, 0, AVSEEK_FLAG_BACKWARD);
    }
    probe_keyframes(c, r);
    probe_phase(CUTTER_PHASE_PROBE);
    if (avformat_find_stream_info(c, NULL) >= 0 && r->keyframe_count == 0)
        probe_keyframes(c, r);
    probe_first_packets(c);
    probe_streams(c, &r->media);
    if (c->duration > 0)
        r->media.duration_ms = (uint64_t)c->duration / (AV_TIME_BASE / 1000);
    if (c->bit_rate > 0)
        r->media.bitrate_bps = (uint64_t)c->bit_rate;
}

int cutter_child_probe(void)
{
    struct probe p = { 0 };
    struct cutter_probe_result r = { .keyframe_count = 0 };
    uint8_t size[8];
    AVIOContext *io = avio_alloc_context(av_malloc(CHILD_AVIO_BYTES), CHILD_AVIO_BYTES, 0, &p,
                                         probe_read, NULL, probe_seek);
    AVFormatContext *c = child_context(io);

    if (c == NULL || child_read(size, sizeof(size)) < 0) /* the parent's first word: file size */
        return -ENOMEM;
    for (unsigned i = 0; i < 8; i++)
        p.size |= (int64_t)((uint64_t)size[i] << (8 * i));
    probe_phase(CUTTER_PHASE_OPEN);
    if (avformat_open_input(&c, "", NULL, NULL) < 0)
        return probe_send(&r); /* no video: an answer, too */
    probe_file(c, &r);
    return probe_send(&r);
}
