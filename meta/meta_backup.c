/* meta_backup: see the header.
 *
 * Happy path: pieces of the namespace's dump are checked and written out again as the first section
 * of ours; then pages of ids, and their registers by strict reads. Failure: a dump that was given
 * up meanwhile (the replica went, or we were too slow) ends it: whoever wants a backup begins
 * again; nothing of a half one is ever taken for a whole. */
#include "meta/meta_backup.h"
#include "common/cleanup.h"
#include "common/err.h"
#include <stdlib.h>
#include <unistd.h>

#define BACKUP_PAGE      256
#define BACKUP_TRIES_MAX 100 /* of a replica that is behind, 50 ms apart */
#define BACKUP_RETRY_US  50000

struct backup {
    struct meta_client *meta;
    int64_t made_ns;
    meta_backup_fn *put;
    void *arg;
    struct meta_backup_result *result;
    struct dump_in in;
    struct dump_out out;
    bool has_begun;
    uint64_t least_slot; /* what was answered before we were asked is in it */
    struct vs_buf to;
};

static int backup_put(struct backup *b, size_t least)
{
    int r;

    if (b->to.len < least || b->to.len == 0)
        return 0;
    r = b->put(b->arg, b->to.data, b->to.len);
    b->result->bytes += b->to.len;
    b->to.len = 0;
    return r;
}

static int backup_begin(struct backup *b)
{
    struct dump_head head = b->in.head;
    int r;

    if (b->has_begun)
        return 0;
    if (head.slot < b->least_slot)
        return -EAGAIN;
    head.kind = DUMP_BACKUP;
    head.made_ns = b->made_ns;
    b->result->slot = head.slot;
    r = dump_out_begin(&b->out, &head, &b->to);
    b->has_begun = r == 0;
    return r;
}

static int backup_name_pair(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                            const uint8_t *value, size_t value_len)
{
    struct backup *b = arg;
    int r = backup_begin(b);

    if (r == 0)
        r = dump_out_pair(&b->out, section, key, key_len, value, value_len, &b->to);
    b->result->pairs++;
    return r;
}

static int backup_names_once(struct backup *b)
{
    struct meta_req req = { .op = META_DUMP };
    int r = dump_in_init(&b->in);

    while (r == 0 && !req.dump_ended) {
        r = meta_call(b->meta, &req);
        if (r == 0)
            r = dump_in_feed(&b->in, req.bytes.data, req.bytes.len, backup_name_pair, b);
        if (r == 0)
            r = backup_put(b, DUMP_BLOCK_BYTES);
    }
    vs_buf_close(&req.bytes);
    return r < 0 ? r : dump_in_done(&b->in);
}

/* The replica that answers may not have applied yet what another one has. */
static int backup_names(struct backup *b)
{
    struct meta_req stats = { .op = META_STATS };
    int r = meta_call(b->meta, &stats);

    b->least_slot = stats.stats.applied_slot;
    for (unsigned i = 0; r == 0 && i < BACKUP_TRIES_MAX; i++) {
        r = backup_names_once(b);
        if (r != -EAGAIN || b->has_begun)
            return r;
        dump_in_close(&b->in);
        usleep(BACKUP_RETRY_US);
        r = 0;
    }
    return r < 0 ? r : -EAGAIN;
}

/* ---- registers ---- */

static int backup_page(struct backup *b, const struct vs_id *ids, uint32_t n)
{
    VS_AUTO_FREE struct meta_reg *regs = calloc(BACKUP_PAGE, sizeof(*regs));
    struct meta_req req = { .op = META_REG_READ, .regs = regs, .reg_count = n };
    int r;

    if (regs == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        regs[i].id = ids[i];
    r = meta_call(b->meta, &req);
    for (uint32_t i = 0; i < n; i++) {
        struct meta_reg *reg = &regs[i];

        if (r == 0 && reg->status == 0) {
            r = dump_out_pair(&b->out, DUMP_REGISTERS, reg->id.b, VS_ID_BYTES, reg->current.data,
                              reg->current.len, &b->to);
            b->result->registers++;
        } else if (r == 0 && reg->status != -ENOENT) {
            r = reg->status;
        }
        vs_buf_close(&reg->current);
    }
    return r == 0 ? backup_put(b, DUMP_BLOCK_BYTES) : r;
}

static int backup_registers(struct backup *b)
{
    struct vs_id ids[BACKUP_PAGE];
    struct meta_req req = {
        .op = META_SCAN, .scan = META_SCAN_REGISTERS, .scan_ids = ids, .scan_max = BACKUP_PAGE
    };
    int r;

    do {
        r = meta_call(b->meta, &req);
        if (r == 0 && req.scan_count > 0) {
            r = backup_page(b, ids, req.scan_count);
            req.scan_after_id = ids[req.scan_count - 1];
        }
    } while (r == 0 && req.scan_count > 0); /* a page of several replicas may be short */
    return r;
}

int meta_backup(struct meta_client *meta, bool names_only, int64_t made_ns, meta_backup_fn *put,
                void *arg, struct meta_backup_result *ret)
{
    struct backup b = { .meta = meta, .made_ns = made_ns, .put = put, .arg = arg, .result = ret };
    int r;

    *ret = (struct meta_backup_result){ 0 };
    r = backup_names(&b);
    if (r == 0 && !names_only)
        r = backup_registers(&b);
    if (r == 0)
        r = dump_out_end(&b.out, &b.to);
    if (r == 0)
        r = backup_put(&b, 0);
    dump_in_close(&b.in);
    dump_out_close(&b.out);
    vs_buf_close(&b.to);
    return r;
}
