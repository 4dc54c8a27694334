/* JSON trees. The door to cjson/cJSON.h; struct vs_json is a cJSON node under another name.
 *
 * Happy path: build and print, or check the text by the letter and let cJSON build the tree.
 * Failure modes: a node that cannot be allocated makes its parent invalid (type cJSON_Invalid),
 * which cJSON refuses to print: one NULL at the end instead of a check at each step. */
#include "common/json.h"

#include "common/buf.h"
#include "common/err.h"
#include "common/json_check.h"
#include "common/utf8.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define JSON_EXACT_MAX (UINT64_C(1) << 53) /* doubles count by ones below this */

static cJSON *node(struct vs_json *j)
{
    return (cJSON *)j;
}

static const cJSON *node_const(const struct vs_json *j)
{
    return (const cJSON *)j;
}

struct vs_json *vs_json_object(void)
{
    return (struct vs_json *)cJSON_CreateObject();
}

struct vs_json *vs_json_array(void)
{
    return (struct vs_json *)cJSON_CreateArray();
}

void vs_json_free(struct vs_json *j)
{
    cJSON_Delete(node(j));
}

/* Text as valid UTF-8 with NUL, appended to an empty buffer: the result lives in `b`, NULL when out
 * of memory. NUL inside counts as a bad byte: cJSON's strings end there. */
static const char *clean_text(struct vs_buf *b, const void *text, size_t len)
{
    static const uint8_t replacement[] = { 0xef, 0xbf, 0xbd }; /* U+FFFD */
    const uint8_t *pos = text;
    int r;

    r = vs_buf_reserve(b, len + 1, SIZE_MAX);
    for (size_t at = 0, n; at < len && r == 0; at += n) {
        uint32_t code = 0;

        n = vs_utf8_char(pos + at, len - at, &code);
        if (n > 0 && code != 0) {
            r = vs_buf_append(b, pos + at, n, SIZE_MAX);
        } else {
            n = 1;
            r = vs_buf_append(b, replacement, sizeof(replacement), SIZE_MAX);
        }
    }
    if (r == 0)
        r = vs_buf_append(b, "", 1, SIZE_MAX);
    return r == 0 ? (const char *)b->data : NULL;
}

/* Ownership of `child` moves. */
static void set_node(struct vs_json *obj, const char *key, cJSON *child)
{
    struct vs_buf key_buf = { 0 };
    const char *clean_key = NULL;
    bool ok = false;

    if (obj != NULL && child != NULL)
        clean_key = clean_text(&key_buf, key, strlen(key));
    if (clean_key != NULL) {
        cJSON_DeleteItemFromObjectCaseSensitive(node(obj), clean_key);
        ok = cJSON_AddItemToObject(node(obj), clean_key, child);
    }
    vs_buf_close(&key_buf);
    if (ok)
        return;
    cJSON_Delete(child);
    if (obj != NULL)
        node(obj)->type = cJSON_Invalid;
}

static void add_node(struct vs_json *arr, cJSON *child)
{
    if (arr != NULL && child != NULL && cJSON_AddItemToArray(node(arr), child))
        return;
    cJSON_Delete(child);
    if (arr != NULL)
        node(arr)->type = cJSON_Invalid;
}

static cJSON *text_node(const void *text, size_t len)
{
    struct vs_buf b = { 0 };
    const char *clean = clean_text(&b, text, len);
    cJSON *child = clean != NULL ? cJSON_CreateString(clean) : NULL;

    vs_buf_close(&b);
    return child;
}

void vs_json_set_bytes(struct vs_json *obj, const char *key, const void *text, size_t len)
{
    set_node(obj, key, text_node(text, len));
}

void vs_json_set_text(struct vs_json *obj, const char *key, const char *text)
{
    vs_json_set_bytes(obj, key, text, strlen(text));
}

void vs_json_set_u64(struct vs_json *obj, const char *key, uint64_t v)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRIu64, v);
    /* Raw: cJSON would print 10^15 as 1e+15. */
    set_node(obj, key, v < JSON_EXACT_MAX ? cJSON_CreateRaw(digits) : cJSON_CreateString(digits));
}

void vs_json_set_double(struct vs_json *obj, const char *key, double v)
{
    set_node(obj, key, cJSON_CreateNumber(v)); /* prints NaN and the infinities as null */
}

void vs_json_set_bool(struct vs_json *obj, const char *key, bool v)
{
    set_node(obj, key, cJSON_CreateBool(v));
}

void vs_json_set_null(struct vs_json *obj, const char *key)
{
    set_node(obj, key, cJSON_CreateNull());
}

void vs_json_set(struct vs_json *obj, const char *key, struct vs_json *child)
{
    set_node(obj, key, node(child));
}

