/* ns_rules: all rules together, in random order: the tree against a model of POSIX, the inbox
 * against what must never happen. A failure prints its seed and step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/rand.h"
#include "tests/support/ns_fixture.h"
#include "tests/support/posix_model.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ROOT NS_INO_ROOT
#define BOX  NS_INO_INBOX

#define STEPS       10000
#define CHECK_EVERY 50
#define OP_RMDIR    5 /* its place among the operations */

struct run {
    struct nsf *f;
    struct pm m;
    struct vs_rand rand;
    unsigned done[16]; /* operations of each kind that were not refused */
};

static unsigned below(struct run *run, unsigned bound)
{
    return (unsigned)vs_rand_below(&run->rand, bound);
}

/* A node that is there; directories more often. */
static int any_node(struct run *run)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        int n = (int)below(run, PM_NODES);

        if (run->m.node[n].used && (run->m.node[n].type == S_IFDIR || below(run, 4) == 0))
            return n;
    }
    return PM_ROOT;
}

static int any_name(struct run *run)
{
    return (int)below(run, PM_NAMES);
}

/* A name that leads to a directory without names in it, if there is one. */
static void any_empty_directory(struct run *run, int *dir, int *name)
{
    for (int n = 0; n < PM_NODES; n++)
        for (int i = 0; i < PM_NAMES; i++) {
            int at = run->m.node[n].entries[i];

            if (!run->m.node[n].used || run->m.node[n].type != S_IFDIR || at == PM_NONE ||
                run->m.node[at].type != S_IFDIR || run->m.node[at].size > 0)
                continue;
            *dir = n;
            *name = i;
            if (below(run, 3) == 0)
                return;
        }
}

static struct ns_entry named(struct run *run, enum ns_entry_kind kind, int dir, int name)
{
    return (struct ns_entry){ .kind = kind,
                              .parent = run->m.node[dir].ino,
                              .name = pm_names[name],
                              .name_len = strlen(pm_names[name]) };
}

/* Both did the same thing. */
static void agree(struct run *run, unsigned op, struct ns_entry *e, int want)
{
    int got = nsf_do(run->f, e);

    assert_int_equal(got, want < 0 ? want : 0);
    run->done[op] += want >= 0;
}

static int64_t soon(const struct run *run)
{
    return run->f->now.s + 1; /* when the next entry will be */
}

static void do_unlink(struct run *run, unsigned op)
{
    int dir = any_node(run), name = any_name(run);
    struct ns_entry e = named(run, NS_E_UNLINK, dir, name);

    agree(run, op, &e, pm_unlink(&run->m, dir, name, soon(run)));
}

static void do_rmdir(struct run *run, unsigned op)
{
    int dir = any_node(run), name = any_name(run);
    struct ns_entry e;

    if (below(run, 2) == 0)
        any_empty_directory(run, &dir, &name);
    e = named(run, NS_E_RMDIR, dir, name);
    agree(run, op, &e, pm_rmdir(&run->m, dir, name, soon(run)));
}

static void do_create(struct run *run, unsigned op)
{
    static const char text[8];
    const uint32_t types[] = { S_IFDIR, S_IFREG, S_IFLNK, S_IFIFO };
    uint32_t type = types[below(run, 4)];
    int dir = any_node(run), name = any_name(run), n;
    struct ns_entry e = named(run, NS_E_CREATE, dir, name);
    unsigned size = type == S_IFREG || type == S_IFLNK ? 1 + below(run, 7) : 0;

    e.attr.mode = type | 0644;
    e.flags = below(run, 2) == 0 ? NS_CREATE_REPLACE : 0;
    e.content = (struct ns_new_content){ .kind = size > 0 ? NS_CONTENT_INLINE : NS_CONTENT_NONE,
                                         .bytes = type == S_IFLNK ? "target/" : text,
                                         .bytes_len = size,
                                         .size = size };
    n = pm_create(&run->m, dir, name, type, size, e.flags != 0, soon(run));
    if (n == -ENFILE) { /* the model is full */
        do_rmdir(run, OP_RMDIR);
        return;
    }
    agree(run, op, &e, n);
    if (n >= 0)
        run->m.node[n].ino = run->f->answer.attr.ino;
}

