/* What a mount lives on: found again, or refused with a sentence; nothing that held films is ever
 * made anew by itself. */
#include "common/crc.h"
#include "common/err.h"
#include "fs/data_dir.h"
#include "meta/acceptor_codec.h"
#include "meta/kv.h"
#include "tests/support/data_rig.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static unsigned up_count(struct data_rig *r)
{
    return store_set_up_count(&r->fs.stores);
}

/* A cluster that was in use: a fragment on each store. */
static void make_used(struct data_rig *r)
{
    data_rig_must_open(r);
    assert_int_equal(data_rig_put(r, 1), r->fs.stores.count);
    data_rig_close(r);
}

/* ---- starts ---- */

static void the_first_start_makes_five_stores(void **state)
{
    struct data_rig *r = *state;

    data_rig_must_open(r);
    assert_true(r->data.created);
    assert_int_equal(r->fs.stores.count, DATA_DIR_NODES_DEFAULT);
    assert_int_equal(up_count(r), 5);
    for (unsigned i = 0; i < 5; i++) {
        char name[8], path[32];

        snprintf(name, sizeof(name), "n%u", i + 1);
        snprintf(path, sizeof(path), "data/nodes/n%u", i + 1);
        assert_string_equal(r->fs.stores.entries[i].name, name);
        assert_string_equal(r->fs.stores.entries[i].path, data_rig_path(r, path));
        assert_int_equal(r->fs.stores.entries[i].node, i + 1);
    }
    assert_false(vs_id_is_zero(&r->fs.cluster));
    assert_true(r->fs.single_device);
    assert_true(r->fs.staging_fd >= 0);
    assert_false(data_rig_exists(r, "data/setup"));
    assert_int_equal(data_rig_put(r, 1), 5);
}

static void a_later_start_finds_what_is_there(void **state)
{
    struct data_rig *r = *state;
    struct vs_id cluster;

    make_used(r);
    cluster = r->fs.cluster;
    for (unsigned i = 0; i < 2; i++) {
        data_rig_must_open(r);
        assert_false(r->data.created);
        assert_int_equal(vs_id_cmp(&r->fs.cluster, &cluster), 0);
        assert_int_equal(data_rig_check(r, 1), 5);
        data_rig_close(r);
    }
}

static void closing_forgives(void **state)
{
    struct data_rig *r = *state;
    struct vsfs fs = { .meta = NULL };
    struct data_dir none = { .opened = false };

    data_dir_close(&none, &fs); /* zeroed */
    data_rig_must_open(r);
    data_dir_close_stores(&r->fs);
    data_rig_close(r);
    data_rig_close(r);
    data_rig_must_open(r);
}

static void a_data_folder_that_cannot_be_made_is_refused(void **state)
{
    struct data_rig *r = *state;

    data_rig_write(r, "data", "a file");
    data_rig_must_refuse(r, -ENOTDIR, r->data_dir);
    assert_int_equal(remove(r->data_dir), 0);
    data_rig_must_open(r);
}

/* A path cut short would be another place. */
static void paths_that_do_not_fit_records_are_refused(void **state)
{
    struct data_rig *r = *state;
    char path[300];
    size_t len;

    len = (size_t)snprintf(path, sizeof(path), "%s/", r->dir);
    memset(path + len, 'x', 191 - len);
    path[191] = '\0';
    r->fs.opt.data_dir = path;
    data_rig_must_refuse(r, -ENAMETOOLONG, "too long");
    path[190] = '\0';
    data_rig_must_open(r);
    assert_int_equal(up_count(r), 5);
    data_rig_close(r);
    r->fs.opt.data_dir = r->data_dir;
    data_rig_disks(r, 2);
    memset(path + len, 'y', 256 - len);
    path[256] = '\0';
    r->fs.opt.disks[1] = path;
    data_rig_must_refuse(r, -ENAMETOOLONG, "too long");
}

/* ---- the lock ---- */

