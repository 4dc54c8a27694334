/* What an HTTP client is made of; for the files http_client.c and http_curl.c only.
 *
 * The queue (http_client.c) decides who is sent when, and answers; the transport (http_curl.c)
 * moves bytes and knows libcurl. All calls of the transport but http_transport_wake() belong to the
 * I/O thread. */
#ifndef VS_COMMON_HTTP_CLIENT_IMPL_H
#define VS_COMMON_HTTP_CLIENT_IMPL_H

#include "common/http_client.h"

struct http_transport;
struct http_slot; /* one exchange at a time; keeps what can be used again */

int http_transport_new(struct http_transport **ret);
void http_transport_free(struct http_transport *t); /* forgives NULL; all slots are freed before */

int http_slot_new(struct http_slot **ret, struct http_transport *t);
void http_slot_free(struct http_slot *s);

/* How many idle connections to keep in all. */
void http_transport_keep(struct http_transport *t, unsigned connections);

/* Begin the exchange of a request. 0, or the status to answer with at once. */
int http_slot_begin(struct http_slot *s, struct http_request *r, const char *origin,
                    unsigned connect_timeout_ms);
/* Give the exchange up; its connection is closed. */
void http_slot_abort(struct http_slot *s);

/* Move bytes; sleep up to `until_ns` (monotonic) if there is nothing to move, or until woken. */
void http_transport_run(struct http_transport *t, int64_t until_ns);
/* End the sleep, or the next one. Any thread. */
void http_transport_wake(struct http_transport *t);

/* The next finished exchange: its request, with status, http_status and the rest filled in; NULL
 * when there is none. The slot is free again. */
struct http_request *http_transport_next_done(struct http_transport *t);

#endif
