/* ns_rule_attr: SETATTR, SETXATTR, REMOVEXATTR, in the tree and in the inbox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "tests/support/ns_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ROOT NS_INO_ROOT
#define BOX  NS_INO_INBOX

static int setattr(struct nsf *f, uint64_t ino, uint32_t set, const struct ns_attr *attr)
{
    struct ns_entry e = { .kind = NS_E_SETATTR, .ino = ino, .set = set, .attr = *attr };

    return nsf_do(f, &e);
}

static int setflags(struct nsf *f, uint64_t ino, uint32_t set, uint32_t clear)
{
    struct ns_entry e = { .kind = NS_E_SETATTR, .ino = ino, .set = NS_SET_FLAGS };

    e.flags_set = set;
    e.flags_clear = clear;
    return nsf_do(f, &e);
}

static int removexattr_(struct nsf *f, uint64_t ino, const char *name)
{
    struct ns_entry e = {
        .kind = NS_E_REMOVEXATTR, .ino = ino, .name = name, .name_len = strlen(name)
    };

    return nsf_do(f, &e);
}

/* Value as text, or "(none)". */
static const char *getxattr_(struct nsf *f, uint64_t ino, const char *name)
{
    static char text[64];
    struct meta_req r = { .op = META_GETXATTR, .ino = ino, .name = name, .name_len = strlen(name) };
    int err = nsf_read(f, &r);

    snprintf(text, sizeof(text), "%.*s", err < 0 ? 6 : (int)r.bytes.len,
             err < 0 ? "(none)" : (const char *)r.bytes.data);
    vs_buf_close(&r.bytes);
    return text;
}

static void setattr_sets_what_it_names_and_nothing_else(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1");
    struct ns_attr was = nsf_attr(f, x), to = { .mode = S_IFDIR | 07711, .uid = 5, .gid = 6 };

    to.atime = (struct ns_time){ 1, 2 };
    to.mtime = (struct ns_time){ -3, 4 };
    assert_int_equal(setattr(f, x, NS_SET_MODE, &to), 0);
    assert_int_equal(f->answer.attr.mode, S_IFREG | 07711); /* the type stays */
    assert_int_equal(f->answer.attr.uid, was.uid);
    assert_int_equal(f->answer.attr.ctime.s, f->now.s);
    assert_int_equal(f->answer.attr.mtime.s, was.mtime.s);
    assert_int_equal(setattr(f, x, NS_SET_UID, &to), 0);
    assert_int_equal(f->answer.attr.uid, 5);
    assert_int_equal(f->answer.attr.gid, was.gid);
    assert_int_equal(setattr(f, x, NS_SET_GID | NS_SET_ATIME, &to), 0);
    assert_int_equal(f->answer.attr.gid, 6);
    assert_int_equal(f->answer.attr.atime.ns, 2);
    assert_int_equal(f->answer.attr.mtime.s, was.mtime.s);
    assert_int_equal(setattr(f, x, NS_SET_MTIME, &to), 0);
    assert_int_equal(f->answer.attr.mtime.s, -3);
    assert_int_equal(f->answer.attr.flags, 0); /* a file is no directory */
    assert_int_equal(f->answer.attr.version, was.version);
    assert_int_equal(setattr(f, x, 64, &to), -EINVAL);
    assert_int_equal(setattr(f, 99999, NS_SET_UID, &to), -ENOENT);
}

static void an_open_file_without_a_name_can_still_be_changed(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1");
    struct ns_attr to = { .mode = 0600 };

    assert_int_equal(nsf_unlink(f, ROOT, "x"), 0);
    assert_int_equal(setattr(f, x, NS_SET_MODE, &to), 0);
    assert_int_equal(nsf_setxattr(f, x, "user.a", "1", 0), 0);
    assert_int_equal(nsf_forget(f, x), 0);
}

static void flags_are_the_programs_own_and_leave_ctime_alone(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1");
    int64_t ctime = nsf_attr(f, x).ctime.s;

    assert_int_equal(setflags(f, x, NS_F_FLUSHED, 0), 0);
    assert_int_equal(f->answer.attr.flags, NS_F_FLUSHED);
    assert_int_equal(f->answer.attr.ctime.s, ctime);
    assert_int_equal(setflags(f, x, 0, NS_F_FLUSHED), 0);
    assert_int_equal(f->answer.attr.flags, 0);
    assert_int_equal(setflags(f, x, 8, 0), -EINVAL);
}

