/* Reading the namespace while entries are applied beside it.
 *
 * Happy path: one or two gets, or one scan. Several records are not read at one moment, so each
 * answer that needs more than one checks that they belong together, and reads again if an entry
 * came between. Failure modes: the errno of the system call; -VS_ECORRUPT for a record that cannot
 * be decoded. */
#include "meta/ns_read.h"

#include "common/err.h"
#include "meta/ns_name.h"
#include "meta/ns_record.h"
#include "meta/ns_scan.h"
#include "meta/ns_schema.h"

#include <string.h>
#include <sys/stat.h>

/* An entry may come between two gets; so many of them in a row mean that something is wrong. */
#define READ_TRIES_MAX 100

static int read_inode(struct kv *kv, uint64_t ino, struct vs_buf *scratch, struct ns_inode *ret)
{
    struct ns_key key = ns_key_u64(NS_T_INODE, ino);
    int r = kv_get(kv, key.b, key.len, scratch);

    return r < 0 ? r : ns_inode_decode(scratch->data, scratch->len, ret);
}

static int read_link(struct kv *kv, uint64_t dir, const char *name, size_t len,
                     struct vs_buf *scratch, struct ns_link *ret)
{
    struct ns_key key = ns_key_named(NS_T_NAME, dir, name, len);
    int r = kv_get(kv, key.b, key.len, scratch);

    return r < 0 ? r : ns_link_decode(scratch->data, scratch->len, ret);
}

static int read_dir(struct kv *kv, uint64_t ino, struct vs_buf *scratch, struct ns_inode *ret)
{
    int r = read_inode(kv, ino, scratch, ret);

    return r < 0 ? r : S_ISDIR(ret->attr.mode) ? 0 : -ENOTDIR;
}

/* ---- lookup, getattr ---------------------------------------------------------------------------
 */

static int read_lookup(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    struct ns_inode i;
    struct ns_link link;
    int err;

    err = ns_name_check(r->name, r->name_len);
    if (err < 0)
        return err;
    for (unsigned tries = 0; tries < READ_TRIES_MAX; tries++) {
        err = read_link(kv, r->ino, r->name, r->name_len, scratch, &link);
        if (err == -ENOENT) {
            err = read_dir(kv, r->ino, scratch, &i);
            return err < 0 ? err : -ENOENT;
        }
        if (err < 0)
            return err;
        err = read_inode(kv, link.ino, scratch, &i);
        if (err < 0 && err != -ENOENT)
            return err;
        if (err == 0 && i.attr.nlink > 0) {
            r->attr = i.attr;
            return 0;
        } /* else the name was taken away from it between the two gets */
    }
    return -VS_ECORRUPT;
}

static int read_getattr(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    struct ns_inode i;
    int err = read_inode(kv, r->ino, scratch, &i);

    if (err == 0)
        r->attr = i.attr;
    return err;
}

/* ---- readdir -----------------------------------------------------------------------------------
 */

static int readdir_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                        size_t value_len)
{
    struct meta_req *r = arg;
    struct ns_dirent *d = &r->dirents[r->dirents_count];
    struct ns_item item;
    int err;

    if (key_len != 1 + 8 + 8)
        return -VS_ECORRUPT;
    err = ns_item_decode(value, value_len, &item);
    if (err < 0)
        return err;
    memset(&d->attr, 0, sizeof(d->attr));
    d->cookie = ns_key_get_u64(key, 8);
    d->attr.ino = item.ino;
    d->attr.mode = item.type;
    d->name_len = item.name_len;
    memcpy(d->name, item.name, item.name_len);
    r->dirents_count++;
    return r->dirents_count == r->dirents_max ? 1 : 0;
}

/* Attributes behind the scan; what was removed since the scan is left out. */
static int readdir_attrs(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    uint32_t kept = 0;
    struct ns_inode i;
    int err;

    for (uint32_t n = 0; n < r->dirents_count; n++) {
        err = read_inode(kv, r->dirents[n].attr.ino, scratch, &i);
        if (err == -ENOENT || (err == 0 && i.attr.nlink == 0))
            continue;
        if (err < 0)
            return err;
        if (kept != n)
            r->dirents[kept] = r->dirents[n];
        r->dirents[kept++].attr = i.attr;
    }
    r->dirents_count = kept;
    return 0;
}

