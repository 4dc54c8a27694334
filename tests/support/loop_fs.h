/* loop_fs: a small ext4 of its own for one test, on a loop device. Needs root; where that is not to
 * be had the test is skipped.
 *
 * It leaves nothing behind however the test ends: the mount is in a mount namespace of this
 * process, the image has no name any more, and the loop device lets go by itself. */
#ifndef VS_TESTS_LOOP_FS_H
#define VS_TESTS_LOOP_FS_H

#include <stdbool.h>
#include <stdint.h>

struct loop_fs {
    char dir[64]; /* where it is mounted */
    bool mounted;
};

/* Make and mount one of `bytes` bytes, nothing in it reserved for root. 0, or a negative errno with
 * the reason in *ret_why (static): skip the test then. */
int loop_fs_new(struct loop_fs *fs, uint64_t bytes, const char **ret_why);
/* Forgives one that is not mounted. */
void loop_fs_close(struct loop_fs *fs);

#endif
