/* store_domains: what new files can be follows the failure domains that take data, not the stores.
 */
#include "fs/store_domains.h"
#include "node/store_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void forms_follow_domains_that_take_data(void **state)
{
    static struct store_set set;
    struct store_domains d;
    struct vs_exec *exec;
    struct chunk_store *store;
    struct vs_redundancy red;

    (void)state;
    assert_int_equal(vs_exec_start(&exec, "stores", 1), 0);
    d = store_domains(&set);
    assert_int_equal(store_domains_form(&d).kind, VS_RED_NONE);
    for (unsigned i = 0; i < 10; i++) { /* five machines of two disks */
        assert_int_equal(store_mem_new(&store, exec), 0);
        assert_int_equal(store_set_add(&set, i + 1, "n", "", 7 + i / 2, store, ""), 0);
    }
    d = store_domains(&set);
    assert_int_equal(d.usable, 5);
    assert_int_equal(d.known, 5);
    assert_int_equal(store_domains_form(&d).k, 3);
    atomic_store(&set.entries[0].takes, STORE_TAKES_NOTHING); /* its neighbour serves */
    d = store_domains(&set);
    assert_int_equal(d.usable, 5);
    store_mem_set_down(atomic_load(&set.entries[1].store), true);
    d = store_domains(&set);
    assert_int_equal(d.usable, 4);
    assert_int_equal(d.known, 5);
    red = store_domains_form(&d);
    assert_int_equal(red.k, 2);
    assert_int_equal(red.m, 2);
    store_set_close(&set);
    vs_exec_stop(exec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_follow_domains_that_take_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
