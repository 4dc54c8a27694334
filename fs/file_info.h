/* file_info: what is known of one file, gathered for xattrs and `vstackfs info`.
 *
 * Waits: ops threads. */
#ifndef VS_FS_FILE_INFO_H
#define VS_FS_FILE_INFO_H

#include "common/json.h"
#include "fs/vsfs.h"
#include "meta/manifest.h"
#include "meta/place_value.h"

enum file_info_want {
    FILE_INFO_CHUNKS = 1, /* chunk list: stored_as */
    FILE_INFO_PLACES = 2, /* every register: state, placement; implies CHUNKS */
};

struct file_info {
    struct ns_attr attr;
    bool uploading; /* something is written and not committed */
    bool media_there;
    bool has_sha; /* of the whole file */
    uint8_t sha256[VS_SHA256_BYTES];
    struct mf_head head;
    struct mf_media media;
    struct mf_chunk *chunks; /* holes included */
    size_t chunk_count;
    struct place_value *places; /* one per chunk; a hole's or a lost register's state is 0 */
    uint64_t degraded, lost;    /* chunks */
    char stored_as[32];         /* rs:3+2, replicate:3, metadata, mixed */
};

/* -EISDIR and others: attr only is filled for what is no file with content. */
int file_info_load(struct vsfs *fs, uint64_t ino, unsigned want, struct file_info *ret);
void file_info_close(struct file_info *i);

/* uploading, stored, degraded, lost. Needs PLACES. */
const char *file_info_state(const struct file_info *i);

/* Everything as JSON (vstackfs info --json). Needs PLACES. */
struct vs_json *file_info_json(struct vsfs *fs, const struct file_info *i);

#endif
