/* Values of the namespace, as bytes and back.
 *
 * Happy path: a format byte, then the fields in the order of the struct, little-endian. Failure
 * modes: a newer format, bytes that are not whole, a name, type or time that cannot be. */
#include "meta/ns_record.h"

#include "common/codec.h"
#include "common/err.h"

#include <string.h>
#include <sys/stat.h>

#define NS_RECORD_FORMAT    1
#define NS_NODE_FORMAT      2 /* of a node that is not just there: state and capacity, too */
#define NS_SESSION_FORMAT   2 /* of a session: whose it is, and its signs of life */
#define NS_MOUNT_FORMAT     2 /* of a mount: what it has heard of, and may still read */
#define NS_RECORD_BYTES_MAX (16u << 20)
#define NS_NSEC_MAX         999999999u

static struct vs_wr record_wr_format(struct vs_buf *ret, uint8_t format)
{
    struct vs_wr w = vs_wr_init(ret, NS_RECORD_BYTES_MAX);

    vs_wr_u8(&w, format);
    return w;
}

static struct vs_wr record_wr(struct vs_buf *ret)
{
    return record_wr_format(ret, NS_RECORD_FORMAT);
}

/* The format when its byte is one we know. */
static int record_rd_format(struct vs_rd *r, const void *bytes, size_t len, uint8_t format_max)
{
    uint8_t format;

    *r = vs_rd_init(bytes, len);
    format = vs_rd_u8(r);
    if (r->err < 0 || format == 0)
        return -VS_ECORRUPT;
    return format > format_max ? -VS_ENEWER : format;
}

static int record_rd(struct vs_rd *r, const void *bytes, size_t len)
{
    int format = record_rd_format(r, bytes, len, NS_RECORD_FORMAT);

    return format < 0 ? format : 0;
}

void ns_time_wr(struct vs_wr *w, const struct ns_time *t)
{
    if (t->ns > NS_NSEC_MAX)
        w->err = -EINVAL;
    vs_wr_u64(w, (uint64_t)t->s);
    vs_wr_u32(w, t->ns);
}

struct ns_time ns_time_rd(struct vs_rd *r)
{
    struct ns_time t;

    t.s = (int64_t)vs_rd_u64(r);
    t.ns = vs_rd_u32(r);
    if (t.ns > NS_NSEC_MAX)
        r->err = -VS_ECORRUPT;
    return t;
}

static void wr_id(struct vs_wr *w, const struct vs_id *id)
{
    vs_wr_bytes(w, id->b, VS_ID_BYTES);
}

static void rd_id(struct vs_rd *r, struct vs_id *id)
{
    vs_rd_bytes(r, id->b, VS_ID_BYTES);
}

static void wr_name(struct vs_wr *w, const char *name, uint8_t len)
{
    vs_wr_u8(w, len);
    vs_wr_bytes(w, name, len);
}

static uint8_t rd_name(struct vs_rd *r, char name[NS_NAME_BYTES_MAX])
{
    uint8_t len = vs_rd_u8(r);

    vs_rd_bytes(r, name, len);
    return r->err < 0 ? 0 : len;
}

/* ---- state -------------------------------------------------------------------------------------
 */

int ns_state_encode(const struct ns_state *s, struct vs_buf *ret)
{
    struct vs_wr w = record_wr(ret);

    wr_id(&w, &s->cluster);
    vs_wr_u64(&w, s->slot);
    vs_wr_u64(&w, s->next_ino);
    vs_wr_u64(&w, s->next_cookie);
    vs_wr_u64(&w, s->next_session);
    vs_wr_u64(&w, s->next_seq);
    vs_wr_u64(&w, s->files);
    vs_wr_u64(&w, s->directories);
    vs_wr_u64(&w, s->symlinks);
    vs_wr_u64(&w, s->logical_bytes);
    vs_wr_u64(&w, s->stored_bytes);
    vs_wr_u64(&w, s->chunks);
    vs_wr_u64(&w, s->released);
    return w.err;
}

