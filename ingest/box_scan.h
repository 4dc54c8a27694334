/* box_scan: what the first bytes of a file say about cutting it while it streams. Pure.
 *
 * Looks at magic numbers, and at the top-level boxes of an mp4 (ISO/IEC 14496-12), to tell whether
 * its index comes before the media. Any bytes are an answer; nothing is trusted. */
#ifndef VS_INGEST_BOX_SCAN_H
#define VS_INGEST_BOX_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define BOX_SCAN_BYTES 4096 /* enough to judge; less only when the file is shorter */

/* libavformat's short name of a container that can be cut live ("matroska", "mov", "mpegts", "avi",
 * "flv", "ogg", "mpeg", "asf"), or NULL: no video known here, or its index comes last. */
const char *box_scan_live_format(const void *head, size_t len);

#endif
