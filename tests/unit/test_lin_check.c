/* The checkers of histories, on histories known to be good and known to be bad; and both against
 * registers that behave, with one lie told in each. */
#include "tests/lin/lin_check.h"
#include "tests/lin/lin_history.h"
#include "tests/lin/lin_run.h"

#include "common/rand.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One key; call, ret, value, version. */
#define W(c, r, val, ver)                                                                          \
    {                                                                                              \
        .kind = LIN_WRITE, .call = (c), .ret = (r), .value = (val), .version = (ver)               \
    }
#define R(c, r, val, ver)                                                                          \
    {                                                                                              \
        .kind = LIN_READ, .call = (c), .ret = (r), .value = (val), .version = (ver)                \
    }
#define CAS(c, r, old, val, ver)                                                                   \
    {                                                                                              \
        .kind = LIN_CAS, .call = (c), .ret = (r), .expect = (old), .value = (val),                 \
        .version = (ver)                                                                           \
    }
#define W_LOST(c, val)                                                                             \
    {                                                                                              \
        .kind = LIN_WRITE, .outcome = LIN_UNKNOWN, .call = (c), .ret = LIN_TIME_FOREVER,           \
        .value = (val), .version = LIN_NO_VERSION                                                  \
    }
#define CAS_LOST(c, old, val)                                                                      \
    {                                                                                              \
        .kind = LIN_CAS, .outcome = LIN_UNKNOWN, .call = (c), .ret = LIN_TIME_FOREVER,             \
        .expect = (old), .value = (val), .version = LIN_NO_VERSION                                 \
    }
#define CAS_NO(c, r, old, seen, ver)                                                               \
    {                                                                                              \
        .kind = LIN_CAS, .outcome = LIN_REFUSED, .call = (c), .ret = (r), .expect = (old),         \
        .value = (seen), .version = (ver)                                                          \
    }
#define ANY LIN_NO_VERSION

static enum lin_fault by_order(const struct lin_op *ops, size_t count)
{
    struct lin_report r;
    enum lin_fault fault = lin_check_order(ops, count, &r);

    assert_int_equal(fault, r.fault);
    assert_int_equal(fault == LIN_NO_ORDER, r.op < count);
    return fault;
}

static enum lin_fault by_version(const struct lin_op *ops, size_t count)
{
    struct lin_report r;
    long faults = lin_check_versions(ops, count, &r);

