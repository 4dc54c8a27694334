/* chaos: real replicas of vstack-meta under kill, freeze and cut, their clients' histories checked.
 *
 * The main thread starts the replicas and does the harm; client threads ask through meta_http and
 * write down every operation with the moments of its call and its answer; one more client makes a
 * file and reads it, over and over: the longest gap between two successes is how long the metadata
 * was away. At the end everything is healed, every key is read once more, the histories go through
 * tests/lin, the replicas' databases are compared.
 *
 * One seed draws the faults and the clients' choices. Lock order: none; each lock is held alone. */
#ifndef VS_TESTS_CHAOS_CHAOS_H
#define VS_TESTS_CHAOS_CHAOS_H

#include "common/http_client.h"
#include "common/id.h"
#include "common/rand.h"
#include "meta/meta_client.h"
#include "tests/support/node_proc.h"
#include "tests/support/temp_dir.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define CHAOS_METAS_MAX   5
#define CHAOS_CLIENTS_MAX 16
#define CHAOS_HOT_NAMES   8
#define CHAOS_KEY_OPS     100 /* then the next key takes its place: orders are searched per key */
#define CHAOS_VALUES      8   /* registers and files that are changed at a time */
#define CHAOS_KEY_BYTES   32
#define CHAOS_RANGES_MAX  4096
#define CHAOS_OLD_MAX     (1u << 17) /* keys that are read again at the end */
struct tcp_cut;
struct chaos_config {
    const char *dir;               /* "": a temporary one */
    uint64_t metas, clients, seed; /* 1, 3 or 5 replicas */
    /* All; of them at least so many of the leader. */
    uint64_t faults, kills, freezes, cuts;
    uint64_t seconds; /* no new fault after that */
    uint64_t gap_ms;  /* a longer gap is a violation; 0: only told */
    bool is_direct;   /* replicas are not reached through ways that can be cut */
    bool keep, drop;  /* the directory, also after a violation */
};

/* A register, or a file whose content is swapped: compare-and-set with a version. */
struct chaos_value {
    char key[CHAOS_KEY_BYTES];
    struct vs_id id; /* register; zero: a file */
    uint64_t ino;
    unsigned ops, held; /* held: by so many replicas at the end */
    uint64_t last;      /* read at the end; 0: absent */
};

/* Numbers that were given out: no two ranges of one owner may meet (invariant I6). */
struct chaos_range {
    uint64_t owner; /* pid and incarnation of ids; 0: inodes */
    uint64_t first, count;
};

struct chaos_meta {
    struct node_proc proc;
    char id[4], dir[TEMP_DIR_BYTES + 16];
    uint16_t port;
    struct tcp_cut *to[CHAOS_METAS_MAX]; /* its way to each other one */
};

struct chaos {
    struct chaos_config config;
    char dir[TEMP_DIR_BYTES];
    struct vs_rand rand; /* of the faults: main thread */
    struct vs_id cluster;
    struct chaos_meta meta[CHAOS_METAS_MAX];
    char origins[CHAOS_METAS_MAX][64];
    const char *origin[CHAOS_METAS_MAX];
    bool is_cut[CHAOS_METAS_MAX][CHAOS_METAS_MAX]; /* from, to */
    struct vs_exec *exec;
    struct http_client *http; /* of the main thread: /health */
    struct http_host *host[CHAOS_METAS_MAX];
    uint64_t parent; /* the directory of all names */

    atomic_bool is_over;
    atomic_uint hot_ops[CHAOS_HOT_NAMES];
    atomic_ulong ops, unknown, odd; /* answered; without an answer; answered with what may not be */
    atomic_uint violations;
    atomic_ulong pairs;        /* done */
    atomic_llong pair_last_ns; /* when */
    atomic_llong gap_ns;       /* longest so far */
    atomic_llong gap_end_ns;   /* when it ended */
    atomic_llong fault_gap_ns; /* longest since the last fault began */
    int64_t began_ns;

    pthread_mutex_t values_lock;
    struct chaos_value values[CHAOS_VALUES];
    struct chaos_value *old; /* all there ever were */
    unsigned old_count;

    pthread_mutex_t ranges_lock;
    struct chaos_range ranges[CHAOS_RANGES_MAX];
    unsigned range_count;

