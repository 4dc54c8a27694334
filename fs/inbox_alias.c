/* inbox_alias: the names that published films are still found by, for a while.
 *
 * An alias is entered before its film's PUBLISH, so that there is no moment in which the name is
 * not found; until the answer its place is not known, and who needs that waits. */
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/inbox_state.h"
#include <stdlib.h>
#include <string.h>

static unsigned alias_key(struct inbox_key *key, uint64_t parent, const char *name, size_t len)
{
    key->parent = parent;
    memcpy(key->name, name, len);
    return (unsigned)(offsetof(struct inbox_key, name) + len);
}

/* under b->lock */
static struct inbox_alias *alias_find(struct inbox *b, uint64_t parent, const char *name,
                                      size_t len)
{
    struct inbox_key key;
    struct inbox_alias *a;
    unsigned key_len;

    if (len > NS_NAME_BYTES_MAX)
        return NULL;
    key_len = alias_key(&key, parent, name, len);
    HASH_FIND(hh, b->aliases, &key, key_len, a);
    return a;
}

/* under b->lock; the inode's reference goes to the caller */
static struct inode *alias_delete(struct inbox *b, struct inbox_alias *a)
{
    struct inode *i = a->inode;

    HASH_DEL(b->aliases, a);
    free(a);
    pthread_cond_broadcast(&b->changed); /* who waits for its place */
    return i;
}

void inbox_aliases_close(struct inbox *b)
{
    struct inbox_alias *a, *next;

    HASH_ITER (hh, b->aliases, a, next)
        inode_put(b->fs->inodes, alias_delete(b, a));
}

static void alias_set_place(struct inbox_alias *a, uint64_t dir, const char *name, size_t len)
{
    a->dir = dir;
    memmove(a->dir_name, name, len);
    a->dir_name_len = (uint8_t)len;
}

int inbox_alias_add(struct vsfs *fs, uint64_t parent, const char *name, size_t len, uint64_t film)
{
    struct inbox *b = fs->inbox;
    struct inbox_alias *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return -ENOMEM;
    a->inode = inode_alias_new(fs->inodes, film);
    if (a->inode == NULL) {
        free(a);
        return -ENOMEM;
    }
    a->inode->parent = parent; /* nobody else has it yet */
    memcpy(a->inode->name, name, len);
    a->inode->name_len = (uint8_t)len;
    a->publishing = true;
    a->until_ns = INT64_MAX;
    a->key_len = alias_key(&a->key, parent, name, len);
    inbox_alias_drop(fs, parent, name, len); /* of an earlier film of that name */
    pthread_mutex_lock(&b->lock);
    if (HASH_COUNT(b->aliases) >= INBOX_ALIASES_MAX || alias_find(b, parent, name, len) != NULL) {
        pthread_mutex_unlock(&b->lock);
        inode_put(fs->inodes, a->inode);
        free(a);
        return -ENOBUFS;
    }
    HASH_ADD(hh, b->aliases, key, a->key_len, a);
    pthread_mutex_unlock(&b->lock);
    return 0;
}

void inbox_alias_set(struct vsfs *fs, uint64_t parent, const char *name, size_t len, uint64_t film,
                     uint64_t dir, const char *dir_name, size_t dir_name_len)
{
    struct inbox *b = fs->inbox;
    struct inbox_alias *a;

    VS_LOCK_SCOPE(&b->lock);
    a = alias_find(b, parent, name, len);
    if (a == NULL || !a->publishing)
        return;
    a->publishing = false;
    a->inode->alias_of = film;
    a->until_ns = vs_now_ns(fs->clock) + (int64_t)fs->opt.alias_s * VS_NS_PER_S;
    alias_set_place(a, dir, dir_name, dir_name_len);
    pthread_cond_broadcast(&b->changed);
    inbox_tick_by(b, a->until_ns);
}

