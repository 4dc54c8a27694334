/* The end of recovery, when all files have been seen.
 *
 * Happy path: every entry has its record inside a file; counters are summed up.
 * Failure modes: entries whose file is gone or too short are dropped and counted; broken records
 * are counted as corrupt when their run is known to have been durable that far, as unknown
 * otherwise. Punching is repeated for every TOMB that was walked, since the crash may have come
 * between the two, but never without a look at what is there. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "node/sb_replay.h"

#include <string.h>

#define SETTLE_SLICE 512u

static uint64_t run_synced(const struct sb_replay *rp, uint64_t run_seq)
{
    for (uint32_t i = 0; i < rp->runs_count; i++)
        if (rp->runs[i].run_seq == run_seq)
            return rp->runs[i].synced_seq;
    return 0;
}

/* ---- entries ----------------------------------------------------------------------------------
 */

/* Is the record inside a file that is there? */
static bool entry_in_file(const struct sb_entry *e, const struct sb_file *f)
{
    uint64_t end = (uint64_t)e->offset_block + sb_record_blocks(e->payload_bytes);

    return f != NULL && end * SB_BLOCK_BYTES <= f->allocated_to;
}

static void settle_entry(struct sb_replay *rp, const struct sb_entry *e)
{
    struct sb_store *s = rp->store;
    struct frag_key key = sb_entry_key(e);
    struct sb_file *f;

    if ((e->flags & SB_DEAD) != 0) {
        sb_index_remove(&s->index, &key);
        return;
    }
    f = sb_files_find(&s->files, e->sb);
    if (!entry_in_file(e, f)) {
        rp->result.corrupt++;
        rp->result.clean = false;
        sb_index_remove(&s->index, &key);
        return;
    }
    f->live++;
    f->live_bytes += e->payload_bytes;
    s->live++;
    s->live_bytes += e->payload_bytes;
}

static int settle_entries(struct sb_replay *rp)
{
    struct sb_entry *slice = malloc(SETTLE_SLICE * sizeof(*slice));
    struct frag_key after;
    uint32_t n;

    if (slice == NULL)
        return -ENOMEM;
    n = sb_index_page(&rp->store->index, NULL, slice, SETTLE_SLICE);
    while (n > 0) {
        after = sb_entry_key(&slice[n - 1]);
        for (uint32_t i = 0; i < n; i++)
            settle_entry(rp, &slice[i]);
        n = sb_index_page(&rp->store->index, &after, slice, SETTLE_SLICE);
    }
    free(slice);
    return 0;
}

/* ---- what is broken ---------------------------------------------------------------------------
 */

/* The last sequence number that went into file `sb`, from the header of the file after it;
 * UINT64_MAX: not known. */
static uint64_t last_reserved(const struct sb_replay *rp, uint64_t sb)
{
    struct sb_files *files = &rp->store->files;
    const struct sb_file *f;

    for (f = sb_files_after(files, sb); f != NULL; f = sb_files_after(files, f->id))
        if (f->prev_sb == sb)
            return f->prev_seq;
    return UINT64_MAX;
}

static void settle_broken(struct sb_replay *rp, const struct sb_broken *b)
{
    struct sb_store *s = rp->store;
    struct sb_file *f = sb_files_find(&s->files, b->sb);
    bool was_durable = b->seq <= run_synced(rp, b->run_seq);

    if (b->key.generation != 0) {
        struct sb_entry *e = sb_index_find(&s->index, &b->key);

        if (e == NULL || e->sb != b->sb || e->offset_block != b->offset_block)
            return; /* deleted or replaced since: its payload may have been punched */
        e->flags |= SB_BAD;
    } else if (b->seq > last_reserved(rp, b->sb)) {
        return; /* behind all records of the file: a SEAL that was not finished */
    } else if (f != NULL && was_durable) {
        f->keep = true; /* nobody knows what it held */
    }
    if (was_durable)
        rp->result.corrupt++;
    else
        rp->result.unknown++;
}

/* Was something broken met at the end of file `f`? */
static bool broken_end(const struct sb_replay *rp, const struct sb_file *f)
{
    for (uint32_t i = 0; i < rp->broken_count; i++)
        if (rp->broken[i].sb == f->id && rp->broken[i].seq > f->last_seq)
            return true;
    return false;
}

/* The header of each file says how far the file before it went: what is missing there? */
static void settle_tails(struct sb_replay *rp)
{
    struct sb_store *s = rp->store;
    struct sb_file *f;

    for (f = sb_files_after(&s->files, 0); f != NULL; f = sb_files_after(&s->files, f->id)) {
        const struct sb_file *before = sb_files_find(&s->files, f->prev_sb);

        if (before == NULL || before->last_seq >= f->prev_seq || broken_end(rp, before))
            continue;
        if (before->run_seq != f->run_seq ||
            sb_replay_next_seq(before, before->last_seq) <= run_synced(rp, before->run_seq))
            rp->result.corrupt++;
        else
            rp->result.unknown++;
    }
}

/* ---- holes ------------------------------------------------------------------------------------
 */

/* Punch what a TOMB names, if it is still there and is what the TOMB means. */
static int settle_named(struct sb_store *s, const struct sb_tomb *t, struct sb_record *rec)
{
    struct sb_file *f;
    int r;

    if (sb_files_pin(&s->files, t->sb, &f) < 0)
        return 0;
    r = sb_file_read_record(f->fd, f->id, f->salt, t->offset, rec);
    sb_files_unpin(&s->files, f);
    if (r == -VS_ENEWER)
        return r;
    if (r == 0 && rec->type == SB_DATA && frag_key_cmp(&rec->key, &t->key) == 0 &&
        rec->birth < t->birth)
        sb_dead_add(s, t->sb, t->offset, rec->payload_bytes);
    return 0;
}

int sb_replay_settle(struct sb_replay *rp)
{
    VS_AUTO_FREE struct sb_record *rec = malloc(sizeof(*rec));
    int r;

    if (rec == NULL)
        return -ENOMEM;
    r = settle_entries(rp);
    for (uint32_t i = 0; r == 0 && i < rp->named.count; i++)
        r = settle_named(rp->store, &rp->named.v[i].tomb, rec);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < rp->broken_count; i++)
        settle_broken(rp, &rp->broken[i]);
    settle_tails(rp);
    return 0;
}
