/* Questions to the metadata, as bytes and back; see the header.
 *
 * Happy path: the fields that the operation uses, in a row; read back into a request whose lists
 * have memory of their own. Failure modes: a field beyond its limit is refused on both sides; on
 * the reading side before memory is taken. */
#include "meta/meta_wire.h"

#include "common/err.h"
#include "meta/ns_entry.h"
#include "meta/px.h"

#include <stdlib.h>

static const char magic[4] = { 'V', 'S', 'M', 'Q' };

/* ---- out --------------------------------------------------------------------------------------
 */

static void wr_entry(struct vs_wr *w, const struct ns_entry *e)
{
    struct vs_buf bytes = { 0 };

    if (w->err == 0)
        w->err = ns_entry_encode(e, &bytes);
    meta_wire_wr_blob(w, bytes.data, bytes.len, NS_ENTRY_BYTES_MAX);
    vs_buf_close(&bytes);
}

static void wr_name(struct vs_wr *w, const struct meta_req *r)
{
    if (w->err == 0 && r->name_len > META_WIRE_NAME_BYTES_MAX)
        w->err = r->op == META_LOOKUP ? -ENAMETOOLONG : -ERANGE;
    meta_wire_wr_blob(w, r->name, r->name_len, META_WIRE_NAME_BYTES_MAX);
}

static void wr_regs(struct vs_wr *w, const struct meta_req *r)
{
    if (w->err == 0 && r->reg_count > META_REGISTER_BATCH_MAX)
        w->err = -EINVAL;
    vs_wr_u32(w, r->reg_count);
    for (uint32_t i = 0; w->err == 0 && i < r->reg_count; i++) {
        const struct meta_reg *reg = &r->regs[i];

        vs_wr_bytes(w, reg->id.b, VS_ID_BYTES);
        if (r->op == META_REG_CHANGE)
            vs_wr_u32(w, reg->expect_generation);
        if (r->op != META_REG_READ)
            meta_wire_wr_blob(w, reg->value, reg->value_len, PX_VALUE_BYTES_MAX);
    }
}

static uint32_t at_most(uint32_t n, uint32_t max)
{
    return n < max ? n : max;
}

static void wr_scan(struct vs_wr *w, const struct meta_req *r)
{
    if (w->err == 0 && meta_wire_scan_ids((unsigned)r->scan) < 0)
        w->err = -EINVAL;
    vs_wr_u8(w, (uint8_t)r->scan);
    vs_wr_u64(w, r->scan_after);
    vs_wr_bytes(w, r->scan_after_id.b, VS_ID_BYTES);
    vs_wr_u32(w, at_most(r->scan_max, META_LIST_MAX));
}

static void wr_body(struct vs_wr *w, const struct meta_req *r)
{
    switch (r->op) {
    case META_CHANGE:
        wr_entry(w, r->entry);
        return;
    case META_LOOKUP:
    case META_GETXATTR:
        vs_wr_u64(w, r->ino);
        wr_name(w, r);
        return;
    case META_GETATTR:
    case META_CONTENT:
    case META_MEDIA:
    case META_VIEWS:
    case META_LISTXATTR:
        vs_wr_u64(w, r->ino);
        return;
    case META_READDIR:
        vs_wr_u64(w, r->ino);
        vs_wr_u64(w, r->cookie);
        vs_wr_u8(w, r->with_attr);
        vs_wr_u32(w, at_most(r->dirents_max, META_LIST_MAX));
        return;
    case META_REG_CREATE:
    case META_REG_READ:
    case META_REG_CHANGE:
        wr_regs(w, r);
        return;
    case META_NODES:
        vs_wr_u32(w, at_most(r->nodes_max, META_WIRE_NODES_MAX));
        return;
    case META_RESERVED:
        vs_wr_u64(w, r->ino);
        vs_wr_bytes(w, r->scan_after_id.b, VS_ID_BYTES);
        return;
    case META_STATS:
        return;
    case META_SCAN:
        wr_scan(w, r);
        return;
    case META_DUMP:
        vs_wr_u64(w, r->dump);
        return;
    case META_CHANGES:
    case META_ENTRIES:
        vs_wr_u64(w, r->after);
        vs_wr_u32(w, r->wait_ms);
        return;
    }
    w->err = -EINVAL;
}

