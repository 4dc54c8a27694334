/* Answers of the metadata, as bytes and back; see the header.
 *
 * Happy path: the status, then what the operation gives. A request that failed has no body, but for
 * what is said of each register, and the attributes beside content that is not there. Failure
 * modes: more than there is room for, or anything that cannot be: refused as a whole. */
#include "meta/meta_wire.h"

#include "common/assert.h"
#include "common/err.h"
#include "meta/feed_change.h"
#include "meta/ns_record.h"
#include "meta/px.h"
#include "meta/tail_record.h"

static const char magic[4] = { 'V', 'S', 'M', 'A' };

#define ATTR_BYTES_MAX   256 /* more than ns_attr_wr() writes */
#define DIRENT_BYTES_MAX (ATTR_BYTES_MAX + NS_NAME_BYTES_MAX + 16)
#define NODE_BYTES_MAX   1024
#define NODE_NOW_BYTES   26

/* ---- out --------------------------------------------------------------------------------------
 */

static void wr_status(struct vs_wr *w, int status)
{
    VS_ASSERT(status <= 0 && status > -VS_ERR_LAST);
    vs_wr_u16(w, (uint16_t)-status);
}

static void wr_change(struct vs_wr *w, const struct meta_req *r)
{
    const struct ns_retry answer = { .answer = r->answer };

    if (w->err == 0)
        w->err = ns_retry_encode(&answer, w->buf);
}

static void wr_dirents(struct vs_wr *w, const struct meta_req *r)
{
    vs_wr_u32(w, r->dirents_count);
    for (uint32_t i = 0; i < r->dirents_count; i++) {
        const struct ns_dirent *d = &r->dirents[i];

        vs_wr_u64(w, d->cookie);
        vs_wr_u8(w, d->name_len);
        vs_wr_bytes(w, d->name, d->name_len);
        if (r->with_attr) {
            ns_attr_wr(w, &d->attr);
        } else {
            vs_wr_u64(w, d->attr.ino);
            vs_wr_u32(w, d->attr.mode);
        }
    }
}

static void wr_regs(struct vs_wr *w, const struct meta_req *r)
{
    vs_wr_u32(w, r->reg_count);
    for (uint32_t i = 0; w->err == 0 && i < r->reg_count; i++) {
        wr_status(w, r->regs[i].status);
        meta_wire_wr_blob(w, r->regs[i].current.data, r->regs[i].current.len, PX_VALUE_BYTES_MAX);
    }
}

static void wr_now(struct vs_wr *w, const struct health_now *now)
{
    vs_wr_u8(w, now->known ? now->state + 1 : 0);
    vs_wr_u8(w, now->heard ? 1 + now->writable : 0);
    vs_wr_u64(w, now->free_bytes);
    vs_wr_u64(w, now->total_bytes);
    vs_wr_u64(w, now->fragments);
}

static void wr_nodes(struct vs_wr *w, const struct meta_req *r)
{
    static const struct health_now unknown;
    struct vs_buf node = { 0 };

    vs_wr_u32(w, r->nodes_count);
    for (uint32_t i = 0; w->err == 0 && i < r->nodes_count; i++) {
        node.len = 0;
        w->err = ns_node_encode(&r->nodes[i], &node);
        meta_wire_wr_blob(w, node.data, node.len, NODE_BYTES_MAX);
        wr_now(w, r->nodes_now != NULL ? &r->nodes_now[i] : &unknown);
    }
    vs_buf_close(&node);
}

static void wr_stats(struct vs_wr *w, const struct meta_stats *s)
{
    vs_wr_u64(w, s->files);
    vs_wr_u64(w, s->directories);
    vs_wr_u64(w, s->symlinks);
    vs_wr_u64(w, s->logical_bytes);
    vs_wr_u64(w, s->stored_bytes);
    vs_wr_u64(w, s->chunks);
    vs_wr_u64(w, s->applied_slot);
    vs_wr_u64(w, s->first_slot);
    vs_wr_u64(w, s->synced_batches);
    vs_wr_u64(w, s->released_waiting);
    vs_wr_blob(w, s->brake, strlen(s->brake));
}

