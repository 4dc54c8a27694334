/* TOMB entries on their way. Happy path: an array that doubles. Failure modes: without memory the
 * entry is not taken, and the caller says so. */
#include "node/sb_tombs.h"

#include "common/err.h"

#include <stdlib.h>

#define TOMBS_FIRST 16u

int sb_tombs_add(struct sb_tombs *t, const struct sb_tomb_work *w)
{
    if (t->count == t->cap) {
        uint32_t cap = t->cap == 0 ? TOMBS_FIRST : 2 * t->cap;
        struct sb_tomb_work *v = realloc(t->v, cap * sizeof(*v));

        if (v == NULL)
            return -ENOMEM;
        t->v = v;
        t->cap = cap;
    }
    t->v[t->count++] = *w;
    return 0;
}

void sb_tombs_close(struct sb_tombs *t)
{
    free(t->v);
    *t = (struct sb_tombs){ 0 };
}
