/* Rules of names.h, renames apart: what a name is, who makes and removes it, when bytes go. */
#include "fs/names.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROOT NS_INO_ROOT

static const struct names_caller caller = { .uid = 1000, .gid = 1000 };

static int make(struct names_rig *r, uint64_t parent, const char *name, uint32_t mode,
                struct ns_attr *attr)
{
    return names_make(r->fs, &caller, parent, name, strlen(name), mode, 0,
                      S_ISLNK(mode) ? "target" : NULL, attr);
}

static int create(struct names_rig *r, uint64_t parent, const char *name)
{
    struct inode *i;
    int e = names_create(r->fs, &caller, parent, name, strlen(name), 0644, &i);

    if (e == 0) {
        names_drop_provisional(r->fs, i);
        wfile_drop(r->fs, i);
        inode_put(r->fs->inodes, i);
    }
    return e;
}

static int link_to(struct names_rig *r, uint64_t ino, uint64_t parent, const char *name)
{
    struct ns_attr attr;

    return names_link(r->fs, ino, parent, name, strlen(name), &attr);
}

/* ---- create ---- */

static void a_created_file_is_provisional_until_it_is_committed(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film");
    struct meta_req req = { .op = META_LOOKUP, .ino = ROOT, .name = "film", .name_len = 4 };

    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_PROVISIONAL);
    assert_int_equal(meta_call(r->fs->meta, &req), -ENOENT);
    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_PROVISIONAL);
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_STORED);
    names_rig_check(r, ROOT, "film", "bytes");
}

static void an_empty_file_is_stored_by_its_release(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "empty");

    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "empty"), NAMES_STORED);
}

static void a_name_is_made_once(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "fresh");
    struct ns_attr attr;

    names_rig_put(r, ROOT, "stored", "1");
    names_rig_mkdir(r, ROOT, "dir");
    assert_int_equal(create(r, ROOT, "fresh"), -EEXIST);
    assert_int_equal(create(r, ROOT, "stored"), -EEXIST);
    assert_int_equal(create(r, ROOT, "dir"), -EEXIST);
    assert_int_equal(make(r, ROOT, "fresh", S_IFDIR | 0755, &attr), -EEXIST);
    assert_int_equal(make(r, ROOT, "stored", S_IFDIR | 0755, &attr), -EEXIST);
    assert_int_equal(link_to(r, names_rig_ino(r, ROOT, "stored"), ROOT, "fresh"), -EEXIST);
    assert_int_equal(names_rig_close_file(r, f), 0);
}

static void names_are_checked_before_anything_is_made(void **state)
{
    struct names_rig *r = *state;
    char long_name[NS_NAME_BYTES_MAX + 2];

    memset(long_name, 'x', sizeof(long_name));
    long_name[NS_NAME_BYTES_MAX + 1] = '\0';
    assert_int_equal(create(r, ROOT, long_name), -ENAMETOOLONG);
    assert_int_equal(create(r, ROOT, long_name + 1), 0);
    assert_int_equal(create(r, ROOT, ""), -ENOENT);
    assert_int_equal(create(r, ROOT, ".vstack"), -EPERM);
    assert_int_equal(create(r, NS_INO_INBOX, "inbox"), -EINVAL);
    assert_int_equal(create(r, NS_INO_INBOX, ".vstack"), -EINVAL);
    assert_int_equal(create(r, NS_INO_INBOX, ".ignore"), -EPERM);
    assert_int_equal(create(r, ROOT, ".ignore"), 0); /* only the inbox has one of ours */
}

static void a_file_is_made_in_directories_only(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, ROOT, "film", "1");
    assert_int_equal(create(r, names_rig_ino(r, ROOT, "film"), "x"), -ENOTDIR);
    assert_int_equal(create(r, 4711, "x"), -ENOENT);
}

