/* lin_run: see lin_run.h. Happy path: read, versions over all, an order per key. Failure modes:
 * what cannot be checked is said, and is never a pass. */
#include "tests/lin/lin_run.h"

#include "tests/lin/lin_history.h"

#include <string.h>

#define FAULTS_SHOWN 20

struct totals {
    FILE *out;
    size_t ops, keys, searched, too_long, undecided;
    long violations;
    unsigned shown;
};

static void show(struct totals *t, const struct lin_history *h, const char *path, size_t base,
                 const struct lin_report *r)
{
    size_t op = base + r->op;

    if (t->shown++ >= FAULTS_SHOWN || r->op == LIN_NO_OP)
        return;
    fprintf(t->out, "%s:%zu: key %s: %s", path, h->lines[op], lin_history_key(h, h->ops[op].key),
            lin_fault_text(r->fault));
    if (r->other != LIN_NO_OP)
        fprintf(t->out, " (line %zu)", h->lines[base + r->other]);
    fputc('\n', t->out);
}

/* The operations of one key. */
static void check_key(struct totals *t, const struct lin_history *h, const char *path, size_t base,
                      size_t count)
{
    struct lin_report report;

    t->keys++;
    switch (lin_check_order(&h->ops[base], count, &report)) {
    case LIN_OK:
        t->searched++;
        return;
    case LIN_TOO_LONG: /* the check of versions has no limit */
        t->too_long++;
        return;
    case LIN_NO_ORDER:
        t->searched++;
        t->violations++;
        show(t, h, path, base, &report);
        return;
    default:
        t->undecided++;
        fprintf(t->out, "%s:%zu: key %s: %s\n", path, h->lines[base],
                lin_history_key(h, h->ops[base].key), lin_fault_text(report.fault));
    }
}

static int check_file(struct totals *t, const char *path)
{
    struct lin_history h = { 0 };
    struct lin_report report;
    long faults;
    int r = lin_history_read(&h, path);

    if (r < 0) {
        fprintf(t->out, "%s: %s\n", path, h.why[0] != '\0' ? h.why : strerror(-r));
        lin_history_close(&h);
        return -1;
    }
    t->ops += h.count;
    faults = lin_check_versions(h.ops, h.count, &report);
    if (faults > 0) {
        t->violations += faults;
        show(t, &h, path, 0, &report);
    }
    for (size_t i = 0, end; i < h.count; i = end) {
        for (end = i + 1; end < h.count && h.ops[end].key == h.ops[i].key;)
            end++;
        check_key(t, &h, path, i, end - i);
    }
    lin_history_close(&h);
    return faults < 0 ? -1 : 0;
}

int lin_run(FILE *out, int count, char *const *paths)
{
    struct totals t = { .out = out };
    int rc = 0;

    for (int i = 0; i < count; i++) {
        if (check_file(&t, paths[i]) < 0)
            rc = 2;
    }
    if (t.ops == 0 || t.undecided > 0)
        rc = 2;
    fprintf(out,
            "lin: %zu operations, %zu keys, %ld violations, %zu keys searched for an order, "
            "%zu too long for it, %zu undecided\n",
            t.ops, t.keys, t.violations, t.searched, t.too_long, t.undecided);
    return t.violations > 0 ? 1 : rc;
}
