/* fuse_file: bytes in and out through the callbacks, with the numbers and errors the kernel
 * expects.
 */
#include "tests/support/fuse_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOT  NS_INO_ROOT
#define PIECE (64u << 10)

static uint64_t opened(struct fuse_rig *k, uint64_t node, uint32_t flags)
{
    struct fuse_open_out o;

    assert_int_equal(fuse_rig_open(k, node, flags, &o), 0);
    return o.fh;
}

static void closed(struct fuse_rig *k, uint64_t node, uint64_t fh)
{
    assert_int_equal(fuse_rig_flush(k, node, fh), 0);
    assert_int_equal(fuse_rig_release(k, node, fh), 0);
}

static uint64_t size_of(struct fuse_rig *k, uint64_t node)
{
    struct fuse_attr_out a;

    assert_int_equal(fuse_rig_getattr(k, node, &a), 0);
    return a.attr.size;
}

static void check_text(struct fuse_rig *k, uint64_t node, uint64_t fh, const char *want)
{
    assert_int_equal(fuse_rig_read(k, node, fh, 0, PIECE), strlen(want));
    assert_memory_equal(k->body, want, strlen(want));
}

/* More than one chunk, so that pieces come from several fetches. */
static void what_was_written_is_read(void **state)
{
    struct fuse_rig *k = *state;
    const size_t len = (9u << 20) + 77;
    uint8_t *bytes = malloc(len);
    struct fuse_entry_out e;
    uint64_t fh;

    assert_non_null(bytes);
    rig_fill(bytes, len, 3);
    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_RDWR | O_CREAT, 0644, &e, &fh), 0);
    for (size_t at = 0; at < len; at += PIECE) {
        size_t n = len - at < PIECE ? len - at : PIECE;

        assert_int_equal(fuse_rig_write(k, e.nodeid, fh, at, bytes + at, n, 0), n);
    }
    for (unsigned round = 0; round < 2; round++) { /* while it is written, and stored */
        for (size_t at = 0; at < len; at += PIECE) {
            size_t n = len - at < PIECE ? len - at : PIECE;

            assert_int_equal(fuse_rig_read(k, e.nodeid, fh, at, PIECE), n);
            assert_memory_equal(k->body, bytes + at, n);
        }
        assert_int_equal(fuse_rig_read(k, e.nodeid, fh, len, PIECE), 0);
        assert_int_equal(fuse_rig_read(k, e.nodeid, fh, UINT64_C(1) << 62, PIECE), 0);
        closed(k, e.nodeid, fh);
        fh = opened(k, e.nodeid, O_RDONLY);
    }
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    free(bytes);
}

static void a_flush_makes_durable_and_a_release_ends_the_handle(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_WRONLY | O_CREAT, 0644, &e, &fh), 0);
    assert_int_equal(names_rig_kind(&k->names, ROOT, "film"), NAMES_PROVISIONAL);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, "one", 3, 0), 3);
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(names_rig_kind(&k->names, ROOT, "film"), NAMES_STORED);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 3, "two", 3, 0), 3);
    closed(k, e.nodeid, fh);
    names_rig_check(&k->names, ROOT, "film", "onetwo");
}

static void fsync_stores_what_was_written_so_far(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_fsync_in in = { .fsync_flags = 0 };
    struct fuse_entry_out e;
    struct ns_attr stored;

    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_WRONLY | O_CREAT, 0644, &e, &in.fh), 0);
    assert_int_equal(fuse_rig_write(k, e.nodeid, in.fh, 0, "bytes", 5, 0), 5);
    assert_int_equal(fuse_rig_ask(k, FUSE_FSYNC, e.nodeid, &in, sizeof(in), NULL, 0), 0);
    stored = rig_stored_attr(&k->names.rig, ROOT, "film");
    assert_int_equal(stored.size, 5);
    closed(k, e.nodeid, in.fh);
}

static void appended_bytes_go_to_the_end_whatever_the_kernel_thinks_it_is(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "log", "one");
    uint64_t fh = opened(k, node, O_WRONLY | O_APPEND);

    assert_int_equal(fuse_rig_write(k, node, fh, 0, "two", 3, 0), 3);
    assert_int_equal(fuse_rig_write(k, node, fh, 0, "three", 5, 0), 5);
    /* but the pages of a mapping have their place */
    assert_int_equal(fuse_rig_write(k, node, fh, 0, "O", 1, FUSE_WRITE_CACHE), 1);
    closed(k, node, fh);
    names_rig_check(&k->names, ROOT, "log", "Onetwothree");
}

