/* server_rig: an HTTP server with routes of every kind, for its tests.
 *
 *   /hello       GET, HEAD  quick; says "hello", or what ?name= says
 *   /slowhello   GET        the same on the other threads
 *   /echo/...    PUT        the body back; with a header X-Refuse: 409 before the body
 *   /later       GET        answered from another thread
 *   /hold        GET        the same, once `release` is posted; posts `begun` before
 *   /file        GET        a file from its byte 1 on; byte i of the file is that of the number i/4
 *   /fill        GET        200000 bytes made on the way; ?break=1: it fails in the middle
 *   /memory      GET        ?bytes=N of memory of the request */
#ifndef VS_TESTS_SERVER_RIG_H
#define VS_TESTS_SERVER_RIG_H

#include "common/exec.h"
#include "common/http_server.h"
#include "tests/support/temp_dir.h"

#include <semaphore.h>
#include <stdatomic.h>

#define SERVER_RIG_BODY_MAX (1u << 20)
#define SERVER_RIG_FILE_BYTES                                                                      \
    (1u << 20) /* a server queues it, a client with a small buffer does not */

struct server_rig {
    struct http_server_config config;
    struct http_server *s;
    uint16_t port;
    struct vs_exec *exec;
    char dir[TEMP_DIR_BYTES];
    char path[TEMP_DIR_BYTES + 8];
    sem_t begun;   /* a request of /hold */
    sem_t release; /* lets it be answered */
    atomic_uint begins, ends, bodies, files_done;
    atomic_int sent_status; /* of the last end */
};

/* CMocka fixtures: with the server running, or not yet: change x->config and start it. */
int server_rig_setup(void **state);
int server_rig_setup_stopped(void **state);
int server_rig_teardown(void **state);
void server_rig_start(struct server_rig *x);

/* Wait until the counter has that value. */
void server_rig_await(atomic_uint *counter, unsigned want);
struct http_server_stats server_rig_stats(struct server_rig *x);

#endif