    assert_int_equal(faults > 0, r.fault != LIN_OK);
    assert_int_equal(faults > 0, r.op < count);
    return r.fault;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GOOD(h)                                                                                    \
    do {                                                                                           \
        assert_int_equal(by_order(h, COUNT(h)), LIN_OK);                                           \
        assert_int_equal(by_version(h, COUNT(h)), LIN_OK);                                         \
    } while (0)
#define BAD(h, fault)                                                                              \
    do {                                                                                           \
        assert_int_equal(by_order(h, COUNT(h)), LIN_NO_ORDER);                                     \
        assert_int_equal(by_version(h, COUNT(h)), fault);                                          \
    } while (0)

static void a_history_of_one_client_is_good(void **state)
{
    const struct lin_op h[] = { R(0, 1, 0, 0),        W(2, 3, 11, 1),          R(4, 5, 11, 1),
                                CAS(6, 7, 11, 12, 2), CAS_NO(8, 9, 11, 12, 2), W(10, 11, 0, 3),
                                R(12, 13, 0, 3) };

    (void)state;
    GOOD(h);
    assert_int_equal(by_order(h, 0), LIN_OK);
    assert_int_equal(by_version(h, 0), LIN_OK);
}

static void concurrent_reads_may_see_either_value(void **state)
{
    const struct lin_op h[] = { W(0, 1, 11, 1), W(2, 20, 12, 2), R(3, 4, 11, 1), R(5, 6, 12, 2),
                                R(7, 8, 12, 2) };

    (void)state;
    GOOD(h);
}

static void a_stale_read_is_found(void **state)
{
    const struct lin_op h[] = { W(0, 1, 11, 1), W(2, 3, 12, 2), R(4, 5, 11, 1) };

    (void)state;
    BAD(h, LIN_WENT_BACK);
}

static void a_read_that_goes_back_is_found(void **state)
{
    /* The write is under way all the time: each read alone is fine, their order is not. */
    const struct lin_op h[] = { W(0, 1, 11, 1), W(2, 20, 12, 2), R(3, 4, 12, 2), R(5, 6, 11, 1) };

    (void)state;
    BAD(h, LIN_WENT_BACK);
}

static void a_lost_update_is_found(void **state)
{
    /* Two compare-and-sets of the same value, both told that they did it. */
    const struct lin_op h[] = { W(0, 1, 11, 1), CAS(2, 5, 11, 12, 2), CAS(3, 6, 11, 13, 3) };
    /* A write that was answered, and nobody sees. */
    const struct lin_op gone[] = { W(0, 1, 11, 1), W(2, 3, 12, 2), R(4, 5, 11, 1), R(6, 7, 11, 1) };
    const struct lin_op absent[] = { W(0, 1, 11, 1), R(2, 3, 0, 0) };

    (void)state;
    BAD(h, LIN_CAS_JUMPED);
    BAD(gone, LIN_WENT_BACK);
    BAD(absent, LIN_WENT_BACK);
}

static void split_brain_is_found(void **state)
{
    /* Two halves, each with a history of its own from version 2 on. */
    const struct lin_op h[] = { W(0, 1, 11, 1),   W(2, 10, 12, 2),  W(3, 11, 13, 2),
                                R(12, 13, 12, 2), R(14, 15, 13, 2), R(16, 17, 12, 2) };
    const struct lin_op two[] = { W(0, 1, 11, 1), R(2, 3, 11, 1), R(2, 3, 0, 1) };

    (void)state;
    BAD(h, LIN_VERSION_TWICE);
    assert_int_equal(by_version(two, COUNT(two)), LIN_TWO_VALUES);
}

static void a_write_without_an_answer_may_take_effect_later(void **state)
{
    const struct lin_op later[] = { W_LOST(0, 12), W(1, 2, 11, 1), R(3, 4, 11, 1),
                                    R(50, 51, 12, 2) };
    const struct lin_op never[] = { W_LOST(0, 12), W(1, 2, 11, 1), R(3, 4, 11, 1) };
    const struct lin_op cas[] = { W(0, 1, 11, 1), CAS_LOST(2, 11, 12), R(3, 4, 11, 1),
                                  R(50, 51, 12, 2) };
    const struct lin_op unseen[] = { W(0, 1, 11, 1), W_LOST(2, 12), CAS(5, 6, 12, 13, 3) };

    (void)state;
    GOOD(later);
    GOOD(never);
    GOOD(cas);
    GOOD(unseen);
}

static void an_effect_before_its_call_is_found(void **state)
{
    const struct lin_op h[] = { R(0, 1, 11, 1), W_LOST(5, 11), R(6, 7, 11, 1) };
    const struct lin_op under[] = { R(0, 20, 12, 1), W(1, 2, 11, 2), W_LOST(5, 12) };
    const struct lin_op passed[] = { W(0, 1, 11, 2), W_LOST(5, 12), R(6, 7, 12, 1) };

    (void)state;
    BAD(h, LIN_TOO_EARLY);
    assert_int_equal(by_version(passed, COUNT(passed)), LIN_WENT_BACK);
    /* The read is fine by itself; the write made version 1 when 2 had been answered. */
    assert_int_equal(by_version(under, COUNT(under)), LIN_WENT_BACK);
}

static void an_effect_that_comes_twice_is_found(void **state)
{
    /* The same write, retried and applied again over a newer one. */
    const struct lin_op h[] = { W(0, 1, 11, 1), W(2, 3, 12, 2), R(4, 5, 12, 2), R(6, 7, 11, 3) };
    const struct lin_op unknown[] = { W_LOST(0, 11), R(1, 2, 11, 1), W(3, 4, 12, 2),
                                      R(5, 6, 11, 3) };

    (void)state;
    BAD(h, LIN_TWO_EFFECTS);
    BAD(unknown, LIN_TWO_EFFECTS);
}

static void a_compare_and_set_of_another_value_is_found(void **state)
{
    const struct lin_op h[] = { W(0, 1, 11, 1), W(2, 3, 12, 2), CAS(4, 5, 11, 13, 3) };
    const struct lin_op no[] = { W(0, 1, 11, 1), CAS_NO(2, 3, 11, 0, ANY) };
    const struct lin_op create[] = { W(0, 1, 11, 1), CAS(2, 3, 0, 12, 2) };

    (void)state;
    BAD(h, LIN_CAS_JUMPED);
    assert_int_equal(by_order(no, COUNT(no)), LIN_NO_ORDER); /* refused although it was equal */
    BAD(create, LIN_CAS_JUMPED);
}

static void a_version_that_was_seen_before_it_was_made_is_found(void **state)
{
    const struct lin_op h[] = { W(0, 1, 11, 1), R(2, 3, 0, 2), W(4, 5, 0, 2) };

    (void)state;
    BAD(h, LIN_WENT_BACK);
}

static void a_value_that_two_clients_wrote_is_no_history_to_check(void **state)
{
    const struct lin_op h[] = { W(0, 1, 11, ANY), W(2, 3, 11, ANY) };

    (void)state;
    assert_int_equal(by_version(h, COUNT(h)), LIN_TWO_EFFECTS);
}

static void a_value_nobody_wrote_is_found(void **state)
{
    const struct lin_op h[] = { W(0, 1, 11, 1), R(2, 3, 99, 2) };

    (void)state;
    BAD(h, LIN_NOT_WRITTEN);
}

static void answers_at_the_same_moment_are_concurrent(void **state)
{
    const struct lin_op h[] = { W(0, 5, 11, 1), R(5, 6, 0, 0) };

    (void)state;
    GOOD(h);
}

static void a_deleted_value_does_not_come_back(void **state)
{
    const struct lin_op h[] = { W(0, 1, 11, 1), W(2, 3, 0, 2), R(4, 5, 11, 1) };
    const struct lin_op again[] = { W(0, 1, 11, 1), W(2, 3, 0, 2), R(4, 5, 0, 2),
                                    CAS(6, 7, 0, 12, 3), R(8, 9, 12, 3) };

    (void)state;
    BAD(h, LIN_WENT_BACK);
    GOOD(again);
}

static void keys_do_not_mix_in_the_check_of_versions(void **state)
{
    struct lin_op h[] = { W(0, 1, 11, 1), W(2, 3, 12, 2), R(4, 5, 21, 1),
                          W(0, 1, 21, 1), R(4, 5, 12, 2), CAS(6, 7, 21, 22, 2) };

    (void)state;
    h[2].key = h[3].key = h[5].key = 1;
    assert_int_equal(by_version(h, COUNT(h)), LIN_OK);
    h[2].key = 0;
    assert_int_not_equal(by_version(h, COUNT(h)), LIN_OK);
}

static void more_operations_than_the_search_takes_are_said(void **state)
{
    static struct lin_op ops[LIN_OPS_MAX + 1];
    struct lin_report r;

    (void)state;
    for (unsigned i = 0; i <= LIN_OPS_MAX; i++)
        ops[i] = (struct lin_op)W(2 * i, 2 * i + 1, i + 1, i + 1);
    assert_int_equal(lin_check_order(ops, LIN_OPS_MAX + 1, &r), LIN_TOO_LONG);
    assert_int_equal(lin_check_order(ops, LIN_OPS_MAX, &r), LIN_OK);
    assert_int_equal(by_version(ops, LIN_OPS_MAX + 1), LIN_OK);
}

/* ---- registers that behave, and one lie ------------------------------------------------------ */

#define CLIENTS 6

/* A register that exists once, and clients whose calls overlap: each effect happens at a moment
 * between call and answer. Every tenth write loses its answer, and may happen late or never. */
struct world {
    struct vs_rand rand;
    uint64_t value, version, next_value;
    struct lin_op ops[LIN_OPS_MAX];
    unsigned count;
};

static void world_effect(struct world *w, struct lin_op *op)
{
    bool writes = op->kind == LIN_WRITE || (op->kind == LIN_CAS && op->expect == w->value);

    if (op->kind == LIN_CAS && !writes)
        op->outcome = op->outcome == LIN_UNKNOWN ? LIN_UNKNOWN : LIN_REFUSED;
    if (writes) {
        w->value = op->value;
        w->version++;
    }
    if (op->outcome != LIN_UNKNOWN) {
        op->value = w->value;
        op->version = w->version;
    }
}

static struct lin_op world_call(struct world *w, int64_t now)
{
    uint64_t draw = vs_rand_below(&w->rand, 10);
    struct lin_op op = { .call = now, .ret = LIN_TIME_FOREVER, .version = LIN_NO_VERSION };

