/* Stores that are nodes somewhere else: the right ones or none, and nothing is made anew. */
#include "common/cluster_file.h"
#include "common/err.h"
#include "fs/data_cluster.h"
#include "tests/support/data_rig.h"
#include "tests/support/node_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NODES 2

struct cluster_rig {
    struct data_rig *data;
    struct node_rig *node[NODES];
    struct cluster_json file;
    char path[DATA_RIG_PATH_BYTES];
};

static void save(struct cluster_rig *r)
{
    char why[CLUSTER_WHY_BYTES];

    assert_int_equal(cluster_file_save(r->path, &r->file, why), 0);
}

static int setup(void **state)
{
    static struct cluster_rig rig;
    void *s;

    rig = (struct cluster_rig){ .file.nodes_count = NODES };
    data_rig_setup(&s);
    rig.data = s;
    rig.file.cluster.b[0] = 7;
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
    struct cluster_rig *r = *state;
    void *s = r->data;

    data_rig_teardown(&s);
    for (unsigned i = 0; i < NODES; i++) {
        s = r->node[i];
        if (s != NULL)
            node_rig_teardown(&s);
    }
    return 0;
}

/* The node ends; nobody is on its port any more. */
static void end_node(struct cluster_rig *r, unsigned i)
{
    void *s = r->node[i];

    r->node[i] = NULL;
    node_rig_teardown(&s);
}

static void make_used(struct cluster_rig *r)
{
    data_rig_must_open(r->data);
    assert_int_equal(data_rig_put(r->data, 1), NODES);
    data_rig_close(r->data);
}

static void the_first_mount_registers_the_nodes_and_later_ones_find_them(void **state)
{
    struct cluster_rig *r = *state;

    data_rig_must_open(r->data);
    assert_true(r->data->data.created);
    assert_memory_equal(&r->data->fs.cluster, &r->file.cluster, sizeof(r->file.cluster));
    assert_int_equal(r->data->fs.stores.count, NODES);
    for (unsigned i = 0; i < NODES; i++) {
        assert_string_equal(r->data->fs.stores.entries[i].name, r->file.nodes[i].id);
        assert_string_equal(r->data->fs.stores.entries[i].path, r->file.nodes[i].url);
        assert_int_equal(data_rig_state(r->data, i), STORE_UP);
    }
    assert_int_equal(data_rig_put(r->data, 1), NODES);
    data_rig_close(r->data);
    assert_false(data_rig_exists(r->data, "data/nodes"));

    data_rig_must_open(r->data);
    assert_false(r->data->data.created);
    assert_int_equal(data_rig_check(r->data, 1), NODES);
    data_rig_close(r->data);
}

static void the_first_mount_needs_all_nodes(void **state)
{
    struct cluster_rig *r = *state;

    end_node(r, 1);
    data_rig_must_refuse(r->data, -VS_EDOWN, "n2 at http://127.0.0.1:");
    assert_false(data_rig_exists(r->data, "data/meta/acceptor"));
}

static void a_node_of_another_cluster_or_name_is_not_registered(void **state)
{
    struct cluster_rig *r = *state;

    r->node[1]->node.cluster.b[0] = 8;
    data_rig_must_refuse(r->data, -VS_EDOWN, "belongs to another cluster");
    r->node[1]->node.cluster.b[0] = 7;
    snprintf(r->node[1]->node.name, sizeof(r->node[1]->node.name), "n3");
    data_rig_must_refuse(r->data, -VS_EDOWN, "is n3, not n2");
}

static void a_node_that_is_gone_later_is_down(void **state)
{
    struct cluster_rig *r = *state;

    make_used(r);
    end_node(r, 1);
    data_rig_must_open(r->data);
    assert_int_equal(data_rig_state(r->data, 0), STORE_UP);
    assert_int_equal(data_rig_state(r->data, 1), STORE_DOWN);
    data_rig_close(r->data);
    end_node(r, 0);
    data_rig_must_refuse(r->data, -VS_EDOWN, "none of the 2 stores can be used");
}

/* Its disk was emptied, and somebody made a store of it: it is not ours. */
static void a_node_with_another_store_is_down_and_takes_nothing(void **state)
{
    struct cluster_rig *r = *state;

    make_used(r);
    r->node[1]->node.uuid.b[0] = 99;
    data_rig_must_open(r->data);
    assert_int_equal(data_rig_state(r->data, 0), STORE_UP);
    assert_int_equal(data_rig_state(r->data, 1), STORE_DOWN);
    assert_int_equal(data_rig_put(r->data, 2), 1);
    data_rig_close(r->data);
}

static void metadata_and_nodes_of_different_clusters_are_refused(void **state)
{
    struct cluster_rig *r = *state;

    make_used(r);
    r->file.cluster.b[0] = 8;
    save(r);
    data_rig_must_refuse(r->data, -ESTALE, "belongs to another cluster");
}

static void metadata_that_is_missing_beside_films_is_not_made_anew(void **state)
{
    struct cluster_rig *r = *state;

    make_used(r);
    data_rig_remove(r->data, "data/meta");
    data_rig_remove(r->data, "data/staging");
    data_rig_must_refuse(r->data, -ENOENT, "the metadata in");
    assert_false(data_rig_exists(r->data, "data/meta"));
}

static void a_cluster_without_its_file_is_refused(void **state)
{
    struct cluster_rig *r = *state;

    data_rig_remove(r->data, "cluster.json");
    data_rig_must_refuse(r->data, -ENOENT, "cluster.json");
}

static void a_clusters_directory_is_not_mounted_as_anything_else(void **state)
{
    struct cluster_rig *r = *state;

    data_rig_must_open(r->data);
    data_rig_close(r->data);
    data_rig_move(r->data, "cluster.json", "data/cluster.json");
    r->data->fs.opt.cluster_file = NULL;
    data_rig_must_refuse(r->data, -EINVAL, "mount it with vstackfs --cluster");
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(the_first_mount_registers_the_nodes_and_later_ones_find_them),
        RULE(the_first_mount_needs_all_nodes),
        RULE(a_node_of_another_cluster_or_name_is_not_registered),
        RULE(a_node_that_is_gone_later_is_down),
        RULE(a_node_with_another_store_is_down_and_takes_nothing),
        RULE(metadata_and_nodes_of_different_clusters_are_refused),
        RULE(metadata_that_is_missing_beside_films_is_not_made_anew),
        RULE(a_cluster_without_its_file_is_refused),
        RULE(a_clusters_directory_is_not_mounted_as_anything_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
