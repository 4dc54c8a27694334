/* The namespace through the batch of one entry.
 *
 * Happy path: a read asks the batch first, then the store; a write goes to the batch. Failure
 * modes: a record that cannot be decoded, a store that cannot be read, memory that is not there:
 * all kept in tx->fail, whose owner applies nothing any more. */
#include "meta/ns_tx.h"

#include "common/assert.h"
#include "common/err.h"
#include "meta/ns_rules.h"

#include <string.h>
#include <sys/stat.h>

int ns_tx_note(struct ns_tx *tx, int r)
{
    if (r < 0 && r != -ENOENT && tx->fail == 0)
        tx->fail = r;
    return r;
}

int ns_tx_get(struct ns_tx *tx, const struct ns_key *key, const uint8_t **ret, size_t *ret_len)
{
    int r = kv_batch_find(tx->batch, key->b, key->len, ret, ret_len);

    if (r != 0)
        return r < 0 ? r : 0;
    r = ns_tx_note(tx, kv_get(tx->kv, key->b, key->len, &tx->in));
    if (r < 0)
        return r;
    *ret = tx->in.data;
    *ret_len = tx->in.len;
    return 0;
}

void ns_tx_put(struct ns_tx *tx, const struct ns_key *key, const void *value, size_t len)
{
    kv_batch_put(tx->batch, key->b, key->len, value, len);
}

void ns_tx_del(struct ns_tx *tx, const struct ns_key *key)
{
    kv_batch_del(tx->batch, key->b, key->len);
}

void ns_tx_put_out(struct ns_tx *tx, const struct ns_key *key, int r)
{
    VS_ASSERT(r != -ENOENT);
    if (ns_tx_note(tx, r) == 0)
        ns_tx_put(tx, key, tx->out.data, tx->out.len);
    tx->out.len = 0;
}

int ns_tx_scan(struct ns_tx *tx, const struct ns_key *prefix, kv_scan_fn *fn, void *arg)
{
    struct ns_key end = ns_key_end(prefix);

    return kv_scan(tx->kv, prefix->b, prefix->len, end.b, end.len, fn, arg);
}

/* ---- inodes ------------------------------------------------------------------------------------
 */

int ns_tx_inode(struct ns_tx *tx, uint64_t ino, struct ns_inode *ret)
{
    struct ns_key key = ns_key_u64(NS_T_INODE, ino);
    const uint8_t *value;
    size_t len;
    int r;

    r = ns_tx_get(tx, &key, &value, &len);
    if (r < 0)
        return r;
    return ns_tx_note(tx, ns_inode_decode(value, len, ret));
}

void ns_tx_put_inode(struct ns_tx *tx, const struct ns_inode *i)
{
    struct ns_key key = ns_key_u64(NS_T_INODE, i->attr.ino);

    ns_tx_put_out(tx, &key, ns_inode_encode(i, &tx->out));
}

bool ns_is_dir(const struct ns_inode *i)
{
    return S_ISDIR(i->attr.mode);
}

int ns_tx_dir(struct ns_tx *tx, uint64_t ino, struct ns_inode *ret)
{
    struct ns_inode i;
    int r = ns_tx_inode(tx, ino, &i);

    if (r < 0)
        return r;
    if (!ns_is_dir(&i))
        return -ENOTDIR;
    if (i.attr.nlink == 0) /* removed, and somebody still holds it */
        return -ENOENT;
    *ret = i;
    return 0;
}

static void count_one(struct ns_tx *tx, uint64_t *counter, uint64_t n, int sign)
{
    if (sign < 0 && *counter < n)
        ns_tx_note(tx, -VS_ECORRUPT); /* the records do not belong together */
    *counter = sign > 0 ? *counter + n : *counter - n;
}

void ns_tx_count(struct ns_tx *tx, const struct ns_inode *i, int sign)
{
    if (i->attr.ino == NS_INO_COPY)
        return; /* nobody's file */
    if (S_ISDIR(i->attr.mode))
        count_one(tx, &tx->state.directories, 1, sign);
    else if (S_ISLNK(i->attr.mode))
        count_one(tx, &tx->state.symlinks, 1, sign);
    else
        count_one(tx, &tx->state.files, 1, sign);
    count_one(tx, &tx->state.logical_bytes, i->attr.data_bytes, sign);
    count_one(tx, &tx->state.stored_bytes, i->attr.stored_bytes, sign);
    count_one(tx, &tx->state.chunks, i->chunks, sign);
}

void ns_tx_orphan(struct ns_tx *tx, struct ns_inode *i)
{
    struct ns_key orphan = ns_key_u64(NS_T_ORPHAN, i->attr.ino);
    struct ns_key due = ns_key_u64(NS_T_MEDIA_DUE, i->attr.ino);

    ns_tx_count(tx, i, -1);
    ns_tx_put(tx, &orphan, NULL, 0);
    ns_holders_put(tx, i->attr.ino);
    if ((i->attr.flags & NS_F_MEDIA_DUE) != 0)
        ns_tx_del(tx, &due);
    i->attr.flags &= ~(uint32_t)NS_F_MEDIA_DUE;
    i->attr.nlink = 0;
    i->attr.parent = 0;
    i->attr.mirror = 0;
    i->cookie = 0;
    i->attr.ctime = tx->now;
    ns_tx_put_inode(tx, i);
}