    op.kind = draw < 5 ? LIN_READ : draw < 8 ? LIN_WRITE : LIN_CAS;
    op.expect = vs_rand_below(&w->rand, 3) == 0 ? 1 : w->value;
    if (op.kind != LIN_READ)
        op.value = w->next_value++;
    if (op.kind != LIN_READ && vs_rand_below(&w->rand, 10) == 0)
        op.outcome = LIN_UNKNOWN;
    return op;
}

static void world_run(struct world *w, uint64_t seed, unsigned ops)
{
    struct {
        struct lin_op op;
        unsigned at; /* 0 idle, 1 called, 2 took effect */
    } clients[CLIENTS] = { 0 };

    *w = (struct world){ .next_value = 1 };
    vs_rand_init(&w->rand, seed);
    for (int64_t now = 1; w->count < ops; now++) {
        unsigned i = (unsigned)vs_rand_below(&w->rand, CLIENTS);

        if (clients[i].at == 0) {
            clients[i].op = world_call(w, now);
        } else if (clients[i].at == 1) {
            if (clients[i].op.outcome != LIN_UNKNOWN || vs_rand_below(&w->rand, 2) == 0)
                world_effect(w, &clients[i].op);
        } else {
            if (clients[i].op.outcome != LIN_UNKNOWN)
                clients[i].op.ret = now;
            w->ops[w->count++] = clients[i].op;
        }
        clients[i].at = (clients[i].at + 1) % 3;
    }
    /* What is still under way has no answer, and may have taken effect. */
    for (unsigned i = 0; i < CLIENTS && w->count < LIN_OPS_MAX; i++) {
        if (clients[i].at == 0 || clients[i].op.kind == LIN_READ ||
            clients[i].op.outcome == LIN_REFUSED)
            continue;
        clients[i].op.outcome = LIN_UNKNOWN;
        clients[i].op.version = LIN_NO_VERSION;
        w->ops[w->count++] = clients[i].op;
    }
}

static void registers_that_behave_pass_both_checks(void **state)
{
    static struct world w;

    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        world_run(&w, seed, 240);
        assert_int_equal(by_order(w.ops, w.count), LIN_OK);
        assert_int_equal(by_version(w.ops, w.count), LIN_OK);
    }
}

