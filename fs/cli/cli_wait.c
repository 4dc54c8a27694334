/* vstackfs wait FILE: until it is stored durably; exit code 0 only then. */
#include "fs/cli/cli.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define WAIT_POLL_US 50000

int cli_wait(int argc, char **argv)
{
    struct cli_args a;
    char state[64];

    if (!cli_parse(&a, argc, argv))
        return 1;
    if (a.rest_count != 1)
        return cli_fail("which file? vstackfs wait FILE");
    for (;;) {
        ssize_t n = getxattr(a.rest[0], "user.vstack.state", state, sizeof(state) - 1);

        if (n < 0)
            return cli_fail("%s: %s", a.rest[0], strerror(errno));
        state[n] = '\0';
        if (strcmp(state, "uploading") != 0 && strcmp(state, "staged") != 0)
            break;
        usleep(WAIT_POLL_US);
    }
    if (strcmp(state, "stored") == 0 || strcmp(state, "degraded") == 0 ||
        strcmp(state, "migrating") == 0)
        return 0;
    return cli_fail("%s: %s; see vstackfs status", a.rest[0], state);
}
