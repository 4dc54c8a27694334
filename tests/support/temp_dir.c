/* Made by mkdtemp(3), removed by a walk from the leaves up; symbolic links are not followed. */
#include "tests/support/temp_dir.h"

#include "common/assert.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#define WALK_FDS_MAX 16

void temp_dir_make(char path[TEMP_DIR_BYTES])
{
    const char *base = getenv("TMPDIR");
    int n;

    n = snprintf(path, TEMP_DIR_BYTES, "%s/vs-test-XXXXXX", base != NULL ? base : "/var/tmp");
    VS_ASSERT(n > 0 && n < TEMP_DIR_BYTES && mkdtemp(path) != NULL);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

void temp_dir_remove(const char *path)
{
    nftw(path, remove_entry, WALK_FDS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
