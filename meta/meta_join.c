/* meta_join: see the header. Every attempt begins with nothing: what was copied from a member that
 * then does not belong to F must not be mixed with what F has accepted. */
#include "meta/meta_join.h"
#include "common/assert.h"
#include "common/err.h"
#include "common/log.h"
#include "meta/acceptor_store.h"
#include "meta/meta_join_impl.h"
#include "meta/px_msg.h"
#include "meta/snap.h"
#include "meta/synced_count.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS    (50 * VS_NS_PER_MS)
#define PAGE_TRIES 4 /* one slow answer had better not make everything the rest */

void join_step(const struct join *j, const char *what)
{
    vs_info("metadata: replica %u takes the place of replica %u: %s", j->config->pid,
            j->config->lost, what);
    if (j->config->step != NULL)
        j->config->step(j->config->arg, what);
}

int join_pause(const struct join *j, int64_t ns)
{
    struct timespec t = { ns / VS_NS_PER_S, ns % VS_NS_PER_S };

    if (!*j->config->is_stopping)
        nanosleep(&t, NULL);
    return *j->config->is_stopping ? -ECANCELED : 0;
}

/* ---- registers ---- */

/* Higher than what is here: it stays. */
static int take_register(struct join *j, const struct vs_id *id, const struct px_reg *theirs)
{
    struct px_ballot was;
    struct px_reg reg;
    int r = acceptor_reg_load(j->store, id, &reg, &j->storage);

    if (r < 0)
        return r;
    was = reg.ballot;
    px_fence_merge(&reg, theirs);
    if (px_ballot_cmp(&was, &reg.ballot) == 0)
        return 0;
    return acceptor_reg_store(j->store, id, &reg);
}

/* One page; *after moves on. 1: there is more. */
static int take_page(struct join *j, unsigned i, const struct px_move *ask, struct vs_id *after,
                     uint64_t *mark)
{
    uint32_t pid = j->from.member[i].pid;
    struct px_move_in in;
    struct px_reg reg;
    struct vs_id id;
    int r = join_ask(j, pid, ask, PX_FRAME_BYTES_MAX);

    if (r == 0)
        r = px_move_open(j->answer.data, j->answer.len, &in);
    if (r == 0 && (in.move.kind != PX_MOVE_COPIED || in.move.epoch != ask->epoch ||
                   in.move.rest != ask->rest || in.head.pid != pid))
        r = -VS_ECORRUPT;
    if (r < 0)
        return r;
    *mark = in.move.mark;
    j->touched |= 1u << i;
    while (r == 0 && px_move_next(&in, &id, &reg)) {
        r = vs_id_cmp(&id, after) > 0 ? take_register(j, &id, &reg) : -VS_ECORRUPT;
        *after = id;
        j->rest += ask->rest;
    }
    if (r == 0 && !acceptor_batch_empty(j->store))
        acceptor_commit(j->store);
    acceptor_batch_begin(j->store);
    return r < 0 ? r : in.move.more;
}

static bool is_silence(int r)
{
    return r == -ETIMEDOUT || r == -ECONNREFUSED || r == -ECONNRESET;
}

static int take_page_patiently(struct join *j, unsigned i, const struct px_move *ask,
                               struct vs_id *after, uint64_t *mark)
{
    int r = take_page(j, i, ask, after, mark);

    for (unsigned tries = 1; is_silence(r) && tries < PAGE_TRIES; tries++) {
        r = join_pause(j, POLL_NS);
        r = r < 0 ? r : take_page(j, i, ask, after, mark);
    }
    return r;
}

/* All registers of member i: the background copy, or the rest. */
static int take_registers(struct join *j, unsigned i, bool rest, uint64_t above)
{
    struct px_move ask = {
        .kind = PX_MOVE_COPY, .records = true, .rest = rest, .epoch = j->to.epoch, .above = above
    };
    uint64_t mark = 0, first_mark = 0;
    int more = 1;

    for (unsigned page = 0; more == 1; page++) {
        if (page == META_JOIN_PAGES_MAX)
            return -EMSGSIZE;
        more = take_page_patiently(j, i, &ask, &ask.after, &mark);
        if (page == 0)
            first_mark = mark; /* what changed while the others came lies above it */
    }
    if (more == 0 && rest)
        px_fence_taken(&j->fence, i);
    else if (more == 0)
        px_fence_copied(&j->fence, i, true, first_mark);
    return more;
}

static int copy_background(struct join *j)
{
    int r = 0;

    for (unsigned i = 0; i < j->from.count && r == 0; i++) {
        if ((j->stay & ~j->left & 1u << i) == 0)
            continue;
        r = take_registers(j, i, false, 0);
        /* It has left meanwhile, or does not answer: if it is of F, all of it is the rest. */
        if (r == -EAGAIN || is_silence(r))
            r = 0;
    }
    return r;
}