static void wr_scan(struct vs_wr *w, const struct meta_req *r)
{
    bool ids = meta_wire_scan_ids((unsigned)r->scan) > 0;

    vs_wr_u32(w, r->scan_count);
    for (uint32_t i = 0; i < r->scan_count; i++) {
        if (ids)
            vs_wr_bytes(w, r->scan_ids[i].b, VS_ID_BYTES);
        else
            vs_wr_u64(w, r->scan_u64[i]);
    }
}

/* One entry may be more than an answer otherwise. */
static size_t changes_max(const struct meta_req *r)
{
    return r->op == META_ENTRIES ? TAIL_ENTRY_BYTES_MAX : FEED_ANSWER_BYTES_MAX;
}

static void wr_changes(struct vs_wr *w, const struct meta_req *r)
{
    vs_wr_u64(w, r->slot);
    vs_wr_u8(w, r->reset);
    meta_wire_wr_blob(w, r->bytes.data, r->bytes.len, changes_max(r));
}

static void wr_body(struct vs_wr *w, const struct meta_req *r)
{
    switch (r->op) {
    case META_CHANGE:
        wr_change(w, r);
        return;
    case META_LOOKUP:
    case META_GETATTR:
        ns_attr_wr(w, &r->attr);
        return;
    case META_READDIR:
        wr_dirents(w, r);
        return;
    case META_CONTENT:
    case META_MEDIA:
    case META_VIEWS:
        ns_attr_wr(w, &r->attr);
        meta_wire_wr_blob(w, r->bytes.data, r->status < 0 ? 0 : r->bytes.len,
                          META_WIRE_BLOB_BYTES_MAX);
        return;
    case META_GETXATTR:
    case META_LISTXATTR:
        meta_wire_wr_blob(w, r->bytes.data, r->bytes.len, META_WIRE_BLOB_BYTES_MAX);
        return;
    case META_REG_CREATE:
    case META_REG_READ:
    case META_REG_CHANGE:
        wr_regs(w, r);
        return;
    case META_NODES:
        wr_nodes(w, r);
        return;
    case META_RESERVED:
        return;
    case META_STATS:
        wr_stats(w, &r->stats);
        return;
    case META_SCAN:
        wr_scan(w, r);
        return;
    case META_DUMP:
        vs_wr_u64(w, r->dump);
        vs_wr_u8(w, r->dump_ended);
        meta_wire_wr_blob(w, r->bytes.data, r->bytes.len, META_WIRE_BLOB_BYTES_MAX);
        return;
    case META_CHANGES:
    case META_ENTRIES:
        wr_changes(w, r);
        return;
    }
    w->err = -EINVAL;
}

/* Is there a body behind this status? */
static bool has_body(enum meta_op op, int status)
{
    return status == 0 || meta_wire_op_regs(op) || op == META_CONTENT || op == META_MEDIA;
}

int meta_wire_answer(const struct meta_req *r, struct vs_buf *ret)
{
    size_t start = ret->len;
    struct vs_wr w = meta_wire_begin(ret, magic, (unsigned)r->op + 1);

    VS_ASSERT(r->status <= 0 && r->status > -VS_ERR_LAST);
    vs_wr_u16(&w, (uint16_t)((unsigned)-r->status | (r->passed ? META_WIRE_PASSED : 0)));
    if (has_body(r->op, r->status))
        wr_body(&w, r);
    return meta_wire_end(&w, start);
}