static void do_link(struct run *run, unsigned op)
{
    int node = any_node(run), dir = any_node(run), name = any_name(run);
    struct ns_entry e = named(run, NS_E_LINK, dir, name);

    if (below(run, 2) == 0) /* a file, for once */
        for (int n = 0; n < PM_NODES; n++)
            if (run->m.node[n].used && run->m.node[n].type != S_IFDIR && below(run, 3) == 0)
                node = n;
    e.ino = run->m.node[node].ino;
    agree(run, op, &e, pm_link(&run->m, node, dir, name, soon(run)));
}

static void do_rename(struct run *run, unsigned op)
{
    int dir = any_node(run), name = any_name(run);
    int new_dir = below(run, 3) == 0 ? dir : any_node(run), new_name = any_name(run);
    struct ns_entry e = named(run, NS_E_RENAME, dir, name);
    unsigned how = below(run, 5);

    e.new_parent = run->m.node[new_dir].ino;
    e.new_name = pm_names[new_name];
    e.new_name_len = strlen(e.new_name);
    e.flags = how == 0 ? NS_RENAME_NOREPLACE : how == 1 ? NS_RENAME_EXCHANGE : 0;
    agree(run, op, &e,
          pm_rename(&run->m, dir, name, new_dir, new_name, how == 0, how == 1, soon(run)));
}

static void do_setattr(struct run *run, unsigned op)
{
    int node = any_node(run);
    struct ns_entry e = { .kind = NS_E_SETATTR, .ino = run->m.node[node].ino };

    e.attr.mode = below(run, 07777);
    e.attr.mtime.s = (int64_t)below(run, 1000000) - 500000;
    if (below(run, 2) == 0) {
        e.set = NS_SET_MODE;
        agree(run, op, &e, pm_chmod(&run->m, node, e.attr.mode, soon(run)));
    } else {
        e.set = NS_SET_MTIME;
        agree(run, op, &e, pm_utime(&run->m, node, e.attr.mtime.s, soon(run)));
    }
}

static void do_swap(struct run *run, unsigned op)
{
    static const char text[64];
    int node = any_node(run);
    struct ns_entry e = { .kind = NS_E_SWAP, .ino = run->m.node[node].ino };
    unsigned size = below(run, 64);

    e.base_version = run->m.node[node].version + (below(run, 4) == 0);
    e.content = (struct ns_new_content){ .kind = size > 0 ? NS_CONTENT_INLINE : NS_CONTENT_NONE,
                                         .bytes = text,
                                         .bytes_len = size,
                                         .size = size,
                                         .data_bytes = size,
                                         .stored_bytes = size };
    agree(run, op, &e, pm_write(&run->m, node, (unsigned)e.base_version, size, soon(run)));
}

