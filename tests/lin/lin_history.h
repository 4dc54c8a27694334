/* lin_history: a history as a text file, one JSON object per line:
 *
 *   {"key": "a", "op": "write", "call": 10, "ret": 20, "value": "x1", "version": 3}
 *
 * key      text: which register
 * op       "read", "write", "cas"
 * call ret integers, one clock for all clients (ns, say); without ret the outcome is unknown
 * outcome  "ok" (default when there is a ret), "unknown" (default when there is none),
 *          "refused" (cas: the value was another one), "failed" (surely without effect: left out)
 * value    text or integer written or read, of a refused cas the value seen; null: absent, deleted
 * expect   the same: what a cas compares with
 * version  integer that the answer told; may be missing
 *
 * Other members (client, why, ...) are for people. Empty lines are passed over.
 *
 * Threads: none. */
#ifndef VS_TESTS_LIN_LIN_HISTORY_H
#define VS_TESTS_LIN_LIN_HISTORY_H

#include "tests/lin/lin_check.h"

#define LIN_HISTORY_OPS_MAX    10000000
#define LIN_HISTORY_LINE_BYTES 65536

struct lin_word; /* a key or value and its number */

struct lin_history {
    struct lin_op *ops; /* sorted by key, then call */
    size_t *lines;      /* of each operation in its file, from 1 */
    size_t count, room;
    struct lin_word *keys, *values; /* value 0 is absence */
    char why[160];                  /* what was wrong with a line */
};

/* Add one line. 0, or -EINVAL with the reason in h->why; -ENOMEM, -ENOBUFS. */
int lin_history_add(struct lin_history *h, const char *text, size_t len, size_t line);

/* Add a file. As above, -errno when it cannot be read; h->why names the line. Then, or after the
 * last line, sort. */
int lin_history_read(struct lin_history *h, const char *path);
/* -ENOMEM */
int lin_history_sort(struct lin_history *h);

/* The text of a key's number. Borrowed; "?" for an unknown number. */
const char *lin_history_key(const struct lin_history *h, uint64_t key);

/* Forgives zeroed and closed. */
void lin_history_close(struct lin_history *h);

#endif
