/* Registers of everything that is linked, made from the records of the stores.
 *
 * Happy path: every inode with chunks, every segment of it, every chunk. Failure: what cannot be
 * found is told once per file, by a path; a file of the copy of which nothing at all is left was
 * removed after the copy, and is removed again. */
#include "common/cleanup.h"
#include "common/err.h"
#include "meta/ns_read.h"
#include "meta/ns_schema.h"
#include "meta/salvage_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_DEPTH_MAX  64
#define PATH_BYTES      4096
#define STORES_LOST_MAX 2 /* with more missing, nothing found is no proof that it was removed */

struct regs_list {
    uint64_t *inos;
    size_t count, cap;
    struct salvage *s;
};

/* ---- names ---- */

struct name_search {
    uint64_t ino, parent;
    char name[NS_NAME_BYTES_MAX + 1];
    size_t len;
};

static int name_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    struct name_search *n = arg;
    struct ns_link link;

    if (key_len < 10 || key_len > 9 + NS_NAME_BYTES_MAX ||
        ns_link_decode(value, value_len, &link) < 0 || link.ino != n->ino)
        return 0;
    n->parent = ns_key_get_u64(key, 0);
    n->len = key_len - 9;
    memcpy(n->name, key + 9, n->len);
    n->name[n->len] = '\0';
    return 1;
}

/* Any name of the inode: 1; 0: it has none. Looks at all names there are. */
static int name_of(struct salvage *s, uint64_t ino, struct name_search *ret)
{
    struct ns_key from = ns_key(NS_T_NAME), to = ns_key_end(&from);

    *ret = (struct name_search){ .ino = ino };
    return kv_scan(s->rebuild.ns, from.b, from.len, to.b, to.len, name_item, ret);
}

static void path_of(struct salvage *s, uint64_t ino, char path[PATH_BYTES])
{
    char rest[PATH_BYTES] = "";
    struct name_search n;

    for (unsigned depth = 0; ino != NS_INO_ROOT && depth < PATH_DEPTH_MAX; depth++) {
        if (name_of(s, ino, &n) <= 0)
            break;
        if (snprintf(path, PATH_BYTES, "%s%s%s", n.name, rest[0] != '\0' ? "/" : "", rest) >=
            PATH_BYTES)
            break;
        memcpy(rest, path, PATH_BYTES);
        ino = n.parent;
    }
    snprintf(path, PATH_BYTES, "%s", rest[0] != '\0' ? rest : "(a file without a name)");
}

/* ---- one file ---- */

struct regs_file {
    uint64_t segments_lost, chunks, chunks_lost;
};

static int regs_chunk(struct salvage *s, const struct mf_chunk *chunk, struct regs_file *f)
{
    struct salvage_chunk found;
    struct vs_buf value = { 0 };
    int r = salvage_chunk_find(s, &chunk->id, &found);

    f->chunks++;
    if (r == -ENOENT) {
        f->chunks_lost++;
        return 0;
    }
    if (r == 0)
        r = place_value_encode(&found.value, &value);
    if (r == 0)
        r = meta_rebuild_register(&s->rebuild, &chunk->id, value.data, value.len);
    vs_buf_close(&value);
    s->result->chunks++;
    s->result->chunks_degraded += found.have < (unsigned)found.value.red.k + found.value.red.m;
    return r;
}

static int regs_segment(struct salvage *s, const struct vs_id *id, struct regs_file *f)
{
    const struct salvage_note *n = salvage_note_find(s, id);
    struct mf_chunk chunks[MF_SEGMENT_CHUNKS];
    int count = n != NULL ? mf_segment_decode(n->note.segment, n->note.segment_len, chunks) : -1;
    int r;

    if (count < 0) {
        f->segments_lost++;
        return 0;
    }
    r = meta_rebuild_register(&s->rebuild, id, n->note.segment, n->note.segment_len);
    for (int i = 0; r == 0 && i < count; i++)
        if (!vs_id_is_zero(&chunks[i].id))
            r = regs_chunk(s, &chunks[i], f);
    return r;
}

