/* http_listen: a listening TCP socket for "HOST:PORT" ("[::1]:8080", "localhost:0"), and whether
 * other machines could reach it. For common/http_*.c only. */
#ifndef VS_COMMON_HTTP_LISTEN_H
#define VS_COMMON_HTTP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_LISTEN_BACKLOG 4096

/* Open, bind, listen (non-blocking, close on exec). Port 0: any, written to *ret_port.
 * -EINVAL not of that form; -EACCES beyond loopback without `beyond_loopback`; errors of bind(2).
 * `why` is a sentence then. */
int http_listen(const char *address, bool beyond_loopback, int *ret_fd, uint16_t *ret_port,
                char *why, size_t why_bytes);

#endif
