/* sim_reg: the registers in a simulated world: what its files share.
 *
 * Processes: replicas (acceptor and coordinator each; 3 or 5 vote, two more are spare), storage
 * nodes, clients, and one that stands for the journal: every entry takes effect there at once, in
 * one order. The pure code of meta/ decides; the files here carry it out and check. */
#ifndef VS_TESTS_SIM_SIM_REG_H
#define VS_TESTS_SIM_SIM_REG_H

#include "meta/px_fence.h"
#include "meta/px_propose.h"
#include "tests/sim/sim_history.h"
#include "tests/sim/sim_world.h"

#define REG_REPLICAS_MAX   7
#define REG_NODES          4
#define REG_CLIENTS_MAX    12
#define REG_SESSIONS_MAX   8
#define REG_GENERATION_MAX 30
#define REG_OPS_MAX        96 /* in flight at one coordinator */
#define REG_BATCH_MAX      64 /* entries of a frame */
#define REG_TRIES_MAX      8  /* of a client, at one coordinator after the other */
#define REG_PATIENCE_US    (300 * WORLD_MS)
#define REG_CLIENT_PID     100 /* + process: in operation ids */

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
};

enum reg_timer { TIMER_OP = 1, TIMER_FLUSH, TIMER_CLIENT, TIMER_RETRY, TIMER_JOIN, TIMER_OPERATOR };

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

/* ---- journal, storage nodes ---- */

enum reg_entry_what { ENTRY_OPEN, ENTRY_LINK, ENTRY_ABORT, ENTRY_UNLINK, ENTRY_STATE };

struct reg_entry {
    uint8_t kind, what, session;
    uint8_t first, keys; /* ENTRY_OPEN: what it reserves */
    uint8_t state;       /* of the session, in the answer */
    uint32_t op;
};

enum reg_session_state { SESSION_NONE, SESSION_OPEN, SESSION_COMMITTED, SESSION_ABORTED };

struct reg_session {
    uint8_t state, first, keys;
    bool linked, unlinked;
};

struct reg_frag {
    uint8_t kind, key, index, generation, item;
    bool remove;
    uint32_t op;
};

struct reg_node {
    unsigned proc;
    uint32_t held[REG_KEYS_MAX][REG_FRAGS]; /* disk: bit g: a fragment of generation g */
};

/* ---- replicas ---- */

struct reg_config {
    uint64_t epoch;
    uint8_t n;
    uint8_t member[PX_ACCEPTORS_MAX]; /* replicas, ascending; pid is the number plus 1 */
};

struct reg_cell {
    struct px_reg reg;
    struct reg_value value; /* reg.accepted.value */
    uint64_t batch;         /* that stored it */
};

/* acceptor/ of a replica. */
struct reg_disk {
    bool identity; /* false: an empty disk */
    bool votes;
    bool whole;    /* voted in the epoch before this one until it left that */
    bool newcomer; /* this epoch begins with what it has collected */
    uint8_t fence; /* newcomer that votes: F, a mask of replicas */
    uint32_t pid, inc;
    uint64_t batches;
    struct reg_config config;
    struct reg_cell cell[REG_KEYS_MAX];
    struct reg_cell start[REG_KEYS_MAX]; /* newcomer: what the epoch began with */
};

