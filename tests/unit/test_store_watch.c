/* store_watch: every change of a store is one line in the log, and nothing else is. */
#include "common/log.h"
#include "fs/store_watch.h"
#include "tests/support/store_twist.h"
#include "tests/support/wfile_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct rig rig;
    struct vs_exec *threads; /* the rig's own */
    enum store_state state;  /* of the first store */
    FILE *log;
    struct store_watch *w;
};

static void say_state(void *arg, struct store_health *h)
{
    const struct fixture *x = arg;

    h->state = x->state;
    snprintf(h->why, sizeof(h->why), "%s", x->state == STORE_UP ? "" : "Its disk is gone");
}

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct store_twist twist = { .arg = x, .healthy = say_state };

    assert_non_null(x);
    rig_open(&x->rig);
    x->state = STORE_UP;
    store_twist_set(store_twist_entry(&x->rig.fs.stores, 0), &twist);
    snprintf(x->rig.fs.stores.entries[0].path, 16, "/disk/1");
    x->threads = x->rig.fs.ops;
    assert_int_equal(vs_exec_serial_new(&x->rig.fs.ops), 0);
    x->log = tmpfile();
    assert_non_null(x->log);
    vs_log_to_fd(fileno(x->log));
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    store_watch_stop(x->w);
    vs_log_to_fd(2);
    fclose(x->log);
    vs_exec_stop(x->rig.fs.ops);
    x->rig.fs.ops = x->threads;
    rig_close(&x->rig);
    free(x);
    return 0;
}

static void later(struct fixture *x)
{
    vs_exec_advance(x->rig.fs.ops, STORE_WATCH_S * VS_NS_PER_S);
    assert_int_equal(vs_exec_run_all(x->rig.fs.ops), 1);
}

/* All lines so far that have these words. */
static unsigned times_said(struct fixture *x, const char *words)
{
    char line[1024];
    unsigned n = 0;

    rewind(x->log);
    while (fgets(line, sizeof(line), x->log) != NULL)
        n += strstr(line, words) != NULL;
    return n;
}

static void every_change_is_said_once(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(store_watch_start(&x->w, &x->rig.fs), 0);
    later(x);
    assert_int_equal(times_said(x, "store"), 0);
    x->state = STORE_DOWN;
    for (unsigned n = 0; n < 3; n++)
        later(x);
    assert_int_equal(times_said(x, "error store 1 (/disk/1): Its disk is gone -> the others serve"),
                     1);
    x->state = STORE_READONLY;
    later(x);
    assert_int_equal(times_said(x, "Its disk is gone -> it is read, new films go to the others"),
                     1);
    x->state = STORE_UP;
    later(x);
    later(x);
    assert_int_equal(times_said(x, "store 1 (/disk/1): it is up again"), 1);
    assert_int_equal(times_said(x, "store"), 3);
}

/* The start has said it. */
static void what_is_down_from_the_start_is_not_said_again(void **state)
{
    struct fixture *x = *state;

    x->state = STORE_DOWN;
    assert_int_equal(store_watch_start(&x->w, &x->rig.fs), 0);
    later(x);
    assert_int_equal(times_said(x, "store"), 0);
}

static void a_stop_forgives_and_ends_the_looks(void **state)
{
    struct fixture *x = *state;

    store_watch_stop(NULL);
    assert_int_equal(store_watch_start(&x->w, &x->rig.fs), 0);
    store_watch_stop(x->w);
    x->w = NULL;
    vs_exec_advance(x->rig.fs.ops, 10 * STORE_WATCH_S * VS_NS_PER_S);
    assert_int_equal(vs_exec_run_all(x->rig.fs.ops), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_change_is_said_once),
        TEST(what_is_down_from_the_start_is_not_said_again),
        TEST(a_stop_forgives_and_ends_the_looks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
