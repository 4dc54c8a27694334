/* Rules of inode_table.h: how long an object lives, what an alias stands for, fresh numbers. */
#include "fs/inode_table.h"
#include "meta/meta_local.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct meta_local_config config = { .create = true,
                                        .in_memory = true,
                                        .clock = &vs_clock_system };
    struct vsfs *fs = calloc(1, sizeof(*fs));

    assert_non_null(fs);
    config.cluster.b[0] = 1;
    fs->clock = &vs_clock_system;
    assert_int_equal(meta_local_open(&fs->meta, &config), 0);
    assert_int_equal(inode_table_new(&fs->inodes, fs), 0);
    *state = fs;
    return 0;
}

static int teardown(void **state)
{
    struct vsfs *fs = *state;

    inode_table_free(fs->inodes);
    meta_client_stop(fs->meta);
    free(fs);
    return 0;
}

static bool is_there(struct vsfs *fs, uint64_t ino)
{
    struct inode *i = inode_find(fs->inodes, ino);

    inode_put(fs->inodes, i);
    return i != NULL;
}

static void an_object_lives_while_it_is_referenced(void **state)
{
    struct vsfs *fs = *state;
    struct inode *a = inode_get(fs->inodes, 20), *b = inode_get(fs->inodes, 20);

    assert_ptr_equal(a, b);
    inode_put(fs->inodes, a);
    assert_true(is_there(fs, 20));
    inode_ref(b, fs->inodes);
    inode_put(fs->inodes, b);
    assert_true(is_there(fs, 20));
    inode_put(fs->inodes, b);
    assert_false(is_there(fs, 20));
}

static void an_object_lives_until_the_kernel_forgets_every_lookup(void **state)
{
    struct vsfs *fs = *state;
    struct inode *i = inode_get(fs->inodes, 20);

    for (unsigned n = 0; n < 3; n++)
        inode_looked_up(fs->inodes, i);
    inode_put(fs->inodes, i);
    inode_forget(fs->inodes, 20, 2);
    assert_true(is_there(fs, 20));
    inode_forget(fs->inodes, 20, 1);
    assert_false(is_there(fs, 20));
}

static void a_forgotten_object_stays_while_somebody_holds_it(void **state)
{
    struct vsfs *fs = *state;
    struct inode *i = inode_get(fs->inodes, 20);

    inode_looked_up(fs->inodes, i);
    inode_forget(fs->inodes, 20, 1);
    assert_true(is_there(fs, 20));
    inode_put(fs->inodes, i);
    assert_false(is_there(fs, 20));
}

static void forgetting_what_is_not_there_is_forgiven(void **state)
{
    struct vsfs *fs = *state;

    inode_forget(fs->inodes, 4711, 1);
    inode_put(fs->inodes, NULL);
    assert_null(inode_find(fs->inodes, 4711));
}

static void an_alias_resolves_to_its_film_and_others_to_themselves(void **state)
{
    struct vsfs *fs = *state;
    struct inode *alias = inode_alias_new(fs->inodes, 20), *i;

    assert_non_null(alias);
    assert_true(inode_is_alias(alias->ino));
    i = inode_resolve(fs->inodes, alias->ino);
    assert_int_equal(i->ino, 20);
    inode_put(fs->inodes, i);
    alias->alias_of = 30; /* it has become another file */
    i = inode_resolve(fs->inodes, alias->ino);
    assert_int_equal(i->ino, 30);
    inode_put(fs->inodes, i);
    i = inode_resolve(fs->inodes, 20);
    assert_int_equal(i->ino, 20);
    inode_put(fs->inodes, i);
    inode_put(fs->inodes, alias);
    assert_false(is_there(fs, 20));
}

static void numbers_of_aliases_are_their_own(void **state)
{
    struct vsfs *fs = *state;
    struct inode *a = inode_alias_new(fs->inodes, 20), *b = inode_alias_new(fs->inodes, 20);

    assert_true(a->ino != b->ino);
    assert_false(inode_is_alias(20));
    assert_false(inode_is_alias(UINT64_C(1) << 63)); /* those of .vstack */
    inode_put(fs->inodes, a);
    inode_put(fs->inodes, b);
}

static void fresh_numbers_never_come_twice(void **state)
{
    struct vsfs *fs = *state;
    unsigned count = VSFS_INOS_RESERVE * 2 + 10;
    uint64_t last = 0, ino;

    for (unsigned n = 0; n < count; n++) {
        assert_int_equal(inode_number_new(fs->inodes, &ino), 0);
        assert_true(ino > last && ino >= NS_INO_FIRST);
        last = ino;
    }
}

/* ---- threads ---- */

#define TAKERS        4
#define TAKEN_BY_EACH 3000

struct taker {
    struct vsfs *fs;
    uint64_t got[TAKEN_BY_EACH];
};

static void *take_numbers(void *arg)
{
    struct taker *t = arg;

    for (unsigned n = 0; n < TAKEN_BY_EACH; n++) {
        struct inode *i;

        if (inode_number_new(t->fs->inodes, &t->got[n]) < 0)
            return t;
        i = inode_get(t->fs->inodes, 100 + n % 7); /* made and freed under each other's feet */
        inode_looked_up(t->fs->inodes, i);
        inode_put(t->fs->inodes, i);
        inode_forget(t->fs->inodes, 100 + n % 7, 1);
    }
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void threads_share_the_table(void **state)
{
    struct vsfs *fs = *state;
    struct taker *t = calloc(TAKERS, sizeof(*t));
    uint64_t *all = calloc(TAKERS * TAKEN_BY_EACH, sizeof(*all));
    pthread_t threads[TAKERS];
    void *failed;

    for (unsigned n = 0; n < TAKERS; n++) {
        t[n].fs = fs;
        assert_int_equal(pthread_create(&threads[n], NULL, take_numbers, &t[n]), 0);
    }
    for (unsigned n = 0; n < TAKERS; n++) {
        pthread_join(threads[n], &failed);
        assert_null(failed);
        memcpy(all + n * TAKEN_BY_EACH, t[n].got, sizeof(t[n].got));
    }
    qsort(all, TAKERS * TAKEN_BY_EACH, sizeof(*all), by_number);
    for (unsigned n = 1; n < TAKERS * TAKEN_BY_EACH; n++)
        assert_true(all[n] != all[n - 1]);
    for (uint64_t ino = 100; ino < 107; ino++)
        assert_false(is_there(fs, ino));
    free(all);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_lives_while_it_is_referenced, setup, teardown),
        cmocka_unit_test_setup_teardown(an_object_lives_until_the_kernel_forgets_every_lookup,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_forgotten_object_stays_while_somebody_holds_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(forgetting_what_is_not_there_is_forgiven, setup, teardown),
        cmocka_unit_test_setup_teardown(an_alias_resolves_to_its_film_and_others_to_themselves,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_of_aliases_are_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(fresh_numbers_never_come_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_share_the_table, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
