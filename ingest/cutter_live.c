/* cutter_live: streams on their way through children, moved by one thread with poll(2).
 *
 * A writer's bytes are copied into a bounded queue and never wait; the thread feeds them to the
 * child's pipe and reads its messages. A child that sends nonsense, dies, or takes no byte for
 * LIVE_STALL_NS while some are waiting is killed: fn is told once that no more will come. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "ingest/box_scan.h"
#include "ingest/cut_plan.h"
#include "ingest/cutter_impl.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#define LIVE_STALL_NS    (10 * VS_NS_PER_S)
#define LIVE_BLOCK_BYTES (1u << 20)
#define LIVE_INPUT_BYTES 65536

struct live_block {
    struct vs_list link;
    size_t len, sent;
    uint8_t bytes[LIVE_BLOCK_BYTES];
};

struct cutter_live {
    struct cutter *cutter;
    cutter_keyframe_fn *fn;
    void *arg;
    pthread_mutex_t call; /* held while fn runs; cutter_live_free waits for it */
    bool silent;          /* under call: fn is not to be called any more */
    /* under cutter->lock */
    struct vs_list link;
    struct cutter_child child;
    struct vs_list blocks;
    size_t queued;
    bool ended, over, freed;
    /* the thread's own */
    int64_t moved_ns; /* when the child last took or gave something */
    uint8_t input[LIVE_INPUT_BYTES];
    size_t input_len;
    uint64_t last_offset;
    bool any;
};

/* ---- the writer's side ---- */

static int live_nonblocking(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int cutter_live_open(struct cutter_live **ret, struct cutter *c, const void *head, size_t head_len,
                     const char *name, size_t name_len, cutter_keyframe_fn *fn, void *arg)
{
    const char *format = box_scan_live_format(head, head_len);
    struct cutter_live *l;
    int r;

    (void)name; /* names say little about contents */
    (void)name_len;
    if (format == NULL)
        return -ENOTSUP;
    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return -ENOMEM;
    l->cutter = c;
    l->fn = fn;
    l->arg = arg;
    l->moved_ns = vs_now_ns(&vs_clock_system);
    vs_list_init(&l->blocks);
    vs_list_init(&l->link);
    pthread_mutex_init(&l->call, NULL);
    r = cutter_child_spawn(c, format, &l->child);
    if (r == 0)
        r = live_nonblocking(l->child.to_fd);
    if (r == 0)
        r = live_nonblocking(l->child.from_fd);
    if (r == 0) {
        VS_LOCK_SCOPE(&c->lock);
        if (c->live_count == CUTTER_LIVE_MAX || c->stopping) {
            r = -EAGAIN;
        } else {
            c->live_count++;
            vs_list_add_tail(&c->lives, &l->link);
        }
    }
    if (r < 0) {
        cutter_child_end(&l->child);
        pthread_mutex_destroy(&l->call);
        free(l);
        return r;
    }
    cutter_wake(c);
    *ret = l;
    return 0;
}

/* under cutter->lock */
static int live_queue(struct cutter_live *l, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        struct live_block *b = vs_list_empty(&l->blocks)
                                   ? NULL
                                   : vs_container_of(l->blocks.prev, struct live_block, link);
        size_t n;

        if (b == NULL || b->len == LIVE_BLOCK_BYTES) {
            b = malloc(sizeof(*b));
            if (b == NULL)
                return -EAGAIN;
            b->len = b->sent = 0;
            vs_list_add_tail(&l->blocks, &b->link);
        }
        n = LIVE_BLOCK_BYTES - b->len < len ? LIVE_BLOCK_BYTES - b->len : len;
        memcpy(b->bytes + b->len, bytes, n);
        b->len += n;
        l->queued += n;
        bytes += n;
        len -= n;
    }
    return 0;
}

int cutter_live_feed(struct cutter_live *l, const void *bytes, size_t len)
{
    int r;

    {
        VS_LOCK_SCOPE(&l->cutter->lock);
        if (l->over)
            return -EPIPE;
        if (l->queued + len > CUTTER_LIVE_LAG_BYTES_MAX)
            return -EAGAIN;
        r = live_queue(l, bytes, len);
    }
    cutter_wake(l->cutter);
    return r;
}

void cutter_live_end(struct cutter_live *l)
{
    {
        VS_LOCK_SCOPE(&l->cutter->lock);
        l->ended = true;
    }
    cutter_wake(l->cutter);
}

