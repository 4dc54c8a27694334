/* A first start that was interrupted is begun anew, wherever it was; what somebody used since is
 * never removed. */
#include "common/err.h"
#include "fs/data_setup.h"
#include "tests/support/data_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* DATA/setup as a start of that cluster writes it. */
static void put_mark(struct data_rig *r, const struct vs_id *cluster)
{
    char text[VS_ID_TEXT_BYTES];

    vs_id_to_text(cluster, text);
    data_rig_write(r, "data/setup", text);
}

/* The next start makes a whole new cluster. */
static void check_begun_anew(struct data_rig *r, const struct vs_id *old)
{
    unsigned count = data_setup_count(&r->fs);

    data_rig_must_open(r);
    assert_true(r->data.created);
    assert_int_not_equal(vs_id_cmp(&r->fs.cluster, old), 0);
    assert_int_equal(store_set_up_count(&r->fs.stores), count);
    assert_false(data_rig_exists(r, "data/setup"));
    assert_int_equal(data_rig_put(r, 1), count);
    data_rig_close(r);
    data_rig_must_open(r);
    assert_false(r->data.created);
    assert_int_equal(data_rig_check(r, 1), count);
    data_rig_close(r);
}

/* A start that was interrupted after everything was made; `disks` 0: below data/nodes. */
static struct vs_id make_interrupted(struct data_rig *r, unsigned disks)
{
    struct vs_id cluster;

    if (disks > 0)
        data_rig_disks(r, disks);
    data_rig_must_open(r);
    cluster = r->fs.cluster;
    data_rig_close(r);
    data_rig_remove(r, "data/staging");
    put_mark(r, &cluster);
    return cluster;
}

/* Opening a store leaves files in it, which a first start does not do before it has ended. */
static void only_formatted(struct data_rig *r, const char *store)
{
    char from[64], to[64];

    snprintf(from, sizeof(from), "%s/store.id", store);
    snprintf(to, sizeof(to), "id-of-%.20s",
             strrchr(store, '/') != NULL ? strrchr(store, '/') + 1 : store);
    data_rig_move(r, from, to);
    data_rig_remove(r, store);
    data_rig_mkdir(r, store);
    data_rig_move(r, to, from);
}

static void an_interrupted_start_is_begun_anew_wherever_it_was(void **state)
{
    struct data_rig *r = *state;

    for (unsigned step = 0; step < 5; step++) {
        struct vs_id old = make_interrupted(r, 0);

        for (unsigned i = 1; i <= 5; i++) {
            char store[32];

            snprintf(store, sizeof(store), "data/nodes/n%u", i);
            only_formatted(r, store);
        }
        if (step == 1) { /* metadata: only one half, and that damaged */
            data_rig_remove(r, "data/meta/namespace");
            data_rig_write(r, "data/meta/acceptor/CURRENT", "");
        }
        if (step == 2) /* no metadata */
            data_rig_remove(r, "data/meta");
        if (step == 3) { /* two stores formatted, the third begun */
            data_rig_remove(r, "data/meta");
            data_rig_move(r, "data/nodes/n3/store.id", "data/nodes/n3/store.id.tmp");
            data_rig_remove(r, "data/nodes/n4");
            data_rig_remove(r, "data/nodes/n5");
        }
        if (step == 4) { /* not even the mark was finished */
            data_rig_remove(r, "data/meta");
            data_rig_remove(r, "data/nodes");
            data_rig_write(r, "data/setup", "");
        }
        check_begun_anew(r, &old);
        data_rig_remove(r, "data");
    }
}

static void disks_of_an_interrupted_start_are_taken_again(void **state)
{
    struct data_rig *r = *state;
    struct vs_id old = make_interrupted(r, 3);

    for (unsigned i = 1; i <= 3; i++) {
        char store[8];

        snprintf(store, sizeof(store), "d%u", i);
        only_formatted(r, store);
    }
    check_begun_anew(r, &old);
}

/* One wrong --disk must not make the others unusable. */
static void a_start_that_was_refused_leaves_nothing_in_the_way(void **state)
{
    struct data_rig *r = *state;

    data_rig_disks(r, 3);
    data_rig_write(r, "d3/photo.jpg", "mine");
    data_rig_must_refuse(r, -ENOTEMPTY, "is not empty; give an empty directory");
    assert_non_null(strstr(r->why, data_rig_path(r, "d3")));
    data_rig_must_refuse(r, -ENOTEMPTY, data_rig_path(r, "d3")); /* the same sentence again */
    assert_true(data_rig_exists(r, "d3/photo.jpg"));
    assert_int_equal(remove(data_rig_path(r, "d3/photo.jpg")), 0);
    data_rig_must_open(r);
    assert_int_equal(data_rig_put(r, 1), 3);
}

