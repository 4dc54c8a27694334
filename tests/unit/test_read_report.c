/* A read that cannot be answered is said with the file's path, once in a while and not per read. */
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/read_report.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct vs_clock clock; /* first: now() gets a pointer to it */
    int64_t now_ns;
    struct vsfs fs;
    FILE *log;
};

static int64_t now(const struct vs_clock *c)
{
    return ((const struct fixture *)c)->now_ns;
}

static int64_t epoch_ns = 1000 * VS_NS_PER_S; /* what is remembered outlives a fixture */

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    x->clock = (struct vs_clock){ now, now };
    x->now_ns = epoch_ns += 1000 * VS_NS_PER_S;
    x->fs.clock = &x->clock;
    x->log = tmpfile();
    assert_non_null(x->log);
    vs_log_to_fd(fileno(x->log));
    *state = x;
    return inode_table_new(&x->fs.inodes, &x->fs);
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    vs_log_to_fd(2);
    fclose(x->log);
    inode_table_free(x->fs.inodes);
    free(x);
    return 0;
}

/* An inode under a name, as after a lookup; its reference is the table's until the end. */
static struct inode *known(struct fixture *x, uint64_t ino, uint64_t parent, const char *name)
{
    struct inode *i = inode_get(x->fs.inodes, ino);

    assert_non_null(i);
    VS_LOCK_SCOPE(&i->lock);
    i->parent = parent;
    i->name_len = (uint8_t)strlen(name);
    memcpy(i->name, name, i->name_len);
    return i;
}

static void forget(struct fixture *x, struct inode *i)
{
    inode_put(x->fs.inodes, i);
}

static const char *path_of(struct fixture *x, struct inode *i)
{
    static char path[READ_REPORT_PATH_BYTES];

    read_report_path(&x->fs, i, path);
    return path;
}

static void a_path_is_put_together_from_what_the_kernel_asked_for(void **state)
{
    struct fixture *x = *state;
    struct inode *series = known(x, 20, NS_INO_ROOT, "Series"), *one = known(x, 21, 20, "S01");
    struct inode *film = known(x, 22, 21, "E01.mkv"), *top = known(x, 23, NS_INO_ROOT, "a.mkv");

    assert_string_equal(path_of(x, film), "Series/S01/E01.mkv");
    assert_string_equal(path_of(x, one), "Series/S01");
    assert_string_equal(path_of(x, top), "a.mkv");
    forget(x, film);
    forget(x, one);
    forget(x, series);
    forget(x, top);
}

static void what_is_not_known_is_left_out(void **state)
{
    struct fixture *x = *state;
    struct inode *film = known(x, 22, 21, "E01.mkv"); /* its folder was forgotten */
    struct inode *nameless = known(x, 24, 0, "");

    assert_string_equal(path_of(x, film), "E01.mkv");
    assert_string_equal(path_of(x, nameless), "inode 24");
    forget(x, film);
    forget(x, nameless);
}

static void a_loop_and_a_very_long_path_end(void **state)
{
    struct fixture *x = *state;
    struct inode *a = known(x, 30, 31, "a"), *b = known(x, 31, 30, "b"), *deep[40];
    char name[201];

    assert_true(strlen(path_of(x, a)) < READ_REPORT_PATH_BYTES);
    memset(name, 'x', 200);
    name[200] = '\0';
    for (unsigned n = 0; n < 40; n++)
        deep[n] = known(x, 100 + n, n == 0 ? NS_INO_ROOT : 99 + n, name);
    assert_int_equal(strlen(path_of(x, deep[39])), 20 * 201 - 1); /* as many names as fit */
    for (unsigned n = 0; n < 40; n++)
        forget(x, deep[n]);
    forget(x, a);
    forget(x, b);
}

/* Lines in the log so far; the last one. */
static unsigned lines(struct fixture *x, char last[4096])
{
    unsigned n = 0;
    char line[4096];

    rewind(x->log);
    while (fgets(line, sizeof(line), x->log) != NULL) {
        n++;
        if (last != NULL)
            memcpy(last, line, sizeof(line));
    }
    return n;
}