void cutter_live_free(struct cutter_live *l)
{
    if (l == NULL)
        return;
    {
        VS_LOCK_SCOPE(&l->call);
        l->silent = true;
    }
    struct cutter *c = l->cutter;
    {
        VS_LOCK_SCOPE(&c->lock);
        l->freed = true; /* the thread frees it */
    }
    cutter_wake(c);
}

/* ---- the thread's side ---- */

static void live_report(struct cutter_live *l, uint64_t offset, uint32_t time_ms, uint64_t parsed)
{
    VS_LOCK_SCOPE(&l->call);
    if (!l->silent)
        l->fn(l->arg, offset, time_ms, parsed);
    if (offset == UINT64_MAX)
        l->silent = true;
}

/* The child is of no more use: end it, say so once. */
static void live_over(struct cutter_live *l, const char *why)
{
    struct cutter_child child;

    {
        VS_LOCK_SCOPE(&l->cutter->lock);
        child = l->child;
        l->child = (struct cutter_child){ .pid = 0 };
        l->over = true;
        while (!vs_list_empty(&l->blocks)) {
            struct live_block *b = vs_list_first(&l->blocks, struct live_block, link);

            vs_list_del(&b->link);
            free(b);
        }
        l->queued = 0;
    }
    cutter_child_end(&child);
    if (why != NULL)
        vs_warn("cutter: %s -> the rest of this file is cut by size", why);
    live_report(l, UINT64_MAX, UINT32_MAX, UINT64_MAX);
}

static int live_message(struct cutter_live *l, const struct cutter_header *h, const uint8_t *bytes)
{
    struct cutter_keyframe_message m;

    if (h->type != CUTTER_KEYFRAME || cutter_keyframe_decode(bytes, h->bytes, &m) < 0 ||
        m.parsed == UINT64_MAX)
        return -VS_ECORRUPT;
    if (m.offset != UINT64_MAX) {
        if (l->any && m.offset <= l->last_offset)
            return -VS_ECORRUPT;
        l->any = true;
        l->last_offset = m.offset;
    }
    live_report(l, m.offset != UINT64_MAX ? m.offset : CUT_NO_KEYFRAME, m.time_ms, m.parsed);
    return 0;
}

/* Whole messages in the input buffer; what is left stays. */
static int live_parse(struct cutter_live *l)
{
    size_t at = 0;

    for (;;) {
        struct cutter_header h;
        int r;

        if (l->input_len - at < CUTTER_HEADER_BYTES)
            break;
        r = cutter_header_decode(l->input + at, &h);
        if (r < 0 || h.bytes > 256)
            return -VS_ECORRUPT;
        if (l->input_len - at < CUTTER_HEADER_BYTES + h.bytes)
            break;
        r = live_message(l, &h, l->input + at + CUTTER_HEADER_BYTES);
        if (r < 0)
            return r;
        at += CUTTER_HEADER_BYTES + h.bytes;
    }
    memmove(l->input, l->input + at, l->input_len - at);
    l->input_len -= at;
    return 0;
}

/* 1 the child ended, 0 go on, negative nonsense. */
static int live_receive(struct cutter_live *l)
{
    ssize_t n = read(l->child.from_fd, l->input + l->input_len, sizeof(l->input) - l->input_len);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return 1;
    l->input_len += (size_t)n;
    l->moved_ns = vs_now_ns(&vs_clock_system);
    return live_parse(l);
}

/* Feed what fits into the pipe. Only this thread takes blocks off, so a block is stable while it is
 * written without the lock. */
static int live_transmit(struct cutter_live *l)
{
    for (;;) {
        struct live_block *b;
        size_t from, to;
        ssize_t n;

        {
            VS_LOCK_SCOPE(&l->cutter->lock);
            b = vs_list_first(&l->blocks, struct live_block, link);
            if (b == NULL)
                return 0;
            from = b->sent;
            to = b->len;
            if (from == to)
                return 0; /* the newest block: all there is has been sent */
        }
        n = write(l->child.to_fd, b->bytes + from, to - from);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        l->moved_ns = vs_now_ns(&vs_clock_system);
        VS_LOCK_SCOPE(&l->cutter->lock);
        b->sent += (size_t)n;
        l->queued -= (size_t)n;
        if (b->sent < LIVE_BLOCK_BYTES && (b->sent < b->len || b->link.next == &l->blocks))
            continue; /* more to send, or the writer may still add to it */
        vs_list_del(&b->link);
        free(b);
    }
}