static void a_disk_that_does_not_exist_is_refused(void **state)
{
    struct data_rig *r = *state;

    data_rig_disks(r, 2);
    data_rig_remove(r, "d2");
    data_rig_must_refuse(r, -ENOENT, "does not exist; is that disk mounted?");
    assert_false(data_rig_exists(r, "d2")); /* a missing disk's place is not filled */
    data_rig_mkdir(r, "d2");
    data_rig_must_open(r);
}

/* A mark that came back from somewhere, beside stores that hold films. */
static void stores_in_use_are_not_removed_whatever_the_mark_says(void **state)
{
    struct data_rig *r = *state;

    for (unsigned disks = 0; disks <= 3; disks += 3) {
        struct vs_id cluster;
        uint64_t print;

        if (disks > 0)
            data_rig_disks(r, disks);
        data_rig_must_open(r);
        cluster = r->fs.cluster;
        assert_int_equal(data_rig_put(r, 1), r->fs.stores.count);
        data_rig_close(r);
        print = data_rig_print(r, "data");
        put_mark(r, &cluster);
        data_rig_must_refuse(r, -ENOTEMPTY, "is in use; nothing was changed");
        assert_int_equal(remove(data_rig_path(r, "data/setup")), 0);
        assert_int_equal(data_rig_print(r, "data"), print);
        data_rig_must_open(r);
        assert_int_equal(data_rig_check(r, 1), r->fs.stores.count);
        data_rig_close(r);
        data_rig_remove(r, "data");
    }
}

/* The mark is about this data folder; a store of another one is not touched. */
static void a_store_of_another_cluster_is_not_removed(void **state)
{
    struct data_rig *r = *state;
    struct vs_id old;
    uint64_t print;

    old = make_interrupted(r, 2);
    only_formatted(r, "d1");
    only_formatted(r, "d2");
    old.b[0] ^= 1;
    put_mark(r, &old);
    print = data_rig_print(r, "d1");
    data_rig_must_refuse(r, -ENOENT, "put meta/ back");
    assert_int_equal(data_rig_print(r, "d1"), print);
}

static void what_cannot_be_removed_is_said(void **state)
{
    struct data_rig *r = *state;

    make_interrupted(r, 0);
    for (unsigned i = 1; i <= 5; i++) {
        char store[32];

        snprintf(store, sizeof(store), "data/nodes/n%u", i);
        only_formatted(r, store);
    }
    data_rig_mkdir(r, "data/meta/acceptor/folder");
    data_rig_must_refuse(r, -EISDIR, "cannot be removed");
    assert_non_null(strstr(r->why, "data/meta/acceptor"));
    data_rig_remove(r, "data/meta/acceptor/folder");
    data_rig_must_open(r);
}

static void nodes_are_named_by_number(void **state)
{
    struct data_rig *r = *state;
    struct ns_node node;

    assert_int_equal(data_setup_count(&r->fs), DATA_DIR_NODES_DEFAULT);
    data_setup_node(&r->fs, 4, &node);
    assert_int_equal(node.node, 4);
    assert_string_equal(node.name, "n4");
    assert_string_equal(node.domain, "n4");
    assert_string_equal(node.path, "nodes/n4");
    data_rig_disks(r, 2);
    assert_int_equal(data_setup_count(&r->fs), 2);
    data_setup_node(&r->fs, 2, &node);
    assert_string_equal(node.path, data_rig_path(r, "d2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATA_TEST(an_interrupted_start_is_begun_anew_wherever_it_was),
        DATA_TEST(disks_of_an_interrupted_start_are_taken_again),
        DATA_TEST(a_start_that_was_refused_leaves_nothing_in_the_way),
        DATA_TEST(a_disk_that_does_not_exist_is_refused),
        DATA_TEST(stores_in_use_are_not_removed_whatever_the_mark_says),
        DATA_TEST(a_store_of_another_cluster_is_not_removed),
        DATA_TEST(what_cannot_be_removed_is_said),
        DATA_TEST(nodes_are_named_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