/* ---- the namespace ---- */

static int take_snapshot(struct join *j, unsigned i)
{
    struct snap_config snap = { .store = &j->ns,
                                .clock = j->config->clock,
                                .link = j->config->link,
                                .cluster = j->config->cluster,
                                .pid = j->config->pid };
    int r = snap_take(&snap, j->from.member[i].pid, j->config->is_stopping, &j->snapshot);

    return r == -EALREADY ? 0 : r;
}

static int copy_namespace(struct join *j)
{
    int r = -VS_EDOWN;

    for (unsigned i = 0; i < j->from.count && r < 0 && r != -ECANCELED; i++)
        if (j->stay & 1u << i)
            r = take_snapshot(j, i);
    return r;
}

/* ---- the fence ---- */

static int fence_one(struct join *j, unsigned i, const struct vs_buf *config)
{
    struct px_move ask = { .kind = PX_MOVE_FENCE,
                           .epoch = j->to.epoch,
                           .config = config->data,
                           .config_len = config->len };
    struct px_move_in in;
    int r = join_ask(j, j->from.member[i].pid, &ask, PX_FRAME_BYTES_MAX);

    if (r == 0)
        r = px_move_open(j->answer.data, j->answer.len, &in);
    if (r == 0 && (in.move.kind != PX_MOVE_FENCED || in.move.epoch != j->to.epoch ||
                   in.head.pid != j->from.member[i].pid))
        r = -VS_ECORRUPT;
    if (r == 0)
        px_fence_fenced(&j->fence, i, in.move.whole);
    return r;
}

/* Best is all that stay; a majority after a while. */
static int fence_all(struct join *j)
{
    unsigned fence_ms = j->config->fence_ms > 0 ? j->config->fence_ms : META_JOIN_FENCE_MS;
    int64_t end = vs_now_ns(j->config->clock) + fence_ms * VS_NS_PER_MS;
    struct vs_buf config = { 0 };
    int r = member_set_encode(&j->to, &config);

    while (r == 0) {
        for (unsigned i = 0; i < j->from.count; i++)
            if ((j->stay & ~j->fence.fenced & 1u << i) != 0)
                (void)fence_one(j, i, &config);
        if ((j->stay & ~j->fence.fenced) == 0 || vs_now_ns(j->config->clock) >= end)
            if (px_fence_close(&j->fence))
                break;
        r = join_pause(j, POLL_NS);
    }
    vs_buf_close(&config);
    /* A copy of who is not of F proves nothing. */
    if (r == 0 && (j->touched & ~j->fence.members) != 0)
        r = -ESTALE;
    return r;
}

static int take_rest(struct join *j)
{
    uint64_t above;
    int r = 0;

    for (unsigned i = 0; i < j->from.count && r == 0; i++)
        if (px_fence_wants_rest(&j->fence, i, &above))
            r = take_registers(j, i, true, above);
    VS_ASSERT(r < 0 || px_fence_may_open(&j->fence));
    return r;
}

/* ---- the journal ---- */

static void tail_entry_free(struct journal_entry *e)
{
    free(e);
}

static struct journal_entry *tail_entry(void *arg, const uint8_t *bytes, uint32_t len)
{
    struct journal_entry *e = malloc(sizeof(*e) + len);

    (void)arg;
    if (e == NULL)
        return NULL;
    *e = (struct journal_entry){
        .refs = 1, .len = len, .bytes = (const uint8_t *)(e + 1), .free = tail_entry_free
    };
    memcpy(e + 1, bytes, len);
    return e;
}

/* One page; *from moves on, 0: that was all. -ENODATA: it does not keep what is behind the snapshot
 * here, but has a newer one. */
static int tail_page(struct join *j, unsigned i, uint64_t *from)
{
    struct px_move ask = {
        .kind = PX_MOVE_TAIL, .whole = j->is_late, .epoch = j->to.epoch, .above = *from
    };
    struct journal_item items[JOURNAL_ITEMS_MAX];
    struct journal_msg msg;
    struct px_head head;
    int r = join_ask(j, j->from.member[i].pid, &ask, PX_FRAME_JOURNAL_BYTES_MAX);

    if (r == 0)
        r = px_msg_journal_decode(j->answer.data, j->answer.len, &head, &msg, items, tail_entry,
                                  NULL);
    if (r < 0)
        return r;
    if (head.pid != j->from.member[i].pid || msg.epoch != j->to.epoch)
        r = -VS_ECORRUPT;
    else if (msg.kind == JOURNAL_MSG_NACK)
        r = -ENODATA;
    else if (msg.kind != JOURNAL_MSG_PROMISE || msg.slot != *from ||
             (msg.next != 0 && msg.next <= *from))
        r = -VS_ECORRUPT;
    for (unsigned n = 0; n < msg.item_count && r == 0; n++)
        r = journal_base_record(&j->base, msg.items[n].slot, &msg.items[n].ballot,
                                msg.items[n].entry);
    *from = msg.next;
    px_msg_journal_put(&msg);
    return r;
}

