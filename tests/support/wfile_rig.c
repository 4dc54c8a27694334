/* wfile_rig: wiring as the mount's main does it, in memory. */
#include "tests/support/wfile_rig.h"
#include "common/assert.h"
#include "common/rand.h"
#include "fs/inode_table.h"
#include "fs/waiter.h"
#include "ingest/upload_chunk.h"
#include "meta/meta_local.h"
#include "meta/place_value.h"
#include "node/store_mem.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RIG_REGISTERS_MAX 4096

void rig_open(struct rig *r)
{
    struct meta_local_config meta = { .create = true, .in_memory = true };
    struct upload_env_config uploads;
    struct vsfs *fs = &r->fs;

    *r = (struct rig){ .fs = { .staging_fd = -1 } };
    temp_dir_make(r->dir);
    meta.clock = fs->clock = &vs_clock_system;
    memset(meta.cluster.b, 7, VS_ID_BYTES);
    fs->opt.staging_bytes_max = UINT64_C(1) << 30;
    fs->staging_fd = open(r->dir, O_RDONLY | O_DIRECTORY);
    assert_true(fs->staging_fd >= 0);
    assert_int_equal(vs_exec_start(&fs->exec, "cpu", 2), 0);
    assert_int_equal(vs_exec_start(&fs->ops, "ops", 4), 0);
    assert_int_equal(vs_exec_start(&r->store_exec, "stores", 2), 0);
    assert_int_equal(meta_local_open(&fs->meta, &meta), 0);
    fs->stores.count = RIG_STORES;
    for (unsigned n = 0; n < RIG_STORES; n++) {
        assert_int_equal(store_mem_new(&r->mem[n], r->store_exec), 0);
        fs->stores.entries[n].node = n + 1;
        fs->stores.entries[n].name[0] = (char)('1' + n);
        atomic_store(&fs->stores.entries[n].store, r->mem[n]);
    }
    assert_int_equal(chunk_reader_new(&fs->reader, &fs->stores, fs->meta, fs->exec, 2u << 20), 0);
    uploads = (struct upload_env_config){ .stores = &fs->stores,
                                          .meta = fs->meta,
                                          .exec = fs->exec,
                                          .budget_bytes = 64u << 20,
                                          .clock = fs->clock };
    assert_int_equal(upload_env_new(&fs->uploads, &uploads), 0);
    assert_int_equal(collect_start(&fs->collect, fs->meta, &fs->stores, fs->ops), 0);
    assert_int_equal(inode_table_new(&fs->inodes, fs), 0);
}

void rig_close(struct rig *r)
{
    struct vsfs *fs = &r->fs;

    rig_stores_down(r, RIG_STORES, false);
    collect_stop(fs->collect);
    vs_exec_stop(fs->ops);
    inode_table_free(fs->inodes);
    upload_env_free(fs->uploads);
    chunk_reader_free(fs->reader);
    meta_client_stop(fs->meta);
    vs_exec_stop(fs->exec);
    store_set_close(&fs->stores);
    vs_exec_stop(r->store_exec);
    close(fs->staging_fd);
    temp_dir_remove(r->dir);
}

int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    rig_open(r);
    r->bytes = malloc(RIG_BYTES);
    r->other = malloc(RIG_BYTES);
    assert_true(r->bytes != NULL && r->other != NULL);
    rig_fill(r->bytes, RIG_BYTES, 1);
    rig_fill(r->other, RIG_BYTES, 2);
    *state = r;
    return 0;
}

int rig_teardown(void **state)
{
    struct rig *r = *state;

    rig_close(r);
    assert_int_equal(r->fs.staging_used, 0);
    free(r->bytes);
    free(r->other);
    free(r);
    return 0;
}

/* ---- names ---- */

struct inode *rig_create(struct rig *r, uint64_t parent, const char *name)
{
    struct ns_time now = vsfs_now(&r->fs);
    struct inode *i;
    uint64_t ino;

