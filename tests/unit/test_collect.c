/* What the collector removes, and what it must never remove. */
#include "common/err.h"
#include "common/log.h"
#include "meta/collect.h"
#include "meta/collect_audit.h"
#include "meta/manifest.h"
#include "meta/meta_local.h"
#include "meta/place_value.h"
#include "node/store_mem.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NODES      3
#define DRAIN_NS   (20 * VS_NS_PER_S)
#define CHUNK_SIZE 3000

struct fixture {
    struct vs_exec *store_exec, *exec;
    struct store_set set;
    struct chunk_store *stores[NODES];
    struct meta_client *meta;
    struct collect *collect;
    uint64_t session, next_seq;
};

/* ---- metadata ---- */

static int change(struct fixture *f, const struct ns_entry *e, struct ns_answer *ret)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };
    int status = meta_call(f->meta, &r);

    if (ret != NULL)
        *ret = r.answer;
    return status;
}

static void open_session(struct fixture *f, uint64_t ids)
{
    struct ns_entry e = { .kind = NS_E_SESSION_OPEN, .count = ids };
    struct ns_answer a;

    assert_int_equal(change(f, &e, &a), 0);
    f->session = a.session;
    f->next_seq = a.first;
}

static void abort_session(struct fixture *f)
{
    struct ns_entry e = { .kind = NS_E_SESSION_ABORT, .session = f->session };

    assert_int_equal(change(f, &e, NULL), 0);
}

static struct vs_id fresh(struct fixture *f, enum vs_id_type type)
{
    return vs_id_make(f->meta->pid, f->meta->inc, f->next_seq++, type);
}

static void create_reg(struct fixture *f, const struct vs_id *id, const struct vs_buf *value)
{
    struct meta_reg reg = { .id = *id, .value = value->data, .value_len = value->len };
    struct meta_req r = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };

    assert_int_equal(meta_call(f->meta, &r), 0);
}

/* State byte of a register's value; 0: absent. */
static uint8_t reg_state(struct fixture *f, const struct vs_id *id)
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

static uint64_t released_waiting(struct fixture *f)
{
    struct meta_req r = { .op = META_STATS };

    assert_int_equal(meta_call(f->meta, &r), 0);
    return r.stats.released_waiting;
}

/* ---- fragments ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done; /* under lock */
};

#define WAITER                                                                                     \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false                                 \
    }

