/* Contract of the metadata client: what it answered is seen by every later read; answers come once
 * and not inside the call; every operation gives what was put in. In this process, over HTTP
 * from a process of its own, and on three replicas, asked at the one that leads and at another. */
#include "common/assert.h"
#include "common/err.h"
#include "meta/feed_change.h"
#include "meta/meta_backup.h"
#include "meta/meta_http.h"
#include "meta/meta_local.h"
#include "meta/place_value.h"
#include "tests/support/node_proc.h"
#include "tests/support/temp_dir.h"
#include "tests/support/trio.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static int lookup(struct meta_client *meta, const char *name, size_t len, uint64_t *ret_ino)
{
    struct meta_req r = { .op = META_LOOKUP, .ino = NS_INO_ROOT, .name = name, .name_len = len };
    int status = meta_call(meta, &r);

    *ret_ino = r.attr.ino;
    return status;
}

static void placement(struct vs_buf *ret)
{
    struct place_value v = {
        .state = PLACE_LIVE,
        .session = 1,
        .generation = 1,
        .chunk_bytes = 1,
        .red = { VS_RED_REPLICATE, 1, 1 },
        .frag = { { .node = 1, .generation = 1 }, { .node = 9, .generation = 1 } },
    };

    assert_int_equal(place_value_encode(&v, ret), 0);
}

/* ---- answers ---- */

struct fixture {
    struct meta_client *meta;
    struct vs_exec *exec; /* over HTTP, and all below */
    struct http_client *client;
    struct node_proc proc;
    char dir[TEMP_DIR_BYTES];
    struct trio *trio; /* three replicas */
};

static int setup_local(void **state)
{
    struct meta_local_config config = { .create = true,
                                        .in_memory = true,
                                        .clock = &vs_clock_system };
    struct fixture *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL);
    *state = f;
    config.cluster.b[0] = 1;
    return meta_local_open(&f->meta, &config);
}

static int setup_http(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *origin = f->proc.origin;
    struct meta_http_config config = { .origins = &origin, .origin_count = 1, .open_ms = 60000 };

    VS_ASSERT(f != NULL);
    *state = f;
    temp_dir_make(f->dir);
    VS_ASSERT(node_proc_start_program(&f->proc, "vstack-meta", "1", f->dir, 0, NULL) == 0);
    VS_ASSERT(vs_exec_start(&f->exec, "http", 2) == 0);
    VS_ASSERT(http_client_start(&f->client, f->exec) == 0);
    config.client = f->client;
    config.exec = f->exec;
    config.deadline_ms = 60000;
    return meta_http_open(&f->meta, &config);
}

static int setup_trio(void **state, bool at_leader)
{
    struct fixture *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL);
    *state = f;
    f->trio = trio_new(3, false);
    f->meta = trio_client(f->trio, at_leader ? trio_leader(f->trio, 0) : trio_follower(f->trio));
    return 0;
}

static int setup_leader(void **state)
{
    return setup_trio(state, true);
}

static int setup_follower(void **state)
{
    return setup_trio(state, false);
}

static int teardown_trio(void **state)
{
    struct fixture *f = *state;

    meta_client_stop(f->meta);
    trio_free(f->trio);
    free(f);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    meta_client_stop(f->meta);
    meta_client_stop(NULL);
    http_client_stop(f->client);
    vs_exec_stop(f->exec);
    VS_ASSERT(node_proc_stop(&f->proc) == 0); /* a leak in the daemon is an exit code */
    if (f->dir[0] != '\0')
        temp_dir_remove(f->dir);
    free(f);
    return 0;
}

/* Submits many requests while holding a lock that `done` needs: were one answered inside the call,
 * it would never end. */
struct burst {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned answers[64]; /* under lock */
    unsigned left;
    struct meta_req reqs[64];
};

static void burst_done(struct meta_req *r)
{
    struct burst *b = r->waiter;

    pthread_mutex_lock(&b->lock);
    b->answers[r - b->reqs]++;
    b->left--;
    pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->lock);
}

