/* Content of inodes: SWAP, MEDIA, FORGET, and what CREATE shares with them.
 *
 * Happy path: content is checked (a manifest head must be whole and of the size it claims), its
 * session closed in the same entry, so that an aborted upload can never be linked; what it lets go
 * is queued for the collector. Failure modes: -ESTALE when somebody else was faster or the file is
 * gone, -EINVAL for content that cannot be. */
#include "meta/ns_rules.h"

#include "common/err.h"
#include "meta/manifest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- check -------------------------------------------------------------------------------------
 */

/* A segment that the new head names must not be collected. */
static bool head_keeps_released(const struct mf_head *h, const struct ns_new_content *c)
{
    for (size_t i = 0; i < c->released_count; i++) {
        if (vs_id_type(&c->released[i]) != VS_ID_SEGMENT)
            continue;
        for (uint32_t s = 0; s < h->segment_count; s++)
            if (vs_id_cmp(&h->segments[s].id, &c->released[i]) == 0)
                return true;
    }
    return false;
}

static int content_check_chunks(struct ns_tx *tx, const struct ns_new_content *c,
                                uint64_t *ret_chunks)
{
    struct mf_head head;
    int r = mf_head_decode(c->bytes, c->bytes_len, &head);

    if (r < 0)
        return r == -ENOMEM ? ns_tx_note(tx, r) : -EINVAL;
    if (head.size != c->size || head.size == 0 || head_keeps_released(&head, c))
        r = -EINVAL;
    *ret_chunks = head.chunk_count - head.hole_count;
    mf_head_close(&head);
    return r;
}

static int content_check_file(struct ns_tx *tx, const struct ns_new_content *c,
                              uint64_t *ret_chunks)
{
    switch (c->kind) {
    case NS_CONTENT_NONE:
        return c->size == 0 && c->bytes_len == 0 ? 0 : -EINVAL;
    case NS_CONTENT_INLINE:
        return c->size == c->bytes_len && c->size <= NS_INLINE_BYTES_MAX ? 0 : -EINVAL;
    case NS_CONTENT_CHUNKS:
        return content_check_chunks(tx, c, ret_chunks);
    default:
        return -EINVAL;
    }
}

int ns_content_check(struct ns_tx *tx, const struct ns_new_content *c, uint32_t mode,
                     uint64_t *ret_chunks)
{
    *ret_chunks = 0;
    if (c->data_bytes > c->size || c->stored_bytes > INT64_MAX ||
        c->released_count > NS_RELEASED_MAX)
        return -EINVAL;
    if (S_ISREG(mode))
        return content_check_file(tx, c, ret_chunks);
    if (!S_ISLNK(mode))
        return c->kind == NS_CONTENT_NONE && c->size == 0 && c->bytes_len == 0 ? 0 : -EINVAL;
    if (c->bytes_len == 0)
        return -ENOENT;
    if (c->bytes_len > NS_SYMLINK_BYTES_MAX)
        return -ENAMETOOLONG;
    if (c->kind != NS_CONTENT_INLINE || c->size != c->bytes_len)
        return -EINVAL;
    return memchr(c->bytes, '\0', c->bytes_len) != NULL ? -EINVAL : 0;
}

/* ---- put ---------------------------------------------------------------------------------------
 */

static void content_write(struct ns_tx *tx, struct ns_inode *i, const struct ns_new_content *c)
{
    struct ns_key content = ns_key_u64(NS_T_CONTENT, i->attr.ino);
    struct ns_key media = ns_key_u64(NS_T_MEDIA, i->attr.ino);
    struct ns_key due = ns_key_u64(NS_T_MEDIA_DUE, i->attr.ino);
    bool had = i->attr.version > 0;

    i->attr.version++;
    if (c->bytes_len > 0)
        ns_tx_put_out(tx, &content,
                      ns_stamp_encode(c->bytes, c->bytes_len, i->attr.version, &tx->out));
    else if (had)
        ns_tx_del(tx, &content);
    if (had)
        ns_tx_del(tx, &media);
    if (c->kind == NS_CONTENT_CHUNKS && i->attr.ino != NS_INO_COPY)
        ns_tx_put(tx, &due, NULL, 0);
    else if ((i->attr.flags & NS_F_MEDIA_DUE) != 0)
        ns_tx_del(tx, &due);
}

