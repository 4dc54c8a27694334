/* fuse_attr: what stat(2), chmod(2) and their kin are answered, and how long the kernel may keep
 * it.
 */
#include "common/err.h"
#include "tests/support/fuse_rig.h"
#include "tests/support/meta_twist.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROOT  NS_INO_ROOT
#define INBOX NS_INO_INBOX

static struct fuse_attr_out attr_of(struct fuse_rig *k, uint64_t node)
{
    struct fuse_attr_out a;

    assert_int_equal(fuse_rig_getattr(k, node, &a), 0);
    assert_int_equal(a.attr.ino, node);
    return a;
}

static struct fuse_attr_out set(struct fuse_rig *k, uint64_t node, struct fuse_setattr_in in)
{
    struct fuse_attr_out a;

    assert_int_equal(fuse_rig_setattr(k, node, &in, &a), 0);
    return a;
}

static void what_was_stored_is_told_and_kept(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    struct fuse_attr_out a = attr_of(k, node);

    assert_int_equal(a.attr.size, 5);
    assert_int_equal(a.attr.blocks, 1);
    assert_int_equal(a.attr.nlink, 1);
    assert_int_equal(a.attr.mode, S_IFREG | 0644);
    assert_int_equal(a.attr.blksize, 1u << 20);
    assert_true(a.attr_valid >= 60); /* this mount alone changes it */
}

static void the_maker_owns_it(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_attr_out a;
    struct fuse_entry_out d;
    uint64_t node;

    k->uid = 1001;
    k->gid = 1002;
    node = fuse_rig_put(k, ROOT, "film", "bytes");
    a = attr_of(k, node);
    assert_int_equal(a.attr.uid, 1001);
    assert_int_equal(a.attr.gid, 1002);
    assert_int_equal(fuse_rig_mkdir(k, ROOT, "dir", 0755, &d), 0);
    assert_int_equal(d.attr.uid, 1001);
    assert_int_equal(d.attr.gid, 1002);
    assert_int_equal(d.attr.mode, S_IFDIR | 0755);
    assert_int_equal(d.attr.nlink, 2);
}

static void what_is_being_written_is_told_as_it_is_and_not_kept(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    struct fuse_attr_out a;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_WRONLY | O_CREAT, 0600, &e, &fh), 0);
    assert_int_equal(e.attr_valid, 0);
    assert_int_equal(e.entry_valid, 0); /* a commit that fails takes the name back */
    for (unsigned n = 1; n <= 3; n++) {
        assert_int_equal(fuse_rig_write(k, e.nodeid, fh, (n - 1) * 1000, k->body, 1000, 0), 1000);
        a = attr_of(k, e.nodeid);
        assert_int_equal(a.attr.size, n * 1000);
        assert_int_equal(a.attr.blocks, (n * 1000 + 511) / 512);
        assert_int_equal(a.attr_valid, 0);
    }
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    a = attr_of(k, e.nodeid);
    assert_int_equal(a.attr.size, 3000);
    assert_true(a.attr_valid >= 60);
}

static void names_of_the_inbox_are_not_kept(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, INBOX, "film.part", O_WRONLY | O_CREAT, 0600, &e, &fh), 0);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, "bytes", 5, 0), 5);
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_lookup(k, INBOX, "film.part", &e), 0);
    assert_int_equal(e.entry_valid, 0);
    assert_int_equal(e.attr_valid, 0);
    assert_int_equal(attr_of(k, e.nodeid).attr_valid, 0);
}

static void a_new_name_changes_its_folder_at_once(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out d, e;
    struct fuse_attr_out before, now;
    uint64_t fh;

    assert_int_equal(fuse_rig_mkdir(k, ROOT, "dir", 0755, &d), 0);
    set(k, d.nodeid, (struct fuse_setattr_in){ .valid = FATTR_MTIME, .mtime = 1000 });
    before = attr_of(k, d.nodeid);
    assert_int_equal(before.attr.mtime, 1000);
    assert_int_equal(fuse_rig_create(k, d.nodeid, "film", O_WRONLY | O_CREAT, 0600, &e, &fh), 0);
    now = attr_of(k, d.nodeid);
    assert_true(now.attr.mtime > before.attr.mtime); /* though nothing is stored yet */
    assert_int_equal(now.attr_valid, 0);
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    assert_true(attr_of(k, d.nodeid).attr.mtime > before.attr.mtime);
}

