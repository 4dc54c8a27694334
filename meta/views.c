/* views: see the header. Failure modes: bytes that are no record or no report. */
#include "meta/views.h"

#include "common/codec.h"
#include "common/err.h"

#include <string.h>

#define VIEWS_FORMAT 1
#define ITEM_BYTES   (8 + 4 + VS_ID_BYTES)

/* 2^(-1/2^n) for n = 1 .. 16, in parts of 2^32. */
static const uint32_t roots[] = {
    3037000500u, 3611622603u, 3938502376u, 4112874773u, 4202935003u, 4248701965u,
    4271771996u, 4283353945u, 4289156690u, 4292061010u, 4293513907u, 4294240540u,
    4294603903u, 4294785595u, 4294876445u, 4294921870u,
};
#define ROOTS (sizeof(roots) / sizeof(roots[0]))

uint64_t views_heat(const struct views *v, int64_t now_s)
{
    int64_t age_s = now_s > v->at_s ? now_s - v->at_s : 0;
    int64_t lives = age_s / VIEWS_HALF_LIFE_S, rest = age_s % VIEWS_HALF_LIFE_S;
    unsigned __int128 heat = v->heat;

    if (lives >= 64)
        return 0;
    heat >>= lives;
    for (unsigned n = 0; n < ROOTS; n++) { /* the bits of rest / half-life */
        rest *= 2;
        if (rest < VIEWS_HALF_LIFE_S)
            continue;
        rest -= VIEWS_HALF_LIFE_S;
        heat = heat * roots[n] >> 32;
    }
    return (uint64_t)heat;
}

bool views_add(struct views *v, const struct vs_id *report, uint32_t count, int64_t now_s)
{
    uint64_t more = (uint64_t)count * VIEWS_HEAT_ONE, heat = views_heat(v, now_s);

    for (unsigned i = 0; i < v->recent_count; i++)
        if (vs_id_cmp(&v->recent[i], report) == 0)
            return false;
    v->heat = heat > UINT64_MAX - more ? UINT64_MAX : heat + more;
    v->views = v->views > UINT64_MAX - count ? UINT64_MAX : v->views + count;
    v->at_s = now_s > v->at_s ? now_s : v->at_s;
    if (v->recent_count == VIEWS_RECENT_MAX) {
        memmove(&v->recent[0], &v->recent[1], sizeof(v->recent) - sizeof(v->recent[0]));
        v->recent_count--;
    }
    v->recent[v->recent_count++] = *report;
    return true;
}

/* ---- bytes -------------------------------------------------------------------------------------
 */

int views_encode(const struct views *v, struct vs_buf *ret)
{
    struct vs_wr w = vs_wr_init(ret, ret->len + VIEWS_RECORD_BYTES);

    vs_wr_u8(&w, VIEWS_FORMAT);
    vs_wr_u64(&w, v->views);
    vs_wr_u64(&w, v->heat);
    vs_wr_u64(&w, (uint64_t)v->at_s);
    vs_wr_u8(&w, (uint8_t)v->recent_count);
    for (unsigned i = 0; i < v->recent_count; i++)
        vs_wr_bytes(&w, v->recent[i].b, VS_ID_BYTES);
    return w.err;
}

int views_decode(const void *bytes, size_t len, struct views *ret)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    struct views v = { 0 };
    uint8_t format = vs_rd_u8(&r);

    if (r.err < 0 || format == 0)
        return -VS_ECORRUPT;
    if (format > VIEWS_FORMAT)
        return -VS_ENEWER;
    v.views = vs_rd_u64(&r);
    v.heat = vs_rd_u64(&r);
    v.at_s = (int64_t)vs_rd_u64(&r);
    v.recent_count = vs_rd_u8(&r);
    if (v.recent_count > VIEWS_RECENT_MAX)
        return -VS_ECORRUPT;
    for (unsigned i = 0; i < v.recent_count; i++)
        vs_rd_bytes(&r, v.recent[i].b, VS_ID_BYTES);
    if (vs_rd_done(&r) < 0)
        return -VS_ECORRUPT;
    *ret = v;
    return 0;
}

int views_report_encode(const struct views_item *items, unsigned count, struct vs_buf *ret)
{
    struct vs_wr w = vs_wr_init(ret, ret->len + 4 + (size_t)count * ITEM_BYTES);

    if (count == 0 || count > VIEWS_REPORT_MAX)
        return -EINVAL;
    vs_wr_u32(&w, count);
    for (unsigned i = 0; i < count; i++) {
        if (items[i].count == 0 || items[i].count > VIEWS_COUNT_MAX ||
            (i > 0 && items[i].ino <= items[i - 1].ino))
            return -EINVAL;
        vs_wr_u64(&w, items[i].ino);
        vs_wr_u32(&w, items[i].count);
        vs_wr_bytes(&w, items[i].report.b, VS_ID_BYTES);
    }
    return w.err;
}

struct views_item views_report_item(const void *bytes, unsigned i)
{
    struct vs_rd r = vs_rd_init((const uint8_t *)bytes + 4 + (size_t)i * ITEM_BYTES, ITEM_BYTES);
    struct views_item item;

    item.ino = vs_rd_u64(&r);
    item.count = vs_rd_u32(&r);
    vs_rd_bytes(&r, item.report.b, VS_ID_BYTES);
    return item;
}

int views_report_count(const void *bytes, size_t len)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    uint32_t count = vs_rd_u32(&r);
    uint64_t last = 0;

    if (r.err < 0 || count == 0 || count > VIEWS_REPORT_MAX ||
        len != 4 + (size_t)count * ITEM_BYTES)
        return -VS_ECORRUPT;
    for (unsigned i = 0; i < count; i++) {
        struct views_item item = views_report_item(bytes, i);

        if (item.count == 0 || item.count > VIEWS_COUNT_MAX || item.ino <= last)
            return -VS_ECORRUPT;
        last = item.ino;
    }
    return (int)count;
}