static void do_forget(struct run *run, unsigned op)
{
    for (int n = 0; n < PM_NODES; n++) {
        struct ns_entry e = { .kind = NS_E_FORGET, .ino = run->m.node[n].ino };

        if (run->m.node[n].used && (run->m.node[n].nlink == 0 || below(run, 40) == 0))
            agree(run, op, &e, pm_forget(&run->m, n));
    }
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static void compare_node(struct run *run, int n)
{
    const struct pm_node *want = &run->m.node[n];
    struct ns_attr a = nsf_attr(run->f, want->ino);
    bool is_root = n == PM_ROOT; /* it holds the inbox, which the model does not know */

    assert_int_equal(a.mode & S_IFMT, want->type);
    if (!is_root)
        assert_int_equal(a.mode & 07777, want->mode);
    assert_int_equal(a.nlink, want->nlink + is_root);
    assert_int_equal(a.size, want->size + is_root);
    assert_int_equal(a.mtime.s, want->mtime);
    assert_int_equal(a.ctime.s, want->ctime);
    assert_int_equal(a.version, want->version);
    assert_int_equal(a.parent, want->parent == PM_NONE ? 0 : run->m.node[want->parent].ino);
}

/* The listing has what the model has, whatever the page size. */
static void compare_listing(struct run *run, int n)
{
    const struct pm_node *dir = &run->m.node[n];
    struct ns_dirent d[3];
    struct meta_req r = { .op = META_READDIR, .ino = dir->ino, .with_attr = true, .dirents = d };
    unsigned names = 0;

    do {
        r.dirents_max = 1 + below(run, 3);
        assert_int_equal(nsf_read(run->f, &r), 0);
        for (uint32_t i = 0; i < r.dirents_count; i++) {
            int name = 0;

            r.cookie = d[i].cookie;
            if (d[i].attr.ino == BOX)
                continue;
            while (name < PM_NAMES && (strlen(pm_names[name]) != d[i].name_len ||
                                       memcmp(pm_names[name], d[i].name, d[i].name_len) != 0))
                name++;
            assert_true(name < PM_NAMES);
            assert_true(dir->entries[name] != PM_NONE);
            assert_int_equal(d[i].attr.ino, run->m.node[dir->entries[name]].ino);
            names++;
        }
    } while (r.dirents_count > 0);
    assert_int_equal(names, dir->size);
}

static void compare_lookups(struct run *run, int n)
{
    const struct pm_node *dir = &run->m.node[n];

    for (int name = 0; name < PM_NAMES; name++) {
        uint64_t ino = nsf_ino(run->f, dir->ino, pm_names[name]);

        assert_int_equal(ino,
                         dir->entries[name] == PM_NONE ? 0 : run->m.node[dir->entries[name]].ino);
    }
}

static void compare(struct run *run)
{
    for (int n = 0; n < PM_NODES; n++) {
        if (!run->m.node[n].used)
            continue;
        compare_node(run, n);
        if (run->m.node[n].type == S_IFDIR) {
            compare_listing(run, n);
            compare_lookups(run, n);
        }
    }
}

typedef void op_fn(struct run *run, unsigned op);

static void the_tree_behaves_as_posix_says(void **state)
{
    static op_fn *const ops[] = { do_create, do_create, do_create,  do_link, do_unlink, do_rmdir,
                                  do_rename, do_rename, do_setattr, do_swap, do_forget };
    const unsigned count = sizeof(ops) / sizeof(ops[0]);
    struct run run = { .f = *state };
    uint64_t seed = 20;

    vs_rand_init(&run.rand, seed);
    pm_init(&run.m, ROOT, run.f->now.s);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned op = below(&run, count);

        ops[op](&run, op);
        compare(&run);
        if (step % CHECK_EVERY == 0)
            nsf_check(run.f);
    }
    for (unsigned op = 0; op < count; op++) /* a rule that was never met was not tested */
        assert_true(run.done[op] > 50);
}

/* ---- the inbox ---------------------------------------------------------------------------------
 */

#define FILES     200
#define BOX_SEEDS 120
#define BOX_STEPS 400

struct box_run {
    struct nsf *f;
    struct vs_rand rand;
    uint64_t dirs[64]; /* inbox and tree directories, some of them long gone */
    unsigned dir_count;
    bool alive[FILES]; /* was created and never removed on purpose */
    uint64_t ino[FILES];
    unsigned published[5];
};

static const char *const box_names[] = { "a", "b", "c.mkv", "inbox", ".vstack", "a (2)" };

static uint64_t box_dir(struct box_run *b)
{
    return b->dirs[vs_rand_below(&b->rand, b->dir_count)];
}

static const char *box_name(struct box_run *b)
{
    return box_names[vs_rand_below(&b->rand, 6)];
}

static void box_gone(struct box_run *b, uint64_t ino)
{
    for (unsigned i = 0; i < FILES; i++)
        if (b->ino[i] == ino)
            b->alive[i] = false;
}

static void box_create(struct box_run *b)
{
    unsigned i = (unsigned)vs_rand_below(&b->rand, FILES);
    char text[16];
    int64_t ino;

    if (b->ino[i] != 0)
        return;
    snprintf(text, sizeof(text), "file %u", i % 8); /* often two have the same */
    ino = nsf_file(b->f, box_dir(b), box_name(b), text);
    if (ino > 0) {
        b->ino[i] = (uint64_t)ino;
        b->alive[i] = true;
    }
}

static void box_mkdir(struct box_run *b)
{
    int64_t ino = nsf_mkdir(b->f, box_dir(b), box_name(b));
    struct ns_attr a;

    if (ino < 0)
        return;
    a = b->f->answer.attr;
    b->dirs[b->dir_count < 64 ? b->dir_count++ : 2 + vs_rand_below(&b->rand, 62)] = a.ino;
    if (a.mirror != 0)
        b->dirs[b->dir_count < 64 ? b->dir_count++ : 2 + vs_rand_below(&b->rand, 62)] = a.mirror;
}

