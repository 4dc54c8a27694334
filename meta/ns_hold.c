/* ns_hold: see the header. */
#include "meta/ns_hold.h"

#include "common/err.h"
#include "meta/ns_schema.h"

static int hold_mount(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                      size_t value_len)
{
    struct ns_hold *h = arg;
    struct ns_mount m;
    int r = ns_mount_decode(value, value_len, &m);

    (void)key;
    (void)key_len;
    if (r < 0)
        return r;
    if (m.heard < h->heard)
        h->heard = m.heard;
    return vs_buf_append(&h->pins, m.pins, m.pins_len, SIZE_MAX);
}

/* With no mount at all: what was released up to now is free, but one that comes later may read what
 * is released behind that. */
static int hold_slot(struct kv *kv, uint64_t *ret)
{
    struct ns_key key = ns_key(NS_T_STATE);
    struct vs_buf value = { 0 };
    struct ns_state state = { 0 };
    int r = kv_get(kv, key.b, key.len, &value);

    if (r == 0)
        r = ns_state_decode(value.data, value.len, &state);
    vs_buf_close(&value);
    *ret = state.slot;
    return r == -ENOENT ? 0 : r;
}

int ns_hold_load(struct kv *kv, struct ns_hold *h)
{
    struct ns_key prefix = ns_key(NS_T_MOUNT), to = ns_key_end(&prefix);
    int r;

    *h = (struct ns_hold){ 0 };
    r = hold_slot(kv, &h->heard);
    if (r == 0)
        r = kv_scan(kv, prefix.b, prefix.len, to.b, to.len, hold_mount, h);
    if (r < 0)
        ns_hold_close(h);
    return r;
}

void ns_hold_close(struct ns_hold *h)
{
    vs_buf_close(&h->pins);
    *h = (struct ns_hold){ 0 };
}

bool ns_hold_frees(const struct ns_hold *h, const struct ns_released *released)
{
    struct vs_rd r = vs_rd_init(h->pins.data, h->pins.len);

    if (released->slot > h->heard)
        return false;
    while (vs_rd_left(&r) > 0)
        if (vs_rd_u64(&r) == released->ino)
            return false;
    return true;
}
