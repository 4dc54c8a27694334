/* ns_apply: slots, refusals and retries. What each kind of entry does: test_ns_rule_*.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/codec.h"
#include "common/err.h"
#include "meta/ns_entry.h"
#include "tests/support/ns_fixture.h"

#include <string.h>
#include <sys/stat.h>

static struct ns_entry mkdir_entry(const char *name)
{
    struct ns_entry e = {
        .kind = NS_E_CREATE, .parent = NS_INO_ROOT, .name = name, .name_len = strlen(name)
    };

    e.attr.mode = S_IFDIR | 0755;
    return e;
}

static void an_applied_slot_does_nothing_again(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = mkdir_entry("d");
    struct ns_answer a;
    uint8_t before[VS_SHA256_BYTES], after[VS_SHA256_BYTES];

    nsf_digest(f->kv, before);
    for (uint64_t slot = 0; slot <= f->slot; slot++)
        assert_int_equal(ns_apply_entry(f->apply, slot, &e, &a), -EALREADY);
    nsf_digest(f->kv, after);
    assert_memory_equal(before, after, sizeof(before));
    assert_int_equal(ns_apply_slot(f->apply), f->slot);
}

static void a_gap_in_the_journal_is_refused(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = mkdir_entry("d");
    struct ns_answer a;

    assert_int_equal(ns_apply_entry(f->apply, f->slot + 2, &e, &a), -VS_ECORRUPT);
    assert_int_equal(nsf_ino(f, NS_INO_ROOT, "d"), 0);
}

static void a_refused_entry_changes_the_slot_and_nothing_else(void **state)
{
    struct nsf *f = *state;
    struct meta_stats before, after;

    assert_true(nsf_mkdir(f, NS_INO_ROOT, "d") > 0);
    before = nsf_stats(f);
    assert_int_equal(nsf_mkdir(f, NS_INO_ROOT, "d"), -EEXIST);
    assert_int_equal(f->answer.attr.ino, 0);
    after = nsf_stats(f);
    assert_int_equal(after.applied_slot, before.applied_slot + 1);
    after.applied_slot = before.applied_slot;
    assert_memory_equal(&before, &after, sizeof(before));
}

static void before_the_cluster_only_nothing_can_be_done(void **state)
{
    struct ns_entry e = mkdir_entry("d"), nop = { .kind = NS_E_NOP };
    struct nsf f;

    (void)state;
    nsf_init(&f);
    assert_int_equal(nsf_do(&f, &e), -ENOENT);
    assert_int_equal(nsf_do(&f, &nop), 0);
    nsf_close(&f);
}

static void a_retried_request_is_applied_once_and_answered_the_same(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = mkdir_entry("d");
    struct ns_answer first;

    e.client = 5;
    e.request = 1;
    assert_int_equal(nsf_do(f, &e), 0);
    first = f->answer;
    assert_int_equal(nsf_do(f, &e), 0); /* without the table: -EEXIST */
    assert_int_equal(f->answer.attr.ino, first.attr.ino);
    assert_int_equal(f->answer.attr.ctime.s, first.attr.ctime.s);
    e.request = 2;
    assert_int_equal(nsf_do(f, &e), -EEXIST);
    assert_int_equal(nsf_rmdir(f, NS_INO_ROOT, "d"), 0);
    assert_int_equal(nsf_do(f, &e), -EEXIST); /* a refusal is remembered as well */
    assert_int_equal(nsf_ino(f, NS_INO_ROOT, "d"), 0);
    e.client = 6;
    e.request = 1;
    assert_int_equal(nsf_do(f, &e), 0); /* another client's numbers are its own */
}

static void a_late_copy_of_an_older_request_is_not_applied(void **state)
{
    struct nsf *f = *state;
    struct ns_entry a = mkdir_entry("a"), b = mkdir_entry("b");

    a.client = b.client = 5;
    a.request = 1;
    b.request = 2;
    assert_int_equal(nsf_do(f, &b), 0);
    assert_int_equal(nsf_do(f, &a), -EALREADY);
    assert_int_equal(nsf_ino(f, NS_INO_ROOT, "a"), 0);
}

/* A story that touches every kind of record. */
static void tell_story(struct nsf *f)
{
    uint64_t d = (uint64_t)nsf_mkdir(f, NS_INO_ROOT, "d");
    uint64_t box = (uint64_t)nsf_mkdir(f, NS_INO_INBOX, "Series");
    int64_t big = nsf_big_file(f, box, "a.mkv", 3, 1);
    struct ns_entry abort = { .kind = NS_E_SESSION_ABORT };
    struct ns_entry again = mkdir_entry("retried");

    assert_true(big > 0);
    assert_int_equal(nsf_setxattr(f, box, "user.x", "1", 0), 0);
    assert_int_equal(nsf_publish(f, box, "a.mkv", NS_TAKEN_KEEP_BOTH), 0);
    assert_int_equal(nsf_link(f, (uint64_t)big, d, "link"), 0);
    assert_true(nsf_symlink(f, d, "s", "target") > 0);
    assert_int_equal(nsf_rename(f, d, "link", d, "s", 0), 0);
    assert_int_equal(nsf_unlink(f, d, "s"), 0);
    abort.session = nsf_session(f, 10);
    assert_int_equal(nsf_do(f, &abort), 0);
    again.client = 1;
    again.request = 1;
    assert_int_equal(nsf_do(f, &again), 0);
    assert_int_equal(nsf_rmdir(f, NS_INO_INBOX, "Series"), 0);
    assert_int_equal(nsf_forget(f, box), 0);
}

