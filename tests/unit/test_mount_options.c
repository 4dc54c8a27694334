/* Every option is understood as the manual says; what is not understood is refused by name. */
#include "common/err.h"
#include "fs/mount_options.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int parse(struct mount_options *o, char *why, int argc, ...)
{
    char *argv[16];
    va_list ap;

    va_start(ap, argc);
    for (int i = 0; i < argc; i++)
        argv[i] = va_arg(ap, char *);
    va_end(ap);
    return mount_options_parse(o, argc, argv, why);
}

static void sizes_have_units_of_1024(void **state)
{
    static const struct {
        const char *text;
        int r;
        uint64_t v;
    } cases[] = { { "0", 0, 0 },
                  { "123", 0, 123 },
                  { "4K", 0, 4096 },
                  { "3M", 0, 3 << 20 },
                  { "2G", 0, UINT64_C(2) << 30 },
                  { "1T", 0, UINT64_C(1) << 40 },
                  { "", -EINVAL, 0 },
                  { "-1", -EINVAL, 0 },
                  { "1k", -EINVAL, 0 },
                  { "1KB", -EINVAL, 0 },
                  { "99999999999999999999", -EINVAL, 0 },
                  { "99999999999T", -EINVAL, 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t v = 0;

        assert_int_equal(mount_parse_size(cases[i].text, &v), cases[i].r);
        if (cases[i].r == 0)
            assert_int_equal(v, cases[i].v);
    }
}

static void a_mount_point_alone_is_enough(void **state)
{
    char why[MOUNT_WHY_BYTES];
    struct mount_options o;

    (void)state;
    assert_int_equal(parse(&o, why, 1, "/mnt/none"), 0);
    assert_string_equal(o.fs.mountpoint, "/mnt/none");
    assert_non_null(o.fs.data_dir);
    assert_int_equal(o.fs.reserve_percent, 5);
    assert_int_equal(o.fs.alias_s, 10);
    assert_int_equal(o.fs.taken, NS_TAKEN_KEEP_BOTH);
    mount_options_close(&o);
}

static void the_form_of_fstab_is_understood(void **state)
{
    char why[MOUNT_WHY_BYTES];
    struct mount_options o;

    (void)state;
    assert_int_equal(parse(&o, why, 4, "/srv/none", "/mnt/none", "-o",
                           "rw,noauto,nosuid,nodev,_netdev,x-systemd.automount"),
                     0);
    assert_string_equal(o.fs.data_dir, "/srv/none");
    assert_string_equal(o.fs.mountpoint, "/mnt/none");
    assert_string_equal(o.kernel, "nosuid,nodev");
    mount_options_close(&o);
}

static void our_options_are_taken(void **state)
{
    char why[MOUNT_WHY_BYTES];
    struct mount_options o;

    (void)state;
    assert_int_equal(parse(&o, why, 9, "-f", "--data", "/srv/d", "--disk=/d/1", "--disk", "/d/2",
                           "-o", "taken=replace,alias=3,cache=64M,write-buffer=128M,ro,lease=3",
                           "/mnt/none"),
                     0);
    assert_true(o.fs.foreground && o.read_only);
    assert_int_equal(o.fs.disk_count, 2);
    assert_string_equal(o.fs.disks[1], "/d/2");
    assert_int_equal(o.fs.taken, NS_TAKEN_REPLACE);
    assert_int_equal(o.fs.alias_s, 3);
    assert_int_equal(o.fs.lease_s, 3);
    assert_int_equal(o.fs.cache_bytes, 64 << 20);
    assert_int_equal(o.fs.write_bytes, 128 << 20);
    mount_options_close(&o);
}

static void a_clusters_metadata_is_beside_its_file_unless_told(void **state)
{
    char why[MOUNT_WHY_BYTES];
    struct mount_options o;

    (void)state;
    assert_int_equal(parse(&o, why, 3, "--cluster", "/srv/none/cluster.json", "/mnt/none"), 0);
    assert_string_equal(o.fs.cluster_file, "/srv/none/cluster.json");
    assert_string_equal(o.fs.data_dir, "/srv/none");
    mount_options_close(&o);
    assert_int_equal(parse(&o, why, 5, "-o", "cluster=/none.json", "--data", "/d", "/mnt/none"), 0);
    assert_string_equal(o.fs.cluster_file, "/none.json");
    assert_string_equal(o.fs.data_dir, "/d");
    mount_options_close(&o);
    assert_int_equal(parse(&o, why, 2, "/etc/passwd", "/mnt/none"),
                     0); /* a file: as fstab has it */
    assert_string_equal(o.fs.cluster_file, "/etc/passwd");
    mount_options_close(&o);
    assert_int_equal(parse(&o, why, 5, "--cluster", "/c.json", "--disk", "/d", "/mnt/none"),
                     -EINVAL);
    assert_non_null(strstr(why, "exclude one another"));
    mount_options_close(&o);
}

static void what_is_not_understood_is_named(void **state)
{
    char why[MOUNT_WHY_BYTES];
    struct mount_options o;

    (void)state;
    assert_int_equal(parse(&o, why, 3, "-o", "ro,bogus=1", "/mnt/none"), -EINVAL);
    assert_non_null(strstr(why, "bogus=1"));
    mount_options_close(&o);
    assert_int_equal(parse(&o, why, 2, "--bogus", "/mnt/none"), -EINVAL);
    assert_non_null(strstr(why, "--bogus"));
    mount_options_close(&o);
    assert_int_equal(parse(&o, why, 3, "-o", "taken=maybe", "/mnt/none"), -EINVAL);
    mount_options_close(&o);
    assert_int_equal(parse(&o, why, 3, "--reserve", "51", "/mnt/none"), -EINVAL);
    mount_options_close(&o);
    assert_int_equal(parse(&o, why, 1, "-f"), -EINVAL);
    mount_options_close(&o);
    assert_int_equal(parse(&o, why, 3, "/a", "/b", "/c"), -EINVAL);
    mount_options_close(&o);
}

static void data_below_the_mount_point_is_refused(void **state)
{
    char why[MOUNT_WHY_BYTES];
    struct mount_options o;

    (void)state;
    assert_int_equal(parse(&o, why, 3, "--data", "/mnt/none/data", "/mnt/none"), -EINVAL);
    assert_non_null(strstr(why, "below the mount point"));
    mount_options_close(&o);
    assert_int_equal(parse(&o, why, 3, "--data", "/mnt/none-data", "/mnt/none"), 0);
    mount_options_close(&o);
}

static bool conf_allows(const char *text)
{
    char path[] = "/tmp/test_mount_options.XXXXXX";
    int fd = mkstemp(path);
    bool allows;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    allows = mount_conf_allows_other(path);
    unlink(path);
    return allows;
}

static void users_may_let_others_in_where_the_machine_allows_it(void **state)
{
    (void)state;
    assert_true(conf_allows("user_allow_other\n"));
    assert_true(conf_allows("# comment\nmount_max = 10\n  user_allow_other # yes\n"));
    assert_true(conf_allows("user_allow_other"));
    assert_false(conf_allows("#user_allow_other\n"));
    assert_false(conf_allows("# user_allow_other\n"));
    assert_false(conf_allows("user_allow_others\n"));
    assert_false(conf_allows("xuser_allow_other\n"));
    assert_false(conf_allows(""));
    assert_false(mount_conf_allows_other("/nowhere/fuse.conf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_units_of_1024),
        cmocka_unit_test(a_mount_point_alone_is_enough),
        cmocka_unit_test(the_form_of_fstab_is_understood),
        cmocka_unit_test(our_options_are_taken),
        cmocka_unit_test(a_clusters_metadata_is_beside_its_file_unless_told),
        cmocka_unit_test(what_is_not_understood_is_named),
        cmocka_unit_test(data_below_the_mount_point_is_refused),
        cmocka_unit_test(users_may_let_others_in_where_the_machine_allows_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