static void media_due_is_listed_while_it_is_set(void **state)
{
    struct nsf *f = *state;
    uint64_t big = (uint64_t)nsf_big_file(f, ROOT, "big", 1, 0), due[4];
    uint64_t small = (uint64_t)nsf_file(f, ROOT, "small", "1");

    assert_int_equal(nsf_scan_u64(f, META_SCAN_MEDIA_DUE, due, 4), 1);
    assert_int_equal(due[0], big);
    assert_int_equal(setflags(f, big, 0, NS_F_MEDIA_DUE), 0);
    assert_int_equal(nsf_scan_u64(f, META_SCAN_MEDIA_DUE, due, 4), 0);
    assert_int_equal(setflags(f, big, NS_F_MEDIA_DUE, 0), 0);
    assert_int_equal(nsf_scan_u64(f, META_SCAN_MEDIA_DUE, due, 4), 1);
    assert_int_equal(setflags(f, small, NS_F_MEDIA_DUE, 0), 0); /* nothing to describe */
    assert_int_equal(nsf_scan_u64(f, META_SCAN_MEDIA_DUE, due, 4), 1);
    assert_int_equal(nsf_unlink(f, ROOT, "big"), 0);
    assert_int_equal(nsf_scan_u64(f, META_SCAN_MEDIA_DUE, due, 4), 0);
}

static void xattrs_are_set_replaced_and_removed(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1");
    struct meta_req list = { .op = META_LISTXATTR, .ino = x };

    assert_int_equal(nsf_setxattr(f, x, "user.b", "1", 0), 0);
    assert_int_equal(f->answer.attr.ctime.s, f->now.s);
    assert_int_equal(nsf_setxattr(f, x, "user.a", "", XATTR_CREATE), 0);
    assert_int_equal(nsf_setxattr(f, x, "user.a", "2", XATTR_CREATE), -EEXIST);
    assert_int_equal(nsf_setxattr(f, x, "user.c", "2", XATTR_REPLACE), -ENODATA);
    assert_int_equal(nsf_setxattr(f, x, "user.b", "longer", XATTR_REPLACE), 0);
    assert_string_equal(getxattr_(f, x, "user.b"), "longer");
    assert_string_equal(getxattr_(f, x, "user.a"), "");
    assert_int_equal(nsf_read(f, &list), 0);
    assert_int_equal(list.bytes.len, 14);
    assert_memory_equal(list.bytes.data, "user.a\0user.b\0", 14);
    assert_int_equal(removexattr_(f, x, "user.a"), 0);
    assert_int_equal(removexattr_(f, x, "user.a"), -ENODATA);
    assert_string_equal(getxattr_(f, x, "user.a"), "(none)");
    vs_buf_close(&list.bytes);
}

static void xattrs_have_limits(void **state)
{
    static char value[NS_XATTR_VALUE_BYTES_MAX + 2], name[NS_XATTR_NAME_BYTES_MAX + 2];
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1"), y = (uint64_t)nsf_file(f, ROOT, "y", "1");
    unsigned n;

    memset(value, 'v', NS_XATTR_VALUE_BYTES_MAX + 1);
    memset(name, 'n', NS_XATTR_NAME_BYTES_MAX + 1);
    assert_int_equal(nsf_setxattr(f, x, name, "1", 0), -ERANGE);
    assert_int_equal(nsf_setxattr(f, x, "", "1", 0), -ERANGE);
    assert_int_equal(nsf_setxattr(f, x, "user.a", value, 0), -ERANGE);
    assert_int_equal(nsf_setxattr(f, x, "user.a", "1", XATTR_CREATE | XATTR_REPLACE), -EINVAL);
    assert_int_equal(nsf_setxattr(f, 99999, "user.a", "1", 0), -ENOENT);
    value[NS_XATTR_VALUE_BYTES_MAX] = '\0';
    for (n = 0; n < NS_XATTR_TOTAL_BYTES_MAX / NS_XATTR_VALUE_BYTES_MAX; n++) {
        snprintf(name, sizeof(name), "user.%u", n);
        assert_int_equal(nsf_setxattr(f, x, name, value, 0), 0);
    }
    assert_int_equal(nsf_setxattr(f, x, "user.more", "1", 0), -ENOSPC);
    assert_int_equal(nsf_setxattr(f, x, "user.0", "1", 0), 0);
    assert_int_equal(nsf_setxattr(f, x, "user.more", "1", 0), 0);
    for (n = 0; n < NS_XATTR_LIST_BYTES_MAX / 256; n++) {
        snprintf(name, sizeof(name), "%0255u", n);
        assert_int_equal(nsf_setxattr(f, y, name, "", 0), 0);
    }
    assert_int_equal(nsf_setxattr(f, y, "user.more", "", 0), -ENOSPC);
}

