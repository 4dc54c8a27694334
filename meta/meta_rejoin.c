/* meta_rejoin: see the header.
 *
 * Why the highest of a majority: what is chosen in the epoch is accepted by one of any majority of
 * it; a record that was not chosen is taken as if its ACCEPT had come late. Nobody has heard a vote
 * of this member in that epoch, so what it forgets it never said. */
#include "meta/meta_rejoin.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/meta_join_impl.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include <stdlib.h>
#include <string.h>

#define OWN_IDS    256
#define NOT_NEEDED 1

/* Registers of one who votes, or of this one, in ascending order. */
struct late_stream {
    uint32_t pid; /* 0: this one */
    struct vs_buf answer;
    struct px_move_in in;
    struct vs_id own[OWN_IDS];
    unsigned own_count, own_at;
    struct vs_id after, id; /* before the next page; the one that is next */
    struct px_reg reg;      /* its state there; not of this one */
    bool has, more;         /* id and reg; there are further pages */
};

struct late {
    struct join j;
    struct acceptor_members now;
    uint32_t begin; /* of the open epoch: who could begin with the records they had */
    struct late_stream stream[MEMBER_SET_MAX];
    unsigned streams;
};

static void late_say(const struct late *l, const char *what)
{
    vs_info("metadata: replica %u was left behind by epoch %llu: %s", l->j.config->pid,
            (unsigned long long)l->j.to.epoch, what);
    if (l->j.config->step != NULL)
        l->j.config->step(l->j.config->arg, what);
}

/* ---- where it stands ---- */

/* Of another replica or cluster: the wrong disk. */
static bool is_own(const struct late *l)
{
    const struct acceptor_identity *id = acceptor_identity(l->j.store);

    return id->pid == l->j.config->pid && vs_id_cmp(&id->cluster, &l->j.config->cluster) == 0;
}

/* NOT_NEEDED: what is here stands where it may be opened, or it cannot be: whoever opens it says
 * why not. */
static int late_open(struct late *l)
{
    char path[NS_STORE_PATH_MAX];
    int r = join_path(&l->j, "acceptor", path);

    if (r == 0)
        r = vs_io_posix_new(&l->j.io, l->j.config->dir);
    if (r == 0)
        r = kv_rocks_open(&l->j.acceptor, path, false, KV_ACCEPTOR);
    if (r == 0)
        r = acceptor_store_open_member(&l->j.store, l->j.acceptor, l->j.io);
    if (r < 0)
        return r == -ENOMEM ? r : NOT_NEEDED;
    if (!is_own(l) || acceptor_members(l->j.store) == NULL)
        return NOT_NEEDED;
    l->now = *acceptor_members(l->j.store);
    return l->now.stand == ACCEPTOR_LEFT ? 0 : NOT_NEEDED;
}

/* Ask one; *best: the highest epoch in which somebody votes. -ECANCELED */
static int late_hear(struct late *l, uint32_t pid, struct member_set *best)
{
    struct member_set set;
    struct px_move state;
    int r = pid != l->j.config->pid ? join_who(&l->j, pid, &state, &set) : -ENOENT;

    if (r == 0 && state.whole && set.epoch > best->epoch) {
        *best = set;
        l->begin = state.members;
    }
    return r == -ECANCELED ? r : 0;
}

static int late_voters(struct late *l)
{
    const struct member_set *to = &l->j.to;
    struct member_set set;
    struct px_move state;
    unsigned voters = 0;

    for (unsigned i = 0; i < to->count; i++) {
        int r = to->member[i].pid == l->j.config->pid
                    ? -ENOENT
                    : join_who(&l->j, to->member[i].pid, &state, &set);

        if (r == -ECANCELED)
            return r;
        if (r < 0 || !state.whole || set.epoch != to->epoch)
            continue;
        voters |= 1u << i;
        l->stream[l->streams++] = (struct late_stream){ .pid = to->member[i].pid, .more = true };
    }
    l->stream[l->streams++] = (struct late_stream){ .more = true };
    l->j.fence.members = voters;
    return (unsigned)__builtin_popcount(voters) * 2 > to->count ? 0 : -VS_EDOWN;
}

