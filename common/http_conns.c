/* The table of connections and its watch.
 *
 * Happy path: a connection moves from phase to phase with a deadline each; nothing else happens.
 * Failure modes: over its time it is cut off, once: whoever changes the phase to CUT. A 408 is
 * sent first where no answer can be under way. */
#include "common/http_conns.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/http_linger.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define FD_MAX 262144u

int http_conns_init(struct http_conns *t, unsigned count_max, int64_t linger_ns)
{
    struct rlimit files = { 0 };

    *t = (struct http_conns){ .count_max = count_max, .linger_ns = linger_ns };
    pthread_mutex_init(&t->lock, NULL);
    vs_list_init(&t->all);
    vs_list_init(&t->lingers);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    t->fd_max = files.rlim_cur < FD_MAX ? (unsigned)files.rlim_cur : FD_MAX;
    t->by_fd = calloc(t->fd_max + 1, sizeof(struct http_conn *));
    return t->by_fd == NULL ? -ENOMEM : 0;
}

void http_conns_close(struct http_conns *t)
{
    struct http_conn *c;

    if (t->by_fd == NULL)
        return;
    while ((c = vs_list_first(&t->all, struct http_conn, link)) != NULL)
        http_conns_remove(t, c);
    VS_ASSERT(t->lingers_count == 0);
    free(t->by_fd);
    pthread_mutex_destroy(&t->lock);
    *t = (struct http_conns){ 0 };
}

/* Under lock, before its descriptor is closed: its files have only time to wait for now, unless the
 * client has got them. */
static void orphan_lingers(struct http_conns *t, const struct http_conn *c)
{
    int64_t until_ns = http_linger_is_sent(c->fd) ? 0 : vs_now_ns(&vs_clock_system) + t->linger_ns;
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &t->lingers) {
        struct http_linger *l = vs_container_of(pos, struct http_linger, link);

        if (l->conn != c)
            continue;
        l->conn = NULL;
        l->until_ns = until_ns;
    }
}

/* Under lock. */
static void forget(struct http_conns *t, struct http_conn *c)
{
    if (c->lingers > 0)
        orphan_lingers(t, c);
    t->by_fd[c->fd] = NULL;
    t->count--;
    vs_list_del(&c->link);
    free(c);
}

int http_conns_add(struct http_conns *t, int fd, int64_t deadline_ns, struct http_conn **ret)
{
    struct http_conn *c;
    VS_LOCK_SCOPE(&t->lock);

    if ((unsigned)fd >= t->fd_max)
        return -EMFILE;
    if (t->by_fd[fd] != NULL) /* a pool closed it without a word, or the number was not free */
        forget(t, t->by_fd[fd]);
    if (t->count >= t->count_max)
        return -EMFILE;
    c = malloc(sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    c->fd = fd;
    c->answered = false;
    c->lingers = 0;
    atomic_init(&c->phase, HTTP_PEEK);
    atomic_init(&c->deadline_ns, deadline_ns);
    vs_list_add_tail(&t->all, &c->link);
    t->by_fd[fd] = c;
    t->count++;
    *ret = c;
    return 0;
}

void http_conns_remove(struct http_conns *t, struct http_conn *c)
{
    VS_LOCK_SCOPE(&t->lock);

    if (c != NULL)
        forget(t, c);
}

struct http_conn *http_conns_find(struct http_conns *t, int fd)
{
    VS_LOCK_SCOPE(&t->lock);

    return fd >= 0 && (unsigned)fd < t->fd_max ? t->by_fd[fd] : NULL;
}

unsigned http_conns_count(struct http_conns *t)
{
    VS_LOCK_SCOPE(&t->lock);

    return t->count;
}

bool http_conn_enter(struct http_conn *c, enum http_phase phase, int64_t deadline_ns)
{
    int was;

    if (c == NULL)
        return true;
    was = atomic_load(&c->phase);
    atomic_store(&c->deadline_ns, INT64_MAX); /* the old one is not the new phase's */
    do {
        if (was == HTTP_CUT)
            return false;
    } while (!atomic_compare_exchange_weak(&c->phase, &was, phase));
    atomic_store(&c->deadline_ns, deadline_ns);
    return true;
}

void http_conn_extend(struct http_conn *c, int64_t deadline_ns)
{
    if (c != NULL)
        atomic_store(&c->deadline_ns, deadline_ns);
}

void http_say(int fd, const char *status, const char *headers, const char *body)
{
    char text[HTTP_SAY_BYTES_MAX];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n%s\r\n%s",
                     status, strlen(body), headers, body);

    VS_ASSERT(n > 0 && n < HTTP_SAY_BYTES_MAX);
    (void)!send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Under lock. */
static void cut(struct http_conns *t, struct http_conn *c, int phase, bool late)
{
    if (!atomic_compare_exchange_strong(&c->phase, &phase, HTTP_CUT))
        return;
    if (late)
        atomic_fetch_add(&t->timeouts, 1);
    if (late && (phase == HTTP_HEAD_READ || phase == HTTP_BODY))
        http_say(c->fd, "408 Request Timeout", "",
                 "{\"error\":\"The request did not arrive in the time it has; send it again, "
                 "faster.\",\"code\":\"timeout\"}\n");
    shutdown(c->fd, SHUT_RDWR);
}

/* The next connection in PEEK that is over its time (or any), taken for closing; NULL: none. */
static struct http_conn *next_peek(struct http_conns *t, int64_t now_ns)
{
    struct vs_list *pos, *tmp;
    VS_LOCK_SCOPE(&t->lock);

    vs_list_for_each (pos, tmp, &t->all) {
        struct http_conn *c = vs_container_of(pos, struct http_conn, link);
        int peek = HTTP_PEEK;

        if (atomic_load(&c->deadline_ns) <= now_ns &&
            atomic_compare_exchange_strong(&c->phase, &peek, HTTP_CUT))
            return c;
    }
    return NULL;
}

void http_conns_sweep(struct http_conns *t, int64_t now_ns, http_close_fn *close_peek, void *arg)
{
    struct vs_list *pos, *tmp;
    struct http_conn *c;

    while ((c = next_peek(t, now_ns)) != NULL)
        close_peek(arg, c);
    VS_LOCK_SCOPE(&t->lock);
    vs_list_for_each (pos, tmp, &t->all) {
        int phase;

        c = vs_container_of(pos, struct http_conn, link);
        phase = atomic_load(&c->phase);
        if (atomic_load(&c->deadline_ns) <= now_ns && phase != HTTP_CUT && phase != HTTP_WORK)
            cut(t, c, phase, true);
    }
}

void http_conns_cut(struct http_conns *t, bool hard, http_close_fn *close_peek, void *arg)
{
    struct vs_list *pos, *tmp;
    struct http_conn *c;

    while (close_peek != NULL && (c = next_peek(t, INT64_MAX)) != NULL)
        close_peek(arg, c);
    VS_LOCK_SCOPE(&t->lock);
    vs_list_for_each (pos, tmp, &t->all) {
        int phase;

        c = vs_container_of(pos, struct http_conn, link);
        phase = atomic_load(&c->phase);
        if (phase == HTTP_IDLE || phase == HTTP_HEAD_READ ||
            (hard && (phase == HTTP_BODY || phase == HTTP_SEND)))
            cut(t, c, phase, false);
    }
}