int ns_content_put(struct ns_tx *tx, struct ns_inode *i, const struct ns_new_content *c,
                   uint64_t chunks)
{
    uint8_t kind = c->bytes_len == 0 ? NS_CONTENT_NONE : c->kind;
    int r = 0;

    if (c->session != 0)
        r = ns_session_commit(tx, c->session);
    if (r == 0)
        r = ns_release(tx, NS_T_RELEASED, c->released, c->released_count, i->attr.ino);
    if (r < 0)
        return r;
    content_write(tx, i, c);
    i->chunks = chunks;
    i->attr.content = kind;
    i->attr.size = c->size;
    i->attr.data_bytes = c->data_bytes;
    i->attr.stored_bytes = c->stored_bytes;
    i->attr.flags &= ~(uint32_t)(NS_F_FLUSHED | NS_F_MEDIA_DUE);
    if (c->flushed)
        i->attr.flags |= NS_F_FLUSHED;
    if (kind == NS_CONTENT_CHUNKS && i->attr.ino != NS_INO_COPY)
        i->attr.flags |= NS_F_MEDIA_DUE;
    return 0;
}

/* ---- same --------------------------------------------------------------------------------------
 */

/* Copy of an inode's content record without its stamp. */
static int content_load(struct ns_tx *tx, uint64_t ino, struct vs_buf *ret)
{
    struct ns_key key = ns_key_u64(NS_T_CONTENT, ino);
    const uint8_t *value;
    uint64_t version;
    int64_t bytes;
    size_t len;
    int r;

    r = ns_tx_get(tx, &key, &value, &len);
    if (r == -ENOENT)
        return ns_tx_note(tx, -VS_ECORRUPT); /* the inode says that it has content */
    if (r < 0)
        return r;
    bytes = ns_stamp_decode(value, len, &version);
    if (bytes < 0)
        return ns_tx_note(tx, (int)bytes);
    return ns_tx_note(tx, vs_buf_append(ret, value, (size_t)bytes, KV_VALUE_BYTES_MAX));
}

/* Heads are the same if the whole files' hashes are known and equal. */
static int content_same_heads(struct ns_tx *tx, const struct vs_buf *a, const struct vs_buf *b)
{
    struct mf_head ha = { 0 }, hb = { 0 };
    int r;

    r = mf_head_decode(a->data, a->len, &ha);
    if (r == 0)
        r = mf_head_decode(b->data, b->len, &hb);
    if (r == 0)
        r = ha.has_sha && hb.has_sha && memcmp(ha.sha256, hb.sha256, VS_SHA256_BYTES) == 0;
    mf_head_close(&ha);
    mf_head_close(&hb);
    return ns_tx_note(tx, r);
}

int ns_content_same(struct ns_tx *tx, const struct ns_inode *a, const struct ns_inode *b)
{
    struct vs_buf ca = { 0 }, cb = { 0 };
    int r;

    if ((a->attr.mode & S_IFMT) != (b->attr.mode & S_IFMT) || a->attr.content != b->attr.content ||
        a->attr.size != b->attr.size)
        return 0;
    if (!S_ISREG(a->attr.mode) && !S_ISLNK(a->attr.mode))
        return 0;
    if (a->attr.content == NS_CONTENT_NONE)
        return 1;
    r = content_load(tx, a->attr.ino, &ca);
    if (r == 0)
        r = content_load(tx, b->attr.ino, &cb);
    if (r == 0 && a->attr.content == NS_CONTENT_CHUNKS)
        r = content_same_heads(tx, &ca, &cb);
    else if (r == 0)
        r = ca.len == cb.len && memcmp(ca.data, cb.data, ca.len) == 0;
    vs_buf_close(&ca);
    vs_buf_close(&cb);
    return r;
}

/* ---- swap, media -------------------------------------------------------------------------------
 */

/* The copy of the metadata has no name, so nobody creates it: its first content does. */
static void swap_first_copy(struct ns_tx *tx, struct ns_inode *i)
{
    *i = (struct ns_inode){ .attr = { .ino = NS_INO_COPY,
                                      .generation = 1,
                                      .mode = S_IFREG | 0400,
                                      .nlink = 1,
                                      .atime = tx->now,
                                      .btime = tx->now } };
}

