/* nodes_report: see the header. */
#include "fs/nodes_report.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORD_BYTES_MAX 63
#define URL_BYTES_MAX  255

/* ---- from the metadata ---- */

static bool copy_text(const struct vs_json *from, const char *key, size_t max, const char *as,
                      struct vs_json *to)
{
    const char *text = vs_json_get_text(from, key);
    size_t n = text != NULL ? strnlen(text, max + 1) : 0;

    if (n == 0 || n > max)
        return false;
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    vs_json_set_text(to, as, text);
    return true;
}

static bool copy_number(const struct vs_json *from, const char *key, struct vs_json *to)
{
    uint64_t v;

    if (vs_json_get_u64(from, key, &v) < 0)
        return false;
    vs_json_set_u64(to, key, v);
    return true;
}

static bool copy_state(const struct vs_json *from, struct vs_json *to)
{
    static const char *const states[] = { "up", "suspect", "down", "draining", "gone" };
    const char *text = vs_json_get_text(from, "state");

    for (size_t i = 0; text != NULL && i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(text, states[i]) != 0)
            continue;
        vs_json_set_text(to, "state", text);
        return true;
    }
    return false;
}

static bool copy_node(const struct vs_json *from, struct vs_json *to)
{
    bool heard;

    if (!copy_text(from, "id", WORD_BYTES_MAX, "id", to) || !copy_state(from, to) ||
        !copy_text(from, "domain", WORD_BYTES_MAX, "domain", to) ||
        !copy_text(from, "url", URL_BYTES_MAX, "address", to) ||
        vs_json_get_bool(from, "heard", &heard) < 0)
        return false;
    return !heard || /* the rest is not known then */
           (copy_number(from, "silent_ms", to) && copy_number(from, "free_bytes", to) &&
            copy_number(from, "total_bytes", to) && copy_number(from, "fragments", to));
}

int nodes_report_page(const struct vs_json *page, uint64_t offset, struct vs_json *nodes,
                      uint64_t *ret_next)
{
    const struct vs_json *list = vs_json_get(page, "nodes"), *n = vs_json_first(list);
    uint64_t count = 0, next;
    int r;

    if (!vs_json_is_array(list))
        return -EBADMSG;
    for (; n != NULL; n = vs_json_next(n)) {
        struct vs_json *one = vs_json_object();
        bool fine = copy_node(n, one);

        vs_json_add(nodes, one);
        if (!fine || ++count > NODES_REPORT_PAGE || offset + count > NODES_REPORT_MAX)
            return -EBADMSG;
    }
    r = vs_json_get_u64(page, "next_offset", &next);
    if (r == 0 && (count == 0 || next != offset + count))
        return -EBADMSG;
    *ret_next = r == 0 ? next : 0;
    return 0;
}

/* ---- from a mount ---- */

struct vs_json *nodes_report_stores(const struct vs_json *status)
{
    const struct vs_json *n = vs_json_first(vs_json_get(status, "nodes"));
    struct vs_json *nodes = vs_json_array();

    for (; n != NULL; n = vs_json_next(n)) {
        const char *id = vs_json_get_text(n, "id"), *state = vs_json_get_text(n, "state");
        const char *path = vs_json_get_text(n, "path");
        struct vs_json *one = vs_json_object();

        vs_json_set_text(one, "id", id != NULL ? id : "-");
        vs_json_set_text(one, "state", state != NULL ? state : "-");
        vs_json_set_text(one, "address", path != NULL ? path : "-");
        (void)copy_number(n, "free_bytes", one);
        (void)copy_number(n, "total_bytes", one);
        (void)copy_number(n, "fragments", one);
        vs_json_add(nodes, one);
    }
    return nodes;
}

/* ---- what to do ---- */

struct advice {
    const char *state, *processes, *stores;
};

/* The worst first. */
static const struct advice advices[] = {
    { "down",
      "start vstack-node there again (vstackfs up --dir DIR), or have its machine or network "
      "mended",
      "bring the disk back or `vstackfs node replace ID DIR`" },
    { "suspect", "it was silent for 2 s: look again in a few seconds (vstackfs nodes)",
      "look again in a few seconds (vstackfs nodes)" },
    { "readonly", "make room on its disk, or look at its log",
      "make room on its disk, or look into the mount's log (DATA/vstackfs.log)" },
    { "draining",
      "it gets nothing new; when it is empty remove it, or take it in again, by POST "
      "/nodes/ID/state (docs/API.md)",
      "it gets nothing new; use another one until it is in again" },
};

bool nodes_report_advice(const struct vs_json *nodes, bool processes,
                         char text[NODES_REPORT_ADVICE_BYTES])
{
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        const char *first = NULL;
        unsigned count = 0;

        for (const struct vs_json *n = vs_json_first(nodes); n != NULL; n = vs_json_next(n)) {
            const char *state = vs_json_get_text(n, "state"), *id = vs_json_get_text(n, "id");

            if (state == NULL || strcmp(state, advices[i].state) != 0)
                continue;
            if (count++ == 0)
                first = id;
        }
        if (count == 0)
            continue;
        if (count == 1)
            snprintf(text, NODES_REPORT_ADVICE_BYTES, "%.63s is %s: %s",
                     first != NULL ? first : "a node", advices[i].state,
                     processes ? advices[i].processes : advices[i].stores);
        else
            snprintf(text, NODES_REPORT_ADVICE_BYTES, "%u %s are %s: %s", count,
                     processes ? "nodes" : "stores", advices[i].state,
                     processes ? advices[i].processes : advices[i].stores);
        return true;
    }
    return false;
}
