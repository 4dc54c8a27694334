/* fuse_lookup: what a name stands for, from whichever of the four places knows it, and counting
 * what the kernel knows. */
#include "common/err.h"
#include "fs/control.h"
#include "fs/orphan.h"
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

static struct fuse_entry_out found(struct fuse_rig *k, uint64_t parent, const char *name)
{
    struct fuse_entry_out e;

    assert_int_equal(fuse_rig_lookup(k, parent, name, &e), 0);
    return e;
}

static int missing(struct fuse_rig *k, uint64_t parent, const char *name)
{
    struct fuse_entry_out e;

    return fuse_rig_lookup(k, parent, name, &e);
}

static void stored_and_provisional_and_control_names_are_found(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes"), fh;
    struct fuse_entry_out e, n;

    e = found(k, ROOT, "film");
    assert_int_equal(e.nodeid, node);
    assert_int_equal(e.attr.size, 5);
    assert_true(e.entry_valid >= 60);
    assert_int_equal(fuse_rig_create(k, ROOT, "new", O_WRONLY | O_CREAT, 0600, &n, &fh), 0);
    assert_int_equal(fuse_rig_write(k, n.nodeid, fh, 0, "abc", 3, 0), 3);
    e = found(k, ROOT, "new");
    assert_int_equal(e.nodeid, n.nodeid);
    assert_int_equal(e.attr.size, 3);
    assert_int_equal(e.entry_valid, 0);
    assert_int_equal(fuse_rig_flush(k, n.nodeid, fh), 0);
    assert_int_equal(fuse_rig_release(k, n.nodeid, fh), 0);
    assert_int_equal(found(k, ROOT, ".vstack").nodeid, CONTROL_INO_DIR);
    assert_int_equal(found(k, ROOT, ".vstack").entry_valid, 0);
    assert_int_equal(found(k, INBOX, ".ignore").attr.mode, S_IFREG | 0444);
    assert_int_equal(missing(k, ROOT, "none"), -ENOENT);
    assert_int_equal(missing(k, node, "below a file"), -ENOTDIR);
    assert_int_equal(missing(k, 999, "below nothing"), -ENOENT);
}

/* A published film is found under the name it had in the inbox, by a number of its own. */
static void an_alias_is_found_with_a_number_of_its_own(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out film, alias;
    struct fuse_attr_out a;

    fuse_rig_put(k, INBOX, "film.mkv", "bytes");
    names_rig_settle(&k->names);
    film = found(k, ROOT, "film.mkv");
    alias = found(k, INBOX, "film.mkv");
    assert_int_not_equal(alias.nodeid, film.nodeid);
    assert_int_equal(alias.attr.size, 5);
    assert_int_equal(alias.entry_valid, 0);
    assert_int_equal(alias.attr_valid, 0);
    assert_int_equal(fuse_rig_getattr(k, alias.nodeid, &a), 0);
    assert_int_equal(a.attr.size, 5);
    names_rig_advance(&k->names, 11);
    assert_int_equal(missing(k, INBOX, "film.mkv"), -ENOENT);
    assert_int_equal(found(k, ROOT, "film.mkv").nodeid, film.nodeid);
}

static void an_alias_whose_film_is_gone_is_gone_too(void **state)
{
    struct fuse_rig *k = *state;

    fuse_rig_put(k, INBOX, "film.mkv", "bytes");
    names_rig_settle(&k->names);
    found(k, INBOX, "film.mkv");
    assert_int_equal(fuse_rig_ask(k, FUSE_UNLINK, ROOT, "film.mkv", 9, NULL, 0), 0);
    orphan_wait();
    assert_int_equal(missing(k, INBOX, "film.mkv"), -ENOENT);
}

/* cp x inbox/ && mpv x: close() has returned, the release is still on its way. */
static void a_film_that_was_flushed_is_waited_for(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh, asked;

    assert_int_equal(fuse_rig_create(k, INBOX, "film.mkv", O_WRONLY | O_CREAT, 0600, &e, &fh), 0);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, "bytes", 5, 0), 5);
    assert_int_equal(missing(k, ROOT, "film.mkv"), -ENOENT); /* nobody has promised it yet */
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    asked = fuse_rig_send(k, FUSE_LOOKUP, ROOT, "film.mkv", 9, NULL, 0);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    assert_int_equal(fuse_rig_wait(k, asked), 0);
    memcpy(&e, k->body, sizeof(e));
    assert_int_equal(e.attr.size, 5);
}

