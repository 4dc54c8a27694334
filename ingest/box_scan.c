/* box_scan: see the header. */
#include "ingest/box_scan.h"
#include <stdint.h>
#include <string.h>

#define BOXES_MAX 64 /* top-level boxes looked at */

static bool has(const uint8_t *b, size_t len, size_t at, const char *magic, size_t n)
{
    return len >= at + n && memcmp(b + at, magic, n) == 0;
}

static uint64_t be(const uint8_t *b, unsigned n)
{
    uint64_t v = 0;

    while (n-- > 0)
        v = v << 8 | *b++;
    return v;
}

/* moov or moof before mdat: 1; mdat first: 0; neither seen: 0. */
static bool mov_index_first(const uint8_t *b, size_t len)
{
    uint64_t at = 0;

    for (unsigned n = 0; n < BOXES_MAX && at + 8 <= len; n++) {
        uint64_t size = be(b + at, 4);

        if (memcmp(b + at + 4, "moov", 4) == 0 || memcmp(b + at + 4, "moof", 4) == 0)
            return true;
        if (memcmp(b + at + 4, "mdat", 4) == 0)
            return false;
        if (size == 1)
            size = at + 16 <= len ? be(b + at + 8, 8) : 0;
        if (size < 8 || size > len - at)
            return false; /* to the end of the file, nonsense, or beyond what is here */
        at += size;
    }
    return false;
}

static bool is_mov(const uint8_t *b, size_t len)
{
    static const char types[][5] = { "ftyp", "moov", "wide", "free", "skip", "styp" };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (has(b, len, 4, types[i], 4))
            return true;
    return false;
}

/* Sync bytes of 188-byte packets, or of 192-byte ones with a time stamp before each (Blu-ray). */
static bool is_ts(const uint8_t *b, size_t len)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        size_t step = kind == 0 ? 188 : 192, first = kind == 0 ? 0 : 4;
        unsigned n = 0;

        while (n < 5 && first + n * step < len && b[first + n * step] == 0x47)
            n++;
        if (n == 5)
            return true;
    }
    return false;
}

const char *box_scan_live_format(const void *head, size_t len)
{
    const uint8_t *b = head;

    if (has(b, len, 0, "\x1a\x45\xdf\xa3", 4))
        return "matroska";
    if (is_mov(b, len))
        return mov_index_first(b, len) ? "mov" : NULL;
    if (has(b, len, 0, "RIFF", 4) && has(b, len, 8, "AVI ", 4))
        return "avi";
    if (has(b, len, 0, "FLV\x01", 4))
        return "flv";
    if (has(b, len, 0, "OggS", 4))
        return "ogg";
    if (has(b, len, 0, "\x00\x00\x01\xba", 4))
        return "mpeg";
    if (has(b, len, 0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", 8))
        return "asf";
    if (is_ts(b, len))
        return "mpegts";
    return NULL;
}
