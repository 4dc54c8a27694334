/* The names of the simulated disk (sim_io.h): those programs see, those on the platter, and the
 * changes between them. Files are borrowed. Threads: none; the owner serialises calls. */
#ifndef VS_TESTS_SIM_DIR_H
#define VS_TESTS_SIM_DIR_H

#include "common/list.h"
#include "common/rand.h"

struct sim_file;

struct sim_name {
    struct vs_list link;
    char name[64];
    struct sim_file *file;
};

struct sim_dir {
    struct vs_list now;     /* struct sim_name: what programs see */
    struct vs_list disk;    /* struct sim_name: what a power cut leaves, apart from pending */
    struct vs_list pending; /* struct sim_name_op, oldest first */
};

void sim_dir_init(struct sim_dir *d);
void sim_dir_close(struct sim_dir *d);

struct sim_file *sim_dir_find(const struct sim_dir *d, const char *name);
/* True while a program can still find the file by a name. */
bool sim_dir_is_linked(const struct sim_dir *d, const struct sim_file *file);
/* True while a name, or one that a power cut may bring back, leads to the file. */
bool sim_dir_refers(const struct sim_dir *d, const struct sim_file *file);

void sim_dir_create(struct sim_dir *d, const char *name, struct sim_file *file);
/* The name must exist. */
void sim_dir_unlink(struct sim_dir *d, const char *name);
/* `from` must exist; `to` is replaced. */
void sim_dir_rename(struct sim_dir *d, const char *from, const char *to);
void sim_dir_sync(struct sim_dir *d);
/* Power cut: choose which pending changes reached the disk, each whole or not at all. */
void sim_dir_settle(struct sim_dir *d, struct vs_rand *rand);

#endif
