/* feed_follow: what others change is taken back from the kernel, and nothing is kept while nobody
 * says what they change. */
#include "common/assert.h"
#include "fs/cache_guard.h"
#include "fs/feed_follow.h"
#include "fs/waiter.h"
#include "tests/support/fuse_rig.h"
#include "tests/support/meta_twist.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define ROOT       NS_INO_ROOT
#define INC_EPOCH  8 /* FUSE_NOTIFY_INC_EPOCH */
#define OWN_CLIENT 100
#define TRIES_MAX  20000 /* of a millisecond */

/* What the metadata answer is held, or refused. */
static struct {
    _Atomic int hold; /* enum meta_op + 1; once */
    _Atomic int down; /* the same, until it is 0 */
    struct waiter held, go;
} twist;

static void twist_answer(void *arg, struct meta_req *r)
{
    int op = (int)r->op + 1;

    (void)arg;
    if (atomic_load(&twist.down) == op)
        r->status = -EIO;
    if (!atomic_compare_exchange_strong(&twist.hold, &op, 0))
        return;
    waiter_wake(&twist.held);
    waiter_wait(&twist.go);
}

static void pause_ms(void)
{
    const struct timespec ms = { 0, 1000000 };

    nanosleep(&ms, NULL);
}

static void await_live(struct fuse_rig *k, bool live)
{
    for (unsigned n = 0; cache_guard_is_live(k->fs->guard) != live; n++) {
        assert_true(n < TRIES_MAX);
        pause_ms();
    }
}

static void await_told(struct fuse_rig *k, int code, uint64_t node, const char *name)
{
    for (unsigned n = 0; !fuse_rig_was_told(k, code, node, name); n++) {
        assert_true(n < TRIES_MAX);
        pause_ms();
    }
}

/* All that has happened so far. */
static void await_heard(struct fuse_rig *k)
{
    struct meta_req r = { .op = META_STATS };
    struct feed_follow_state s;

    assert_int_equal(meta_call(k->fs->meta, &r), 0);
    for (unsigned n = 0;; n++) {
        feed_follow_state(k->fs->follow, &s);
        if (s.slot >= r.stats.applied_slot)
            return;
        assert_true(n < TRIES_MAX);
        pause_ms();
    }
}

static int setup(void **state)
{
    struct fuse_rig *k;
    int r = fuse_rig_setup(state);

    k = *state;
    atomic_store(&twist.hold, 0);
    atomic_store(&twist.down, 0);
    twist.held = twist.go = (struct waiter)WAITER_INIT;
    k->fs->meta = meta_twist_new(k->fs->meta);
    k->fs->meta->own_first = OWN_CLIENT;
    k->fs->meta->own_count = 1;
    meta_twist_set(k->fs->meta, twist_answer, NULL);
    k->fs->shared = true;
    if (r == 0)
        r = cache_guard_new(&k->fs->guard, &vs_clock_system);
    if (r == 0)
        r = feed_follow_start(&k->fs->follow, k->fs);
    if (r == 0)
        await_live(k, true);
    return r;
}

static int teardown(void **state)
{
    struct fuse_rig *k = *state;
    struct cache_guard *guard = k->fs->guard;
    int r = fuse_rig_teardown(state);

    cache_guard_free(guard); /* requests have ended */
    return r;
}

/* A change of another mount; or of this one, by a client of its own. */
static struct ns_answer change(struct fuse_rig *k, struct ns_entry e, uint64_t client)
{
    static uint64_t request;
    struct meta_req r = { .op = META_CHANGE, .entry = &e };

    e.client = client;
    e.request = client != 0 ? ++request : 0;
    e.now.s = 1000;
    assert_int_equal(meta_call(k->fs->meta, &r), 0);
    return r.answer;
}

static void change_mode(struct fuse_rig *k, uint64_t ino, uint32_t mode, uint64_t client)
{
    struct ns_entry e = {
        .kind = NS_E_SETATTR, .ino = ino, .set = NS_SET_MODE, .attr = { .mode = mode }
    };

    (void)change(k, e, client);
}

