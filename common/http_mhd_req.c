/* One request on libmicrohttpd: from its headers to the handlers of its route, and what they may
 * ask about it.
 *
 * Happy path: find the route, let begin() look, take memory for the body, take the body, run.
 * Failure modes: every refusal is a reply; a refused request's body is thrown away as it comes, so
 * that the client reads the answer and the connection lives on. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/http_impl.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

/* ---- from the headers -------------------------------------------------------------------------
 */

static enum http_method method_of(const char *word)
{
    static const struct {
        const char *word;
        enum http_method method;
    } methods[] = {
        { "GET", HTTP_GET },       { "HEAD", HTTP_HEAD }, { "PUT", HTTP_PUT },
        { "DELETE", HTTP_DELETE }, { "POST", HTTP_POST },
    };

    for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].word, word) == 0)
            return methods[i].method;
    return 0;
}

static const struct http_route *route_of(const struct http_server *s, const char *url,
                                         enum http_method method, const char **ret_tail,
                                         bool *ret_path_known)
{
    for (unsigned i = 0; i < s->config.route_count; i++) {
        const struct http_route *r = &s->config.routes[i];
        size_t n = strlen(r->path);

        if (strncmp(url, r->path, n) != 0 || (r->path[n - 1] != '/' && url[n] != '\0'))
            continue;
        *ret_path_known = true;
        *ret_tail = url + n;
        if ((r->methods & method) != 0)
            return r;
    }
    return NULL;
}

static enum MHD_Result count_length(void *arg, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    unsigned *count = arg;

    (void)kind;
    (void)value;
    *count += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    return MHD_YES;
}

/* Length of the body, SIZE_MAX when it is not said, or in two ways (RFC 9112, 6.3: who believes the
 * other one sees another request behind it). That a number is one, the library has seen to. */
