/* A mount's parts come up and go down, again and again; what fails half-way closes all it opened.
 */
#include "common/err.h"
#include "fs/clean_mark.h"
#include "fs/vsfs_start.h"
#include "ingest/cutter.h"
#include "meta/kv.h"
#include "meta/ns_schema.h"
#include "tests/support/store_twist.h"
#include "tests/support/wfile_rig.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct rig rig; /* only its fs is used, by what writes and reads files */
    struct data_dir data;
    char dir[TEMP_DIR_BYTES], data_dir[TEMP_DIR_BYTES + 8];
    char why[DATA_DIR_WHY_BYTES];
};

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    temp_dir_make(x->dir);
    snprintf(x->data_dir, sizeof(x->data_dir), "%s/data", x->dir);
    x->rig.fs.opt.data_dir = x->data_dir;
    x->rig.fs.opt.mountpoint = "/mnt/videos";
    x->rig.fs.opt.superblock_bytes = 64u << 20;
    x->rig.fs.opt.reserve_percent = 1;
    x->rig.fs.opt.cache_bytes = 8u << 20;
    x->rig.fs.opt.write_bytes = 64u << 20;
    x->rig.fs.clock = &vs_clock_system;
    x->rig.bytes = malloc(RIG_BYTES);
    assert_non_null(x->rig.bytes);
    rig_fill(x->rig.bytes, RIG_BYTES, 1);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    vsfs_stop(&x->rig.fs, &x->data); /* forgives all states */
    temp_dir_remove(x->dir);
    free(x->rig.bytes);
    free(x);
    return 0;
}

static void start(struct fixture *x)
{
    if (vsfs_start(&x->rig.fs, &x->data, x->why) < 0)
        fail_msg("refused: %s", x->why);
}

static void stop(struct fixture *x)
{
    vsfs_stop(&x->rig.fs, &x->data);
}

static void check_closed(struct fixture *x)
{
    const struct vsfs *fs = &x->rig.fs;

    assert_null(fs->meta);
    assert_null(fs->reader);
    assert_null(fs->uploads);
    assert_null(fs->collect);
    assert_null(fs->inodes);
    assert_null(fs->exec);
    assert_null(fs->ops);
    assert_null(fs->cutter);
    assert_int_equal(fs->stores.count, 0);
    assert_int_equal(fs->staging_fd, -1);
    assert_int_equal(x->data.lock_fd, -1);
}

/* Descriptors of this process. */
static unsigned open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* ---- */

static void what_was_stored_is_there_after_each_start(void **state)
{
    struct fixture *x = *state;
    static const char *const names[] = { "one", "two", "three" };

    for (unsigned n = 0; n < 3; n++) {
        start(x);
        assert_int_equal(x->data.created, n == 0);
        for (unsigned before = 0; before < n; before++)
            rig_check_stored(&x->rig, names[before], x->rig.bytes + before, 5000000 + before);
        rig_store(&x->rig, NS_INO_ROOT, names[n], x->rig.bytes + n, 5000000 + n);
        rig_check_stored(&x->rig, names[n], x->rig.bytes + n, 5000000 + n);
        stop(x);
        check_closed(x);
    }
}

static void starts_and_stops_leave_no_descriptor_behind(void **state)
{
    struct fixture *x = *state;
    unsigned before;

    start(x);
    stop(x);
    before = open_files();
    for (unsigned n = 0; n < 2; n++) {
        start(x);
        stop(x);
    }
    assert_int_equal(open_files(), before);
}

static void a_stop_forgives(void **state)
{
    struct fixture *x = *state;
    struct vsfs fs = { .clock = &vs_clock_system };
    struct data_dir none = { .opened = false };

    vsfs_stop(&fs, &none); /* never started */
    start(x);
    stop(x);
    stop(x);
    check_closed(x);
}

/* Under an open writer, with bytes on their way: what was committed is there, what was not is not.
 */