int64_t inbox_aliases_expire(struct inbox *b, int64_t now_ns)
{
    struct inbox_alias *a, *next;
    int64_t soonest = INT64_MAX;

    VS_LOCK_SCOPE(&b->lock);
    HASH_ITER (hh, b->aliases, a, next) {
        if (a->until_ns <= now_ns)
            inode_put(b->fs->inodes, alias_delete(b, a)); /* the table's lock is inside ours */
        else if (a->until_ns < soonest)
            soonest = a->until_ns;
    }
    return soonest;
}

struct inode *inbox_alias_find(struct vsfs *fs, uint64_t parent, const char *name, size_t len)
{
    struct inbox *b = fs->inbox;
    struct inode *i = NULL;
    struct inbox_alias *a;

    pthread_mutex_lock(&b->lock);
    a = alias_find(b, parent, name, len);
    if (a != NULL && a->until_ns > vs_now_ns(fs->clock))
        i = inode_ref(a->inode, fs->inodes);
    pthread_mutex_unlock(&b->lock);
    if (i != NULL)
        inbox_touch(b);
    return i;
}

int inbox_alias_drop(struct vsfs *fs, uint64_t parent, const char *name, size_t len)
{
    struct inbox *b = fs->inbox;
    struct inode *i = NULL;
    struct inbox_alias *a;

    pthread_mutex_lock(&b->lock);
    a = alias_find(b, parent, name, len);
    if (a != NULL)
        i = alias_delete(b, a);
    pthread_mutex_unlock(&b->lock);
    inode_put(fs->inodes, i);
    return i != NULL ? 1 : 0;
}

int inbox_alias_take(struct vsfs *fs, const struct inode *alias, uint64_t *ret_parent,
                     char ret_name[NS_NAME_BYTES_MAX], size_t *ret_len)
{
    struct inbox *b = fs->inbox;
    struct inode *i = NULL;
    struct inbox_alias *a;

    pthread_mutex_lock(&b->lock);
    a = alias_find(b, alias->parent, alias->name, alias->name_len); /* fixed since it was made */
    if (a != NULL && a->inode == alias)
        i = alias_delete(b, a);
    pthread_mutex_unlock(&b->lock);
    if (i == NULL)
        return -ENOENT;
    *ret_parent = alias->parent;
    *ret_len = alias->name_len;
    memcpy(ret_name, alias->name, alias->name_len);
    inode_put(fs->inodes, i);
    return 0;
}

int inbox_alias_place(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
                      uint64_t *ret_dir, char ret_name[NS_NAME_BYTES_MAX], size_t *ret_len)
{
    struct inbox *b = fs->inbox;
    struct meta_req req = { .op = META_LOOKUP, .name = ret_name };
    struct inbox_alias *a;
    uint64_t film = 0;
    int r;

    pthread_mutex_lock(&b->lock);
    while ((a = alias_find(b, parent, name, len)) != NULL && a->publishing)
        pthread_cond_wait(&b->changed, &b->lock);
    if (a != NULL) {
        film = a->inode->alias_of;
        req.ino = a->dir;
        req.name_len = a->dir_name_len;
        memcpy(ret_name, a->dir_name, a->dir_name_len);
    }
    pthread_mutex_unlock(&b->lock);
    if (a == NULL)
        return -ENOENT;
    r = meta_call(fs->meta, &req);
    if (r < 0)
        return r;
    if (req.attr.ino != film)
        return -ENOENT;
    *ret_dir = req.ino;
    *ret_len = req.name_len;
    return 0;
}

void inbox_alias_moved(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
                       uint64_t new_parent, const char *new_name, size_t new_len, uint64_t dir,
                       const char *dir_name, size_t dir_name_len)
{
    struct inbox *b = fs->inbox;
    struct inbox_alias *a;
    uint64_t film = 0;

    pthread_mutex_lock(&b->lock);
    a = alias_find(b, parent, name, len);
    if (a != NULL)
        film = a->inode->alias_of;
    pthread_mutex_unlock(&b->lock);
    if (film == 0 || inbox_alias_drop(fs, parent, name, len) == 0 || new_parent == 0)
        return;
    if (inbox_alias_add(fs, new_parent, new_name, new_len, film) == 0)
        inbox_alias_set(fs, new_parent, new_name, new_len, film, dir, dir_name, dir_name_len);
}