static void a_second_open_is_refused_when_the_wait_is_over(void **state)
{
    struct data_rig *r = *state, second = *r;

    data_rig_must_open(r);
    second.clock.step_ns = VS_NS_PER_S * 4; /* 10 s are over at the third look */
    data_rig_must_refuse(&second, -EBUSY, "in use by another mount; unmount that one first");
    assert_int_equal(data_rig_put(r, 1), 5); /* the first one is not disturbed */
    data_rig_close(r);
    data_rig_must_open(&second);
    data_rig_close(&second);
}

static void *close_it(void *arg)
{
    data_rig_close(arg);
    return NULL;
}

static void a_start_waits_for_the_one_that_is_closing(void **state)
{
    struct data_rig *r = *state, second = *r;
    pthread_t thread;

    data_rig_must_open(r);
    assert_int_equal(pthread_create(&thread, NULL, close_it, r), 0);
    data_rig_must_open(&second);
    assert_int_equal(pthread_join(thread, NULL), 0);
    data_rig_close(&second);
}

/* ---- stores that are not there ---- */

static void check_one_down(struct data_rig *r, const char *words)
{
    struct store_health h;

    data_rig_must_open(r);
    assert_int_equal(up_count(r), 4);
    assert_int_equal(data_rig_state(r, 2), STORE_DOWN);
    store_set_health(&r->fs.stores, 2, &h);
    assert_non_null(strstr(h.why, data_rig_path(r, "data/nodes/n3")));
    if (strstr(h.why, words) == NULL)
        fail_msg("no \"%s\" in: %s", words, h.why);
    assert_int_equal(data_rig_check(r, 1), 4);
    data_rig_close(r);
}

static void a_store_that_is_missing_is_down(void **state)
{
    struct data_rig *r = *state;

    make_used(r);
    data_rig_move(r, "data/nodes/n3", "aside");
    check_one_down(r, "node replace n3");
    assert_false(data_rig_exists(r, "data/nodes/n3"));
    data_rig_move(r, "aside", "data/nodes/n3");
    data_rig_must_open(r); /* back, with all it held */
    assert_int_equal(data_rig_check(r, 1), 5);
}

static void a_store_that_was_emptied_is_down_and_stays_empty(void **state)
{
    struct data_rig *r = *state;
    uint64_t print;

    make_used(r);
    data_rig_remove(r, "data/nodes/n3");
    data_rig_mkdir(r, "data/nodes/n3");
    print = data_rig_print(r, "data/nodes/n3");
    check_one_down(r, "node replace n3");
    assert_int_equal(data_rig_print(r, "data/nodes/n3"), print);
}

static void a_store_of_somebody_else_is_down_and_left_alone(void **state)
{
    struct data_rig *r = *state;
    char other[DATA_RIG_PATH_BYTES];
    uint64_t print;

    make_used(r);
    snprintf(other, sizeof(other), "%s/other", r->dir);
    r->fs.opt.data_dir = other;
    make_used(r);
    r->fs.opt.data_dir = r->data_dir;
    data_rig_remove(r, "data/nodes/n3");
    data_rig_move(r, "other/nodes/n3", "data/nodes/n3"); /* same number, another cluster */
    print = data_rig_print(r, "data/nodes/n3");
    check_one_down(r, "another node or cluster");
    assert_int_equal(data_rig_print(r, "data/nodes/n3"), print);
}

static void a_store_of_a_newer_version_is_down_and_says_so(void **state)
{
    struct data_rig *r = *state;
    uint8_t blocks[2][4096];
    FILE *f;

    make_used(r);
    f = fopen(data_rig_path(r, "data/nodes/n3/store.id"), "r+");
    assert_non_null(f);
    assert_int_equal(fread(blocks, sizeof(blocks), 1, f), 1);
    for (unsigned i = 0; i < 2; i++) { /* docs/FORMAT.md: version at 4, checksum at 8 */
        uint32_t crc;

        blocks[i][4]++;
        memset(blocks[i] + 8, 0, 4);
        crc = vs_crc32c(0, blocks[i], sizeof(blocks[i]));
        memcpy(blocks[i] + 8, &crc, 4);
    }
    rewind(f);
    assert_int_equal(fwrite(blocks, sizeof(blocks), 1, f), 1);
    assert_int_equal(fclose(f), 0);
    check_one_down(r, "newer version");
}