static void a_stop_under_a_writer_keeps_what_was_committed(void **state)
{
    struct fixture *x = *state;
    struct inode *i;

    start(x);
    rig_store(&x->rig, NS_INO_ROOT, "film", x->rig.bytes, 3000000);
    i = rig_create(&x->rig, NS_INO_ROOT, "half");
    rig_write_all(&x->rig, i, 0, x->rig.bytes, 6000000);
    stop(x);
    check_closed(x);
    start(x);
    rig_check_stored(&x->rig, "film", x->rig.bytes, 3000000);
    assert_null(rig_find(&x->rig, NS_INO_ROOT, "half"));
    assert_int_equal(collect_drain(x->rig.fs.collect, 10 * VS_NS_PER_S), 0);
    rig_check_stored(&x->rig, "film", x->rig.bytes, 3000000);
}

static void what_a_crash_left_in_the_staging_is_removed(void **state)
{
    struct fixture *x = *state;
    char path[TEMP_DIR_BYTES + 64];
    struct stat st;
    int fd;

    start(x);
    assert_true(x->rig.fs.opt.staging_bytes_max > 0);
    stop(x);
    snprintf(path, sizeof(path), "%s/staging/stage-0123456789abcdef", x->data_dir);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    start(x);
    assert_int_equal(stat(path, &st), -1);
}

/* ---- what is left over ---- */

static void fail_list(void *arg, struct store_list *l)
{
    (void)arg;
    l->status = -EIO;
}

static uint64_t unaudited(struct fixture *x)
{
    return collect_unaudited(x->rig.fs.collect);
}

/* Until all stores have been asked about their fragments. */
static void audited(struct fixture *x)
{
    int64_t deadline = vs_now_ns(&vs_clock_system) + 20 * VS_NS_PER_S;

    while (unaudited(x) != 0) {
        assert_true(vs_now_ns(&vs_clock_system) < deadline);
        usleep(1000);
    }
}

static void every_store_is_asked_unless_the_stop_was_clean(void **state)
{
    struct fixture *x = *state;
    char path[TEMP_DIR_BYTES + 64];
    struct clean_mark m;
    int64_t when;

    snprintf(path, sizeof(path), "%s/" CLEAN_MARK_NAME, x->data_dir);
    start(x);
    rig_store(&x->rig, NS_INO_ROOT, "film", x->rig.bytes, 3000000);
    audited(x);
    when = x->rig.fs.audited_s;
    assert_int_equal(access(path, F_OK), -1); /* a crash from here on is not clean */
    stop(x);
    assert_int_equal(access(path, F_OK), 0);
    clean_mark_take(&x->rig.fs, &m);
    assert_int_equal(m.audited_s, when);
    m.audited_s -= 1000;
    clean_mark_put(&x->rig.fs, &m);
    start(x);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(unaudited(x), 0);
    assert_int_equal(x->rig.fs.audited_s, when - 1000); /* so that they are asked again one day */
    stop(x);
    assert_int_equal(unlink(path), 0); /* as after a crash */
    start(x);
    assert_true(x->rig.fs.audited_s >= when);
    audited(x);
    rig_check_stored(&x->rig, "film", x->rig.bytes, 3000000);
}

static bool next_start_asks(struct fixture *x, unsigned entry)
{
    struct clean_mark m;

    stop(x);
    clean_mark_take(&x->rig.fs, &m);
    return !clean_mark_has(&m, entry + 1);
}

