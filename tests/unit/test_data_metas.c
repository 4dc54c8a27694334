/* A mount whose metadata is a replica somewhere else: the right one or none, and its nodes are
 * recorded once, whoever mounts first. */
#include "common/cluster_file.h"
#include "common/err.h"
#include "fs/data_metas.h"
#include "tests/support/data_rig.h"
#include "tests/support/node_proc.h"
#include "tests/support/node_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NODES 2

struct metas_rig {
    struct data_rig *data;
    struct node_rig *node[NODES];
    struct node_proc meta;
    struct cluster_json file;
    char path[DATA_RIG_PATH_BYTES];
};

static void save(struct metas_rig *r)
{
    char why[CLUSTER_WHY_BYTES];

    assert_int_equal(cluster_file_save(r->path, &r->file, why), 0);
}

static int setup(void **state)
{
    static struct metas_rig rig;
    char uuid[VS_ID_TEXT_BYTES];
    const char *const args[] = { "--cluster", uuid, NULL };
    void *s;

    rig = (struct metas_rig){ .file = { .nodes_count = NODES, .metas_count = 1 } };
    data_rig_setup(&s);
    rig.data = s;
    rig.file.cluster.b[0] = 7;
    vs_id_to_text(&rig.file.cluster, uuid);
    data_rig_mkdir(rig.data, "meta");
    assert_int_equal(node_proc_start_program(&rig.meta, "vstack-meta", "1",
                                             data_rig_path(rig.data, "meta"), 0, args),
                     0);
    snprintf(rig.file.metas[0].id, sizeof(rig.file.metas[0].id), "1");
    snprintf(rig.file.metas[0].url, sizeof(rig.file.metas[0].url), "%s", rig.meta.origin);
    for (unsigned i = 0; i < NODES; i++) {
        struct cluster_member *m = &rig.file.nodes[i];

        node_rig_setup_mem(&s);
        rig.node[i] = s;
        snprintf(rig.node[i]->node.name, sizeof(rig.node[i]->node.name), "n%u", i + 1);
        rig.node[i]->node.cluster = rig.file.cluster;
        rig.node[i]->node.uuid.b[0] = (uint8_t)(i + 1);
        snprintf(m->id, sizeof(m->id), "n%u", i + 1);
        snprintf(m->url, sizeof(m->url), "http://127.0.0.1:%u", (unsigned)rig.node[i]->port);
    }
    snprintf(rig.path, sizeof(rig.path), "%s", data_rig_path(rig.data, "cluster.json"));
    rig.data->fs.opt.cluster_file = rig.path;
    save(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct metas_rig *r = *state;
    void *s = r->data;

    data_rig_close(r->data);
    node_proc_stop(&r->meta);
    data_rig_teardown(&s);
    for (unsigned i = 0; i < NODES; i++) {
        s = r->node[i];
        if (s != NULL)
            node_rig_teardown(&s);
    }
    return 0;
}

static void the_first_mount_records_the_nodes_and_later_ones_find_them(void **state)
{
    struct metas_rig *r = *state;
    struct data_meta metas[CLUSTER_METAS_MAX];

    data_rig_must_open(r->data);
    assert_true(r->data->data.created);
    assert_int_equal(r->data->fs.stores.count, NODES);
    for (unsigned i = 0; i < NODES; i++)
        assert_string_equal(r->data->fs.stores.entries[i].name, r->file.nodes[i].id);
    assert_int_equal(data_rig_put(r->data, 1), NODES);
    assert_int_equal(data_metas_ask(&r->data->fs, metas), 1);
    assert_true(metas[0].reachable);
    data_rig_close(r->data);
    assert_false(data_rig_exists(r->data, "data/meta"));

    data_rig_must_open(r->data);
    assert_false(r->data->data.created);
    assert_int_equal(data_rig_check(r->data, 1), NODES);
}

static void without_the_metadata_nothing_is_mounted(void **state)
{
    struct metas_rig *r = *state;

    r->file.metas[0].url[0] = '\0';
    save(r);
    data_rig_must_refuse(r->data, -VS_EDOWN, "no metadata replica of");
}

static void metadata_of_another_cluster_is_refused(void **state)
{
    struct metas_rig *r = *state;

    r->file.cluster.b[0] = 8;
    save(r);
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
    struct data_meta metas[CLUSTER_METAS_MAX];

    r->file.metas_count = 2;
    snprintf(r->file.metas[1].id, sizeof(r->file.metas[1].id), "2");
    save(r);
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
