/* Rules of orphan.h: the journal forgets an inode without anybody waiting for it. */
#include "fs/orphan.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOT NS_INO_ROOT

/* Unlinked in the journal, and nothing else: the kernel does not know it. */
static uint64_t orphan(struct names_rig *r, const char *name)
{
    struct ns_entry e = {
        .kind = NS_E_UNLINK, .parent = ROOT, .name = name, .name_len = strlen(name)
    };
    uint64_t ino;

    names_rig_put(r, ROOT, name, "bytes");
    ino = names_rig_ino(r, ROOT, name);
    assert_int_equal(vsfs_change(r->fs, &e, NULL), 0);
    assert_int_equal(names_rig_nlink(r, ino), 0);
    return ino;
}

static void a_forgotten_inode_is_gone_once_waited_for(void **state)
{
    struct names_rig *r = *state;
    uint64_t ino = orphan(r, "film");

    orphan_forget(r->fs, ino);
    orphan_wait();
    assert_int_equal(names_rig_nlink(r, ino), -1);
    assert_false(names_rig_is_orphan(r, ino));
}

static void a_stop_waits_for_all(void **state)
{
    struct names_rig *r = *state;
    uint64_t ino[32];
    char name[16];

    for (unsigned n = 0; n < 32; n++) {
        snprintf(name, sizeof(name), "f%u", n);
        ino[n] = orphan(r, name);
    }
    for (unsigned n = 0; n < 32; n++)
        orphan_forget(r->fs, ino[n]);
    orphan_wait();
    for (unsigned n = 0; n < 32; n++)
        assert_int_equal(names_rig_nlink(r, ino[n]), -1);
}

static unsigned forgotten(struct names_rig *r, const uint64_t *ino, unsigned count)
{
    unsigned gone = 0;

    for (unsigned n = 0; n < count; n++) {
        struct meta_req req = { .op = META_GETATTR, .ino = ino[n] };

        gone += meta_call(r->fs->meta, &req) == -ENOENT;
    }
    return gone;
}

/* rm -r pays one sync per file, not two: what comes within a moment goes together, and what is
 * enough goes at once. */
static void they_are_gathered_for_a_moment(void **state)
{
    struct names_rig *r = *state;
    struct vsfs fs = *r->fs;
    uint64_t ino[ORPHAN_GATHER_MAX + 5];
    char name[16];

    assert_int_equal(vs_exec_serial_new(&fs.ops), 0);
    for (unsigned n = 0; n < ORPHAN_GATHER_MAX + 5; n++) {
        snprintf(name, sizeof(name), "f%u", n);
        ino[n] = orphan(r, name);
    }
    for (unsigned n = 0; n < 5; n++)
        orphan_forget(&fs, ino[n]);
    assert_int_equal(vs_exec_run_all(fs.ops), 0);
    assert_int_equal(forgotten(r, ino, 5), 0);
    vs_exec_advance(fs.ops, ORPHAN_GATHER_NS);
    assert_int_equal(vs_exec_run_all(fs.ops), 1);
    while (forgotten(r, ino, 5) < 5)
        usleep(1000);
    for (unsigned n = 5; n < ORPHAN_GATHER_MAX + 5; n++) {
        assert_int_equal(forgotten(r, ino + 5, n - 5), 0);
        orphan_forget(&fs, ino[n]);
    }
    while (forgotten(r, ino, ORPHAN_GATHER_MAX + 5) < ORPHAN_GATHER_MAX + 5)
        usleep(1000);
    orphan_wait(); /* takes back the look that is not needed any more */
    vs_exec_stop(fs.ops);
}

static void what_is_still_linked_is_refused_by_the_journal(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, ROOT, "film", "bytes");
    orphan_forget(r->fs, names_rig_ino(r, ROOT, "film"));
    orphan_forget(r->fs, 4711); /* and what is not there is forgiven */
    orphan_wait();
    names_rig_check(r, ROOT, "film", "bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAMES_TEST(a_forgotten_inode_is_gone_once_waited_for),
        NAMES_TEST(a_stop_waits_for_all),
        NAMES_TEST(they_are_gathered_for_a_moment),
        NAMES_TEST(what_is_still_linked_is_refused_by_the_journal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
