/* Changes and strict reads: here if this replica leads, else passed on to the leader.
 *
 * Happy path: a change goes to the journal; a strict read waits until the journal has confirmed
 * that this replica still leads, and is served by a reading thread from what is applied. Failure:
 * who does not lead says so, and the leader is looked for again, with a pause, until
 * the patience given has passed. A change whose fate is not known is asked again under the
 * same client and request number; one without a number is not: it could happen twice. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/meta_replica_impl.h"
#include "meta/meta_wire.h"
#include "meta/ns_read.h"
#include <stdlib.h>

#define PAUSE_NS_MIN        (4 * VS_NS_PER_MS)
#define PAUSE_DOUBLINGS_MAX 3
#define PASS_MS_MIN         250 /* for an answer that may be asked for again */
#define PASS_DOUBLINGS_MAX  2

static void ask_go(struct replica_ask *a);

void replica_enter(struct meta_replica *m)
{
    pthread_mutex_lock(&m->lock);
    m->asks++;
    pthread_mutex_unlock(&m->lock);
}

void replica_leave(struct meta_replica *m)
{
    pthread_mutex_lock(&m->lock);
    if (--m->asks == 0)
        pthread_cond_broadcast(&m->idle);
    pthread_mutex_unlock(&m->lock);
}

/* ---- the end ---- */

static void ask_end(struct replica_ask *a, int status)
{
    struct meta_replica *m = a->m;
    struct meta_req *r = a->r;

    r->status = status;
    if (status < 0 && r->op == META_CHANGE && r->answer.status == 0)
        r->answer.status = status;
    vs_buf_close(&a->frame);
    vs_buf_close(&a->pass.answer);
    free(a);
    r->done(r); /* r may be gone now */
    replica_leave(m);
}

/* What is given back is empty: nothing came. */
static void ask_end_without(struct replica_ask *a, int status)
{
    struct meta_req *r = a->r;

    r->answer = (struct ns_answer){ .status = status };
    r->dirents_count = r->nodes_count = r->scan_count = 0;
    r->bytes.len = 0;
    ask_end(a, status);
}

/* ---- once more ---- */

static bool ask_is_over(const struct replica_ask *a)
{
    struct meta_replica *m = a->m;
    bool is_stopping;

    pthread_mutex_lock(&m->lock);
    is_stopping = m->is_stopping;
    pthread_mutex_unlock(&m->lock);
    return is_stopping || vs_now_ns(m->clock) >= a->deadline_ns;
}

static void ask_go_job(struct vs_job *job)
{
    struct replica_ask *a = vs_container_of(job, struct replica_ask, job);

    if (ask_is_over(a))
        ask_end_without(a, -VS_EDOWN);
    else
        ask_go(a);
}

static void ask_fail_job(struct vs_job *job)
{
    ask_end_without(vs_container_of(job, struct replica_ask, job), -VS_EDOWN);
}

static void ask_again(struct replica_ask *a)
{
    unsigned n = a->tries++;

    if (ask_is_over(a)) {
        a->job.fn = ask_fail_job;
        vs_exec_submit(a->m->readers, &a->job);
        return;
    }
    a->job.fn = ask_go_job;
    vs_exec_after(a->m->readers, &a->job,
                  PAUSE_NS_MIN << (n < PAUSE_DOUBLINGS_MAX ? n : PAUSE_DOUBLINGS_MAX));
}

/* May it be carried out a second time? */
static bool ask_is_repeatable(const struct replica_ask *a)
{
    return a->r->op != META_CHANGE || a->entry.client != 0;
}

/* Whether it was carried out is not known. */
static void ask_doubt(struct replica_ask *a)
{
    if (a->r->here)
        ask_end_without(a, -ETIMEDOUT); /* whoever passed it on knows what to do */
    else if (ask_is_repeatable(a))
        ask_again(a);
    else
        ask_end_without(a, -VS_EDOWN);
}

/* ---- here ---- */

static void ask_read_job(struct vs_job *job)
{
    struct replica_ask *a = vs_container_of(job, struct replica_ask, job);

    ask_end(a, replica_read_here(a->m, a->r));
}

static void ask_not_here(struct replica_ask *a, int status)
{
    if (status == -EREMOTE && a->r->here)
        ask_end_without(a, status);
    else if (a->m->is_alone && journal_member_failed(a->m->journal) < 0)
        ask_end_without(a, -EIO);
    else
        ask_again(a);
}

static void ask_read_confirmed(struct journal_member_read *read, int status)
{
    struct replica_ask *a = vs_container_of(read, struct replica_ask, read);

    if (status < 0) {
        ask_not_here(a, status);
        return;
    }
    a->job.fn = ask_read_job;
    vs_exec_submit(a->m->readers, &a->job);
}

