/* inode_table: the inode objects of a mount, by number.
 *
 * Happy path: the kernel looks a name up, the object is made and counted; the kernel forgets it and
 * nobody else holds it: it is freed. Failure: out of memory is NULL; a forget of more than was
 * counted cannot happen (the kernel counts what we told it).
 *
 * Lock order: t->reserve alone (it is held across a journal change), t->lock innermost. */
#include "fs/inode_table.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/log.h"
#include "fs/file_xattrs.h"
#include "fs/wfile.h"
#include <stdlib.h>

struct inode_table {
    struct vsfs *fs;
    pthread_mutex_t lock; /* by_ino, and nlookup and refs of every object; next_alias */
    struct inode *by_ino;
    uint64_t next_alias;
    pthread_mutex_t reserve; /* the two below */
    uint64_t next_ino, end_ino;
};

int inode_table_new(struct inode_table **ret, struct vsfs *fs)
{
    struct inode_table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return -ENOMEM;
    t->fs = fs;
    t->next_alias = INODE_ALIAS_FIRST;
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->reserve, NULL);
    /* stays: what the kernel was told of it is the way to `.vstack` without metadata */
    if (inode_get(t, NS_INO_ROOT) == NULL) {
        inode_table_free(t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

static void inode_free(struct inode *i)
{
    content_put(i->content);
    file_xattrs_free(i->xattrs);
    pthread_mutex_destroy(&i->names);
    pthread_mutex_destroy(&i->lock);
    free(i);
}

/* A stop under an open writer: as a crash would, it leaves what was committed. */
static void inode_lose_writes(struct vsfs *fs, struct inode *i)
{
    if (wfile_dirty(i) && !i->unlinked)
        vs_warn("%.*s: still being written at the stop -> what was not flushed is not kept",
                (int)i->name_len, i->name);
    wfile_drop(fs, i);
}

void inode_table_free(struct inode_table *t)
{
    struct inode *i, *next;

    if (t == NULL)
        return;
    HASH_ITER (hh, t->by_ino, i, next) { /* an unmount does not forget one by one */
        HASH_DEL(t->by_ino, i);
        inode_lose_writes(t->fs, i);
        inode_free(i);
    }
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->reserve);
    free(t);
}

/* under t->lock */
static struct inode *inode_find_locked(struct inode_table *t, uint64_t ino)
{
    struct inode *i;

    HASH_FIND(hh, t->by_ino, &ino, sizeof(ino), i);
    if (i != NULL)
        i->refs++;
    return i;
}

/* under t->lock */
static struct inode *inode_add_locked(struct inode_table *t, uint64_t ino, uint64_t alias_of)
{
    struct inode *i = calloc(1, sizeof(*i));

    if (i == NULL)
        return NULL;
    i->ino = ino;
    i->alias_of = alias_of;
    i->refs = 1;
    pthread_mutex_init(&i->names, NULL);
    pthread_mutex_init(&i->lock, NULL);
    HASH_ADD(hh, t->by_ino, ino, sizeof(i->ino), i);
    return i;
}

struct inode *inode_get(struct inode_table *t, uint64_t ino)
{
    struct inode *i;

    VS_LOCK_SCOPE(&t->lock);
    i = inode_find_locked(t, ino);
    return i != NULL ? i : inode_add_locked(t, ino, 0);
}

struct inode *inode_find(struct inode_table *t, uint64_t ino)
{
    VS_LOCK_SCOPE(&t->lock);
    return inode_find_locked(t, ino);
}

struct inode *inode_ref(struct inode *i, struct inode_table *t)
{
    VS_LOCK_SCOPE(&t->lock);
    VS_ASSERT(i->refs > 0 || i->nlookup > 0);
    i->refs++;
    return i;
}

/* under t->lock; true: the caller frees it after unlocking */
static bool inode_unused_locked(struct inode_table *t, struct inode *i)
{
    if (i->refs > 0 || i->nlookup > 0)
        return false;
    HASH_DEL(t->by_ino, i);
    return true;
}

void inode_put(struct inode_table *t, struct inode *i)
{
    bool unused;

    if (i == NULL)
        return;
    pthread_mutex_lock(&t->lock);
    VS_ASSERT(i->refs > 0);
    i->refs--;
    unused = inode_unused_locked(t, i);
    pthread_mutex_unlock(&t->lock);
    if (unused)
        inode_free(i);
}

void inode_looked_up(struct inode_table *t, struct inode *i)
{
    VS_LOCK_SCOPE(&t->lock);
    i->nlookup++;
}

void inode_forget(struct inode_table *t, uint64_t ino, uint64_t n)
{
    struct inode *i;
    bool unused = false;

    pthread_mutex_lock(&t->lock);
    HASH_FIND(hh, t->by_ino, &ino, sizeof(ino), i);
    if (i != NULL) {
        i->nlookup -= n < i->nlookup ? n : i->nlookup;
        unused = inode_unused_locked(t, i);
    }
    pthread_mutex_unlock(&t->lock);
    if (unused)
        inode_free(i);
}

struct content *inode_take_content(struct inode *i, struct content *c)
{
    struct content *old = NULL;

    if (c->version < i->version || c->version < i->cached_version)
        return NULL;
    i->version = c->version; /* what is older is not taken any more, however late it comes */
    old = i->content;
    i->content = content_ref(c);
    return old;
}

bool inode_is_known(struct inode_table *t, uint64_t ino)
{
    struct inode *i;

    VS_LOCK_SCOPE(&t->lock);
    HASH_FIND(hh, t->by_ino, &ino, sizeof(ino), i);
    return i != NULL && i->nlookup > 0;
}

int64_t inode_list(struct inode_table *t, uint64_t **ret)
{
    struct inode *i, *next;
    int64_t n = 0;

    VS_LOCK_SCOPE(&t->lock);
    *ret = malloc((HASH_COUNT(t->by_ino) + 1) * sizeof(**ret));
    if (*ret == NULL)
        return -ENOMEM;
    HASH_ITER (hh, t->by_ino, i, next)
        (*ret)[n++] = i->ino;
    return n;
}

struct inode *inode_resolve(struct inode_table *t, uint64_t ino)
{
    struct inode *i;

    VS_LOCK_SCOPE(&t->lock);
    i = inode_find_locked(t, ino);
    if (i != NULL && i->alias_of != 0) {
        i->refs--; /* the kernel knows it: it stays */
        ino = i->alias_of;
        i = inode_find_locked(t, ino);
    }
    return i != NULL ? i : inode_add_locked(t, ino, 0);
}

int inode_number_new(struct inode_table *t, uint64_t *ret)
{
    struct ns_entry e = { .kind = NS_E_RESERVE, .count = VSFS_INOS_RESERVE };
    struct ns_answer answer;
    int r;

    VS_LOCK_SCOPE(&t->reserve);
    if (t->next_ino == t->end_ino) {
        r = vsfs_change(t->fs, &e, &answer);
        if (r < 0)
            return r;
        VS_ASSERT(answer.first >= NS_INO_FIRST);
        t->next_ino = answer.first;
        t->end_ino = answer.first + VSFS_INOS_RESERVE;
    }
    *ret = t->next_ino++;
    return 0;
}

struct inode *inode_alias_new(struct inode_table *t, uint64_t ino)
{
    VS_ASSERT(!inode_is_alias(ino));
    VS_LOCK_SCOPE(&t->lock);
    return inode_add_locked(t, t->next_alias++, ino);
}
