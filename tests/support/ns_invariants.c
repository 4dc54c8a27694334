/* What must hold in every namespace, checked by looking at every key of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/codec.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include "tests/support/ns_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ALL_FROM "\x01"
#define ALL_TO   "\xff"

/* One inode and what the rest of the store says of it. */
struct seen {
    struct ns_inode i;
    uint32_t names, subdirs;
    uint64_t entries; /* names in it */
    uint32_t xattr_list_bytes, xattr_bytes;
    bool orphan, due, content;
    uint64_t in; /* a directory that names it */
};

struct recount {
    struct nsf *f;
    struct seen *seen;
    size_t count, cap;
    struct ns_state state; /* as recounted */
    uint64_t names, cookies;
};

static struct seen *recount_find(struct recount *c, uint64_t ino)
{
    size_t low = 0, high = c->count;

    while (low < high) { /* inode keys ascend, so does the array */
        size_t middle = low + (high - low) / 2;

        if (c->seen[middle].i.attr.ino < ino)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->count && c->seen[low].i.attr.ino == ino ? &c->seen[low] : NULL;
}

static int recount_inode(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                         size_t value_len)
{
    struct recount *c = arg;
    struct seen *s;

    if (c->count == c->cap) {
        c->cap = c->cap == 0 ? 64 : c->cap * 2;
        c->seen = realloc(c->seen, c->cap * sizeof(*c->seen));
        assert_non_null(c->seen);
    }
    s = &c->seen[c->count++];
    memset(s, 0, sizeof(*s));
    assert_int_equal(key_len, 9);
    assert_int_equal(ns_inode_decode(value, value_len, &s->i), 0);
    assert_int_equal(s->i.attr.ino, ns_key_get_u64(key, 0));
    return 0;
}

static void recount_item(struct recount *c, const uint8_t *key, const uint8_t *value,
                         size_t value_len)
{
    struct ns_item item;
    struct seen *dir = recount_find(c, ns_key_get_u64(key, 0)), *s;

    c->cookies++;
    assert_int_equal(ns_item_decode(value, value_len, &item), 0);
    s = recount_find(c, item.ino);
    assert_non_null(dir); /* a name in no directory */
    assert_non_null(s);   /* a name of no inode */
    assert_int_equal(item.type, s->i.attr.mode & S_IFMT);
    assert_true(ns_key_get_u64(key, 8) >= NS_COOKIE_FIRST);
    dir->entries++;
    dir->subdirs += S_ISDIR(item.type) ? 1 : 0;
    s->names++;
    s->in = dir->i.attr.ino;
    if (S_ISDIR(item.type))
        assert_int_equal(s->i.cookie, ns_key_get_u64(key, 8));
}

/* Both keys of a name say the same. */
static void recount_name(struct recount *c, const uint8_t *key, size_t key_len,
                         const uint8_t *value, size_t value_len)
{
    struct vs_buf buf = { 0 };
    struct ns_item item;
    struct ns_link link;
    struct ns_key by_cookie;

    c->names++;
    assert_int_equal(ns_link_decode(value, value_len, &link), 0);
    by_cookie = ns_key_u64x2(NS_T_COOKIE, ns_key_get_u64(key, 0), link.cookie);
    assert_int_equal(kv_get(c->f->kv, by_cookie.b, by_cookie.len, &buf), 0);
    assert_int_equal(ns_item_decode(buf.data, buf.len, &item), 0);
    assert_int_equal(item.ino, link.ino);
    assert_int_equal(item.name_len, key_len - 9);
    assert_memory_equal(item.name, key + 9, item.name_len);
    vs_buf_close(&buf);
}

static int recount_key(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                       size_t value_len)
{
    struct recount *c = arg;
    struct seen *s = key_len >= 9 ? recount_find(c, ns_key_get_u64(key, 0)) : NULL;
    uint64_t first;

    switch (key[0]) {
    case NS_T_COOKIE:
        recount_item(c, key, value, value_len);
        break;
    case NS_T_ORPHAN:
        assert_non_null(s);
        s->orphan = true;
        break;
    case NS_T_MEDIA_DUE:
        assert_non_null(s);
        s->due = true;
        break;
    case NS_T_CONTENT:
        assert_non_null(s);
        s->content = true;
        break;
    case NS_T_MEDIA:
        assert_non_null(s);
        break;
    case NS_T_XATTR:
        assert_non_null(s);
        s->xattr_list_bytes += (uint32_t)(key_len - 9 + 1);
        s->xattr_bytes += (uint32_t)value_len;
        break;
    case NS_T_RELEASED:
    case NS_T_RELEASED_WHOLE:
        c->state.released++;
        break;
    case NS_T_ABORTED_IDS:
        assert_int_equal(ns_u64_decode(value, value_len, &first), 0);
        assert_true(first <= ns_key_get_u64(key, 7));
        c->state.released += ns_key_get_u64(key, 7) - first + 1;
        break;
    default:
        break;
    }
    return 0;
}

/* A store must not be asked inside a scan of it: names are checked from a copy. */
static int copy_name(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    struct vs_wr w = vs_wr_init(arg, SIZE_MAX);

    vs_wr_blob(&w, key, key_len);
    vs_wr_blob(&w, value, value_len);
    return w.err;
}

static void recount_names(struct recount *c)
{
    struct vs_buf copy = { 0 };
    struct vs_rd r;

    assert_int_equal(kv_scan(c->f->kv, "D", 1, "E", 1, copy_name, &copy), 0);
    r = vs_rd_init(copy.data, copy.len);
    while (vs_rd_left(&r) > 0) {
        size_t key_len, value_len;
        const uint8_t *key = vs_rd_blob(&r, KV_KEY_BYTES_MAX, &key_len);
        const uint8_t *value = vs_rd_blob(&r, KV_VALUE_BYTES_MAX, &value_len);

        recount_name(c, key, key_len, value, value_len);
    }
    assert_int_equal(r.err, 0);
    vs_buf_close(&copy);
}

static void recount_check(struct recount *c, const struct seen *s)
{
    const struct ns_attr *a = &s->i.attr;
    bool is_dir = S_ISDIR(a->mode);

    assert_int_equal(s->orphan, a->nlink == 0);
    assert_int_equal(s->due, (a->flags & NS_F_MEDIA_DUE) != 0);
    assert_int_equal(s->content, a->content != NS_CONTENT_NONE);
    assert_int_equal(s->i.xattr_list_bytes, s->xattr_list_bytes);
    assert_int_equal(s->i.xattr_bytes, s->xattr_bytes);
    if (is_dir) {
        assert_int_equal(s->names, a->nlink > 0 && a->ino != NS_INO_ROOT);
        assert_int_equal(a->nlink, a->nlink > 0 ? 2 + s->subdirs : 0);
        assert_int_equal(a->size, s->entries);
        assert_int_equal(a->parent, s->in);
    } else {
        assert_int_equal(a->nlink, s->names);
        assert_int_equal(a->parent, 0);
        assert_int_equal(a->mirror, 0);
    }
    if (a->nlink == 0)
        return;
    c->state.directories += is_dir;
    c->state.symlinks += S_ISLNK(a->mode);
    c->state.files += !is_dir && !S_ISLNK(a->mode);
    c->state.logical_bytes += a->data_bytes;
    c->state.stored_bytes += a->stored_bytes;
    c->state.chunks += s->i.chunks;
}

void nsf_check(struct nsf *f)
{
    struct recount c = { .f = f };
    struct meta_stats s = nsf_stats(f);

    assert_int_equal(kv_scan(f->kv, "I", 1, "J", 1, recount_inode, &c), 0);
    assert_int_equal(kv_scan(f->kv, ALL_FROM, 1, ALL_TO, 1, recount_key, &c), 0);
    recount_names(&c);
    assert_int_equal(c.names, c.cookies);
    for (size_t i = 0; i < c.count; i++)
        recount_check(&c, &c.seen[i]);
    assert_int_equal(s.files, c.state.files);
    assert_int_equal(s.directories, c.state.directories);
    assert_int_equal(s.symlinks, c.state.symlinks);
    assert_int_equal(s.logical_bytes, c.state.logical_bytes);
    assert_int_equal(s.stored_bytes, c.state.stored_bytes);
    assert_int_equal(s.chunks, c.state.chunks);
    assert_int_equal(s.released_waiting, c.state.released);
    assert_int_equal(s.applied_slot, f->slot);
    free(c.seen);
}

static int digest_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                       size_t value_len)
{
    uint8_t lengths[2] = { (uint8_t)key_len, (uint8_t)(key_len >> 8) };

    vs_sha_update(arg, lengths, sizeof(lengths));
    vs_sha_update(arg, key, key_len);
    vs_sha_update(arg, &value_len, sizeof(value_len));
    vs_sha_update(arg, value, value_len);
    return 0;
}

void nsf_digest(struct kv *kv, uint8_t digest[VS_SHA256_BYTES])
{
    struct vs_sha *sha;

    assert_int_equal(vs_sha_new(&sha), 0);
    assert_int_equal(kv_scan(kv, ALL_FROM, 1, ALL_TO, 1, digest_item, sha), 0);
    vs_sha_final(sha, digest);
    vs_sha_free(sha);
}
