/* Group commit with its threads: many writers, checkpoints beside them, power cuts and kill -9 at
 * any moment. */
#include "common/assert.h"
#include "common/err.h"
#include "common/rand.h"
#include "tests/support/sb_rig.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WRITERS 4
#define KEYS    12u /* of each writer */

/* ---- power cuts under threads -----------------------------------------------------------------
 */

enum belief { ABSENT, STORED, PUTTING, DELETING };

struct writer {
    struct sb_rig *rig;
    pthread_t thread;
    unsigned id;
    uint64_t seed;
    enum belief keys[KEYS];
    unsigned acked;
};

static size_t bytes_of(uint64_t n)
{
    return 3000 + n % 7 * 20000;
}

static uint64_t key_of(const struct writer *w, unsigned i)
{
    return w->id * 1000 + i;
}

/* Put and delete own keys until the store goes down. */
static void *writer_main(void *arg)
{
    struct writer *w = arg;
    struct vs_rand r;
    int status = 0;

    vs_rand_init(&r, w->seed);
    while (status != -VS_EDOWN) {
        unsigned i = (unsigned)vs_rand_below(&r, KEYS);
        uint64_t n = key_of(w, i);

        if (w->keys[i] == ABSENT) {
            status = sb_rig_put(w->rig, n, bytes_of(n));
            w->keys[i] = status == 0 ? STORED : PUTTING;
        } else {
            status = sb_rig_del(w->rig, n);
            w->keys[i] = status == 0 ? ABSENT : DELETING;
        }
        VS_ASSERT(status == 0 || status == -VS_EDOWN);
        w->acked += status == 0;
    }
    return NULL;
}

static void *checkpoint_main(void *arg)
{
    struct sb_rig *rig = arg;
    int r;

    do {
        r = sb_store_checkpoint(rig->ss.s);
        usleep(500);
    } while (r != -VS_EDOWN && sb_store_scrub(rig->ss.s, NULL, NULL) != -VS_EDOWN);
    return NULL;
}

static void check_writer(const struct writer *w)
{
    for (unsigned i = 0; i < KEYS; i++) {
        uint64_t n = key_of(w, i);
        int r = sb_rig_check(w->rig, n, bytes_of(n));
        bool fine = r == 0 || r == -ENOENT;

        if (w->keys[i] == STORED)
            fine = r == 0;
        else if (w->keys[i] == ABSENT)
            fine = r == -ENOENT;
        else if (w->keys[i] == PUTTING && r == -VS_ECORRUPT)
            fine = sb_rig_put(w->rig, n, bytes_of(n)) == 0 &&
                   sb_rig_check(w->rig, n, bytes_of(n)) == 0;
        if (!fine)
            fail_msg("writer %u key %u: believed %d, reads as %d", w->id, i, w->keys[i], r);
    }
}

static void acknowledgements_hold_through_power_cuts_under_threads(void **state)
{
    struct sb_rig *rig = *state;
    unsigned acked = 0;

    for (unsigned round = 0; round < 25; round++) {
        struct writer writers[WRITERS] = { 0 };
        pthread_t checkpoints;
        struct vs_io *io;

        sim_io_reset(rig->sim);
        io = sb_rig_io(rig);
        assert_int_equal(sb_store_format(io, &rig->config.cluster, &rig->config.node), 0);
        vs_io_free(io);
        rig->config.serial = false;
        rig->config.gather_us = round % 3 * 300;
        rig->config.io_threads = 3;
        rig->config.file_bytes = 700000;
        rig->config.scrub_bytes_s = round % 2 == 0 ? 0 : UINT64_C(1) << 40;
        assert_int_equal(sb_rig_open(rig), 0);
        sim_io_cut_after(rig->sim, 20 + round * 30);
        for (unsigned i = 0; i < WRITERS; i++) {
            writers[i] = (struct writer){ .rig = rig, .id = i, .seed = round * 10 + i };
            assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]), 0);
        }
        assert_int_equal(pthread_create(&checkpoints, NULL, checkpoint_main, rig), 0);
        for (unsigned i = 0; i < WRITERS; i++) {
            pthread_join(writers[i].thread, NULL);
            acked += writers[i].acked;
        }
        pthread_join(checkpoints, NULL);
        sb_rig_close(rig);
        assert_true(sim_io_was_cut(rig->sim));
        sim_io_restore_power(rig->sim, round);
        rig->config.serial = true;
        assert_int_equal(sb_rig_open(rig), 0);
        assert_int_equal(rig->recovery.corrupt, 0);
        for (unsigned i = 0; i < WRITERS; i++)
            check_writer(&writers[i]);
        sb_rig_close(rig);
    }
    assert_true(acked > 100);
}

