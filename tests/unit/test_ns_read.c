/* ns_read: what the namespace answers, also while entries are applied beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "meta/ns_read.h"
#include "tests/support/ns_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ROOT NS_INO_ROOT
#define PAGE 7u

static void lookup_answers_as_path_resolution_does(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1"), d = (uint64_t)nsf_mkdir(f, ROOT, "d");
    char name[NS_NAME_BYTES_MAX + 2];
    struct ns_attr a;

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(nsf_lookup(f, ROOT, "x", &a), 0);
    assert_int_equal(a.ino, x);
    assert_int_equal(a.size, 1);
    assert_int_equal(nsf_lookup(f, ROOT, "none", &a), -ENOENT);
    assert_int_equal(nsf_lookup(f, x, "y", &a), -ENOTDIR);
    assert_int_equal(nsf_lookup(f, 99999, "y", &a), -ENOENT);
    assert_int_equal(nsf_lookup(f, ROOT, name, &a), -ENAMETOOLONG);
    assert_int_equal(nsf_rmdir(f, ROOT, "d"), 0);
    assert_int_equal(nsf_lookup(f, d, "y", &a), -ENOENT);
}

/* ---- readdir ---- */

static uint32_t page(struct nsf *f, uint64_t dir, uint64_t behind, bool attrs,
                     struct ns_dirent d[PAGE])
{
    struct meta_req r = { .op = META_READDIR,
                          .ino = dir,
                          .cookie = behind,
                          .with_attr = attrs,
                          .dirents = d,
                          .dirents_max = PAGE };

    assert_int_equal(nsf_read(f, &r), 0);
    return r.dirents_count;
}

static void a_listing_has_every_name_once_in_pages(void **state)
{
    enum { NAMES = 500 };
    struct nsf *f = *state;
    uint64_t dir = (uint64_t)nsf_mkdir(f, ROOT, "d"), behind = 0;
    struct ns_dirent d[PAGE];
    unsigned seen = 0;
    char name[16];
    uint32_t n;

    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_true(nsf_file(f, dir, name, name) > 0);
    }
    while ((n = page(f, dir, behind, seen % 2 == 0, d)) > 0)
        for (uint32_t i = 0; i < n; i++) {
            snprintf(name, sizeof(name), "%u", seen++); /* made in this order */
            assert_int_equal(d[i].name_len, strlen(name));
            assert_memory_equal(d[i].name, name, strlen(name));
            assert_true(d[i].cookie > behind);
            behind = d[i].cookie;
        }
    assert_int_equal(seen, NAMES);
    assert_int_equal(page(f, dir, UINT64_MAX, false, d), 0);
}

static void a_listing_goes_on_where_it_was_when_names_change(void **state)
{
    struct nsf *f = *state;
    uint64_t dir = (uint64_t)nsf_mkdir(f, ROOT, "d");
    struct ns_dirent d[PAGE];
    char name[16];

    for (unsigned i = 0; i < 2 * PAGE; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_true(nsf_file(f, dir, name, "1") > 0);
    }
    assert_int_equal(page(f, dir, 0, true, d), PAGE);
    for (unsigned i = 0; i <= PAGE; i++) { /* rm -r: what was listed goes, and one more */
        snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(nsf_unlink(f, dir, name), 0);
    }
    assert_int_equal(page(f, dir, d[PAGE - 1].cookie, true, d), PAGE - 1);
    assert_memory_equal(d[0].name, "8", 1);
}

static void a_listing_has_attributes_or_only_numbers_and_types(void **state)
{
    struct nsf *f = *state;
    uint64_t dir = (uint64_t)nsf_mkdir(f, ROOT, "d"), sub = (uint64_t)nsf_mkdir(f, dir, "s");
    uint64_t x = (uint64_t)nsf_file(f, dir, "x", "hello");
    struct ns_dirent d[PAGE];

    assert_int_equal(page(f, dir, 0, false, d), 2);
    assert_int_equal(d[0].attr.ino, sub);
    assert_int_equal(d[0].attr.mode, S_IFDIR);
    assert_int_equal(d[1].attr.ino, x);
    assert_int_equal(d[1].attr.mode, S_IFREG);
    assert_int_equal(d[1].attr.size, 0);
    assert_int_equal(page(f, dir, 0, true, d), 2);
    assert_int_equal(d[0].attr.mode, S_IFDIR | 0755);
    assert_int_equal(d[1].attr.size, 5);
}

