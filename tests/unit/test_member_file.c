/* Which replicas there are, as JSON and as a file: what was kept comes back, and nothing that is
 * broken is believed. */
#include "common/err.h"
#include "common/json.h"
#include "common/member_file.h"
#include "common/text_file.h"
#include "tests/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct member_set three = {
    .epoch = 2, .count = 3, .member = { { 1, "http://a:1" }, { 4, "" }, { 3, "http://c:3" } }
};

static void what_was_kept_comes_back(void **state)
{
    char dir[TEMP_DIR_BYTES];
    struct member_set back;

    (void)state;
    temp_dir_make(dir);
    assert_int_equal(member_file_load(dir, &back), -ENOENT);
    assert_int_equal(member_file_save(dir, &three), 0);
    assert_int_equal(member_file_load(dir, &back), 0);
    assert_true(member_set_same(&back, &three));
    temp_dir_remove(dir);
}

static int take(const char *text, struct member_set *ret)
{
    struct vs_json *j = NULL;
    int r;

    assert_int_equal(vs_json_parse(text, strlen(text), &j), 0);
    r = member_set_from_json(j, ret);
    vs_json_free(j);
    return r;
}

static void what_cannot_be_is_refused(void **state)
{
    static const char *const broken[] = {
        "{\"metas\":[{\"id\":1,\"url\":\"\"}]}",                 /* no epoch */
        "{\"epoch\":0,\"metas\":[{\"id\":1,\"url\":\"\"}]}",     /* none of that number */
        "{\"epoch\":1,\"metas\":[]}",                            /* nobody */
        "{\"epoch\":1,\"metas\":5}",                             /* no list */
        "{\"epoch\":1,\"metas\":[{\"id\":65536,\"url\":\"\"}]}", /* no id */
        "{\"epoch\":1,\"metas\":[{\"id\":1}]}",                  /* no address */
        "{\"epoch\":1,\"metas\":[{\"id\":1,\"url\":\"a b\"}]}",  /* none that can be */
        "{\"epoch\":1,\"metas\":[{\"id\":1,\"url\":\"\"},{\"id\":1,\"url\":\"\"},"
        "{\"id\":2,\"url\":\"\"}]}", /* twice */
        "{\"epoch\":1,\"metas\":[{\"id\":1,\"url\":\"\"},{\"id\":2,\"url\":\"\"},{\"id\":3,\"url\":"
        "\"\"},{\"id\":4,\"url\":\"\"},{\"id\":5,\"url\":\"\"},{\"id\":6,\"url\":\"\"}]}",
    };
    struct member_set s;

    (void)state;
    assert_int_equal(take("{\"epoch\":1}", &s), -ENOENT);
    assert_int_equal(take("{\"epoch\":1,\"metas\":[{\"id\":7,\"url\":\"http://a:1\"}]}", &s), 0);
    assert_int_equal(s.member[0].pid, 7);
    for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_int_equal(take(broken[i], &s), -VS_ECORRUPT);
}

static void a_file_that_cannot_be_read_is_none(void **state)
{
    static const char *const broken[] = { "", "{}", "no json", "{\"epoch\":1,\"metas\":[]}" };
    char dir[TEMP_DIR_BYTES], path[TEMP_DIR_BYTES + 32], *long_text;
    struct member_set s;

    (void)state;
    temp_dir_make(dir);
    snprintf(path, sizeof(path), "%s/" MEMBER_FILE_NAME, dir);
    for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(text_file_save(path, broken[i], 0600), 0);
        assert_int_equal(member_file_load(dir, &s), -VS_ECORRUPT);
    }
    long_text = calloc(1, MEMBER_SET_BYTES_MAX + 2);
    memset(long_text, ' ', MEMBER_SET_BYTES_MAX + 1);
    assert_int_equal(text_file_save(path, long_text, 0600), 0);
    assert_int_equal(member_file_load(dir, &s), -VS_ECORRUPT);
    free(long_text);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_comes_back),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_file_that_cannot_be_read_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