static void change_name(struct fuse_rig *k, const char *name, const char *new_name)
{
    struct ns_entry e = { .kind = NS_E_RENAME,
                          .parent = ROOT,
                          .name = name,
                          .name_len = strlen(name),
                          .new_parent = ROOT,
                          .new_name = new_name,
                          .new_name_len = strlen(new_name) };

    (void)change(k, e, 0);
}

static struct fuse_entry_out found(struct fuse_rig *k, const char *name)
{
    struct fuse_entry_out e;

    assert_int_equal(fuse_rig_lookup(k, ROOT, name, &e), 0);
    return e;
}

static void what_others_change_is_taken_back_from_the_kernel(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    struct fuse_entry_out e;

    await_heard(k);
    e = found(k, "film");
    assert_true(e.entry_valid >= 60 && e.attr_valid >= 60);
    k->note_count = 0;
    change_mode(k, node, 0600, 0);
    await_told(k, FUSE_NOTIFY_INVAL_INODE, node, NULL);
    assert_int_equal(found(k, "film").attr.mode & 07777, 0600);
    await_heard(k);
    assert_true(found(k, "film").attr_valid >= 60);

    change_name(k, "film", "movie");
    await_told(k, FUSE_NOTIFY_INVAL_ENTRY, ROOT, "film");
    await_told(k, FUSE_NOTIFY_INVAL_ENTRY, ROOT, "movie");
    await_told(k, FUSE_NOTIFY_INVAL_INODE, ROOT, NULL); /* its times */
    assert_int_equal(found(k, "movie").nodeid, node);
}

static void own_changes_are_not_told_again(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out dir; /* nobody describes it, as a file is in the background */
    uint64_t node, other;

    assert_int_equal(fuse_rig_mkdir(k, ROOT, "shelf", 0755, &dir), 0);
    node = dir.nodeid;
    assert_int_equal(fuse_rig_mkdir(k, ROOT, "other", 0755, &dir), 0);
    other = dir.nodeid;
    change_mode(k, other, 0600, 0);
    await_told(k, FUSE_NOTIFY_INVAL_INODE, other, NULL); /* all before it was heard, too */
    k->note_count = 0;
    change_mode(k, node, 0600, OWN_CLIENT);
    change_mode(k, other, 0640, 0);
    await_told(k, FUSE_NOTIFY_INVAL_INODE, other, NULL);
    assert_false(fuse_rig_was_told(k, FUSE_NOTIFY_INVAL_INODE, node, NULL));

    feed_follow_doubt(k->fs); /* one had no answer: any may be one that nobody was told */
    change_mode(k, node, 0640, OWN_CLIENT);
    await_told(k, FUSE_NOTIFY_INVAL_INODE, node, NULL);
}

/* The answer to a lookup holds the old attributes, and comes after the message that they are old.
 */
static void an_answer_that_a_change_overtook_is_for_once_only(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes"), unique;
    struct fuse_entry_out e;

    fuse_rig_forget(k, node, 1);
    await_heard(k);
    atomic_store(&twist.hold, META_LOOKUP + 1);
    unique = fuse_rig_send(k, FUSE_LOOKUP, ROOT, "film", 5, NULL, 0);
    waiter_wait(&twist.held);
    change_mode(k, node, 0600, 0);
    await_heard(k);
    waiter_wake(&twist.go);
    assert_int_equal(fuse_rig_wait(k, unique), 0);
    memcpy(&e, k->body, sizeof(e));
    assert_int_not_equal(e.attr.mode & 07777, 0600); /* else nothing was overtaken */
    assert_int_equal(e.attr_valid, 0);
    assert_int_equal(e.attr_valid_nsec, 0);
    assert_true(e.entry_valid >= 60); /* the name is as it was */
    assert_int_equal(found(k, "film").attr.mode & 07777, 0600);
    await_heard(k);
    await_heard(k);
    assert_true(found(k, "film").attr_valid >= 60);
}

