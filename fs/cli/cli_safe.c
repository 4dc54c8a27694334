/* vstackfs safe FILE [--json]: may the original be deleted? Exit code 0 only for a clear yes. */
#include "common/cleanup.h"
#include "fs/cli/cli.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define SAFE_TEXT_BYTES 1024

static void safe_print_json(const char *file, bool safe, const char *text)
{
    struct vs_json *j = vs_json_object();
    VS_AUTO_FREE char *printed = NULL;

    vs_json_set_text(j, "file", file);
    vs_json_set_bool(j, "safe", safe);
    vs_json_set_text(j, "text", text);
    printed = vs_json_print(j, true);
    puts(printed != NULL ? printed : "{}");
    vs_json_free(j);
}

int cli_safe(int argc, char **argv)
{
    char text[SAFE_TEXT_BYTES];
    struct cli_args a;
    ssize_t n;
    bool safe;

    if (!cli_parse(&a, argc, argv))
        return 1;
    if (a.rest_count != 1)
        return cli_fail("which file? vstackfs safe FILE");
    n = getxattr(a.rest[0], "user.vstack.safe", text, sizeof(text) - 1);
    if (n < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
        return cli_fail("%s: not a file in a V-Stack mount", a.rest[0]);
    if (n < 0)
        return cli_fail("%s: %s", a.rest[0], strerror(errno));
    text[n] = '\0';
    safe = strncmp(text, "yes", 3) == 0 && (text[3] == '\0' || text[3] == ':');
    if (a.json) {
        safe_print_json(a.rest[0], safe, text);
        return safe ? 0 : 1;
    }
    cli_put(a.rest[0]);
    printf(": %s\n", text);
    return safe ? 0 : 1;
}