static void box_rename(struct box_run *b)
{
    uint32_t flags = (uint32_t)vs_rand_below(&b->rand, 3);

    if (nsf_rename(b->f, box_dir(b), box_name(b), box_dir(b), box_name(b), flags) == 0 &&
        b->f->answer.replaced.ino != 0 && b->f->answer.replaced.nlink == 0)
        box_gone(b, b->f->answer.replaced.ino);
}

/* The one rule: what publishing drops is the same as what it says is there, or was replaced because
 * that was asked for. */
static void box_publish(struct box_run *b)
{
    uint8_t taken = (uint8_t)vs_rand_below(&b->rand, 3);
    uint64_t dir = box_dir(b);
    const char *name = box_name(b);
    const struct ns_answer *a = &b->f->answer;
    uint64_t was = nsf_ino(b->f, dir, name);

    if (nsf_publish(b->f, dir, name, taken) != 0)
        return;
    b->published[a->published]++;
    assert_int_equal(nsf_ino(b->f, dir, name), 0);
    assert_true(a->dir != BOX && a->dir != dir);
    if (a->published == NS_PUBLISHED_SAME) {
        assert_int_equal(a->replaced.ino, was);
        assert_true(a->attr.ino == was || a->attr.size == a->replaced.size);
        assert_true(a->attr.nlink > 0);
    } else {
        assert_int_equal(a->attr.ino, was);
        assert_int_equal(a->replaced.ino != 0, a->published == NS_PUBLISHED_REPLACED);
        assert_true(a->published != NS_PUBLISHED_REPLACED || taken == NS_TAKEN_REPLACE);
    }
    if (a->replaced.ino != 0 && a->replaced.nlink == 0)
        box_gone(b, a->replaced.ino);
}

static void box_remove(struct box_run *b)
{
    if (vs_rand_below(&b->rand, 2) == 0)
        nsf_rmdir(b->f, box_dir(b), box_name(b));
    else if (nsf_unlink(b->f, box_dir(b), box_name(b)) == 0 && b->f->answer.replaced.nlink == 0)
        box_gone(b, b->f->answer.replaced.ino);
}

static void box_setattr(struct box_run *b)
{
    struct ns_entry e = { .kind = NS_E_SETATTR, .ino = box_dir(b), .set = NS_SET_MTIME };

    e.attr.mtime.s = (int64_t)vs_rand_below(&b->rand, 1000);
    nsf_do(b->f, &e);
    nsf_setxattr(b->f, box_dir(b), "user.a", "1", 0);
}

static void box_check(struct box_run *b)
{
    nsf_check(b->f);
    for (unsigned i = 0; i < FILES; i++)
        if (b->alive[i])
            assert_true(nsf_attr(b->f, b->ino[i]).nlink > 0);
    assert_int_equal(nsf_ino(b->f, ROOT, "inbox"), BOX);
    assert_int_equal(nsf_ino(b->f, ROOT, ".vstack"), 0);
    assert_int_equal(nsf_ino(b->f, BOX, "inbox"), 0);
}

static void whatever_happens_in_the_inbox_no_file_is_lost(void **state)
{
    static void (*const ops[])(struct box_run *) = { box_create, box_create,  box_mkdir,
                                                     box_rename, box_publish, box_publish,
                                                     box_remove, box_setattr };
    unsigned published[5] = { 0 };
    struct nsf f;

    (void)state;
    for (uint64_t seed = 1; seed <= BOX_SEEDS; seed++) {
        struct box_run b = { .f = &f, .dirs = { ROOT, BOX }, .dir_count = 2 };

        nsf_open(&f);
        vs_rand_init(&b.rand, seed);
        for (unsigned step = 0; step < BOX_STEPS; step++) {
            ops[vs_rand_below(&b.rand, sizeof(ops) / sizeof(ops[0]))](&b);
            if (step % 20 == 0)
                box_check(&b);
        }
        box_check(&b);
        for (unsigned how = 0; how < 5; how++)
            published[how] += b.published[how];
        nsf_close(&f);
    }
    for (unsigned how = NS_PUBLISHED_MOVED; how <= NS_PUBLISHED_REPLACED; how++)
        assert_true(published[how] > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(the_tree_behaves_as_posix_says),
        NSF_TEST(whatever_happens_in_the_inbox_no_file_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
