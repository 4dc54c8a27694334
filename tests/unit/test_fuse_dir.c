/* fuse_dir: a listing names what is there, each once, whatever happens to it meanwhile. */
#include "common/err.h"
#include "tests/support/fuse_rig.h"
#include "tests/support/meta_twist.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROOT      NS_INO_ROOT
#define INBOX     NS_INO_INBOX
#define NAMES_MAX 2048

struct listed {
    unsigned count;
    struct {
        uint64_t node, attr_node, off;
        uint32_t type;
        char name[NS_NAME_BYTES_MAX + 1];
    } e[NAMES_MAX];
};

static uint64_t opendir_of(struct fuse_rig *k, uint64_t dir)
{
    struct fuse_open_in in = { .flags = O_RDONLY };
    struct fuse_open_out o;

    assert_int_equal(fuse_rig_ask(k, FUSE_OPENDIR, dir, &in, sizeof(in), NULL, 0), 0);
    memcpy(&o, k->body, sizeof(o));
    return o.fh;
}

static void releasedir_of(struct fuse_rig *k, uint64_t dir, uint64_t fh)
{
    struct fuse_release_in in = { .fh = fh };

    assert_int_equal(fuse_rig_ask(k, FUSE_RELEASEDIR, dir, &in, sizeof(in), NULL, 0), 0);
}

static void add_entries(struct fuse_rig *k, bool plus, struct listed *l)
{
    for (size_t at = 0; at < k->len;) {
        struct fuse_entry_out entry = { 0 };
        struct fuse_dirent d;
        size_t head = plus ? sizeof(entry) : 0;

        assert_true(at + head + FUSE_NAME_OFFSET <= k->len && l->count < NAMES_MAX);
        if (plus)
            memcpy(&entry, k->body + at, sizeof(entry));
        memcpy(&d, k->body + at + head, FUSE_NAME_OFFSET);
        assert_true(d.namelen <= NS_NAME_BYTES_MAX);
        l->e[l->count].node = entry.nodeid;
        l->e[l->count].attr_node = d.ino;
        l->e[l->count].off = d.off;
        l->e[l->count].type = d.type;
        memcpy(l->e[l->count].name, k->body + at + head + FUSE_NAME_OFFSET, d.namelen);
        l->e[l->count++].name[d.namelen] = '\0';
        at += head + ((FUSE_NAME_OFFSET + d.namelen + 7) & ~UINT64_C(7));
    }
}

/* One answer: how many names it had. */
static unsigned list_some(struct fuse_rig *k, uint64_t dir, uint64_t fh, uint64_t offset,
                          uint32_t size, bool plus, struct listed *l)
{
    struct fuse_read_in in = { .fh = fh, .offset = offset, .size = size };
    unsigned before = l->count;

    assert_int_equal(
        fuse_rig_ask(k, plus ? FUSE_READDIRPLUS : FUSE_READDIR, dir, &in, sizeof(in), NULL, 0), 0);
    assert_true(k->len <= size);
    add_entries(k, plus, l);
    return l->count - before;
}

static void list_rest(struct fuse_rig *k, uint64_t dir, uint64_t fh, uint32_t size, bool plus,
                      struct listed *l)
{
    uint64_t offset = l->count > 0 ? l->e[l->count - 1].off : 0;

    while (list_some(k, dir, fh, offset, size, plus, l) > 0)
        offset = l->e[l->count - 1].off;
}

static struct listed *list(struct fuse_rig *k, uint64_t dir, uint32_t size, bool plus)
{
    static struct listed l;
    uint64_t fh = opendir_of(k, dir);

    l.count = 0;
    list_rest(k, dir, fh, size, plus, &l);
    releasedir_of(k, dir, fh);
    return &l;
}

/* How often it is listed. */
static unsigned times(const struct listed *l, const char *name)
{
    unsigned n = 0;

    for (unsigned i = 0; i < l->count; i++)
        n += strcmp(l->e[i].name, name) == 0;
    return n;
}

static void check_numbered(const struct listed *l, const char *form, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        char name[32];

        snprintf(name, sizeof(name), form, n);
        if (times(l, name) != 1)
            fail_msg("%s is listed %u times", name, times(l, name));
    }
}

static void put_numbered(struct fuse_rig *k, uint64_t dir, const char *form, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        char name[32];

        snprintf(name, sizeof(name), form, n);
        fuse_rig_put(k, dir, name, name);
    }
}

static void an_empty_folder_has_itself_and_its_parent(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out d;
    struct listed *l;

    assert_int_equal(fuse_rig_mkdir(k, ROOT, "dir", 0755, &d), 0);
    l = list(k, d.nodeid, 4096, false);
    assert_int_equal(l->count, 2);
    assert_string_equal(l->e[0].name, ".");
    assert_string_equal(l->e[1].name, "..");
    assert_int_equal(l->e[0].attr_node, d.nodeid);
    l = list(k, d.nodeid, 4096, true);
    assert_int_equal(l->count, 2);
    assert_int_equal(l->e[0].node, 0); /* no lookup of these is counted */
}