/* Two handles, each with an end of its own in mind: no line is lost, none is torn. */
static void two_appenders_do_not_overwrite_each_other(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "log", "");
    uint64_t a = opened(k, node, O_WRONLY | O_APPEND), b = opened(k, node, O_WRONLY | O_APPEND);
    char want[64 * 8 + 1] = "";

    for (unsigned n = 0; n < 64; n++) {
        char line[9];

        snprintf(line, sizeof(line), "%c line%02u", n % 2 == 0 ? 'a' : 'b', n % 100);
        memcpy(want + 8 * n, line, 9);
        assert_int_equal(fuse_rig_write(k, node, n % 2 == 0 ? a : b, 0, line, 8, 0), 8);
    }
    closed(k, node, a);
    closed(k, node, b);
    a = opened(k, node, O_RDONLY);
    check_text(k, node, a, want);
    assert_int_equal(fuse_rig_release(k, node, a), 0);
}

/* Through the tree and through an alias the kernel has two inodes, with a lock each: such writes
 * arrive at the same time. */
static void appends_that_arrive_together_are_all_kept(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "log", ""), fh[2], sent[48];
    char seen[48] = { 0 };

    for (unsigned n = 0; n < 2; n++)
        fh[n] = opened(k, node, O_WRONLY | O_APPEND);
    for (unsigned n = 0; n < 48; n++) {
        struct fuse_write_in in = { .fh = fh[n % 2], .size = 1000 };
        char line[1000];

        memset(line, '0' + (int)n, sizeof(line));
        sent[n] = fuse_rig_send(k, FUSE_WRITE, node, &in, sizeof(in), line, sizeof(line));
    }
    for (unsigned n = 0; n < 48; n++)
        assert_int_equal(fuse_rig_wait(k, sent[n]), 0);
    for (unsigned n = 0; n < 2; n++)
        closed(k, node, fh[n]);
    fh[0] = opened(k, node, O_RDONLY);
    assert_int_equal(fuse_rig_read(k, node, fh[0], 0, PIECE), 48000);
    for (unsigned n = 0; n < 48; n++) {
        const uint8_t *line = k->body + n * 1000;

        assert_true(line[0] >= '0' && line[0] < '0' + 48);
        assert_memory_equal(line, line + 1, 999); /* in one piece */
        assert_int_equal(seen[line[0] - '0']++, 0);
    }
    assert_int_equal(fuse_rig_release(k, node, fh[0]), 0);
}

static void an_open_that_truncates_does_so_and_the_next_reader_knows(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "something long");
    uint64_t fh = opened(k, node, O_RDWR | O_TRUNC);

    assert_int_equal(size_of(k, node), 0);
    assert_int_equal(fuse_rig_write(k, node, fh, 0, "new", 3, 0), 3);
    check_text(k, node, fh, "new");
    closed(k, node, fh);
    names_rig_check(&k->names, ROOT, "film", "new");
}

static bool keeps_pages(struct fuse_rig *k, uint64_t node, const char *want)
{
    struct fuse_open_out o;

    assert_int_equal(fuse_rig_open(k, node, O_RDONLY, &o), 0);
    check_text(k, node, o.fh, want);
    assert_int_equal(fuse_rig_release(k, node, o.fh), 0);
    return (o.open_flags & FOPEN_KEEP_CACHE) != 0;
}

/* What the kernel wrote, or read since the last change, is what there is: its pages stay. Not while
 * somebody writes, who may fail, and not when another has written meanwhile. */
static void pages_are_kept_while_the_content_is_the_same(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes"), fh;
    struct ns_entry e = { .kind = NS_E_SWAP,
                          .ino = node,
                          .content = { .kind = NS_CONTENT_INLINE } };

    assert_true(keeps_pages(k, node, "bytes"));
    assert_true(keeps_pages(k, node, "bytes"));
    fh = opened(k, node, O_WRONLY);
    assert_int_equal(fuse_rig_write(k, node, fh, 0, "B", 1, 0), 1);
    assert_false(keeps_pages(k, node, "Bytes"));
    closed(k, node, fh);
    assert_true(keeps_pages(k, node, "Bytes"));
    e.base_version = rig_stored_attr(&k->names.rig, ROOT, "film").version;
    e.content.bytes = (const uint8_t *)"other";
    e.content.size = e.content.bytes_len = e.content.data_bytes = e.content.stored_bytes = 5;
    assert_int_equal(vsfs_change(k->fs, &e, NULL), 0); /* not through this kernel */
    assert_false(keeps_pages(k, node, "other"));
    assert_true(keeps_pages(k, node, "other"));
}

