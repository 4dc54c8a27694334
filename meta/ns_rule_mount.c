/* Mounts that live, and what they may have open: a file that has lost its last name keeps its bytes
 * until each of them has said that it does not have it open (FORGET), or is gone (MOUNT_END). What
 * a swap replaced stays until each has said, with a sign of life, that it does not read it any more
 * (meta/ns_hold.h).
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

/* 0: not there. */
static int mount_load(struct ns_tx *tx, const struct ns_key *key, struct ns_mount *ret)
{
    const uint8_t *value;
    size_t len;
    int r;

    r = ns_tx_get(tx, key, &value, &len);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = ns_tx_note(tx, ns_mount_decode(value, len, ret));
    return r < 0 ? r : 1;
}

/* A mount that is new, or was given up, reads nothing of what was replaced before it came. What it
 * has let go of once stays let go of. Slots to come are those of a former life of the metadata,
 * which was restored since: they say nothing of this one's. */
int ns_rule_mount(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key key = ns_key_u64(NS_T_MOUNT, e->mount), all = ns_key(NS_T_MOUNT);
    struct mount_scan s = { .tx = tx };
    struct ns_mount m = { .heard = tx->state.slot + 1 };
    int r;

    if (e->mount == 0 || e->value_len % sizeof(uint64_t) != 0)
        return -EINVAL;
    r = mount_load(tx, &key, &m);
    if (r == 0)
        r = ns_tx_note(tx, ns_tx_scan(tx, &all, mount_count, &s));
    if (r < 0)
        return r;
    if (s.count >= NS_MOUNTS_MAX)
        return -ENFILE;
    m.signs++;
    if (m.heard < e->heard && e->heard <= tx->state.slot)
        m.heard = e->heard;
    m.pins = e->value;
    m.pins_len = e->value_len;
    ns_tx_put_out(tx, &key, ns_mount_encode(&m, &tx->out));
    a->first = m.signs;
    return 0;
}

void ns_writer_put(struct ns_tx *tx, uint64_t ino, uint64_t mount)
{
    struct ns_key key = ns_key_u64(NS_T_WRITER, ino);

    if (mount != 0)
        ns_tx_put_out(tx, &key, ns_u64_encode(mount, &tx->out));
    else
        ns_tx_del(tx, &key);
}

int ns_mounts_live(struct ns_tx *tx)
{
    struct mount_scan s = { .tx = tx };
    struct ns_key all = ns_key(NS_T_MOUNT);
    int r = ns_tx_note(tx, ns_tx_scan(tx, &all, mount_count, &s));

    return r < 0 ? r : s.count > 0;
}

int ns_rule_mount_end(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key key = ns_key_u64(NS_T_MOUNT, e->mount);
    struct ns_mount m;
    int r;

    (void)a;
    r = mount_load(tx, &key, &m);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    if (e->signs != 0 && e->signs != m.signs) /* it lives */
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
