/* Mounts that live, and what they may have open: a file that has lost its last name keeps its bytes
 * until each of them has said that it does not have it open (FORGET), or is gone (MOUNT_END).
 *
 * Happy path: a mount gives signs of life (MOUNT). An unlink lists all that live as holders of the
 * inode; each strikes itself off; the last FORGET forgets. Failure: a mount that gives no sign any
 * more is ended by whoever has watched it for long enough, by its own clock: only if there was
 * none meanwhile (signs). What it held is forgotten by the next FORGET of anybody. No clock of
 * another machine counts for anything. */
#include "meta/ns_rules.h"

#include "common/err.h"

struct mount_scan {
    struct ns_tx *tx;
    uint64_t ino, mount;
    uint64_t count;
    bool left;
};

static int mount_count(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                       size_t value_len)
{
    struct mount_scan *s = arg;

    (void)key;
    (void)key_len;
    (void)value;
    (void)value_len;
    s->count++;
    return 0;
}

int ns_rule_mount(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key key = ns_key_u64(NS_T_MOUNT, e->mount), all = ns_key(NS_T_MOUNT);
    struct mount_scan s = { .tx = tx };
    const uint8_t *value;
    uint64_t signs = 0;
    size_t len;
    int r;

    if (e->mount == 0)
        return -EINVAL;
    r = ns_tx_get(tx, &key, &value, &len);
    if (r == 0)
        r = ns_tx_note(tx, ns_u64_decode(value, len, &signs));
    else if (r == -ENOENT)
        r = ns_tx_note(tx, ns_tx_scan(tx, &all, mount_count, &s));
    if (r < 0)
        return r;
    if (s.count >= NS_MOUNTS_MAX)
        return -ENFILE;
    ns_tx_put_out(tx, &key, ns_u64_encode(++signs, &tx->out));
    a->first = signs;
    return 0;
}

int ns_rule_mount_end(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key key = ns_key_u64(NS_T_MOUNT, e->mount);
    const uint8_t *value;
    uint64_t signs;
    size_t len;
    int r;

    (void)a;
    r = ns_tx_get(tx, &key, &value, &len);
    if (r == 0)
        r = ns_tx_note(tx, ns_u64_decode(value, len, &signs));
    if (r < 0)
        return r;
    if (e->signs != 0 && e->signs != signs) /* it lives */
        return -EBUSY;
    ns_tx_del(tx, &key);
    return 0;
}

static int holder_put(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                      size_t value_len)
{
    struct mount_scan *s = arg;
    struct ns_key to;

    (void)value;
    (void)value_len;
    if (key_len != 1 + 8)
        return -VS_ECORRUPT;
    to = ns_key_u64x2(NS_T_HOLDER, s->ino, ns_key_get_u64(key, 0));
    ns_tx_put(s->tx, &to, NULL, 0);
    return 0;
}

void ns_holders_put(struct ns_tx *tx, uint64_t ino)
{
    struct mount_scan s = { .tx = tx, .ino = ino };
    struct ns_key all = ns_key(NS_T_MOUNT);

    ns_tx_note(tx, ns_tx_scan(tx, &all, holder_put, &s));
}

/* One holder: struck off when it is the one that says so, or does not live any more. */
static int holder_look(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                       size_t value_len)
{
    struct mount_scan *s = arg;
    struct ns_key at, mount;
    const uint8_t *signs;
    uint64_t holder;
    size_t len;
    int r;

    (void)value;
    (void)value_len;
    if (key_len != 1 + 16)
        return -VS_ECORRUPT;
    holder = ns_key_get_u64(key, 8);
    at = ns_key_u64x2(NS_T_HOLDER, s->ino, holder);
    mount = ns_key_u64(NS_T_MOUNT, holder);
    r = ns_tx_get(s->tx, &mount, &signs, &len);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r == 0 && holder != s->mount)
        s->left = true;
    else
        ns_tx_del(s->tx, &at);
    return 0;
}

int ns_holders_left(struct ns_tx *tx, uint64_t ino, uint64_t mount)
{
    struct mount_scan s = { .tx = tx, .ino = ino, .mount = mount };
    struct ns_key all = ns_key_u64(NS_T_HOLDER, ino);
    int r = ns_tx_note(tx, ns_tx_scan(tx, &all, holder_look, &s));

    return r < 0 ? r : s.left;
}
