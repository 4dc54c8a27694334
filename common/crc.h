/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): initial value and final xor are inside, so
 * vs_crc32c(0, "123456789", 9) == 0xE3069283 and pieces chain: crc(crc(0, a), b) == crc(0, ab).
 *
 * Pure; hardware instructions through isa-l (about 38 GB/s per core here). Threads: any. */
#ifndef VS_COMMON_CRC_H
#define VS_COMMON_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t vs_crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
