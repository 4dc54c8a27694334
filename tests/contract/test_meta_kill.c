/* Contract of the metadata in this process: what it answered is durable, whenever the process
 * dies. */
#include "common/err.h"
#include "common/rand.h"
#include "meta/meta_local.h"
#include "meta/place_value.h"
#include "tests/support/temp_dir.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CYCLES      20
#define WRITERS     4
#define ROUNDS_MAX  4096 /* of one writer in one life */
#define KILL_AT_MAX 300  /* acknowledgements before the kill */

/* ---- the life that is ended: writers that tell each acknowledgement through a pipe ---- */

struct ack {
    uint32_t writer, round;
    uint64_t ino; /* of the directory made */
    struct vs_id chunk;
};

struct life {
    struct meta_client *meta;
    unsigned cycle;
    int pipe;
    uint64_t first_ino, first_seq;
    atomic_uint next_writer;
};

static size_t dir_name(char name[64], unsigned cycle, unsigned writer, unsigned round)
{
    return (size_t)snprintf(name, 64, "life%u-writer%u-%u", cycle, writer, round);
}

static void placement(struct vs_buf *ret, uint32_t writer, uint32_t round)
{
    struct place_value v = {
        .state = PLACE_LIVE,
        .session = 1,
        .generation = 1,
        .chunk_bytes = 1 + round,
        .red = { VS_RED_REPLICATE, 1, 1 },
        .frag = { { .node = 1 + writer, .generation = 1 }, { .node = 9, .generation = 1 } },
    };

    ret->len = 0;
    if (place_value_encode(&v, ret) < 0)
        abort();
}

static int life_change(struct life *l, const struct ns_entry *e, struct ns_answer *ret)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };
    int status = meta_call(l->meta, &r);

    *ret = r.answer;
    return status;
}

/* A directory, then a register, then the word that both are acknowledged. */
static void life_round(struct life *l, struct ack *ack, struct vs_buf *value)
{
    char name[64];
    struct ns_answer answer;
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .now = { 1000, 0 },
                          .parent = NS_INO_ROOT,
                          .name = name,
                          .name_len = dir_name(name, l->cycle, ack->writer, ack->round),
                          .ino = l->first_ino + ack->writer * ROUNDS_MAX + ack->round,
                          .attr = { .mode = S_IFDIR | 0755 } };
    struct meta_reg reg = { .id = vs_id_make(l->meta->pid, l->meta->inc,
                                             l->first_seq + ack->writer * ROUNDS_MAX + ack->round,
                                             VS_ID_CHUNK) };
    struct meta_req create = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };

    placement(value, ack->writer, ack->round);
    reg.value = value->data;
    reg.value_len = value->len;
    if (life_change(l, &e, &answer) != 0 || meta_call(l->meta, &create) != 0)
        abort();
    ack->ino = answer.attr.ino;
    ack->chunk = reg.id;
    if (write(l->pipe, ack, sizeof(*ack)) != sizeof(*ack)) /* atomic: below PIPE_BUF */
        abort();
}

static void *life_writer(void *arg)
{
    struct life *l = arg;
    struct ack ack = { .writer = l->next_writer++ };
    struct vs_buf value = { 0 };

    for (ack.round = 0; ack.round < ROUNDS_MAX; ack.round++)
        life_round(l, &ack, &value);
    vs_buf_close(&value);
    return NULL;
}

static int life_main(const char *dir, unsigned cycle, int pipe)
{
    struct meta_local_config config = { .dir = dir, .clock = &vs_clock_system };
    struct life l = { .cycle = cycle, .pipe = pipe };
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .count = WRITERS * ROUNDS_MAX };
    struct ns_entry open = { .kind = NS_E_SESSION_OPEN, .count = WRITERS * ROUNDS_MAX };
    struct ns_answer a;
    pthread_t threads[WRITERS];

    if (meta_local_open(&l.meta, &config) < 0 || life_change(&l, &reserve, &a) != 0)
        return 1;
    l.first_ino = a.first;
    if (life_change(&l, &open, &a) != 0)
        return 1;
    l.first_seq = a.first;
    for (unsigned i = 0; i < WRITERS; i++)
        if (pthread_create(&threads[i], NULL, life_writer, &l) != 0)
            return 1;
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    pause(); /* all done before the kill came */
    return 1;
}

/* ---- the one who kills and checks ---- */

struct death {
    struct ack *acks;
    unsigned count;
    unsigned rounds[WRITERS]; /* acknowledged */
};

