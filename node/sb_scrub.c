/* Scrub: read a superblock file from end to end and compare everything.
 *
 * Happy path: a walk with all checks, around the page cache, up to what is committed.
 * Failure modes: a live fragment that fails is marked and told; a broken TOMB, SEAL, header of a
 * file or gap counts as well, since nothing may rot unseen. Headers of files exist twice and are
 * repaired; everything else is repaired from other stores, by a put over the damaged key. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "node/sb_checkpoint.h"
#include "node/sb_ident.h"
#include "node/sb_walk.h"

#include <inttypes.h>
#include <sched.h>

#define SCRUB_SLICE 512u

struct scrub {
    struct sb_store *s;
    const struct sb_file *f; /* pinned */
    uint32_t records;        /* that should be there, and were not yet met */
    bool sealed;             /* its SEAL was met */
    const struct sb_scrub_ask *ask;
    int count;
    struct vs_file *direct;
    bool again; /* in look_again() */
};

/* ---- telling ----------------------------------------------------------------------------------
 */

static void tell(struct scrub *sc, const struct frag_key *key)
{
    sc->count++;
    if (sc->ask->bad != NULL)
        sc->ask->bad(sc->ask->bad_arg, key);
}

/* `bytes` were read. */
static int pace(struct scrub *sc, uint64_t bytes)
{
    sched_yield();
    if (sb_store_is_down(sc->s))
        return -VS_EDOWN;
    return sc->ask->pace != NULL ? sc->ask->pace(sc->ask->pace_arg, bytes) : 0;
}

/* Something that is no live fragment. */
static void count_other(struct scrub *sc)
{
    VS_LOCK_SCOPE(&sc->s->lock);

    sc->count++;
    sc->s->corrupt_records++;
}

enum { PLACE_LIVE, PLACE_DEAD };

/* Does the index point to this record? A bad one is marked on the way. */
static int place_of(struct scrub *sc, const struct sb_record *rec, bool good)
{
    const struct sb_entry *e;
    VS_LOCK_SCOPE(&sc->s->lock);

    e = sb_index_find(&sc->s->index, &rec->key);
    if (e == NULL || (e->flags & SB_LIVE) == 0 || e->sb != sc->f->id ||
        (uint64_t)e->offset_block * SB_BLOCK_BYTES != rec->offset)
        return PLACE_DEAD;
    if (!good)
        sb_mark_bad(sc->s, &rec->key, sb_entry_birth(e));
    return PLACE_LIVE;
}

/* Under no lock: is this payload waiting to be punched, or being punched? */
static bool being_punched(struct scrub *sc, const struct sb_record *rec)
{
    struct sb_store *s = sc->s;
    VS_LOCK_SCOPE(&s->lock);

    for (uint32_t i = 0; i < s->dead_count; i++)
        if (s->dead[i].sb == sc->f->id && s->dead[i].offset == rec->offset + SB_BLOCK_BYTES)
            return true;
    return false;
}

/* ---- one file ---------------------------------------------------------------------------------
 */

static int on_record(void *arg, const struct sb_walk_record *wr);

/* A deleted payload was neither whole nor a hole: it may have been punched under the read. */
static int look_again(struct scrub *sc, const struct sb_record *rec)
{
    struct sb_walk w = {
        .f = sc->direct,
        .id = sc->f->id,
        .salt = sc->f->salt,
        .from = rec->offset,
        .to = rec->offset + (uint64_t)rec->total_blocks * SB_BLOCK_BYTES,
        .last_seq = rec->seq - 1,
        .check = SB_WALK_CRC,
        .arg = sc,
        .record = on_record,
    };
    int r;

    sc->again = true;
    r = sb_walk_run(&w);
    sc->again = false;
    return r;
}

