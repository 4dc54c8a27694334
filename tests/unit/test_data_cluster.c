/* Stores that are nodes somewhere else: the right ones or none, and nothing is made anew. */
#include "common/err.h"
#include "fs/data_cluster.h"
#include "tests/support/nodes_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NODES NODES_RIG_NODES

static int setup(void **state)
{
    static struct nodes_rig rig;

    nodes_rig_open(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    nodes_rig_close(*state);
    return 0;
}

static void make_used(struct nodes_rig *r)
{
    data_rig_must_open(r->data);
    assert_int_equal(data_rig_put(r->data, 1), NODES);
    data_rig_close(r->data);
}

static void the_first_mount_registers_the_nodes_and_later_ones_find_them(void **state)
{
    struct nodes_rig *r = *state;

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
    struct nodes_rig *r = *state;

    nodes_rig_end(r, 1);
    data_rig_must_refuse(r->data, -VS_EDOWN, "n2 at http://127.0.0.1:");
    assert_false(data_rig_exists(r->data, "data/meta/acceptor"));
}

static void a_node_of_another_cluster_or_name_is_not_registered(void **state)
{
    struct nodes_rig *r = *state;

    r->node[1]->node.cluster.b[0] = 8;
    data_rig_must_refuse(r->data, -VS_EDOWN, "belongs to another cluster");
    r->node[1]->node.cluster.b[0] = 7;
    snprintf(r->node[1]->node.name, sizeof(r->node[1]->node.name), "n3");
    data_rig_must_refuse(r->data, -VS_EDOWN, "is n3, not n2");
}

static void a_node_that_is_gone_later_is_down(void **state)
{
    struct nodes_rig *r = *state;

    make_used(r);
    nodes_rig_end(r, 1);
    data_rig_must_open(r->data);
    assert_int_equal(data_rig_state(r->data, 0), STORE_UP);
    assert_int_equal(data_rig_state(r->data, 1), STORE_DOWN);
    data_rig_close(r->data);
    nodes_rig_end(r, 0);
    data_rig_must_refuse(r->data, -VS_EDOWN, "none of the 2 stores can be used");
}

/* Its disk was emptied, and somebody made a store of it: it is not ours. */
static void a_node_with_another_store_is_down_and_takes_nothing(void **state)
{
    struct nodes_rig *r = *state;

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
    struct nodes_rig *r = *state;

    make_used(r);
    r->file.cluster.b[0] = 8;
    nodes_rig_save(r);
    data_rig_must_refuse(r->data, -ESTALE, "belongs to another cluster");
}

static void metadata_that_is_missing_beside_films_is_not_made_anew(void **state)
{
    struct nodes_rig *r = *state;

    make_used(r);
    data_rig_remove(r->data, "data/meta");
    data_rig_remove(r->data, "data/staging");
    data_rig_must_refuse(r->data, -ENOENT, "the metadata in");
    assert_false(data_rig_exists(r->data, "data/meta"));
}

static void a_cluster_without_its_file_is_refused(void **state)
{
    struct nodes_rig *r = *state;

    data_rig_remove(r->data, "cluster.json");
    data_rig_must_refuse(r->data, -ENOENT, "cluster.json");
}

static void a_clusters_directory_is_not_mounted_as_anything_else(void **state)
{
    struct nodes_rig *r = *state;

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
