/* The state of a mount, as `vstackfs status --json` prints it: true for every set of stores down,
 * and with a sentence that says what to do. */
#include "common/err.h"
#include "fs/status.h"
#include "tests/support/meta_twist.h"
#include "tests/support/store_twist.h"
#include "tests/support/wfile_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct vs_json *status(struct rig *r)
{
    struct vs_json *j;
    int e = 1;

    r->fs.opt.mountpoint = "/mnt/videos";
    r->fs.opt.data_dir = "/data";
    j = status_json(&r->fs, &e);
    assert_int_equal(e, 0);
    assert_non_null(j);
    return j;
}

static uint64_t number(const struct vs_json *j, const char *key)
{
    uint64_t v;

    if (vs_json_get_u64(j, key, &v) < 0)
        fail_msg("no number %s", key);
    return v;
}

static void check_text(const struct vs_json *j, const char *key, const char *want)
{
    const char *got = vs_json_get_text(j, key);

    if (got == NULL || strstr(got, want) == NULL)
        fail_msg("%s is \"%s\", without \"%s\"", key, got != NULL ? got : "(none)", want);
}

static void an_empty_mount_is_ok(void **state)
{
    struct rig *r = *state;
    struct vs_json *j;
    bool one_file_system = false;

    r->fs.single_device = true;
    j = status(r);
    assert_string_equal(vs_json_get_text(j, "state"), "ok");
    assert_string_equal(vs_json_get_text(j, "mountpoint"), "/mnt/videos");
    assert_string_equal(vs_json_get_text(j, "data"), "/data");
    assert_string_equal(vs_json_get_text(j, "new_files_stored_as"), "rs:3+2");
    check_text(j, "advice", "on one file system: this survives corruption, not the loss");
    assert_int_equal(vs_json_get_bool(j, "one_file_system", &one_file_system), 0);
    assert_true(one_file_system);
    assert_int_equal(number(j, "files"), 0);
    assert_int_equal(number(j, "chunks"), 0);
    assert_int_equal(number(j, "chunks_degraded"), 0);
    assert_int_equal(number(j, "chunks_lost"), 0);
    assert_int_equal(number(j, "logical_bytes"), 0);
    assert_int_equal(number(j, "fragment_bytes"), 0);
    assert_int_equal(vs_json_count(vs_json_get(j, "nodes")), RIG_STORES);
    vs_json_free(j);
    r->fs.single_device = false;
    j = status(r);
    check_text(j, "advice", "all is well");
    vs_json_free(j);
}

static void what_is_stored_is_counted(void **state)
{
    struct rig *r = *state;
    struct vs_json *j;

    rig_store(r, NS_INO_ROOT, "film", r->bytes, 6u << 20);
    rig_store(r, NS_INO_ROOT, "poster", r->bytes, 1000);
    j = status(r);
    assert_int_equal(number(j, "files"), 2);
    assert_int_equal(number(j, "chunks"), 2);
    assert_int_equal(number(j, "logical_bytes"), (6u << 20) + 1000);
    assert_true(number(j, "fragment_bytes") >= (10u << 20) &&
                number(j, "fragment_bytes") < (10u << 20) + 4096); /* a segment has copies */
    vs_json_free(j);
}

static void every_number_of_stores_down_is_said(void **state)
{
    struct rig *r = *state;
    static const char *const forms[] = { "rs:3+2",
                                         "rs:2+2",
                                         "replicate:3",
                                         "replicate:2",
                                         "fail until a second store is up",
                                         "none: uploads fail" };
    static const char *const states[] = { "ok", "degraded", "degraded", "lost", "lost", "lost" };
    static const char *const advice[] = { "all is well",
                                          "1 of 5 stores is down: every film still plays",
                                          "2 of 5 stores are down",
                                          "1 chunk cannot be read: bring the missing stores back",
                                          "cannot be read",
                                          "cannot be read" };

    rig_store(r, NS_INO_ROOT, "film", r->bytes, 1u << 20);
    for (unsigned down = 0; down <= RIG_STORES; down++) {
        struct vs_json *j;
        const struct vs_json *n;
        unsigned i = 0;

        rig_stores_down(r, down, true);
        j = status(r);
        assert_string_equal(vs_json_get_text(j, "state"), states[down]);
        check_text(j, "new_files_stored_as", forms[down]);
        check_text(j, "advice", advice[down]);
        assert_int_equal(number(j, "chunks"), 1);
        assert_int_equal(number(j, "chunks_degraded"), down == 1 || down == 2);
        assert_int_equal(number(j, "chunks_lost"), down > 2);
        for (n = vs_json_first(vs_json_get(j, "nodes")); n != NULL; n = vs_json_next(n), i++) {
            assert_string_equal(vs_json_get_text(n, "state"), i < down ? "down" : "up");
            assert_int_equal(vs_json_get_text(n, "why") != NULL, i < down);
        }
        vs_json_free(j);
    }
}

