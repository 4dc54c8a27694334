/* inbox_rules: what the inbox decides, without doing anything.
 *
 * Pure. Threads: any. */
#ifndef VS_FS_INBOX_RULES_H
#define VS_FS_INBOX_RULES_H

#include "meta/ns_types.h"

#define INBOX_PATTERNS_MAX      64
#define INBOX_PATTERN_BYTES_MAX 64

/* Names that programs use while they write. '*': any bytes, '?': one byte, everything else itself.
 * Other names that begin with a dot publish. */
extern const char *const inbox_temporary_patterns[];
extern const unsigned inbox_temporary_pattern_count;

/* '*' and '?' against bytes; no classes, no escapes, a leading dot is nothing special. Linear in
 * len times the pattern's length. */
bool inbox_glob(const char *pattern, const char *name, size_t len);
/* Does the name match a temporary pattern? */
bool inbox_is_temporary(const char *name, size_t len);

/* What becomes of a file of the inbox. Settled: complete (a FLUSH or RELEASE followed its last
 * write), not being written, and not under a temporary name; or given its name by somebody who
 * thereby says that it is complete: renamed from a temporary name, moved in from the tree, linked,
 * made by symlink or mknod. */
enum inbox_verdict {
    INBOX_LEAVE,   /* nothing: it is not finished, or nobody said that it is */
    INBOX_WAIT,    /* empty: somebody may be about to fill it */
    INBOX_PUBLISH, /* it is settled */
};

struct inbox_facts {
    const struct ns_attr *attr; /* as committed */
    const char *name;
    size_t len;
    bool writers;     /* somebody has it open for writing */
    bool named;       /* it has just got this name: rename, link, symlink, mknod */
    const char *from; /* renamed inside the inbox: the name before; else NULL */
    size_t from_len;
};
enum inbox_verdict inbox_decide(const struct inbox_facts *f);

#endif