    pthread_mutex_t history_lock;
    FILE *history;
    char history_path[TEMP_DIR_BYTES + 32];
};

/* One thread that asks. */
struct chaos_client {
    struct chaos *c;
    unsigned number;
    bool reads_only; /* of one replica, be it a leader that others have left */
    struct vs_rand rand;
    struct vs_exec *exec;
    struct http_client *http;
    struct meta_client *meta;
    uint64_t ino, ino_end; /* reserved, not used yet */
    uint64_t seq, seq_end;
    uint64_t next_name, next_token;
    struct chaos_seen {
        char key[CHAOS_KEY_BYTES];
        uint64_t token, version;
    } seen[CHAOS_VALUES];
    struct vs_buf value;
};

/* A violation: said, counted. */
void chaos_violation(struct chaos *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int64_t chaos_now(void);

/* ---- chaos_cluster.c: processes ---- */

int chaos_cluster_start(struct chaos *c);
void chaos_cluster_stop(struct chaos *c); /* politely; what was frozen goes on first */
/* Ways, connections; what runs is stopped already. */
void chaos_cluster_close(struct chaos *c);
/* A replica, again after it was ended. 0, or -EIO. */
int chaos_meta_start(struct chaos *c, unsigned i);
struct chaos_health {
    unsigned leader; /* index; CHAOS_METAS_MAX: not known */
    uint64_t applied;
};
/* What replica i says. -errno: nothing, within `timeout_ms`. */
int chaos_health(struct chaos *c, unsigned i, unsigned timeout_ms, struct chaos_health *ret);
/* The one that most take for it; waits for it. CHAOS_METAS_MAX: there is none. */
unsigned chaos_leader(struct chaos *c, unsigned timeout_ms);
/* From one replica to another nothing goes any more; or again. */
void chaos_cut(struct chaos *c, unsigned from, unsigned to, bool is_cut);

/* ---- chaos_faults.c ---- */

/* All of them, one after the other; prints each. */
void chaos_faults(struct chaos *c);
void chaos_faults_print(void);

/* ---- chaos_client.c: what clients share ---- */

int chaos_client_start(struct chaos_client *k, struct chaos *c, unsigned number);
void chaos_client_stop(struct chaos_client *k);
int chaos_change(struct chaos_client *k, const struct ns_entry *e, struct ns_answer *ret);
int chaos_lookup(struct chaos_client *k, const char *name, uint64_t *ret_ino);
/* Inode numbers; ids of the client's owner. False: it is over. */
bool chaos_need_ino(struct chaos_client *k, uint64_t *ret);
bool chaos_need_id(struct chaos_client *k, struct vs_id *ret);
struct ns_entry chaos_create_entry(struct chaos_client *k, const char *name, uint64_t ino);
struct ns_time chaos_time(void);
/* Is it one of the answers that the operation may have? Then it counts; else its outcome is not
 * known. */
bool chaos_answered(struct chaos_client *k, int status, int may_a, int may_b);

/* ---- chaos_names.c, chaos_values.c: one drawn operation ---- */

void chaos_names_step(struct chaos_client *k);
void chaos_values_step(struct chaos_client *k);
/* Every key that ever was, once more; main thread, all is healed. */
void chaos_names_last(struct chaos_client *k);
void chaos_values_last(struct chaos_client *k);

/* ---- chaos_pairs.c ---- */

void *chaos_pairs(void *client);

/* ---- chaos_history.c ---- */

struct chaos_event {
    const char *key, *op; /* "read", "write", "cas" */
    int64_t call, ret;    /* ret 0: no answer came */
    bool is_refused;
    uint64_t expect, value; /* 0: absent */
    uint64_t version;       /* LIN_NO_VERSION: not told */
};
void chaos_record(struct chaos *c, const struct chaos_event *e);
/* All of it through tests/lin. */
void chaos_history_check(struct chaos *c);

/* ---- chaos_check.c ---- */

/* Wait until all replicas have applied the same slots, stop them, compare what they hold. */
void chaos_replicas_check(struct chaos *c);
void chaos_ranges_check(struct chaos *c);
void chaos_range(struct chaos *c, uint64_t owner, uint64_t first, uint64_t count);

#endif
