/* frag_text: keys, notes and checksum tables of fragments as text, the way they travel in the
 * requests and headers of a storage node (docs/NODE_API.md). One writer and one parser for both
 * ends of the wire.
 *
 *   key    0123456789abcdef0123456789abcdef.3.17   chunk id, fragment, generation
 *   note   kind=rs;k=3;m=2;chunk=4194304;session=7;inode=42;seq=3;offset=8388608;name=a%20film
 *   table  e3069283,00000000                       CRC-32C of each 64 KiB block
 *
 * Parsers trust nothing: -EINVAL for anything but the exact form; `ret` is written only on success.
 * Pure. Threads: any. */
#ifndef VS_NODE_FRAG_TEXT_H
#define VS_NODE_FRAG_TEXT_H

#include "node/frag.h"

#define FRAG_KEY_TEXT_BYTES  48                              /* NUL included */
#define FRAG_NOTE_TEXT_BYTES (192 + 3 * FRAG_NAME_BYTES_MAX) /* the same */
#define FRAG_CRCS_TEXT_BYTES (9 * FRAG_BLOCKS_MAX + 1)
#define FRAG_SHA_TEXT_BYTES  (2 * FRAG_SHA256_BYTES + 1)

void frag_key_to_text(const struct frag_key *key, char text[FRAG_KEY_TEXT_BYTES]);
/* Exactly 32 hex digits, '.', fragment 0..255, '.', generation 1..4294967295, decimal without
 * leading zeros. */
int frag_key_from_text(const char *text, struct frag_key *ret);

void frag_note_to_text(const struct frag_note *note, char text[FRAG_NOTE_TEXT_BYTES]);
/* Fields in any order, each at most once, all optional; an empty number is 0. A name has every
 * byte but letters, digits and "-._~" as %XX. */
int frag_note_from_text(const char *text, struct frag_note *ret);

void frag_crcs_to_text(const uint32_t crc[], unsigned blocks, char text[FRAG_CRCS_TEXT_BYTES]);
/* The number of entries, 0 for "". */
int frag_crcs_from_text(const char *text, uint32_t crc[FRAG_BLOCKS_MAX]);

/* Exactly 64 hex digits. */
int frag_sha_from_text(const char *text, uint8_t sha[FRAG_SHA256_BYTES]);

#endif
