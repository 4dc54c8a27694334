/* chunk_fetch: the parts of a fetch and what happens when they arrive. See the header.
 *
 * A part is one fragment's blocks [a, b). Parts that the range needs are `wanted`; those asked for
 * only to rebuild others are extras. When no answer is outstanding, chunk_fetch_advance() looks at
 * the first wanted part that failed: enough good parts cover its range -> rebuild it; else ask for
 * more; none left -> lost. A rebuilt part then serves to rebuild the next. */
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/chunk_fetch_impl.h"
#include <stdio.h>
#include <string.h>

#define FETCH_LOG_EVERY_NS VS_NS_PER_S /* one line per store and second */

static void chunk_fetch_read_place(struct chunk_fetch *f, bool hint);

static void fetch_parts_free(struct chunk_fetch *f)
{
    struct fetch_part *p;

    while ((p = vs_list_first(&f->parts, struct fetch_part, link)) != NULL) {
        vs_list_del(&p->link);
        chunk_bytes_put(p->mem);
        free(p);
    }
}

static const struct place_frag *fetch_place(const struct fetch_part *p)
{
    return &p->fetch->place.frag[p->fragment];
}

/* A scan over a broken store would write a line per read: one a second says as much. */
static bool fetch_may_log(_Atomic int64_t *last_ns)
{
    int64_t now = vs_now_ns(&vs_clock_system), last = atomic_load(last_ns);

    return (last == 0 || now - last >= FETCH_LOG_EVERY_NS) &&
           atomic_compare_exchange_strong(last_ns, &last, now);
}

void fetch_part_log(const struct fetch_part *p, int status)
{
    const struct chunk_fetch *f = p->fetch;
    const struct store_set *set = f->env->stores;
    char chunk[VS_ID_TEXT_BYTES], path[STORE_SET_PATH_BYTES];

    for (unsigned i = 0; i < set->count; i++) {
        if (set->entries[i].node != fetch_place(p)->node || !fetch_may_log(&f->env->log_ns[i]))
            continue;
        vs_id_to_text(&f->chunk.id, chunk);
        vs_warn("store %s: fragment %u of chunk %s (inode %llu): %s -> rebuilt from the others",
                store_set_path(set, i, path), p->fragment, chunk, (unsigned long long)f->ino,
                vs_err_text(status));
    }
}

/* Fewer fragments are left than are needed: say where the missing ones should be. */
static void fetch_lost_log(struct chunk_fetch *f)
{
    const struct store_set *set = f->env->stores;
    char chunk[VS_ID_TEXT_BYTES], path[STORE_SET_PATH_BYTES], where[1024] = "";
    size_t len = 0;
    struct vs_list *pos, *tmp;

    if (!fetch_may_log(&f->env->lost_log_ns))
        return;
    vs_list_for_each (pos, tmp, &f->parts) {
        const struct fetch_part *p = vs_container_of(pos, struct fetch_part, link);

        for (unsigned i = 0; p->state == PART_BAD && i < set->count; i++)
            if (set->entries[i].node == fetch_place(p)->node && len < sizeof(where))
                len += (size_t)snprintf(where + len, sizeof(where) - len, " %s",
                                        store_set_path(set, i, path));
    }
    vs_id_to_text(&f->chunk.id, chunk);
    vs_error("chunk %s of inode %llu: too few fragments can be read, missing or wrong at%s -> EIO "
             "for this range; bring one of these stores back",
             chunk, (unsigned long long)f->ino, where);
}

static void chunk_fetch_finish(struct chunk_fetch *f, int status)
{
    if (status == -VS_ELOST)
        fetch_lost_log(f);
    fetch_parts_free(f);
    vs_buf_close(&f->reg.current);
    if (status < 0) {
        chunk_bytes_put(f->mem);
        f->mem = NULL;
        f->data = NULL;
    }
    if (status == -VS_ELOST)
        atomic_fetch_add(&f->env->stats.lost, 1);
    f->status = status;
    pthread_mutex_destroy(&f->lock);
    f->done(f); /* f may be gone */
}

