/* What one entry changed: from the keys of its batch to a record; and records read again.
 *
 * Happy path: what is put or deleted of an inode becomes one change, names one each. Failure modes:
 * an entry that changes more than a record holds has none; bytes that are no records are refused
 * before anything in them is believed. */
#include "meta/feed_change.h"

#include "common/err.h"
#include "meta/kv.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"

#include <stdlib.h>

#define INODE_KEY_BYTES 9 /* a letter and a number */

struct change_list {
    struct feed_change *at;
    size_t count;
};

/* The change of this inode; a batch has the keys of one mostly side by side. */
static struct feed_change *list_inode(struct change_list *l, uint64_t ino)
{
    for (size_t n = l->count; n > 0; n--)
        if (l->at[n - 1].what != FEED_NAME && l->at[n - 1].ino == ino)
            return &l->at[n - 1];
    if (l->count == FEED_INODES_MAX)
        return NULL;
    l->at[l->count] = (struct feed_change){ .ino = ino };
    return &l->at[l->count++];
}

static int note_inode(struct change_list *l, const uint8_t *key, enum feed_what what)
{
    struct feed_change *c = list_inode(l, ns_key_get_u64(key, 0));

    if (c == NULL)
        return -ENOBUFS;
    c->what |= (uint8_t)what;
    return 0;
}

static int note_attr(struct change_list *l, const uint8_t *key, const uint8_t *value, size_t len)
{
    struct feed_change *c = list_inode(l, ns_key_get_u64(key, 0));
    struct ns_inode i;
    int r;

    if (c == NULL)
        return -ENOBUFS;
    if (value == NULL) { /* forgotten */
        c->what = FEED_GONE;
        return 0;
    }
    c->what |= FEED_ATTR;
    r = ns_inode_decode(value, len, &i);
    if (r < 0)
        return r;
    c->version = i.attr.version;
    if (i.attr.nlink == 0)
        c->what |= FEED_GONE;
    return 0;
}

static int note_name(struct change_list *l, const uint8_t *key, size_t key_len,
                     const uint8_t *value, size_t len)
{
    struct ns_link link = { 0 };
    int r;

    if (l->count == FEED_INODES_MAX)
        return -ENOBUFS;
    if (value != NULL) {
        r = ns_link_decode(value, len, &link);
        if (r < 0)
            return r;
    }
    l->at[l->count++] = (struct feed_change){ .what = FEED_NAME,
                                              .dir = ns_key_get_u64(key, 0),
                                              .ino = link.ino,
                                              .name = (const char *)key + INODE_KEY_BYTES,
                                              .name_len = (uint8_t)(key_len - INODE_KEY_BYTES) };
    return 0;
}

/* A kv_batch_fn. */
static int note_key(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                    size_t value_len)
{
    struct change_list *l = arg;

    if (key_len < INODE_KEY_BYTES)
        return 0;
    switch (key[0]) {
    case NS_T_INODE:
        return note_attr(l, key, value, value_len);
    case NS_T_CONTENT:
        return note_inode(l, key, FEED_CONTENT);
    case NS_T_XATTR:
        return note_inode(l, key, FEED_XATTR);
    case NS_T_NAME:
        return note_name(l, key, key_len, value, value_len);
    default:
        return 0;
    }
}

static void wr_change(struct vs_wr *w, const struct feed_change *c)
{
    vs_wr_u8(w, c->what);
    if (c->what == FEED_NAME) {
        vs_wr_u64(w, c->dir);
        vs_wr_u64(w, c->ino);
        vs_wr_u8(w, c->name_len);
        vs_wr_bytes(w, c->name, c->name_len);
    } else {
        vs_wr_u64(w, c->ino);
        vs_wr_u64(w, c->version);
    }
}

static int wr_record(uint64_t slot, uint64_t client, const struct change_list *l,
                     struct vs_buf *ret)
{
    size_t start = ret->len;
    struct vs_wr w = vs_wr_init(ret, start + FEED_RECORD_BYTES_MAX);

    vs_wr_u64(&w, slot);
    vs_wr_u64(&w, client);
    vs_wr_u16(&w, (uint16_t)l->count);
    for (size_t n = 0; n < l->count; n++)
        wr_change(&w, &l->at[n]);
    if (w.err < 0)
        ret->len = start;
    return w.err == -EMSGSIZE ? -ENOBUFS : w.err;
}

int feed_record(uint64_t slot, uint64_t client, const struct kv_batch *batch, struct vs_buf *ret)
{
    struct change_list l = { .at = malloc(FEED_INODES_MAX * sizeof(*l.at)) };
    int r;

    if (l.at == NULL)
        return -ENOMEM;
    r = kv_batch_each(batch, note_key, &l);
    if (r == 0 && l.count > 0)
        r = wr_record(slot, client, &l, ret);
    if (r == 0)
        r = l.count > 0;
    free(l.at);
    return r;
}

/* ---- and back ---------------------------------------------------------------------------------
 */

struct feed_walk feed_walk_init(const void *records, size_t len)
{
    return (struct feed_walk){ .rd = vs_rd_init(records, len) };
}

static bool what_is_known(uint8_t what)
{
    return what == FEED_NAME || (what > 0 && what < FEED_NAME);
}

int feed_walk_next(struct feed_walk *w, struct feed_change *c)
{
    struct vs_rd *r = &w->rd;
    uint64_t slot;

    if (w->left == 0) {
        if (vs_rd_left(r) == 0)
            return r->err;
        slot = vs_rd_u64(r);
        w->client = vs_rd_u64(r);
        w->left = vs_rd_u16(r);
        if (r->err < 0 || slot <= w->slot || w->left == 0 || w->left > FEED_INODES_MAX)
            return r->err = -VS_ECORRUPT;
        w->slot = slot;
    }
    *c = (struct feed_change){ .slot = w->slot, .client = w->client, .what = vs_rd_u8(r) };
    if (c->what == FEED_NAME) {
        c->dir = vs_rd_u64(r);
        c->ino = vs_rd_u64(r);
        c->name_len = vs_rd_u8(r);
        c->name = (const char *)vs_rd_view(r, c->name_len);
    } else {
        c->ino = vs_rd_u64(r);
        c->version = vs_rd_u64(r);
    }
    if (r->err < 0 || !what_is_known(c->what) || (c->what == FEED_NAME && c->name_len == 0))
        return r->err = -VS_ECORRUPT;
    w->left--;
    return 1;
}
