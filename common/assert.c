/* What happens when the impossible has happened: one line that says where, then abort(3).
 *
 * Nothing is flushed or unwound on purpose: whatever is in memory may be wrong, and only what a
 * disk has acknowledged counts. */
#include "common/assert.h"

#include "common/log.h"

#include <stdlib.h>

_Noreturn void vs_assert_fail(const char *expr, const char *file, int line, const char *func)
{
    vs_error("%s:%d %s: assertion \"%s\" does not hold -> abort", file, line, func, expr);
    abort();
}
