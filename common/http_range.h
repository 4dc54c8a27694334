/* http_range: one byte range of a Range header (RFC 9110, 14.1.2 and 14.2).
 * Pure. Threads: any. */
#ifndef VS_COMMON_HTTP_RANGE_H
#define VS_COMMON_HTTP_RANGE_H

#include <stdint.h>

/* Of a body of `total` bytes. 1: the range *ret_first, *ret_bytes (at least 1; an end behind the
 * body is cut off). 0: a unit other than bytes: to be ignored. -ERANGE: no byte of the body, more
 * than one range, or nonsense. */
int http_range_parse(const char *text, uint64_t total, uint64_t *ret_first, uint64_t *ret_bytes);

#endif
