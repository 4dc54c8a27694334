/* lin_versions: are the versions that were answered those of one register per key?
 *
 * Happy path: the history is sorted three times: by value (who wrote what was seen), by version
 * (one write and one value each, a compare-and-set right behind what it compared), by time (nothing
 * older than what was known before). Each is then one pass.
 * Failure modes: out of memory; findings are counted, the first one is kept. */
#include "common/assert.h"
#include "tests/lin/lin_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* An operation in one of the three orders. */
struct ref {
    uint64_t key, by, then;
    size_t op;
};

struct check {
    const struct lin_op *ops;
    size_t count;
    uint64_t *versions; /* of each operation; LIN_NO_VERSION: none, or not known */
    struct ref *refs;   /* room for two of each operation */
    size_t ref_count;
    long faults;
    struct lin_report *first;
};

static void found(struct check *c, enum lin_fault fault, size_t op, size_t other)
{
    if (c->faults++ == 0)
        *c->first = (struct lin_report){ fault, op, other };
}

static bool is_write(const struct lin_op *op)
{
    return op->kind != LIN_READ && op->outcome != LIN_REFUSED;
}

static int by_order(const void *a, const void *b)
{
    const struct ref *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->by != y->by)
        return x->by < y->by ? -1 : 1;
    if (x->then != y->then)
        return x->then < y->then ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void add_ref(struct check *c, size_t op, uint64_t by, uint64_t then)
{
    c->refs[c->ref_count++] = (struct ref){ c->ops[op].key, by, then, op };
}

/* End of the run of refs with the same key and sort field. */
static size_t run_end(const struct check *c, size_t i)
{
    size_t end = i + 1;

    while (end < c->ref_count && c->refs[end].key == c->refs[i].key &&
           c->refs[end].by == c->refs[i].by)
        end++;
    return end;
}

/* ---- by value: the writer of what was seen, and its version ---------------------------------- */

/* All operations with one value that is not 0; the writers come first. */
static void check_value(struct check *c, const struct ref *run, size_t count)
{
    size_t writer = run[0].op;
    uint64_t version = LIN_NO_VERSION;
    size_t seen_by = LIN_NO_OP;

    if (!is_write(&c->ops[writer])) {
        found(c, LIN_NOT_WRITTEN, writer, LIN_NO_OP);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct lin_op *op = &c->ops[run[i].op];

        if (i > 0 && is_write(op))
            found(c, LIN_TWO_EFFECTS, run[i].op, writer);
        if (op->outcome != LIN_UNKNOWN && op->ret < c->ops[writer].call)
            found(c, LIN_TOO_EARLY, run[i].op, writer);
        if (c->versions[run[i].op] == LIN_NO_VERSION)
            continue;
        if (seen_by != LIN_NO_OP && c->versions[run[i].op] != version)
            found(c, LIN_TWO_EFFECTS, run[i].op, seen_by);
        version = c->versions[run[i].op];
        seen_by = run[i].op;
    }
    if (c->ops[writer].outcome == LIN_UNKNOWN)
        c->versions[writer] = version; /* seen: it took effect after all */
}

static void check_values(struct check *c)
{
    c->ref_count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->versions[i] != LIN_NO_VERSION || is_write(&c->ops[i]))
            add_ref(c, i, c->ops[i].value, is_write(&c->ops[i]) ? 0 : 1);
    }
    qsort(c->refs, c->ref_count, sizeof(*c->refs), by_order);
    for (size_t i = 0, end; i < c->ref_count; i = end) {
        end = run_end(c, i);
        if (c->refs[i].by != 0)
            check_value(c, &c->refs[i], end - i);
    }
}

/* Writes that may have come to pass unseen, by value, behind the refs in use: for check_cas(). */
static struct ref *unseen_writes(struct check *c, size_t *ret_count)
{
    struct ref *unseen;
    size_t used = c->ref_count;

    for (size_t i = 0; i < c->count; i++) {
        if (c->ops[i].outcome == LIN_UNKNOWN && is_write(&c->ops[i]) &&
            c->versions[i] == LIN_NO_VERSION)
            add_ref(c, i, c->ops[i].value, 0);
    }
    unseen = &c->refs[used];
    *ret_count = c->ref_count - used;
    c->ref_count = used;
    qsort(unseen, *ret_count, sizeof(*unseen), by_order);
    return unseen;
}

