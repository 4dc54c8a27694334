/* file_info: see the header. */
#include "fs/file_info.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/hex.h"
#include "fs/frag_lists.h"
#include "fs/inode_table.h"
#include "fs/wfile.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_INFO_TRIES_MAX 4 /* times the file may be rewritten while it is looked at */

static void file_info_judge(struct file_info *i, struct frag_lists *lists, const struct vs_id *id,
                            const struct place_value *v)
{
    enum chunk_left left = frag_lists_judge(lists, id, v);

    i->lost += left == CHUNK_LOST;
    i->degraded += left == CHUNK_DEGRADED || left == CHUNK_WEAK;
}

/* Read the registers of chunks [from, from + count), and judge what is left of them. */
static int file_info_batch(struct vsfs *fs, struct file_info *i, struct frag_lists *lists,
                           struct meta_reg *regs, size_t from, uint32_t count)
{
    struct meta_req req = { .op = META_REG_READ, .regs = regs };
    int r = 0;

    for (uint32_t n = 0; n < count; n++)
        if (!vs_id_is_zero(&i->chunks[from + n].id))
            regs[req.reg_count++] = (struct meta_reg){ .id = i->chunks[from + n].id };
    if (req.reg_count > 0)
        r = meta_call(fs->meta, &req);
    frag_lists_forget(lists);
    for (uint32_t n = 0, at = 0; n < count; n++) {
        struct place_value *v = &i->places[from + n];

        if (vs_id_is_zero(&i->chunks[from + n].id))
            continue;
        if (r == 0) {
            if (regs[at].status < 0 ||
                place_value_decode(regs[at].current.data, regs[at].current.len, v) < 0)
                v->state = PLACE_TOMB;
            file_info_judge(i, lists, &regs[at].id, v);
        }
        vs_buf_close(&regs[at++].current);
    }
    return r;
}

static int file_info_places(struct vsfs *fs, struct file_info *i)
{
    VS_AUTO_FREE struct meta_reg *regs = calloc(META_REGISTER_BATCH_MAX, sizeof(*regs));
    struct frag_lists lists;
    size_t page = i->chunk_count;
    int r;

    i->places = calloc(i->chunk_count + 1, sizeof(*i->places));
    if (regs == NULL || i->places == NULL)
        return -ENOMEM;
    if (page < FRAG_LISTS_PAGE_MIN)
        page = FRAG_LISTS_PAGE_MIN;
    r = frag_lists_open(&lists, &fs->stores,
                        page < FRAG_LISTS_PAGE_MAX ? (uint32_t)page : FRAG_LISTS_PAGE_MAX);
    for (size_t from = 0; r == 0 && from < i->chunk_count; from += META_REGISTER_BATCH_MAX) {
        size_t left = i->chunk_count - from;

        r = file_info_batch(fs, i, &lists, regs, from,
                            left < META_REGISTER_BATCH_MAX ? (uint32_t)left
                                                           : META_REGISTER_BATCH_MAX);
    }
    frag_lists_close(&lists);
    return r;
}

static void file_info_stored_as(struct file_info *i)
{
    char text[24];

    i->stored_as[0] = '\0';
    for (size_t n = 0; n < i->chunk_count; n++) {
        if (vs_id_is_zero(&i->chunks[n].id))
            continue;
        vs_redundancy_to_text(&i->chunks[n].red, text);
        if (i->stored_as[0] == '\0')
            snprintf(i->stored_as, sizeof(i->stored_as), "%s", text);
        else if (strcmp(i->stored_as, text) != 0)
            snprintf(i->stored_as, sizeof(i->stored_as), "mixed");
    }
    if (i->stored_as[0] == '\0')
        snprintf(i->stored_as, sizeof(i->stored_as), "metadata");
}

static int file_info_media(struct vsfs *fs, struct file_info *i)
{
    struct meta_req req = { .op = META_MEDIA, .ino = i->attr.ino };
    int r = meta_call(fs->meta, &req);

    if (r == 0)
        i->media_there = mf_media_decode(req.bytes.data, req.bytes.len, &i->media) == 0;
    vs_buf_close(&req.bytes);
    return r == -ENODATA ? 0 : r;
}

static bool file_is_uploading(struct vsfs *fs, uint64_t ino, struct ns_attr *provisional)
{
    struct inode *in = inode_find(fs->inodes, ino);
    bool uploading;

    if (in == NULL)
        return false;
    uploading = wfile_dirty(in);
    {
        VS_LOCK_SCOPE(&in->lock);
        if (in->provisional) {
            *provisional = in->attr;
            provisional->ino = ino;
            uploading = true;
        }
    }
    inode_put(fs->inodes, in);
    return uploading;
}

