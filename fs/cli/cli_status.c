/* vstackfs status [--json] [--mount MNT | --cluster FILE]: the state of a mount, or of a cluster as
 * its metadata replicas see it. */
#include "common/cleanup.h"
#include "fs/cli/cli.h"
#include "fs/cluster_view.h"
#include <stdio.h>
#include <string.h>

static const char *text_or(const struct vs_json *j, const char *key)
{
    const char *text = vs_json_get_text(j, key);

    return text != NULL ? text : "-";
}

static unsigned long long number(const struct vs_json *j, const char *key)
{
    uint64_t v = 0;

    vs_json_get_u64(j, key, &v);
    return v;
}

/* Replicas of the metadata: id, state, role, what they have applied. */
static void status_print_metas(const struct vs_json *j)
{
    const struct vs_json *n = vs_json_first(vs_json_get(j, "metas"));

    if (vs_json_get_text(j, "brake") != NULL)
        printf("  nothing is removed from the stores: %s; `vstackfs gc` says what would go\n",
               text_or(j, "brake"));
    for (; n != NULL; n = vs_json_next(n)) {
        const char *why = vs_json_get_text(n, "why");
        uint64_t applied;

        printf("  meta %-3s %-6s %-9s %s", text_or(n, "id"), text_or(n, "state"),
               text_or(n, "role"), text_or(n, "url"));
        if (vs_json_get_u64(n, "applied", &applied) == 0)
            printf("  applied %llu", (unsigned long long)applied);
        printf("%s%s\n", why != NULL ? "  " : "", why != NULL ? why : "");
    }
}

static void status_print_counts(const struct vs_json *j)
{
    if (vs_json_get(j, "files") == NULL) /* the metadata is out of reach */
        return;
    printf("  files %llu, bytes %llu, on disk %llu\n", number(j, "files"),
           number(j, "logical_bytes"), number(j, "fragment_bytes"));
    printf("  chunks %llu, degraded %llu, lost %llu; new files are stored as %s\n",
           number(j, "chunks"), number(j, "chunks_degraded"), number(j, "chunks_lost"),
           text_or(j, "new_files_stored_as"));
}

static void status_print(const struct vs_json *j)
{
    const struct vs_json *n = vs_json_first(vs_json_get(j, "nodes"));
    const char *mountpoint = vs_json_get_text(j, "mountpoint");

    printf("%s: %s: %s\n", text_or(j, mountpoint != NULL ? "mountpoint" : "cluster"),
           text_or(j, "state"), text_or(j, "advice"));
    status_print_counts(j);
    if (vs_json_get(j, "metas") != NULL)
        printf("  cluster %s; the metadata is with its replicas\n", text_or(j, "cluster"));
    else if (vs_json_get_text(j, "cluster") != NULL)
        printf("  cluster %s; the metadata is with %s, in %s/meta: keep a copy of it\n",
               text_or(j, "cluster"), text_or(j, "metadata"), text_or(j, "data"));
    status_print_metas(j);
    for (; n != NULL; n = vs_json_next(n)) {
        const char *why = vs_json_get_text(n, "why");

        printf("  %-6s %-8s %s%s%s\n", text_or(n, "id"), text_or(n, "state"),
               text_or(n, mountpoint != NULL ? "path" : "address"), why != NULL ? "  " : "",
               why != NULL ? why : "");
    }
}

static int of_cluster(const struct cli_args *a, const char *cluster)
{
    VS_AUTO_FREE char *text = NULL;
    char why[CLUSTER_VIEW_WHY_BYTES];
    struct vs_json *j = NULL;
    int r = 0;

    if (a->mount != NULL)
        return cli_fail("vstackfs status [--json] [--mount MNT | --cluster CLUSTER.json]");
    if (cluster_view(cluster, NULL, &j, why) < 0)
        return cli_fail("%s", why);
    text = a->json ? vs_json_print(j, true) : NULL;
    if (text != NULL)
        puts(text);
    else if (a->json)
        r = cli_fail("out of memory");
    else
        status_print(j);
    vs_json_free(j);
    return r;
}

int cli_status(int argc, char **argv)
{
    const char *cluster = cli_take_cluster(&argc, argv);
    VS_AUTO_FREE char *text = NULL;
    char mount[CLI_PATH_BYTES];
    struct vs_json *j = NULL;
    struct cli_args a;

    if (!cli_parse(&a, argc, argv))
        return 1;
    if (cluster != NULL)
        return of_cluster(&a, cluster);
    if (!cli_mount(&a, mount))
        return 1;
    text = cli_read_control(mount, "status");
    if (text == NULL)
        return 1;
    if (a.json) {
        fputs(text, stdout);
        return 0;
    }
    if (vs_json_parse(text, strlen(text), &j) < 0)
        return cli_fail("%s: no answer that makes sense", mount);
    status_print(j);
    vs_json_free(j);
    return 0;
}
