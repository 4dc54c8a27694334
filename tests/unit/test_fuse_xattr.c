/* fuse_xattr: extended attributes in each state of a file, with the errors of the man pages. */
#include "tests/support/fuse_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include <cmocka.h>

#define ROOT NS_INO_ROOT

static int set(struct fuse_rig *k, uint64_t node, const char *name, const char *value, size_t len,
               uint32_t flags)
{
    struct fuse_setxattr_in in = { .size = (uint32_t)len, .flags = flags };
    size_t name_len = strlen(name) + 1;
    uint8_t *more = malloc(name_len + len + 1);
    int r;

    assert_non_null(more);
    memcpy(more, name, name_len);
    memcpy(more + name_len, value, len);
    r = fuse_rig_ask(k, FUSE_SETXATTR, node, &in, FUSE_COMPAT_SETXATTR_IN_SIZE, more,
                     name_len + len);
    free(more);
    return r;
}

static int set_text(struct fuse_rig *k, uint64_t node, const char *name, const char *value)
{
    return set(k, node, name, value, strlen(value), 0);
}

/* Its length, or -errno; size 0: only asked for. */
static int get(struct fuse_rig *k, uint64_t node, const char *name, uint32_t size)
{
    struct fuse_getxattr_in in = { .size = size };
    struct fuse_getxattr_out out;
    int r = fuse_rig_ask(k, FUSE_GETXATTR, node, &in, sizeof(in), name, strlen(name) + 1);

    if (r < 0)
        return r;
    if (size > 0)
        return (int)k->len;
    memcpy(&out, k->body, sizeof(out));
    return (int)out.size;
}

static void check_text(struct fuse_rig *k, uint64_t node, const char *name, const char *want)
{
    assert_int_equal(get(k, node, name, 0), strlen(want));
    assert_int_equal(get(k, node, name, 4096), strlen(want));
    assert_memory_equal(k->body, want, strlen(want));
}

/* All names, each followed by a blank. */
static const char *names_of(struct fuse_rig *k, uint64_t node)
{
    static char text[4096];
    struct fuse_getxattr_in in = { .size = sizeof(text) - 1 };

    assert_int_equal(fuse_rig_ask(k, FUSE_LISTXATTR, node, &in, sizeof(in), NULL, 0), 0);
    memcpy(text, k->body, k->len);
    for (size_t n = 0; n < k->len; n++)
        text[n] = text[n] == '\0' ? ' ' : text[n];
    text[k->len] = '\0';
    return text;
}

static int removed(struct fuse_rig *k, uint64_t node, const char *name)
{
    return fuse_rig_ask(k, FUSE_REMOVEXATTR, node, name, strlen(name) + 1, NULL, 0);
}

/* The same life on a file that is stored, on one that is not yet, and on a folder. */
static void check_life(struct fuse_rig *k, uint64_t node)
{
    assert_int_equal(get(k, node, "user.a", 100), -ENODATA);
    assert_int_equal(removed(k, node, "user.a"), -ENODATA);
    assert_int_equal(set(k, node, "user.a", "x", 1, XATTR_REPLACE), -ENODATA);
    assert_int_equal(set(k, node, "user.a", "one", 3, XATTR_CREATE), 0);
    check_text(k, node, "user.a", "one");
    assert_int_equal(set(k, node, "user.a", "x", 1, XATTR_CREATE), -EEXIST);
    assert_int_equal(set(k, node, "user.a", "two", 3, XATTR_REPLACE), 0);
    check_text(k, node, "user.a", "two");
    assert_int_equal(get(k, node, "user.a", 2), -ERANGE);
    assert_int_equal(set(k, node, "user.bytes", "a\0b", 3, 0), 0);
    assert_int_equal(get(k, node, "user.bytes", 100), 3);
    assert_memory_equal(k->body, "a\0b", 3);
    assert_int_equal(set(k, node, "user.empty", "", 0, 0), 0);
    assert_int_equal(get(k, node, "user.empty", 0), 0);
    assert_string_equal(names_of(k, node), "user.a user.bytes user.empty ");
    assert_int_equal(removed(k, node, "user.bytes"), 0);
    assert_int_equal(removed(k, node, "user.empty"), 0);
    assert_string_equal(names_of(k, node), "user.a ");
}

static void attributes_live_on_what_is_stored(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out d;

    check_life(k, fuse_rig_put(k, ROOT, "film", "bytes"));
    assert_int_equal(fuse_rig_mkdir(k, ROOT, "dir", 0755, &d), 0);
    check_life(k, d.nodeid);
    check_life(k, ROOT);
}

static void attributes_live_on_what_is_not_stored_yet_and_are_stored_with_it(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_WRONLY | O_CREAT, 0600, &e, &fh), 0);
    check_life(k, e.nodeid);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, "bytes", 5, 0), 5);
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    check_text(k, e.nodeid, "user.a", "two");
    assert_string_equal(names_of(k, e.nodeid), "user.a ");
}

static void other_kinds_are_not_supported(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");

    assert_int_equal(get(k, node, "system.posix_acl_access", 100), -EOPNOTSUPP);
    assert_int_equal(set_text(k, node, "system.posix_acl_access", "x"), -EOPNOTSUPP);
    assert_int_equal(set_text(k, node, "frob", "x"), -EOPNOTSUPP);
    assert_int_equal(set_text(k, node, "trusted.a", "x"), 0);
    assert_int_equal(set_text(k, node, "security.a", "x"), 0);
}