static void waiter_done(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static void waiter_wait(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->is_done)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

struct put_req {
    struct store_put put;
    struct waiter w;
};

static void put_done(struct store_put *p)
{
    waiter_done(&vs_container_of(p, struct put_req, put)->w);
}

static void put_frag(struct fixture *f, unsigned node, const struct vs_id *chunk, uint8_t fragment,
                     uint32_t generation)
{
    static const uint8_t payload[CHUNK_SIZE];
    struct frag_note note = { .red = { VS_RED_REPLICATE, 1, 4 },
                              .chunk_bytes = CHUNK_SIZE,
                              .session = f->session };
    struct put_req r = { .put = { .key = { *chunk, fragment, generation },
                                  .note = &note,
                                  .data = payload,
                                  .bytes = sizeof(payload),
                                  .done = put_done },
                         .w = WAITER };

    vs_sha256(payload, sizeof(payload), r.put.sha256);
    chunk_store_put(f->stores[node - 1], &r.put);
    waiter_wait(&r.w);
    assert_int_equal(r.put.status, 0);
}

struct stat_req {
    struct store_stat stat;
    struct waiter w;
};

static void stat_done(struct store_stat *s)
{
    waiter_done(&vs_container_of(s, struct stat_req, stat)->w);
}

static bool has_frag(struct fixture *f, unsigned node, const struct vs_id *chunk, uint8_t fragment,
                     uint32_t generation)
{
    struct stat_req r = { .stat = { .key = { *chunk, fragment, generation }, .done = stat_done },
                          .w = WAITER };

    chunk_store_stat(f->stores[node - 1], &r.stat);
    waiter_wait(&r.w);
    assert_true(r.stat.status == 0 || r.stat.status == -ENOENT);
    return r.stat.status == 0;
}

/* A chunk in two copies, on nodes 1 and 2; with its register. */
static struct vs_id put_chunk(struct fixture *f, uint32_t generation)
{
    struct vs_id id = fresh(f, VS_ID_CHUNK);
    struct place_value v = {
        .state = PLACE_LIVE,
        .session = f->session,
        .generation = generation,
        .chunk_bytes = CHUNK_SIZE,
        .red = { VS_RED_REPLICATE, 1, 1 },
        .frag = { { .node = 1 }, { .node = 2 } },
    };
    struct vs_buf value = { 0 };

    put_frag(f, 1, &id, 0, generation);
    put_frag(f, 2, &id, 1, generation);
    assert_int_equal(place_value_encode(&v, &value), 0);
    create_reg(f, &id, &value);
    vs_buf_close(&value);
    return id;
}

static bool has_chunk(struct fixture *f, const struct vs_id *id, uint32_t generation)
{
    bool one = has_frag(f, 1, id, 0, generation), two = has_frag(f, 2, id, 1, generation);

    assert_int_equal(one, two);
    return one;
}

/* A file of `count` chunks under one segment, linked in the root. */
struct file {
    struct vs_id chunks[4], segment;
    uint64_t ino;
};

static void put_file(struct fixture *f, struct file *file, unsigned count)
{
    struct mf_chunk chunks[4] = { 0 };
    struct mf_segment_ref ref = { .count = count };
    struct mf_head head = { .size = (uint64_t)count * CHUNK_SIZE,
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

    open_session(f, 16);
    for (unsigned i = 0; i < count; i++) {
        file->chunks[i] = put_chunk(f, 1);
        chunks[i] = (struct mf_chunk){ .id = file->chunks[i],
                                       .offset = (uint64_t)i * CHUNK_SIZE,
                                       .bytes = CHUNK_SIZE,
                                       .red = { VS_RED_REPLICATE, 1, 1 } };
    }
    file->segment = ref.id = fresh(f, VS_ID_SEGMENT);
    assert_int_equal(mf_segment_encode(chunks, count, &value), 0);
    create_reg(f, &file->segment, &value);
    assert_int_equal(mf_head_encode(&head, &bytes), 0);
    assert_int_equal(change(f, &reserve, &a), 0);
    file->ino = e.ino = a.first;
    e.content = (struct ns_new_content){ .kind = NS_CONTENT_CHUNKS,
                                         .bytes = bytes.data,
                                         .bytes_len = bytes.len,
                                         .size = head.size,
                                         .data_bytes = head.size,
                                         .stored_bytes = 2 * head.size,
                                         .session = f->session };
    assert_int_equal(change(f, &e, NULL), 0);
    vs_buf_close(&value);
    vs_buf_close(&bytes);
}

static void unlink_film(struct fixture *f)
{
    struct ns_entry e = {
        .kind = NS_E_UNLINK, .parent = NS_INO_ROOT, .name = "film", .name_len = 4
    };

    assert_int_equal(change(f, &e, NULL), 0);
}

/* ---- fixture ---- */

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct meta_local_config config = { .create = true,
                                        .in_memory = true,
                                        .clock = &vs_clock_system };

    config.cluster.b[0] = 1;
    assert_int_equal(vs_exec_start(&f->store_exec, "stores", 2), 0);
    assert_int_equal(vs_exec_start(&f->exec, "collect", 1), 0);
    assert_int_equal(meta_local_open(&f->meta, &config), 0);
    f->set.count = NODES;
    for (unsigned i = 0; i < NODES; i++) {
        assert_int_equal(store_mem_new(&f->stores[i], f->store_exec), 0);
        f->set.entries[i].node = i + 1;
        snprintf(f->set.entries[i].name, sizeof(f->set.entries[i].name), "n%u", i + 1);
        atomic_store(&f->set.entries[i].store, f->stores[i]);
    }
    assert_int_equal(collect_start(&f->collect, f->meta, &f->set, f->exec), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    collect_stop(f->collect);
    collect_stop(NULL);
    vs_exec_stop(f->exec);
    meta_client_stop(f->meta);
    store_set_close(&f->set);
    vs_exec_stop(f->store_exec);
    free(f);
    return 0;
}

static void drain(struct fixture *f)
{
    assert_int_equal(collect_drain(f->collect, DRAIN_NS), 0);
    assert_int_equal(released_waiting(f), 0);
}

/* The audit itself, step by step in this thread; what it removed. */
static uint64_t audit(struct fixture *f, unsigned node)
{
    struct collect_env env = { f->meta, &f->set };
    struct collect_audit a;
    uint64_t removed;
    int r = 1;

    assert_int_equal(collect_audit_begin(&a, &env, node - 1), 0);
    while (r > 0)
        r = collect_audit_step(&a, &env);
    assert_int_equal(r, 0);
    removed = a.removed;
    collect_audit_close(&a);
    collect_audit_close(&a);
    return removed;
}

/* ---- released ids ---- */

static void an_aborted_session_leaves_tombs_and_no_fragments(void **state)
{
    struct fixture *f = *state;
    struct vs_id placed, unplaced, unused;

    open_session(f, 8);
    placed = put_chunk(f, 1);
    unplaced = fresh(f, VS_ID_CHUNK); /* its fragment is written, its register not yet */
    put_frag(f, 3, &unplaced, 0, 1);
    unused = fresh(f, VS_ID_CHUNK);
    abort_session(f);
    assert_true(released_waiting(f) > 0);
    drain(f);
    assert_int_equal(reg_state(f, &placed), PLACE_TOMB);
    assert_int_equal(reg_state(f, &unplaced), PLACE_TOMB); /* or a late writer could place it */
    assert_int_equal(reg_state(f, &unused), PLACE_TOMB);
    assert_false(has_chunk(f, &placed, 1));
    assert_false(has_frag(f, 3, &unplaced, 0, 1));
}

static void fragments_of_every_generation_go_with_their_chunk(void **state)
{
    struct fixture *f = *state;
    struct vs_id id, other;

    open_session(f, 8);
    id = put_chunk(f, 2);
    put_frag(f, 3, &id, 4, 1); /* a first try that was given up */
    abort_session(f);
    open_session(f, 8);
    other = put_chunk(f, 1);
    drain(f);
    assert_false(has_chunk(f, &id, 2));
    assert_false(has_frag(f, 3, &id, 4, 1));
    assert_true(has_chunk(f, &other, 1));
    assert_int_equal(reg_state(f, &other), PLACE_LIVE);
}

static void a_removed_file_goes_with_all_its_chunks(void **state)
{
    struct fixture *f = *state;
    struct file file;
    struct ns_entry forget = { .kind = NS_E_FORGET };

    put_file(f, &file, 4);
    unlink_film(f);
    drain(f);
    for (unsigned i = 0; i < 4; i++)
        assert_true(has_chunk(f, &file.chunks[i], 1)); /* somebody may have it open */
    forget.ino = file.ino;
    assert_int_equal(change(f, &forget, NULL), 0);
    drain(f);
    for (unsigned i = 0; i < 4; i++) {
        assert_false(has_chunk(f, &file.chunks[i], 1));
        assert_int_equal(reg_state(f, &file.chunks[i]), PLACE_TOMB);
    }
    assert_int_equal(reg_state(f, &file.segment), PLACE_TOMB);
}

/* A rewrite gives up the old segment and the chunks it replaced; the new segment names the others
 * again. */
static void a_segment_that_goes_alone_leaves_its_chunks(void **state)
{
    struct fixture *f = *state;
    struct file file;
    struct ns_entry e = { .kind = NS_E_SESSION_ABORT };
    struct vs_id released[2];

    put_file(f, &file, 3);
    released[0] = file.segment;
    released[1] = file.chunks[1];
    open_session(f, 1);
    e.session = f->session;
    e.content.released = released;
    e.content.released_count = 2;
    assert_int_equal(change(f, &e, NULL), 0);
    drain(f);
    assert_int_equal(reg_state(f, &file.segment), PLACE_TOMB);
    assert_true(has_chunk(f, &file.chunks[0], 1));
    assert_false(has_chunk(f, &file.chunks[1], 1));
    assert_true(has_chunk(f, &file.chunks[2], 1));
    assert_int_equal(reg_state(f, &file.chunks[0]), PLACE_LIVE);
}

static void more_than_a_page_is_collected(void **state)
{
    struct fixture *f = *state;
    struct vs_id first, last, id;

    open_session(f, 700);
    first = put_chunk(f, 1);
    for (unsigned i = 0; i < 600; i++) {
        id = fresh(f, VS_ID_CHUNK);
        put_frag(f, 1 + i % NODES, &id, 0, 1);
    }
    last = put_chunk(f, 1);
    abort_session(f);
    drain(f);
    assert_false(has_chunk(f, &first, 1));
    assert_false(has_chunk(f, &last, 1));
    assert_false(has_frag(f, 3, &id, 0, 1));
}

static void a_store_that_is_down_is_asked_later(void **state)
{
    struct fixture *f = *state;
    struct vs_id id;

    open_session(f, 8);
    id = put_chunk(f, 1);
    abort_session(f);
    store_mem_set_down(f->stores[0], true);
    drain(f);
    assert_int_equal(reg_state(f, &id), PLACE_TOMB);
    assert_false(has_frag(f, 2, &id, 1, 1));
    store_mem_set_down(f->stores[0], false);
    assert_true(has_frag(f, 1, &id, 0, 1));
    assert_int_equal(audit(f, 1), 1);
    assert_false(has_frag(f, 1, &id, 0, 1));
}

static void a_start_aborts_sessions_and_forgets_orphans(void **state)
{
    struct fixture *f = *state;
    struct file file;
    struct vs_id half;
    uint64_t items[4];
    struct meta_req scan = { .op = META_SCAN, .scan_u64 = items, .scan_max = 4 };

    put_file(f, &file, 2);
    unlink_film(f); /* and the process ends before the last close */
    open_session(f, 8);
    half = put_chunk(f, 1);
    assert_int_equal(collect_at_start(f->collect), 0);
    scan.scan = META_SCAN_SESSIONS;
    assert_int_equal(meta_call(f->meta, &scan), 0);
    assert_int_equal(scan.scan_count, 0);
    scan.scan = META_SCAN_ORPHANS;
    assert_int_equal(meta_call(f->meta, &scan), 0);
    assert_int_equal(scan.scan_count, 0);
    drain(f);
    assert_false(has_chunk(f, &half, 1));
    assert_false(has_chunk(f, &file.chunks[0], 1));
    assert_false(has_chunk(f, &file.chunks[1], 1));
}

/* ---- audits ---- */

static void an_audit_keeps_what_a_register_names(void **state)
{
    struct fixture *f = *state;
    struct file file;

    put_file(f, &file, 4);
    for (unsigned node = 1; node <= NODES; node++)
        assert_int_equal(audit(f, node), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_true(has_chunk(f, &file.chunks[i], 1));
}

static void an_audit_removes_what_a_register_does_not_name(void **state)
{
    struct fixture *f = *state;
    struct vs_id id;

    open_session(f, 8);
    id = put_chunk(f, 2);
    put_frag(f, 1, &id, 0, 1); /* an older placement */
    put_frag(f, 1, &id, 1, 2); /* named, but on node 2 */
    put_frag(f, 1, &id, 2, 2); /* beyond k+m */
    put_frag(f, 1, &id, 0, 3); /* a repair on its way */
    assert_int_equal(audit(f, 1), 3);
    assert_true(has_chunk(f, &id, 2));
    assert_true(has_frag(f, 1, &id, 0, 3));
    assert_false(has_frag(f, 1, &id, 0, 1));
    assert_false(has_frag(f, 1, &id, 1, 2));
    assert_false(has_frag(f, 1, &id, 2, 2));
}

static void an_audit_leaves_uploads_in_progress_alone(void **state)
{
    struct fixture *f = *state;
    struct vs_id id;

    open_session(f, 8);
    id = fresh(f, VS_ID_CHUNK);
    put_frag(f, 1, &id, 0, 1);
    assert_int_equal(audit(f, 1), 0);
    assert_true(has_frag(f, 1, &id, 0, 1));
    assert_int_equal(reg_state(f, &id), 0);
}

/* Mutant M21: without the TOMB a late writer could place what has just been removed. */
static void a_fragment_of_a_closed_session_goes_behind_a_tomb(void **state)
{
    struct fixture *f = *state;
    struct file file;
    struct vs_id spare;

    put_file(f, &file, 1); /* commits its session */
    spare = fresh(f, VS_ID_CHUNK);
    put_frag(f, 1, &spare, 0, 1);
    assert_int_equal(audit(f, 1), 1);
    assert_false(has_frag(f, 1, &spare, 0, 1));
    assert_int_equal(reg_state(f, &spare), PLACE_TOMB);
    assert_true(has_chunk(f, &file.chunks[0], 1));
}

static void fragments_from_the_future_of_old_metadata_stay(void **state)
{
    struct fixture *f = *state;
    struct vs_id later = vs_id_make(f->meta->pid, f->meta->inc + 1, 5, VS_ID_CHUNK);
    struct vs_id foreign = vs_id_make((uint16_t)(f->meta->pid + 1), 1, 5, VS_ID_CHUNK);

    f->session = 999;
    put_frag(f, 1, &later, 0, 1);
    put_frag(f, 1, &foreign, 0, 1);
    assert_int_equal(audit(f, 1), 0);
    assert_true(has_frag(f, 1, &later, 0, 1));
    assert_true(has_frag(f, 1, &foreign, 0, 1));
}

static void too_many_unknown_fragments_stop_an_audit(void **state)
{
    struct fixture *f = *state;
    struct vs_id id = { { 0 } };
    int quiet = open("/dev/null", O_WRONLY);

    f->session = 999; /* no such session: closed */
    for (unsigned i = 0; i < AUDIT_BRAKE_FRAGMENTS + 1; i++) {
        id = vs_id_make(f->meta->pid, f->meta->inc, 100000 + i, VS_ID_CHUNK);
        put_frag(f, 1, &id, 0, 1);
        if (i < AUDIT_BRAKE_FRAGMENTS)
            put_frag(f, 2, &id, 0, 1);
    }
    vs_log_to_fd(quiet);
    assert_int_equal(audit(f, 1), 0);
    assert_true(has_frag(f, 1, &id, 0, 1));
    assert_int_equal(reg_state(f, &id), 0);
    assert_int_equal(audit(f, 2), AUDIT_BRAKE_FRAGMENTS); /* one less is no alarm */
    vs_log_to_fd(2);
    close(quiet);
}

static void audits_run_in_the_background_and_stop_when_told(void **state)
{
    struct fixture *f = *state;
    struct vs_id id;

    open_session(f, 8);
    id = put_chunk(f, 1);
    put_frag(f, 1, &id, 3, 1);
    collect_audit(f->collect, 0);
    for (unsigned i = 0; has_frag(f, 1, &id, 3, 1); i++) {
        assert_true(i < 5000);
        usleep(1000);
    }
    assert_true(has_chunk(f, &id, 1));
    collect_audit(f->collect, 1); /* teardown stops it, wherever it is */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_aborted_session_leaves_tombs_and_no_fragments),
        TEST(fragments_of_every_generation_go_with_their_chunk),
        TEST(a_removed_file_goes_with_all_its_chunks),
        TEST(a_segment_that_goes_alone_leaves_its_chunks),
        TEST(more_than_a_page_is_collected),
        TEST(a_store_that_is_down_is_asked_later),
        TEST(a_start_aborts_sessions_and_forgets_orphans),
        TEST(an_audit_keeps_what_a_register_names),
        TEST(an_audit_removes_what_a_register_does_not_name),
        TEST(an_audit_leaves_uploads_in_progress_alone),
        TEST(a_fragment_of_a_closed_session_goes_behind_a_tomb),
        TEST(fragments_from_the_future_of_old_metadata_stay),
        TEST(too_many_unknown_fragments_stop_an_audit),
        TEST(audits_run_in_the_background_and_stop_when_told),
    };

    return cmocka_run_group_tests_name("collect", tests, NULL, NULL);
}