/* Make a failed wanted part good: 1 done, 0 more parts were asked for, -VS_ELOST. */
static int fetch_part_rebuild(struct chunk_fetch *f, struct fetch_part *p)
{
    const struct vs_redundancy *red = &f->place.red;
    uint8_t have[VS_EC_N_MAX];
    const uint8_t *src[VS_EC_N_MAX];
    const uint8_t *same = fetch_same(f, p);
    unsigned count = fetch_sources(f, p, have, src);
    int asked;

    if (same != NULL || count == red->k) {
        int r = 0;

        if (same != NULL)
            memcpy(p->dst, same, p->b - p->a);
        else if (red->kind == VS_RED_REPLICATE)
            memcpy(p->dst, src[0], p->b - p->a);
        else
            r = vs_ec_rebuild(red->k, red->m, have, src, p->fragment, p->dst, p->b - p->a);
        if (r < 0)
            return r;
        p->state = PART_GOOD;
        atomic_fetch_add(&f->env->stats.rebuilt, 1);
        return 1;
    }
    asked = fetch_more(f, p, red->k - count);
    if (asked < 0)
        return asked;
    if (asked > 0)
        fetch_hedge_arm(f);
    return asked > 0 ? 0 : -VS_ELOST;
}

static struct fetch_part *fetch_first_bad(struct chunk_fetch *f)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &f->parts) {
        struct fetch_part *p = vs_container_of(pos, struct fetch_part, link);

        if (p->wanted && p->state == PART_BAD)
            return p;
    }
    return NULL;
}

/* Nothing is outstanding: this thread alone has the fetch. */
void chunk_fetch_advance(struct chunk_fetch *f)
{
    for (;;) {
        struct fetch_part *p = fetch_first_bad(f);
        int r;

        if (f->short_of < 0) {
            chunk_fetch_finish(f, f->short_of);
            return;
        }
        if (p == NULL) {
            chunk_fetch_finish(f, 0);
            return;
        }
        fetch_hold(f);
        r = fetch_part_rebuild(f, p);
        if (!fetch_settled(f))
            return;                                /* the last answer goes on */
        if (r == -VS_ELOST && !f->place_checked) { /* it may have changed since it was read */
            f->place_checked = true;
            fetch_parts_free(f);
            place_cache_forget(f->env->places, &f->chunk.id);
            chunk_fetch_read_place(f, false);
            return;
        }
        if (r < 0) {
            chunk_fetch_finish(f, r);
            return;
        }
    }
}

/* Range [first, last) of the chunk inside data fragment n, as whole blocks of the fragment. */
static void fetch_blocks(const struct chunk_fetch *f, unsigned n, uint32_t first, uint32_t last,
                         uint32_t *a, uint32_t *b)
{
    uint64_t base = (uint64_t)n * f->frag_bytes;
    uint32_t from = first > base ? (uint32_t)(first - base) : 0;
    uint32_t to = last - base < f->frag_bytes ? (uint32_t)(last - base) : f->frag_bytes;

    *a = from / FRAG_BLOCK_BYTES * FRAG_BLOCK_BYTES;
    *b = (to + FRAG_BLOCK_BYTES - 1) / FRAG_BLOCK_BYTES * FRAG_BLOCK_BYTES;
    if (*b > f->frag_bytes)
        *b = f->frag_bytes;
}

static void fetch_fail_job(struct vs_job *job)
{
    struct chunk_fetch *f = vs_container_of(job, struct chunk_fetch, job);

    chunk_fetch_finish(f, f->status);
}

/* End a fetch from inside chunk_fetch_start, where `done` must not run. */
static void chunk_fetch_fail_later(struct chunk_fetch *f, int status)
{
    f->status = status;
    f->job.fn = fetch_fail_job;
    vs_exec_submit(f->env->exec, &f->job);
}

static void fetch_advance_job(struct vs_job *job)
{
    chunk_fetch_advance(vs_container_of(job, struct chunk_fetch, job));
}

/* The placement is known: lay the memory out and ask for the data fragments in the range. The parts
 * of one fetch lie side by side, so that fragment n's byte x is at  (n*L + x) - start. `inside`:
 * this is chunk_fetch_start, where `done` must not run. */