int meta_wire_answer_hello(const struct meta_wire_hello *h, struct vs_buf *ret)
{
    size_t start = ret->len;
    struct vs_wr w = meta_wire_begin(ret, magic, META_WIRE_OP_HELLO);
    struct vs_buf members = { 0 };
    int r = h->members.count > 0 ? member_set_encode(&h->members, &members) : 0;

    vs_wr_u16(&w, 0);
    vs_wr_u16(&w, h->pid);
    vs_wr_u32(&w, h->inc);
    vs_wr_bytes(&w, h->cluster.b, VS_ID_BYTES);
    vs_wr_u8(&w, h->leads);
    vs_wr_blob(&w, members.data, members.len);
    vs_buf_close(&members);
    if (r < 0 && w.err == 0)
        w.err = r;
    return meta_wire_end(&w, start);
}

size_t meta_wire_answer_max(const struct meta_req *r)
{
    size_t max = 256 + ATTR_BYTES_MAX;

    switch (r->op) {
    case META_CHANGE:
        max += 2 * ATTR_BYTES_MAX + NS_NAME_BYTES_MAX;
        break;
    case META_READDIR:
        max += (size_t)META_LIST_MAX * DIRENT_BYTES_MAX;
        break;
    case META_CONTENT:
    case META_MEDIA:
    case META_VIEWS:
    case META_GETXATTR:
    case META_LISTXATTR:
    case META_DUMP:
        max += META_WIRE_BLOB_BYTES_MAX;
        break;
    case META_REG_CREATE: /* a status each */
        max += (size_t)r->reg_count * 8;
        break;
    case META_REG_READ:
    case META_REG_CHANGE:
        max += (size_t)r->reg_count * (PX_VALUE_BYTES_MAX + 8);
        break;
    case META_NODES:
        max += (size_t)META_WIRE_NODES_MAX * (NODE_BYTES_MAX + 4 + NODE_NOW_BYTES);
        break;
    case META_SCAN:
        max += (size_t)META_LIST_MAX * VS_ID_BYTES;
        break;
    case META_CHANGES:
        max += FEED_ANSWER_BYTES_MAX;
        break;
    case META_ENTRIES:
        max += TAIL_ENTRY_BYTES_MAX;
        break;
    default:
        break;
    }
    return max < META_WIRE_BYTES_MAX ? max : META_WIRE_BYTES_MAX;
}

/* ---- in ---------------------------------------------------------------------------------------
 */

static int status_of(struct vs_rd *r, unsigned status)
{
    if (r->err == 0 && status >= VS_ERR_LAST)
        r->err = -VS_ECORRUPT;
    return -(int)status;
}

static int rd_status(struct vs_rd *r)
{
    return status_of(r, vs_rd_u16(r));
}

/* How many there are, at most `max`. */
static uint32_t rd_count(struct vs_rd *r, uint32_t max)
{
    uint32_t n = vs_rd_u32(r);

    if (r->err == 0 && n > max)
        r->err = -VS_ECORRUPT;
    return r->err < 0 ? 0 : n;
}

static int rd_change(struct vs_rd *r, struct meta_req *q)
{
    size_t len = vs_rd_left(r);
    struct ns_retry answer;
    int err = ns_retry_decode(vs_rd_view(r, len), len, &answer);

    if (err == 0 && (answer.request != 0 || answer.answer.status != 0))
        err = -VS_ECORRUPT;
    if (err == 0)
        q->answer = answer.answer;
    return err;
}

static void rd_dirents(struct vs_rd *r, struct meta_req *q)
{
    uint32_t count = rd_count(r, q->dirents_max);

    for (uint32_t i = 0; r->err == 0 && i < count; i++) {
        struct ns_dirent *d = &q->dirents[i];

        d->cookie = vs_rd_u64(r);
        d->name_len = vs_rd_u8(r);
        vs_rd_bytes(r, d->name, d->name_len);
        d->attr = (struct ns_attr){ 0 };
        if (q->with_attr) {
            ns_attr_rd(r, &d->attr);
        } else {
            d->attr.ino = vs_rd_u64(r);
            d->attr.mode = vs_rd_u32(r);
        }
    }
    q->dirents_count = count;
}

