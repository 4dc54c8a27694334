/* provisional: the map of created, uncommitted names.
 *
 * Two indexes under one lock: by (directory, name), and per directory a list, so that a listing and
 * the question "is it empty" cost what is in that directory. An entry carries its own copy of the
 * key: inode->name may change only together with it. */
#include "fs/provisional.h"
#include "common/assert.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/list.h"
#include <stdlib.h>
#include <string.h>

struct prov_key {
    uint64_t parent;
    char name[NS_NAME_BYTES_MAX];
};

struct prov_dir {
    uint64_t ino;
    struct vs_list entries;
    unsigned count;
    UT_hash_handle hh;
};

struct prov_entry {
    struct prov_key key;
    unsigned key_len;    /* bytes of key in use */
    struct ns_time made; /* the file; its attributes change under another lock */
    uint32_t type;
    struct inode *inode;
    struct prov_dir *dir;
    struct vs_list in_dir;
    UT_hash_handle hh;
};

struct provisional {
    struct inode_table *table;
    pthread_mutex_t lock; /* all below; inside it only the inode table's */
    struct prov_entry *by_name;
    struct prov_dir *dirs;
};

static unsigned prov_key_set(struct prov_key *key, uint64_t parent, const char *name, size_t len)
{
    VS_ASSERT(len <= NS_NAME_BYTES_MAX);
    key->parent = parent;
    memcpy(key->name, name, len);
    return (unsigned)(offsetof(struct prov_key, name) + len);
}

static size_t prov_name_len(const struct prov_entry *e)
{
    return e->key_len - offsetof(struct prov_key, name);
}

int provisional_new(struct provisional **ret, struct inode_table *table)
{
    struct provisional *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return -ENOMEM;
    p->table = table;
    pthread_mutex_init(&p->lock, NULL);
    *ret = p;
    return 0;
}

/* under p->lock */
static struct prov_entry *prov_find(struct provisional *p, uint64_t parent, const char *name,
                                    size_t len)
{
    struct prov_key key;
    struct prov_entry *e;
    unsigned key_len = prov_key_set(&key, parent, name, len);

    HASH_FIND(hh, p->by_name, &key, key_len, e);
    return e;
}

/* under p->lock */
static struct prov_dir *prov_dir_get(struct provisional *p, uint64_t ino)
{
    struct prov_dir *d;

    HASH_FIND(hh, p->dirs, &ino, sizeof(ino), d);
    if (d != NULL)
        return d;
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->ino = ino;
    vs_list_init(&d->entries);
    HASH_ADD(hh, p->dirs, ino, sizeof(d->ino), d);
    return d;
}

/* under p->lock: e->key is set */
static void prov_link(struct provisional *p, struct prov_entry *e, struct prov_dir *d)
{
    e->dir = d;
    d->count++;
    vs_list_add_tail(&d->entries, &e->in_dir);
    HASH_ADD(hh, p->by_name, key, e->key_len, e);
}

/* under p->lock */
static void prov_unlink(struct provisional *p, struct prov_entry *e)
{
    struct prov_dir *d = e->dir;

    HASH_DEL(p->by_name, e);
    vs_list_del(&e->in_dir);
    if (--d->count == 0) {
        HASH_DEL(p->dirs, d);
        free(d);
    }
}