static int on_record(void *arg, const struct sb_walk_record *wr)
{
    struct scrub *sc = arg;
    int r;

    r = pace(sc, (uint64_t)wr->rec->total_blocks * SB_BLOCK_BYTES);
    if (r < 0)
        return r;
    if (sc->again)
        sc->records++; /* counted already */
    if (wr->rec->type == SB_SEAL)
        sc->sealed = true;
    else if (sc->records > 0)
        sc->records--;
    if (wr->rec->type != SB_DATA) {
        if (!wr->good)
            count_other(sc);
        return 0;
    }
    if (place_of(sc, wr->rec, wr->good) == PLACE_LIVE) {
        if (!wr->good)
            tell(sc, &wr->rec->key);
        return 0;
    }
    /* Deleted: whole, or a hole. In between only while it is being punched. */
    if (!wr->good && !wr->zero && !sc->again && !being_punched(sc, wr->rec))
        return look_again(sc, wr->rec);
    if (!wr->good && !wr->zero && sc->again)
        count_other(sc);
    return 0;
}

/* Live fragments whose records begin in [from, to) of the file: their headers are gone. */
static int tell_between(struct scrub *sc, uint64_t from, uint64_t to)
{
    VS_AUTO_FREE struct sb_entry *slice = malloc(SCRUB_SLICE * sizeof(*slice));
    struct frag_key after;
    bool first = true;
    uint32_t n;

    if (slice == NULL)
        return -ENOMEM;
    for (;;) {
        pthread_mutex_lock(&sc->s->lock);
        n = sb_index_page(&sc->s->index, first ? NULL : &after, slice, SCRUB_SLICE);
        pthread_mutex_unlock(&sc->s->lock);
        if (n == 0)
            return 0;
        first = false;
        after = sb_entry_key(&slice[n - 1]);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t offset = (uint64_t)slice[i].offset_block * SB_BLOCK_BYTES;
            struct frag_key key = sb_entry_key(&slice[i]);
            bool now;

            if (slice[i].sb != sc->f->id || offset < from || offset >= to)
                continue;
            pthread_mutex_lock(&sc->s->lock);
            now = sb_mark_bad(sc->s, &key, sb_entry_birth(&slice[i]));
            pthread_mutex_unlock(&sc->s->lock);
            if (!now)
                continue;
            tell(sc, &key);
            if (sc->records > 0)
                sc->records--;
        }
    }
}

/* A gap is damage when it holds something live; otherwise the number of records tells, because a
 * record that was torn when the power went leaves a gap as well, and never counted. */
static int on_gap(void *arg, uint64_t from, uint64_t to, uint64_t seq)
{
    int r;

    (void)seq;
    r = pace(arg, to - from);
    return r < 0 ? r : tell_between(arg, from, to);
}

/* Both copies of the header; a bad one is written again. */
static int scrub_super(struct scrub *sc, struct vs_file *direct)
{
    struct sb_store *s = sc->s;
    struct sb_super super;
    unsigned bad = 2;
    int r;

    r = sb_file_read_super(direct, sc->f->id, &super, &bad);
    if (r == -VS_ENEWER)
        return r;
    if (r == 0 && bad == 0)
        return 0;
    if (r < 0) {
        bad = 2;
        super = (struct sb_super){ .cluster = s->config.cluster,
                                   .node = s->config.node,
                                   .sb = sc->f->id,
                                   .salt = sc->f->salt,
                                   .run_seq = sc->f->run_seq,
                                   .prev_sb = sc->f->prev_sb,
                                   .prev_seq = sc->f->prev_seq };
    }
    for (unsigned i = 0; i < bad; i++)
        count_other(sc);
    r = sb_file_write_super(sc->f->fd, &super);
    if (r < 0) {
        sb_store_fail(s, r, "Repairing the header of superblock file %" PRIu64 " failed",
                      sc->f->id);
        return -VS_EDOWN;
    }
    return 0;
}

static int open_direct(struct sb_store *s, uint64_t id, struct vs_file **ret)
{
    char name[SB_NAME_BYTES];
    int r;

    sb_name(id, name);
    r = vs_io_open(s->io, name, VS_IO_READ | VS_IO_DIRECT, ret);
    if (r == -EINVAL || r == -EOPNOTSUPP)
        r = vs_io_open(s->io, name, VS_IO_READ, ret);
    return r;
}

/* How far to go, and what to expect. */
static uint64_t scrub_begin(struct scrub *sc, bool *ret_sealed)
{
    uint64_t last_seq;
    VS_LOCK_SCOPE(&sc->s->append_lock);
    VS_LOCK_SCOPE(&sc->s->lock);

    sc->records = sc->f->records - sc->f->pending;
    sc->sealed = false;
    *ret_sealed = sc->f->state == SB_STATE_SEALED;
    return sb_committed_to(sc->s, sc->f, &last_seq);
}

