/* Text forms of what names and describes a fragment.
 *
 * Happy path: one pass over the text, each field at most once. Failure modes: -EINVAL at the first
 * byte that does not belong; numbers are bounded before they grow. */
#include "node/frag_text.h"

#include "common/assert.h"
#include "common/err.h"
#include "common/hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- words ------------------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A decimal number without leading zeros; the first byte behind it, or NULL. */
static const char *decimal(const char *pos, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (*pos < '0' || *pos > '9' || (pos[0] == '0' && pos[1] >= '0' && pos[1] <= '9'))
        return NULL;
    for (; *pos >= '0' && *pos <= '9'; pos++) {
        uint64_t digit = (uint64_t)(*pos - '0');

        if (v > (max - digit) / 10)
            return NULL;
        v = v * 10 + digit;
    }
    *ret = v;
    return pos;
}

/* ---- keys -------------------------------------------------------------------------------------
 */

void frag_key_to_text(const struct frag_key *key, char text[FRAG_KEY_TEXT_BYTES])
{
    char id[VS_ID_TEXT_BYTES];

    vs_id_to_text(&key->chunk, id);
    snprintf(text, FRAG_KEY_TEXT_BYTES, "%s.%u.%" PRIu32, id, (unsigned)key->fragment,
             key->generation);
}

int frag_key_from_text(const char *text, struct frag_key *ret)
{
    char id[VS_ID_TEXT_BYTES];
    uint64_t fragment, generation;
    struct frag_key key;
    const char *pos;

    if (strnlen(text, VS_ID_TEXT_BYTES) < VS_ID_TEXT_BYTES || text[VS_ID_TEXT_BYTES - 1] != '.')
        return -EINVAL;
    memcpy(id, text, VS_ID_TEXT_BYTES - 1);
    id[VS_ID_TEXT_BYTES - 1] = '\0';
    if (vs_id_from_text(id, &key.chunk) < 0)
        return -EINVAL;
    pos = decimal(text + VS_ID_TEXT_BYTES, UINT8_MAX, &fragment);
    if (pos == NULL || *pos != '.')
        return -EINVAL;
    pos = decimal(pos + 1, UINT32_MAX, &generation);
    if (pos == NULL || *pos != '\0' || generation == 0)
        return -EINVAL;
    key.fragment = (uint8_t)fragment;
    key.generation = (uint32_t)generation;
    *ret = key;
    return 0;
}

/* ---- notes ------------------------------------------------------------------------------------
 */

static bool name_byte_is_plain(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void name_to_text(const struct frag_note *note, char *pos)
{
    static const char digits[] = "0123456789ABCDEF";

    for (uint16_t i = 0; i < note->name_bytes; i++) {
        uint8_t c = (uint8_t)note->name[i];

        if (name_byte_is_plain(c)) {
            *pos++ = (char)c;
            continue;
        }
        *pos++ = '%';
        *pos++ = digits[c >> 4];
        *pos++ = digits[c & 15];
    }
    *pos = '\0';
}

void frag_note_to_text(const struct frag_note *note, char text[FRAG_NOTE_TEXT_BYTES])
{
    const struct vs_redundancy *red = &note->red;
    int n = 0;

    VS_ASSERT(note->name_bytes <= FRAG_NAME_BYTES_MAX);
    if (red->kind != VS_RED_NONE)
        n = snprintf(text, FRAG_NOTE_TEXT_BYTES, "kind=%s;k=%u;m=%u;",
                     red->kind == VS_RED_RS ? "rs" : "replicate", (unsigned)red->k,
                     (unsigned)red->m);
    n +=
        snprintf(text + n, (size_t)(FRAG_NOTE_TEXT_BYTES - n),
                 "chunk=%" PRIu32 ";session=%" PRIu64 ";inode=%" PRIu64 ";seq=%" PRIu32
                 ";offset=%" PRIu64 ";name=",
                 note->chunk_bytes, note->session, note->inode, note->chunk_seq, note->file_offset);
    name_to_text(note, text + n);
}

/* A percent-encoded name up to ';' or the end; the first byte behind it, or NULL. */
static const char *name_from_text(const char *pos, struct frag_note *note)
{
    for (; *pos != ';' && *pos != '\0'; pos++) {
        uint8_t c = (uint8_t)*pos;

        if (note->name_bytes == FRAG_NAME_BYTES_MAX)
            return NULL;
        if (c == '%') {
            int high = hex_digit(pos[1]), low = high < 0 ? -1 : hex_digit(pos[2]);

            if (low < 0)
                return NULL;
            c = (uint8_t)(high << 4 | low);
            pos += 2;
        } else if (!name_byte_is_plain(c)) {
            return NULL;
        }
        note->name[note->name_bytes++] = (char)c;
    }
    return pos;
}

static const char *kind_from_text(const char *pos, struct frag_note *note)
{
    static const struct {
        const char *word;
        uint8_t kind;
    } kinds[] = { { "rs", VS_RED_RS }, { "replicate", VS_RED_REPLICATE }, { "none", VS_RED_NONE } };

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t n = strlen(kinds[i].word);

        if (strncmp(pos, kinds[i].word, n) == 0 && (pos[n] == ';' || pos[n] == '\0')) {
            note->red.kind = kinds[i].kind;
            return pos + n;
        }
    }
    return *pos == ';' || *pos == '\0' ? pos : NULL;
}

