/* salvage: its course, and what it says. See the header. */
#include "meta/salvage.h"
#include "common/err.h"
#include "meta/salvage_impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAY_BYTES 6000

void salvage_say(struct salvage *s, enum salvage_word word, const char *fmt, ...)
{
    char text[SAY_BYTES];
    va_list ap;

    s->result->changed += word == SALVAGE_CHANGED;
    s->result->lost += word == SALVAGE_LOST;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (s->config->say != NULL)
        s->config->say(s->config->arg, word, text);
}

int salvage_fail(struct salvage *s, int r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(s->why, SALVAGE_WHY_BYTES, fmt, ap);
    va_end(ap);
    return r;
}

/* A proposer id that no fragment was ever written under. */
static uint16_t salvage_pid(const struct salvage *s)
{
    static uint8_t seen[META_REBUILD_PIDS / 8];

    memset(seen, 0, sizeof(seen));
    for (unsigned i = 0; i < s->store_count; i++)
        for (uint64_t k = 0; k < s->stores[i].scan.count; k++) {
            uint16_t pid = vs_id_pid(&s->stores[i].scan.frags[k].key.chunk);

            seen[pid / 8] |= (uint8_t)(1u << pid % 8);
        }
    return meta_rebuild_pid(seen);
}

static int salvage_begin(struct salvage *s)
{
    int r = meta_rebuild_begin(&s->rebuild, s->config->into, s->config->id, salvage_pid(s));

    if (r == -EEXIST)
        return salvage_fail(s, r,
                            "%s: is not empty; metadata that is there is not touched: move "
                            "it away first",
                            s->config->into);
    return r;
}

static int salvage_all(struct salvage *s)
{
    int r = salvage_stores_open(s);

    if (r == 0)
        r = salvage_begin(s);
    if (r == 0)
        r = salvage_base_load(s);
    if (r == 0)
        r = salvage_tail_apply(s);
    if (r == 0)
        r = salvage_base_ready(s);
    if (r == 0)
        r = salvage_files_merge(s);
    if (r == 0)
        r = salvage_regs_make(s);
    if (r == 0)
        r = salvage_base_end(s);
    if (r == 0 && !s->config->dry_run)
        r = meta_rebuild_end(&s->rebuild, "the metadata was salvaged from the stores");
    return r;
}

int salvage_run(const struct salvage_config *config, struct salvage_result *result,
                char why[SALVAGE_WHY_BYTES])
{
    struct salvage *s = calloc(1, sizeof(*s));
    int r = -ENOMEM;

    why[0] = '\0';
    *result = (struct salvage_result){ 0 };
    if (s != NULL) {
        s->config = config;
        s->result = result;
        s->why = why;
        r = salvage_all(s);
        ns_apply_free(s->apply);
        meta_rebuild_close(&s->rebuild);
        salvage_stores_close(s);
    }
    if (r < 0 && why[0] == '\0')
        snprintf(why, SALVAGE_WHY_BYTES, "%s: %s; the stores were not changed", config->into,
                 vs_err_text(r));
    free(s);
    return r;
}