static void a_new_file_takes_owner_and_mode_and_a_setgid_group(void **state)
{
    struct names_rig *r = *state;
    struct names_caller other = { .uid = 7, .gid = 8 };
    struct ns_attr attr, set = { .gid = 77, .mode = 02775 };
    uint64_t dir = names_rig_mkdir(r, ROOT, "dir");
    struct inode *i;

    assert_int_equal(
        files_setattr(r->fs, &caller, dir, NULL, NS_SET_GID | NS_SET_MODE, &set, NULL, &attr), 0);
    assert_int_equal(names_create(r->fs, &other, dir, "f", 1, 0640, &i), 0);
    assert_int_equal(names_attr(r->fs, i, &attr), 0);
    assert_int_equal(attr.mode, S_IFREG | 0640);
    assert_int_equal(attr.uid, 7);
    assert_int_equal(attr.gid, 77);
    assert_int_equal(files_commit(r->fs, i, WFILE_RELEASE), 0);
    assert_int_equal(names_attr(r->fs, i, &attr), 0); /* the journal says the same */
    assert_int_equal(attr.uid, 7);
    assert_int_equal(attr.gid, 77);
    inode_put(r->fs->inodes, i);
}

/* ---- unlink ---- */

static void an_unlinked_provisional_file_is_never_committed(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film");

    names_rig_write(r, f, 0, "bytes");
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_NONE);
    names_rig_write(r, f, 5, "more");
    names_rig_check_file(r, f, "bytesmore"); /* the handle goes on */
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "film"), NAMES_NONE);
}

static void an_unlinked_name_can_be_made_anew_while_the_old_file_is_open(void **state)
{
    struct names_rig *r = *state;
    struct file *old = names_rig_create(r, ROOT, "film");

    names_rig_write(r, old, 0, "old");
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), 0);
    names_rig_put(r, ROOT, "film", "new");
    assert_int_equal(names_rig_close_file(r, old), 0);
    names_rig_check(r, ROOT, "film", "new");
}

static void a_file_unlinked_while_open_is_forgotten_when_it_is_closed(void **state)
{
    struct names_rig *r = *state;
    struct file *f;
    uint64_t ino;

    names_rig_put(r, ROOT, "film", "bytes");
    ino = names_rig_ino(r, ROOT, "film");
    f = names_rig_open_file(r, ROOT, "film", O_RDONLY);
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), 0);
    assert_true(names_rig_is_orphan(r, ino));
    names_rig_check_file(r, f, "bytes");
    files_release(r->fs, f);
    assert_false(names_rig_is_orphan(r, ino));
    assert_int_equal(names_rig_nlink(r, ino), -1);
}

static void a_file_nobody_has_open_is_forgotten_at_once(void **state)
{
    struct names_rig *r = *state;
    uint64_t ino;

    names_rig_put(r, ROOT, "film", "bytes");
    ino = names_rig_ino(r, ROOT, "film");
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), 0);
    assert_int_equal(names_rig_nlink(r, ino), -1);
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), -ENOENT);
}

static void a_forgotten_file_cannot_be_opened(void **state)
{
    struct names_rig *r = *state;
    struct inode *i;
    struct file *f;
    bool keep;

    names_rig_put(r, ROOT, "film", "bytes");
    i = inode_get(r->fs->inodes, names_rig_ino(r, ROOT, "film")); /* the kernel remembers it */
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), 0);
    assert_int_equal(files_open(r->fs, &caller, i->ino, O_RDONLY, &f, &keep), -ESTALE);
    assert_int_equal(files_open(r->fs, &caller, i->ino, O_RDWR, &f, &keep), -ESTALE);
    inode_put(r->fs->inodes, i);
}

static void a_file_with_another_name_stays(void **state)
{
    struct names_rig *r = *state;
    uint64_t ino;

    names_rig_put(r, ROOT, "a", "bytes");
    ino = names_rig_ino(r, ROOT, "a");
    assert_int_equal(link_to(r, ino, ROOT, "b"), 0);
    assert_int_equal(names_rig_unlink(r, ROOT, "a"), 0);
    assert_int_equal(names_rig_nlink(r, ino), 1);
    names_rig_check(r, ROOT, "b", "bytes");
}