enum note_field {
    NOTE_KIND,
    NOTE_K,
    NOTE_M,
    NOTE_CHUNK,
    NOTE_SESSION,
    NOTE_INODE,
    NOTE_SEQ,
    NOTE_OFFSET,
    NOTE_NAME,
    NOTE_FIELDS
};

static const struct {
    const char *word;
    uint64_t max;
} note_fields[NOTE_FIELDS] = {
    [NOTE_KIND] = { "kind=", 0 },
    [NOTE_K] = { "k=", UINT8_MAX },
    [NOTE_M] = { "m=", UINT8_MAX },
    [NOTE_CHUNK] = { "chunk=", UINT32_MAX },
    [NOTE_SESSION] = { "session=", UINT64_MAX },
    [NOTE_INODE] = { "inode=", UINT64_MAX },
    [NOTE_SEQ] = { "seq=", UINT32_MAX },
    [NOTE_OFFSET] = { "offset=", UINT64_MAX },
    [NOTE_NAME] = { "name=", 0 },
};

static void note_set(struct frag_note *note, enum note_field field, uint64_t v)
{
    switch (field) {
    case NOTE_K:
        note->red.k = (uint8_t)v;
        break;
    case NOTE_M:
        note->red.m = (uint8_t)v;
        break;
    case NOTE_CHUNK:
        note->chunk_bytes = (uint32_t)v;
        break;
    case NOTE_SESSION:
        note->session = v;
        break;
    case NOTE_INODE:
        note->inode = v;
        break;
    case NOTE_SEQ:
        note->chunk_seq = (uint32_t)v;
        break;
    case NOTE_OFFSET:
        note->file_offset = v;
        break;
    default:
        VS_ASSERT(false);
    }
}

/* The value of one field; the first byte behind it, or NULL. */
static const char *note_value(const char *pos, enum note_field field, struct frag_note *note)
{
    uint64_t v = 0;

    if (field == NOTE_KIND)
        return kind_from_text(pos, note);
    if (field == NOTE_NAME)
        return name_from_text(pos, note);
    if (*pos != ';' && *pos != '\0')
        pos = decimal(pos, note_fields[field].max, &v);
    if (pos != NULL)
        note_set(note, field, v);
    return pos;
}

static enum note_field note_field_of(const char *pos)
{
    enum note_field f = NOTE_KIND;

    while (f < NOTE_FIELDS && strncmp(pos, note_fields[f].word, strlen(note_fields[f].word)) != 0)
        f++;
    return f;
}

int frag_note_from_text(const char *text, struct frag_note *ret)
{
    struct frag_note note = { 0 };
    bool seen[NOTE_FIELDS] = { false };
    const char *pos = text;

    while (*pos != '\0') {
        enum note_field field = note_field_of(pos);

        if (field == NOTE_FIELDS || seen[field])
            return -EINVAL;
        seen[field] = true;
        pos = note_value(pos + strlen(note_fields[field].word), field, &note);
        if (pos == NULL || (*pos != ';' && *pos != '\0'))
            return -EINVAL;
        if (*pos == ';')
            pos++;
    }
    *ret = note;
    return 0;
}

/* ---- checksums --------------------------------------------------------------------------------
 */

void frag_crcs_to_text(const uint32_t crc[], unsigned blocks, char text[FRAG_CRCS_TEXT_BYTES])
{
    VS_ASSERT(blocks <= FRAG_BLOCKS_MAX);
    for (unsigned i = 0; i < blocks; i++) {
        uint8_t big[4] = { (uint8_t)(crc[i] >> 24), (uint8_t)(crc[i] >> 16), (uint8_t)(crc[i] >> 8),
                           (uint8_t)crc[i] };

        vs_hex(big, sizeof(big), text + 9 * (size_t)i);
        text[9 * i + 8] = ',';
    }
    text[blocks > 0 ? 9 * blocks - 1 : 0] = '\0';
}

/* Exactly `digits` hex digits at `pos`. */
static bool hex_from_text(const char *pos, unsigned digits, uint32_t *ret)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < digits; i++) {
        int d = hex_digit(pos[i]);

        if (d < 0)
            return false;
        v = v << 4 | (uint32_t)d;
    }
    *ret = v;
    return true;
}

int frag_crcs_from_text(const char *text, uint32_t crc[FRAG_BLOCKS_MAX])
{
    unsigned n = 0;

    if (*text == '\0')
        return 0;
    for (const char *pos = text;; pos += 9) {
        if (n == FRAG_BLOCKS_MAX || !hex_from_text(pos, 8, &crc[n]))
            return -EINVAL;
        n++;
        if (pos[8] == '\0')
            return (int)n;
        if (pos[8] != ',')
            return -EINVAL;
    }
}

int frag_sha_from_text(const char *text, uint8_t sha[FRAG_SHA256_BYTES])
{
    uint8_t bytes[FRAG_SHA256_BYTES];

    for (unsigned i = 0; i < FRAG_SHA256_BYTES; i++) {
        uint32_t v;

        if (!hex_from_text(text + 2 * (size_t)i, 2, &v))
            return -EINVAL;
        bytes[i] = (uint8_t)v;
    }
    if (text[2 * FRAG_SHA256_BYTES] != '\0')
        return -EINVAL;
    memcpy(sha, bytes, sizeof(bytes));
    return 0;
}
