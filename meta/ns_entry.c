/* Journal entries, as bytes and back.
 *
 * Happy path: a head all entries share, then the groups of fields that the kind uses, in the order
 * of enum entry_group; a table says which kind has which group. Decoding lends everything from the
 * input. Failure modes: a newer format, an unknown kind, bytes that are not whole, a field out of
 * its limits. */
#include "meta/ns_entry.h"

#include "common/codec.h"
#include "common/err.h"
#include "meta/ns_record.h"

#include <string.h>

#define ENTRY_FORMAT   1
#define ENTRY_FORMAT_2 2 /* says more than format 1 has room for */

/* Groups of fields, in the order they are written. */
enum entry_group {
    G_PARENT = 1 << 0,    /* parent, name */
    G_INO = 1 << 1,       /* ino */
    G_NEW_NAME = 1 << 2,  /* new_parent, new_name */
    G_FLAGS = 1 << 3,     /* flags */
    G_ATTR = 1 << 4,      /* set, flags_set, flags_clear, attr */
    G_CONTENT = 1 << 5,   /* content, keep_times */
    G_BASE = 1 << 6,      /* base_version */
    G_XATTR = 1 << 7,     /* name of an attribute */
    G_VALUE = 1 << 8,     /* value */
    G_TAKEN = 1 << 9,     /* taken */
    G_SESSION = 1 << 10,  /* session */
    G_COUNT = 1 << 11,    /* count */
    G_OWNER = 1 << 12,    /* pid, inc */
    G_NODE = 1 << 13,     /* node */
    G_CLUSTER = 1 << 14,  /* cluster */
    G_IDS = 1 << 15,      /* collected */
    G_RELEASED = 1 << 16, /* content.released alone */
    G_NODE_2 = 1 << 17,   /* node: state, capacity (format 2) */
    G_MOUNT = 1 << 18,    /* mount */
    G_SIGNS = 1 << 19,    /* signs */
    G_HEARD = 1 << 20,    /* heard, value (format 2) */
};

/* Every known kind has a bit that no group uses, so that 0 means unknown. */
#define G_KNOWN (1u << 31)

static uint32_t entry_groups(unsigned kind)
{
    static const uint32_t groups[] = {
        [NS_E_NOP] = G_KNOWN,
        [NS_E_CREATE] = G_KNOWN | G_PARENT | G_INO | G_FLAGS | G_ATTR | G_CONTENT,
        [NS_E_LINK] = G_KNOWN | G_PARENT | G_INO,
        [NS_E_UNLINK] = G_KNOWN | G_PARENT,
        [NS_E_RMDIR] = G_KNOWN | G_PARENT,
        [NS_E_RENAME] = G_KNOWN | G_PARENT | G_NEW_NAME | G_FLAGS,
        [NS_E_SETATTR] = G_KNOWN | G_INO | G_ATTR,
        [NS_E_SETXATTR] = G_KNOWN | G_INO | G_FLAGS | G_XATTR | G_VALUE,
        [NS_E_REMOVEXATTR] = G_KNOWN | G_INO | G_XATTR,
        [NS_E_SWAP] = G_KNOWN | G_INO | G_CONTENT | G_BASE,
        [NS_E_FORGET] = G_KNOWN | G_INO,
        [NS_E_PUBLISH] = G_KNOWN | G_PARENT | G_TAKEN,
        [NS_E_RESERVE] = G_KNOWN | G_COUNT,
        [NS_E_SESSION_OPEN] = G_KNOWN | G_COUNT | G_OWNER,
        [NS_E_SESSION_EXTEND] = G_KNOWN | G_SESSION | G_COUNT,
        [NS_E_SESSION_ABORT] = G_KNOWN | G_SESSION | G_RELEASED,
        [NS_E_SESSION_TOUCH] = G_KNOWN | G_MOUNT,
        [NS_E_MOUNT] = G_KNOWN | G_MOUNT,
        [NS_E_MOUNT_END] = G_KNOWN | G_MOUNT | G_SIGNS,
        [NS_E_MEDIA] = G_KNOWN | G_INO | G_BASE | G_VALUE,
        [NS_E_NODE_PUT] = G_KNOWN | G_NODE,
        [NS_E_COLLECTED] = G_KNOWN | G_IDS,
        [NS_E_CLUSTER] = G_KNOWN | G_ATTR | G_CLUSTER,
        [NS_E_MEMBERS] = G_KNOWN | G_FLAGS | G_VALUE,
        [NS_E_VIEWS] = G_KNOWN | G_VALUE,
        [NS_E_BRAKE] = G_KNOWN | G_VALUE,
    };

    return kind < sizeof(groups) / sizeof(groups[0]) ? groups[kind] : 0;
}

