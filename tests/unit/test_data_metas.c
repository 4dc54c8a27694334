/* A mount whose metadata is a replica somewhere else: the right one or none, and its nodes are
 * recorded once, whoever mounts first. */
#include "common/err.h"
#include "fs/data_metas.h"
#include "tests/support/node_proc.h"
#include "tests/support/nodes_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct metas_rig {
    struct nodes_rig nodes;
    struct data_rig *data; /* its */
    struct node_proc meta;
};

static int setup(void **state)
{
    static struct metas_rig rig;
    char uuid[VS_ID_TEXT_BYTES];
    const char *const args[] = { "--cluster", uuid, NULL };
    struct cluster_member *m = &rig.nodes.file.metas[0];

    nodes_rig_open(&rig.nodes);
    rig.data = rig.nodes.data;
    vs_id_to_text(&rig.nodes.file.cluster, uuid);
    data_rig_mkdir(rig.data, "meta");
    assert_int_equal(node_proc_start_program(&rig.meta, "vstack-meta", "1",
                                             data_rig_path(rig.data, "meta"), 0, args),
                     0);
    rig.nodes.file.metas_count = 1;
    snprintf(m->id, sizeof(m->id), "1");
    snprintf(m->url, sizeof(m->url), "%s", rig.meta.origin);
    nodes_rig_save(&rig.nodes);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct metas_rig *r = *state;

    data_rig_close(r->data);
    node_proc_stop(&r->meta);
    nodes_rig_close(&r->nodes);
    return 0;
}

static void the_first_mount_records_the_nodes_and_later_ones_find_them(void **state)
{
    struct metas_rig *r = *state;
    struct meta_said metas[CLUSTER_METAS_MAX];

    data_rig_must_open(r->data);
    assert_true(r->data->data.created);
    assert_int_equal(r->data->fs.stores.count, NODES_RIG_NODES);
    for (unsigned i = 0; i < NODES_RIG_NODES; i++)
        assert_string_equal(r->data->fs.stores.entries[i].name, r->nodes.file.nodes[i].id);
    assert_int_equal(data_rig_put(r->data, 1), NODES_RIG_NODES);
    assert_int_equal(data_metas_ask(&r->data->fs, metas), 1);
    assert_true(metas[0].reachable);
    data_rig_close(r->data);
    assert_false(data_rig_exists(r->data, "data/meta"));

    data_rig_must_open(r->data);
    assert_false(r->data->data.created);
    assert_int_equal(data_rig_check(r->data, 1), NODES_RIG_NODES);
}

static void without_the_metadata_nothing_is_mounted(void **state)
{
    struct metas_rig *r = *state;

    r->nodes.file.metas[0].url[0] = '\0';
    nodes_rig_save(&r->nodes);
    data_rig_must_refuse(r->data, -VS_EDOWN, "no metadata replica of");
}

static void metadata_of_another_cluster_is_refused(void **state)
{
    struct metas_rig *r = *state;

    r->nodes.file.cluster.b[0] = 8;
    nodes_rig_save(&r->nodes);
    data_rig_must_refuse(r->data, -ESTALE, "belong to another cluster");
}

/* Its own metadata would be another history of the same films. */
static void a_directory_with_metadata_of_its_own_is_refused(void **state)
{
    struct metas_rig *r = *state;

    data_rig_mkdir(r->data, "data");
    data_rig_mkdir(r->data, "data/meta");
    data_rig_mkdir(r->data, "data/meta/acceptor");
    data_rig_must_refuse(r->data, -EEXIST, "give another --data");
}

static void a_replica_that_is_gone_or_is_another_one_is_said(void **state)
{
    struct metas_rig *r = *state;
    struct meta_said metas[CLUSTER_METAS_MAX];

    r->nodes.file.metas_count = 2;
    snprintf(r->nodes.file.metas[1].id, sizeof(r->nodes.file.metas[1].id), "2");
    nodes_rig_save(&r->nodes);
    data_rig_must_open(r->data);
    assert_int_equal(data_metas_ask(&r->data->fs, metas), 2);
    assert_true(metas[0].reachable);
    assert_false(metas[1].reachable);
    assert_string_equal(metas[1].why, "it was never started");
    node_proc_kill(&r->meta);
    assert_int_equal(data_metas_ask(&r->data->fs, metas), 2);
    assert_false(metas[0].reachable);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(the_first_mount_records_the_nodes_and_later_ones_find_them),
        RULE(without_the_metadata_nothing_is_mounted),
        RULE(metadata_of_another_cluster_is_refused),
        RULE(a_directory_with_metadata_of_its_own_is_refused),
        RULE(a_replica_that_is_gone_or_is_another_one_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