/* The stored version of a file as it is now. */
static int file_info_read(struct vsfs *fs, uint64_t ino, unsigned want, struct file_info *ret)
{
    struct content *c = NULL;
    int r = content_load_wait(fs->meta, ino, &c, &ret->attr);

    if (r == 0 && !S_ISREG(ret->attr.mode))
        r = S_ISDIR(ret->attr.mode) ? -EISDIR : -ENODATA;
    if (r == 0 && c->kind == NS_CONTENT_CHUNKS) {
        ret->head = c->head; /* but for the segments, which go with the content */
        ret->head.segments = NULL;
        ret->head.segment_count = 0;
        ret->has_sha = c->head.has_sha;
        memcpy(ret->sha256, c->head.sha256, sizeof(ret->sha256));
        if (want != 0)
            r = content_chunks_wait(c, &ret->chunks, &ret->chunk_count);
    }
    if (r == 0 && c->kind != NS_CONTENT_CHUNKS) {
        ret->has_sha = true;
        vs_sha256(c->inline_bytes, (size_t)c->size, ret->sha256);
    }
    content_put(c);
    if (r == 0 && (want & FILE_INFO_PLACES) != 0)
        r = file_info_places(fs, ret);
    if (r == 0) {
        file_info_stored_as(ret);
        r = file_info_media(fs, ret);
    }
    return r;
}

/* Was the file given new content since it was read? Then its old chunks are going. */
static bool file_info_is_old(struct vsfs *fs, const struct file_info *i)
{
    struct meta_req req = { .op = META_GETATTR, .ino = i->attr.ino };

    return meta_call(fs->meta, &req) == 0 && req.attr.version != i->attr.version;
}

int file_info_load(struct vsfs *fs, uint64_t ino, unsigned want, struct file_info *ret)
{
    int r = 0;

    for (unsigned tries = 0; tries < FILE_INFO_TRIES_MAX; tries++) {
        *ret = (struct file_info){ .uploading = false };
        ret->uploading = file_is_uploading(fs, ino, &ret->attr);
        if (ret->attr.ino != 0) { /* not committed yet: all there is */
            snprintf(ret->stored_as, sizeof(ret->stored_as), "metadata");
            return 0;
        }
        r = file_info_read(fs, ino, want, ret);
        if (r == -EISDIR || r == -ENODATA || ret->attr.ino == 0)
            break;
        if ((r == 0 && ret->lost == 0 && ret->degraded == 0) || !file_info_is_old(fs, ret))
            break;
        if (tries + 1 < FILE_INFO_TRIES_MAX)
            file_info_close(ret);
    }
    if (r < 0)
        file_info_close(ret);
    return r;
}

void file_info_close(struct file_info *i)
{
    mf_media_close(&i->media);
    free(i->chunks);
    free(i->places);
    i->chunks = NULL;
    i->places = NULL;
    i->chunk_count = 0;
}

const char *file_info_state(const struct file_info *i)
{
    if (i->uploading)
        return "uploading";
    return i->lost > 0 ? "lost" : i->degraded > 0 ? "degraded" : "stored";
}

static struct vs_json *file_info_cuts(const struct file_info *i)
{
    struct vs_json *cuts = vs_json_object();

    vs_json_set_u64(cuts, "interior", i->head.cuts_interior);
    vs_json_set_u64(cuts, "at_keyframe", i->head.cuts_at_keyframe);
    vs_json_set_u64(cuts, "by_size", i->head.cuts_by_size);
    return cuts;
}

struct vs_json *file_info_json(struct vsfs *fs, const struct file_info *i)
{
    struct vs_json *j = vs_json_object();
    char sha[2 * VS_SHA256_BYTES + 1];

    (void)fs;
    vs_json_set_u64(j, "inode", i->attr.ino);
    vs_json_set_u64(j, "size", i->attr.size);
    vs_json_set_text(j, "state", file_info_state(i));
    vs_json_set_u64(j, "chunks", i->head.chunk_count);
    vs_json_set_u64(j, "chunks_degraded", i->degraded);
    vs_json_set_u64(j, "chunks_lost", i->lost);
    vs_json_set(j, "cuts", file_info_cuts(i));
    if (i->media_there && i->media.container[0] != '\0') { /* else it is no video */
        vs_json_set_text(j, "container", i->media.container);
        vs_json_set_u64(j, "duration_ms", i->media.duration_ms);
        vs_json_set_u64(j, "bitrate_bps", i->media.bitrate_bps);
        vs_json_set_u64(j, "probe_ranges", i->media.probe_pack_count);
        vs_json_set_u64(j, "index_ranges", i->media.index_range_count);
        vs_json_set_u64(j, "streams", i->media.stream_count);
        vs_json_set_bool(j, "time_map", i->media.chunk_start_count > 0);
    } else {
        vs_json_set_null(j, "container");
    }
    if (i->has_sha) {
        vs_hex(i->sha256, VS_SHA256_BYTES, sha);
        vs_json_set_text(j, "sha256", sha);
    } else {
        vs_json_set_null(j, "sha256");
    }
    vs_json_set_text(j, "stored_as", i->stored_as);
    vs_json_set_u64(j, "stored_bytes", i->attr.stored_bytes);
    return j;
}
