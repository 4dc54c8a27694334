/* What an env and a session are made of; for the files upload*.c and manifest_write.c.
 *
 * One lock, env->lock, guards all of it: events are few (some per chunk of 4 MiB), and bytes are
 * copied, hashed and coded outside it. Under it nothing is called that could call back or wait:
 * stores, metadata and the cutter are called from jobs on env->exec. Functions that want it held
 * say so by the suffix _locked. The pool has a lock of its own, a leaf.
 *
 * Whatever may outlive the call that made it (chunks, attempts, sessions, batches, manifest
 * writes) is one of env->objects; upload_env_free() waits for their end. */
#ifndef VS_INGEST_UPLOAD_ENV_H
#define VS_INGEST_UPLOAD_ENV_H

#include "common/cleanup.h"
#include "ingest/upload.h"
#include "ingest/upload_machine.h"
#include "ingest/upload_mem.h"

_Static_assert(UM_STORES_MAX >= STORE_SET_MAX, "a mask holds a set");
_Static_assert(UM_SILENT_MS == UPLOAD_PUT_TIMEOUT_MS, "one time-out");

#define UPLOAD_SLOTS_MAX       24         /* chunks being coded and put at once */
#define UPLOAD_APPEND_BYTES    (1u << 20) /* a writer that is let go brings about so much */
#define UPLOAD_REG_BATCHES_MAX 4          /* register requests in flight */
#define UPLOAD_REG_BATCH_MAX   256        /* chunks in one */
#define UPLOAD_WATCH_MS        250        /* how often silent stores are looked for */
#define UPLOAD_FULL_MS         1000       /* a store that refused for want of space rests */

/* What the env remembers of a store. */
struct up_store {
    const struct chunk_store *who; /* another one in its place starts with a clean record */
    int64_t answered_ns;           /* when it last answered a put; 0: never */
    int64_t full_ns;               /* when it last refused for want of space; 0: never */
    bool silent;
};

struct upload_env {
    struct store_set *stores; /* lent, as all of these */
    struct meta_client *meta;
    struct vs_exec *exec;
    struct cutter *cutter;
    const struct vs_clock *clock;
    _Atomic bool *missed;
    uint64_t budget, mount;
    struct up_pool pool;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* objects became 0 */
    /* under lock */
    unsigned objects;
    unsigned sessions;      /* that have a number */
    uint64_t used;          /* bytes taken and not yet durable, and parity */
    struct vs_list uploads; /* all, for the cut of the fullest window */
    struct vs_list rooms;   /* uploads whose writer waits for the budget, longest first */
    struct vs_list queued;  /* chunks that wait for a slot */
    unsigned slots;         /* taken */
    unsigned chunks;        /* that hold memory */
    struct vs_list putting; /* chunks, for the watch */
    struct vs_job watch_job;
    bool watching;
    struct up_store store[STORE_SET_MAX];
    struct vs_list durable; /* chunks that wait for their register */
    struct vs_job reg_job;
    bool reg_due;
    unsigned reg_batches;
};

/* Somebody who needs ids. `served` runs under env->lock, in the order of arrival: 0, and at least
 * one can be taken with upload_session_take_locked(); or why not. Whoever needs more wants again.
 */
struct up_want;
typedef void up_want_fn(struct up_want *w, int status);
struct up_want {
    struct vs_list link;
    up_want_fn *served;
};

struct upload_session {
    struct upload_env *env;
    /* under env->lock */
    uint64_t number;
    uint16_t pid; /* owner of its ids, with inc: the replica that was asked when it was opened */
    uint32_t inc;
    uint64_t mount; /* whose */
    struct {
        uint64_t next;
        unsigned left;
    } range[2];          /* ids reserved and not yet used */
    unsigned last_count; /* size of the last range */
    bool asking;
    int status; /* why there are no more ids, sticky */
    bool committed, freed;
    unsigned users;       /* chunks, attempts, requests */
    struct vs_list wants; /* longest first */
    struct vs_id *given_up;
    size_t given_up_count, given_up_cap; /* cap: ids reserved so far */
    struct vs_job job;
    struct meta_req req;
    struct ns_entry entry;
};

/* ---- upload_env.c ---- */
int64_t upload_now_ns(const struct upload_env *env);
void upload_object_locked(struct upload_env *env);
void upload_object_end_locked(struct upload_env *env);
void upload_charge_locked(struct upload_env *env, uint64_t bytes);
/* May let writers go on. */
void upload_uncharge_locked(struct upload_env *env, uint64_t bytes);
/* Let writers go on while there is room; where nothing else could free memory, cut what is held. */
void upload_rooms_locked(struct upload_env *env);

/* ---- upload_session.c ---- */
/* An id that is reserved: true. False: none left, use a want. */
bool upload_session_take_locked(struct upload_session *s, enum vs_id_type type, struct vs_id *ret);
/* Ids will be needed: open the session now, so that nobody waits for it later. */
void upload_session_prepare_locked(struct upload_session *s);
void upload_session_want_locked(struct upload_session *s, struct up_want *w);
void upload_session_user_locked(struct upload_session *s);
void upload_session_user_end_locked(struct upload_session *s);
void upload_session_give_up_locked(struct upload_session *s, const struct vs_id *id);

#endif
