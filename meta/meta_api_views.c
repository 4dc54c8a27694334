/* GET /video/{id}/popularity and POST /video/{id}/view: how often a file was watched.
 *
 * Happy path: a reported view is one entry of the journal; the heat is that of now. Failure modes:
 * no such file; a report without an id of its own, which could not be sent again. */
#include "meta/meta_server.h"

#include "common/clock.h"
#include "common/conf.h"
#include "common/err.h"
#include "meta/views.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The number in front of `behind`. False: answered. */
static bool path_ino(struct http_req *q, const char *behind, uint64_t *ret, char what[64])
{
    const char *tail = http_req_tail(q);
    size_t digits = strspn(tail, "0123456789");
    char text[24];

    snprintf(text, sizeof(text), "%.*s", (int)(digits < 22 ? digits : 22), tail);
    snprintf(what, 64, "file %s", text);
    if (strcmp(tail + digits, behind) == 0 && vs_conf_number(text, 1, UINT64_MAX, ret) == 0)
        return true;
    http_reply_error(q, 404, "path", "There is nothing at /video/%.100s.", tail);
    return false;
}

/* The views of a file, which must be one. */
static int read_views(struct meta_server *m, uint64_t ino, struct views *ret)
{
    struct meta_req r = { .op = META_VIEWS, .ino = ino };
    int err = meta_call(m->meta, &r);

    *ret = (struct views){ 0 };
    if (err == 0 && !S_ISREG(r.attr.mode))
        err = -ENOENT;
    if (err == 0 && r.bytes.len > 0)
        err = views_decode(r.bytes.data, r.bytes.len, ret);
    vs_buf_close(&r.bytes);
    return err;
}

static void popularity_reply(struct meta_server *m, struct http_req *q, uint64_t ino,
                             const char *what)
{
    struct views v;
    int err = read_views(m, ino, &v);
    struct vs_json *j;
    int64_t now_s = vs_real_ns(&vs_clock_system) / VS_NS_PER_S;

    if (err < 0) {
        meta_api_error(q, err, what);
        return;
    }
    j = vs_json_object();
    vs_json_set_u64(j, "id", ino);
    vs_json_set_u64(j, "views", v.views);
    vs_json_set_double(j, "heat", (double)views_heat(&v, now_s) / (double)VIEWS_HEAT_ONE);
    vs_json_set_u64(j, "half_life_days", VIEWS_HALF_LIFE_S / (24 * 3600));
    vs_json_set_u64(j, "last_view_s", v.at_s > 0 ? (uint64_t)v.at_s : 0);
    http_reply_json(q, 200, j);
}

static void popularity_answer(struct meta_server *m, struct http_req *q)
{
    char what[64];
    uint64_t ino;

    if (path_ino(q, "/popularity", &ino, what))
        popularity_reply(m, q, ino, what);
}

void meta_popularity_run(struct http_req *q)
{
    meta_api_start(q, popularity_answer);
}

/* ---- a view -----------------------------------------------------------------------------------
 */

/* False: answered. */
static bool view_of(struct http_req *q, struct views_item *item)
{
    struct vs_json *j = meta_api_body(q);
    const char *text = vs_json_get_text(j, "request");
    uint64_t count = 1;
    int r = vs_json_get_u64(j, "views", &count);
    bool ok = j != NULL && text != NULL && vs_id_from_text(text, &item->report) == 0 &&
              (r == 0 || r == -ENOENT) && count >= 1 && count <= VIEWS_COUNT_MAX;

    item->count = (uint32_t)count;
    if (j != NULL && !ok)
        http_reply_error(q, 400, "invalid",
                         "A view has a request, 32 hex digits that are drawn anew for each report "
                         "and kept when it is sent again, and views, 1 to %d.",
                         VIEWS_COUNT_MAX);
    vs_json_free(j);
    return ok;
}

static void view_answer(struct meta_server *m, struct http_req *q)
{
    struct ns_entry e = { .kind = NS_E_VIEWS };
    struct meta_req r = { .op = META_CHANGE, .entry = &e };
    int64_t real_ns = vs_real_ns(&vs_clock_system);
    struct vs_buf report = { 0 };
    struct views_item item;
    struct views v;
    char what[64];
    int err;

    if (!path_ino(q, "/view", &item.ino, what) || !view_of(q, &item))
        return;
    err = read_views(m, item.ino, &v);
    if (err == 0)
        err = views_report_encode(&item, 1, &report);
    e.now = (struct ns_time){ real_ns / VS_NS_PER_S, (uint32_t)(real_ns % VS_NS_PER_S) };
    e.value = report.data;
    e.value_len = report.len;
    if (err == 0)
        err = meta_call(m->meta, &r);
    vs_buf_close(&report);
    if (err < 0)
        meta_api_error(q, err, what);
    else
        popularity_reply(m, q, item.ino, what);
}

void meta_view_run(struct http_req *q)
{
    meta_api_start(q, view_answer);
}