/* ---- one sync for many ------------------------------------------------------------------------
 */

struct burst_put {
    struct store_put put;
    sem_t *done;
};

static void burst_done(struct store_put *p)
{
    sem_post(vs_container_of(p, struct burst_put, put)->done);
}

static void many_puts_share_one_sync(void **state)
{
    enum { COUNT = 400 };
    static const struct frag_note note = { .red = { VS_RED_RS, 3, 2 } };
    struct sb_rig *rig = *state;
    struct burst_put *v = calloc(COUNT, sizeof(*v));
    uint64_t syncs;
    sem_t done;

    sem_init(&done, 0, 0);
    rig->config.serial = false;
    rig->config.gather_us = 2000;
    rig->config.file_bytes = 64u << 20;
    assert_int_equal(sb_rig_open(rig), 0);
    rig->ss.run = NULL;
    assert_int_equal(sb_rig_put(rig, 1000, 10), 0); /* the file is there */
    syncs = sim_io_calls(rig->sim, SIM_IO_SYNC);
    for (unsigned i = 0; i < COUNT; i++) {
        v[i].done = &done;
        v[i].put = (struct store_put){
            .key = sync_key(i), .note = &note, .data = "x", .bytes = 1, .done = burst_done
        };
        vs_sha256("x", 1, v[i].put.sha256);
        chunk_store_put(rig->ss.s, &v[i].put);
    }
    for (unsigned i = 0; i < COUNT; i++)
        while (sem_wait(&done) < 0)
            continue;
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(v[i].put.status, 0);
    syncs = sim_io_calls(rig->sim, SIM_IO_SYNC) - syncs;
    assert_in_range(syncs, 1, COUNT / 4);
    sem_destroy(&done);
    free(v);
}

/* ---- without memory ---------------------------------------------------------------------------
 */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

/* The allocator of this program, failing the nth call of this thread once it is armed. */
static __thread long fail_in = -1;
static __thread bool failed;

