/* Rules of notify.h: attributes at once; names and pages by another thread, in order, bounded. */
#include "fs/notify.h"
#include "fs/waiter.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SAID_MAX 8

struct kernel {
    pthread_t caller;
    struct waiter gate; /* held: the first message waits, as in the kernel for a directory's lock */
    bool hold;
    unsigned count;
    char said[SAID_MAX][64];
    _Atomic unsigned sent;
};

static void say(struct kernel *k, const char *text)
{
    assert_true(pthread_equal(pthread_self(), k->caller) == (strncmp(text, "attr", 4) == 0));
    if (k->hold) {
        waiter_wait(&k->gate);
        k->hold = false;
    }
    if (k->count < SAID_MAX)
        snprintf(k->said[k->count++], sizeof(k->said[0]), "%s", text);
    atomic_fetch_add(&k->sent, 1);
}

static int say_inode(void *ctx, uint64_t ino, int64_t offset)
{
    char text[64];

    snprintf(text, sizeof(text), "%s %llu", offset < 0 ? "attr" : "pages", (unsigned long long)ino);
    say(ctx, text);
    return 0;
}

static void say_entry(void *ctx, uint64_t parent, const char *name, size_t len)
{
    char text[64];

    assert_int_equal(strlen(name), len); /* the kernel's message has its NUL, too */
    snprintf(text, sizeof(text), "entry %llu %s", (unsigned long long)parent, name);
    say(ctx, text);
}

static const struct notify_ops ops = { say_inode, say_entry, NULL };

static void messages_are_sent_in_order_before_the_stop_returns(void **state)
{
    struct kernel k = { .caller = pthread_self() };
    struct notify *n;

    (void)state;
    assert_int_equal(notify_start(&n, &ops, &k), 0);
    notify_entry(n, 1, "film", 4);
    notify_pages(n, 21);
    notify_entry(n, 2, "other", 5);
    notify_stop(n);
    assert_int_equal(k.count, 3);
    assert_string_equal(k.said[0], "entry 1 film");
    assert_string_equal(k.said[1], "pages 21");
    assert_string_equal(k.said[2], "entry 2 other");
}

static void attributes_are_forgotten_when_the_call_returns(void **state)
{
    struct kernel k = { .caller = pthread_self() };
    struct notify *n;

    (void)state;
    assert_int_equal(notify_start(&n, &ops, &k), 0);
    notify_attr(n, 20);
    assert_int_equal(k.count, 1);
    assert_string_equal(k.said[0], "attr 20");
    notify_stop(n);
}

static void a_full_queue_drops_and_nobody_waits(void **state)
{
    struct kernel k = { .caller = pthread_self(), .gate = WAITER_INIT, .hold = true };
    struct notify *n;

    (void)state;
    assert_int_equal(notify_start(&n, &ops, &k), 0);
    for (unsigned m = 0; m < NOTIFY_QUEUE_MAX + 100; m++)
        notify_pages(n, m);
    waiter_wake(&k.gate);
    notify_stop(n);
    assert_int_equal(k.sent, NOTIFY_QUEUE_MAX);
}

static void without_a_mount_nothing_happens(void **state)
{
    (void)state;
    notify_attr(NULL, 1);
    notify_pages(NULL, 1);
    notify_entry(NULL, 1, "x", 1);
    notify_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_sent_in_order_before_the_stop_returns),
        cmocka_unit_test(attributes_are_forgotten_when_the_call_returns),
        cmocka_unit_test(a_full_queue_drops_and_nobody_waits),
        cmocka_unit_test(without_a_mount_nothing_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
