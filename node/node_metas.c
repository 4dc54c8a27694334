/* node_metas: see the header.
 *
 * Happy path: one thread looks which replica is due, and sends; the answer says when it is due
 * again. Failure modes: each answer that is no success has a next time. */
#include "node/node_metas.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/cluster_json.h"
#include "common/err.h"
#include "common/http_client.h"
#include "common/json.h"
#include "common/log.h"
#include "common/member_file.h"
#include "common/rand.h"
#include "common/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES   4096
#define CONNECT_MS     900
#define SENTENCE_BYTES 300

/* One replica. */
struct way {
    struct node_metas *n;
    char url[NODE_METAS_URL_BYTES];
    struct http_host *host;
    struct http_request req;
    char *sent;
    char path[NODE_NAME_BYTES_MAX + 32];
    char answer[ANSWER_BYTES];
    /* under n->lock */
    bool is_listed; /* a replica, as far as is known; it may have been replaced */
    bool in_flight, registered;
    int64_t began_ns, due_ns;
    unsigned failures; /* of registering, in a row */
    uint32_t boot;     /* as it was answered */
    uint64_t seq;
    char said[SENTENCE_BYTES]; /* the last complaint in the log; "" all is well */
};

struct node_metas {
    struct node *node; /* lent */
    char own_url[NODE_METAS_URL_BYTES];
    struct http_client *client;
    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    bool stopping;
    bool beyond_loopback;   /* the command line goes there, too */
    uint64_t epoch;         /* whose replicas are told; 1: those of the command line */
    struct member_set said; /* newer: for the thread to act on; count 0: nothing */
    struct vs_rand rand;
    unsigned count;
    struct way ways[NODE_METAS_WAYS_MAX];
};

/* ---- addresses ---------------------------------------------------------------------------------
 */

static bool is_loopback(const char *url)
{
    const char *host = url + strlen("http://");

    return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]:", 6) == 0 ||
           strncmp(host, "localhost:", 10) == 0;
}

int node_metas_parse(const char *text, bool beyond_loopback,
                     char urls[NODE_METAS_MAX][NODE_METAS_URL_BYTES], char *why, size_t why_bytes)
{
    unsigned count = 0;

    for (const char *p = text; *p != '\0';) {
        size_t len = strcspn(p, ",");
        char *url = urls[count];

        if (count == NODE_METAS_MAX) {
            snprintf(why, why_bytes, "--metas names more than %d replicas", NODE_METAS_MAX);
            return -EINVAL;
        }
        if (len >= NODE_METAS_URL_BYTES)
            len = 0;
        snprintf(url, NODE_METAS_URL_BYTES, "%.*s", (int)len, p);
        if (cluster_url_port(url) == 0) {
            snprintf(why, why_bytes,
                     "--metas is URL,URL,... with addresses like http://127.0.0.1:7101; '%.60s' is "
                     "not",
                     text);
            return -EINVAL;
        }
        if (!beyond_loopback && !is_loopback(url)) {
            snprintf(why, why_bytes,
                     "--metas %.100s is on another machine, and nothing is encrypted yet; if the "
                     "network is yours alone, add --insecure-lan",
                     url);
            return -EINVAL;
        }
        count++;
        p += strcspn(p, ",");
        p += *p == ',';
    }
    return (int)count;
}

int node_metas_own_url(const char *listen, unsigned port, char url[NODE_METAS_URL_BYTES])
{
    const char *colon = strrchr(listen, ':');
    int len = colon != NULL ? (int)(colon - listen) : 0;

    if (len == 0 || strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0)
        return -EINVAL;
    return snprintf(url, NODE_METAS_URL_BYTES, "http://%.*s:%u", len, listen, port) <
                   NODE_METAS_URL_BYTES
               ? 0
               : -EINVAL;
}

/* ---- what is said ------------------------------------------------------------------------------
 */

static void set_id(struct vs_json *j, const char *key, const struct vs_id *id)
{
    char text[VS_ID_TEXT_BYTES];

    vs_id_to_text(id, text);
    vs_json_set_text(j, key, text);
}