static void every_request_is_answered_once_and_not_inside_the_call(void **state)
{
    struct fixture *f = *state;
    static struct burst b = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };
    static const struct ns_entry nop = { .kind = NS_E_NOP };
    static const enum meta_op ops[] = { META_CHANGE, META_GETATTR, META_STATS, META_REG_READ };

    b.left = 64;
    memset(b.answers, 0, sizeof(b.answers));
    pthread_mutex_lock(&b.lock);
    for (unsigned i = 0; i < 64; i++) {
        b.reqs[i] = (struct meta_req){
            .op = ops[i % 4], .entry = &nop, .ino = NS_INO_ROOT, .done = burst_done, .waiter = &b
        };
        meta_submit(f->meta, &b.reqs[i]);
    }
    while (b.left > 0)
        pthread_cond_wait(&b.wake, &b.lock);
    pthread_mutex_unlock(&b.lock);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(b.answers[i], 1);
        assert_int_equal(b.reqs[i].status, 0);
    }
}

struct reader {
    struct meta_client *meta;
    unsigned id;
    unsigned missed;
};

static void *change_then_read(void *arg)
{
    struct reader *reader = arg;
    struct meta_client *meta = reader->meta;
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .count = 200 };
    struct meta_req r = { .op = META_CHANGE, .entry = &reserve };
    uint64_t first, ino;
    char name[64];

    if (meta_call(meta, &r) != 0)
        return NULL;
    first = r.answer.first;
    for (unsigned i = 0; i < 200; i++) {
        size_t len = (size_t)snprintf(name, sizeof(name), "reader%u-%u", reader->id, i);
        struct ns_entry e = { .kind = NS_E_CREATE,
                              .parent = NS_INO_ROOT,
                              .name = name,
                              .name_len = len,
                              .ino = first + i,
                              .attr = { .mode = S_IFDIR | 0755 } };

        r.entry = &e;
        reader->missed += meta_call(meta, &r) != 0;
        reader->missed += lookup(meta, name, len, &ino) != 0 || ino != first + i;
    }
    return NULL;
}

static void a_read_sees_every_change_that_was_answered_before(void **state)
{
    struct fixture *f = *state;
    struct reader readers[4];
    pthread_t threads[4];

    for (unsigned i = 0; i < 4; i++) {
        readers[i] = (struct reader){ .meta = f->meta, .id = i };
        assert_int_equal(pthread_create(&threads[i], NULL, change_then_read, &readers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].missed, 0);
    }
}

/* ---- every operation gives what was put in ---- */

static struct ns_answer change(struct meta_client *meta, const struct ns_entry *e)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };

    assert_int_equal(meta_call(meta, &r), 0);
    assert_int_equal(r.answer.status, 0);
    return r.answer;
}

static uint64_t make_file(struct meta_client *meta, const char *name, const char *content)
{
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .count = 1 };
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .now = { 1000, 5 },
                          .parent = NS_INO_ROOT,
                          .name = name,
                          .name_len = strlen(name),
                          .attr = { .mode = S_IFREG | 0640 } };

    e.ino = change(meta, &reserve).first;
    e.content = (struct ns_new_content){ .kind = NS_CONTENT_INLINE,
                                         .bytes = content,
                                         .bytes_len = strlen(content),
                                         .size = strlen(content),
                                         .data_bytes = strlen(content),
                                         .stored_bytes = strlen(content) };
    assert_int_equal(change(meta, &e).attr.ino, e.ino);
    return e.ino;
}

static void a_file_is_read_back_as_it_was_made(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = make_file(f->meta, "note.txt", "some words");
    struct meta_req r = { .op = META_CONTENT, .ino = ino };
    struct meta_req getattr = { .op = META_GETATTR, .ino = ino };
    struct meta_req media = { .op = META_MEDIA, .ino = ino };
    uint64_t found;

    assert_int_equal(lookup(f->meta, "note.txt", 8, &found), 0);
    assert_int_equal(found, ino);
    assert_int_equal(meta_call(f->meta, &r), 0);
    assert_int_equal(r.bytes.len, 10);
    assert_memory_equal(r.bytes.data, "some words", 10);
    assert_int_equal(meta_call(f->meta, &getattr), 0);
    assert_memory_equal(&getattr.attr, &r.attr, sizeof(r.attr));
    assert_int_equal(r.attr.mode, S_IFREG | 0640);
    assert_int_equal(r.attr.mtime.s, 1000);
    assert_int_equal(meta_call(f->meta, &media), -ENODATA);
    assert_int_equal(media.attr.ino, ino);
    vs_buf_close(&r.bytes);
    vs_buf_close(&media.bytes);
}

