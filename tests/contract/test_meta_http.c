/* The metadata over HTTP when replicas fail: killed, frozen, away, somebody else's. Changes go on
 * and are applied once; nothing takes longer than its deadline; no answer is an error, never
 * empty. */
#include "common/assert.h"
#include "common/clock.h"
#include "common/err.h"
#include "meta/meta_http.h"
#include "tests/support/node_proc.h"
#include "tests/support/reg_use.h"
#include "tests/support/temp_dir.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000
#define WRITERS     4
#define KILLS       5
#define PER_KILL    40 /* acknowledgements between two kills */

struct fixture {
    struct vs_exec *exec;
    struct http_client *client;
    struct node_proc proc;
    char dir[TEMP_DIR_BYTES];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    VS_ASSERT(f != NULL);
    *state = f;
    temp_dir_make(f->dir);
    VS_ASSERT(node_proc_start_program(&f->proc, "vstack-meta", "1", f->dir, 0, NULL) == 0);
    VS_ASSERT(vs_exec_start(&f->exec, "http", 2) == 0);
    return http_client_start(&f->client, f->exec);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    http_client_stop(f->client);
    vs_exec_stop(f->exec);
    VS_ASSERT(node_proc_stop(&f->proc) == 0);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

static int open_at(struct fixture *f, const char *const origins[], unsigned count,
                   const struct meta_http_config *with, struct meta_client **ret)
{
    struct meta_http_config config = *with;

    config.client = f->client;
    config.exec = f->exec;
    config.origins = origins;
    config.origin_count = count;
    return meta_http_open(ret, &config);
}

static struct meta_client *open_one(struct fixture *f, unsigned deadline_ms)
{
    const struct meta_http_config config = { .deadline_ms = deadline_ms, .open_ms = PATIENCE_MS };
    const char *origin = f->proc.origin;
    struct meta_client *meta = NULL;

    assert_int_equal(open_at(f, &origin, 1, &config, &meta), 0);
    return meta;
}

/* The same replica again, where it was. */
static void restart(struct fixture *f)
{
    uint16_t port = f->proc.port;

    node_proc_kill(&f->proc);
    assert_int_equal(node_proc_start_program(&f->proc, "vstack-meta", "1", f->dir, port, NULL), 0);
}

static int change(struct meta_client *meta, const struct ns_entry *e, struct ns_answer *ret)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };
    int status = meta_call(meta, &r);

    *ret = r.answer;
    return status;
}

static int make_dir(struct meta_client *meta, const char *name, uint64_t ino)
{
    struct ns_answer a;
    const struct ns_entry e = { .kind = NS_E_CREATE,
                                .parent = NS_INO_ROOT,
                                .name = name,
                                .name_len = strlen(name),
                                .ino = ino,
                                .attr = { .mode = S_IFDIR | 0755 } };

    return change(meta, &e, &a);
}

static uint64_t reserve(struct meta_client *meta, uint64_t count)
{
    const struct ns_entry e = { .kind = NS_E_RESERVE, .count = count };
    struct ns_answer a;

    assert_int_equal(change(meta, &e, &a), 0);
    return a.first;
}

static uint64_t directories(struct meta_client *meta)
{
    struct meta_req r = { .op = META_STATS };

    assert_int_equal(meta_call(meta, &r), 0);
    return r.stats.directories;
}

/* ---- killed -----------------------------------------------------------------------------------
 */

struct writer {
    struct meta_client *meta;
    unsigned id, made, wrong;
    uint64_t first_ino;
    atomic_uint *acks;
    atomic_bool *stop;
};

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    char name[32];

    for (w->made = 0; !atomic_load(w->stop) && w->made < 4096; w->made++) {
        snprintf(name, sizeof(name), "w%u-%u", w->id, w->made);
        /* A change that was applied and asked for again as a new one would be -EEXIST. */
        if (make_dir(w->meta, name, w->first_ino + w->made) != 0)
            w->wrong++;
        atomic_fetch_add(w->acks, 1);
    }
    return NULL;
}

