/* Files that were committed after the copy was made, from what each commit told the stores.
 *
 * Happy path: of every inode the newest commit whose chunks are all there; a new file is created
 * under its name and number, a known one gets the new content. Failure: one that is not whole gives
 * way to the one before; a folder that is not known is `salvaged` instead; a name that is taken
 * gets a number. What is older than the copy and not in it was removed, and most of it is gone;
 * what is still whole and was not released was never known to this life of the metadata (it was
 * restored from a backup), and comes back, too. */
#include "common/cleanup.h"
#include "common/err.h"
#include "meta/ns_name.h"
#include "meta/ns_read.h"
#include "meta/ns_schema.h"
#include "meta/salvage_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FALLBACK_NAME "salvaged"

struct merge {
    struct salvage *s;
    const struct file_about *about;
    struct mf_head head;
    struct mf_chunk *chunks;
    size_t count;
    struct ns_new_content content;
    struct vs_id *released;
};

/* ---- order ---- */

static int about_cmp(const void *a, const void *b)
{
    const struct file_about *x = *(const struct file_about *const *)a;
    const struct file_about *y = *(const struct file_about *const *)b;

    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    if (x->session != y->session) /* the newest first */
        return x->session > y->session ? -1 : 1;
    return x->base_version > y->base_version ? -1 : x->base_version < y->base_version;
}

/* Was its session still open when the copy was made, or opened later? *ret_open: the copy has it as
 * an open one. */
static int is_newer(struct salvage *s, uint64_t session, bool *ret_open)
{
    struct ns_key key = ns_key_u64(NS_T_SESSION, session);
    struct vs_buf value = { 0 };
    int r = kv_get(s->rebuild.ns, key.b, key.len, &value);

    vs_buf_close(&value);
    *ret_open = r == 0;
    if (r < 0 && r != -ENOENT)
        return r;
    return r == 0 || session >= s->base.next_session;
}

/* Removed, and only waiting to be collected? */
static bool is_released(struct salvage *s, const struct file_about *about)
{
    static const enum ns_table tables[] = { NS_T_RELEASED, NS_T_RELEASED_WHOLE };
    struct vs_buf value = { 0 };
    struct mf_head head;
    bool released = false;

    if (mf_head_decode(about->head, about->head_len, &head) < 0)
        return true;
    for (uint32_t i = 0; !released && i < head.segment_count; i++)
        for (unsigned t = 0; t < 2; t++) {
            struct ns_key key = ns_key_id(tables[t], &head.segments[i].id);

            released |= kv_get(s->rebuild.ns, key.b, key.len, &value) == 0;
        }
    vs_buf_close(&value);
    mf_head_close(&head);
    return released;
}

/* ---- content ---- */

static void merge_close(struct merge *m)
{
    mf_head_close(&m->head);
    free(m->chunks);
    free(m->released);
}

static int merge_open(struct merge *m)
{
    int r = mf_head_decode(m->about->head, m->about->head_len, &m->head);

    if (r == 0)
        r = salvage_head_whole(m->s, &m->head);
    if (r == 0)
        r = salvage_head_chunks(m->s, &m->head, &m->chunks, &m->count);
    if (r < 0)
        return r;
    m->content = (struct ns_new_content){ .kind = NS_CONTENT_CHUNKS,
                                          .bytes = m->about->head,
                                          .bytes_len = m->about->head_len,
                                          .size = m->head.size,
                                          .flushed = m->about->flushed };
    for (size_t i = 0; i < m->count; i++) {
        const struct mf_chunk *c = &m->chunks[i];

        if (vs_id_is_zero(&c->id))
            continue;
        m->content.data_bytes += c->bytes;
        m->content.stored_bytes +=
            (uint64_t)vs_ec_fragment_bytes((size_t)c->bytes, c->red.k) * (c->red.k + c->red.m);
    }
    return 0;
}

static bool has_segment(const struct mf_head *h, const struct vs_id *id)
{
    for (uint32_t i = 0; i < h->segment_count; i++)
        if (vs_id_cmp(&h->segments[i].id, id) == 0)
            return true;
    return false;
}

