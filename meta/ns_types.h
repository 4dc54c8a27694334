/* Words of the namespace: attributes, answers, and the journal entries that change it.
 *
 * The namespace changes only by journal entries, each validated when it is applied and each one
 * atomic batch. This header is what a mount, a node and a command know of them.
 *
 * Pure. Times are seconds and nanoseconds, since years 1960 and 2500 must fit. */
#ifndef VS_META_NS_TYPES_H
#define VS_META_NS_TYPES_H

#include "common/ec.h"
#include "common/id.h"
#include "common/sha.h"
#include "meta/ns_kinds.h"
#include "meta/ns_node.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_INO_ROOT  1u
#define NS_INO_INBOX 2u
#define NS_INO_COPY  3u  /* the copy of the metadata on the stores: a file without a name */
#define NS_INO_TAIL  4u  /* in the notes of records of its tail; no inode */
#define NS_INO_FIRST 16u /* numbers below are the program's own */

#define NS_NAME_BYTES_MAX        255
#define NS_INLINE_BYTES_MAX      65536 /* larger content lives in chunks */
#define NS_SYMLINK_BYTES_MAX     4095
#define NS_XATTR_NAME_BYTES_MAX  255
#define NS_XATTR_VALUE_BYTES_MAX 65536
#define NS_XATTR_LIST_BYTES_MAX  65536      /* names of one inode, a NUL behind each */
#define NS_XATTR_TOTAL_BYTES_MAX (1u << 20) /* values of one inode together */
#define NS_LINK_MAX              65000
#define NS_ENTRY_BYTES_MAX       (4u << 20) /* encoded journal entry */
#define NS_RELEASED_MAX          65536      /* ids one entry may release */
#define NS_RESERVE_MAX           65536      /* inode numbers, or ids, one entry may reserve */
#define NS_SESSION_RANGES_MAX    16384      /* separate ranges of ids of one session */
#define NS_BRAKE_BYTES_MAX       159        /* why nothing may be collected */
#define NS_MOUNTS_MAX            1024       /* that live at one time */
#define NS_MOUNT_PINS_MAX        64         /* inodes whose former content one may still read */
#define NS_COOKIE_FIRST          16u        /* directory cookies below are the mount's own */

struct ns_time {
    int64_t s;   /* since 1970, may be negative */
    uint32_t ns; /* 0 .. 999999999 */
};

enum ns_content {
    NS_CONTENT_NONE = 0,   /* directories, devices; an empty file */
    NS_CONTENT_INLINE = 1, /* bytes in the metadata (also a symlink's target) */
    NS_CONTENT_CHUNKS = 2, /* a manifest: meta/manifest.h */
};

enum ns_flags {
    NS_F_FLUSHED = 1,   /* inbox: a FLUSH or RELEASE followed the last WRITE: publish it */
    NS_F_DIR_TIMES = 2, /* directory whose times were set by utimens: publishing keeps them */
    NS_F_MEDIA_DUE = 4, /* content was committed, its media description is still to be made */
    NS_F_XATTRS = 8,    /* told, not stored: it has extended attributes */
};

struct ns_attr {
    uint64_t ino;
    uint32_t generation;
    uint32_t mode; /* type and permissions, as st_mode */
    uint32_t uid, gid;
    uint32_t nlink;
    uint32_t rdev;
    uint64_t size;         /* directories: names in it, "." and ".." not counted */
    uint64_t data_bytes;   /* size without holes: st_blocks */
    uint64_t stored_bytes; /* all fragments together; inline: its size */
    struct ns_time atime, mtime, ctime, btime;
    uint64_t version; /* of the content, +1 with each swap; page cache and handles follow it */
    uint64_t mirror;  /* inbox directory: inode of the published one; else 0 */
    uint64_t parent;  /* directories: the directory they are in; else 0 */
    uint32_t flags;   /* enum ns_flags */
    uint8_t content;  /* enum ns_content */
};

/* Which fields of ns_entry.attr a SETATTR (or a CREATE's later touch) sets. */
enum ns_set {
    NS_SET_MODE = 1,
    NS_SET_UID = 2,
    NS_SET_GID = 4,
    NS_SET_ATIME = 8,
    NS_SET_MTIME = 16,
    NS_SET_FLAGS = 32, /* program only: flags_set / flags_clear */
};

enum ns_rename_flags { NS_RENAME_NOREPLACE = 1, NS_RENAME_EXCHANGE = 2 };

enum ns_create_flags {
    NS_CREATE_REPLACE = 1, /* an existing file of that name is unlinked in the same entry */
};

enum ns_taken { NS_TAKEN_KEEP_BOTH = 0, NS_TAKEN_REPLACE = 1, NS_TAKEN_REFUSE = 2 };
/* Beside one of them: what has the name cannot be read any more, so the same content is not there.
 */
#define NS_TAKEN_LOST 0x80u

