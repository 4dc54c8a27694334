/* px_wait: see the header. */
#include "meta/px_wait.h"
#include <pthread.h>
#include <stdbool.h>

struct waited {
    struct px_link_ask ask;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done; /* under lock */
};

static void waited_done(struct px_link_ask *ask)
{
    struct waited *w = vs_container_of(ask, struct waited, ask);

    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static int wait_for(struct px_link *l, uint32_t to, enum px_link_kind kind,
                    const struct vs_buf *bytes, size_t answer_max, unsigned timeout_ms,
                    struct vs_buf *answer)
{
    struct waited w = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

    w.ask = (struct px_link_ask){ .kind = kind,
                                  .bytes = bytes->data,
                                  .len = bytes->len,
                                  .answer_max = answer_max,
                                  .timeout_ms = timeout_ms,
                                  .done = waited_done };
    px_link_ask(l, to, &w.ask);
    pthread_mutex_lock(&w.lock);
    while (!w.is_done)
        pthread_cond_wait(&w.wake, &w.lock);
    pthread_mutex_unlock(&w.lock);
    vs_buf_close(answer);
    *answer = w.ask.answer;
    return w.ask.status;
}

int px_wait_ask(struct px_link *l, uint32_t to, const struct vs_buf *frame, size_t answer_max,
                unsigned timeout_ms, struct vs_buf *answer)
{
    return wait_for(l, to, PX_LINK_FRAME, frame, answer_max, timeout_ms, answer);
}

int px_wait_question(struct px_link *l, uint32_t to, const struct vs_buf *question,
                     size_t answer_max, unsigned timeout_ms, struct vs_buf *answer)
{
    return wait_for(l, to, PX_LINK_QUESTION, question, answer_max, timeout_ms, answer);
}
