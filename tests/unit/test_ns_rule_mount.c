/* Mounts that live, and files without a name that they may have open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ns_fixture.h"

#include <errno.h>

static int entry(struct nsf *f, enum ns_entry_kind kind, uint64_t mount, uint64_t signs)
{
    struct ns_entry e = { .kind = kind, .mount = mount, .signs = signs };

    return nsf_do(f, &e);
}

static int forget(struct nsf *f, uint64_t ino, uint64_t mount)
{
    struct ns_entry e = { .kind = NS_E_FORGET, .ino = ino, .mount = mount };

    return nsf_do(f, &e);
}

static bool is_there(struct nsf *f, uint64_t ino)
{
    struct meta_req r = { .op = META_GETATTR, .ino = ino };

    return nsf_read(f, &r) == 0;
}

static uint64_t unlinked(struct nsf *f)
{
    int64_t ino = nsf_file(f, NS_INO_ROOT, "film", "bytes");

    assert_true(ino > 0);
    assert_int_equal(nsf_unlink(f, NS_INO_ROOT, "film"), 0);
    return (uint64_t)ino;
}

static void an_unlinked_file_is_there_until_the_last_mount_forgets_it(void **state)
{
    struct nsf *f = *state;
    uint64_t ino;

    assert_int_equal(entry(f, NS_E_MOUNT, 7, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, 8, 0), 0);
    ino = unlinked(f);
    assert_int_equal(forget(f, ino, 7), 0);
    assert_int_equal(forget(f, ino, 7), 0); /* again: the other one still may have it open */
    assert_int_equal(forget(f, ino, 0), 0);
    assert_true(is_there(f, ino));
    assert_int_equal(entry(f, NS_E_MOUNT, 9, 0), 0); /* came later: cannot have it open */
    assert_int_equal(forget(f, ino, 8), 0);
    assert_false(is_there(f, ino));
    assert_int_equal(forget(f, ino, 8), -ENOENT);
}

static void without_mounts_it_is_forgotten_at_once(void **state)
{
    struct nsf *f = *state;
    uint64_t ino = unlinked(f);

    assert_int_equal(forget(f, ino, 0), 0);
    assert_false(is_there(f, ino));
}

static void a_mount_that_is_gone_holds_nothing(void **state)
{
    struct nsf *f = *state;
    struct vs_id pair[4];
    uint64_t ino, mount, signs;

    assert_int_equal(entry(f, NS_E_MOUNT, 7, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, 8, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, 8, 0), 0);
    assert_int_equal(f->answer.first, 2);
    ino = unlinked(f);
    assert_int_equal(nsf_scan_ids(f, META_SCAN_MOUNTS, pair, 4), 2);
    meta_pair_get(&pair[1], &mount, &signs);
    assert_int_equal(mount, 8);
    assert_int_equal(signs, 2);
    assert_int_equal(entry(f, NS_E_MOUNT, 8, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT_END, 8, signs), -EBUSY); /* a sign meanwhile */
    assert_int_equal(forget(f, ino, 7), 0);
    assert_true(is_there(f, ino));
    assert_int_equal(entry(f, NS_E_MOUNT_END, 8, 3), 0);
    assert_int_equal(entry(f, NS_E_MOUNT_END, 8, 3), -ENOENT);
    assert_true(is_there(f, ino));
    assert_int_equal(forget(f, ino, 7), 0); /* whoever says so next */
    assert_false(is_there(f, ino));
}

static void mounts_are_limited_and_have_a_number(void **state)
{
    struct nsf *f = *state;

    assert_int_equal(entry(f, NS_E_MOUNT, 0, 0), -EINVAL);
    for (uint64_t m = 1; m <= NS_MOUNTS_MAX; m++)
        assert_int_equal(entry(f, NS_E_MOUNT, m, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, NS_MOUNTS_MAX + 1, 0), -ENFILE);
    assert_int_equal(entry(f, NS_E_MOUNT, 1, 0), 0); /* those that are there go on */
    assert_int_equal(entry(f, NS_E_MOUNT_END, 5, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT, NS_MOUNTS_MAX + 1, 0), 0);
}

/* ---- what a swap replaced ---- */

/* A sign of life: heard up to `heard`, but for the former content of `pin` (0: of none). */
static int sign(struct nsf *f, uint64_t mount, uint64_t heard, uint64_t pin)
{
    uint8_t pins[8];
    struct ns_entry e = { .kind = NS_E_MOUNT, .mount = mount, .heard = heard, .value = pins };

    for (unsigned n = 0; n < 8; n++)
        pins[n] = (uint8_t)(pin >> 8 * n);
    e.value_len = pin != 0 ? sizeof(pins) : 0;
    return nsf_do(f, &e);
}

