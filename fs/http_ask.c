/* http_ask: see the header. */
#include "fs/http_ask.h"
#include "common/cleanup.h"
#include "common/err.h"

#define CONNECT_TIMEOUT_MS 1000

struct http_ask_wait {
    pthread_mutex_t lock;
    pthread_cond_t told;
    unsigned waiting; /* under lock */
};

static void ask_done(struct http_request *r)
{
    struct http_ask *a = vs_container_of(r, struct http_ask, req);
    VS_LOCK_SCOPE(&a->wait->lock);

    a->status = r->status;
    if (r->status == 0 &&
        (r->http_status != 200 || vs_json_parse(a->body, r->body_bytes, &a->json) < 0))
        a->status = -EBADMSG;
    if (--a->wait->waiting == 0)
        pthread_cond_signal(&a->wait->told);
}

static void ask_start(struct http_client *client, struct http_ask *a)
{
    const struct http_host_config host = {
        .origin = a->origin,
        .connections_max = 1,
        .queue_max = 1,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
    };

    a->status = a->origin[0] != '\0' ? http_host_open(&a->host, client, &host) : -ENOENT;
    if (a->status < 0)
        return;
    a->req = (struct http_request){
        .method = HTTP_GET,
        .path = a->path,
        .body = a->body,
        .body_cap = sizeof(a->body),
        .timeout_ms = a->timeout_ms,
        .done = ask_done,
    };
    pthread_mutex_lock(&a->wait->lock);
    a->wait->waiting++;
    pthread_mutex_unlock(&a->wait->lock);
    http_client_submit(a->host, &a->req);
}

void http_ask_all(struct http_client *client, struct http_ask *asks, unsigned count)
{
    struct http_ask_wait wait = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

    for (unsigned i = 0; i < count; i++) {
        asks[i].wait = &wait;
        asks[i].host = NULL;
        asks[i].json = NULL;
        ask_start(client, &asks[i]);
    }
    pthread_mutex_lock(&wait.lock);
    while (wait.waiting > 0) /* each has its deadline */
        pthread_cond_wait(&wait.told, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    for (unsigned i = 0; i < count; i++) {
        http_host_close(asks[i].host);
        asks[i].host = NULL;
    }
    pthread_cond_destroy(&wait.told);
    pthread_mutex_destroy(&wait.lock);
}
