/* The stores of a salvage: found, scanned, and what they say of files gathered.
 *
 * Happy path: a directory is a store, or has stores in nodes/ or right below it. Failure: one that
 * holds none, or the store of another cluster, ends it before anything is made. */
#include "common/cleanup.h"
#include "common/err.h"
#include "meta/salvage_impl.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- finding ---- */

static bool has_store(const char *path)
{
    VS_AUTO_FREE char *ident = NULL;
    struct stat st;
    DIR *dir;
    struct dirent *e;
    bool found = false;

    if (asprintf(&ident, "%s/store.id", path) < 0)
        return false;
    if (stat(ident, &st) == 0)
        return true;
    dir = opendir(path); /* store.id may be lost, too */
    while (dir != NULL && !found && (e = readdir(dir)) != NULL)
        found = strncmp(e->d_name, "sb-", 3) == 0;
    if (dir != NULL)
        closedir(dir);
    return found;
}

static int store_open(struct salvage *s, const char *path)
{
    struct salvage_store *st = &s->stores[s->store_count];
    VS_AUTO_FREE char *real = NULL;
    struct vs_io *io;
    int r;

    if (s->store_count == STORE_SET_MAX)
        return salvage_fail(s, -EINVAL, "more than %u stores were given", STORE_SET_MAX);
    r = vs_io_posix_new(&io, path);
    if (r == 0)
        r = sb_scan_open(&st->scan, io);
    if (r < 0)
        return salvage_fail(s, r,
                            "%s: the store cannot be read: %s; leave it out, any three of "
                            "five are enough",
                            path, vs_err_text(r));
    if (s->store_count == 0)
        s->cluster = st->scan.cluster;
    if (vs_id_cmp(&s->cluster, &st->scan.cluster) != 0) {
        sb_scan_close(&st->scan);
        return salvage_fail(s, -ESTALE,
                            "%s: the store of another cluster than %s; give the stores "
                            "of one cluster",
                            path, s->stores[0].path);
    }
    for (unsigned i = 0; i < s->store_count; i++)
        if (vs_id_cmp(&s->stores[i].scan.node, &st->scan.node) == 0) {
            sb_scan_close(&st->scan); /* given twice */
            return 0;
        }
    real = realpath(path, NULL);
    snprintf(st->path, sizeof(st->path), "%.255s", real != NULL ? real : path);
    s->store_count++;
    s->result->fragments += st->scan.count;
    s->result->damaged += st->scan.damaged;
    salvage_say(s, SALVAGE_INFO, "%s: %llu fragments, %llu damaged records", path,
                (unsigned long long)st->scan.count, (unsigned long long)st->scan.damaged);
    return 0;
}

