/* inbox_dirs: the directories inside the inbox: which they are, which are emptied.
 *
 * A directory is emptied when a name left it and nothing is in it but emptied directories. It is
 * hidden from listings then; the next name made in it, or below it, shows it again. */
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/inbox_state.h"
#include "fs/names.h"
#include "fs/notify.h"
#include "fs/provisional.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DIRS_BATCH 64

/* under b->lock */
static struct inbox_dir *dirs_find(struct inbox *b, uint64_t ino)
{
    struct inbox_dir *d;

    HASH_FIND(hh, b->dirs, &ino, sizeof(ino), d);
    return d;
}

void inbox_dirs_close(struct inbox *b)
{
    struct inbox_dir *d, *next;

    HASH_ITER (hh, b->dirs, d, next) {
        HASH_DEL(b->dirs, d);
        free(d);
    }
}

/* under b->lock */
static void dir_count_child(struct inbox *b, uint64_t parent, int n)
{
    struct inbox_dir *d = dirs_find(b, parent);

    if (d != NULL)
        d->children += (unsigned)n;
}

/* under b->lock */
static void dir_delete(struct inbox *b, struct inbox_dir *d)
{
    dir_count_child(b, d->parent, -1);
    HASH_DEL(b->dirs, d);
    free(d);
}

/* under b->lock */
static void dir_set_name(struct inbox *b, struct inbox_dir *d, uint64_t parent, const char *name,
                         size_t len)
{
    if (d->parent != parent) {
        dir_count_child(b, d->parent, -1);
        dir_count_child(b, parent, 1);
        d->parent = parent;
    }
    if (name == NULL || len > NS_NAME_BYTES_MAX)
        return;
    memmove(d->name, name, len);
    d->name_len = (uint8_t)len;
}

bool inbox_dir_seen(struct inbox *b, uint64_t parent, const char *name, size_t len,
                    const struct ns_attr *dir)
{
    struct inbox_dir *d;

    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir->ino);
    if (d == NULL && dir->ino != NS_INO_INBOX && dirs_find(b, parent) == NULL)
        return false;
    if (d == NULL) {
        if (HASH_COUNT(b->dirs) >= INBOX_DIRS_MAX)
            return true;
        d = calloc(1, sizeof(*d));
        if (d == NULL)
            return true; /* what is made below it is found by a recovery */
        d->ino = dir->ino;
        HASH_ADD(hh, b->dirs, ino, sizeof(d->ino), d);
    }
    dir_set_name(b, d, parent, name, len);
    d->mirror = d->ino == NS_INO_INBOX ? NS_INO_ROOT : dir->mirror;
    return true;
}

bool inbox_has_dir(struct inbox *b, uint64_t dir)
{
    bool has;

    pthread_mutex_lock(&b->lock);
    has = dirs_find(b, dir) != NULL;
    pthread_mutex_unlock(&b->lock);
    if (has)
        inbox_touch(b);
    return has;
}

bool inbox_dir_hidden(struct inbox *b, uint64_t dir)
{
    struct inbox_dir *d;

    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir);
    return d != NULL && d->emptied;
}

uint64_t inbox_dir_mirror(struct inbox *b, uint64_t dir)
{
    struct inbox_dir *d;

    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir);
    return d != NULL ? d->mirror : 0;
}

void inbox_dir_set_mirror(struct inbox *b, uint64_t dir, uint64_t mirror)
{
    struct inbox_dir *d;

    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir);
    if (d != NULL)
        d->mirror = mirror;
}

void inbox_dir_moved(struct inbox *b, uint64_t dir, uint64_t parent, const char *name, size_t len)
{
    struct inbox_dir *d;

    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir);
    if (d != NULL)
        dir_set_name(b, d, parent, name, len);
}

/* under b->lock: is `d` below `above`, or it? */
static bool dir_is_below(struct inbox *b, const struct inbox_dir *d, uint64_t above)
{
    for (unsigned n = 0; d != NULL && n < INBOX_DEPTH_MAX; n++) {
        if (d->ino == above)
            return true;
        d = dirs_find(b, d->parent);
    }
    return false;
}

void inbox_dir_gone(struct inbox *b, uint64_t dir)
{
    struct inbox_dir *d, *next;

    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir);
    if (d == NULL || dir == NS_INO_INBOX)
        return;
    if (d->children == 0) {
        dir_delete(b, d);
        return;
    }
    HASH_ITER (hh, b->dirs, d, next) { /* first mark: the way up goes through the table */
        if (dir_is_below(b, d, dir))
            d->uses = UINT64_MAX;
    }
    HASH_ITER (hh, b->dirs, d, next) {
        if (d->uses == UINT64_MAX)
            dir_delete(b, d);
    }
}

void inbox_dir_used(struct inbox *b, uint64_t dir)
{
    struct inbox_dir *d;

    pthread_mutex_lock(&b->lock);
    d = dirs_find(b, dir);
    for (unsigned n = 0; d != NULL && n < INBOX_DEPTH_MAX; n++) {
        d->uses++;
        d->emptied = false;
        d = dirs_find(b, d->parent);
    }
    pthread_mutex_unlock(&b->lock);
    inbox_touch(b);
}

bool inbox_dir_busy(struct vsfs *fs, uint64_t dir)
{
    struct inbox *b = fs->inbox;
    struct inbox_dir *d, *next;

    if (provisional_any(fs->provisional, dir))
        return true;
    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir);
    if (d == NULL || d->children == 0)
        return false;
    HASH_ITER (hh, b->dirs, d, next) {
        if (provisional_any(fs->provisional, d->ino) && dir_is_below(b, d, dir))
            return true;
    }
    return false;
}

