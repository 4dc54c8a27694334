/* Applying what the superblock files say.
 *
 * Happy path: a sealed file is applied from its own index; another one is walked and its payloads
 * are checked. Failure modes: what is broken is remembered with its sequence number and judged at
 * the end (sb_settle.c); without memory nothing can be promised, and the store does not open. */
#include "node/sb_replay.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <string.h>

void sb_replay_init(struct sb_replay *rp, struct sb_store *s)
{
    *rp = (struct sb_replay){ .store = s };
}

void sb_replay_close(struct sb_replay *rp)
{
    sb_tombs_close(&rp->named);
    free(rp->broken);
    free(rp->runs);
    *rp = (struct sb_replay){ 0 };
}

int sb_replay_synced(struct sb_replay *rp, uint64_t run_seq, uint64_t synced_seq)
{
    struct sb_run *run = NULL;

    for (uint32_t i = rp->runs_count; i-- > 0 && run == NULL;)
        if (rp->runs[i].run_seq == run_seq)
            run = &rp->runs[i];
    if (run == NULL) {
        if (rp->runs_count == rp->runs_cap) {
            uint32_t cap = rp->runs_cap == 0 ? 8 : 2 * rp->runs_cap;
            struct sb_run *runs = realloc(rp->runs, cap * sizeof(*runs));

            if (runs == NULL)
                return -ENOMEM;
            rp->runs = runs;
            rp->runs_cap = cap;
        }
        run = &rp->runs[rp->runs_count++];
        *run = (struct sb_run){ .run_seq = run_seq };
    }
    if (run->synced_seq < synced_seq)
        run->synced_seq = synced_seq;
    return 0;
}

int sb_replay_broken(struct sb_replay *rp, const struct sb_broken *b)
{
    if (rp->broken_count == rp->broken_cap) {
        uint32_t cap = rp->broken_cap == 0 ? 16 : 2 * rp->broken_cap;
        struct sb_broken *v = realloc(rp->broken, cap * sizeof(*v));

        if (v == NULL)
            return -ENOMEM;
        rp->broken = v;
        rp->broken_cap = cap;
    }
    rp->broken[rp->broken_count++] = *b;
    return 0;
}

/* ---- one record -------------------------------------------------------------------------------
 */

struct replay_data {
    struct frag_key key;
    uint64_t birth;
    uint32_t offset_block, payload_bytes;
};

static void seen_seq(struct sb_store *s, uint64_t seq)
{
    if (s->next_seq <= seq)
        s->next_seq = seq + 1;
}

/* Two records of one key: the one with the lower birth lost, and gets a TOMB so that it stays
 * lost. */
static int add_loser(struct sb_store *s, const struct frag_key *key, uint64_t sb,
                     uint32_t offset_block, uint32_t payload_bytes, uint64_t winner_birth)
{
    struct sb_tomb_work w = {
        .tomb = {
            .key = *key,
            .sb = sb,
            .offset = (uint64_t)offset_block * SB_BLOCK_BYTES,
            .birth = winner_birth,
        },
        .payload_bytes = payload_bytes,
    };

    return sb_tombs_add(&s->tombs, &w);
}

static int apply_data(struct sb_replay *rp, const struct replay_data *d)
{
    struct sb_store *s = rp->store;
    struct sb_entry *e = sb_index_find(&s->index, &d->key);
    uint64_t birth;
    int r;

    rp->result.records++;
    if (e == NULL) {
        r = sb_index_insert(&s->index, &d->key, &e);
        if (r < 0)
            return r;
    } else {
        bool dead = (e->flags & SB_DEAD) != 0;

        birth = sb_entry_birth(e);
        if (dead ? birth > d->birth : birth == d->birth)
            return 0;
        if (birth > d->birth)
            return add_loser(s, &d->key, rp->file->id, d->offset_block, d->payload_bytes, birth);
        if (!dead) {
            r = add_loser(s, &d->key, e->sb, e->offset_block, e->payload_bytes, d->birth);
            if (r < 0)
                return r;
        }
    }
    e->sb = (uint32_t)rp->file->id;
    e->offset_block = d->offset_block;
    e->payload_bytes = d->payload_bytes;
    e->flags = SB_LIVE;
    sb_entry_set_birth(e, d->birth);
    return 0;
}

