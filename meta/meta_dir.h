/* meta_dir: the directory of a replica: acceptor/ and namespace/, made, opened, closed.
 *
 * Happy path: create writes the identity and the journal's first entry in one synced batch; open
 * raises the incarnation, synced. Failure: whatever was opened is closed again, and nothing was
 * changed but the incarnation, which may be raised for nothing; an acceptor/ that is gone beside a
 * namespace/ is never taken for a new one. */
#ifndef VS_META_META_DIR_H
#define VS_META_META_DIR_H

#include "meta/acceptor_store.h"
#include "meta/kv.h"
#include "meta/ns_store.h"

struct meta_dir_config {
    const char *dir;
    bool in_memory; /* tests: dir unused */
    bool create;    /* with all that is below; members of one cluster are made with the same */
    struct vs_id cluster;
    int64_t born_ns; /* since 1970 */
    uint32_t root_uid, root_gid;
    uint16_t pid;
    bool is_member; /* of several */
};

struct meta_dir {
    struct vs_io *io; /* holds both; NULL in memory */
    struct kv *acceptor;
    struct ns_store names;
    struct kv *ns; /* of names */
    struct acceptor_store *store;
};

/* `ret` stays where it is until it is closed. Errors as meta_local_open(); then there is nothing to
 * close. */
int meta_dir_open(struct meta_dir *ret, const struct meta_dir_config *config);
/* flush: only to keep the logs short and the next start fast. Forgives a zeroed one. */
void meta_dir_close(struct meta_dir *d, bool flush);

#endif
