/* names_rig: see the header. */
#include "tests/support/names_rig.h"
#include "fs/inbox_state.h"
#include "fs/orphan.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct names_caller nobody = { .uid = 1000, .gid = 1000 };

static int64_t names_now(const struct vs_clock *c)
{
    const struct names_clock *n = (const struct names_clock *)c;

    return vs_clock_system.now_ns(&vs_clock_system) + n->ahead_ns;
}

static int64_t names_real(const struct vs_clock *c)
{
    const struct names_clock *n = (const struct names_clock *)c;

    return vs_clock_system.real_ns(&vs_clock_system) + n->ahead_ns;
}

void names_rig_open(struct names_rig *r)
{
    *r = (struct names_rig){ .clock = { .clock = { names_now, names_real } } };
    rig_open(&r->rig);
    r->fs = &r->rig.fs;
    r->fs->clock = &r->clock.clock;
    r->fs->opt.alias_s = 10;
    assert_int_equal(provisional_new(&r->fs->provisional, r->fs->inodes), 0);
    assert_int_equal(inbox_start(&r->fs->inbox, r->fs), 0);
}

void names_rig_close(struct names_rig *r)
{
    inbox_stop(r->fs->inbox);
    orphan_wait();
    provisional_free(r->fs->provisional);
    rig_close(&r->rig);
}

int names_rig_setup(void **state)
{
    struct names_rig *r = malloc(sizeof(*r));

    assert_non_null(r);
    names_rig_open(r);
    *state = r;
    return 0;
}

int names_rig_teardown(void **state)
{
    names_rig_close(*state);
    free(*state);
    return 0;
}

/* ---- files ---- */

struct file *names_rig_create(struct names_rig *r, uint64_t parent, const char *name)
{
    struct inode *i;
    struct file *f;

    assert_int_equal(names_create(r->fs, &nobody, parent, name, strlen(name), 0644, &i), 0);
    assert_int_equal(files_open_created(r->fs, i, O_RDWR, &f), 0);
    inode_put(r->fs->inodes, i);
    return f;
}

int names_rig_open_name(struct names_rig *r, uint64_t parent, const char *name, int flags,
                        struct file **ret)
{
    struct names_found found;
    bool keep;
    int e;

    assert_int_equal(names_find(r->fs, parent, name, strlen(name), &found), 0);
    if (found.kind == NAMES_NONE)
        return -ENOENT;
    if (found.kind == NAMES_STORED && found.inode == NULL) /* what a lookup's reply does */
        found.inode = inode_get(r->fs->inodes, found.attr.ino);
    assert_non_null(found.inode);
    if (found.kind == NAMES_STORED) {
        names_seen(found.inode, parent, name, strlen(name));
        inbox_told(r->fs, found.inode, parent);
    }
    e = files_open(r->fs, &nobody, found.inode->ino, flags, ret, &keep);
    names_found_close(r->fs, &found);
    return e;
}

struct file *names_rig_open_file(struct names_rig *r, uint64_t parent, const char *name, int flags)
{
    struct file *f;

    assert_int_equal(names_rig_open_name(r, parent, name, flags, &f), 0);
    return f;
}

void names_rig_write(struct names_rig *r, struct file *f, uint64_t offset, const char *text)
{
    f->wrote = true;
    assert_int_equal(rig_write(&r->rig, f->inode, offset, text, strlen(text)), 0);
}

int names_rig_close_file(struct names_rig *r, struct file *f)
{
    int e = files_flush(r->fs, f);

    files_release(r->fs, f);
    return e;
}

void names_rig_put(struct names_rig *r, uint64_t parent, const char *name, const char *text)
{
    struct file *f = names_rig_create(r, parent, name);

    names_rig_write(r, f, 0, text);
    assert_int_equal(names_rig_close_file(r, f), 0);
}

void names_rig_check_file(struct names_rig *r, struct file *f, const char *text)
{
    char got[NAMES_TEXT_MAX] = { 0 };

    assert_true(rig_read(&r->rig, f->inode, 0, got, sizeof(got) - 1) >= 0);
    assert_string_equal(got, text);
}

void names_rig_check(struct names_rig *r, uint64_t parent, const char *name, const char *text)
{
    struct file *f = names_rig_open_file(r, parent, name, O_RDONLY);

    names_rig_check_file(r, f, text);
    files_release(r->fs, f);
}

/* ---- names ---- */

uint64_t names_rig_mkdir(struct names_rig *r, uint64_t parent, const char *name)
{
    struct ns_attr attr;

    assert_int_equal(
        names_make(r->fs, &nobody, parent, name, strlen(name), S_IFDIR | 0755, 0, NULL, &attr), 0);
    return attr.ino;
}

enum names_kind names_rig_kind(struct names_rig *r, uint64_t parent, const char *name)
{
    struct names_found found;

    assert_int_equal(names_find(r->fs, parent, name, strlen(name), &found), 0);
    names_found_close(r->fs, &found);
    return found.kind;
}

uint64_t names_rig_ino(struct names_rig *r, uint64_t parent, const char *name)
{
    struct names_found found;
    uint64_t ino;

    assert_int_equal(names_find(r->fs, parent, name, strlen(name), &found), 0);
    ino = found.kind == NAMES_STORED ? found.attr.ino : found.inode != NULL ? found.inode->ino : 0;
    names_found_close(r->fs, &found);
    return ino;
}

int names_rig_unlink(struct names_rig *r, uint64_t parent, const char *name)
{
    return names_unlink(r->fs, parent, name, strlen(name));
}

int names_rig_rename(struct names_rig *r, uint64_t parent, const char *name, uint64_t new_parent,
                     const char *new_name, unsigned flags)
{
    return names_rename(r->fs, parent, name, strlen(name), new_parent, new_name, strlen(new_name),
                        flags);
}

int names_rig_nlink(struct names_rig *r, uint64_t ino)
{
    struct meta_req req = { .op = META_GETATTR, .ino = ino };

    orphan_wait();
    return meta_call(r->fs->meta, &req) == 0 ? (int)req.attr.nlink : -1;
}

bool names_rig_is_orphan(struct names_rig *r, uint64_t ino)
{
    uint64_t orphans[64];
    struct meta_req req = {
        .op = META_SCAN, .scan = META_SCAN_ORPHANS, .scan_u64 = orphans, .scan_max = 64
    };

    orphan_wait();
    assert_int_equal(meta_call(r->fs->meta, &req), 0);
    for (uint32_t n = 0; n < req.scan_count; n++)
        if (orphans[n] == ino)
            return true;
    return false;
}

/* ---- the inbox's own work ---- */

void names_rig_settle(struct names_rig *r)
{
    struct inbox *b = r->fs->inbox;

    pthread_mutex_lock(&b->lock);
    /* a tick that is only due some day does not count */
    while (b->tick_runs || b->jobs > (b->ticking ? 1u : 0u))
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
}

void names_rig_advance(struct names_rig *r, int64_t s)
{
    struct inbox *b = r->fs->inbox;
    uint64_t before;

    names_rig_settle(r);
    r->clock.ahead_ns += s * VS_NS_PER_S;
    pthread_mutex_lock(&b->lock);
    before = b->ticks;
    inbox_tick_by(b, 0);
    while (b->ticks == before)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    names_rig_settle(r);
}