/* A file that cannot be opened: what it holds is lost with it, unless it is this process that is
 * short of something. */
static int scrub_unreadable(struct scrub *sc, int r)
{
    if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
        return r;
    return tell_between(sc, 0, UINT64_MAX);
}

static int scrub_pinned(struct scrub *sc)
{
    bool sealed;
    struct sb_walk w = {
        .id = sc->f->id,
        .salt = sc->f->salt,
        .from = SB_RECORDS_OFFSET,
        .to = scrub_begin(sc, &sealed),
        .last_seq = sc->f->prev_seq,
        .check = SB_WALK_ALL,
        .arg = sc,
        .record = on_record,
        .gap = on_gap,
    };
    int r;

    r = open_direct(sc->s, sc->f->id, &sc->direct);
    if (r < 0)
        return scrub_unreadable(sc, r);
    w.f = sc->direct;
    r = scrub_super(sc, w.f);
    if (r == 0)
        r = sb_walk_run(&w);
    vs_file_close(sc->direct);
    if (r < 0)
        return r;
    for (; sc->records > 0; sc->records--)
        count_other(sc);
    if (sealed && !sc->sealed)
        count_other(sc);
    return 0;
}

int sb_scrub_file(struct sb_store *s, uint64_t id, const struct sb_scrub_ask *ask)
{
    struct scrub sc = { .s = s, .ask = ask };
    struct sb_file *f;
    int r;

    if (sb_store_is_down(s))
        return -VS_EDOWN;
    r = sb_files_pin(&s->files, id, &f);
    if (r < 0) {
        struct sb_file unreadable = { .id = id };

        sc.f = &unreadable;
        r = scrub_unreadable(&sc, r);
    } else {
        sc.f = f;
        r = scrub_pinned(&sc);
        sb_files_unpin(&s->files, f);
    }
    return r < 0 ? r : sc.count;
}

int sb_scrub_small(struct sb_store *s)
{
    const struct sb_ident id = { .cluster = s->config.cluster, .node = s->config.node };
    unsigned bad = 0;
    int r;

    if (sb_store_is_down(s))
        return -VS_EDOWN;
    r = sb_ident_mend(s->io, &id, &bad);
    if (r < 0 && r != -ENOMEM) {
        sb_store_fail(s, r, "Repairing " SB_IDENT_NAME " failed");
        return -VS_EDOWN;
    }
    if (r == 0)
        r = sb_checkpoint_mend(s, &bad);
    if (r < 0)
        return r;
    VS_LOCK_SCOPE(&s->lock);
    s->corrupt_records += bad;
    return (int)bad;
}

int sb_store_scrub(struct chunk_store *base, sb_scrub_bad_fn *bad, void *arg)
{
    const struct sb_scrub_ask ask = { .bad = bad, .bad_arg = arg };
    struct sb_store *s = sb_store_of(base);
    int count, r;

    count = r = sb_scrub_small(s);
    for (uint64_t id = 0; r >= 0 && (id = sb_files_next_id(&s->files, id)) != 0;) {
        r = sb_scrub_file(s, id, &ask);
        count += r;
    }
    return r < 0 ? r : count;
}

int sb_store_known_bad(struct chunk_store *base, sb_scrub_bad_fn *bad, void *arg)
{
    struct sb_store *s = sb_store_of(base);
    VS_AUTO_FREE struct sb_entry *slice = malloc(SCRUB_SLICE * sizeof(*slice));
    struct frag_key after;
    uint32_t n = 1;
    int count = 0;

    if (slice == NULL)
        return -ENOMEM;
    for (bool first = true; n > 0; first = false) {
        pthread_mutex_lock(&s->lock);
        n = sb_index_page(&s->index, first ? NULL : &after, slice, SCRUB_SLICE);
        pthread_mutex_unlock(&s->lock);
        for (uint32_t i = 0; i < n; i++) {
            after = sb_entry_key(&slice[i]);
            if ((slice[i].flags & (SB_LIVE | SB_BAD)) != (SB_LIVE | SB_BAD))
                continue;
            count++;
            if (bad != NULL)
                bad(arg, &after);
        }
    }
    return count;
}
