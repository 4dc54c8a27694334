/* collect_rig: see the header. */
#include "tests/support/collect_rig.h"
#include "common/err.h"
#include "meta/collect_audit.h"
#include "meta/manifest.h"
#include "meta/meta_local.h"
#include "meta/place_value.h"
#include "node/store_mem.h"
#include "tests/support/store_sync.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define CRIG_DRAIN_NS (20 * VS_NS_PER_S)

/* ---- metadata ---- */

int crig_change(struct collect_rig *f, const struct ns_entry *e, struct ns_answer *ret)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };
    int status = meta_call(f->meta, &r);

    if (ret != NULL)
        *ret = r.answer;
    return status;
}

void crig_open_session(struct collect_rig *f, uint64_t ids)
{
    struct ns_entry e = { .kind = NS_E_SESSION_OPEN, .count = ids };
    struct ns_answer a;

    assert_int_equal(crig_change(f, &e, &a), 0);
    f->session = a.session;
    f->next_seq = a.first;
}

void crig_abort_session(struct collect_rig *f)
{
    struct ns_entry e = { .kind = NS_E_SESSION_ABORT, .session = f->session };

    assert_int_equal(crig_change(f, &e, NULL), 0);
}

struct vs_id crig_fresh(struct collect_rig *f, enum vs_id_type type)
{
    return vs_id_make(f->meta->pid, f->meta->inc, f->next_seq++, type);
}

static void create_reg(struct collect_rig *f, const struct vs_id *id, const struct vs_buf *value)
{
    struct meta_reg reg = { .id = *id, .value = value->data, .value_len = value->len };
    struct meta_req r = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };

    assert_int_equal(meta_call(f->meta, &r), 0);
}

/* State byte of a register's value; 0: absent. */
uint8_t crig_reg_state(struct collect_rig *f, const struct vs_id *id)
{
    struct meta_reg reg = { .id = *id };
    struct meta_req r = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };
    uint8_t state;

    assert_int_equal(meta_call(f->meta, &r), 0);
    if (reg.status == -ENOENT)
        return 0;
    assert_int_equal(reg.status, 0);
    state = reg.current.data[0];
    vs_buf_close(&reg.current);
    return state;
}

uint64_t crig_released_waiting(struct collect_rig *f)
{
    struct meta_req r = { .op = META_STATS };

    assert_int_equal(meta_call(f->meta, &r), 0);
    return r.stats.released_waiting;
}

/* ---- fragments ---- */

static struct sync_store store_of(struct collect_rig *f, unsigned node)
{
    return (struct sync_store){ .s = f->stores[node - 1] };
}

void crig_put_frag(struct collect_rig *f, unsigned node, const struct vs_id *chunk,
                   uint8_t fragment, uint32_t generation)
{
    static const uint8_t payload[CRIG_CHUNK_BYTES];
    struct sync_store store = store_of(f, node);
    struct frag_key key = { *chunk, fragment, generation };
    struct frag_note note = { .red = { VS_RED_REPLICATE, 1, 4 },
                              .chunk_bytes = sizeof(payload),
                              .session = f->session };

    assert_int_equal(sync_put(&store, &key, &note, payload, sizeof(payload)), 0);
}

bool crig_has_frag(struct collect_rig *f, unsigned node, const struct vs_id *chunk,
                   uint8_t fragment, uint32_t generation)
{
    struct sync_store store = store_of(f, node);
    struct frag_key key = { *chunk, fragment, generation };
    struct store_stat stat;
    int r = sync_stat(&store, &key, &stat);

    assert_true(r == 0 || r == -ENOENT);
    return r == 0;
}

/* A chunk in two copies, on nodes 1 and 2; with its register. */
struct vs_id crig_put_chunk(struct collect_rig *f, uint32_t generation)
{
    struct vs_id id = crig_fresh(f, VS_ID_CHUNK);
    struct place_value v = {
        .state = PLACE_LIVE,
        .session = f->session,
        .generation = generation,
        .chunk_bytes = CRIG_CHUNK_BYTES,
        .red = { VS_RED_REPLICATE, 1, 1 },
        .frag = { { .node = 1, .generation = generation },
                  { .node = 2, .generation = generation } },
    };
    struct vs_buf value = { 0 };

    crig_put_frag(f, 1, &id, 0, generation);
    crig_put_frag(f, 2, &id, 1, generation);
    assert_int_equal(place_value_encode(&v, &value), 0);
    create_reg(f, &id, &value);
    vs_buf_close(&value);
    return id;
}

