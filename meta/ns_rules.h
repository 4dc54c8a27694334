/* ns_rules: what each kind of journal entry does: one function per kind, and what they share.
 *
 * A rule gets the namespace as it will be (meta/ns_tx.h), checks the entry, changes records, fills
 * the answer, and returns 0 or the errno that refuses the entry; then nothing of what it changed is
 * kept. The order of checks is that of the man page of the system call. */
#ifndef VS_META_NS_RULES_H
#define VS_META_NS_RULES_H

#include "meta/ns_tx.h"

typedef int ns_rule_fn(struct ns_tx *tx, const struct ns_entry *e, struct ns_answer *a);

/* ns_rule_name.c */
ns_rule_fn ns_rule_create, ns_rule_link, ns_rule_unlink, ns_rule_rmdir;
/* ns_rule_rename.c */
ns_rule_fn ns_rule_rename;
/* ns_rule_attr.c */
ns_rule_fn ns_rule_setattr, ns_rule_setxattr, ns_rule_removexattr;
/* ns_rule_content.c */
ns_rule_fn ns_rule_swap, ns_rule_media, ns_rule_forget;
/* ns_rule_publish.c */
ns_rule_fn ns_rule_publish;
/* ns_rule_session.c */
ns_rule_fn ns_rule_reserve, ns_rule_session_open, ns_rule_session_extend, ns_rule_session_abort,
    ns_rule_session_touch;
ns_rule_fn ns_rule_collected;
/* ns_rule_mount.c */
ns_rule_fn ns_rule_mount, ns_rule_mount_end;
/* The inode lost its last name: every mount that lives may have it open. */
void ns_holders_put(struct ns_tx *tx, uint64_t ino);
/* `mount` does not hold it (0: nobody says so). 1: another one that lives may; 0: none does. */
int ns_holders_left(struct ns_tx *tx, uint64_t ino, uint64_t mount);
/* The file is in the inbox, and this mount is to publish it; 0: it is not, or nobody is. */
void ns_writer_put(struct ns_tx *tx, uint64_t ino, uint64_t mount);
/* 1: at least one lives. */
int ns_mounts_live(struct ns_tx *tx);
/* ns_rule_views.c */
ns_rule_fn ns_rule_views;
/* ns_rule_cluster.c */
ns_rule_fn ns_rule_cluster, ns_rule_node_put, ns_rule_members, ns_rule_brake;

/* ---- content (ns_rule_content.c) ---- */

/* Is `c` possible for an inode of this mode? Its number of data chunks in *ret_chunks. -EINVAL;
 * symlinks: -ENOENT empty target, -ENAMETOOLONG. */
int ns_content_check(struct ns_tx *tx, const struct ns_new_content *c, uint32_t mode,
                     uint64_t *ret_chunks);
/* Close its session (-ESTALE when that is not open), queue what it releases, write it. `i` gets
 * content, sizes, version and flags, and is not put; the statistics are the caller's. */
int ns_content_put(struct ns_tx *tx, struct ns_inode *i, const struct ns_new_content *c,
                   uint64_t chunks);
/* 1: both inodes hold the same bytes, as far as can be told without reading chunks. */
int ns_content_same(struct ns_tx *tx, const struct ns_inode *a, const struct ns_inode *b);

/* ---- sessions and ids (ns_rule_session.c) ---- */

int ns_session_commit(struct ns_tx *tx, uint64_t session); /* -ECANCELED: it is closed */
/* Queue ids for the collector. table: NS_T_RELEASED or NS_T_RELEASED_WHOLE. Each counts once.
 * `ino` of RELEASED: they were its content, which mounts that live may still be reading
 * (meta/ns_hold.h); 0: nobody is. */
int ns_release(struct ns_tx *tx, enum ns_table table, const struct vs_id *ids, size_t count,
               uint64_t ino);
/* Take one number out of a set of ranges (keys: `prefix` and the last number; value: the first).
 * -ENOENT when it is in none. */
int ns_range_take(struct ns_tx *tx, const struct ns_key *prefix, uint64_t n);

/* ---- extended attributes (ns_rule_attr.c) ---- */

/* Copy all of `from` to `to`, which has none. */
int ns_xattr_copy(struct ns_tx *tx, uint64_t from, struct ns_inode *to);
/* Remove all of an inode that is about to go. */
int ns_xattr_drop(struct ns_tx *tx, uint64_t ino);

/* ---- the inbox and the tree beside it (ns_mirror.c) ---- */

/* 1: `dir` is the inbox or below it. */
int ns_in_inbox(struct ns_tx *tx, uint64_t dir);
/* The published directory of an inbox directory (root for the inbox itself), made with all above
 * it where there is none. -ENAMETOOLONG nested too deep, -EEXIST no name left. */
int ns_mirror_make(struct ns_tx *tx, uint64_t inbox_dir, uint64_t *ret);
/* The same if it is there: a directory in the tree, not in the inbox; else -ENOENT. */
int ns_mirror_find(struct ns_tx *tx, const struct ns_inode *inbox_dir, struct ns_inode *ret);
/* A directory got another name: its counterpart follows it, or is let go. Changes its inode. */
int ns_mirror_renamed(struct ns_tx *tx, const struct ns_entry *e, uint64_t ino);
/* Where an inbox directory's counterpart is now, for the answer. */
int ns_mirror_answer(struct ns_tx *tx, uint64_t ino, struct ns_answer *a);
/* Times of a directory after something was published from or into it: those that were set on the
 * inbox directory `set_on` by hand, else now. */
int ns_mirror_keep_times(struct ns_tx *tx, uint64_t dir, const struct ns_inode *set_on);

#endif
