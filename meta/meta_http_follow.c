/* Which replicas there are: one that takes a lost one's place is used from then on.
 *
 * Happy path: a hello to a replica that answers says so; of a newer epoch than is known it is the
 * list of those that are asked. Failure modes: no answer, or one that has nothing to say (it was
 * replaced itself, or its epoch is not open yet): another one is asked, soon; an address that is
 * missing: nobody is struck off; more newcomers than there is room for: said in the log. */
#include "meta/meta_http_impl.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#include <string.h>

/* Its place among the hosts; META_HTTP_NONE: it cannot have one. Under m->lock. */
static unsigned host_of(struct meta_http *m, const char *origin)
{
    unsigned count = atomic_load(&m->host_count);
    int r;

    for (unsigned i = 0; i < count; i++)
        if (strcmp(m->origin[i], origin) == 0)
            return i;
    r = meta_http_add(m, origin);
    if (r == 0)
        return count;
    vs_warn("metadata: replica at %s cannot be used: %s -> mount again", origin, vs_err_text(r));
    return META_HTTP_NONE;
}

/* True: there is something new in it. Those of the first epoch are those that the caller said, who
 * may reach them at other addresses than they each other. */
static bool list_locked(struct meta_http *m, const struct member_set *set)
{
    unsigned listed = 0;
    bool all = true;

    if (set->count == 0 || set->epoch <= m->follow.epoch)
        return false;
    for (unsigned i = 0; i < set->count; i++) {
        unsigned at =
            set->member[i].url[0] == '\0' ? META_HTTP_NONE : host_of(m, set->member[i].url);

        all = all && at != META_HTTP_NONE;
        listed |= at != META_HTTP_NONE ? 1u << at : 0;
    }
    if (all)
        atomic_store(&m->listed, listed);
    else
        atomic_fetch_or(&m->listed, listed);
    m->follow.epoch = set->epoch;
    return true;
}

void meta_http_listed(struct meta_http *m, const struct member_set *set)
{
    bool is_new;

    pthread_mutex_lock(&m->lock);
    is_new = list_locked(m, set);
    pthread_mutex_unlock(&m->lock);
    if (is_new && m->config.moved != NULL)
        m->config.moved(m->config.arg, set);
}

static void follow_done(struct http_request *req)
{
    struct meta_http *m = vs_container_of(req, struct meta_http, follow.req);
    struct meta_http_follow *f = &m->follow;
    struct meta_wire_hello hello = { 0 };
    bool said = req->status == 0 && req->http_status == 200 &&
                meta_wire_answered_hello(f->answer, req->body_bytes, &hello) == 0 &&
                vs_id_cmp(&hello.cluster, &m->base.cluster) == 0 && hello.members.count > 0;

    if (said) {
        meta_http_heard(m, f->replica, &hello);
        meta_http_listed(m, &hello.members);
    }
    f->tried = said ? 0 : f->tried | 1u << f->replica;
    if (!said)
        atomic_store(&f->due_ns, vs_now_ns(&vs_clock_system) + META_HTTP_PROBE_MS * VS_NS_PER_MS);
    pthread_mutex_lock(&m->lock);
    f->running = false;
    if (--m->in_flight == 0)
        pthread_cond_broadcast(&m->idle);
    pthread_mutex_unlock(&m->lock);
}

static bool follow_begin(struct meta_http *m)
{
    VS_LOCK_SCOPE(&m->lock);

    if (m->follow.running || m->stopping)
        return false;
    m->follow.running = true;
    m->in_flight++; /* stop waits for it */
    return true;
}

void meta_http_follow(struct meta_http *m, int64_t now_ns)
{
    struct meta_http_follow *f = &m->follow;
    int64_t due_ns = atomic_load(&f->due_ns);

    if (now_ns < due_ns || atomic_load(&m->host_count) == 1 ||
        !atomic_compare_exchange_strong(&f->due_ns, &due_ns,
                                        now_ns + META_HTTP_FOLLOW_MS * VS_NS_PER_MS) ||
        !follow_begin(m))
        return;
    f->replica = meta_http_choose(m, f->tried);
    if (f->replica == META_HTTP_NONE)
        f->replica = meta_http_choose(m, f->tried = 0);
    f->req = (struct http_request){ .method = HTTP_POST,
                                    .path = META_HTTP_PATH,
                                    .send = m->hello.data,
                                    .send_bytes = m->hello.len,
                                    .body = f->answer,
                                    .body_cap = sizeof(f->answer),
                                    .timeout_ms = m->config.first_ms,
                                    .done = follow_done };
    http_client_submit(m->hosts[f->replica], &f->req);
}
