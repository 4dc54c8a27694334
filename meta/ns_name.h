/* ns_name: which names a directory may hold, and the next name when one is taken. Pure. */
#ifndef VS_META_NS_NAME_H
#define VS_META_NS_NAME_H

#include "meta/ns_types.h"

/* Numbers tried before a taken name is given up. */
#define NS_NAME_NUMBER_MAX 10000

/* 0, or the errno of path_resolution(7): -ENOENT empty, -ENAMETOOLONG over NS_NAME_BYTES_MAX,
 * -EINVAL with '/' or NUL, or "." or "..". */
int ns_name_check(const char *name, size_t len);

/* Names that belong to the program: -EEXIST for ".vstack" in the root, -EINVAL for "inbox" and
 * ".vstack" in the inbox (published, they would be the root's own). 0: free for everybody. */
int ns_name_reserved(uint64_t dir, const char *name, size_t len);

/* "film.mkv", 2 -> "film (2).mkv": the number before the last dot, a dot in front being no
 * extension; the stem is cut so that all fits NS_NAME_BYTES_MAX, at a character if it is UTF-8.
 * The length. */
uint8_t ns_name_numbered(const char *name, size_t len, unsigned number,
                         char ret[NS_NAME_BYTES_MAX]);

#endif
