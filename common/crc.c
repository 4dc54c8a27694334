/* CRC-32C through isa-l, which picks the instructions of this CPU at run time. The door to
 * isa-l/crc.h. Cannot fail. */
#include "common/crc.h"

#include <isa-l/crc.h>

/* isa-l counts in int; pieces of a multiple of 4 KiB keep its fast path aligned. */
#define CRC_PIECE_BYTES_MAX ((size_t)1 << 30)

uint32_t vs_crc32c(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *pos = bytes;

    crc = ~crc;
    while (len > 0) {
        size_t piece = len < CRC_PIECE_BYTES_MAX ? len : CRC_PIECE_BYTES_MAX;

        /* isa-l forgot the const; it only reads. */
        crc = crc32_iscsi((unsigned char *)(uintptr_t)pos, (int)piece, crc);
        pos += piece;
        len -= piece;
    }
    return ~crc;
}
