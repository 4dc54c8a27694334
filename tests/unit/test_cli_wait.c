/* vstackfs wait: exit code 0 is a promise. The attribute stands on a plain file here. */
#include "tests/support/cli_rig.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

#include <cmocka.h>

/* Is it set? Not where the file system keeps no attributes. */
static bool set_state(const char *path, const char *state)
{
    return setxattr(path, "user.vstack.state", state, strlen(state), 0) == 0;
}

static const char *film(struct cli_rig *r, const char *state)
{
    const char *path = cli_rig_path(r, "film.mkv");

    cli_rig_write(r, "film.mkv", "bytes");
    if (!set_state(path, state)) {
        print_message("no user attributes here\n");
        skip();
    }
    return path;
}

static void what_is_stored_is_not_waited_for(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "wait", film(r, "stored")), 0);
    assert_int_equal(RUN(r, "wait", film(r, "degraded")), 0); /* durable, with less to spare */
    assert_int_equal(RUN(r, "wait", film(r, "migrating")), 0);
}

static void only_what_is_known_to_be_durable_is_success(void **state)
{
    struct cli_rig *r = *state;

    assert_int_equal(RUN(r, "wait", film(r, "lost")), 1);
    assert_non_null(strstr(r->err, "lost; see vstackfs status"));
    assert_int_equal(RUN(r, "wait", film(r, "")), 1);
    assert_int_equal(RUN(r, "wait", film(r, "frobbed")), 1); /* of another version */
    assert_int_equal(RUN(r, "wait", cli_rig_path(r, "nothing")), 1);
    assert_int_equal(RUN(r, "wait", "/"), 1);
    assert_int_equal(RUN(r, "wait"), 1);
    assert_non_null(strstr(r->err, "which file?"));
}

struct story {
    struct cli_rig *r;
    const char *path, *const *states;
};

static void *tell(void *arg)
{
    struct story *s = arg;

    for (const char *const *state = s->states; *state != NULL; state++) {
        const struct timespec looks = { .tv_nsec = 150 * 1000 * 1000 }; /* a few, in each state */

        nanosleep(&looks, NULL);
        if (!set_state(s->path, *state))
            return NULL;
    }
    return s;
}

static void an_upload_is_waited_for_to_its_end(void **state)
{
    struct cli_rig *r = *state;
    static const char *const good[] = { "staged", "uploading", "stored", NULL };
    static const char *const bad[] = { "staged", "lost", NULL };

    for (unsigned n = 0; n < 2; n++) {
        struct story s = { .r = r, .path = film(r, "uploading"), .states = n == 0 ? good : bad };
        pthread_t thread;
        void *ended;
        int code;

        assert_int_equal(pthread_create(&thread, NULL, tell, &s), 0);
        code = RUN(r, "wait", s.path);
        assert_int_equal(pthread_join(thread, &ended), 0);
        assert_ptr_equal(ended, &s);
        assert_int_equal(code, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(what_is_stored_is_not_waited_for),
        CLI_TEST(only_what_is_known_to_be_durable_is_success),
        CLI_TEST(an_upload_is_waited_for_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