static void say_readonly(void *arg, struct store_health *h)
{
    (void)arg;
    h->state = STORE_READONLY;
    snprintf(h->why, sizeof(h->why), "its disk is failing");
}

static void a_store_that_takes_no_puts_is_said_with_its_reason(void **state)
{
    struct rig *r = *state;
    const struct store_twist twist = { .healthy = say_readonly };
    const struct vs_json *n;
    struct vs_json *j;

    store_twist_set(store_twist_entry(&r->fs.stores, 0), &twist);
    snprintf(r->fs.stores.entries[0].path, sizeof(r->fs.stores.entries[0].path), "/disk");
    j = status(r);
    assert_string_equal(vs_json_get_text(j, "state"), "degraded");
    assert_string_equal(vs_json_get_text(j, "new_files_stored_as"), "rs:2+2");
    n = vs_json_first(vs_json_get(j, "nodes"));
    assert_string_equal(vs_json_get_text(n, "state"), "readonly");
    assert_string_equal(vs_json_get_text(n, "why"), "its disk is failing");
    assert_string_equal(vs_json_get_text(n, "path"), "/disk");
    assert_string_equal(vs_json_get_text(n, "id"), "1");
    vs_json_free(j);
}

static void less_redundancy_than_there_could_be_is_said(void **state)
{
    struct rig *r = *state;
    struct vs_json *j;

    rig_stores_down(r, 3, true);
    rig_store(r, NS_INO_ROOT, "film", r->bytes, 1u << 20); /* two copies */
    rig_stores_down(r, 3, false);
    j = status(r);
    assert_string_equal(vs_json_get_text(j, "state"), "degraded");
    assert_int_equal(number(j, "chunks_degraded"), 1);
    check_text(j, "advice", "1 chunk has less redundancy than there should be");
    vs_json_free(j);
}

static void too_few_stores_are_said_loudly(void **state)
{
    struct rig *r = *state;
    struct vs_json *j;

    r->fs.stores.count = 1;
    j = status(r);
    assert_string_equal(vs_json_get_text(j, "new_files_stored_as"), "replicate:1");
    check_text(j, "advice", "only 1 store: the loss of it loses films");
    vs_json_free(j);
    r->fs.stores.count = 2;
    j = status(r);
    assert_string_equal(vs_json_get_text(j, "new_files_stored_as"), "replicate:2");
    check_text(j, "advice", "only 2 stores: the loss of both loses films");
    vs_json_free(j);
    r->fs.stores.count = RIG_STORES;
}

static void answer_down(void *arg, struct meta_req *r)
{
    if (r->op == *(enum meta_op *)arg)
        r->status = -VS_EDOWN;
}

/* Never an empty or a good-looking status instead. */
static void metadata_out_of_reach_is_an_error(void **state)
{
    struct rig *r = *state;
    enum meta_op op = META_STATS;
    int e = 0;

    r->fs.meta = meta_twist_new(r->fs.meta);
    meta_twist_set(r->fs.meta, answer_down, &op);
    assert_null(status_json(&r->fs, &e));
    assert_int_equal(e, -VS_EDOWN);
    op = META_SCAN;
    e = 0;
    assert_null(status_json(&r->fs, &e));
    assert_int_equal(e, -VS_EDOWN);
    meta_twist_set(r->fs.meta, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(an_empty_mount_is_ok),
        RIG_TEST(what_is_stored_is_counted),
        RIG_TEST(every_number_of_stores_down_is_said),
        RIG_TEST(a_store_that_takes_no_puts_is_said_with_its_reason),
        RIG_TEST(less_redundancy_than_there_could_be_is_said),
        RIG_TEST(too_few_stores_are_said_loudly),
        RIG_TEST(metadata_out_of_reach_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