static void only_directories_are_listed(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1"), d = (uint64_t)nsf_mkdir(f, ROOT, "d");
    struct ns_dirent out[1];
    struct meta_req r = { .op = META_READDIR, .ino = x, .dirents = out, .dirents_max = 1 };

    assert_int_equal(nsf_read(f, &r), -ENOTDIR);
    r.ino = 99999;
    assert_int_equal(nsf_read(f, &r), -ENOENT); /* an error, never an empty listing */
    assert_int_equal(nsf_rmdir(f, ROOT, "d"), 0);
    r.ino = d;
    assert_int_equal(nsf_read(f, &r), 0); /* removed, and still somebody's working directory */
    assert_int_equal(r.dirents_count, 0);
}

/* ---- content, extended attributes ---- */

static void content_comes_with_the_attributes_of_its_version(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "hello");
    uint64_t s = (uint64_t)nsf_symlink(f, ROOT, "s", "to/x");
    struct meta_req r = { .op = META_CONTENT, .ino = x };
    struct mf_head head;

    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.attr.content, NS_CONTENT_INLINE);
    assert_int_equal(r.bytes.len, 5);
    assert_memory_equal(r.bytes.data, "hello", 5);
    r.ino = s;
    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.bytes.len, 4);
    assert_memory_equal(r.bytes.data, "to/x", 4);
    r.ino = (uint64_t)nsf_big_file(f, ROOT, "big", 3, 1);
    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.attr.content, NS_CONTENT_CHUNKS);
    assert_int_equal(mf_head_decode(r.bytes.data, r.bytes.len, &head), 0);
    assert_int_equal(head.segment_count, 3);
    mf_head_close(&head);
    r.ino = ROOT;
    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.bytes.len, 0);
    r.ino = 99999;
    assert_int_equal(nsf_read(f, &r), -ENOENT);
    vs_buf_close(&r.bytes);
}

static void xattr_questions_are_answered_as_getxattr_2_says(void **state)
{
    struct nsf *f = *state;
    uint64_t x = (uint64_t)nsf_file(f, ROOT, "x", "1");
    struct meta_req r = { .op = META_GETXATTR, .ino = x, .name = "user.a", .name_len = 6 };

    assert_int_equal(nsf_read(f, &r), -ENODATA);
    r.ino = 99999;
    assert_int_equal(nsf_read(f, &r), -ENOENT);
    r.op = META_LISTXATTR;
    assert_int_equal(nsf_read(f, &r), -ENOENT);
    r.ino = x;
    assert_int_equal(nsf_read(f, &r), 0);
    assert_int_equal(r.bytes.len, 0);
    r.op = META_GETXATTR;
    r.name_len = 0;
    assert_int_equal(nsf_read(f, &r), -ERANGE);
    r.op = META_REG_READ;
    assert_int_equal(nsf_read(f, &r), -EINVAL); /* not a question about the namespace */
    vs_buf_close(&r.bytes);
}

/* ---- beside an applier ---- */

/* A store that lets an entry come in before the n-th get. */
struct hooked {
    struct kv kv;
    struct nsf *f;
    unsigned gets, hook_at;
    void (*hook)(struct nsf *f);
};

static int hooked_get(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret)
{
    struct hooked *h = (struct hooked *)kv;

    if (++h->gets == h->hook_at)
        h->hook(h->f);
    return kv_get(h->f->kv, key, key_len, ret);
}

static int hooked_scan(struct kv *kv, const void *from, size_t from_len, const void *to,
                       size_t to_len, kv_scan_fn *fn, void *arg)
{
    return kv_scan(((struct hooked *)kv)->f->kv, from, from_len, to, to_len, fn, arg);
}

static const struct kv_ops hooked_ops = { .get = hooked_get, .scan = hooked_scan };

static int read_hooked(struct nsf *f, struct meta_req *r, unsigned at, void (*hook)(struct nsf *))
{
    struct hooked h = { .kv = { &hooked_ops }, .f = f, .hook_at = at, .hook = hook };

    return ns_read(&h.kv, r);
}

static void replace_name(struct nsf *f)
{
    assert_true(nsf_file(f, ROOT, "other", "2") > 0);
    assert_int_equal(nsf_rename(f, ROOT, "other", ROOT, "name", 0), 0);
}

static void a_lookup_never_finds_what_has_lost_the_name(void **state)
{
    struct nsf *f = *state;
    uint64_t old = (uint64_t)nsf_file(f, ROOT, "name", "1");
    struct meta_req r = { .op = META_LOOKUP, .ino = ROOT, .name = "name", .name_len = 4 };

    assert_int_equal(read_hooked(f, &r, 2, replace_name), 0);
    assert_int_not_equal(r.attr.ino, old);
    assert_int_equal(r.attr.nlink, 1);
}