    assert_int_equal(inode_number_new(r->fs.inodes, &ino), 0);
    i = inode_get(r->fs.inodes, ino);
    assert_non_null(i);
    i->provisional = true;
    i->parent = parent;
    i->name_len = (uint8_t)strlen(name);
    memcpy(i->name, name, i->name_len);
    i->attr = (struct ns_attr){ .ino = ino,
                                .mode = S_IFREG | 0644,
                                .nlink = 1,
                                .atime = now,
                                .mtime = now,
                                .ctime = now,
                                .btime = now };
    assert_int_equal(wfile_create(&r->fs, i), 0);
    return i;
}

struct inode *rig_find(struct rig *r, uint64_t parent, const char *name)
{
    struct meta_req req = { .op = META_LOOKUP, .ino = parent, .name = name };
    struct inode *i;

    req.name_len = strlen(name);
    if (meta_call(r->fs.meta, &req) < 0)
        return NULL;
    i = inode_get(r->fs.inodes, req.attr.ino);
    assert_non_null(i);
    {
        VS_LOCK_SCOPE(&i->lock);
        i->parent = parent;
        i->name_len = (uint8_t)req.name_len;
        memcpy(i->name, name, req.name_len);
    }
    return i;
}

struct inode *rig_open_file(struct rig *r, uint64_t parent, const char *name, bool truncate)
{
    struct inode *i = rig_find(r, parent, name);

    assert_non_null(i);
    assert_int_equal(wfile_open(&r->fs, i, truncate), 0);
    return i;
}

void rig_put(struct rig *r, struct inode *i)
{
    inode_put(r->fs.inodes, i);
}

int rig_release(struct rig *r, struct inode *i)
{
    int f = wfile_flush(&r->fs, i, WFILE_FLUSH), l = wfile_flush(&r->fs, i, WFILE_RELEASE);

    rig_put(r, i);
    return f < 0 ? f : l;
}

/* ---- bytes ---- */

struct rig_room {
    struct upload_room room;
    struct waiter waiter;
};

static void rig_room_done(struct upload_room *room)
{
    waiter_wake(&vs_container_of(room, struct rig_room, room)->waiter);
}

int rig_write(struct rig *r, struct inode *i, uint64_t offset, const void *bytes, size_t len)
{
    struct rig_room room = { .room = { .done = rig_room_done }, .waiter = WAITER_INIT };
    int e = wfile_write(&r->fs, i, offset, bytes, len, &room.room);

    if (e == -EINPROGRESS)
        return wfile_write_wait(&r->fs, i, offset, bytes, len);
    if (e != 1)
        return e;
    waiter_wait(&room.waiter);
    return room.room.status;
}

void rig_write_all(struct rig *r, struct inode *i, uint64_t offset, const uint8_t *bytes,
                   size_t len)
{
    for (size_t done = 0; done < len; done += READ_OP_BYTES_MAX) {
        size_t n = len - done < READ_OP_BYTES_MAX ? len - done : READ_OP_BYTES_MAX;

        assert_int_equal(rig_write(r, i, offset + done, bytes + done, n), 0);
    }
}

void rig_store(struct rig *r, uint64_t parent, const char *name, const uint8_t *bytes, size_t len)
{
    struct inode *i = rig_create(r, parent, name);

    rig_write_all(r, i, 0, bytes, len);
    assert_int_equal(rig_release(r, i), 0);
}

struct rig_op {
    struct read_op op;
    struct waiter waiter;
};

static void rig_op_done(struct read_op *op)
{
    waiter_wake(&vs_container_of(op, struct rig_op, op)->waiter);
}