/* ---- out ---------------------------------------------------------------------------------------
 */

/* too_long: the errno for a name over its limit. */
static void wr_name(struct vs_wr *w, const char *name, size_t len, int too_long)
{
    if (len > NS_NAME_BYTES_MAX)
        w->err = too_long;
    vs_wr_u8(w, (uint8_t)len);
    vs_wr_bytes(w, name, len);
}

static void wr_ids(struct vs_wr *w, const struct vs_id *ids, size_t count)
{
    if (count > NS_RELEASED_MAX)
        w->err = -EINVAL;
    vs_wr_u32(w, (uint32_t)count);
    vs_wr_bytes(w, ids, count * sizeof(*ids));
}

static void wr_attr(struct vs_wr *w, const struct ns_entry *e)
{
    vs_wr_u32(w, e->set);
    vs_wr_u32(w, e->flags_set);
    vs_wr_u32(w, e->flags_clear);
    vs_wr_u32(w, e->attr.mode);
    vs_wr_u32(w, e->attr.uid);
    vs_wr_u32(w, e->attr.gid);
    vs_wr_u32(w, e->attr.rdev);
    ns_time_wr(w, &e->attr.atime);
    ns_time_wr(w, &e->attr.mtime);
}

static void wr_content(struct vs_wr *w, const struct ns_entry *e)
{
    const struct ns_new_content *c = &e->content;

    vs_wr_u8(w, c->kind);
    vs_wr_blob(w, c->bytes, c->bytes_len);
    vs_wr_u64(w, c->size);
    vs_wr_u64(w, c->data_bytes);
    vs_wr_u64(w, c->stored_bytes);
    vs_wr_u64(w, c->session);
    vs_wr_u8(w, c->flushed);
    wr_ids(w, c->released, c->released_count);
    vs_wr_u8(w, e->keep_times);
}

static void wr_text(struct vs_wr *w, const char *text, size_t cap)
{
    size_t len = strnlen(text, cap);

    if (len == cap)
        w->err = -EINVAL;
    vs_wr_blob(w, text, len);
}

static void wr_node(struct vs_wr *w, const struct ns_node *n)
{
    vs_wr_u32(w, n->node);
    vs_wr_bytes(w, n->uuid.b, VS_ID_BYTES);
    wr_text(w, n->name, sizeof(n->name));
    wr_text(w, n->domain, sizeof(n->domain));
    wr_text(w, n->path, sizeof(n->path));
}

static bool node_says_more(const struct ns_node *n)
{
    return n->node == 0 || n->state != NS_NODE_IN || n->capacity_bytes != 0;
}

/* The group that format 2 adds to this kind; 0: none. */
static uint32_t entry_group_2(enum ns_entry_kind kind)
{
    return kind == NS_E_NODE_PUT        ? G_NODE_2
           : kind == NS_E_SESSION_OPEN  ? G_MOUNT
           : kind == NS_E_FORGET        ? G_MOUNT
           : kind == NS_E_CREATE        ? G_MOUNT
           : kind == NS_E_SWAP          ? G_MOUNT
           : kind == NS_E_SESSION_ABORT ? G_SIGNS
           : kind == NS_E_MOUNT         ? G_HEARD
                                        : 0;
}

/* Does it need that? What does not is of format 1, in one way only. */
static bool entry_says_more(const struct ns_entry *e)
{
    return (e->kind == NS_E_NODE_PUT && node_says_more(&e->node)) ||
           ((e->kind == NS_E_SESSION_OPEN || e->kind == NS_E_FORGET || e->kind == NS_E_CREATE ||
             e->kind == NS_E_SWAP) &&
            e->mount != 0) ||
           (e->kind == NS_E_SESSION_ABORT && e->signs != 0) ||
           (e->kind == NS_E_MOUNT && (e->heard != 0 || e->value_len != 0));
}

static void wr_places(struct vs_wr *w, const struct ns_entry *e, uint32_t has)
{
    if (has & G_PARENT) {
        vs_wr_u64(w, e->parent);
        wr_name(w, e->name, e->name_len, -ENAMETOOLONG);
    }
    if (has & G_INO)
        vs_wr_u64(w, e->ino);
    if (has & G_NEW_NAME) {
        vs_wr_u64(w, e->new_parent);
        wr_name(w, e->new_name, e->new_name_len, -ENAMETOOLONG);
    }
    if (has & G_FLAGS)
        vs_wr_u32(w, e->flags);
}

