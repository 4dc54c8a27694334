/* clean_mark: believed once, when it is whole, of late, and not of the future; gone before anything
 * changes. */
#include "fs/clean_mark.h"
#include "tests/support/temp_dir.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW_S 1800000000
#define DAY_S (24 * 3600)

struct fixture {
    struct vs_clock clock; /* first: the functions get a pointer to it */
    int64_t now_s;
    struct vsfs fs;
    char dir[TEMP_DIR_BYTES];
};

static int64_t real(const struct vs_clock *c)
{
    return ((const struct fixture *)c)->now_s * VS_NS_PER_S;
}

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    temp_dir_make(x->dir);
    x->clock = (struct vs_clock){ real, real };
    x->now_s = NOW_S;
    x->fs.clock = &x->clock;
    x->fs.opt.data_dir = x->dir;
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    temp_dir_remove(x->dir);
    free(x);
    return 0;
}

static const char *path_of(struct fixture *x)
{
    static char path[TEMP_DIR_BYTES + 16];

    snprintf(path, sizeof(path), "%s/" CLEAN_MARK_NAME, x->dir);
    return path;
}

static void write_text(struct fixture *x, const char *text, size_t len)
{
    FILE *f = fopen(path_of(x), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static unsigned taken(struct fixture *x)
{
    struct clean_mark m;

    clean_mark_take(&x->fs, &m);
    assert_int_equal(access(path_of(x), F_OK), -1); /* whatever it was */
    if (m.count == 0)
        assert_int_equal(m.audited_s, 0);
    return m.count;
}

static void what_a_stop_wrote_is_taken_once(void **state)
{
    struct fixture *x = *state;
    struct clean_mark m = { .audited_s = NOW_S - 5, .nodes = { 1, 2, 4294967295 }, .count = 3 };
    struct clean_mark got;

    clean_mark_put(&x->fs, &m);
    clean_mark_take(&x->fs, &got);
    assert_int_equal(got.audited_s, NOW_S - 5);
    assert_int_equal(got.count, 3);
    assert_true(clean_mark_has(&got, 1) && clean_mark_has(&got, 2));
    assert_true(clean_mark_has(&got, 4294967295));
    assert_false(clean_mark_has(&got, 3) || clean_mark_has(&got, 0));
    assert_int_equal(taken(x), 0);
}

static void without_one_nothing_is_believed(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(taken(x), 0);
    x->fs.opt.data_dir = "/nowhere";
    assert_int_equal(taken(x), 0);
}

static void as_many_nodes_as_there_can_be_are_kept(void **state)
{
    struct fixture *x = *state;
    struct clean_mark m = { .audited_s = NOW_S, .count = STORE_SET_MAX };

    for (uint32_t i = 0; i < STORE_SET_MAX; i++)
        m.nodes[i] = UINT32_MAX - i;
    clean_mark_put(&x->fs, &m);
    assert_int_equal(taken(x), STORE_SET_MAX);
}

static void it_is_believed_for_some_days(void **state)
{
    struct fixture *x = *state;
    static const struct {
        int64_t age_s;
        unsigned count;
    } ages[] = { { 0, 1 },
                 { CLEAN_MARK_DAYS * DAY_S - 1, 1 },
                 { CLEAN_MARK_DAYS * DAY_S, 0 },
                 { 1000 * DAY_S, 0 },
                 { -1, 0 } }; /* the clock was wrong then, or is now */

    for (unsigned n = 0; n < sizeof(ages) / sizeof(ages[0]); n++) {
        struct clean_mark m = { .audited_s = NOW_S - ages[n].age_s, .nodes = { 7 }, .count = 1 };

        clean_mark_put(&x->fs, &m);
        assert_int_equal(taken(x), ages[n].count);
    }
}

static void what_is_not_whole_is_not_believed(void **state)
{
    static const char whole[] = "audited 1799999999\nnode 1\nnode 22\nend\n";
    static const char *const others[] = { "",
                                          "end\n",
                                          "audited x\nend\n",
                                          "node 1\nend\n",
                                          "audited 1799999999\nnode x\nend\n",
                                          "audited 1799999999\nnode 1\nend\nend\n",
                                          "audited 1799999999\nfrob 1\nend\n" };
    struct fixture *x = *state;

    write_text(x, whole, sizeof(whole) - 1);
    assert_int_equal(taken(x), 2);
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        write_text(x, whole, len);
        assert_int_equal(taken(x), 0);
    }
    for (unsigned n = 0; n < sizeof(others) / sizeof(others[0]); n++) {
        write_text(x, others[n], strlen(others[n]));
        assert_int_equal(taken(x), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_stop_wrote_is_taken_once),        TEST(without_one_nothing_is_believed),
        TEST(as_many_nodes_as_there_can_be_are_kept), TEST(it_is_believed_for_some_days),
        TEST(what_is_not_whole_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