static void ask_changed(struct meta_req *change)
{
    struct replica_ask *a = vs_container_of(change, struct replica_ask, change);
    int status = change->status;

    if (status == -EREMOTE || status == -EAGAIN) {
        ask_not_here(a, status);
    } else if (status == -ETIMEDOUT) {
        ask_doubt(a);
    } else {
        a->r->answer = change->answer;
        ask_end(a, status);
    }
}

static void ask_here(struct replica_ask *a)
{
    struct meta_replica *m = a->m;

    if (a->r->op != META_CHANGE) {
        a->read.done = ask_read_confirmed;
        journal_member_read(m->journal, &a->read);
        return;
    }
    a->change = (struct meta_req){ .op = META_CHANGE, .entry = &a->entry, .done = ask_changed };
    journal_member_change(m->journal, &a->change);
}

/* ---- passed on ---- */

static void ask_answered(struct replica_ask *a)
{
    int status;

    if (meta_wire_answered(a->pass.answer.data, a->pass.answer.len, a->r) < 0) {
        ask_doubt(a);
        return;
    }
    a->r->passed = true;
    status = a->r->status;
    if (status == -EREMOTE || status == -EAGAIN || status == -VS_EDOWN)
        ask_again(a);
    else if (status == -ETIMEDOUT)
        ask_doubt(a);
    else
        ask_end(a, status);
}

static void ask_passed(struct px_link_ask *pass)
{
    struct replica_ask *a = vs_container_of(pass, struct replica_ask, pass);

    switch (pass->status) {
    case 0:
        ask_answered(a);
        return;
    case -ECONNREFUSED:
    case -EAGAIN:
    case -ENOENT:
        ask_again(a);
        return;
    default:
        ask_doubt(a);
    }
}

static unsigned pass_ms(const struct replica_ask *a)
{
    int64_t left_ns = a->deadline_ns - vs_now_ns(a->m->clock);
    unsigned left = left_ns <= 0 ? 1 : (unsigned)(left_ns / VS_NS_PER_MS) + 1;
    unsigned patience = PASS_MS_MIN
                        << (a->tries < PASS_DOUBLINGS_MAX ? a->tries : PASS_DOUBLINGS_MAX);

    return ask_is_repeatable(a) && patience < left ? patience : left;
}

static int pass_encode(struct replica_ask *a)
{
    struct meta_req question = *a->r;

    if (question.op == META_CHANGE)
        question.entry = &a->entry;
    question.here = true;
    a->frame.len = 0;
    return meta_wire_ask(&question, &a->m->client.cluster, &a->frame);
}

static void ask_refuse_job(struct vs_job *job)
{
    struct replica_ask *a = vs_container_of(job, struct replica_ask, job);

    ask_end_without(a, a->pass.status);
}

static void ask_pass_on(struct replica_ask *a, uint32_t leader)
{
    int r = pass_encode(a);

    vs_buf_close(&a->pass.answer);
    a->pass = (struct px_link_ask){ .kind = PX_LINK_QUESTION,
                                    .bytes = a->frame.data,
                                    .len = a->frame.len,
                                    .answer_max = meta_wire_answer_max(a->r),
                                    .timeout_ms = pass_ms(a),
                                    .done = ask_passed,
                                    .status = r };
    if (r == 0) {
        px_link_ask(a->m->link, leader, &a->pass);
        return;
    }
    a->job.fn = ask_refuse_job;
    vs_exec_submit(a->m->readers, &a->job);
}

/* ---- the beginning ---- */

static void ask_go(struct replica_ask *a)
{
    struct meta_replica *m = a->m;
    uint32_t leader = journal_member_leader(m->journal);

    if (a->r->here || leader == m->client.pid || m->is_alone)
        ask_here(a);
    else if (leader != 0)
        ask_pass_on(a, leader);
    else
        ask_again(a);
}

static void ask_no_memory(struct vs_job *job)
{
    struct meta_req *r = vs_container_of(job, struct meta_req, job);
    struct meta_replica *m = r->client;

    r->status = -ENOMEM;
    r->done(r);
    replica_leave(m);
}

void replica_ask(struct meta_replica *m, struct meta_req *r)
{
    struct replica_ask *a = calloc(1, sizeof(*a));

    replica_enter(m);
    if (a == NULL) {
        r->job.fn = ask_no_memory;
        vs_exec_submit(m->readers, &r->job);
        return;
    }
    a->m = m;
    a->r = r;
    a->deadline_ns = m->is_alone ? INT64_MAX /* there is nobody else to be asked */
                                 : vs_now_ns(m->clock) + m->patience_ms * VS_NS_PER_MS;
    if (r->op == META_CHANGE) {
        a->entry = *r->entry;
        if (a->entry.kind == NS_E_SESSION_OPEN && a->entry.pid == 0) {
            a->entry.pid = m->client.pid; /* the ids are this incarnation's, whoever leads */
            a->entry.inc = m->client.inc;
        }
    }
    ask_go(a); /* nothing in it waits, and nothing ends before its time */
}