int meta_wire_ask(const struct meta_req *r, const struct vs_id *cluster, struct vs_buf *ret)
{
    size_t start = ret->len;
    struct vs_wr w = meta_wire_begin(ret, magic, (unsigned)r->op + 1);

    vs_wr_u16(&w, (uint16_t)((r->hint ? META_WIRE_HINT : 0) | (r->here ? META_WIRE_HERE : 0)));
    vs_wr_bytes(&w, cluster->b, VS_ID_BYTES);
    wr_body(&w, r);
    return meta_wire_end(&w, start);
}

int meta_wire_ask_hello(struct vs_buf *ret)
{
    static const struct vs_id nobody;
    size_t start = ret->len;
    struct vs_wr w = meta_wire_begin(ret, magic, META_WIRE_OP_HELLO);

    vs_wr_u16(&w, 0);
    vs_wr_bytes(&w, nobody.b, VS_ID_BYTES);
    return meta_wire_end(&w, start);
}

/* ---- in ---------------------------------------------------------------------------------------
 */

static int take_room(struct meta_wire_asked *a, size_t count, size_t each)
{
    a->room = calloc(count > 0 ? count : 1, each);
    return a->room == NULL ? -ENOMEM : 0;
}

/* A number within its limits, or the reader fails. */
static uint32_t rd_count(struct vs_rd *r, uint32_t min, uint32_t max)
{
    uint32_t n = vs_rd_u32(r);

    if (r->err == 0 && (n < min || n > max))
        r->err = -VS_ECORRUPT;
    return r->err < 0 ? 0 : n;
}

static int rd_entry(struct vs_rd *r, struct meta_wire_asked *a)
{
    size_t len;
    const uint8_t *bytes = vs_rd_blob(r, NS_ENTRY_BYTES_MAX, &len);
    int err = vs_rd_done(r);

    if (err == 0)
        err = ns_entry_decode(bytes, len, &a->entry, &a->ids);
    if (err == 0)
        a->req.entry = &a->entry;
    return err;
}

static int rd_name(struct vs_rd *r, struct meta_wire_asked *a)
{
    a->req.ino = vs_rd_u64(r);
    a->req.name = (const char *)vs_rd_blob(r, META_WIRE_NAME_BYTES_MAX, &a->req.name_len);
    return vs_rd_done(r);
}

static int rd_readdir(struct vs_rd *r, struct meta_wire_asked *a)
{
    uint8_t with_attr;
    int err;

    a->req.ino = vs_rd_u64(r);
    a->req.cookie = vs_rd_u64(r);
    with_attr = vs_rd_u8(r);
    a->req.dirents_max = rd_count(r, 1, META_LIST_MAX);
    err = vs_rd_done(r);
    if (err == 0 && with_attr > 1)
        err = -VS_ECORRUPT;
    if (err == 0)
        err = take_room(a, a->req.dirents_max, sizeof(*a->req.dirents));
    a->req.with_attr = with_attr;
    a->req.dirents = a->room;
    return err;
}

static int rd_regs(struct vs_rd *r, struct meta_wire_asked *a)
{
    uint32_t count = rd_count(r, 0, META_REGISTER_BATCH_MAX);

    if (r->err < 0 || vs_rd_left(r) / VS_ID_BYTES < count)
        return -VS_ECORRUPT;
    if (take_room(a, count, sizeof(*a->req.regs)) < 0)
        return -ENOMEM;
    a->req.regs = a->room;
    a->req.reg_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct meta_reg *reg = &a->req.regs[i];

        vs_rd_bytes(r, reg->id.b, VS_ID_BYTES);
        if (a->req.op == META_REG_CHANGE)
            reg->expect_generation = vs_rd_u32(r);
        if (a->req.op != META_REG_READ)
            reg->value = vs_rd_blob(r, PX_VALUE_BYTES_MAX, &reg->value_len);
    }
    return vs_rd_done(r);
}