/* ---- by version: one write, one value, and what it replaced ---------------------------------- */

static int by_key_and_value(const void *a, const void *b)
{
    const struct ref *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->by < y->by ? -1 : x->by > y->by;
}

/* All operations with one version; the writers come first. Returns the value. */
static uint64_t check_version(struct check *c, const struct ref *run, size_t count)
{
    uint64_t value = run[0].by == 0 ? 0 : c->ops[run[0].op].value;

    for (size_t i = 0; i < count; i++) {
        const struct lin_op *op = &c->ops[run[i].op];

        if (is_write(op) && (i > 0 || run[0].by == 0))
            found(c, LIN_VERSION_TWICE, run[i].op, run[0].op);
        else if (op->value != value)
            found(c, LIN_TWO_VALUES, run[i].op, run[0].op);
    }
    return value;
}

static void check_versions(struct check *c)
{
    const struct ref *unseen;
    size_t unseen_count;
    uint64_t before = 0; /* the value of the version before */

    c->ref_count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->versions[i] != LIN_NO_VERSION)
            add_ref(c, i, c->versions[i], is_write(&c->ops[i]) ? 0 : 1);
    }
    qsort(c->refs, c->ref_count, sizeof(*c->refs), by_order);
    unseen = unseen_writes(c, &unseen_count);
    for (size_t i = 0, end; i < c->ref_count; i = end) {
        const struct lin_op *op = &c->ops[c->refs[i].op];
        struct ref compared = { .key = op->key, .by = op->expect };

        end = run_end(c, i);
        if (i == 0 || c->refs[i - 1].key != op->key)
            before = 0;
        if (op->kind == LIN_CAS && is_write(op) && op->expect != before &&
            bsearch(&compared, unseen, unseen_count, sizeof(*unseen), by_key_and_value) == NULL)
            found(c, LIN_CAS_JUMPED, c->refs[i].op, i > 0 ? c->refs[i - 1].op : LIN_NO_OP);
        before = check_version(c, &c->refs[i], end - i);
    }
}

/* ---- by time: nothing older than what was known ---------------------------------------------- */

static uint64_t sortable(int64_t t)
{
    return (uint64_t)t ^ UINT64_C(1) << 63;
}

static void check_times(struct check *c)
{
    uint64_t known = 0; /* highest version answered before, of this key */
    size_t known_by = LIN_NO_OP;

    c->ref_count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->versions[i] == LIN_NO_VERSION)
            continue;
        add_ref(c, i, sortable(c->ops[i].call), 0);
        if (c->ops[i].outcome != LIN_UNKNOWN)
            add_ref(c, i, sortable(c->ops[i].ret), 1);
    }
    qsort(c->refs, c->ref_count, sizeof(*c->refs), by_order);
    for (size_t i = 0; i < c->ref_count; i++) {
        size_t op = c->refs[i].op;
        uint64_t version = c->versions[op];

        if (i == 0 || c->refs[i - 1].key != c->refs[i].key) {
            known = 0;
            known_by = LIN_NO_OP;
        }
        if (c->refs[i].then == 1) {
            if (version >= known) {
                known = version;
                known_by = op;
            }
        } else if (version < known || (version == known && is_write(&c->ops[op]))) {
            found(c, LIN_WENT_BACK, op, known_by);
        }
    }
}

long lin_check_versions(const struct lin_op *ops, size_t count, struct lin_report *ret)
{
    struct check c = { .ops = ops, .count = count, .first = ret };

    *ret = (struct lin_report){ LIN_OK, LIN_NO_OP, LIN_NO_OP };
    if (count == 0)
        return 0;
    c.versions = calloc(count, sizeof(*c.versions));
    c.refs = calloc(count, 2 * sizeof(*c.refs));
    if (c.versions == NULL || c.refs == NULL) {
        free(c.versions);
        free(c.refs);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        VS_ASSERT(ops[i].outcome == LIN_UNKNOWN || ops[i].call <= ops[i].ret);
        c.versions[i] = ops[i].outcome == LIN_UNKNOWN ? LIN_NO_VERSION : ops[i].version;
    }
    check_values(&c);
    check_versions(&c);
    check_times(&c);
    free(c.versions);
    free(c.refs);
    return c.faults;
}
