/* vstackfs restore FILE --data DIR: metadata from a backup, into DIR/meta; or, once for each
 * replica of a cluster, --into DIR --id N. */
#include "common/cleanup.h"
#include "fs/cli/cli.h"
#include "meta/meta_restore.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int restore_into(const char *file, const char *data, const char *dir, uint16_t id)
{
    VS_AUTO_FREE char *into = dir != NULL ? strdup(dir) : NULL;
    char why[META_RESTORE_WHY_BYTES], when[64] = "";
    struct meta_restored r;
    struct tm tm;
    time_t made;
    int lock = data != NULL ? cli_lock_data(data) : CLI_LOCK_NONE;

    if (lock == CLI_LOCK_TAKEN)
        return 1;
    if ((into == NULL && asprintf(&into, "%s/meta", data) < 0) ||
        meta_restore(file, into, id, &r, why) < 0) {
        if (lock >= 0)
            close(lock);
        return cli_fail("%s", into != NULL ? why : "out of memory");
    }
    if (lock >= 0)
        close(lock);
    made = (time_t)(r.made_ns / 1000000000);
    if (gmtime_r(&made, &tm) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
    printf("%s is ready, as of %s: mount it as before. Films that are newer than the backup are on "
           "the stores, but have no names (vstackfs salvage finds them); nothing is removed from "
           "the stores until you say vstackfs gc --yes\n",
           into, when);
    return 0;
}

int cli_restore(int argc, char **argv)
{
    const char *file = NULL, *data = NULL, *into = NULL, *id = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            data = argv[++i];
        else if (strncmp(argv[i], "--data=", 7) == 0)
            data = argv[i] + 7;
        else if (strcmp(argv[i], "--into") == 0 && i + 1 < argc)
            into = argv[++i];
        else if (strcmp(argv[i], "--id") == 0 && i + 1 < argc)
            id = argv[++i];
        else if (file == NULL && argv[i][0] != '-')
            file = argv[i];
        else
            return cli_fail("%s: unknown, or its value is missing; see vstackfs restore --help",
                            argv[i]);
    }
    if (id != NULL && cli_replica(id) == 0)
        return 1;
    if (file == NULL || (data == NULL) == (into == NULL))
        return cli_fail("vstackfs restore FILE --data DIR: give the backup, and the data directory "
                        "of the mount (or --into DIR --id N for a replica)");
    return restore_into(file, data, into, id != NULL ? cli_replica(id) : 0);
}
