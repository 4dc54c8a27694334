/* reg_coord: life and the thread; see the header and reg_coord_impl.h.
 *
 * Locks: c->lock guards what comes in; callbacks run without it. */
#include "meta/reg_coord.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/thread.h"
#include "meta/reg_coord_impl.h"
#include <stdlib.h>
#include <string.h>

void reg_coord_submit(struct reg_coord *c, struct meta_req *r)
{
    pthread_mutex_lock(&c->lock);
    VS_ASSERT(!c->is_stopping);
    vs_list_add_tail(&c->submitted, &r->link);
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

/* ---- the thread ---- */

/* When the oldest request ends that has an end. */
static int64_t coord_deadline_ns(const struct reg_coord *c)
{
    const struct vs_list *pos;

    for (pos = c->calls.next; pos != &c->calls; pos = pos->next) {
        const struct reg_call *call = vs_container_of(pos, struct reg_call, link);

        if (!call->is_expired)
            return call->deadline_ns;
    }
    return INT64_MAX;
}

static int64_t coord_wake_ns(const struct reg_coord *c)
{
    uint64_t wake_us = px_coord_wake_us(&c->coord);
    int64_t wake_ns = wake_us > INT64_MAX / 1000 ? INT64_MAX : (int64_t)wake_us * 1000;
    int64_t deadline_ns = coord_deadline_ns(c);

    return wake_ns < deadline_ns ? wake_ns : deadline_ns;
}

/* False: stopped, and nothing is left. */
static bool coord_take(struct reg_coord *c, struct vs_list *submitted, struct vs_list *returned)
{
    int64_t wake_ns = coord_wake_ns(c);
    bool is_more;

    pthread_mutex_lock(&c->lock);
    while (vs_list_empty(&c->submitted) && vs_list_empty(&c->returned) && !c->is_configured) {
        if (c->is_stopping && vs_list_empty(&c->calls) && c->frame_count == 0)
            break;
        if (!vs_cond_wait_until(&c->wake, &c->lock, wake_ns))
            break;
    }
    vs_list_splice_tail(submitted, &c->submitted);
    vs_list_splice_tail(returned, &c->returned);
    is_more = !c->is_stopping || !vs_list_empty(submitted) || !vs_list_empty(returned) ||
              !vs_list_empty(&c->calls) || c->frame_count > 0;
    pthread_mutex_unlock(&c->lock);
    return is_more;
}

static void coord_find_own(struct reg_coord *c)
{
    c->own = c->config.members;
    for (unsigned i = 0; i < c->config.members; i++)
        if (c->config.pid[i] == c->head.pid)
            c->own = i;
}

/* Answers to frames that are on their way are of the old epoch, and count for nothing. */
static void coord_take_config(struct reg_coord *c)
{
    bool is_new;

    pthread_mutex_lock(&c->lock);
    is_new = c->is_configured && c->next.epoch > c->head.epoch;
    c->is_configured = false;
    if (is_new) {
        c->head.epoch = c->config.epoch = c->next.epoch;
        c->config.members = c->next.members;
        memcpy(c->config.pid, c->next.pid, sizeof(c->config.pid));
    }
    pthread_mutex_unlock(&c->lock);
    if (!is_new)
        return;
    coord_find_own(c);
    px_coord_epoch(&c->coord, c->head.epoch, c->config.members, reg_now_us(c));
}

void reg_coord_configure(struct reg_coord *c, uint64_t epoch, unsigned members, const uint32_t *pid)
{
    VS_ASSERT(members >= 1 && members <= PX_ACCEPTORS_MAX);
    pthread_mutex_lock(&c->lock);
    c->next.epoch = epoch;
    c->next.members = members;
    memcpy(c->next.pid, pid, members * sizeof(pid[0]));
    c->is_configured = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

/* What may leave, leaves; what is done, ends; what waited for that, begins. */
static void coord_act(struct reg_coord *c)
{
    struct px_coord_op *done;
    unsigned n;
    bool again = true;

    while (again) {
        again = false;
        reg_calls_go_on(c);
        for (unsigned to = 0; to < c->config.members; to++)
            while ((n = px_coord_take(&c->coord, to, reg_now_us(c), c->ask, REG_SERVE_ASKS_MAX)) >
                   0)
                reg_frames_send(c, to, n);
        while ((done = px_coord_done(&c->coord)) != NULL) {
            reg_op_done(c, vs_container_of(done, struct reg_op, coord));
            again = !vs_list_empty(&c->waiting);
        }
    }
}

static void *coord_main(void *arg)
{
    struct vs_list submitted = VS_LIST_INIT(submitted), returned = VS_LIST_INIT(returned);
    struct reg_coord *c = arg;
    struct reg_frame *f;
    struct meta_req *r;

    pthread_setname_np(pthread_self(), "vs-registers");
    while (coord_take(c, &submitted, &returned)) {
        coord_take_config(c);
        while ((f = vs_list_first(&returned, struct reg_frame, link)) != NULL) {
            vs_list_del(&f->link);
            reg_frame_returned(c, f);
        }
        while ((r = vs_list_first(&submitted, struct meta_req, link)) != NULL) {
            vs_list_del(&r->link);
            reg_call_begin(c, r);
        }
        px_coord_tick(&c->coord, reg_now_us(c), vs_rand_u64(&c->rand));
        coord_act(c);
        reg_calls_expire(c);
    }
    return NULL;
}

/* ---- life ---- */

static void coord_free(struct reg_coord *c)
{
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c->memory);
    reg_fresh_close(&c->fresh);
    free(c);
}

static void coord_init(struct reg_coord *c, const struct reg_coord_config *config)
{
    const struct acceptor_identity *id = config->id;
    uint64_t seed;

    c->config = *config;
    c->head = (struct px_head){
        .cluster = id->cluster, .epoch = config->epoch, .pid = id->pid, .inc = id->inc
    };
    c->fresh = (struct reg_fresh){ .pid = (uint16_t)id->pid, .inc = id->inc };
    coord_find_own(c);
    vs_list_init(&c->calls);
    vs_list_init(&c->waiting);
    vs_list_init(&c->submitted);
    vs_list_init(&c->returned);
    vs_rand_system(&seed, sizeof(seed));
    vs_rand_init(&c->rand, seed);
    pthread_mutex_init(&c->lock, NULL); /* these cannot fail on Linux */
    vs_cond_init(&c->wake);
}

int reg_coord_new(struct reg_coord **ret, const struct reg_coord_config *config)
{
    struct px_proposer who = { .pid = config->id->pid,
                               .inc = config->id->inc,
                               .epoch = config->epoch,
                               .acceptors = config->members };
    struct reg_coord *c = calloc(1, sizeof(*c));
    int r = -ENOMEM;

    if (c == NULL)
        return r;
    coord_init(c, config);
    c->memory = calloc(PX_COORD_MEMORY(REG_COORD_OPS_MAX), sizeof(c->memory[0]));
    if (c->memory != NULL)
        r = px_coord_init(&c->coord, &who, c->memory, REG_COORD_OPS_MAX);
    if (r == 0 && c->own == config->members)
        r = -EINVAL;
    if (r == 0)
        r = vs_thread_start(&c->thread, coord_main, c);
    if (r < 0) {
        coord_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void reg_coord_stop(struct reg_coord *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->is_stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    coord_free(c);
}