/* Replay as another replica does, or this one after it lost its namespace; with `reopen`, as if it
 * had been stopped between any two entries. */
static void replay(const struct nsf *f, bool reopen, uint8_t digest[VS_SHA256_BYTES])
{
    struct vs_rd r = vs_rd_init(f->log.data, f->log.len);
    struct ns_answer answer;
    struct ns_entry e;
    struct nsf twin;
    uint64_t slot = 0;

    nsf_init(&twin);
    while (vs_rd_left(&r) > 0) {
        size_t len;
        const uint8_t *bytes = vs_rd_blob(&r, NS_ENTRY_BYTES_MAX, &len);
        void *ids = NULL;

        assert_int_equal(ns_entry_decode(bytes, len, &e, &ids), 0);
        assert_int_equal(ns_apply_entry(twin.apply, ++slot, &e, &answer), 0);
        assert_null(ids);
        if (reopen) {
            ns_apply_free(twin.apply);
            assert_int_equal(ns_apply_new(&twin.apply, twin.kv), 0);
            assert_int_equal(ns_apply_slot(twin.apply), slot);
        }
    }
    nsf_digest(twin.kv, digest);
    nsf_close(&twin);
}

static void the_same_entries_give_the_same_bytes(void **state)
{
    struct nsf *f = *state;
    uint8_t one[VS_SHA256_BYTES], other[VS_SHA256_BYTES];

    tell_story(f);
    nsf_digest(f->kv, one);
    replay(f, false, other);
    assert_memory_equal(one, other, sizeof(one));
    replay(f, true, other);
    assert_memory_equal(one, other, sizeof(one));
}

/* Break one record after the other: the entry that needs it ends applying, and nothing is kept of
 * it; nobody is told a lie such as "no such file". */
static void a_record_that_cannot_be_read_ends_applying(void **state)
{
    struct nsf *f = *state;
    struct ns_entry e = mkdir_entry("d");
    struct kv_batch *b;
    struct ns_answer a;
    uint8_t key[9] = { 'I', [8] = NS_INO_ROOT };
    struct vs_buf good = { 0 };

    assert_int_equal(kv_get(f->kv, key, sizeof(key), &good), 0);
    assert_int_equal(kv_batch_new(&b), 0);
    kv_batch_put(b, key, sizeof(key), "broken", 6);
    assert_int_equal(kv_write(f->kv, b, false), 0);
    assert_int_equal(ns_apply_entry(f->apply, f->slot + 1, &e, &a), -VS_ENEWER);
    assert_int_equal(ns_apply_slot(f->apply), f->slot);
    kv_batch_clear(b);
    kv_batch_put(b, key, sizeof(key), good.data, good.len);
    assert_int_equal(kv_write(f->kv, b, false), 0);
    assert_int_equal(ns_apply_entry(f->apply, f->slot + 1, &e, &a), -VS_ENEWER);
    ns_apply_free(f->apply); /* a new start may go on */
    assert_int_equal(ns_apply_new(&f->apply, f->kv), 0);
    assert_int_equal(nsf_do(f, &e), 0);
    kv_batch_free(b);
    vs_buf_close(&good);
}

static void a_namespace_of_a_newer_program_is_not_opened(void **state)
{
    struct nsf *f = *state;
    struct ns_apply *a;
    struct kv_batch *b;
    struct kv *kv;

    (void)f;
    assert_int_equal(kv_mem_new(&kv), 0);
    assert_int_equal(kv_batch_new(&b), 0);
    kv_batch_put(b, "A", 1, "\x02", 1);
    assert_int_equal(kv_write(kv, b, false), 0);
    assert_int_equal(ns_apply_new(&a, kv), -VS_ENEWER);
    kv_batch_free(b);
    kv_close(kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSF_TEST(an_applied_slot_does_nothing_again),
        NSF_TEST(a_gap_in_the_journal_is_refused),
        NSF_TEST(a_refused_entry_changes_the_slot_and_nothing_else),
        NSF_TEST(before_the_cluster_only_nothing_can_be_done),
        NSF_TEST(a_retried_request_is_applied_once_and_answered_the_same),
        NSF_TEST(a_late_copy_of_an_older_request_is_not_applied),
        NSF_TEST(the_same_entries_give_the_same_bytes),
        NSF_TEST(a_record_that_cannot_be_read_ends_applying),
        NSF_TEST(a_namespace_of_a_newer_program_is_not_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
