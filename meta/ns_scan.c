/* Pages of the program's own lists.
 *
 * Happy path: one scan behind the last item. Released ids come from two places, single ids and
 * ranges of aborted sessions, chunks and segments apart; each gives its smallest, and the smallest
 * of all are the page. Failure modes: a key or record that cannot be. */
#include "meta/ns_scan.h"

#include "common/err.h"
#include "meta/ns_hold.h"
#include "meta/ns_record.h"
#include "meta/ns_schema.h"
#include "meta/tail_record.h"

#include <stdlib.h>
#include <string.h>

/* ---- numbers -----------------------------------------------------------------------------------
 */

static int scan_u64_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                         size_t value_len)
{
    struct meta_req *r = arg;

    (void)value;
    (void)value_len;
    if (key_len != 1 + 8)
        return -VS_ECORRUPT;
    r->scan_u64[r->scan_count++] = ns_key_get_u64(key, 0);
    return r->scan_count == r->scan_max ? 1 : 0;
}

static int scan_u64(struct kv *kv, struct meta_req *r, enum ns_table table)
{
    struct ns_key prefix = ns_key(table), to = ns_key_end(&prefix), from;

    if (r->scan_max == 0 || r->scan_after == UINT64_MAX)
        return 0;
    from = ns_key_u64(table, r->scan_after + 1);
    return kv_scan(kv, from.b, from.len, to.b, to.len, scan_u64_item, r);
}

/* ---- ids ---------------------------------------------------------------------------------------
 */

/* The smallest ids behind r->scan_after_id of one source, behind those of earlier sources. */
struct id_page {
    const struct meta_req *r;
    struct vs_id *ids; /* room for all sources */
    size_t count, count_max;
    struct ns_hold *hold; /* what mounts still read is left out; NULL: nobody can */
};

static int id_page_add(struct id_page *p, const struct vs_id *id)
{
    if (vs_id_cmp(id, &p->r->scan_after_id) > 0)
        p->ids[p->count++] = *id;
    return p->count == p->count_max ? 1 : 0;
}

static int scan_id_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                        size_t value_len)
{
    struct ns_released released;
    struct id_page *p = arg;
    struct vs_id id;

    if (key_len != 1 + VS_ID_BYTES || ns_released_decode(value, value_len, &released) < 0)
        return -VS_ECORRUPT;
    if (p->hold != NULL && !ns_hold_frees(p->hold, &released))
        return 0;
    memcpy(id.b, key + 1, VS_ID_BYTES);
    return id_page_add(p, &id);
}

static int scan_single(struct kv *kv, struct id_page *p, enum ns_table table)
{
    struct ns_key prefix = ns_key(table), to = ns_key_end(&prefix);
    struct ns_key at = ns_key_id(table, &p->r->scan_after_id), from = ns_key_behind(&at);

    p->count_max = p->count + p->r->scan_max;
    return kv_scan(kv, from.b, from.len, to.b, to.len, scan_id_item, p);
}

/* A range: its key is type, pid, inc, last; its value the first. */
static int scan_range_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                           size_t value_len)
{
    struct id_page *p = arg;
    const struct vs_id *after = &p->r->scan_after_id;
    struct vs_id id = { { 0 } };
    enum vs_id_type type;
    uint64_t first, last;
    int r;

    if (key_len != 1 + 1 + 2 + 4 + 8 || ns_u64_decode(value, value_len, &first) < 0)
        return -VS_ECORRUPT;
    type = (enum vs_id_type)key[1];
    memcpy(id.b, key + 2, 2 + 4); /* pid and inc lie in keys as they do in ids */
    last = ns_key_get_u64(key, 1 + 2 + 4);
    if (memcmp(id.b, after->b, 2 + 4) == 0 && first < vs_id_seq(after))
        first = vs_id_seq(after);
    for (uint64_t n = first; n <= last; n++) {
        id = vs_id_make(vs_id_pid(&id), vs_id_inc(&id), n, type);
        r = id_page_add(p, &id);
        if (r != 0)
            return r;
        if (n == UINT64_MAX)
            break;
    }
    return 0;
}

static int scan_ranges(struct kv *kv, struct id_page *p, uint8_t type)
{
    const struct vs_id *after = &p->r->scan_after_id;
    struct ns_key from = ns_key_aborted(type, vs_id_pid(after), vs_id_inc(after));
    struct ns_key to = ns_key_aborted((uint8_t)(type + 1), 0, 0);

    from = ns_key_add_u64(from, vs_id_seq(after));
    p->count_max = p->count + p->r->scan_max;
    return kv_scan(kv, from.b, from.len, to.b, to.len, scan_range_item, p);
}

static int id_cmp(const void *a, const void *b)
{
    return vs_id_cmp(a, b);
}

