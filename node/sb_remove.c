/* Removing files in which nothing is live any more.
 *
 * Happy path, in this order: TOMBs in the file that are still needed (the dead record that they
 * name is in a file that stays) are written once more; a checkpoint says that the file is doomed;
 * the file is unlinked, the directory synced. A crash anywhere in between leaves either the file
 * with its TOMBs, or a checkpoint by which the next start removes it on sight.
 * Failure modes: no room for TOMBs or checkpoint: later. A file that cannot be read to its end is
 * kept, for what it held is not known. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "node/sb_checkpoint.h"
#include "node/sb_impl.h"
#include "node/sb_walk.h"

#include <inttypes.h>

#define REMOVE_MAX 64u /* files at a time */

struct removal {
    struct sb_store *s;
    uint64_t ids[REMOVE_MAX]; /* ascending */
    unsigned count;
    struct sb_tombs tombs; /* to write again */
    uint64_t walking;      /* the file being read */
    uint32_t records;      /* met in it */
    bool broken;
};

/* ---- which ------------------------------------------------------------------------------------
 */

/* Under lock. */
static bool removable(const struct sb_file *f)
{
    return f->live == 0 && f->pending == 0 && !f->to_seal && !f->keep &&
           (f->state == SB_STATE_SEALED || f->state == SB_STATE_CLOSED);
}

static void choose(struct removal *rm)
{
    struct sb_store *s = rm->s;
    struct sb_file *f;
    VS_LOCK_SCOPE(&s->lock);

    for (f = sb_files_after(&s->files, 0); f != NULL && rm->count < REMOVE_MAX;
         f = sb_files_after(&s->files, f->id))
        if (removable(f))
            rm->ids[rm->count++] = f->id;
}

/* ---- TOMBs that are still needed --------------------------------------------------------------
 */

/* Files go in ascending order, so what is chosen and lower is gone first. */
static bool gone_before(const struct removal *rm, uint64_t sb)
{
    for (unsigned i = 0; i < rm->count && rm->ids[i] < rm->walking; i++)
        if (rm->ids[i] == sb)
            return true;
    return false;
}

static bool needed(const struct removal *rm, const struct sb_tomb *t)
{
    return t->sb != rm->walking && sb_files_find(&rm->s->files, t->sb) != NULL &&
           !gone_before(rm, t->sb);
}

static int on_record(void *arg, const struct sb_walk_record *wr)
{
    struct removal *rm = arg;
    int count;

    if (!wr->good)
        rm->broken = true;
    rm->records += wr->rec->type != SB_SEAL;
    if (!wr->good || wr->rec->type != SB_TOMB)
        return 0;
    count = sb_tomb_count(wr->rec->payload_bytes);
    for (int i = 0; i < count; i++) {
        struct sb_tomb_work w = { 0 };
        int r;

        if (sb_tomb_decode(wr->payload, (unsigned)i, &w.tomb) < 0 || !needed(rm, &w.tomb))
            continue;
        r = sb_tombs_add(&rm->tombs, &w);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Collect from one file; -VS_ECORRUPT when it has to be kept. */
static int collect(struct removal *rm, uint64_t id)
{
    struct sb_walk w = {
        .id = id,
        .from = SB_RECORDS_OFFSET,
        .check = SB_WALK_HEADERS,
        .arg = rm,
        .record = on_record,
    };
    struct sb_file *f;
    int r;

    r = sb_files_pin(&rm->s->files, id, &f);
    if (r == -ENOENT)
        return 0; /* somebody else removed it: nothing to rescue */
    if (r < 0)
        return r;
    w.f = f->fd;
    w.salt = f->salt;
    w.to = f->allocated_to;
    w.last_seq = f->prev_seq;
    rm->walking = id;
    rm->broken = false;
    rm->records = 0;
    r = sb_walk_run(&w);
    if (r == 0 && (rm->broken || rm->records != f->records)) /* all, over gaps that were torn */
        r = -VS_ECORRUPT;
    sb_files_unpin(&rm->s->files, f);
    return r;
}

/* Read all chosen files; those that cannot be read are not chosen any more. */
static int collect_all(struct removal *rm)
{
    unsigned i = 0;

    while (i < rm->count) {
        uint32_t before = rm->tombs.count;
        int r = collect(rm, rm->ids[i]);

        if (r == -ENOMEM)
            return r;
        if (r == 0) {
            i++;
            continue;
        }
        pthread_mutex_lock(&rm->s->lock);
        sb_files_find(&rm->s->files, rm->ids[i])->keep = true;
        pthread_mutex_unlock(&rm->s->lock);
        rm->tombs.count = before;
        /* Later files were not read yet, earlier ones do not depend on this one. */
        for (unsigned j = i + 1; j < rm->count; j++)
            rm->ids[j - 1] = rm->ids[j];
        rm->count--;
    }
    return 0;
}

static int write_tombs(struct removal *rm)
{
    int r = 0;

    pthread_mutex_lock(&rm->s->lock);
    for (uint32_t i = 0; r == 0 && i < rm->tombs.count; i++)
        r = sb_tombs_add(&rm->s->tombs, &rm->tombs.v[i]);
    pthread_mutex_unlock(&rm->s->lock);
    return r < 0 ? r : sb_commit_tombs(rm->s);
}

/* ---- away -------------------------------------------------------------------------------------
 */

static void set_state(struct removal *rm, bool doomed)
{
    VS_LOCK_SCOPE(&rm->s->lock);

    for (unsigned i = 0; i < rm->count; i++) {
        struct sb_file *f = sb_files_find(&rm->s->files, rm->ids[i]);

        f->state = doomed ? SB_STATE_DOOMED : SB_STATE_CLOSED;
    }
}

static int unlink_one(struct sb_store *s, uint64_t id)
{
    char name[SB_NAME_BYTES];
    int r;

    sb_name(id, name);
    r = vs_io_unlink(s->io, name);
    if (r == 0 || r == -ENOENT)
        r = vs_io_sync_dir(s->io);
    if (r < 0) {
        sb_store_fail(s, r, "Removing superblock file %" PRIu64 " failed", id);
        return r;
    }
    if (!sb_files_remove(&s->files, id)) { /* being read: the next pass takes it out of the table */
        VS_LOCK_SCOPE(&s->lock);
        s->maint_wanted = true;
    }
    return 0;
}

/* Files that were unlinked while somebody was reading them. */
static void forget_unlinked(struct sb_store *s)
{
    uint64_t ids[REMOVE_MAX];
    unsigned count = 0;
    struct sb_file *f;

    pthread_mutex_lock(&s->lock);
    for (f = sb_files_after(&s->files, 0); f != NULL && count < REMOVE_MAX;
         f = sb_files_after(&s->files, f->id))
        if (f->state == SB_STATE_DOOMED)
            ids[count++] = f->id;
    pthread_mutex_unlock(&s->lock);
    while (count > 0)
        (void)sb_files_remove(&s->files, ids[--count]);
}

void sb_maint_remove(struct sb_store *s)
{
    struct removal rm = { .s = s };
    int r;

    forget_unlinked(s);
    choose(&rm);
    if (rm.count == 0 || sb_store_is_down(s))
        return;
    r = collect_all(&rm);
    if (r == 0)
        r = write_tombs(&rm);
    sb_tombs_close(&rm.tombs);
    if (r < 0 || rm.count == 0)
        return;
    set_state(&rm, true);
    r = sb_checkpoint_write(s, false);
    if (r < 0)
        set_state(&rm, false);
    for (unsigned i = 0; r == 0 && i < rm.count; i++)
        r = unlink_one(s, rm.ids[i]);
}
