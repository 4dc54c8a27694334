/* sim_journal_msg: what the processes of the simulated journal send each other. */
#ifndef VS_TESTS_SIM_SIM_JOURNAL_MSG_H
#define VS_TESTS_SIM_SIM_JOURNAL_MSG_H

#include "tests/sim/sim_journal.h"

enum sj_msg_type { SJ_JOURNAL, SJ_OP, SJ_ANSWER, SJ_WANT, SJ_SNAPSHOT, SJ_ORDER, SJ_REPORT };

/* Journal messages: the items follow. */
struct sj_msg_journal {
    uint64_t type;
    struct journal_msg msg;
    struct journal_item item[JOURNAL_ITEMS_MAX];
};

struct sj_msg_op {
    uint64_t type, client, seq, is_read, key;
};

struct sj_msg_answer {
    uint64_t type, seq, kind, slot, leader; /* kind: enum journal_answer_kind, or SJ_DONE */
};
#define SJ_DONE 100

struct sj_msg_snapshot { /* and WANT, without the state */
    uint64_t type, number;
    struct sj_ns ns;
};

enum sj_order { SJ_FENCE, SJ_JOIN, SJ_OPEN };

struct sj_msg_order { /* and REPORT */
    uint64_t type, order, epoch;
    struct sj_disk disk;
    struct sj_ns ns;
};

#endif