int ns_state_decode(const void *bytes, size_t len, struct ns_state *ret)
{
    struct ns_state s;
    struct vs_rd r;
    int err = record_rd(&r, bytes, len);

    if (err < 0)
        return err;
    rd_id(&r, &s.cluster);
    s.slot = vs_rd_u64(&r);
    s.next_ino = vs_rd_u64(&r);
    s.next_cookie = vs_rd_u64(&r);
    s.next_session = vs_rd_u64(&r);
    s.next_seq = vs_rd_u64(&r);
    s.files = vs_rd_u64(&r);
    s.directories = vs_rd_u64(&r);
    s.symlinks = vs_rd_u64(&r);
    s.logical_bytes = vs_rd_u64(&r);
    s.stored_bytes = vs_rd_u64(&r);
    s.chunks = vs_rd_u64(&r);
    s.released = vs_rd_u64(&r);
    err = vs_rd_done(&r);
    if (err == 0)
        *ret = s;
    return err;
}

/* ---- inode -------------------------------------------------------------------------------------
 */

void ns_attr_wr(struct vs_wr *w, const struct ns_attr *a)
{
    vs_wr_u64(w, a->ino);
    vs_wr_u32(w, a->generation);
    vs_wr_u32(w, a->mode);
    vs_wr_u32(w, a->uid);
    vs_wr_u32(w, a->gid);
    vs_wr_u32(w, a->nlink);
    vs_wr_u32(w, a->rdev);
    vs_wr_u64(w, a->size);
    vs_wr_u64(w, a->data_bytes);
    vs_wr_u64(w, a->stored_bytes);
    ns_time_wr(w, &a->atime);
    ns_time_wr(w, &a->mtime);
    ns_time_wr(w, &a->ctime);
    ns_time_wr(w, &a->btime);
    vs_wr_u64(w, a->version);
    vs_wr_u64(w, a->mirror);
    vs_wr_u64(w, a->parent);
    vs_wr_u32(w, a->flags);
    vs_wr_u8(w, a->content);
}

void ns_attr_rd(struct vs_rd *r, struct ns_attr *a)
{
    memset(a, 0, sizeof(*a)); /* padding too: answers are compared as bytes */
    a->ino = vs_rd_u64(r);
    a->generation = vs_rd_u32(r);
    a->mode = vs_rd_u32(r);
    a->uid = vs_rd_u32(r);
    a->gid = vs_rd_u32(r);
    a->nlink = vs_rd_u32(r);
    a->rdev = vs_rd_u32(r);
    a->size = vs_rd_u64(r);
    a->data_bytes = vs_rd_u64(r);
    a->stored_bytes = vs_rd_u64(r);
    a->atime = ns_time_rd(r);
    a->mtime = ns_time_rd(r);
    a->ctime = ns_time_rd(r);
    a->btime = ns_time_rd(r);
    a->version = vs_rd_u64(r);
    a->mirror = vs_rd_u64(r);
    a->parent = vs_rd_u64(r);
    a->flags = vs_rd_u32(r);
    a->content = vs_rd_u8(r);
    if (a->content > NS_CONTENT_CHUNKS)
        r->err = -VS_ECORRUPT;
}

int ns_inode_encode(const struct ns_inode *i, struct vs_buf *ret)
{
    struct vs_wr w = record_wr(ret);
    struct ns_attr attr = i->attr;

    attr.flags &= ~(uint32_t)NS_F_XATTRS;
    ns_attr_wr(&w, &attr);
    vs_wr_u64(&w, i->cookie);
    vs_wr_u64(&w, i->chunks);
    vs_wr_u32(&w, i->xattr_list_bytes);
    vs_wr_u32(&w, i->xattr_bytes);
    return w.err;
}

