/* dir_view: what this mount knows of directories without asking, when other mounts change the same
 * cluster: their attributes, and names that were not there a moment ago. A new file asks for both
 * while the kernel holds its directory locked.
 *
 * Happy path: a strict answer is kept; files that this mount makes in that directory are counted
 * in; it is told again while everything that others change is heard (fs/cache_guard.h) and none of
 * it was about this directory. Failure: any other own change of directories, or one of unknown
 * fate: all is forgotten; files that are made at the same time: their order is not known, so when
 * the last one is stored the directory is asked for again.
 *
 * A name is absent for who creates it next: the kernel looks it up as a part of every open(2) that
 * may create, so the answer is as strict as that open has to be. It is used once, soon or never.
 *
 * Kept by hash, DIR_VIEW_SLOTS of each: what shares a slot is asked for. Every call forgives NULL:
 * nothing is kept then.
 *
 * Threads: any. One lock of its own, inside all others. */
#ifndef VS_FS_DIR_VIEW_H
#define VS_FS_DIR_VIEW_H

#include "fs/cache_guard.h"
#include "meta/ns_types.h"

#define DIR_VIEW_SLOTS     256
#define DIR_VIEW_ABSENT_NS (100 * VS_NS_PER_MS)

struct dir_view;

/* `guard` and `clock` are lent. -ENOMEM. */
int dir_view_new(struct dir_view **ret, const struct cache_guard *guard,
                 const struct vs_clock *clock);
void dir_view_free(struct dir_view *v); /* forgives NULL */

/* The moment at which a question begins. */
struct dir_view_moment {
    uint64_t since; /* cache_guard_moment() */
    uint64_t changes, made;
};
struct dir_view_moment dir_view_moment(struct dir_view *v, uint64_t dir);

/* A strict answer about a directory. */
void dir_view_told(struct dir_view *v, const struct dir_view_moment *m, const struct ns_attr *dir);
/* Its attributes, and the moment since when the kernel may keep them; false: ask. */
bool dir_view_attr(struct dir_view *v, uint64_t dir, struct ns_attr *ret, uint64_t *ret_since);

/* A strict answer was that there is no such name. */
void dir_view_missing(struct dir_view *v, const struct dir_view_moment *m, uint64_t dir,
                      const char *name, size_t len);
/* Was it missing just now? True once. */
bool dir_view_take_missing(struct dir_view *v, uint64_t dir, const char *name, size_t len);

/* An own change: before it is submitted, and when it is answered. is_file: the inode whose
 * attributes it changes is known to be no directory. */
enum dir_view_change {
    DIR_VIEW_NOTHING, /* no directory that is kept */
    DIR_VIEW_MAKES,   /* one file in one directory */
    DIR_VIEW_ANY,
};
enum dir_view_change dir_view_begin(struct dir_view *v, const struct ns_entry *e, bool is_file);
void dir_view_end(struct dir_view *v, enum dir_view_change what, const struct ns_entry *e,
                  const struct ns_answer *a);

#endif