static void await_acks(atomic_uint *acks, unsigned until)
{
    struct timespec step = { 0, VS_NS_PER_MS };
    int64_t end_ns = vs_now_ns(&vs_clock_system) + PATIENCE_MS * VS_NS_PER_MS;

    while (atomic_load(acks) < until) {
        assert_true(vs_now_ns(&vs_clock_system) < end_ns);
        nanosleep(&step, NULL);
    }
}

static void changes_go_on_over_kills_and_each_is_applied_once(void **state)
{
    struct fixture *f = *state;
    struct meta_client *meta = open_one(f, PATIENCE_MS);
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    atomic_uint acks = 0;
    atomic_bool stop = false;
    unsigned made = 0;

    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ .meta = meta, .id = i, .acks = &acks, .stop = &stop };
        writers[i].first_ino = reserve(meta, 4096);
        assert_int_equal(pthread_create(&threads[i], NULL, writer_run, &writers[i]), 0);
    }
    for (unsigned n = 0; n < KILLS; n++) {
        await_acks(&acks, atomic_load(&acks) + PER_KILL);
        restart(f);
    }
    await_acks(&acks, atomic_load(&acks) + 1);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].wrong, 0);
        made += writers[i].made;
    }
    assert_int_equal(directories(meta), made + 2); /* root and inbox */
    meta_client_stop(meta);
}

static void a_session_outlives_the_replica_that_opened_it(void **state)
{
    struct fixture *f = *state;
    struct meta_client *meta = open_one(f, PATIENCE_MS);
    const struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = 8 };
    struct ns_answer a;

    assert_int_equal(change(meta, &open, &a), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct vs_id id = vs_id_make(meta->pid, meta->inc, a.first + i, VS_ID_CHUNK);

        assert_int_equal(reg_create(meta, &id, 1), 0);
        assert_int_equal(reg_create(meta, &id, 1), 0); /* the same again */
        restart(f);
    }
    meta_client_stop(meta);
}

/* What a lost answer leads to: the same client, the same number, twice. */
static void a_change_that_comes_twice_is_applied_once_and_answered_alike(void **state)
{
    struct fixture *f = *state;
    struct meta_client *meta = open_one(f, PATIENCE_MS);
    struct ns_entry e = { .kind = NS_E_RESERVE, .client = 5, .request = 1, .count = 10 };
    struct ns_answer first, again, next;

    assert_int_equal(change(meta, &e, &first), 0);
    restart(f);
    assert_int_equal(change(meta, &e, &again), 0);
    assert_int_equal(again.first, first.first);
    e.request = 2;
    assert_int_equal(change(meta, &e, &next), 0);
    assert_int_equal(next.first, first.first + 10);
    e.request = 1;
    assert_int_equal(change(meta, &e, &again), -EALREADY);
    meta_client_stop(meta);
}

/* ---- away, frozen, somebody else's ------------------------------------------------------------
 */

static unsigned ms_since(int64_t start_ns)
{
    return (unsigned)((vs_now_ns(&vs_clock_system) - start_ns) / VS_NS_PER_MS);
}

static void a_dead_replica_is_an_error_within_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct meta_client *meta = open_one(f, 400);
    struct ns_dirent page[4];
    struct meta_reg reg = { .id = vs_id_make(1, 1, 1, VS_ID_CHUNK) };
    struct meta_req list = {
        .op = META_READDIR, .ino = NS_INO_ROOT, .dirents = page, .dirents_max = 4
    };
    struct meta_req read = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };
    int64_t start_ns;

    node_proc_kill(&f->proc);
    start_ns = vs_now_ns(&vs_clock_system);
    assert_int_equal(meta_call(meta, &list), -VS_EDOWN);
    assert_int_equal(list.dirents_count, 0);
    assert_int_equal(meta_call(meta, &read), -VS_EDOWN);
    assert_int_equal(reg.status, -VS_EDOWN);
    assert_int_equal(make_dir(meta, "d", 20), -VS_EDOWN);
    assert_true(ms_since(start_ns) >= 3 * 400 && ms_since(start_ns) < PATIENCE_MS);
    meta_client_stop(meta);
}

