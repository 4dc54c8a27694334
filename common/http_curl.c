/* The transport of the HTTP client, and the door to libcurl.
 *
 * Happy path: libcurl's multi interface tells which sockets to watch; one epoll watches them, an
 * eventfd beside them ends the sleep. Per slot one easy handle is set up once and used again for
 * exchange after exchange; connections are kept by the multi handle. The body of an answer is
 * copied once, from libcurl's buffer to where the caller wants it.
 * Failure modes: every length off the wire is compared with the room there is before a byte is
 * copied; the first thing that does not fit ends the exchange, and its connection is not used
 * again. Deadlines are the queue's business (http_client.c); only the time-out of a connect is set
 * here.
 *
 * curl_multi_socket_action() and not curl_multi_perform(): the latter looks at every handle and
 * polls every socket at each step, which with a thousand exchanges costs more than the bytes. */
#include "common/http_client_impl.h"

#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/http_answer.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRANSPORT_EVENTS_MAX   64
#define TRANSPORT_SLEEP_MS_MAX 60000
#define RECEIVE_BUFFER_BYTES   (256L << 10)
#define SEND_BUFFER_BYTES      (256L << 10)
#define URL_BYTES              (HTTP_ORIGIN_BYTES_MAX + HTTP_PATH_BYTES_MAX)

struct http_transport {
    CURLM *multi;
    int epoll_fd, wake_fd;
    atomic_bool woken;    /* wake_fd is readable or about to be */
    int64_t timer_due_ns; /* when libcurl wants to be called; INT64_MAX: not */
};

struct http_slot {
    struct http_transport *transport;
    CURL *easy;
    /* one exchange */
    struct http_request *request;
    struct curl_slist *headers;
    struct http_answer answer;
    bool tried_again;
    int why; /* our own reason to have stopped it, or 0 */
};

/* ---- libcurl as a whole ------------------------------------------------------------------------
 */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started;

static void curl_start(void)
{
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int64_t transport_now_ns(void)
{
    return vs_now_ns(&vs_clock_system);
}

/* ---- what libcurl tells us about sockets and time ----------------------------------------------
 */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct http_transport *t = arg;
    struct epoll_event ev = { .data.fd = fd };

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* may be closed: then it is off already */
        return 0;
    }
    if (what & CURL_POLL_IN)
        ev.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        ev.events |= EPOLLOUT;
    if (known == NULL)
        curl_multi_assign(t->multi, fd, t);
    if (epoll_ctl(t->epoll_fd, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev) == 0)
        return 0;
    /* The number may be that of a socket we saw before. */
    return epoll_ctl(t->epoll_fd, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) == 0
               ? 0
               : -1;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_transport *t = arg;

    (void)multi;
    t->timer_due_ns = timeout_ms < 0 ? INT64_MAX : transport_now_ns() + timeout_ms * VS_NS_PER_MS;
    return 0;
}

/* Helper processes must not inherit connections. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)arg;
    (void)purpose;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- what libcurl tells us about an answer -----------------------------------------------------
 */

static size_t slot_took(struct http_slot *s, int e, size_t len)
{
    if (e == 0)
        return len;
    s->why = e;
    return 0; /* libcurl ends the exchange */
}

/* One header line, not NUL-terminated. */
static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
    struct http_slot *s = arg;

    (void)one; /* 1, says libcurl */
    return slot_took(s, http_answer_header(&s->answer, line, len), len);
}

static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
    struct http_slot *s = arg;
    long code = 0;

    (void)one; /* 1, says libcurl */
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &code);
    return slot_took(s, http_answer_body(&s->answer, code, bytes, len), len);
}

/* ---- slots -------------------------------------------------------------------------------------
 */

#define SET(option, value) (ok = ok && curl_easy_setopt(s->easy, option, value) == CURLE_OK)

/* What is the same for every exchange. */
static bool slot_set_up(struct http_slot *s)
{
    bool ok = true;

    SET(CURLOPT_PRIVATE, s);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_PROTOCOLS_STR, "http");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER_BYTES);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, s);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, s);
    return ok;
}

