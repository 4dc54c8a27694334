/* Reading: get, stat, list, hold.
 *
 * Happy path: the index gives the place; the record's header gives the CRC table, the payload is
 * read straight into the caller's memory; then the index is asked again, because a fragment that
 * was deleted meanwhile may have been punched under the read.
 * Failure modes: a header that does not check, or a file that cannot be read, is -VS_ECORRUPT and
 * marks the fragment, so that a put of it is taken. The payload is not checked here: the reader
 * does that. */
#include "common/cleanup.h"
#include "common/err.h"
#include "node/sb_impl.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define LIST_SLICE 256u /* entries looked at while the lock is held */

static int find_live(struct sb_store *s, const struct frag_key *key, struct sb_entry *ret)
{
    const struct sb_entry *e;
    VS_LOCK_SCOPE(&s->lock);

    if (s->state == STORE_DOWN)
        return -VS_EDOWN;
    e = sb_index_find(&s->index, key);
    if (e == NULL || (e->flags & SB_LIVE) == 0)
        return -ENOENT;
    *ret = *e;
    return 0;
}

bool sb_mark_bad(struct sb_store *s, const struct frag_key *key, uint64_t birth)
{
    struct sb_entry *e = sb_index_find(&s->index, key);

    if (e == NULL || (e->flags & SB_LIVE) == 0 || sb_entry_birth(e) != birth)
        return false;
    if ((e->flags & SB_BAD) == 0) {
        e->flags |= SB_BAD;
        s->corrupt_records++;
    }
    return true;
}

/* What a read of `e` gave, in the light of what the index says now: -ENOENT when the fragment was
 * deleted or replaced meanwhile. */
static int settle(struct sb_store *s, const struct frag_key *key, const struct sb_entry *e, int r)
{
    const struct sb_entry *now;
    VS_LOCK_SCOPE(&s->lock);

    if (s->state == STORE_DOWN)
        return -VS_EDOWN;
    now = sb_index_find(&s->index, key);
    if (now == NULL || (now->flags & SB_LIVE) == 0 || sb_entry_birth(now) != sb_entry_birth(e))
        return -ENOENT;
    if (r == 0 || r == -EINVAL || r == -ENOMEM)
        return r;
    if (r == -EMFILE || r == -ENFILE) /* this process is short of descriptors, nothing rots */
        return -EAGAIN;
    if (r == -EACCES || r == -EPERM || r == -EROFS)
        return -VS_EDOWN;
    sb_mark_bad(s, key, sb_entry_birth(e));
    return -VS_ECORRUPT;
}

static bool header_is(const struct sb_record *rec, const struct frag_key *key,
                      const struct sb_entry *e)
{
    return rec->type == SB_DATA && frag_key_cmp(&rec->key, key) == 0 &&
           rec->birth == sb_entry_birth(e) && rec->payload_bytes == e->payload_bytes;
}

/* Read and check the record's header. */
static int read_header(struct sb_file *f, const struct frag_key *key, const struct sb_entry *e,
                       struct sb_record *rec)
{
    int r;

    r = sb_file_read_record(f->fd, f->id, f->salt, (uint64_t)e->offset_block * SB_BLOCK_BYTES, rec);
    if (r < 0)
        return r;
    return header_is(rec, key, e) ? 0 : -VS_ECORRUPT;
}

/* ---- get --------------------------------------------------------------------------------------
 */

static int get_read(struct sb_file *f, struct store_get *g, const struct sb_entry *e)
{
    struct sb_record rec;
    int64_t bytes;
    int r;

    r = read_header(f, &g->key, e, &rec);
    if (r < 0)
        return r;
    bytes = store_get_bytes(g, rec.payload_bytes);
    if (bytes < 0)
        return (int)bytes;
    r = vs_file_pread_full(f->fd, g->dst, (size_t)bytes, rec.offset + SB_BLOCK_BYTES + g->offset);
    if (r < 0)
        return r;
    memcpy(g->crc, rec.crc, sizeof(g->crc));
    g->payload_bytes = rec.payload_bytes;
    g->got_bytes = (uint32_t)bytes;
    return 0;
}

