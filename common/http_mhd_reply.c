/* Answers on libmicrohttpd.
 *
 * Happy path: the reply becomes a response object on the thread that replies; the thread of the
 * connection queues it. Failure modes: without memory for it the answer is a 500 that was made at
 * the start; a descriptor that came with a reply is closed on every path. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/http_impl.h"
#include "common/json.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FILL_BLOCK_BYTES     65536u
#define DEADLINE_MS_MAX      3600000u /* whatever length a client announces */
#define SENTENCE_BYTES       512
#define RETRY_AFTER_TEXT_LEN 16

int64_t http_deadline_ns(const struct http_server *s, uint64_t bytes)
{
    uint64_t rate = s->config.rate_bytes_per_s_min;
    uint64_t ms = s->config.grace_ms + bytes / rate * 1000 + bytes % rate * 1000 / rate;

    ms = ms < DEADLINE_MS_MAX ? ms : DEADLINE_MS_MAX;
    return vs_now_ns(&vs_clock_system) + (int64_t)ms * VS_NS_PER_MS;
}

/* ---- giving -----------------------------------------------------------------------------------
 */

static void add_headers(struct http_req *q, struct MHD_Response *response, const char *type)
{
    const char *pos = (const char *)q->headers.data, *end = pos + q->headers.len;

    if (type != NULL)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    while (pos < end) {
        const char *value = pos + strlen(pos) + 1;

        (void)MHD_add_response_header(response, pos, value);
        pos = value + strlen(value) + 1;
    }
    if (atomic_load(&q->server->draining))
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* The one way out of every http_reply*(). `response` NULL: out of memory. */
static void give(struct http_req *q, int status, const char *type, struct MHD_Response *response,
                 uint64_t bytes)
{
    struct MHD_Connection *mhd = q->mhd;
    bool resume;

    if (response != NULL) {
        add_headers(q, response, type);
    } else {
        response = q->server->no_memory;
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        bytes = 0;
    }
    pthread_mutex_lock(&q->lock);
    VS_ASSERT(q->response == NULL);
    q->response = response;
    q->status = status;
    q->reply_bytes = q->method == HTTP_HEAD ? 0 : bytes;
    resume = q->suspended;
    q->suspended = false;
    pthread_mutex_unlock(&q->lock);
    if (resume)
        MHD_resume_connection(mhd); /* `q` may be gone from here on */
}

bool http_reply_send(struct http_req *q)
{
    if (!http_conn_enter(q->conn, HTTP_SEND, http_deadline_ns(q->server, q->reply_bytes)))
        return false;
    return MHD_queue_response(q->mhd, (unsigned)q->status, q->response) == MHD_YES;
}

void http_reply_header(struct http_req *q, const char *name, const char *value)
{
    size_t name_bytes = strlen(name) + 1, value_bytes = strlen(value) + 1;

    if (vs_buf_reserve(&q->headers, name_bytes + value_bytes, HTTP_HEADERS_BYTES_MAX) < 0)
        return;
    (void)vs_buf_append(&q->headers, name, name_bytes, HTTP_HEADERS_BYTES_MAX);
    (void)vs_buf_append(&q->headers, value, value_bytes, HTTP_HEADERS_BYTES_MAX);
}

void http_reply(struct http_req *q, int status, const char *type, const void *bytes, size_t len)
{
    give(q, status, type,
         MHD_create_response_from_buffer(len, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY),
         len);
}

void http_reply_lent(struct http_req *q, int status, const char *type, const void *bytes,
                     size_t len)
{
    give(q, status, type,
         MHD_create_response_from_buffer(len, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT),
         len);
}

void http_reply_file(struct http_req *q, int status, const char *type, int fd, uint64_t offset,
                     uint64_t len, http_file_done_fn *done, void *arg)
{
    struct http_linger *linger = malloc(sizeof(*linger));
    struct MHD_Response *response = NULL;

    VS_ASSERT(!q->quick && len > 0);
    if (linger != NULL) {
        *linger = (struct http_linger){ .done = done, .arg = arg };
        q->linger = linger;
        response = MHD_create_response_from_fd_at_offset64(len, fd, offset);
    } else if (done != NULL) {
        done(arg);
    }
    if (response == NULL)
        close(fd);
    give(q, status, type, response, len);
}

/* ---- bytes made on the way --------------------------------------------------------------------
 */

static ssize_t fill_more(void *cls, uint64_t pos, char *dst, size_t max)
{
    struct http_req *q = cls;
    int64_t n = q->fill != NULL ? q->fill(q, pos, dst, max) : -EIO;

    return n > 0 && (uint64_t)n <= max ? (ssize_t)n : MHD_CONTENT_READER_END_WITH_ERROR;
}

void http_reply_fill(struct http_req *q, int status, const char *type, http_fill_fn *fill,
                     uint64_t len)
{
    q->fill = fill;
    give(q, status, type,
         MHD_create_response_from_callback(len, FILL_BLOCK_BYTES, fill_more, q, NULL), len);
}

void http_reply_head(struct http_req *q, int status, const char *type, uint64_t len)
{
    VS_ASSERT(q->method == HTTP_HEAD);
    http_reply_fill(q, status, type, NULL, len);
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

void http_reply_json(struct http_req *q, int status, struct vs_json *j)
{
    VS_AUTO_FREE char *text = vs_json_print(j, false);
    struct MHD_Response *response = NULL;
    size_t len = text != NULL ? strlen(text) : 0;

    vs_json_free(j);
    if (text != NULL) {
        text[len] = '\n'; /* takes the place of the NUL */
        response = MHD_create_response_from_buffer(len + 1, text, MHD_RESPMEM_MUST_COPY);
    }
    give(q, status, "application/json", response, len + 1);
}

void http_reply_error(struct http_req *q, int status, const char *code, const char *fmt, ...)
{
    struct vs_json *j = vs_json_object();
    char sentence[SENTENCE_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        char seconds[RETRY_AFTER_TEXT_LEN];

        snprintf(seconds, sizeof(seconds), "%d", HTTP_RETRY_AFTER_S);
        http_reply_header(q, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    vs_json_set_text(j, "error", sentence);
    vs_json_set_text(j, "code", code);
    http_reply_json(q, status, j);
}

int http_reply_init(struct http_server *s)
{
    static const char text[] = "{\"error\":\"This server has no memory left for the answer; try "
                               "again in a second.\",\"code\":\"memory\"}\n";

    s->no_memory = MHD_create_response_from_buffer(sizeof(text) - 1, (void *)(uintptr_t)text,
                                                   MHD_RESPMEM_PERSISTENT);
    return s->no_memory == NULL ? -ENOMEM : 0;
}

void http_reply_close(struct http_server *s)
{
    if (s->no_memory != NULL)
        MHD_destroy_response(s->no_memory);
    s->no_memory = NULL;
}
