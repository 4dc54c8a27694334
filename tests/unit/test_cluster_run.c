/* The directory of a local cluster. Its processes are tests/e2e/'s. */
#include "fs/cluster_run.h"

#include "common/err.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    char parent[TEMP_DIR_BYTES], dir[TEMP_DIR_BYTES + 32];
    struct cluster_run run;
    char why[CLUSTER_RUN_WHY_BYTES];
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    temp_dir_make(rig->parent);
    snprintf(rig->dir, sizeof(rig->dir), "%s/a/b", rig->parent);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    cluster_run_close(&rig->run);
    temp_dir_remove(rig->parent);
    free(rig);
    return 0;
}

static const char *below(struct rig *rig, const char *name)
{
    static char path[TEMP_DIR_BYTES + 128];

    snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
    return path;
}

static void a_new_directory_becomes_a_cluster_that_stays_the_same(void **state)
{
    struct rig *rig = *state;
    struct vs_id cluster;

    assert_int_equal(
        cluster_run_open(&rig->run, rig->dir, &(struct cluster_run_new){ 0, 3 }, rig->why), 0);
    cluster = rig->run.file.cluster;
    assert_false(vs_id_is_zero(&cluster));
    assert_int_equal(rig->run.file.nodes_count, 3);
    assert_string_equal(rig->run.file.nodes[2].id, "n3");
    assert_string_equal(rig->run.file.nodes[2].data, below(rig, "nodes/n3"));
    assert_int_equal(access(below(rig, "log"), F_OK), 0);
    cluster_run_close(&rig->run);
    cluster_run_close(&rig->run);
    assert_int_equal(
        cluster_run_open(&rig->run, rig->dir, &(struct cluster_run_new){ 0, 5 }, rig->why), 0);
    assert_memory_equal(&rig->run.file.cluster, &cluster, sizeof(cluster));
    assert_int_equal(rig->run.file.nodes_count, 3);
}

static void replicas_are_made_once_and_marked_until_they_were_ready(void **state)
{
    struct rig *rig = *state;
    int64_t born_ns;

    assert_int_equal(
        cluster_run_open(&rig->run, rig->dir, &(struct cluster_run_new){ 3, 2 }, rig->why), 0);
    assert_int_equal(rig->run.file.metas_count, 3);
    assert_string_equal(rig->run.file.metas[2].id, "3");
    assert_string_equal(rig->run.file.metas[2].data, below(rig, "metas/3"));
    assert_int_equal(vs_uuid_born_ns(&rig->run.file.cluster, &born_ns), 0);
    assert_int_equal(access(below(rig, "metas/setup"), F_OK), 0);
    cluster_run_close(&rig->run);

    /* interrupted before cluster.json was there: begun anew; lost later: not */
    assert_int_equal(unlink(below(rig, "cluster.json")), 0);
    assert_int_equal(
        cluster_run_open(&rig->run, rig->dir, &(struct cluster_run_new){ 1, 2 }, rig->why), 0);
    assert_int_equal(rig->run.file.metas_count, 1);
    cluster_run_close(&rig->run);
    assert_int_equal(unlink(below(rig, "cluster.json")), 0);
    assert_int_equal(unlink(below(rig, "metas/setup")), 0);
    assert_int_equal(
        cluster_run_open(&rig->run, rig->dir, &(struct cluster_run_new){ 1, 2 }, rig->why),
        -EEXIST);
    assert_non_null(strstr(rig->why, "cluster.json is lost"));
}

static void a_lost_replica_gives_its_place_to_a_number_never_used(void **state)
{
    static const struct cluster_run_new three = { 3, 2 };
    struct rig *rig = *state;
    struct cluster_member *m;

    assert_int_equal(cluster_run_open(&rig->run, rig->dir, &three, rig->why), 0);
    assert_int_equal(cluster_run_replace(&rig->run, "9", rig->why), -ENOENT);
    assert_int_equal(cluster_run_replace(&rig->run, "3", rig->why), 0);
    m = &rig->run.file.metas[2];
    assert_string_equal(m->id, "4");
    assert_string_equal(m->replaces, "3");
    assert_string_equal(m->data, below(rig, "metas/4"));

    /* The same again, also by the next one who asks, and once the newcomer has lost its disk. */
    cluster_run_close(&rig->run);
    assert_int_equal(cluster_run_open(&rig->run, rig->dir, &three, rig->why), 0);
    assert_int_equal(cluster_run_replace(&rig->run, "3", rig->why), 0);
    assert_int_equal(cluster_run_replace(&rig->run, "4", rig->why), 0);
    m = &rig->run.file.metas[2];
    assert_string_equal(m->id, "4");
    assert_string_equal(m->replaces, "3");

    m->replaces[0] = '\0'; /* it is a member, and is lost */
    assert_int_equal(cluster_run_replace(&rig->run, "4", rig->why), 0);
    assert_string_equal(m->id, "5");
    assert_string_equal(m->replaces, "4");
}