static void a_store_that_missed_a_removal_is_asked_and_the_others_are_not(void **state)
{
    struct fixture *x = *state;
    struct inode *i;

    start(x);
    rig_store(&x->rig, NS_INO_ROOT, "film", x->rig.bytes, 3000000);
    audited(x);
    store_twist_set(store_twist_entry(&x->rig.fs.stores, 1),
                    &(struct store_twist){ .listed = fail_list });
    i = rig_find(&x->rig, NS_INO_ROOT, "film");
    assert_int_equal(wfile_open(&x->rig.fs, i, true), 0);
    assert_int_equal(rig_release(&x->rig, i), 0);
    assert_int_equal(collect_drain(x->rig.fs.collect, 10 * VS_NS_PER_S), 0);
    assert_int_equal(unaudited(x), 1u << 1);
    assert_true(next_start_asks(x, 1));
    start(x);
    audited(x);
    assert_false(next_start_asks(x, 0));
}

static void what_an_upload_could_not_delete_makes_all_be_asked(void **state)
{
    struct fixture *x = *state;

    start(x);
    audited(x);
    x->rig.fs.missed = true;
    assert_true(next_start_asks(x, 0));
    start(x);
    audited(x);
    assert_false(next_start_asks(x, 0));
}

/* ---- starts that fail ---- */

static void a_refused_start_leaves_all_closed_and_can_be_tried_again(void **state)
{
    struct fixture *x = *state;
    unsigned before = open_files();
    int fd;

    fd = open(x->data_dir, O_CREAT | O_WRONLY, 0600); /* a file where the folder should be */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(vsfs_start(&x->rig.fs, &x->data, x->why), -ENOTDIR);
    assert_non_null(strstr(x->why, x->data_dir));
    check_closed(x);
    assert_int_equal(open_files(), before);
    assert_int_equal(unlink(x->data_dir), 0);
    start(x);
}

/* A record of a session that cannot be read: found when everything but the names is up already. */
static void damage(struct fixture *x, bool damaged)
{
    struct ns_key key = ns_key_u64(NS_T_SESSION, 77);
    char path[TEMP_DIR_BYTES + 64];
    struct kv_batch *b;
    struct kv *kv;

    snprintf(path, sizeof(path), "%s/meta/namespace", x->data_dir);
    assert_int_equal(kv_rocks_open(&kv, path, false, KV_NAMESPACE), 0);
    assert_int_equal(kv_batch_new(&b), 0);
    if (damaged)
        kv_batch_put(b, key.b, key.len, "\x01nonsense", 9);
    else
        kv_batch_del(b, key.b, key.len);
    assert_int_equal(kv_write(kv, b, true), 0);
    kv_batch_free(b);
    kv_close(kv);
}

static void a_start_that_fails_half_way_closes_all_again(void **state)
{
    struct fixture *x = *state;
    unsigned before;

    start(x);
    rig_store(&x->rig, NS_INO_ROOT, "film", x->rig.bytes, 3000000);
    stop(x);
    damage(x, true);
    before = open_files();
    for (unsigned n = 0; n < 2; n++) {
        x->why[0] = '\0';
        assert_true(vsfs_start(&x->rig.fs, &x->data, x->why) < 0);
        assert_non_null(strstr(x->why, "cannot start: "));
        check_closed(x);
        assert_int_equal(open_files(), before);
    }
    damage(x, false);
    start(x);
    rig_check_stored(&x->rig, "film", x->rig.bytes, 3000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_stored_is_there_after_each_start),
        TEST(starts_and_stops_leave_no_descriptor_behind),
        TEST(a_stop_forgives),
        TEST(a_stop_under_a_writer_keeps_what_was_committed),
        TEST(what_a_crash_left_in_the_staging_is_removed),
        TEST(every_store_is_asked_unless_the_stop_was_clean),
        TEST(a_store_that_missed_a_removal_is_asked_and_the_others_are_not),
        TEST(what_an_upload_could_not_delete_makes_all_be_asked),
        TEST(a_refused_start_leaves_all_closed_and_can_be_tried_again),
        TEST(a_start_that_fails_half_way_closes_all_again),
    };

    if (argc > 1 && strcmp(argv[1], "--cutter") == 0) /* what a start runs this program as */
        return cutter_child_main(argc - 1, argv + 1);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