int http_slot_new(struct http_slot **ret, struct http_transport *t)
{
    struct http_slot *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return -ENOMEM;
    s->transport = t;
    s->easy = curl_easy_init();
    if (s->easy == NULL || !slot_set_up(s)) {
        http_slot_free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

void http_slot_free(struct http_slot *s)
{
    if (s == NULL)
        return;
    VS_ASSERT(s->request == NULL);
    if (s->easy != NULL)
        curl_easy_cleanup(s->easy);
    free(s);
}

static bool slot_add_header(struct http_slot *s, const char *name, const char *value)
{
    char line[HTTP_HEADER_BYTES_MAX];
    struct curl_slist *longer;
    int n = snprintf(line, sizeof(line), "%s:%s%s", name, value[0] != '\0' ? " " : "", value);

    VS_ASSERT(n > 0 && (size_t)n < sizeof(line) && strpbrk(line, "\r\n") == NULL);
    longer = curl_slist_append(s->headers, line);
    if (longer == NULL)
        return false;
    s->headers = longer;
    return true;
}

static bool slot_set_headers(struct http_slot *s, const struct http_request *r)
{
    bool ok = true;

    for (unsigned i = 0; ok && i < r->headers_count; i++)
        ok = slot_add_header(s, r->headers[i].name, r->headers[i].value);
    if (r->method == HTTP_PUT || r->method == HTTP_POST) {
        /* No "Expect: 100-continue": it costs a round trip, and our servers take what they
         * announce. */
        ok = ok && slot_add_header(s, "Expect", "") &&
             slot_add_header(s, "Content-Type", "application/octet-stream");
    }
    SET(CURLOPT_HTTPHEADER, s->headers);
    return ok;
}

static bool slot_set_method(struct http_slot *s, const struct http_request *r)
{
    bool ok = true;

    SET(CURLOPT_CUSTOMREQUEST, NULL);
    switch (r->method) {
    case HTTP_GET:
    case HTTP_DELETE:
        SET(CURLOPT_HTTPGET, 1L);
        if (r->method == HTTP_DELETE)
            SET(CURLOPT_CUSTOMREQUEST, "DELETE");
        break;
    case HTTP_HEAD:
        SET(CURLOPT_NOBODY, 1L);
        break;
    case HTTP_PUT:
    case HTTP_POST:
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->send_bytes);
        SET(CURLOPT_POSTFIELDS, r->send_bytes > 0 ? r->send : "");
        if (r->method == HTTP_PUT)
            SET(CURLOPT_CUSTOMREQUEST, "PUT");
        break;
    }
    return ok;
}

static void slot_end(struct http_slot *s)
{
    curl_slist_free_all(s->headers);
    s->headers = NULL;
    s->request = NULL;
}

int http_slot_begin(struct http_slot *s, struct http_request *r, const char *origin,
                    unsigned connect_timeout_ms)
{
    char url[URL_BYTES];
    bool ok = true;

    s->request = r;
    s->why = 0;
    s->tried_again = false;
    http_answer_start(&s->answer, r);
    snprintf(url, sizeof(url), "%s%s", origin, r->path);
    SET(CURLOPT_URL, url);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect_timeout_ms);
    SET(CURLOPT_FRESH_CONNECT, r->own_connection ? 1L : 0L);
    SET(CURLOPT_FORBID_REUSE, r->own_connection ? 1L : 0L);
    if (!ok || !slot_set_method(s, r) || !slot_set_headers(s, r) ||
        curl_multi_add_handle(s->transport->multi, s->easy) != CURLM_OK) {
        slot_end(s);
        return -ENOMEM;
    }
    return 0;
}

void http_slot_abort(struct http_slot *s)
{
    curl_multi_remove_handle(s->transport->multi, s->easy);
    slot_end(s);
}

/* ---- results -----------------------------------------------------------------------------------
 */

static int status_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return -ECONNREFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return -ECONNRESET;
    default: /* whatever it is, it is not an answer; a line without end is "out of memory" here */
        return -EBADMSG;
    }
}

/* A kept connection that the server was just closing: nothing of an answer came over it. libcurl
 * tries again by itself, but counts its tries over the life of a handle and gives up at the sixth.
 */
static bool slot_try_again(struct http_slot *s, CURLcode result)
{
    long connects = 1;

    if (s->tried_again || s->answer.headers_bytes > 0 || status_of(result) != -ECONNRESET ||
        curl_easy_getinfo(s->easy, CURLINFO_NUM_CONNECTS, &connects) != CURLE_OK || connects > 0)
        return false;
    s->tried_again = true;
    curl_multi_remove_handle(s->transport->multi, s->easy);
    curl_easy_setopt(s->easy, CURLOPT_FRESH_CONNECT, 1L);
    return curl_multi_add_handle(s->transport->multi, s->easy) == CURLM_OK;
}

