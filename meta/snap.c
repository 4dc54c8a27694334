/* snap: see the header. Two threads: one gives, one takes, so that a replica that is being brought
 * up to date can be asked all the same. Locks: s->lock guards what waits; the views given out
 * belong to the jobs that serve, of which one runs at a time. */
#include "meta/snap.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/exec.h"
#include "common/log.h"
#include "common/rand.h"
#include "meta/snap_give.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct snap {
    struct snap_config config;
    struct vs_exec *giver, *taker;
    struct snap_give give;      /* the giver's */
    struct vs_job serve, lapse; /* the giver's: answer what waits; give up what lapsed */
    struct vs_job install, told;
    uint32_t from;
    uint64_t installed; /* to be told */
    _Atomic int is_stopping;

    pthread_mutex_t lock;
    /* under lock */
    struct vs_list asks; /* meta_replica_frame.link */
    unsigned ask_count;
    bool is_serving, is_lapsing; /* their jobs are submitted */
    bool is_quit;
};

/* ---- giving ---- */

static void serve_one(struct snap *s, struct meta_replica_frame *f)
{
    struct px_head head,
        mine = { .cluster = s->config.cluster, .pid = s->config.pid, .inc = s->config.inc };
    struct px_snap ask, answer;
    int r = px_snap_decode(f->bytes, f->len, &head, &ask);

    if (r == 0 && (head.pid != f->from || ask.kind != PX_SNAP_ASK))
        r = -VS_ECORRUPT;
    if (r == 0 && vs_id_cmp(&head.cluster, &s->config.cluster) != 0)
        r = -ESTALE;
    if (r == 0) {
        snap_give_ask(&s->give, f->from, &ask, vs_now_ns(s->config.clock), &answer);
        r = px_snap_encode(&mine, &answer, &f->answer);
    }
    f->status = r;
    f->done(f); /* f may be gone now */
}

static void serve_job(struct vs_job *job)
{
    struct snap *s = vs_container_of(job, struct snap, serve);
    struct meta_replica_frame *f;
    bool is_lapsing;

    do {
        pthread_mutex_lock(&s->lock);
        f = vs_list_first(&s->asks, struct meta_replica_frame, link);
        if (f != NULL) {
            vs_list_del(&f->link);
            s->ask_count--;
        }
        s->is_serving = f != NULL;
        pthread_mutex_unlock(&s->lock);
        if (f != NULL)
            serve_one(s, f);
    } while (f != NULL);
    pthread_mutex_lock(&s->lock);
    is_lapsing = s->is_lapsing;
    s->is_lapsing = true;
    pthread_mutex_unlock(&s->lock);
    if (!is_lapsing)
        vs_exec_after(s->giver, &s->lapse, SNAP_GIVE_LAPSE_NS);
}

static void lapse_job(struct vs_job *job)
{
    struct snap *s = vs_container_of(job, struct snap, lapse);
    bool is_some = snap_give_lapse(&s->give, vs_now_ns(s->config.clock)) > 0;

    pthread_mutex_lock(&s->lock);
    s->is_lapsing = is_some;
    pthread_mutex_unlock(&s->lock);
    if (is_some)
        vs_exec_after(s->giver, &s->lapse, SNAP_GIVE_LAPSE_NS);
}

void snap_receive(struct snap *s, struct meta_replica_frame *f)
{
    bool is_full, submit = false;

    pthread_mutex_lock(&s->lock);
    is_full = s->ask_count == SNAP_ASKS_MAX;
    if (!is_full) {
        vs_list_add_tail(&s->asks, &f->link);
        s->ask_count++;
        submit = !s->is_serving;
        s->is_serving = true;
    }
    pthread_mutex_unlock(&s->lock);
    if (submit)
        vs_exec_submit(s->giver, &s->serve);
    if (is_full) {
        f->status = -EAGAIN;
        f->done(f);
    }
}

/* ---- taking ---- */

static void told_job(struct vs_job *job)
{
    struct snap *s = vs_container_of(job, struct snap, told);

    s->config.installed(s->config.arg, s->installed);
}

static void install_job(struct vs_job *job)
{
    struct snap *s = vs_container_of(job, struct snap, install);
    int r = snap_take(&s->config, s->from, &s->is_stopping, &s->installed);

    if (r == 0) {
        vs_info("metadata: this replica lacked what the others do not keep any more -> its "
                "namespace is replica %u's at slot %llu now",
                s->from, (unsigned long long)s->installed);
        if (!s->is_stopping)
            told_job(&s->told);
        return;
    }
    s->installed = 0;
    if (r != -ECANCELED && r != -EALREADY)
        vs_warn("metadata: no snapshot of replica %u: %s -> tried again soon", s->from,
                vs_err_text(r));
    /* The journal would say so again at once. */
    pthread_mutex_lock(&s->lock);
    if (!s->is_quit)
        vs_exec_after(s->taker, &s->told, SNAP_AGAIN_NS);
    pthread_mutex_unlock(&s->lock);
}

void snap_install(struct snap *s, uint32_t from)
{
    pthread_mutex_lock(&s->lock);
    if (!s->is_quit) {
        s->from = from;
        vs_exec_submit(s->taker, &s->install);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- life ---- */

int snap_new(struct snap **ret, const struct snap_config *config)
{
    struct snap *s = calloc(1, sizeof(*s));
    uint64_t first_id;
    int r;

    if (s == NULL)
        return -ENOMEM;
    s->config = *config;
    vs_list_init(&s->asks);
    pthread_mutex_init(&s->lock, NULL); /* this cannot fail on Linux */
    vs_rand_system(&first_id, sizeof(first_id));
    snap_give_init(&s->give, config->store->kv, &config->cluster, first_id);
    s->serve.fn = serve_job;
    s->lapse.fn = lapse_job;
    s->install.fn = install_job;
    s->told.fn = told_job;
    r = vs_exec_start(&s->giver, "vs-snap-give", 1);
    if (r == 0)
        r = vs_exec_start(&s->taker, "vs-snap-take", 1);
    if (r < 0) {
        snap_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void snap_quit(struct snap *s)
{
    struct vs_exec *taker;

    if (s == NULL)
        return;
    s->is_stopping = true;
    pthread_mutex_lock(&s->lock);
    s->is_quit = true;
    taker = s->taker;
    s->taker = NULL;
    pthread_mutex_unlock(&s->lock);
    vs_exec_stop(taker);
}

void snap_free(struct snap *s)
{
    if (s == NULL)
        return;
    snap_quit(s);
    vs_exec_stop(s->giver);
    snap_give_close(&s->give);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
