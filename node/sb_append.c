/* Appending: room in the active file, a place, the write. Puts are appends.
 *
 * Happy path: CRC table, a place under the locks, one pwritev of header, payload (lent, never
 * copied) and padding; the committer does the rest.
 * Failure modes: a full disk is found while the file grows, before a record has a place, and is
 * -ENOSPC without harm. Any error of a write or a sync takes the store down: what is on the disk
 * is unknown from then on. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/rand.h"
#include "node/sb_impl.h"

#include <inttypes.h>
#include <string.h>

/* ---- room -------------------------------------------------------------------------------------
 */

static uint64_t round_up(uint64_t v, uint64_t unit)
{
    return (v + unit - 1) / unit * unit;
}

/* May the file system give `bytes` more? 0, -ENOSPC, or the store is down. */
static int space_allows(struct sb_store *s, uint64_t bytes, bool for_put)
{
    struct vs_io_space space;
    int r;

    if (!for_put)
        return 0; /* the reserve is for this */
    r = vs_io_space(s->io, &space);
    if (r < 0) {
        sb_store_fail(s, r, "Its directory cannot be read");
        return -VS_EDOWN;
    }
    if (space.free_bytes < bytes || space.free_bytes - bytes < sb_store_reserve_bytes(s, &space))
        return -ENOSPC;
    return 0;
}

/* Allocate up to `end`. -ENOSPC, or the store is down. */
static int grow_to(struct sb_store *s, struct sb_file *f, uint64_t end, bool for_put)
{
    int r;

    r = space_allows(s, end - f->allocated_to, for_put);
    if (r < 0)
        return r;
    r = vs_file_allocate(f->fd, f->allocated_to, end - f->allocated_to);
    if (r == -ENOSPC)
        return r;
    if (r == 0)
        r = vs_file_fdatasync(f->fd);
    if (r < 0) {
        sb_store_fail(s, r, "Growing superblock file %" PRIu64 " failed", f->id);
        return -VS_EDOWN;
    }
    f->allocated_to = end;
    return 0;
}

static int append_grow(struct sb_store *s, struct sb_file *f, uint64_t need_end, bool for_put)
{
    uint64_t limit = need_end > s->config.file_bytes ? need_end : s->config.file_bytes;
    uint64_t end = f->allocated_to + SB_PREALLOCATE_BYTES;
    int r;

    end = end < need_end ? need_end : end;
    r = grow_to(s, f, end < limit ? end : limit, for_put);
    if (r != -ENOSPC)
        return r;
    end = round_up(need_end, SB_SMALL_STEP_BYTES);
    r = grow_to(s, f, end < limit ? end : limit, for_put);
    if (r != -ENOSPC || for_put)
        return r;
    sb_ballast_release(s);
    return grow_to(s, f, need_end, for_put);
}

static bool append_fits(const struct sb_store *s, const struct sb_file *f, uint64_t bytes)
{
    if (f->records == 0)
        return true; /* whatever the size of a file: it takes one record */
    return f->records < SB_SEAL_ENTRIES_MAX &&
           f->append + bytes + SB_BLOCK_BYTES + sb_seal_bytes(f->records + 1) <=
               s->config.file_bytes;
}

void sb_append_close_active(struct sb_store *s, bool to_seal)
{
    struct sb_file *f = s->active;

    f->state = SB_STATE_CLOSED;
    f->to_seal = to_seal;
    s->last_sb = f->id;
    s->last_sb_seq = f->last_seq;
    s->active = NULL;
    s->unused_bytes = 0;
    s->maint_wanted = true;
    sb_files_unpin(&s->files, f);
}

/* Make the next superblock file the active one. */
static int append_create(struct sb_store *s)
{
    struct sb_super super = {
        .cluster = s->config.cluster,
        .node = s->config.node,
        .sb = s->next_sb,
        .created_ns = (uint64_t)vs_real_ns(s->config.clock),
        .run_seq = s->run_seq,
        .prev_sb = s->last_sb,
        .prev_seq = s->last_sb_seq,
    };
    VS_AUTO_FREE struct sb_file *f = calloc(1, sizeof(*f));
    struct vs_file *fd;
    int r;

    if (f == NULL)
        return -ENOMEM;
    if (s->next_sb > SB_ID_MAX)
        return -ENOSPC;
    vs_rand_system(&super.salt, sizeof(super.salt));
    r = sb_file_create(s->io, &super, &fd);
    if (r == -ENOSPC)
        return r;
    if (r < 0) {
        sb_store_fail(s, r, "Making superblock file %" PRIu64 " failed", super.sb);
        return -VS_EDOWN;
    }
    *f = (struct sb_file){
        .id = super.sb,
        .salt = super.salt,
        .run_seq = super.run_seq,
        .prev_sb = super.prev_sb,
        .prev_seq = super.prev_seq,
        .append = SB_RECORDS_OFFSET,
        .allocated_to = SB_RECORDS_OFFSET,
        .state = SB_STATE_OPEN,
        .last_seq = super.prev_seq,
    };
    r = sb_files_add(&s->files, f);
    if (r < 0) {
        vs_file_close(fd); /* an empty file stays behind; the next start removes it */
        s->next_sb++;
        return r;
    }
    sb_files_pin_fd(&s->files, f, fd);
    VS_LOCK_SCOPE(&s->lock);
    s->active = vs_take(&f);
    s->next_sb++;
    return 0;
}

