/* sim_reg: the registers in a simulated world: what its files share.
 *
 * Processes: replicas (acceptor and coordinator each; 3 or 5 vote, two more are spare), storage
 * nodes, clients, and one that stands for the journal: every entry takes effect there at once, in
 * one order. The pure code of meta/ decides; the files here carry it out and check. */
#ifndef VS_TESTS_SIM_SIM_REG_H
#define VS_TESTS_SIM_SIM_REG_H

#include "tests/sim/sim_replica.h"
#include "tests/sim/sim_world.h"

#define REG_REPLICAS_MAX   7
#define REG_NODES          4
#define REG_CLIENTS_MAX    12
#define REG_SESSIONS_MAX   8
#define REG_GENERATION_MAX 30
#define REG_TRIES_MAX      8 /* of a client, at one coordinator after the other */
#define REG_PATIENCE_US    (300 * WORLD_MS)
#define REG_CLIENT_PID     100 /* + process: in operation ids */

enum reg_timer {
    TIMER_COORDINATOR = 1,
    TIMER_CLIENT,
    TIMER_RETRY,
    TIMER_JOIN,
    TIMER_OPERATOR,
    TIMER_NODE_LOST
};

enum reg_session_state { SESSION_NONE, SESSION_OPEN, SESSION_COMMITTED, SESSION_ABORTED };

struct reg_session {
    uint8_t state, first, keys;
    bool linked, unlinked;
};

struct reg_node {
    unsigned proc;
    uint32_t held[REG_KEYS_MAX][REG_FRAGS]; /* disk: bit g: a fragment of generation g */
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
    uint8_t session, key, index, node, generation, asked; /* what the role is working on */
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
    bool hasty;  /* newcomers take the first majority they get */
    bool gather; /* late members ask those that vote, not the newcomer, what to begin with */
    bool node_lost;
    bool wire; /* frames are written as bytes and read back */
    unsigned voters, replicas;
    bool uploads;     /* sessions and fragments; else bare registers */
    unsigned journal; /* process */
    unsigned nodes, sessions;
    struct reg_node node[REG_NODES];
    struct reg_session session[REG_SESSIONS_MAX];
    uint8_t session_of[REG_KEYS_MAX];
    bool batching; /* asks wait for company while a frame is on its way */
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
/* sim_wire.c: the frame as its receiver reads it; asked_by: of the asks that it answers */
void reg_wire(struct reg_sim *s, struct reg_frame *f, const struct px_head *asked_by);
/* sim_member.c: the newcomer; members that leave an epoch. sim_operator.c: who replaces them */
void reg_member_message(struct reg_sim *s, unsigned to, unsigned from, const struct reg_records *m);
void reg_member_timer(struct reg_sim *s, unsigned r);
/* A spare is a member now: the one that fences, or one that comes late. */
void reg_member_begin(struct reg_sim *s, unsigned r);
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
void reg_coordinator_timer(struct reg_sim *s, unsigned r, uint64_t data);
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
void reg_node_wiped(struct reg_sim *s, unsigned proc);
void reg_journal_entry(struct reg_sim *s, unsigned from, const struct reg_entry *m);
bool reg_node_holds(const struct reg_sim *s, unsigned node, unsigned key, unsigned index,
                    unsigned generation);

#endif
