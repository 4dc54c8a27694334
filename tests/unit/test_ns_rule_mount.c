/* Mounts that live, and files without a name that they may have open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ns_fixture.h"

#include <errno.h>

static int entry(struct nsf *f, enum ns_entry_kind kind, uint64_t mount, uint64_t signs)
{
    struct ns_entry e = { .kind = kind, .mount = mount, .signs = signs };

    return nsf_do(f, &e);
}

static int forget(struct nsf *f, uint64_t ino, uint64_t mount)
{
    struct ns_entry e = { .kind = NS_E_FORGET, .ino = ino, .mount = mount };

    return nsf_do(f, &e);
}

static bool is_there(struct nsf *f, uint64_t ino)
{
    struct meta_req r = { .op = META_GETATTR, .ino = ino };

    return nsf_read(f, &r) == 0;
}

static uint64_t unlinked(struct nsf *f)
{
    int64_t ino = nsf_file(f, NS_INO_ROOT, "film", "bytes");

    assert_true(ino > 0);
    assert_int_equal(nsf_unlink(f, NS_INO_ROOT, "film"), 0);
    return (uint64_t)ino;
}

static void an_unlinked_file_is_there_until_the_last_mount_forgets_it(void **state)
{
    struct nsf *f = *state;
    uint64_t ino;

    assert_int_equal(entry(f, NS_E_MOUNT, 7, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, 8, 0), 0);
    ino = unlinked(f);
    assert_int_equal(forget(f, ino, 7), 0);
    assert_int_equal(forget(f, ino, 7), 0); /* again: the other one still may have it open */
    assert_int_equal(forget(f, ino, 0), 0);
    assert_true(is_there(f, ino));
    assert_int_equal(entry(f, NS_E_MOUNT, 9, 0), 0); /* came later: cannot have it open */
    assert_int_equal(forget(f, ino, 8), 0);
    assert_false(is_there(f, ino));
    assert_int_equal(forget(f, ino, 8), -ENOENT);
}

static void without_mounts_it_is_forgotten_at_once(void **state)
{
    struct nsf *f = *state;
    uint64_t ino = unlinked(f);

    assert_int_equal(forget(f, ino, 0), 0);
    assert_false(is_there(f, ino));
}

static void a_mount_that_is_gone_holds_nothing(void **state)
{
    struct nsf *f = *state;
    struct vs_id pair[4];
    uint64_t ino, mount, signs;

    assert_int_equal(entry(f, NS_E_MOUNT, 7, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, 8, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, 8, 0), 0);
    assert_int_equal(f->answer.first, 2);
    ino = unlinked(f);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_MOUNTS, pair, 4), 2);
    meta_pair_get(&pair[1], &mount, &signs);
    assert_int_equal(mount, 8);
    assert_int_equal(signs, 2);
    assert_int_equal(entry(f, NS_E_MOUNT, 8, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT_END, 8, signs), -EBUSY); /* a sign meanwhile */
    assert_int_equal(forget(f, ino, 7), 0);
    assert_true(is_there(f, ino));
    assert_int_equal(entry(f, NS_E_MOUNT_END, 8, 3), 0);
    assert_int_equal(entry(f, NS_E_MOUNT_END, 8, 3), -ENOENT);
    assert_true(is_there(f, ino));
    assert_int_equal(forget(f, ino, 7), 0); /* whoever says so next */
    assert_false(is_there(f, ino));
}

static void mounts_are_limited_and_have_a_number(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(entry(f, NS_E_MOUNT, 0, 0), -EINVAL);
    for (uint64_t m = 1; m <= NS_MOUNTS_MAX; m++)
        assert_int_equal(entry(f, NS_E_MOUNT, m, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, NS_MOUNTS_MAX + 1, 0), -ENFILE);
    assert_int_equal(entry(f, NS_E_MOUNT, 1, 0), 0); /* those that are there go on */
    assert_int_equal(entry(f, NS_E_MOUNT_END, 5, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, NS_MOUNTS_MAX + 1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(an_unlinked_file_is_there_until_the_last_mount_forgets_it),
        NSF_TEST(without_mounts_it_is_forgotten_at_once),
        NSF_TEST(a_mount_that_is_gone_holds_nothing),
        NSF_TEST(mounts_are_limited_and_have_a_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
