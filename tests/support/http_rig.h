/* An HTTP client, a scripted server and one request with guards around its memory: what the tests
 * of the client share. */
#ifndef VS_TESTS_HTTP_RIG_H
#define VS_TESTS_HTTP_RIG_H

#include "common/http_client.h"
#include "tests/support/http_script.h"

#include <semaphore.h>
#include <stdatomic.h>

#define HTTP_RIG_BODY_CAP 1000
#define HTTP_RIG_GUARD    0xA5
#define HTTP_RIG_LONG_MS  20000 /* a deadline no test reaches */

struct http_rig {
    struct http_client *client;
    struct vs_exec *exec;
    struct http_script *script; /* NULL: none runs */
    struct http_host *host;
};

/* For CMocka: client and executor, no server. */
int http_rig_setup(void **state);
int http_rig_teardown(void **state);

/* Start a server and open it as the host; four connections, a queue of 100. */
void http_rig_serve(struct http_rig *f, http_script_fn *fn, void *arg);
void http_rig_serve_with(struct http_rig *f, http_script_fn *fn, void *arg, unsigned connections,
                         unsigned queue);
/* Close host and server; another may be served. */
void http_rig_leave(struct http_rig *f);

/* Servers: say the text in `arg` to one request, and close, reset or fall silent. */
void http_say_and_close(struct script_conn *c);
void http_say_and_reset(struct script_conn *c);
void http_say_and_stall(struct script_conn *c);
/* "ok" to everything, over one connection; to one request, then closed without a word. */
void http_answer_ok(struct script_conn *c);
void http_answer_once(struct script_conn *c);
/* Takes a request and says nothing. */
void http_answer_nothing(struct script_conn *c);
/* An answer of one byte each 5 ms. */
void http_drip(struct script_conn *c);

/* One request, GET unless changed, with room for an answer, and a guard behind the room. */
struct http_call {
    struct http_request r;
    struct http_pick picks[2]; /* ETag, content-length */
    char etag[16], length[16];
    uint8_t body[HTTP_RIG_BODY_CAP + 16];
    sem_t done;
    atomic_uint done_count;
};

struct http_call *http_call_new(void);
void http_call_done(struct http_request *r); /* its callback */
/* Until it is done; the guard is whole. */
void http_call_wait(struct http_call *c);
/* Submit and wait; its status. */
int http_call_run(struct http_rig *f, struct http_call *c);
/* The callback ran once. */
void http_call_free(struct http_call *c);

#endif
