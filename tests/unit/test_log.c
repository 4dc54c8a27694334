/* One event is one line, and no argument can make it two or command a terminal. */
#include "common/log.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PREFIX_BYTES 31 /* 2026-11-23T02:10:53.123Z warn_ and a blank */

struct fixture {
    int in, out;
    char text[1 << 16]; /* what was logged since the last read */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    f->in = fds[0];
    f->out = fds[1];
    vs_log_to_fd(f->out);
    vs_log_set_level(VS_LOG_INFO);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    vs_log_to_fd(2);
    close(f->in);
    if (f->out >= 0)
        close(f->out);
    free(f);
    return 0;
}

static const char *logged(struct fixture *f)
{
    ssize_t n = read(f->in, f->text, sizeof(f->text) - 1);

    f->text[n > 0 ? n : 0] = '\0';
    return f->text;
}

static void a_line_has_time_level_and_text(void **state)
{
    unsigned y, mo, d, h, mi, s, ms;
    char level[8], text[32];

    vs_warn("store %d: %s -> stop", 3, "full");
    assert_int_equal(sscanf(logged(*state), "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ %7s %31[^\n]", &y, &mo,
                            &d, &h, &mi, &s, &ms, level, text),
                     9);
    assert_true(y >= 2024 && mo >= 1 && mo <= 12 && d >= 1 && d <= 31 && h < 24 && mi < 60);
    assert_string_equal(level, "warn");
    assert_string_equal(text, "store 3: full -> stop");
}

static void lines_above_the_level_are_not_written(void **state)
{
    vs_debug("quiet");
    assert_string_equal(logged(*state), "");
    vs_log_set_level(VS_LOG_DEBUG);
    vs_debug("heard");
    assert_string_equal(logged(*state) + PREFIX_BYTES, "heard\n");
    vs_log_set_level(VS_LOG_ERROR);
    vs_warn("quiet");
    vs_error("heard");
    assert_string_equal(logged(*state) + PREFIX_BYTES, "heard\n");
}

static void an_argument_cannot_forge_a_line_or_command_a_terminal(void **state)
{
    vs_info("%s", "a\nb\rc\td\x1b[31m\x7f\x01");
    assert_string_equal(logged(*state) + PREFIX_BYTES, "a\\nb\\x0dc\\td\\x1b[31m\\x7f\\x01\n");
    vs_info("%s", "C1 \xc2\x9b next \xc2\x85 raw \x9b bad \xff cut \xe2\x82");
    assert_string_equal(logged(*state) + PREFIX_BYTES,
                        "C1 \\xc2\\x9b next \\xc2\\x85 raw \\x9b bad \\xff cut \\xe2\\x82\n");
    vs_info("%s", "\\n is not a newline");
    assert_string_equal(logged(*state) + PREFIX_BYTES, "\\\\n is not a newline\n");
}

static void other_languages_are_left_alone(void **state)
{
    vs_info("%s", "Zoë’s wedding – 日本 😀\u00a0.mkv");
    assert_string_equal(logged(*state) + PREFIX_BYTES, "Zoë’s wedding – 日本 😀\u00a0.mkv\n");
}

static void a_line_too_long_is_cut_and_says_so(void **state)
{
    static char big[20000];
    const char *text;

    memset(big, 'x', sizeof(big) - 1);
    vs_info("%s", big);
    text = logged(*state);
    assert_in_range(strlen(text), 4000, 8192);
    assert_string_equal(text + strlen(text) - 5, "x...\n");
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);

    memset(big, '\1', sizeof(big) - 1); /* four times as long once escaped */
    vs_info("%s", big);
    text = logged(*state);
    assert_in_range(strlen(text), 8000, 8192);
    assert_string_equal(text + strlen(text) - 8, "\\x01...\n");
}

static void errno_survives_and_a_dead_reader_does_not_matter(void **state)
{
    struct fixture *f = *state;

    errno = EXDEV;
    vs_info("hello");
    assert_int_equal(errno, EXDEV);
    close(f->out);
    f->out = -1;
    vs_info("nobody listens");
    assert_int_equal(errno, EXDEV);
}

static void *log_many(void *arg)
{
    for (unsigned i = 0; i < 100; i++)
        vs_info("%s", (const char *)arg);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    static const char *const words[] = { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb" };
    pthread_t threads[2];
    unsigned count = 0;
    char *line, *rest;

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, log_many, (void *)(uintptr_t)words[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    (void)logged(*state);
    rest = ((struct fixture *)*state)->text;
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        assert_true(strcmp(line + PREFIX_BYTES, words[0]) == 0 ||
                    strcmp(line + PREFIX_BYTES, words[1]) == 0);
        count++;
    }
    assert_int_equal(count, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(a_line_has_time_level_and_text),
        RULE(lines_above_the_level_are_not_written),
        RULE(an_argument_cannot_forge_a_line_or_command_a_terminal),
        RULE(other_languages_are_left_alone),
        RULE(a_line_too_long_is_cut_and_says_so),
        RULE(errno_survives_and_a_dead_reader_does_not_matter),
        RULE(lines_of_threads_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