static int take_tail(struct join *j, unsigned i)
{
    uint64_t from = j->snapshot + 1;
    int r = 0;

    for (unsigned page = 0; from != 0 && r == 0; page++)
        r = page == META_JOIN_PAGES_MAX ? -EMSGSIZE : tail_page(j, i, &from);
    return r;
}

/* Behind the snapshot, of each member of F. One that has dropped more than the snapshot holds has a
 * newer namespace, which is as good: it changes no more. */
int join_take_journal(struct join *j)
{
    int r = -ENODATA;

    for (unsigned again = 0; r == -ENODATA && again <= j->from.count; again++) {
        journal_base_close(&j->base);
        journal_base_init(&j->base, j->slots, JOURNAL_RING_MAX);
        journal_base_head(&j->base, j->snapshot + 1);
        r = 0;
        for (unsigned i = 0; i < j->from.count && r == 0; i++) {
            if ((j->fence.members & 1u << i) == 0)
                continue;
            r = take_tail(j, i);
            if (r == -ENODATA && take_snapshot(j, i) < 0)
                r = -EAGAIN;
        }
    }
    return r;
}

/* ---- the epoch opens ---- */

/* Who votes with the records it has: this one, and F. */
static uint32_t begin_mask(const struct join *j)
{
    uint32_t mask = 1u << member_set_find(&j->to, j->config->pid);

    for (unsigned i = 0; i < j->from.count; i++) {
        int at = member_set_find(&j->to, j->from.member[i].pid);

        if ((j->fence.members & 1u << i) != 0 && at >= 0)
            mask |= 1u << at;
    }
    return mask;
}

int join_put_slots(struct join *j, const struct px_ballot *promised)
{
    bool own = px_ballot_cmp(&j->base.promised, promised) > 0;
    int r = acceptor_head_put(j->store, own ? &j->base.promised : promised, j->base.first);

    for (uint64_t slot = j->base.first; slot <= j->base.last && r == 0; slot++) {
        const struct journal_slot *s = &j->base.slots[slot % j->base.ring];

        if (px_ballot_is_none(&s->ballot))
            continue;
        r = acceptor_slot_put(j->store, slot, &s->ballot, s->entry != NULL ? s->entry->bytes : NULL,
                              s->entry != NULL ? s->entry->len : 0);
        if (r == 0 && acceptor_batch_bytes(j->store) >= JOIN_BATCH_BYTES) {
            acceptor_commit(j->store);
            acceptor_batch_begin(j->store);
        }
    }
    return r;
}

static int join_open(struct join *j)
{
    struct acceptor_members members = { .stand = ACCEPTOR_VOTES,
                                        .begin = begin_mask(j),
                                        .set = j->to };
    const struct px_ballot none = { 0 };
    int r = join_put_slots(j, &none);

    if (r == 0)
        r = acceptor_members_put(j->store, &members);
    if (r < 0)
        return r;
    acceptor_commit(j->store);
    acceptor_batch_begin(j->store);
    return 0;
}

/* ---- one attempt ---- */

int join_path(const struct join *j, const char *name, char path[NS_STORE_PATH_MAX])
{
    int len = snprintf(path, NS_STORE_PATH_MAX, "%s/%s", j->config->dir, name);

    return len < 0 || len >= NS_STORE_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* 1: it is a member already; 0: there is nothing that counts. */
static int join_look(struct join *j)
{
    char path[NS_STORE_PATH_MAX];
    struct acceptor_store *store = NULL;
    int r = join_path(j, "acceptor", path);

    if (r == 0)
        r = kv_rocks_open(&j->acceptor, path, false, KV_ACCEPTOR);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = acceptor_store_open_member(&store, j->acceptor, NULL);
    if (r == 0 && (acceptor_identity(store)->pid != j->config->pid ||
                   vs_id_cmp(&acceptor_identity(store)->cluster, &j->config->cluster) != 0 ||
                   acceptor_members(store) == NULL))
        r = -EEXIST;
    j->is_begun = r == 0 && acceptor_members(store)->stand == ACCEPTOR_JOINING;
    if (r == 0)
        r = !j->is_begun;
    else if (r == -ENOENT)
        r = 0;
    acceptor_store_close(store);
    kv_close(j->acceptor);
    j->acceptor = NULL;
    return r;
}

static int join_clear(struct join *j)
{
    static const char *const names[] = { "acceptor", "namespace", "namespace.new",
                                         "namespace.old" };
    char path[NS_STORE_PATH_MAX];
    int r = 0;

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]) && r == 0; i++) {
        r = join_path(j, names[i], path);
        if (r == 0)
            r = kv_rocks_remove(path);
    }
    if (r == 0) {
        r = vs_io_unlink(j->io, SYNCED_COUNT_NAME);
        r = r == -ENOENT ? 0 : r;
    }
    return r;
}

