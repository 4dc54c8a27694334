/* Values with ranges and units.
 *
 * Happy path: each flag is looked up in the table and its value parsed by its kind. Failure modes:
 * the first thing that is wrong ends it, with a sentence that names the flag, what was given and
 * what is allowed. */
#include "common/conf.h"

#include "common/assert.h"
#include "common/err.h"
#include "common/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIZE_MAX_BYTES (UINT64_C(1) << 63)

/* Digits at *pos up to max; moves *pos behind them. */
static int digits(const char **pos, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (**pos < '0' || **pos > '9')
        return -EINVAL;
    for (; **pos >= '0' && **pos <= '9'; (*pos)++) {
        uint64_t d = (uint64_t)(**pos - '0');

        if (v > (UINT64_MAX - d) / 10 || v * 10 + d > max)
            return -ERANGE;
        v = v * 10 + d;
    }
    *ret = v;
    return 0;
}

int vs_conf_size(const char *text, uint64_t *ret)
{
    static const char units[] = "KMGT";
    const char *pos = text, *unit;
    unsigned shift = 0;
    uint64_t v;
    int r = digits(&pos, SIZE_MAX_BYTES, &v);

    if (r < 0)
        return r;
    if (*pos != '\0') {
        unit = strchr(units, *pos);
        if (unit == NULL || pos[1] != '\0')
            return -EINVAL;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (v > SIZE_MAX_BYTES >> shift)
        return -ERANGE;
    *ret = v << shift;
    return 0;
}

int vs_conf_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    const char *pos = text;
    uint64_t v;
    int r = digits(&pos, max, &v);

    if (r < 0)
        return r;
    if (*pos != '\0')
        return -EINVAL;
    if (v < min)
        return -ERANGE;
    *ret = v;
    return 0;
}

/* ---- flags ------------------------------------------------------------------------------------
 */

static const struct conf_flag *find(const struct conf_flag *flags, unsigned count, const char *arg,
                                    const char **ret_value)
{
    for (unsigned i = 0; i < count; i++) {
        size_t n = strlen(flags[i].name);

        if (strncmp(arg, flags[i].name, n) != 0)
            continue;
        if (arg[n] == '\0' || (arg[n] == '=' && flags[i].kind != CONF_SWITCH)) {
            *ret_value = arg[n] == '=' ? arg + n + 1 : NULL;
            return &flags[i];
        }
    }
    return NULL;
}

static void range_sentence(const struct conf_flag *f, const char *value, char why[CONF_WHY_BYTES])
{
    snprintf(why, CONF_WHY_BYTES, "%s is %" PRIu64 " to %" PRIu64 "%s%s%s; '%.60s' is not", f->name,
             f->min, f->max, f->unit != NULL ? " " : "", f->unit != NULL ? f->unit : "",
             f->kind == CONF_SIZE ? " (K, M, G, T: times 1024)" : "", value);
}

static int set(const struct conf_flag *f, const char *value, char why[CONF_WHY_BYTES])
{
    struct vs_id id;
    uint64_t v = 0;
    int r = 0;

    switch (f->kind) {
    case CONF_UUID:
        if (vs_id_from_text(value, &id) < 0 || vs_id_is_zero(&id)) {
            snprintf(why, CONF_WHY_BYTES, "%s is a uuid of 32 hex digits; '%.60s' is not", f->name,
                     value);
            return -EINVAL;
        }
        /* fall through */
    case CONF_TEXT:
        *(const char **)f->value = value;
        return 0;
    case CONF_SWITCH:
        *(bool *)f->value = true;
        return 0;
    case CONF_SIZE:
        r = vs_conf_size(value, &v);
        if (r == 0 && (v < f->min || v > f->max))
            r = -ERANGE;
        break;
    case CONF_NUMBER:
        r = vs_conf_number(value, f->min, f->max, &v);
        break;
    }
    if (r < 0) {
        range_sentence(f, value, why);
        return -EINVAL;
    }
    *(uint64_t *)f->value = v;
    return 0;
}

/* Everything given? */
static int check_required(const struct conf_flag *flags, unsigned count, const bool seen[],
                          char why[CONF_WHY_BYTES])
{
    for (unsigned i = 0; i < count; i++) {
        if (flags[i].required && !seen[i]) {
            snprintf(why, CONF_WHY_BYTES, "%s is missing; --help says what it is", flags[i].name);
            return -EINVAL;
        }
    }
    return 0;
}

int vs_conf_flags(const struct conf_flag *flags, unsigned count, int argc, char **argv,
                  char why[CONF_WHY_BYTES])
{
    bool seen[CONF_FLAGS_MAX] = { false };

    VS_ASSERT(count <= CONF_FLAGS_MAX);
    why[0] = '\0';
    for (int i = 0; i < argc; i++) {
        const char *value;
        const struct conf_flag *f = find(flags, count, argv[i], &value);

        if (f == NULL) {
            snprintf(why, CONF_WHY_BYTES, "'%.100s' is not known; --help lists what is", argv[i]);
            return -EINVAL;
        }
        if (seen[f - flags]) {
            snprintf(why, CONF_WHY_BYTES, "%s is given twice", f->name);
            return -EINVAL;
        }
        seen[f - flags] = true;
        if (value == NULL && f->kind != CONF_SWITCH) {
            if (i + 1 == argc) {
                snprintf(why, CONF_WHY_BYTES, "%s needs a value", f->name);
                return -EINVAL;
            }
            value = argv[++i];
        }
        if (set(f, value, why) < 0)
            return -EINVAL;
    }
    return check_required(flags, count, seen, why);
}