/* The next message as text; NULL: no memory. */
static char *message(const struct way *w)
{
    const struct node *node = w->n->node;
    struct vs_json *j = vs_json_object();
    struct store_health h;
    char *text;

    chunk_store_health(node->store, &h);
    set_id(j, "uuid", &node->uuid);
    vs_json_set_u64(j, "free_bytes", h.free_bytes);
    vs_json_set_u64(j, "total_bytes", h.total_bytes);
    vs_json_set_u64(j, "fragments", h.fragments);
    vs_json_set_u64(j, "errors", h.corrupt_records);
    vs_json_set_bool(j, "writable", h.state == STORE_UP);
    if (w->registered) {
        vs_json_set_u64(j, "boot", w->boot);
        vs_json_set_u64(j, "seq", w->seq);
    } else {
        set_id(j, "cluster", &node->cluster);
        vs_json_set_text(j, "id", node->name);
        vs_json_set_text(j, "url", w->n->own_url);
        vs_json_set_text(j, "domain", node->domain[0] != '\0' ? node->domain : node->name);
    }
    text = vs_json_print(j, false);
    vs_json_free(j);
    return text;
}

/* Complain once about one thing; "": all is well again. */
static void say_locked(struct way *w, const char *sentence)
{
    const char *name = w->n->node->name;

    if (strcmp(w->said, sentence) == 0)
        return;
    if (sentence[0] == '\0')
        vs_info("node %s: metadata at %s: answers", name, w->url);
    else
        vs_warn("node %s: metadata at %s: %s -> trying on, serving meanwhile", name, w->url,
                sentence);
    snprintf(w->said, sizeof(w->said), "%s", sentence);
}

/* ---- answers -----------------------------------------------------------------------------------
 */

/* Not registered: later and later, and not all nodes at once. */
static void put_off_locked(struct way *w, int64_t now_ns)
{
    unsigned shift = w->failures < 4 ? w->failures : 4;
    uint64_t ms = NODE_METAS_BACKOFF_MS << shift;

    w->registered = false;
    w->failures++;
    w->due_ns = now_ns + (int64_t)(ms / 2 + vs_rand_below(&w->n->rand, ms / 2 + 1)) * VS_NS_PER_MS;
}

static void complain_locked(struct way *w)
{
    const char *what = vs_err_text(w->req.status), *error;
    struct vs_json *j = NULL;

    if (w->req.status == 0) {
        error = vs_json_parse(w->req.error, strlen(w->req.error), &j) == 0
                    ? vs_json_get_text(j, "error")
                    : NULL;
        what = error != NULL ? error : "what answers there is no metadata";
    }
    say_locked(w, what);
    vs_json_free(j);
}

/* Any answer of success says which replicas there are. */
static void listed_locked(struct way *w)
{
    struct node_metas *n = w->n;
    struct vs_json *j = NULL;
    struct member_set set;

    if (vs_json_parse(w->answer, w->req.body_bytes, &j) == 0 &&
        member_set_from_json(j, &set) == 0 && set.epoch > n->epoch)
        n->said = set;
    vs_json_free(j);
}

static void registered_locked(struct way *w, int64_t now_ns)
{
    struct vs_json *j = NULL;
    uint64_t boot;

    if (vs_json_parse(w->answer, w->req.body_bytes, &j) == 0 &&
        vs_json_get_u64(j, "boot", &boot) == 0 && boot <= UINT32_MAX) {
        w->registered = true;
        w->failures = 0;
        w->boot = (uint32_t)boot;
        w->seq = 0;
        w->due_ns = now_ns;
        say_locked(w, "");
    } else {
        say_locked(w, "what answers there is no metadata");
        put_off_locked(w, now_ns);
    }
    vs_json_free(j);
}

static void beaten_locked(struct way *w, int64_t now_ns)
{
    unsigned status = w->req.http_status;

    w->due_ns = w->began_ns + NODE_METAS_BEAT_MS * VS_NS_PER_MS;
    if (w->req.status < 0 || status == 503) {
        complain_locked(w);
    } else if (status == 200) {
        say_locked(w, "");
    } else if (status == 404) { /* it was started anew, or we were */
        w->registered = false;
        w->failures = 0;
        w->due_ns = now_ns;
    } else {
        complain_locked(w);
        put_off_locked(w, now_ns);
    }
}

