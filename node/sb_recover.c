/* Recovery: docs/FORMAT.md, "Recovery".
 *
 * Happy path, after a clean stop: the checkpoint says everything, and every file ends where it
 * says. After any other end: each file is synced and then walked from where the checkpoint left it,
 * around the page cache, because after a failed sync the cache shows bytes that are not on the
 * disk.
 * Failure modes: what is broken is counted and left as it is: `corrupt` when it is known to have
 * been durable once, `unknown` otherwise; everything readable is served. Only a store that cannot
 * be read at all, or a newer format, refuses to open. */
#include "node/sb_recover.h"

#include "common/assert.h"
#include "common/err.h"
#include "node/sb_checkpoint.h"
#include "node/sb_replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the files that are there -----------------------------------------------------------------
 */

struct found_file {
    uint64_t sb, bytes;
};

struct found_files {
    struct found_file *v;
    uint32_t count, cap;
    struct vs_io *io;
};

static int found_add(void *arg, const char *name, uint64_t file_bytes)
{
    struct found_files *found = arg;
    uint64_t sb = sb_name_parse(name);

    if (sb == 0)
        return 0;
    if (found->count == SB_FILES_MAX)
        return -ENOSPC;
    if (found->count == found->cap) {
        uint32_t cap = found->cap == 0 ? 16 : 2 * found->cap;
        struct found_file *v = realloc(found->v, cap * sizeof(*v));

        if (v == NULL)
            return -ENOMEM;
        found->v = v;
        found->cap = cap;
    }
    found->v[found->count++] = (struct found_file){ sb, file_bytes };
    return 0;
}

static int found_by_id(const void *a, const void *b)
{
    const struct found_file *x = a, *y = b;

    return x->sb < y->sb ? -1 : x->sb > y->sb;
}

/* ---- one file ---------------------------------------------------------------------------------
 */

/* The header, from the file or from the checkpoint. 1: known; 0: no use (counted); or an error. */
static int file_super(struct sb_replay *rp, const struct found_file *found,
                      const struct sb_ckpt_file *known, struct vs_file *fd, struct sb_super *super)
{
    struct sb_store *s = rp->store;
    unsigned bad = 0;
    int r;

    r = sb_file_read_super(fd, found->sb, super, &bad);
    if (r == -VS_ENEWER)
        return r;
    if (r == 0 && (vs_id_cmp(&super->cluster, &s->config.cluster) != 0 ||
                   vs_id_cmp(&super->node, &s->config.node) != 0)) {
        rp->result.corrupt++; /* somebody else's file: not ours to touch */
        return 0;
    }
    if (r < 0 && known == NULL) {
        if (found->bytes > SB_RECORDS_OFFSET)
            rp->result.corrupt++;
        return 0;
    }
    if (r < 0)
        *super = (struct sb_super){ .cluster = s->config.cluster,
                                    .node = s->config.node,
                                    .sb = found->sb,
                                    .salt = known->salt,
                                    .run_seq = known->run_seq,
                                    .prev_sb = known->prev_sb,
                                    .prev_seq = known->prev_seq };
    if (bad > 0 && found->bytes >= SB_RECORDS_OFFSET) {
        r = sb_file_write_super(fd, super);
        if (r < 0)
            return r;
    }
    return 1;
}

static struct sb_file *file_new(const struct found_file *found)
{
    struct sb_file *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->id = found->sb;
    f->append = f->allocated_to = found->bytes;
    f->state = SB_STATE_CLOSED;
    return f;
}

/* A file that the checkpoint covers to its end needs no look inside. */
static bool file_covered(const struct found_file *found, const struct sb_ckpt_file *known)
{
    return known != NULL && known->scanned_to == found->bytes;
}

static void file_from_ckpt(struct sb_file *f, const struct sb_ckpt_file *known)
{
    f->salt = known->salt;
    f->run_seq = known->run_seq;
    f->prev_sb = known->prev_sb;
    f->prev_seq = known->prev_seq;
    f->last_seq = known->last_seq;
    f->records = known->records;
    f->state = known->state;
}