static void the_only_replica_cannot_be_replaced(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(
        cluster_run_open(&rig->run, rig->dir, &(struct cluster_run_new){ 1, 2 }, rig->why), 0);
    assert_int_equal(cluster_run_replace(&rig->run, "1", rig->why), -EINVAL);
    assert_non_null(strstr(rig->why, "vstackfs salvage"));
}

static void what_was_never_started_is_not_ended(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(cluster_run_open(&rig->run, rig->dir, NULL, rig->why), -ENOENT);
    assert_int_not_equal(access(rig->dir, F_OK), 0);
    assert_int_equal(cluster_run_open(&rig->run, rig->parent, NULL, rig->why), -ENOENT);
    assert_non_null(strstr(rig->why, "nothing was started"));
}

static void the_data_of_a_single_mount_is_not_made_a_cluster(void **state)
{
    struct rig *rig = *state;
    char meta[TEMP_DIR_BYTES + 64];

    snprintf(meta, sizeof(meta), "%s/meta", rig->parent);
    assert_int_equal(mkdir(meta, 0700), 0);
    assert_int_equal(
        cluster_run_open(&rig->run, rig->parent, &(struct cluster_run_new){ 0, 5 }, rig->why),
        -EEXIST);
    assert_non_null(strstr(rig->why, "choose another --dir"));
}

/* The tests' folder holds no vstack-node. */
static void without_the_nodes_program_nothing_is_started(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(
        cluster_run_open(&rig->run, rig->dir, &(struct cluster_run_new){ 0, 2 }, rig->why), 0);
    assert_int_equal(cluster_run_start(&rig->run, false, rig->why), -ENOENT);
    assert_non_null(strstr(rig->why, "vstack-node is missing; install it beside vstackfs"));
    cluster_run_undo(&rig->run);
    assert_int_equal(cluster_run_stop(&rig->run, rig->why), 0);
}

/* A number that is somebody else's by now is forgotten, not signalled. */
static void numbers_of_others_are_left_alone(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(
        cluster_run_open(&rig->run, rig->dir, &(struct cluster_run_new){ 0, 2 }, rig->why), 0);
    rig->run.file.nodes[0].pid = getpid();
    cluster_run_thaw(&rig->run);
    assert_int_equal(cluster_run_stop(&rig->run, rig->why), 0);
    assert_int_equal(rig->run.file.nodes[0].pid, 0);
}

static void the_mounts_process_is_who_holds_the_lock(void **state)
{
    struct rig *rig = *state;
    int fd;

    assert_int_equal(
        cluster_run_open(&rig->run, rig->dir, &(struct cluster_run_new){ 0, 2 }, rig->why), 0);
    assert_int_equal(cluster_run_mount_pid(&rig->run, "/mnt/a"), 0);
    fd = open(below(rig, "lock"), O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, "4711\n", 5), 5);
    assert_int_equal(cluster_run_mount_pid(&rig->run, "/mnt/a"), 0); /* left behind */
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(cluster_run_mount_pid(&rig->run, "/mnt/a"), 4711);
    assert_int_equal(cluster_run_mounts_wait(&rig->run, 60), -ETIMEDOUT);
    close(fd);
    assert_int_equal(cluster_run_mounts_wait(&rig->run, 0), 0);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_new_directory_becomes_a_cluster_that_stays_the_same),
        RULE(replicas_are_made_once_and_marked_until_they_were_ready),
        RULE(a_lost_replica_gives_its_place_to_a_number_never_used),
        RULE(the_only_replica_cannot_be_replaced),
        RULE(what_was_never_started_is_not_ended),
        RULE(the_data_of_a_single_mount_is_not_made_a_cluster),
        RULE(without_the_nodes_program_nothing_is_started),
        RULE(numbers_of_others_are_left_alone),
        RULE(the_mounts_process_is_who_holds_the_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