/* The file's content is replaced; its one segment is released. The slot. */
static uint64_t swapped(struct nsf *f, uint64_t ino)
{
    struct ns_entry e = { .kind = NS_E_SWAP, .ino = ino, .base_version = nsf_attr(f, ino).version };
    struct vs_id segment = vs_id_make(1, 1, 1000 + f->slot, VS_ID_SEGMENT);

    e.content = (struct ns_new_content){ .kind = NS_CONTENT_INLINE,
                                         .bytes = "new",
                                         .bytes_len = 3,
                                         .size = 3,
                                         .data_bytes = 3,
                                         .released = &segment,
                                         .released_count = 1 };
    assert_int_equal(nsf_do(f, &e), 0);
    return f->slot;
}

/* How many may go, of those that wait. */
static uint32_t free_of(struct nsf *f, uint64_t waiting)
{
    struct vs_id ids[8];

    assert_int_equal(nsf_stats(f).released_waiting, waiting);
    return nsf_scan_ids(f, META_SCAN_RELEASED, ids, 8);
}

static void what_a_swap_replaced_goes_when_all_mounts_have_let_go_of_it(void **state)
{
    struct nsf *f = *state;
    uint64_t ino, slot;

    ino = (uint64_t)nsf_file(f, NS_INO_ROOT, "film", "old");
    assert_int_equal(sign(f, 7, 0, 0), 0);
    assert_int_equal(sign(f, 8, 0, 0), 0);
    slot = swapped(f, ino);
    assert_int_equal(free_of(f, 1), 0);
    assert_int_equal(sign(f, 7, slot, 0), 0);
    assert_int_equal(free_of(f, 1), 0);
    assert_int_equal(sign(f, 8, slot - 1, 0), 0); /* has not heard of it */
    assert_int_equal(free_of(f, 1), 0);
    assert_int_equal(sign(f, 8, slot, ino), 0); /* has, and reads it still */
    assert_int_equal(free_of(f, 1), 0);
    assert_int_equal(sign(f, 8, slot, ino + 1), 0);
    assert_int_equal(free_of(f, 1), 1);
    assert_int_equal(sign(f, 8, 0, 0), 0); /* a new life of it: what was heard stays heard */
    assert_int_equal(free_of(f, 1), 1);
}

static void a_mount_that_is_gone_or_new_reads_nothing_of_what_was_replaced(void **state)
{
    struct nsf *f = *state;
    uint64_t ino, slot;

    ino = (uint64_t)nsf_file(f, NS_INO_ROOT, "film", "old");
    (void)swapped(f, ino); /* nobody lives */
    assert_int_equal(free_of(f, 1), 1);
    assert_int_equal(sign(f, 7, 0, 0), 0);
    assert_int_equal(sign(f, 8, 0, 0), 0);
    slot = swapped(f, ino);
    assert_int_equal(sign(f, 7, slot, 0), 0);
    assert_int_equal(sign(f, 9, 0, 0), 0); /* came later */
    assert_int_equal(free_of(f, 2), 1);
    assert_int_equal(entry(f, NS_E_MOUNT_END, 8, 0), 0);
    assert_int_equal(free_of(f, 2), 2);
    (void)swapped(f, ino);
    assert_int_equal(free_of(f, 3), 2);
    assert_int_equal(entry(f, NS_E_MOUNT_END, 7, 0), 0);
    assert_int_equal(entry(f, NS_E_MOUNT_END, 9, 0), 0);
    assert_int_equal(free_of(f, 3), 3);
}

/* It has lived on while the metadata was restored from a backup, whose slots are lower. */
static void what_was_heard_of_slots_to_come_counts_for_nothing(void **state)
{
    struct nsf *f = *state;
    uint64_t ino = (uint64_t)nsf_file(f, NS_INO_ROOT, "film", "old"), slot;

    assert_int_equal(sign(f, 7, f->slot + 1000, 0), 0);
    slot = swapped(f, ino);
    assert_int_equal(free_of(f, 1), 0);
    assert_int_equal(sign(f, 7, slot + 1000, 0), 0);
    assert_int_equal(free_of(f, 1), 0);
    assert_int_equal(sign(f, 7, slot, 0), 0);
    assert_int_equal(free_of(f, 1), 1);
}

static void a_sign_names_whole_inodes_only(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = { .kind = NS_E_MOUNT, .mount = 7, .value = "short", .value_len = 5 };

    assert_int_equal(nsf_do(f, &e), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(an_unlinked_file_is_there_until_the_last_mount_forgets_it),
        NSF_TEST(without_mounts_it_is_forgotten_at_once),
        NSF_TEST(a_mount_that_is_gone_holds_nothing),
        NSF_TEST(mounts_are_limited_and_have_a_number),
        NSF_TEST(what_a_swap_replaced_goes_when_all_mounts_have_let_go_of_it),
        NSF_TEST(a_mount_that_is_gone_or_new_reads_nothing_of_what_was_replaced),
        NSF_TEST(what_was_heard_of_slots_to_come_counts_for_nothing),
        NSF_TEST(a_sign_names_whole_inodes_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
