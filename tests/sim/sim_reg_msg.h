/* sim_reg_msg: what the processes of the simulated registers say to each other. */
#ifndef VS_TESTS_SIM_SIM_REG_MSG_H
#define VS_TESTS_SIM_SIM_REG_MSG_H

#include "meta/px_acceptor.h"
#include "tests/sim/sim_history.h"

#define REG_BATCH_MAX 64 /* entries of a frame */

enum reg_msg_kind {
    MSG_ASK = 1, /* coordinator -> acceptor, and back */
    MSG_ANSWER,
    MSG_REQUEST, /* client -> coordinator, and back, one reply per item */
    MSG_REPLY,
    MSG_ENTRY, /* client -> journal, and back */
    MSG_ENTRY_DONE,
    MSG_FRAG, /* client -> storage node, and back */
    MSG_FRAG_DONE,
    MSG_COPY, /* newcomer -> acceptor, and back */
    MSG_COPIED,
    MSG_FENCE,
    MSG_FENCED,
    MSG_OPEN, /* member of the new epoch -> newcomer, and back */
    MSG_OPENED,
    MSG_GATHER, /* late member -> members that vote, and back */
    MSG_GATHERED,
};

struct reg_ask {
    struct px_ask ask;
    struct reg_value value;
};

struct reg_answer {
    struct px_answer answer;
    struct reg_value value;
};

struct reg_frame {
    uint8_t kind;
    uint16_t n;
    struct px_head head;
    union {
        struct reg_ask ask[REG_BATCH_MAX];
        struct reg_answer answer[REG_BATCH_MAX];
    };
};

/* What a client may want of a register. */
enum reg_what {
    WHAT_CREATE,
    WHAT_CAS,         /* generation and tag as expected: value */
    WHAT_TOMB,        /* whatever it is */
    WHAT_TOMB_ABSENT, /* only if nothing is there */
    WHAT_RAISE,       /* the generation, if it is as expected */
    WHAT_LOOK,
};

struct reg_item {
    uint8_t key, what;
    bool fresh;
    struct reg_value expect, value;
};

struct reg_request {
    uint8_t kind;
    uint8_t n;
    uint32_t op; /* number at the client, the same at every try; item i is operation op * 64 + i */
    struct reg_item item[REG_BATCH_MAX];
};

struct reg_reply {
    uint8_t kind;
    uint8_t key, i, present;
    uint32_t op;
    int32_t status;
    struct reg_value value;
};

enum reg_entry_what { ENTRY_OPEN, ENTRY_LINK, ENTRY_ABORT, ENTRY_UNLINK, ENTRY_STATE };

struct reg_entry {
    uint8_t kind, what, session;
    uint8_t first, keys; /* ENTRY_OPEN: what it reserves */
    uint8_t state;       /* of the session, in the answer */
    uint32_t op;
};

struct reg_frag {
    uint8_t kind, key, index, generation, item;
    bool remove;
    uint32_t op;
};

/* Registers on their way from one replica to another. */
struct reg_records {
    uint8_t kind;
    uint8_t n;
    bool records, rest, whole;
    uint8_t fence;
    uint64_t epoch, above, mark;
    struct {
        uint8_t key;
        struct px_reg reg;
        struct reg_value value;
    } record[REG_KEYS_MAX];
};

#endif