/* ... but not for ever: one second, by its own clock. */
static void a_film_that_is_not_published_is_not_waited_for_for_ever(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, INBOX, "film.mkv", O_WRONLY | O_CREAT, 0600, &e, &fh), 0);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, "bytes", 5, 0), 5);
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(missing(k, ROOT, "film.mkv"), -ENOENT);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    names_rig_settle(&k->names);
    assert_int_equal(found(k, ROOT, "film.mkv").attr.size, 5);
}

static bool is_known(struct fuse_rig *k, uint64_t ino)
{
    struct inode *i = inode_find(k->fs->inodes, ino);

    inode_put(k->fs->inodes, i);
    return i != NULL;
}

static void what_the_kernel_forgets_is_let_go_when_all_lookups_are_counted(void **state)
{
    struct fuse_rig *k = *state;
    struct {
        struct fuse_batch_forget_in in;
        struct fuse_forget_one one[2];
    } batch = { .in.count = 2 };
    uint64_t a = fuse_rig_put(k, ROOT, "a", "bytes"), b = fuse_rig_put(k, ROOT, "b", "bytes");

    for (unsigned n = 0; n < 3; n++)
        assert_int_equal(found(k, ROOT, "a").nodeid, a);
    fuse_rig_forget(k, a, 3);
    assert_int_equal(missing(k, ROOT, "none"), -ENOENT); /* behind the forget */
    assert_true(is_known(k, a));
    batch.one[0] = (struct fuse_forget_one){ .nodeid = a, .nlookup = 1 };
    batch.one[1] = (struct fuse_forget_one){ .nodeid = b, .nlookup = 1 };
    fuse_rig_send(k, FUSE_BATCH_FORGET, 0, &batch, sizeof(batch), NULL, 0);
    for (unsigned n = 0; n < 1000 && (is_known(k, a) || is_known(k, b)); n++)
        assert_int_equal(missing(k, ROOT, "none"), -ENOENT);
    assert_false(is_known(k, a));
    assert_false(is_known(k, b));
    assert_int_equal(found(k, ROOT, "a").nodeid, a); /* and can be found again */
}

static void only_links_are_read_as_links(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");

    assert_int_equal(fuse_rig_ask(k, FUSE_READLINK, node, NULL, 0, NULL, 0), -EINVAL);
    assert_int_equal(fuse_rig_ask(k, FUSE_READLINK, 999, NULL, 0, NULL, 0), -ENOENT);
}

static void answer_down(void *arg, struct meta_req *r)
{
    (void)arg;
    if (r->op == META_LOOKUP)
        r->status = -VS_EDOWN;
}

/* Never -ENOENT: whoever asks would believe that it is gone. */
static void metadata_out_of_reach_is_not_a_missing_name(void **state)
{
    struct fuse_rig *k = *state;

    fuse_rig_put(k, ROOT, "film", "bytes");
    k->fs->meta = meta_twist_new(k->fs->meta);
    meta_twist_set(k->fs->meta, answer_down, NULL);
    assert_int_equal(missing(k, ROOT, "film"), -EHOSTDOWN);
    meta_twist_set(k->fs->meta, NULL, NULL);
    assert_int_equal(found(k, ROOT, "film").attr.size, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUSE_TEST(stored_and_provisional_and_control_names_are_found),
        FUSE_TEST(an_alias_is_found_with_a_number_of_its_own),
        FUSE_TEST(an_alias_whose_film_is_gone_is_gone_too),
        FUSE_TEST(a_film_that_was_flushed_is_waited_for),
        FUSE_TEST(a_film_that_is_not_published_is_not_waited_for_for_ever),
        FUSE_TEST(what_the_kernel_forgets_is_let_go_when_all_lookups_are_counted),
        FUSE_TEST(only_links_are_read_as_links),
        FUSE_TEST(metadata_out_of_reach_is_not_a_missing_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
