/* vstackfs node replace ID DIR: a new, empty store takes the place of a lost one. */
#include "common/cleanup.h"
#include "fs/cli/cli.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

int cli_node(int argc, char **argv)
{
    VS_AUTO_FREE char *dir = NULL;
    char mount[CLI_PATH_BYTES];
    struct vs_json *j;
    struct cli_args a;
    int r;

    if (!cli_parse(&a, argc, argv))
        return 1;
    if (a.rest_count != 3 || strcmp(a.rest[0], "replace") != 0)
        return cli_fail("vstackfs node replace ID DIR; `vstackfs status` lists the ids");
    if (!cli_mount(&a, mount))
        return 1;
    dir = realpath(a.rest[2], NULL);
    if (dir == NULL)
        return cli_fail("%s: %s", a.rest[2], strerror(errno));
    j = vs_json_object();
    vs_json_set_text(j, "command", "node-replace");
    vs_json_set_text(j, "id", a.rest[1]);
    vs_json_set_text(j, "path", dir);
    r = cli_command_send(mount, j);
    vs_json_free(j);
    if (r == 0)
        printf("%s is now %s, empty; new films use it at once\n", a.rest[1], dir);
    return r;
}
