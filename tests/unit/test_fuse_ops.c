/* fuse_ops: what is asked of the kernel, what it is told unasked, and an end that leaves nothing
 * behind. */
#include "fs/fuse_ops.h"
#include "fs/notify.h"
#include "tests/support/fuse_rig.h"
#include "tests/support/meta_twist.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOT NS_INO_ROOT

static void the_kernel_is_asked_for_what_the_mount_needs(void **state)
{
    struct fuse_rig *k = *state;
    uint32_t want = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DO_READDIRPLUS |
                    FUSE_READDIRPLUS_AUTO | FUSE_PARALLEL_DIROPS | FUSE_CACHE_SYMLINKS;

    assert_int_equal(k->init.flags & want, want);
    assert_int_equal(k->init.max_write, 1u << 20);
    assert_int_equal(k->init.time_gran, 1);
}

/* Each of these would break a promise: close() durable and in order, O_TRUNC seen by an alias, the
 * caller's umask, ACLs that nobody checks, locks of one machine answered by nobody. */
static void the_kernel_is_not_asked_for_what_would_break_a_promise(void **state)
{
    struct fuse_rig *k = *state;
    uint32_t refused = FUSE_WRITEBACK_CACHE | FUSE_AUTO_INVAL_DATA | FUSE_POSIX_LOCKS |
                       FUSE_FLOCK_LOCKS | FUSE_DONT_MASK | FUSE_POSIX_ACL;

    assert_int_equal(k->init.flags & refused, 0);
}

static void what_the_mount_changes_by_itself_is_told(void **state)
{
    struct fuse_rig *k = *state;

    notify_pages(k->fs->notify, 17);
    notify_entry(k->fs->notify, 18, "film", 4);
    assert_true(fuse_rig_was_told(k, FUSE_NOTIFY_INVAL_INODE, 17, NULL));
    assert_true(fuse_rig_was_told(k, FUSE_NOTIFY_INVAL_ENTRY, 18, "film"));
    assert_false(fuse_rig_was_told(k, FUSE_NOTIFY_INVAL_ENTRY, 18, "filn"));
}

/* The kernel sends a release behind the last close; when the mount ends it may never come. */
static void handles_whose_release_never_comes_are_freed_at_the_end(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_open_in in = { .flags = O_RDONLY };
    struct fuse_entry_out e;
    struct fuse_open_out o;
    uint64_t fh;

    fuse_rig_put(k, ROOT, "film", "bytes");
    assert_int_equal(fuse_rig_open(k, fuse_rig_node(k, ROOT, "film"), O_RDWR, &o), 0);
    assert_int_equal(fuse_rig_create(k, ROOT, "half", O_WRONLY | O_CREAT, 0644, &e, &fh), 0);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, "never flushed", 13, 0), 13);
    assert_int_equal(fuse_rig_ask(k, FUSE_OPENDIR, ROOT, &in, sizeof(in), NULL, 0), 0);
    fuse_rig_hang_up(k); /* what is not freed is a leak, which the sanitizer reports */
    assert_null(k->fs->se);
    assert_int_equal(names_rig_kind(&k->names, ROOT, "film"), NAMES_STORED);
}

struct slow {
    _Atomic bool asked, ending, answered;
};

/* The metadata answers a little after the connection was cut. */
static void answer_late(void *arg, struct meta_req *r)
{
    struct slow *s = arg;

    if (r->op != META_CHANGE)
        return;
    s->asked = true;
    while (!s->ending)
        sched_yield();
    usleep(50 * 1000);
    s->answered = true;
}

static void the_end_waits_for_requests_that_are_being_answered(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_mkdir_in in = { .mode = 0755 };
    struct slow slow = { .asked = false };

    k->fs->meta = meta_twist_new(k->fs->meta);
    meta_twist_set(k->fs->meta, answer_late, &slow);
    fuse_rig_send(k, FUSE_MKDIR, ROOT, &in, sizeof(in), "dir", 4);
    while (!slow.asked)
        sched_yield();
    slow.ending = true;
    fuse_rig_hang_up(k);
    assert_true(slow.answered);
    meta_twist_set(k->fs->meta, NULL, NULL);
    assert_int_equal(names_rig_kind(&k->names, ROOT, "dir"), NAMES_STORED);
    fuse_ops_unmount(k->fs); /* forgives */
}

static void a_mount_point_that_cannot_be_mounted_is_an_error(void **state)
{
    struct fuse_rig *k = *state;
    struct vsfs other = { .opt = { .mountpoint = "/dev/fd/9999" }, .inbox = k->fs->inbox };

    fuse_rig_hang_up(k);
    other.clock = k->fs->clock;
    assert_int_equal(fuse_ops_mount(&other, "fsname=test"), -EIO);
    assert_null(other.se);
    assert_null(other.notify);
    assert_int_equal(fuse_ops_mount(&other, "frobnicate"), -EINVAL);
}

static void a_call_we_do_not_have_is_enosys(void **state)
{
    struct fuse_rig *k = *state;

    assert_int_equal(fuse_rig_ask(k, FUSE_BMAP, ROOT, "12345678901234567890123", 24, NULL, 0),
                     -ENOSYS);
    assert_int_equal(fuse_rig_ask(k, 4000, ROOT, NULL, 0, NULL, 0), -ENOSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUSE_TEST(the_kernel_is_asked_for_what_the_mount_needs),
        FUSE_TEST(the_kernel_is_not_asked_for_what_would_break_a_promise),
        FUSE_TEST(what_the_mount_changes_by_itself_is_told),
        FUSE_TEST(handles_whose_release_never_comes_are_freed_at_the_end),
        FUSE_TEST(the_end_waits_for_requests_that_are_being_answered),
        FUSE_TEST(a_mount_point_that_cannot_be_mounted_is_an_error),
        FUSE_TEST(a_call_we_do_not_have_is_enosys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
