/* What the acceptor's store keeps, and when it refuses to go on. */
#include "common/err.h"
#include "common/log.h"
#include "meta/acceptor_store.h"
#include "meta/synced_count.h"
#include "tests/support/temp_dir.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[TEMP_DIR_BYTES];
    struct vs_io *io;
    struct kv *kv;
    struct vs_id cluster;
    struct acceptor_store *store;
    struct vs_buf storage;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    temp_dir_make(f->dir);
    assert_int_equal(vs_io_posix_new(&f->io, f->dir), 0);
    assert_int_equal(kv_mem_new(&f->kv), 0);
    memset(f->cluster.b, 7, sizeof(f->cluster.b));
    assert_int_equal(acceptor_store_create(f->kv, &f->cluster, 1, "first", 5), 0);
    assert_int_equal(acceptor_store_open(&f->store, f->kv, f->io), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    acceptor_store_close(f->store);
    kv_close(f->kv);
    vs_io_free(f->io);
    vs_buf_close(&f->storage);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    acceptor_store_close(f->store);
    f->store = NULL;
    assert_int_equal(acceptor_store_open(&f->store, f->kv, f->io), 0);
}

static struct vs_id chunk(uint64_t seq)
{
    return vs_id_make(1, 1, seq, VS_ID_CHUNK);
}

static void store_value(struct fixture *f, uint64_t seq, const char *text)
{
    struct vs_id id = chunk(seq);
    struct px_reg reg = {
        .promised = { 1, 1, 1 },
        .ballot = { 1, 1, 1 },
        .accepted = { .version = 1, .value = (const uint8_t *)text, .value_len = strlen(text) },
    };

    assert_int_equal(acceptor_reg_store(f->store, &id, &reg), 0);
}

static bool has_value(struct fixture *f, uint64_t seq, const char *text, bool durable)
{
    struct vs_id id = chunk(seq);
    struct px_reg reg;
    int r = durable ? acceptor_reg_read(f->store, &id, &reg, &f->storage)
                    : acceptor_reg_load(f->store, &id, &reg, &f->storage);

    assert_int_equal(r, 0);
    return !px_ballot_is_none(&reg.ballot) && reg.accepted.value_len == strlen(text) &&
           memcmp(reg.accepted.value, text, strlen(text)) == 0;
}

static void the_incarnation_rises_with_every_open(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(acceptor_identity(f->store)->inc, 1);
    for (uint32_t inc = 2; inc < 5; inc++) {
        reopen(f);
        assert_int_equal(acceptor_identity(f->store)->inc, inc);
        assert_int_equal(acceptor_identity(f->store)->pid, 1);
        assert_int_equal(vs_id_cmp(&acceptor_identity(f->store)->cluster, &f->cluster), 0);
    }
}

static void a_store_is_made_only_once(void **state)
{
    struct fixture *f = *state;
    struct acceptor_store *none = NULL;
    struct kv *empty;

    assert_int_equal(acceptor_store_create(f->kv, &f->cluster, 1, "first", 5), -EEXIST);
    assert_int_equal(kv_mem_new(&empty), 0);
    assert_int_equal(acceptor_store_open(&none, empty, NULL), -ENOENT);
    assert_null(none);
    kv_close(empty);
}

static void the_writer_sees_what_others_see_only_after_the_commit(void **state)
{
    struct fixture *f = *state;

    store_value(f, 1, "one");
    assert_true(has_value(f, 1, "one", false));
    assert_false(has_value(f, 1, "one", true));
    acceptor_commit(f->store);
    assert_true(has_value(f, 1, "one", true));
    assert_true(has_value(f, 1, "one", false));
    acceptor_batch_begin(f->store);
    store_value(f, 1, "two");
    assert_true(has_value(f, 1, "two", false));
    assert_true(has_value(f, 1, "one", true));
    acceptor_commit(f->store);
    acceptor_batch_begin(f->store);
    reopen(f);
    assert_true(has_value(f, 1, "two", true));
}

static void registers_are_listed_in_pages(void **state)
{
    struct fixture *f = *state;
    struct vs_id ids[3], after = { 0 };
    unsigned seen = 0;
    int n;

    for (uint64_t seq = 1; seq <= 7; seq++)
        store_value(f, seq, "v");
    acceptor_commit(f->store);
    acceptor_batch_begin(f->store);
    do {
        n = acceptor_reg_list(f->store, &after, ids, 3);
        assert_true(n >= 0);
        for (int i = 0; i < n; i++)
            assert_int_equal(vs_id_seq(&ids[i]), ++seen);
        if (n > 0)
            after = ids[n - 1];
    } while (n == 3);
    assert_int_equal(seen, 7);
}

struct slots {
    uint64_t next;
    unsigned count;
};

static int slot_seen(void *arg, uint64_t slot, const uint8_t *entry, size_t entry_len)
{
    struct slots *s = arg;

    assert_int_equal(slot, s->next++);
    assert_int_equal(entry_len, 5);
    assert_memory_equal(entry, slot == 1 ? "first" : "entry", 5);
    s->count++;
    return 0;
}

