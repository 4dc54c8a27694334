/* ns_rule_cluster: the first entry of a cluster, and its storage nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "meta/ns_read.h"
#include "tests/support/ns_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void a_new_cluster_has_root_and_inbox(void **state)
{
    struct nsf *f = *state;
    struct vs_id cluster;

    assert_int_equal(nsf_ino(f, NS_INO_ROOT, "inbox"), NS_INO_INBOX);
    assert_int_equal(nsf_attr(f, NS_INO_ROOT).mode, S_IFDIR | 0755);
    assert_int_equal(nsf_attr(f, NS_INO_ROOT).nlink, 3);
    assert_int_equal(nsf_attr(f, NS_INO_ROOT).parent, 0);
    assert_int_equal(nsf_attr(f, NS_INO_INBOX).parent, NS_INO_ROOT);
    assert_int_equal(nsf_attr(f, NS_INO_INBOX).uid, 7);
    assert_int_equal(nsf_attr(f, NS_INO_INBOX).mirror, 0);
    assert_int_equal(nsf_stats(f).directories, 2);
    assert_true(nsf_mkdir(f, NS_INO_ROOT, "first") >= NS_INO_FIRST);
    assert_int_equal(ns_read_cluster(f->kv, &cluster), 0);
    assert_memory_equal(cluster.b, "cluster of tests", VS_ID_BYTES);
}

static void a_cluster_is_made_once_and_has_a_uuid(void **state)
{
    struct ns_entry e = { .kind = NS_E_CLUSTER };
    struct vs_id cluster;
    struct nsf f;

    (void)state;
    nsf_init(&f);
    assert_int_equal(ns_read_cluster(f.kv, &cluster), -ENOENT);
    assert_int_equal(nsf_do(&f, &e), -EINVAL);
    assert_int_equal(ns_read_cluster(f.kv, &cluster), -ENOENT);
    e.cluster.b[0] = 1;
    e.attr.mode = 01777;
    assert_int_equal(nsf_do(&f, &e), 0);
    assert_int_equal(f.answer.attr.ino, NS_INO_ROOT);
    assert_int_equal(nsf_attr(&f, NS_INO_INBOX).mode, S_IFDIR | 01777);
    assert_int_equal(nsf_do(&f, &e), -EEXIST);
    nsf_close(&f);
}

static int put(struct nsf *f, uint32_t node, const char *name, uint8_t uuid, const char *path)
{
    struct ns_entry e = { .kind = NS_E_NODE_PUT, .node = { .node = node } };

    memset(e.node.uuid.b, uuid, VS_ID_BYTES);
    snprintf(e.node.name, sizeof(e.node.name), "%s", name);
    snprintf(e.node.domain, sizeof(e.node.domain), "domain of %s", name);
    snprintf(e.node.path, sizeof(e.node.path), "%s", path);
    return nsf_do(f, &e);
}

static void nodes_are_registered_and_changed_by_number(void **state)
{
    struct nsf *f = *state;
    struct ns_node nodes[3];
    struct meta_req r = { .op = META_NODES, .nodes = nodes, .nodes_max = 3 };

    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.nodes_count, 0);
    assert_int_equal(put(f, 300, "n300", 3, "/c"), 0);
    assert_int_equal(put(f, 1, "n1", 1, "/a"), 0);
    assert_int_equal(put(f, 2, "n2", 2, "/b"), 0);
    assert_int_equal(put(f, 2, "n2", 4, "/new"), 0); /* replaced by a new store */
    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.nodes_count, 3);
    assert_int_equal(nodes[0].node, 1);
    assert_int_equal(nodes[1].node, 2);
    assert_int_equal(nodes[2].node, 300);
    assert_string_equal(nodes[1].path, "/new");
    assert_string_equal(nodes[1].domain, "domain of n2");
    assert_int_equal(nodes[1].uuid.b[0], 4);
    r.nodes_max = 2;
    assert_int_equal(nsf_read(f, &r), -ENOBUFS);
}

