/* lin_history: see lin_history.h.
 *
 * Happy path: each line is one object, texts become numbers. Failure modes: a line that is not
 * understood stops the reading; a history with a line left out would prove nothing. */
#include "tests/lin/lin_history.h"

#include "common/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct lin_word {
    uint64_t number; /* from 1 */
    UT_hash_handle hh;
    char text[];
};

/* The number of a text, a new one when it was never met. 0: out of memory. */
static uint64_t number_of(struct lin_word **words, const char *text)
{
    size_t len = strlen(text);
    struct lin_word *w;

    HASH_FIND(hh, *words, text, len, w);
    if (w != NULL)
        return w->number;
    w = calloc(1, sizeof(*w) + len + 1);
    if (w == NULL)
        return 0;
    memcpy(w->text, text, len);
    w->number = HASH_COUNT(*words) + 1;
    HASH_ADD_KEYPTR(hh, *words, w->text, len, w);
    return w->number;
}

static int refuse(struct lin_history *h, const char *why)
{
    snprintf(h->why, sizeof(h->why), "%s", why);
    return -EINVAL;
}

/* Integer member; `fallback` when it is missing. */
static int get_u64(struct lin_history *h, const struct vs_json *j, const char *key,
                   uint64_t fallback, uint64_t *ret)
{
    int r = vs_json_get_u64(j, key, ret);

    if (r == -ENOENT)
        *ret = fallback;
    else if (r < 0)
        return refuse(h, "call, ret and version are integers");
    return 0;
}

/* Text, integer or null; absence of the member is null too. */
static int get_value(struct lin_history *h, const struct vs_json *j, const char *key, uint64_t *ret)
{
    const char *text = vs_json_get_text(j, key);
    char digits[24];
    double other;
    bool flag;

    *ret = 0;
    if (text == NULL && vs_json_get_u64(j, key, ret) == 0) {
        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)*ret);
        text = digits;
    }
    if (text == NULL &&
        (vs_json_get_double(j, key, &other) == 0 || vs_json_get_bool(j, key, &flag) == 0))
        return refuse(h, "value and expect are text, integers or null");
    if (text == NULL)
        return 0;
    *ret = number_of(&h->values, text);
    return *ret == 0 ? -ENOMEM : 0;
}

static int get_outcome(struct lin_history *h, const struct vs_json *j, struct lin_op *op,
                       bool *ret_skip)
{
    const char *kind = vs_json_get_text(j, "op"), *outcome = vs_json_get_text(j, "outcome");
    uint64_t ignored;
    bool answered = vs_json_get_u64(j, "ret", &ignored) == 0;

    *ret_skip = false;
    if (kind != NULL && strcmp(kind, "read") == 0)
        op->kind = LIN_READ;
    else if (kind != NULL && strcmp(kind, "write") == 0)
        op->kind = LIN_WRITE;
    else if (kind != NULL && strcmp(kind, "cas") == 0)
        op->kind = LIN_CAS;
    else
        return refuse(h, "op is read, write or cas");
    if (outcome == NULL)
        outcome = answered ? "ok" : "unknown";
    if (strcmp(outcome, "failed") == 0)
        *ret_skip = true;
    else if (strcmp(outcome, "unknown") == 0)
        op->outcome = LIN_UNKNOWN;
    else if (!answered)
        return refuse(h, "an answer needs ret, the time it came");
    else if (strcmp(outcome, "ok") == 0)
        op->outcome = LIN_DONE;
    else if (strcmp(outcome, "refused") == 0 && op->kind == LIN_CAS)
        op->outcome = LIN_REFUSED;
    else
        return refuse(h, "outcome is ok, unknown, failed, or for a cas refused");
    return 0;
}

static int get_op(struct lin_history *h, const struct vs_json *j, struct lin_op *op, bool *ret_skip)
{
    const char *key = vs_json_get_text(j, "key");
    uint64_t call, ret;
    int r = get_outcome(h, j, op, ret_skip);

    if (r < 0 || *ret_skip)
        return r;
    if (key == NULL)
        return refuse(h, "key is missing");
    op->key = number_of(&h->keys, key);
    if (op->key == 0)
        return -ENOMEM;
    if (vs_json_get_u64(j, "call", &call) < 0 || call > INT64_MAX)
        return refuse(h, "call, the time it began, is missing");
    r = get_u64(h, j, "ret", INT64_MAX, &ret);
    if (r == 0)
        r = get_u64(h, j, "version", LIN_NO_VERSION, &op->version);
    if (r == 0)
        r = get_value(h, j, "value", &op->value);
    if (r == 0)
        r = get_value(h, j, "expect", &op->expect);
    if (r < 0)
        return r;
    op->call = (int64_t)call;
    op->ret = op->outcome == LIN_UNKNOWN ? LIN_TIME_FOREVER : (int64_t)ret;
    if (ret > INT64_MAX || op->ret < op->call)
        return refuse(h, "ret is before call");
    return 0;
}

