/* feed_change: what an entry changed, from the keys of its batch; and bytes that are no records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "meta/feed.h"
#include "tests/support/ns_fixture.h"

#include <string.h>

/* The feed of a namespace, asked behind each entry. */
struct rig {
    struct nsf ns;
    struct vs_exec *exec;
    struct feed *feed;
    struct meta_req r;
    uint64_t after;
};

static void on_answer(struct meta_req *r)
{
    assert_int_equal(r->status, 0);
}

static void rig_open(struct rig *g)
{
    memset(g, 0, sizeof(*g));
    nsf_open(&g->ns);
    assert_int_equal(vs_exec_serial_new(&g->exec), 0);
    assert_int_equal(feed_new(&g->feed, g->exec, FEED_BYTES_MAX), 0);
    ns_apply_set_feed(g->ns.apply, g->feed);
    g->after = g->ns.slot;
}

static void rig_close(struct rig *g)
{
    vs_buf_close(&g->r.bytes);
    feed_stop(g->feed);
    vs_exec_stop(g->exec);
    feed_free(g->feed);
    nsf_close(&g->ns);
}

/* What changed since the last look. */
static struct feed_walk rig_look(struct rig *g)
{
    vs_buf_close(&g->r.bytes);
    g->r = (struct meta_req){ .op = META_CHANGES, .after = g->after, .done = on_answer };
    feed_ask(g->feed, &g->r);
    assert_false(g->r.reset);
    assert_int_equal(g->r.slot, g->ns.slot);
    g->after = g->r.slot;
    return feed_walk_init(g->r.bytes.data, g->r.bytes.len);
}

/* The `what` of an inode among the changes since the last look; 0: none. */
static unsigned what_of(struct rig *g, uint64_t ino, uint64_t *ret_version)
{
    struct feed_walk w = feed_walk_init(g->r.bytes.data, g->r.bytes.len);
    struct feed_change c;

    while (feed_walk_next(&w, &c) == 1)
        if (c.what != FEED_NAME && c.ino == ino) {
            if (ret_version != NULL)
                *ret_version = c.version;
            return c.what;
        }
    return 0;
}

/* What a name stands for now, by the feed; UINT64_MAX: it was not changed. */
static uint64_t name_of(struct rig *g, uint64_t dir, const char *name)
{
    struct feed_walk w = feed_walk_init(g->r.bytes.data, g->r.bytes.len);
    struct feed_change c;

    while (feed_walk_next(&w, &c) == 1)
        if (c.what == FEED_NAME && c.dir == dir && c.name_len == strlen(name) &&
            memcmp(c.name, name, c.name_len) == 0)
            return c.ino;
    return UINT64_MAX;
}

static void a_change_names_its_inodes_and_names(void **state)
{
    struct rig g;
    uint64_t d, f, version = 0;

    (void)state;
    rig_open(&g);
    d = (uint64_t)nsf_mkdir(&g.ns, NS_INO_ROOT, "d");
    f = (uint64_t)nsf_file(&g.ns, d, "film.mkv", "text");
    rig_look(&g);
    assert_int_equal(name_of(&g, NS_INO_ROOT, "d"), d);
    assert_int_equal(name_of(&g, d, "film.mkv"), f);
    assert_int_equal(what_of(&g, f, &version), FEED_ATTR | FEED_CONTENT);
    assert_int_equal(version, nsf_attr(&g.ns, f).version);
    assert_int_equal(what_of(&g, NS_INO_ROOT, NULL), FEED_ATTR);

    assert_int_equal(nsf_rename(&g.ns, d, "film.mkv", NS_INO_ROOT, "b", 0), 0);
    rig_look(&g);
    assert_int_equal(name_of(&g, d, "film.mkv"), 0);
    assert_int_equal(name_of(&g, NS_INO_ROOT, "b"), f);
    assert_int_equal(what_of(&g, d, NULL), FEED_ATTR);

    assert_int_equal(nsf_setxattr(&g.ns, f, "user.a", "1", 0), 0);
    rig_look(&g);
    assert_int_equal(what_of(&g, f, NULL), FEED_ATTR | FEED_XATTR);
    assert_int_equal(name_of(&g, NS_INO_ROOT, "b"), UINT64_MAX);

    assert_int_equal(nsf_unlink(&g.ns, NS_INO_ROOT, "b"), 0);
    rig_look(&g);
    assert_int_equal(name_of(&g, NS_INO_ROOT, "b"), 0);
    assert_true(what_of(&g, f, NULL) & FEED_GONE);
    rig_close(&g);
}

static void a_refused_entry_changes_nothing(void **state)
{
    struct rig g;

    (void)state;
    rig_open(&g);
    assert_int_equal(nsf_unlink(&g.ns, NS_INO_ROOT, "nobody"), -ENOENT);
    rig_look(&g);
    assert_int_equal(g.r.bytes.len, 0);
    rig_close(&g);
}

static void a_change_says_whose_it_is(void **state)
{
    struct ns_entry e = { .kind = NS_E_UNLINK, .parent = NS_INO_ROOT, .name = "f", .name_len = 1 };
    struct feed_change c;
    struct feed_walk w;
    struct rig g;

    (void)state;
    rig_open(&g);
    assert_true(nsf_file(&g.ns, NS_INO_ROOT, "f", "x") > 0);
    rig_look(&g);
    e.client = 77;
    e.request = 1;
    assert_int_equal(nsf_do(&g.ns, &e), 0);
    w = rig_look(&g);
    assert_int_equal(feed_walk_next(&w, &c), 1);
    assert_int_equal(c.client, 77);
    assert_int_equal(c.slot, g.ns.slot);
    rig_close(&g);
}

static void what_is_no_record_is_refused_wherever_it_ends(void **state)
{
    struct feed_change c;
    struct feed_walk w;
    struct rig g;
    size_t len;
    int r;

    (void)state;
    rig_open(&g);
    assert_true(nsf_mkdir(&g.ns, NS_INO_ROOT, "d") > 0);
    assert_true(nsf_mkdir(&g.ns, NS_INO_ROOT, "e") > 0);
    rig_look(&g);
    len = g.r.bytes.len;
    for (size_t cut = 1; cut < len; cut++) {
        unsigned whole = 0;

        w = feed_walk_init(g.r.bytes.data, cut);
        while ((r = feed_walk_next(&w, &c)) == 1)
            whole++;
        assert_true(r == -VS_ECORRUPT || (r == 0 && whole > 0 && cut == len / 2));
        assert_int_equal(feed_walk_next(&w, &c), r); /* and stays so */
    }
    memcpy(g.r.bytes.data + len / 2, g.r.bytes.data, 8); /* the second has the slot of the first */
    w = feed_walk_init(g.r.bytes.data, len);
    while ((r = feed_walk_next(&w, &c)) == 1)
        ;
    assert_int_equal(r, -VS_ECORRUPT);
    rig_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_names_its_inodes_and_names),
        cmocka_unit_test(a_refused_entry_changes_nothing),
        cmocka_unit_test(a_change_says_whose_it_is),
        cmocka_unit_test(what_is_no_record_is_refused_wherever_it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