static void chunk_fetch_ask(struct chunk_fetch *f, bool inside)
{
    unsigned k = f->place.red.k, first_frag, last_frag;
    uint32_t last = f->offset + f->bytes, a, b, end;
    uint64_t start;
    int r = 0;

    f->frag_bytes = (uint32_t)vs_ec_fragment_bytes(f->chunk.bytes, k);
    first_frag = f->offset / f->frag_bytes;
    last_frag = (last - 1) / f->frag_bytes;
    VS_ASSERT(last_frag < k);

    fetch_blocks(f, first_frag, f->offset, last, &a, &b);
    start = (uint64_t)first_frag * f->frag_bytes + a;
    fetch_blocks(f, last_frag, f->offset, last, &a, &b);
    end = (uint32_t)((uint64_t)last_frag * f->frag_bytes + b - start);
    if (f->mem != NULL && f->mem->cap < end) { /* placed anew in another form */
        chunk_bytes_put(f->mem);
        f->mem = NULL;
    }
    if (f->mem == NULL)
        f->mem = chunk_bytes_new(f->env->mem, end);
    if (f->mem == NULL) {
        chunk_fetch_fail_later(f, -ENOMEM);
        return;
    }
    f->data = f->mem->data + (f->offset - start);

    fetch_hold(f);
    f->short_of = 0;
    for (unsigned n = first_frag; r == 0 && n <= last_frag; n++) {
        uint8_t *dst;

        fetch_blocks(f, n, f->offset, last, &a, &b);
        dst = f->mem->data + ((uint64_t)n * f->frag_bytes + a - start);
        r = fetch_part_start(f, n, a, b, dst, true);
    }
    f->short_of = r; /* before the last answer can see it */
    fetch_hedge_arm(f);
    if (!fetch_settled(f))
        return;                    /* the last answer goes on */
    f->job.fn = fetch_advance_job; /* all answers were there before we had asked for the last */
    if (inside)
        vs_exec_submit(f->env->exec, &f->job);
    else
        chunk_fetch_advance(f);
}

static int fetch_take_place(struct chunk_fetch *f)
{
    int r = f->req.status;

    if (r == 0)
        r = f->reg.status;
    if (r == -ENOENT)
        return -ESTALE;
    if (r == 0)
        r = place_value_decode(f->reg.current.data, f->reg.current.len, &f->place);
    if (r < 0)
        return r;
    if (f->place.state != PLACE_LIVE)
        return -ESTALE; /* deleted, or replaced by a newer version of the file */
    if (vs_redundancy_check(&f->place.red) < 0 || f->place.chunk_bytes != f->chunk.bytes)
        return -VS_ECORRUPT;
    place_cache_put(f->env->places, &f->chunk.id, &f->place);
    return 0;
}

static void fetch_place_read(struct meta_req *req)
{
    struct chunk_fetch *f = vs_container_of(req, struct chunk_fetch, req);
    int r = fetch_take_place(f);

    /* that replica lacks it, or has what was never decided; the others know */
    if (r < 0 && r != -VS_EDOWN && req->hint)
        chunk_fetch_read_place(f, false);
    else if (r < 0)
        chunk_fetch_finish(f, r);
    else
        chunk_fetch_ask(f, false);
}

/* The link in the journal proves that the placement was decided, and bytes of a chunk never change:
 * what any replica has of it will do, until it leads nowhere. */
static void chunk_fetch_read_place(struct chunk_fetch *f, bool hint)
{
    vs_buf_close(&f->reg.current);
    f->reg = (struct meta_reg){ .id = f->chunk.id };
    f->req = (struct meta_req){
        .op = META_REG_READ,
        .done = fetch_place_read,
        .hint = hint,
        .regs = &f->reg,
        .reg_count = 1,
    };
    meta_submit(f->env->meta, &f->req);
}

void chunk_fetch_start(struct chunk_fetch *f)
{
    VS_ASSERT(f->bytes > 0 && f->offset + (uint64_t)f->bytes <= f->chunk.bytes);
    pthread_mutex_init(&f->lock, NULL);
    vs_list_init(&f->parts);
    if (!place_cache_get(f->env->places, &f->chunk.id, &f->place))
        chunk_fetch_read_place(f, true);
    else
        chunk_fetch_ask(f, true);
}
