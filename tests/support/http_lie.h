/* A storage node that says what a test tells it to, and a store over HTTP that talks to it.
 *
 * The scripted node answers /health honestly unless told otherwise, and everything else with the
 * given text and body; what it is told may be changed while it serves. */
#ifndef VS_TESTS_HTTP_LIE_H
#define VS_TESTS_HTTP_LIE_H

#include "node/frag_text.h"
#include "node/store_http.h"
#include "tests/support/http_script.h"
#include "tests/support/store_sync.h"

#include <pthread.h>

#define HTTP_LIE_PAYLOAD   (FRAG_BLOCK_BYTES + 100) /* two blocks */
#define HTTP_LIE_HEALTH_MS 20

/* What the node says. */
struct http_lie {
    pthread_mutex_t lock;
    char health[512];                  /* "": an honest report */
    char answer[HTTP_SCRIPT_HEAD_MAX]; /* to anything but /health */
    const uint8_t *body;               /* behind it */
    size_t body_bytes;
    bool stall;                      /* keep silent afterwards; otherwise go on */
    bool close;                      /* close afterwards */
    unsigned requests;               /* for chunks and lists */
    char head[HTTP_SCRIPT_HEAD_MAX]; /* of the last of them */
};

struct http_lie_rig {
    struct sync_store ss; /* the store over HTTP, of node "n1" */
    struct http_client *client;
    struct vs_exec *exec;
    struct http_script *script;
    struct http_lie lie;
    uint8_t payload[HTTP_LIE_PAYLOAD];
    uint32_t crc[FRAG_BLOCKS_MAX];
    char table[FRAG_CRCS_TEXT_BYTES];
};

/* For CMocka. */
int http_lie_setup(void **state);
int http_lie_teardown(void **state);

/* A report of health: state and why. */
extern const char http_lie_report[];

void http_lie_tell(struct http_lie_rig *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void http_lie_body(struct http_lie_rig *f, const uint8_t *body, size_t bytes);
enum http_lie_then { GO_ON, CLOSE, STALL };
void http_lie_then(struct http_lie_rig *f, enum http_lie_then then);
void http_lie_health(struct http_lie_rig *f, const char *text);
/* The honest answer to a range, with the whole table. */
void http_lie_range(struct http_lie_rig *f, uint32_t offset, uint32_t bytes);
/* The last request's head holds this. */
bool http_lie_heard(struct http_lie_rig *f, const char *text);
unsigned http_lie_requests(struct http_lie_rig *f);

#endif
