/* UTF-8 (RFC 3629), one character at a time: for text that comes from file names, which are bytes
 * and need not be UTF-8 at all. Pure. Threads: any. */
#ifndef VS_COMMON_UTF8_H
#define VS_COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes (1 .. 4) of the valid character that begins at `bytes`, of which `len` are left; 0 when the
 * first byte begins none: cut short, overlong, a surrogate, beyond U+10FFFF, or len 0.
 * *ret_code is written only for a valid character. */
size_t vs_utf8_char(const uint8_t *bytes, size_t len, uint32_t *ret_code);

#endif
