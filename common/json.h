/* JSON for small messages and reports; the door to cJSON. Writing builds a tree; a missing
 * allocation anywhere makes vs_json_print() fail, so callers need not check each step.
 *
 * Text that is not valid UTF-8 (file names are bytes) is written with U+FFFD in place of each bad
 * byte. Numbers of 2^53 and more are written as strings by vs_json_set_u64(). Threads: none. */
#ifndef VS_COMMON_JSON_H
#define VS_COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VS_JSON_TEXT_BYTES_MAX (1u << 20)
#define VS_JSON_DEPTH_MAX      32

struct vs_json; /* a node; children belong to their parent */

struct vs_json *vs_json_object(void);
struct vs_json *vs_json_array(void);
void vs_json_free(struct vs_json *j);

/* A member set twice is replaced. `obj` and `arr` may be NULL (out of memory): nothing happens. */
void vs_json_set_text(struct vs_json *obj, const char *key, const char *text);
void vs_json_set_bytes(struct vs_json *obj, const char *key, const void *text, size_t len);
void vs_json_set_u64(struct vs_json *obj, const char *key, uint64_t v);
void vs_json_set_double(struct vs_json *obj, const char *key, double v);
void vs_json_set_bool(struct vs_json *obj, const char *key, bool v);
void vs_json_set_null(struct vs_json *obj, const char *key);
/* Ownership of `child` moves to `obj` / `arr`, also on failure. */
void vs_json_set(struct vs_json *obj, const char *key, struct vs_json *child);
void vs_json_add(struct vs_json *arr, struct vs_json *child);
void vs_json_add_text(struct vs_json *arr, const char *text);

/* Strict parse: at most VS_JSON_TEXT_BYTES_MAX bytes, depth at most VS_JSON_DEPTH_MAX, nothing
 * behind the value, by the letter (json_check.h). Of members with the same key the first counts.
 * -VS_ECORRUPT, -EMSGSIZE, -ENOMEM. */
int vs_json_parse(const char *text, size_t len, struct vs_json **ret);
/* Member or NULL (also for wrong type). Borrowed. */
const struct vs_json *vs_json_get(const struct vs_json *obj, const char *key);
const char *vs_json_get_text(const struct vs_json *obj, const char *key);
/* Non-negative integer, as number below 2^53 or decimal text; -ENOENT, -EINVAL. */
int vs_json_get_u64(const struct vs_json *obj, const char *key, uint64_t *ret);
/* -ENOENT, -EINVAL. */
int vs_json_get_double(const struct vs_json *obj, const char *key, double *ret);
int vs_json_get_bool(const struct vs_json *obj, const char *key, bool *ret);
/* Text of a string node, or NULL. Borrowed. */
const char *vs_json_text(const struct vs_json *j);

/* Elements of an array; anything else has none. vs_json_at() walks from the first: loop with
 * vs_json_first() and vs_json_next() over arrays that came off a wire. NULL behind the last. */
bool vs_json_is_array(const struct vs_json *j); /* NULL: no */
size_t vs_json_count(const struct vs_json *arr);
const struct vs_json *vs_json_at(const struct vs_json *arr, size_t i);
const struct vs_json *vs_json_first(const struct vs_json *arr);
const struct vs_json *vs_json_next(const struct vs_json *element);

/* The key of the first member of an object that is not among `known`; NULL: none. Borrowed. */
const char *vs_json_unknown(const struct vs_json *obj, const char *const known[], size_t count);

/* Text on the heap (caller frees), `pretty` with line breaks. NULL when out of memory. */
char *vs_json_print(const struct vs_json *j, bool pretty);

#endif