static void a_name_that_a_change_overtook_is_for_once_only(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes"), unique;
    struct fuse_entry_out e;

    twist.held = twist.go = (struct waiter)WAITER_INIT;
    atomic_store(&twist.hold, META_LOOKUP + 1);
    unique = fuse_rig_send(k, FUSE_LOOKUP, ROOT, "film", 5, NULL, 0);
    waiter_wait(&twist.held);
    change_name(k, "film", "movie");
    await_heard(k); /* what the kernel was told may still be the making of the file */
    waiter_wake(&twist.go);
    assert_int_equal(fuse_rig_wait(k, unique), 0);
    memcpy(&e, k->body, sizeof(e));
    assert_int_equal(e.nodeid, node);
    assert_int_equal(e.entry_valid, 0);
    assert_int_equal(fuse_rig_lookup(k, ROOT, "film", &e), -ENOENT);
}

static void while_nothing_is_heard_nothing_is_kept(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    struct feed_follow_state s;
    struct fuse_entry_out e;
    struct fuse_open_out o;

    (void)found(k, "film");
    assert_int_equal(fuse_rig_open(k, node, O_RDONLY, &o), 0);
    assert_int_equal(fuse_rig_release(k, node, o.fh), 0);
    k->note_count = 0;
    atomic_store(&twist.down, META_CHANGES + 1);
    await_live(k, false);
    await_told(k, INC_EPOCH, 0, NULL); /* all names */
    await_told(k, FUSE_NOTIFY_INVAL_INODE, node, NULL);
    e = found(k, "film");
    assert_int_equal(e.entry_valid + e.attr_valid, 0);
    assert_int_equal(fuse_rig_open(k, node, O_RDONLY, &o), 0);
    assert_false(o.open_flags & FOPEN_KEEP_CACHE);
    assert_int_equal(fuse_rig_release(k, node, o.fh), 0);

    atomic_store(&twist.down, 0);
    await_live(k, true);
    feed_follow_state(k->fs->follow, &s);
    assert_int_equal(s.lapses, 1);
    assert_true(s.live);
    await_heard(k);
    assert_true(found(k, "film").attr_valid >= 60);
    o.open_flags = 0; /* what is made of the file meanwhile (its description) may still be told */
    for (unsigned n = 0; !(o.open_flags & FOPEN_KEEP_CACHE); n++) {
        assert_true(n < TRIES_MAX);
        assert_int_equal(fuse_rig_open(k, node, O_RDONLY, &o), 0);
        assert_int_equal(fuse_rig_release(k, node, o.fh), 0);
        pause_ms();
    }
}

static void other_content_drops_pages_and_is_read(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    struct meta_req now = { .op = META_GETATTR, .ino = node };
    struct ns_entry e = { .kind = NS_E_SWAP, .ino = node };
    struct fuse_open_out o;

    assert_int_equal(fuse_rig_open(k, node, O_RDONLY, &o), 0);
    assert_int_equal(fuse_rig_read(k, node, o.fh, 0, 100), 5);
    assert_memory_equal(k->body, "bytes", 5);
    assert_int_equal(meta_call(k->fs->meta, &now), 0);
    e.base_version = now.attr.version;
    k->note_count = 0;
    e.content = (struct ns_new_content){ .kind = NS_CONTENT_INLINE,
                                         .bytes = "another",
                                         .bytes_len = 7,
                                         .size = 7,
                                         .data_bytes = 7,
                                         .stored_bytes = 7 };
    (void)change(k, e, 0);
    await_told(k, FUSE_NOTIFY_INVAL_INODE, node, NULL);
    for (unsigned n = 0; fuse_rig_read(k, node, o.fh, 0, 100) != 7; n++) {
        assert_true(n < TRIES_MAX); /* the handle that is open moves to the new version */
        pause_ms();
    }
    assert_memory_equal(k->body, "another", 7);
    assert_int_equal(fuse_rig_release(k, node, o.fh), 0);
}

#define FOLLOW_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLLOW_TEST(what_others_change_is_taken_back_from_the_kernel),
        FOLLOW_TEST(own_changes_are_not_told_again),
        FOLLOW_TEST(an_answer_that_a_change_overtook_is_for_once_only),
        FOLLOW_TEST(a_name_that_a_change_overtook_is_for_once_only),
        FOLLOW_TEST(while_nothing_is_heard_nothing_is_kept),
        FOLLOW_TEST(other_content_drops_pages_and_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
