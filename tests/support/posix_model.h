/* posix_model: directories, names and links as POSIX has them, as simply as they can be written:
 * what the namespace is compared with. A directory is an array with a place for every name there
 * is. Nodes are numbers; answers are numbers or negative errno. */
#ifndef VS_TESTS_SUPPORT_POSIX_MODEL_H
#define VS_TESTS_SUPPORT_POSIX_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define PM_NODES 48
#define PM_NAMES 7
#define PM_NONE  (-1)
#define PM_ROOT  0

struct pm_node {
    bool used;
    uint64_t ino;  /* the namespace's number of it */
    uint32_t type; /* S_IFMT bits */
    uint32_t mode; /* permissions */
    unsigned nlink;
    int parent;            /* directories with a name */
    int entries[PM_NAMES]; /* directories: node, or PM_NONE */
    int64_t mtime, ctime;
    unsigned version;
    unsigned size; /* of the content; directories: names in it */
};

struct pm {
    struct pm_node node[PM_NODES];
};

extern const char *const pm_names[PM_NAMES];

void pm_init(struct pm *m, uint64_t root_ino, int64_t now);
int pm_create(struct pm *m, int dir, int name, uint32_t type, unsigned size, bool replace,
              int64_t now);
int pm_link(struct pm *m, int node, int dir, int name, int64_t now);
int pm_unlink(struct pm *m, int dir, int name, int64_t now);
int pm_rmdir(struct pm *m, int dir, int name, int64_t now);
int pm_rename(struct pm *m, int dir, int name, int new_dir, int new_name, bool noreplace,
              bool exchange, int64_t now);
int pm_chmod(struct pm *m, int node, uint32_t mode, int64_t now);
int pm_utime(struct pm *m, int node, int64_t mtime, int64_t now);
int pm_write(struct pm *m, int node, unsigned base, unsigned size, int64_t now);
int pm_forget(struct pm *m, int node);

#endif
