/* Directories as POSIX has them. Nothing here is fast, shared with the program, or clever. */
#include "tests/support/posix_model.h"

#include <errno.h>
#include <sys/stat.h>

const char *const pm_names[PM_NAMES] = {
    "a", "b", "film.mkv", "film", "x y", "\xff\xfe", "inbox2"
};

static bool is_dir(const struct pm *m, int n)
{
    return m->node[n].type == S_IFDIR;
}

static int new_node(struct pm *m, uint32_t type, int64_t now)
{
    for (int n = 0; n < PM_NODES; n++) {
        struct pm_node *p = &m->node[n];

        if (p->used)
            continue;
        *p = (struct pm_node){ .used = true, .type = type, .mtime = now, .ctime = now };
        p->mode = 0644;
        p->version = 1;
        p->parent = PM_NONE;
        for (int i = 0; i < PM_NAMES; i++)
            p->entries[i] = PM_NONE;
        return n;
    }
    return -ENFILE;
}

void pm_init(struct pm *m, uint64_t root_ino, int64_t now)
{
    *m = (struct pm){ { { .used = false } } };
    new_node(m, S_IFDIR, now);
    m->node[PM_ROOT].ino = root_ino;
    m->node[PM_ROOT].nlink = 2;
}

/* 0 when names can be looked up in `dir`. */
static int check_dir(const struct pm *m, int dir)
{
    if (!is_dir(m, dir))
        return -ENOTDIR;
    return m->node[dir].nlink == 0 ? -ENOENT : 0;
}

/* Put a node under a name that is free. */
static void put(struct pm *m, int dir, int name, int n, int64_t now)
{
    struct pm_node *d = &m->node[dir];

    d->entries[name] = n;
    d->size++;
    d->mtime = d->ctime = now;
    if (is_dir(m, n)) {
        m->node[n].parent = dir;
        d->nlink++;
    }
}

/* Take a node away from a name; its own links are the caller's. */
static void take(struct pm *m, int dir, int name, int64_t now)
{
    struct pm_node *d = &m->node[dir];

    if (is_dir(m, d->entries[name])) {
        m->node[d->entries[name]].parent = PM_NONE;
        d->nlink--;
    }
    d->entries[name] = PM_NONE;
    d->size--;
    d->mtime = d->ctime = now;
}

/* The node lost a name. */
static void drop(struct pm *m, int n, int64_t now)
{
    m->node[n].ctime = now;
    m->node[n].nlink = is_dir(m, n) ? 0 : m->node[n].nlink - 1;
}

int pm_create(struct pm *m, int dir, int name, uint32_t type, unsigned size, bool replace,
              int64_t now)
{
    int r = check_dir(m, dir), old, n;

    if (r < 0)
        return r;
    old = m->node[dir].entries[name];
    if (old != PM_NONE && (!replace || type == S_IFDIR))
        return -EEXIST;
    if (old != PM_NONE && is_dir(m, old))
        return -EISDIR;
    n = new_node(m, type, now);
    if (n < 0)
        return n;
    m->node[n].nlink = type == S_IFDIR ? 2 : 1;
    m->node[n].size = size;
    if (type == S_IFDIR)
        m->node[n].mode |= m->node[dir].mode & S_ISGID; /* as Linux and BSD do */
    if (old != PM_NONE) {
        take(m, dir, name, now);
        drop(m, old, now);
    }
    put(m, dir, name, n, now);
    return n;
}

int pm_link(struct pm *m, int node, int dir, int name, int64_t now)
{
    int r = check_dir(m, dir);

    if (r < 0)
        return r;
    if (m->node[dir].entries[name] != PM_NONE)
        return -EEXIST;
    if (is_dir(m, node))
        return -EPERM;
    if (m->node[node].nlink == 0)
        return -ENOENT;
    m->node[node].nlink++;
    m->node[node].ctime = now;
    put(m, dir, name, node, now);
    return 0;
}

int pm_unlink(struct pm *m, int dir, int name, int64_t now)
{
    int r = check_dir(m, dir), n;

    if (r < 0)
        return r;
    n = m->node[dir].entries[name];
    if (n == PM_NONE)
        return -ENOENT;
    if (is_dir(m, n))
        return -EISDIR;
    take(m, dir, name, now);
    drop(m, n, now);
    return 0;
}

int pm_rmdir(struct pm *m, int dir, int name, int64_t now)
{
    int r = check_dir(m, dir), n;

    if (r < 0)
        return r;
    n = m->node[dir].entries[name];
    if (n == PM_NONE)
        return -ENOENT;
    if (!is_dir(m, n))
        return -ENOTDIR;
    if (m->node[n].size > 0)
        return -ENOTEMPTY;
    take(m, dir, name, now);
    drop(m, n, now);
    return 0;
}

static bool is_above(const struct pm *m, int above, int n)
{
    for (; n != PM_NONE; n = m->node[n].parent)
        if (n == above)
            return true;
    return false;
}

static int check_rename(const struct pm *m, int n, int old, int dir, int new_dir, bool noreplace,
                        bool exchange)
{
    if (exchange && old == PM_NONE)
        return -ENOENT;
    if (noreplace && old != PM_NONE)
        return -EEXIST;
    if (n == old)
        return 1;
    if (is_dir(m, n) && is_above(m, n, new_dir))
        return -EINVAL;
    if (old == PM_NONE)
        return 0;
    if (exchange)
        return is_dir(m, old) && is_above(m, old, dir) ? -EINVAL : 0;
    if (is_dir(m, n) != is_dir(m, old))
        return is_dir(m, n) ? -ENOTDIR : -EISDIR;
    return is_dir(m, old) && m->node[old].size > 0 ? -ENOTEMPTY : 0;
}

int pm_rename(struct pm *m, int dir, int name, int new_dir, int new_name, bool noreplace,
              bool exchange, int64_t now)
{
    int r, n, old;

    r = check_dir(m, dir);
    if (r == 0)
        r = check_dir(m, new_dir);
    if (r < 0)
        return r;
    n = m->node[dir].entries[name];
    if (n == PM_NONE)
        return -ENOENT;
    old = m->node[new_dir].entries[new_name];
    r = check_rename(m, n, old, dir, new_dir, noreplace, exchange);
    if (r != 0)
        return r < 0 ? r : 0;
    take(m, dir, name, now);
    if (old != PM_NONE)
        take(m, new_dir, new_name, now);
    if (exchange) {
        put(m, dir, name, old, now);
        m->node[old].ctime = now;
    } else if (old != PM_NONE) {
        drop(m, old, now);
    }
    put(m, new_dir, new_name, n, now);
    m->node[n].ctime = now;
    return 0;
}

int pm_chmod(struct pm *m, int node, uint32_t mode, int64_t now)
{
    m->node[node].mode = mode;
    m->node[node].ctime = now;
    return 0;
}

int pm_utime(struct pm *m, int node, int64_t mtime, int64_t now)
{
    m->node[node].mtime = mtime;
    m->node[node].ctime = now;
    return 0;
}

int pm_write(struct pm *m, int node, unsigned base, unsigned size, int64_t now)
{
    struct pm_node *n = &m->node[node];

    if (n->type != S_IFREG)
        return -EINVAL;
    if (n->nlink == 0 || n->version != base)
        return -ESTALE;
    n->version++;
    n->size = size;
    n->mtime = n->ctime = now;
    return 0;
}

int pm_forget(struct pm *m, int node)
{
    if (m->node[node].nlink > 0)
        return -EBUSY;
    m->node[node].used = false;
    return 0;
}
