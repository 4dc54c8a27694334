/* acceptor_writer: see the header. Locks: w->lock guards the queue only. */
#include "meta/acceptor_writer.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/thread.h"
#include <pthread.h>
#include <stdlib.h>

#define COUNT_RECORD_NS VS_NS_PER_S

struct acceptor_writer {
    struct acceptor_store *store;
    const struct vs_clock *clock;
    int64_t recorded_ns; /* when the count of synced batches was last recorded */
    int64_t sync_ns;     /* that the last batch took */
    unsigned last;       /* what it carried */
    unsigned expected;   /* that, and what waited when it was durable: so many ask at a time */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    struct vs_list queue; /* acceptor_job.link */
    unsigned queued;      /* what they carry */
    bool is_stopping;
};

/* Under load between batches, else a second after the last one. */
static void writer_record(struct acceptor_writer *w, bool now)
{
    int64_t now_ns = vs_now_ns(w->clock);

    if (!now && now_ns - w->recorded_ns < COUNT_RECORD_NS)
        return;
    acceptor_record_count(w->store);
    w->recorded_ns = now_ns;
}

/* Wait for a job (true), or a second (false). Under w->lock. */
static bool writer_sleep(struct acceptor_writer *w)
{
    int64_t until_ns = vs_now_ns(&vs_clock_system) + COUNT_RECORD_NS; /* the condition's clock */

    while (vs_list_empty(&w->queue) && !w->is_stopping)
        if (!vs_cond_wait_until(&w->wake, &w->lock, until_ns))
            return false;
    return true;
}

static unsigned job_weight(const struct acceptor_job *job)
{
    return job->weight > 0 ? job->weight : 1;
}

/* Wait for those that came with the last batch, for a moment. Under w->lock. */
static void writer_gather(struct acceptor_writer *w)
{
    int64_t wait_ns = w->sync_ns / ACCEPTOR_WRITER_GATHER_PART, until_ns;

    if (wait_ns > ACCEPTOR_WRITER_GATHER_NS_MAX)
        wait_ns = ACCEPTOR_WRITER_GATHER_NS_MAX;
    until_ns = vs_now_ns(&vs_clock_system) + wait_ns;
    while (w->queued < w->expected && !w->is_stopping)
        if (!vs_cond_wait_until(&w->wake, &w->lock, until_ns))
            break;
}

/* What waits into `taken`; false: stopped, and nothing is left. */
static bool writer_take(struct acceptor_writer *w, struct vs_list *taken)
{
    pthread_mutex_lock(&w->lock);
    if (!writer_sleep(w)) {
        pthread_mutex_unlock(&w->lock);
        writer_record(w, true);
        pthread_mutex_lock(&w->lock);
        while (vs_list_empty(&w->queue) && !w->is_stopping)
            pthread_cond_wait(&w->wake, &w->lock);
    }
    if (!vs_list_empty(&w->queue))
        writer_gather(w);
    w->last = 0;
    for (unsigned n = 0; n < ACCEPTOR_WRITER_BATCH_JOBS_MAX && !vs_list_empty(&w->queue); n++) {
        struct vs_list *link = w->queue.next;

        w->last += job_weight(vs_container_of(link, struct acceptor_job, link));
        vs_list_del(link);
        vs_list_add_tail(taken, link);
    }
    w->queued -= w->last;
    pthread_mutex_unlock(&w->lock);
    return !vs_list_empty(taken);
}

/* One batch of what was taken; the rest stays in `taken`. */
static void writer_write(struct acceptor_writer *w, struct vs_list *taken)
{
    struct vs_list doing = VS_LIST_INIT(doing);
    struct acceptor_job *job;

    while (acceptor_batch_bytes(w->store) < ACCEPTOR_WRITER_BATCH_BYTES_MAX &&
           (job = vs_list_first(taken, struct acceptor_job, link)) != NULL) {
        vs_list_del(&job->link);
        vs_list_add_tail(&doing, &job->link);
        job->err = job->fill(job, w->store);
    }
    if (!acceptor_batch_empty(w->store)) {
        int64_t began_ns = vs_now_ns(&vs_clock_system);

        acceptor_commit(w->store);
        w->sync_ns = vs_now_ns(&vs_clock_system) - began_ns;
    }
    pthread_mutex_lock(&w->lock);
    w->expected = w->last + w->queued;
    pthread_mutex_unlock(&w->lock);
    acceptor_batch_begin(w->store);
    while ((job = vs_list_first(&doing, struct acceptor_job, link)) != NULL) {
        vs_list_del(&job->link);
        job->done(job, job->err); /* job may be gone now */
    }
}

static void *writer_main(void *arg)
{
    struct acceptor_writer *w = arg;
    struct vs_list taken = VS_LIST_INIT(taken);

    pthread_setname_np(pthread_self(), "vs-acceptor");
    while (writer_take(w, &taken)) {
        while (!vs_list_empty(&taken))
            writer_write(w, &taken);
        writer_record(w, false);
    }
    return NULL;
}

int acceptor_writer_new(struct acceptor_writer **ret, struct acceptor_store *store,
                        const struct vs_clock *clock)
{
    struct acceptor_writer *w = calloc(1, sizeof(*w));
    int r;

    if (w == NULL)
        return -ENOMEM;
    w->store = store;
    w->clock = clock;
    w->recorded_ns = vs_now_ns(clock);
    vs_list_init(&w->queue);
    pthread_mutex_init(&w->lock, NULL); /* these cannot fail on Linux */
    vs_cond_init(&w->wake);
    r = vs_thread_start(&w->thread, writer_main, w);
    if (r < 0) {
        pthread_cond_destroy(&w->wake);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void acceptor_writer_submit(struct acceptor_writer *w, struct acceptor_job *job)
{
    pthread_mutex_lock(&w->lock);
    VS_ASSERT(!w->is_stopping);
    vs_list_add_tail(&w->queue, &job->link);
    w->queued += job_weight(job);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void acceptor_writer_free(struct acceptor_writer *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->is_stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
