/* sb_scan: see the header.
 *
 * Happy path: walk all files, gather records and TOMBs, sort, keep what lives. Failure modes: a
 * file without a good header, or a gap in one, is counted as damaged and stepped over. */
#include "node/sb_scan.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "node/sb_ident.h"
#include "node/sb_walk.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_RECORDS_MAX (UINT64_C(1) << 32)

struct scan_tomb {
    struct frag_key key;
    uint64_t birth;
};

struct scan_salt {
    uint64_t sb, salt;
};

/* What is gathered; salts stay for reading. */
struct scan_work {
    struct sb_scan *s;
    uint64_t frag_cap;
    struct scan_tomb *tombs;
    uint64_t tomb_count, tomb_cap;
    uint64_t *files;
    uint64_t file_count, file_cap;
};

struct scan_salts {
    struct scan_salt *v;
    uint64_t count;
};

/* Room for one more in an array. */
static int scan_grow(void *array, uint64_t count, uint64_t *cap, size_t each)
{
    uint64_t want = *cap > 0 ? *cap * 2 : 64;
    void **v = array, *more;

    if (count < *cap)
        return 0;
    if (want > SCAN_RECORDS_MAX)
        return -ENOMEM;
    more = reallocarray(*v, want, each);
    if (more == NULL)
        return -ENOMEM;
    *v = more;
    *cap = want;
    return 0;
}

/* ---- gathering ---- */

static int scan_data(struct scan_work *w, const struct sb_record *rec)
{
    struct sb_scan *s = w->s;
    struct sb_scan_frag *f;
    int r = scan_grow(&s->frags, s->count, &w->frag_cap, sizeof(*s->frags));

    if (r < 0)
        return r;
    f = &s->frags[s->count++];
    *f = (struct sb_scan_frag){ .key = rec->key,
                                .red = rec->note.red,
                                .chunk_bytes = rec->note.chunk_bytes,
                                .payload_bytes = rec->payload_bytes,
                                .table_crc = rec->table_crc,
                                .session = rec->note.session,
                                .inode = rec->note.inode,
                                .birth = rec->birth,
                                .sb = rec->sb,
                                .offset = rec->offset };
    memcpy(f->sha256, rec->sha256, sizeof(f->sha256));
    return 0;
}

static int scan_tombs(struct scan_work *w, const struct sb_walk_record *wr)
{
    int count = sb_tomb_count(wr->rec->payload_bytes);

    for (int i = 0; i < count; i++) {
        struct sb_tomb t;
        int r = scan_grow(&w->tombs, w->tomb_count, &w->tomb_cap, sizeof(*w->tombs));

        if (r < 0)
            return r;
        if (sb_tomb_decode(wr->payload, (unsigned)i, &t) == 0)
            w->tombs[w->tomb_count++] = (struct scan_tomb){ t.key, t.birth };
    }
    return 0;
}

static int scan_record(void *arg, const struct sb_walk_record *wr)
{
    struct scan_work *w = arg;

    switch (wr->rec->type) {
    case SB_DATA:
        return scan_data(w, wr->rec);
    case SB_TOMB:
        if (wr->good)
            return scan_tombs(w, wr);
        w->s->damaged++;
        return 0;
    default:
        return 0;
    }
}

static int scan_gap(void *arg, uint64_t from, uint64_t to, uint64_t seq)
{
    struct scan_work *w = arg;

    (void)from;
    (void)to;
    (void)seq;
    w->s->damaged++;
    return 0;
}

static int scan_file_seen(void *arg, const char *name, uint64_t file_bytes)
{
    struct scan_work *w = arg;
    uint64_t sb = sb_name_parse(name);
    int r = scan_grow(&w->files, w->file_count, &w->file_cap, sizeof(*w->files));

    if (r == 0 && sb != 0 && file_bytes > SB_RECORDS_OFFSET)
        w->files[w->file_count++] = sb;
    return r;
}

/* 0 also when the file is of no use, which is counted. */
static int scan_file(struct scan_work *w, struct scan_salts *salts, uint64_t sb)
{
    struct sb_scan *s = w->s;
    char name[SB_NAME_BYTES];
    struct sb_walk walk = { .id = sb,
                            .from = SB_RECORDS_OFFSET,
                            .check = SB_WALK_HEADERS,
                            .arg = w,
                            .record = scan_record,
                            .gap = scan_gap };
    struct sb_super super;
    unsigned bad;
    int r;

    sb_name(sb, name);
    r = vs_io_open(s->io, name, VS_IO_READ, &walk.f);
    if (r == 0)
        r = sb_file_read_super(walk.f, sb, &super, &bad);
    if (r == 0 &&
        (vs_id_cmp(&super.cluster, &s->cluster) != 0 || vs_id_cmp(&super.node, &s->node) != 0))
        r = -VS_ECORRUPT;
    if (r == 0)
        r = vs_file_size(walk.f, &walk.to);
    if (r == 0) {
        walk.salt = super.salt;
        salts->v[salts->count++] = (struct scan_salt){ sb, super.salt };
        r = sb_walk_run(&walk);
    }
    vs_file_close(walk.f);
    if (r == 0 || r == -ENOMEM || r == -VS_ENEWER)
        return r;
    s->damaged++;
    return 0;
}