static void what_we_say_of_a_file_is_read_and_not_listed_or_changed(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");

    check_text(k, node, "user.vstack.state", "stored");
    check_text(k, node, "user.vstack.redundancy", "auto");
    assert_int_equal(get(k, node, "user.vstack.frob", 100), -ENODATA);
    assert_int_equal(get(k, node, "user.vstack.state", 3), -ERANGE);
    assert_string_equal(names_of(k, node), "");
    assert_int_equal(set_text(k, node, "user.vstack.state", "stored"), -EPERM);
    assert_int_equal(removed(k, node, "user.vstack.state"), -EPERM);
    assert_int_equal(set_text(k, node, "user.vstack.redundancy", "frob"), -EINVAL);
    assert_int_equal(set_text(k, node, "user.vstack.redundancy", "replicate:3"), 0);
    check_text(k, node, "user.vstack.redundancy", "replicate:3");
    assert_string_equal(names_of(k, node), ""); /* cp -a must not carry it */
}

static void control_files_have_none(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_node(k, ROOT, ".vstack");

    assert_int_equal(get(k, node, "user.a", 100), -ENODATA);
    assert_string_equal(names_of(k, node), "");
    assert_int_equal(set_text(k, node, "user.a", "x"), -EPERM);
    assert_int_equal(removed(k, node, "user.a"), -EPERM);
}

/* Asked for before every write by a kernel that leaves suid to itself: answered without asking the
 * metadata, and never wrongly. */
static void a_capability_is_seen_as_soon_as_it_is_set(void **state)
{
    static const char name[] = "security.capability";
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh, node = fuse_rig_put(k, ROOT, "film", "bytes");

    for (unsigned n = 0; n < 2; n++)
        assert_int_equal(get(k, node, name, 0), -ENODATA);
    assert_int_equal(set_text(k, node, name, "cap"), 0);
    check_text(k, node, name, "cap");
    assert_int_equal(removed(k, node, name), 0);
    assert_int_equal(get(k, node, name, 0), -ENODATA);
    assert_int_equal(fuse_rig_create(k, ROOT, "new", O_WRONLY | O_CREAT, 0600, &e, &fh), 0);
    assert_int_equal(get(k, e.nodeid, name, 0), -ENODATA);
    assert_int_equal(set_text(k, e.nodeid, name, "cap"), 0);
    check_text(k, e.nodeid, name, "cap");
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    check_text(k, e.nodeid, name, "cap");
}

/* Of all that `ls -l` lists, each file is asked for; nearly all have none. */
static void a_file_told_to_have_none_is_answered_for_until_it_gets_one(void **state)
{
    static const char name[] = "security.selinux";
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    struct inode *i;

    assert_int_equal(fuse_rig_lookup(k, ROOT, "film", &e), 0);
    i = inode_find(k->fs->inodes, node);
    assert_true(i->no_xattrs);
    assert_int_equal(get(k, node, name, 0), -ENODATA);
    assert_string_equal(names_of(k, node), "");
    assert_int_equal(set_text(k, node, name, "label"), 0);
    assert_false(i->no_xattrs);
    check_text(k, node, name, "label");
    assert_int_equal(fuse_rig_lookup(k, ROOT, "film", &e), 0);
    assert_false(i->no_xattrs);
    check_text(k, node, name, "label");
    assert_int_equal(removed(k, node, name), 0);
    assert_int_equal(fuse_rig_lookup(k, ROOT, "film", &e), 0);
    assert_int_equal(get(k, node, name, 0), -ENODATA);
    inode_put(k->fs->inodes, i);
}

static void names_and_values_have_their_limits(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    char name[300] = "user.", *value = calloc(1, 65537);

    assert_non_null(value);
    memset(name + 5, 'x', 251);
    assert_int_equal(set_text(k, node, name, "x"), -ERANGE); /* 256 */
    name[255] = '\0';
    assert_int_equal(set_text(k, node, name, "x"), 0);
    check_text(k, node, name, "x");
    assert_int_equal(removed(k, node, name), 0);
    memset(value, 'v', 65536);
    assert_true(set(k, node, "user.big", value, 65537, 0) < 0);
    assert_int_equal(get(k, node, "user.big", 0), -ENODATA);
    free(value);
}

static void what_is_not_there_is_said(void **state)
{
    struct fuse_rig *k = *state;

    assert_int_equal(get(k, 999, "user.a", 100), -ENOENT);
    assert_int_equal(set_text(k, 999, "user.a", "x"), -ENOENT);
    assert_int_equal(get(k, 999, "user.vstack.state", 100), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUSE_TEST(attributes_live_on_what_is_stored),
        FUSE_TEST(attributes_live_on_what_is_not_stored_yet_and_are_stored_with_it),
        FUSE_TEST(other_kinds_are_not_supported),
        FUSE_TEST(what_we_say_of_a_file_is_read_and_not_listed_or_changed),
        FUSE_TEST(control_files_have_none),
        FUSE_TEST(a_capability_is_seen_as_soon_as_it_is_set),
        FUSE_TEST(a_file_told_to_have_none_is_answered_for_until_it_gets_one),
        FUSE_TEST(names_and_values_have_their_limits),
        FUSE_TEST(what_is_not_there_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
