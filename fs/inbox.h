/* inbox: what settles in the inbox appears in the tree.
 *
 * The inbox is a real directory of the namespace. A file is *settled* when its last writer closes
 * it under a name that is not temporary (fs/inbox_rules.h), or when it gets such a name by rename
 * or link; then one journal entry, PUBLISH, moves it to its place in the tree. For a while the old
 * name still reaches the film: the *alias*, an inode number of its own, found by lookup, not
 * listed. Empty files wait INBOX_EMPTY_WAIT_S; emptied directories are hidden, and removed after
 * INBOX_DIR_WAIT_S without any operation in the inbox.
 *
 * Happy path: flushed -> expected (a lookup at its place in the tree waits) -> released -> PUBLISH
 * -> alias, one line in the log. Failure: what cannot be published stays in the inbox, with the
 * reason in `inbox ls`. A crash in between is made good at the next start (inbox_recover).
 *
 * Threads: functions marked (waits) on ops threads only; the others any. Lock: one of its own,
 * inside inode->names and inode->lock; nothing is called with it held. */
#ifndef VS_FS_INBOX_H
#define VS_FS_INBOX_H

#include "fs/inode_table.h"

#define INBOX_EMPTY_WAIT_S   60
#define INBOX_DIR_WAIT_S     600
#define INBOX_EXPECT_WAIT_MS 1000
#define INBOX_OPEN_WAIT_MS   250
#define INBOX_ALIASES_MAX    65536
#define INBOX_RESULTS_MAX    64   /* last results kept for `inbox ls` */
#define INBOX_LIST_MAX       4096 /* files listed by inbox_list */

struct vs_json;

int inbox_start(struct inbox **ret, struct vsfs *fs);
/* Publish what this mount had flushed before its last stop, and mounts that live no more; remove
 * emptied directories. Before the first
 * reply to the kernel. (waits) */
int inbox_recover(struct vsfs *fs);
/* Another mount has ended: what it had flushed is published, soon. What mounts that live are to
 * publish is left to them. */
void inbox_recover_soon(struct vsfs *fs);
/* No request runs any more: end what it does by itself, before the session with the kernel ends. */
void inbox_quiesce(struct inbox *b);
/* Quiesce, and free. Forgives NULL. */
void inbox_stop(struct inbox *b);

/* ---- directories ---- */

/* A directory was answered to the kernel under this parent: is it inside the inbox? Remembers. */
bool inbox_dir_seen(struct inbox *b, uint64_t parent, const char *name, size_t len,
                    const struct ns_attr *dir);
bool inbox_has_dir(struct inbox *b, uint64_t dir);
/* Emptied: not listed. */
bool inbox_dir_hidden(struct inbox *b, uint64_t dir);
void inbox_dir_moved(struct inbox *b, uint64_t dir, uint64_t parent, const char *name, size_t len);
void inbox_dir_gone(struct inbox *b, uint64_t dir);
/* Something was made in a directory of the inbox: it, and those above it, are no longer emptied. */
void inbox_dir_used(struct inbox *b, uint64_t dir);
/* A name left a directory of the inbox: it may be empty now. (waits) */
void inbox_dir_left(struct vsfs *fs, uint64_t dir);
/* Are there provisional files in this directory (of the inbox: or below it)? */
bool inbox_dir_busy(struct vsfs *fs, uint64_t dir);
/* Directory of the tree that mirrors this one; 0: unknown. */
uint64_t inbox_dir_mirror(struct inbox *b, uint64_t dir);

/* ---- files ---- */

/* FLUSH of this file is durable: a lookup at its place in the tree may wait for its publish. */
void inbox_flushed(struct vsfs *fs, struct inode *i);
/* It is being written again, or its flush failed: nobody should wait for it. */
void inbox_unexpect(struct vsfs *fs, uint64_t ino);
/* It lost this name: the same, unless it is expected under another one. */
void inbox_unexpect_name(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name,
                         size_t len);
/* The last writer has closed it and it is committed: publish it, if it is settled. (waits) */
void inbox_released(struct vsfs *fs, struct inode *i);
/* A complete file got this name by rename, link, symlink or mknod: publish it soon, unless it is
 * temporary. `from`, `from_len`: the name it had (rename), or NULL. */
