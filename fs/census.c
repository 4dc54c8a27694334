/* census: the register list, page by page, held against the stores' lists. See the header.
 *
 * Each page of registers is read first and judged against lists read after it, so that a chunk
 * written meanwhile is not missed; what does not look whole is read once more from its register,
 * since it may have been deleted or moved after the page was read. */
#include "fs/census.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/frag_lists.h"
#include "meta/place_value.h"
#include <string.h>

#define CENSUS_PAGE 1024

struct census_taking {
    struct vsfs *fs;
    struct census *census;
    struct frag_lists lists;
    struct meta_reg *regs; /* CENSUS_PAGE of them */
    struct place_value *values;
    uint32_t count;
};

static void census_add(struct census *c, enum chunk_left left)
{
    c->chunks++;
    c->lost += left == CHUNK_LOST;
    c->degraded += left == CHUNK_DEGRADED || left == CHUNK_WEAK;
    c->weak += left == CHUNK_WEAK;
}

/* Read the registers; those that are gone are dropped from the page, and one that makes no sense is
 * lost: what it placed cannot be found. */
static int census_read(struct census_taking *t)
{
    struct meta_req read = { .op = META_REG_READ, .regs = t->regs, .reg_count = t->count };
    uint32_t kept = 0;
    int r = t->count > 0 ? meta_call(t->fs->meta, &read) : 0;

    for (uint32_t i = 0; i < t->count; i++) {
        struct meta_reg *reg = &t->regs[i];
        struct place_value v = { .state = 0 };
        bool there = r == 0 && reg->status != -ENOENT;

        if (there && reg->status == 0 &&
            place_value_decode(reg->current.data, reg->current.len, &v) == 0)
            there = v.state == PLACE_LIVE;
        vs_buf_close(&reg->current);
        if (!there)
            continue;
        t->regs[kept] = (struct meta_reg){ .id = reg->id };
        t->values[kept++] = v;
    }
    t->count = kept;
    return r;
}

/* Count what is whole; the others stay in the page. `last`: count them too. */
static void census_judge(struct census_taking *t, bool last)
{
    uint32_t kept = 0;

    frag_lists_forget(&t->lists);
    for (uint32_t i = 0; i < t->count; i++) {
        enum chunk_left left = frag_lists_judge(&t->lists, &t->regs[i].id, &t->values[i]);

        if (last || left == CHUNK_WHOLE || left == CHUNK_WEAK)
            census_add(t->census, left);
        else
            t->regs[kept++] = t->regs[i];
    }
    t->count = kept;
}

static int census_page(struct census_taking *t)
{
    int r = census_read(t);

    if (r < 0)
        return r;
    census_judge(t, false);
    if (t->count == 0)
        return 0;
    r = census_read(t); /* a second look */
    if (r == 0)
        census_judge(t, true);
    return r;
}

static int census_registers(struct census_taking *t)
{
    VS_AUTO_FREE struct vs_id *ids = calloc(CENSUS_PAGE, sizeof(*ids));
    struct meta_req scan = {
        .op = META_SCAN, .scan = META_SCAN_REGISTERS, .scan_ids = ids, .scan_max = CENSUS_PAGE
    };

    if (ids == NULL)
        return -ENOMEM;
    do {
        int r = meta_call(t->fs->meta, &scan);

        if (r < 0)
            return r;
        t->count = 0;
        for (uint32_t i = 0; i < scan.scan_count; i++)
            if (vs_id_type(&ids[i]) == VS_ID_CHUNK)
                t->regs[t->count++] = (struct meta_reg){ .id = ids[i] };
        r = census_page(t);
        if (r < 0)
            return r;
        if (scan.scan_count > 0)
            scan.scan_after_id = ids[scan.scan_count - 1];
    } while (scan.scan_count == CENSUS_PAGE);
    return 0;
}

int census_take(struct vsfs *fs, struct census *ret)
{
    VS_AUTO_FREE struct census_taking *t = calloc(1, sizeof(*t));
    VS_AUTO_FREE struct meta_reg *regs = calloc(CENSUS_PAGE, sizeof(*regs));
    VS_AUTO_FREE struct place_value *values = calloc(CENSUS_PAGE, sizeof(*values));
    int r;

    *ret = (struct census){ 0 };
    if (t == NULL || regs == NULL || values == NULL)
        return -ENOMEM;
    t->fs = fs;
    t->census = ret;
    t->regs = regs;
    t->values = values;
    r = frag_lists_open(&t->lists, &fs->stores, FRAG_LISTS_PAGE_MAX);
    if (r == 0)
        r = census_registers(t);
    frag_lists_close(&t->lists);
    return r;
}