static void way_done(struct http_request *r)
{
    struct way *w = vs_container_of(r, struct way, req);
    struct node_metas *n = w->n;
    int64_t now_ns = vs_now_ns(&vs_clock_system);
    VS_LOCK_SCOPE(&n->lock);

    w->in_flight = false;
    free(w->sent);
    w->sent = NULL;
    if (r->status == 0 && r->http_status == 200)
        listed_locked(w);
    if (w->registered) {
        beaten_locked(w, now_ns);
    } else if (r->status == 0 && r->http_status == 200) {
        registered_locked(w, now_ns);
    } else {
        complain_locked(w);
        put_off_locked(w, now_ns);
    }
    pthread_cond_signal(&n->wake);
}

/* ---- sending -----------------------------------------------------------------------------------
 */

/* Make the message that is due. False: no memory, later. */
static bool prepare_locked(struct way *w, int64_t now_ns)
{
    bool beat = w->registered;

    w->seq++;
    w->sent = message(w);
    if (w->sent == NULL) {
        w->due_ns = now_ns + NODE_METAS_BEAT_MS * VS_NS_PER_MS;
        return false;
    }
    if (beat)
        snprintf(w->path, sizeof(w->path), "/nodes/%s/heartbeat", w->n->node->name);
    else
        snprintf(w->path, sizeof(w->path), "/nodes/register");
    w->began_ns = now_ns;
    w->in_flight = true;
    w->req = (struct http_request){
        .method = HTTP_POST,
        .path = w->path,
        .send = w->sent,
        .send_bytes = strlen(w->sent),
        .body = w->answer,
        .body_cap = sizeof(w->answer),
        .timeout_ms = beat ? NODE_METAS_BEAT_MS : NODE_METAS_REGISTER_MS,
        .done = way_done,
    };
    return true;
}

/* ---- which replicas there are ------------------------------------------------------------------
 */

/* NULL: too many, or no memory. Before the thread, or on it, under n->lock. */
static struct way *way_open_locked(struct node_metas *n, const char *url)
{
    struct way *w = &n->ways[n->count];
    const struct http_host_config config = {
        .origin = url,
        .connections_max = 1,
        .queue_max = 2, /* an answer may send the next */
        .connect_timeout_ms = CONNECT_MS,
    };

    for (unsigned i = 0; i < n->count; i++)
        if (strcmp(n->ways[i].url, url) == 0)
            return &n->ways[i];
    if (n->count == NODE_METAS_WAYS_MAX || http_host_open(&w->host, n->client, &config) < 0)
        return NULL;
    w->n = n;
    snprintf(w->url, sizeof(w->url), "%s", url);
    n->count++;
    return w;
}

/* What a newcomer, or one that was replaced before, is told next: that this node is there. */
static void way_list_locked(struct way *w)
{
    if (w->is_listed)
        return;
    w->is_listed = true;
    w->registered = false;
    w->due_ns = 0;
}

static void list_locked(struct node_metas *n, const struct member_set *set)
{
    bool now[NODE_METAS_WAYS_MAX] = { false }, all = true;

    for (unsigned i = 0; i < set->count; i++) {
        const char *url = set->member[i].url;
        struct way *w = url[0] == '\0' || (!n->beyond_loopback && !is_loopback(url))
                            ? NULL
                            : way_open_locked(n, url);

        all = all && w != NULL;
        if (w == NULL)
            continue;
        now[w - n->ways] = true;
        way_list_locked(w);
    }
    for (unsigned i = 0; all && i < n->count; i++)
        n->ways[i].is_listed = now[i];
}