static struct http_request *slot_done(struct http_slot *s, CURLcode result)
{
    struct http_request *r = s->request;
    long code = 0;

    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &code);
    r->http_status = code > 0 ? (unsigned)code : 0;
    r->status = result != CURLE_OK && s->why != 0 ? s->why : status_of(result);
    if (r->status == 0)
        r->status = http_answer_whole(&s->answer, code);
    curl_multi_remove_handle(s->transport->multi, s->easy);
    slot_end(s);
    return r;
}

struct http_request *http_transport_next_done(struct http_transport *t)
{
    const CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(t->multi, &left)) != NULL) {
        CURLcode result = msg->data.result; /* msg is gone once the handle is removed */
        struct http_slot *s;

        if (msg->msg != CURLMSG_DONE)
            continue;
        VS_ASSERT(curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&s) == CURLE_OK);
        if (!slot_try_again(s, result))
            return slot_done(s, result);
    }
    return NULL;
}

/* ---- the loop's step ---------------------------------------------------------------------------
 */

static int sleep_ms(int64_t until_ns)
{
    int64_t left_ns;

    if (until_ns == INT64_MAX)
        return TRANSPORT_SLEEP_MS_MAX;
    left_ns = until_ns - transport_now_ns();
    if (left_ns <= 0)
        return 0;
    if (left_ns > TRANSPORT_SLEEP_MS_MAX * VS_NS_PER_MS)
        return TRANSPORT_SLEEP_MS_MAX;
    return (int)((left_ns + VS_NS_PER_MS - 1) / VS_NS_PER_MS);
}

static void transport_event(struct http_transport *t, const struct epoll_event *ev)
{
    int what = 0, running;

    if (ev->data.fd == t->wake_fd) {
        uint64_t count;

        /* Read before the flag falls: a wake that comes between makes it readable again. */
        VS_ASSERT(read(t->wake_fd, &count, sizeof(count)) == sizeof(count));
        atomic_store(&t->woken, false);
        return;
    }
    if (ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        what |= CURL_CSELECT_IN;
    if (ev->events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (ev->events & EPOLLERR)
        what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(t->multi, ev->data.fd, what, &running);
}

void http_transport_run(struct http_transport *t, int64_t until_ns)
{
    struct epoll_event events[TRANSPORT_EVENTS_MAX];
    int n, running;

    if (t->timer_due_ns < until_ns)
        until_ns = t->timer_due_ns;
    n = epoll_wait(t->epoll_fd, events, TRANSPORT_EVENTS_MAX, sleep_ms(until_ns));
    for (int i = 0; i < n; i++)
        transport_event(t, &events[i]);
    if (t->timer_due_ns <= transport_now_ns()) {
        t->timer_due_ns = INT64_MAX; /* before the call: it may set the next */
        curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

void http_transport_wake(struct http_transport *t)
{
    const uint64_t one = 1;

    if (!atomic_exchange(&t->woken, true))
        VS_ASSERT(write(t->wake_fd, &one, sizeof(one)) == sizeof(one));
}

void http_transport_keep(struct http_transport *t, unsigned connections)
{
    curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)(connections > 0 ? connections : 1));
}

/* ---- new, free ---------------------------------------------------------------------------------
 */

static int transport_open(struct http_transport *t)
{
    struct epoll_event ev = { .events = EPOLLIN };

    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->epoll_fd < 0 || t->wake_fd < 0)
        return -errno;
    ev.data.fd = t->wake_fd;
    if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->wake_fd, &ev) < 0)
        return -errno;
    t->multi = curl_multi_init();
    if (t->multi == NULL)
        return -ENOMEM;
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
    curl_multi_setopt(t->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return 0;
}

int http_transport_new(struct http_transport **ret)
{
    struct http_transport *t;
    int e;

    pthread_once(&curl_once, curl_start);
    if (curl_started != CURLE_OK)
        return -ENOMEM;
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    t->timer_due_ns = INT64_MAX;
    t->epoll_fd = t->wake_fd = -1;
    e = transport_open(t);
    if (e < 0) {
        http_transport_free(t);
        return e;
    }
    *ret = t;
    return 0;
}

void http_transport_free(struct http_transport *t)
{
    if (t == NULL)
        return;
    if (t->multi != NULL)
        curl_multi_cleanup(t->multi);
    if (t->epoll_fd >= 0)
        close(t->epoll_fd);
    if (t->wake_fd >= 0)
        close(t->wake_fd);
    free(t);
}