/* What a newcomer has collected; in memory. */
struct reg_join {
    bool active;
    unsigned ticks;
    struct px_fence fence;
    struct reg_config from;
    struct reg_cell copy[PX_ACCEPTORS_MAX][REG_KEYS_MAX];
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

struct reg_op {
    bool used;
    uint8_t key, what, reply_to, i;
    uint32_t client_op;
    struct px_propose propose;
    struct px_ballot floor; /* no result may lie below */
    struct reg_value value, expect, space, made;
};

struct reg_replica {
    struct reg_disk disk;
    struct px_acceptor acceptor;
    struct px_proposer proposer;
    uint64_t id_seq;   /* ids given out in this life */
    uint64_t awake_at; /* its incarnation is durable then */
    uint64_t sync_at;  /* all that is in memory is durable then */
    unsigned ops;      /* op[0 .. ops) may be used */
    bool flushing;
    bool asking; /* what its epoch began with */
    bool behind; /* has heard of a newer epoch */
    struct reg_op op[REG_OPS_MAX];
    struct reg_frame out[PX_ACCEPTORS_MAX];
};

enum reg_role { ROLE_RANDOM, ROLE_UPLOAD, ROLE_REAPER, ROLE_MOVER, ROLE_NODE };
enum reg_call { CALL_NONE, CALL_REQUEST, CALL_ENTRY, CALL_FRAGS };

struct reg_client {
    unsigned proc;
    uint8_t role, step, call;
    uint8_t left; /* items not answered */
    uint8_t tries;
    uint8_t at; /* replica */
    uint32_t op;
    struct reg_request request; /* an answered item has what == UINT8_MAX */
    struct reg_reply reply[REG_BATCH_MAX];
    struct reg_entry entry;
    unsigned frags;
    struct {
        struct reg_frag frag;
        uint8_t node;
        bool done;
    } put[REG_BATCH_MAX * REG_FRAGS];
    uint8_t session, key, index, node, generation; /* what the role is working on */
    struct reg_value known[REG_KEYS_MAX];
};

struct reg_sim {
    struct sim_world *w;
    struct reg_history history;
    struct reg_config config; /* the newest that is open */
    struct reg_config coming; /* the newest that is committed in the journal */
    struct reg_join join[REG_REPLICAS_MAX];
    unsigned wiped; /* members of config without a disk */
    unsigned newcomer, spares_used;
    bool hasty; /* newcomers take the first majority they get */
    unsigned voters, replicas;
    bool uploads;     /* sessions and fragments; else bare registers */
    unsigned journal; /* process */
    unsigned nodes, sessions;
    struct reg_node node[REG_NODES];
    struct reg_session session[REG_SESSIONS_MAX];
    uint8_t session_of[REG_KEYS_MAX];
    uint64_t batch_us; /* asks wait so long for others; 0: until the end of the handler */
    unsigned keys, keys_wanted;
    struct vs_id id[REG_KEYS_MAX];
    unsigned clients;
    struct reg_client client[REG_CLIENTS_MAX];
    struct reg_replica replica[REG_REPLICAS_MAX];
    unsigned decided, looked, linked;
};

extern const struct sim_system sim_reg_system;

/* sim_replica.c */
void reg_replica_setup(struct reg_sim *s, unsigned r, bool member);
void reg_replica_restart(struct reg_sim *s, unsigned r);
void reg_replica_ask(struct reg_sim *s, unsigned r, unsigned from, const struct reg_frame *f);
void reg_replica_awake(struct reg_sim *s, unsigned r);
void reg_replica_wiped(struct reg_sim *s, unsigned r);
bool reg_is_member(const struct reg_config *c, unsigned replica);
/* sim_member.c: the operator, who replaces members; the newcomer; members that leave an epoch */
void reg_member_message(struct reg_sim *s, unsigned to, unsigned from, const struct reg_records *m);
void reg_member_timer(struct reg_sim *s, unsigned r);
void reg_operator_timer(struct reg_sim *s);
/* The replica hears of an epoch. */
void reg_member_learn(struct reg_sim *s, unsigned r);
void reg_member_restart(struct reg_sim *s, unsigned r);
/* sim_coordinator.c */
void reg_coordinator_setup(struct reg_sim *s, unsigned r);
/* Its configuration has changed: operations begin again. */
void reg_coordinator_epoch(struct reg_sim *s, unsigned r);
void reg_coordinator_request(struct reg_sim *s, unsigned r, unsigned from,
                             const struct reg_request *q);
void reg_coordinator_answer(struct reg_sim *s, unsigned r, unsigned from,
                            const struct reg_frame *f);
void reg_coordinator_timer(struct reg_sim *s, unsigned r, uint32_t kind, uint64_t data);
/* A replica gives out ids once its incarnation is durable. */
bool reg_may_issue(const struct reg_sim *s, unsigned r);
/* Give out a fresh id; its key, or -1: there are REG_KEYS_MAX. */
int reg_issue(struct reg_sim *s, unsigned r);
int reg_key_of(const struct reg_sim *s, const struct vs_id *id);
/* After every decision: what is LIVE has its fragments, what is linked is LIVE. */
void reg_decided(struct reg_sim *s, unsigned key);

/* sim_client.c: calls with retries, and clients that do anything to bare registers */
void reg_client_add(struct reg_sim *s, unsigned proc, enum reg_role role);
void reg_client_restart(struct reg_sim *s, unsigned proc);
void reg_client_answer(struct reg_sim *s, unsigned proc, const void *msg);
void reg_client_timer(struct reg_sim *s, unsigned proc, uint32_t kind, uint64_t data);
/* Make the call that stands in c->request, c->entry or c->put; the role goes on with it when
 * all is answered, or when nobody answers. */
void reg_client_call(struct reg_sim *s, struct reg_client *c, enum reg_call call);
/* Later. */
void reg_client_wait(struct reg_sim *s, struct reg_client *c, uint64_t us);
/* One item, at a replica drawn now. */
void reg_client_want(struct reg_sim *s, struct reg_client *c, const struct reg_item *item);

/* sim_session.c: uploads, their reaper, movers. step: after a wait; done: a call has ended. */
void reg_upload_step(struct reg_sim *s, struct reg_client *c);
void reg_upload_done(struct reg_sim *s, struct reg_client *c, bool answered);
void reg_reaper_step(struct reg_sim *s, struct reg_client *c);
void reg_reaper_done(struct reg_sim *s, struct reg_client *c, bool answered);
void reg_mover_step(struct reg_sim *s, struct reg_client *c);
void reg_mover_done(struct reg_sim *s, struct reg_client *c, bool answered);

/* sim_node.c: storage nodes, and the journal as one place */
void reg_node_step(struct reg_sim *s, struct reg_client *c);
void reg_node_done(struct reg_sim *s, struct reg_client *c, bool answered);
void reg_node_frag(struct reg_sim *s, unsigned proc, unsigned from, const struct reg_frag *m);
void reg_journal_entry(struct reg_sim *s, unsigned from, const struct reg_entry *m);
bool reg_node_holds(const struct reg_sim *s, unsigned node, unsigned key, unsigned index,
                    unsigned generation);

#endif
