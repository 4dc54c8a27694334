/* vstackfs info FILE [--json]: how one file is stored. */
#include "common/cleanup.h"
#include "fs/cli/cli.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define INFO_BYTES_MAX 65536

static void info_print(const char *file, const struct vs_json *j)
{
    static const struct {
        const char *key, *label;
    } lines[] = { { "state", "state" },
                  { "stored_as", "stored as" },
                  { "stored_bytes", "bytes on disk" },
                  { "size", "size" },
                  { "chunks", "chunks" },
                  { "container", "container" },
                  { "duration_ms", "duration ms" },
                  { "bitrate_bps", "bits per second" },
                  { "sha256", "sha256" } };

    printf("%s\n", file);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *text = vs_json_get_text(j, lines[i].key);
        uint64_t v;

        if (text != NULL)
            printf("  %-16s %s\n", lines[i].label, text);
        else if (vs_json_get_u64(j, lines[i].key, &v) == 0)
            printf("  %-16s %llu\n", lines[i].label, (unsigned long long)v);
    }
}

int cli_info(int argc, char **argv)
{
    VS_AUTO_FREE char *text = calloc(1, INFO_BYTES_MAX + 1);
    struct vs_json *j = NULL;
    struct cli_args a;
    ssize_t n;

    if (text == NULL || !cli_parse(&a, argc, argv))
        return 1;
    if (a.rest_count != 1)
        return cli_fail("which file? vstackfs info FILE");
    n = getxattr(a.rest[0], "user.vstack.info", text, INFO_BYTES_MAX);
    if (n < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
        return cli_fail("%s: not a file in a V-Stack mount", a.rest[0]);
    if (n < 0)
        return cli_fail("%s: %s", a.rest[0], strerror(errno));
    if (a.json) {
        puts(text);
        return 0;
    }
    if (vs_json_parse(text, (size_t)n, &j) < 0)
        return cli_fail("%s: no answer that makes sense", a.rest[0]);
    info_print(a.rest[0], j);
    vs_json_free(j);
    return 0;
}
