/* What the files of a newcomer share. */
#ifndef VS_META_META_JOIN_IMPL_H
#define VS_META_META_JOIN_IMPL_H

#include "meta/acceptor_store.h"
#include "meta/journal_fence.h"
#include "meta/meta_join.h"
#include "meta/ns_store.h"
#include "meta/px_fence.h"
#include "meta/px_msg_move.h"

#define JOIN_BATCH_BYTES (4u << 20) /* at most so much in one */

/* One attempt. */
struct join {
    const struct meta_join_config *config;
    struct vs_io *io;
    struct kv *acceptor;
    struct acceptor_store *store;
    struct ns_store ns;
    bool is_begun; /* what is here says that this newcomer had not everything: it never voted */
    struct member_set from, to; /* the epoch before, and the one that is to be */
    unsigned stay;              /* members of `from` that stay: bit i for from.member[i] */
    unsigned left;              /* of them: who has left `from` already */
    unsigned touched; /* of them: whose registers are mixed into those here, or a part of them */
    struct px_fence fence;
    struct journal_base base;
    struct journal_slot *slots;
    uint64_t snapshot; /* slot of the namespace here; 0: none */
    uint64_t rest;     /* registers taken while nothing was written */
    bool is_late;      /* no newcomer: fence.members are members of `to` who vote (meta_rejoin) */
    struct vs_buf frame, answer, storage;
};

/* meta_join_ask.c: one ask of member i of j->from; the answer is in j->answer. */
int join_ask(struct join *j, uint32_t pid, const struct px_move *ask, size_t answer_max);
int join_who(struct join *j, uint32_t pid, struct px_move *ret, struct member_set *set);
/* Which epoch there is, and which comes: j->from, j->to, j->stay, j->left. */
int join_survey(struct join *j);
/* The journal decides on j->to, and all that stay know. */
int join_decide(struct join *j);

/* meta_join.c, for both: a path below the directory; all that was opened is closed; the journal
 * behind the namespace here, of each of fence.members, merged into j->base (a newer namespace where
 * one of them keeps less); that into the batch, promised to `promised` or its own. */
int join_path(const struct join *j, const char *name, char path[NS_STORE_PATH_MAX]);
void join_close(struct join *j);
int join_take_journal(struct join *j);
int join_put_slots(struct join *j, const struct px_ballot *promised);
/* What is there may be begun anew: false. */
bool join_is_final(int r);

void join_step(const struct join *j, const char *what);
/* A pause; -ECANCELED. */
int join_pause(const struct join *j, int64_t ns);

#endif
