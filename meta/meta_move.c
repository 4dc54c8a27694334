/* meta_move: the steps of a replica that is there already; see the header. */
#include "meta/meta_move.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/meta_move_impl.h"
#include "meta/ns_read.h"
#include "meta/px_wait.h"
#include <stdlib.h>
#include <string.h>

#define MOVE_THREADS 2 /* one may wait for another replica */

struct acceptor_members move_now(struct meta_move *mv)
{
    struct acceptor_members now;

    pthread_mutex_lock(&mv->lock);
    now = mv->now;
    pthread_mutex_unlock(&mv->lock);
    return now;
}

bool meta_move_votes(struct meta_move *mv)
{
    return move_now(mv).stand == ACCEPTOR_VOTES;
}

static void move_pids(const struct member_set *set, uint32_t pid[MEMBER_SET_MAX])
{
    for (unsigned i = 0; i < set->count; i++)
        pid[i] = set->member[i].pid;
}

static void move_learn_urls(struct meta_move *mv, const struct member_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->member[i].url[0] != '\0' && set->member[i].pid != mv->config.pid)
            px_link_learn(mv->config.link, set->member[i].pid, set->member[i].url);
}

/* ---- durable ---- */

struct move_store {
    struct acceptor_job job;
    struct meta_move *mv;
    struct acceptor_members next;
    bool is_done; /* under mv->lock */
    int err;
};

static int store_fill(struct acceptor_job *job, struct acceptor_store *store)
{
    struct move_store *s = vs_container_of(job, struct move_store, job);
    const struct member_set *set = &s->next.set;
    uint32_t pid[MEMBER_SET_MAX];
    int r = acceptor_members_put(store, &s->next);

    move_pids(set, pid);
    if (r == 0)
        reg_serve_configure(s->mv->config.serve, set->epoch, s->next.stand == ACCEPTOR_VOTES,
                            set->count, pid);
    return r;
}

static void store_done(struct acceptor_job *job, int err)
{
    struct move_store *s = vs_container_of(job, struct move_store, job);
    struct meta_move *mv = s->mv;

    pthread_mutex_lock(&mv->lock);
    s->err = err;
    s->is_done = true;
    if (err == 0)
        mv->now = s->next;
    pthread_cond_broadcast(&mv->stored);
    pthread_mutex_unlock(&mv->lock);
}

/* On the disk, and for the registers, in effect. */
static int move_store(struct meta_move *mv, const struct acceptor_members *next)
{
    struct move_store s = { .job = { .fill = store_fill, .done = store_done },
                            .mv = mv,
                            .next = *next };

    acceptor_writer_submit(mv->config.writer, &s.job);
    pthread_mutex_lock(&mv->lock);
    while (!s.is_done)
        pthread_cond_wait(&mv->stored, &mv->lock);
    pthread_mutex_unlock(&mv->lock);
    return s.err;
}

/* ---- steps ---- */

static void move_poll_soon(struct meta_move *mv, int64_t ns)
{
    pthread_mutex_lock(&mv->lock);
    if (!mv->is_quit && !mv->is_polling) {
        mv->is_polling = true;
        vs_exec_after(mv->exec, &mv->poll, ns);
    }
    pthread_mutex_unlock(&mv->lock);
}

static void move_tell_soon(struct meta_move *mv)
{
    pthread_mutex_lock(&mv->lock);
    if (!mv->is_quit && !mv->is_telling && mv->now.stand == ACCEPTOR_VOTES &&
        mv->now.set.epoch > 1) {
        mv->is_telling = true;
        vs_exec_after(mv->exec, &mv->tell, META_MOVE_TELL_NS);
    }
    pthread_mutex_unlock(&mv->lock);
}