static int rd_blob(struct vs_rd *r, struct vs_buf *ret, size_t len_max)
{
    size_t len;
    const uint8_t *bytes = vs_rd_blob(r, len_max, &len);

    ret->len = 0;
    return r->err < 0 ? r->err : vs_buf_append(ret, bytes, len, len_max);
}

static int rd_dump(struct vs_rd *r, struct meta_req *q)
{
    uint8_t ended;

    q->dump = vs_rd_u64(r);
    ended = vs_rd_u8(r);
    q->dump_ended = ended == 1;
    return ended > 1 ? -VS_ECORRUPT : rd_blob(r, &q->bytes, META_WIRE_BLOB_BYTES_MAX);
}

static int rd_regs(struct vs_rd *r, struct meta_req *q)
{
    int err = 0;

    if (rd_count(r, q->reg_count) != q->reg_count)
        return -VS_ECORRUPT;
    for (uint32_t i = 0; err == 0 && r->err == 0 && i < q->reg_count; i++) {
        q->regs[i].status = rd_status(r);
        err = rd_blob(r, &q->regs[i].current, PX_VALUE_BYTES_MAX);
    }
    return err;
}

static struct health_now rd_now(struct vs_rd *r)
{
    uint8_t state = vs_rd_u8(r), heard = vs_rd_u8(r);
    struct health_now now = { .known = state > 0,
                              .state = state > 0 ? state - 1 : 0,
                              .heard = heard > 0,
                              .writable = heard > 1 };

    now.free_bytes = vs_rd_u64(r);
    now.total_bytes = vs_rd_u64(r);
    now.fragments = vs_rd_u64(r);
    if (state > HEALTH_STATES || heard > 2)
        r->err = -VS_ECORRUPT;
    return now;
}

static int rd_nodes(struct vs_rd *r, struct meta_req *q)
{
    uint32_t count = rd_count(r, q->nodes_max);
    int err = 0;

    for (uint32_t i = 0; err == 0 && i < count; i++) {
        size_t len;
        const uint8_t *bytes = vs_rd_blob(r, NODE_BYTES_MAX, &len);

        struct health_now now;

        err = r->err < 0 ? r->err : ns_node_decode(bytes, len, &q->nodes[i]);
        now = rd_now(r);
        if (q->nodes_now != NULL)
            q->nodes_now[i] = now;
    }
    q->nodes_count = count;
    return err;
}

static void rd_stats(struct vs_rd *r, struct meta_stats *s)
{
    const uint8_t *why;
    size_t len;

    s->files = vs_rd_u64(r);
    s->directories = vs_rd_u64(r);
    s->symlinks = vs_rd_u64(r);
    s->logical_bytes = vs_rd_u64(r);
    s->stored_bytes = vs_rd_u64(r);
    s->chunks = vs_rd_u64(r);
    s->applied_slot = vs_rd_u64(r);
    s->first_slot = vs_rd_u64(r);
    s->synced_batches = vs_rd_u64(r);
    s->released_waiting = vs_rd_u64(r);
    why = vs_rd_blob(r, NS_BRAKE_BYTES_MAX, &len);
    memset(s->brake, 0, sizeof(s->brake));
    if (len > 0)
        memcpy(s->brake, why, len);
    if (strlen(s->brake) != len)
        r->err = -VS_ECORRUPT;
}

static void rd_scan(struct vs_rd *r, struct meta_req *q)
{
    bool ids = meta_wire_scan_ids((unsigned)q->scan) > 0;
    uint32_t count = rd_count(r, q->scan_max);

    for (uint32_t i = 0; r->err == 0 && i < count; i++) {
        if (ids)
            vs_rd_bytes(r, q->scan_ids[i].b, VS_ID_BYTES);
        else
            q->scan_u64[i] = vs_rd_u64(r);
    }
    q->scan_count = count;
}