static int read_readdir(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    struct ns_key prefix = ns_key_u64(NS_T_COOKIE, r->ino), from, to;
    uint64_t behind = r->cookie;
    struct ns_inode dir;
    int err;

    err = read_dir(kv, r->ino, scratch, &dir);
    if (err < 0)
        return err;
    to = ns_key_end(&prefix);
    do { /* a page whose entries were all removed since is not the end of the directory */
        r->dirents_count = 0;
        if (r->dirents_max == 0 || behind == UINT64_MAX)
            return 0;
        from = ns_key_u64x2(NS_T_COOKIE, r->ino, behind + 1);
        err = kv_scan(kv, from.b, from.len, to.b, to.len, readdir_item, r);
        if (err < 0 || r->dirents_count == 0 || !r->with_attr)
            return err < 0 ? err : 0;
        behind = r->dirents[r->dirents_count - 1].cookie;
        err = readdir_attrs(kv, r, scratch);
    } while (err == 0 && r->dirents_count == 0);
    return err;
}

/* ---- content, media, extended attributes -------------------------------------------------------
 */

/* The bytes that `table` has of this inode, at the moment of r->attr. -ENOENT: none. */
static int read_stamped(struct kv *kv, struct meta_req *r, enum ns_table table,
                        struct vs_buf *scratch)
{
    struct ns_key key = ns_key_u64(table, r->ino);
    struct ns_inode i;
    uint64_t version;
    int64_t len;
    int err;

    for (unsigned tries = 0; tries < READ_TRIES_MAX; tries++) {
        err = read_inode(kv, r->ino, scratch, &i);
        if (err < 0)
            return err;
        r->attr = i.attr;
        r->bytes.len = 0;
        if (table == NS_T_CONTENT && i.attr.content == NS_CONTENT_NONE)
            return -ENODATA;
        err = kv_get(kv, key.b, key.len, &r->bytes);
        if (err == -ENOENT && table == NS_T_MEDIA)
            return -ENODATA;
        if (err == -ENOENT)
            continue; /* swapped for nothing, or forgotten */
        if (err < 0)
            return err;
        len = ns_stamp_decode(r->bytes.data, r->bytes.len, &version);
        if (len < 0)
            return (int)len;
        r->bytes.len = (size_t)len;
        if (version == i.attr.version)
            return 0;
    }
    return -VS_ECORRUPT;
}

static int read_content(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    int err = read_stamped(kv, r, NS_T_CONTENT, scratch);

    return err == -ENODATA ? 0 : err; /* an empty file has empty content */
}

static int read_xattr(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    struct ns_key key;
    struct ns_inode i;
    int err;

    if (r->name_len == 0 || r->name_len > NS_XATTR_NAME_BYTES_MAX)
        return -ERANGE;
    key = ns_key_named(NS_T_XATTR, r->ino, r->name, r->name_len);
    err = kv_get(kv, key.b, key.len, &r->bytes);
    if (err != -ENOENT)
        return err;
    err = read_inode(kv, r->ino, scratch, &i);
    return err < 0 ? err : -ENODATA;
}

static int xattr_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                      size_t value_len)
{
    struct vs_buf *names = arg;
    const size_t prefix = 1 + 8;
    int err = vs_buf_append(names, key + prefix, key_len - prefix, NS_XATTR_LIST_BYTES_MAX);

    (void)value;
    (void)value_len;
    return err < 0 ? err : vs_buf_append(names, "", 1, NS_XATTR_LIST_BYTES_MAX);
}

static int read_xattrs(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    struct ns_key prefix = ns_key_u64(NS_T_XATTR, r->ino), to = ns_key_end(&prefix);
    struct ns_inode i;
    int err = read_inode(kv, r->ino, scratch, &i);

    r->bytes.len = 0;
    if (err < 0 || i.xattr_list_bytes == 0)
        return err;
    return kv_scan(kv, prefix.b, prefix.len, to.b, to.len, xattr_item, &r->bytes);
}

static int read_views(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    struct ns_key key = ns_key_u64(NS_T_VIEWS, r->ino);
    struct ns_inode i;
    int err = read_inode(kv, r->ino, scratch, &i);

    if (err < 0)
        return err;
    r->attr = i.attr;
    err = kv_get(kv, key.b, key.len, &r->bytes);
    if (err == -ENOENT)
        r->bytes.len = 0;
    return err == -ENOENT ? 0 : err;
}

/* ---- sessions ----------------------------------------------------------------------------------
 */

/* 1: the range has the sequence of the id. */
static int reserved_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                         size_t value_len)
{
    const struct meta_req *r = arg;
    uint64_t first, count, seq = vs_id_seq(&r->scan_after_id);

    if (key_len != 1 + 8 + 8 || ns_u64_decode(value, value_len, &count) < 0)
        return -VS_ECORRUPT;
    first = ns_key_get_u64(key, 8);
    return seq >= first && seq - first < count;
}

