/* The intrusive list keeps order, and a node taken off is on no list. */
#include "common/list.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char name;
    struct vs_list link;
};

static struct item items[6] = { { .name = 'a' }, { .name = 'b' }, { .name = 'c' },
                                { .name = 'd' }, { .name = 'e' }, { .name = 'f' } };

static void assert_order(const struct vs_list *head, const char *want)
{
    char got[8] = "", back[8] = "";
    struct vs_list *pos, *tmp;
    size_t n = 0;

    vs_list_for_each (pos, tmp, head)
        got[n++] = vs_container_of(pos, struct item, link)->name;
    assert_string_equal(got, want);
    for (pos = head->prev; pos != head; pos = pos->prev)
        back[--n] = vs_container_of(pos, struct item, link)->name;
    assert_string_equal(back, want);
    assert_int_equal(vs_list_empty(head), want[0] == '\0');
}

static void elements_keep_the_order_they_were_added_in(void **state)
{
    struct vs_list head = VS_LIST_INIT(head);

    (void)state;
    assert_order(&head, "");
    assert_null(vs_list_first(&head, struct item, link));
    vs_list_add_tail(&head, &items[1].link);
    vs_list_add_tail(&head, &items[2].link);
    vs_list_add(&head, &items[0].link);
    assert_order(&head, "abc");
    assert_ptr_equal(vs_list_first(&head, struct item, link), &items[0]);
}

static void a_node_taken_off_is_alone_and_may_be_taken_off_again(void **state)
{
    struct vs_list head = VS_LIST_INIT(head);

    (void)state;
    for (int i = 0; i < 3; i++)
        vs_list_add_tail(&head, &items[i].link);
    vs_list_del(&items[1].link);
    assert_order(&head, "ac");
    assert_true(vs_list_empty(&items[1].link));
    vs_list_del(&items[1].link);
    assert_order(&head, "ac");
    vs_list_del(&items[0].link);
    vs_list_del(&items[2].link);
    assert_order(&head, "");
}

static void the_current_element_may_be_taken_off_in_a_loop(void **state)
{
    struct vs_list head = VS_LIST_INIT(head), *pos, *tmp;

    (void)state;
    for (int i = 0; i < 6; i++)
        vs_list_add_tail(&head, &items[i].link);
    vs_list_for_each (pos, tmp, &head) {
        if (vs_container_of(pos, struct item, link)->name % 2 == 0)
            vs_list_del(pos);
    }
    assert_order(&head, "ace");
}

static void a_splice_moves_everything_to_the_end(void **state)
{
    struct vs_list to = VS_LIST_INIT(to), from = VS_LIST_INIT(from);

    (void)state;
    vs_list_splice_tail(&to, &from);
    assert_order(&to, "");
    for (int i = 0; i < 2; i++)
        vs_list_add_tail(&from, &items[i].link);
    vs_list_splice_tail(&to, &from);
    assert_order(&to, "ab");
    assert_order(&from, "");
    for (int i = 2; i < 5; i++)
        vs_list_add_tail(&from, &items[i].link);
    vs_list_splice_tail(&to, &from);
    assert_order(&to, "abcde");
    assert_order(&from, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_keep_the_order_they_were_added_in),
        cmocka_unit_test(a_node_taken_off_is_alone_and_may_be_taken_off_again),
        cmocka_unit_test(the_current_element_may_be_taken_off_in_a_loop),
        cmocka_unit_test(a_splice_moves_everything_to_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
