/* One store directory: whose it is, where it is, and what is said when it is not there. */
#include "common/err.h"
#include "fs/data_store.h"
#include "tests/support/data_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct vs_id id_of(unsigned n)
{
    struct vs_id id;

    memset(id.b, (int)n, sizeof(id.b));
    return id;
}

/* A new store in dir/NAME, of cluster `cluster`. */
static struct ns_node format(struct data_rig *r, const char *name, unsigned cluster)
{
    struct ns_node node = { .node = 1, .name = "n1" };
    char why[256] = "";

    data_rig_mkdir(r, name);
    r->fs.cluster = id_of(cluster);
    assert_int_equal(data_store_format(&r->fs, &node, data_rig_path(r, name), why), 0);
    assert_false(vs_id_is_zero(&node.uuid));
    snprintf(node.path, sizeof(node.path), "%s", data_rig_path(r, name));
    return node;
}

static int open_status(struct data_rig *r, const struct ns_node *node, const char *name,
                       const char *words)
{
    struct chunk_store *store = NULL;
    char why[256] = "";
    int e = data_store_open(&r->fs, node, data_rig_path(r, name), &store, why);

    assert_int_equal(e == 0, store != NULL);
    chunk_store_stop(store);
    if (strstr(why, words) == NULL || (e == 0 && why[0] != '\0'))
        fail_msg("no \"%s\" in: %s", words, why);
    return e;
}

static void a_recorded_path_is_absolute_or_below_data(void **state)
{
    struct data_rig *r = *state;
    struct ns_node node = { .path = "nodes/n2" };
    char path[256];

    r->fs.opt.data_dir = "/data";
    data_store_path(&r->fs, &node, path);
    assert_string_equal(path, "/data/nodes/n2");
    snprintf(node.path, sizeof(node.path), "/disk");
    data_store_path(&r->fs, &node, path);
    assert_string_equal(path, "/disk");
}

static void only_a_store_is_a_store(void **state)
{
    struct data_rig *r = *state;

    r->fs.clock = &vs_clock_system;
    assert_int_equal(data_store_exists(data_rig_path(r, "nothing")), 0);
    data_rig_mkdir(r, "empty");
    assert_int_equal(data_store_exists(data_rig_path(r, "empty")), 0);
    data_rig_write(r, "file", "text");
    assert_int_equal(data_store_exists(data_rig_path(r, "file")), 0);
    format(r, "store", 1);
    assert_int_equal(data_store_exists(data_rig_path(r, "store")), 1);
    data_rig_write(r, "store/store.id", "damaged"); /* something of a store is there */
    assert_int_equal(data_store_exists(data_rig_path(r, "store")), 1);
}

static void a_store_is_known_by_cluster_and_uuid(void **state)
{
    struct data_rig *r = *state;
    struct vs_id cluster = id_of(1), other = id_of(2);
    struct ns_node node = format(r, "store", 1);
    const char *path = data_rig_path(r, "store");

    assert_true(data_store_is(path, &cluster, &node.uuid));
    assert_false(data_store_is(path, &other, &node.uuid));
    assert_false(data_store_is(path, &cluster, &other));
    assert_false(data_store_is("/nowhere", &cluster, &node.uuid));
}

static void a_store_is_located_by_what_it_holds(void **state)
{
    struct data_rig *r = *state;
    struct ns_node node, other;
    char path[256];

    data_rig_disks(r, 2);
    data_rig_remove(r, "d1");
    data_rig_remove(r, "d2");
    node = format(r, "d1", 1);
    other = format(r, "d2", 1);
    snprintf(node.path, sizeof(node.path), "nodes/n1");
    data_store_locate(&r->fs, &other, path);
    assert_string_equal(path, data_rig_path(r, "d2"));
    data_store_locate(&r->fs, &node, path);
    assert_string_equal(path, data_rig_path(r, "d1"));
    r->fs.opt.disk_count = 0; /* where it was recorded, there or not */
    data_store_locate(&r->fs, &node, path);
    assert_string_equal(path, data_rig_path(r, "data/nodes/n1"));
}