static void without_any_store_a_start_is_refused(void **state)
{
    struct data_rig *r = *state;

    make_used(r);
    data_rig_move(r, "data/nodes", "aside");
    data_rig_must_refuse(r, -VS_EDOWN, "bring the disks back");
    assert_non_null(strstr(r->why, "none of the 5 stores"));
    assert_false(data_rig_exists(r, "data/nodes"));
    data_rig_mkdir(r, "data/nodes");
    for (unsigned i = 1; i <= 5; i++) {
        char path[32];

        snprintf(path, sizeof(path), "data/nodes/n%u", i);
        data_rig_mkdir(r, path);
    }
    data_rig_must_refuse(r, -VS_EDOWN, "bring the disks back");
    data_rig_remove(r, "data/nodes");
    data_rig_move(r, "aside", "data/nodes");
    data_rig_must_open(r);
    assert_int_equal(data_rig_check(r, 1), 5);
}

/* ---- metadata that is not there ---- */

static void without_metadata_stores_are_refused_and_left_alone(void **state)
{
    struct data_rig *r = *state;
    uint64_t print;

    make_used(r);
    data_rig_move(r, "data/meta", "aside");
    print = data_rig_print(r, "data");
    data_rig_must_refuse(r, -ENOENT, "put meta/ back");
    data_rig_mkdir(r, "data/meta");
    data_rig_must_refuse(r, -ENOENT, "put meta/ back");
    data_rig_remove(r, "data/meta");
    assert_int_equal(data_rig_print(r, "data"), print);
    data_rig_move(r, "aside", "data/meta");
    data_rig_must_open(r);
    assert_int_equal(data_rig_check(r, 1), 5);
}

/* The stores may be anywhere: that the folder was in use is enough. */
static void without_metadata_a_used_folder_is_refused(void **state)
{
    struct data_rig *r = *state;

    data_rig_disks(r, 3);
    make_used(r);
    data_rig_remove(r, "data/meta");
    data_rig_must_refuse(r, -ENOENT, "put meta/ back");
    r->fs.opt.disk_count = 0;
    data_rig_must_refuse(r, -ENOENT, "put meta/ back");
    assert_false(data_rig_exists(r, "data/nodes"));
}

/* Made without --disk, mounted with it. */
static void stores_below_data_are_seen_beside_other_disks(void **state)
{
    struct data_rig *r = *state;

    make_used(r);
    data_rig_remove(r, "data/meta");
    data_rig_remove(r, "data/staging");
    data_rig_disks(r, 2);
    data_rig_must_refuse(r, -ENOENT, "put meta/ back");
}

static void half_of_the_metadata_is_refused(void **state)
{
    struct data_rig *r = *state;

    make_used(r);
    data_rig_move(r, "data/meta/acceptor", "aside");
    data_rig_must_refuse(r, -VS_EFORGOT, "put the newest copy back");
    assert_false(data_rig_exists(r, "data/meta/acceptor"));
    data_rig_move(r, "aside", "data/meta/acceptor");
    data_rig_must_open(r);
}

struct newer {
    struct kv_batch *batch;
    unsigned found;
};

/* A record begins with its format version and ends with a checksum of what is before. */
static int make_newer(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                      size_t value_len)
{
    struct acceptor_identity id;
    struct newer *n = arg;
    uint8_t copy[256];
    uint32_t crc;

    if (value_len > sizeof(copy) || acceptor_identity_decode(value, value_len, &id) < 0)
        return 0;
    memcpy(copy, value, value_len);
    copy[0]++;
    crc = vs_crc32c(0, copy, value_len - 4);
    memcpy(copy + value_len - 4, &crc, 4);
    kv_batch_put(n->batch, key, key_len, copy, value_len);
    n->found++;
    return 0;
}

static void metadata_of_a_newer_version_is_refused(void **state)
{
    struct data_rig *r = *state;
    struct newer n = { .found = 0 };
    struct kv *kv;

    make_used(r);
    assert_int_equal(kv_rocks_open(&kv, data_rig_path(r, "data/meta/acceptor"), false, KV_ACCEPTOR),
                     0);
    assert_int_equal(kv_batch_new(&n.batch), 0);
    assert_int_equal(kv_scan(kv, "", 0, "", 0, make_newer, &n), 0);
    assert_int_equal(n.found, 1);
    assert_int_equal(kv_write(kv, n.batch, true), 0);
    kv_batch_free(n.batch);
    kv_close(kv);
    data_rig_must_refuse(r, -VS_ENEWER, "newer version of V-Stack; use that version");
}