/* Asked behind the last slot it waits; the change of another is told as soon as it is there. */
static void who_waits_for_changes_is_told_the_next_one(void **state)
{
    struct fixture *f = *state;
    static struct burst b = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };
    struct meta_req now = { .op = META_CHANGES };
    struct feed_change c = { 0 };
    struct feed_walk w;
    uint64_t ino;
    bool named = false;

    assert_int_equal(meta_call(f->meta, &now), 0); /* whatever was before */
    now.after = now.slot;
    assert_int_equal(meta_call(f->meta, &now), 0);
    assert_false(now.reset);
    assert_int_equal(now.bytes.len, 0);
    b.left = 1;
    b.reqs[0] = (struct meta_req){ .op = META_CHANGES,
                                   .hint = true,
                                   .after = now.slot,
                                   .wait_ms = META_CHANGES_WAIT_MS_MAX,
                                   .done = burst_done,
                                   .waiter = &b };
    meta_submit(f->meta, &b.reqs[0]);
    ino = make_file(f->meta, "fresh", "words");
    pthread_mutex_lock(&b.lock);
    while (b.left > 0)
        pthread_cond_wait(&b.wake, &b.lock);
    pthread_mutex_unlock(&b.lock);
    assert_int_equal(b.reqs[0].status, 0);
    assert_false(b.reqs[0].reset);
    assert_true(b.reqs[0].slot > now.slot);
    w = feed_walk_init(b.reqs[0].bytes.data, b.reqs[0].bytes.len);
    while (feed_walk_next(&w, &c) == 1)
        named = named || (c.what == FEED_NAME && c.ino == ino && c.dir == NS_INO_ROOT &&
                          c.name_len == 5 && memcmp(c.name, "fresh", 5) == 0);
    assert_true(named);
    if (f->meta->own_count > 0) /* and it is known as the own one */
        assert_in_range(c.client, f->meta->own_first, f->meta->own_first + f->meta->own_count - 1);
    vs_buf_close(&b.reqs[0].bytes);
    vs_buf_close(&now.bytes);
}

static void an_error_is_that_of_the_system_call(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = make_file(f->meta, "a", "a");
    struct meta_req content = { .op = META_CONTENT, .ino = 999999 };
    struct ns_entry rmdir = {
        .kind = NS_E_RMDIR, .parent = NS_INO_ROOT, .name = "a", .name_len = 1
    };
    struct meta_req r = { .op = META_CHANGE, .entry = &rmdir };
    char name[300];
    uint64_t found;

    memset(name, 'x', sizeof(name));
    assert_int_equal(lookup(f->meta, "b", 1, &found), -ENOENT);
    assert_int_equal(lookup(f->meta, name, sizeof(name), &found), -ENAMETOOLONG);
    assert_int_equal(meta_call(f->meta, &content), -ENOENT);
    assert_int_equal(meta_call(f->meta, &r), -ENOTDIR);
    assert_int_equal(r.answer.status, -ENOTDIR);
    assert_int_equal(lookup(f->meta, "a", 1, &found), 0);
    assert_int_equal(found, ino);
}

static void a_directory_is_listed_in_pages_without_gaps(void **state)
{
    enum { COUNT = 25 };
    struct fixture *f = *state;
    struct ns_dirent page[10];
    struct meta_req r = { .op = META_READDIR,
                          .ino = NS_INO_ROOT,
                          .with_attr = true,
                          .dirents = page,
                          .dirents_max = 10 };
    unsigned seen = 0;
    char name[16];

    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "f%02u", i);
        (void)make_file(f->meta, name, name);
    }
    do {
        assert_int_equal(meta_call(f->meta, &r), 0);
        for (uint32_t i = 0; i < r.dirents_count; i++) {
            r.cookie = page[i].cookie;
            if (page[i].name[0] != 'f')
                continue; /* the inbox */
            snprintf(name, sizeof(name), "f%02u", seen++);
            assert_int_equal(page[i].name_len, 3);
            assert_memory_equal(page[i].name, name, 3);
            assert_int_equal(page[i].attr.size, 3);
        }
    } while (r.dirents_count == r.dirents_max);
    assert_int_equal(seen, COUNT);
}

static void an_attribute_is_kept_listed_and_missed(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = make_file(f->meta, "x", "x");
    struct ns_entry set = { .kind = NS_E_SETXATTR,
                            .ino = ino,
                            .name = "user.note",
                            .name_len = 9,
                            .value = "good",
                            .value_len = 4 };
    struct meta_req get = { .op = META_GETXATTR, .ino = ino, .name = "user.note", .name_len = 9 };
    struct meta_req list = { .op = META_LISTXATTR, .ino = ino };

    assert_int_equal(meta_call(f->meta, &get), -ENODATA);
    (void)change(f->meta, &set);
    assert_int_equal(meta_call(f->meta, &get), 0);
    assert_int_equal(get.bytes.len, 4);
    assert_memory_equal(get.bytes.data, "good", 4);
    assert_int_equal(meta_call(f->meta, &list), 0);
    assert_int_equal(list.bytes.len, 10);
    assert_memory_equal(list.bytes.data, "user.note", 10);
    vs_buf_close(&get.bytes);
    vs_buf_close(&list.bytes);
}