/* Act on what was said: on the thread, which may wait for the disk. */
static void follow(struct node_metas *n)
{
    struct member_set set;
    int r;

    pthread_mutex_lock(&n->lock);
    set = n->said;
    n->said.count = 0;
    if (set.epoch > n->epoch) {
        n->epoch = set.epoch;
        list_locked(n, &set);
    } else {
        set.count = 0;
    }
    pthread_mutex_unlock(&n->lock);
    if (set.count == 0)
        return;
    r = member_file_save(n->node->data, &set);
    vs_info("node %s: the metadata replicas of epoch %llu are told from now on", n->node->name,
            (unsigned long long)set.epoch);
    if (r < 0)
        vs_warn("node %s: cannot write %s/" MEMBER_FILE_NAME
                ": %s -> the next start knows those of --metas alone",
                n->node->name, n->node->data, vs_err_text(r));
}

static void *metas_thread(void *arg)
{
    struct node_metas *n = arg;

    pthread_mutex_lock(&n->lock);
    while (!n->stopping) {
        int64_t now_ns = vs_now_ns(&vs_clock_system), due_ns = now_ns + VS_NS_PER_S;
        struct way *send[NODE_METAS_WAYS_MAX];
        unsigned count = 0;

        if (n->said.count > 0) {
            pthread_mutex_unlock(&n->lock);
            follow(n);
            pthread_mutex_lock(&n->lock);
            continue;
        }
        for (unsigned i = 0; i < n->count; i++) {
            struct way *w = &n->ways[i];

            if (!w->is_listed)
                continue;
            if (!w->in_flight && w->due_ns <= now_ns && prepare_locked(w, now_ns))
                send[count++] = w;
            if (!w->in_flight && w->due_ns < due_ns)
                due_ns = w->due_ns;
        }
        if (count > 0) {
            pthread_mutex_unlock(&n->lock);
            for (unsigned i = 0; i < count; i++)
                http_client_submit(send[i]->host, &send[i]->req);
            pthread_mutex_lock(&n->lock);
            continue; /* answers may be there already */
        }
        vs_cond_wait_until(&n->wake, &n->lock, due_ns);
    }
    pthread_mutex_unlock(&n->lock);
    return NULL;
}

/* ---- start, stop -------------------------------------------------------------------------------
 */

/* Those of the command line, and those that were kept: which of them are replicas, they say. */
static int ways_open(struct node_metas *n, char urls[NODE_METAS_MAX][NODE_METAS_URL_BYTES],
                     unsigned count)
{
    struct member_set kept = { .count = 0 };
    int r = http_client_start(&n->client, NULL);

    for (unsigned i = 0; r == 0 && i < count; i++) {
        struct way *w = way_open_locked(n, urls[i]);

        n->beyond_loopback = n->beyond_loopback || !is_loopback(urls[i]);
        if (w == NULL)
            r = -EINVAL;
        else
            way_list_locked(w);
    }
    n->epoch = 1; /* an old epoch may count again after a restore of the metadata */
    if (r == 0 && member_file_load(n->node->data, &kept) == 0) {
        list_locked(n, &kept);
        for (unsigned i = 0; i < n->count; i++)
            n->ways[i].is_listed = true;
    }
    return r;
}

int node_metas_start(struct node_metas **ret, struct node *node,
                     char urls[NODE_METAS_MAX][NODE_METAS_URL_BYTES], unsigned count,
                     const char *own_url)
{
    struct node_metas *n = calloc(1, sizeof(*n));
    uint64_t seed;
    int r;

    if (n == NULL)
        return -ENOMEM;
    n->node = node;
    snprintf(n->own_url, sizeof(n->own_url), "%s", own_url);
    vs_rand_system(&seed, sizeof(seed));
    vs_rand_init(&n->rand, seed);
    pthread_mutex_init(&n->lock, NULL);
    vs_cond_init(&n->wake);
    r = ways_open(n, urls, count);
    if (r == 0)
        r = vs_thread_start(&n->thread, metas_thread, n);
    n->threaded = r == 0;
    if (r < 0)
        node_metas_stop(n);
    else
        *ret = n;
    return r;
}

void node_metas_stop(struct node_metas *n)
{
    if (n == NULL)
        return;
    pthread_mutex_lock(&n->lock);
    n->stopping = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
    if (n->threaded)
        pthread_join(n->thread, NULL);
    http_client_stop(n->client); /* what is in flight is answered, as cancelled */
    pthread_cond_destroy(&n->wake);
    pthread_mutex_destroy(&n->lock);
    free(n);
}
