/* Does a call abort, as a broken contract must? Runs it in a child process with a silent log. */
#ifndef VS_TESTS_ABORTS_H
#define VS_TESTS_ABORTS_H

#include <stdbool.h>

/* True when fn(arg) ends its process with SIGABRT. Call it before threads are started. */
bool test_aborts(void (*fn)(void *arg), void *arg);

#endif