static void each_attribute_is_set_by_itself(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    struct fuse_attr_out a;

    a = set(k, node, (struct fuse_setattr_in){ .valid = FATTR_MODE, .mode = S_IFREG | 0640 });
    assert_int_equal(a.attr.mode, S_IFREG | 0640);
    a = set(k, node, (struct fuse_setattr_in){ .valid = FATTR_UID, .uid = 5, .gid = 9 });
    assert_int_equal(a.attr.uid, 5);
    assert_int_equal(a.attr.gid, 0);
    a = set(k, node, (struct fuse_setattr_in){ .valid = FATTR_GID, .uid = 9, .gid = 6 });
    assert_int_equal(a.attr.uid, 5);
    assert_int_equal(a.attr.gid, 6);
    a = set(k, node,
            (struct fuse_setattr_in){
                .valid = FATTR_MTIME, .mtime = 77, .mtimensec = 78, .atime = 79 });
    assert_int_equal(a.attr.mtime, 77);
    assert_int_equal(a.attr.mtimensec, 78);
    assert_true(a.attr.atime > 79);
    a = set(k, node, (struct fuse_setattr_in){ .valid = FATTR_ATIME, .atime = 80 });
    assert_int_equal(a.attr.atime, 80);
    assert_int_equal(a.attr.mtime, 77);
    a = set(k, node, (struct fuse_setattr_in){ .valid = FATTR_MTIME | FATTR_MTIME_NOW });
    assert_true(a.attr.mtime > 1000000000);
    assert_int_equal(a.attr.atime, 80);
    a = set(k, node, (struct fuse_setattr_in){ .valid = FATTR_ATIME | FATTR_ATIME_NOW });
    assert_true(a.attr.atime > 1000000000);
    a = set(k, node, (struct fuse_setattr_in){ .valid = FATTR_SIZE, .size = 2 });
    assert_int_equal(a.attr.size, 2);
    assert_int_equal(a.attr.mode, S_IFREG | 0640);
    a = attr_of(k, node);
    assert_int_equal(a.attr.size, 2);
    assert_int_equal(a.attr.uid, 5);
    names_rig_check(&k->names, ROOT, "film", "by");
}

/* 1901 and 2500 are dates of real files. */
static void times_before_1970_and_after_2106_are_kept(void **state)
{
    static const int64_t times[] = { -2147483648ll, -1, 0, 4294967296ll, 16725225600ll };
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");

    for (unsigned n = 0; n < 5; n++) {
        set(k, node,
            (struct fuse_setattr_in){
                .valid = FATTR_MTIME, .mtime = (uint64_t)times[n], .mtimensec = 999999999 });
        assert_true((int64_t)attr_of(k, node).attr.mtime == times[n]);
        assert_int_equal(attr_of(k, node).attr.mtimensec, 999999999);
    }
}

static void a_size_is_set_through_a_handle_or_by_name(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    struct fuse_open_out o;
    struct fuse_attr_out a;

    assert_int_equal(fuse_rig_open(k, node, O_WRONLY, &o), 0);
    a = set(k, node,
            (struct fuse_setattr_in){ .valid = FATTR_SIZE | FATTR_FH, .fh = o.fh, .size = 3 });
    assert_int_equal(a.attr.size, 3);
    assert_int_equal(rig_stored_attr(&k->names.rig, ROOT, "film").size, 5); /* by the close */
    assert_int_equal(fuse_rig_flush(k, node, o.fh), 0);
    assert_int_equal(fuse_rig_release(k, node, o.fh), 0);
    assert_int_equal(rig_stored_attr(&k->names.rig, ROOT, "film").size, 3);
    set(k, node, (struct fuse_setattr_in){ .valid = FATTR_SIZE, .size = 1 });
    assert_int_equal(rig_stored_attr(&k->names.rig, ROOT, "film").size, 1); /* at once */
}

