/* bare_http: what libmicrohttpd and libcurl do on this machine with nothing of ours between them:
 * the yardstick for a storage node and its client.
 *
 * The server is a process: two epoll threads, each object a range of one file, sent by sendfile.
 * The client is one loop over curl_multi_perform(), keep-alive, that copies each body to one place.
 */
#ifndef VS_BENCH_BARE_HTTP_H
#define VS_BENCH_BARE_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bare_server {
    pid_t pid;
    uint16_t port;
};

/* Serve `objects` ranges of `object_bytes` of the file as /0, /1, ... Before any thread. */
void bare_server_start(struct bare_server *s, const char *file, unsigned objects,
                       size_t object_bytes);
void bare_server_stop(struct bare_server *s);

/* GET objects over `connections` for `seconds`; MB (10^6) per second. */
double bare_get(const struct bare_server *s, unsigned objects, size_t object_bytes,
                unsigned connections, double seconds);

#endif