/* Give back the zeros behind what was written, and sync what was walked. */
static int file_trim(struct vs_file *fd, struct sb_file *f, uint64_t keep_bytes)
{
    int r = 0;

    if (keep_bytes < f->allocated_to) {
        r = vs_file_truncate(fd, keep_bytes);
        if (r == 0)
            r = vs_file_fdatasync(fd);
        f->append = f->allocated_to = keep_bytes;
    }
    return r;
}

/* Sync first: what the process before left in the cache is made durable or shown not to be. Then
 * look at the disk itself. */
static int file_walk(struct sb_replay *rp, struct sb_file *f, struct vs_file *fd,
                     const struct sb_ckpt_file *known)
{
    char name[SB_NAME_BYTES];
    struct vs_file *direct;
    uint64_t keep_bytes;
    int r;

    r = vs_file_fdatasync(fd);
    if (r < 0)
        return r;
    sb_name(f->id, name);
    r = vs_io_open(rp->store->io, name, VS_IO_READ | VS_IO_DIRECT, &direct);
    if (r == -EINVAL || r == -EOPNOTSUPP) /* a file system without it, for example tmpfs */
        r = vs_io_open(rp->store->io, name, VS_IO_READ, &direct);
    if (r < 0)
        return r;
    r = sb_replay_file(rp, f, direct, known, &keep_bytes);
    vs_file_close(direct);
    return r < 0 ? r : file_trim(fd, f, keep_bytes);
}

/* Take a file into the table. */
static int file_open(struct sb_replay *rp, const struct found_file *found,
                     const struct sb_ckpt_file *known)
{
    struct sb_store *s = rp->store;
    struct sb_super super = { 0 };
    char name[SB_NAME_BYTES];
    struct sb_file *f;
    struct vs_file *fd;
    int r;

    sb_name(found->sb, name);
    if (known != NULL && known->state == SB_STATE_DOOMED)
        return vs_io_unlink(s->io, name);
    f = file_new(found);
    if (f == NULL)
        return -ENOMEM;
    if (file_covered(found, known)) {
        file_from_ckpt(f, known);
        r = sb_files_add(&s->files, f);
        if (r < 0)
            free(f);
        return r;
    }
    rp->result.clean = false;
    if (rp->walked_from == 0)
        rp->walked_from = found->sb;
    r = vs_io_open(s->io, name, VS_IO_WRITE, &fd);
    if (r < 0) {
        free(f);
        return r;
    }
    r = file_super(rp, found, known, fd, &super);
    if (r == 1) {
        f->salt = super.salt;
        f->run_seq = super.run_seq;
        f->prev_sb = super.prev_sb;
        f->prev_seq = f->last_seq = super.prev_seq;
        r = file_walk(rp, f, fd, known);
        if (r == 0)
            r = sb_files_add(&s->files, f);
        f = r == 0 ? NULL : f;
    } else if (r == 0 && found->bytes <= SB_RECORDS_OFFSET) {
        r = vs_io_unlink(s->io, name); /* its making was interrupted: no record ever went in */
    }
    vs_file_close(fd);
    free(f);
    return r;
}

static int open_files(struct sb_replay *rp, struct found_files *found,
                      const struct sb_ckpt_files *known)
{
    struct sb_store *s = rp->store;
    int r;

    r = vs_io_list(s->io, found_add, found);
    if (r < 0)
        return r;
    if (found->count > 0)
        qsort(found->v, found->count, sizeof(found->v[0]), found_by_id);
    for (uint32_t i = 0; i < found->count; i++) {
        r = file_open(rp, &found->v[i], sb_ckpt_files_find(known, found->v[i].sb));
        if (r < 0)
            return r;
        if (found->v[i].sb >= s->next_sb)
            s->next_sb = found->v[i].sb + 1;
    }
    return vs_io_sync_dir(s->io);
}

/* ---- afterwards -------------------------------------------------------------------------------
 */

