/* inbox_state: what the inbox remembers, shared by the inbox_*.c files.
 *
 * All of it is memory only: what must survive a crash is in the namespace (names below the inbox,
 * NS_F_FLUSHED, mirror). Lock: b->lock, inside inode->names and inode->lock; while it is held
 * nothing is called but the inode table. */
#ifndef VS_FS_INBOX_STATE_H
#define VS_FS_INBOX_STATE_H

#include "common/list.h"
#include "fs/inbox.h"

#define INBOX_DIRS_MAX     (1u << 20)
#define INBOX_EXPECTED_MAX 4096
#define INBOX_EMPTIES_MAX  65536
#define INBOX_DEPTH_MAX    256 /* directories in a path below the inbox */
#define INBOX_PATH_MAX     4096

/* A directory inside the inbox, or the inbox. The kernel asks below one only after it has been
 * told of it, so all that matter are here. */
struct inbox_dir {
    uint64_t ino, parent;
    uint64_t mirror;   /* published counterpart; 0: unknown */
    uint64_t uses;     /* names made in it: whoever finds it empty looks whether this changed */
    unsigned children; /* directories in `dirs` whose parent it is */
    bool emptied;
    uint8_t name_len;
    char name[NS_NAME_BYTES_MAX];
    UT_hash_handle hh;
};

struct inbox_key {
    uint64_t parent;
    char name[NS_NAME_BYTES_MAX];
};

/* The alias of a published film, or of one that is being published. */
struct inbox_alias {
    struct inbox_key key;
    unsigned key_len;
    struct inode *inode; /* a reference */
    bool publishing;     /* dir and name are not known yet */
    int64_t until_ns;
    uint64_t dir; /* the film's place */
    uint8_t dir_name_len;
    char dir_name[NS_NAME_BYTES_MAX];
    UT_hash_handle hh;
};

/* A file that was flushed: (dir, name) of the tree is about to be. */
struct inbox_expected {
    struct vs_list link;
    uint64_t ino, dir;
    uint8_t name_len;
    char name[NS_NAME_BYTES_MAX];
};

/* An empty file that waits for somebody to fill it. */
struct inbox_empty {
    struct vs_list link;
    int64_t due_ns;
    uint64_t ino, parent;
    uint8_t name_len;
    char name[NS_NAME_BYTES_MAX];
};

/* What became of a file, for `inbox ls`. */
struct inbox_result {
    struct ns_time at;
    char name[INBOX_PATH_MAX], path[INBOX_PATH_MAX]; /* in the inbox; in the tree */
    const char *what;                                /* static text */
    int err;
};

struct inbox {
    struct vsfs *fs;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* jobs fell, or a publish ended */
    bool stopping;
    unsigned jobs; /* on ops, and the tick */
    bool ticking;  /* tick_job is with fs->exec, for tick_due_ns, or runs */
    bool tick_runs;
    int64_t tick_due_ns; /* while it runs: what it must not forget */
    uint64_t ticks;      /* that have run */
    struct vs_job tick_job;
    _Atomic int64_t last_use_ns;
    bool swept; /* nothing was used since the last sweep */
    struct inbox_dir *dirs;
    struct inbox_alias *aliases;
    struct vs_list expected, waits, empties;
    unsigned expected_count, empty_count;
    struct inbox_result *results; /* ring of INBOX_RESULTS_MAX */
    unsigned result_count;        /* ever */
};

/* ---- inbox.c ---- */
/* Something has a time to be done at: be woken. Under b->lock. */
void inbox_tick_by(struct inbox *b, int64_t due_ns);
/* Run fn on fs->ops, counted. The job is the caller's memory; fn ends with inbox_job_end(). False:
 * the inbox is stopping, it will not run. */
bool inbox_job_start(struct inbox *b, struct vs_job *job, vs_job_fn *fn);
void inbox_job_end(struct inbox *b);
/* This file is about to be published: a lookup of its place in the tree waits. */
void inbox_expect(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name, size_t len);
/* Somebody asked for something inside the inbox. */
void inbox_touch(struct inbox *b);

/* ---- inbox_dirs.c ---- */
void inbox_dirs_close(struct inbox *b);
/* Path of a name below the inbox: "a/b.mkv". */
void inbox_path(struct inbox *b, uint64_t dir, const char *name, size_t len,
                char ret[INBOX_PATH_MAX]);
/* The counterpart of a directory is this. */
void inbox_dir_set_mirror(struct inbox *b, uint64_t dir, uint64_t mirror);
/* All directories, on the heap. */
int inbox_dirs_all(struct inbox *b, uint64_t **ret, size_t *ret_count);
/* Remove all directories that hold nothing, below `dir`. Waits. */
int inbox_dirs_sweep(struct vsfs *fs, uint64_t dir, unsigned depth);

/* ---- inbox_alias.c ---- */
void inbox_aliases_close(struct inbox *b);
/* The alias of a file that is about to be published. -ENOBUFS: too many. */
int inbox_alias_add(struct vsfs *fs, uint64_t parent, const char *name, size_t len, uint64_t film);
/* It is published: `film` is at this place. */
void inbox_alias_set(struct vsfs *fs, uint64_t parent, const char *name, size_t len, uint64_t film,
                     uint64_t dir, const char *dir_name, size_t dir_name_len);
/* Drop what is out of date. When the next one will be; INT64_MAX: never. */
int64_t inbox_aliases_expire(struct inbox *b, int64_t now_ns);

/* ---- inbox_publish.c ---- */
/* Settle the file `ino` of that name as inbox_decide() says. `due`: an empty one has waited. */
struct inbox_settle {
    uint64_t ino, parent;
    const char *name, *from;
    size_t len, from_len;
    bool named, due, alias;
};
int inbox_settle(struct vsfs *fs, const struct inbox_settle *s);
/* Publish it whatever it is. Under the `names` of its inode. */
int inbox_publish_now(struct vsfs *fs, uint64_t ino, uint64_t parent, const char *name, size_t len,
                      bool alias);

/* ---- inbox_list.c ---- */
/* Call fn for every stored name below the inbox that is no directory, until it returns non-zero.
 * Waits. */
typedef int inbox_walk_fn(struct vsfs *fs, uint64_t dir, const struct ns_dirent *e, void *arg);
int inbox_walk(struct vsfs *fs, inbox_walk_fn *fn, void *arg);

#endif
