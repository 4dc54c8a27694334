/* fuse_names: names made, moved and removed through the callbacks. */
#include "tests/support/fuse_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROOT  NS_INO_ROOT
#define INBOX NS_INO_INBOX

static int mknod_as(struct fuse_rig *k, const char *name, uint32_t mode, uint32_t rdev,
                    struct fuse_entry_out *ret)
{
    struct fuse_mknod_in in = { .mode = mode, .rdev = rdev };
    int r = fuse_rig_ask(k, FUSE_MKNOD, ROOT, &in, sizeof(in), name, strlen(name) + 1);

    if (r == 0)
        memcpy(ret, k->body, sizeof(*ret));
    return r;
}

static int link_as(struct fuse_rig *k, uint64_t node, uint64_t parent, const char *name)
{
    struct fuse_link_in in = { .oldnodeid = node };

    return fuse_rig_ask(k, FUSE_LINK, parent, &in, sizeof(in), name, strlen(name) + 1);
}

static int removed(struct fuse_rig *k, uint32_t opcode, uint64_t parent, const char *name)
{
    return fuse_rig_ask(k, opcode, parent, name, strlen(name) + 1, NULL, 0);
}

static int renamed(struct fuse_rig *k, uint64_t parent, const char *name, uint64_t new_parent,
                   const char *new_name, uint32_t flags)
{
    struct fuse_rename2_in in = { .newdir = new_parent, .flags = flags };
    char names[600];
    int n = snprintf(names, sizeof(names), "%s%c%s", name, 0, new_name);

    return fuse_rig_ask(k, FUSE_RENAME2, parent, &in, sizeof(in), names, (size_t)n + 1);
}

static int found(struct fuse_rig *k, uint64_t parent, const char *name)
{
    struct fuse_entry_out e;

    return fuse_rig_lookup(k, parent, name, &e);
}

static void every_kind_of_file_is_made(void **state)
{
    static const struct {
        const char *name;
        uint32_t mode, rdev;
    } kinds[] = { { "pipe", S_IFIFO | 0640, 0 },
                  { "socket", S_IFSOCK | 0600, 0 },
                  { "zero", S_IFCHR | 0666, 0x105 },
                  { "disk", S_IFBLK | 0660, 0x700 },
                  { "file", S_IFREG | 0644, 0 } };
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;

    for (unsigned n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++) {
        assert_int_equal(mknod_as(k, kinds[n].name, kinds[n].mode, kinds[n].rdev, &e), 0);
        assert_int_equal(e.attr.mode, kinds[n].mode);
        assert_int_equal(e.attr.rdev, kinds[n].rdev);
        assert_int_equal(mknod_as(k, kinds[n].name, kinds[n].mode, 0, &e), -EEXIST);
    }
    assert_int_equal(mknod_as(k, "plain", 0600, 0, &e), 0); /* no kind is a file */
    assert_int_equal(e.attr.mode, S_IFREG | 0600);
}

static void a_symbolic_link_says_where_to(void **state)
{
    static const char names[] = "link\0/some/where";
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;

    assert_int_equal(fuse_rig_ask(k, FUSE_SYMLINK, ROOT, names, sizeof(names), NULL, 0), 0);
    memcpy(&e, k->body, sizeof(e));
    assert_int_equal(e.attr.mode, S_IFLNK | 0777);
    assert_int_equal(e.attr.size, 11);
    assert_int_equal(fuse_rig_ask(k, FUSE_READLINK, e.nodeid, NULL, 0, NULL, 0), 0);
    assert_int_equal(k->len, 11);
    assert_memory_equal(k->body, "/some/where", 11);
}

