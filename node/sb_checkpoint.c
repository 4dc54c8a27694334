/* Writing a checkpoint.
 *
 * Happy path: note how far each file is covered, then copy the entries slice by slice while the
 * store serves, to a new file that gets its name when it is whole and synced.
 * Failure modes: no room is no harm, the next start walks more; any other error of a write or a
 * sync takes the store down. */
#include "node/sb_checkpoint.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/crc.h"
#include "common/err.h"

#include <inttypes.h>
#include <string.h>

#define CKPT_TMP_NAME   "idx.tmp"
#define CKPT_SLICE      512u
#define CKPT_SLACK      1024u /* entries that may come while it is written, for the allocation */
#define CKPT_CRCS_BYTES (64u << 20)

/* ---- bytes out --------------------------------------------------------------------------------
 */

struct ckpt_out {
    struct vs_file *f;
    uint64_t offset;    /* of the file, in whole units */
    struct vs_buf unit; /* what is not yet written: less than two units */
    struct vs_buf crcs;
    struct vs_sha *sha;
    int err;
};

/* Write `len` bytes from the front of the unit. */
static void out_flush(struct ckpt_out *o, size_t len)
{
    struct vs_wr w = vs_wr_init(&o->crcs, CKPT_CRCS_BYTES);

    if (o->err < 0 || len == 0)
        return;
    vs_wr_u32(&w, vs_crc32c(0, o->unit.data, len));
    vs_sha_update(o->sha, o->unit.data, len);
    o->err = w.err;
    if (o->err == 0)
        o->err = vs_file_pwrite(o->f, o->unit.data, len, o->offset);
    o->offset += len;
    memmove(o->unit.data, o->unit.data + len, o->unit.len - len);
    o->unit.len -= len;
}

static struct vs_wr out_writer(struct ckpt_out *o)
{
    while (o->err == 0 && o->unit.len >= SB_CKPT_CRC_UNIT_BYTES)
        out_flush(o, SB_CKPT_CRC_UNIT_BYTES);
    return vs_wr_init(&o->unit, 2 * SB_CKPT_CRC_UNIT_BYTES);
}

static void out_end(struct ckpt_out *o, uint64_t entry_count)
{
    uint8_t digest[FRAG_SHA256_BYTES];
    struct vs_wr w;

    (void)out_writer(o);
    out_flush(o, o->unit.len);
    w = vs_wr_init(&o->crcs, CKPT_CRCS_BYTES);
    vs_wr_u64(&w, entry_count);
    if (o->err < 0 || w.err < 0) {
        o->err = o->err < 0 ? o->err : w.err;
        return;
    }
    vs_sha_update(o->sha, o->crcs.data, o->crcs.len);
    vs_sha_final(o->sha, digest);
    vs_wr_bytes(&w, digest, sizeof(digest));
    o->err = w.err;
    if (o->err == 0)
        o->err = vs_file_pwrite(o->f, o->crcs.data, o->crcs.len, o->offset);
    o->offset += o->crcs.len;
}

static void out_close(struct ckpt_out *o)
{
    vs_file_close(o->f);
    vs_buf_close(&o->unit);
    vs_buf_close(&o->crcs);
    vs_sha_free(o->sha);
}

/* ---- what goes in -----------------------------------------------------------------------------
 */

struct ckpt_state {
    struct sb_ckpt_head head;
    struct sb_ckpt_file *files;
    struct sb_dead *dead;
    uint64_t changes;
};

/* Under append_lock and lock: the file is covered to the first record that is not yet durable. */
static struct sb_ckpt_file file_state(const struct sb_store *s, const struct sb_file *f)
{
    struct sb_ckpt_file c = {
        .sb = f->id,
        .salt = f->salt,
        .run_seq = f->run_seq,
        .prev_sb = f->prev_sb,
        .prev_seq = f->prev_seq,
        .state = f->state,
        .records = f->records - f->pending,
    };

    c.scanned_to = sb_committed_to(s, f, &c.last_seq);
    return c;
}

/* Under append_lock and lock. */
static int state_fill(struct sb_store *s, struct ckpt_state *st)
{
    struct sb_file *f;
    uint32_t n = 0;

    st->files = malloc((s->files.count + 1) * sizeof(*st->files));
    st->dead = malloc((s->dead_count + 1) * sizeof(*st->dead));
    if (st->files == NULL || st->dead == NULL)
        return -ENOMEM;
    for (f = sb_files_after(&s->files, 0); f != NULL; f = sb_files_after(&s->files, f->id)) {
        VS_ASSERT(n < s->files.count);
        st->files[n++] = file_state(s, f);
    }
    if (s->dead_count > 0)
        memcpy(st->dead, s->dead, s->dead_count * sizeof(*st->dead));
    st->head.file_count = n;
    st->head.dead_count = s->dead_count;
    st->head.synced_seq = s->synced_seq;
    st->head.run_seq = s->run_seq;
    st->head.next_seq = s->next_seq;
    st->head.next_sb = s->next_sb;
    st->changes = s->changes;
    return 0;
}

static int state_take(struct sb_store *s, struct ckpt_state *st, bool clean)
{
    *st = (struct ckpt_state){
        .head = {
            .flags = clean ? SB_CKPT_CLEAN : 0,
            .number = s->ckpt_number + 1,
            .cluster = s->config.cluster,
            .node = s->config.node,
            .created_ns = (uint64_t)vs_real_ns(s->config.clock),
        },
    };
    VS_LOCK_SCOPE(&s->append_lock);
    VS_LOCK_SCOPE(&s->lock);
    return state_fill(s, st);
}

