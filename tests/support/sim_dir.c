/* Names, and what a power cut makes of unsynced ones: some prefix of the changes (a file system
 * with a journal), or any subset in which no change is there without the earlier ones of the same
 * name (one without). */
#include "tests/support/sim_dir.h"

#include "common/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim_name_op {
    struct vs_list link;
    char from[64]; /* unlinked or renamed; empty for a create */
    char to[64];   /* created or renamed; empty for an unlink */
    struct sim_file *file;
    bool lost; /* while a power cut is settled */
};

static struct sim_name *names_find(const struct vs_list *names, const char *name)
{
    for (struct vs_list *pos = names->next; pos != names; pos = pos->next) {
        struct sim_name *n = vs_container_of(pos, struct sim_name, link);

        if (strcmp(n->name, name) == 0)
            return n;
    }
    return NULL;
}

static void names_set(struct vs_list *names, const char *name, struct sim_file *file)
{
    struct sim_name *n = names_find(names, name);

    if (n == NULL) {
        n = calloc(1, sizeof(*n));
        VS_ASSERT(n != NULL);
        snprintf(n->name, sizeof(n->name), "%s", name);
        vs_list_add_tail(names, &n->link);
    }
    n->file = file;
}

static void names_drop(struct vs_list *names, const char *name, const struct sim_file *file)
{
    struct sim_name *n = names_find(names, name);

    VS_ASSERT(n != NULL && n->file == file); /* nothing is undone out of order for a name */
    vs_list_del(&n->link);
    free(n);
}

static void names_clear(struct vs_list *names)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, names) {
        vs_list_del(pos);
        free(vs_container_of(pos, struct sim_name, link));
    }
}

static void names_copy(struct vs_list *dst, const struct vs_list *src)
{
    names_clear(dst);
    for (struct vs_list *pos = src->next; pos != src; pos = pos->next) {
        const struct sim_name *n = vs_container_of(pos, struct sim_name, link);

        names_set(dst, n->name, n->file);
    }
}

static bool names_refer(const struct vs_list *names, const struct sim_file *file)
{
    for (struct vs_list *pos = names->next; pos != names; pos = pos->next)
        if (vs_container_of(pos, struct sim_name, link)->file == file)
            return true;
    return false;
}

static void op_apply(const struct sim_name_op *op, struct vs_list *names)
{
    if (op->to[0] != '\0')
        names_set(names, op->to, op->file);
    if (op->from[0] != '\0')
        names_drop(names, op->from, op->file);
}

static void op_add(struct sim_dir *d, const char *from, const char *to, struct sim_file *file)
{
    struct sim_name_op *op = calloc(1, sizeof(*op));

    VS_ASSERT(op != NULL);
    snprintf(op->from, sizeof(op->from), "%s", from);
    snprintf(op->to, sizeof(op->to), "%s", to);
    op->file = file;
    op_apply(op, &d->now);
    vs_list_add_tail(&d->pending, &op->link);
}

static void pending_clear(struct sim_dir *d)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &d->pending) {
        vs_list_del(pos);
        free(vs_container_of(pos, struct sim_name_op, link));
    }
}

void sim_dir_init(struct sim_dir *d)
{
    vs_list_init(&d->now);
    vs_list_init(&d->disk);
    vs_list_init(&d->pending);
}

void sim_dir_close(struct sim_dir *d)
{
    names_clear(&d->now);
    names_clear(&d->disk);
    pending_clear(d);
}

struct sim_file *sim_dir_find(const struct sim_dir *d, const char *name)
{
    const struct sim_name *n = names_find(&d->now, name);

    return n != NULL ? n->file : NULL;
}

bool sim_dir_is_linked(const struct sim_dir *d, const struct sim_file *file)
{
    return names_refer(&d->now, file);
}

bool sim_dir_refers(const struct sim_dir *d, const struct sim_file *file)
{
    for (struct vs_list *pos = d->pending.next; pos != &d->pending; pos = pos->next)
        if (vs_container_of(pos, struct sim_name_op, link)->file == file)
            return true;
    return names_refer(&d->now, file) || names_refer(&d->disk, file);
}

void sim_dir_create(struct sim_dir *d, const char *name, struct sim_file *file)
{
    op_add(d, "", name, file);
}

void sim_dir_unlink(struct sim_dir *d, const char *name)
{
    op_add(d, name, "", sim_dir_find(d, name));
}

void sim_dir_rename(struct sim_dir *d, const char *from, const char *to)
{
    if (strcmp(from, to) != 0)
        op_add(d, from, to, sim_dir_find(d, from));
}

void sim_dir_sync(struct sim_dir *d)
{
    struct vs_list *pos, *tmp;

    vs_list_for_each (pos, tmp, &d->pending)
        op_apply(vs_container_of(pos, struct sim_name_op, link), &d->disk);
    pending_clear(d);
}

static bool op_has_name(const struct sim_name_op *op, const char *name)
{
    return name[0] != '\0' && (strcmp(op->from, name) == 0 || strcmp(op->to, name) == 0);
}

/* Was an earlier change of one of its names lost? */
static bool op_needs_lost(const struct sim_dir *d, const struct sim_name_op *op)
{
    for (struct vs_list *pos = d->pending.next; pos != &op->link; pos = pos->next) {
        const struct sim_name_op *before = vs_container_of(pos, struct sim_name_op, link);

        if (before->lost && (op_has_name(before, op->from) || op_has_name(before, op->to)))
            return true;
    }
    return false;
}

void sim_dir_settle(struct sim_dir *d, struct vs_rand *rand)
{
    bool journal = vs_rand_below(rand, 2) == 0;
    struct vs_list *pos, *tmp;
    uint64_t count = 0, prefix;

    vs_list_for_each (pos, tmp, &d->pending)
        count++;
    prefix = vs_rand_below(rand, count + 1);

    vs_list_for_each (pos, tmp, &d->pending) {
        struct sim_name_op *op = vs_container_of(pos, struct sim_name_op, link);

        op->lost = journal ? prefix == 0 : vs_rand_below(rand, 2) == 0 || op_needs_lost(d, op);
        if (!op->lost)
            op_apply(op, &d->disk);
        prefix -= prefix > 0;
    }
    pending_clear(d);
    names_copy(&d->now, &d->disk);
}