static void holes_are_found_and_made(void **state)
{
    struct fuse_rig *k = *state;
    const uint64_t hole = 4u << 20;
    uint8_t *bytes = calloc(1, PIECE);
    struct fuse_lseek_out where;
    struct fuse_entry_out e;
    struct fuse_lseek_in seek = { .whence = SEEK_HOLE };
    struct fuse_fallocate_in punch = { .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                       .length = 1000 };

    assert_non_null(bytes);
    memset(bytes, 'x', PIECE);
    assert_int_equal(fuse_rig_create(k, ROOT, "disk", O_RDWR | O_CREAT, 0644, &e, &seek.fh), 0);
    assert_int_equal(fuse_rig_write(k, e.nodeid, seek.fh, 0, bytes, PIECE, 0), PIECE);
    assert_int_equal(fuse_rig_write(k, e.nodeid, seek.fh, hole, bytes, PIECE, 0), PIECE);
    punch.fh = seek.fh;
    assert_int_equal(fuse_rig_ask(k, FUSE_FALLOCATE, e.nodeid, &punch, sizeof(punch), NULL, 0), 0);
    for (unsigned round = 0; round < 2; round++) {
        seek.whence = SEEK_HOLE;
        seek.offset = 2000;
        assert_int_equal(fuse_rig_ask(k, FUSE_LSEEK, e.nodeid, &seek, sizeof(seek), NULL, 0), 0);
        memcpy(&where, k->body, sizeof(where));
        assert_true(where.offset >= PIECE && where.offset < hole);
        seek.whence = SEEK_DATA;
        seek.offset = where.offset;
        assert_int_equal(fuse_rig_ask(k, FUSE_LSEEK, e.nodeid, &seek, sizeof(seek), NULL, 0), 0);
        memcpy(&where, k->body, sizeof(where));
        assert_true(where.offset > seek.offset && where.offset <= hole);
        seek.offset = hole + PIECE;
        assert_int_equal(fuse_rig_ask(k, FUSE_LSEEK, e.nodeid, &seek, sizeof(seek), NULL, 0),
                         -ENXIO);
        seek.whence = SEEK_CUR;
        assert_int_equal(fuse_rig_ask(k, FUSE_LSEEK, e.nodeid, &seek, sizeof(seek), NULL, 0),
                         -EINVAL);
        assert_int_equal(fuse_rig_read(k, e.nodeid, seek.fh, 0, 1001), 1001);
        assert_int_equal(k->body[0], 0);
        assert_int_equal(k->body[999], 0);
        assert_int_equal(k->body[1000], 'x');
        closed(k, e.nodeid, seek.fh);
        seek.fh = opened(k, e.nodeid, O_RDONLY);
    }
    assert_int_equal(fuse_rig_release(k, e.nodeid, seek.fh), 0);
    punch.mode = FALLOC_FL_COLLAPSE_RANGE;
    punch.fh = opened(k, e.nodeid, O_RDWR);
    assert_int_equal(fuse_rig_ask(k, FUSE_FALLOCATE, e.nodeid, &punch, sizeof(punch), NULL, 0),
                     -EOPNOTSUPP);
    closed(k, e.nodeid, punch.fh);
    free(bytes);
}

static void a_command_is_written_and_its_answer_read_behind_it(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t dir = fuse_rig_node(k, ROOT, ".vstack"), node = fuse_rig_node(k, dir, "control");
    static const char command[] = "{\"command\":\"frob\"}";
    const size_t len = sizeof(command) - 1;
    struct fuse_open_out o;

    assert_int_equal(fuse_rig_open(k, node, O_RDWR, &o), 0);
    assert_true(o.open_flags & FOPEN_DIRECT_IO); /* its size is not known */
    assert_int_equal(fuse_rig_write(k, node, o.fh, 0, command, len, 0), len);
    assert_true(fuse_rig_read(k, node, o.fh, len, 4096) > 0); /* where the file position is now */
    k->body[k->len] = '\0';
    assert_int_equal(k->body[0], '{'); /* from its first byte */
    assert_non_null(strstr((char *)k->body, "not understood"));
    assert_true(fuse_rig_read(k, node, o.fh, 0, 4096) > 0); /* or from the start */
    assert_int_equal(fuse_rig_flush(k, node, o.fh), 0);
    assert_int_equal(fuse_rig_release(k, node, o.fh), 0);
}

