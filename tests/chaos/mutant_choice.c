/* A daemon with the deliberate errors of meta/px_mutant.h built in has the one that $PX_MUTANT
 * names. Failure modes: none named: none. */
#include "meta/px_mutant.h"

#include <stdlib.h>

int px_mutant;

__attribute__((constructor)) static void choose(void)
{
    const char *n = getenv("PX_MUTANT");

    px_mutant = n != NULL ? (int)strtol(n, NULL, 10) : 0;
}