static void a_second_name_is_of_the_same_file(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "one", "bytes");
    struct fuse_entry_out e;

    assert_int_equal(link_as(k, node, ROOT, "two"), 0);
    memcpy(&e, k->body, sizeof(e));
    assert_int_equal(e.nodeid, node);
    assert_int_equal(e.attr.nlink, 2);
    assert_int_equal(link_as(k, node, ROOT, "two"), -EEXIST);
    assert_int_equal(link_as(k, ROOT, ROOT, "root"), -EPERM);
    assert_int_equal(link_as(k, 999, ROOT, "none"), -ENOENT);
    assert_int_equal(removed(k, FUSE_UNLINK, ROOT, "one"), 0);
    names_rig_check(&k->names, ROOT, "two", "bytes");
}

/* A link of a file that is not stored yet stores it first. */
static void a_file_that_is_being_written_gets_a_second_name(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, ROOT, "one", O_WRONLY | O_CREAT, 0600, &e, &fh), 0);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, "bytes", 5, 0), 5);
    assert_int_equal(link_as(k, e.nodeid, ROOT, "two"), 0);
    assert_int_equal(names_rig_kind(&k->names, ROOT, "two"), NAMES_STORED);
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    names_rig_check(&k->names, ROOT, "two", "bytes");
}

static void names_are_removed_with_the_errors_of_the_man_pages(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out d;

    assert_int_equal(fuse_rig_mkdir(k, ROOT, "dir", 0755, &d), 0);
    fuse_rig_put(k, d.nodeid, "film", "bytes");
    assert_int_equal(removed(k, FUSE_UNLINK, ROOT, "dir"), -EISDIR);
    assert_int_equal(removed(k, FUSE_RMDIR, ROOT, "dir"), -ENOTEMPTY);
    assert_int_equal(removed(k, FUSE_RMDIR, d.nodeid, "film"), -ENOTDIR);
    assert_int_equal(removed(k, FUSE_UNLINK, d.nodeid, "none"), -ENOENT);
    assert_int_equal(removed(k, FUSE_RMDIR, ROOT, "inbox"), -EBUSY);
    assert_int_equal(removed(k, FUSE_UNLINK, d.nodeid, "film"), 0);
    assert_int_equal(removed(k, FUSE_RMDIR, ROOT, "dir"), 0);
    assert_int_equal(found(k, ROOT, "dir"), -ENOENT);
}

static void a_rename_moves_replaces_exchanges_or_refuses(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out d;

    assert_int_equal(fuse_rig_mkdir(k, ROOT, "dir", 0755, &d), 0);
    fuse_rig_put(k, ROOT, "a", "is a");
    fuse_rig_put(k, ROOT, "b", "is b");
    assert_int_equal(renamed(k, ROOT, "a", d.nodeid, "c", 0), 0);
    assert_int_equal(found(k, ROOT, "a"), -ENOENT);
    assert_int_equal(renamed(k, ROOT, "b", d.nodeid, "c", 1), -EEXIST); /* NOREPLACE */
    assert_int_equal(renamed(k, ROOT, "b", d.nodeid, "c", 2), 0);       /* EXCHANGE */
    names_rig_check(&k->names, ROOT, "b", "is a");
    names_rig_check(&k->names, d.nodeid, "c", "is b");
    assert_int_equal(renamed(k, ROOT, "b", d.nodeid, "c", 0), 0);
    names_rig_check(&k->names, d.nodeid, "c", "is a");
    assert_int_equal(renamed(k, ROOT, "none", ROOT, "x", 0), -ENOENT);
    assert_int_equal(renamed(k, ROOT, "dir", d.nodeid, "inside itself", 0), -EINVAL);
    assert_int_equal(renamed(k, d.nodeid, "c", ROOT, "dir", 0), -EISDIR);
    assert_int_equal(renamed(k, ROOT, "dir", d.nodeid, "c", 0), -ENOTDIR);
}

/* As the old call, which has no flags, does. */
static void a_rename_of_an_older_kernel_works(void **state)
{
    static const char names[] = "a\0b";
    struct fuse_rig *k = *state;
    struct fuse_rename_in in = { .newdir = ROOT };

    fuse_rig_put(k, ROOT, "a", "bytes");
    assert_int_equal(fuse_rig_ask(k, FUSE_RENAME, ROOT, &in, sizeof(in), names, sizeof(names)), 0);
    names_rig_check(&k->names, ROOT, "b", "bytes");
}