static void late_learn(struct late *l, const struct member_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->member[i].pid != l->j.config->pid && set->member[i].url[0] != '\0')
            px_link_learn(l->j.config->link, set->member[i].pid, set->member[i].url);
}

static int late_survey(struct late *l)
{
    struct member_set best = { .count = 0 };
    int r = 0, own;

    late_learn(l, &l->now.set);
    for (unsigned i = 0; i < l->now.set.count && r == 0; i++)
        r = late_hear(l, l->now.set.member[i].pid, &best);
    for (unsigned i = 0; i < l->j.config->peer_count && r == 0; i++)
        if (member_set_find(&l->now.set, l->j.config->peer[i].pid) < 0)
            r = late_hear(l, l->j.config->peer[i].pid, &best);
    if (r < 0)
        return r;
    own = member_set_find(&best, l->j.config->pid);
    if (best.epoch < l->now.set.epoch || own < 0)
        return NOT_NEEDED; /* nobody votes in it yet; or it was replaced */
    if (best.epoch == l->now.set.epoch && l->now.whole && (l->begin >> own & 1) != 0)
        return NOT_NEEDED; /* of F */
    l->j.from = l->j.to = best;
    l->j.is_late = true;
    late_learn(l, &best);
    return late_voters(l);
}

static int late_store(struct late *l, enum acceptor_stand stand)
{
    struct acceptor_members m = { .stand = stand, .set = l->j.to };
    int r;

    m.begin = stand == ACCEPTOR_VOTES ? l->begin : 0;
    r = acceptor_members_put(l->j.store, &m);
    if (r < 0)
        return r;
    acceptor_commit(l->j.store);
    acceptor_batch_begin(l->j.store);
    return 0;
}

/* ---- registers ---- */

static int stream_ask(struct late *l, struct late_stream *s)
{
    struct px_move ask = {
        .kind = PX_MOVE_GATHER, .records = true, .epoch = l->j.to.epoch, .after = s->after
    };
    struct vs_buf former = s->answer;
    int r = join_ask(&l->j, s->pid, &ask, PX_FRAME_BYTES_MAX);

    if (r < 0)
        return r;
    s->answer = l->j.answer;
    l->j.answer = former;
    r = px_move_open(s->answer.data, s->answer.len, &s->in);
    if (r == 0 && (s->in.move.kind != PX_MOVE_GATHERED || s->in.move.epoch != l->j.to.epoch ||
                   s->in.head.pid != s->pid))
        r = -VS_ECORRUPT;
    s->more = r == 0 && s->in.move.more;
    return r;
}

static int stream_page(struct late *l, struct late_stream *s)
{
    int n;

    if (s->pid != 0)
        return stream_ask(l, s);
    n = acceptor_reg_list(l->j.store, &s->after, s->own, OWN_IDS);
    s->own_count = n < 0 ? 0 : (unsigned)n;
    s->own_at = 0;
    s->more = n == OWN_IDS;
    return n < 0 ? n : 0;
}

static bool stream_next(struct late_stream *s)
{
    if (s->pid != 0)
        return px_move_next(&s->in, &s->id, &s->reg);
    if (s->own_at == s->own_count)
        return false;
    s->id = s->own[s->own_at++];
    return true;
}

/* The next register, if there is one. */
static int stream_fill(struct late *l, struct late_stream *s)
{
    int r = 0;

    while (!s->has && r == 0) {
        s->has = stream_next(s);
        if (s->has && vs_id_cmp(&s->id, &s->after) <= 0)
            return -VS_ECORRUPT;
        if (s->has)
            s->after = s->id;
        else if (s->more)
            r = stream_page(l, s);
        else
            break;
    }
    return r;
}

