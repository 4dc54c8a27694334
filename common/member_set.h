/* member_set: which metadata replicas a cluster consists of, and where they are reached: one
 * configuration, which counts in one epoch (docs/CHUNKPAXOS.md, "Membership").
 *
 * It is a journal entry (NS_E_MEMBERS), a record of the namespace, a record of each acceptor, and
 * travels in frames, as the same bytes. docs/FORMAT.md has every byte.
 *
 * Pure. Threads: none. */
#ifndef VS_COMMON_MEMBER_SET_H
#define VS_COMMON_MEMBER_SET_H

#include "common/buf.h"
#include <stdbool.h>
#include <stdint.h>

#define MEMBER_SET_MAX       5
#define MEMBER_URL_BYTES_MAX 255
#define MEMBER_SET_BYTES_MAX 4096

/* Flag of NS_E_MEMBERS: its epoch is open, so the next change may follow. */
#define NS_MEMBERS_OPEN 1u

struct member {
    uint32_t pid;                       /* 1 .. 65535 */
    char url[MEMBER_URL_BYTES_MAX + 1]; /* empty: not known */
};

struct member_set {
    uint64_t epoch; /* from 1 */
    unsigned count; /* 1, 3 or 5 */
    struct member member[MEMBER_SET_MAX];
};

/* Epoch, number, and pids that differ; addresses without blanks. */
bool member_set_fine(const struct member_set *s);
bool member_set_same(const struct member_set *a, const struct member_set *b);
int member_set_find(const struct member_set *s, uint32_t pid); /* its index; -1 */
/* The set that follows when `lost` (a member) gives its place to `pid` (none), reached at `url`.
 * -ENOENT, -EEXIST; -EINVAL: what comes out is not fine. */
int member_set_replace(const struct member_set *s, uint32_t lost, uint32_t pid, const char *url,
                       struct member_set *ret);

/* Appended. -EINVAL: not fine; -ENOMEM, -EMSGSIZE */
int member_set_encode(const struct member_set *s, struct vs_buf *ret);
/* -VS_ECORRUPT: also when it is not fine; -VS_ENEWER */
int member_set_decode(const void *bytes, size_t len, struct member_set *ret);

#endif
