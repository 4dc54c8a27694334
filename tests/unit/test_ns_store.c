/* The directory of the namespace: after a crash at any point it is the old one or the new one. */
#include "common/err.h"
#include "meta/ns_store.h"
#include "tests/support/temp_dir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct store_fixture {
    char dir[TEMP_DIR_BYTES];
    struct ns_store s;
};

static int setup(void **state)
{
    struct store_fixture *f = calloc(1, sizeof(*f));

    temp_dir_make(f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct store_fixture *f = *state;

    ns_store_close(&f->s);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

static void put(struct kv *kv, const char *value)
{
    struct kv_batch *b;

    assert_int_equal(kv_batch_new(&b), 0);
    kv_batch_put(b, "x", 1, value, strlen(value));
    assert_int_equal(kv_write(kv, b, false), 0);
    assert_int_equal(kv_flush(kv), 0);
    kv_batch_free(b);
}

static void holds(struct kv *kv, const char *value)
{
    struct vs_buf b = { 0 };

    assert_int_equal(kv_get(kv, "x", 1, &b), 0);
    assert_int_equal(b.len, strlen(value));
    assert_memory_equal(b.data, value, b.len);
    vs_buf_close(&b);
}

static bool there(struct store_fixture *f, const char *name)
{
    char path[TEMP_DIR_BYTES + 32];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return access(path, F_OK) == 0;
}

static void rename_in(struct store_fixture *f, const char *from, const char *to)
{
    char a[TEMP_DIR_BYTES + 32], b[TEMP_DIR_BYTES + 32];

    snprintf(a, sizeof(a), "%s/%s", f->dir, from);
    snprintf(b, sizeof(b), "%s/%s", f->dir, to);
    assert_int_equal(rename(a, b), 0);
}

static void open_again(struct store_fixture *f)
{
    ns_store_close(&f->s);
    assert_int_equal(ns_store_open(&f->s, f->dir, false), 0);
    assert_false(there(f, "namespace.new"));
    assert_false(there(f, "namespace.old"));
}

static void a_new_one_takes_the_place_and_stays_there(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(ns_store_open(&f->s, f->dir, true), 0);
    put(f->s.kv, "old");
    assert_int_equal(ns_store_fresh(&f->s), 0);
    put(f->s.fresh, "new");
    holds(f->s.kv, "old");
    assert_int_equal(ns_store_take(&f->s), 0);
    assert_null(f->s.fresh);
    holds(f->s.kv, "new");
    put(f->s.kv, "newer"); /* its files are made where they belong */
    open_again(f);
    holds(f->s.kv, "newer");
}

static void in_memory_too(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(ns_store_open(&f->s, NULL, true), 0);
    put(f->s.kv, "old");
    assert_int_equal(ns_store_fresh(&f->s), 0);
    put(f->s.fresh, "new");
    assert_int_equal(ns_store_take(&f->s), 0);
    holds(f->s.kv, "new");
}

static void one_that_was_being_filled_is_thrown_away(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(ns_store_open(&f->s, f->dir, true), 0);
    put(f->s.kv, "old");
    assert_int_equal(ns_store_fresh(&f->s), 0);
    put(f->s.fresh, "new");
    kv_close(f->s.fresh); /* the process dies */
    f->s.fresh = NULL;
    kv_close(f->s.kv);
    f->s.kv = NULL;
    assert_int_equal(ns_store_open(&f->s, f->dir, false), 0);
    assert_false(there(f, "namespace.new"));
    holds(f->s.kv, "old");
    assert_int_equal(ns_store_fresh(&f->s), 0);
    assert_int_equal(ns_store_fresh(&f->s), 0); /* begun anew */
    assert_int_equal(kv_get(f->s.fresh, "x", 1, &(struct vs_buf){ 0 }), -ENOENT);
    ns_store_drop(&f->s);
    assert_false(there(f, "namespace.new"));
}

/* The names as each step leaves them, and what the next start makes of them. */
static void a_crash_between_the_steps_leaves_one_of_the_two(void **state)
{
    static const char *const use[] = { "old", "new" };
    struct store_fixture *f = *state;

    for (unsigned step = 0; step < 2; step++) {
        assert_int_equal(ns_store_open(&f->s, f->dir, true), 0);
        put(f->s.kv, "old");
        assert_int_equal(ns_store_fresh(&f->s), 0);
        put(f->s.fresh, "new");
        kv_close(f->s.fresh);
        f->s.fresh = NULL;
        kv_close(f->s.kv);
        f->s.kv = NULL;
        rename_in(f, "namespace", "namespace.old");
        if (step == 1)
            rename_in(f, "namespace.new", "namespace");
        open_again(f);
        holds(f->s.kv, use[step]);
        ns_store_close(&f->s);
    }
}

/* Something that is no database has come in between: the old one goes on. */
static void if_the_new_one_cannot_be_opened_the_old_one_comes_back(void **state)
{
    struct store_fixture *f = *state;
    char cmd[TEMP_DIR_BYTES + 64];

    assert_int_equal(ns_store_open(&f->s, f->dir, true), 0);
    put(f->s.kv, "old");
    assert_int_equal(ns_store_fresh(&f->s), 0);
    put(f->s.fresh, "new");
    snprintf(cmd, sizeof(cmd), "echo damaged >%s/namespace.new/CURRENT", f->dir);
    assert_int_equal(system(cmd), 0);
    assert_true(ns_store_take(&f->s) < 0);
    holds(f->s.kv, "old");
    open_again(f);
    holds(f->s.kv, "old");
}

static void no_namespace_is_made_unless_asked_for(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(ns_store_open(&f->s, f->dir, false), -ENOENT);
    assert_false(there(f, "namespace"));
}

static void the_base_is_what_was_set_or_nothing(void **state)
{
    struct store_fixture *f = *state;
    uint64_t slot = 1;

    assert_int_equal(ns_store_open(&f->s, f->dir, true), 0);
    assert_int_equal(ns_store_base(f->s.kv, &slot), 0);
    assert_int_equal(slot, 0);
    assert_int_equal(ns_store_set_base(f->s.kv, 77), 0);
    assert_int_equal(ns_store_base(f->s.kv, &slot), 0);
    assert_int_equal(slot, 77);
}

#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_new_one_takes_the_place_and_stays_there),
        STORE_TEST(in_memory_too),
        STORE_TEST(one_that_was_being_filled_is_thrown_away),
        STORE_TEST(a_crash_between_the_steps_leaves_one_of_the_two),
        STORE_TEST(if_the_new_one_cannot_be_opened_the_old_one_comes_back),
        STORE_TEST(no_namespace_is_made_unless_asked_for),
        STORE_TEST(the_base_is_what_was_set_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