/* One answered read is changed to say what was there before a write that was answered before it
 * began. */
static bool world_lie(struct world *w)
{
    for (unsigned i = w->count; i-- > 0;) {
        struct lin_op *read = &w->ops[i];

        if (read->kind != LIN_READ || read->outcome != LIN_DONE)
            continue;
        for (unsigned j = 0; j < w->count; j++) {
            const struct lin_op *write = &w->ops[j];

            if (write->kind == LIN_READ || write->outcome != LIN_DONE || write->ret >= read->call)
                continue;
            for (unsigned k = 0; k < w->count; k++) {
                const struct lin_op *old = &w->ops[k];

                if (old->outcome != LIN_DONE || old->version >= write->version)
                    continue;
                read->value = old->value;
                read->version = old->version;
                return true;
            }
        }
    }
    return false;
}

static void one_stale_answer_among_hundreds_is_found_by_both(void **state)
{
    static struct world w;
    unsigned lies = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        world_run(&w, seed, 200);
        if (!world_lie(&w))
            continue;
        lies++;
        assert_int_equal(by_order(w.ops, w.count), LIN_NO_ORDER);
        assert_int_not_equal(by_version(w.ops, w.count), LIN_OK);
    }
    assert_true(lies > 250);
}

/* ---- files ----------------------------------------------------------------------------------- */

static int add(struct lin_history *h, const char *line)
{
    return lin_history_add(h, line, strlen(line), h->count + 1);
}