void provisional_free(struct provisional *p)
{
    struct prov_entry *e, *next;

    if (p == NULL)
        return;
    HASH_ITER (hh, p->by_name, e, next) {
        prov_unlink(p, e);
        inode_put(p->table, e->inode);
        free(e);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct inode *provisional_find(struct provisional *p, uint64_t parent, const char *name, size_t len)
{
    struct prov_entry *e;

    if (len > NS_NAME_BYTES_MAX)
        return NULL;
    VS_LOCK_SCOPE(&p->lock);
    e = prov_find(p, parent, name, len);
    return e != NULL ? inode_ref(e->inode, p->table) : NULL;
}

int provisional_put(struct provisional *p, struct inode *i)
{
    struct prov_entry *e = NULL;
    struct prov_dir *d;

    VS_LOCK_SCOPE(&p->lock);
    if (prov_find(p, i->parent, i->name, i->name_len) != NULL)
        return -EEXIST;
    if (HASH_COUNT(p->by_name) >= PROVISIONAL_MAX)
        return -ENFILE;
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return -ENOMEM;
    d = prov_dir_get(p, i->parent);
    if (d == NULL) {
        free(e);
        return -ENOMEM;
    }
    e->key_len = prov_key_set(&e->key, i->parent, i->name, i->name_len);
    e->inode = inode_ref(i, p->table);
    e->made = i->attr.btime;
    e->type = i->attr.mode & 0170000;
    prov_link(p, e, d);
    return 0;
}

/* under i->lock, p->lock */
static int prov_move(struct provisional *p, struct inode *i, uint64_t parent, const char *name,
                     size_t len)
{
    struct prov_entry *e = prov_find(p, i->parent, i->name, i->name_len);
    struct prov_dir *d;

    if (e == NULL || e->inode != i)
        return -ENOENT;
    if (prov_find(p, parent, name, len) != NULL)
        return -EEXIST;
    d = prov_dir_get(p, parent);
    if (d == NULL)
        return -ENOMEM;
    d->count++; /* the old and the new directory may be one: keep it */
    prov_unlink(p, e);
    d->count--;
    e->key_len = prov_key_set(&e->key, parent, name, len);
    prov_link(p, e, d);
    return 0;
}

int provisional_move(struct provisional *p, struct inode *i, uint64_t parent, const char *name,
                     size_t len)
{
    int r;

    VS_LOCK_SCOPE(&i->lock);
    pthread_mutex_lock(&p->lock);
    r = prov_move(p, i, parent, name, len);
    pthread_mutex_unlock(&p->lock);
    if (r < 0)
        return r;
    i->parent = parent;
    memmove(i->name, name, len); /* the caller may pass i->name itself */
    i->name_len = (uint8_t)len;
    return 0;
}

int provisional_drop(struct provisional *p, struct inode *i)
{
    struct prov_entry *e;

    pthread_mutex_lock(&i->lock);
    pthread_mutex_lock(&p->lock);
    e = prov_find(p, i->parent, i->name, i->name_len);
    if (e != NULL && e->inode != i) /* somebody else's name by now */
        e = NULL;
    if (e != NULL)
        prov_unlink(p, e);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_unlock(&i->lock);
    if (e == NULL)
        return 0;
    inode_put(p->table, e->inode);
    free(e);
    return 1;
}

bool provisional_any(struct provisional *p, uint64_t dir)
{
    struct prov_dir *d;

    VS_LOCK_SCOPE(&p->lock);
    HASH_FIND(hh, p->dirs, &dir, sizeof(dir), d);
    return d != NULL;
}

bool provisional_newest(struct provisional *p, uint64_t dir, struct ns_time *ret)
{
    struct prov_dir *d;

    VS_LOCK_SCOPE(&p->lock);
    HASH_FIND(hh, p->dirs, &dir, sizeof(dir), d);
    if (d != NULL) /* entries are in the order in which they came */
        *ret = vs_container_of(d->entries.prev, struct prov_entry, in_dir)->made;
    return d != NULL;
}

int provisional_list(struct provisional *p, uint64_t dir, struct provisional_name **ret,
                     size_t *ret_count)
{
    struct provisional_name *names;
    struct vs_list *pos, *next;
    struct prov_dir *d;
    size_t n = 0;

    VS_LOCK_SCOPE(&p->lock);
    HASH_FIND(hh, p->dirs, &dir, sizeof(dir), d);
    if (d == NULL) {
        *ret = NULL;
        *ret_count = 0;
        return 0;
    }
    names = malloc(d->count * sizeof(*names));
    if (names == NULL)
        return -ENOMEM;
    vs_list_for_each (pos, next, &d->entries) {
        struct prov_entry *e = vs_container_of(pos, struct prov_entry, in_dir);
        struct provisional_name *to = &names[n++];

        to->ino = e->inode->ino;
        to->mode = e->type;
        to->name_len = (uint8_t)prov_name_len(e);
        memcpy(to->name, e->key.name, prov_name_len(e));
    }
    *ret = names;
    *ret_count = n;
    return 0;
}
