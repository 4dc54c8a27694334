/* cutter_child: main of the child process: drop what it does not need, then parse. */
#include "ingest/cutter_child.h"
#include "common/err.h"
#include <libavutil/log.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHILD_MEMORY_BYTES (UINT64_C(1) << 30)
#define CHILD_CPU_S        3600

int child_read(void *dst, size_t len)
{
    uint8_t *to = dst;

    while (len > 0) {
        ssize_t n = read(CUTTER_FD_IN, to, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPIPE;
        to += n;
        len -= (size_t)n;
    }
    return 0;
}

static int child_write(const void *src, size_t len)
{
    const uint8_t *from = src;

    while (len > 0) {
        ssize_t n = write(CUTTER_FD_OUT, from, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPIPE;
        from += n;
        len -= (size_t)n;
    }
    return 0;
}

int child_send(uint8_t type, const void *payload, size_t len)
{
    uint8_t header[CUTTER_HEADER_BYTES];
    int r;

    cutter_header_encode(header, type, (uint32_t)len);
    r = child_write(header, sizeof(header));
    return r < 0 ? r : child_write(payload, len);
}

/* A container may name other files (playlists, concat scripts): none is opened. */
static int child_refuse_open(AVFormatContext *c, AVIOContext **io, const char *url, int flags,
                             AVDictionary **options)
{
    (void)c;
    (void)io;
    (void)url;
    (void)flags;
    (void)options;
    return AVERROR(EACCES);
}

AVFormatContext *child_context(AVIOContext *io)
{
    AVFormatContext *c = avformat_alloc_context();

    if (c == NULL || io == NULL)
        return NULL;
    c->pb = io;
    c->io_open = child_refuse_open;
    c->flags |= AVFMT_FLAG_CUSTOM_IO;
    c->protocol_whitelist = av_strdup("none");
    c->format_whitelist =
        av_strdup("matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,flv,ogg,mpeg,mpegts,asf");
    return c;
}

uint32_t child_time_ms(const AVStream *st, int64_t ts)
{
    int64_t ms;

    if (ts == AV_NOPTS_VALUE)
        return UINT32_MAX;
    if (st->start_time != AV_NOPTS_VALUE)
        ts -= st->start_time;
    ms = av_rescale_q(ts, st->time_base, (AVRational){ 1, 1000 });
    if (ms < 0)
        ms = 0;
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX - 1;
}

int child_video_stream(const AVFormatContext *c)
{
    for (unsigned i = 0; i < c->nb_streams; i++)
        if (c->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
            (c->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC) == 0)
            return (int)i;
    return -1;
}

/* Nothing is inherited but the two pipes; no core, no files, bounded memory and time. When the
 * parent dies, its pipe ends close, and so does this process. */
static void child_confine(void)
{
    struct rlimit none = { 0, 0 }, memory = { CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES },
                  cpu = { CHILD_CPU_S, CHILD_CPU_S };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    close_range(CUTTER_FD_OUT + 1, ~0u, 0);
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_FSIZE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    setrlimit(RLIMIT_AS, &memory); /* sanitizers reserve terabytes of address space */
#else
    (void)memory;
#endif
    setrlimit(RLIMIT_CPU, &cpu);
}

int cutter_child_main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_DFL);
    child_confine();
    av_log_set_level(AV_LOG_QUIET);
    if (argc == 3 && strcmp(argv[1], "live") == 0)
        return cutter_child_live(argv[2]) < 0 ? 1 : 0;
    if (argc == 2 && strcmp(argv[1], "probe") == 0)
        return cutter_child_probe() < 0 ? 1 : 0;
    return 2;
}