int ns_inode_decode(const void *bytes, size_t len, struct ns_inode *ret)
{
    struct ns_inode i;
    struct vs_rd r;
    int err = record_rd(&r, bytes, len);

    if (err < 0)
        return err;
    ns_attr_rd(&r, &i.attr);
    i.cookie = vs_rd_u64(&r);
    i.chunks = vs_rd_u64(&r);
    i.xattr_list_bytes = vs_rd_u32(&r);
    i.xattr_bytes = vs_rd_u32(&r);
    err = vs_rd_done(&r);
    if (err == 0 && (i.attr.flags & NS_F_XATTRS) != 0)
        err = -VS_ECORRUPT; /* never stored */
    if (i.xattr_list_bytes > 0)
        i.attr.flags |= NS_F_XATTRS;
    if (err == 0)
        *ret = i;
    return err;
}

/* ---- names -------------------------------------------------------------------------------------
 */

int ns_link_encode(const struct ns_link *l, struct vs_buf *ret)
{
    struct vs_wr w = record_wr(ret);

    vs_wr_u64(&w, l->ino);
    vs_wr_u64(&w, l->cookie);
    return w.err;
}

int ns_link_decode(const void *bytes, size_t len, struct ns_link *ret)
{
    struct ns_link l;
    struct vs_rd r;
    int err = record_rd(&r, bytes, len);

    if (err < 0)
        return err;
    l.ino = vs_rd_u64(&r);
    l.cookie = vs_rd_u64(&r);
    err = vs_rd_done(&r);
    if (err == 0)
        *ret = l;
    return err;
}

int ns_item_encode(const struct ns_item *i, struct vs_buf *ret)
{
    struct vs_wr w = record_wr(ret);

    vs_wr_u64(&w, i->ino);
    vs_wr_u32(&w, i->type);
    wr_name(&w, i->name, i->name_len);
    return w.err;
}

int ns_item_decode(const void *bytes, size_t len, struct ns_item *ret)
{
    struct ns_item i;
    struct vs_rd r;
    int err = record_rd(&r, bytes, len);

    if (err < 0)
        return err;
    i.ino = vs_rd_u64(&r);
    i.type = vs_rd_u32(&r);
    i.name_len = rd_name(&r, i.name);
    err = vs_rd_done(&r);
    if (err == 0 && (i.name_len == 0 || (i.type & ~(uint32_t)S_IFMT) != 0))
        err = -VS_ECORRUPT;
    if (err == 0)
        *ret = i;
    return err;
}

/* ---- sessions, nodes, retries ------------------------------------------------------------------
 */

int ns_session_encode(const struct ns_session *s, struct vs_buf *ret)
{
    bool more = s->mount != 0 || s->signs != 0;
    struct vs_wr w = record_wr_format(ret, more ? NS_SESSION_FORMAT : NS_RECORD_FORMAT);

    vs_wr_u16(&w, s->pid);
    vs_wr_u32(&w, s->inc);
    ns_time_wr(&w, &s->opened);
    ns_time_wr(&w, &s->extended);
    vs_wr_u64(&w, s->last_first);
    vs_wr_u64(&w, s->last_count);
    vs_wr_u32(&w, s->range_count);
    if (more) {
        vs_wr_u64(&w, s->mount);
        vs_wr_u64(&w, s->signs);
    }
    return w.err;
}

int ns_session_decode(const void *bytes, size_t len, struct ns_session *ret)
{
    struct ns_session s = { 0 };
    struct vs_rd r;
    int err = record_rd_format(&r, bytes, len, NS_SESSION_FORMAT);
    bool more = err == NS_SESSION_FORMAT;

    if (err < 0)
        return err;
    s.pid = vs_rd_u16(&r);
    s.inc = vs_rd_u32(&r);
    s.opened = ns_time_rd(&r);
    s.extended = ns_time_rd(&r);
    s.last_first = vs_rd_u64(&r);
    s.last_count = vs_rd_u64(&r);
    s.range_count = vs_rd_u32(&r);
    if (more) {
        s.mount = vs_rd_u64(&r);
        s.signs = vs_rd_u64(&r);
    }
    err = vs_rd_done(&r);
    if (err == 0 && more != (s.mount != 0 || s.signs != 0))
        err = -VS_ECORRUPT;
    if (err == 0)
        *ret = s;
    return err;
}

