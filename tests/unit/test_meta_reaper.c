/* Uploads without a sign of life are given up, by the reaper's clock; those that live are not. */
#include "common/err.h"
#include "meta/meta_local.h"
#include "meta/meta_reaper.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct turned {
    struct vs_clock clock; /* first */
    int64_t ns;
};

static int64_t turned_now(const struct vs_clock *c)
{
    return ((const struct turned *)c)->ns;
}

struct rig {
    struct turned time;
    struct meta_client *meta;
    struct meta_reaper *reaper;
    bool leads;
};

static bool rig_leads(void *arg)
{
    return ((struct rig *)arg)->leads;
}

static int setup(void **state)
{
    static struct rig rig;
    struct meta_local_config config = { .create = true, .in_memory = true };
    struct meta_reaper_config reaper = { .idle_s = 100, .leads = rig_leads, .arg = &rig };

    rig = (struct rig){ .leads = true, .time.ns = 1000 * VS_NS_PER_S };
    rig.time.clock = vs_clock_system;
    rig.time.clock.now_ns = turned_now;
    config.clock = &vs_clock_system;
    config.cluster.b[0] = 1;
    assert_int_equal(meta_local_open(&rig.meta, &config), 0);
    reaper.meta = rig.meta;
    reaper.clock = &rig.time.clock;
    assert_int_equal(meta_reaper_start(&rig.reaper, &reaper, false), 0);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    meta_reaper_stop(rig->reaper);
    meta_client_stop(rig->meta);
    return 0;
}

static uint64_t change(struct rig *rig, enum ns_entry_kind kind, uint64_t mount)
{
    struct ns_entry e = { .kind = kind, .count = 1, .mount = mount };
    struct meta_req req = { .op = META_CHANGE, .entry = &e };

    assert_int_equal(meta_call(rig->meta, &req), 0);
    return req.answer.session;
}

static unsigned open_sessions(struct rig *rig, uint64_t sessions[4])
{
    struct meta_req req = {
        .op = META_SCAN, .scan = META_SCAN_SESSIONS, .scan_u64 = sessions, .scan_max = 4
    };

    assert_int_equal(meta_call(rig->meta, &req), 0);
    return req.scan_count;
}

static void pass_after(struct rig *rig, int64_t s, int want)
{
    rig->time.ns += s * VS_NS_PER_S;
    assert_int_equal(meta_reaper_pass(rig->reaper), want);
}

static void a_session_without_a_sign_is_given_up_and_one_that_lives_is_not(void **state)
{
    struct rig *rig = *state;
    uint64_t open[4], lives;

    change(rig, NS_E_SESSION_OPEN, 7);
    lives = change(rig, NS_E_SESSION_OPEN, 8);
    pass_after(rig, 0, 0);
    pass_after(rig, 99, 0);
    change(rig, NS_E_SESSION_TOUCH, 8);
    pass_after(rig, 1, 1);
    assert_int_equal(open_sessions(rig, open), 1);
    assert_true(open[0] == lives);
    pass_after(rig, 99, 0);
    change(rig, NS_E_SESSION_TOUCH, 8);
    pass_after(rig, 99, 0);
    assert_int_equal(open_sessions(rig, open), 1);
    pass_after(rig, 100, 1);
    assert_int_equal(open_sessions(rig, open), 0);
}

/* Who did not look all the time does not know. */
static void time_without_the_lead_does_not_count(void **state)
{
    struct rig *rig = *state;
    uint64_t open[4];

    change(rig, NS_E_SESSION_OPEN, 7);
    pass_after(rig, 0, 0);
    rig->leads = false;
    pass_after(rig, 90, 0);
    rig->leads = true;
    pass_after(rig, 90, 0);
    pass_after(rig, 99, 0);
    assert_int_equal(open_sessions(rig, open), 1);
    pass_after(rig, 1, 1);
    assert_int_equal(open_sessions(rig, open), 0);
}

static void a_late_commit_of_what_was_given_up_is_refused(void **state)
{
    struct rig *rig = *state;
    struct ns_entry e = { .kind = NS_E_SESSION_EXTEND, .count = 1 };
    struct meta_req req = { .op = META_CHANGE, .entry = &e };

    e.session = change(rig, NS_E_SESSION_OPEN, 7);
    pass_after(rig, 0, 0);
    pass_after(rig, 100, 1);
    assert_int_equal(meta_call(rig->meta, &req), -ECANCELED);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE(a_session_without_a_sign_is_given_up_and_one_that_lives_is_not),
        RULE(time_without_the_lead_does_not_count),
        RULE(a_late_commit_of_what_was_given_up_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