static bool body_length(struct http_req *q)
{
    const char *length = http_req_header(q, MHD_HTTP_HEADER_CONTENT_LENGTH);
    unsigned count = 0;

    (void)MHD_get_connection_values(q->mhd, MHD_HEADER_KIND, count_length, &count);
    if (count > 1 || http_req_header(q, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL) {
        q->body_bytes = SIZE_MAX;
        return true;
    }
    q->body_bytes = length != NULL ? strtoull(length, NULL, 10) : 0;
    return length != NULL;
}

/* Is the announced body one that this route takes? Replies if not. */
static bool body_allowed(struct http_req *q, bool announced)
{
    uint32_t max = q->route->body_bytes_max;

    if (q->body_bytes == SIZE_MAX || (max > 0 && !announced)) {
        http_reply_error(q, 400, "length",
                         "The length of the body must be said before it comes: send "
                         "Content-Length, once, and no Transfer-Encoding.");
        return false;
    }
    if (max == 0 && q->body_bytes > 0) {
        http_reply_error(q, 400, "body", "This request takes no body; send it without one.");
        return false;
    }
    if (q->body_bytes > max) {
        http_reply_error(q, 413, "too-long", "The body has %zu bytes; at most %u are taken here.",
                         q->body_bytes, (unsigned)max);
        return false;
    }
    return true;
}

/* Everything that can be said before the body. */
static void req_begin(struct http_req *q, const char *url, bool draining)
{
    bool announced = body_length(q), path_known = false;

    if (draining) {
        http_reply_error(q, 503, "stopping",
                         "This server is being stopped; use another one, or try again soon.");
        return;
    }
    q->route = route_of(q->server, url, q->method, &q->tail, &path_known);
    if (q->route == NULL && path_known) {
        http_reply_error(q, 405, "method", "There is no such operation on %.100s.", url);
        return;
    }
    if (q->route == NULL) {
        http_reply_error(q, 404, "path", "There is nothing at %.100s.", url);
        return;
    }
    if (!body_allowed(q, announced))
        return;
    q->begun = true;
    if (q->route->begin != NULL)
        q->route->begin(q);
    if (!http_req_replied(q) && q->body_bytes > 0 &&
        http_memory_get(&q->server->memory, q->body_bytes, &q->block) < 0)
        http_reply_error(q, 503, "busy",
                         "Other requests hold all the memory for bodies; try again in a second.");
}

struct http_req *http_req_new(struct http_server *s, struct MHD_Connection *mhd, bool quick,
                              const char *url, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_req *q = calloc(1, sizeof(*q));
    bool draining;

    if (q == NULL)
        return NULL;
    q->server = s;
    q->mhd = mhd;
    q->conn = info != NULL ? info->socket_context : NULL;
    q->method = method_of(method);
    q->quick = quick;
    q->tail = "";
    q->started_ns = vs_now_ns(&vs_clock_system);
    pthread_mutex_init(&q->lock, NULL);
    pthread_mutex_lock(&s->lock);
    s->in_flight++;
    s->requests++;
    draining = atomic_load(&s->draining);
    pthread_mutex_unlock(&s->lock);
    http_linger_heard(&s->conns, q->conn);
    req_begin(q, url, draining);
    q->body_until_ns = http_deadline_ns(s, q->body_bytes != SIZE_MAX ? q->body_bytes : 0);
    (void)http_conn_enter(q->conn, HTTP_BODY, http_deadline_ns(s, 0));
    return q;
}

/* ---- the body ---------------------------------------------------------------------------------
 */

void http_req_take(struct http_req *q, const void *bytes, size_t len)
{
    int64_t stall_ns = http_deadline_ns(q->server, 0);

    http_conn_extend(q->conn, stall_ns < q->body_until_ns ? stall_ns : q->body_until_ns);
    if (http_req_replied(q)) {
        q->discarded += len;
        return;
    }
    if (len > q->body_bytes - q->got) { /* the library ends the body where it was said to */
        http_reply_error(q, 400, "length", "The body is longer than its Content-Length.");
        return;
    }
    memcpy(q->block.data + q->got, bytes, len);
    if (q->route->body != NULL)
        q->route->body(q, q->block.data + q->got, len);
    q->got += len;
}

void http_req_run(struct http_req *q)
{
    (void)http_conn_enter(q->conn, HTTP_WORK, INT64_MAX);
    if (http_req_replied(q))
        return;
    if (q->got == q->body_bytes)
        q->route->run(q);
    else
        http_reply_error(q, 400, "length", "The body is shorter than its Content-Length.");
}

void http_req_free(struct http_req *q)
{
    VS_ASSERT(!q->suspended);
    if (q->begun && q->route->end != NULL)
        q->route->end(q);
    if (q->response != NULL && q->response != q->server->no_memory)
        MHD_destroy_response(q->response);
    http_memory_put(&q->server->memory, &q->block);
    vs_buf_close(&q->headers);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

/* ---- what handlers may ask --------------------------------------------------------------------
 */

void *http_req_arg(const struct http_req *q)
{
    return q->server->config.arg;
}

void http_req_set_state(struct http_req *q, void *state)
{
    q->state = state;
}

void *http_req_state(const struct http_req *q)
{
    return q->state;
}

enum http_method http_req_method(const struct http_req *q)
{
    return q->method;
}

const char *http_req_tail(const struct http_req *q)
{
    return q->tail;
}

const char *http_req_header(const struct http_req *q, const char *name)
{
    return MHD_lookup_connection_value(q->mhd, MHD_HEADER_KIND, name);
}

const char *http_req_query(const struct http_req *q, const char *name)
{
    return MHD_lookup_connection_value(q->mhd, MHD_GET_ARGUMENT_KIND, name);
}

const void *http_req_body(const struct http_req *q, size_t *ret_bytes)
{
    *ret_bytes = q->got;
    return q->block.data;
}

size_t http_req_body_bytes(const struct http_req *q)
{
    return q->body_bytes;
}

bool http_req_quick(const struct http_req *q)
{
    return q->quick;
}

void *http_req_memory(struct http_req *q, size_t bytes)
{
    VS_ASSERT(q->block.data == NULL && q->body_bytes == 0);
    return http_memory_get(&q->server->memory, bytes, &q->block) == 0 ? q->block.data : NULL;
}

int64_t http_req_started_ns(const struct http_req *q)
{
    return q->started_ns;
}

int http_req_sent_status(const struct http_req *q)
{
    return q->sent ? q->status : 0;
}

bool http_req_replied(struct http_req *q)
{
    VS_LOCK_SCOPE(&q->lock);

    return q->response != NULL;
}
