/* A storage node that lies: scripted answers, told under one lock. */
#include "tests/support/http_lie.h"

#include "common/assert.h"
#include "common/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char http_lie_report[] =
    "{\"id\":\"n1\",\"state\":\"%s\",\"why\":\"%s\",\"fragments\":3,\"payload_bytes\":4,"
    "\"total_bytes\":100,\"free_bytes\":50,\"device\":7,\"corrupt_records\":0}";

static bool say_health(struct script_conn *c, struct http_lie *lie)
{
    char body[512];
    VS_LOCK_SCOPE(&lie->lock);

    snprintf(body, sizeof(body), http_lie_report, "up", "");
    if (lie->health[0] != '\0')
        memcpy(body, lie->health, sizeof(body));
    return script_say(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
}

static bool say_answer(struct script_conn *c, struct http_lie *lie, bool *ret_stall)
{
    char answer[HTTP_SCRIPT_HEAD_MAX];
    const uint8_t *body;
    size_t body_bytes;
    bool close_it;

    pthread_mutex_lock(&lie->lock);
    memcpy(lie->head, c->head, sizeof(lie->head));
    lie->requests++;
    memcpy(answer, lie->answer, sizeof(answer));
    body = lie->body;
    body_bytes = lie->body_bytes;
    *ret_stall = lie->stall;
    close_it = lie->close;
    pthread_mutex_unlock(&lie->lock);
    return script_send(c, answer, strlen(answer)) && script_send(c, body, body_bytes) && !close_it;
}

static void node_script(struct script_conn *c)
{
    struct http_lie *lie = c->arg;
    bool stall;

    while (script_read(c)) {
        if (strncmp(c->head, "GET /health ", 12) == 0) {
            if (!say_health(c, lie))
                return;
            continue;
        }
        if (!say_answer(c, lie, &stall))
            return;
        if (stall)
            script_stall(c);
    }
}

/* ---- telling the node what to say -------------------------------------------------------------
 */

void http_lie_tell(struct http_lie_rig *f, const char *fmt, ...)
{
    va_list ap;
    VS_LOCK_SCOPE(&f->lie.lock);

    va_start(ap, fmt);
    vsnprintf(f->lie.answer, sizeof(f->lie.answer), fmt, ap);
    va_end(ap);
}

void http_lie_body(struct http_lie_rig *f, const uint8_t *body, size_t bytes)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    f->lie.body = body;
    f->lie.body_bytes = bytes;
}

void http_lie_then(struct http_lie_rig *f, enum http_lie_then then)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    f->lie.close = then == CLOSE;
    f->lie.stall = then == STALL;
}

void http_lie_health(struct http_lie_rig *f, const char *text)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    snprintf(f->lie.health, sizeof(f->lie.health), "%s", text);
}

/* The honest answer to a range, with the whole table. */
void http_lie_range(struct http_lie_rig *f, uint32_t offset, uint32_t bytes)
{
    http_lie_tell(f,
                  "HTTP/1.1 206 Partial\r\nContent-Length: %u\r\nContent-Range: bytes %u-%u/%u\r\n"
                  "X-Vstack-CRC32C: %s\r\n\r\n",
                  bytes, offset, offset + bytes - 1, (unsigned)HTTP_LIE_PAYLOAD, f->table);
    http_lie_body(f, f->payload + offset, bytes);
}

bool http_lie_heard(struct http_lie_rig *f, const char *text)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    return strstr(f->lie.head, text) != NULL;
}

unsigned http_lie_requests(struct http_lie_rig *f)
{
    VS_LOCK_SCOPE(&f->lie.lock);

    return f->lie.requests;
}

int http_lie_setup(void **state)
{
    struct http_lie_rig *f = calloc(1, sizeof(*f));
    struct store_http_config config = { .name = "n1",
                                        .health_ms = HTTP_LIE_HEALTH_MS,
                                        .get_timeout_ms = 2000,
                                        .put_timeout_ms = 2000 };
    uint8_t *bytes = sync_bytes(5, HTTP_LIE_PAYLOAD);

    VS_ASSERT(f != NULL);
    pthread_mutex_init(&f->lie.lock, NULL);
    memcpy(f->payload, bytes, HTTP_LIE_PAYLOAD);
    free(bytes);
    frag_crcs_to_text(f->crc, frag_crc_table(f->payload, HTTP_LIE_PAYLOAD, f->crc), f->table);
    VS_ASSERT(vs_exec_start(&f->exec, "http", 2) == 0);
    VS_ASSERT(http_client_start(&f->client, f->exec) == 0);
    f->script = http_script_start(node_script, &f->lie);
    config.client = f->client;
    config.exec = f->exec;
    config.origin = http_script_origin(f->script);
    VS_ASSERT(store_http_new(&f->ss.s, &config) == 0);
    *state = f;
    return 0;
}

int http_lie_teardown(void **state)
{
    struct http_lie_rig *f = *state;

    chunk_store_stop(f->ss.s);
    http_client_stop(f->client);
    http_script_stop(f->script);
    vs_exec_stop(f->exec);
    pthread_mutex_destroy(&f->lie.lock);
    free(f);
    return 0;
}
