/* inode_table: what the kernel knows of us by number, and what this mount knows of each inode
 * beside the metadata: open handles, write state, content in use.
 *
 * A FUSE node id is the inode number (root is 1 in both). An inode object lives while the kernel
 * remembers it (lookup count) or somebody here holds a reference. Provisional files (created, not
 * yet committed) have a number from the reserved range and no metadata yet. An alias (inbox name of
 * a published file) has a number of its own, never in the metadata, and forwards to `alias_of`.
 *
 * Threads: any. */
#ifndef VS_FS_INODE_TABLE_H
#define VS_FS_INODE_TABLE_H

#include "fs/content.h"
#include "fs/vsfs.h"
#include "meta/ns_types.h"
#include <pthread.h>
#include <uthash.h>

struct wfile;
struct file_xattrs;

/* Numbers of aliases: above all inodes of the metadata, below those of `.vstack` (fs/control.h). */
#define INODE_ALIAS_FIRST (UINT64_C(1) << 62)

static inline bool inode_is_alias(uint64_t ino)
{
    return ino >= INODE_ALIAS_FIRST && ino < INODE_ALIAS_FIRST << 1;
}

struct inode {
    uint64_t ino;              /* fixed */
    _Atomic uint64_t alias_of; /* 0: not an alias */
    pthread_mutex_t
        names;            /* serialises changes of this file's names with its commit; ops threads */
    pthread_mutex_t lock; /* the fields below */
    struct wfile *wfile;  /* write state, or NULL: content is what the metadata says */
    struct content *content;    /* last version opened here, or NULL; a reference */
    uint64_t cached_version;    /* version whose pages the kernel may hold; 0: none */
    uint64_t version;           /* newest content that this mount has heard of; 0: none */
    unsigned opens;             /* open handles, all kinds */
    unsigned writers;           /* open handles that may write */
    bool provisional;           /* no metadata yet; `attr`, `parent`, `name` are the truth */
    bool told_in_inbox;         /* the kernel last heard of it under a name that may be gone
                                 * without its knowing: in the inbox, or replaced by a publish */
    bool unlinked;              /* last name is gone; FORGET is due when opens falls to 0 */
    bool no_capability;         /* known to have no security.capability: asked before each write */
    bool no_xattrs;             /* known to have no extended attributes at all */
    bool xattrs_set;            /* they were, here: what is told late may be older than that */
    bool no_privs;              /* known to have no suid or sgid that a write takes away */
    struct file_xattrs *xattrs; /* provisional: set before the first commit, or NULL */
    struct ns_attr attr;        /* provisional only (wfile owns size and times while it exists) */
    struct ns_attr told;        /* what the kernel was told last; ino 0: nothing */
    uint64_t parent; /* provisional: its name; also of files opened for writing: last known */
    char name[NS_NAME_BYTES_MAX];
    uint8_t name_len;
    bool replace;     /* provisional: takes the name from a file that is there; alias: forwards to
                       * a new upload, no longer to the film */
    uint64_t nlookup; /* under the table's lock from here */
    unsigned refs;
    UT_hash_handle hh;
};

int inode_table_new(struct inode_table **ret, struct vsfs *fs);
void inode_table_free(struct inode_table *t); /* forgives NULL */

/* The object of a number: a reference; made when it is not there. NULL: out of memory. */
struct inode *inode_get(struct inode_table *t, uint64_t ino);
/* The object only if it is there (a reference), else NULL. */
struct inode *inode_find(struct inode_table *t, uint64_t ino);
struct inode *inode_ref(struct inode *i, struct inode_table *t);
void inode_put(struct inode_table *t, struct inode *i);
/* The kernel was told of it once more / forgets it n times. */
void inode_looked_up(struct inode_table *t, struct inode *i);
void inode_forget(struct inode_table *t, uint64_t ino, uint64_t n);

/* Content that was loaded is what reads use from here on, unless a newer one was heard of while it
 * was on its way: under i->lock. Returns what to put without it. */
struct content *inode_take_content(struct inode *i, struct content *c);

/* Does the kernel know it, by what it was told? */
bool inode_is_known(struct inode_table *t, uint64_t ino);
/* All numbers there are objects of, on the heap; the count. -ENOMEM. */
int64_t inode_list(struct inode_table *t, uint64_t **ret);

/* A fresh inode number from the reserved range; takes a new range from the journal when it is used
 * up (waits: ops threads). */
int inode_number_new(struct inode_table *t, uint64_t *ret);

/* The inode that a node id of the kernel stands for: what an alias forwards to, else itself. A
 * reference; NULL: out of memory. */
struct inode *inode_resolve(struct inode_table *t, uint64_t ino);

/* New alias object forwarding to `ino`: a reference. */
struct inode *inode_alias_new(struct inode_table *t, uint64_t ino);

#endif