static void slots_stay_until_they_are_dropped(void **state)
{
    struct fixture *f = *state;
    struct slots seen = { .next = 1 };
    const uint8_t *entry;
    size_t len;

    for (uint64_t slot = 2; slot <= 10; slot++)
        assert_int_equal(acceptor_slot_store(f->store, slot, "entry", 5), 0);
    assert_int_equal(acceptor_slot_peek(f->store, 4, &entry, &len), 0);
    assert_memory_equal(entry, "entry", len);
    assert_int_equal(acceptor_slot_peek(f->store, 11, &entry, &len), -ENOENT);
    acceptor_commit(f->store);
    acceptor_batch_begin(f->store);
    assert_int_equal(acceptor_slots_scan(f->store, 1, slot_seen, &seen), 0);
    assert_int_equal(seen.count, 10);
    assert_int_equal(acceptor_slots_drop(f->store, 8), 0);
    acceptor_commit(f->store);
    acceptor_batch_begin(f->store);
    reopen(f);
    assert_int_equal(acceptor_first_slot(f->store), 8);
    seen = (struct slots){ .next = 8 };
    assert_int_equal(acceptor_slots_scan(f->store, 1, slot_seen, &seen), 0);
    assert_int_equal(seen.count, 3);
}

/* A copy of the whole store: what a disk that lost its last writes would come back with. */
static int copy_pair(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    kv_batch_put(arg, key, key_len, value, value_len);
    return 0;
}

static struct kv *copy_kv(struct kv *from)
{
    struct kv_batch *b;
    struct kv *to;

    assert_int_equal(kv_mem_new(&to), 0);
    assert_int_equal(kv_batch_new(&b), 0);
    assert_int_equal(kv_scan(from, "", 0, "", 0, copy_pair, b), 0);
    assert_int_equal(kv_write(to, b, true), 0);
    kv_batch_free(b);
    return to;
}

struct record_seen {
    uint64_t slot[4], round[4];
    unsigned count;
};

static int record_seen(void *arg, uint64_t slot, const struct px_ballot *ballot,
                       const uint8_t *entry, size_t entry_len)
{
    struct record_seen *seen = arg;

    (void)entry;
    (void)entry_len;
    assert_true(seen->count < 4);
    seen->slot[seen->count] = slot;
    seen->round[seen->count++] = ballot->round;
    return 0;
}

static void a_member_keeps_its_promise_over_a_start_and_each_record_its_ballot(void **state)
{
    struct fixture *f = *state;
    struct px_ballot low = { .round = 7, .pid = 2, .inc = 1 }, high = { 9, 3, 4 };
    struct record_seen seen = { 0 };
    struct px_ballot promised;

    assert_int_equal(acceptor_slot_put(f->store, 5, &low, "five", 4), 0);
    assert_int_equal(acceptor_slot_put(f->store, 6, &high, "six", 3), 0);
    assert_int_equal(acceptor_head_put(f->store, &high, 4), 0);
    acceptor_commit(f->store);
    acceptor_batch_begin(f->store);
    acceptor_store_close(f->store);
    assert_int_equal(acceptor_store_open_member(&f->store, f->kv, f->io), 0);
    promised = acceptor_promised(f->store);
    assert_int_equal(px_ballot_cmp(&promised, &high), 0);
    assert_int_equal(acceptor_first_slot(f->store), 4);
    assert_int_equal(acceptor_identity(f->store)->inc, 2);
    assert_int_equal(acceptor_records_scan(f->store, 1, record_seen, &seen), 0);
    assert_int_equal(seen.count, 2); /* slot 1 is forgotten */
    assert_int_equal(seen.slot[0], 5);
    assert_int_equal(seen.round[0], 7);
    assert_int_equal(seen.round[1], 9);
}

static void a_store_that_went_back_in_time_is_refused(void **state)
{
    struct fixture *f = *state;
    struct kv *old = copy_kv(f->kv);

    store_value(f, 1, "one");
    acceptor_commit(f->store);
    acceptor_batch_begin(f->store);
    acceptor_store_close(f->store);
    f->store = NULL;
    assert_int_equal(acceptor_store_open(&f->store, old, f->io), -VS_EFORGOT);
    assert_null(f->store);
    kv_close(old);
    assert_int_equal(acceptor_store_open(&f->store, f->kv, f->io), 0);
}

static void the_count_is_recorded_when_asked_and_at_close(void **state)
{
    struct fixture *f = *state;
    struct synced_count c;
    uint64_t before = acceptor_synced(f->store);

    acceptor_commit(f->store);
    acceptor_batch_begin(f->store);
    assert_int_equal(acceptor_synced(f->store), before + 1);
    assert_int_equal(synced_count_open(&c, f->io, &f->cluster), 0);
    assert_int_equal(c.recorded, before);
    synced_count_close(&c);
    acceptor_record_count(f->store);
    assert_int_equal(synced_count_open(&c, f->io, &f->cluster), 0);
    assert_int_equal(c.recorded, before + 1);
    synced_count_close(&c);
}