int ns_rule_swap(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_inode i;
    uint64_t chunks;
    int r;

    r = ns_tx_inode(tx, e->ino, &i);
    if (r == -ENOENT && e->ino == NS_INO_COPY) {
        swap_first_copy(tx, &i);
        r = 0;
    }
    if (r < 0)
        return r;
    if (!S_ISREG(i.attr.mode))
        return -EINVAL;
    if (i.attr.nlink == 0 || i.attr.version != e->base_version)
        return -ESTALE;
    r = ns_content_check(tx, &e->content, i.attr.mode, &chunks);
    if (r < 0)
        return r;
    ns_tx_count(tx, &i, -1);
    r = ns_content_put(tx, &i, &e->content, chunks);
    if (r < 0)
        return r;
    ns_tx_count(tx, &i, 1);
    i.attr.ctime = tx->now;
    if (!e->keep_times)
        i.attr.mtime = tx->now;
    ns_tx_put_inode(tx, &i);
    if (e->mount != 0)
        ns_writer_put(tx, e->ino, e->mount);
    a->attr = i.attr;
    return 0;
}

int ns_rule_media(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    struct ns_key media = ns_key_u64(NS_T_MEDIA, e->ino);
    struct ns_key due = ns_key_u64(NS_T_MEDIA_DUE, e->ino);
    struct mf_media checked;
    struct ns_inode i;
    int r;

    r = ns_tx_inode(tx, e->ino, &i);
    if (r < 0)
        return r;
    if (!S_ISREG(i.attr.mode))
        return -EINVAL;
    if (i.attr.nlink == 0 || i.attr.version != e->base_version)
        return -ESTALE;
    r = mf_media_decode(e->value, e->value_len, &checked);
    if (r < 0)
        return r == -ENOMEM ? ns_tx_note(tx, r) : -EINVAL;
    mf_media_close(&checked);
    ns_tx_put_out(tx, &media, ns_stamp_encode(e->value, e->value_len, i.attr.version, &tx->out));
    if ((i.attr.flags & NS_F_MEDIA_DUE) != 0)
        ns_tx_del(tx, &due);
    i.attr.flags &= ~(uint32_t)NS_F_MEDIA_DUE;
    ns_tx_put_inode(tx, &i);
    a->attr = i.attr;
    return 0;
}

/* ---- forget ------------------------------------------------------------------------------------
 */

/* A pure rule cannot read segments, so they are queued whole: the collector expands them. */
static int forget_release(struct ns_tx *tx, uint64_t ino)
{
    struct vs_buf content = { 0 };
    struct mf_head head = { 0 };
    struct vs_id *ids = NULL;
    int r;

    r = content_load(tx, ino, &content);
    if (r == 0)
        r = ns_tx_note(tx, mf_head_decode(content.data, content.len, &head));
    if (r == 0 && head.segment_count > 0) {
        ids = calloc(head.segment_count, sizeof(*ids));
        if (ids == NULL)
            r = ns_tx_note(tx, -ENOMEM);
    }
    if (r == 0) {
        for (uint32_t s = 0; s < head.segment_count; s++)
            ids[s] = head.segments[s].id;
        r = ns_release(tx, NS_T_RELEASED_WHOLE, ids, head.segment_count, 0);
    }
    free(ids);
    mf_head_close(&head);
    vs_buf_close(&content);
    return r;
}

int ns_rule_forget(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a)
{
    const enum ns_table tables[] = { NS_T_INODE,  NS_T_CONTENT, NS_T_MEDIA,
                                     NS_T_ORPHAN, NS_T_VIEWS,   NS_T_WRITER };
    struct ns_inode i;
    int r;

    r = ns_tx_inode(tx, e->ino, &i);
    if (r < 0)
        return r;
    if (i.attr.nlink > 0)
        return -EBUSY;
    r = ns_holders_left(tx, e->ino, e->mount);
    if (r != 0)
        return r < 0 ? r : 0; /* the last of them forgets it */
    if (i.attr.content == NS_CONTENT_CHUNKS)
        r = forget_release(tx, e->ino);
    if (r == 0)
        r = ns_xattr_drop(tx, e->ino);
    if (r < 0)
        return r;
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        struct ns_key key = ns_key_u64(tables[t], e->ino);

        ns_tx_del(tx, &key);
    }
    a->attr = i.attr;
    return 0;
}