static void every_size_of_answers_gives_every_name_once(void **state)
{
    static const uint32_t sizes[] = { 400, 512, 4096, 100000 };
    struct fuse_rig *k = *state;
    struct fuse_entry_out d;

    assert_int_equal(fuse_rig_mkdir(k, ROOT, "dir", 0755, &d), 0);
    put_numbered(k, d.nodeid, "film-%u.mkv", 300); /* more than one batch */
    for (unsigned n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
        for (unsigned plus = 0; plus < 2; plus++) {
            struct listed *l = list(k, d.nodeid, sizes[n], plus);

            assert_int_equal(l->count, 302);
            check_numbered(l, "film-%u.mkv", 300);
        }
    }
}

static void a_listing_with_attributes_is_as_good_as_lookups(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t node = fuse_rig_put(k, ROOT, "film", "bytes");
    struct fuse_attr_out a;
    struct listed *l;

    fuse_rig_forget(k, node, 1); /* of the create */
    l = list(k, ROOT, 4096, true);
    assert_int_equal(times(l, "film"), 1);
    assert_int_equal(times(l, "inbox"), 1);
    assert_int_equal(times(l, ".vstack"), 0);
    for (unsigned n = 0; n < l->count; n++)
        if (strcmp(l->e[n].name, "film") == 0) {
            assert_int_equal(l->e[n].node, node);
            assert_int_equal(l->e[n].attr_node, node);
            assert_int_equal(l->e[n].type, S_IFREG >> 12);
        }
    assert_int_equal(fuse_rig_getattr(k, node, &a), 0);
    assert_int_equal(a.attr.size, 5);
    fuse_rig_forget(k, node, 1); /* counted: else this would be one too many */
}

static void names_that_are_not_stored_yet_are_listed(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out e;
    uint64_t fh;

    assert_int_equal(fuse_rig_create(k, ROOT, "half", O_WRONLY | O_CREAT, 0644, &e, &fh), 0);
    for (unsigned plus = 0; plus < 2; plus++)
        assert_int_equal(times(list(k, ROOT, 4096, plus), "half"), 1);
    assert_int_equal(fuse_rig_write(k, e.nodeid, fh, 0, "bytes", 5, 0), 5);
    assert_int_equal(fuse_rig_flush(k, e.nodeid, fh), 0);
    assert_int_equal(times(list(k, ROOT, 4096, true), "half"), 1);
    assert_int_equal(fuse_rig_release(k, e.nodeid, fh), 0);
}

/* Committed in the middle of a listing: it comes with those that were not stored at its beginning,
 * and not with the stored ones, wherever its name stands among them. */
static void a_commit_in_the_middle_neither_hides_nor_doubles_a_name(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out d, e[2];
    static struct listed l;
    uint64_t fh[2], dir;

    assert_int_equal(fuse_rig_mkdir(k, ROOT, "dir", 0755, &d), 0);
    put_numbered(k, d.nodeid, "m-%u", 40);
    for (unsigned plus = 0; plus < 2; plus++) {
        const char *names[] = { plus ? "a-2" : "a-1", plus ? "z-2" : "z-1" };

        for (unsigned n = 0; n < 2; n++)
            assert_int_equal(
                fuse_rig_create(k, d.nodeid, names[n], O_WRONLY | O_CREAT, 0644, &e[n], &fh[n]), 0);
        dir = opendir_of(k, d.nodeid);
        l.count = 0;
        assert_true(list_some(k, d.nodeid, dir, 0, 1024, plus, &l) > 3);
        for (unsigned n = 0; n < 2; n++) {
            assert_int_equal(fuse_rig_write(k, e[n].nodeid, fh[n], 0, "bytes", 5, 0), 5);
            assert_int_equal(fuse_rig_flush(k, e[n].nodeid, fh[n]), 0);
            assert_int_equal(fuse_rig_release(k, e[n].nodeid, fh[n]), 0);
        }
        list_rest(k, d.nodeid, dir, 1024, plus, &l);
        releasedir_of(k, d.nodeid, dir);
        check_numbered(&l, "m-%u", 40);
        assert_int_equal(times(&l, names[0]), 1);
        assert_int_equal(times(&l, names[1]), 1);
    }
}

/* rm -r: what has been listed is removed before the rest is asked for. */
static void removing_what_was_listed_does_not_skip_others(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out d;
    static struct listed l;
    uint64_t fh;

    assert_int_equal(fuse_rig_mkdir(k, ROOT, "dir", 0755, &d), 0);
    put_numbered(k, d.nodeid, "film-%u", 300);
    fh = opendir_of(k, d.nodeid);
    l.count = 0;
    for (unsigned at = 0; list_some(k, d.nodeid, fh, at > 0 ? l.e[at - 1].off : 0, 2048, true, &l);)
        for (; at < l.count; at++)
            if (l.e[at].name[0] != '.')
                assert_int_equal(fuse_rig_ask(k, FUSE_UNLINK, d.nodeid, l.e[at].name,
                                              strlen(l.e[at].name) + 1, NULL, 0),
                                 0);
    releasedir_of(k, d.nodeid, fh);
    check_numbered(&l, "film-%u", 300);
    assert_int_equal(list(k, d.nodeid, 4096, false)->count, 2);
    assert_int_equal(fuse_rig_ask(k, FUSE_RMDIR, ROOT, "dir", 4, NULL, 0), 0);
}

