/* gc: see the header. A store that is down is told with the reason, and asked when it is back. */
#include "fs/gc.h"
#include "common/err.h"
#include "common/log.h"

static struct vs_json *gc_node(struct vsfs *fs, unsigned i)
{
    struct vs_json *j = vs_json_object();
    uint64_t seen = 0, doomed = 0;
    int r = collect_look(fs->collect, i, &seen, &doomed);

    vs_json_set_text(j, "id", fs->stores.entries[i].name);
    vs_json_set_u64(j, "fragments", seen);
    vs_json_set_u64(j, "would_go", doomed);
    if (r < 0)
        vs_json_set_text(j, "why", vs_err_text(r));
    return j;
}

int gc_run(struct vsfs *fs, bool yes, struct vs_json *answer)
{
    struct meta_req req = { .op = META_STATS };
    struct vs_json *nodes = vs_json_array();
    int r = meta_call(fs->meta, &req);

    if (req.stats.brake[0] != '\0')
        vs_json_set_text(answer, "brake", req.stats.brake);
    vs_json_set_u64(answer, "waiting", req.stats.released_waiting);
    for (unsigned i = 0; r == 0 && i < fs->stores.count; i++)
        vs_json_add(nodes, gc_node(fs, i));
    vs_json_set(answer, "nodes", nodes);
    if (r < 0 || !yes)
        return r;
    r = collect_let_go(fs->collect);
    if (r == 0)
        vs_info("collecting: allowed by vstackfs gc --yes -> what nothing refers to is removed");
    return r;
}
