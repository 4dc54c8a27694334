/* Rules of provisional.h: names of files that are not committed yet. */
#include "fs/provisional.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct inode_table *table;
    struct provisional *p;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(inode_table_new(&f->table, NULL), 0);
    assert_int_equal(provisional_new(&f->p, f->table), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    provisional_free(f->p);
    inode_table_free(f->table);
    free(f);
    return 0;
}

/* A reference. */
static struct inode *fresh(struct fixture *f, uint64_t ino, uint64_t parent, const char *name)
{
    struct inode *i = inode_get(f->table, ino);

    assert_non_null(i);
    i->provisional = true;
    i->parent = parent;
    i->name_len = (uint8_t)strlen(name);
    memcpy(i->name, name, i->name_len);
    i->attr.mode = 0100644;
    return i;
}

static struct inode *put(struct fixture *f, uint64_t ino, uint64_t parent, const char *name)
{
    struct inode *i = fresh(f, ino, parent, name);

    assert_int_equal(provisional_put(f->p, i), 0);
    return i;
}

/* Number of the inode of that name, 0: none. */
static uint64_t find(struct fixture *f, uint64_t parent, const char *name)
{
    struct inode *i = provisional_find(f->p, parent, name, strlen(name));
    uint64_t ino = i != NULL ? i->ino : 0;

    inode_put(f->table, i);
    return ino;
}

static void a_name_is_found_in_its_directory_only(void **state)
{
    struct fixture *f = *state;
    struct inode *i = put(f, 20, 1, "film.mkv");

    assert_int_equal(find(f, 1, "film.mkv"), 20);
    assert_int_equal(find(f, 2, "film.mkv"), 0);
    assert_int_equal(find(f, 1, "film.mk"), 0);
    assert_int_equal(find(f, 1, "film.mkv2"), 0);
    inode_put(f->table, i);
}

static void a_name_is_taken_once(void **state)
{
    struct fixture *f = *state;
    struct inode *a = put(f, 20, 1, "film"), *b = fresh(f, 21, 1, "film");

    assert_int_equal(provisional_put(f->p, b), -EEXIST);
    assert_int_equal(find(f, 1, "film"), 20);
    inode_put(f->table, a);
    inode_put(f->table, b);
}

static void the_map_keeps_the_inode_alive(void **state)
{
    struct fixture *f = *state;
    struct inode *i = put(f, 20, 1, "film");

    inode_put(f->table, i);
    assert_int_equal(find(f, 1, "film"), 20);
    i = provisional_find(f->p, 1, "film", 4);
    assert_int_equal(provisional_drop(f->p, i), 1);
    inode_put(f->table, i);
    assert_null(inode_find(f->table, 20));
}

static void a_dropped_name_is_free_and_dropping_twice_is_forgiven(void **state)
{
    struct fixture *f = *state;
    struct inode *a = put(f, 20, 1, "film"), *b = fresh(f, 21, 1, "film");

    assert_int_equal(provisional_drop(f->p, a), 1);
    assert_int_equal(provisional_drop(f->p, a), 0);
    assert_int_equal(provisional_put(f->p, b), 0);
    assert_int_equal(provisional_drop(f->p, a), 0); /* the name is another's now */
    assert_int_equal(find(f, 1, "film"), 21);
    inode_put(f->table, a);
    inode_put(f->table, b);
}

static void a_move_changes_key_and_inode_together(void **state)
{
    struct fixture *f = *state;
    struct inode *i = put(f, 20, 1, "film.part");

    assert_int_equal(provisional_move(f->p, i, 2, "film", 4), 0);
    assert_int_equal(find(f, 1, "film.part"), 0);
    assert_int_equal(find(f, 2, "film"), 20);
    assert_int_equal(i->parent, 2);
    assert_int_equal(i->name_len, 4);
    assert_memory_equal(i->name, "film", 4);
    assert_false(provisional_any(f->p, 1));
    assert_true(provisional_any(f->p, 2));
    assert_int_equal(provisional_drop(f->p, i), 1);
    inode_put(f->table, i);
}

static void a_move_inside_a_directory_keeps_it(void **state)
{
    struct fixture *f = *state;
    struct inode *i = put(f, 20, 1, "a");

    assert_int_equal(provisional_move(f->p, i, 1, "b", 1), 0);
    assert_true(provisional_any(f->p, 1));
    assert_int_equal(find(f, 1, "b"), 20);
    inode_put(f->table, i);
}

static void a_move_onto_a_taken_name_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct inode *a = put(f, 20, 1, "a"), *b = put(f, 21, 1, "b");

    assert_int_equal(provisional_move(f->p, a, 1, "b", 1), -EEXIST);
    assert_int_equal(find(f, 1, "a"), 20);
    assert_int_equal(find(f, 1, "b"), 21);
    assert_int_equal(provisional_drop(f->p, a), 1);
    assert_int_equal(provisional_move(f->p, a, 1, "c", 1), -ENOENT); /* it has no name any more */
    inode_put(f->table, a);
    inode_put(f->table, b);
}

static void a_directory_lists_its_own_names(void **state)
{
    struct fixture *f = *state;
    struct provisional_name *names;
    struct inode *i[3];
    size_t count;

    i[0] = put(f, 20, 1, "a");
    i[1] = put(f, 21, 1, "b");
    i[2] = put(f, 22, 2, "c");
    assert_int_equal(provisional_list(f->p, 1, &names, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(names[0].ino, 20);
    assert_int_equal(names[1].ino, 21);
    assert_int_equal(names[1].name_len, 1);
    assert_int_equal(names[1].name[0], 'b');
    assert_int_equal(names[0].mode, 0100000);
    free(names);
    assert_int_equal(provisional_list(f->p, 3, &names, &count), 0);
    assert_int_equal(count, 0);
    assert_null(names);
    for (unsigned n = 0; n < 3; n++)
        inode_put(f->table, i[n]);
}

static void names_are_bytes_of_any_value_and_up_to_255(void **state)
{
    struct fixture *f = *state;
    char name[NS_NAME_BYTES_MAX];
    struct inode *i = fresh(f, 20, 1, ""), *got;

    memset(name, 0xfe, sizeof(name));
    memcpy(i->name, name, sizeof(name));
    i->name_len = sizeof(name);
    assert_int_equal(provisional_put(f->p, i), 0);
    got = provisional_find(f->p, 1, name, sizeof(name));
    assert_ptr_equal(got, i);
    inode_put(f->table, got);
    assert_null(provisional_find(f->p, 1, name, sizeof(name) - 1));
    assert_null(provisional_find(f->p, 1, name, sizeof(name) + 1));
    inode_put(f->table, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_is_found_in_its_directory_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_is_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_map_keeps_the_inode_alive, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_name_is_free_and_dropping_twice_is_forgiven,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_move_changes_key_and_inode_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_move_inside_a_directory_keeps_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_move_onto_a_taken_name_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_lists_its_own_names, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_bytes_of_any_value_and_up_to_255, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
