/* lin: checks histories of real runs.
 *
 *   lin FILE...       one JSON object per line, see tests/lin/lin_history.h
 *
 * Prints each fault with its line, and ends with "lin: N operations, K keys, V violations, ...".
 * Exit code 0: checked, nothing found; 1: a violation; 2: not checked (no file, no operation, a
 * line that is not understood, an order that was not decided). */
#include "tests/lin/lin_history.h"

#include <stdio.h>
#include <string.h>

#define FAULTS_SHOWN 20

struct totals {
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
    printf("%s:%zu: key %s: %s", path, h->lines[op], lin_history_key(h, h->ops[op].key),
           lin_fault_text(r->fault));
    if (r->other != LIN_NO_OP)
        printf(" (line %zu)", h->lines[base + r->other]);
    printf("\n");
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
        printf("%s:%zu: key %s: %s\n", path, h->lines[base], lin_history_key(h, h->ops[base].key),
               lin_fault_text(report.fault));
    }
}

static int check_file(struct totals *t, const char *path)
{
    struct lin_history h = { 0 };
    struct lin_report report;
    long faults;
    int r = lin_history_read(&h, path);

    if (r < 0) {
        fprintf(stderr, "lin: %s: %s\n", path, h.why[0] != '\0' ? h.why : strerror(-r));
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

int main(int argc, char **argv)
{
    struct totals t = { 0 };
    int rc = argc < 2 ? 2 : 0;

    for (int i = 1; i < argc; i++) {
        if (check_file(&t, argv[i]) < 0)
            rc = 2;
    }
    if (t.ops == 0 || t.undecided > 0)
        rc = 2;
    printf("lin: %zu operations, %zu keys, %ld violations, %zu keys searched for an order, "
           "%zu too long for it, %zu undecided\n",
           t.ops, t.keys, t.violations, t.searched, t.too_long, t.undecided);
    return t.violations > 0 ? 1 : rc;
}