static int64_t rig_read_piece(struct rig *r, struct inode *i, uint64_t offset, uint8_t *dst,
                              size_t len)
{
    struct rig_op o = { .op = { .offset = offset, .bytes = (uint32_t)len, .done = rig_op_done },
                        .waiter = WAITER_INIT };
    int64_t got;

    if (wfile_read_start(&r->fs, i, &o.op) == 0)
        waiter_wait(&o.waiter);
    got = o.op.status < 0 ? o.op.status : (int64_t)o.op.got_bytes;
    if (got < 0)
        assert_true(o.op.fs == &r->fs && o.op.inode == i); /* who asked reports it */
    for (int n = 0; got >= 0 && n < o.op.iovcnt; n++) {
        memcpy(dst, o.op.iov[n].iov_base, o.op.iov[n].iov_len);
        dst += o.op.iov[n].iov_len;
    }
    read_op_put(&o.op);
    return got;
}

int64_t rig_read(struct rig *r, struct inode *i, uint64_t offset, void *dst, size_t len)
{
    size_t got = 0;

    while (got < len) {
        size_t want = len - got < READ_OP_BYTES_MAX ? len - got : READ_OP_BYTES_MAX;
        int64_t n = rig_read_piece(r, i, offset + got, (uint8_t *)dst + got, want);

        if (n < 0)
            return n;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (int64_t)got;
}

struct ns_attr rig_attr(struct rig *r, struct inode *i)
{
    struct meta_req req = { .op = META_GETATTR, .ino = i->ino };
    bool provisional;

    {
        VS_LOCK_SCOPE(&i->lock);
        provisional = i->provisional;
        req.attr = i->attr;
    }
    if (!provisional)
        assert_int_equal(meta_call(r->fs.meta, &req), 0);
    wfile_getattr(i, &req.attr);
    return req.attr;
}

void rig_check(struct rig *r, struct inode *i, const uint8_t *bytes, size_t len)
{
    VS_AUTO_FREE uint8_t *got = malloc(len + 1);

    assert_non_null(got);
    assert_int_equal(rig_attr(r, i).size, len);
    assert_int_equal(rig_read(r, i, 0, got, len + 1), len);
    for (size_t k = 0; k < len; k++)
        if (got[k] != bytes[k])
            fail_msg("byte %zu of %zu is %02x, not %02x", k, len, got[k], bytes[k]);
}

struct ns_attr rig_stored_attr(struct rig *r, uint64_t parent, const char *name)
{
    struct meta_req req = { .op = META_LOOKUP, .ino = parent, .name = name };

    req.name_len = strlen(name);
    assert_int_equal(meta_call(r->fs.meta, &req), 0);
    return req.attr;
}

size_t rig_chunk_count(struct rig *r, uint64_t ino)
{
    struct mf_chunk *chunks;
    struct content *c;
    size_t n;

    assert_int_equal(content_load_wait(r->fs.meta, ino, &c, NULL), 0);
    assert_int_equal(c->kind, NS_CONTENT_CHUNKS);
    assert_int_equal(content_chunks_wait(c, &chunks, &n), 0);
    free(chunks);
    content_put(c);
    return n;
}

void rig_check_stored(struct rig *r, const char *name, const uint8_t *bytes, size_t len)
{
    struct inode *i = rig_find(r, NS_INO_ROOT, name);

    assert_non_null(i);
    assert_null(i->wfile);
    rig_check(r, i, bytes, len);
    rig_put(r, i);
}

void rig_stores_down(struct rig *r, unsigned count, bool down)
{
    for (unsigned n = 0; n < count; n++)
        store_mem_set_down(r->mem[n], down);
}

void rig_fill(uint8_t *dst, size_t len, uint64_t seed)
{
    struct vs_rand rand;

    vs_rand_init(&rand, seed);
    vs_rand_bytes(&rand, dst, len);
}

/* ---- leaks ---- */

struct rig_ids {
    struct vs_id id[RIG_REGISTERS_MAX];
    size_t count;
};

static void rig_ids_add(struct rig_ids *s, const struct vs_id *id)
{
    assert_true(s->count < RIG_REGISTERS_MAX);
    s->id[s->count++] = *id;
}

static bool rig_ids_has(const struct rig_ids *s, const struct vs_id *id)
{
    for (size_t k = 0; k < s->count; k++)
        if (vs_id_cmp(&s->id[k], id) == 0)
            return true;
    return false;
}

static void rig_used_by(struct rig *r, uint64_t ino, struct rig_ids *used)
{
    struct content *c;
    struct mf_chunk *chunks;
    size_t count;

    assert_int_equal(content_load_wait(r->fs.meta, ino, &c, NULL), 0);
    if (c->kind == NS_CONTENT_CHUNKS) {
        for (uint32_t k = 0; k < c->head.segment_count; k++)
            rig_ids_add(used, &c->head.segments[k].id);
        assert_int_equal(content_chunks_wait(c, &chunks, &count), 0);
        for (size_t k = 0; k < count; k++)
            if (!vs_id_is_zero(&chunks[k].id))
                rig_ids_add(used, &chunks[k].id);
        free(chunks);
    }
    content_put(c);
}

static void rig_scan(struct rig *r, enum meta_scan scan, struct rig_ids *ret)
{
    struct meta_req req = { .op = META_SCAN, .scan = scan };
    struct vs_id page[64];

    do {
        req.scan_ids = page;
        req.scan_max = 64;
        assert_int_equal(meta_call(r->fs.meta, &req), 0);
        for (uint32_t k = 0; k < req.scan_count; k++)
            rig_ids_add(ret, &page[k]);
        if (req.scan_count > 0)
            req.scan_after_id = page[req.scan_count - 1];
    } while (req.scan_count == 64);
}

static bool rig_is_tomb(struct rig *r, const struct vs_id *id)
{
    struct meta_reg reg = { .id = *id };
    struct meta_req req = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };
    bool tomb;

    assert_int_equal(meta_call(r->fs.meta, &req), 0);
    assert_int_equal(reg.status, 0);
    tomb = reg.current.len > 0 && reg.current.data[0] == PLACE_TOMB;
    vs_buf_close(&reg.current);
    return tomb;
}