static void what_was_written_to_an_unlinked_stored_file_is_read_and_not_kept(void **state)
{
    struct names_rig *r = *state;
    struct file *f;
    uint64_t ino;

    names_rig_put(r, ROOT, "film", "bytes");
    ino = names_rig_ino(r, ROOT, "film");
    f = names_rig_open_file(r, ROOT, "film", O_RDWR);
    assert_int_equal(names_rig_unlink(r, ROOT, "film"), 0);
    names_rig_write(r, f, 0, "B");
    names_rig_check_file(r, f, "Bytes");
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(names_rig_nlink(r, ino), -1);
}

/* ---- link ---- */

static void a_link_commits_a_provisional_file_first(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "a");
    struct inode *i = f->inode;

    names_rig_write(r, f, 0, "by");
    assert_int_equal(link_to(r, i->ino, ROOT, "b"), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "a"), NAMES_STORED);
    names_rig_write(r, f, 2, "tes");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "b", "bytes");
    assert_int_equal(names_rig_nlink(r, names_rig_ino(r, ROOT, "a")), 2);
}

/* ---- rmdir ---- */

static void a_directory_with_a_provisional_file_is_not_empty(void **state)
{
    struct names_rig *r = *state;
    uint64_t dir = names_rig_mkdir(r, ROOT, "dir");
    struct file *f = names_rig_create(r, dir, "film");

    assert_int_equal(names_rmdir(r->fs, ROOT, "dir", 3), -ENOTEMPTY);
    assert_int_equal(names_rig_unlink(r, dir, "film"), 0);
    assert_int_equal(names_rmdir(r->fs, ROOT, "dir", 3), 0);
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(names_rig_kind(r, ROOT, "dir"), NAMES_NONE);
}

static void rmdir_takes_directories_only_and_never_the_inbox(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "fresh");

    names_rig_put(r, ROOT, "film", "1");
    assert_int_equal(names_rmdir(r->fs, ROOT, "film", 4), -ENOTDIR);
    assert_int_equal(names_rmdir(r->fs, ROOT, "fresh", 5), -ENOTDIR);
    assert_int_equal(names_rmdir(r->fs, ROOT, "nothing", 7), -ENOENT);
    assert_int_equal(names_rmdir(r->fs, ROOT, "inbox", 5), -EBUSY);
    assert_int_equal(names_rmdir(r->fs, ROOT, ".vstack", 7), -EPERM);
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_mkdir(r, ROOT, "dir");
    assert_int_equal(names_rig_unlink(r, ROOT, "dir"), -EISDIR);
    assert_int_equal(names_rmdir(r->fs, ROOT, "dir", 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMES_TEST(a_created_file_is_provisional_until_it_is_committed),
        NAMES_TEST(an_empty_file_is_stored_by_its_release),
        NAMES_TEST(a_name_is_made_once),
        NAMES_TEST(names_are_checked_before_anything_is_made),
        NAMES_TEST(a_file_is_made_in_directories_only),
        NAMES_TEST(a_new_file_takes_owner_and_mode_and_a_setgid_group),
        NAMES_TEST(an_unlinked_provisional_file_is_never_committed),
        NAMES_TEST(an_unlinked_name_can_be_made_anew_while_the_old_file_is_open),
        NAMES_TEST(a_file_unlinked_while_open_is_forgotten_when_it_is_closed),
        NAMES_TEST(a_file_nobody_has_open_is_forgotten_at_once),
        NAMES_TEST(a_forgotten_file_cannot_be_opened),
        NAMES_TEST(a_file_with_another_name_stays),
        NAMES_TEST(what_was_written_to_an_unlinked_stored_file_is_read_and_not_kept),
        NAMES_TEST(a_link_commits_a_provisional_file_first),
        NAMES_TEST(a_directory_with_a_provisional_file_is_not_empty),
        NAMES_TEST(rmdir_takes_directories_only_and_never_the_inbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
