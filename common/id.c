/* Fields of a 128-bit id and its text.
 *
 * Every field is big-endian, so that memcmp of two ids orders them by owner, then by age.
 * Failure modes: only a text can be bad, and a bad text is refused whole. */
#include "common/id.h"

#include "common/err.h"
#include "common/hex.h"

#include <endian.h>
#include <string.h>

enum { ID_PID_AT = 0, ID_INC_AT = 2, ID_SEQ_AT = 6, ID_TYPE_AT = 14 };
enum { UUID_TIME_BYTES = 6, UUID_VERSION_AT = 6, UUID_VARIANT_AT = 8 };

#define NS_PER_MS 1000000

struct vs_id vs_id_make(uint16_t pid, uint32_t inc, uint64_t seq, enum vs_id_type type)
{
    struct vs_id id = { { 0 } };

    pid = htobe16(pid);
    inc = htobe32(inc);
    seq = htobe64(seq);
    memcpy(id.b + ID_PID_AT, &pid, sizeof(pid));
    memcpy(id.b + ID_INC_AT, &inc, sizeof(inc));
    memcpy(id.b + ID_SEQ_AT, &seq, sizeof(seq));
    id.b[ID_TYPE_AT] = (uint8_t)type;
    return id;
}

uint16_t vs_id_pid(const struct vs_id *id)
{
    uint16_t pid;

    memcpy(&pid, id->b + ID_PID_AT, sizeof(pid));
    return be16toh(pid);
}

uint32_t vs_id_inc(const struct vs_id *id)
{
    uint32_t inc;

    memcpy(&inc, id->b + ID_INC_AT, sizeof(inc));
    return be32toh(inc);
}

uint64_t vs_id_seq(const struct vs_id *id)
{
    uint64_t seq;

    memcpy(&seq, id->b + ID_SEQ_AT, sizeof(seq));
    return be64toh(seq);
}

uint8_t vs_id_type(const struct vs_id *id)
{
    return id->b[ID_TYPE_AT];
}

bool vs_id_is_zero(const struct vs_id *id)
{
    static const struct vs_id zero;

    return vs_id_cmp(id, &zero) == 0;
}

int vs_id_cmp(const struct vs_id *a, const struct vs_id *b)
{
    return memcmp(a->b, b->b, VS_ID_BYTES);
}

void vs_id_to_text(const struct vs_id *id, char text[VS_ID_TEXT_BYTES])
{
    vs_hex(id->b, VS_ID_BYTES, text);
}

/* Value of one hex digit, or -EINVAL. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -EINVAL;
}

int vs_id_from_text(const char *text, struct vs_id *ret_id)
{
    struct vs_id id;

    for (size_t i = 0; i < VS_ID_BYTES; i++) {
        int high, low;

        high = hex_digit(text[2 * i]);
        if (high < 0) /* also the NUL of a short text: what is behind it is not ours to read */
            return -EINVAL;
        low = hex_digit(text[2 * i + 1]);
        if (low < 0)
            return -EINVAL;
        id.b[i] = (uint8_t)(high << 4 | low);
    }
    if (text[VS_ID_TEXT_BYTES - 1] != '\0')
        return -EINVAL;
    *ret_id = id;
    return 0;
}

struct vs_id vs_uuid_make(int64_t real_ns, const uint8_t chance[VS_UUID_CHANCE_BYTES])
{
    uint64_t ms = htobe64((uint64_t)(real_ns / NS_PER_MS) << 16);
    struct vs_id id;

    memcpy(id.b, &ms, UUID_TIME_BYTES);
    memcpy(id.b + UUID_TIME_BYTES, chance, VS_UUID_CHANCE_BYTES);
    id.b[UUID_VERSION_AT] = 0x70 | (id.b[UUID_VERSION_AT] & 0x0f);
    id.b[UUID_VARIANT_AT] = 0x80 | (id.b[UUID_VARIANT_AT] & 0x3f);
    return id;
}

int vs_uuid_born_ns(const struct vs_id *uuid, int64_t *ret_ns)
{
    uint64_t ms = 0;

    memcpy(&ms, uuid->b, UUID_TIME_BYTES);
    ms = be64toh(ms) >> 16;
    if (uuid->b[UUID_VERSION_AT] >> 4 != 7 || uuid->b[UUID_VARIANT_AT] >> 6 != 2 ||
        ms > INT64_MAX / NS_PER_MS)
        return -EINVAL;
    *ret_ns = (int64_t)ms * NS_PER_MS;
    return 0;
}