/* All its names go, then the inode. */
static int file_remove(struct salvage *s, uint64_t ino)
{
    struct ns_entry forget = { .kind = NS_E_FORGET, .ino = ino };
    struct name_search n;
    int r;

    while ((r = name_of(s, ino, &n)) > 0) {
        struct ns_entry e = {
            .kind = NS_E_UNLINK, .parent = n.parent, .name = n.name, .name_len = n.len
        };

        r = salvage_apply(s, &e, NULL);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : salvage_apply(s, &forget, NULL);
}

static int file_judge(struct salvage *s, uint64_t ino, const struct mf_head *head,
                      const struct regs_file *f)
{
    char path[PATH_BYTES];

    if (f->segments_lost == 0 && f->chunks_lost == 0)
        return 0;
    path_of(s, ino, path);
    if (f->segments_lost == head->segment_count && !salvage_inode_seen(s, ino) &&
        s->absent_count <= STORES_LOST_MAX) {
        s->result->deleted++;
        s->result->files--;
        salvage_say(s, SALVAGE_INFO, "%s: removed after the copy was made; it stays removed", path);
        return file_remove(s, ino);
    }
    if (f->segments_lost > 0)
        salvage_say(s, SALVAGE_LOST,
                    "%s: %llu of %u lists of its chunks are not on these stores; give all there "
                    "are",
                    path, (unsigned long long)f->segments_lost, head->segment_count);
    else
        salvage_say(s, SALVAGE_LOST,
                    "%s: %llu of its %llu chunks have too few fragments on these stores; the rest "
                    "of it reads",
                    path, (unsigned long long)f->chunks_lost, (unsigned long long)f->chunks);
    return 0;
}

static int regs_inode(struct salvage *s, uint64_t ino)
{
    struct meta_req req = { .op = META_CONTENT, .ino = ino };
    struct regs_file f = { 0 };
    struct mf_head head;
    int r = ns_read(s->rebuild.ns, &req);

    if (r == 0)
        r = mf_head_decode(req.bytes.data, req.bytes.len, &head);
    vs_buf_close(&req.bytes);
    if (r < 0)
        return r;
    for (uint32_t i = 0; r == 0 && i < head.segment_count; i++)
        r = regs_segment(s, &head.segments[i].id, &f);
    if (r == 0 && ino != NS_INO_COPY)
        r = file_judge(s, ino, &head, &f);
    mf_head_close(&head);
    return r;
}

/* ---- all ---- */

static int list_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                     size_t value_len)
{
    struct regs_list *l = arg;
    struct ns_inode i;
    int r = ns_inode_decode(value, value_len, &i);

    (void)key;
    (void)key_len;
    if (r < 0)
        return r;
    l->s->result->directories += S_ISDIR(i.attr.mode);
    l->s->result->small_files += S_ISREG(i.attr.mode) && i.attr.content != NS_CONTENT_CHUNKS;
    if (i.attr.content != NS_CONTENT_CHUNKS)
        return 0;
    l->s->result->files += i.attr.ino != NS_INO_COPY;
    if (l->count == l->cap) {
        size_t cap = l->cap > 0 ? l->cap * 2 : 256;
        uint64_t *more = reallocarray(l->inos, cap, sizeof(*more));

        if (more == NULL)
            return -ENOMEM;
        l->inos = more;
        l->cap = cap;
    }
    l->inos[l->count++] = i.attr.ino;
    return 0;
}

int salvage_regs_make(struct salvage *s)
{
    struct ns_key from = ns_key(NS_T_INODE), to = ns_key_end(&from);
    struct regs_list l = { .s = s };
    int r = kv_scan(s->rebuild.ns, from.b, from.len, to.b, to.len, list_item, &l);

    for (size_t i = 0; r == 0 && i < l.count; i++) {
        r = regs_inode(s, l.inos[i]);
        if (i % 1000 == 999)
            salvage_say(s, SALVAGE_INFO, "%zu of %zu files", i + 1, l.count);
    }
    free(l.inos);
    return r;
}
