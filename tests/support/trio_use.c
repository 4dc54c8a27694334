/* trio_use: see the header. */
#include "tests/support/trio_use.h"
#include <string.h>
#include <sys/stat.h>

static _Atomic uint64_t requests; /* of this process */

int trio_make_dir(struct meta_client *c, const char *name)
{
    uint64_t client = (uint64_t)7 << 32 | ++requests;
    struct ns_entry reserve = { .kind = NS_E_RESERVE, .count = 1, .client = client, .request = 1 };
    struct ns_entry e = { .kind = NS_E_CREATE,
                          .parent = NS_INO_ROOT,
                          .name = name,
                          .name_len = strlen(name),
                          .attr = { .mode = S_IFDIR | 0755 },
                          .client = client,
                          .request = 2 };
    struct meta_req r = { .op = META_CHANGE, .entry = &reserve };
    int status = meta_call(c, &r);

    if (status < 0)
        return status;
    e.ino = r.answer.first;
    r = (struct meta_req){ .op = META_CHANGE, .entry = &e };
    return meta_call(c, &r);
}

int trio_lookup(struct meta_client *c, const char *name)
{
    struct meta_req r = {
        .op = META_LOOKUP, .ino = NS_INO_ROOT, .name = name, .name_len = strlen(name)
    };

    return meta_call(c, &r);
}

struct vs_id trio_id(struct meta_client *c)
{
    return vs_id_make(c->pid, c->inc, ++requests, VS_ID_CHUNK);
}