/* What a PUBLISH did. */
enum ns_published {
    NS_PUBLISHED_MOVED = 1,
    NS_PUBLISHED_SAME = 2,     /* same content is there already: the inbox name is dropped */
    NS_PUBLISHED_NUMBERED = 3, /* name taken: "name (2).ext" */
    NS_PUBLISHED_REPLACED = 4,
};

/* New content of an inode, in CREATE and SWAP. */
struct ns_new_content {
    uint8_t kind;      /* enum ns_content */
    const void *bytes; /* INLINE: the content; CHUNKS: encoded manifest head */
    size_t bytes_len;
    uint64_t size, data_bytes, stored_bytes;
    uint64_t session; /* CHUNKS written in it: must be OPEN, becomes COMMITTED; 0: none */
    bool flushed;     /* sets or clears NS_F_FLUSHED */
    const struct vs_id *released; /* chunks and segments no longer referenced, or given up */
    size_t released_count;
};

/* One change, decoded. Pointers are lent by whoever made it. Which fields count: by kind. */
struct ns_entry {
    enum ns_entry_kind kind;
    struct ns_time now;       /* from the proposer */
    uint64_t client, request; /* exactly once per (client, request) when client != 0 */
    uint64_t parent;          /* CREATE LINK UNLINK RMDIR RENAME PUBLISH */
    const char *name;         /* same; SETXATTR: attribute name; not NUL-terminated */
    size_t name_len;
    uint64_t ino;        /* CREATE: from a reserved range; LINK SETATTR ... SWAP MEDIA */
    uint64_t new_parent; /* RENAME */
    const char *new_name;
    size_t new_name_len;
    uint32_t flags;      /* rename, create flags; setxattr: XATTR_CREATE / XATTR_REPLACE;
                            NS_MEMBERS_OPEN */
    uint32_t set;        /* enum ns_set */
    struct ns_attr attr; /* CREATE: mode, uid, gid, rdev, times named by `set`; SETATTR CLUSTER */
    uint32_t flags_set, flags_clear;
    struct ns_new_content content; /* CREATE, SWAP; SESSION_ABORT: only `released`, what was given
                                      up with the session: aborted and released in one step */
    bool keep_times;               /* SWAP: do not touch mtime (attr.mtime was set before) */
    uint64_t base_version;         /* SWAP, MEDIA: must be the current version, else -ESTALE */
    const void *value;             /* SETXATTR value; MEDIA encoded description;
                                      MEMBERS encoded set (common/member_set.h);
                                      MOUNT: inodes of which it still reads a former content, u64
                                      little-endian each, at most NS_MOUNT_PINS_MAX */
    size_t value_len;
    uint8_t taken;    /* PUBLISH: enum ns_taken, and NS_TAKEN_LOST */
    uint64_t session; /* SESSION_EXTEND, SESSION_ABORT */
    uint64_t count;   /* RESERVE: inode numbers; SESSION_OPEN/EXTEND: ids */
    uint16_t pid;     /* SESSION_OPEN: owner of the ids; 0: set by the meta client */
    uint32_t inc;     /* same */
    uint64_t mount;   /* SESSION_OPEN, _TOUCH, FORGET, MOUNT, MOUNT_END; 0: nobody.
                         CREATE, SWAP in the inbox: whose it is to publish */
    uint64_t signs;   /* SESSION_ABORT, MOUNT_END: only if it gave so many signs of life; 0: any */
    uint64_t heard;   /* MOUNT: the slot up to which it has let go of all former content, but that
                         of the inodes in `value`; 0: it does not say */
    struct ns_node node;           /* NODE_PUT */
    struct vs_id cluster;          /* CLUSTER */
    const struct vs_id *collected; /* COLLECTED */
    size_t collected_count;
};

/* What applying an entry answered. status: 0, or negative: the errno that the man page names. */
struct ns_answer {
    int status;
    struct ns_attr attr;     /* of the inode created or changed (after the change) */
    struct ns_attr replaced; /* RENAME/CREATE over an existing inode, UNLINK: it; ino 0: none */
    uint64_t first;    /* RESERVE: first inode; SESSION_OPEN/EXTEND: first id; NODE_PUT: its number;
                          SESSION_TOUCH: how many */
    uint64_t session;  /* SESSION_OPEN */
    uint8_t published; /* enum ns_published */
    uint64_t dir;      /* PUBLISH: where it is now, with `name`; CREATE and RENAME of an inbox
                          directory: where its counterpart is now; 0: it has none */
    char name[NS_NAME_BYTES_MAX];
    uint8_t name_len;
};

/* One directory entry. `cookie` is its stable position; directories list in cookie order. */
struct ns_dirent {
    uint64_t cookie;
    struct ns_attr
        attr; /* ino and the type in mode always; the rest when attributes were asked for */
    uint8_t name_len;
    char name[NS_NAME_BYTES_MAX];
};

#endif