/* ---- disks ---- */

static void each_disk_is_a_store(void **state)
{
    struct data_rig *r = *state;

    data_rig_disks(r, 3);
    data_rig_must_open(r);
    assert_int_equal(r->fs.stores.count, 3);
    assert_string_equal(r->fs.stores.entries[1].path, data_rig_path(r, "d2"));
    assert_false(data_rig_exists(r, "data/nodes"));
    assert_int_equal(data_rig_put(r, 1), 3);
    data_rig_close(r);
    r->fs.opt.disk_count = 0; /* they are recorded */
    data_rig_must_open(r);
    assert_int_equal(data_rig_check(r, 1), 3);
}

static void disks_are_found_by_what_they_hold_wherever_they_are(void **state)
{
    struct data_rig *r = *state;

    data_rig_disks(r, 3);
    make_used(r);
    data_rig_move(r, "d1", "x");
    data_rig_move(r, "d2", "d1");
    data_rig_move(r, "x", "d2");  /* two have changed places */
    data_rig_move(r, "d3", "d4"); /* one has moved */
    r->fs.opt.disks[2] = data_rig_path(r, "d4");
    data_rig_must_open(r);
    assert_int_equal(data_rig_check(r, 1), 3);
    assert_string_equal(r->fs.stores.entries[0].path, data_rig_path(r, "d2"));
    assert_string_equal(r->fs.stores.entries[2].path, data_rig_path(r, "d4"));
    data_rig_close(r);
    r->fs.opt.disk_count = 0; /* the new places are recorded */
    data_rig_must_open(r);
    assert_int_equal(data_rig_check(r, 1), 3);
}

/* An old copy at the recorded place must not be taken once the store was used elsewhere. */
static void a_copy_left_at_the_old_place_is_not_used_again(void **state)
{
    struct data_rig *r = *state;

    data_rig_disks(r, 2);
    make_used(r);
    data_rig_copy(r, "d2", "d3");
    r->fs.opt.disks[1] = data_rig_path(r, "d3");
    data_rig_must_open(r);
    assert_int_equal(data_rig_put(r, 2), 2);
    data_rig_close(r);
    r->fs.opt.disk_count = 0;
    data_rig_must_open(r);
    assert_int_equal(data_rig_check(r, 2), 2);
}

/* ---- replacing a node ---- */

static int replace(struct data_rig *r, const char *node, const char *path)
{
    return data_dir_replace_node(&r->fs, node, path, r->why);
}

static void a_lost_store_is_replaced_by_an_empty_one(void **state)
{
    struct data_rig *r = *state;

    make_used(r);
    data_rig_move(r, "data/nodes/n3", "aside");
    data_rig_mkdir(r, "new");
    data_rig_must_open(r);
    assert_int_equal(up_count(r), 4);
    assert_int_equal(replace(r, "n3", data_rig_path(r, "new")), 0);
    assert_int_equal(up_count(r), 5);
    assert_string_equal(r->fs.stores.entries[2].path, data_rig_path(r, "new"));
    assert_int_equal(data_rig_check(r, 1), 4); /* it is empty */
    assert_int_equal(data_rig_put(r, 2), 5);   /* and used */
    data_rig_close(r);
    data_rig_move(r, "aside", "data/nodes/n3"); /* the old one comes back too late */
    data_rig_must_open(r);
    assert_int_equal(data_rig_check(r, 2), 5);
    assert_int_equal(data_rig_check(r, 1), 4);
}

static void a_replaced_store_may_lie_in_its_old_place(void **state)
{
    struct data_rig *r = *state;

    make_used(r);
    data_rig_remove(r, "data/nodes/n3");
    data_rig_mkdir(r, "data/nodes/n3");
    data_rig_must_open(r);
    assert_int_equal(replace(r, "n3", data_rig_path(r, "data/nodes/n3")), 0);
    assert_int_equal(data_rig_put(r, 2), 5);
}

