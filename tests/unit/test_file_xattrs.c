/* Rules of file_xattrs.h: attributes that were set before the first commit. */
#include "fs/file_xattrs.h"
#include "fs/files.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include <cmocka.h>

static void check_value(const struct file_xattrs *x, const char *name, const char *value)
{
    struct vs_buf b = { 0 };

    assert_int_equal(file_xattrs_get(x, name, &b), 0);
    assert_int_equal(b.len, strlen(value));
    assert_memory_equal(b.data, value, b.len);
    vs_buf_close(&b);
}

static void what_is_set_is_read_listed_and_removed(void **state)
{
    struct file_xattrs *x = NULL;
    struct vs_buf list = { 0 };

    (void)state;
    assert_int_equal(file_xattrs_get(x, "user.a", &list), -ENODATA);
    assert_int_equal(file_xattrs_list(x, &list), 0);
    assert_int_equal(file_xattrs_set(&x, "user.a", "1", 1, 0), 0);
    assert_int_equal(file_xattrs_set(&x, "user.b", "22", 2, 0), 0);
    assert_int_equal(file_xattrs_set(&x, "user.a", "333", 3, 0), 0);
    check_value(x, "user.a", "333");
    check_value(x, "user.b", "22");
    assert_int_equal(file_xattrs_list(x, &list), 0);
    assert_int_equal(list.len, 14);
    assert_memory_equal(list.data, "user.a\0user.b", 14);
    assert_int_equal(file_xattrs_remove(x, "user.a"), 0);
    assert_int_equal(file_xattrs_remove(x, "user.a"), -ENODATA);
    check_value(x, "user.b", "22");
    vs_buf_close(&list);
    file_xattrs_free(x);
    file_xattrs_free(NULL);
}

static void flags_are_those_of_setxattr(void **state)
{
    struct file_xattrs *x = NULL;

    (void)state;
    assert_int_equal(file_xattrs_set(&x, "user.a", "1", 1, XATTR_REPLACE), -ENODATA);
    assert_int_equal(file_xattrs_set(&x, "user.a", "1", 1, XATTR_CREATE), 0);
    assert_int_equal(file_xattrs_set(&x, "user.a", "2", 1, XATTR_CREATE), -EEXIST);
    assert_int_equal(file_xattrs_set(&x, "user.a", "", 0, XATTR_REPLACE), 0);
    check_value(x, "user.a", "");
    file_xattrs_free(x);
}

static void number_and_bytes_are_bounded(void **state)
{
    struct file_xattrs *x = NULL;
    char *big = calloc(1, NS_XATTR_VALUE_BYTES_MAX);
    char name[32];
    int r = 0;

    (void)state;
    for (unsigned n = 0; n < FILE_XATTRS_MAX; n++) {
        snprintf(name, sizeof(name), "user.%u", n);
        assert_int_equal(file_xattrs_set(&x, name, "v", 1, 0), 0);
    }
    assert_int_equal(file_xattrs_set(&x, "user.more", "v", 1, 0), -ENOSPC);
    assert_int_equal(file_xattrs_set(&x, "user.0", "w", 1, 0), 0); /* an old one still changes */
    file_xattrs_free(x);
    x = NULL;
    for (unsigned n = 0; r == 0 && n < FILE_XATTRS_MAX; n++) {
        snprintf(name, sizeof(name), "user.%u", n);
        r = file_xattrs_set(&x, name, big, NS_XATTR_VALUE_BYTES_MAX, 0);
    }
    assert_int_equal(r, -ENOSPC);
    file_xattrs_free(x);
    free(big);
}

static void the_commit_hands_them_to_the_metadata(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, NS_INO_ROOT, "film");
    struct inode *i = f->inode;
    struct meta_req req = { .op = META_GETXATTR, .ino = i->ino, .name = "user.a", .name_len = 6 };

    assert_int_equal(file_xattrs_set(&i->xattrs, "user.a", "1", 1, 0), 0);
    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(files_flush(r->fs, f), 0);
    assert_null(i->xattrs);
    assert_int_equal(meta_call(r->fs->meta, &req), 0);
    assert_int_equal(req.bytes.len, 1);
    assert_int_equal(req.bytes.data[0], '1');
    vs_buf_close(&req.bytes);
    files_release(r->fs, f);
}

static void a_file_that_is_never_committed_keeps_them_until_it_goes(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, NS_INO_ROOT, "film");
    struct inode *i = f->inode;

    assert_int_equal(file_xattrs_set(&i->xattrs, "user.a", "1", 1, 0), 0);
    assert_int_equal(names_rig_unlink(r, NS_INO_ROOT, "film"), 0);
    assert_int_equal(file_xattrs_commit(r->fs, i), 0);
    assert_non_null(i->xattrs);
    files_release(r->fs, f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_is_read_listed_and_removed),
        cmocka_unit_test(flags_are_those_of_setxattr),
        cmocka_unit_test(number_and_bytes_are_bounded),
        cmocka_unit_test_setup_teardown(the_commit_hands_them_to_the_metadata, names_rig_setup,
                                        names_rig_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_never_committed_keeps_them_until_it_goes,
                                        names_rig_setup, names_rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