static int apply_tomb(struct sb_replay *rp, const struct sb_tomb *t)
{
    struct sb_store *s = rp->store;
    struct sb_entry *e = sb_index_find(&s->index, &t->key);
    struct sb_tomb_work named = { .tomb = *t };
    int r;

    seen_seq(s, t->birth);
    r = sb_tombs_add(&rp->named, &named);
    if (r == 0 && e == NULL)
        r = sb_index_insert(&s->index, &t->key, &e);
    if (r < 0)
        return r;
    if (e->flags != 0 && sb_entry_birth(e) >= t->birth)
        return 0;
    e->flags = SB_DEAD;
    sb_entry_set_birth(e, t->birth);
    return 0;
}

static int apply_tombs(struct sb_replay *rp, const struct sb_record *rec, const uint8_t *payload)
{
    int count = sb_tomb_count(rec->payload_bytes);

    rp->result.records++;
    for (int i = 0; i < count; i++) {
        struct sb_tomb t;
        int r;

        if (sb_tomb_decode(payload, (unsigned)i, &t) < 0)
            continue; /* it checked, so a bug wrote it; the others are still good */
        r = apply_tomb(rp, &t);
        if (r < 0)
            return r;
    }
    return 0;
}

static int broken_record(struct sb_replay *rp, const struct sb_record *rec)
{
    struct sb_broken b = {
        .key = rec->key,
        .sb = rp->file->id,
        .seq = rec->seq,
        .run_seq = rp->file->run_seq,
        .offset_block = (uint32_t)(rec->offset / SB_BLOCK_BYTES),
    };

    if (rec->type != SB_DATA)
        b.key.generation = 0;
    return sb_replay_broken(rp, &b);
}

/* ---- by walking -------------------------------------------------------------------------------
 */

static int on_record(void *arg, const struct sb_walk_record *wr)
{
    const struct sb_record *rec = wr->rec;
    struct sb_replay *rp = arg;
    struct replay_data d = {
        .key = rec->key,
        .birth = rec->birth,
        .offset_block = (uint32_t)(rec->offset / SB_BLOCK_BYTES),
        .payload_bytes = rec->payload_bytes,
    };
    int r;

    seen_seq(rp->store, rec->seq);
    r = sb_replay_synced(rp, rp->file->run_seq, rec->synced_seq);
    if (r == 0 && rec->type == SB_SEAL) {
        rp->sealed = wr->good; /* a broken one says nothing that the records do not say */
        return 0;
    }
    if (r == 0 && !wr->good)
        r = broken_record(rp, rec);
    if (r < 0)
        return r;
    rp->sealed = false;
    rp->file->records++;
    if (rec->type == SB_TOMB)
        return wr->good ? apply_tombs(rp, rec, wr->payload) : 0;
    return apply_data(rp, &d);
}

uint64_t sb_replay_next_seq(const struct sb_file *f, uint64_t seq)
{
    return seq + 1 > f->run_seq ? seq + 1 : f->run_seq;
}

static int on_gap(void *arg, uint64_t from, uint64_t to, uint64_t seq)
{
    struct sb_replay *rp = arg;
    struct sb_broken b = {
        .sb = rp->file->id,
        .seq = sb_replay_next_seq(rp->file, seq),
        .run_seq = rp->file->run_seq,
        .offset_block = (uint32_t)(from / SB_BLOCK_BYTES),
    };

    (void)to;
    rp->gaps = true;
    return sb_replay_broken(rp, &b);
}

/* ---- by the SEAL ------------------------------------------------------------------------------
 */

/* Read the SEAL by the trailer in the file's last block. 1: *payload is its index; 0: there is
 * none that checks. */
static int seal_read(const struct sb_file *f, struct vs_file *fd, struct sb_record *seal,
                     struct vs_buf *payload, struct sb_seal_head *head)
{
    VS_AUTO_FREE uint8_t *block = aligned_alloc(SB_BLOCK_BYTES, SB_BLOCK_BYTES);
    uint64_t offset;
    int r;

    if (block == NULL)
        return -ENOMEM;
    if (f->allocated_to % SB_BLOCK_BYTES != 0 || f->allocated_to <= SB_RECORDS_OFFSET ||
        vs_file_pread_full(fd, block, SB_BLOCK_BYTES, f->allocated_to - SB_BLOCK_BYTES) < 0 ||
        sb_seal_trailer(block, &offset) < 0 || offset >= f->allocated_to ||
        vs_file_pread_full(fd, block, SB_BLOCK_BYTES, offset) < 0)
        return 0;
    r = sb_record_check_at(block, f->id, f->salt, offset, seal);
    if (r == -VS_ENEWER)
        return r;
    if (r < 0 || seal->type != SB_SEAL ||
        offset + (uint64_t)seal->total_blocks * SB_BLOCK_BYTES != f->allocated_to)
        return 0;
    r = sb_file_read_payload(fd, seal, payload);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return 0;
    return sb_seal_decode_head(payload->data, payload->len, head) == 0;
}

