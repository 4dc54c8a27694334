/* GET /consensus/{chunk}: one register, as each replica has it.
 *
 * Happy path: every acceptor of the cluster is asked to read the register, this replica's own like
 * the others; what each has promised and accepted is one element of the answer. Reading changes
 * nothing. Failure modes: a replica that does not answer in time is listed as such; a register that
 * a majority says is absent is missing; without a majority that is not known.
 *
 * A replica alone decides by itself, and shows the value. */
#include "meta/meta_server.h"

#include "common/assert.h"
#include "common/err.h"
#include "meta/manifest.h"
#include "meta/px_msg.h"

#include <semaphore.h>
#include <stdio.h>

#define READ_MS 1000 /* for the answer of one replica */

/* One replica being asked. */
struct reading {
    struct px_link_ask ask;         /* another one */
    struct meta_replica_frame here; /* this one */
    sem_t *done;
    uint16_t id;
    int status;
    struct vs_buf bytes; /* what the answer points into */
    struct px_answer answer;
};

/* ---- asking -----------------------------------------------------------------------------------
 */

static void asked_done(struct px_link_ask *a)
{
    struct reading *r = vs_container_of(a, struct reading, ask);

    r->status = a->status;
    r->bytes = a->answer;
    sem_post(r->done);
}

static void here_done(struct meta_replica_frame *f)
{
    struct reading *r = vs_container_of(f, struct reading, here);

    r->status = f->status;
    r->bytes = f->answer;
    sem_post(r->done);
}

/* The frame that asks for one register. Its answer is told by nothing but the frame it is in, so
 * the number of the operation does not matter. */
static int read_frame(const struct meta_server *m, const struct vs_id *id, struct vs_buf *ret)
{
    struct meta_replica_state state;
    struct px_head head = { .cluster = m->meta->cluster, .pid = m->meta->pid, .inc = m->meta->inc };
    struct px_ask ask = { .id = *id,
                          .phase = PX_READ,
                          .ballot = { .pid = m->meta->pid, .inc = m->meta->inc } };
    struct px_msg_out out;
    int r;

    meta_replica_state(m->peers.replica, &state);
    head.epoch = state.epoch;
    r = px_msg_begin_asks(&out, ret, &head);
    if (r == 0)
        r = px_msg_add_ask(&out, &ask);
    return r < 0 ? r : px_msg_end(&out);
}

/* What came back, if it is an answer. */
static void reading_judge(struct reading *r, const struct vs_id *id)
{
    struct px_msg_in in;

    if (r->status == 0)
        r->status = px_msg_open(r->bytes.data, r->bytes.len, &in);
    if (r->status == 0 && (!px_msg_next_answer(&in, &r->answer) ||
                           vs_id_cmp(&r->answer.id, id) != 0 || r->answer.word != PX_SAYS_OK))
        r->status = -EAGAIN;
}

/* How many there are. */
static unsigned read_all(struct meta_server *m, const struct vs_id *id, const struct vs_buf *frame,
                         struct reading all[MEMBER_SET_MAX])
{
    struct member_set set;
    sem_t done;

    (void)meta_replica_members(m->peers.replica, &set);
    sem_init(&done, 0, 0);
    for (unsigned i = 0; i < set.count; i++) {
        struct reading *r = &all[i];

        r->id = (uint16_t)set.member[i].pid;
        r->done = &done;
        if (r->id == m->meta->pid) {
            r->here = (struct meta_replica_frame){
                .from = r->id, .bytes = frame->data, .len = frame->len, .done = here_done
            };
            meta_replica_receive(m->peers.replica, &r->here);
        } else {
            r->ask = (struct px_link_ask){ .kind = PX_LINK_FRAME,
                                           .bytes = frame->data,
                                           .len = frame->len,
                                           .answer_max = PX_FRAME_BYTES_MAX,
                                           .timeout_ms = READ_MS,
                                           .done = asked_done };
            px_link_ask(px_http_link(m->peers.http), r->id, &r->ask);
        }
    }
    for (unsigned i = 0; i < set.count; i++)
        while (sem_wait(&done) != 0)
            VS_ASSERT(errno == EINTR);
    sem_destroy(&done);
    for (unsigned i = 0; i < set.count; i++)
        reading_judge(&all[i], id);
    return set.count;
}

/* ---- as JSON ----------------------------------------------------------------------------------
 */

static void set_value(struct vs_json *j, const void *value, size_t len)
{
    struct mf_chunk chunks[MF_SEGMENT_CHUNKS];
    struct place_value v;
    int n;

    if (place_value_decode(value, len, &v) == 0) {
        vs_json_set_text(j, "state", v.state == PLACE_LIVE ? "live" : "tomb");
        meta_api_set_place(j, &v);
        return;
    }
    n = mf_segment_decode(value, len, chunks);
    vs_json_set_text(j, "state", n >= 0 ? "segment" : "unknown");
    if (n >= 0)
        vs_json_set_u64(j, "chunks", (unsigned)n);
}

