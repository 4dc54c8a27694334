/* ns_tx: an entry sees what it has changed itself, and a namespace that contradicts itself ends
 * applying instead of being made worse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "meta/ns_tx.h"
#include "tests/support/ns_fixture.h"

#include <string.h>
#include <sys/stat.h>

struct tx_rig {
    struct nsf *f;
    struct kv_batch *batch;
    struct ns_tx tx;
};

static void rig_open(struct tx_rig *rig, struct nsf *f)
{
    rig->f = f;
    assert_int_equal(kv_batch_new(&rig->batch), 0);
    rig->tx = (struct ns_tx){ .kv = f->kv, .batch = rig->batch, .now = { 5, 6 } };
    rig->tx.state.directories = nsf_stats(f).directories;
}

static void rig_close(struct tx_rig *rig)
{
    vs_buf_close(&rig->tx.in);
    vs_buf_close(&rig->tx.out);
    kv_batch_free(rig->batch);
}

static void a_read_sees_what_the_entry_put_and_deleted(void **state)
{
    struct tx_rig rig;
    struct ns_inode i;
    struct ns_link link;
    struct ns_key key = ns_key_u64(NS_T_INODE, NS_INO_INBOX);

    rig_open(&rig, *state);
    assert_int_equal(ns_tx_inode(&rig.tx, NS_INO_INBOX, &i), 0);
    i.attr.uid = 99;
    ns_tx_put_inode(&rig.tx, &i);
    assert_int_equal(ns_tx_inode(&rig.tx, NS_INO_INBOX, &i), 0);
    assert_int_equal(i.attr.uid, 99);
    assert_int_equal(nsf_attr(rig.f, NS_INO_INBOX).uid, 7); /* nobody else does */
    ns_tx_del(&rig.tx, &key);
    assert_int_equal(ns_tx_inode(&rig.tx, NS_INO_INBOX, &i), -ENOENT);
    assert_int_equal(ns_tx_find(&rig.tx, NS_INO_ROOT, "inbox", 5, &link), 0);
    ns_tx_del_name(&rig.tx, NS_INO_ROOT, "inbox", 5, link.cookie);
    assert_int_equal(ns_tx_find(&rig.tx, NS_INO_ROOT, "inbox", 5, &link), -ENOENT);
    assert_int_equal(rig.tx.fail, 0); /* what is not there is no failure */
    rig_close(&rig);
}

static void below_follows_parents_to_the_root(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, NS_INO_ROOT, "a"), b = (uint64_t)nsf_mkdir(f, a, "b");
    struct tx_rig rig;

    rig_open(&rig, f);
    assert_int_equal(ns_tx_is_below(&rig.tx, b, b), 1);
    assert_int_equal(ns_tx_is_below(&rig.tx, b, a), 1);
    assert_int_equal(ns_tx_is_below(&rig.tx, b, NS_INO_ROOT), 1);
    assert_int_equal(ns_tx_is_below(&rig.tx, a, b), 0);
    assert_int_equal(ns_tx_is_below(&rig.tx, b, NS_INO_INBOX), 0);
    assert_int_equal(ns_tx_is_below(&rig.tx, 99999, a), 0);
    rig_close(&rig);
}

static void a_ring_of_directories_is_not_walked_for_ever(void **state)
{
    struct nsf *f = *state;
    uint64_t a = (uint64_t)nsf_mkdir(f, NS_INO_ROOT, "a"), b = (uint64_t)nsf_mkdir(f, a, "b");
    struct tx_rig rig;
    struct ns_inode i;

    rig_open(&rig, f);
    assert_int_equal(ns_tx_inode(&rig.tx, a, &i), 0);
    i.attr.parent = b;
    ns_tx_put_inode(&rig.tx, &i);
    assert_int_equal(ns_tx_is_below(&rig.tx, b, NS_INO_INBOX), -VS_ECORRUPT);
    assert_int_equal(rig.tx.fail, -VS_ECORRUPT);
    rig_close(&rig);
}

static void counts_that_would_fall_below_zero_end_applying(void **state)
{
    struct tx_rig rig;
    struct ns_inode i;

    rig_open(&rig, *state);
    assert_int_equal(ns_tx_inode(&rig.tx, NS_INO_INBOX, &i), 0);
    i.attr.data_bytes = 1;
    ns_tx_count(&rig.tx, &i, -1);
    assert_int_equal(rig.tx.fail, -VS_ECORRUPT);
    rig.tx.fail = 0;
    assert_int_equal(ns_tx_touch_dir(&rig.tx, NS_INO_INBOX, -1, 0), -VS_ECORRUPT);
    assert_int_equal(ns_tx_touch_dir(&rig.tx, NS_INO_INBOX, 0, -1), -VS_ECORRUPT);
    assert_int_equal(rig.tx.fail, -VS_ECORRUPT);
    rig_close(&rig);
}

static void a_name_without_an_inode_ends_applying(void **state)
{
    struct tx_rig rig;
    struct ns_attr a;

    rig_open(&rig, *state);
    assert_int_equal(ns_tx_unlink_inode(&rig.tx, 99999, &a), -VS_ECORRUPT);
    assert_int_equal(rig.tx.fail, -VS_ECORRUPT);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(a_read_sees_what_the_entry_put_and_deleted),
        NSF_TEST(below_follows_parents_to_the_root),
        NSF_TEST(a_ring_of_directories_is_not_walked_for_ever),
        NSF_TEST(counts_that_would_fall_below_zero_end_applying),
        NSF_TEST(a_name_without_an_inode_ends_applying),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