int move_leave(struct meta_move *mv, const struct member_set *set)
{
    struct acceptor_members now, next = { .stand = ACCEPTOR_LEFT, .set = *set };
    uint32_t pid[MEMBER_SET_MAX];
    int r = 0;

    pthread_mutex_lock(&mv->steps);
    now = move_now(mv);
    if (set->epoch <= now.set.epoch) {
        r = member_set_same(set, &now.set) ? 0 : -ESTALE;
        pthread_mutex_unlock(&mv->steps);
        return r;
    }
    next.whole = now.stand == ACCEPTOR_VOTES && set->epoch == now.set.epoch + 1;
    move_pids(set, pid);
    /* First the journal stops: what it accepted is with the writer already, ahead of this. */
    journal_member_configure(mv->config.journal, set->epoch, set->count, pid, false);
    r = move_store(mv, &next);
    if (r == 0) {
        vs_info("metadata: this replica has left epoch %llu -> it votes again when epoch %llu is "
                "open",
                (unsigned long long)now.set.epoch, (unsigned long long)set->epoch);
        move_learn_urls(mv, set);
    }
    pthread_mutex_unlock(&mv->steps);
    move_poll_soon(mv, META_MOVE_POLL_NS);
    return r;
}

static void move_vote(struct meta_move *mv, const struct member_set *set, uint32_t begin)
{
    struct acceptor_members next = { .stand = ACCEPTOR_VOTES, .begin = begin, .set = *set };
    uint32_t pid[MEMBER_SET_MAX];
    struct acceptor_members now;

    pthread_mutex_lock(&mv->steps);
    now = move_now(mv);
    if (now.stand == ACCEPTOR_LEFT && now.set.epoch == set->epoch && move_store(mv, &next) == 0) {
        move_pids(set, pid);
        reg_coord_configure(mv->config.coord, set->epoch, set->count, pid);
        journal_member_configure(mv->config.journal, set->epoch, set->count, pid, true);
        mv->config.moved(mv->config.arg, set);
        acceptor_mark_drop(mv->config.store); /* of the epoch before */
        vs_info("metadata: epoch %llu is open -> this replica votes in it",
                (unsigned long long)set->epoch);
    }
    pthread_mutex_unlock(&mv->steps);
    move_tell_soon(mv);
}

static void move_left_out(struct meta_move *mv, const struct member_set *set)
{
    bool is_first;

    pthread_mutex_lock(&mv->lock);
    is_first = !mv->is_left_out;
    mv->is_left_out = true;
    pthread_mutex_unlock(&mv->lock);
    if (is_first && member_set_find(set, mv->config.pid) >= 0) {
        vs_info("metadata: epoch %llu was opened without this replica -> it takes what the others "
                "have, and votes again",
                (unsigned long long)set->epoch);
        mv->config.late(mv->config.arg);
    } else if (is_first) {
        vs_error("metadata: the replicas went on without replica %u (epoch %llu), so it must not "
                 "vote any more -> stop it; a new one takes its place with: vstack-meta --id NEW "
                 "--replace LOST --data EMPTY_DIRECTORY --listen HOST:PORT --peers ID=URL,...",
                 mv->config.pid, (unsigned long long)set->epoch);
    }
}

/* ---- asking the others ---- */

static int ask_who(struct meta_move *mv, uint32_t to, struct px_move *ret, struct member_set *set)
{
    struct px_move who = { .kind = PX_MOVE_WHO };
    struct px_head head = move_head(mv, 0);
    struct vs_buf frame = { 0 }, answer = { 0 };
    struct px_move_out out;
    struct px_move_in in;
    int r = px_move_begin(&out, &frame, &head, &who);

    if (r == 0)
        r = px_move_end(&out, false);
    if (r == 0)
        r = px_wait_ask(mv->config.link, to, &frame, PX_FRAME_BYTES_MAX, META_MOVE_ASK_MS, &answer);
    if (r == 0)
        r = px_move_open(answer.data, answer.len, &in);
    if (r == 0 && (in.move.kind != PX_MOVE_STATE || in.head.pid != to))
        r = -VS_ECORRUPT;
    if (r == 0)
        r = member_set_decode(in.move.config, in.move.config_len, set);
    if (r == 0)
        *ret = in.move; /* of which config is not looked at */
    vs_buf_close(&frame);
    vs_buf_close(&answer);
    return r;
}

