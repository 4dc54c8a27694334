/* upload_rig: see upload_rig.h. */
#include "tests/support/upload_rig.h"

#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"
#include "ingest/upload_env.h"
#include "meta/meta_local.h"
#include "node/store_mem.h"
#include "tests/support/meta_fail.h"
#include "tests/support/store_sync.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- open and close ---- */

static int64_t rig_now_ns(const struct vs_clock *c)
{
    const struct upload_rig_clock *clock = vs_container_of(c, const struct upload_rig_clock, clock);

    return vs_now_ns(&vs_clock_system) + clock->ahead_ns;
}

static int64_t rig_real_ns(const struct vs_clock *c)
{
    const struct upload_rig_clock *clock = vs_container_of(c, const struct upload_rig_clock, clock);

    return vs_real_ns(&vs_clock_system) + clock->ahead_ns;
}

void upload_rig_skip_ms(struct upload_rig *rig, int64_t ms)
{
    rig->clock.ahead_ns += ms * VS_NS_PER_MS;
}

void upload_rig_open(struct upload_rig *rig, unsigned stores, size_t budget_bytes,
                     struct cutter *cutter)
{
    struct meta_local_config meta = { .create = true, .in_memory = true };
    struct upload_env_config config;

    memset(rig, 0, sizeof(*rig));
    rig->clock.clock = (struct vs_clock){ .now_ns = rig_now_ns, .real_ns = rig_real_ns };
    meta.cluster.b[0] = 1;
    meta.clock = &vs_clock_system;
    assert_int_equal(vs_exec_start(&rig->exec, "upload", 2), 0);
    assert_int_equal(vs_exec_start(&rig->store_exec, "store", 2), 0);
    assert_int_equal(meta_local_open(&rig->meta, &meta), 0);
    rig->meta = meta_fail_new(rig->meta, rig->store_exec);
    rig->stores.count = stores;
    for (unsigned i = 0; i < stores; i++) {
        struct store_set_entry *e = &rig->stores.entries[i];

        assert_int_equal(store_mem_new(&rig->mem[i], rig->store_exec), 0);
        rig->stall[i] = store_stall_new(rig->mem[i], rig->store_exec);
        e->node = i + 1;
        snprintf(e->name, sizeof(e->name), "n%u", i + 1);
        atomic_store(&e->store, rig->stall[i]);
    }
    config = (struct upload_env_config){ .stores = &rig->stores,
                                         .meta = rig->meta,
                                         .exec = rig->exec,
                                         .cutter = cutter,
                                         .budget_bytes = budget_bytes,
                                         .clock = &rig->clock.clock };
    assert_int_equal(upload_env_new(&rig->env, &config), 0);
    assert_int_equal(upload_session_new(&rig->session, rig->env), 0);
}

void upload_rig_close(struct upload_rig *rig)
{
    upload_session_free(rig->session);
    upload_env_free(rig->env);
    store_set_close(&rig->stores);
    meta_client_stop(rig->meta);
    vs_exec_stop(rig->exec);
    vs_exec_stop(rig->store_exec);
}

/* ---- the source ---- */