int ns_tx_unlink_inode(struct ns_tx *tx, uint64_t ino, struct ns_attr *ret)
{
    struct ns_inode i;
    int r = ns_tx_inode(tx, ino, &i);

    if (r == -ENOENT || (r == 0 && (ns_is_dir(&i) || i.attr.nlink == 0)))
        r = ns_tx_note(tx, -VS_ECORRUPT); /* a name without a linked inode */
    if (r < 0)
        return r;
    if (i.attr.nlink == 1) {
        ns_tx_orphan(tx, &i);
    } else {
        i.attr.nlink--;
        i.attr.ctime = tx->now;
        ns_tx_put_inode(tx, &i);
    }
    *ret = i.attr;
    return 0;
}

/* ---- names -------------------------------------------------------------------------------------
 */

int ns_tx_find(struct ns_tx *tx, uint64_t dir, const char *name, size_t len, struct ns_link *ret)
{
    struct ns_key key = ns_key_named(NS_T_NAME, dir, name, len);
    const uint8_t *value;
    size_t value_len;
    int r;

    r = ns_tx_get(tx, &key, &value, &value_len);
    if (r < 0)
        return r;
    return ns_tx_note(tx, ns_link_decode(value, value_len, ret));
}

int ns_tx_item(struct ns_tx *tx, uint64_t dir, uint64_t cookie, struct ns_item *ret)
{
    struct ns_key key = ns_key_u64x2(NS_T_COOKIE, dir, cookie);
    const uint8_t *value;
    size_t len;
    int r;

    r = ns_tx_get(tx, &key, &value, &len);
    if (r < 0)
        return r;
    return ns_tx_note(tx, ns_item_decode(value, len, ret));
}

void ns_tx_set_name(struct ns_tx *tx, uint64_t dir, const char *name, size_t len,
                    const struct ns_link *link, uint32_t type)
{
    struct ns_key by_name = ns_key_named(NS_T_NAME, dir, name, len);
    struct ns_key by_cookie = ns_key_u64x2(NS_T_COOKIE, dir, link->cookie);
    struct ns_item item = { .ino = link->ino, .type = type & S_IFMT, .name_len = (uint8_t)len };

    memcpy(item.name, name, len);
    ns_tx_put_out(tx, &by_name, ns_link_encode(link, &tx->out));
    ns_tx_put_out(tx, &by_cookie, ns_item_encode(&item, &tx->out));
}

void ns_tx_del_name(struct ns_tx *tx, uint64_t dir, const char *name, size_t len, uint64_t cookie)
{
    struct ns_key by_name = ns_key_named(NS_T_NAME, dir, name, len);
    struct ns_key by_cookie = ns_key_u64x2(NS_T_COOKIE, dir, cookie);

    ns_tx_del(tx, &by_name);
    ns_tx_del(tx, &by_cookie);
}

int ns_tx_touch_dir(struct ns_tx *tx, uint64_t dir, int names, int subdirs)
{
    struct ns_inode i;
    int r = ns_tx_inode(tx, dir, &i);

    if (r < 0)
        return r;
    i.attr.size += (uint64_t)(int64_t)names;
    i.attr.nlink += (uint32_t)subdirs;
    if (i.attr.nlink < 2 || i.attr.size > INT64_MAX)
        return ns_tx_note(tx, -VS_ECORRUPT);
    i.attr.mtime = i.attr.ctime = tx->now;
    i.attr.flags &= ~(uint32_t)NS_F_DIR_TIMES; /* times set before this change say nothing now */
    ns_tx_put_inode(tx, &i);
    return 0;
}

int ns_tx_add_name(struct ns_tx *tx, uint64_t dir, const char *name, size_t len, struct ns_inode *i)
{
    struct ns_link link = { .ino = i->attr.ino, .cookie = tx->state.next_cookie++ };

    ns_tx_set_name(tx, dir, name, len, &link, i->attr.mode);
    if (ns_is_dir(i)) {
        i->attr.parent = dir;
        i->cookie = link.cookie;
    }
    ns_tx_put_inode(tx, i);
    return ns_tx_touch_dir(tx, dir, 1, ns_is_dir(i) ? 1 : 0);
}

/* ---- places ------------------------------------------------------------------------------------
 */

int ns_tx_is_below(struct ns_tx *tx, uint64_t ino, uint64_t above)
{
    struct ns_inode i;
    int r;

    for (uint64_t steps = 0; steps <= tx->state.directories; steps++) {
        if (ino == above)
            return 1;
        if (ino == NS_INO_ROOT || ino == 0)
            return 0;
        r = ns_tx_inode(tx, ino, &i);
        if (r == -ENOENT)
            return 0;
        if (r < 0)
            return r;
        ino = i.attr.parent;
    }
    return ns_tx_note(tx, -VS_ECORRUPT); /* a ring of directories */
}