static int read_reserved(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    struct ns_key session = ns_key_u64(NS_T_SESSION, r->ino);
    struct ns_key from = ns_key_u64(NS_T_SESSION_IDS, r->ino), to = ns_key_end(&from);
    struct ns_session s;
    int err = kv_get(kv, session.b, session.len, scratch);

    if (err == 0)
        err = ns_session_decode(scratch->data, scratch->len, &s);
    if (err < 0)
        return err == -ENOENT ? -ESTALE : err;
    if (s.pid != vs_id_pid(&r->scan_after_id) || s.inc != vs_id_inc(&r->scan_after_id))
        return -ENOENT;
    err = kv_scan(kv, from.b, from.len, to.b, to.len, reserved_item, r);
    return err == 1 ? 0 : err < 0 ? err : -ENOENT;
}

/* ---- nodes, statistics -------------------------------------------------------------------------
 */

static int node_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    struct meta_req *r = arg;
    int err;

    (void)key;
    (void)key_len;
    if (r->nodes_count == r->nodes_max)
        return -ENOBUFS;
    err = ns_node_decode(value, value_len, &r->nodes[r->nodes_count]);
    r->nodes_count += err == 0;
    return err;
}

static int read_nodes(struct kv *kv, struct meta_req *r)
{
    struct ns_key prefix = ns_key(NS_T_NODE), to = ns_key_end(&prefix);

    r->nodes_count = 0;
    return kv_scan(kv, prefix.b, prefix.len, to.b, to.len, node_item, r);
}

static int read_state(struct kv *kv, struct vs_buf *scratch, struct ns_state *ret)
{
    struct ns_key key = ns_key(NS_T_STATE);
    int err = kv_get(kv, key.b, key.len, scratch);

    return err < 0 ? err : ns_state_decode(scratch->data, scratch->len, ret);
}

static int read_stats(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    struct ns_key brake = ns_key(NS_T_BRAKE);
    struct ns_state s;
    int err = read_state(kv, scratch, &s);

    if (err < 0)
        return err;
    r->stats = (struct meta_stats){ .files = s.files,
                                    .directories = s.directories,
                                    .symlinks = s.symlinks,
                                    .logical_bytes = s.logical_bytes,
                                    .stored_bytes = s.stored_bytes,
                                    .chunks = s.chunks,
                                    .applied_slot = s.slot,
                                    .released_waiting = s.released };
    err = kv_get(kv, brake.b, brake.len, scratch);
    if (err == 0 && scratch->len > NS_BRAKE_BYTES_MAX)
        return -VS_ECORRUPT;
    if (err == 0)
        memcpy(r->stats.brake, scratch->data, scratch->len);
    return err == -ENOENT ? 0 : err;
}

int ns_read_cluster(struct kv *kv, struct vs_id *ret)
{
    struct vs_buf scratch = { 0 };
    struct ns_state s;
    int err = read_state(kv, &scratch, &s);

    vs_buf_close(&scratch);
    if (err == 0 && vs_id_is_zero(&s.cluster))
        err = -ENOENT;
    if (err == 0)
        *ret = s.cluster;
    return err;
}

int ns_read_members(struct kv *kv, struct ns_members *ret)
{
    struct ns_key key = ns_key(NS_T_MEMBERS);
    struct vs_buf bytes = { 0 };
    int r = kv_get(kv, key.b, key.len, &bytes);

    if (r == 0)
        r = ns_members_decode(bytes.data, bytes.len, ret);
    vs_buf_close(&bytes);
    return r;
}

/* ---- which -------------------------------------------------------------------------------------
 */

static int read_op(struct kv *kv, struct meta_req *r, struct vs_buf *scratch)
{
    switch (r->op) {
    case META_LOOKUP:
        return read_lookup(kv, r, scratch);
    case META_GETATTR:
        return read_getattr(kv, r, scratch);
    case META_READDIR:
        return read_readdir(kv, r, scratch);
    case META_CONTENT:
        return read_content(kv, r, scratch);
    case META_MEDIA:
        return read_stamped(kv, r, NS_T_MEDIA, scratch);
    case META_GETXATTR:
        return read_xattr(kv, r, scratch);
    case META_LISTXATTR:
        return read_xattrs(kv, r, scratch);
    case META_NODES:
        return read_nodes(kv, r);
    case META_VIEWS:
        return read_views(kv, r, scratch);
    case META_RESERVED:
        return read_reserved(kv, r, scratch);
    case META_STATS:
        return read_stats(kv, r, scratch);
    case META_SCAN:
        return ns_scan(kv, r);
    default:
        return -EINVAL; /* no question about the namespace */
    }
}

int ns_read(struct kv *kv, struct meta_req *r)
{
    struct vs_buf scratch = { 0 };
    int err = read_op(kv, r, &scratch);

    vs_buf_close(&scratch);
    return err;
}