/* Created, read, changed by generation, made a TOMB; each register with its own status. */
static void registers_are_created_once_and_changed_by_generation(void **state)
{
    struct fixture *f = *state;
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = 4 };
    struct ns_answer session = change(f->meta, &open);
    struct vs_buf value = { 0 }, tomb = { 0 };
    struct place_value gone = { .state = PLACE_TOMB, .session = 1, .generation = 1 };
    struct meta_reg regs[2], change_regs[2];
    struct meta_req r = { .op = META_REG_CREATE, .regs = regs, .reg_count = 2 };

    placement(&value);
    assert_int_equal(place_value_encode(&gone, &tomb), 0);
    for (unsigned i = 0; i < 2; i++)
        regs[i] = (struct meta_reg){ .id = vs_id_make(f->meta->pid, f->meta->inc, session.first + i,
                                                      VS_ID_CHUNK),
                                     .value = value.data,
                                     .value_len = value.len };
    assert_int_equal(meta_call(f->meta, &r), 0);
    r.op = META_REG_READ;
    assert_int_equal(meta_call(f->meta, &r), 0);
    assert_int_equal(regs[1].current.len, value.len);
    assert_memory_equal(regs[1].current.data, value.data, value.len);
    for (unsigned i = 0; i < 2; i++)
        change_regs[i] = (struct meta_reg){
            .id = regs[i].id, .value = tomb.data, .value_len = tomb.len, .expect_generation = 1 + i
        };
    r = (struct meta_req){ .op = META_REG_CHANGE, .regs = change_regs, .reg_count = 2 };
    assert_int_equal(meta_call(f->meta, &r), 0);
    assert_int_equal(change_regs[0].status, 0);
    assert_int_equal(change_regs[1].status, -ESTALE);
    assert_memory_equal(change_regs[1].current.data, value.data, value.len);
    for (unsigned i = 0; i < 2; i++) {
        vs_buf_close(&regs[i].current);
        vs_buf_close(&change_regs[i].current);
    }
    vs_buf_close(&value);
    vs_buf_close(&tomb);
}

/* Whoever made the id: its value is the one that was created first. */
static void an_id_of_another_owner_or_life_is_created_once(void **state)
{
    struct fixture *f = *state;
    const struct vs_id ids[] = { vs_id_make(f->meta->pid + 7, 3, 5, VS_ID_CHUNK),
                                 vs_id_make(f->meta->pid, f->meta->inc + 1, 5, VS_ID_CHUNK) };
    struct vs_buf value = { 0 }, other = { 0 };

    placement(&value);
    placement(&other);
    other.data[other.len - 1] ^= 1; /* of the last checksum */
    for (unsigned i = 0; i < 2; i++) {
        struct meta_reg reg = { .id = ids[i], .value = value.data, .value_len = value.len };
        struct meta_req r = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };

        assert_int_equal(meta_call(f->meta, &r), 0);
        assert_int_equal(meta_call(f->meta, &r), 0);
        reg.value = other.data;
        assert_int_equal(meta_call(f->meta, &r), -VS_EEXISTS_OTHER);
        assert_int_equal(reg.status, -VS_EEXISTS_OTHER);
        r.op = META_REG_READ;
        assert_int_equal(meta_call(f->meta, &r), 0);
        assert_int_equal(reg.current.len, value.len);
        assert_memory_equal(reg.current.data, value.data, value.len);
        vs_buf_close(&reg.current);
    }
    vs_buf_close(&value);
    vs_buf_close(&other);
}

