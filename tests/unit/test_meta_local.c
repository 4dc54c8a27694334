/* The metadata of one process as its users see it: open and create, changes and reads, registers,
 * what is refused, and what a lost tail of the namespace comes back to. */
#include "common/err.h"
#include "common/log.h"
#include "meta/meta_local.h"
#include "tests/support/reg_use.h"
#include "tests/support/temp_dir.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char home[TEMP_DIR_BYTES];
    char dir[TEMP_DIR_BYTES + 8];
    struct meta_local_config config;
    struct meta_client *meta;
};

static void shell(const char *fmt, const char *dir)
{
    char cmd[1024];

    snprintf(cmd, sizeof(cmd), fmt, dir, dir, dir, dir);
    assert_int_equal(system(cmd), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    temp_dir_make(f->home);
    snprintf(f->dir, sizeof(f->dir), "%s/meta", f->home);
    f->config = (struct meta_local_config){
        .dir = f->dir, .create = true, .root_uid = 10, .root_gid = 20, .clock = &vs_clock_system
    };
    memset(f->config.cluster.b, 9, VS_ID_BYTES);
    assert_int_equal(meta_local_open(&f->meta, &f->config), 0);
    f->config.create = false;
    *state = f;
    return 0;
}

static int setup_memory(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->config =
        (struct meta_local_config){ .create = true, .in_memory = true, .clock = &vs_clock_system };
    memset(f->config.cluster.b, 9, VS_ID_BYTES);
    assert_int_equal(meta_local_open(&f->meta, &f->config), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    meta_client_stop(f->meta);
    if (f->home[0] != '\0')
        temp_dir_remove(f->home);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    meta_client_stop(f->meta);
    f->meta = NULL;
    assert_int_equal(meta_local_open(&f->meta, &f->config), 0);
}

static int change(struct fixture *f, const struct ns_entry *e, struct ns_answer *ret)
{
    struct meta_req r = { .op = META_CHANGE, .entry = e };
    int status = meta_call(f->meta, &r);

    if (ret != NULL)
        *ret = r.answer;
    return status;
}

static uint64_t make_dir(struct fixture *f, const char *name)
{
    struct ns_answer a;
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .count = 1 };
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .now = { 1000, 0 },
                          .parent = NS_INO_ROOT,
                          .name = name,
                          .name_len = strlen(name),
                          .attr = { .mode = S_IFDIR | 0755 } };

    assert_int_equal(change(f, &reserve, &a), 0);
    e.ino = a.first;
    assert_int_equal(change(f, &e, &a), 0);
    return a.attr.ino;
}

static int lookup(struct fixture *f, const char *name, uint64_t *ret_ino)
{
    struct meta_req r = {
        .op = META_LOOKUP, .ino = NS_INO_ROOT, .name = name, .name_len = strlen(name)
    };
    int status = meta_call(f->meta, &r);

    if (status == 0)
        *ret_ino = r.attr.ino;
    return status;
}

/* ---- open ---- */

static void a_new_cluster_has_a_root_of_its_owner_and_an_inbox(void **state)
{
    struct fixture *f = *state;
    struct meta_req r = { .op = META_GETATTR, .ino = NS_INO_ROOT };
    uint64_t ino;

    assert_int_equal(meta_call(f->meta, &r), 0);
    assert_int_equal(r.attr.mode, S_IFDIR | 0755);
    assert_int_equal(r.attr.uid, 10);
    assert_int_equal(r.attr.gid, 20);
    assert_int_equal(lookup(f, "inbox", &ino), 0);
    assert_int_equal(ino, NS_INO_INBOX);
    assert_int_equal(vs_id_cmp(&f->meta->cluster, &f->config.cluster), 0);
    assert_int_equal(f->meta->pid, 1);
    assert_int_equal(f->meta->inc, 1);
}

