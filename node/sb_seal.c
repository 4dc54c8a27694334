/* Sealing a full file: its last record lists all the others, so that a start need not walk it.
 *
 * Happy path: when nothing in the file is pending any more, walk its headers, write the SEAL, give
 * the rest of the file back, sync.
 * Failure modes: no room, or a header that does not check any more: the file stays without a SEAL,
 * and is walked when no checkpoint covers it. An error of a write or a sync takes the store down.
 */
#include "common/cleanup.h"
#include "common/err.h"
#include "node/sb_impl.h"
#include "node/sb_walk.h"

#include <inttypes.h>

struct seal {
    struct sb_seal_head head;
    struct vs_buf entries;
    struct vs_buf payload;
    bool broken;
};

static int on_record(void *arg, const struct sb_walk_record *wr)
{
    const struct sb_record *rec = wr->rec;
    struct seal *seal = arg;
    struct sb_seal_entry e = {
        .key = rec->key,
        .type = rec->type,
        .offset_block = (uint32_t)(rec->offset / SB_BLOCK_BYTES),
        .payload_bytes = rec->payload_bytes,
        .hdr_crc = wr->hdr_crc,
        .seq = rec->seq,
        .birth = rec->birth,
    };

    if (!wr->good || rec->type == SB_SEAL)
        seal->broken = true;
    if (rec->type == SB_DATA)
        seal->head.data_bytes += rec->payload_bytes;
    seal->head.count++;
    return sb_seal_append(&seal->entries, &e);
}

static int on_gap(void *arg, uint64_t from, uint64_t to, uint64_t seq)
{
    struct seal *seal = arg;

    (void)from;
    (void)to;
    (void)seq;
    seal->broken = true;
    return 0;
}

/* The payload of the SEAL. -VS_ECORRUPT: the file is not whole. */
static int seal_build(struct seal *seal, const struct sb_file *f)
{
    struct sb_walk w = {
        .f = f->fd,
        .id = f->id,
        .salt = f->salt,
        .from = SB_RECORDS_OFFSET,
        .to = f->append,
        .last_seq = f->prev_seq,
        .check = SB_WALK_HEADERS,
        .arg = seal,
        .record = on_record,
        .gap = on_gap,
    };
    int r;

    r = sb_walk_run(&w);
    if (r == 0 && (seal->broken || seal->head.count != f->records || w.end != f->append))
        r = -VS_ECORRUPT;
    if (r == 0)
        r = sb_seal_begin(&seal->payload, &seal->head);
    if (r == 0)
        r = vs_buf_append(&seal->payload, seal->entries.data, seal->entries.len, FRAG_BYTES_MAX);
    if (r == 0)
        r = sb_seal_end(&seal->payload, f->append);
    return r;
}

static int seal_write(const struct sb_file *f, const struct seal *seal, uint64_t synced_seq,
                      uint64_t *ret_end)
{
    VS_AUTO_FREE struct sb_record *rec = calloc(1, sizeof(*rec));
    uint8_t header[SB_BLOCK_BYTES];
    struct iovec iov[2] = { { header, sizeof(header) }, { seal->payload.data, seal->payload.len } };
    uint64_t end = f->append + sizeof(header) + seal->payload.len;
    unsigned blocks;
    int r = 0;

    if (rec == NULL)
        return -ENOMEM;
    if (end > f->allocated_to)
        r = vs_file_allocate(f->fd, f->allocated_to, end - f->allocated_to);
    if (r < 0)
        return r;
    rec->type = SB_SEAL;
    rec->seq = rec->birth = f->last_seq;
    rec->synced_seq = synced_seq;
    rec->sb = f->id;
    rec->offset = f->append;
    rec->payload_bytes = (uint32_t)seal->payload.len;
    vs_sha256(seal->payload.data, seal->payload.len, rec->sha256);
    blocks = frag_crc_table(seal->payload.data, seal->payload.len, rec->crc);
    rec->table_crc = frag_table_crc(rec->crc, blocks);
    sb_record_encode(rec, f->salt, header);
    r = vs_file_pwritev(f->fd, iov, 2, f->append);
    *ret_end = end;
    return r == -ENOSPC ? -EIO : r; /* behind the allocation it is no clean refusal */
}

/* Seal one file; 0 also when it has to stay as it is. Negative: the store is down. */
static int seal_file(struct sb_store *s, struct sb_file *f, uint64_t synced_seq)
{
    struct seal seal = { 0 };
    uint64_t end = f->append;
    bool sealed;
    int r;

    r = seal_build(&seal, f);
    if (r == 0)
        r = seal_write(f, &seal, synced_seq, &end);
    sealed = r == 0;
    vs_buf_close(&seal.entries);
    vs_buf_close(&seal.payload);
    if (r == -ENOSPC || r == -ENOMEM || r == -EMSGSIZE || r == -VS_ECORRUPT)
        r = 0;
    if (r == 0 && end < f->allocated_to)
        r = vs_file_truncate(f->fd, end);
    if (r == 0)
        r = vs_file_fdatasync(f->fd);
    if (r < 0) {
        sb_store_fail(s, r, "Sealing superblock file %" PRIu64 " failed", f->id);
        return r;
    }
    VS_LOCK_SCOPE(&s->lock);
    f->to_seal = false;
    f->state = sealed ? SB_STATE_SEALED : SB_STATE_CLOSED;
    f->append = f->allocated_to = end;
    s->changes++;
    if (f->live == 0)
        s->maint_wanted = true;
    return 0;
}

/* The next file to seal behind `id`, pinned; NULL: none. */
static struct sb_file *next_to_seal(struct sb_store *s, uint64_t id, uint64_t *ret_synced_seq)
{
    struct sb_file *f, *pinned;
    VS_LOCK_SCOPE(&s->lock);

    *ret_synced_seq = s->synced_seq;
    for (f = sb_files_after(&s->files, id); f != NULL; f = sb_files_after(&s->files, f->id))
        if (f->to_seal && f->pending == 0)
            break;
    if (f == NULL || s->state == STORE_DOWN || sb_files_pin(&s->files, f->id, &pinned) < 0)
        return NULL;
    return f;
}

void sb_maint_seal(struct sb_store *s)
{
    uint64_t id = 0, synced_seq;
    struct sb_file *f;

    while ((f = next_to_seal(s, id, &synced_seq)) != NULL) {
        int r = seal_file(s, f, synced_seq);

        id = f->id;
        sb_files_unpin(&s->files, f);
        if (r < 0)
            return;
    }
}
