/* POST /meta: one question to the metadata, in a frame of meta/meta_wire.h, and its answer.
 *
 * Happy path: the frame becomes a request of the metadata, whose callback answers with a frame.
 * Failure modes: what is no question, one for another cluster, or one too many is refused by an
 * HTTP status and a sentence, and was not carried out; everything that the metadata itself says,
 * errors too, is 200 and a frame. */
#include "meta/meta_server.h"

#include "common/clock.h"
#include "common/err.h"
#include "meta/meta_nodes.h"
#include "meta/meta_wire.h"

#include <stdlib.h>

/* One question on its way; freed at the end of its request. */
struct serve {
    struct meta_server *m;
    struct http_req *q;
    struct meta_wire_asked asked;
    struct vs_buf out;
};

static void reply_frame(struct serve *s, int err)
{
    if (err < 0)
        http_reply_error(s->q, 500, "answer", "The answer cannot be sent: %s.", vs_err_text(err));
    else /* lent until meta_serve_end(); s may be gone at once */
        http_reply_lent(s->q, 200, "application/octet-stream", s->out.data, s->out.len);
}

static void serve_done(struct meta_req *r)
{
    struct serve *s = r->waiter;

    if (r->op == META_NODES && r->status == 0)
        meta_nodes_tell(s->m->nodes, r);
    if (r->status == -VS_EDOWN && atomic_load(&s->m->is_ending))
        http_reply_error(s->q, 503, "stopping", "This replica stops; ask another one.");
    else
        reply_frame(s, meta_wire_answer(r, &s->out));
}

static void reply_hello(struct serve *s)
{
    const struct meta_client *meta = s->m->meta;
    struct meta_wire_hello h = { .pid = meta->pid,
                                 .inc = meta->inc,
                                 .cluster = meta->cluster,
                                 .leads = meta_peers_leads(&s->m->peers) };

    if (!meta_peers_members(&s->m->peers, &h.members))
        h.members.count = 0;
    reply_frame(s, meta_wire_answer_hello(&h, &s->out));
}

static void refuse(struct serve *s, int status, const char *code, const char *sentence)
{
    vs_counter_add(&s->m->refused, 1);
    http_reply_error(s->q, status, code, "%s", sentence);
}

/* Whose ids a session may have: of who will propose them, this replica in this life or an earlier
 * one; or another replica, in a life that is not known here, and maybe replaced since: a mount
 * keeps to the one that it met first. The journal gives out each id of an owner once. */
static bool may_own(const struct meta_server *m, const struct ns_entry *e)
{
    if (e->pid == m->meta->pid)
        return e->inc != 0 && e->inc <= m->meta->inc;
    return e->inc != 0 && m->peers.replica != NULL;
}

/* What no client may change. 0: go on. */
static int judge(const struct meta_server *m, const struct meta_req *r)
{
    if (r->op != META_CHANGE)
        return 0;
    if (r->entry->kind == NS_E_CLUSTER)
        return -EPERM;
    if (r->entry->kind == NS_E_SESSION_OPEN && r->entry->pid != 0 && !may_own(m, r->entry))
        return -ESTALE;
    return 0;
}

static void ask(struct serve *s)
{
    struct meta_req *r = &s->asked.req;

    r->done = serve_done;
    r->waiter = s;
    r->status = judge(s->m, r);
    if (r->status < 0)
        serve_done(r);
    else
        meta_submit(s->m->meta, r);
}

static void serve(struct serve *s)
{
    size_t len;
    const void *body = http_req_body(s->q, &len);
    int err = meta_wire_asked(body, len, &s->asked);

    if (err == -VS_ENEWER)
        refuse(s, 400, "newer", "The question is of a newer version of V-Stack; update this one.");
    else if (err == -ENOMEM)
        refuse(s, 503, "busy", "No memory for this question now; ask again in a second.");
    else if (err < 0)
        refuse(s, 400, "question", "That is no question to the metadata (docs/API.md).");
    else if (s->asked.hello)
        reply_hello(s);
    else if (vs_id_cmp(&s->asked.cluster, &s->m->meta->cluster) != 0)
        refuse(s, 421, "other-cluster",
               "This is the metadata of another cluster; look up the address in cluster.json.");
    else
        ask(s);
}

void meta_serve_run(struct http_req *q)
{
    struct meta_server *m = http_req_arg(q);
    struct serve *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        http_reply_error(q, 503, "busy", "No memory for this question now; ask again in a second.");
        return;
    }
    *s = (struct serve){ .m = m, .q = q };
    http_req_set_state(q, s);
    if (atomic_fetch_add(&m->in_flight, 1) >= META_SERVER_IN_FLIGHT)
        refuse(s, 503, "busy", "Too many questions at once; ask again in a second.");
    else
        serve(s);
}

void meta_serve_end(struct http_req *q)
{
    struct serve *s = http_req_state(q);
    const struct meta_req *r;

    if (s == NULL)
        return;
    r = &s->asked.req;
    if (r->done != NULL && http_req_sent_status(q) == 200) {
        vs_histogram_add(&s->m->op[r->op].latency,
                         vs_now_ns(&vs_clock_system) - http_req_started_ns(q));
        if (r->status < 0)
            vs_counter_add(&s->m->op[r->op].failed, 1);
    }
    atomic_fetch_sub(&s->m->in_flight, 1);
    meta_wire_asked_close(&s->asked);
    vs_buf_close(&s->out);
    free(s);
}