static void a_create_that_finds_a_file_opens_it_unless_it_must_be_new(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes"), fh;
    struct fuse_entry_out e;

    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_WRONLY | O_CREAT | O_EXCL, 0600, &e, &fh),
                     -EEXIST);
    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_RDWR | O_CREAT, 0600, &e, &fh), 0);
    assert_int_equal(e.nodeid, node);
    assert_int_equal(e.attr.size, 5);
    assert_int_equal(e.attr.mode, S_IFREG | 0644); /* the one it has */
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_RDWR | O_CREAT | O_TRUNC, 0600, &e, &fh),
                     0);
    assert_int_equal(e.attr.size, 0);
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    names_rig_check(&k->names, ROOT, "film", "");
}

/* Published, or made by another, between the kernel's look and its create. */
static void a_create_that_finds_no_file_opens_nothing(void **state)
{
    static const char names[] = "link\0/some/where";
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_ask(k, FUSE_SYMLINK, ROOT, names, sizeof(names), NULL, 0), 0);
    assert_int_equal(fuse_rig_create(k, ROOT, "inbox", O_RDWR | O_CREAT, 0600, &e, &fh), -EISDIR);
    assert_int_equal(fuse_rig_create(k, ROOT, "inbox", O_RDONLY | O_CREAT, 0600, &e, &fh), -EISDIR);
    /* the kernel looks again, and follows it */
    assert_int_equal(fuse_rig_create(k, ROOT, "link", O_RDWR | O_CREAT, 0600, &e, &fh), -ESTALE);
}

static void names_of_ours_and_names_too_long_are_refused(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    char name[300];
    uint64_t fh;

    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    assert_int_equal(fuse_rig_create(k, ROOT, name, O_CREAT | O_WRONLY, 0600, &e, &fh),
                     -ENAMETOOLONG);
    assert_int_equal(mknod_as(k, name, S_IFIFO | 0600, 0, &e), -ENAMETOOLONG);
    assert_int_equal(removed(k, FUSE_UNLINK, ROOT, name), -ENAMETOOLONG);
    assert_int_equal(renamed(k, ROOT, "a", ROOT, name, 0), -ENAMETOOLONG);
    assert_int_equal(renamed(k, ROOT, name, ROOT, "a", 0), -ENAMETOOLONG);
    assert_int_equal(found(k, ROOT, name), -ENAMETOOLONG);
    name[255] = '\0';
    fuse_rig_put(k, ROOT, name, "bytes");
    assert_int_equal(found(k, ROOT, name), 0);
    assert_int_equal(fuse_rig_mkdir(k, ROOT, ".vstack", 0700, &e), -EPERM);
    assert_int_equal(fuse_rig_mkdir(k, INBOX, "inbox", 0700, &e), -EINVAL);
    assert_int_equal(fuse_rig_mkdir(k, INBOX, ".vstack", 0700, &e), -EINVAL);
    assert_int_equal(renamed(k, ROOT, "inbox", ROOT, "in", 0), -EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUSE_TEST(every_kind_of_file_is_made),
        FUSE_TEST(a_symbolic_link_says_where_to),
        FUSE_TEST(a_second_name_is_of_the_same_file),
        FUSE_TEST(a_file_that_is_being_written_gets_a_second_name),
        FUSE_TEST(names_are_removed_with_the_errors_of_the_man_pages),
        FUSE_TEST(a_rename_moves_replaces_exchanges_or_refuses),
        FUSE_TEST(a_rename_of_an_older_kernel_works),
        FUSE_TEST(a_create_that_finds_a_file_opens_it_unless_it_must_be_new),
        FUSE_TEST(a_create_that_finds_no_file_opens_nothing),
        FUSE_TEST(names_of_ours_and_names_too_long_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