/* ---- what lives ---- */

static int frag_by_key(const void *a, const void *b)
{
    const struct sb_scan_frag *x = a, *y = b;
    int c = frag_key_cmp(&x->key, &y->key);

    if (c != 0)
        return c;
    return x->birth > y->birth ? -1 : x->birth < y->birth; /* the one that counts first */
}

static int tomb_by_key(const void *a, const void *b)
{
    const struct scan_tomb *x = a, *y = b;
    int c = frag_key_cmp(&x->key, &y->key);

    if (c != 0)
        return c;
    return x->birth > y->birth ? -1 : x->birth < y->birth;
}

static void scan_settle(struct scan_work *w)
{
    struct sb_scan *s = w->s;
    uint64_t tomb = 0, kept = 0;

    if (s->count > 0)
        qsort(s->frags, s->count, sizeof(*s->frags), frag_by_key);
    if (w->tomb_count > 0)
        qsort(w->tombs, w->tomb_count, sizeof(*w->tombs), tomb_by_key);
    for (uint64_t i = 0; i < s->count; i++) {
        const struct sb_scan_frag *f = &s->frags[i];

        if (i > 0 && frag_key_cmp(&f->key, &s->frags[i - 1].key) == 0)
            continue; /* an older one: kept is at most i, so frags[i - 1] may be overwritten only
                         by itself */
        while (tomb < w->tomb_count && frag_key_cmp(&w->tombs[tomb].key, &f->key) < 0)
            tomb++;
        if (tomb < w->tomb_count && frag_key_cmp(&w->tombs[tomb].key, &f->key) == 0 &&
            w->tombs[tomb].birth > f->birth)
            continue;
        s->bytes += f->payload_bytes;
        s->frags[kept++] = *f;
    }
    s->count = kept;
}

/* ---- open, close ---- */

static int scan_all(struct scan_work *w)
{
    struct scan_salts *salts = calloc(1, sizeof(*salts));
    int r = salts != NULL ? vs_io_list(w->s->io, scan_file_seen, w) : -ENOMEM;

    w->s->priv = salts;
    if (r == 0) {
        salts->v = calloc(w->file_count + 1, sizeof(*salts->v));
        r = salts->v != NULL ? 0 : -ENOMEM;
    }
    for (uint64_t i = 0; r == 0 && i < w->file_count; i++)
        r = scan_file(w, salts, w->files[i]);
    return r;
}

int sb_scan_open(struct sb_scan *ret, struct vs_io *io)
{
    struct scan_work w = { .s = ret };
    struct sb_ident id;
    bool damaged;
    int r;

    *ret = (struct sb_scan){ .io = io };
    r = sb_ident_find(io, &id, &damaged);
    if (r == 0) {
        ret->cluster = id.cluster;
        ret->node = id.node;
        ret->damaged = damaged;
        r = scan_all(&w);
    }
    if (r == 0)
        scan_settle(&w);
    free(w.tombs);
    free(w.files);
    if (r < 0)
        sb_scan_close(ret);
    return r;
}

void sb_scan_close(struct sb_scan *s)
{
    struct scan_salts *salts = s->priv;

    if (salts != NULL)
        free(salts->v);
    free(salts);
    free(s->frags);
    vs_io_free(s->io);
    *s = (struct sb_scan){ 0 };
}

/* ---- reading ---- */

const struct sb_scan_frag *sb_scan_find(const struct sb_scan *s, const struct vs_id *chunk,
                                        uint64_t *ret_count)
{
    uint64_t low = 0, high = s->count, n = 0;

    while (low < high) {
        uint64_t mid = low + (high - low) / 2;

        if (vs_id_cmp(&s->frags[mid].key.chunk, chunk) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    while (low + n < s->count && vs_id_cmp(&s->frags[low + n].key.chunk, chunk) == 0)
        n++;
    *ret_count = n;
    return n > 0 ? &s->frags[low] : NULL;
}

int sb_scan_read(struct sb_scan *s, const struct sb_scan_frag *f, void *dst)
{
    const struct scan_salts *salts = s->priv;
    VS_AUTO_FREE struct sb_record *rec = malloc(sizeof(*rec));
    struct vs_buf payload = { 0 };
    char name[SB_NAME_BYTES];
    struct vs_file *file;
    uint64_t i = 0;
    int r;

    while (i < salts->count && salts->v[i].sb != f->sb)
        i++;
    if (rec == NULL || i == salts->count)
        return rec == NULL ? -ENOMEM : -VS_ECORRUPT;
    sb_name(f->sb, name);
    r = vs_io_open(s->io, name, VS_IO_READ, &file);
    if (r < 0)
        return r;
    r = sb_file_read_record(file, f->sb, salts->v[i].salt, f->offset, rec);
    if (r == 0 && (frag_key_cmp(&rec->key, &f->key) != 0 || rec->payload_bytes != f->payload_bytes))
        r = -VS_ECORRUPT;
    if (r == 0)
        r = sb_file_read_payload(file, rec, &payload);
    if (r == 0 && payload.len > 0)
        memcpy(dst, payload.data, payload.len);
    vs_buf_close(&payload);
    vs_file_close(file);
    return r;
}