/* Of all who vote, the highest; it takes the place of what is here. */
static int replace_register(struct late *l, const struct vs_id *id)
{
    struct px_reg own, start = { 0 };
    struct px_ballot was;
    int r = acceptor_reg_load(l->j.store, id, &own, &l->j.storage);

    for (unsigned i = 0; i < l->streams; i++) {
        struct late_stream *s = &l->stream[i];

        if (!s->has || vs_id_cmp(&s->id, id) != 0)
            continue;
        s->has = false; /* its value is lent until the next page */
        if (s->pid != 0)
            px_fence_merge(&start, &s->reg);
    }
    if (r < 0)
        return r;
    was = own.ballot;
    px_fence_adopt(&own, &start);
    if (px_ballot_cmp(&was, &own.ballot) == 0)
        return 0;
    r = acceptor_reg_store(l->j.store, id, &own);
    if (r == 0 && acceptor_batch_bytes(l->j.store) >= JOIN_BATCH_BYTES) {
        acceptor_commit(l->j.store);
        acceptor_batch_begin(l->j.store);
    }
    return r;
}

static int replace_registers(struct late *l)
{
    struct vs_id id;
    bool any = true;
    int r = 0;

    while (r == 0 && any) {
        any = false;
        for (unsigned i = 0; i < l->streams && r == 0; i++) {
            const struct late_stream *s = &l->stream[i];

            r = stream_fill(l, &l->stream[i]);
            if (r == 0 && s->has && (!any || vs_id_cmp(&s->id, &id) < 0))
                id = s->id;
            any = any || s->has;
        }
        if (r == 0 && any)
            r = replace_register(l, &id);
    }
    return r;
}

/* ---- the journal ---- */

/* What is applied here was chosen: it stays, durably, before the slots of it may go. */
static int open_names(struct late *l)
{
    struct ns_key key = ns_key(NS_T_STATE);
    struct ns_state state;
    int r = ns_store_open(&l->j.ns, l->j.config->dir, false);

    if (r == -ENOENT)
        return ns_store_open(&l->j.ns, l->j.config->dir, true);
    if (r == 0)
        r = kv_flush(l->j.ns.kv);
    if (r == 0)
        r = kv_get(l->j.ns.kv, key.b, key.len, &l->j.storage);
    if (r == 0)
        r = ns_state_decode(l->j.storage.data, l->j.storage.len, &state);
    if (r == 0)
        l->j.snapshot = state.slot;
    return r == -ENOENT ? 0 : r;
}

static int replace_journal(struct late *l)
{
    struct px_ballot own = acceptor_promised(l->j.store);
    int r = open_names(l);

    l->j.slots = calloc(JOURNAL_RING_MAX, sizeof(*l->j.slots));
    if (r == 0 && l->j.slots == NULL)
        r = -ENOMEM;
    if (r == 0)
        r = join_take_journal(&l->j);
    if (r == 0)
        r = acceptor_slots_clear(l->j.store);
    return r == 0 ? join_put_slots(&l->j, &own) : r;
}

/* ---- one attempt ---- */

static void late_close(struct late *l)
{
    for (unsigned i = 0; i < l->streams; i++)
        vs_buf_close(&l->stream[i].answer);
    join_close(&l->j);
    free(l);
}

static int rejoin_attempt(const struct meta_join_config *config)
{
    struct late *l = calloc(1, sizeof(*l));
    int r;

    if (l == NULL)
        return -ENOMEM;
    l->j.config = config;
    r = late_open(l);
    if (r == 0)
        r = late_survey(l);
    if (r == 0) {
        late_say(l, "replacing its registers");
        r = late_store(l, ACCEPTOR_LEFT); /* its records are not those of an epoch any more */
    }
    if (r == 0)
        r = replace_registers(l);
    if (r == 0) {
        late_say(l, "replacing its journal");
        r = replace_journal(l);
    }
    if (r == 0) {
        late_say(l, "voting");
        if (*config->is_stopping) /* as if it had died here */
            r = -ECANCELED;
    }
    if (r == 0)
        r = late_store(l, ACCEPTOR_VOTES);
    late_close(l);
    return r == NOT_NEEDED ? 0 : r;
}

int meta_rejoin(const struct meta_join_config *config)
{
    const struct join j = { .config = config };

    for (;;) {
        int r = rejoin_attempt(config);

        if (join_is_final(r))
            return r;
        vs_warn("metadata: replica %u was left behind: %s -> tried again", config->pid,
                vs_err_text(r));
        if (join_pause(&j, META_JOIN_AGAIN_NS) < 0)
            return -ECANCELED;
    }
}