static void nodes_sessions_and_figures_are_told(void **state)
{
    struct fixture *f = *state;
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = 1 };
    struct ns_entry put = { .kind = NS_E_NODE_PUT,
                            .node = { .node = 3, .uuid = { { 9 } }, .name = "n3", .domain = "d" } };
    uint64_t session = change(f->meta, &open).session, found[4];
    struct ns_node nodes[4];
    struct meta_req r = { .op = META_NODES, .nodes = nodes, .nodes_max = 4 };
    struct meta_req scan = {
        .op = META_SCAN, .scan = META_SCAN_SESSIONS, .scan_u64 = found, .scan_max = 4
    };
    struct meta_req stats = { .op = META_STATS };

    (void)change(f->meta, &put);
    assert_int_equal(meta_call(f->meta, &r), 0);
    assert_int_equal(r.nodes_count, 1);
    assert_int_equal(nodes[0].node, 3);
    assert_string_equal(nodes[0].name, "n3");
    assert_int_equal(meta_call(f->meta, &scan), 0);
    assert_int_equal(scan.scan_count, 1);
    assert_int_equal(found[0], session);
    assert_int_equal(meta_call(f->meta, &stats), 0);
    assert_int_equal(stats.stats.directories, 2);
    assert_true(stats.stats.applied_slot >= 3);
}

struct backup_seen {
    struct dump_in in;
    uint64_t names, registers;
    struct vs_id id; /* whose register is looked for */
    bool has_id, has_name;
};

static int backup_pair(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                       const uint8_t *value, size_t value_len)
{
    struct backup_seen *seen = arg;

    (void)value;
    (void)value_len;
    if (section == DUMP_REGISTERS)
        seen->has_id |= memcmp(key, seen->id.b, VS_ID_BYTES) == 0;
    else
        seen->has_name |= key[0] == 'D' && key_len == 9 + 7 && memcmp(key + 9, "in time", 7) == 0;
    seen->registers += section == DUMP_REGISTERS;
    seen->names += section == DUMP_NAMESPACE;
    return 0;
}

static int backup_bytes(void *arg, const void *bytes, size_t len)
{
    struct backup_seen *seen = arg;

    return dump_in_feed(&seen->in, bytes, len, backup_pair, seen);
}

static void a_backup_has_all_that_was_answered_before(void **state)
{
    struct fixture *f = *state;
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .parent = NS_INO_ROOT,
                          .name = "in time",
                          .name_len = 7,
                          .attr = { .mode = S_IFREG | 0644 } };
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = 1 };
    struct backup_seen seen = { .names = 0 };
    struct meta_backup_result result;
    struct vs_buf value = { 0 };
    struct meta_reg reg = { .status = 0 };
    struct meta_req create = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };

    placement(&value);
    seen.id = reg.id =
        vs_id_make(f->meta->pid, f->meta->inc, change(f->meta, &open).first, VS_ID_CHUNK);
    reg.value = value.data;
    reg.value_len = value.len;
    assert_int_equal(meta_call(f->meta, &create), 0);
    (void)change(f->meta, &e);
    assert_int_equal(dump_in_init(&seen.in), 0);
    assert_int_equal(meta_backup(f->meta, false, 1, backup_bytes, &seen, &result), 0);
    assert_int_equal(dump_in_done(&seen.in), 0);
    assert_true(seen.has_id && seen.has_name);
    assert_int_equal(seen.in.head.kind, DUMP_BACKUP);
    assert_int_equal(seen.in.head.slot, result.slot);
    assert_int_equal(seen.names, result.pairs);
    assert_int_equal(seen.registers, result.registers);
    dump_in_close(&seen.in);
    vs_buf_close(&reg.current);
    vs_buf_close(&value);
}

#define ALL(test)                                                                                  \
    cmocka_unit_test_setup_teardown(test, setup_local, teardown),                                  \
        cmocka_unit_test_setup_teardown(test, setup_http, teardown),                               \
        cmocka_unit_test_setup_teardown(test, setup_leader, teardown_trio),                        \
        cmocka_unit_test_setup_teardown(test, setup_follower, teardown_trio)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALL(every_request_is_answered_once_and_not_inside_the_call),
        ALL(a_read_sees_every_change_that_was_answered_before),
        ALL(a_file_is_read_back_as_it_was_made),
        ALL(an_error_is_that_of_the_system_call),
        ALL(a_directory_is_listed_in_pages_without_gaps),
        ALL(an_attribute_is_kept_listed_and_missed),
        ALL(who_waits_for_changes_is_told_the_next_one),
        ALL(registers_are_created_once_and_changed_by_generation),
        ALL(an_id_of_another_owner_or_life_is_created_once),
        ALL(nodes_sessions_and_figures_are_told),
        ALL(a_backup_has_all_that_was_answered_before),
    };

    return cmocka_run_group_tests_name("meta_client", tests, NULL, NULL);
}