static void a_sparse_file_takes_no_blocks(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    struct fuse_attr_out a =
        set(k, node, (struct fuse_setattr_in){ .valid = FATTR_SIZE, .size = UINT64_C(1) << 40 });

    assert_int_equal(a.attr.size, UINT64_C(1) << 40);
    a = attr_of(k, node);
    assert_int_equal(a.attr.size, UINT64_C(1) << 40);
    assert_true(a.attr.blocks <= (64u << 10) / 512); /* what it had, and the rest of its piece */
}

static void control_files_are_told_and_not_changed(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t dir = fuse_rig_node(k, ROOT, ".vstack"), node = fuse_rig_node(k, dir, "status");
    struct fuse_setattr_in in = { .valid = FATTR_MODE, .mode = 0777 };
    struct fuse_attr_out a;

    assert_int_equal(attr_of(k, node).attr.mode, S_IFREG | 0444);
    assert_int_equal(attr_of(k, dir).attr.mode, S_IFDIR | 0555);
    assert_int_equal(fuse_rig_setattr(k, node, &in, &a), -EPERM);
    in = (struct fuse_setattr_in){ .valid = FATTR_SIZE | FATTR_KILL_SUIDGID };
    assert_int_equal(fuse_rig_setattr(k, node, &in, &a), 0); /* "echo > control" cuts it first */
}

static void what_is_not_there_is_said(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_setattr_in in = { .valid = FATTR_MODE, .mode = 0777 };
    struct fuse_attr_out a;

    assert_int_equal(fuse_rig_getattr(k, 999, &a), -ENOENT);
    assert_int_equal(fuse_rig_setattr(k, 999, &in, &a), -ENOENT);
}

static void df_is_told(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_statfs_out s;

    fuse_rig_put(k, ROOT, "film", "bytes");
    assert_int_equal(fuse_rig_ask(k, FUSE_STATFS, ROOT, NULL, 0, NULL, 0), 0);
    assert_int_equal(k->len, sizeof(s));
    memcpy(&s, k->body, sizeof(s));
    assert_int_equal(s.st.bsize, 4096);
    assert_int_equal(s.st.namelen, 255);
    assert_int_equal(s.st.blocks, s.st.bfree + 1);
}

static void answer_down(void *arg, struct meta_req *r)
{
    (void)arg;
    r->status = -VS_EDOWN;
}

static void metadata_out_of_reach_is_an_errno_the_kernel_knows(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_attr_out a;

    k->fs->meta = meta_twist_new(k->fs->meta);
    meta_twist_set(k->fs->meta, answer_down, NULL);
    assert_int_equal(fuse_rig_getattr(k, ROOT, &a), -EHOSTDOWN);
    assert_int_equal(fuse_rig_ask(k, FUSE_STATFS, ROOT, NULL, 0, NULL, 0), -EHOSTDOWN);
    meta_twist_set(k->fs->meta, NULL, NULL);
    assert_int_equal(fuse_rig_getattr(k, ROOT, &a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUSE_TEST(what_was_stored_is_told_and_kept),
        FUSE_TEST(the_maker_owns_it),
        FUSE_TEST(what_is_being_written_is_told_as_it_is_and_not_kept),
        FUSE_TEST(names_of_the_inbox_are_not_kept),
        FUSE_TEST(a_new_name_changes_its_folder_at_once),
        FUSE_TEST(each_attribute_is_set_by_itself),
        FUSE_TEST(times_before_1970_and_after_2106_are_kept),
        FUSE_TEST(a_size_is_set_through_a_handle_or_by_name),
        FUSE_TEST(a_sparse_file_takes_no_blocks),
        FUSE_TEST(control_files_are_told_and_not_changed),
        FUSE_TEST(what_is_not_there_is_said),
        FUSE_TEST(df_is_told),
        FUSE_TEST(metadata_out_of_reach_is_an_errno_the_kernel_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
