/* px_msg: asks and answers of registers. See px_msg.h.
 *
 * Happy path: entries in a row; what is zero is left out, and a bit says so. Failure: a bit that
 * says more than is there, or anything unknown, makes the whole frame corrupt. */
#include "meta/px_msg.h"

#include "common/err.h"

#include <string.h>

/* A field that is added there needs a place here. */
_Static_assert(sizeof(struct px_ask) == 168, "px_ask");
_Static_assert(sizeof(struct px_answer) == 200, "px_answer");

enum ask_bits {
    ASK_CREATE = 1,
    ASK_VALUE = 2, /* ACCEPT0, ACCEPT: always; else never */
    ASK_BITS = 3,
};

enum answer_bits {
    ANSWER_PROMISED = 1,
    ANSWER_ACCEPTED_AT = 2,
    ANSWER_VALUE = 4,
    ANSWER_BITS = 7,
};

/* ---- parts ----------------------------------------------------------------------------------- */

static bool phase_is_known(uint8_t phase)
{
    return phase >= PX_ACCEPT0 && phase <= PX_READ;
}

static bool phase_has_value(uint8_t phase)
{
    return phase == PX_ACCEPT0 || phase == PX_ACCEPT;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int begin(struct px_msg_out *o, struct vs_buf *buf, enum px_frame_kind kind,
                 const struct px_head *head, const struct px_head *asked_by)
{
    *o = (struct px_msg_out){ .kind = (uint8_t)kind, .pid = asked_by->pid, .inc = asked_by->inc };
    return px_frame_begin(&o->frame, buf, kind, head);
}

int px_msg_begin_asks(struct px_msg_out *o, struct vs_buf *buf, const struct px_head *head)
{
    return begin(o, buf, PX_FRAME_ASKS, head, head);
}

int px_msg_begin_answers(struct px_msg_out *o, struct vs_buf *buf, const struct px_head *head,
                         const struct px_head *asked_by)
{
    struct vs_wr w;
    int r = begin(o, buf, PX_FRAME_ANSWERS, head, asked_by);

    if (r < 0)
        return r;
    w = vs_wr_init(buf, o->frame.bytes_max);
    vs_wr_u32(&w, asked_by->pid);
    vs_wr_u32(&w, asked_by->inc);
    if (w.err < 0)
        px_frame_drop(&o->frame);
    return w.err;
}

/* An entry was written behind `before`: counted, or taken back. */
static int added(struct px_msg_out *o, const struct vs_wr *w, size_t before)
{
    if (w->err < 0)
        o->frame.buf->len = before;
    else
        o->frame.count++;
    return w->err;
}

int px_msg_add_ask(struct px_msg_out *o, const struct px_ask *ask)
{
    struct vs_wr w = vs_wr_init(o->frame.buf, o->frame.bytes_max);
    size_t before = o->frame.buf->len;
    bool value = phase_has_value(ask->phase);

    if (o->kind != PX_FRAME_ASKS || !phase_is_known(ask->phase) || ask->ballot.pid != o->pid ||
        ask->ballot.inc != o->inc || (ask->create && ask->phase != PX_ACCEPT) ||
        (value ? ask->value.value_len > PX_VALUE_BYTES_MAX : !px_frame_record_is_none(&ask->value)))
        return -EINVAL;
    if (o->frame.count >= PX_FRAME_ENTRIES_MAX)
        return -EMSGSIZE;
    vs_wr_bytes(&w, ask->id.b, VS_ID_BYTES);
    vs_wr_u64(&w, ask->seq);
    vs_wr_u8(&w, ask->phase);
    vs_wr_u8(&w, (uint8_t)((ask->create ? ASK_CREATE : 0) | (value ? ASK_VALUE : 0)));
    vs_wr_u64(&w, ask->ballot.round);
    if (value)
        px_frame_wr_record(&w, &ask->value);
    return added(o, &w, before);
}

int px_msg_add_answer(struct px_msg_out *o, const struct px_answer *answer)
{
    struct vs_wr w = vs_wr_init(o->frame.buf, o->frame.bytes_max);
    size_t before = o->frame.buf->len;
    bool promised = !px_ballot_is_none(&answer->promised);
    bool accepted = !px_ballot_is_none(&answer->accepted_at);
    bool value = !px_frame_record_is_none(&answer->accepted);

    if (o->kind != PX_FRAME_ANSWERS || !phase_is_known(answer->phase) ||
        answer->word < PX_SAYS_OK || answer->word > PX_SAYS_EPOCH || answer->ballot.pid != o->pid ||
        answer->ballot.inc != o->inc || answer->accepted.value_len > PX_VALUE_BYTES_MAX)
        return -EINVAL;
    if (o->frame.count >= PX_FRAME_ENTRIES_MAX)
        return -EMSGSIZE;
    vs_wr_bytes(&w, answer->id.b, VS_ID_BYTES);
    vs_wr_u64(&w, answer->seq);
    vs_wr_u8(&w, answer->phase);
    vs_wr_u8(&w, answer->word);
    vs_wr_u8(&w, (uint8_t)((promised ? ANSWER_PROMISED : 0) | (accepted ? ANSWER_ACCEPTED_AT : 0) |
                           (value ? ANSWER_VALUE : 0)));
    vs_wr_u64(&w, answer->ballot.round);
    if (promised)
        px_frame_wr_ballot(&w, &answer->promised);
    if (accepted)
        px_frame_wr_ballot(&w, &answer->accepted_at);
    if (value)
        px_frame_wr_record(&w, &answer->accepted);
    return added(o, &w, before);
}

int px_msg_end(struct px_msg_out *o)
{
    return px_frame_end(&o->frame);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void rd_ask(struct px_msg_in *in, struct px_ask *ret)
{
    struct vs_rd *r = &in->rest;
    struct px_ask ask = { .ballot = { .pid = in->pid, .inc = in->inc } };
    uint8_t bits;

    vs_rd_bytes(r, ask.id.b, VS_ID_BYTES);
    ask.seq = vs_rd_u64(r);
    ask.phase = vs_rd_u8(r);
    bits = vs_rd_u8(r);
    ask.ballot.round = vs_rd_u64(r);
    ask.create = (bits & ASK_CREATE) != 0;
    if (!phase_is_known(ask.phase) || (bits & ~ASK_BITS) != 0 ||
        phase_has_value(ask.phase) != ((bits & ASK_VALUE) != 0) ||
        (ask.create && ask.phase != PX_ACCEPT))
        r->err = -VS_ECORRUPT;
    if (bits & ASK_VALUE)
        px_frame_rd_record(r, &ask.value);
    *ret = ask;
}

static void rd_answer(struct px_msg_in *in, struct px_answer *ret)
{
    struct vs_rd *r = &in->rest;
    struct px_answer answer = { .ballot = { .pid = in->pid, .inc = in->inc } };
    uint8_t bits;

    vs_rd_bytes(r, answer.id.b, VS_ID_BYTES);
    answer.seq = vs_rd_u64(r);
    answer.phase = vs_rd_u8(r);
    answer.word = vs_rd_u8(r);
    bits = vs_rd_u8(r);
    answer.ballot.round = vs_rd_u64(r);
    if (!phase_is_known(answer.phase) || answer.word < PX_SAYS_OK || answer.word > PX_SAYS_EPOCH ||
        (bits & ~ANSWER_BITS) != 0)
        r->err = -VS_ECORRUPT;
    answer.promised = px_frame_rd_some_ballot(r, bits & ANSWER_PROMISED);
    answer.accepted_at = px_frame_rd_some_ballot(r, bits & ANSWER_ACCEPTED_AT);
    if (bits & ANSWER_VALUE) {
        px_frame_rd_record(r, &answer.accepted);
        if (px_frame_record_is_none(&answer.accepted))
            r->err = -VS_ECORRUPT;
    }
    *ret = answer;
}

static void rd_entry(struct px_msg_in *in)
{
    struct px_answer answer;
    struct px_ask ask;

    if (in->kind == PX_FRAME_ASKS)
        rd_ask(in, &ask);
    else
        rd_answer(in, &answer);
}

int px_msg_open(const void *bytes, size_t len, struct px_msg_in *ret)
{
    struct px_frame frame;
    struct px_msg_in in = { 0 }, check;
    int r = px_frame_open(bytes, len, &frame);

    if (r < 0)
        return r;
    if ((frame.kind != PX_FRAME_ASKS && frame.kind != PX_FRAME_ANSWERS) ||
        frame.count > PX_FRAME_ENTRIES_MAX)
        return -VS_ECORRUPT;
    in.head = frame.head;
    in.kind = frame.kind;
    in.left = frame.count;
    in.rest = frame.body;
    in.pid = in.kind == PX_FRAME_ASKS ? frame.head.pid : vs_rd_u32(&in.rest);
    in.inc = in.kind == PX_FRAME_ASKS ? frame.head.inc : vs_rd_u32(&in.rest);
    check = in;
    for (unsigned i = 0; i < in.left && check.rest.err == 0; i++)
        rd_entry(&check);
    r = vs_rd_done(&check.rest);
    if (r == 0)
        *ret = in;
    return r;
}

bool px_msg_next_ask(struct px_msg_in *in, struct px_ask *ret)
{
    if (in->kind != PX_FRAME_ASKS || in->left == 0)
        return false;
    in->left--;
    rd_ask(in, ret);
    return true;
}

bool px_msg_next_answer(struct px_msg_in *in, struct px_answer *ret)
{
    if (in->kind != PX_FRAME_ANSWERS || in->left == 0)
        return false;
    in->left--;
    rd_answer(in, ret);
    return true;
}
