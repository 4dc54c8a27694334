/* Files on their way through sockets.
 *
 * Happy path: the queue of the socket is empty at once, or at the next sweep. Failure modes: after
 * a close the kernel goes on sending without telling how far it is: then only time helps, and a
 * reader that is slower than that finds by its checksums what changed under it. On the loopback
 * device bytes in the client's own queue count as sent. */
#include "common/http_linger.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

static void finish(struct http_linger *l)
{
    if (l->done != NULL)
        l->done(l->arg);
    free(l);
}

static void finish_all(struct vs_list *list)
{
    struct http_linger *l;

    while ((l = vs_list_first(list, struct http_linger, link)) != NULL) {
        vs_list_del(&l->link);
        finish(l);
    }
}

bool http_linger_is_sent(int fd)
{
    int bytes = 0;

    return ioctl(fd, SIOCOUTQ, &bytes) < 0 || bytes == 0;
}

/* Under lock. */
static void take(struct http_conns *t, struct http_linger *l, struct vs_list *ready)
{
    if (l->conn != NULL)
        l->conn->lingers--;
    t->lingers_count--;
    vs_list_del(&l->link);
    vs_list_add_tail(ready, &l->link);
}

void http_linger_add(struct http_conns *t, struct http_conn *c, struct http_linger *l)
{
    if (l == NULL)
        return;
    vs_list_init(&l->link);
    pthread_mutex_lock(&t->lock);
    if (c == NULL || http_linger_is_sent(c->fd)) {
        pthread_mutex_unlock(&t->lock);
        finish(l);
        return;
    }
    l->conn = c;
    c->lingers++;
    t->lingers_count++;
    vs_list_add_tail(&t->lingers, &l->link);
    pthread_mutex_unlock(&t->lock);
}

void http_linger_heard(struct http_conns *t, struct http_conn *c)
{
    struct vs_list ready, *pos, *tmp;

    vs_list_init(&ready);
    pthread_mutex_lock(&t->lock);
    if (c != NULL && c->lingers > 0)
        vs_list_for_each (pos, tmp, &t->lingers) {
            struct http_linger *l = vs_container_of(pos, struct http_linger, link);

            if (l->conn == c)
                take(t, l, &ready);
        }
    pthread_mutex_unlock(&t->lock);
    finish_all(&ready);
}

void http_linger_sweep(struct http_conns *t, int64_t now_ns)
{
    struct vs_list ready, *pos, *tmp;

    vs_list_init(&ready);
    pthread_mutex_lock(&t->lock);
    vs_list_for_each (pos, tmp, &t->lingers) {
        struct http_linger *l = vs_container_of(pos, struct http_linger, link);

        if (l->conn != NULL ? http_linger_is_sent(l->conn->fd) : l->until_ns <= now_ns)
            take(t, l, &ready);
    }
    pthread_mutex_unlock(&t->lock);
    finish_all(&ready);
}

void http_linger_close(struct http_conns *t)
{
    struct vs_list ready, *pos, *tmp;

    vs_list_init(&ready);
    pthread_mutex_lock(&t->lock);
    vs_list_for_each (pos, tmp, &t->lingers)
        take(t, vs_container_of(pos, struct http_linger, link), &ready);
    pthread_mutex_unlock(&t->lock);
    finish_all(&ready);
}
