/* census: a merge of the register list with every store's list. See the header. */
#include "fs/census.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "fs/waiter.h"
#include "meta/place_value.h"
#include <string.h>

#define CENSUS_PAGE 1024

/* One store's list, read page by page. */
struct census_store {
    struct chunk_store *store; /* NULL: down */
    uint32_t node;
    struct frag_key *keys; /* CENSUS_PAGE of them */
    uint32_t count, at;
    bool end;
};

struct list_wait {
    struct store_list list;
    struct waiter waiter;
};

static void census_listed(struct store_list *l)
{
    waiter_wake(&vs_container_of(l, struct list_wait, list)->waiter);
}

static int census_page(struct census_store *s)
{
    struct list_wait w = {
        .list = { .keys = s->keys, .keys_max = CENSUS_PAGE, .done = census_listed },
        .waiter = WAITER_INIT,
    };

    if (s->count > 0)
        w.list.after = s->keys[s->count - 1];
    chunk_store_list(s->store, &w.list);
    waiter_wait(&w.waiter);
    if (w.list.status < 0)
        return w.list.status;
    s->at = 0;
    s->count = w.list.keys_count;
    s->end = w.list.keys_count < CENSUS_PAGE;
    return 0;
}

/* Keys are asked for in ascending order, except that fragments of one chunk come in any. */
static bool census_has(struct census_store *s, const struct frag_key *key)
{
    const struct frag_key low = { .chunk = key->chunk };

    if (s->store == NULL)
        return false;
    for (;;) {
        while (s->at < s->count && frag_key_cmp(&s->keys[s->at], &low) < 0)
            s->at++;
        if (s->at < s->count)
            break;
        if (s->end)
            return false;
        if (census_page(s) < 0) {
            s->store = NULL; /* went down meanwhile */
            return false;
        }
    }
    for (uint32_t i = s->at; i < s->count; i++) {
        int c = frag_key_cmp(&s->keys[i], key);

        if (c >= 0)
            return c == 0;
    }
    return false;
}

static void census_count(struct census *c, struct census_store *stores, unsigned n,
                         const struct vs_id *id, const struct place_value *v)
{
    unsigned total = (unsigned)v->red.k + v->red.m, there = 0;

    c->chunks++;
    for (unsigned f = 0; f < total; f++) {
        struct frag_key key = { *id, (uint8_t)f, v->generation };

        for (unsigned s = 0; s < n; s++)
            if (stores[s].node == v->frag[f].node && census_has(&stores[s], &key))
                there++;
    }
    if (there < v->red.k)
        c->lost++;
    else if (there < total)
        c->degraded++;
    else if (v->red.m < 2 && n >= 5) {
        c->degraded++;
        c->weak++;
    }
}

static int census_registers(struct vsfs *fs, struct census *c, struct census_store *stores,
                            unsigned n)
{
    VS_AUTO_FREE struct vs_id *ids = calloc(CENSUS_PAGE, sizeof(*ids));
    VS_AUTO_FREE struct meta_reg *regs = calloc(CENSUS_PAGE, sizeof(*regs));
    struct meta_req scan = {
        .op = META_SCAN, .scan = META_SCAN_REGISTERS, .scan_ids = ids, .scan_max = CENSUS_PAGE
    };

    if (ids == NULL || regs == NULL)
        return -ENOMEM;
    do {
        struct meta_req read = { .op = META_REG_READ, .regs = regs };
        int r = meta_call(fs->meta, &scan);

        if (r < 0)
            return r;
        for (uint32_t i = 0; i < scan.scan_count; i++)
            if (vs_id_type(&ids[i]) == VS_ID_CHUNK)
                regs[read.reg_count++] = (struct meta_reg){ .id = ids[i] };
        if (read.reg_count > 0)
            r = meta_call(fs->meta, &read);
        for (uint32_t i = 0; i < read.reg_count; i++) {
            struct place_value v;

            if (r == 0 && regs[i].status == 0 &&
                place_value_decode(regs[i].current.data, regs[i].current.len, &v) == 0 &&
                v.state == PLACE_LIVE)
                census_count(c, stores, n, &regs[i].id, &v);
            vs_buf_close(&regs[i].current);
        }
        if (r < 0)
            return r;
        if (scan.scan_count > 0)
            scan.scan_after_id = ids[scan.scan_count - 1];
    } while (scan.scan_count == CENSUS_PAGE);
    return 0;
}

int census_take(struct vsfs *fs, struct census *ret)
{
    struct census_store stores[STORE_SET_MAX] = { 0 };
    unsigned n = fs->stores.count;
    int r = 0;

    *ret = (struct census){ 0 };
    for (unsigned i = 0; i < n; i++) {
        struct store_health h;

        store_set_health(&fs->stores, i, &h);
        stores[i].node = fs->stores.entries[i].node;
        if (h.state != STORE_DOWN)
            stores[i].store = store_set_get(&fs->stores, stores[i].node);
        stores[i].keys = calloc(CENSUS_PAGE, sizeof(struct frag_key));
        if (stores[i].keys == NULL)
            r = -ENOMEM;
    }
    if (r == 0)
        r = census_registers(fs, ret, stores, n);
    for (unsigned i = 0; i < n; i++)
        free(stores[i].keys);
    return r;
}