static bool fails(void)
{
    if (fail_in < 0 || fail_in-- > 0)
        return false;
    failed = true;
    return true;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

struct without {
    struct store_put put;
    struct store_get get;
    struct store_del del;
    struct store_stat stat;
    struct store_list list;
    struct frag_key keys[4];
    uint8_t dst[200000];
    unsigned answers;
};

static void without_put(struct store_put *p)
{
    vs_container_of(p, struct without, put)->answers++;
}

static void without_get(struct store_get *g)
{
    vs_container_of(g, struct without, get)->answers++;
}

static void without_del(struct store_del *d)
{
    vs_container_of(d, struct without, del)->answers++;
}

static void without_stat(struct store_stat *st)
{
    vs_container_of(st, struct without, stat)->answers++;
}

static void without_list(struct store_list *l)
{
    vs_container_of(l, struct without, list)->answers++;
}

/* Put `n`, delete `n` - 1, read, stat and list, with one allocation failing on the way. */
static void run_without(struct sb_rig *rig, struct without *w, uint64_t n, long nth)
{
    static const struct frag_note note = { .red = { VS_RED_RS, 3, 2 } };
    uint8_t *data = sync_bytes(n, bytes_of(n));

    memset(w, 0, sizeof(*w));
    w->put = (struct store_put){
        .key = sync_key(n), .note = &note, .data = data, .bytes = bytes_of(n), .done = without_put
    };
    vs_sha256(data, bytes_of(n), w->put.sha256);
    w->get.key = sync_key(n - 1);
    w->get.dst = w->dst;
    w->get.bytes = FRAG_BLOCK_BYTES;
    w->get.done = without_get;
    w->del = (struct store_del){ .key = sync_key(n - 1), .done = without_del };
    w->stat = (struct store_stat){ .key = sync_key(1), .done = without_stat };
    w->list = (struct store_list){ .keys = w->keys, .keys_max = 4, .done = without_list };
    chunk_store_put(rig->ss.s, &w->put);
    chunk_store_get(rig->ss.s, &w->get);
    chunk_store_del(rig->ss.s, &w->del);
    chunk_store_stat(rig->ss.s, &w->stat);
    chunk_store_list(rig->ss.s, &w->list);
    failed = false;
    fail_in = nth;
    sb_store_run(rig->ss.s);
    (void)sb_store_checkpoint(rig->ss.s);
    (void)sb_store_scrub(rig->ss.s, NULL, NULL);
    (void)sb_store_scrub_step(rig->ss.s);
    fail_in = -1;
    free(data);
}

static void an_allocation_that_fails_is_an_answer_and_harms_nothing(void **state)
{
    struct sb_rig *rig = *state;
    struct without *w = calloc(1, sizeof(*w));
    struct store_health h;
    uint64_t n = 10;
    long nth = 0;

    rig->config.serial = true;
    rig->config.file_bytes = 300000;
    rig->config.scrub_period_s = 1;
    assert_int_equal(sb_rig_open(rig), 0);
    assert_int_equal(sb_rig_put(rig, 1, bytes_of(1)), 0);
    for (failed = true; failed; nth++, n++) {
        assert_true(nth < 1000);
        run_without(rig, w, n, nth);
        assert_int_equal(w->answers, 5);
        assert_true(w->put.status == 0 || w->put.status == -ENOMEM);
        assert_true(w->del.status == 0 || w->del.status == -ENOMEM);
        assert_int_equal(sb_rig_check(rig, n, bytes_of(n)), w->put.status == 0 ? 0 : -ENOENT);
        if (w->del.status == 0)
            assert_int_equal(sb_rig_check(rig, n - 1, bytes_of(n - 1)), -ENOENT);
        assert_int_equal(sb_rig_put(rig, n, bytes_of(n)), 0);
        chunk_store_health(rig->ss.s, &h);
        assert_int_equal(h.state, STORE_UP);
        assert_int_equal(h.corrupt_records, 0);
    }
    assert_true(nth > 10);
    sb_rig_close(rig);
    free(w);
}

static int unlink_checkpoint(void *arg, const char *name, uint64_t file_bytes)
{
    (void)file_bytes;
    return strncmp(name, "idx-", 4) == 0 ? vs_io_unlink(arg, name) : 0;
}

static void an_open_without_memory_fails_and_the_next_one_does_not(void **state)
{
    struct sb_rig *rig = *state;
    long nth = 0;

    rig->config.serial = true;
    rig->config.file_bytes = 300000;
    assert_int_equal(sb_rig_open(rig), 0);
    for (uint64_t n = 0; n < 10; n++)
        assert_int_equal(sb_rig_put(rig, n, bytes_of(n)), 0);
    sb_rig_close(rig);
    for (unsigned passed = 0; passed < 2; nth++, passed = failed ? 0 : passed + 1) {
        struct sb_store_config config = rig->config;
        int r;

        assert_true(nth < 1000);
        config.io = sb_rig_io(rig);
        if (nth % 2 == 1) /* now it has to walk */
            assert_int_equal(vs_io_list(config.io, unlink_checkpoint, config.io), 0);
        rig->ss.run = sb_store_run;
        failed = false;
        fail_in = nth;
        r = sb_store_open(&rig->ss.s, &config, NULL);
        fail_in = -1;
        assert_true(r == 0 || (r == -ENOMEM && failed));
        if (r == 0)
            sb_rig_close(rig);
        rig->ss.s = NULL;
        assert_int_equal(sb_rig_open(rig), 0);
        assert_int_equal(rig->recovery.corrupt, 0);
        for (uint64_t n = 0; n < 10; n++)
            assert_int_equal(sb_rig_check(rig, n, bytes_of(n)), 0);
        sb_rig_close(rig);
    }
    assert_true(nth > 10);
}

#endif

/* ---- kill -9 ----------------------------------------------------------------------------------
 */

#define CHILD_WINDOW 8

struct child_put {
    struct store_put put;
    uint64_t n;
    uint8_t *data;
    sem_t *window;
    int fd;
};

enum { TOLD_STORED = 1, TOLD_DELETING = 2, TOLD_DELETED = 3 };

struct told {
    uint64_t what, n;
};

static void tell(int fd, uint64_t what, uint64_t n)
{
    struct told told = { what, n };

    VS_ASSERT(write(fd, &told, sizeof(told)) == sizeof(told));
}

static void child_put_done(struct store_put *p)
{
    struct child_put *c = vs_container_of(p, struct child_put, put);

    VS_ASSERT(p->status == 0);
    tell(c->fd, TOLD_STORED, c->n); /* acknowledged, said aloud */
    free(c->data);
    sem_post(c->window);
    free(c);
}

/* Put fragments from `first` on and tell each on the pipe, until killed. Every eighth deletes an
 * older one. */
static _Noreturn void child_main(struct sb_rig *rig, uint64_t first, int fd)
{
    static const struct frag_note note = { .red = { VS_RED_RS, 3, 2 } };
    sem_t window;

    VS_ASSERT(sb_rig_open(rig) == 0);
    sem_init(&window, 0, CHILD_WINDOW);
    for (uint64_t n = first;; n++) {
        struct child_put *c = calloc(1, sizeof(*c));

        while (sem_wait(&window) < 0)
            continue;
        VS_ASSERT(c != NULL);
        c->n = n;
        c->fd = fd;
        c->window = &window;
        c->data = sync_bytes(n, bytes_of(n));
        c->put = (struct store_put){ .key = sync_key(n),
                                     .note = &note,
                                     .data = c->data,
                                     .bytes = bytes_of(n),
                                     .done = child_put_done };
        vs_sha256(c->data, bytes_of(n), c->put.sha256);
        chunk_store_put(rig->ss.s, &c->put);
        if (n % 8 == 0 && n > first + 100) {
            struct sync_store ss = { .s = rig->ss.s };
            struct frag_key key = sync_key(n - 100);

            tell(fd, TOLD_DELETING, n - 100);
            VS_ASSERT(sync_del(&ss, &key) == 0);
            tell(fd, TOLD_DELETED, n - 100);
        }
    }
}

static void acknowledgements_hold_through_kill_9(void **state)
{
    enum { CYCLES = 12, MAX = 200000 };
    struct sb_rig *rig = *state;
    uint8_t *believed = calloc(MAX, 1); /* the last thing told */
    struct told told;
    uint64_t first = 1, total = 0;
    struct vs_rand r;

    vs_rand_init(&r, 99);
    rig->config.file_bytes = 16u << 20; /* roll over, seal and remove under the kills, too */
    rig->config.gather_us = 200;
    rig->config.checkpoint_s = 1;
    for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
        uint64_t n, last = first;
        int fd[2], status;
        pid_t pid;

        assert_int_equal(pipe(fd), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fd[0]);
            child_main(rig, first, fd[1]);
        }
        close(fd[1]);
        usleep((useconds_t)(50000 + vs_rand_below(&r, 150000)));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it was killed, and had not failed before */
        while (read(fd[0], &told, sizeof(told)) == sizeof(told)) {
            VS_ASSERT(told.n < MAX);
            if (told.what > believed[told.n])
                believed[told.n] = (uint8_t)told.what;
            last = told.n > last ? told.n : last;
            total++;
        }
        close(fd[0]);
        assert_int_equal(sb_rig_open(rig), 0);
        assert_int_equal(rig->recovery.corrupt, 0);
        for (n = 1; n <= last + CHILD_WINDOW; n++) {
            int got = sb_rig_check(rig, n, bytes_of(n));

            if (believed[n] == TOLD_STORED && got != 0)
                fail_msg("cycle %u: fragment %d was acknowledged and reads as %d", cycle, (int)n,
                         got);
            if (believed[n] == TOLD_DELETED && got != -ENOENT)
                fail_msg("cycle %u: fragment %d was deleted and reads as %d", cycle, (int)n, got);
        }
        sb_rig_close(rig);
        first = last + CHILD_WINDOW + 1;
    }
    assert_true(total > 100);
    free(believed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(acknowledgements_hold_through_power_cuts_under_threads,
                                        sb_rig_setup_sim, sb_rig_teardown),
        cmocka_unit_test_setup_teardown(many_puts_share_one_sync, sb_rig_setup_sim,
                                        sb_rig_teardown),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test_setup_teardown(an_allocation_that_fails_is_an_answer_and_harms_nothing,
                                        sb_rig_setup_disk, sb_rig_teardown),
        cmocka_unit_test_setup_teardown(an_open_without_memory_fails_and_the_next_one_does_not,
                                        sb_rig_setup_disk, sb_rig_teardown),
#endif
        cmocka_unit_test_setup_teardown(acknowledgements_hold_through_kill_9, sb_rig_setup_disk,
                                        sb_rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
