/* Is a text JSON (RFC 8259), whole and by the letter? For json.c: cJSON is lenient (leading zeros,
 * raw control characters, "\u0000" that ends a string, text behind the value), and two readers that
 * differ about a message are how one of them is fooled.
 *
 * Stricter than the RFC where a C program would lose something: no NUL in strings, no lone
 * surrogates, valid UTF-8 only, numbers of at most VS_JSON_NUMBER_BYTES_MAX bytes, depth limit.
 *
 * Pure, no allocation. Threads: any. */
#ifndef VS_COMMON_JSON_CHECK_H
#define VS_COMMON_JSON_CHECK_H

#include <stddef.h>

#define VS_JSON_NUMBER_BYTES_MAX 60 /* cJSON copies a number into 64 */

/* 0 or -VS_ECORRUPT. depth_max counts arrays and objects around the innermost value. */
int vs_json_check(const char *text, size_t len, unsigned depth_max);

#endif