static void metadata_that_is_there_is_not_made_again(void **state)
{
    struct fixture *f = *state;
    struct meta_client *other = NULL;

    meta_client_stop(f->meta);
    f->meta = NULL;
    f->config.create = true;
    assert_int_equal(meta_local_open(&other, &f->config), -EEXIST);
    /* Nor when only the namespace is left of it. */
    shell("mv %s/acceptor %s/lost", f->dir);
    assert_int_equal(meta_local_open(&other, &f->config), -EEXIST);
    shell("mv %s/lost %s/acceptor", f->dir);
    f->config.create = false;
    assert_int_equal(meta_local_open(&f->meta, &f->config), 0);
    assert_null(other);
}

static void metadata_that_is_not_there_is_not_made_by_an_open(void **state)
{
    struct fixture *f = *state;
    struct meta_client *other = NULL;
    struct meta_local_config config = f->config;
    char dir[TEMP_DIR_BYTES + 16];
    struct stat st;

    snprintf(dir, sizeof(dir), "%s/none", f->dir);
    config.dir = dir;
    assert_int_equal(meta_local_open(&other, &config), -ENOENT);
    assert_int_equal(stat(dir, &st), -1);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(meta_local_open(&other, &config), -ENOENT);
    assert_int_equal(rmdir(dir), 0); /* still empty */
}

static void a_second_open_is_told_that_it_is_locked(void **state)
{
    struct fixture *f = *state;
    struct meta_client *other = NULL;

    assert_int_equal(meta_local_open(&other, &f->config), -EAGAIN);
    assert_null(other);
}

static void the_incarnation_rises_and_names_stay(void **state)
{
    struct fixture *f = *state;
    uint64_t made = make_dir(f, "films"), found;

    reopen(f);
    assert_int_equal(f->meta->inc, 2);
    assert_int_equal(lookup(f, "films", &found), 0);
    assert_int_equal(found, made);
    assert_int_equal(lookup(f, "none", &found), -ENOENT);
}

/* ---- lost and old directories ---- */

static void a_lost_acceptor_is_not_taken_for_a_new_cluster(void **state)
{
    struct fixture *f = *state;

    meta_client_stop(f->meta);
    f->meta = NULL;
    shell("mv %s/acceptor %s/lost", f->dir);
    assert_int_equal(meta_local_open(&f->meta, &f->config), -VS_EFORGOT);
    assert_null(f->meta);
}

static void an_older_acceptor_is_refused(void **state)
{
    struct fixture *f = *state;

    make_dir(f, "a");
    meta_client_stop(f->meta);
    f->meta = NULL;
    shell("cp -r %s/acceptor %s/old", f->dir);
    assert_int_equal(meta_local_open(&f->meta, &f->config), 0);
    make_dir(f, "b");
    meta_client_stop(f->meta);
    f->meta = NULL;
    shell("rm -r %s/acceptor && mv %s/old %s/acceptor", f->dir);
    assert_int_equal(meta_local_open(&f->meta, &f->config), -VS_EFORGOT);
    /* The namespace tells, too, should the count be gone. */
    shell("rm %s/acceptor.synced", f->dir);
    assert_int_equal(meta_local_open(&f->meta, &f->config), -VS_EFORGOT);
}

static void a_lost_namespace_is_replayed_from_the_first_slot(void **state)
{
    struct fixture *f = *state;
    uint64_t made = make_dir(f, "a"), found;

    meta_client_stop(f->meta);
    f->meta = NULL;
    shell("rm -r %s/namespace", f->dir);
    assert_int_equal(meta_local_open(&f->meta, &f->config), 0);
    assert_int_equal(lookup(f, "a", &found), 0);
    assert_int_equal(found, made);
}

/* Another process makes twenty directories and dies: a stop would have flushed the namespace. */
static int child_main(const char *dir)
{
    struct fixture f = { .config = { .dir = dir, .clock = &vs_clock_system } };
    char name[32];

    if (meta_local_open(&f.meta, &f.config) < 0)
        return 1;
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "after%u", i);
        make_dir(&f, name);
    }
    kill(getpid(), SIGKILL);
    return 1;
}

static void run_child(struct fixture *f)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "test_meta_local", f->dir, NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