/* rewinddir(3): what came since is there. */
static void a_listing_from_the_start_again_is_a_new_one(void **state)
{
    struct fuse_rig *k = *state;
    static struct listed l;
    uint64_t fh = opendir_of(k, ROOT);

    l.count = 0;
    list_rest(k, ROOT, fh, 4096, false, &l);
    assert_int_equal(times(&l, "film"), 0);
    fuse_rig_put(k, ROOT, "film", "bytes");
    l.count = 0;
    list_rest(k, ROOT, fh, 4096, false, &l);
    assert_int_equal(times(&l, "film"), 1);
    releasedir_of(k, ROOT, fh);
}

static void an_emptied_folder_of_the_inbox_is_not_listed_and_found(void **state)
{
    struct fuse_rig *k = *state;
    struct fuse_entry_out d, e;

    assert_int_equal(fuse_rig_mkdir(k, INBOX, "Series", 0755, &d), 0);
    assert_int_equal(times(list(k, INBOX, 4096, true), "Series"), 1);
    fuse_rig_put(k, d.nodeid, "1.mkv", "bytes");
    names_rig_settle(&k->names);
    assert_int_equal(times(list(k, INBOX, 4096, true), "Series"), 0);
    assert_int_equal(times(list(k, INBOX, 4096, false), "Series"), 0);
    assert_int_equal(fuse_rig_lookup(k, INBOX, "Series", &e), 0);
    assert_int_equal(e.nodeid, d.nodeid);
    assert_int_equal(times(list(k, ROOT, 4096, true), "Series"), 1);
}

static void the_inbox_shows_a_file_that_keeps_scanners_out(void **state)
{
    struct fuse_rig *k = *state;

    assert_int_equal(times(list(k, INBOX, 4096, true), ".ignore"), 1);
    assert_int_equal(times(list(k, INBOX, 4096, false), ".ignore"), 1);
    assert_int_equal(times(list(k, ROOT, 4096, false), ".ignore"), 0);
}

static void the_control_folder_is_listed(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t dir = fuse_rig_node(k, ROOT, ".vstack");

    for (unsigned plus = 0; plus < 2; plus++) {
        struct listed *l = list(k, dir, 4096, plus);

        assert_int_equal(l->count, 5);
        assert_int_equal(times(l, "status"), 1);
        assert_int_equal(times(l, "control"), 1);
    }
}

static void answer_down(void *arg, struct meta_req *r)
{
    (void)arg;
    if (r->op == META_READDIR)
        r->status = -VS_EDOWN;
}

/* A media server that is shown an empty folder forgets its library. */
static void metadata_out_of_reach_is_an_error_not_an_empty_folder(void **state)
{
    struct fuse_rig *k = *state;
    uint64_t fh = opendir_of(k, ROOT);
    struct fuse_read_in in = { .fh = fh, .size = 4096 };
    static struct listed l;

    k->fs->meta = meta_twist_new(k->fs->meta);
    meta_twist_set(k->fs->meta, answer_down, NULL);
    l.count = 0;
    list_some(k, ROOT, fh, 0, 4096, false, &l); /* "." and ".." are known */
    in.offset = l.e[l.count - 1].off;
    assert_true(fuse_rig_ask(k, FUSE_READDIR, ROOT, &in, sizeof(in), NULL, 0) < 0);
    meta_twist_set(k->fs->meta, NULL, NULL);
    list_rest(k, ROOT, fh, 4096, false, &l);
    assert_int_equal(times(&l, "inbox"), 1); /* it goes on where it was */
    releasedir_of(k, ROOT, fh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUSE_TEST(an_empty_folder_has_itself_and_its_parent),
        FUSE_TEST(every_size_of_answers_gives_every_name_once),
        FUSE_TEST(a_listing_with_attributes_is_as_good_as_lookups),
        FUSE_TEST(names_that_are_not_stored_yet_are_listed),
        FUSE_TEST(a_commit_in_the_middle_neither_hides_nor_doubles_a_name),
        FUSE_TEST(removing_what_was_listed_does_not_skip_others),
        FUSE_TEST(a_listing_from_the_start_again_is_a_new_one),
        FUSE_TEST(an_emptied_folder_of_the_inbox_is_not_listed_and_found),
        FUSE_TEST(the_inbox_shows_a_file_that_keeps_scanners_out),
        FUSE_TEST(the_control_folder_is_listed),
        FUSE_TEST(metadata_out_of_reach_is_an_error_not_an_empty_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
