/* vstackfs: the mount, and every user and admin command.
 *
 *   vstackfs MOUNTPOINT          mounts (a word without '/' is a command: use ./name)
 *   vstackfs COMMAND ...         fs/cli/
 *   vstackfs --cutter MODE       libavformat's child process (ingest/cutter.h); not for people */
#include "fs/cli/cli.h"
#include "fs/mount.h"
#include "ingest/cutter.h"
#include <string.h>

int main(int argc, char **argv)
{
    const struct cli_command *command;

    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_help(0, NULL);
        return argc < 2 ? 1 : 0;
    }
    if (strcmp(argv[1], "--cutter") == 0)
        return cutter_child_main(argc - 1, argv + 1);
    if (argv[1][0] != '-' && strchr(argv[1], '/') == NULL) {
        command = cli_find(argv[1]);
        if (command == NULL)
            return cli_fail("%s is no command; a folder needs a slash: vstackfs ./%s", argv[1],
                            argv[1]);
        return cli_run(command, argc - 1, argv + 1);
    }
    return mount_main(argc - 1, argv + 1);
}
