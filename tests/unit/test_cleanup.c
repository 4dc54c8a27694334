/* What a scope owns is given back at its end, and not what was taken out of it. */
#include "common/cleanup.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *keep(const char *text)
{
    VS_AUTO_FREE char *copy = strdup(text);

    return vs_take(&copy);
}

static void what_was_taken_is_not_freed(void **state)
{
    VS_AUTO_FREE char *kept = keep("film"), *nothing = NULL;

    (void)state;
    (void)nothing;
    assert_string_equal(kept, "film"); /* the sanitizers watch the rest */
}

static void a_descriptor_is_closed_at_the_end_of_its_scope(void **state)
{
    int seen;

    (void)state;
    {
        VS_AUTO_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        VS_AUTO_FD int none = -1;

        (void)none;
        seen = fd;
        assert_true(fcntl(seen, F_GETFD) >= 0);
    }
    assert_int_equal(fcntl(seen, F_GETFD), -1);
}

static void a_lock_is_held_until_the_end_of_its_scope(void **state)
{
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;

    (void)state;
    for (int i = 0; i < 2; i++) {
        VS_LOCK_SCOPE(&m);
        assert_int_not_equal(pthread_mutex_trylock(&m), 0);
    }
    assert_int_equal(pthread_mutex_trylock(&m), 0);
    pthread_mutex_unlock(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_is_not_freed),
        cmocka_unit_test(a_descriptor_is_closed_at_the_end_of_its_scope),
        cmocka_unit_test(a_lock_is_held_until_the_end_of_its_scope),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