static int chunk_cmp(const void *a, const void *b)
{
    return vs_id_cmp(&((const struct mf_chunk *)a)->id, &((const struct mf_chunk *)b)->id);
}

/* What the old content alone has goes. Its chunks are only known where its segments are left. */
static int merge_release(struct merge *m, const struct vs_buf *old)
{
    VS_AUTO_FREE struct mf_chunk *gone = NULL, *kept = NULL;
    struct mf_head head;
    size_t n = 0, count = 0, max;

    if (mf_head_decode(old->data, old->len, &head) < 0)
        return 0;
    if (salvage_head_chunks(m->s, &head, &gone, &count) < 0)
        count = 0;
    max = count + head.segment_count + 1;
    m->released = calloc(max, sizeof(*m->released));
    kept = calloc(m->count + 1, sizeof(*kept));
    for (size_t i = 0; kept != NULL && i < m->count; i++)
        kept[i] = m->chunks[i];
    if (kept != NULL && m->count > 0)
        qsort(kept, m->count, sizeof(*kept), chunk_cmp);
    for (uint32_t i = 0; m->released != NULL && i < head.segment_count; i++)
        if (!has_segment(&m->head, &head.segments[i].id))
            m->released[n++] = head.segments[i].id;
    for (size_t i = 0; kept != NULL && m->released != NULL && i < count; i++)
        if (!vs_id_is_zero(&gone[i].id) &&
            bsearch(&gone[i], kept, m->count, sizeof(*kept), chunk_cmp) == NULL)
            m->released[n++] = gone[i].id;
    mf_head_close(&head);
    m->content.released = m->released;
    m->content.released_count = n < NS_RELEASED_MAX ? n : NS_RELEASED_MAX;
    return kept != NULL && m->released != NULL ? 0 : -ENOMEM;
}

/* ---- into the namespace ---- */

static int fallback_dir(struct salvage *s, uint64_t *ret)
{
    struct meta_req req = { .op = META_LOOKUP,
                            .ino = NS_INO_ROOT,
                            .name = FALLBACK_NAME,
                            .name_len = strlen(FALLBACK_NAME) };
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .parent = NS_INO_ROOT,
                          .name = FALLBACK_NAME,
                          .name_len = strlen(FALLBACK_NAME),
                          .attr = { .mode = S_IFDIR | 0755, .uid = getuid(), .gid = getgid() } };
    struct ns_answer answer;
    int r = ns_read(s->rebuild.ns, &req);

    if (r == 0 && S_ISDIR(req.attr.mode)) {
        *ret = req.attr.ino;
        return 0;
    }
    r = salvage_apply(s, &e, &answer);
    if (r == 0)
        *ret = answer.attr.ino;
    return r == -EEXIST ? -ENOTDIR : r;
}

static int merge_parent(struct merge *m, uint64_t *ret)
{
    struct meta_req req = { .op = META_GETATTR, .ino = m->about->parent };

    if (req.ino != 0 && ns_read(m->s->rebuild.ns, &req) == 0 && S_ISDIR(req.attr.mode) &&
        req.attr.nlink > 0) {
        *ret = m->about->parent;
        return 0;
    }
    return fallback_dir(m->s, ret);
}

static int merge_create(struct merge *m)
{
    const struct file_about *a = m->about;
    char plain[32], numbered[NS_NAME_BYTES_MAX];
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .ino = a->ino,
                          .name = a->name,
                          .name_len = a->name_len,
                          .now = a->mtime,
                          .set = NS_SET_MTIME,
                          .attr = { .mode = S_ISREG(a->mode) ? a->mode : S_IFREG | 0644,
                                    .uid = a->uid,
                                    .gid = a->gid,
                                    .mtime = a->mtime },
                          .content = m->content };
    int r = merge_parent(m, &e.parent);

    if (a->name_len == 0) {
        e.name_len =
            (size_t)snprintf(plain, sizeof(plain), "file %llu", (unsigned long long)a->ino);
        e.name = plain;
    }
    if (r == 0)
        r = salvage_apply(m->s, &e, NULL);
    for (unsigned number = 2; r == -EEXIST && number < NS_NAME_NUMBER_MAX; number++) {
        const char *name = a->name_len > 0 ? a->name : plain;
        size_t len = a->name_len > 0 ? a->name_len : strlen(plain);

        e.name_len = ns_name_numbered(name, len, number, numbered);
        e.name = numbered;
        r = salvage_apply(m->s, &e, NULL);
    }
    if (r == 0 && (e.parent != a->parent || e.name == numbered))
        salvage_say(m->s, SALVAGE_CHANGED, "%.*s: its %s; it is %s%.*s now", (int)a->name_len,
                    a->name, e.parent != a->parent ? "folder is not known" : "name is taken",
                    e.parent != a->parent ? FALLBACK_NAME "/" : "", (int)e.name_len, e.name);
    return r;
}