/* A TOMB of a sealed file: its payload is not in the SEAL. */
static int seal_tomb(struct sb_replay *rp, struct vs_file *fd, uint64_t offset)
{
    VS_AUTO_FREE uint8_t *block = aligned_alloc(SB_BLOCK_BYTES, SB_BLOCK_BYTES);
    struct sb_record rec = { .type = SB_TOMB, .offset = offset };
    struct vs_buf payload = { 0 };
    int r;

    if (block == NULL)
        return -ENOMEM;
    r = vs_file_pread_full(fd, block, SB_BLOCK_BYTES, offset);
    if (r == 0)
        r = sb_record_check_at(block, rp->file->id, rp->file->salt, offset, &rec);
    if (r == 0)
        r = sb_file_read_payload(fd, &rec, &payload);
    if (r == -ENOMEM)
        return r;
    if (r == 0)
        r = apply_tombs(rp, &rec, payload.data);
    else
        r = broken_record(rp, &rec);
    vs_buf_close(&payload);
    return r;
}

static int seal_apply(struct sb_replay *rp, struct vs_file *fd, const uint8_t *index,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sb_seal_entry e;
        struct replay_data d;
        uint64_t offset;
        int r;

        if (sb_seal_decode(index, i, &e) < 0)
            continue; /* it checked, so a bug wrote it */
        offset = (uint64_t)e.offset_block * SB_BLOCK_BYTES;
        if (offset < rp->apply_from)
            continue;
        d = (struct replay_data){ e.key, e.birth, e.offset_block, e.payload_bytes };
        r = e.type == SB_DATA ? apply_data(rp, &d) : seal_tomb(rp, fd, offset);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- one file ---------------------------------------------------------------------------------
 */

/* 1: applied by its SEAL. 0: it has none. */
static int replay_seal(struct sb_replay *rp, struct vs_file *fd)
{
    VS_AUTO_FREE struct sb_record *seal = calloc(1, sizeof(*seal));
    struct sb_file *f = rp->file;
    struct vs_buf payload = { 0 };
    struct sb_seal_head head;
    int r;

    if (seal == NULL)
        return -ENOMEM;
    r = seal_read(f, fd, seal, &payload, &head);
    if (r == 1) {
        seen_seq(rp->store, seal->seq);
        r = sb_replay_synced(rp, f->run_seq, seal->synced_seq);
        if (r == 0)
            r = seal_apply(rp, fd, payload.data, head.count);
        f->last_seq = seal->seq;
        f->records = head.count;
        f->state = SB_STATE_SEALED;
        r = r < 0 ? r : 1;
    }
    vs_buf_close(&payload);
    return r;
}

int sb_replay_file(struct sb_replay *rp, struct sb_file *f, struct vs_file *fd,
                   const struct sb_ckpt_file *known, uint64_t *ret_keep_bytes)
{
    struct sb_walk w = {
        .f = fd,
        .id = f->id,
        .salt = f->salt,
        .from = known != NULL ? known->scanned_to : SB_RECORDS_OFFSET,
        .to = f->allocated_to,
        .last_seq = known != NULL ? known->last_seq : f->prev_seq,
        .check = SB_WALK_CRC,
        .arg = rp,
        .record = on_record,
        .gap = on_gap,
    };
    int r;

    rp->file = f;
    rp->apply_from = w.from;
    rp->sealed = rp->gaps = false;
    *ret_keep_bytes = f->allocated_to;
    f->last_seq = w.last_seq;
    f->records = known != NULL ? known->records : 0;
    r = replay_seal(rp, fd);
    if (r != 0)
        return r < 0 ? r : 0;
    if (w.from > w.to)
        return 0; /* cut short: what is missing is missed by its entries */
    r = sb_walk_run(&w);
    if (r < 0)
        return r;
    f->last_seq = w.last_seq;
    if (rp->sealed && !rp->gaps)
        f->state = SB_STATE_SEALED;
    *ret_keep_bytes = w.nonzero_end;
    return 0;
}
