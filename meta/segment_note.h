/* segment_note: what stores keep of a manifest segment: the value of its register, and with the
 * last new segment of each commit a description of the file. So the records of the stores alone say
 * of every committed file with chunks what it is called and what it consists of.
 *
 * It is the payload of fragments whose chunk is the segment's id: copies on several stores, which
 * go with the segment. docs/FORMAT.md, "Segment copy", has every byte.
 *
 * Pure. Encoders append: -EINVAL, -ENOMEM. Decoders are bounded and total, and what they return
 * points into the input: -VS_ECORRUPT, -VS_ENEWER. */
#ifndef VS_META_SEGMENT_NOTE_H
#define VS_META_SEGMENT_NOTE_H

#include "common/buf.h"
#include "meta/ns_types.h"

#define SEGMENT_NOTE_BYTES_MAX (8u << 20) /* the longest head has 1.8 MiB */

/* A file as a commit makes it. */
struct file_about {
    uint64_t ino;
    uint64_t parent; /* directory it has its name in, as far as is known; 0: not */
    const char *name;
    size_t name_len;
    uint64_t base_version; /* of the content that is replaced; 0: a new file */
    uint64_t session;      /* the commit's */
    uint32_t mode;         /* 0: not known, with uid and gid */
    uint32_t uid, gid;
    struct ns_time mtime;
    bool flushed;     /* NS_F_FLUSHED */
    const void *head; /* encoded manifest head */
    size_t head_len;
};

struct segment_note {
    const void *segment; /* the register's value */
    size_t segment_len;
    bool has_about;
    struct file_about about;
};

int segment_note_encode(const struct segment_note *n, struct vs_buf *ret);
int segment_note_decode(const void *bytes, size_t len, struct segment_note *ret);

#endif
