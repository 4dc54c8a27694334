/* mount_options: the command line of a mount, decoded and checked.
 *
 *   vstackfs [-f] [-o OPTS] [--data DIR] [--disk DIR ...] [SOURCE] MOUNTPOINT
 *   vstackfs [-f] [-o OPTS] --cluster FILE [--data DIR] MOUNTPOINT
 *
 * SOURCE (as fstab gives it) is the data directory, or the file of a cluster. Options mount(8)
 * passes along (rw, nosuid, noauto, user, _netdev, x-*) are taken or ignored as it documents; an
 * unknown one is refused by name. */
#ifndef VS_FS_MOUNT_OPTIONS_H
#define VS_FS_MOUNT_OPTIONS_H

#include "fs/vsfs.h"

#define MOUNT_WHY_BYTES 512

struct mount_options {
    struct vsfs_options fs; /* strings point into `text` */
    bool read_only;
    bool help;
    char kernel[256];              /* for mount(2): "nosuid,nodev", may be empty */
    char *text[STORE_SET_MAX + 5]; /* owned */
    unsigned text_count;
};

/* argv without the program's name. -EINVAL: `why` is a sentence. */
int mount_options_parse(struct mount_options *o, int argc, char **argv, char why[MOUNT_WHY_BYTES]);
void mount_options_close(struct mount_options *o); /* forgives zeroed */

/* Does this file (MOUNT_FUSE_CONF) allow users to let others into their mounts? No without it. */
#define MOUNT_FUSE_CONF "/etc/fuse.conf"
bool mount_conf_allows_other(const char *path);

/* Bytes or with K, M, G, T (1024). -EINVAL. */
int mount_parse_size(const char *text, uint64_t *ret);

#endif
