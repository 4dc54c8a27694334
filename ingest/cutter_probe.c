/* cutter_probe: one stored file, described by a child that reads it through us.
 *
 * What it reads is what players and scanners will read, so the ranges are kept: those read while
 * opening and for the index beyond the head are the index ranges, all of them the probe pack. Time
 * and bytes are limited; a child over a limit is told "end of file", or killed. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "ingest/cutter_impl.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_TIME_NS     (20 * VS_NS_PER_S)
#define PROBE_BYTES_MAX   (128u << 20)
#define PROBE_RANGES_MAX  4096        /* while recording; merged below MF_RANGES_MAX */
#define PROBE_HEAD_BYTES  (64u << 10) /* reads beginning below are the head, not the index */
#define PROBE_MERGE_BYTES (64u << 10) /* ranges nearer than this become one */

struct probe_ranges {
    struct mf_range at[PROBE_RANGES_MAX];
    unsigned count;
};

struct prober {
    struct cutter_child child;
    cutter_read_fn *read;
    void *arg;
    uint64_t file_bytes, served;
    int64_t deadline_ns;
    uint8_t phase;
    struct probe_ranges all, index;
    uint8_t data[CUTTER_READ_BYTES_MAX];
};

static int prober_wait(const struct prober *p, int fd, short events)
{
    int64_t left = p->deadline_ns - vs_now_ns(&vs_clock_system);
    struct pollfd pfd = { .fd = fd, .events = events };
    int n = left > 0 ? poll(&pfd, 1, (int)(left / VS_NS_PER_MS) + 1) : 0;

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

static int prober_receive(const struct prober *p, void *dst, size_t len)
{
    uint8_t *to = dst;

    while (len > 0) {
        int r = prober_wait(p, p->child.from_fd, POLLIN);
        ssize_t n;

        if (r < 0)
            return r;
        n = read(p->child.from_fd, to, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPIPE;
        to += n;
        len -= (size_t)n;
    }
    return 0;
}

static int prober_send(const struct prober *p, const void *src, size_t len)
{
    const uint8_t *from = src;

    while (len > 0) {
        int r = prober_wait(p, p->child.to_fd, POLLOUT);
        size_t part = len < 4096 ? len : 4096; /* fits when poll says so: never blocks */
        ssize_t n;

        if (r < 0)
            return r;
        n = write(p->child.to_fd, from, part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EPIPE;
        from += n;
        len -= (size_t)n;
    }
    return 0;
}

static void ranges_add(struct probe_ranges *s, uint64_t offset, uint64_t bytes)
{
    struct mf_range *last = s->count > 0 ? &s->at[s->count - 1] : NULL;

    if (last != NULL && offset >= last->offset && offset <= last->offset + last->bytes) {
        if (offset + bytes > last->offset + last->bytes)
            last->bytes = offset + bytes - last->offset;
    } else if (s->count < PROBE_RANGES_MAX) {
        s->at[s->count++] = (struct mf_range){ offset, bytes };
    }
}

static int range_cmp(const void *a, const void *b)
{
    const struct mf_range *x = a, *y = b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Sorted, merged, at most MF_RANGES_MAX; on the heap. */
static int ranges_take(struct probe_ranges *s, struct mf_range **ret, uint32_t *ret_count)
{
    struct mf_range *out = calloc(MF_RANGES_MAX, sizeof(*out));
    uint32_t n = 0;

    if (out == NULL)
        return -ENOMEM;
    qsort(s->at, s->count, sizeof(s->at[0]), range_cmp);
    for (unsigned i = 0; i < s->count; i++) {
        const struct mf_range *r = &s->at[i];
        struct mf_range *last = n > 0 ? &out[n - 1] : NULL;

        if (last != NULL && r->offset <= last->offset + last->bytes + PROBE_MERGE_BYTES) {
            if (r->offset + r->bytes > last->offset + last->bytes)
                last->bytes = r->offset + r->bytes - last->offset;
        } else if (n < MF_RANGES_MAX) {
            out[n++] = *r;
        }
    }
    *ret = out;
    *ret_count = n;
    return 0;
}

static int prober_read(struct prober *p, const uint8_t *bytes, size_t len)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    uint64_t offset = vs_rd_u64(&r);
    uint32_t want = vs_rd_u32(&r);
    uint8_t header[CUTTER_HEADER_BYTES];
    int64_t n = 0;
    int err = vs_rd_done(&r);

    if (err < 0 || want > CUTTER_READ_BYTES_MAX)
        return -VS_ECORRUPT;
    if (offset < p->file_bytes && p->served + want <= PROBE_BYTES_MAX)
        n = p->read(p->arg, offset, p->data, want);
    if (n < 0)
        return (int)n;
    p->served += (uint64_t)n;
    if (n > 0) {
        ranges_add(&p->all, offset, (uint64_t)n);
        if (p->phase != CUTTER_PHASE_PROBE && offset >= PROBE_HEAD_BYTES)
            ranges_add(&p->index, offset, (uint64_t)n);
    }
    cutter_header_encode(header, CUTTER_DATA, (uint32_t)n);
    err = prober_send(p, header, sizeof(header));
    return err < 0 ? err : prober_send(p, p->data, (size_t)n);
}

/* One message; 1 when it was the result. */
static int prober_step(struct prober *p, struct cutter_probe_result *ret)
{
    uint8_t header[CUTTER_HEADER_BYTES];
    VS_AUTO_FREE uint8_t *bytes = NULL;
    struct cutter_header h;
    int r = prober_receive(p, header, sizeof(header));

    if (r == 0)
        r = cutter_header_decode(header, &h);
    if (r < 0)
        return r;
    bytes = malloc(h.bytes + 1u);
    if (bytes == NULL)
        return -ENOMEM;
    r = prober_receive(p, bytes, h.bytes);
    if (r < 0)
        return r;
    if (h.type == CUTTER_READ)
        return prober_read(p, bytes, h.bytes);
    if (h.type == CUTTER_PHASE && h.bytes == 1) {
        p->phase = bytes[0];
        return 0;
    }
    if (h.type != CUTTER_RESULT)
        return -VS_ECORRUPT;
    r = cutter_result_decode(bytes, h.bytes, ret);
    return r < 0 ? r : 1;
}

static int prober_run(struct prober *p, struct cutter_probe_result *ret)
{
    uint8_t size[8];
    int r;

    for (unsigned i = 0; i < 8; i++)
        size[i] = (uint8_t)(p->file_bytes >> (8 * i));
    r = prober_send(p, size, sizeof(size));
    while (r == 0)
        r = prober_step(p, ret);
    return r < 0 ? r : 0;
}

/* What we saw being read counts; whatever ranges the child claimed do not. */
static int prober_ranges(struct prober *p, struct mf_media *m)
{
    int r;

    free(m->index_ranges);
    free(m->probe_pack);
    free(m->chunk_start_ms);
    m->index_ranges = m->probe_pack = NULL;
    m->chunk_start_ms = NULL;
    m->index_range_count = m->probe_pack_count = m->chunk_start_count = 0;
    if (m->container[0] == '\0')
        return 0;
    r = ranges_take(&p->all, &m->probe_pack, &m->probe_pack_count);
    if (r == 0)
        r = ranges_take(&p->index, &m->index_ranges, &m->index_range_count);
    return r;
}

int cutter_probe(struct cutter *c, uint64_t file_bytes, const char *name, size_t name_len,
                 cutter_read_fn *read, void *arg, struct cutter_probe_result *ret)
{
    struct prober *p = calloc(1, sizeof(*p));
    int r;

    (void)name;
    (void)name_len;
    *ret = (struct cutter_probe_result){ .keyframe_count = 0 };
    if (p == NULL)
        return -ENOMEM;
    p->read = read;
    p->arg = arg;
    p->file_bytes = file_bytes;
    p->deadline_ns = vs_now_ns(&vs_clock_system) + PROBE_TIME_NS;
    r = cutter_child_spawn(c, NULL, &p->child);
    if (r == 0)
        r = prober_run(p, ret);
    if (r == 0)
        r = prober_ranges(p, &ret->media);
    cutter_child_end(&p->child);
    free(p);
    if (r < 0)
        cutter_probe_result_close(ret);
    return r;
}