static void a_file_that_is_unlinked_while_it_is_open_goes_on_until_it_is_closed(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes"), fh = opened(k, node, O_RDWR);

    assert_int_equal(fuse_rig_ask(k, FUSE_UNLINK, ROOT, "film", 5, NULL, 0), 0);
    assert_int_equal(fuse_rig_write(k, node, fh, 5, " and more", 9, 0), 9);
    check_text(k, node, fh, "bytes and more");
    assert_int_equal(names_rig_nlink(&k->names, node), 0);
    closed(k, node, fh);
    assert_int_equal(names_rig_nlink(&k->names, node), -1); /* forgotten */
}

/* A read handle alone keeps it, too; its release runs where it may wait. */
static void the_last_reader_of_an_unlinked_file_lets_it_go(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes"), fh = opened(k, node, O_RDONLY);

    assert_int_equal(fuse_rig_ask(k, FUSE_UNLINK, ROOT, "film", 5, NULL, 0), 0);
    check_text(k, node, fh, "bytes");
    assert_int_equal(fuse_rig_release(k, node, fh), 0);
    assert_int_equal(names_rig_nlink(&k->names, node), -1);
}

static void a_read_that_cannot_be_answered_is_an_error_and_the_next_one_is_not(void **state)
{
    struct fuse_rig *k = *state;
    uint8_t *bytes = malloc(PIECE);
    struct fuse_entry_out e;
    uint64_t fh;

    assert_non_null(bytes);
    rig_fill(bytes, PIECE, 4);
    assert_int_equal(fuse_rig_create(k, ROOT, "film", O_WRONLY | O_CREAT, 0644, &e, &fh), 0);
    for (unsigned n = 0; n < 4; n++)
        assert_int_equal(fuse_rig_write(k, e.nodeid, fh, n * PIECE, bytes, PIECE, 0), PIECE);
    closed(k, e.nodeid, fh);
    rig_stores_down(&k->names.rig, 3, true);
    fh = opened(k, e.nodeid, O_RDONLY);
    assert_int_equal(fuse_rig_read(k, e.nodeid, fh, 0, 100), -EIO);
    rig_stores_down(&k->names.rig, 3, false);
    assert_int_equal(fuse_rig_read(k, e.nodeid, fh, 0, 100), 100);
    assert_memory_equal(k->body, bytes, 100);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
    free(bytes);
}

static void what_is_no_file_is_not_opened(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_open_out o;

    assert_int_equal(fuse_rig_open(k, ROOT, O_RDONLY, &o), -EISDIR);
    assert_int_equal(fuse_rig_open(k, 999, O_RDONLY, &o), -ENOENT);
    assert_int_equal(fuse_rig_open(k, 999, O_WRONLY, &o), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUSE_TEST(what_was_written_is_read),
        FUSE_TEST(a_flush_makes_durable_and_a_release_ends_the_handle),
        FUSE_TEST(fsync_stores_what_was_written_so_far),
        FUSE_TEST(appended_bytes_go_to_the_end_whatever_the_kernel_thinks_it_is),
        FUSE_TEST(two_appenders_do_not_overwrite_each_other),
        FUSE_TEST(appends_that_arrive_together_are_all_kept),
        FUSE_TEST(an_open_that_truncates_does_so_and_the_next_reader_knows),
        FUSE_TEST(pages_are_kept_while_the_content_is_the_same),
        FUSE_TEST(holes_are_found_and_made),
        FUSE_TEST(a_command_is_written_and_its_answer_read_behind_it),
        FUSE_TEST(a_file_that_is_unlinked_while_it_is_open_goes_on_until_it_is_closed),
        FUSE_TEST(the_last_reader_of_an_unlinked_file_lets_it_go),
        FUSE_TEST(a_read_that_cannot_be_answered_is_an_error_and_the_next_one_is_not),
        FUSE_TEST(what_is_no_file_is_not_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