/* What another one says. True: there is nothing more to wait for. */
static bool move_consider(struct meta_move *mv, const struct px_move *state,
                          const struct member_set *set)
{
    struct acceptor_members now = move_now(mv);
    int own = member_set_find(set, mv->config.pid);

    if (set->epoch > now.set.epoch) {
        (void)move_leave(mv, set);
        return false;
    }
    if (now.stand != ACCEPTOR_LEFT)
        return true;
    if (set->epoch < now.set.epoch || !state->whole)
        return false;
    if (own >= 0 && (state->members >> own & 1) != 0 && now.whole)
        move_vote(mv, set, state->members);
    else
        move_left_out(mv, set);
    return true;
}

static void poll_job(struct vs_job *job)
{
    struct meta_move *mv = vs_container_of(job, struct meta_move, poll);
    struct acceptor_members now = move_now(mv);
    bool is_over = now.stand != ACCEPTOR_LEFT, is_quit = false;
    struct member_set set;
    struct px_move state;

    for (unsigned i = 0; i < now.set.count && !is_over && !is_quit; i++) {
        uint32_t pid = now.set.member[i].pid;

        if (pid != mv->config.pid && ask_who(mv, pid, &state, &set) == 0)
            is_over = move_consider(mv, &state, &set);
        pthread_mutex_lock(&mv->lock);
        is_quit = mv->is_quit;
        pthread_mutex_unlock(&mv->lock);
    }
    pthread_mutex_lock(&mv->lock);
    mv->is_polling = false;
    pthread_mutex_unlock(&mv->lock);
    if (!is_over)
        move_poll_soon(mv, META_MOVE_POLL_NS);
}

static void learn_job(struct vs_job *job)
{
    struct meta_move *mv = vs_container_of(job, struct meta_move, learn);
    struct member_set set;
    struct px_move state;
    uint32_t from;

    pthread_mutex_lock(&mv->lock);
    from = mv->learn_from;
    pthread_mutex_unlock(&mv->lock);
    if (ask_who(mv, from, &state, &set) == 0)
        (void)move_consider(mv, &state, &set);
    pthread_mutex_lock(&mv->lock);
    mv->is_learning = false;
    pthread_mutex_unlock(&mv->lock);
}

void meta_move_heard(struct meta_move *mv, uint64_t epoch, uint32_t from)
{
    pthread_mutex_lock(&mv->lock);
    if (!mv->is_quit && !mv->is_learning && epoch > mv->now.set.epoch) {
        mv->is_learning = true;
        mv->learn_from = from;
        vs_exec_submit(mv->exec, &mv->learn);
    }
    pthread_mutex_unlock(&mv->lock);
}

/* ---- the journal is to know that the epoch is open ---- */

struct move_told {
    struct meta_req req;
    struct meta_move *mv;
    struct ns_entry entry;
    struct vs_buf bytes;
};

static void told_done(struct meta_req *r)
{
    struct move_told *t = vs_container_of(r, struct move_told, req);
    struct meta_move *mv = t->mv;

    vs_buf_close(&t->bytes);
    free(t);
    pthread_mutex_lock(&mv->lock);
    mv->is_telling = false;
    pthread_mutex_unlock(&mv->lock);
    move_tell_soon(mv); /* looks again whether it is known */
}