static int get_run(struct sb_store *s, struct store_get *g)
{
    struct sb_entry e;
    struct sb_file *f;
    int r;

    r = store_get_check(g);
    if (r == 0)
        r = find_live(s, &g->key, &e);
    if (r < 0)
        return r;
    r = sb_files_pin(&s->files, e.sb, &f);
    if (r == 0) {
        r = get_read(f, g, &e);
        sb_files_unpin(&s->files, f);
    }
    return settle(s, &g->key, &e, r);
}

void sb_get_job(struct vs_job *job)
{
    struct store_get *g = vs_container_of(job, struct store_get, job);
    struct sb_store *s = g->store;

    if (g->status == 0)
        g->status = get_run(s, g);
    if (g->status < 0)
        g->got_bytes = g->payload_bytes = 0;
    g->done(g);
    sb_store_leave(s, 1);
}

/* ---- stat -------------------------------------------------------------------------------------
 */

static int stat_run(struct sb_store *s, struct store_stat *st)
{
    struct sb_record rec;
    struct sb_entry e;
    struct sb_file *f;
    int r;

    r = find_live(s, &st->key, &e);
    if (r < 0)
        return r;
    r = sb_files_pin(&s->files, e.sb, &f);
    if (r == 0) {
        r = read_header(f, &st->key, &e, &rec);
        sb_files_unpin(&s->files, f);
    }
    r = settle(s, &st->key, &e, r);
    if (r < 0)
        return r;
    st->payload_bytes = rec.payload_bytes;
    st->table_crc = rec.table_crc;
    memcpy(st->sha256, rec.sha256, sizeof(st->sha256));
    st->note = rec.note;
    return 0;
}

void sb_stat_job(struct vs_job *job)
{
    struct store_stat *st = vs_container_of(job, struct store_stat, job);
    struct sb_store *s = st->store;

    if (st->status == 0)
        st->status = stat_run(s, st);
    st->done(st);
    sb_store_leave(s, 1);
}

/* ---- hold -------------------------------------------------------------------------------------
 */

/* As find_live(), and from then on its place is not punched. */
static int hold_begin(struct sb_store *s, struct store_hold *h, struct sb_entry *ret)
{
    const struct sb_entry *e;
    VS_LOCK_SCOPE(&s->lock);

    if (s->state == STORE_DOWN)
        return -VS_EDOWN;
    e = sb_index_find(&s->index, &h->key);
    if (e == NULL || (e->flags & SB_LIVE) == 0)
        return -ENOENT;
    *ret = *e;
    sb_holds_add(&s->holds, h, e->sb, e->offset_block);
    return 0;
}

/* Have the range in the page cache, on this thread: a sendfile that waits for a disk would keep a
 * thread from its other connections. What is there already costs one look per block. */
static int hold_warm(int fd, uint64_t offset, uint64_t bytes, bool wait)
{
    char block[FRAG_BLOCK_BYTES];

    for (uint64_t at = 0; at < bytes; at += sizeof(block)) {
        struct iovec one = { block, 1 };
        ssize_t n = preadv2(fd, &one, 1, (off_t)(offset + at), RWF_NOWAIT);

        if (n == 1)
            continue;
        if (!wait)
            return -EAGAIN;
        if (n < 0 && errno != EAGAIN)
            return 0; /* this file system cannot say; sending works all the same */
        if (pread(fd, block, sizeof(block), (off_t)(offset + at)) < 0)
            return -errno;
    }
    return 0;
}

/* The record's header, if it is in memory. */
static int hold_header_now(struct sb_file *f, const struct sb_entry *e, struct sb_record *rec)
{
    uint64_t offset = (uint64_t)e->offset_block * SB_BLOCK_BYTES;
    uint8_t block[SB_BLOCK_BYTES];
    struct iovec one = { block, sizeof(block) };
    int fd = vs_file_fd(f->fd);

    if (fd < 0 || preadv2(fd, &one, 1, (off_t)offset, RWF_NOWAIT) != sizeof(block))
        return -EAGAIN;
    /* What does not check is judged where there is time to read it again. */
    return sb_record_check_at(block, f->id, f->salt, offset, rec) < 0 ? -EAGAIN : 0;
}