int ns_mount_encode(const struct ns_mount *m, struct vs_buf *ret)
{
    bool more = m->heard != 0 || m->pins_len != 0;
    struct vs_wr w = record_wr_format(ret, more ? NS_MOUNT_FORMAT : NS_RECORD_FORMAT);

    vs_wr_u64(&w, m->signs);
    if (more) {
        vs_wr_u64(&w, m->heard);
        vs_wr_blob(&w, m->pins, m->pins_len);
    }
    return w.err;
}

int ns_mount_decode(const void *bytes, size_t len, struct ns_mount *ret)
{
    struct ns_mount m = { 0 };
    struct vs_rd r;
    int err = record_rd_format(&r, bytes, len, NS_MOUNT_FORMAT);
    bool more = err == NS_MOUNT_FORMAT;

    if (err < 0)
        return err;
    m.signs = vs_rd_u64(&r);
    if (more) {
        m.heard = vs_rd_u64(&r);
        m.pins = vs_rd_blob(&r, NS_MOUNT_PINS_MAX * sizeof(uint64_t), &m.pins_len);
    }
    err = vs_rd_done(&r);
    if (err == 0 &&
        (m.pins_len % sizeof(uint64_t) != 0 || more != (m.heard != 0 || m.pins_len != 0)))
        err = -VS_ECORRUPT;
    if (err == 0)
        *ret = m;
    return err;
}

int ns_released_encode(const struct ns_released *r, struct vs_buf *ret)
{
    struct vs_wr w = record_wr(ret);

    vs_wr_u64(&w, r->slot);
    vs_wr_u64(&w, r->ino);
    return w.err;
}

int ns_released_decode(const void *bytes, size_t len, struct ns_released *ret)
{
    struct ns_released released = { 0 };
    struct vs_rd r;
    int err;

    if (len > 0) {
        err = record_rd(&r, bytes, len);
        if (err < 0)
            return err;
        released.slot = vs_rd_u64(&r);
        released.ino = vs_rd_u64(&r);
        err = vs_rd_done(&r);
        if (err < 0)
            return err;
    }
    *ret = released;
    return 0;
}