/* ---- the inbox ---- */

static void what_is_set_on_an_inbox_directory_is_set_on_the_published_one(void **state)
{
    struct nsf *f = *state;
    uint64_t box = (uint64_t)nsf_mkdir(f, BOX, "Series"), tree = nsf_ino(f, ROOT, "Series");
    struct ns_attr to = { .mode = 0700, .uid = 5, .gid = 6, .mtime = { 100, 1 } };

    assert_int_equal(setattr(f, box, NS_SET_MODE | NS_SET_UID | NS_SET_GID | NS_SET_MTIME, &to), 0);
    assert_int_equal(f->answer.attr.ino, box);
    assert_int_equal(nsf_attr(f, tree).mode, S_IFDIR | 0700);
    assert_int_equal(nsf_attr(f, tree).uid, 5);
    assert_int_equal(nsf_attr(f, tree).gid, 6);
    assert_int_equal(nsf_attr(f, tree).mtime.s, 100);
    assert_int_equal(nsf_attr(f, box).flags, NS_F_DIR_TIMES);
    assert_int_equal(nsf_setxattr(f, box, "user.a", "1", XATTR_CREATE), 0);
    assert_string_equal(getxattr_(f, tree, "user.a"), "1");
    assert_int_equal(removexattr_(f, tree, "user.a"), 0);
    assert_string_equal(getxattr_(f, box, "user.a"), "1"); /* not the other way round */
    assert_int_equal(nsf_setxattr(f, box, "user.a", "2", XATTR_REPLACE), 0);
    assert_string_equal(getxattr_(f, tree, "user.a"), "2");
    assert_int_equal(removexattr_(f, box, "user.a"), 0);
    assert_string_equal(getxattr_(f, tree, "user.a"), "(none)");
    assert_int_equal(nsf_rmdir(f, ROOT, "Series"), 0); /* its counterpart is gone: no matter */
    assert_int_equal(setattr(f, box, NS_SET_MODE, &to), 0);
    assert_int_equal(nsf_setxattr(f, box, "user.a", "1", 0), 0);
    assert_int_equal(removexattr_(f, box, "user.a"), 0);
}

static void the_inbox_and_the_root_are_two_directories(void **state)
{
    struct nsf *f = *state;
    struct ns_attr to = { .mode = 01777 };

    assert_int_equal(setattr(f, BOX, NS_SET_MODE, &to), 0);
    assert_int_equal(nsf_attr(f, BOX).mode, S_IFDIR | 01777);
    assert_int_equal(nsf_attr(f, ROOT).mode, S_IFDIR | 0755);
}

static void a_directory_moved_out_of_the_inbox_is_on_its_own(void **state)
{
    struct nsf *f = *state;
    uint64_t box = (uint64_t)nsf_mkdir(f, BOX, "a"), sub = (uint64_t)nsf_mkdir(f, box, "sub");
    uint64_t published = nsf_ino(f, nsf_ino(f, ROOT, "a"), "sub");
    struct ns_attr to = { .mode = 0700 };

    assert_int_equal(nsf_rename(f, BOX, "a", ROOT, "b", 0), 0);
    assert_int_equal(nsf_attr(f, box).mirror, 0);
    assert_int_equal(setattr(f, sub, NS_SET_MODE, &to), 0);
    assert_int_equal(nsf_attr(f, published).mode, S_IFDIR | 0755);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(setattr_sets_what_it_names_and_nothing_else),
        NSF_TEST(an_open_file_without_a_name_can_still_be_changed),
        NSF_TEST(flags_are_the_programs_own_and_leave_ctime_alone),
        NSF_TEST(media_due_is_listed_while_it_is_set),
        NSF_TEST(xattrs_are_set_replaced_and_removed),
        NSF_TEST(xattrs_have_limits),
        NSF_TEST(what_is_set_on_an_inbox_directory_is_set_on_the_published_one),
        NSF_TEST(the_inbox_and_the_root_are_two_directories),
        NSF_TEST(a_directory_moved_out_of_the_inbox_is_on_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
