/* Intrusive doubly linked list. A head is a struct vs_list linked to itself; an element embeds one.
 * No lock: the owner serialises calls. A node taken off a list is linked to itself again. */
#ifndef VS_COMMON_LIST_H
#define VS_COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct vs_list {
    struct vs_list *next, *prev;
};

#define VS_LIST_INIT(name)                                                                         \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }

static inline void vs_list_init(struct vs_list *l)
{
    l->next = l->prev = l;
}

static inline bool vs_list_empty(const struct vs_list *head)
{
    return head->next == head;
}

static inline void vs_list_add_tail(struct vs_list *head, struct vs_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void vs_list_add(struct vs_list *head, struct vs_list *node)
{
    vs_list_add_tail(head->next, node);
}

static inline void vs_list_del(struct vs_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    vs_list_init(node);
}

/* Move all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void vs_list_splice_tail(struct vs_list *to, struct vs_list *from)
{
    if (vs_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    vs_list_init(from);
}

#define vs_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* First element or NULL. */
#define vs_list_first(head, type, member)                                                          \
    (vs_list_empty(head) ? NULL : vs_container_of((head)->next, type, member))

/* Iterate; the current element may be taken off the list inside the loop. */
#define vs_list_for_each(pos, tmp, head)                                                           \
    for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head);                               \
         (pos) = (tmp), (tmp) = (pos)->next)

#endif