static void what_cannot_be_opened_is_down_with_a_sentence(void **state)
{
    struct data_rig *r = *state;
    struct ns_node node = format(r, "store", 1), other = format(r, "other", 1);

    r->fs.clock = &vs_clock_system;
    assert_int_equal(open_status(r, &node, "store", ""), 0);
    assert_int_equal(open_status(r, &node, "nothing", "node replace n1 DIR"), -ENOENT);
    data_rig_mkdir(r, "empty");
    assert_int_equal(open_status(r, &node, "empty", "no store here -> down"), -ENOENT);
    data_rig_write(r, "file", "text");
    assert_int_equal(open_status(r, &node, "file", "no store here -> down"), -ENOTDIR);
    assert_int_equal(open_status(r, &other, "store", "another node or cluster"), -ESTALE);
    r->fs.cluster = id_of(2);
    assert_int_equal(open_status(r, &node, "store", "another node or cluster"), -ESTALE);
}

static void only_an_empty_folder_is_formatted(void **state)
{
    struct data_rig *r = *state;
    struct ns_node node = format(r, "store", 1);
    char why[256];
    uint64_t print = data_rig_print(r, "store");

    assert_int_equal(data_store_format(&r->fs, &node, data_rig_path(r, "store"), why), -ENOTEMPTY);
    assert_non_null(strstr(why, "give an empty directory"));
    assert_int_equal(data_rig_print(r, "store"), print);
    assert_int_equal(data_store_format(&r->fs, &node, data_rig_path(r, "no"), why), -ENOENT);
    assert_non_null(strstr(why, "does not exist"));
    data_rig_mkdir(r, "disk");
    data_rig_mkdir(r, "disk/lost+found"); /* of a fresh file system */
    assert_int_equal(data_store_format(&r->fs, &node, data_rig_path(r, "disk"), why), 0);
}

static int unformat(struct data_rig *r, const char *name, unsigned cluster)
{
    struct vs_id id = id_of(cluster);

    return data_store_unformat(data_rig_path(r, name), &id);
}

static void a_store_that_was_never_used_can_be_unmade(void **state)
{
    struct data_rig *r = *state;
    struct ns_node node;
    uint64_t empty;

    r->fs.clock = &vs_clock_system;
    data_rig_mkdir(r, "empty");
    empty = data_rig_print(r, "empty");
    assert_int_equal(unformat(r, "nothing", 1), 0);
    assert_int_equal(unformat(r, "empty", 1), 0);
    node = format(r, "store", 1);
    assert_int_equal(unformat(r, "store", 2), -ESTALE);
    assert_int_equal(open_status(r, &node, "store", ""), 0); /* opened: in use from here on */
    assert_int_equal(unformat(r, "store", 1), -ENOTEMPTY);
    assert_int_equal(open_status(r, &node, "store", ""), 0);
    format(r, "fresh", 1);
    data_rig_write(r, "fresh/store.id.tmp", "half"); /* a format that was begun again */
    assert_int_equal(unformat(r, "fresh", 1), 0);
    assert_int_equal(data_rig_print(r, "fresh"), empty);
    format(r, "mine", 1);
    data_rig_write(r, "mine/photo.jpg", "mine");
    assert_int_equal(unformat(r, "mine", 1), -ENOTEMPTY);
    assert_true(data_rig_exists(r, "mine/photo.jpg"));
    assert_true(data_rig_exists(r, "mine/store.id"));
    data_rig_mkdir(r, "damaged");
    data_rig_write(r, "damaged/store.id", "nonsense");
    assert_int_equal(unformat(r, "damaged", 1), -VS_ECORRUPT);
    assert_true(data_rig_exists(r, "damaged/store.id"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATA_TEST(a_recorded_path_is_absolute_or_below_data),
        DATA_TEST(only_a_store_is_a_store),
        DATA_TEST(a_store_is_known_by_cluster_and_uuid),
        DATA_TEST(a_store_is_located_by_what_it_holds),
        DATA_TEST(what_cannot_be_opened_is_down_with_a_sentence),
        DATA_TEST(only_an_empty_folder_is_formatted),
        DATA_TEST(a_store_that_was_never_used_can_be_unmade),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