static void set_ballot(struct vs_json *j, const char *name, const struct px_ballot *b)
{
    struct vs_json *ballot = vs_json_object();

    vs_json_set_u64(ballot, "round", b->round);
    vs_json_set_u64(ballot, "pid", b->pid);
    vs_json_set_u64(ballot, "incarnation", b->inc);
    vs_json_set(j, name, ballot);
}

static struct vs_json *reading_json(const struct reading *r)
{
    struct vs_json *j = vs_json_object();

    vs_json_set_u64(j, "id", r->id);
    if (r->status < 0) {
        vs_json_set_text(j, "state", "unreachable");
        vs_json_set_text(j, "why", vs_err_text(r->status));
        return j;
    }
    set_ballot(j, "promised", &r->answer.promised);
    if (px_ballot_is_none(&r->answer.accepted_at)) {
        vs_json_set_null(j, "accepted");
        vs_json_set_text(j, "state", "absent");
        return j;
    }
    set_ballot(j, "accepted", &r->answer.accepted_at);
    vs_json_set_u64(j, "version", r->answer.accepted.version);
    set_value(j, r->answer.accepted.value, r->answer.accepted.value_len);
    return j;
}

static struct vs_json *register_json(const char *text, const struct vs_id *id)
{
    struct vs_json *j = vs_json_object();

    vs_json_set_text(j, "chunk", text);
    vs_json_set_u64(j, "owner", vs_id_pid(id));
    vs_json_set_u64(j, "incarnation", vs_id_inc(id));
    return j;
}

/* Has a majority accepted the same ballot? */
static bool is_agreed(const struct reading *all, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned same = 0;

        if (all[i].status < 0 || px_ballot_is_none(&all[i].answer.accepted_at))
            continue;
        for (unsigned k = 0; k < count; k++)
            same += all[k].status == 0 &&
                    px_ballot_cmp(&all[k].answer.accepted_at, &all[i].answer.accepted_at) == 0;
        if (same * 2 > count)
            return true;
    }
    return false;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static void reply_all(struct http_req *q, const char *text, const struct vs_id *id,
                      const struct reading *all, unsigned count)
{
    unsigned absent = 0, present = 0;
    struct vs_json *j, *list;
    char what[64];

    for (unsigned i = 0; i < count; i++) {
        bool none = px_ballot_is_none(&all[i].answer.accepted_at);

        absent += all[i].status == 0 && none;
        present += all[i].status == 0 && !none;
    }
    if (present == 0) {
        snprintf(what, sizeof(what), "register %s", text);
        meta_api_error(q, absent * 2 > count ? -ENOENT : -VS_EDOWN, what);
        return;
    }
    j = register_json(text, id);
    vs_json_set_bool(j, "agreed", is_agreed(all, count));
    list = vs_json_array();
    for (unsigned i = 0; i < count; i++)
        vs_json_add(list, reading_json(&all[i]));
    vs_json_set(j, "replicas", list);
    http_reply_json(q, 200, j);
}

static void answer_all(struct meta_server *m, struct http_req *q, const char *text,
                       const struct vs_id *id)
{
    struct reading all[MEMBER_SET_MAX] = { { .status = 0 } };
    struct vs_buf frame = { 0 };
    char what[64];
    int err = read_frame(m, id, &frame);

    if (err < 0) {
        snprintf(what, sizeof(what), "register %s", text);
        meta_api_error(q, err, what);
    } else {
        unsigned count = read_all(m, id, &frame, all);

        reply_all(q, text, id, all, count);
    }
    for (unsigned i = 0; i < MEMBER_SET_MAX; i++)
        vs_buf_close(&all[i].bytes);
    vs_buf_close(&frame);
}

static void answer_alone(struct meta_server *m, struct http_req *q, const char *text,
                         const struct vs_id *id)
{
    struct vs_json *j, *list, *replica;
    struct vs_buf value = { 0 };
    char what[64];
    int err = meta_api_register(m, id, &value);

    if (err < 0) {
        snprintf(what, sizeof(what), "register %s", text);
        meta_api_error(q, err, what);
    } else {
        j = register_json(text, id);
        vs_json_set_bool(j, "agreed", true);
        list = vs_json_array();
        replica = vs_json_object();
        vs_json_set_u64(replica, "id", m->id);
        set_value(replica, value.data, value.len);
        vs_json_add(list, replica);
        vs_json_set(j, "replicas", list);
        http_reply_json(q, 200, j);
    }
    vs_buf_close(&value);
}

static void consensus_answer(struct meta_server *m, struct http_req *q)
{
    char text[VS_ID_TEXT_BYTES];
    struct vs_id id;

    if (!meta_api_chunk_path(q, "", text, &id))
        return;
    if (m->peers.replica == NULL)
        answer_alone(m, q, text, &id);
    else
        answer_all(m, q, text, &id);
}

void meta_consensus_run(struct http_req *q)
{
    meta_api_start(q, consensus_answer);
}
