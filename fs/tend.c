/* tend: see the header. */
#include "fs/tend.h"
#include "common/err.h"
#include "common/log.h"
#include "common/periodic.h"
#include <stdlib.h>

struct tend {
    struct vsfs *fs;
    struct vs_periodic turn;
};

static void tend_turn(struct vs_periodic *p)
{
    struct vsfs *fs = vs_container_of(p, struct tend, turn)->fs;
    struct ns_entry e = { .kind = NS_E_SESSION_TOUCH, .now = vsfs_now(fs), .mount = fs->mount };
    struct meta_req req = { .op = META_CHANGE, .entry = &e };
    int r;

    collect_wake(fs->collect);
    if (upload_env_sessions(fs->uploads) == 0)
        return;
    r = meta_call(fs->meta, &req);
    if (r < 0)
        vs_warn("uploads: no sign of life could be given (%s) -> again in %d s", vs_err_text(r),
                TEND_S);
}

int tend_start(struct tend **ret, struct vsfs *fs)
{
    struct tend *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return -ENOMEM;
    t->fs = fs;
    *ret = t;
    vs_periodic_start(&t->turn, fs->ops, TEND_S * VS_NS_PER_S, TEND_S * VS_NS_PER_S, tend_turn);
    return 0;
}

void tend_stop(struct tend *t)
{
    if (t == NULL)
        return;
    vs_periodic_stop(&t->turn);
    free(t);
}
