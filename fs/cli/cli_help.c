/* vstackfs help, and --help. */
#include "fs/cli/cli.h"
#include <stdio.h>

int cli_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("vstackfs - a video store that is used as a folder\n"
         "\n"
         "Mount:  vstackfs [-f] [-o OPTS] [--data DIR] [--disk DIR ...] MOUNTPOINT\n"
         "        vstackfs [-f] [-o OPTS] --cluster FILE [--data DIR] MOUNTPOINT\n"
         "  --data DIR   metadata, and the stores unless --disk is given\n"
         "               (default: /var/lib/vstack, or $XDG_DATA_HOME/vstack)\n"
         "  --disk DIR   one store per disk; give it once for each disk\n"
         "  --cluster FILE  cluster.json of nodes and metadata replicas that run as processes\n"
         "               of their own (vstackfs up makes one); what the mount itself keeps is\n"
         "               beside it, or in --data\n"
         "  --reserve N  percent of each disk kept free (default 5)\n"
         "  -f           stay in the foreground, log to the terminal\n"
         "  -o OPTS      ro, allow_other, taken=keep-both|replace|refuse, alias=SECONDS,\n"
         "               staging=SIZE, cache=SIZE, write-buffer=SIZE;\n"
         "               lease=S: a mount that says nothing for so long has nothing open any more\n"
         "               (default 30; the same for all mounts of a cluster)\n"
         "\n"
         "Copy in:  cp film.mkv MOUNTPOINT/inbox/    it appears as MOUNTPOINT/film.mkv\n"
         "\n"
         "Commands:");
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        printf("  vstackfs %s\n", c->usage);
    return 0;
}