static void two_nodes_do_not_share_a_name_or_a_store(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(put(f, 1, "n1", 1, "/a"), 0);
    assert_int_equal(put(f, 2, "n1", 2, "/b"), -EEXIST);
    assert_int_equal(put(f, 2, "n2", 1, "/b"), -EEXIST);
    assert_int_equal(put(f, 3, "", 3, "/c"), -EINVAL);
}

static struct ns_node node_of(struct nsf *f, uint32_t node)
{
    static struct ns_node nodes[NS_NODES_MAX + 2];
    struct meta_req r = { .op = META_NODES, .nodes = nodes, .nodes_max = NS_NODES_MAX + 2 };

    assert_int_equal(nsf_read(f, &r), 0);
    for (unsigned i = 0; i < r.nodes_count; i++)
        if (nodes[i].node == node)
            return nodes[i];
    fail_msg("no node %u", node);
    return nodes[0];
}

static int set_state(struct nsf *f, uint32_t node, uint8_t to)
{
    struct ns_entry e = { .kind = NS_E_NODE_PUT, .node = node_of(f, node) };

    e.node.state = to;
    return nsf_do(f, &e);
}

static void a_node_that_registers_gets_the_next_number_once(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(put(f, 7, "n7", 7, "http://h:7"), 0);
    assert_int_equal(put(f, 0, "n8", 8, "http://h:8"), 0);
    assert_int_equal(f->answer.first, 8);
    assert_int_equal(put(f, 0, "n9", 9, "http://h:9"), 0);
    assert_int_equal(f->answer.first, 9);
    assert_int_equal(put(f, 0, "n8", 8, "http://h:8"), 0);
    assert_int_equal(f->answer.first, 8);
}

static void a_store_that_registers_from_elsewhere_has_moved(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(put(f, 0, "n1", 1, "http://h:1"), 0);
    assert_int_equal(set_state(f, 1, NS_NODE_DRAINING), 0);
    assert_int_equal(put(f, 0, "n1", 1, "http://other:2"), 0);
    assert_int_equal(f->answer.first, 1);
    assert_string_equal(node_of(f, 1).path, "http://other:2");
    assert_int_equal(node_of(f, 1).state, NS_NODE_DRAINING); /* that is not its to say */
}

static void a_name_with_another_store_and_a_store_with_another_name_are_refused(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(put(f, 0, "n1", 1, "http://h:1"), 0);
    assert_int_equal(put(f, 0, "n1", 2, "http://h:1"), -EEXIST);
    assert_int_equal(put(f, 0, "n2", 1, "http://h:1"), -EEXIST);
    assert_int_equal(put(f, 0, "n2", 0, "http://h:1"), -EINVAL);
    assert_int_equal(put(f, 0, "n2", 2, ""), -EINVAL);
    assert_int_equal(node_of(f, 1).uuid.b[0], 1);
}

static void a_node_that_is_gone_never_comes_back(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(put(f, 0, "n1", 1, "http://h:1"), 0);
    assert_int_equal(set_state(f, 1, 3), -EINVAL);
    assert_int_equal(set_state(f, 1, NS_NODE_GONE), 0);
    assert_int_equal(set_state(f, 1, NS_NODE_IN), -ESTALE);
    assert_int_equal(put(f, 0, "n1", 1, "http://h:1"), -ESTALE);
    assert_int_equal(put(f, 0, "n1", 2, "http://h:1"), -EEXIST);
    assert_int_equal(put(f, 0, "n2", 2, "http://h:1"), 0);
    assert_int_equal(f->answer.first, 2);
}

static void so_many_nodes_and_no_more_may_register(void **state)
{
    struct nsf *f = *state;
    char name[16];

    for (unsigned i = 1; i <= NS_NODES_MAX; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        assert_int_equal(put(f, 0, name, (uint8_t)i, "http://h:1"), 0);
    }
    assert_int_equal(put(f, 0, "more", 200, "http://h:1"), -ENOBUFS);
    assert_int_equal(put(f, 0, "n1", 1, "http://h:2"), 0);
    assert_int_equal(set_state(f, 1, NS_NODE_GONE), 0);
    assert_int_equal(put(f, 0, "more", 200, "http://h:1"), 0);
}