static void a_damaged_record_is_corrupt(void **state)
{
    struct fixture *f = *state;
    struct vs_id id = chunk(1);
    uint8_t key[ACCEPTOR_REG_KEY_BYTES];
    struct kv_batch *b;
    struct px_reg reg;

    acceptor_reg_key(&id, key);
    assert_int_equal(kv_batch_new(&b), 0);
    kv_batch_put(b, key, sizeof(key), "nonsense", 8);
    assert_int_equal(kv_write(f->kv, b, true), 0);
    assert_int_equal(acceptor_reg_read(f->store, &id, &reg, &f->storage), -VS_ECORRUPT);
    assert_int_equal(acceptor_reg_load(f->store, &id, &reg, &f->storage), -VS_ECORRUPT);
    kv_batch_clear(b);
    kv_batch_put(b, ACCEPTOR_KEY_IDENTITY, 1, "nonsense", 8);
    assert_int_equal(kv_write(f->kv, b, true), 0);
    kv_batch_free(b);
    acceptor_store_close(f->store);
    f->store = NULL;
    assert_int_equal(acceptor_store_open(&f->store, f->kv, f->io), -VS_ECORRUPT);
}

static void where_it_stands_in_a_change_of_membership_is_kept(void **state)
{
    struct fixture *f = *state;
    struct acceptor_members m = { .stand = ACCEPTOR_LEFT,
                                  .whole = true,
                                  .begin = 5,
                                  .set = { 2, 3, { { 1, "http://a" }, { 3, "" }, { 4, "" } } } };

    assert_null(acceptor_members(f->store));
    assert_int_equal(acceptor_members_put(f->store, &m), 0);
    acceptor_commit(f->store);
    reopen(f);
    assert_memory_equal(acceptor_members(f->store), &m, sizeof(m));
    m.set.count = 2;
    assert_int_equal(acceptor_members_put(f->store, &m), -EINVAL);
    assert_int_equal(acceptor_members(f->store)->set.count, 3);
}

static void a_newcomer_has_nothing_but_its_name(void **state)
{
    struct fixture *f = *state;
    struct member_set set = { 2, 3, { { 1, "" }, { 3, "" }, { 4, "" } } };
    struct acceptor_store *s = NULL;
    struct px_ballot none = { 0 };
    struct kv *empty;

    assert_int_equal(kv_mem_new(&empty), 0);
    assert_int_equal(acceptor_store_create_joining(empty, &f->cluster, 4, &set), 0);
    assert_int_equal(acceptor_store_create_joining(empty, &f->cluster, 4, &set), -EEXIST);
    assert_int_equal(acceptor_store_open_member(&s, empty, NULL), 0);
    assert_int_equal(acceptor_members(s)->stand, ACCEPTOR_JOINING);
    assert_int_equal(acceptor_identity(s)->pid, 4);
    assert_int_equal(acceptor_first_slot(s), 1);
    none = acceptor_promised(s);
    assert_true(px_ballot_is_none(&none));
    acceptor_store_close(s);
    kv_close(empty);
}

/* A store whose writes fail: everything else goes to the real one. */
struct failing {
    struct kv kv;
    struct kv *below;
};

static int failing_get(struct kv *kv, const void *key, size_t key_len, struct vs_buf *ret)
{
    return kv_get(((struct failing *)kv)->below, key, key_len, ret);
}

static int failing_write(struct kv *kv, struct kv_batch *b, bool sync)
{
    static unsigned writes;

    if (++writes > 1) /* the first one raises the incarnation */
        return -EIO;
    return kv_write(((struct failing *)kv)->below, b, sync);
}

static void a_failed_write_ends_the_process(void **state)
{
    struct fixture *f = *state;
    static const struct kv_ops ops = { .get = failing_get, .write = failing_write };
    struct failing failing = { { &ops }, f->kv };
    int status;
    pid_t child;

    acceptor_store_close(f->store);
    f->store = NULL;
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct acceptor_store *s;

        vs_log_to_fd(open("/dev/null", O_WRONLY));
        if (acceptor_store_open(&s, &failing.kv, f->io) < 0)
            _exit(3);
        signal(SIGABRT, SIG_DFL);
        acceptor_commit(s);
        _exit(4); /* it answered */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_incarnation_rises_with_every_open),
        TEST(a_store_is_made_only_once),
        TEST(the_writer_sees_what_others_see_only_after_the_commit),
        TEST(registers_are_listed_in_pages),
        TEST(slots_stay_until_they_are_dropped),
        TEST(a_member_keeps_its_promise_over_a_start_and_each_record_its_ballot),
        TEST(a_store_that_went_back_in_time_is_refused),
        TEST(the_count_is_recorded_when_asked_and_at_close),
        TEST(a_damaged_record_is_corrupt),
        TEST(where_it_stands_in_a_change_of_membership_is_kept),
        TEST(a_newcomer_has_nothing_but_its_name),
        TEST(a_failed_write_ends_the_process),
    };

    return cmocka_run_group_tests_name("acceptor_store", tests, NULL, NULL);
}