static void live_close_input(struct cutter_live *l)
{
    close(l->child.to_fd);
    l->child.to_fd = -1;
}

/* Whether unsent bytes wait; and once none do and the writer ended, close the child's input. */
static bool live_wants_write(struct cutter_live *l, bool *ret_end)
{
    struct live_block *b;

    VS_LOCK_SCOPE(&l->cutter->lock);
    b = vs_list_first(&l->blocks, struct live_block, link);
    *ret_end = l->ended && l->queued == 0;
    return b != NULL && l->queued > 0;
}

static void live_step(struct cutter_live *l, short events_in, short events_out)
{
    int64_t now = vs_now_ns(&vs_clock_system);
    bool end, waiting = live_wants_write(l, &end);
    int r = 0;

    if (l->child.pid == 0)
        return;
    if ((events_out & (POLLOUT | POLLERR)) != 0 && waiting && l->child.to_fd >= 0) {
        r = live_transmit(l);
        waiting = live_wants_write(l, &end);
    }
    if (end && l->child.to_fd >= 0)
        live_close_input(l);
    if (r == 0 && (events_in & (POLLIN | POLLHUP)) != 0)
        r = live_receive(l);
    if (r == 1)
        live_over(l, NULL);
    else if (r < 0)
        live_over(l, r == -EPIPE ? "the parser ended early" : "the parser sent nonsense");
    else if ((waiting || end) && now - l->moved_ns > LIVE_STALL_NS)
        live_over(l, "the parser hangs");
    else if (!waiting && !end)
        l->moved_ns = now; /* it has nothing to do: idle is no stall */
}

/* Free what was freed; list the others. */
static unsigned live_collect(struct cutter *c, struct cutter_live *lives[CUTTER_LIVE_MAX])
{
    struct vs_list gone = VS_LIST_INIT(gone), *pos, *tmp;
    unsigned n = 0;

    {
        VS_LOCK_SCOPE(&c->lock);
        vs_list_for_each (pos, tmp, &c->lives) {
            struct cutter_live *l = vs_container_of(pos, struct cutter_live, link);

            if (l->freed) {
                vs_list_del(&l->link);
                vs_list_add_tail(&gone, &l->link);
                c->live_count--;
            } else {
                lives[n++] = l;
            }
        }
    }
    while (!vs_list_empty(&gone)) {
        struct cutter_live *l = vs_list_first(&gone, struct cutter_live, link);

        vs_list_del(&l->link);
        live_over(l, NULL);
        pthread_mutex_destroy(&l->call);
        free(l);
    }
    return n;
}

static void live_poll(struct cutter *c, struct cutter_live **lives, unsigned n)
{
    struct pollfd fds[1 + 2 * CUTTER_LIVE_MAX];
    uint64_t count;
    bool end;

    fds[0] = (struct pollfd){ .fd = c->wake_fd, .events = POLLIN };
    for (unsigned i = 0; i < n; i++) {
        bool up = lives[i]->child.pid != 0, write_it = up && live_wants_write(lives[i], &end);

        fds[1 + 2 * i] =
            (struct pollfd){ .fd = up ? lives[i]->child.from_fd : -1, .events = POLLIN };
        fds[2 + 2 * i] =
            (struct pollfd){ .fd = write_it ? lives[i]->child.to_fd : -1, .events = POLLOUT };
    }
    if (poll(fds, 1 + 2 * n, n > 0 ? 1000 : -1) < 0)
        return; /* EINTR */
    if ((fds[0].revents & POLLIN) != 0 && read(c->wake_fd, &count, sizeof(count)) < 0)
        VS_ASSERT(errno == EAGAIN);
    for (unsigned i = 0; i < n; i++)
        live_step(lives[i], fds[1 + 2 * i].revents, fds[2 + 2 * i].revents);
}

void *cutter_live_thread(void *arg)
{
    struct cutter *c = arg;
    struct cutter_live *lives[CUTTER_LIVE_MAX];

    for (;;) {
        unsigned n = live_collect(c, lives);
        bool stop;

        {
            VS_LOCK_SCOPE(&c->lock);
            stop = c->stopping && vs_list_empty(&c->lives);
        }
        if (stop)
            return NULL;
        live_poll(c, lives, n);
    }
}
