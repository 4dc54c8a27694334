/* chaos_history: every operation as a line of the kind that tests/lin reads.
 *
 * Failure modes: a line that cannot be written ends the run: a history with a hole proves nothing.
 */
#include "common/assert.h"
#include "common/cleanup.h"
#include "tests/chaos/chaos.h"
#include "tests/lin/lin_check.h"
#include "tests/lin/lin_run.h"

#include <inttypes.h>

static void add_number(char *line, size_t room, size_t *len, const char *name, uint64_t n)
{
    int added = n == 0 ? snprintf(line + *len, room - *len, ", \"%s\": null", name)
                       : snprintf(line + *len, room - *len, ", \"%s\": %" PRIu64, name, n);

    VS_ASSERT(added > 0 && (size_t)added < room - *len);
    *len += (size_t)added;
}

void chaos_record(struct chaos *c, const struct chaos_event *e)
{
    char line[512];
    int n = snprintf(line, sizeof(line), "{\"key\": \"%s\", \"op\": \"%s\", \"call\": %" PRId64,
                     e->key, e->op, e->call);
    size_t len = (size_t)n;

    VS_ASSERT(n > 0 && len < sizeof(line));
    if (e->ret != 0)
        add_number(line, sizeof(line), &len, "ret", (uint64_t)e->ret);
    if (e->is_refused)
        len += (size_t)snprintf(line + len, sizeof(line) - len, ", \"outcome\": \"refused\"");
    add_number(line, sizeof(line), &len, "expect", e->expect);
    add_number(line, sizeof(line), &len, "value", e->value);
    if (e->version != LIN_NO_VERSION)
        len +=
            (size_t)snprintf(line + len, sizeof(line) - len, ", \"version\": %" PRIu64, e->version);
    VS_LOCK_SCOPE(&c->history_lock);
    VS_ASSERT(fprintf(c->history, "%s}\n", line) > 0);
}

void chaos_history_check(struct chaos *c)
{
    char *const paths[] = { c->history_path };
    int r;

    VS_ASSERT(fclose(c->history) == 0);
    c->history = NULL;
    r = lin_run(stdout, 1, paths);
    if (r == 1)
        chaos_violation(c, "the history %s has no explanation", c->history_path);
    else if (r != 0)
        chaos_violation(c, "the history %s was not checked whole", c->history_path);
}