static void a_history_in_lines_becomes_operations(void **state)
{
    struct lin_history h = { 0 };

    (void)state;
    assert_int_equal(add(&h, "{\"key\":\"b\",\"op\":\"write\",\"call\":5,\"ret\":9,"
                             "\"value\":\"x\",\"version\":1,\"client\":\"c1\"}"),
                     0);
    assert_int_equal(add(&h, "{\"key\":\"a\",\"op\":\"cas\",\"call\":7,\"value\":17,"
                             "\"expect\":null}"),
                     0);
    assert_int_equal(add(&h, "{\"key\":\"b\",\"op\":\"cas\",\"call\":1,\"ret\":2,"
                             "\"outcome\":\"refused\",\"expect\":\"17\",\"value\":null}"),
                     0);
    assert_int_equal(add(&h, "{\"key\":\"b\",\"op\":\"write\",\"call\":1,"
                             "\"outcome\":\"failed\"}"),
                     0);
    assert_int_equal(h.count, 3); /* what failed is left out */
    assert_int_equal(lin_history_sort(&h), 0);
    assert_string_equal(lin_history_key(&h, h.ops[0].key), "b");
    assert_string_equal(lin_history_key(&h, h.ops[2].key), "a");
    assert_string_equal(lin_history_key(&h, 99), "?");
    assert_int_equal(h.ops[0].outcome, LIN_REFUSED);
    assert_int_equal(h.ops[0].value, 0);
    assert_int_equal(h.ops[0].version, LIN_NO_VERSION);
    assert_int_equal(h.ops[1].outcome, LIN_DONE);
    assert_int_equal(h.ops[1].version, 1);
    assert_int_equal(h.ops[2].outcome, LIN_UNKNOWN);
    assert_int_equal(h.ops[2].value, h.ops[0].expect); /* 17 and "17" are one value */
    assert_int_equal(h.lines[0], 3);
    lin_history_close(&h);
    lin_history_close(&h);
}

static void a_line_that_is_not_understood_is_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "[]",
        "{\"key\":\"a\"}",
        "{\"key\":\"a\",\"op\":\"erase\",\"call\":1,\"ret\":2}",
        "{\"op\":\"read\",\"call\":1,\"ret\":2}",
        "{\"key\":\"a\",\"op\":\"read\",\"ret\":2}",
        "{\"key\":\"a\",\"op\":\"read\",\"call\":3,\"ret\":2}",
        "{\"key\":\"a\",\"op\":\"read\",\"call\":3,\"outcome\":\"ok\"}",
        "{\"key\":\"a\",\"op\":\"read\",\"call\":3,\"ret\":4,\"outcome\":\"refused\"}",
        "{\"key\":\"a\",\"op\":\"read\",\"call\":3,\"ret\":4,\"outcome\":\"perhaps\"}",
        "{\"key\":\"a\",\"op\":\"read\",\"call\":3,\"ret\":4,\"version\":-1}",
        "{\"key\":\"a\",\"op\":\"read\",\"call\":3,\"ret\":4,\"value\":true}",
        "{\"key\":\"a\",\"op\":\"read\",\"call\":3,\"ret\":4,\"value\":1.5}",
    };
    struct lin_history h = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        h.why[0] = '\0';
        assert_int_equal(add(&h, lines[i]), -EINVAL);
        assert_true(h.why[0] != '\0');
    }
    assert_int_equal(h.count, 0);
    lin_history_close(&h);
}

static void a_file_is_read_and_a_bad_line_is_named(void **state)
{
    char dir[TEMP_DIR_BYTES], path[TEMP_DIR_BYTES + 16];
    struct lin_history h = { 0 };
    FILE *f;

    (void)state;
    temp_dir_make(dir);
    snprintf(path, sizeof(path), "%s/history", dir);
    f = fopen(path, "we");
    assert_non_null(f);
    fputs("{\"key\":\"a\",\"op\":\"read\",\"call\":3,\"ret\":4,\"value\":null,\"version\":0}\n\n",
          f);
    fputs("{\"key\":\"a\",\"op\":\"write\",\"call\":1,\"ret\":2,\"value\":\"v\",\"version\":1}", f);
    fclose(f);
    assert_int_equal(lin_history_read(&h, path), 0);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.lines[0], 3);
    assert_int_equal(by_order(h.ops, h.count), LIN_NO_ORDER);
    lin_history_close(&h);
    f = fopen(path, "ae");
    assert_non_null(f);
    fputs("\nnonsense\n", f);
    fclose(f);
    assert_int_equal(lin_history_read(&h, path), -EINVAL);
    assert_non_null(strstr(h.why, "line 4"));
    lin_history_close(&h);
    assert_int_equal(lin_history_read(&h, "/nonexistent"), -ENOENT);
    lin_history_close(&h);
    temp_dir_remove(dir);
}

