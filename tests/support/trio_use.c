/* trio_use: see the header. */
#include "tests/support/trio_use.h"
#include "common/assert.h"
#include "meta/place_value.h"
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

static struct vs_buf trio_placement(uint32_t generation)
{
    struct place_value v = {
        .state = PLACE_LIVE,
        .session = 1,
        .generation = generation,
        .chunk_bytes = 1,
        .red = { VS_RED_REPLICATE, 1, 1 },
        .frag = { { .node = 1, .generation = 1 }, { .node = 9, .generation = 1 } },
    };
    struct vs_buf b = { 0 };

    VS_ASSERT(place_value_encode(&v, &b) == 0);
    return b;
}

int trio_create(struct meta_client *c, const struct vs_id *id, uint32_t generation)
{
    struct vs_buf value = trio_placement(generation);
    struct meta_reg reg = { .id = *id, .value = value.data, .value_len = value.len };
    struct meta_req r = { .op = META_REG_CREATE, .regs = &reg, .reg_count = 1 };
    int status = meta_call(c, &r);

    VS_ASSERT(reg.status == status);
    vs_buf_close(&value);
    return status;
}

int trio_raise(struct meta_client *c, const struct vs_id *id, uint32_t generation)
{
    struct vs_buf value = trio_placement(generation);
    struct meta_reg reg = {
        .id = *id, .value = value.data, .value_len = value.len, .expect_generation = generation - 1
    };
    struct meta_req r = { .op = META_REG_CHANGE, .regs = &reg, .reg_count = 1 };
    int status = meta_call(c, &r);

    vs_buf_close(&value);
    vs_buf_close(&reg.current);
    return status < 0 ? status : reg.status;
}

/* The generation found; negative: the status. */
int trio_generation(struct meta_client *c, const struct vs_id *id, bool hint)
{
    struct meta_reg reg = { .id = *id };
    struct meta_req r = { .op = META_REG_READ, .regs = &reg, .reg_count = 1, .hint = hint };
    struct place_value v = { 0 };
    int status = meta_call(c, &r);

    if (status == 0)
        status = reg.status;
    if (status == 0)
        VS_ASSERT(place_value_decode(reg.current.data, reg.current.len, &v) == 0);
    vs_buf_close(&reg.current);
    return status < 0 ? status : (int)v.generation;
}

struct vs_id trio_id(struct meta_client *c)
{
    return vs_id_make(c->pid, c->inc, ++requests, VS_ID_CHUNK);
}