static int members(struct nsf *f, uint64_t epoch, uint32_t newcomer, unsigned count, uint32_t flags)
{
    struct member_set set = { .epoch = epoch, .count = count };
    struct vs_buf bytes = { 0 };
    struct ns_entry e = { .kind = NS_E_MEMBERS, .flags = flags };
    int r;

    for (uint32_t i = 0; i < count; i++)
        set.member[i].pid = i + 1;
    set.member[0].pid = newcomer;
    assert_int_equal(member_set_encode(&set, &bytes), 0);
    e.value = bytes.data;
    e.value_len = bytes.len;
    r = nsf_do(f, &e);
    vs_buf_close(&bytes);
    return r;
}

static void members_are(struct nsf *f, uint64_t epoch, uint32_t newcomer, bool is_open)
{
    struct ns_members now;

    assert_int_equal(ns_read_members(f->kv, &now), 0);
    assert_int_equal(now.set.epoch, epoch);
    assert_int_equal(now.set.member[0].pid, newcomer);
    assert_int_equal(now.is_open, is_open);
}

static void configurations_follow_each_other_one_by_one(void **state)
{
    struct nsf *f = *state;
    struct ns_members now;

    assert_int_equal(ns_read_members(f->kv, &now), -ENOENT);
    assert_int_equal(members(f, 3, 9, 3, 0), -ESTALE);
    assert_int_equal(members(f, 1, 9, 3, 0), -ESTALE);
    assert_int_equal(members(f, 2, 9, 3, 0), 0);
    members_are(f, 2, 9, false);
    assert_int_equal(members(f, 3, 8, 3, 0), -ESTALE); /* the one before is not open */
    assert_int_equal(members(f, 2, 8, 3, 0), 0);       /* it never came: another newcomer */
    assert_int_equal(members(f, 2, 8, 3, NS_MEMBERS_OPEN), 0);
    members_are(f, 2, 8, true);
    assert_int_equal(members(f, 2, 9, 3, 0), -ESTALE);
    assert_int_equal(members(f, 3, 9, 3, 0), 0);
    assert_int_equal(members(f, 2, 8, 3, NS_MEMBERS_OPEN), -ESTALE);
    members_are(f, 3, 9, false);
}

static void five_replicas_do_not_become_three(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(members(f, 2, 9, 5, NS_MEMBERS_OPEN), 0);
    assert_int_equal(members(f, 3, 9, 3, 0), -EINVAL);
    assert_int_equal(members(f, 3, 8, 5, 0), 0);
}

static void a_configuration_that_could_not_be_changes_nothing(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = { .kind = NS_E_MEMBERS, .value = "x", .value_len = 1 };
    struct ns_members now;

    assert_int_equal(nsf_do(f, &e), -EINVAL);
    assert_int_equal(members(f, 2, 9, 3, 2), -EINVAL);
    assert_int_equal(ns_read_members(f->kv, &now), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(a_new_cluster_has_root_and_inbox),
        NSF_TEST(a_cluster_is_made_once_and_has_a_uuid),
        NSF_TEST(nodes_are_registered_and_changed_by_number),
        NSF_TEST(two_nodes_do_not_share_a_name_or_a_store),
        NSF_TEST(a_node_that_registers_gets_the_next_number_once),
        NSF_TEST(a_store_that_registers_from_elsewhere_has_moved),
        NSF_TEST(a_name_with_another_store_and_a_store_with_another_name_are_refused),
        NSF_TEST(a_node_that_is_gone_never_comes_back),
        NSF_TEST(so_many_nodes_and_no_more_may_register),
        NSF_TEST(configurations_follow_each_other_one_by_one),
        NSF_TEST(five_replicas_do_not_become_three),
        NSF_TEST(a_configuration_that_could_not_be_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