static int make_room(struct lin_history *h)
{
    size_t room = h->room == 0 ? 1024 : 2 * h->room;
    struct lin_op *ops;
    size_t *lines;

    if (h->count < h->room)
        return 0;
    if (h->count >= LIN_HISTORY_OPS_MAX)
        return -ENOBUFS;
    ops = realloc(h->ops, room * sizeof(*ops));
    if (ops == NULL)
        return -ENOMEM;
    h->ops = ops;
    lines = realloc(h->lines, room * sizeof(*lines));
    if (lines == NULL)
        return -ENOMEM;
    h->lines = lines;
    h->room = room;
    return 0;
}

int lin_history_add(struct lin_history *h, const char *text, size_t len, size_t line)
{
    struct lin_op op = { 0 };
    struct vs_json *j = NULL;
    bool skip = false;
    int r;

    r = make_room(h);
    if (r < 0)
        return r;
    if (vs_json_parse(text, len, &j) < 0)
        return refuse(h, "not one JSON object");
    r = get_op(h, j, &op, &skip);
    vs_json_free(j);
    if (r < 0 || skip)
        return r;
    h->ops[h->count] = op;
    h->lines[h->count++] = line;
    return 0;
}

int lin_history_read(struct lin_history *h, const char *path)
{
    char *text = malloc(LIN_HISTORY_LINE_BYTES);
    FILE *f = fopen(path, "re");
    int r = text == NULL ? -ENOMEM : f == NULL ? -errno : 0;
    size_t line = 0;

    while (r == 0 && fgets(text, LIN_HISTORY_LINE_BYTES, f) != NULL) {
        size_t len = strlen(text);
        char why[sizeof(h->why)];

        line++;
        if (len > 0 && text[len - 1] != '\n' && !feof(f))
            r = refuse(h, "is too long");
        else if (len > 1)
            r = lin_history_add(h, text, len, line);
        if (r < 0) {
            memcpy(why, h->why, sizeof(why));
            snprintf(h->why, sizeof(h->why), "line %zu: %.120s", line, why);
        }
    }
    if (r == 0 && ferror(f))
        r = -EIO;
    if (f != NULL)
        fclose(f);
    free(text);
    return r == 0 ? lin_history_sort(h) : r;
}

/* ---- sorting --------------------------------------------------------------------------------- */

struct pair {
    struct lin_op op;
    size_t line;
};

static int by_key_and_call(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->op.key != y->op.key)
        return x->op.key < y->op.key ? -1 : 1;
    if (x->op.call != y->op.call)
        return x->op.call < y->op.call ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

int lin_history_sort(struct lin_history *h)
{
    struct pair *pairs = calloc(h->count + 1, sizeof(*pairs));

    if (pairs == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < h->count; i++)
        pairs[i] = (struct pair){ h->ops[i], h->lines[i] };
    qsort(pairs, h->count, sizeof(*pairs), by_key_and_call);
    for (size_t i = 0; i < h->count; i++) {
        h->ops[i] = pairs[i].op;
        h->lines[i] = pairs[i].line;
    }
    free(pairs);
    return 0;
}

const char *lin_history_key(const struct lin_history *h, uint64_t key)
{
    const struct lin_word *w;

    for (w = h->keys; w != NULL; w = w->hh.next) {
        if (w->number == key)
            return w->text;
    }
    return "?";
}

static void words_free(struct lin_word **words)
{
    struct lin_word *w, *next;

    HASH_ITER (hh, *words, w, next) {
        HASH_DEL(*words, w);
        free(w);
    }
}

void lin_history_close(struct lin_history *h)
{
    words_free(&h->keys);
    words_free(&h->values);
    free(h->ops);
    free(h->lines);
    *h = (struct lin_history){ 0 };
}