static uint64_t word_at(uint64_t seed, uint64_t i)
{
    uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + i;

    x = (x ^ x >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 29;
}

void upload_rig_fill(void *dst, uint64_t seed, uint64_t offset, size_t len)
{
    uint8_t *to = dst;

    while (len > 0) {
        uint64_t word = word_at(seed, offset / 8);
        size_t in = offset % 8, n = 8 - in < len ? 8 - in : len;

        memcpy(to, (uint8_t *)&word + in, n);
        to += n;
        offset += n;
        len -= n;
    }
}

/* ---- calls that wait ---- */

struct room_wait {
    struct upload_room room;
    sem_t done;
};

static void room_done(struct upload_room *room)
{
    sem_post(&vs_container_of(room, struct room_wait, room)->done);
}

static int append_wait(struct upload *u, const void *bytes, size_t len)
{
    struct room_wait wait = { .room.done = room_done };
    int r;

    sem_init(&wait.done, 0, 0);
    r = upload_append(u, bytes, len, &wait.room);
    if (r == 1) {
        while (sem_wait(&wait.done) < 0)
            continue;
        r = wait.room.status;
    }
    sem_destroy(&wait.done);
    return r;
}

int upload_rig_append(struct upload *u, uint64_t seed, uint64_t bytes, size_t piece)
{
    uint8_t *from = malloc(piece);
    int r = 0;

    VS_ASSERT(from != NULL);
    while (r == 0 && bytes > 0) {
        size_t n = bytes < piece ? (size_t)bytes : piece;

        upload_rig_fill(from, seed, upload_end(u), n);
        r = append_wait(u, from, n);
        bytes -= n;
    }
    free(from);
    return r;
}

struct flush_wait {
    struct upload_flush f;
    sem_t done;
};

static void flush_done(struct upload_flush *f)
{
    sem_post(&vs_container_of(f, struct flush_wait, f)->done);
}

int upload_rig_flush(struct upload *u, struct upload_flush *f)
{
    struct flush_wait wait = { .f.done = flush_done };

    sem_init(&wait.done, 0, 0);
    upload_flush(u, &wait.f);
    while (sem_wait(&wait.done) < 0)
        continue;
    sem_destroy(&wait.done);
    *f = wait.f;
    return f->status;
}

struct manifest_wait {
    struct manifest_write w;
    sem_t done;
};

static void manifest_done(struct manifest_write *w)
{
    sem_post(&vs_container_of(w, struct manifest_wait, w)->done);
}

int upload_rig_manifest(struct upload_rig *rig, struct manifest_write *w)
{
    struct manifest_wait wait = { .w = *w };

    wait.w.done = manifest_done;
    sem_init(&wait.done, 0, 0);
    manifest_write(rig->env, &wait.w);
    while (sem_wait(&wait.done) < 0)
        continue;
    sem_destroy(&wait.done);
    *w = wait.w;
    return w->status;
}

struct upload *upload_rig_upload(struct upload_rig *rig, const char *name, bool live_cut,
                                 bool allow_inline)
{
    struct upload_config config = { .session = rig->session,
                                    .ino = 100,
                                    .name = name,
                                    .name_len = strlen(name),
                                    .live_cut = live_cut,
                                    .allow_inline = allow_inline };
    struct upload *u;

    assert_int_equal(upload_new(&u, rig->env, &config), 0);
    return u;
}

void upload_rig_await_idle(struct upload_rig *rig)
{
    unsigned objects;

    do {
        usleep(1000);
        pthread_mutex_lock(&rig->env->lock);
        objects = rig->env->objects - (rig->env->watching ? 1 : 0);
        pthread_mutex_unlock(&rig->env->lock);
    } while (objects > 1); /* the session */
}

/* ---- the check ---- */

void upload_rig_place(struct upload_rig *rig, const struct vs_id *id, struct place_value *ret)
{
    struct meta_reg reg = { .id = *id };
    struct meta_req req = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };

    assert_int_equal(meta_call(rig->meta, &req), 0);
    assert_int_equal(reg.status, 0);
    assert_int_equal(place_value_decode(reg.current.data, reg.current.len, ret), 0);
    vs_buf_close(&reg.current);
}