bool crig_has_chunk(struct collect_rig *f, const struct vs_id *id, uint32_t generation)
{
    bool one = crig_has_frag(f, 1, id, 0, generation), two = crig_has_frag(f, 2, id, 1, generation);

    assert_int_equal(one, two);
    return one;
}

void crig_put_file(struct collect_rig *f, struct rig_file *file, unsigned count)
{
    struct mf_chunk chunks[4] = { 0 };
    struct mf_segment_ref ref = { .count = count };
    struct mf_head head = { .size = (uint64_t)count * CRIG_CHUNK_BYTES,
                            .chunk_count = count,
                            .segments = &ref,
                            .segment_count = 1 };
    struct vs_buf value = { 0 }, bytes = { 0 };
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .count = 1 };
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .parent = NS_INO_ROOT,
                          .name = "film",
                          .name_len = 4,
                          .attr = { .mode = S_IFREG | 0644 } };
    struct ns_answer a;

    crig_open_session(f, 16);
    for (unsigned i = 0; i < count; i++) {
        file->chunks[i] = crig_put_chunk(f, 1);
        chunks[i] = (struct mf_chunk){ .id = file->chunks[i],
                                       .offset = (uint64_t)i * CRIG_CHUNK_BYTES,
                                       .bytes = CRIG_CHUNK_BYTES,
                                       .red = { VS_RED_REPLICATE, 1, 1 } };
    }
    file->segment = ref.id = crig_fresh(f, VS_ID_SEGMENT);
    assert_int_equal(mf_segment_encode(chunks, count, &value), 0);
    if (f->spoil_segments)
        value.len = 5;
    create_reg(f, &file->segment, &value);
    assert_int_equal(mf_head_encode(&head, &bytes), 0);
    assert_int_equal(crig_change(f, &reserve, &a), 0);
    file->ino = e.ino = a.first;
    e.content = (struct ns_new_content){ .kind = NS_CONTENT_CHUNKS,
                                         .bytes = bytes.data,
                                         .bytes_len = bytes.len,
                                         .size = head.size,
                                         .data_bytes = head.size,
                                         .stored_bytes = 2 * head.size,
                                         .session = f->session };
    assert_int_equal(crig_change(f, &e, NULL), 0);
    vs_buf_close(&value);
    vs_buf_close(&bytes);
}

void crig_unlink_film(struct collect_rig *f)
{
    struct ns_entry e = {
        .kind = NS_E_UNLINK, .parent = NS_INO_ROOT, .name = "film", .name_len = 4
    };

    assert_int_equal(crig_change(f, &e, NULL), 0);
}

/* ---- fixture ---- */

struct collect_rig *crig_new(void)
{
    struct collect_rig *f = calloc(1, sizeof(*f));
    struct meta_local_config config = { .create = true,
                                        .in_memory = true,
                                        .clock = &vs_clock_system };

    config.cluster.b[0] = 1;
    assert_int_equal(vs_exec_start(&f->store_exec, "stores", 2), 0);
    assert_int_equal(vs_exec_start(&f->exec, "collect", 1), 0);
    assert_int_equal(meta_local_open(&f->meta, &config), 0);
    f->set.count = CRIG_NODES;
    for (unsigned i = 0; i < CRIG_NODES; i++) {
        assert_int_equal(store_mem_new(&f->stores[i], f->store_exec), 0);
        f->set.entries[i].node = i + 1;
        snprintf(f->set.entries[i].name, sizeof(f->set.entries[i].name), "n%u", i + 1);
        atomic_store(&f->set.entries[i].store, f->stores[i]);
    }
    assert_int_equal(collect_start(&f->collect, f->meta, &f->set, f->exec), 0);
    return f;
}

void crig_free(struct collect_rig *f)
{
    collect_stop(f->collect);
    vs_exec_stop(f->exec);
    meta_client_stop(f->meta);
    store_set_close(&f->set);
    vs_exec_stop(f->store_exec);
    free(f);
}

void crig_drain(struct collect_rig *f)
{
    assert_int_equal(collect_drain(f->collect, CRIG_DRAIN_NS), 0);
    assert_int_equal(crig_released_waiting(f), 0);
}

uint64_t crig_audit(struct collect_rig *f, unsigned node)
{
    struct collect_env env = { .meta = f->meta, .stores = &f->set };
    struct collect_audit a;
    uint64_t removed;
    int r = 1;

    assert_int_equal(collect_audit_begin(&a, &env, node - 1, false), 0);
    while (r > 0)
        r = collect_audit_step(&a, &env);
    assert_int_equal(r, 0);
    removed = a.removed;
    collect_audit_close(&a);
    collect_audit_close(&a);
    return removed;
}
