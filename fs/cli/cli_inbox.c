/* vstackfs inbox ls|publish|cancel: what is in the inbox, and why. */
#include "common/cleanup.h"
#include "fs/cli/cli.h"
#include <stdio.h>
#include <string.h>

static void inbox_print(const struct vs_json *list, const char *key)
{
    const struct vs_json *e = vs_json_first(vs_json_get(list, key));

    for (; e != NULL; e = vs_json_next(e)) {
        const char *name = vs_json_get_text(e, "name"), *path = vs_json_get_text(e, "path");
        const char *state = vs_json_get_text(e, "state"), *what = vs_json_get_text(e, "what");
        const char *reason = vs_json_get_text(e, "reason");

        printf("%-12s ", state != NULL ? state : what != NULL ? what : "");
        cli_put(name != NULL ? name : "");
        fputs(path != NULL ? " -> " : "", stdout);
        cli_put(path != NULL ? path : "");
        fputs(reason != NULL ? ": " : "", stdout);
        cli_put(reason != NULL ? reason : "");
        putchar('\n');
    }
}

static int inbox_ls(const struct cli_args *a, const char *mount)
{
    VS_AUTO_FREE char *text = cli_read_control(mount, "inbox");
    struct vs_json *j = NULL;

    if (text == NULL)
        return 1;
    if (a->json) {
        fputs(text, stdout);
        return 0;
    }
    if (vs_json_parse(text, strlen(text), &j) < 0)
        return cli_fail("%s: no answer that makes sense", mount);
    inbox_print(j, "files");
    inbox_print(j, "results");
    vs_json_free(j);
    return 0;
}

int cli_inbox(int argc, char **argv)
{
    char mount[CLI_PATH_BYTES], command[32];
    struct vs_json *j;
    struct cli_args a;
    int r;

    if (!cli_parse(&a, argc, argv) || !cli_mount(&a, mount))
        return 1;
    if (a.rest_count == 1 && strcmp(a.rest[0], "ls") == 0)
        return inbox_ls(&a, mount);
    if (a.rest_count != 2 ||
        (strcmp(a.rest[0], "publish") != 0 && strcmp(a.rest[0], "cancel") != 0))
        return cli_fail("vstackfs inbox ls | publish NAME | cancel NAME");
    snprintf(command, sizeof(command), "inbox-%s", a.rest[0]);
    j = vs_json_object();
    vs_json_set_text(j, "command", command);
    vs_json_set_text(j, "name", a.rest[1]);
    r = cli_command_send(mount, j);
    vs_json_free(j);
    return r;
}
