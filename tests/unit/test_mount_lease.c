/* mount_lease: who says that it lives, who is ended, and what is forgotten when. */
#include "fs/mount_lease.h"
#include "fs/orphan.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROOT NS_INO_ROOT
#define US   7
#define THEM 8

static int setup(void **state)
{
    struct names_rig *r;
    int e = names_rig_setup(state);

    r = *state;
    r->fs->mount = US;
    r->fs->shared = true;
    return e;
}

static int teardown(void **state)
{
    struct names_rig *r = *state;

    mount_lease_stop(r->fs->lease);
    r->fs->lease = NULL;
    return names_rig_teardown(state);
}

static int sign(struct names_rig *r, uint64_t mount)
{
    struct ns_entry e = { .kind = NS_E_MOUNT, .mount = mount };

    return vsfs_change(r->fs, &e, NULL);
}

/* How many signs a mount has given; 0: it does not live. */
static uint64_t signs_of(struct names_rig *r, uint64_t mount)
{
    struct vs_id pairs[8];
    struct meta_req q = {
        .op = META_SCAN, .scan = META_SCAN_MOUNTS, .scan_ids = pairs, .scan_max = 8
    };

    assert_int_equal(meta_call(r->fs->meta, &q), 0);
    for (uint32_t n = 0; n < q.scan_count; n++) {
        uint64_t who, signs;

        meta_pair_get(&pairs[n], &who, &signs);
        if (who == mount)
            return signs;
    }
    return 0;
}

/* Another mount removes a file. */
static uint64_t removed_by_them(struct names_rig *r, const char *name)
{
    struct ns_entry e = {
        .kind = NS_E_UNLINK, .parent = ROOT, .name = name, .name_len = strlen(name)
    };
    struct ns_answer a;

    assert_int_equal(vsfs_change(r->fs, &e, &a), 0);
    return a.replaced.ino;
}

static void a_mount_lives_from_its_start_to_its_stop(void **state)
{
    struct names_rig *r = *state;

    assert_int_equal(signs_of(r, US), 0);
    assert_int_equal(mount_lease_start(&r->fs->lease, r->fs), 0);
    assert_int_equal(signs_of(r, US), 1);
    mount_lease_stop(r->fs->lease);
    r->fs->lease = NULL;
    assert_int_equal(signs_of(r, US), 0);
    mount_lease_stop(NULL);
}

static void what_others_remove_stays_while_it_is_open_here(void **state)
{
    struct names_rig *r = *state;
    struct file *f;
    uint64_t ino;

    assert_int_equal(mount_lease_start(&r->fs->lease, r->fs), 0);
    names_rig_put(r, ROOT, "film", "bytes");
    names_rig_put(r, ROOT, "other", "bytes");
    f = names_rig_open_file(r, ROOT, "film", O_RDONLY);
    ino = removed_by_them(r, "film");
    mount_lease_unlinked(r->fs, ino);
    orphan_wait();
    assert_true(names_rig_is_orphan(r, ino));
    names_rig_check_file(r, f, "bytes");
    assert_int_equal(names_rig_close_file(r, f), 0);
    orphan_wait();
    assert_false(names_rig_is_orphan(r, ino));

    ino = removed_by_them(r, "other"); /* not open here */
    mount_lease_unlinked(r->fs, ino);
    orphan_wait();
    assert_false(names_rig_is_orphan(r, ino));
}

static void what_is_removed_here_stays_while_another_mount_may_have_it_open(void **state)
{
    struct names_rig *r = *state;
    struct ns_entry forget = { .kind = NS_E_FORGET, .mount = THEM };

    assert_int_equal(mount_lease_start(&r->fs->lease, r->fs), 0);
    assert_int_equal(sign(r, THEM), 0);
    names_rig_put(r, ROOT, "film", "bytes");
    forget.ino = names_rig_ino(r, ROOT, "film");
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), 0);
    orphan_wait();
    assert_true(names_rig_is_orphan(r, forget.ino));
    assert_int_equal(vsfs_change(r->fs, &forget, NULL), 0);
    assert_false(names_rig_is_orphan(r, forget.ino));
}

static void what_others_removed_before_the_start_is_forgotten_by_it(void **state)
{
    struct names_rig *r = *state;
    uint64_t ino;

    assert_int_equal(sign(r, US), 0); /* a former life that was killed */
    names_rig_put(r, ROOT, "film", "bytes");
    ino = removed_by_them(r, "film");
    assert_int_equal(mount_lease_start(&r->fs->lease, r->fs), 0);
    orphan_wait();
    assert_false(names_rig_is_orphan(r, ino));
}

/* Killed with a film open, or cut off: silent for LEASE_LAPSE_S. */
static void a_mount_that_gives_no_sign_is_ended_and_holds_nothing(void **state)
{
    struct names_rig *r = *state;
    uint64_t ino;

    assert_int_equal(mount_lease_start(&r->fs->lease, r->fs), 0);
    assert_int_equal(sign(r, THEM), 0);
    names_rig_put(r, ROOT, "film", "bytes");
    ino = names_rig_ino(r, ROOT, "film");
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), 0);
    mount_lease_turn(r->fs->lease); /* seen first */
    r->clock.ahead_ns += (LEASE_LAPSE_S - 1) * VS_NS_PER_S;
    mount_lease_turn(r->fs->lease);
    assert_int_equal(signs_of(r, THEM), 1);
    assert_int_equal(sign(r, THEM), 0); /* just in time */
    r->clock.ahead_ns += 2 * VS_NS_PER_S;
    mount_lease_turn(r->fs->lease);
    orphan_wait();
    assert_int_equal(signs_of(r, THEM), 2);
    assert_true(names_rig_is_orphan(r, ino));
    r->clock.ahead_ns += LEASE_LAPSE_S * VS_NS_PER_S;
    mount_lease_turn(r->fs->lease);
    orphan_wait();
    assert_int_equal(signs_of(r, THEM), 0);
    assert_true(signs_of(r, US) > 0);
    assert_false(names_rig_is_orphan(r, ino));
}

static void a_file_that_another_mount_removed_is_not_opened(void **state)
{
    struct names_rig *r = *state;
    struct names_caller who = { 0, 0 };
    struct file *f;
    uint64_t ino;
    bool keep;

    assert_int_equal(mount_lease_start(&r->fs->lease, r->fs), 0);
    names_rig_put(r, ROOT, "film", "bytes");
    ino = removed_by_them(r, "film"); /* and nobody has told this mount */
    assert_int_equal(files_open(r->fs, &who, ino, O_RDONLY, &f, &keep), -ESTALE);
}

#define LEASE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEASE_TEST(a_mount_lives_from_its_start_to_its_stop),
        LEASE_TEST(what_others_remove_stays_while_it_is_open_here),
        LEASE_TEST(what_is_removed_here_stays_while_another_mount_may_have_it_open),
        LEASE_TEST(what_others_removed_before_the_start_is_forgotten_by_it),
        LEASE_TEST(a_mount_that_gives_no_sign_is_ended_and_holds_nothing),
        LEASE_TEST(a_file_that_another_mount_removed_is_not_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