static int hold_read(struct sb_file *f, struct store_hold *h, const struct sb_entry *e, bool wait)
{
    struct sb_record rec;
    uint32_t left;
    int r;

    r = wait ? read_header(f, &h->key, e, &rec) : hold_header_now(f, e, &rec);
    if (r == 0 && !header_is(&rec, &h->key, e))
        r = wait ? -VS_ECORRUPT : -EAGAIN;
    if (r < 0)
        return r;
    h->fd = vs_file_fd(f->fd);
    if (h->fd < 0)
        return h->fd;
    h->offset = rec.offset + SB_BLOCK_BYTES;
    h->payload_bytes = rec.payload_bytes;
    h->table_crc = rec.table_crc;
    memcpy(h->sha256, rec.sha256, sizeof(h->sha256));
    memcpy(h->crc, rec.crc, sizeof(h->crc));
    h->note = rec.note;
    left = h->first < rec.payload_bytes ? rec.payload_bytes - h->first : 0;
    return hold_warm(h->fd, h->offset + h->first, h->bytes < left ? h->bytes : left, wait);
}

static int hold_run(struct sb_store *s, struct store_hold *h, bool wait)
{
    struct sb_entry e;
    struct sb_file *f;
    int r;

    h->priv = NULL;
    r = hold_begin(s, h, &e);
    if (r < 0)
        return r;
    r = wait ? sb_files_pin(&s->files, e.sb, &f) : sb_files_pin_open(&s->files, e.sb, &f);
    if (r == 0) {
        h->priv = f;
        r = hold_read(f, h, &e, wait);
    }
    if (r != -EOPNOTSUPP && (wait || r != -EAGAIN))
        r = settle(s, &h->key, &e, r);
    if (r < 0)
        sb_hold_end(s, h);
    return r;
}

void sb_hold_end(struct sb_store *s, struct store_hold *h)
{
    if (h->priv != NULL)
        sb_files_unpin(&s->files, h->priv);
    VS_LOCK_SCOPE(&s->lock);
    sb_holds_remove(&s->holds, h);
}

void sb_hold_job(struct vs_job *job)
{
    struct store_hold *h = vs_container_of(job, struct store_hold, job);
    struct sb_store *s = h->store;

    if (h->status == 0)
        h->status = hold_run(s, h, true);
    h->done(h);
    sb_store_leave(s, 1);
}

int sb_hold_now(struct sb_store *s, struct store_hold *h)
{
    return hold_run(s, h, false);
}

/* ---- list -------------------------------------------------------------------------------------
 */

static int list_run(struct sb_store *s, struct store_list *l)
{
    VS_AUTO_FREE struct sb_entry *slice = malloc(LIST_SLICE * sizeof(*slice));
    struct frag_key after = l->after;
    uint32_t n = 1;

    if (slice == NULL)
        return -ENOMEM;
    while (l->keys_count < l->keys_max && n > 0) {
        pthread_mutex_lock(&s->lock);
        n = sb_index_page(&s->index, &after, slice, LIST_SLICE);
        pthread_mutex_unlock(&s->lock);
        for (uint32_t i = 0; i < n && l->keys_count < l->keys_max; i++) {
            after = sb_entry_key(&slice[i]);
            if ((slice[i].flags & SB_LIVE) != 0)
                l->keys[l->keys_count++] = after;
        }
    }
    return 0;
}

void sb_list_job(struct vs_job *job)
{
    struct store_list *l = vs_container_of(job, struct store_list, job);
    struct sb_store *s = l->store;

    if (l->status == 0 && sb_store_is_down(s))
        l->status = -VS_EDOWN;
    if (l->status == 0)
        l->status = list_run(s, l);
    l->done(l);
    sb_store_leave(s, 1);
}
