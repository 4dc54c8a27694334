/* Keys of the namespace. Nothing can fail: lengths are checked where names come in. */
#include "meta/ns_schema.h"

#include "common/assert.h"

#include <endian.h>
#include <string.h>

static void key_bytes(struct ns_key *k, const void *bytes, size_t len)
{
    VS_ASSERT(len <= sizeof(k->b) - k->len);
    if (len > 0)
        memcpy(k->b + k->len, bytes, len);
    k->len += len;
}

struct ns_key ns_key(enum ns_table table)
{
    struct ns_key k = { .len = 1 };

    k.b[0] = (uint8_t)table;
    return k;
}

struct ns_key ns_key_add_u64(struct ns_key key, uint64_t n)
{
    n = htobe64(n);
    key_bytes(&key, &n, sizeof(n));
    return key;
}

struct ns_key ns_key_u64(enum ns_table table, uint64_t n)
{
    return ns_key_add_u64(ns_key(table), n);
}

struct ns_key ns_key_u64x2(enum ns_table table, uint64_t n, uint64_t m)
{
    return ns_key_add_u64(ns_key_u64(table, n), m);
}

struct ns_key ns_key_named(enum ns_table table, uint64_t n, const char *name, size_t len)
{
    struct ns_key k = ns_key_u64(table, n);

    key_bytes(&k, name, len);
    return k;
}

struct ns_key ns_key_id(enum ns_table table, const struct vs_id *id)
{
    struct ns_key k = ns_key(table);

    key_bytes(&k, id->b, VS_ID_BYTES);
    return k;
}

struct ns_key ns_key_aborted(uint8_t type, uint16_t pid, uint32_t inc)
{
    struct ns_key k = ns_key(NS_T_ABORTED_IDS);

    key_bytes(&k, &type, sizeof(type));
    pid = htobe16(pid);
    key_bytes(&k, &pid, sizeof(pid));
    inc = htobe32(inc);
    key_bytes(&k, &inc, sizeof(inc));
    return k;
}

struct ns_key ns_key_end(const struct ns_key *prefix)
{
    struct ns_key k = *prefix;

    while (k.len > 0 && k.b[k.len - 1] == 0xff)
        k.len--;
    VS_ASSERT(k.len > 0); /* tables are letters */
    k.b[k.len - 1]++;
    return k;
}

struct ns_key ns_key_behind(const struct ns_key *key)
{
    struct ns_key k = *key;

    if (k.len == sizeof(k.b)) /* no longer key can be stored */
        return ns_key_end(key);
    k.b[k.len++] = 0;
    return k;
}

uint64_t ns_key_get_u64(const uint8_t *key, size_t at)
{
    uint64_t n;

    memcpy(&n, key + 1 + at, sizeof(n));
    return be64toh(n);
}
