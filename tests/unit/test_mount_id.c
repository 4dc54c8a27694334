/* The number a mount is known by: the same each time, and never one that cannot be. */
#include "fs/data_path.h"
#include "fs/mount_id.h"
#include "tests/support/data_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_directory_keeps_its_number_and_no_other_has_it(void **state)
{
    struct data_rig *r = *state;
    uint64_t first, again, other;

    r->fs.opt.data_dir = r->data_dir;
    assert_int_equal(data_path_make(r->data_dir), 0);
    assert_int_equal(mount_id_take(&r->fs, &first), 0);
    assert_int_not_equal(first, 0);
    assert_int_equal(mount_id_take(&r->fs, &again), 0);
    assert_true(first == again);
    data_rig_mkdir(r, "other");
    r->fs.opt.data_dir = data_rig_path(r, "other");
    assert_int_equal(mount_id_take(&r->fs, &other), 0);
    assert_true(first != other);
}

static void what_is_no_number_is_replaced_by_a_new_one(void **state)
{
    const char *const bad[] = { "",
                                "0000000000000000\n",
                                "123456789abcdef",
                                "0123456789ABCDEF\n",
                                "0123456789abcdef0\n",
                                "nonsense is here!" };
    struct data_rig *r = *state;
    uint64_t id, again;

    data_rig_mkdir(r, "data");
    r->fs.opt.data_dir = r->data_dir;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        data_rig_write(r, "data/mount.id", bad[i]);
        assert_int_equal(mount_id_take(&r->fs, &id), 0);
        assert_true(id != 0 && id != 0x0123456789abcdef);
        assert_int_equal(mount_id_take(&r->fs, &again), 0);
        assert_true(id == again);
    }
    data_rig_write(r, "data/mount.id", "0123456789abcdef\n");
    assert_int_equal(mount_id_take(&r->fs, &id), 0);
    assert_true(id == 0x0123456789abcdef);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATA_TEST(a_directory_keeps_its_number_and_no_other_has_it),
        DATA_TEST(what_is_no_number_is_replaced_by_a_new_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
