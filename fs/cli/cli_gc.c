/* vstackfs gc [--yes]: what collecting would remove from the stores; with --yes it may. */
#include "common/cleanup.h"
#include "fs/cli/cli.h"
#include <stdio.h>
#include <string.h>

static unsigned long long number(const struct vs_json *j, const char *key)
{
    uint64_t v = 0;

    vs_json_get_u64(j, key, &v);
    return v;
}

static void gc_print(const struct vs_json *j, bool yes)
{
    const char *brake = vs_json_get_text(j, "brake");
    const struct vs_json *n = vs_json_first(vs_json_get(j, "nodes"));

    if (brake != NULL)
        printf("nothing is being removed: %s\n", brake);
    printf("removed files that wait: %llu chunks or lists of chunks\n", number(j, "waiting"));
    for (; n != NULL; n = vs_json_next(n)) {
        const char *id = vs_json_get_text(n, "id"), *why = vs_json_get_text(n, "why");

        printf("  %-6s %llu of %llu fragments are not known to the metadata%s%s\n",
               id != NULL ? id : "-", number(n, "would_go"), number(n, "fragments"),
               why != NULL ? ": " : "", why != NULL ? why : "");
    }
    if (yes)
        puts("all of that goes now");
    else
        puts("vstackfs gc --yes removes them for ever; if files are missing that should be there, "
             "put the newer metadata back instead");
}

int cli_gc(int argc, char **argv)
{
    VS_AUTO_FREE char *text = NULL;
    char mount[CLI_PATH_BYTES];
    struct vs_json *cmd, *j = NULL;
    struct cli_args a;
    bool yes = false;
    int kept = 1, r;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--yes") == 0)
            yes = true;
        else
            argv[kept++] = argv[i];
    }
    if (!cli_parse(&a, kept, argv) || !cli_mount(&a, mount))
        return 1;
    cmd = vs_json_object();
    vs_json_set_text(cmd, "command", "gc");
    if (yes)
        vs_json_set_bool(cmd, "yes", true);
    r = cli_command_ask(mount, cmd, &j);
    vs_json_free(cmd);
    if (r == 0 && a.json) {
        text = vs_json_print(j, true);
        puts(text != NULL ? text : "{}");
    } else if (r == 0) {
        gc_print(j, yes);
    }
    vs_json_free(j);
    return r;
}
