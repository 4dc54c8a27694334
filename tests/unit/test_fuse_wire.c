/* fuse_wire: suid and sgid go when the kernel says that whoever writes may not keep them, in every
 * state of a file; and the kernel is told that we see to it only if it offers that. */
#include "tests/support/fuse_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROOT NS_INO_ROOT

static uint32_t mode_of(struct fuse_rig *k, uint64_t node)
{
    struct fuse_attr_out a;

    assert_int_equal(fuse_rig_getattr(k, node, &a), 0);
    return a.attr.mode & 07777;
}

static void chmod_to(struct fuse_rig *k, uint64_t node, uint32_t mode)
{
    struct fuse_setattr_in in = { .valid = FATTR_MODE, .mode = mode };
    struct fuse_attr_out a;

    assert_int_equal(fuse_rig_setattr(k, node, &in, &a), 0);
    assert_int_equal(a.attr.mode & 07777, mode);
}

static uint64_t stored_with(struct fuse_rig *k, const char *name, uint32_t mode)
{
    uint64_t node = fuse_rig_put(k, ROOT, name, "bytes");

    chmod_to(k, node, mode);
    return node;
}

static uint64_t opened(struct fuse_rig *k, uint64_t node)
{
    struct fuse_open_out o;

    assert_int_equal(fuse_rig_open(k, node, O_WRONLY, &o), 0);
    return o.fh;
}

static void closed(struct fuse_rig *k, uint64_t node, uint64_t fh)
{
    assert_int_equal(fuse_rig_flush(k, node, fh), 0);
    assert_int_equal(fuse_rig_release(k, node, fh), 0);
}

static void the_kernel_is_told_that_we_see_to_it(void **state)
{
    struct fuse_rig *k = *state;

    assert_true(k->init.flags & FUSE_HANDLE_KILLPRIV_V2);
    assert_false(k->init.flags & FUSE_HANDLE_KILLPRIV);
}

static void a_kernel_that_does_not_offer_it_is_not_told(void **state)
{
    struct fuse_rig *k = calloc(1, sizeof(*k));
    uint64_t node;

    (void)state;
    assert_non_null(k);
    fuse_rig_begin(k, ~(1u << 30 | FUSE_HANDLE_KILLPRIV_V2));
    assert_false(k->init.flags & FUSE_HANDLE_KILLPRIV_V2);
    assert_int_equal(k->init.max_write, 1u << 20); /* the rest is as ever */
    node = fuse_rig_put(k, ROOT, "film", "bytes");
    assert_int_equal(mode_of(k, node), 0644);
    *state = k;
    fuse_rig_teardown(state);
}

static void a_write_clears_suid_and_sgid_when_it_is_said(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = stored_with(k, "film", 06755), fh = opened(k, node);

    assert_int_equal(fuse_rig_write(k, node, fh, 5, "a", 1, 0), 1);
    assert_int_equal(mode_of(k, node), 06755); /* by somebody who may keep them */
    assert_int_equal(fuse_rig_write(k, node, fh, 6, "b", 1, FUSE_WRITE_KILL_SUIDGID), 1);
    assert_int_equal(mode_of(k, node), 0755);
    assert_true(fuse_rig_was_told(k, FUSE_NOTIFY_INVAL_INODE, node, NULL));
    closed(k, node, fh);
    assert_int_equal(mode_of(k, node), 0755);
    names_rig_check(&k->names, ROOT, "film", "bytesab");
}

/* It stands for mandatory locking then, and gives nobody a right. */
static void sgid_without_the_right_of_the_group_to_execute_stays(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = stored_with(k, "film", 06745), fh = opened(k, node);

    assert_int_equal(fuse_rig_write(k, node, fh, 0, "a", 1, FUSE_WRITE_KILL_SUIDGID), 1);
    assert_int_equal(mode_of(k, node), 02745);
    closed(k, node, fh);
}

static void what_is_set_again_is_cleared_again(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = stored_with(k, "film", 0755), fh = opened(k, node);

    for (unsigned n = 0; n < 3; n++) {
        assert_int_equal(fuse_rig_write(k, node, fh, 0, "a", 1, FUSE_WRITE_KILL_SUIDGID), 1);
        assert_int_equal(mode_of(k, node), 0755);
        chmod_to(k, node, 04755);
    }
    closed(k, node, fh);
    assert_int_equal(mode_of(k, node), 04755);
}

static void a_file_that_is_not_stored_yet_loses_them_too(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_WRONLY | O_CREAT, 0755, &e, &fh), 0);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, "a", 1, FUSE_WRITE_KILL_SUIDGID), 1);
    chmod_to(k, e.nodeid, 06755);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 1, "b", 1, 0), 1);
    assert_int_equal(mode_of(k, e.nodeid), 06755);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 2, "c", 1, FUSE_WRITE_KILL_SUIDGID), 1);
    assert_int_equal(mode_of(k, e.nodeid), 0755);
    closed(k, e.nodeid, fh);
    assert_int_equal(mode_of(k, e.nodeid), 0755);
    names_rig_check(&k->names, ROOT, "film", "abc");
}