/* All fragments of a chunk, each verified against the register; NULL where its store is down. */
static unsigned fragments_get(struct upload_rig *rig, const struct vs_id *id,
                              const struct place_value *v, uint8_t *fragment[VS_EC_N_MAX])
{
    size_t bytes = vs_ec_fragment_bytes(v->chunk_bytes, v->red.k);
    uint64_t used = 0;
    unsigned got = 0;

    for (unsigned i = 0; i < v->red.k + v->red.m; i++) {
        struct sync_store ss = { .s = rig->mem[v->frag[i].node - 1] };
        struct frag_key key = { *id, (uint8_t)i, v->generation };
        uint8_t digest[VS_SHA256_BYTES];
        size_t len;

        assert_in_range(v->frag[i].node, 1, rig->stores.count);
        assert_false(used >> v->frag[i].node & 1); /* never two on one store */
        used |= UINT64_C(1) << v->frag[i].node;
        fragment[i] = NULL;
        if (sync_get_all(&ss, &key, &v->frag[i].table_crc, &fragment[i], &len) == -VS_EDOWN)
            continue;
        assert_non_null(fragment[i]);
        assert_int_equal(len, bytes);
        vs_sha256(fragment[i], len, digest);
        assert_memory_equal(digest, v->frag[i].sha256, sizeof(digest));
        got++;
    }
    return got;
}

static void chunk_check(struct upload_rig *rig, const struct mf_chunk *c, uint64_t seed)
{
    uint8_t *fragment[VS_EC_N_MAX], *source = malloc(c->bytes);
    struct place_value v;
    size_t bytes;
    unsigned n;

    VS_ASSERT(source != NULL);
    upload_rig_fill(source, seed, c->offset, c->bytes);
    upload_rig_place(rig, &c->id, &v);
    assert_int_equal(v.state, PLACE_LIVE);
    assert_int_equal(v.chunk_bytes, c->bytes);
    assert_int_equal(v.session, upload_session_number(rig->session));
    assert_memory_equal(&v.red, &c->red, sizeof(v.red));
    assert_int_equal(c->crc, vs_crc32c(0, source, c->bytes));
    n = v.red.k + v.red.m;
    bytes = vs_ec_fragment_bytes(c->bytes, v.red.k);
    assert_int_equal(fragments_get(rig, &c->id, &v, fragment), n);

    for (unsigned i = 0; i < v.red.k; i++) {
        uint8_t have[VS_EC_K_MAX], *rebuilt = malloc(bytes);
        const uint8_t *from[VS_EC_K_MAX];
        size_t at = i * bytes, len = at >= c->bytes          ? 0
                                     : c->bytes - at < bytes ? c->bytes - at
                                                             : bytes;

        VS_ASSERT(rebuilt != NULL);
        assert_memory_equal(fragment[i], source + (len > 0 ? at : 0), len);
        for (size_t pad = len; pad < bytes; pad++)
            assert_int_equal(fragment[i][pad], 0);
        for (unsigned k = 0, j = n; k < v.red.k && v.red.m > 0; k++) { /* parity first */
            do
                j--;
            while (j == i);
            have[k] = (uint8_t)j;
            from[k] = fragment[j];
        }
        if (v.red.kind == VS_RED_RS) {
            assert_int_equal(vs_ec_rebuild(v.red.k, v.red.m, have, from, i, rebuilt, bytes), 0);
            assert_memory_equal(rebuilt, fragment[i], bytes);
        }
        free(rebuilt);
    }
    for (unsigned i = 0; i < n; i++) {
        if (v.red.kind == VS_RED_REPLICATE)
            assert_memory_equal(fragment[i], source, c->bytes);
        free(fragment[i]);
    }
    free(source);
}

void upload_rig_check(struct upload_rig *rig, const struct mf_chunk *chunks, size_t count,
                      uint64_t seed, uint64_t offset)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(chunks[i].offset, offset);
        assert_true(chunks[i].bytes > 0);
        offset += chunks[i].bytes;
        if (!vs_id_is_zero(&chunks[i].id))
            chunk_check(rig, &chunks[i], seed);
    }
}

uint64_t upload_rig_fragments(struct upload_rig *rig)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < rig->stores.count; i++) {
        struct store_health health;

        chunk_store_health(rig->mem[i], &health);
        sum += health.fragments;
    }
    return sum;
}