int sb_append_room(struct sb_store *s, uint64_t payload_bytes, bool for_put)
{
    uint64_t bytes = (uint64_t)sb_record_blocks(payload_bytes) * SB_BLOCK_BYTES;
    struct sb_file *f;
    int r;

    if (sb_store_is_down(s))
        return -VS_EDOWN;
    if (s->next_seq > SB_SEQ_MAX)
        return -ENOSPC;
    if (s->active != NULL && !append_fits(s, s->active, bytes)) {
        VS_LOCK_SCOPE(&s->lock);
        sb_append_close_active(s, true);
    }
    if (s->active == NULL) {
        r = space_allows(s, SB_RECORDS_OFFSET + bytes, for_put);
        if (r < 0)
            return r;
        r = append_create(s);
        if (r == -ENOSPC && !for_put && sb_ballast_release(s))
            r = append_create(s);
        if (r < 0)
            return r;
    }
    f = s->active;
    if (f->append + bytes <= f->allocated_to)
        return 0;
    r = append_grow(s, f, f->append + bytes, for_put);
    if (r == 0) {
        VS_LOCK_SCOPE(&s->lock);
        s->unused_bytes = f->allocated_to - f->append;
    }
    return r;
}

void sb_append_reserve(struct sb_store *s, struct sb_append *a, uint64_t payload_bytes)
{
    struct sb_file *f = s->active;

    a->file = f;
    a->seq = s->next_seq++;
    a->synced_seq = s->synced_seq;
    a->offset = f->append;
    a->blocks = sb_record_blocks(payload_bytes);
    f->append += (uint64_t)a->blocks * SB_BLOCK_BYTES;
    f->last_seq = a->seq;
    f->records++;
    f->pending++;
    VS_ASSERT(f->append <= f->allocated_to);
    s->unused_bytes = f->allocated_to - f->append;
    sb_files_pin_again(&s->files, f);
    vs_list_add_tail(&s->outstanding, &a->link);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

void sb_append_write(struct sb_store *s, struct sb_append *a, struct sb_record *rec,
                     const void *payload)
{
    static const uint8_t zeros[SB_BLOCK_BYTES];
    uint8_t header[SB_BLOCK_BYTES];
    size_t tail = rec->payload_bytes % SB_BLOCK_BYTES;
    struct iovec iov[3] = {
        { header, sizeof(header) },
        { (void *)(uintptr_t)payload, rec->payload_bytes },
        { (void *)(uintptr_t)zeros, tail > 0 ? SB_BLOCK_BYTES - tail : 0 },
    };
    int r;

    rec->seq = rec->birth = a->seq;
    rec->synced_seq = a->synced_seq;
    rec->sb = a->file->id;
    rec->offset = a->offset;
    sb_record_encode(rec, a->file->salt, header);
    r = sb_store_is_down(s) ? -VS_EDOWN : vs_file_pwritev(a->file->fd, iov, 3, a->offset);
    if (r < 0) {
        sb_store_fail(s, r, "Writing to superblock file %" PRIu64 " failed", a->file->id);
        a->status = -VS_EDOWN;
    }
    VS_LOCK_SCOPE(&s->lock);
    a->written = true;
    if (a->put != NULL)
        s->puts_waiting--;
    pthread_cond_signal(&s->wake);
}

/* ---- put --------------------------------------------------------------------------------------
 */

enum { PUT_PLACED = 0, PUT_LATER = 1, PUT_EXISTS = 2 };

/* What the record says, the checksums included. */
static int put_record(const struct sb_store *s, struct store_put *p, struct sb_record *rec)
{
    uint8_t sha[VS_SHA256_BYTES];
    unsigned blocks;
    int r;

    r = store_put_check(p);
    if (r < 0)
        return r;
    if (s->config.check_sha) {
        vs_sha256(p->data, p->bytes, sha);
        if (memcmp(sha, p->sha256, sizeof(sha)) != 0)
            return -EINVAL;
    }
    rec->type = SB_DATA;
    rec->key = p->key;
    rec->payload_bytes = (uint32_t)p->bytes;
    memcpy(rec->sha256, p->sha256, sizeof(rec->sha256));
    rec->note = *p->note;
    blocks = frag_crc_table(p->data, p->bytes, rec->crc);
    rec->table_crc = frag_table_crc(rec->crc, blocks);
    p->table_crc = rec->table_crc;
    return 0;
}

/* Under append_lock and lock: claim the key and a place, unless the key is taken. `room` is what
 * making room gave. */
static int put_claim(struct sb_store *s, struct store_put *p, struct sb_append *a, int room,
                     struct sb_entry *ret_taken)
{
    struct sb_entry *e = sb_index_find(&s->index, &p->key);
    int r;

    if (s->state == STORE_DOWN)
        return -VS_EDOWN;
    if (e != NULL && (e->flags & SB_BUSY) != 0) {
        vs_list_add_tail(&s->later_puts, &p->job.link);
        s->puts_waiting--;
        return PUT_LATER;
    }
    if (e != NULL && (e->flags & SB_BAD) == 0) {
        *ret_taken = *e;
        return PUT_EXISTS;
    }
    if (room < 0)
        return room;
    if (e != NULL) {
        a->replaced = (struct sb_tomb){
            .key = p->key,
            .sb = e->sb,
            .offset = (uint64_t)e->offset_block * SB_BLOCK_BYTES,
        };
        a->replaced_payload = e->payload_bytes;
    } else {
        r = sb_index_insert(&s->index, &p->key, &e);
        if (r < 0)
            return r;
    }
    e->flags |= SB_BUSY;
    sb_append_reserve(s, a, p->bytes);
    return PUT_PLACED;
}

/* The key is taken: is it the same content? 0, -VS_EEXISTS_OTHER, or 1: what is there turned out to
 * be damaged, try again. */
static int put_compare(struct sb_store *s, const struct store_put *p, const struct sb_entry *taken,
                       struct sb_record *there)
{
    struct sb_file *f;
    int r;

    r = sb_files_pin(&s->files, taken->sb, &f);
    if (r == 0) {
        r = sb_file_read_record(f->fd, f->id, f->salt,
                                (uint64_t)taken->offset_block * SB_BLOCK_BYTES, there);
        sb_files_unpin(&s->files, f);
    }
    if (r == 0 && (there->birth != sb_entry_birth(taken) || frag_key_cmp(&there->key, &p->key)))
        r = -VS_ECORRUPT;
    if (r < 0) {
        VS_LOCK_SCOPE(&s->lock);
        sb_mark_bad(s, &p->key, sb_entry_birth(taken));
        return 1;
    }
    return there->payload_bytes == p->bytes && there->table_crc == p->table_crc &&
                   memcmp(there->sha256, p->sha256, sizeof(p->sha256)) == 0
               ? 0
               : -VS_EEXISTS_OTHER;
}

/* Find a place for it. PUT_PLACED, PUT_LATER, PUT_EXISTS, or a negative code. */
static int put_place(struct sb_store *s, struct store_put *p, struct sb_append *a,
                     struct sb_entry *ret_taken)
{
    int room = -EROFS;
    VS_LOCK_SCOPE(&s->append_lock);

    if (!sb_store_is_readonly(s))
        room = sb_append_room(s, p->bytes, true);
    VS_LOCK_SCOPE(&s->lock);
    return put_claim(s, p, a, room, ret_taken);
}

static int put_try(struct sb_store *s, struct store_put *p, struct sb_record *rec)
{
    struct sb_append *a = calloc(1, sizeof(*a));
    struct sb_entry taken = { 0 };
    int r;

    if (a == NULL)
        return -ENOMEM;
    a->put = p;
    r = put_place(s, p, a, &taken);
    if (r == PUT_PLACED) {
        sb_append_write(s, a, rec, p->data); /* `a` and `p` are the committer's from here */
        return PUT_PLACED;
    }
    free(a);
    if (r != PUT_EXISTS)
        return r;
    r = put_compare(s, p, &taken, rec); /* `rec` is made anew when it is needed again */
    return r == 0 ? PUT_EXISTS : r == 1 ? -ESTALE : r;
}

void sb_put_job(struct vs_job *job)
{
    struct store_put *p = vs_container_of(job, struct store_put, job);
    struct sb_store *s = p->store;
    struct sb_record rec = { 0 };
    int r = p->status;

    for (unsigned tries = 0; r == 0; tries++) {
        r = put_record(s, p, &rec);
        if (r == 0)
            r = put_try(s, p, &rec);
        if (r == PUT_PLACED || r == PUT_LATER)
            return;
        if (r == -ESTALE) /* what was there is damaged and said so now */
            r = tries == 0 ? 0 : -VS_ECORRUPT;
    }
    p->existed = r == PUT_EXISTS;
    p->status = r == PUT_EXISTS ? 0 : r;
    pthread_mutex_lock(&s->lock);
    s->puts_waiting--;
    pthread_mutex_unlock(&s->lock);
    p->done(p);
    sb_store_leave(s, 1);
}
