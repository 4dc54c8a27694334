/* One UTF-8 character, strictly (RFC 3629, section 4). Bad input is a result, not an error. */
#include "common/utf8.h"

/* Bytes of a character by its first byte, which is not ASCII; 0 for a byte that begins none. */
static size_t utf8_length(uint8_t first)
{
    if ((first & 0xe0) == 0xc0)
        return 2;
    if ((first & 0xf0) == 0xe0)
        return 3;
    return (first & 0xf8) == 0xf0 ? 4 : 0;
}

size_t vs_utf8_char(const uint8_t *bytes, size_t len, uint32_t *ret_code)
{
    /* smallest code that needs this many bytes: anything below is an overlong form */
    static const uint32_t code_min[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint32_t code;
    size_t n;

    if (len == 0)
        return 0;
    if (bytes[0] < 0x80) {
        *ret_code = bytes[0];
        return 1;
    }
    n = utf8_length(bytes[0]);
    if (n == 0 || n > len)
        return 0;

    code = bytes[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    if (code < code_min[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return n;
}
