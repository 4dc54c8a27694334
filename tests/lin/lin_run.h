/* lin_run: history files through both checks, as a report for people and an exit code for scripts.
 */
#ifndef VS_TESTS_LIN_LIN_RUN_H
#define VS_TESTS_LIN_LIN_RUN_H

#include <stdio.h>

/* Check `count` files; each fault is a line in `out`, the last line is
 * "lin: N operations, K keys, V violations, ...".
 *
 * Returns 0: checked, nothing found; 1: a violation; 2: not checked (no operation, a file that
 * cannot be read, a line that is not understood, an order that was not decided). */
int lin_run(FILE *out, int count, char *const *paths);

#endif
