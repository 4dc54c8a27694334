/* content_held: what is in use although another version has taken its place. */
#include "fs/content_held.h"
#include "tests/support/wfile_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROOT  NS_INO_ROOT
#define BYTES (6u << 20)
#define NEW   "what another mount has stored"

static unsigned held(struct rig *r, uint64_t ino)
{
    uint64_t inos[4] = { 0 };
    unsigned count = content_held(r->fs.meta, inos, 4);

    if (count > 0)
        assert_int_equal(inos[0], ino);
    return count;
}

/* Another mount stores other bytes; this one has heard of it. */
static void replaced_by_them(struct rig *r, uint64_t ino)
{
    struct meta_req old = { .op = META_GETATTR, .ino = ino };
    struct ns_entry e = { .kind = NS_E_SWAP, .ino = ino };
    struct ns_answer a;

    assert_int_equal(meta_call(r->fs.meta, &old), 0);
    e.base_version = old.attr.version;
    e.content = (struct ns_new_content){ .kind = NS_CONTENT_INLINE,
                                         .bytes = NEW,
                                         .bytes_len = strlen(NEW),
                                         .size = strlen(NEW),
                                         .data_bytes = strlen(NEW) };
    assert_int_equal(vsfs_change(&r->fs, &e, &a), 0);
    content_replaced(r->fs.meta, ino, a.attr.version);
}

static void what_is_read_is_held_from_when_it_is_replaced_until_it_is_put(void **state)
{
    struct rig *r = *state;
    struct content *c, *again;
    uint64_t ino;

    rig_store(r, ROOT, "film", r->bytes, BYTES);
    ino = rig_stored_attr(r, ROOT, "film").ino;
    assert_int_equal(content_load_wait(r->fs.meta, ino, &c, NULL), 0);
    assert_int_equal(content_load_wait(r->fs.meta, ino, &again, NULL), 0);
    assert_int_equal(held(r, ino), 0);
    content_replaced(r->fs.meta, ino, c->version); /* the one that is in use */
    content_replaced(r->fs.meta, ino + 1, UINT64_MAX);
    assert_int_equal(held(r, ino), 0);
    replaced_by_them(r, ino);
    assert_int_equal(held(r, ino), 1); /* once */
    content_put(c);
    assert_int_equal(held(r, ino), 1);
    content_put(again);
    assert_int_equal(held(r, ino), 0);
}

static void what_is_on_its_way_is_held_if_it_turns_out_to_be_old(void **state)
{
    struct rig *r = *state;
    struct content_load l = { .meta = r->fs.meta, .ino = 77 };
    struct content *c;
    uint64_t ino;

    content_held_load(&l);
    assert_int_equal(held(r, 77), 0);
    content_replaced(r->fs.meta, 0, UINT64_MAX); /* who knows of what */
    assert_int_equal(held(r, 77), 1);
    content_held_loaded(&l, NULL);
    assert_int_equal(held(r, 77), 0);

    rig_store(r, ROOT, "film", r->bytes, BYTES);
    ino = rig_stored_attr(r, ROOT, "film").ino;
    assert_int_equal(content_load_wait(r->fs.meta, ino, &c, NULL), 0);
    content_held_end(c);
    l.ino = ino;
    content_held_load(&l);
    content_replaced(r->fs.meta, ino, c->version + 1);
    content_held_loaded(&l, c);
    assert_true(content_is_replaced(c));
    assert_int_equal(held(r, ino), 1);
    content_held_end(c);
    content_held_load(&l);
    content_replaced(r->fs.meta, ino, c->version);
    content_held_loaded(&l, c);
    assert_false(content_is_replaced(c));
    assert_int_equal(held(r, ino), 0);
    content_put(c);
}

static void more_than_asked_for_is_said_to_be_more(void **state)
{
    struct rig *r = *state;
    struct content_load l[3] = { { .ino = 1 }, { .ino = 2 }, { .ino = 3 } };
    uint64_t inos[2];

    for (unsigned n = 0; n < 3; n++) {
        l[n].meta = r->fs.meta;
        content_held_load(&l[n]);
    }
    content_replaced(r->fs.meta, 0, UINT64_MAX);
    assert_int_equal(content_held(r->fs.meta, inos, 2), 3);
    for (unsigned n = 0; n < 3; n++)
        content_held_loaded(&l[n], NULL);
}

static void a_writer_that_wrote_nothing_goes_on_with_the_newest_version(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, ROOT, "film", r->bytes, BYTES);
    i = rig_open_file(r, ROOT, "film", false);
    replaced_by_them(r, i->ino);
    assert_int_equal(rig_write(r, i, WFILE_AT_END, "!", 1), 0);
    assert_int_equal(held(r, i->ino), 0);
    rig_check(r, i, (const uint8_t *)NEW "!", strlen(NEW) + 1);
    assert_int_equal(rig_release(r, i), 0);
    rig_check_stored(r, "film", (const uint8_t *)NEW "!", strlen(NEW) + 1);
}

static void a_writer_that_is_idle_lets_go_of_what_was_replaced(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, ROOT, "film", r->bytes, BYTES);
    i = rig_open_file(r, ROOT, "film", false);
    wfile_let_go(&r->fs, i); /* nothing was */
    replaced_by_them(r, i->ino);
    assert_int_equal(held(r, i->ino), 1);
    wfile_let_go(&r->fs, i);
    assert_int_equal(held(r, i->ino), 0);
    rig_check(r, i, (const uint8_t *)NEW, strlen(NEW));
    assert_int_equal(rig_release(r, i), 0);
}

static void an_open_of_what_is_being_written_sees_the_newest_version(void **state)
{
    struct rig *r = *state;
    struct inode *first, *i;

    r->fs.shared = true;
    rig_store(r, ROOT, "film", r->bytes, BYTES);
    first = rig_open_file(r, ROOT, "film", false);
    replaced_by_them(r, first->ino);
    i = rig_open_file(r, ROOT, "film", false);
    rig_check(r, i, (const uint8_t *)NEW, strlen(NEW));
    assert_int_equal(rig_release(r, i), 0);
    assert_int_equal(rig_release(r, first), 0);
}

static void a_writer_on_an_old_version_reads_that_and_is_not_stored(void **state)
{
    struct rig *r = *state;
    struct inode *i;

    rig_store(r, ROOT, "film", r->bytes, BYTES);
    i = rig_open_file(r, ROOT, "film", false);
    assert_int_equal(rig_write(r, i, 0, r->bytes, 4), 0);
    replaced_by_them(r, i->ino);
    assert_int_equal(held(r, i->ino), 1);
    rig_check(r, i, r->bytes, BYTES);
    assert_int_equal(rig_release(r, i), -ESTALE);
    assert_int_equal(held(r, 0), 0);
    rig_check_stored(r, "film", (const uint8_t *)NEW, strlen(NEW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(what_is_read_is_held_from_when_it_is_replaced_until_it_is_put),
        RIG_TEST(what_is_on_its_way_is_held_if_it_turns_out_to_be_old),
        RIG_TEST(more_than_asked_for_is_said_to_be_more),
        RIG_TEST(a_writer_that_wrote_nothing_goes_on_with_the_newest_version),
        RIG_TEST(a_writer_that_is_idle_lets_go_of_what_was_replaced),
        RIG_TEST(an_open_of_what_is_being_written_sees_the_newest_version),
        RIG_TEST(a_writer_on_an_old_version_reads_that_and_is_not_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
