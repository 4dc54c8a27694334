/* lin_check: were the answers that clients got possible for registers that exist once?
 *
 * Two checks of a history of calls and answers:
 *
 * Versions, over a whole history of any length, n log n: every write answers with the version it
 * made and every read with the version it saw, so an order of effects is given, and only has to be
 * compared with the order in real time. Needs that every written value is another one, per key.
 *
 * Orders, per key, up to LIN_OPS_MAX operations: is there any order that explains all answers? It
 * looks at values only, so it trusts no version. The search is Wing & Gong's (1993) with Lowe's
 * memo of configurations met before ("Testing for linearizability", 2017).
 *
 * An operation whose answer never came may have taken effect at any time after its call, once, or
 * never. A key begins absent, which is value 0; writing 0 deletes.
 *
 * Threads: none. */
#ifndef VS_TESTS_LIN_LIN_CHECK_H
#define VS_TESTS_LIN_LIN_CHECK_H

#include <stddef.h>
#include <stdint.h>

#define LIN_OPS_MAX      256        /* of one key, in the search for an order */
#define LIN_CONFIGS_MAX  (1u << 21) /* remembered by one search: about 100 MiB */
#define LIN_NO_VERSION   UINT64_MAX
#define LIN_NO_OP        SIZE_MAX
#define LIN_TIME_FOREVER INT64_MAX

enum lin_kind { LIN_READ, LIN_WRITE, LIN_CAS };

enum lin_outcome {
    LIN_DONE,
    LIN_REFUSED, /* CAS: the value was not `expect` */
    LIN_UNKNOWN, /* no answer */
};

struct lin_op {
    uint64_t key;
    enum lin_kind kind;
    enum lin_outcome outcome;
    int64_t call, ret; /* one clock for all clients; LIN_UNKNOWN: ret does not count */
    uint64_t expect;   /* CAS */
    uint64_t value;    /* written; READ: read; REFUSED: the value seen, if it has a version */
    uint64_t version;  /* made, read or seen, 0 with absent; LIN_NO_VERSION: not told */
};

enum lin_fault {
    LIN_OK = 0,
    LIN_TOO_LONG,      /* more than LIN_OPS_MAX: not searched */
    LIN_UNDECIDED,     /* LIN_CONFIGS_MAX reached: neither proven nor refuted */
    LIN_NO_MEMORY,     /* the same */
    LIN_NO_ORDER,      /* no order explains the answers; op: the one nobody could place */
    LIN_VERSION_TWICE, /* two writes made one version: two histories (split brain) */
    LIN_TWO_VALUES,    /* one version was seen with two values */
    LIN_TWO_EFFECTS,   /* one value was seen under two versions: it was written twice */
    LIN_WENT_BACK,     /* an older version than one known before the call; a lost update */
    LIN_NOT_WRITTEN,   /* a value nobody has written */
    LIN_TOO_EARLY,     /* a value seen before the call that wrote it */
    LIN_CAS_JUMPED,    /* a compare-and-set replaced another value than it compared */
};

struct lin_report {
    enum lin_fault fault;
    size_t op, other; /* indices of the operations it is about, or LIN_NO_OP */
};

/* All keys of a history. Operations without a version are left out.
 * Returns the number of faults; the first one is in *ret. -ENOMEM */
long lin_check_versions(const struct lin_op *ops, size_t count, struct lin_report *ret);

/* The operations of one key (op.key does not count), in any order. */
enum lin_fault lin_check_order(const struct lin_op *ops, size_t count, struct lin_report *ret);

/* A fault as a sentence. Static. */
const char *lin_fault_text(enum lin_fault fault);

#endif
