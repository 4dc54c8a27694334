/* What a node says about itself, asked for at an interval and kept.
 *
 * Happy path: a timer sends GET /health; the answer becomes the health that everybody reads from
 * memory; the timer begins anew. A request that finds the node out of reach makes the timer ring at
 * once, and so does who wants to know how it is now.
 * Failure modes: no answer in time, another node's name, or something that is not a node's report:
 * down, with a sentence. The question has a queue and a connection of its own: a node with much to
 * do is not down. */
#include "node/store_http_impl.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/json.h"
#include "common/thread.h"

#include <stdio.h>
#include <string.h>

static const char *node_or_origin(const struct store_http *s)
{
    return s->name[0] != '\0' ? s->name : s->origin;
}

/* Why a node is down; what follows is the same for all reasons. */
static void health_down(const struct store_http *s, const char *fact, struct store_health *ret)
{
    *ret = (struct store_health){ .state = STORE_DOWN };
    snprintf(
        ret->why, sizeof(ret->why),
        "Storage node %.40s (%.48s) %.72s. The others serve its files. Start vstack-node there, "
        "or look at its log.",
        node_or_origin(s), s->origin, fact);
}

/* ---- the report --------------------------------------------------------------------------------
 */

static int report_state(const struct vs_json *j, enum store_state *ret)
{
    static const char *const words[] = {
        [STORE_UP] = "up", [STORE_READONLY] = "readonly", [STORE_DOWN] = "down"
    };
    const char *text = vs_json_get_text(j, "state");

    for (unsigned i = 0; text != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = (enum store_state)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int report_numbers(const struct vs_json *j, struct store_health *h)
{
    const struct {
        const char *key;
        uint64_t *v;
    } numbers[] = {
        { "fragments", &h->fragments },     { "payload_bytes", &h->payload_bytes },
        { "total_bytes", &h->total_bytes }, { "free_bytes", &h->free_bytes },
        { "device", &h->device },           { "corrupt_records", &h->corrupt_records },
    };

    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (vs_json_get_u64(j, numbers[i].key, numbers[i].v) < 0)
            return -EINVAL;
    return h->free_bytes <= h->total_bytes ? 0 : -EINVAL;
}

/* What `j` says. Never fails: nonsense is a node that is down. */
static void report_take(const struct store_http *s, const struct vs_json *j,
                        struct store_health *ret)
{
    const char *id = vs_json_get_text(j, "id"), *why = vs_json_get_text(j, "why");
    const char *uuid = vs_json_get_text(j, "uuid");
    struct store_health h = { 0 };
    char fact[80];

    if (id == NULL || report_state(j, &h.state) < 0 || report_numbers(j, &h) < 0) {
        health_down(s, "answers something that is not a node's report", ret);
        return;
    }
    if (s->name[0] != '\0' && strcmp(id, s->name) != 0) {
        snprintf(fact, sizeof(fact), "answers as another node, %.40s", id);
        health_down(s, fact, ret);
        return;
    }
    if (s->store[0] != '\0' && (uuid == NULL || strcmp(uuid, s->store) != 0)) {
        health_down(s, "has another store than the one it was registered with", ret);
        return;
    }
    if (h.state != STORE_UP)
        snprintf(h.why, sizeof(h.why), "%s",
                 why != NULL && why[0] != '\0' ? why : "The storage node does not say why.");
    *ret = h;
}

static void report_read(const struct store_http *s, struct store_health *ret)
{
    const struct http_request *r = &s->poll;
    struct vs_json *j = NULL;
    char fact[80];

    if (r->status == -ETIMEDOUT) {
        health_down(s, "does not answer", ret);
    } else if (r->status != 0) {
        snprintf(fact, sizeof(fact), "cannot be reached (%s)", vs_err_text(r->status));
        health_down(s, fact, ret);
    } else if (r->http_status != 200 || vs_json_parse(s->poll_body, r->body_bytes, &j) < 0) {
        snprintf(fact, sizeof(fact), "answers %u and no report", r->http_status);
        health_down(s, fact, ret);
    } else {
        report_take(s, j, ret);
    }
    vs_json_free(j);
}

/* ---- asking ------------------------------------------------------------------------------------
 */

static void poll_send_locked(struct store_http *s);

/* Under s->lock: it will not be asked again. */
static void poll_end_locked(struct store_http *s)
{
    s->polling = s->poll_sent = false;
    pthread_cond_broadcast(&s->idle);
    pthread_cond_broadcast(&s->reported);
}

static void poll_done(struct http_request *r)
{
    struct store_http *s = vs_container_of(r, struct store_http, poll);
    struct store_health h;
    bool heard = r->status != -EAGAIN && r->status != -ENOMEM && r->status != -ECANCELED;

    if (heard)
        report_read(s, &h);
    VS_LOCK_SCOPE(&s->lock);
    if (heard)
        s->health = h;
    s->poll_sent = false;
    s->polls_done = s->polls_sent;
    pthread_cond_broadcast(&s->reported);
    if (s->stopping)
        poll_end_locked(s);
    else if (s->poll_again)
        poll_send_locked(s);
    else
        vs_exec_after(s->config.exec, &s->timer, s->config.health_ms * VS_NS_PER_MS);
}

/* Under s->lock. */
static void poll_send_locked(struct store_http *s)
{
    s->poll_sent = true;
    s->poll_again = false;
    s->polls_sent++;
    s->poll = (struct http_request){
        .method = HTTP_GET,
        .path = NODE_HEALTH_PATH,
        .body = s->poll_body,
        .body_cap = sizeof(s->poll_body),
        .own_connection = true,
        .timeout_ms = s->config.health_timeout_ms,
        .done = poll_done,
    };
    http_client_submit(s->health_host, &s->poll);
}

static void poll_timer(struct vs_job *job)
{
    struct store_http *s = vs_container_of(job, struct store_http, timer);
    VS_LOCK_SCOPE(&s->lock);

    if (s->stopping)
        poll_end_locked(s);
    else
        poll_send_locked(s);
}

void store_http_health_start(struct store_http *s)
{
    VS_LOCK_SCOPE(&s->lock);

    health_down(s, "has not answered yet", &s->health);
    s->timer.fn = poll_timer;
    s->polling = true;
    poll_send_locked(s);
}

void store_http_health_stop(struct store_http *s)
{
    VS_LOCK_SCOPE(&s->lock);

    s->stopping = true;
    if (!s->poll_sent && vs_exec_cancel_after(s->config.exec, &s->timer) == 1)
        poll_end_locked(s);
}

void store_http_health_wait(struct store_http *s)
{
    VS_LOCK_SCOPE(&s->lock);

    while (s->polling)
        pthread_cond_wait(&s->idle, &s->lock);
}

void store_http_doubt(struct store_http *s)
{
    VS_LOCK_SCOPE(&s->lock);

    if (!s->stopping && s->health.state != STORE_DOWN && !s->poll_sent &&
        vs_exec_cancel_after(s->config.exec, &s->timer) == 1)
        poll_send_locked(s);
}

void store_http_health(struct chunk_store *base, struct store_health *ret)
{
    struct store_http *s = store_http_of(base);
    VS_LOCK_SCOPE(&s->lock);

    *ret = s->health;
}

/* The number of the first question that is sent from now on. */
uint64_t store_http_health_ask(struct chunk_store *base)
{
    struct store_http *s = store_http_of(base);
    uint64_t next;
    VS_LOCK_SCOPE(&s->lock);

    next = s->polls_sent + 1;
    if (s->poll_sent)
        s->poll_again = true;
    else if (!s->stopping && vs_exec_cancel_after(s->config.exec, &s->timer) == 1)
        poll_send_locked(s); /* else the timer rings just now */
    return next;
}

void store_http_health_await(struct chunk_store *base, uint64_t asked, int64_t until_ns)
{
    struct store_http *s = store_http_of(base);
    VS_LOCK_SCOPE(&s->lock);

    while (s->polling && s->polls_done < asked &&
           vs_cond_wait_until(&s->reported, &s->lock, until_ns))
        ;
}
