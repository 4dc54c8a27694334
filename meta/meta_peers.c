/* The other replicas of the cluster; see the header.
 *
 * Happy path: the options name them, the link goes to them, the gate lets them in. Failure modes:
 * whatever was begun is ended by meta_peers_end(). */
#include "meta/meta_peers.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/json.h"
#include "common/member_file.h"
#include "meta/meta_server.h"

#include <stdio.h>
#include <string.h>

int meta_peers_begin(struct meta_peers *p, const struct meta_options *o)
{
    struct px_http_peer peers[META_REPLICAS_MAX];
    struct px_http_config config = { .peers = peers,
                                     .peer_count = o->peer_count,
                                     .count = &p->count };

    *p = (struct meta_peers){ .id = (uint16_t)o->id, .members = o->peer_count + 1 };
    snprintf(p->url, sizeof(p->url), "%s", o->url);
    p->member[0] = p->id;
    for (unsigned i = 0; i < o->peer_count; i++) {
        p->member[i + 1] = o->peer[i].id;
        peers[i] = (struct px_http_peer){ o->peer[i].id, o->peer[i].url };
    }
    return o->peer_count == 0 ? 0 : px_http_open(&p->http, &config);
}

void meta_peers_ready(struct meta_peers *p, struct meta_replica *replica,
                      const struct vs_id *cluster)
{
    uint32_t others[META_REPLICAS_MAX];

    for (unsigned i = 1; i < p->members; i++)
        others[i - 1] = p->member[i];
    px_serve_init(&p->serve, cluster, others, p->members - 1, &p->count);
    p->serve.receive = meta_replica_receive;
    p->serve.replica = replica;
    p->serve.http = p->http;
    p->replica = replica;
}

void meta_peers_end(struct meta_peers *p)
{
    px_http_stop(p->http);
    p->http = NULL;
    if (p->serve.count != NULL)
        px_serve_close(&p->serve);
    p->serve.count = NULL;
}

/* Where it is reached now: the command line knows better than a configuration that was decided on
 * long ago. */
static void set_url(struct member *m, const char *url)
{
    if (url[0] != '\0' && strlen(url) <= MEMBER_URL_BYTES_MAX)
        snprintf(m->url, sizeof(m->url), "%s", url);
}

bool meta_peers_members(struct meta_peers *p, struct member_set *ret)
{
    struct px_http_peer_state state[PX_HTTP_PEERS_MAX];
    unsigned count;

    if (p->replica == NULL || !meta_replica_members(p->replica, ret))
        return false;
    count = px_http_peers(p->http, state);
    for (unsigned i = 0; i < ret->count; i++) {
        if (ret->member[i].pid == p->id)
            set_url(&ret->member[i], p->url);
        for (unsigned k = 0; k < count; k++)
            if (state[k].pid == ret->member[i].pid)
                set_url(&ret->member[i], state[k].origin);
    }
    return true;
}

/* ---- what it says about itself ---- */

/* Those that were replaced are known, too, and count for nothing. */
static struct vs_json *peers_json(struct meta_peers *p, const struct member_set *set,
                                  unsigned *ret_reachable)
{
    struct px_http_peer_state state[PX_HTTP_PEERS_MAX];
    unsigned count = px_http_peers(p->http, state);
    int64_t now_ns = vs_now_ns(&vs_clock_system);
    struct vs_json *list = vs_json_array();

    *ret_reachable = 0;
    for (unsigned i = 0; i < count; i++) {
        struct vs_json *j;

        if (member_set_find(set, state[i].pid) < 0)
            continue;
        j = vs_json_object();
        vs_json_set_u64(j, "id", state[i].pid);
        vs_json_set_text(j, "url", state[i].origin);
        vs_json_set_bool(j, "reachable", state[i].reachable);
        if (state[i].heard_ns > 0)
            vs_json_set_u64(j, "heard_ms_ago",
                            (uint64_t)((now_ns - state[i].heard_ns) / VS_NS_PER_MS));
        else
            vs_json_set_null(j, "heard_ms_ago");
        vs_json_add(list, j);
        *ret_reachable += state[i].reachable;
    }
    return list;
}

bool meta_peers_leads(const struct meta_peers *p)
{
    struct meta_replica_state state = { .leading = true };

    if (p->replica != NULL)
        meta_replica_state(p->replica, &state);
    return state.leading;
}

bool meta_peers_report(struct meta_peers *p, struct vs_json *j)
{
    struct meta_replica_state state;
    struct member_set set, told;
    struct vs_json *peers;
    unsigned reachable;
    bool majority;

    if (p->replica == NULL) {
        vs_json_set_text(j, "role", "alone");
        vs_json_set_bool(j, "majority", true);
        return true;
    }
    meta_replica_state(p->replica, &state);
    (void)meta_replica_members(p->replica, &set);
    peers = peers_json(p, &set, &reachable);
    majority = state.voting && state.leader != 0 && (reachable + 1) * 2 > set.count;
    vs_json_set_text(j, "role", state.leading ? "leader" : "follower");
    if (state.leader != 0)
        vs_json_set_u64(j, "leader", state.leader);
    else
        vs_json_set_null(j, "leader");
    vs_json_set_bool(j, "majority", majority);
    vs_json_set_u64(j, "epoch", state.epoch);
    if (meta_peers_members(p, &told))
        member_set_to_json(&told, j);
    vs_json_set_u64(j, "applied_slot", state.applied_slot);
    vs_json_set_u64(j, "commit_slot", state.commit_slot);
    vs_json_set(j, "peers", peers);
    return majority;
}

void meta_peers_metrics(struct meta_peers *p, struct vs_metrics_text *t)
{
    struct meta_replica_state state = { 0 };

    px_count_text(&p->count, t);
    if (p->replica == NULL)
        return;
    meta_replica_state(p->replica, &state);
    vs_metrics_one(t, "vstack_meta_leader", "gauge",
                   "Number of the replica that leads, as far as this one knows; 0: none.",
                   state.leader);
    vs_metrics_one(t, "vstack_meta_peers_reachable", "gauge", "Other replicas that answer.",
                   px_http_reachable(p->http));
    vs_metrics_one(t, "vstack_meta_applied_slot", "gauge", "Journal slots applied here.",
                   state.applied_slot);
    vs_metrics_one(t, "vstack_meta_commit_slot", "gauge", "Journal slots known to be chosen.",
                   state.commit_slot);
}

/* ---- routes ---- */

void meta_px_run(struct http_req *q)
{
    struct meta_server *m = http_req_arg(q);

    px_serve_run(&m->peers.serve, q, false);
}

void meta_px_tell_run(struct http_req *q)
{
    struct meta_server *m = http_req_arg(q);

    px_serve_run(&m->peers.serve, q, true);
}
