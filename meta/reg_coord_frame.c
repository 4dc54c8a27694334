/* Frames of the coordinator: asks leave, answers come back. What cannot leave is lost, which the
 * protocol bears: its operations ask again. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/px_msg.h"
#include "meta/reg_coord_impl.h"
#include <stdlib.h>

/* Of an answer without its value; and of a frame. */
#define ANSWER_BYTES     256
#define ANSWER_MAX_BYTES (64u << 10)

static void frame_back(struct reg_frame *f)
{
    struct reg_coord *c = f->coord;

    pthread_mutex_lock(&c->lock);
    vs_list_add_tail(&c->returned, &f->link);
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

static void frame_link_done(struct px_link_ask *a)
{
    frame_back(vs_container_of(a, struct reg_frame, ask));
}

static void frame_mine_done(struct meta_replica_frame *m)
{
    frame_back(vs_container_of(m, struct reg_frame, mine));
}

static void frame_free(struct reg_frame *f)
{
    vs_buf_close(&f->bytes);
    vs_buf_close(&f->ask.answer);
    vs_buf_close(&f->mine.answer);
    free(f);
}

static struct reg_frame *frame_new(struct reg_coord *c, unsigned to)
{
    struct reg_frame *f = NULL;

    if (c->frames[to] < REG_COORD_FRAMES_MAX)
        f = calloc(1, sizeof(*f));
    if (f != NULL) {
        f->coord = c;
        f->to = to;
    }
    return f;
}

static void own_count(struct reg_coord *c, const void *bytes, size_t len)
{
    if (c->config.count != NULL)
        px_count_frames(c->config.count, PX_COUNT_OWN, bytes, len);
}

static void frame_leave(struct reg_coord *c, struct reg_frame *f, size_t answer_max)
{
    c->frames[f->to]++;
    c->frame_count++;
    if (f->to == c->own) {
        own_count(c, f->bytes.data, f->bytes.len);
        f->mine = (struct meta_replica_frame){ .from = c->head.pid,
                                               .bytes = f->bytes.data,
                                               .len = f->bytes.len,
                                               .done = frame_mine_done };
        reg_serve_frame(c->config.serve, &f->mine);
        return;
    }
    f->ask = (struct px_link_ask){ .kind = PX_LINK_FRAME,
                                   .bytes = f->bytes.data,
                                   .len = f->bytes.len,
                                   .answer_max = answer_max,
                                   .timeout_ms = REG_COORD_ASK_MS,
                                   .done = frame_link_done };
    px_link_ask(c->config.link, c->config.pid[f->to], &f->ask);
}

/* As many of the asks as one frame takes; how many. 0: none, they are lost. */
static unsigned frame_fill(struct reg_coord *c, struct reg_frame *f, const struct px_ask *asks,
                           unsigned count, size_t *ret_answer_max)
{
    struct px_msg_out out;
    unsigned n = 0;
    int r = px_msg_begin_asks(&out, &f->bytes, &c->head);

    *ret_answer_max = ANSWER_MAX_BYTES;
    if (r < 0)
        return 0;
    while (n < count && (r = px_msg_add_ask(&out, &asks[n])) == 0) {
        bool has_value = asks[n].phase == PX_PREPARE || asks[n].phase == PX_READ;

        *ret_answer_max += ANSWER_BYTES + (has_value ? PX_VALUE_BYTES_MAX : 0);
        n++;
    }
    VS_ASSERT(r != -EINVAL);
    if (px_msg_end(&out) < 0)
        return 0;
    return n;
}

void reg_frames_send(struct reg_coord *c, unsigned to, unsigned count)
{
    for (unsigned sent = 0, n; sent < count; sent += n) {
        struct reg_frame *f = frame_new(c, to);
        size_t answer_max;

        n = f != NULL ? frame_fill(c, f, c->ask + sent, count - sent, &answer_max) : 0;
        if (n == 0) {
            if (f != NULL)
                frame_free(f);
            px_coord_returned(&c->coord, to);
            return;
        }
        f->is_last = sent + n == count;
        frame_leave(c, f, answer_max);
    }
}

/* The answers of one frame; false: it is none. */
static bool answers_take(struct reg_coord *c, const struct reg_frame *f, const uint8_t *bytes,
                         size_t len)
{
    struct px_answer answer;
    struct px_msg_in in;

    if (px_msg_open(bytes, len, &in) < 0 || in.kind != PX_FRAME_ANSWERS ||
        in.head.pid != c->config.pid[f->to] || vs_id_cmp(&in.head.cluster, &c->head.cluster) != 0)
        return false;
    while (px_msg_next_answer(&in, &answer))
        px_coord_answer(&c->coord, f->to, &in.head, &answer, reg_now_us(c), vs_rand_u64(&c->rand));
    return true;
}

void reg_frame_returned(struct reg_coord *c, struct reg_frame *f)
{
    bool is_mine = f->mine.bytes != NULL; /* own acceptor, whatever its number is now */
    const struct vs_buf *b = is_mine ? &f->mine.answer : &f->ask.answer;
    int status = is_mine ? f->mine.status : f->ask.status;
    size_t at = 0;

    if (is_mine && status == 0)
        own_count(c, b->data, b->len);
    while (status == 0 && at < b->len) {
        int len = px_frame_length(b->data + at, b->len - at);

        if (len <= 0 || (size_t)len > b->len - at || !answers_take(c, f, b->data + at, (size_t)len))
            break;
        at += (size_t)len;
    }
    c->frames[f->to]--;
    c->frame_count--;
    if (f->is_last)
        px_coord_returned(&c->coord, f->to);
    frame_free(f);
}
