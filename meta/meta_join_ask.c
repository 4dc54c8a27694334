/* A newcomer's questions: who is there, in which epoch; and the change of the journal that decides
 * on the next one. */
#include "common/err.h"
#include "common/log.h"
#include "common/rand.h"
#include "meta/meta_join_impl.h"
#include "meta/meta_wire.h"
#include "meta/px_wait.h"
#include <stdio.h>
#include <string.h>

#define POLL_NS (50 * VS_NS_PER_MS)

static struct px_head join_head(const struct join *j, uint64_t epoch)
{
    return (struct px_head){ .cluster = j->config->cluster, .epoch = epoch, .pid = j->config->pid };
}

int join_ask(struct join *j, uint32_t pid, const struct px_move *ask, size_t answer_max)
{
    struct px_head head = join_head(j, ask->epoch);
    struct px_move_out out;
    int r;

    if (*j->config->is_stopping)
        return -ECANCELED;
    j->frame.len = 0;
    r = px_move_begin(&out, &j->frame, &head, ask);
    if (r == 0)
        r = px_move_end(&out, false);
    if (r == 0)
        r = px_wait_ask(j->config->link, pid, &j->frame, answer_max, META_JOIN_ASK_MS, &j->answer);
    return r;
}

int join_who(struct join *j, uint32_t pid, struct px_move *ret, struct member_set *set)
{
    struct px_move who = { .kind = PX_MOVE_WHO };
    struct px_move_in in;
    int r = join_ask(j, pid, &who, PX_FRAME_BYTES_MAX);

    if (r == 0)
        r = px_move_open(j->answer.data, j->answer.len, &in);
    if (r == 0 && (in.move.kind != PX_MOVE_STATE || in.head.pid != pid))
        r = -VS_ECORRUPT;
    if (r == 0)
        r = member_set_decode(in.move.config, in.move.config_len, set);
    if (r == 0)
        *ret = in.move;
    return r;
}

/* ---- which epoch there is ---- */

/* Addresses that the command line has, and the configuration has not. */
static void add_urls(const struct join *j, struct member_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        for (unsigned k = 0; k < j->config->peer_count; k++)
            if (set->member[i].pid == j->config->peer[k].pid && set->member[i].url[0] == '\0')
                set->member[i] = j->config->peer[k];
}

/* The change was begun before: its members are known, and those it follows by it. */
static int resume(struct join *j, const struct member_set *to)
{
    int at = member_set_find(to, j->config->pid);

    j->to = j->from = *to;
    j->from.epoch--;
    j->from.member[at].pid = j->config->lost;
    return member_set_fine(&j->from) ? 0 : -ENOENT;
}

static bool all_stay_said(const struct join *j, const uint32_t *said, unsigned count)
{
    for (unsigned i = 0; i < j->from.count; i++) {
        bool has_said = (j->stay & 1u << i) == 0;

        for (unsigned k = 0; k < count; k++)
            has_said |= said[k] == j->from.member[i].pid;
        if (!has_said)
            return false;
    }
    return true;
}

int join_survey(struct join *j)
{
    struct member_set best = { 0 }, set;
    uint32_t said[MEMBER_SET_MAX];
    unsigned said_count = 0;
    struct px_move state;
    int r = -VS_EDOWN, at;

    for (unsigned i = 0; i < j->config->peer_count; i++) {
        int err = join_who(j, j->config->peer[i].pid, &state, &set);

        if (err == -ECANCELED)
            return err;
        if (err < 0)
            continue;
        if (member_set_find(&set, j->config->pid) >= 0 && state.whole)
            return -VS_EFORGOT; /* it is open: this id has voted, or may have */
        if (set.epoch > best.epoch)
            best = set;
        said[said_count++] = j->config->peer[i].pid;
        r = 0;
    }
    if (r < 0)
        return r;
    at = member_set_find(&best, j->config->pid);
    if (at >= 0) {
        r = resume(j, &best);
    } else {
        j->from = best;
        r = member_set_replace(&best, j->config->lost, j->config->pid, j->config->url, &j->to);
        add_urls(j, &j->to);
    }
    if (r == 0 && !px_fence_sizes(j->from.count, j->to.count))
        r = -EINVAL;
    j->stay = 0;
    for (unsigned i = 0; r == 0 && i < j->from.count; i++)
        if (member_set_find(&j->to, j->from.member[i].pid) >= 0)
            j->stay |= 1u << i;
    /* Begun by this id, and there is nothing of it here: was it open? All that stay must say no. */
    if (r == 0 && at >= 0 && !j->is_begun && !all_stay_said(j, said, said_count))
        r = -VS_EDOWN;
    return r;
}

/* ---- the journal's decision ---- */

static int propose(struct join *j, uint32_t pid)
{
    int64_t now_ns = vs_real_ns(j->config->clock);
    struct vs_buf set = { 0 }, frame = { 0 };
    struct ns_entry entry = { .kind = NS_E_MEMBERS,
                              .now = { now_ns / VS_NS_PER_S, (uint32_t)(now_ns % VS_NS_PER_S) },
                              .request = 1 };
    struct meta_req q = { .op = META_CHANGE, .entry = &entry, .here = true };
    int r = member_set_encode(&j->to, &set);

    vs_rand_system(&entry.client, sizeof(entry.client));
    entry.value = set.data;
    entry.value_len = set.len;
    if (r == 0)
        r = meta_wire_ask(&q, &j->config->cluster, &frame);
    if (r == 0)
        r = px_wait_question(j->config->link, pid, &frame, meta_wire_answer_max(&q),
                             2 * META_JOIN_ASK_MS, &j->answer);
    if (r == 0)
        r = meta_wire_answered(j->answer.data, j->answer.len, &q);
    if (r == 0)
        r = q.status;
    vs_buf_close(&set);
    vs_buf_close(&frame);
    return r;
}

/* Who does not know yet when the leader has left cannot learn it any more: nobody leads then. */
static bool all_know(struct join *j)
{
    struct member_set set;
    struct px_move state;
    bool know = true;

    for (unsigned i = 0; i < j->from.count; i++) {
        if ((j->stay & 1u << i) == 0)
            continue;
        if (join_who(j, j->from.member[i].pid, &state, &set) == 0) {
            know &= state.mark >= j->to.epoch || set.epoch >= j->to.epoch;
            j->left |= set.epoch >= j->to.epoch ? 1u << i : 0;
        } else {
            know = false;
        }
    }
    return know;
}

int join_decide(struct join *j)
{
    unsigned known_ms = j->config->known_ms > 0 ? j->config->known_ms : META_JOIN_KNOWN_MS;
    int64_t end = vs_now_ns(j->config->clock) + known_ms * VS_NS_PER_MS;
    int r = -VS_EDOWN;

    j->left = 0;
    (void)all_know(j);
    if (j->left == 0) { /* nobody has begun: it is decided, maybe again */
        for (unsigned i = 0; i < j->config->peer_count && r < 0 && r != -ECANCELED; i++)
            r = *j->config->is_stopping ? -ECANCELED : propose(j, j->config->peer[i].pid);
        if (r < 0)
            return r;
    }
    r = 0;
    while (!all_know(j) && r == 0 && vs_now_ns(j->config->clock) < end)
        r = join_pause(j, POLL_NS);
    return r;
}