static void a_store_that_works_is_not_thrown_away(void **state)
{
    struct data_rig *r = *state;

    make_used(r);
    data_rig_mkdir(r, "new");
    data_rig_must_open(r);
    assert_int_equal(replace(r, "n2", data_rig_path(r, "new")), -EBUSY);
    assert_non_null(strstr(r->why, "would be given up"));
    assert_int_equal(data_rig_check(r, 1), 5);
    data_rig_close(r);
    data_rig_must_open(r);
    assert_int_equal(data_rig_check(r, 1), 5);
}

/* Its directory was removed under the running mount: it looks up until something is written. */
static void a_store_whose_directory_is_gone_may_be_replaced_at_once(void **state)
{
    struct data_rig *r = *state;

    make_used(r);
    data_rig_mkdir(r, "new");
    data_rig_must_open(r);
    data_rig_remove(r, "data/nodes/n2");
    assert_int_equal(replace(r, "n2", data_rig_path(r, "new")), 0);
    assert_int_equal(data_rig_put(r, 2), 5);
}

static void what_cannot_replace_is_refused_with_a_sentence(void **state)
{
    struct data_rig *r = *state;
    char path[300];

    make_used(r);
    data_rig_move(r, "data/nodes/n3", "aside");
    data_rig_mkdir(r, "full");
    data_rig_write(r, "full/film.mkv", "mine");
    data_rig_must_open(r);
    assert_int_equal(replace(r, "n9", data_rig_path(r, "full")), -ENOENT);
    assert_non_null(strstr(r->why, "no node n9"));
    assert_int_equal(replace(r, "n3", data_rig_path(r, "full")), -ENOTEMPTY);
    assert_non_null(strstr(r->why, "is not empty"));
    assert_int_equal(replace(r, "n3", data_rig_path(r, "nowhere")), -ENOENT);
    assert_non_null(strstr(r->why, "does not exist"));
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[256] = '\0';
    assert_int_equal(replace(r, "n3", path), -ENAMETOOLONG);
    assert_non_null(strstr(r->why, "too long"));
    assert_int_equal(up_count(r), 4);
    data_rig_close(r);
    data_rig_move(r, "aside", "data/nodes/n3"); /* nothing was recorded */
    data_rig_must_open(r);
    assert_int_equal(data_rig_check(r, 1), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATA_TEST(the_first_start_makes_five_stores),
        DATA_TEST(a_later_start_finds_what_is_there),
        DATA_TEST(closing_forgives),
        DATA_TEST(a_data_folder_that_cannot_be_made_is_refused),
        DATA_TEST(paths_that_do_not_fit_records_are_refused),
        DATA_TEST(a_second_open_is_refused_when_the_wait_is_over),
        DATA_TEST(a_start_waits_for_the_one_that_is_closing),
        DATA_TEST(a_store_that_is_missing_is_down),
        DATA_TEST(a_store_that_was_emptied_is_down_and_stays_empty),
        DATA_TEST(a_store_of_somebody_else_is_down_and_left_alone),
        DATA_TEST(a_store_of_a_newer_version_is_down_and_says_so),
        DATA_TEST(without_any_store_a_start_is_refused),
        DATA_TEST(without_metadata_stores_are_refused_and_left_alone),
        DATA_TEST(without_metadata_a_used_folder_is_refused),
        DATA_TEST(stores_below_data_are_seen_beside_other_disks),
        DATA_TEST(half_of_the_metadata_is_refused),
        DATA_TEST(metadata_of_a_newer_version_is_refused),
        DATA_TEST(each_disk_is_a_store),
        DATA_TEST(disks_are_found_by_what_they_hold_wherever_they_are),
        DATA_TEST(a_copy_left_at_the_old_place_is_not_used_again),
        DATA_TEST(a_lost_store_is_replaced_by_an_empty_one),
        DATA_TEST(a_replaced_store_may_lie_in_its_old_place),
        DATA_TEST(a_store_that_works_is_not_thrown_away),
        DATA_TEST(a_store_whose_directory_is_gone_may_be_replaced_at_once),
        DATA_TEST(what_cannot_replace_is_refused_with_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
