/* vstackfs umount: takes away mounts of ours and nothing else. Mounts themselves are tests/e2e/'s.
 */
#include "tests/support/cli_rig.h"
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cmocka.h>

static bool is_tmpfs(const char *path)
{
    struct statfs st;

    return statfs(path, &st) == 0 && st.f_type == TMPFS_MAGIC;
}

/* As root, the kernel would take it away. */
static void a_mount_of_somebody_else_is_left_alone(void **state)
{
    struct cli_rig *r = *state;
    const char *path = cli_rig_path(r, "mnt");

    assert_int_equal(mkdir(path, 0700), 0);
    if (is_tmpfs(path) || mount("test", path, "tmpfs", 0, "size=64k") < 0) {
        print_message("nothing can be mounted here\n");
        skip();
    }
    assert_int_equal(RUN(r, "umount", path), 1);
    assert_non_null(strstr(r->err, "is not a V-Stack mount"));
    assert_true(is_tmpfs(path));
    assert_int_equal(RUN(r, "umount", "--force", path), 1);
    assert_true(is_tmpfs(path));
    assert_int_equal(umount2(path, MNT_DETACH), 0);
}

static void what_is_no_mount_is_said(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "umount", r->mount), 1);
    assert_non_null(strstr(r->err, "is not a V-Stack mount"));
    assert_int_equal(RUN(r, "umount", "/no/where"), 1);
    assert_string_equal(r->err, "vstackfs: /no/where is not a V-Stack mount\n");
}

static void exactly_one_mount_is_named(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "umount"), 1);
    assert_non_null(strstr(r->err, "which mount? vstackfs umount MNT"));
    assert_int_equal(RUN(r, "umount", "/a", "/b"), 1);
    assert_int_equal(RUN(r, "umount", "--frob"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(a_mount_of_somebody_else_is_left_alone),
        CLI_TEST(what_is_no_mount_is_said),
        CLI_TEST(exactly_one_mount_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