/* A listing is several questions: once nobody answered, each is refused soon. */
static void while_nobody_answers_a_read_is_refused_soon(void **state)
{
    struct fixture *f = *state;
    struct meta_client *meta = open_one(f, 4000);
    struct meta_req read = { .op = META_GETATTR, .ino = NS_INO_ROOT };
    int64_t start_ns;

    node_proc_freeze(&f->proc);
    start_ns = vs_now_ns(&vs_clock_system);
    assert_int_equal(meta_call(meta, &read), -VS_EDOWN);
    assert_true(ms_since(start_ns) >= 4000);
    start_ns = vs_now_ns(&vs_clock_system);
    assert_int_equal(meta_call(meta, &read), -VS_EDOWN);
    assert_in_range(ms_since(start_ns), 1000, 3999);
    node_proc_thaw(&f->proc);
    while (meta_call(meta, &read) < 0) /* it has its words back in a moment */
        assert_true(ms_since(start_ns) < PATIENCE_MS);
    meta_client_stop(meta);
}

static void a_frozen_replica_is_an_error_within_the_deadline_and_thaws(void **state)
{
    struct fixture *f = *state;
    struct meta_client *meta = open_one(f, 400);
    uint64_t ino = reserve(meta, 4);

    node_proc_freeze(&f->proc);
    assert_int_equal(make_dir(meta, "one", ino), -VS_EDOWN); /* nobody knows */
    node_proc_thaw(&f->proc);
    meta_client_stop(meta);
    meta = open_one(f, PATIENCE_MS);
    assert_int_equal(make_dir(meta, "two", ino + 1), 0);
    assert_in_range(directories(meta), 3, 4);
    meta_client_stop(meta);
}

/* A socket that takes connections and never says anything. */
static int silent_socket(char origin[64])
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    VS_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 64) == 0);
    VS_ASSERT(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    snprintf(origin, 64, "http://127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

static void the_next_replica_is_asked_when_one_is_silent(void **state)
{
    struct fixture *f = *state;
    char silent[64];
    int fd = silent_socket(silent);
    const char *const origins[] = { silent, "http://127.0.0.1:1", f->proc.origin };
    const struct meta_http_config config = { .deadline_ms = PATIENCE_MS,
                                             .open_ms = PATIENCE_MS,
                                             .first_ms = 100 };
    struct meta_client *meta = NULL;
    uint64_t ino;

    assert_int_equal(open_at(f, origins, 3, &config, &meta), 0);
    ino = reserve(meta, 10);
    for (unsigned i = 0; i < 10; i++) {
        char name[8];

        snprintf(name, sizeof(name), "d%u", i);
        assert_int_equal(make_dir(meta, name, ino + i), 0);
    }
    assert_int_equal(directories(meta), 12);
    meta_client_stop(meta);
    close(fd);
}

static void metadata_of_another_cluster_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *origin = f->proc.origin;
    const struct meta_http_config config = { .cluster = { { 1 } }, .open_ms = PATIENCE_MS };
    struct meta_client *meta = open_one(f, 300);

    assert_int_equal(open_at(f, &origin, 1, &config, &meta), -ESTALE);
    meta->cluster.b[0] ^= 1; /* as after another cluster came to that address */
    assert_int_equal(make_dir(meta, "d", 20), -VS_EDOWN);
    meta_client_stop(meta);
}

static void nobody_there_is_told_in_time(void **state)
{
    struct fixture *f = *state;
    const char *origin = "http://127.0.0.1:1";
    const struct meta_http_config config = { .open_ms = 200 }, none = { .open_ms = 1 };
    struct meta_client *meta = NULL;

    assert_int_equal(open_at(f, &origin, 1, &config, &meta), -VS_EDOWN);
    assert_int_equal(open_at(f, &origin, 0, &none, &meta), -EINVAL);
    origin = "no address";
    assert_int_equal(open_at(f, &origin, 1, &none, &meta), -EINVAL);
    assert_null(meta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_go_on_over_kills_and_each_is_applied_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_session_outlives_the_replica_that_opened_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_change_that_comes_twice_is_applied_once_and_answered_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_replica_is_an_error_within_the_deadline, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(while_nobody_answers_a_read_is_refused_soon, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_frozen_replica_is_an_error_within_the_deadline_and_thaws,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_replica_is_asked_when_one_is_silent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(metadata_of_another_cluster_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_told_in_time, setup, teardown),
    };

    return cmocka_run_group_tests_name("meta_http", tests, NULL, NULL);
}
