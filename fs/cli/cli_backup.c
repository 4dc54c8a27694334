/* vstackfs backup FILE: the metadata of a running mount, or of a cluster's replicas (--cluster
 * CLUSTER.json), into one file. */
#include "common/cleanup.h"
#include "fs/backup.h"
#include "fs/cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int of_mount(const struct cli_args *a, const char *path, struct vs_json **ret)
{
    char mount[CLI_PATH_BYTES];
    struct vs_json *cmd;
    int r;

    if (!cli_mount(a, mount))
        return 1;
    cmd = vs_json_object();
    vs_json_set_text(cmd, "command", "backup");
    vs_json_set_text(cmd, "path", path);
    r = cli_command_ask(mount, cmd, ret);
    vs_json_free(cmd);
    return r;
}

static int of_cluster(const char *cluster, const char *path, struct vs_json **ret)
{
    struct meta_backup_result result;
    char why[BACKUP_WHY_BYTES];

    if (backup_cluster(cluster, path, &result, why) < 0)
        return cli_fail("%s", why);
    *ret = vs_json_object();
    vs_json_set_u64(*ret, "slot", result.slot);
    vs_json_set_u64(*ret, "bytes", result.bytes);
    vs_json_set_u64(*ret, "registers", result.registers);
    return 0;
}

int cli_backup(int argc, char **argv)
{
    VS_AUTO_FREE char *path = NULL, *text = NULL;
    const char *cluster = cli_take_cluster(&argc, argv);
    char cwd[CLI_PATH_BYTES];
    struct vs_json *j = NULL;
    uint64_t slot = 0, bytes = 0;
    struct cli_args a;
    int r;

    if (!cli_parse(&a, argc, argv))
        return 1;
    if (a.rest_count != 1 || (cluster != NULL && a.mount != NULL))
        return cli_fail("vstackfs backup FILE [--mount MNT | --cluster CLUSTER.json]: name one "
                        "file, which must not be there yet");
    if (getcwd(cwd, sizeof(cwd)) == NULL ||
        asprintf(&path, "%s%s%s", a.rest[0][0] == '/' ? "" : cwd, a.rest[0][0] == '/' ? "" : "/",
                 a.rest[0]) < 0)
        return cli_fail("%s: its folder cannot be told", a.rest[0]);
    r = cluster != NULL ? of_cluster(cluster, path, &j) : of_mount(&a, path, &j);
    if (r != 0)
        return r;
    vs_json_get_u64(j, "slot", &slot);
    vs_json_get_u64(j, "bytes", &bytes);
    if (a.json) {
        text = vs_json_print(j, true);
        puts(text != NULL ? text : "{}");
    } else {
        printf("%s: all names, small files and places of chunks as of slot %llu, %llu bytes; keep "
               "it elsewhere than the stores\n",
               path, (unsigned long long)slot, (unsigned long long)bytes);
    }
    vs_json_free(j);
    return 0;
}