static uint64_t rig_fragments(struct rig *r)
{
    struct store_health health;
    uint64_t sum = 0;

    for (unsigned n = 0; n < RIG_STORES; n++) {
        chunk_store_health(r->mem[n], &health);
        sum += health.fragments;
    }
    return sum;
}

/* What was dropped is aborted when its last put has been answered: only then it is released. */
static void rig_await_uploads(struct rig *r)
{
    int64_t deadline = vs_now_ns(&vs_clock_system) + 20 * VS_NS_PER_S;
    struct upload_env *env = r->fs.uploads;
    unsigned objects = 1;

    while (objects > 0) {
        assert_true(vs_now_ns(&vs_clock_system) < deadline);
        {
            VS_LOCK_SCOPE(&env->lock);
            objects = env->objects - (env->watching ? 1 : 0);
        }
        if (objects > 0)
            usleep(1000);
    }
}

void rig_check_no_leak(struct rig *r)
{
    static struct rig_ids used, all;
    struct ns_dirent entries[64];
    struct meta_req req = {
        .op = META_READDIR, .ino = NS_INO_ROOT, .dirents = entries, .dirents_max = 64
    };

    rig_await_uploads(r);
    assert_int_equal(collect_drain(r->fs.collect, 10 * VS_NS_PER_S), 0);
    used.count = all.count = 0;
    assert_int_equal(meta_call(r->fs.meta, &req), 0);
    for (uint32_t k = 0; k < req.dirents_count; k++)
        if (S_ISREG(entries[k].attr.mode))
            rig_used_by(r, entries[k].attr.ino, &used);
    rig_scan(r, META_SCAN_REGISTERS, &all);
    for (size_t k = 0; k < used.count; k++)
        assert_true(rig_ids_has(&all, &used.id[k]));
    for (size_t k = 0; k < all.count; k++)
        assert_int_equal(rig_ids_has(&used, &all.id[k]), !rig_is_tomb(r, &all.id[k]));
    assert_true(rig_fragments(r) <= used.count * RIG_STORES); /* of segments there are copies */
}
