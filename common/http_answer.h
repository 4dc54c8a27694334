/* http_answer: one answer off the wire, header line by header line and piece by piece, into a
 * request's memory. For the transport of the HTTP client.
 *
 * Every length is compared with the room there is before a byte is copied. Nothing here is a
 * parser of HTTP: the library has cut the answer into lines and pieces, and speaks to the peer.
 *
 * Threads: none; the I/O thread. */
#ifndef VS_COMMON_HTTP_ANSWER_H
#define VS_COMMON_HTTP_ANSWER_H

#include "common/http_client.h"

#define HTTP_ANSWER_HEADERS_BYTES_MAX 65536u /* of one exchange, 1xx included */
#define HTTP_ANSWER_OTHER_BYTES_MAX   65536u /* of a body that is not for the caller's memory */

struct http_answer {
    struct http_request *request; /* picks, body and error are filled in */
    size_t headers_bytes;         /* of the exchange so far */
    size_t other_bytes;
    bool headers_done;
    bool length_known; /* a body that is cut short would be noticed */
};

/* An exchange begins. */
void http_answer_start(struct http_answer *a, struct http_request *r);
/* The next line of the head, status line and empty line included; not NUL-terminated. A status line
 * begins anew: 1xx, or a second try. -EBADMSG. */
int http_answer_header(struct http_answer *a, const char *line, size_t len);
/* The next piece of the body. -EMSGSIZE a 2xx is longer than its room, -EBADMSG. */
int http_answer_body(struct http_answer *a, long code, const void *bytes, size_t len);
/* Was it all? libcurl takes the end of the stream for the end of the headers, and of a body without
 * length: what was cut off would look whole. 0, -ECONNRESET, -EBADMSG. */
int http_answer_whole(const struct http_answer *a, long code);

#endif
