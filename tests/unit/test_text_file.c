/* A small file of text: whole or as it was. */
#include "common/text_file.h"
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

struct rig {
    char dir[TEMP_DIR_BYTES], path[TEMP_DIR_BYTES + 32];
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    temp_dir_make(rig->dir);
    snprintf(rig->path, sizeof(rig->path), "%s/text", rig->dir);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    temp_dir_remove(rig->dir);
    free(rig);
    return 0;
}

static void reads_as(const struct rig *rig, const char *text)
{
    char *back;
    size_t len;

    assert_int_equal(text_file_load(rig->path, 100, &back, &len), 0);
    assert_int_equal(len, strlen(text));
    assert_string_equal(back, text);
    free(back);
}

static void what_is_saved_is_read_and_replaced_as_a_whole(void **state)
{
    struct rig *rig = *state;
    char *back = NULL;
    size_t len;

    assert_int_equal(text_file_load(rig->path, 100, &back, &len), -ENOENT);
    assert_int_equal(text_file_save(rig->path, "first text", 0600), 0);
    reads_as(rig, "first text");
    assert_int_equal(text_file_save(rig->path, "", 0600), 0);
    reads_as(rig, "");
    assert_int_equal(text_file_save(rig->path, "third", 0600), 0);
    assert_int_equal(text_file_load(rig->path, 4, &back, &len), -EMSGSIZE);
    assert_int_equal(text_file_load(rig->path, 5, &back, &len), 0);
    free(back);
}

static void a_save_that_fails_leaves_what_was_there(void **state)
{
    struct rig *rig = *state;
    char aside[TEMP_DIR_BYTES + 40];

    assert_int_equal(text_file_save(rig->path, "kept", 0600), 0);
    snprintf(aside, sizeof(aside), "%s.new", rig->path);
    assert_int_equal(symlink("/nowhere/at/all", aside), 0);
    assert_int_equal(text_file_save(rig->path, "lost", 0600), -ENOENT);
    reads_as(rig, "kept");
    assert_int_equal(unlink(aside), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_saved_is_read_and_replaced_as_a_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_save_that_fails_leaves_what_was_there, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
