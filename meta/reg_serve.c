/* reg_serve: see the header. Only the writer's thread touches the acceptor and the registers. */
#include "meta/reg_serve.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/px_msg.h"
#include <stdlib.h>

struct reg_serve {
    struct acceptor_writer *writer;
    struct px_acceptor acceptor;
    struct px_head head;
    struct vs_buf storage; /* the register being worked on */
};

struct serve_job {
    struct acceptor_job job;
    struct reg_serve *serve;
    struct meta_replica_frame *frame;
    struct px_msg_in in;
};

/* One ask on its register. False: it is not answered. */
static bool serve_ask(struct reg_serve *s, struct acceptor_store *store, const struct px_head *from,
                      const struct px_ask *ask, struct px_answer *ret)
{
    struct px_ballot was;
    struct px_reg reg;
    int r = acceptor_reg_load(store, &ask->id, &reg, &s->storage);

    if (r == 0) {
        was = reg.promised;
        if (px_answer(&s->acceptor, from, &reg, ask, ret) == PX_STORE)
            r = acceptor_reg_store(store, &ask->id, &reg);
        VS_ASSERT(px_ballot_cmp(&reg.promised, &was) >= 0);        /* I3 */
        VS_ASSERT(px_ballot_cmp(&reg.promised, &reg.ballot) >= 0); /* I3 */
    }
    if (r < 0) {
        char id[VS_ID_TEXT_BYTES];

        vs_id_to_text(&ask->id, id);
        vs_warn("metadata (acceptor): register %s: %s -> not answered; the other replicas decide "
                "without this one",
                id, vs_err_text(r));
    }
    return r == 0;
}

/* Frames one behind the other. */
static int serve_answer(struct reg_serve *s, struct px_msg_out *out, const struct px_head *from,
                        const struct px_answer *answer)
{
    int r = px_msg_add_answer(out, answer);

    if (r != -EMSGSIZE)
        return r;
    r = px_msg_end(out);
    if (r == 0)
        r = px_msg_begin_answers(out, out->frame.buf, &s->head, from);
    return r < 0 ? r : px_msg_add_answer(out, answer);
}

static int serve_asks(struct reg_serve *s, struct acceptor_store *store, struct px_msg_in *in,
                      struct vs_buf *ret)
{
    struct px_answer answer;
    struct px_msg_out out;
    struct px_ask ask;
    int r = px_msg_begin_answers(&out, ret, &s->head, &in->head);

    for (unsigned n = 0; r == 0 && n < REG_SERVE_ASKS_MAX && px_msg_next_ask(in, &ask); n++)
        if (serve_ask(s, store, &in->head, &ask, &answer))
            r = serve_answer(s, &out, &in->head, &answer);
    return r < 0 ? r : px_msg_end(&out);
}

/* What it puts stays in the batch whatever becomes of the answers, so it never fails. */
static int serve_fill(struct acceptor_job *job, struct acceptor_store *store)
{
    struct serve_job *j = vs_container_of(job, struct serve_job, job);
    struct meta_replica_frame *f = j->frame;
    struct reg_serve *s = j->serve;

    switch (px_admit(&s->acceptor, &j->in.head, f->from)) {
    case PX_ADMIT:
    case PX_OLD_EPOCH:
        s->head.epoch = s->acceptor.epoch;
        f->status = serve_asks(s, store, &j->in, &f->answer);
        break;
    case PX_STRANGER:
        f->status = -ESTALE;
        break;
    case PX_NEW_EPOCH:
    case PX_MUTE:
        f->status = -EAGAIN;
        break;
    }
    if (f->status < 0)
        f->answer.len = 0;
    return 0;
}

static void serve_done(struct acceptor_job *job, int err)
{
    struct serve_job *j = vs_container_of(job, struct serve_job, job);
    struct meta_replica_frame *f = j->frame;

    VS_ASSERT(err == 0);
    free(j);
    f->done(f);
}

void reg_serve_frame(struct reg_serve *s, struct meta_replica_frame *f)
{
    struct serve_job *j = malloc(sizeof(*j));

    f->status = -ENOMEM;
    f->answer.len = 0;
    if (j != NULL)
        f->status = px_msg_open(f->bytes, f->len, &j->in);
    if (f->status == 0 && j->in.kind != PX_FRAME_ASKS)
        f->status = -VS_ECORRUPT;
    if (f->status < 0) {
        free(j);
        f->done(f);
        return;
    }
    j->job = (struct acceptor_job){ .fill = serve_fill, .done = serve_done };
    j->serve = s;
    j->frame = f;
    acceptor_writer_submit(s->writer, &j->job);
}

int reg_serve_new(struct reg_serve **ret, struct acceptor_writer *writer,
                  const struct acceptor_identity *id, const struct px_acceptor *acceptor)
{
    struct reg_serve *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return -ENOMEM;
    s->writer = writer;
    s->acceptor = *acceptor;
    s->head = (struct px_head){
        .cluster = id->cluster, .epoch = acceptor->epoch, .pid = id->pid, .inc = id->inc
    };
    *ret = s;
    return 0;
}

/* Of whom a later life was seen, an earlier one is not heard again. */
static uint32_t serve_seen(const struct px_acceptor *a, uint32_t pid)
{
    for (unsigned i = 0; i < a->members; i++)
        if (a->member[i].pid == pid)
            return a->member[i].inc;
    return 0;
}

void reg_serve_configure(struct reg_serve *s, uint64_t epoch, bool votes, unsigned members,
                         const uint32_t *pid)
{
    struct px_acceptor next = {
        .cluster = s->acceptor.cluster, .epoch = epoch, .votes = votes, .members = members
    };

    VS_ASSERT(epoch >= s->acceptor.epoch && members <= PX_ACCEPTORS_MAX);
    for (unsigned i = 0; i < members; i++) {
        next.member[i].pid = pid[i];
        next.member[i].inc = serve_seen(&s->acceptor, pid[i]);
    }
    s->acceptor = next;
}

void reg_serve_free(struct reg_serve *s)
{
    if (s == NULL)
        return;
    vs_buf_close(&s->storage);
    free(s);
}