static int scan_released(struct kv *kv, struct meta_req *r)
{
    struct ns_hold hold = { 0 };
    struct id_page p = { .r = r, .hold = &hold };
    int err;

    if (r->scan_max == 0 || r->scan_max > META_LIST_MAX)
        return r->scan_max == 0 ? 0 : -EINVAL;
    p.ids = calloc((size_t)r->scan_max * 3, sizeof(*p.ids));
    if (p.ids == NULL)
        return -ENOMEM;
    err = ns_hold_load(kv, &hold);
    if (err >= 0)
        err = scan_single(kv, &p, NS_T_RELEASED);
    if (err >= 0)
        err = scan_ranges(kv, &p, VS_ID_CHUNK);
    if (err >= 0)
        err = scan_ranges(kv, &p, VS_ID_SEGMENT);
    qsort(p.ids, p.count, sizeof(*p.ids), id_cmp);
    for (size_t n = 0; err >= 0 && n < p.count && r->scan_count < r->scan_max; n++)
        if (n == 0 || vs_id_cmp(&p.ids[n], &p.ids[n - 1]) != 0)
            r->scan_ids[r->scan_count++] = p.ids[n];
    free(p.ids);
    ns_hold_close(&hold);
    return err;
}

static int scan_released_whole(struct kv *kv, struct meta_req *r)
{
    struct id_page p = { .r = r, .ids = r->scan_ids };
    int err;

    if (r->scan_max == 0)
        return 0;
    err = scan_single(kv, &p, NS_T_RELEASED_WHOLE);
    r->scan_count = (uint32_t)p.count;
    return err;
}

/* ---- sessions ----------------------------------------------------------------------------------
 */

/* What is told of each session: pairs. */
static int scan_session_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                             size_t value_len)
{
    struct meta_req *r = arg;
    struct ns_session s;

    if (key_len != 1 + 8 || ns_session_decode(value, value_len, &s) < 0)
        return -VS_ECORRUPT;
    r->scan_ids[r->scan_count++] =
        meta_pair(ns_key_get_u64(key, 0), r->scan == META_SCAN_SESSION_MOUNTS ? s.mount
                                          : (s.mount & NS_MOUNT_TAIL) != 0    ? 0 /* no upload */
                                                                              : s.signs);
    return r->scan_count == r->scan_max ? 1 : 0;
}

static int scan_sessions(struct kv *kv, struct meta_req *r)
{
    struct ns_key prefix = ns_key(NS_T_SESSION), to = ns_key_end(&prefix), from;
    uint64_t after, ignored;

    meta_pair_get(&r->scan_after_id, &after, &ignored);
    if (r->scan_max == 0 || after == UINT64_MAX)
        return 0;
    from = ns_key_u64(NS_T_SESSION, after + 1); /* there is no session 0 */
    return kv_scan(kv, from.b, from.len, to.b, to.len, scan_session_item, r);
}

static int scan_mount_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                           size_t value_len)
{
    struct meta_req *r = arg;
    struct ns_mount m;

    if (key_len != 1 + 8 || ns_mount_decode(value, value_len, &m) < 0)
        return -VS_ECORRUPT;
    r->scan_ids[r->scan_count++] = meta_pair(ns_key_get_u64(key, 0), m.signs);
    return r->scan_count == r->scan_max ? 1 : 0;
}

/* Pairs whose first number is the key. */
static int scan_pairs(struct kv *kv, struct meta_req *r, enum ns_table table, kv_scan_fn *item)
{
    struct ns_key prefix = ns_key(table), to = ns_key_end(&prefix), from;
    uint64_t after, ignored;

    meta_pair_get(&r->scan_after_id, &after, &ignored);
    if (r->scan_max == 0 || after == UINT64_MAX)
        return 0;
    from = ns_key_u64(table, after + 1); /* there is no mount 0, nor inode */
    return kv_scan(kv, from.b, from.len, to.b, to.len, item, r);
}

static int scan_writer_item(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value,
                            size_t value_len)
{
    struct meta_req *r = arg;
    uint64_t mount;

    if (key_len != 1 + 8 || ns_u64_decode(value, value_len, &mount) < 0)
        return -VS_ECORRUPT;
    r->scan_ids[r->scan_count++] = meta_pair(ns_key_get_u64(key, 0), mount);
    return r->scan_count == r->scan_max ? 1 : 0;
}

/* ---- which -------------------------------------------------------------------------------------
 */

int ns_scan(struct kv *kv, struct meta_req *r)
{
    int err;

    r->scan_count = 0;
    switch (r->scan) {
    case META_SCAN_SESSIONS: /* a closed session has no record */
        err = scan_u64(kv, r, NS_T_SESSION);
        break;
    case META_SCAN_SESSION_MOUNTS:
    case META_SCAN_SESSION_SIGNS:
        err = scan_sessions(kv, r);
        break;
    case META_SCAN_MOUNTS:
        err = scan_pairs(kv, r, NS_T_MOUNT, scan_mount_item);
        break;
    case META_SCAN_WRITERS:
        err = scan_pairs(kv, r, NS_T_WRITER, scan_writer_item);
        break;
    case META_SCAN_ORPHANS:
        err = scan_u64(kv, r, NS_T_ORPHAN);
        break;
    case META_SCAN_MEDIA_DUE:
        err = scan_u64(kv, r, NS_T_MEDIA_DUE);
        break;
    case META_SCAN_RELEASED:
        err = scan_released(kv, r);
        break;
    case META_SCAN_RELEASED_WHOLE:
        err = scan_released_whole(kv, r);
        break;
    default:
        err = -EINVAL;
    }
    return err < 0 ? err : 0;
}