static void put_state(struct ckpt_out *o, const struct ckpt_state *st)
{
    uint8_t block[SB_BLOCK_BYTES];
    struct vs_wr w = out_writer(o);

    sb_ckpt_encode_head(&st->head, block);
    vs_wr_bytes(&w, block, sizeof(block));
    o->err = o->err < 0 ? o->err : w.err;
    for (uint32_t i = 0; i < st->head.file_count && o->err == 0; i++) {
        w = out_writer(o);
        sb_ckpt_put_file(&w, &st->files[i]);
        o->err = o->err < 0 ? o->err : w.err;
    }
    for (uint32_t i = 0; i < st->head.dead_count && o->err == 0; i++) {
        struct sb_ckpt_dead d = { st->dead[i].sb, st->dead[i].offset, st->dead[i].bytes };

        w = out_writer(o);
        sb_ckpt_put_dead(&w, &d);
        o->err = o->err < 0 ? o->err : w.err;
    }
}

static void put_slice(struct ckpt_out *o, const struct sb_entry *slice, uint32_t n, uint64_t *count)
{
    for (uint32_t i = 0; i < n && o->err == 0; i++) {
        struct sb_ckpt_entry e = {
            .key = sb_entry_key(&slice[i]),
            .flags = (slice[i].flags & SB_BAD) != 0 ? SB_ENTRY_BAD : 0,
            .sb = slice[i].sb,
            .birth = sb_entry_birth(&slice[i]),
            .offset_block = slice[i].offset_block,
            .payload_bytes = slice[i].payload_bytes,
        };
        struct vs_wr w;

        if ((slice[i].flags & SB_LIVE) == 0)
            continue;
        w = out_writer(o);
        sb_ckpt_put_entry(&w, &e);
        o->err = o->err < 0 ? o->err : w.err;
        (*count)++;
    }
}

static void put_entries(struct sb_store *s, struct ckpt_out *o, uint64_t *count)
{
    struct sb_entry *slice = malloc(CKPT_SLICE * sizeof(*slice));
    struct frag_key after;
    uint32_t n = 1;

    *count = 0;
    o->err = slice == NULL ? -ENOMEM : o->err;
    for (bool first = true; n > 0 && o->err == 0; first = false) {
        pthread_mutex_lock(&s->lock);
        n = sb_index_page(&s->index, first ? NULL : &after, slice, CKPT_SLICE);
        pthread_mutex_unlock(&s->lock);
        if (n > 0)
            after = sb_entry_key(&slice[n - 1]);
        put_slice(o, slice, n, count);
    }
    free(slice);
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static int out_open(struct sb_store *s, struct ckpt_out *o, const struct ckpt_state *st)
{
    uint64_t entries;
    int r;

    *o = (struct ckpt_out){ 0 };
    r = vs_io_unlink(s->io, CKPT_TMP_NAME);
    if (r < 0 && r != -ENOENT)
        return r;
    r = vs_sha_new(&o->sha);
    if (r == 0)
        r = vs_io_open(s->io, CKPT_TMP_NAME, VS_IO_WRITE | VS_IO_CREATE, &o->f);
    if (r < 0)
        return r;
    pthread_mutex_lock(&s->lock);
    entries = (uint64_t)s->index.count + CKPT_SLACK;
    pthread_mutex_unlock(&s->lock);
    return vs_file_allocate(o->f, 0, sb_ckpt_total_bytes(&st->head, entries));
}

static int write_tmp(struct sb_store *s, const struct ckpt_state *st)
{
    struct ckpt_out o;
    uint64_t count;
    int r;

    r = out_open(s, &o, st);
    if (r == 0) {
        put_state(&o, st);
        put_entries(s, &o, &count);
        out_end(&o, count);
        r = o.err;
    }
    if (r == 0)
        r = vs_file_truncate(o.f, o.offset);
    if (r == 0)
        r = vs_file_fdatasync(o.f);
    out_close(&o);
    return r;
}

struct ckpt_keep {
    struct vs_io *io;
    uint64_t newest, before;
};

static int remove_old(void *arg, const char *name, uint64_t file_bytes)
{
    const struct ckpt_keep *keep = arg;
    uint64_t number = sb_ckpt_name_parse(name);

    (void)file_bytes;
    if (number != 0 && number != keep->newest && number != keep->before)
        (void)vs_io_unlink(keep->io, name);
    return 0;
}

static int publish(struct sb_store *s, uint64_t number)
{
    struct ckpt_keep keep = { s->io, number, s->ckpt_good };
    char name[SB_CKPT_NAME_BYTES];
    int r;

    sb_ckpt_name(number, name);
    r = vs_io_rename(s->io, CKPT_TMP_NAME, name);
    if (r == 0)
        r = vs_io_sync_dir(s->io);
    if (r < 0)
        return r;
    s->ckpt_number = s->ckpt_good = number;
    (void)vs_io_list(s->io, remove_old, &keep);
    return 0;
}

int sb_checkpoint_write(struct sb_store *s, bool clean)
{
    struct ckpt_state st;
    int r;

    r = state_take(s, &st, clean);
    if (r == 0)
        r = write_tmp(s, &st);
    if (r == -ENOSPC && sb_ballast_release(s))
        r = write_tmp(s, &st);
    if (r == 0)
        r = publish(s, st.head.number);
    else
        (void)vs_io_unlink(s->io, CKPT_TMP_NAME);
    free(st.files);
    free(st.dead);
    if (r < 0 && r != -ENOSPC && r != -ENOMEM)
        sb_store_fail(s, r, "Writing checkpoint %" PRIu64 " failed", s->ckpt_number + 1);
    VS_LOCK_SCOPE(&s->lock);
    s->checkpoint_ns = vs_now_ns(s->config.clock);
    if (r == 0)
        s->changes -= st.changes;
    return r;
}
