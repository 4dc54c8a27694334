/* Fuzz target: what a node takes from paths and headers. The first byte chooses the parser; a text
 * is refused, or says the same when it is written and read again. */
#include "common/assert.h"
#include "common/http_head.h"
#include "common/http_range.h"
#include "node/frag_text.h"

#include <stdlib.h>
#include <string.h>

#define FUZZ_TEXT_BYTES_MAX 4096
#define FUZZ_TOTAL          1000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_key(const char *text)
{
    char again[FRAG_KEY_TEXT_BYTES];
    struct frag_key key, back;

    if (frag_key_from_text(text, &key) < 0)
        return;
    VS_ASSERT(key.generation > 0);
    frag_key_to_text(&key, again);
    VS_ASSERT(frag_key_from_text(again, &back) == 0 && frag_key_cmp(&key, &back) == 0);
}

static void one_note(const char *text)
{
    char first[FRAG_NOTE_TEXT_BYTES], again[FRAG_NOTE_TEXT_BYTES];
    struct frag_note note, back;

    if (frag_note_from_text(text, &note) < 0)
        return;
    VS_ASSERT(note.name_bytes <= FRAG_NAME_BYTES_MAX);
    frag_note_to_text(&note, first);
    VS_ASSERT(frag_note_from_text(first, &back) == 0);
    frag_note_to_text(&back, again);
    VS_ASSERT(strcmp(first, again) == 0);
}

static void one_table(const char *text)
{
    uint32_t crc[FRAG_BLOCKS_MAX], back[FRAG_BLOCKS_MAX];
    char again[FRAG_CRCS_TEXT_BYTES];
    int n = frag_crcs_from_text(text, crc);

    if (n < 0)
        return;
    VS_ASSERT(n <= (int)FRAG_BLOCKS_MAX);
    frag_crcs_to_text(crc, (unsigned)n, again);
    VS_ASSERT(frag_crcs_from_text(again, back) == n && memcmp(crc, back, (size_t)n * 4) == 0);
}

static void one_range(const char *text)
{
    uint64_t first, bytes;

    if (http_range_parse(text, FUZZ_TOTAL, &first, &bytes) == 1)
        VS_ASSERT(bytes > 0 && first < FUZZ_TOTAL && bytes <= FUZZ_TOTAL - first);
}

/* Bytes on the heap, as many as there are: nothing behind them may be read. */
static void one_head(const uint8_t *bytes, size_t len)
{
    char *copy = malloc(len + 1);
    const char *why = NULL;
    int status;

    VS_ASSERT(copy != NULL);
    memcpy(copy + 1, bytes, len);
    status = http_head_check(copy + 1, len, &why);
    VS_ASSERT((status == 0) == (why == NULL));
    VS_ASSERT(status == 0 || status == 400 || status == 413 || status == 505);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[FUZZ_TEXT_BYTES_MAX];
    uint8_t sha[FRAG_SHA256_BYTES];

    if (size < 1 || size > sizeof(text))
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch ((uint8_t)(data[0] - '0') % 6) {
    case 0:
        one_key(text);
        break;
    case 1:
        one_note(text);
        break;
    case 2:
        one_table(text);
        break;
    case 3:
        one_range(text);
        break;
    case 4:
        one_head(data + 1, size - 1);
        break;
    default:
        (void)frag_sha_from_text(text, sha);
        break;
    }
    return 0;
}