/* What lin_run() says of a file with these lines; its last line goes to *ret_last. */
static int run_lines(const char *lines, char ret_text[1000])
{
    char dir[TEMP_DIR_BYTES], path[TEMP_DIR_BYTES + 16], *paths[] = { path };
    FILE *out = tmpfile(), *f;
    size_t len;
    int rc;

    temp_dir_make(dir);
    snprintf(path, sizeof(path), "%s/history", dir);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_non_null(out);
    fputs(lines, f);
    fclose(f);
    rc = lin_run(out, 1, paths);
    rewind(out);
    len = fread(ret_text, 1, 999, out);
    ret_text[len] = '\0';
    fclose(out);
    temp_dir_remove(dir);
    return rc;
}

static void a_violation_is_told_with_its_line_and_what_is_not_checked_is_no_pass(void **state)
{
    static const char good[] = "{\"key\":\"film\",\"op\":\"write\",\"call\":1,\"ret\":2,"
                               "\"value\":\"v\",\"version\":1}\n";
    char text[1000], lines[400];

    (void)state;
    assert_int_equal(run_lines(good, text), 0);
    assert_non_null(strstr(text, "lin: 1 operations, 1 keys, 0 violations"));
    snprintf(lines, sizeof(lines),
             "%s{\"key\":\"film\",\"op\":\"read\",\"call\":3,\"ret\":4,\"value\":null,"
             "\"version\":0}\n",
             good);
    assert_int_equal(run_lines(lines, text), 1);
    assert_non_null(strstr(text, ":2: key film: older than what was known before its call"));
    assert_non_null(strstr(text, ":2: key film: no order"));
    assert_non_null(strstr(text, "2 violations"));
    assert_int_equal(run_lines("", text), 2);
    snprintf(lines, sizeof(lines), "%snonsense\n", good);
    assert_int_equal(run_lines(lines, text), 2);
    assert_non_null(strstr(text, "line 2"));
}

static void every_fault_has_a_sentence(void **state)
{
    (void)state;
    for (int f = LIN_OK; f <= LIN_CAS_JUMPED; f++)
        assert_true(strlen(lin_fault_text((enum lin_fault)f)) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_of_one_client_is_good),
        cmocka_unit_test(concurrent_reads_may_see_either_value),
        cmocka_unit_test(a_stale_read_is_found),
        cmocka_unit_test(a_read_that_goes_back_is_found),
        cmocka_unit_test(a_lost_update_is_found),
        cmocka_unit_test(split_brain_is_found),
        cmocka_unit_test(a_write_without_an_answer_may_take_effect_later),
        cmocka_unit_test(an_effect_before_its_call_is_found),
        cmocka_unit_test(an_effect_that_comes_twice_is_found),
        cmocka_unit_test(a_compare_and_set_of_another_value_is_found),
        cmocka_unit_test(a_version_that_was_seen_before_it_was_made_is_found),
        cmocka_unit_test(a_value_that_two_clients_wrote_is_no_history_to_check),
        cmocka_unit_test(a_value_nobody_wrote_is_found),
        cmocka_unit_test(answers_at_the_same_moment_are_concurrent),
        cmocka_unit_test(a_deleted_value_does_not_come_back),
        cmocka_unit_test(keys_do_not_mix_in_the_check_of_versions),
        cmocka_unit_test(more_operations_than_the_search_takes_are_said),
        cmocka_unit_test(registers_that_behave_pass_both_checks),
        cmocka_unit_test(one_stale_answer_among_hundreds_is_found_by_both),
        cmocka_unit_test(a_history_in_lines_becomes_operations),
        cmocka_unit_test(a_line_that_is_not_understood_is_refused),
        cmocka_unit_test(a_file_is_read_and_a_bad_line_is_named),
        cmocka_unit_test(a_violation_is_told_with_its_line_and_what_is_not_checked_is_no_pass),
        cmocka_unit_test(every_fault_has_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
