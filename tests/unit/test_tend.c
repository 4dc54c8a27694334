/* Signs of life: given for uploads that are open, and only then. */
#include "fs/tend.h"
#include "fs/waiter.h"
#include "tests/support/upload_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1u << 20)

/* Signs of the only session; 0: there is none. */
static uint64_t signs(struct upload_rig *rig)
{
    struct vs_id pair;
    struct meta_req req = {
        .op = META_SCAN, .scan = META_SCAN_SESSION_SIGNS, .scan_ids = &pair, .scan_max = 1
    };
    uint64_t session, n = 0;

    assert_int_equal(meta_call(rig->meta, &req), 0);
    if (req.scan_count > 0)
        meta_pair_get(&pair, &session, &n);
    return n;
}

static void an_open_upload_gives_a_sign_each_time_and_a_freed_one_none(void **state)
{
    struct upload_rig rig;
    struct vsfs fs = { .clock = &vs_clock_system, .mount = 0 };
    struct upload_env_config up = { .mount = 7 };
    struct upload_session *session;
    struct upload_config config = { .name = "film", .name_len = 4 };
    struct upload *u;
    struct vs_exec *cpu;
    uint64_t before;

    (void)state;
    upload_rig_open(&rig, 5, 0, NULL);
    up.stores = &rig.stores;
    up.meta = fs.meta = rig.meta;
    up.exec = rig.exec;
    assert_int_equal(upload_env_new(&fs.uploads, &up), 0);
    assert_int_equal(vs_exec_start(&cpu, "cpu", 1), 0);
    assert_int_equal(vs_exec_serial_new(&fs.ops), 0);
    assert_int_equal(collect_start(&fs.collect, rig.meta, &rig.stores, cpu), 0);
    fs.mount = 7;
    assert_int_equal(tend_start(&fs.tend, &fs), 0);

    assert_int_equal(upload_session_new(&session, fs.uploads), 0);
    config.session = session;
    assert_int_equal(upload_new(&u, fs.uploads, &config), 0);
    assert_int_equal(upload_rig_append(u, 1, 9 * MIB, MIB), 0);
    while (upload_env_sessions(fs.uploads) == 0)
        usleep(1000);
    before = signs(&rig);
    assert_int_equal(before, 1);
    vs_exec_advance(fs.ops, (TEND_S - 1) * VS_NS_PER_S);
    vs_exec_run_all(fs.ops);
    assert_int_equal(signs(&rig), before);
    for (unsigned i = 1; i <= 3; i++) {
        vs_exec_advance(fs.ops, TEND_S * VS_NS_PER_S);
        vs_exec_run_all(fs.ops);
        assert_int_equal(signs(&rig), before + i);
    }
    upload_free(u);
    upload_session_free(session);
    while (upload_env_sessions(fs.uploads) > 0)
        usleep(1000);
    vs_exec_advance(fs.ops, TEND_S * VS_NS_PER_S);
    vs_exec_run_all(fs.ops);
    assert_int_equal(signs(&rig), 0);

    tend_stop(fs.tend);
    collect_stop(fs.collect);
    vs_exec_stop(fs.ops);
    upload_env_free(fs.uploads);
    vs_exec_stop(cpu);
    upload_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_upload_gives_a_sign_each_time_and_a_freed_one_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
