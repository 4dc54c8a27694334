/* data_path: see the header. Failure: paths are as long as data_dir_open() lets them be. */
#include "fs/data_path.h"
#include "common/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void data_path(const struct vsfs *fs, const char *name, char path[DATA_PATH_BYTES])
{
    int n = snprintf(path, DATA_PATH_BYTES, "%s/%s", fs->opt.data_dir, name);

    VS_ASSERT(n > 0 && n < DATA_PATH_BYTES);
}

bool data_path_exists(const struct vsfs *fs, const char *name)
{
    char path[DATA_PATH_BYTES];
    struct stat st;

    data_path(fs, name, path);
    return lstat(path, &st) == 0;
}

int data_path_open_dir(const struct vsfs *fs, const char *name)
{
    char path[DATA_PATH_BYTES];
    int fd;

    data_path(fs, name, path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int data_path_make(const char *path)
{
    char part[DATA_PATH_BYTES];

    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
        return -ENAMETOOLONG;
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(part, 0700) < 0 && errno != EEXIST ? -errno : 0;
}
