/* http_ask: what processes of a cluster say of themselves: their JSON reports, asked for all at
 * once and waited for.
 *
 * Happy path: each answers GET PATH with 200 and JSON. Failure: its status says why; each has its
 * deadline, so the wait ends. Threads: any that may wait; not one of the client's. */
#ifndef VS_FS_HTTP_ASK_H
#define VS_FS_HTTP_ASK_H

#include "common/http_client.h"
#include "common/json.h"

#define HTTP_ASK_BODY_BYTES 16384

struct http_ask {
    const char *origin;   /* "http://127.0.0.1:7001"; "": -ENOENT */
    const char *path;     /* "/health" */
    unsigned timeout_ms;  /* from 1 */
    int status;           /* out: 0; -EBADMSG no report; errors of http_client */
    struct vs_json *json; /* out: with status 0; the caller frees it */
    /* private from here */
    struct http_ask_wait *wait;
    struct http_host *host;
    struct http_request req;
    char body[HTTP_ASK_BODY_BYTES];
};

void http_ask_all(struct http_client *client, struct http_ask *asks, unsigned count);

#endif
