/* vstackfs nodes [--json] [--mount MNT | --cluster FILE]: a table of the storage nodes, and what to
 * do where one is not up. Of a cluster by the word of its metadata replicas, else of the mount. */
#include "common/cleanup.h"
#include "fs/cli/cli.h"
#include "fs/cluster_view.h"
#include "fs/nodes_report.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_BYTES 32

static const char *text_or(const struct vs_json *j, const char *key)
{
    const char *text = vs_json_get_text(j, key);

    return text != NULL ? text : "-";
}

static const char *size_cell(const struct vs_json *j, const char *key, char cell[CELL_BYTES])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    unsigned unit = 0;
    uint64_t bytes;
    double v;

    if (vs_json_get_u64(j, key, &bytes) < 0)
        return "-";
    for (v = (double)bytes; v >= 1024 && unit < 6; v /= 1024)
        unit++;
    snprintf(cell, CELL_BYTES, unit == 0 ? "%.0f %s" : "%.1f %s", v, units[unit]);
    return cell;
}

static const char *count_cell(const struct vs_json *j, const char *key, char cell[CELL_BYTES])
{
    uint64_t v;

    if (vs_json_get_u64(j, key, &v) < 0)
        return "-";
    snprintf(cell, CELL_BYTES, "%" PRIu64, v);
    return cell;
}

static const char *heard_cell(const struct vs_json *j, char cell[CELL_BYTES])
{
    uint64_t ms;

    if (vs_json_get_u64(j, "silent_ms", &ms) < 0)
        return "-";
    if (ms < 120 * 1000)
        snprintf(cell, CELL_BYTES, "%.1f s ago", (double)ms / 1000);
    else
        snprintf(cell, CELL_BYTES, "%" PRIu64 " min ago", ms / 60000);
    return cell;
}

static void nodes_print(const struct vs_json *nodes, const char *advice)
{
    printf("%-8s %-9s %-12s %12s %12s %10s %14s  %s\n", "id", "state", "domain", "free", "total",
           "fragments", "heard", "address");
    for (const struct vs_json *n = vs_json_first(nodes); n != NULL; n = vs_json_next(n)) {
        char free_cell[CELL_BYTES], total[CELL_BYTES], fragments[CELL_BYTES], heard[CELL_BYTES];

        printf("%-8s %-9s %-12s %12s %12s %10s %14s  ", text_or(n, "id"), text_or(n, "state"),
               text_or(n, "domain"), size_cell(n, "free_bytes", free_cell),
               size_cell(n, "total_bytes", total), count_cell(n, "fragments", fragments),
               heard_cell(n, heard));
        cli_put(text_or(n, "address"));
        putchar('\n');
    }
    if (advice != NULL)
        puts(advice);
}

/* The list of who knows it; `ret_cluster` what was asked for it, NULL: the mount. */
static int nodes_take(const struct cli_args *a, const char *cluster, struct vs_json **ret)
{
    VS_AUTO_FREE char *text = NULL;
    char mount[CLI_PATH_BYTES], why[CLUSTER_VIEW_WHY_BYTES];
    const struct vs_json *metas;
    struct vs_json *j = NULL;
    int r = 0;

    if (cluster != NULL)
        return cluster_view(cluster, NULL, ret, why) < 0 ? cli_fail("%s", why) : 0;
    if (!cli_mount(a, mount))
        return 1;
    text = cli_read_control(mount, "status");
    if (text == NULL)
        return 1;
    if (vs_json_parse(text, strlen(text), &j) < 0)
        return cli_fail("%s: no answer that makes sense", mount);
    metas = vs_json_get(j, "metas");
    cluster = vs_json_get_text(j, "cluster");
    if (vs_json_count(metas) > 0 && cluster != NULL) {
        if (cluster_view(cluster, metas, ret, why) < 0)
            r = cli_fail("%s", why);
    } else if (vs_json_is_array(vs_json_get(j, "nodes"))) {
        *ret = vs_json_object();
        if (cluster != NULL)
            vs_json_set_text(*ret, "cluster", cluster);
        vs_json_set(*ret, "nodes", nodes_report_stores(j));
    } else {
        r = cli_fail("%s: no answer that makes sense", mount);
    }
    vs_json_free(j);
    return r;
}

int cli_nodes(int argc, char **argv)
{
    const char *cluster = cli_take_cluster(&argc, argv);
    char advice[NODES_REPORT_ADVICE_BYTES];
    VS_AUTO_FREE char *text = NULL;
    const struct vs_json *nodes;
    struct vs_json *j = NULL;
    struct cli_args a;
    bool act;
    int r;

    if (!cli_parse(&a, argc, argv))
        return 1;
    if (a.rest_count != 0 || (cluster != NULL && a.mount != NULL))
        return cli_fail("vstackfs nodes [--json] [--mount MNT | --cluster CLUSTER.json]");
    r = nodes_take(&a, cluster, &j);
    if (r != 0)
        return r;
    nodes = vs_json_get(j, "nodes");
    act = nodes_report_advice(nodes, vs_json_get_text(j, "cluster") != NULL, advice);
    if (a.json) {
        if (vs_json_get_text(j, "advice") == NULL)
            vs_json_set_text(j, "advice", act ? advice : "all nodes are up");
        text = vs_json_print(j, true);
        if (text == NULL)
            r = cli_fail("out of memory");
        else
            puts(text);
    } else {
        nodes_print(nodes, act ? advice : NULL);
    }
    vs_json_free(j);
    return r;
}
