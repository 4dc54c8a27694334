/* A seeded workload that remembers what it was told. Keys are reused: a deleted one comes back with
 * other bytes, so that an old record that rises again is seen as wrong bytes. */
#include "tests/support/sb_model.h"

#include "common/assert.h"
#include "common/err.h"
#include "common/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODEL_FILE_BYTES (160u << 10)
#define STEP_NS          (10 * VS_NS_PER_S) /* a checkpoint by time every six steps, at least */

static const struct vs_id cluster = { { 0xc1 } }, node = { { 0x0d } };
static const struct frag_note note = { .red = { VS_RED_RS, 3, 2 }, .name_bytes = 1, .name = "n" };

static int64_t model_now(const struct vs_clock *c)
{
    return vs_container_of(c, struct sb_model, clock)->now_ns;
}

void sb_model_init(struct sb_model *m)
{
    *m = (struct sb_model){ .file_bytes = MODEL_FILE_BYTES,
                            .clock = { model_now, model_now },
                            .now_ns = 1000000 * VS_NS_PER_S };
}

int sb_model_format(struct sb_model *m, struct sim_io *sim)
{
    struct vs_io *io = sim_io_boot(sim);
    int r = sb_store_format(io, &cluster, &node);

    (void)m;
    vs_io_free(io);
    return r;
}

int sb_model_open(struct sb_model *m, struct sim_io *sim)
{
    struct sb_store_config config = {
        .io = sim_io_boot(sim),
        .cluster = cluster,
        .node = node,
        .file_bytes = m->file_bytes,
        .reserve_percent = 2,
        .scrub_period_s = 200,
        .serial = true,
        .clock = &m->clock,
    };
    int r;

    VS_ASSERT(m->ss.s == NULL);
    m->recovery = (struct sb_recovery){ 0 };
    m->ss.run = sb_store_run;
    r = sb_store_open(&m->ss.s, &config, &m->recovery);
    if (r < 0)
        m->ss.s = NULL;
    return r;
}

void sb_model_close(struct sb_model *m)
{
    chunk_store_stop(m->ss.s);
    m->ss.s = NULL;
}

/* ---- the workload -----------------------------------------------------------------------------
 */

struct model_put {
    struct store_put put;
    struct sb_model_key next;
    uint8_t *data;
    unsigned key, calls;
};

struct model_del {
    struct store_del del;
    unsigned key, calls;
};

static void put_done(struct store_put *p)
{
    vs_container_of(p, struct model_put, put)->calls++;
}

static void del_done(struct store_del *d)
{
    vs_container_of(d, struct model_del, del)->calls++;
}

static size_t some_size(struct vs_rand *r)
{
    static const size_t sizes[] = { 0, 1, 4096, 5000, 20000, 66000 };

    return sizes[vs_rand_below(r, sizeof(sizes) / sizeof(sizes[0]))];
}

/* Settle what a put was answered. */
static bool put_settle(struct sb_model *m, struct model_put *p)
{
    struct sb_model_key *k = &m->keys[p->key];
    int status = p->put.status;

    VS_ASSERT(p->calls == 1);
    if (status == 0) {
        *k = p->next;
        k->state = SB_MODEL_STORED;
        m->puts_acked++;
    } else if (status == -VS_EDOWN && k->state == SB_MODEL_ABSENT) {
        *k = p->next;
        k->state = SB_MODEL_PUTTING;
    } else if (status == -ENOSPC) {
        m->refused++;
    } else {
        assert_int_equal(status, -VS_EDOWN);
    }
    free(p->data);
    return status != -VS_EDOWN;
}

/* Put some absent keys at once. */
static bool step_puts(struct sb_model *m, struct vs_rand *r)
{
    struct model_put puts[SB_MODEL_BATCH] = { 0 };
    unsigned n = 0, want = 1 + (unsigned)vs_rand_below(r, SB_MODEL_BATCH);
    bool up = true;

    for (unsigned tries = 0; n < want && tries < SB_MODEL_KEYS; tries++) {
        unsigned key = (unsigned)vs_rand_below(r, SB_MODEL_KEYS);
        struct model_put *p = &puts[n];
        bool taken = m->keys[key].state != SB_MODEL_ABSENT;

        for (unsigned i = 0; i < n; i++)
            taken = taken || puts[i].key == key;
        if (taken)
            continue;
        p->key = key;
        p->next.seed = vs_rand_u64(r);
        p->next.bytes = some_size(r);
        p->data = sync_bytes(p->next.seed, p->next.bytes);
        p->put = (struct store_put){ .key = sync_key(key),
                                     .note = &note,
                                     .data = p->data,
                                     .bytes = p->next.bytes,
                                     .done = put_done };
        vs_sha256(p->data, p->next.bytes, p->put.sha256);
        n++;
    }
    m->operations += n;
    for (unsigned i = 0; i < n; i++)
        chunk_store_put(m->ss.s, &puts[i].put);
    sb_store_run(m->ss.s);
    for (unsigned i = 0; i < n; i++)
        up = put_settle(m, &puts[i]) && up;
    return up;
}

