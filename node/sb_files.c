/* The table of superblock files. Ids only grow, so that adding is appending; finding is a binary
 * search. Failure modes: a file that cannot be opened is an error of that request alone. */
#include "node/sb_files.h"

#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"

#include <string.h>

#define FILES_FIRST 8u

void sb_files_init(struct sb_files *t, struct vs_io *io)
{
    *t = (struct sb_files){ .io = io };
    vs_list_init(&t->lru);
    pthread_mutex_init(&t->lock, NULL);
}

void sb_files_close(struct sb_files *t)
{
    if (t->io == NULL)
        return;
    for (uint32_t i = 0; i < t->count; i++) {
        VS_ASSERT(t->v[i]->pins == 0);
        vs_file_close(t->v[i]->fd);
        free(t->v[i]);
    }
    free(t->v);
    pthread_mutex_destroy(&t->lock);
    *t = (struct sb_files){ 0 };
}

/* Under t->lock: position of the first file with an id >= `id`. */
static uint32_t files_lower(const struct sb_files *t, uint64_t id)
{
    uint32_t low = 0, high = t->count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (t->v[mid]->id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int sb_files_add(struct sb_files *t, struct sb_file *f)
{
    uint32_t at;
    VS_LOCK_SCOPE(&t->lock);

    at = files_lower(t, f->id);
    if (at < t->count && t->v[at]->id == f->id)
        return -EEXIST;
    if (t->count == SB_FILES_MAX)
        return -ENOSPC;
    if (t->count == t->cap) {
        uint32_t cap = t->cap == 0 ? FILES_FIRST : 2 * t->cap;
        struct sb_file **v = realloc(t->v, cap * sizeof(struct sb_file *));

        if (v == NULL)
            return -ENOMEM;
        t->v = v;
        t->cap = cap;
    }
    memmove(&t->v[at + 1], &t->v[at], (t->count - at) * sizeof(t->v[0]));
    t->v[at] = f;
    t->count++;
    vs_list_init(&f->lru);
    return 0;
}

/* Under t->lock. */
static void lru_take(struct sb_files *t, struct sb_file *f)
{
    if (vs_list_empty(&f->lru))
        return;
    vs_list_del(&f->lru);
    t->lru_count--;
}

bool sb_files_remove(struct sb_files *t, uint64_t id)
{
    struct sb_file *f;
    uint32_t at;
    VS_LOCK_SCOPE(&t->lock);

    at = files_lower(t, id);
    VS_ASSERT(at < t->count && t->v[at]->id == id);
    f = t->v[at];
    if (f->pins > 0)
        return false;
    lru_take(t, f);
    vs_file_close(f->fd);
    free(f);
    t->count--;
    memmove(&t->v[at], &t->v[at + 1], (t->count - at) * sizeof(t->v[0]));
    return true;
}

struct sb_file *sb_files_find(struct sb_files *t, uint64_t id)
{
    uint32_t at;
    VS_LOCK_SCOPE(&t->lock);

    at = files_lower(t, id);
    return at < t->count && t->v[at]->id == id ? t->v[at] : NULL;
}

struct sb_file *sb_files_after(struct sb_files *t, uint64_t id)
{
    uint32_t at;
    VS_LOCK_SCOPE(&t->lock);

    at = files_lower(t, id + 1);
    return at < t->count ? t->v[at] : NULL;
}

uint64_t sb_files_next_id(struct sb_files *t, uint64_t id)
{
    uint32_t at;
    VS_LOCK_SCOPE(&t->lock);

    at = files_lower(t, id + 1);
    return at < t->count ? t->v[at]->id : 0;
}

uint64_t sb_files_id_below(struct sb_files *t, uint64_t id)
{
    uint32_t at;
    VS_LOCK_SCOPE(&t->lock);

    at = files_lower(t, id + 1);
    return at > 0 ? t->v[at - 1]->id : 0;
}

uint64_t sb_files_bytes(struct sb_files *t, uint64_t low, uint64_t high)
{
    uint64_t bytes = 0;
    VS_LOCK_SCOPE(&t->lock);

    for (uint32_t at = files_lower(t, low); at < t->count && t->v[at]->id <= high; at++)
        bytes += t->v[at]->append;
    return bytes;
}

static int pin(struct sb_files *t, uint64_t id, bool may_open, struct sb_file **ret)
{
    struct sb_file *f;
    uint32_t at;
    VS_LOCK_SCOPE(&t->lock);

    at = files_lower(t, id);
    if (at == t->count || t->v[at]->id != id)
        return -ENOENT;
    f = t->v[at];
    if (f->fd == NULL) {
        char name[SB_NAME_BYTES];
        int r;

        if (!may_open)
            return -EAGAIN;
        sb_name(id, name);
        r = vs_io_open(t->io, name, VS_IO_WRITE, &f->fd);
        if (r < 0)
            return r;
    }
    lru_take(t, f);
    f->pins++;
    *ret = f;
    return 0;
}

int sb_files_pin(struct sb_files *t, uint64_t id, struct sb_file **ret)
{
    return pin(t, id, true, ret);
}

int sb_files_pin_open(struct sb_files *t, uint64_t id, struct sb_file **ret)
{
    return pin(t, id, false, ret);
}

void sb_files_pin_again(struct sb_files *t, struct sb_file *f)
{
    VS_LOCK_SCOPE(&t->lock);

    VS_ASSERT(f->pins > 0 && f->fd != NULL);
    f->pins++;
}

void sb_files_pin_fd(struct sb_files *t, struct sb_file *f, struct vs_file *fd)
{
    VS_LOCK_SCOPE(&t->lock);

    VS_ASSERT(f->pins == 0 && f->fd == NULL);
    f->fd = fd;
    f->pins = 1;
}

void sb_files_unpin(struct sb_files *t, struct sb_file *f)
{
    VS_LOCK_SCOPE(&t->lock);

    VS_ASSERT(f->pins > 0);
    if (--f->pins > 0)
        return;
    vs_list_add_tail(&t->lru, &f->lru);
    t->lru_count++;
    while (t->lru_count > SB_FILES_OPEN_MAX) {
        struct sb_file *oldest = vs_list_first(&t->lru, struct sb_file, lru);

        lru_take(t, oldest);
        vs_file_close(oldest->fd);
        oldest->fd = NULL;
    }
}
