/* Error codes.
 *
 * Every function returns 0 or a positive value on success and a negative code on failure. A code
 * is a negative errno, or one of the few own codes below for conditions errno has no word for.
 *
 * Pure. Threads: any. */
#ifndef VS_COMMON_ERR_H
#define VS_COMMON_ERR_H

#include <errno.h>

enum {
    VS_ERR_FIRST = 4000,
    VS_ECORRUPT = VS_ERR_FIRST, /* bytes do not match their checksum, or cannot be decoded */
    VS_ENEWER,                  /* written by a newer format version than this program knows */
    VS_EDOWN,                   /* the store (node) is down; another one may answer. No replica,
                                  or no majority, of the metadata */
    VS_EEXISTS_OTHER,           /* the key exists already with other content */
    VS_ELOST,                   /* fewer fragments are left than are needed to rebuild the bytes */
    VS_EFORGOT,                 /* durable state is behind what was acknowledged: a lost disk */
    VS_ERR_LAST
};

/* Text of a negative code, for people ("Input/output error"). Never NULL; static storage. */
const char *vs_err_text(int err);

/* Negative errno that the kernel may be told for `err`: own codes become -EIO or -EHOSTDOWN,
 * plain negative errno values pass through. */
int vs_err_to_errno(int err);

#endif