/* After a clean stop the last file goes on taking records. */
static int reopen_active(struct sb_store *s)
{
    struct sb_file *f = NULL, *pinned;
    int r;

    for (f = sb_files_after(&s->files, 0); f != NULL; f = sb_files_after(&s->files, f->id))
        if (f->state == SB_STATE_OPEN)
            break;
    if (f == NULL)
        return 0;
    r = sb_files_pin(&s->files, f->id, &pinned);
    if (r < 0)
        return r;
    s->active = f;
    return 0;
}

/* After any other end the files that were open are closed, and numbers are not used again that a
 * torn record may bear. */
static void close_run(struct sb_store *s)
{
    struct sb_file *f;

    for (f = sb_files_after(&s->files, 0); f != NULL; f = sb_files_after(&s->files, f->id))
        if (f->state == SB_STATE_OPEN)
            f->state = SB_STATE_CLOSED;
    s->next_seq += SB_SEQ_JUMP;
    s->run_seq = s->next_seq;
}

static void find_last(struct sb_store *s)
{
    struct sb_file *f;

    for (f = sb_files_after(&s->files, 0); f != NULL; f = sb_files_after(&s->files, f->id)) {
        if (s->active == f)
            continue;
        s->last_sb = f->id;
        s->last_sb_seq = f->last_seq;
    }
    s->synced_seq = s->next_seq - 1;
}

static int remove_tmp(void *arg, const char *name, uint64_t file_bytes)
{
    struct vs_io *io = arg;
    size_t len = strlen(name);

    (void)file_bytes;
    if (len > 4 && strcmp(name + len - 4, ".tmp") == 0)
        (void)vs_io_unlink(io, name);
    return 0;
}

static int ballast_seen(void *arg, const char *name, uint64_t file_bytes)
{
    bool *ballast = arg;

    if (strcmp(name, SB_BALLAST_NAME) == 0)
        *ballast = file_bytes >= SB_BALLAST_BYTES;
    return 0;
}

/* Load, walk, settle. */
static int recover_state(struct sb_replay *rp, struct found_files *found,
                         struct sb_ckpt_files *known)
{
    struct sb_store *s = rp->store;
    struct sb_ckpt_head head = { 0 };
    int r;

    r = sb_checkpoint_load(s, &head, known, &s->ckpt_number);
    if (r < 0)
        return r;
    rp->result.from_checkpoint = r == 1;
    rp->result.clean = r == 1 && (head.flags & SB_CKPT_CLEAN) != 0;
    if (r == 1) {
        s->next_seq = head.next_seq;
        s->next_sb = head.next_sb;
        s->run_seq = head.run_seq;
        sb_replay_synced(rp, head.run_seq, head.synced_seq);
    }
    r = open_files(rp, found, known);
    if (r == 0)
        r = sb_replay_settle(rp);
    return r;
}

int sb_recover(struct sb_store *s, struct sb_recovery *ret)
{
    struct sb_replay rp;
    struct found_files found = { .io = s->io };
    struct sb_ckpt_files known = { 0 };
    int r;

    sb_replay_init(&rp, s);
    (void)vs_io_list(s->io, remove_tmp, s->io);
    r = recover_state(&rp, &found, &known);
    if (r == 0 && found.count == 0 && known.count == 0)
        rp.result.clean = true; /* nothing was ever put */
    if (r == 0 && rp.result.clean)
        r = reopen_active(s);
    else if (r == 0)
        close_run(s);
    if (r == 0) {
        find_last(s);
        sb_scrubber_open(s, rp.walked_from);
        (void)vs_io_list(s->io, ballast_seen, &s->ballast);
        s->maint_wanted = true; /* files may have been left to seal or to remove */
        s->checkpoint_ns = vs_now_ns(s->config.clock);
        s->corrupt_records = rp.result.corrupt;
        rp.result.files = s->files.count;
        rp.result.fragments = s->live;
        *ret = rp.result;
    }
    if (r == 0 && !rp.result.clean && s->files.count > 0) {
        r = sb_checkpoint_write(s, false);
        r = r == -ENOSPC ? 0 : r;
    }
    free(found.v);
    free(known.v);
    sb_replay_close(&rp);
    return r;
}