static int name_cmp(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Stores right below `path`: how many, or an error. */
static int stores_below(struct salvage *s, const char *path)
{
    struct dirent **list;
    int n = scandir(path, &list, NULL, name_cmp), found = 0;

    if (n < 0)
        return 0;
    for (int i = 0; i < n; i++) {
        VS_AUTO_FREE char *child = NULL;

        if (found >= 0 && list[i]->d_name[0] != '.' &&
            asprintf(&child, "%s/%s", path, list[i]->d_name) >= 0 && has_store(child)) {
            int r = store_open(s, child);

            found = r < 0 ? r : found + 1;
        }
        free(list[i]);
    }
    free(list);
    return found;
}

static int dir_open(struct salvage *s, const char *path)
{
    VS_AUTO_FREE char *nodes = NULL;
    int r;

    if (has_store(path))
        return store_open(s, path);
    if (asprintf(&nodes, "%s/nodes", path) < 0)
        return -ENOMEM;
    r = stores_below(s, nodes);
    if (r == 0)
        r = stores_below(s, path);
    if (r == 0)
        return salvage_fail(s, -ENOENT, "%s: no store is there, nor in a folder of it", path);
    return r < 0 ? r : 0;
}

/* ---- what they say ---- */

static int id_cmp(const void *a, const void *b)
{
    return vs_id_cmp(a, b);
}

static int u64_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* A copy that checks, from any store. */
static int note_read(struct salvage *s, struct salvage_note *n)
{
    for (unsigned i = 0; i < s->store_count; i++) {
        struct sb_scan *scan = &s->stores[i].scan;
        const struct sb_scan_frag *f;
        uint64_t count;

        f = sb_scan_find(scan, &n->id, &count);
        for (uint64_t k = 0; k < count; k++) {
            int r;

            n->bytes.len = 0;
            r = vs_buf_reserve(&n->bytes, f[k].payload_bytes, SEGMENT_NOTE_BYTES_MAX);
            if (r == -ENOMEM)
                return r;
            if (r == 0)
                r = sb_scan_read(scan, &f[k], n->bytes.data);
            if (r == 0)
                r = segment_note_decode(n->bytes.data, f[k].payload_bytes, &n->note);
            if (r == 0)
                return 0;
        }
    }
    return -VS_ECORRUPT;
}

static int notes_gather(struct salvage *s, struct vs_id *ids, size_t count)
{
    if (count > 0)
        qsort(ids, count, sizeof(*ids), id_cmp);
    s->notes = calloc(count + 1, sizeof(*s->notes));
    if (s->notes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct salvage_note *n = &s->notes[s->note_count];
        int r;

        if (i > 0 && vs_id_cmp(&ids[i], &ids[i - 1]) == 0)
            continue;
        n->id = ids[i];
        r = note_read(s, n);
        if (r == -ENOMEM)
            return r;
        if (r == 0) {
            s->note_count++;
            continue;
        }
        vs_buf_close(&n->bytes);
        s->result->damaged++;
    }
    return 0;
}

static int records_gather(struct salvage *s)
{
    VS_AUTO_FREE struct vs_id *ids = calloc(s->result->fragments + 1, sizeof(*ids));
    size_t count = 0, kept = 0;

    s->inodes = calloc(s->result->fragments + 1, sizeof(*s->inodes));
    if (ids == NULL || s->inodes == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < s->store_count; i++)
        for (uint64_t k = 0; k < s->stores[i].scan.count; k++) {
            const struct sb_scan_frag *f = &s->stores[i].scan.frags[k];

            if (vs_id_type(&f->key.chunk) == VS_ID_SEGMENT)
                ids[count++] = f->key.chunk;
            else
                s->inodes[s->inode_count++] = f->inode;
        }
    if (s->inode_count > 0)
        qsort(s->inodes, s->inode_count, sizeof(*s->inodes), u64_cmp);
    for (size_t i = 0; i < s->inode_count; i++)
        if (i == 0 || s->inodes[i] != s->inodes[i - 1])
            s->inodes[kept++] = s->inodes[i];
    s->inode_count = kept;
    return notes_gather(s, ids, count);
}

int salvage_stores_open(struct salvage *s)
{
    int r = 0;

    for (unsigned i = 0; r == 0 && i < s->config->dir_count; i++)
        r = dir_open(s, s->config->dirs[i]);
    s->result->stores = s->store_count;
    if (r == 0 && s->store_count == 0)
        r = salvage_fail(s, -EINVAL, "no store was given");
    return r < 0 ? r : records_gather(s);
}

void salvage_stores_close(struct salvage *s)
{
    for (unsigned i = 0; i < s->store_count; i++)
        sb_scan_close(&s->stores[i].scan);
    for (size_t i = 0; i < s->note_count; i++)
        vs_buf_close(&s->notes[i].bytes);
    free(s->notes);
    free(s->inodes);
}

const struct salvage_note *salvage_note_find(const struct salvage *s, const struct vs_id *id)
{
    size_t low = 0, high = s->note_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = vs_id_cmp(&s->notes[mid].id, id);

        if (c == 0)
            return &s->notes[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

bool salvage_inode_seen(const struct salvage *s, uint64_t ino)
{
    return bsearch(&ino, s->inodes, s->inode_count, sizeof(ino), u64_cmp) != NULL;
}
