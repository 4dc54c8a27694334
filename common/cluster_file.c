/* cluster_file: see the header. */
#include "common/cluster_file.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/text_file.h"
#include <stdio.h>

int cluster_file_load(const char *path, struct cluster_json *ret, char why[CLUSTER_WHY_BYTES])
{
    VS_AUTO_FREE char *text = NULL;
    char what[CLUSTER_WHY_BYTES];
    size_t len = 0;
    int r = text_file_load(path, CLUSTER_JSON_BYTES_MAX, &text, &len);

    if (r < 0) {
        snprintf(why, CLUSTER_WHY_BYTES, "%.300s: %s", path, vs_err_text(r));
        return r;
    }
    r = cluster_json_parse(ret, text, len, what);
    if (r < 0)
        snprintf(why, CLUSTER_WHY_BYTES, "%.200s: %.280s", path, what);
    return r;
}

int cluster_file_save(const char *path, const struct cluster_json *c, char why[CLUSTER_WHY_BYTES])
{
    VS_AUTO_FREE char *text = NULL;
    char what[CLUSTER_WHY_BYTES];
    int r = cluster_json_print(c, &text, what);

    if (r < 0) {
        snprintf(why, CLUSTER_WHY_BYTES, "%.200s: %.280s", path, what);
        return r;
    }
    r = text_file_save(path, text, 0644);
    if (r < 0)
        snprintf(why, CLUSTER_WHY_BYTES, "cannot write %.300s: %s", path, vs_err_text(r));
    return r;
}