static void wr_text(struct vs_wr *w, const char *text, size_t cap)
{
    vs_wr_blob(w, text, strnlen(text, cap - 1));
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

int ns_node_encode(const struct ns_node *n, struct vs_buf *ret)
{
    bool more = n->state != NS_NODE_IN || n->capacity_bytes != 0;
    struct vs_wr w = record_wr_format(ret, more ? NS_NODE_FORMAT : NS_RECORD_FORMAT);

    vs_wr_u32(&w, n->node);
    wr_id(&w, &n->uuid);
    wr_text(&w, n->name, sizeof(n->name));
    wr_text(&w, n->domain, sizeof(n->domain));
    wr_text(&w, n->path, sizeof(n->path));
    if (more) {
        vs_wr_u8(&w, n->state);
        vs_wr_u64(&w, n->capacity_bytes);
    }
    return w.err;
}

int ns_node_decode(const void *bytes, size_t len, struct ns_node *ret)
{
    struct ns_node n = { 0 };
    struct vs_rd r;
    int err = record_rd_format(&r, bytes, len, NS_NODE_FORMAT);
    bool more = err == NS_NODE_FORMAT;

    if (err < 0)
        return err;
    n.node = vs_rd_u32(&r);
    rd_id(&r, &n.uuid);
    rd_text(&r, n.name, sizeof(n.name));
    rd_text(&r, n.domain, sizeof(n.domain));
    rd_text(&r, n.path, sizeof(n.path));
    if (more) {
        n.state = vs_rd_u8(&r);
        n.capacity_bytes = vs_rd_u64(&r);
    }
    err = vs_rd_done(&r);
    if (err == 0 &&
        (n.state > NS_NODE_GONE || more != (n.state != NS_NODE_IN || n.capacity_bytes != 0)))
        err = -VS_ECORRUPT;
    if (err == 0)
        *ret = n;
    return err;
}

int ns_retry_encode(const struct ns_retry *retry, struct vs_buf *ret)
{
    const struct ns_answer *a = &retry->answer;
    struct vs_wr w = record_wr(ret);

    vs_wr_u64(&w, retry->request);
    vs_wr_u32(&w, (uint32_t)-a->status);
    ns_attr_wr(&w, &a->attr);
    ns_attr_wr(&w, &a->replaced);
    vs_wr_u64(&w, a->first);
    vs_wr_u64(&w, a->session);
    vs_wr_u8(&w, a->published);
    vs_wr_u64(&w, a->dir);
    wr_name(&w, a->name, a->name_len);
    return w.err;
}

int ns_retry_decode(const void *bytes, size_t len, struct ns_retry *ret)
{
    struct ns_retry retry = { 0 };
    struct ns_answer *a = &retry.answer;
    struct vs_rd r;
    int err = record_rd(&r, bytes, len);
    uint32_t status;

    if (err < 0)
        return err;
    retry.request = vs_rd_u64(&r);
    status = vs_rd_u32(&r);
    ns_attr_rd(&r, &a->attr);
    ns_attr_rd(&r, &a->replaced);
    a->first = vs_rd_u64(&r);
    a->session = vs_rd_u64(&r);
    a->published = vs_rd_u8(&r);
    a->dir = vs_rd_u64(&r);
    a->name_len = rd_name(&r, a->name);
    err = vs_rd_done(&r);
    if (err == 0 && status >= VS_ERR_LAST)
        err = -VS_ECORRUPT;
    if (err < 0)
        return err;
    a->status = -(int)status;
    *ret = retry;
    return 0;
}

/* ---- numbers and stamped bytes -----------------------------------------------------------------
 */

int ns_u64_encode(uint64_t n, struct vs_buf *ret)
{
    struct vs_wr w = record_wr(ret);

    vs_wr_u64(&w, n);
    return w.err;
}

int ns_u64_decode(const void *bytes, size_t len, uint64_t *ret)
{
    struct vs_rd r;
    int err = record_rd(&r, bytes, len);
    uint64_t n;

    if (err < 0)
        return err;
    n = vs_rd_u64(&r);
    err = vs_rd_done(&r);
    if (err == 0)
        *ret = n;
    return err;
}

int ns_members_encode(const struct ns_members *m, struct vs_buf *ret)
{
    struct vs_wr w = record_wr(ret);

    vs_wr_u8(&w, m->is_open);
    return w.err < 0 ? w.err : member_set_encode(&m->set, ret);
}

int ns_members_decode(const void *bytes, size_t len, struct ns_members *ret)
{
    struct vs_rd r;
    struct ns_members m;
    int err = record_rd(&r, bytes, len);
    uint8_t open;

    if (err < 0)
        return err;
    open = vs_rd_u8(&r);
    if (r.err < 0 || open > 1)
        return -VS_ECORRUPT;
    m.is_open = open == 1;
    err = member_set_decode(r.pos, vs_rd_left(&r), &m.set);
    if (err == 0)
        *ret = m;
    return err;
}

int ns_stamp_encode(const void *bytes, size_t len, uint64_t version, struct vs_buf *ret)
{
    struct vs_wr w = vs_wr_init(ret, NS_RECORD_BYTES_MAX);

    vs_wr_bytes(&w, bytes, len);
    vs_wr_u64(&w, version);
    return w.err;
}

int64_t ns_stamp_decode(const void *bytes, size_t len, uint64_t *ret_version)
{
    struct vs_rd r;

    if (len < sizeof(uint64_t))
        return -VS_ECORRUPT;
    r = vs_rd_init((const uint8_t *)bytes + len - sizeof(uint64_t), sizeof(uint64_t));
    *ret_version = vs_rd_u64(&r);
    return (int64_t)(len - sizeof(uint64_t));
}
