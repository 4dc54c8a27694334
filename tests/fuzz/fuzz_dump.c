/* Fuzz target: dumps. Bit 0 of the first byte: checksums of blocks and the digest of the end are
 * put right first, or nothing but checksums would be tried. The rest of that byte: the length of
 * the pieces. A dump that is whole, written again, reads the same. */
#include "common/assert.h"
#include "common/crc.h"
#include "meta/dump.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_right(uint8_t *b, size_t size)
{
    struct vs_sha *sha;
    size_t at = 0, len;

    VS_ASSERT(vs_sha_new(&sha) == 0);
    while (size - at >= 9) {
        uint32_t crc;

        len = b[at + 1] | (size_t)b[at + 2] << 8 | (size_t)b[at + 3] << 16;
        if (b[at + 4] != 0 || len > size - at - 9)
            break;
        if (b[at] == 3 && len == 40)
            vs_sha_final(sha, b + at + 5 + 8);
        crc = vs_crc32c(0, b + at, 5 + len);
        for (unsigned i = 0; i < 4; i++)
            b[at + 5 + len + i] = (uint8_t)(crc >> 8 * i);
        vs_sha_update(sha, b + at, 9 + len);
        at += 9 + len;
    }
    vs_sha_free(sha);
}

struct again {
    struct dump_out out;
    struct vs_buf bytes;
    unsigned pairs;
};

static int count_pair(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                      const uint8_t *value, size_t value_len)
{
    unsigned *pairs = arg;

    (void)section;
    (void)key;
    (void)key_len;
    (void)value;
    (void)value_len;
    ++*pairs;
    return 0;
}

static int write_pair(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                      const uint8_t *value, size_t value_len)
{
    struct again *a = arg;

    a->pairs++;
    VS_ASSERT(dump_out_pair(&a->out, section, key, key_len, value, value_len, &a->bytes) == 0);
    return 0;
}

static bool read_all(const uint8_t *bytes, size_t size, size_t step, struct dump_head *head,
                     dump_pair_fn *fn, void *arg)
{
    struct dump_in in;
    bool ok;

    VS_ASSERT(dump_in_init(&in) == 0);
    for (size_t at = 0; at < size; at += step)
        (void)dump_in_feed(&in, bytes + at, size - at < step ? size - at : step, fn, arg);
    ok = dump_in_done(&in) == 0;
    *head = in.head;
    dump_in_close(&in);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct again a = { 0 };
    struct dump_head head, head_again;
    unsigned pairs = 0;
    uint8_t *bytes;

    if (size < 1)
        return 0;
    bytes = malloc(size);
    VS_ASSERT(bytes != NULL);
    memcpy(bytes, data + 1, --size);
    if (data[0] & 1)
        put_right(bytes, size);
    if (read_all(bytes, size, (data[0] >> 1) + 1u, &head, count_pair, &pairs)) {
        VS_ASSERT(dump_out_begin(&a.out, &head, &a.bytes) == 0);
        VS_ASSERT(read_all(bytes, size, 64, &head, write_pair, &a));
        VS_ASSERT(dump_out_end(&a.out, &a.bytes) == 0);
        VS_ASSERT(a.pairs == pairs);
        pairs = 0;
        VS_ASSERT(read_all(a.bytes.data, a.bytes.len, 4096, &head_again, count_pair, &pairs));
        VS_ASSERT(a.pairs == pairs && memcmp(&head, &head_again, sizeof(head)) == 0);
        dump_out_close(&a.out);
    }
    free(bytes);
    vs_buf_close(&a.bytes);
    return 0;
}