static void wr_things(struct vs_wr *w, const struct ns_entry *e, uint32_t has)
{
    if (has & G_ATTR)
        wr_attr(w, e);
    if (has & G_CONTENT)
        wr_content(w, e);
    if (has & G_BASE)
        vs_wr_u64(w, e->base_version);
    if (has & G_XATTR)
        wr_name(w, e->name, e->name_len, -ERANGE);
    if (has & G_VALUE)
        vs_wr_blob(w, e->value, e->value_len);
    if (has & G_TAKEN)
        vs_wr_u8(w, e->taken);
    if (has & G_SESSION)
        vs_wr_u64(w, e->session);
    if (has & G_COUNT)
        vs_wr_u64(w, e->count);
    if (has & G_OWNER) {
        vs_wr_u16(w, e->pid);
        vs_wr_u32(w, e->inc);
    }
    if (has & G_NODE)
        wr_node(w, &e->node);
    if (has & G_NODE_2) {
        vs_wr_u8(w, e->node.state);
        vs_wr_u64(w, e->node.capacity_bytes);
    }
    if (has & G_MOUNT)
        vs_wr_u64(w, e->mount);
    if (has & G_SIGNS)
        vs_wr_u64(w, e->signs);
    if (has & G_HEARD) {
        if (e->value_len > NS_MOUNT_PINS_MAX * sizeof(uint64_t))
            w->err = -EINVAL;
        vs_wr_u64(w, e->heard);
        vs_wr_blob(w, e->value, e->value_len);
    }
    if (has & G_CLUSTER)
        vs_wr_bytes(w, e->cluster.b, VS_ID_BYTES);
    if (has & G_IDS)
        wr_ids(w, e->collected, e->collected_count);
    if (has & G_RELEASED)
        wr_ids(w, e->content.released, e->content.released_count);
}

int ns_entry_encode(const struct ns_entry *e, struct vs_buf *ret)
{
    uint32_t has = entry_groups(e->kind);
    size_t start = ret->len;
    struct vs_wr w = vs_wr_init(ret, start + NS_ENTRY_BYTES_MAX);

    if (has == 0)
        return -EINVAL;
    if (entry_says_more(e))
        has |= entry_group_2(e->kind);
    vs_wr_u8(&w, entry_says_more(e) ? ENTRY_FORMAT_2 : ENTRY_FORMAT);
    vs_wr_u8(&w, (uint8_t)e->kind);
    ns_time_wr(&w, &e->now);
    vs_wr_u64(&w, e->client);
    vs_wr_u64(&w, e->request);
    wr_places(&w, e, has);
    wr_things(&w, e, has);
    if (w.err < 0)
        ret->len = start;
    return w.err;
}

/* ---- in ----------------------------------------------------------------------------------------
 */

static const char *rd_name(struct vs_rd *r, size_t *ret_len)
{
    size_t len = vs_rd_u8(r);
    const uint8_t *view = vs_rd_view(r, len);

    *ret_len = view != NULL ? len : 0;
    return (const char *)view;
}

static bool rd_bool(struct vs_rd *r)
{
    uint8_t v = vs_rd_u8(r);

    if (v > 1)
        r->err = -VS_ECORRUPT;
    return v == 1;
}

/* Ids are bytes without alignment, so they are lent like everything else. */
static const struct vs_id *rd_ids(struct vs_rd *r, size_t *ret_count)
{
    size_t count = vs_rd_u32(r);
    const uint8_t *view;

    if (count > NS_RELEASED_MAX)
        r->err = -VS_ECORRUPT;
    view = vs_rd_view(r, count * sizeof(struct vs_id));
    *ret_count = view != NULL ? count : 0;
    return (const struct vs_id *)view;
}

static void rd_attr(struct vs_rd *r, struct ns_entry *e)
{
    e->set = vs_rd_u32(r);
    e->flags_set = vs_rd_u32(r);
    e->flags_clear = vs_rd_u32(r);
    e->attr.mode = vs_rd_u32(r);
    e->attr.uid = vs_rd_u32(r);
    e->attr.gid = vs_rd_u32(r);
    e->attr.rdev = vs_rd_u32(r);
    e->attr.atime = ns_time_rd(r);
    e->attr.mtime = ns_time_rd(r);
}

static void rd_content(struct vs_rd *r, struct ns_entry *e)
{
    struct ns_new_content *c = &e->content;

    c->kind = vs_rd_u8(r);
    c->bytes = vs_rd_blob(r, NS_ENTRY_BYTES_MAX, &c->bytes_len);
    c->size = vs_rd_u64(r);
    c->data_bytes = vs_rd_u64(r);
    c->stored_bytes = vs_rd_u64(r);
    c->session = vs_rd_u64(r);
    c->flushed = rd_bool(r);
    c->released = rd_ids(r, &c->released_count);
    e->keep_times = rd_bool(r);
}

