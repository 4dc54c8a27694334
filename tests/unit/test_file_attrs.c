/* Rules of file_attrs.c: attributes, sizes and holes of files in every state. */
#include "fs/files.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROOT NS_INO_ROOT
#define MIB  (UINT64_C(1) << 20)

static const struct names_caller caller = { .uid = 1000, .gid = 1000 };

static struct ns_attr set(struct names_rig *r, uint64_t ino, struct file *f, uint32_t what,
                          const struct ns_attr *attr, const uint64_t *size)
{
    struct ns_attr now = { 0 };

    assert_int_equal(files_setattr(r->fs, &caller, ino, f, what, attr, size, &now), 0);
    return now;
}

static void attributes_set_before_the_commit_are_committed(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film");
    struct ns_attr want = { .mode = 0640, .uid = 5, .gid = 6, .mtime = { -1, 5 } }, now;
    uint64_t ino = ((struct inode *)f->inode)->ino;
    struct meta_req req = { .op = META_GETATTR, .ino = ino };

    names_rig_write(r, f, 0, "bytes");
    now = set(r, ino, f, NS_SET_MODE | NS_SET_UID | NS_SET_GID | NS_SET_MTIME, &want, NULL);
    assert_int_equal(now.mode, S_IFREG | 0640);
    assert_int_equal(now.mtime.s, -1);
    assert_int_equal(now.size, 5);
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(meta_call(r->fs->meta, &req), 0);
    assert_int_equal(req.attr.mode, S_IFREG | 0640);
    assert_int_equal(req.attr.uid, 5);
    assert_int_equal(req.attr.gid, 6);
    assert_int_equal(req.attr.mtime.s, -1);
    assert_int_equal(req.attr.mtime.ns, 5);
}

static void a_time_set_on_a_stored_file_survives_the_close_of_its_writer(void **state)
{
    struct names_rig *r = *state;
    struct ns_attr want = { .mtime = { .s = 1234 } };
    struct meta_req req = { .op = META_LOOKUP, .ino = ROOT, .name = "film", .name_len = 4 };
    struct file *f;

    names_rig_put(r, ROOT, "film", "bytes");
    f = names_rig_open_file(r, ROOT, "film", O_WRONLY);
    names_rig_write(r, f, 0, "B");
    set(r, names_rig_ino(r, ROOT, "film"), f, NS_SET_MTIME, &want, NULL);
    assert_int_equal(names_rig_close_file(r, f), 0);
    assert_int_equal(meta_call(r->fs->meta, &req), 0);
    assert_int_equal(req.attr.mtime.s, 1234);
}

static void a_size_is_set_with_and_without_a_handle(void **state)
{
    struct names_rig *r = *state;
    uint64_t ino, two = 2, four = 4;
    struct file *f;

    names_rig_put(r, ROOT, "film", "bytes");
    ino = names_rig_ino(r, ROOT, "film");
    assert_int_equal(set(r, ino, NULL, 0, &(struct ns_attr){ 0 }, &two).size, 2);
    names_rig_check(r, ROOT, "film", "by");
    f = names_rig_open_file(r, ROOT, "film", O_WRONLY);
    assert_int_equal(set(r, ino, f, 0, &(struct ns_attr){ 0 }, &four).size, 4);
    names_rig_write(r, f, 2, "te");
    assert_int_equal(names_rig_close_file(r, f), 0);
    names_rig_check(r, ROOT, "film", "byte");
}

static void a_truncation_alone_is_committed_by_the_close(void **state)
{
    struct names_rig *r = *state;
    uint64_t zero = 0;
    struct file *f;

    names_rig_put(r, ROOT, "film", "bytes");
    f = names_rig_open_file(r, ROOT, "film", O_WRONLY);
    set(r, names_rig_ino(r, ROOT, "film"), f, 0, &(struct ns_attr){ 0 }, &zero);
    assert_int_equal(files_flush(r->fs, f), 0);
    assert_int_equal(((struct inode *)f->inode)->content->size, 0);
    files_release(r->fs, f);
    names_rig_check(r, ROOT, "film", "");
}

static void holes_are_found_while_writing_and_when_stored(void **state)
{
    struct names_rig *r = *state;
    struct file *f = names_rig_create(r, ROOT, "film");
    char *bytes = malloc(2 * MIB);

    memset(bytes, 'x', 2 * MIB);
    assert_int_equal(files_fallocate(r->fs, f, 0, 0, 8 * MIB), 0);
    f->wrote = true;
    assert_int_equal(rig_write(&r->rig, f->inode, 4 * MIB, bytes, 2 * MIB), 0);
    for (unsigned pass = 0; pass < 2; pass++) {
        assert_int_equal(files_seek(r->fs, f, 0, true), 4 * MIB);
        assert_int_equal(files_seek(r->fs, f, 0, false), 0);
        assert_int_equal(files_seek(r->fs, f, 4 * MIB + 5, true), 4 * MIB + 5);
        assert_int_equal(files_seek(r->fs, f, 4 * MIB, false), 6 * MIB);
        assert_int_equal(files_seek(r->fs, f, 6 * MIB, true), -ENXIO);
        assert_int_equal(files_seek(r->fs, f, 7 * MIB, false), 7 * MIB);
        assert_int_equal(files_seek(r->fs, f, 8 * MIB, false), -ENXIO);
        assert_int_equal(names_rig_close_file(r, f), 0);
        f = names_rig_open_file(r, ROOT, "film", O_RDONLY); /* now from the manifest */
    }
    files_release(r->fs, f);
    free(bytes);
}

static void a_file_without_holes_ends_in_one(void **state)
{
    struct names_rig *r = *state;
    struct file *f;

    names_rig_put(r, ROOT, "film", "bytes");
    f = names_rig_open_file(r, ROOT, "film", O_RDONLY);
    assert_int_equal(files_seek(r->fs, f, 2, true), 2);
    assert_int_equal(files_seek(r->fs, f, 2, false), 5);
    assert_int_equal(files_seek(r->fs, f, 5, true), -ENXIO);
    files_release(r->fs, f);
}

static void control_files_keep_their_attributes(void **state)
{
    struct names_rig *r = *state;
    struct ns_attr now;
    uint64_t zero = 0;

    assert_int_equal(files_setattr(r->fs, &caller, CONTROL_INO_IGNORE, NULL, NS_SET_MODE,
                                   &(struct ns_attr){ .mode = 0777 }, NULL, &now),
                     -EPERM);
    assert_int_equal(files_setattr(r->fs, &caller, CONTROL_INO_IGNORE, NULL, 0,
                                   &(struct ns_attr){ 0 }, &zero, &now),
                     0); /* echo > control truncates first */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMES_TEST(attributes_set_before_the_commit_are_committed),
        NAMES_TEST(a_time_set_on_a_stored_file_survives_the_close_of_its_writer),
        NAMES_TEST(a_size_is_set_with_and_without_a_handle),
        NAMES_TEST(a_truncation_alone_is_committed_by_the_close),
        NAMES_TEST(holes_are_found_while_writing_and_when_stored),
        NAMES_TEST(a_file_without_holes_ends_in_one),
        NAMES_TEST(control_files_keep_their_attributes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