static bool step_dels(struct sb_model *m, struct vs_rand *r)
{
    struct model_del dels[SB_MODEL_BATCH] = { 0 };
    unsigned n = 1 + (unsigned)vs_rand_below(r, SB_MODEL_BATCH);
    bool up = true;

    m->operations += n;
    for (unsigned i = 0; i < n; i++) {
        dels[i].key = (unsigned)vs_rand_below(r, SB_MODEL_KEYS);
        dels[i].del = (struct store_del){ .key = sync_key(dels[i].key), .done = del_done };
        chunk_store_del(m->ss.s, &dels[i].del);
    }
    sb_store_run(m->ss.s);
    for (unsigned i = 0; i < n; i++) {
        struct sb_model_key *k = &m->keys[dels[i].key];

        VS_ASSERT(dels[i].calls == 1);
        if (dels[i].del.status == 0) {
            k->state = SB_MODEL_ABSENT;
            m->dels_acked++;
        } else if (dels[i].del.status == -ENOSPC) {
            m->refused++;
        } else {
            assert_int_equal(dels[i].del.status, -VS_EDOWN);
            if (k->state == SB_MODEL_STORED)
                k->state = SB_MODEL_DELETING;
            up = false;
        }
    }
    return up;
}

void sb_model_workload(struct sb_model *m, struct sim_io *sim, uint64_t seed, unsigned steps)
{
    struct vs_rand r;
    bool up = true;

    vs_rand_init(&r, seed);
    for (unsigned i = 0; i < steps && up; i++) {
        uint64_t dice = vs_rand_below(&r, 20);

        m->now_ns += STEP_NS;
        m->operations += dice >= 16;
        if (dice < 9) {
            up = step_puts(m, &r);
        } else if (dice < 16) {
            up = step_dels(m, &r);
        } else if (dice < 17) {
            up = sb_store_scrub_step(m->ss.s) != -VS_EDOWN;
        } else if (dice < 19) {
            up = sb_store_checkpoint(m->ss.s) != -VS_EDOWN;
        } else {
            sb_model_close(m);
            up = !sim_io_was_cut(sim) && sb_model_open(m, sim) == 0;
        }
    }
}

/* ---- the check --------------------------------------------------------------------------------
 */

/* What the writer of an unfinished put does: the same bytes again. A success must be one. */
static void put_again(struct sb_model *m, struct sb_model_key *k, const struct frag_key *key)
{
    uint8_t *data = sync_bytes(k->seed, k->bytes);

    assert_int_equal(sync_put(&m->ss, key, NULL, data, k->bytes), 0);
    assert_int_equal(sync_check(&m->ss, key, k->seed, k->bytes), 0);
    k->state = SB_MODEL_STORED;
    free(data);
}

static void check_key(struct sb_model *m, unsigned i)
{
    struct sb_model_key *k = &m->keys[i];
    struct frag_key key = sync_key(i);
    int r = sync_check(&m->ss, &key, k->seed, k->bytes);
    bool fine = false;

    switch (k->state) {
    case SB_MODEL_ABSENT:
        fine = r == -ENOENT;
        break;
    case SB_MODEL_STORED:
        fine = r == 0;
        break;
    case SB_MODEL_PUTTING: {
        uint8_t *got = NULL;
        size_t bytes;

        /* Wrong bytes that verify would be 0 here and not equal, which sync_check calls corrupt. */
        fine = r == 0 || r == -ENOENT;
        if (!fine && r == -VS_ECORRUPT)
            fine = sync_get_all(&m->ss, &key, NULL, &got, &bytes) == -VS_ECORRUPT;
        free(got);
        break;
    }
    case SB_MODEL_DELETING:
        fine = r == 0 || r == -ENOENT;
        break;
    }
    if (!fine)
        fail_msg("key %u: state %d, reads as %d", i, k->state, r);
    /* From here on the answer binds. */
    if (r == -ENOENT)
        k->state = SB_MODEL_ABSENT;
    else if (r == 0)
        k->state = SB_MODEL_STORED;
    else
        put_again(m, k, &key);
}

void sb_model_check(struct sb_model *m)
{
    struct frag_key keys[SB_MODEL_KEYS + 1];
    uint32_t listed = 0, stored = 0;

    for (unsigned i = 0; i < SB_MODEL_KEYS; i++)
        check_key(m, i);
    assert_int_equal(sync_list(&m->ss, NULL, keys, SB_MODEL_KEYS + 1, &listed), 0);
    for (unsigned i = 0; i < SB_MODEL_KEYS; i++)
        stored += m->keys[i].state != SB_MODEL_ABSENT;
    assert_int_equal(listed, stored);
}