/* text: `cap` bytes, zeroed. */
static void rd_text(struct vs_rd *r, char *text, size_t cap)
{
    size_t len;
    const uint8_t *view = vs_rd_blob(r, cap - 1, &len);

    if (len > 0 && memchr(view, '\0', len) != NULL)
        r->err = -VS_ECORRUPT;
    else if (len > 0)
        memcpy(text, view, len);
}

static void rd_node(struct vs_rd *r, struct ns_node *n)
{
    n->node = vs_rd_u32(r);
    vs_rd_bytes(r, n->uuid.b, VS_ID_BYTES);
    rd_text(r, n->name, sizeof(n->name));
    rd_text(r, n->domain, sizeof(n->domain));
    rd_text(r, n->path, sizeof(n->path));
}

static void rd_places(struct vs_rd *r, struct ns_entry *e, uint32_t has)
{
    if (has & G_PARENT) {
        e->parent = vs_rd_u64(r);
        e->name = rd_name(r, &e->name_len);
    }
    if (has & G_INO)
        e->ino = vs_rd_u64(r);
    if (has & G_NEW_NAME) {
        e->new_parent = vs_rd_u64(r);
        e->new_name = rd_name(r, &e->new_name_len);
    }
    if (has & G_FLAGS)
        e->flags = vs_rd_u32(r);
}

static void rd_things(struct vs_rd *r, struct ns_entry *e, uint32_t has)
{
    if (has & G_ATTR)
        rd_attr(r, e);
    if (has & G_CONTENT)
        rd_content(r, e);
    if (has & G_BASE)
        e->base_version = vs_rd_u64(r);
    if (has & G_XATTR)
        e->name = rd_name(r, &e->name_len);
    if (has & G_VALUE)
        e->value = vs_rd_blob(r, NS_ENTRY_BYTES_MAX, &e->value_len);
    if (has & G_TAKEN)
        e->taken = vs_rd_u8(r);
    if (has & G_SESSION)
        e->session = vs_rd_u64(r);
    if (has & G_COUNT)
        e->count = vs_rd_u64(r);
    if (has & G_OWNER) {
        e->pid = vs_rd_u16(r);
        e->inc = vs_rd_u32(r);
    }
    if (has & G_NODE)
        rd_node(r, &e->node);
    if (has & G_NODE_2) {
        e->node.state = vs_rd_u8(r);
        e->node.capacity_bytes = vs_rd_u64(r);
    }
    if (has & G_MOUNT)
        e->mount = vs_rd_u64(r);
    if (has & G_SIGNS)
        e->signs = vs_rd_u64(r);
    if (has & G_HEARD) {
        e->heard = vs_rd_u64(r);
        e->value = vs_rd_blob(r, NS_MOUNT_PINS_MAX * sizeof(uint64_t), &e->value_len);
    }
    if (has & G_CLUSTER)
        vs_rd_bytes(r, e->cluster.b, VS_ID_BYTES);
    if (has & G_IDS)
        e->collected = rd_ids(r, &e->collected_count);
    if (has & G_RELEASED)
        e->content.released = rd_ids(r, &e->content.released_count);
}

int ns_entry_decode(const void *bytes, size_t len, struct ns_entry *ret, void **ret_ids)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    struct ns_entry e = { 0 };
    uint8_t format, kind;
    uint32_t has;

    if (len > NS_ENTRY_BYTES_MAX)
        return -VS_ECORRUPT;
    format = vs_rd_u8(&r);
    kind = vs_rd_u8(&r);
    if (r.err < 0 || format == 0)
        return -VS_ECORRUPT;
    has = entry_groups(kind);
    if (has == 0) /* a kind we do not know was added by a later program */
        return -VS_ENEWER;
    if (format == ENTRY_FORMAT_2 && entry_group_2((enum ns_entry_kind)kind) != 0)
        has |= entry_group_2((enum ns_entry_kind)kind);
    else if (format > ENTRY_FORMAT)
        return -VS_ENEWER;
    e.kind = (enum ns_entry_kind)kind;
    e.now = ns_time_rd(&r);
    e.client = vs_rd_u64(&r);
    e.request = vs_rd_u64(&r);
    rd_places(&r, &e, has);
    rd_things(&r, &e, has);
    if (vs_rd_done(&r) < 0 || entry_says_more(&e) != (format == ENTRY_FORMAT_2))
        return -VS_ECORRUPT;
    *ret = e;
    *ret_ids = NULL; /* nothing had to be copied */
    return 0;
}