void inbox_path(struct inbox *b, uint64_t dir, const char *name, size_t len,
                char ret[INBOX_PATH_MAX])
{
    size_t at = INBOX_PATH_MAX - 1;
    struct inbox_dir *d;

    ret[at] = '\0';
    at -= len;
    memcpy(ret + at, name, len);
    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir);
    for (unsigned n = 0; d != NULL && d->ino != NS_INO_INBOX && n < INBOX_DEPTH_MAX; n++) {
        if (d->name_len + 1u > at)
            break;
        ret[--at] = '/';
        at -= d->name_len;
        memcpy(ret + at, d->name, d->name_len);
        d = dirs_find(b, d->parent);
    }
    memmove(ret, ret + at, INBOX_PATH_MAX - at);
}

int inbox_dirs_all(struct inbox *b, uint64_t **ret, size_t *ret_count)
{
    struct inbox_dir *d, *next;
    uint64_t *all;
    size_t n = 0;

    VS_LOCK_SCOPE(&b->lock);
    all = malloc((HASH_COUNT(b->dirs) + 1) * sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    HASH_ITER (hh, b->dirs, d, next)
        all[n++] = d->ino;
    *ret = all;
    *ret_count = n;
    return 0;
}

/* ---- emptied ---- */

/* 1: nothing but emptied directories is stored in it. */
static int dir_looks_empty(struct vsfs *fs, uint64_t dir)
{
    struct ns_dirent *items = malloc(DIRS_BATCH * sizeof(*items));
    struct meta_req req = {
        .op = META_READDIR, .ino = dir, .dirents = items, .dirents_max = DIRS_BATCH
    };
    int r = items != NULL ? 1 : -ENOMEM;

    while (r == 1) {
        int e = meta_call(fs->meta, &req);

        if (e < 0)
            r = e;
        if (e < 0 || req.dirents_count == 0)
            break;
        for (uint32_t n = 0; r == 1 && n < req.dirents_count; n++) {
            if (!S_ISDIR(items[n].attr.mode) || !inbox_dir_hidden(fs->inbox, items[n].attr.ino))
                r = 0;
        }
        req.cookie = items[req.dirents_count - 1].cookie;
    }
    free(items);
    return r;
}

/* Mark it if nothing was made in it since `uses`. The directory above, or 0. */
static uint64_t dir_mark(struct inbox *b, uint64_t dir, uint64_t uses)
{
    struct inbox_dir *d;

    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir);
    if (d == NULL || d->uses != uses || d->emptied)
        return 0;
    d->emptied = true;
    b->swept = false;
    inbox_tick_by(b, vs_now_ns(b->fs->clock) + INBOX_DIR_WAIT_S * VS_NS_PER_S);
    return d->parent;
}

static bool dir_uses(struct inbox *b, uint64_t dir, uint64_t *ret)
{
    struct inbox_dir *d;

    VS_LOCK_SCOPE(&b->lock);
    d = dirs_find(b, dir);
    if (d != NULL)
        *ret = d->uses;
    return d != NULL;
}

void inbox_dir_left(struct vsfs *fs, uint64_t dir)
{
    struct inbox *b = fs->inbox;
    uint64_t uses;

    for (unsigned n = 0; n < INBOX_DEPTH_MAX && dir != 0 && dir != NS_INO_INBOX; n++) {
        if (!dir_uses(b, dir, &uses) || provisional_any(fs->provisional, dir) ||
            dir_looks_empty(fs, dir) != 1)
            return;
        dir = dir_mark(b, dir, uses);
    }
}

/* ---- sweep ---- */

/* RMDIR takes empty directories below it along. */
static int sweep_one(struct vsfs *fs, uint64_t dir, const struct ns_dirent *d, unsigned depth)
{
    struct ns_entry e = {
        .kind = NS_E_RMDIR, .parent = dir, .name = d->name, .name_len = d->name_len
    };
    struct ns_answer answer;
    int r = inbox_dir_busy(fs, d->attr.ino) ? -ENOTEMPTY : vsfs_change(fs, &e, &answer);

    if (r == -ENOTEMPTY)
        return inbox_dirs_sweep(fs, d->attr.ino, depth + 1);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    inbox_dir_gone(fs->inbox, d->attr.ino);
    names_lost(fs, &answer.replaced);
    notify_entry(fs->notify, dir, d->name, d->name_len);
    return 0;
}

int inbox_dirs_sweep(struct vsfs *fs, uint64_t dir, unsigned depth)
{
    struct ns_dirent *items;
    struct meta_req req = { .op = META_READDIR, .ino = dir, .dirents_max = DIRS_BATCH };
    int r = 0;

    if (depth > INBOX_DEPTH_MAX)
        return 0;
    items = malloc(DIRS_BATCH * sizeof(*items));
    if (items == NULL)
        return -ENOMEM;
    req.dirents = items;
    do {
        r = meta_call(fs->meta, &req);
        for (uint32_t n = 0; r == 0 && n < req.dirents_count; n++) {
            if (S_ISDIR(items[n].attr.mode))
                r = sweep_one(fs, dir, &items[n], depth);
        }
        if (r == 0 && req.dirents_count > 0)
            req.cookie = items[req.dirents_count - 1].cookie;
    } while (r == 0 && req.dirents_count > 0);
    free(items);
    return r;
}