void vs_json_add(struct vs_json *arr, struct vs_json *child)
{
    add_node(arr, node(child));
}

void vs_json_add_text(struct vs_json *arr, const char *text)
{
    add_node(arr, text_node(text, strlen(text)));
}

int vs_json_parse(const char *text, size_t len, struct vs_json **ret)
{
    cJSON *root;
    int r;

    if (len > VS_JSON_TEXT_BYTES_MAX)
        return -EMSGSIZE;
    r = vs_json_check(text, len, VS_JSON_DEPTH_MAX);
    if (r < 0)
        return r;
    root = cJSON_ParseWithLength(text, len);
    if (root == NULL) /* the text is sound, so only memory can be missing */
        return -ENOMEM;
    *ret = (struct vs_json *)root;
    return 0;
}

const struct vs_json *vs_json_get(const struct vs_json *obj, const char *key)
{
    if (!cJSON_IsObject(node_const(obj)))
        return NULL;
    return (const struct vs_json *)cJSON_GetObjectItemCaseSensitive(node_const(obj), key);
}

const char *vs_json_text(const struct vs_json *j)
{
    return cJSON_IsString(node_const(j)) ? node_const(j)->valuestring : NULL;
}

const char *vs_json_get_text(const struct vs_json *obj, const char *key)
{
    return vs_json_text(vs_json_get(obj, key));
}

static int decimal_u64(const char *text, uint64_t *ret)
{
    uint64_t v = 0;

    if (*text == '\0')
        return -EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *text - '0', &v))
            return -EINVAL;
    }
    *ret = v;
    return 0;
}

int vs_json_get_u64(const struct vs_json *obj, const char *key, uint64_t *ret)
{
    const cJSON *member = node_const(vs_json_get(obj, key));
    double v;

    if (member == NULL)
        return -ENOENT;
    if (cJSON_IsString(member) || cJSON_IsRaw(member))
        return decimal_u64(member->valuestring, ret);
    if (!cJSON_IsNumber(member))
        return -EINVAL;
    v = member->valuedouble;
    if (!(v >= 0 && v < (double)JSON_EXACT_MAX) || v != floor(v))
        return -EINVAL;
    *ret = (uint64_t)v;
    return 0;
}

int vs_json_get_double(const struct vs_json *obj, const char *key, double *ret)
{
    const cJSON *member = node_const(vs_json_get(obj, key));
    uint64_t whole;

    if (member == NULL)
        return -ENOENT;
    if (cJSON_IsNumber(member) && isfinite(member->valuedouble)) {
        *ret = member->valuedouble;
        return 0;
    }
    if (!cJSON_IsRaw(member) || decimal_u64(member->valuestring, &whole) < 0)
        return -EINVAL;
    *ret = (double)whole;
    return 0;
}

int vs_json_get_bool(const struct vs_json *obj, const char *key, bool *ret)
{
    const cJSON *member = node_const(vs_json_get(obj, key));

    if (member == NULL)
        return -ENOENT;
    if (!cJSON_IsBool(member))
        return -EINVAL;
    *ret = cJSON_IsTrue(member);
    return 0;
}

const struct vs_json *vs_json_first(const struct vs_json *arr)
{
    return cJSON_IsArray(node_const(arr)) ? (const struct vs_json *)node_const(arr)->child : NULL;
}

const struct vs_json *vs_json_next(const struct vs_json *element)
{
    return (const struct vs_json *)node_const(element)->next;
}

bool vs_json_is_array(const struct vs_json *j)
{
    return cJSON_IsArray(node_const(j));
}

size_t vs_json_count(const struct vs_json *arr)
{
    size_t count = 0;

    for (const struct vs_json *j = vs_json_first(arr); j != NULL; j = vs_json_next(j))
        count++;
    return count;
}

const struct vs_json *vs_json_at(const struct vs_json *arr, size_t i)
{
    const struct vs_json *j = vs_json_first(arr);

    while (j != NULL && i-- > 0)
        j = vs_json_next(j);
    return j;
}

const char *vs_json_unknown(const struct vs_json *obj, const char *const known[], size_t count)
{
    const cJSON *member = cJSON_IsObject(node_const(obj)) ? node_const(obj)->child : NULL;

    for (; member != NULL; member = member->next) {
        size_t i = 0;

        while (i < count && strcmp(member->string, known[i]) != 0)
            i++;
        if (i == count)
            return member->string;
    }
    return NULL;
}

char *vs_json_print(const struct vs_json *j, bool pretty)
{
    if (j == NULL)
        return NULL;
    return pretty ? cJSON_Print(node_const(j)) : cJSON_PrintUnformatted(node_const(j));
}
