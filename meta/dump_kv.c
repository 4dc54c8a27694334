/* dump_kv: see the header. Failure: the first error of the store is the caller's; nothing is kept
 * to be tried again. */
#include "meta/dump_kv.h"
#include "common/assert.h"
#include "common/err.h"

_Static_assert(DUMP_KEY_BYTES_MAX == KV_KEY_BYTES_MAX, "every key goes into a dump");
_Static_assert(DUMP_VALUE_BYTES_MAX == KV_VALUE_BYTES_MAX, "every value goes into a dump");
/* A block beyond what the caller wanted still fits: no pair is ever refused for want of room. */
_Static_assert(DUMP_KV_TO_BYTES_MAX + DUMP_VALUE_BYTES_MAX + 4 * DUMP_BLOCK_BYTES <=
                   DUMP_TO_BYTES_MAX,
               "room in `to`");

int dump_kv_out(struct dump_out *o, uint8_t section, struct kv_view *view, struct vs_buf *to,
                size_t to_bytes)
{
    const uint8_t *key, *value;
    size_t key_len, value_len;
    int r = 1;

    VS_ASSERT(to_bytes <= DUMP_KV_TO_BYTES_MAX);
    while (to->len < to_bytes) {
        r = kv_view_next(view, &key, &key_len, &value, &value_len);
        if (r == 1)
            r = dump_out_pair(o, section, key, key_len, value, value_len, to);
        else
            return r;
        if (r < 0)
            return r;
    }
    return 1;
}

static int see_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                   size_t value_len)
{
    (void)arg;
    (void)key;
    (void)key_len;
    (void)value;
    (void)value_len;
    return 1;
}

int dump_kv_in_begin(struct dump_kv_in *in, struct kv *kv)
{
    int r = kv_scan(kv, "", 0, "", 0, see_one, NULL);

    *in = (struct dump_kv_in){ .kv = kv };
    if (r == 0)
        return kv_batch_new(&in->batch);
    return r < 0 ? r : -EEXIST;
}

static int in_write(struct dump_kv_in *in)
{
    int r = kv_write(in->kv, in->batch, false);

    kv_batch_clear(in->batch);
    in->bytes = 0;
    return r;
}

int dump_kv_in_pair(struct dump_kv_in *in, const uint8_t *key, size_t key_len, const uint8_t *value,
                    size_t value_len)
{
    int r = 0;

    if (in->bytes + key_len + value_len > DUMP_KV_BATCH_BYTES_MAX && in->bytes > 0)
        r = in_write(in);
    kv_batch_put(in->batch, key, key_len, value, value_len);
    in->bytes += key_len + value_len;
    return r;
}

int dump_kv_in_end(struct dump_kv_in *in)
{
    int r = in_write(in);

    return r < 0 ? r : kv_flush(in->kv);
}

void dump_kv_in_close(struct dump_kv_in *in)
{
    kv_batch_free(in->batch);
    *in = (struct dump_kv_in){ 0 };
}