static void the_mode_a_file_is_made_with_stays(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, ROOT, "tool", O_WRONLY | O_CREAT, 04755, &e, &fh), 0);
    assert_int_equal(e.attr.mode & 07777, 04755);
    closed(k, e.nodeid, fh);
    assert_int_equal(mode_of(k, e.nodeid), 04755);
}

static void a_truncate_clears_them_when_it_is_said(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = stored_with(k, "film", 06755);
    struct fuse_setattr_in in = { .valid = FATTR_SIZE, .size = 3 };
    struct fuse_attr_out a;

    assert_int_equal(fuse_rig_setattr(k, node, &in, &a), 0);
    assert_int_equal(a.attr.mode & 07777, 06755);
    in = (struct fuse_setattr_in){ .valid = FATTR_SIZE | FATTR_KILL_SUIDGID, .size = 2 };
    assert_int_equal(fuse_rig_setattr(k, node, &in, &a), 0);
    assert_int_equal(a.attr.mode & 07777, 0755);
    assert_int_equal(a.attr.size, 2);
    names_rig_check(&k->names, ROOT, "film", "by");
}

static void a_chown_clears_them(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = stored_with(k, "film", 06755);
    struct fuse_setattr_in in = { .valid = FATTR_UID | FATTR_GID | FATTR_KILL_SUIDGID,
                                  .uid = 7,
                                  .gid = 8 };
    struct fuse_attr_out a;

    assert_int_equal(fuse_rig_setattr(k, node, &in, &a), 0);
    assert_int_equal(a.attr.mode & 07777, 0755);
    assert_int_equal(a.attr.uid, 7);
    assert_int_equal(a.attr.gid, 8);
}

static void an_open_that_truncates_clears_them_when_it_is_said(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = stored_with(k, "film", 06755);
    struct fuse_open_in in = { .flags = O_WRONLY | O_TRUNC };
    struct fuse_open_out o;

    assert_int_equal(fuse_rig_open(k, node, O_WRONLY | O_TRUNC, &o), 0);
    closed(k, node, o.fh);
    assert_int_equal(mode_of(k, node), 06755);
    in.open_flags = FUSE_OPEN_KILL_SUIDGID;
    assert_int_equal(fuse_rig_ask(k, FUSE_OPEN, node, &in, sizeof(in), NULL, 0), 0);
    memcpy(&o, k->body, sizeof(o));
    assert_int_equal(mode_of(k, node), 0755);
    closed(k, node, o.fh);
    chmod_to(k, node, 06755);
    in.flags = O_WRONLY; /* nothing is cut by this one */
    assert_int_equal(fuse_rig_ask(k, FUSE_OPEN, node, &in, sizeof(in), NULL, 0), 0);
    memcpy(&o, k->body, sizeof(o));
    closed(k, node, o.fh);
    assert_int_equal(mode_of(k, node), 06755);
}

/* The kernel thinks that it is new; somebody has made it meanwhile. */
static void a_create_that_opens_and_truncates_clears_them(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = stored_with(k, "film", 06755);
    struct fuse_create_in in = { .flags = O_WRONLY | O_CREAT | O_TRUNC,
                                 .mode = S_IFREG | 0644,
                                 .open_flags = FUSE_OPEN_KILL_SUIDGID };
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out;

    assert_int_equal(fuse_rig_ask(k, FUSE_CREATE, ROOT, &in, sizeof(in), "film", 5), 0);
    assert_int_equal(k->len, sizeof(out));
    memcpy(&out, k->body, sizeof(out));
    assert_int_equal(out.entry.nodeid, node);
    assert_int_equal(out.entry.attr.mode & 07777, 0755);
    closed(k, node, out.open.fh);
}

/* There the kernel says nothing, but who asks. */
static void fallocate_clears_them_unless_it_is_root(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = stored_with(k, "film", 06755), fh = opened(k, node);
    struct fuse_fallocate_in in = { .fh = fh, .offset = 0, .length = 100 };

    assert_int_equal(fuse_rig_ask(k, FUSE_FALLOCATE, node, &in, sizeof(in), NULL, 0), 0);
    assert_int_equal(mode_of(k, node), 06755);
    k->uid = 1000;
    assert_int_equal(fuse_rig_ask(k, FUSE_FALLOCATE, node, &in, sizeof(in), NULL, 0), 0);
    assert_int_equal(mode_of(k, node), 0755);
    closed(k, node, fh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUSE_TEST(the_kernel_is_told_that_we_see_to_it),
        cmocka_unit_test(a_kernel_that_does_not_offer_it_is_not_told),
        FUSE_TEST(a_write_clears_suid_and_sgid_when_it_is_said),
        FUSE_TEST(sgid_without_the_right_of_the_group_to_execute_stays),
        FUSE_TEST(what_is_set_again_is_cleared_again),
        FUSE_TEST(a_file_that_is_not_stored_yet_loses_them_too),
        FUSE_TEST(the_mode_a_file_is_made_with_stays),
        FUSE_TEST(a_truncate_clears_them_when_it_is_said),
        FUSE_TEST(a_chown_clears_them),
        FUSE_TEST(an_open_that_truncates_clears_them_when_it_is_said),
        FUSE_TEST(a_create_that_opens_and_truncates_clears_them),
        FUSE_TEST(fallocate_clears_them_unless_it_is_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