static int rd_changes(struct vs_rd *r, struct meta_req *q)
{
    uint8_t reset;

    q->slot = vs_rd_u64(r);
    reset = vs_rd_u8(r);
    q->reset = reset != 0;
    return reset > 1 ? -VS_ECORRUPT : rd_blob(r, &q->bytes, changes_max(q));
}

/* Nothing, when the request failed. */
static int rd_content(struct vs_rd *r, struct meta_req *q)
{
    int err = rd_blob(r, &q->bytes, META_WIRE_BLOB_BYTES_MAX);

    return err == 0 && q->answer.status < 0 && q->bytes.len > 0 ? -VS_ECORRUPT : err;
}

static int rd_body(struct vs_rd *r, struct meta_req *q)
{
    switch (q->op) {
    case META_CHANGE:
        return rd_change(r, q);
    case META_LOOKUP:
    case META_GETATTR:
        ns_attr_rd(r, &q->attr);
        return 0;
    case META_READDIR:
        rd_dirents(r, q);
        return 0;
    case META_CONTENT:
    case META_MEDIA:
    case META_VIEWS:
        ns_attr_rd(r, &q->attr);
        return rd_content(r, q);
    case META_GETXATTR:
    case META_LISTXATTR:
        return rd_blob(r, &q->bytes, META_WIRE_BLOB_BYTES_MAX);
    case META_REG_CREATE:
    case META_REG_READ:
    case META_REG_CHANGE:
        return rd_regs(r, q);
    case META_NODES:
        return rd_nodes(r, q);
    case META_RESERVED:
        return 0;
    case META_STATS:
        rd_stats(r, &q->stats);
        return 0;
    case META_SCAN:
        rd_scan(r, q);
        return 0;
    case META_DUMP:
        return rd_dump(r, q);
    case META_CHANGES:
    case META_ENTRIES:
        return rd_changes(r, q);
    }
    return -VS_ECORRUPT;
}

int meta_wire_answered(const void *bytes, size_t len, struct meta_req *q)
{
    struct vs_rd r;
    unsigned op, head;
    int status, err = meta_wire_open(bytes, len, magic, &r, &op);

    if (err < 0)
        return err;
    if (op != (unsigned)q->op + 1)
        return -VS_ECORRUPT;
    head = vs_rd_u16(&r);
    status = status_of(&r, head & ~META_WIRE_PASSED);
    q->passed = (head & META_WIRE_PASSED) != 0;
    q->dirents_count = q->nodes_count = q->scan_count = 0;
    q->bytes.len = 0;
    q->answer = (struct ns_answer){ .status = status };
    if (r.err == 0 && has_body(q->op, status))
        err = rd_body(&r, q);
    if (err == 0)
        err = vs_rd_done(&r);
    if (err == 0)
        q->status = status;
    return err;
}

int meta_wire_answered_hello(const void *bytes, size_t len, struct meta_wire_hello *ret)
{
    struct meta_wire_hello h = { 0 };
    const uint8_t *members;
    size_t members_len;
    struct vs_rd r;
    unsigned op;
    int err = meta_wire_open(bytes, len, magic, &r, &op);

    if (err < 0)
        return err;
    if (op != META_WIRE_OP_HELLO || rd_status(&r) != 0)
        return -VS_ECORRUPT;
    h.pid = vs_rd_u16(&r);
    h.inc = vs_rd_u32(&r);
    vs_rd_bytes(&r, h.cluster.b, VS_ID_BYTES);
    h.leads = vs_rd_u8(&r) != 0;
    members = vs_rd_blob(&r, MEMBER_SET_BYTES_MAX, &members_len);
    err = vs_rd_done(&r);
    if (err == 0 && members_len > 0)
        err = member_set_decode(members, members_len, &h.members);
    if (err == 0)
        *ret = h;
    return err;
}
