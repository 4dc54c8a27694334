/* A scripted server: one thread accepts, one thread per connection runs the test's function. */
#include "tests/support/http_script.h"

#include "common/assert.h"
#include "common/cleanup.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define SCRIPT_BODY_BYTES_MAX (64u << 20)

struct script_thread {
    struct http_script *script;
    struct script_conn conn;
    pthread_t thread;
    bool closed; /* under lock: fd is not ours any more */
};

struct http_script {
    http_script_fn *fn;
    void *arg;
    int listen_fd;
    char origin[64];
    pthread_t thread;
    pthread_mutex_t lock;
    /* under lock */
    struct script_thread *conns[HTTP_SCRIPT_CONNS_MAX];
    unsigned count, accepted;
    bool stopping;
};

static int listen_on_free_port(uint16_t *ret_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    VS_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
              listen(fd, HTTP_SCRIPT_CONNS_MAX) == 0 &&
              getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

uint16_t http_script_dead_port(void)
{
    uint16_t port;

    close(listen_on_free_port(&port));
    return port;
}

/* ---- threads -----------------------------------------------------------------------------------
 */

static void *conn_main(void *arg)
{
    struct script_thread *t = arg;

    t->script->fn(&t->conn);
    VS_LOCK_SCOPE(&t->script->lock);
    t->closed = true;
    if (t->conn.fd >= 0)
        close(t->conn.fd);
    free(t->conn.body);
    return NULL;
}

/* Under s->lock: threads that have come to their end make room. */
static void script_reap_locked(struct http_script *s)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < s->count; i++) {
        if (!s->conns[i]->closed) {
            s->conns[kept++] = s->conns[i];
            continue;
        }
        pthread_join(s->conns[i]->thread, NULL); /* needs the lock no more */
        free(s->conns[i]);
    }
    s->count = kept;
}

static void script_take(struct http_script *s, int fd)
{
    struct script_thread *t = calloc(1, sizeof(*t));
    int one = 1;
    VS_LOCK_SCOPE(&s->lock);

    script_reap_locked(s);
    VS_ASSERT(t != NULL && s->count < HTTP_SCRIPT_CONNS_MAX);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    t->script = s;
    t->conn = (struct script_conn){ .fd = fd, .number = s->accepted++, .arg = s->arg };
    if (s->stopping)
        shutdown(fd, SHUT_RDWR);
    VS_ASSERT(pthread_create(&t->thread, NULL, conn_main, t) == 0);
    s->conns[s->count++] = t;
}

static void *accept_main(void *arg)
{
    struct http_script *s = arg;
    int fd;

    while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        script_take(s, fd);
    return NULL;
}

struct http_script *http_script_start(http_script_fn *fn, void *arg)
{
    struct http_script *s = calloc(1, sizeof(*s));
    uint16_t port;

    VS_ASSERT(s != NULL);
    s->fn = fn;
    s->arg = arg;
    s->listen_fd = listen_on_free_port(&port);
    snprintf(s->origin, sizeof(s->origin), "http://127.0.0.1:%u", (unsigned)port);
    pthread_mutex_init(&s->lock, NULL);
    VS_ASSERT(pthread_create(&s->thread, NULL, accept_main, s) == 0);
    return s;
}

void http_script_stop(struct http_script *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    shutdown(s->listen_fd, SHUT_RDWR); /* ends accept */
    for (unsigned i = 0; i < s->count; i++)
        if (!s->conns[i]->closed && s->conns[i]->conn.fd >= 0)
            shutdown(s->conns[i]->conn.fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    close(s->listen_fd);
    for (unsigned i = 0; i < s->count; i++) {
        pthread_join(s->conns[i]->thread, NULL);
        free(s->conns[i]);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

const char *http_script_origin(const struct http_script *s)
{
    return s->origin;
}

unsigned http_script_accepted(struct http_script *s)
{
    VS_LOCK_SCOPE(&s->lock);

    return s->accepted;
}

/* ---- what a script says ------------------------------------------------------------------------
 */

bool script_read(struct script_conn *c)
{
    size_t len = 0;
    const char *length;

    /* Byte by byte, so that nothing of the body is taken with the head. */
    do {
        VS_ASSERT(len < sizeof(c->head) - 1);
        if (recv(c->fd, c->head + len, 1, 0) != 1)
            return false;
        c->head[++len] = '\0';
    } while (len < 4 || memcmp(c->head + len - 4, "\r\n\r\n", 4) != 0);
    length = script_header(c, "Content-Length");
    c->body_bytes = (size_t)strtoull(length, NULL, 10);
    VS_ASSERT(c->body_bytes <= SCRIPT_BODY_BYTES_MAX);
    free(c->body);
    c->body = malloc(c->body_bytes + 1);
    VS_ASSERT(c->body != NULL);
    return c->body_bytes == 0 ||
           recv(c->fd, c->body, c->body_bytes, MSG_WAITALL) == (ssize_t)c->body_bytes;
}

const char *script_header(struct script_conn *c, const char *name)
{
    static __thread char value[HTTP_SCRIPT_HEAD_MAX];
    size_t name_len = strlen(name);

    for (const char *line = strchr(c->head, '\n'); line != NULL; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            line += name_len + 1;
            line += strspn(line, " ");
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r\n"), line);
            return value;
        }
    }
    return "";
}

bool script_send(struct script_conn *c, const void *bytes, size_t len)
{
    const char *pos = bytes;

    while (len > 0) {
        ssize_t n = send(c->fd, pos, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        pos += n;
        len -= (size_t)n;
    }
    return true;
}

bool script_say(struct script_conn *c, const char *fmt, ...)
{
    char text[HTTP_SCRIPT_HEAD_MAX];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    VS_ASSERT(n >= 0 && (size_t)n < sizeof(text));
    return script_send(c, text, (size_t)n);
}

void script_reset(struct script_conn *c)
{
    const struct linger hard = { 1, 0 };

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

void script_stall(struct script_conn *c)
{
    char byte;

    while (recv(c->fd, &byte, 1, 0) > 0)
        ;
}