static void death_read(struct death *d, int pipe, unsigned until)
{
    struct ack ack;

    while (d->count < until && read(pipe, &ack, sizeof(ack)) == sizeof(ack)) {
        assert_true(ack.writer < WRITERS && ack.round < ROUNDS_MAX);
        d->acks[d->count++] = ack;
        d->rounds[ack.writer] = ack.round + 1;
    }
}

/* Start a process, kill it after `kill_at` acknowledgements, take those still in the pipe. */
static void live_and_die(const char *dir, unsigned cycle, unsigned kill_at, struct death *d)
{
    int fds[2], status;
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char args[2][16];

        snprintf(args[0], sizeof(args[0]), "%u", cycle);
        snprintf(args[1], sizeof(args[1]), "%d", fds[1]);
        close(fds[0]);
        execl("/proc/self/exe", "test_meta_kill", dir, args[0], args[1], NULL);
        _exit(127);
    }
    close(fds[1]);
    death_read(d, fds[0], kill_at);
    kill(child, SIGKILL);
    death_read(d, fds[0], WRITERS * ROUNDS_MAX);
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static int lookup(struct meta_client *meta, const char *name, size_t len, uint64_t *ret_ino)
{
    struct meta_req r = { .op = META_LOOKUP, .ino = NS_INO_ROOT, .name = name, .name_len = len };
    int status = meta_call(meta, &r);

    *ret_ino = r.attr.ino;
    return status;
}

static void check_ack(struct meta_client *meta, unsigned cycle, const struct ack *ack)
{
    struct meta_reg reg = { .id = ack->chunk };
    struct meta_req r = { .op = META_REG_READ, .regs = &reg, .reg_count = 1 };
    struct vs_buf value = { 0 };
    char name[64];
    size_t len = dir_name(name, cycle, ack->writer, ack->round);
    uint64_t ino;

    assert_int_equal(lookup(meta, name, len, &ino), 0);
    assert_int_equal(ino, ack->ino);
    assert_int_equal(meta_call(meta, &r), 0);
    assert_int_equal(reg.status, 0);
    placement(&value, ack->writer, ack->round);
    assert_int_equal(reg.current.len, value.len);
    assert_memory_equal(reg.current.data, value.data, value.len);
    vs_buf_close(&reg.current);
    vs_buf_close(&value);
}

/* At most one round of each writer is there that was not acknowledged. The number of those. */
static unsigned check_unacknowledged(struct meta_client *meta, unsigned cycle,
                                     const struct death *d)
{
    unsigned found = 0;
    char name[64];
    uint64_t ino;

    for (unsigned w = 0; w < WRITERS; w++) {
        found += lookup(meta, name, dir_name(name, cycle, w, d->rounds[w]), &ino) == 0;
        assert_int_equal(lookup(meta, name, dir_name(name, cycle, w, d->rounds[w] + 1), &ino),
                         -ENOENT);
    }
    return found;
}

static void what_was_acknowledged_survives_a_kill_at_any_moment(void **state)
{
    char dir[TEMP_DIR_BYTES];
    struct meta_local_config config = { .dir = dir, .create = true, .clock = &vs_clock_system };
    struct death d = { .acks = calloc(WRITERS * ROUNDS_MAX, sizeof(*d.acks)) };
    struct meta_client *meta;
    struct vs_rand rand;
    unsigned total = 0;

    (void)state;
    vs_rand_init(&rand, 20240607);
    temp_dir_make(dir);
    config.cluster.b[0] = 1;
    assert_int_equal(meta_local_open(&meta, &config), 0);
    meta_client_stop(meta);
    config.create = false;
    for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
        struct meta_req stats = { .op = META_STATS };

        d.count = 0;
        memset(d.rounds, 0, sizeof(d.rounds));
        live_and_die(dir, cycle, (unsigned)vs_rand_below(&rand, KILL_AT_MAX), &d);
        assert_int_equal(meta_local_open(&meta, &config), 0);
        for (unsigned i = 0; i < d.count; i++)
            check_ack(meta, cycle, &d.acks[i]);
        total += d.count + check_unacknowledged(meta, cycle, &d);
        /* The counters were applied with the names, so they agree; root and inbox are two more. */
        assert_int_equal(meta_call(meta, &stats), 0);
        assert_int_equal(stats.stats.directories, total + 2);
        meta_client_stop(meta);
    }
    assert_true(total > CYCLES);
    free(d.acks);
    temp_dir_remove(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_a_kill_at_any_moment),
    };

    if (argc == 4)
        return life_main(argv[1], (unsigned)strtoul(argv[2], NULL, 10),
                         (int)strtol(argv[3], NULL, 10));
    return cmocka_run_group_tests_name("meta_kill", tests, NULL, NULL);
}