static int rd_nodes(struct vs_rd *r, struct meta_wire_asked *a)
{
    int err;

    a->req.nodes_max = rd_count(r, 0, META_WIRE_NODES_MAX);
    err = vs_rd_done(r);
    if (err == 0)
        err = take_room(a, a->req.nodes_max, sizeof(*a->req.nodes) + sizeof(*a->req.nodes_now));
    a->req.nodes = a->room;
    a->req.nodes_now = err == 0 ? (void *)(a->req.nodes + a->req.nodes_max) : NULL;
    return err;
}

static int rd_scan(struct vs_rd *r, struct meta_wire_asked *a)
{
    unsigned scan = vs_rd_u8(r);
    int ids = meta_wire_scan_ids(scan), err;

    a->req.scan = (enum meta_scan)scan;
    a->req.scan_after = vs_rd_u64(r);
    vs_rd_bytes(r, a->req.scan_after_id.b, VS_ID_BYTES);
    a->req.scan_max = rd_count(r, 1, META_LIST_MAX);
    err = vs_rd_done(r);
    if (err == 0 && ids < 0)
        err = -VS_ECORRUPT;
    if (err < 0)
        return err;
    err = take_room(a, a->req.scan_max, ids ? VS_ID_BYTES : sizeof(uint64_t));
    if (ids)
        a->req.scan_ids = a->room;
    else
        a->req.scan_u64 = a->room;
    return err;
}

static int rd_body(struct vs_rd *r, struct meta_wire_asked *a)
{
    switch (a->req.op) {
    case META_CHANGE:
        return rd_entry(r, a);
    case META_LOOKUP:
    case META_GETXATTR:
        return rd_name(r, a);
    case META_GETATTR:
    case META_CONTENT:
    case META_MEDIA:
    case META_VIEWS:
    case META_LISTXATTR:
        a->req.ino = vs_rd_u64(r);
        return vs_rd_done(r);
    case META_READDIR:
        return rd_readdir(r, a);
    case META_REG_CREATE:
    case META_REG_READ:
    case META_REG_CHANGE:
        return rd_regs(r, a);
    case META_NODES:
        return rd_nodes(r, a);
    case META_RESERVED:
        a->req.ino = vs_rd_u64(r);
        vs_rd_bytes(r, a->req.scan_after_id.b, VS_ID_BYTES);
        return vs_rd_done(r);
    case META_STATS:
        return vs_rd_done(r);
    case META_SCAN:
        return rd_scan(r, a);
    case META_DUMP:
        a->req.dump = vs_rd_u64(r);
        return vs_rd_done(r);
    case META_CHANGES:
    case META_ENTRIES:
        a->req.after = vs_rd_u64(r);
        a->req.wait_ms = rd_count(r, 0, META_CHANGES_WAIT_MS_MAX);
        return vs_rd_done(r);
    }
    return -VS_ECORRUPT;
}

int meta_wire_asked(const void *bytes, size_t len, struct meta_wire_asked *ret)
{
    struct vs_rd r;
    unsigned op, flags;
    int err = meta_wire_open(bytes, len, magic, &r, &op);

    if (err < 0)
        return err;
    *ret = (struct meta_wire_asked){ .hello = op == META_WIRE_OP_HELLO };
    flags = vs_rd_u16(&r);
    if ((flags & ~(ret->hello ? 0 : META_WIRE_HINT | META_WIRE_HERE)) != 0)
        return -VS_ECORRUPT;
    ret->req.hint = (flags & META_WIRE_HINT) != 0;
    ret->req.here = (flags & META_WIRE_HERE) != 0;
    vs_rd_bytes(&r, ret->cluster.b, VS_ID_BYTES);
    if (ret->hello)
        return vs_rd_done(&r);
    ret->req.op = (enum meta_op)(op - 1);
    err = rd_body(&r, ret);
    if (err < 0)
        meta_wire_asked_close(ret);
    return err;
}

void meta_wire_asked_close(struct meta_wire_asked *a)
{
    for (uint32_t i = 0; i < a->req.reg_count; i++)
        vs_buf_close(&a->req.regs[i].current);
    vs_buf_close(&a->req.bytes);
    free(a->room);
    free(a->ids);
    *a = (struct meta_wire_asked){ 0 };
}