void inbox_named(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name, size_t len,
                 const char *from, size_t from_len);

/* Somebody is about to replace the file of this name, that a close() has promised to publish:
 * another upload of the same name. Under the `names` of the inode. 1: it is in the tree now, the
 * name has to be looked up again. 0: it is not complete (or cannot be published): go on. (waits) */
int inbox_publish_first(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name,
                        size_t len);
/* The same for an inode that is opened with O_TRUNC, or cut to nothing, by number: 1 also when it
 * was published since the kernel was told of it under its name in the inbox. Under i->names. */
int inbox_before_cut(struct vsfs *fs, struct inode *i);
/* The kernel was told of this inode under a name in the inbox, and it is in the tree now: who wants
 * to write looks the name up again, once. Under i->names. */
bool inbox_has_moved(struct vsfs *fs, struct inode *i);
/* It has been flushed, and is about to be published: until it is, at most INBOX_OPEN_WAIT_MS.
 * (waits) */
void inbox_await(struct vsfs *fs, struct inode *i);
/* The kernel is told of an inode under a name in this directory. */
void inbox_told(struct vsfs *fs, struct inode *i, uint64_t parent);

/* Is an upload flushed that belongs at (dir, name) of the tree, and not yet published? Asked before
 * the metadata is: what is published between the two is neither found there nor waited for. */
bool inbox_expects(struct vsfs *fs, uint64_t dir, const char *name, size_t len);
/* A lookup that found nothing at (dir, name) of the tree waits here when an upload that belongs
 * there has been flushed. True: `done` will run once, when it is published or after wait_ms.
 * False: nothing to wait for. */
struct inbox_wait;
typedef void inbox_wait_fn(struct inbox_wait *w);
struct inbox_wait {
    uint64_t dir;
    const char *name; /* lent until done */
    size_t name_len;
    int64_t wait_ms;
    inbox_wait_fn *done;
    int64_t until_ns; /* private from here */
    struct vs_list link;
    struct vs_job job;
};
bool inbox_wait(struct vsfs *fs, struct inbox_wait *w);

/* ---- aliases ---- */

/* The alias of that name: a reference to an inode with alias_of set. NULL: none. */
struct inode *inbox_alias_find(struct vsfs *fs, uint64_t parent, const char *name, size_t len);
/* 1: dropped; 0: there was none. */
int inbox_alias_drop(struct vsfs *fs, uint64_t parent, const char *name, size_t len);
/* This alias inode is to become a new upload: drop the name it has, which is answered. -ENOENT: it
 * has none any more. */
int inbox_alias_take(struct vsfs *fs, const struct inode *alias, uint64_t *ret_parent,
                     char ret_name[NS_NAME_BYTES_MAX], size_t *ret_len);
/* Where the film of an alias is now; waits for a publish in flight. -ENOENT: it was renamed or
 * removed. (waits) */
int inbox_alias_place(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
                      uint64_t *ret_dir, char ret_name[NS_NAME_BYTES_MAX], size_t *ret_len);
/* The film is at another place, its alias at another name; parent 0: it has none any more. */
void inbox_alias_moved(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
                       uint64_t new_parent, const char *new_name, size_t new_len, uint64_t dir,
                       const char *dir_name, size_t dir_name_len);

/* An upload could not be stored: for `inbox ls`. Nothing to say of files elsewhere, or without an
 * inbox. */
void inbox_not_stored(struct vsfs *fs, struct inode *i, int err);

/* ---- commands ---- */

/* `inbox ls`: {"files":[{name,state,size}],"results":[{name[,path],what[,reason],time}]}; a
 * new tree for the caller, NULL: out of memory. (waits) */
struct vs_json *inbox_list(struct vsfs *fs);
/* By path inside the inbox. Publish now, whatever its name or state. (waits) */
int inbox_publish(struct vsfs *fs, const char *path);
/* Remove it. (waits) */
int inbox_cancel(struct vsfs *fs, const char *path);

#endif
