/* Bytes to lower-case hex text. `text` holds 2*len+1 bytes. Pure. */
#ifndef VS_COMMON_HEX_H
#define VS_COMMON_HEX_H

#include <stddef.h>
#include <stdint.h>

void vs_hex(const uint8_t *bytes, size_t len, char *text);

#endif
