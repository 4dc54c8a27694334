/* sim_wire: frames of registers written as bytes and read back, as between real replicas.
 *
 * In some schedules every frame takes this way, so that what the codec cannot carry, or carries
 * otherwise, shows as a broken invariant. */
#include "common/err.h"
#include "meta/px_msg.h"
#include "tests/sim/sim_reg.h"
#include <string.h>

static struct vs_buf bytes; /* one world runs at a time; kept for the next frame */

static void wire_check(struct reg_sim *s, int r, const char *what)
{
    if (r < 0)
        world_violation(s->w, "a frame cannot be %s: %d", what, r);
}

static void write_entry(struct reg_sim *s, struct px_msg_out *o, struct reg_frame *f, unsigned i)
{
    struct px_ask *ask = &f->ask[i].ask;
    struct px_answer *answer = &f->answer[i].answer;

    if (f->kind == MSG_ASK) {
        if (ask->value.value_len > 0)
            ask->value.value = (const uint8_t *)&f->ask[i].value;
        wire_check(s, px_msg_add_ask(o, ask), "written");
    } else {
        if (answer->accepted.value_len > 0)
            answer->accepted.value = (const uint8_t *)&f->answer[i].value;
        wire_check(s, px_msg_add_answer(o, answer), "written");
    }
}

static void read_value(struct reg_sim *s, const struct px_accepted *a, struct reg_value *ret)
{
    if (a->value_len == 0)
        return;
    if (a->value_len != sizeof(*ret))
        world_violation(s->w, "a value comes with %zu bytes", a->value_len);
    memcpy(ret, a->value, sizeof(*ret));
}

static bool read_entry(struct reg_sim *s, struct px_msg_in *in, struct reg_frame *f)
{
    struct reg_ask *ask = &f->ask[f->n];
    struct reg_answer *answer = &f->answer[f->n];

    if (f->kind == MSG_ASK) {
        if (!px_msg_next_ask(in, &ask->ask))
            return false;
        read_value(s, &ask->ask.value, &ask->value);
    } else {
        if (!px_msg_next_answer(in, &answer->answer))
            return false;
        read_value(s, &answer->answer.accepted, &answer->value);
    }
    f->n++;
    return true;
}

void reg_wire(struct reg_sim *s, struct reg_frame *f, const struct px_head *asked_by)
{
    struct px_msg_out o;
    struct px_msg_in in;
    unsigned n = f->n;

    bytes.len = 0;
    wire_check(s,
               f->kind == MSG_ASK ? px_msg_begin_asks(&o, &bytes, &f->head)
                                  : px_msg_begin_answers(&o, &bytes, &f->head, asked_by),
               "begun");
    for (unsigned i = 0; i < n; i++)
        write_entry(s, &o, f, i);
    wire_check(s, px_msg_end(&o), "ended");
    wire_check(s, px_msg_open(bytes.data, bytes.len, &in), "read");
    f->head = in.head;
    f->n = 0;
    while (f->n < n && read_entry(s, &in, f))
        ;
    if (f->n != n || in.left != 0)
        world_violation(s->w, "of %u entries of a frame %u come back", n, f->n);
    world_mix(s->w, bytes.len);
}