static void remove_page(struct nsf *f)
{
    char name[16];

    for (unsigned i = 0; i < PAGE; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(nsf_unlink(f, nsf_ino(f, ROOT, "d"), name), 0);
    }
}

static void a_page_that_was_removed_is_not_the_end_of_a_listing(void **state)
{
    struct nsf *f = *state;
    uint64_t dir = (uint64_t)nsf_mkdir(f, ROOT, "d");
    struct ns_dirent d[PAGE];
    struct meta_req r = {
        .op = META_READDIR, .ino = dir, .with_attr = true, .dirents = d, .dirents_max = PAGE
    };
    char name[16];

    for (unsigned i = 0; i <= PAGE; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_true(nsf_file(f, dir, name, "1") > 0);
    }
    assert_int_equal(read_hooked(f, &r, 2, remove_page), 0); /* behind the scan */
    assert_int_equal(r.dirents_count, 1);
    assert_memory_equal(d[0].name, "7", 1);
}

static void empty_content(struct nsf *f)
{
    struct ns_entry e = { .kind = NS_E_SWAP, .base_version = 1 };

    e.ino = nsf_ino(f, ROOT, "x");
    assert_int_equal(nsf_do(f, &e), 0);
}

static void content_that_went_between_two_gets_is_read_again(void **state)
{
    struct nsf *f = *state;
    struct meta_req r = { .op = META_CONTENT };

    r.ino = (uint64_t)nsf_file(f, ROOT, "x", "hello");
    assert_int_equal(read_hooked(f, &r, 2, empty_content), 0);
    assert_int_equal(r.attr.version, 2);
    assert_int_equal(r.bytes.len, 0);
    vs_buf_close(&r.bytes);
}

struct reader {
    struct nsf *f;
    uint64_t ino;
    atomic_bool stop;
    unsigned rounds;
    int wrong;
};

/* Content "nnn" belongs to version n; the name is always there; no answer is between two. */
static void *read_on(void *arg)
{
    struct reader *rd = arg;
    struct meta_req content = { .op = META_CONTENT, .ino = rd->ino };
    struct meta_req look = { .op = META_LOOKUP, .ino = ROOT, .name = "name", .name_len = 4 };

    while (!atomic_load(&rd->stop)) {
        if (ns_read(rd->f->kv, &content) != 0 || content.bytes.len != content.attr.size ||
            content.bytes.len != content.attr.version % 100)
            rd->wrong++;
        if (ns_read(rd->f->kv, &look) != 0 || look.attr.nlink == 0)
            rd->wrong++;
        rd->rounds++;
    }
    vs_buf_close(&content.bytes);
    return NULL;
}

static void no_answer_mixes_two_moments(void **state)
{
    static const char text[100];
    struct nsf *f = *state;
    struct ns_entry e = { .kind = NS_E_SWAP };
    struct reader rd = { .f = f };
    pthread_t thread;

    rd.ino = (uint64_t)nsf_file(f, ROOT, "content", "1");
    assert_true(nsf_file(f, ROOT, "name", "1") > 0);
    assert_int_equal(pthread_create(&thread, NULL, read_on, &rd), 0);
    for (uint64_t version = 1; version < 3000; version++) {
        uint64_t len = (version + 1) % 100;

        e.ino = rd.ino;
        e.base_version = version;
        e.content.kind = len > 0 ? NS_CONTENT_INLINE : NS_CONTENT_NONE;
        e.content.bytes = text;
        e.content.bytes_len = e.content.size = len;
        assert_int_equal(nsf_do(f, &e), 0);
        assert_true(nsf_file(f, ROOT, "new", "1") > 0); /* replace the name, forget the old one */
        assert_int_equal(nsf_rename(f, ROOT, "new", ROOT, "name", 0), 0);
        assert_int_equal(nsf_forget(f, f->answer.replaced.ino), 0);
    }
    atomic_store(&rd.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(rd.wrong, 0);
    assert_true(rd.rounds > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(lookup_answers_as_path_resolution_does),
        NSF_TEST(a_listing_has_every_name_once_in_pages),
        NSF_TEST(a_listing_goes_on_where_it_was_when_names_change),
        NSF_TEST(a_listing_has_attributes_or_only_numbers_and_types),
        NSF_TEST(only_directories_are_listed),
        NSF_TEST(content_comes_with_the_attributes_of_its_version),
        NSF_TEST(xattr_questions_are_answered_as_getxattr_2_says),
        NSF_TEST(a_lookup_never_finds_what_has_lost_the_name),
        NSF_TEST(a_page_that_was_removed_is_not_the_end_of_a_listing),
        NSF_TEST(content_that_went_between_two_gets_is_read_again),
        NSF_TEST(no_answer_mixes_two_moments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