/* What a power cut leaves of namespace/: an older state. The slots are in acceptor/. */
static void a_namespace_that_lost_its_tail_comes_back_whole(void **state)
{
    struct fixture *f = *state;
    uint64_t before = make_dir(f, "before"), found = 0, last = before;
    struct meta_req stats = { .op = META_STATS };
    char name[32];

    meta_client_stop(f->meta);
    f->meta = NULL;
    shell("cp -r %s/namespace %s/old", f->dir);
    run_child(f);
    shell("rm -r %s/namespace && mv %s/old %s/namespace", f->dir);
    assert_int_equal(meta_local_open(&f->meta, &f->config), 0);
    assert_int_equal(lookup(f, "before", &found), 0);
    assert_int_equal(found, before);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "after%u", i);
        assert_int_equal(lookup(f, name, &found), 0);
        assert_int_equal(found, last + 1);
        last = found;
    }
    assert_int_equal(meta_call(f->meta, &stats), 0);
    assert_int_equal(stats.stats.directories, 23);
    assert_int_equal(stats.stats.applied_slot, 43 + 3); /* and one of its own at each start */
    assert_true(stats.stats.synced_batches >= 43);
    assert_int_equal(stats.stats.first_slot, 1);
}

/* ---- registers ---- */

static void registers_are_listed_and_survive_a_reopen(void **state)
{
    struct fixture *f = *state;
    struct vs_id ids[4];
    struct meta_req r = {
        .op = META_SCAN, .scan = META_SCAN_REGISTERS, .scan_ids = ids, .scan_max = 4
    };

    for (uint64_t seq = 1; seq <= 6; seq++) {
        struct vs_id id = vs_id_make(1, f->meta->inc, seq, VS_ID_CHUNK);

        assert_int_equal(reg_create(f->meta, &id, 1), 0);
    }
    if (f->dir[0] != '\0')
        reopen(f);
    assert_int_equal(meta_call(f->meta, &r), 0);
    assert_int_equal(r.scan_count, 4);
    assert_int_equal(vs_id_seq(&ids[3]), 4);
    r.scan_after_id = ids[3];
    assert_int_equal(meta_call(f->meta, &r), 0);
    assert_int_equal(r.scan_count, 2);
    assert_int_equal(vs_id_seq(&ids[1]), 6);
}

/* A reader's thread is not asked: whoever waits for it may do it as well. */
static void a_read_that_is_waited_for_is_answered_by_its_caller(void **state)
{
    struct fixture *f = *state;
    struct ns_entry nop = { .kind = NS_E_NOP, .now = { 1, 0 } };
    struct meta_req root = { .op = META_GETATTR, .ino = NS_INO_ROOT };
    struct meta_req none = { .op = META_GETATTR, .ino = 4711 };
    struct meta_req change = { .op = META_CHANGE, .entry = &nop };

    assert_true(f->meta->ops->answer(f->meta, &root));
    assert_int_equal(root.status, 0);
    assert_int_equal(root.attr.ino, NS_INO_ROOT);
    assert_true(f->meta->ops->answer(f->meta, &none));
    assert_int_equal(none.status, -ENOENT);
    assert_false(f->meta->ops->answer(f->meta, &change));
}

#define ON_DISK(fn)   cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define IN_MEMORY(fn) cmocka_unit_test_setup_teardown(fn, setup_memory, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(a_new_cluster_has_a_root_of_its_owner_and_an_inbox),
        ON_DISK(metadata_that_is_there_is_not_made_again),
        ON_DISK(metadata_that_is_not_there_is_not_made_by_an_open),
        ON_DISK(a_second_open_is_told_that_it_is_locked),
        ON_DISK(the_incarnation_rises_and_names_stay),
        ON_DISK(a_lost_acceptor_is_not_taken_for_a_new_cluster),
        ON_DISK(an_older_acceptor_is_refused),
        ON_DISK(a_lost_namespace_is_replayed_from_the_first_slot),
        ON_DISK(a_namespace_that_lost_its_tail_comes_back_whole),
        ON_DISK(registers_are_listed_and_survive_a_reopen),
        IN_MEMORY(registers_are_listed_and_survive_a_reopen),
        IN_MEMORY(a_read_that_is_waited_for_is_answered_by_its_caller),
    };

    if (argc == 2)
        return child_main(argv[1]);
    return cmocka_run_group_tests_name("meta_local", tests, NULL, NULL);
}
