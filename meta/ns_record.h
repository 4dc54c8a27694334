/* ns_record: values of the namespace/ store (meta/ns_schema.h has the keys). Each begins with a
 * format byte and is refused when newer. Encoders append; decoders are total: any bytes give a
 * valid record or -VS_ECORRUPT, -VS_ENEWER. Pure. docs/FORMAT.md has every byte. */
#ifndef VS_META_NS_RECORD_H
#define VS_META_NS_RECORD_H

#include "common/codec.h"
#include "common/member_set.h"
#include "meta/ns_types.h"

/* STATE: one record, written with every entry. */
struct ns_state {
    struct vs_id cluster; /* zero: no CLUSTER entry yet */
    uint64_t slot;        /* highest applied */
    uint64_t next_ino, next_cookie, next_session, next_seq;
    uint64_t files;       /* linked inodes that are neither directory nor symlink */
    uint64_t directories; /* root and inbox too */
    uint64_t symlinks;
    uint64_t logical_bytes, stored_bytes, chunks; /* of linked inodes */
    uint64_t released;                            /* ids that wait for the collector */
};

/* INODE: what the world sees, and what only applying needs. */
struct ns_inode {
    struct ns_attr attr;
    uint64_t cookie;           /* directories: of their entry in attr.parent; else 0 */
    uint64_t chunks;           /* data chunks of the content */
    uint32_t xattr_list_bytes; /* names, a NUL behind each */
    uint32_t xattr_bytes;      /* values */
};

/* NAME */
struct ns_link {
    uint64_t ino, cookie;
};

/* COOKIE */
struct ns_item {
    uint64_t ino;
    uint32_t type; /* S_IFMT bits */
    uint8_t name_len;
    char name[NS_NAME_BYTES_MAX];
};

/* SESSION: there only while it is OPEN. */
struct ns_session {
    uint16_t pid;
    uint32_t inc;
    struct ns_time opened, extended;
    uint64_t last_first, last_count; /* its newest range of ids */
    uint32_t range_count;
    uint64_t mount; /* whose it is; 0: nobody's */
    uint64_t signs; /* of life: OPEN, EXTEND and TOUCH count; from 1. Of a record that was written
                       before they were counted: 0 */
};

/* MOUNT */
struct ns_mount {
    uint64_t signs;   /* of life */
    uint64_t heard;   /* it reads nothing that was replaced up to this slot; 0: nobody knows ... */
    const void *pins; /* ... but of these inodes: u64 little-endian each; lent */
    size_t pins_len;  /* bytes, at most 8 * NS_MOUNT_PINS_MAX */
};

/* RELEASED, of what a swap let go while mounts lived: by which entry, and whose content it was. Of
 * what nobody can be reading: no bytes at all. */
struct ns_released {
    uint64_t slot, ino;
};

/* RETRY */
struct ns_retry {
    uint64_t request;
    struct ns_answer answer;
};

int ns_state_encode(const struct ns_state *s, struct vs_buf *ret);
int ns_state_decode(const void *bytes, size_t len, struct ns_state *ret);
int ns_inode_encode(const struct ns_inode *i, struct vs_buf *ret);
int ns_inode_decode(const void *bytes, size_t len, struct ns_inode *ret);
int ns_link_encode(const struct ns_link *l, struct vs_buf *ret);
int ns_link_decode(const void *bytes, size_t len, struct ns_link *ret);
int ns_item_encode(const struct ns_item *i, struct vs_buf *ret);
int ns_item_decode(const void *bytes, size_t len, struct ns_item *ret);
int ns_session_encode(const struct ns_session *s, struct vs_buf *ret);
int ns_session_decode(const void *bytes, size_t len, struct ns_session *ret);
int ns_mount_encode(const struct ns_mount *m, struct vs_buf *ret);
int ns_mount_decode(const void *bytes, size_t len, struct ns_mount *ret);
int ns_released_encode(const struct ns_released *r, struct vs_buf *ret);
int ns_released_decode(const void *bytes, size_t len, struct ns_released *ret); /* none: zeros */
int ns_node_encode(const struct ns_node *n, struct vs_buf *ret);
int ns_node_decode(const void *bytes, size_t len, struct ns_node *ret);
int ns_retry_encode(const struct ns_retry *r, struct vs_buf *ret);
int ns_retry_decode(const void *bytes, size_t len, struct ns_retry *ret);

/* Attributes alone, as records and answers hold them: no format byte. A time or a kind of content
 * that cannot be makes the reader fail. */
void ns_attr_wr(struct vs_wr *w, const struct ns_attr *a);
void ns_attr_rd(struct vs_rd *r, struct ns_attr *a);
/* A time, likewise; one with a second's nanoseconds or more makes the writer fail, too. */
void ns_time_wr(struct vs_wr *w, const struct ns_time *t);
struct ns_time ns_time_rd(struct vs_rd *r);

/* MEMBERS: a configuration, and whether its epoch is open. */
struct ns_members {
    bool is_open;
    struct member_set set;
};
int ns_members_encode(const struct ns_members *m, struct vs_buf *ret);
int ns_members_decode(const void *bytes, size_t len, struct ns_members *ret);

/* SESSION_IDS, NUMBERS, ABORTED_IDS: one number. */
int ns_u64_encode(uint64_t n, struct vs_buf *ret);
int ns_u64_decode(const void *bytes, size_t len, uint64_t *ret);

/* CONTENT and MEDIA: bytes with the content version behind them, so that a reader of attributes and
 * content can tell whether both are of the same moment. The bytes' length, or -VS_ECORRUPT. */
int ns_stamp_encode(const void *bytes, size_t len, uint64_t version, struct vs_buf *ret);
int64_t ns_stamp_decode(const void *bytes, size_t len, uint64_t *ret_version);

#endif
