/* The HTTP client's test rig. */
#include "tests/support/http_rig.h"

#include "common/assert.h"
#include "common/err.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int http_rig_setup(void **state)
{
    struct http_rig *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL && vs_exec_start(&f->exec, "http-test", 2) == 0);
    VS_ASSERT(http_client_start(&f->client, f->exec) == 0);
    *state = f;
    return 0;
}

int http_rig_teardown(void **state)
{
    struct http_rig *f = *state;

    http_client_stop(f->client);
    if (f->script != NULL)
        http_script_stop(f->script);
    vs_exec_stop(f->exec);
    free(f);
    return 0;
}

void http_rig_serve_with(struct http_rig *f, http_script_fn *fn, void *arg, unsigned connections,
                         unsigned queue)
{
    struct http_host_config config = {
        .connections_max = connections,
        .queue_max = queue,
        .connect_timeout_ms = 2000,
    };

    f->script = http_script_start(fn, arg);
    config.origin = http_script_origin(f->script);
    VS_ASSERT(http_host_open(&f->host, f->client, &config) == 0);
}

void http_rig_serve(struct http_rig *f, http_script_fn *fn, void *arg)
{
    http_rig_serve_with(f, fn, arg, 4, 100);
}

void http_call_done(struct http_request *r)
{
    struct http_call *c = vs_container_of(r, struct http_call, r);

    atomic_fetch_add(&c->done_count, 1);
    sem_post(&c->done);
}

struct http_call *http_call_new(void)
{
    struct http_call *c = calloc(1, sizeof(*c));

    VS_ASSERT(c != NULL);
    sem_init(&c->done, 0, 0);
    memset(c->body, HTTP_RIG_GUARD, sizeof(c->body));
    c->picks[0] = (struct http_pick){ .name = "ETag", .text = c->etag, .cap = sizeof(c->etag) };
    c->picks[1] =
        (struct http_pick){ .name = "content-length", .text = c->length, .cap = sizeof(c->length) };
    c->r = (struct http_request){
        .method = HTTP_GET,
        .path = "/a?b=c",
        .body = c->body,
        .body_cap = HTTP_RIG_BODY_CAP,
        .picks = c->picks,
        .picks_count = 2,
        .timeout_ms = HTTP_RIG_LONG_MS,
        .done = http_call_done,
    };
    return c;
}

void http_call_wait(struct http_call *c)
{
    while (sem_wait(&c->done) < 0)
        ;
    for (size_t i = HTTP_RIG_BODY_CAP; i < sizeof(c->body); i++)
        VS_ASSERT(c->body[i] == HTTP_RIG_GUARD);
}

int http_call_run(struct http_rig *f, struct http_call *c)
{
    http_client_submit(f->host, &c->r);
    http_call_wait(c);
    return c->r.status;
}

void http_call_free(struct http_call *c)
{
    VS_ASSERT(c->done_count == 1);
    sem_destroy(&c->done);
    free(c);
}

void http_rig_leave(struct http_rig *f)
{
    http_host_close(f->host);
    http_script_stop(f->script);
    f->host = NULL;
    f->script = NULL;
}

/* ---- servers ----------------------------------------------------------------------------------
 */

/* Says the text in `arg` to every request and closes. */
void http_say_and_close(struct script_conn *c)
{
    if (script_read(c))
        script_say(c, "%s", (const char *)c->arg);
}

void http_say_and_reset(struct script_conn *c)
{
    http_say_and_close(c);
    script_reset(c);
}

void http_say_and_stall(struct script_conn *c)
{
    http_say_and_close(c);
    script_stall(c);
}

/* Keeps the connection and answers "ok" to everything. */
void http_answer_ok(struct script_conn *c)
{
    while (script_read(c))
        script_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* The first answer closes the connection, without having said so. */
void http_answer_once(struct script_conn *c)
{
    if (script_read(c))
        script_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

void http_answer_nothing(struct script_conn *c)
{
    if (script_read(c))
        script_stall(c);
}

void http_drip(struct script_conn *c)
{
    if (!script_read(c) || !script_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"))
        return;
    while (script_say(c, "x"))
        usleep(5000);
}