/* A file of the copy has newer content. */
static int merge_swap(struct merge *m, const struct meta_req *now)
{
    struct ns_entry e = { .kind = NS_E_SWAP,
                          .ino = m->about->ino,
                          .now = m->about->mtime,
                          .base_version = now->attr.version };
    int r = now->attr.content == NS_CONTENT_CHUNKS ? merge_release(m, &now->bytes) : 0;

    e.content = m->content;
    return r < 0 ? r : salvage_apply(m->s, &e, NULL);
}

/* Nothing left of it: it was removed. */
static void merge_say_broken(struct salvage *s, const struct file_about *about, bool known)
{
    if (about->ino == NS_INO_COPY || !salvage_inode_seen(s, about->ino))
        return;
    if (known)
        salvage_say(s, SALVAGE_CHANGED,
                    "%.*s: a newer version is not whole on these stores; the one before is kept",
                    (int)about->name_len, about->name);
    else
        salvage_say(s, SALVAGE_LOST,
                    "%.*s: too few fragments of it are on these stores; give all there are",
                    (int)about->name_len, about->name);
}

/* 1: put in; 0: not whole, or of no use. */
static int merge_one(struct salvage *s, const struct file_about *about)
{
    struct merge m = { .s = s, .about = about };
    struct meta_req now = { .op = META_CONTENT, .ino = about->ino };
    bool open, newer;
    int r = is_newer(s, about->session, &open), known;

    if (r < 0)
        return r;
    newer = r > 0;
    known = ns_read(s->rebuild.ns, &now);
    if (!newer && (known == 0 || is_released(s, about))) {
        vs_buf_close(&now.bytes);
        return 0;
    }
    r = merge_open(&m);
    if (r == 0 && open)
        m.content.session = about->session;
    if (r == 0 && (known == 0 || about->ino == NS_INO_COPY))
        r = known == 0 && now.attr.nlink == 0 ? -ESTALE : merge_swap(&m, &now);
    else if (r == 0)
        r = merge_create(&m);
    merge_close(&m);
    vs_buf_close(&now.bytes);
    if (newer && (r == -ENOENT || r == -VS_ECORRUPT))
        merge_say_broken(s, about, known == 0);
    if (!newer && r == 0)
        salvage_say(s, SALVAGE_CHANGED,
                    "%.*s: the copy does not know it, and it is whole; it is back",
                    (int)about->name_len, about->name);
    if (r == 0 && about->ino != NS_INO_COPY)
        s->result->newer++;
    if (r == -EIO || r == -ENOMEM)
        return r;
    return r == 0;
}

int salvage_files_merge(struct salvage *s)
{
    VS_AUTO_FREE const struct file_about **all = calloc(s->note_count + 1, sizeof(*all));
    size_t count = 0;
    int r = 0;

    if (all == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < s->note_count; i++)
        if (s->notes[i].note.has_about)
            all[count++] = &s->notes[i].note.about;
    if (count > 0)
        qsort(all, count, sizeof(*all), about_cmp);
    for (size_t i = 0; r >= 0 && i < count;) {
        uint64_t ino = all[i]->ino;

        r = merge_one(s, all[i++]);
        while (i < count && all[i]->ino == ino) { /* older ones, as long as none was whole */
            if (r == 0)
                r = merge_one(s, all[i]);
            i++;
        }
    }
    return r < 0 ? r : 0;
}