static void tell_submit(struct meta_move *mv, const struct member_set *set)
{
    struct move_told *t = calloc(1, sizeof(*t));
    int64_t now_ns = vs_real_ns(mv->config.clock);

    if (t == NULL || member_set_encode(set, &t->bytes) < 0) {
        free(t);
        return;
    }
    t->mv = mv;
    t->entry = (struct ns_entry){ .kind = NS_E_MEMBERS,
                                  .now = { now_ns / VS_NS_PER_S, (uint32_t)(now_ns % VS_NS_PER_S) },
                                  .flags = NS_MEMBERS_OPEN,
                                  .value = t->bytes.data,
                                  .value_len = t->bytes.len };
    t->req = (struct meta_req){ .op = META_CHANGE, .entry = &t->entry, .done = told_done };
    journal_member_change(mv->config.journal, &t->req);
}

static void tell_job(struct vs_job *job)
{
    struct meta_move *mv = vs_container_of(job, struct meta_move, tell);
    struct acceptor_members now = move_now(mv);
    struct ns_members known;
    bool is_known = ns_read_members(mv->config.ns, &known) == 0 && known.is_open &&
                    known.set.epoch >= now.set.epoch;

    if (!is_known && journal_member_leader(mv->config.journal) == mv->config.pid) {
        pthread_mutex_lock(&mv->lock);
        if (mv->is_quit)
            is_known = true;
        else
            tell_submit(mv, &now.set);
        pthread_mutex_unlock(&mv->lock);
        return;
    }
    pthread_mutex_lock(&mv->lock);
    mv->is_telling = false;
    pthread_mutex_unlock(&mv->lock);
    if (!is_known)
        move_tell_soon(mv);
}

/* ---- life ---- */

void meta_move_receive(struct meta_move *mv, struct meta_replica_frame *f)
{
    bool is_full;

    pthread_mutex_lock(&mv->lock);
    is_full = mv->ask_count == META_MOVE_ASKS_MAX || mv->is_quit;
    if (!is_full) {
        vs_list_add_tail(&mv->asks, &f->link);
        mv->ask_count++;
        if (!mv->is_serving)
            vs_exec_submit(mv->exec, &mv->serve);
        mv->is_serving = true;
    }
    pthread_mutex_unlock(&mv->lock);
    if (is_full) {
        f->status = -EAGAIN;
        f->done(f);
    }
}

int meta_move_new(struct meta_move **ret, const struct meta_move_config *config)
{
    struct meta_move *mv = calloc(1, sizeof(*mv));
    int r;

    if (mv == NULL)
        return -ENOMEM;
    mv->config = *config;
    mv->now = config->now;
    vs_list_init(&mv->asks);
    pthread_mutex_init(&mv->steps, NULL); /* these cannot fail on Linux */
    pthread_mutex_init(&mv->lock, NULL);
    pthread_cond_init(&mv->stored, NULL);
    mv->serve.fn = move_serve_job;
    mv->poll.fn = poll_job;
    mv->learn.fn = learn_job;
    mv->tell.fn = tell_job;
    r = vs_exec_start(&mv->exec, "vs-move", MOVE_THREADS);
    if (r < 0) {
        meta_move_free(mv);
        return r;
    }
    *ret = mv;
    move_learn_urls(mv, &mv->now.set);
    if (mv->now.stand == ACCEPTOR_LEFT)
        move_poll_soon(mv, 0);
    else
        move_tell_soon(mv);
    return 0;
}

void meta_move_quit(struct meta_move *mv)
{
    struct vs_exec *exec;

    if (mv == NULL)
        return;
    pthread_mutex_lock(&mv->lock);
    mv->is_quit = true;
    exec = mv->exec;
    pthread_mutex_unlock(&mv->lock);
    vs_exec_stop(exec); /* whoever waits is answered */
    pthread_mutex_lock(&mv->lock);
    mv->exec = NULL;
    pthread_mutex_unlock(&mv->lock);
}

void meta_move_free(struct meta_move *mv)
{
    if (mv == NULL)
        return;
    if (mv->exec != NULL)
        meta_move_quit(mv);
    pthread_cond_destroy(&mv->stored);
    pthread_mutex_destroy(&mv->lock);
    pthread_mutex_destroy(&mv->steps);
    free(mv);
}