static int join_make(struct join *j)
{
    char path[NS_STORE_PATH_MAX];
    int r = join_path(j, "acceptor", path);

    if (r == 0)
        r = kv_rocks_open(&j->acceptor, path, true, KV_ACCEPTOR);
    if (r == 0)
        r = acceptor_store_create_joining(j->acceptor, &j->config->cluster, j->config->pid, &j->to);
    if (r == 0)
        r = acceptor_store_open_member(&j->store, j->acceptor, j->io);
    if (r == 0)
        r = ns_store_open(&j->ns, j->config->dir, true);
    if (r == 0)
        r = vs_io_sync_dir(j->io);
    j->slots = calloc(JOURNAL_RING_MAX, sizeof(*j->slots));
    return r == 0 && j->slots == NULL ? -ENOMEM : r;
}

void join_close(struct join *j)
{
    journal_base_close(&j->base);
    free(j->slots);
    ns_store_close(&j->ns);
    acceptor_store_close(j->store);
    kv_close(j->acceptor);
    vs_io_free(j->io);
    vs_buf_close(&j->frame);
    vs_buf_close(&j->answer);
    vs_buf_close(&j->storage);
}

static int join_copy(struct join *j)
{
    int r;

    px_fence_begin(&j->fence, j->from.count);
    join_step(j, "copying registers");
    r = copy_background(j);
    if (r == 0) {
        join_step(j, "copying the namespace");
        r = copy_namespace(j);
    }
    return r;
}

static int join_move(struct join *j)
{
    int64_t begin_ns = vs_now_ns(j->config->clock);
    int r;

    join_step(j, "fencing");
    r = fence_all(j);
    if (r == 0) {
        join_step(j, "taking the rest");
        r = take_rest(j);
    }
    if (r == 0)
        r = join_take_journal(j);
    if (r == 0) {
        join_step(j, "opening");
        r = join_open(j);
    }
    if (r == 0)
        vs_info("metadata: epoch %llu is open: replica %u votes in the place of replica %u; "
                "nothing was written for %lld ms, in which it took %llu registers",
                (unsigned long long)j->to.epoch, j->config->pid, j->config->lost,
                (long long)((vs_now_ns(j->config->clock) - begin_ns) / VS_NS_PER_MS),
                (unsigned long long)j->rest);
    if (r == 0 && j->config->rest != NULL)
        *j->config->rest = j->rest;
    return r;
}

static int join_attempt(const struct meta_join_config *config)
{
    struct join j = { .config = config };
    int r = vs_io_posix_new(&j.io, config->dir);

    if (r == 0)
        r = join_look(&j);
    if (r == 1) {
        join_close(&j);
        return 0;
    }
    if (r == 0)
        r = join_survey(&j);
    if (r == 0)
        r = join_clear(&j);
    if (r == 0)
        r = join_make(&j);
    if (r == 0) {
        join_step(&j, "the others decide on it");
        r = join_decide(&j);
    }
    if (r == 0)
        r = join_copy(&j);
    if (r == 0)
        r = join_move(&j);
    join_close(&j);
    return r;
}

bool join_is_final(int r)
{
    switch (r) {
    case 0:
    case -ECANCELED:
    case -EEXIST:
    case -VS_EFORGOT:
    case -ENOENT:
    case -EINVAL:
    case -ENOSPC:
    case -EIO:
    case -EACCES:
    case -EROFS:
    case -VS_ENEWER:
        return true;
    default:
        return false;
    }
}

int meta_join(const struct meta_join_config *config)
{
    const struct join j = { .config = config };
    int r;

    if (mkdir(config->dir, 0700) < 0 && errno != EEXIST)
        return -errno;
    for (;;) {
        r = join_attempt(config);
        if (join_is_final(r))
            return r;
        vs_warn("metadata: taking the place of replica %u: %s -> tried again", config->lost,
                vs_err_text(r));
        if (join_pause(&j, META_JOIN_AGAIN_NS) < 0)
            return -ECANCELED;
    }
}