static void a_lost_range_is_said_with_path_range_and_what_to_do(void **state)
{
    struct fixture *x = *state;
    struct inode *film = known(x, 22, NS_INO_ROOT, "wedding.mkv");
    char line[4096];

    read_report(&x->fs, film, 4096, 131072, -VS_ELOST);
    assert_int_equal(lines(x, line), 1);
    assert_non_null(strstr(line, "error"));
    assert_non_null(strstr(line, "wedding.mkv: bytes 4096 to 135168 cannot be read"));
    assert_non_null(strstr(line, "see vstackfs status"));
    forget(x, film);
}

static void one_file_is_spoken_of_once_in_a_while(void **state)
{
    struct fixture *x = *state;
    struct inode *a = known(x, 22, NS_INO_ROOT, "a"), *b = known(x, 23, NS_INO_ROOT, "b");

    for (unsigned n = 0; n < 100; n++)
        read_report(&x->fs, a, n, 1, -VS_ELOST);
    assert_int_equal(lines(x, NULL), 1);
    read_report(&x->fs, b, 0, 1, -VS_ELOST); /* another one is not kept quiet */
    assert_int_equal(lines(x, NULL), 2);
    x->now_ns += READ_REPORT_EVERY_NS - 1;
    read_report(&x->fs, a, 0, 1, -VS_ELOST);
    assert_int_equal(lines(x, NULL), 2);
    x->now_ns += 1;
    read_report(&x->fs, a, 0, 1, -VS_ELOST);
    assert_int_equal(lines(x, NULL), 3);
    forget(x, a);
    forget(x, b);
}

/* More files than are remembered: the oldest is forgotten, never one just spoken of. */
static void the_oldest_is_forgotten_first(void **state)
{
    struct fixture *x = *state;
    struct inode *i;

    for (unsigned n = 0; n <= READ_REPORT_FILES_MAX; n++) {
        i = known(x, 1000 + n, NS_INO_ROOT, "f");
        x->now_ns += 1000;
        read_report(&x->fs, i, 0, 1, -VS_ELOST);
        forget(x, i);
    }
    assert_int_equal(lines(x, NULL), READ_REPORT_FILES_MAX + 1);
    for (unsigned n = 1; n <= READ_REPORT_FILES_MAX; n++) { /* all but the first are remembered */
        i = known(x, 1000 + n, NS_INO_ROOT, "f");
        read_report(&x->fs, i, 0, 1, -VS_ELOST);
        forget(x, i);
    }
    assert_int_equal(lines(x, NULL), READ_REPORT_FILES_MAX + 1);
    i = known(x, 1000, NS_INO_ROOT, "f");
    read_report(&x->fs, i, 0, 1, -VS_ELOST);
    assert_int_equal(lines(x, NULL), READ_REPORT_FILES_MAX + 2);
    forget(x, i);
}

static void a_name_cannot_forge_a_line(void **state)
{
    struct fixture *x = *state;
    struct inode *i = known(x, 22, NS_INO_ROOT, "a\nerror all is lost\033[2J");
    char line[4096];

    read_report(&x->fs, i, 0, 1, -VS_ELOST);
    assert_int_equal(lines(x, line), 1);
    assert_null(strchr(line, '\033'));
    forget(x, i);
}

static void *report_often(void *arg)
{
    struct fixture *x = arg;

    for (unsigned n = 0; n < 200; n++) {
        struct inode *i = inode_get(x->fs.inodes, 5000 + n % 100);

        if (i == NULL)
            return NULL;
        read_report(&x->fs, i, n, 1, -VS_ELOST);
        inode_put(x->fs.inodes, i);
    }
    return arg;
}

static void many_threads_may_report(void **state)
{
    pthread_t threads[3];
    void *ended;

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, report_often, *state), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &ended), 0);
        assert_ptr_equal(ended, *state);
    }
    assert_true(lines(*state, NULL) >= 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_is_put_together_from_what_the_kernel_asked_for),
        TEST(what_is_not_known_is_left_out),
        TEST(a_loop_and_a_very_long_path_end),
        TEST(a_lost_range_is_said_with_path_range_and_what_to_do),
        TEST(one_file_is_spoken_of_once_in_a_while),
        TEST(the_oldest_is_forgotten_first),
        TEST(a_name_cannot_forge_a_line),
        TEST(many_threads_may_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
