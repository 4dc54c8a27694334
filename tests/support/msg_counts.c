/* msg_counts: see the header. */
#include "tests/support/msg_counts.h"

#include "common/assert.h"
#include "common/clock.h"

#define PATIENCE_NS (60 * VS_NS_PER_S)

#define MESSAGES(kind, way) "vstack_px_messages_total{kind=\"" kind "\",way=\"" way "\"}"

struct msg_counts msg_counts_settled(msg_sum_fn *sum, void *arg)
{
    int64_t end_ns = vs_now_ns(&vs_clock_system) + PATIENCE_NS;

    for (;;) {
        uint64_t asks = sum(arg, MESSAGES("asks", "out"));
        uint64_t answers = sum(arg, MESSAGES("answers", "in"));
        uint64_t own_asks = sum(arg, MESSAGES("asks", "own"));
        uint64_t own_answers = sum(arg, MESSAGES("answers", "own"));

        if (asks == answers && own_asks == own_answers)
            return (struct msg_counts){ .wire = asks + answers,
                                        .own = own_asks + own_answers,
                                        .questions =
                                            sum(arg, "vstack_meta_op_seconds_count{op=\"reg_") };
        VS_ASSERT(vs_now_ns(&vs_clock_system) < end_ns);
    }
}

struct msg_counts msg_counts_since(const struct msg_counts *before, const struct msg_counts *now)
{
    return (struct msg_counts){ .wire = now->wire - before->wire,
                                .own = now->own - before->own,
                                .questions = now->questions - before->questions };
}
