/* cluster_json: see the header.
 *
 * Happy path: members are taken one by one with their limits, then the whole is checked; printing
 * checks the same first. Failure: the first thing that is wrong is named, by its place. */
#include "common/cluster_json.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/json.h"
#include "common/utf8.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ID_LETTERS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define URL_LETTERS ID_LETTERS "[]:"
#define URL_SCHEME  "http://"

static int refuse(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(char *why, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, CLUSTER_WHY_BYTES, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

/* ---- values ---- */

uint16_t cluster_url_port(const char *url)
{
    size_t scheme = strlen(URL_SCHEME);
    const char *colon = strrchr(url, ':');
    unsigned port = 0;

    if (strncmp(url, URL_SCHEME, scheme) != 0 || colon <= url + scheme || strlen(colon) > 6 ||
        colon[1] == '\0' || colon[1] == '0' ||
        strspn(url + scheme, URL_LETTERS) != strlen(url) - scheme)
        return 0;
    for (const char *c = colon + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9')
            return 0;
        port = port * 10 + (unsigned)(*c - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool id_ok(const char *text, const char *letters)
{
    size_t n = strlen(text);

    return n > 0 && n < CLUSTER_ID_BYTES && strspn(text, letters) == n;
}

/* What JSON can say: a path that is not UTF-8 would come back as another one. */
static bool text_ok(const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        uint32_t code;
        size_t n = vs_utf8_char((const uint8_t *)text, left, &code);

        if (n == 0 || code < ' ')
            return false;
        text += n;
        left -= n;
    }
    return true;
}

static int check_path(const char *where, const char *path, char *why)
{
    if (path[0] == '/' && text_ok(path))
        return 0;
    return refuse(why, "%s is '%.200s': an absolute path in UTF-8 is needed", where, path);
}

/* ---- the rules for the whole ---- */

static int check_member(const char *list, unsigned i, const struct cluster_member *m, char *why)
{
    char where[64];

    snprintf(where, sizeof(where), "%s[%u].data", list, i);
    if (!id_ok(m->id, ID_LETTERS))
        return refuse(why,
                      "%s[%u].id is '%.80s': 1 to %d letters, digits and '.', '_', '-' are needed",
                      list, i, m->id, CLUSTER_ID_BYTES - 1);
    if (m->url[0] != '\0' && cluster_url_port(m->url) == 0)
        return refuse(why, "%s[%u].url is '%.200s': http://HOST:PORT is needed", list, i, m->url);
    if (m->domain[0] != '\0' && !id_ok(m->domain, ID_LETTERS "/"))
        return refuse(why, "%s[%u].domain is '%.80s': HOST/RACK in letters, digits and '._-/'",
                      list, i, m->domain);
    if (m->replaces[0] != '\0' && !id_ok(m->replaces, ID_LETTERS))
        return refuse(why, "%s[%u].replaces is '%.80s', which is no id", list, i, m->replaces);
    if (m->pid < 0 || m->pid > CLUSTER_PID_MAX)
        return refuse(why, "%s[%u].pid is no process number", list, i);
    return m->data[0] != '\0' ? check_path(where, m->data, why) : 0;
}

static bool same(const char *a, const char *b)
{
    return a[0] != '\0' && strcmp(a, b) == 0;
}

static int check_members(const char *list, const struct cluster_member *m, unsigned count,
                         char *why)
{
    for (unsigned i = 0; i < count; i++) {
        int r = check_member(list, i, &m[i], why);

        if (r < 0)
            return r;
        for (unsigned j = 0; j < i; j++)
            if (same(m[i].id, m[j].id) || same(m[i].url, m[j].url) || same(m[i].data, m[j].data))
                return refuse(why, "%s[%u] and %s[%u] have the same id, url or data", list, j, list,
                              i);
    }
    return 0;
}

static int check_all(const struct cluster_json *c, char *why)
{
    int r;

    if (vs_id_is_zero(&c->cluster))
        return refuse(why, "cluster is no uuid of 32 hex digits");
    if (c->metas_count > CLUSTER_METAS_MAX || c->nodes_count == 0 ||
        c->nodes_count > CLUSTER_NODES_MAX || c->mounts_count > CLUSTER_MOUNTS_MAX)
        return refuse(why, "1 to %d nodes, at most %d metas and %d mounts are possible",
                      CLUSTER_NODES_MAX, CLUSTER_METAS_MAX, CLUSTER_MOUNTS_MAX);
    r = check_members("metas", c->metas, c->metas_count, why);
    if (r == 0)
        r = check_members("nodes", c->nodes, c->nodes_count, why);
    for (unsigned i = 0; r == 0 && i < c->mounts_count; i++) {
        char where[64];

        snprintf(where, sizeof(where), "mounts[%u].path", i);
        r = check_path(where, c->mounts[i].path, why);
        if (r == 0 && (c->mounts[i].pid < 0 || c->mounts[i].pid > CLUSTER_PID_MAX))
            r = refuse(why, "mounts[%u].pid is no process number", i);
    }
    return r;
}

/* ---- from JSON ---- */

/* Text into `dst`; absent is "" unless it is needed. */
static int take_text(const struct vs_json *j, const char *where, const char *key, bool needed,
                     char *dst, size_t cap, char *why)
{
    const char *text = vs_json_get_text(j, key);

    if (text == NULL && (needed || vs_json_get(j, key) != NULL))
        return refuse(why, "%s.%s is missing, or no text", where, key);
    if (text != NULL && strlen(text) >= cap)
        return refuse(why, "%s.%s is longer than %zu bytes", where, key, cap - 1);
    snprintf(dst, cap, "%s", text != NULL ? text : "");
    return 0;
}

static int take_pid(const struct vs_json *j, const char *where, int32_t *ret, char *why)
{
    uint64_t v = 0;
    int r = vs_json_get_u64(j, "pid", &v);

    if ((r < 0 && r != -ENOENT) || v > CLUSTER_PID_MAX)
        return refuse(why, "%s.pid is no process number", where);
    *ret = (int32_t)v;
    return 0;
}

static int take_known(const struct vs_json *j, const char *where, const char *const known[],
                      size_t count, char *why)
{
    const char *unknown = vs_json_unknown(j, known, count);

    if (unknown == NULL)
        return 0;
    return refuse(why, "%s has a member '%.60s', which is not understood", where, unknown);
}

static int take_member(const struct vs_json *j, const char *where, bool node,
                       struct cluster_member *m, char *why)
{
    static const char *const of_node[] = { "id", "url", "data", "pid", "domain" };
    static const char *const of_meta[] = { "id", "url", "data", "pid", "replaces" };
    int r = take_known(j, where, node ? of_node : of_meta, 5, why);

    if (r == 0)
        r = take_text(j, where, "id", true, m->id, sizeof(m->id), why);
    if (r == 0)
        r = take_text(j, where, "url", true, m->url, sizeof(m->url), why);
    if (r == 0)
        r = take_text(j, where, "data", false, m->data, sizeof(m->data), why);
    if (r == 0 && node)
        r = take_text(j, where, "domain", false, m->domain, sizeof(m->domain), why);
    if (r == 0 && !node)
        r = take_text(j, where, "replaces", false, m->replaces, sizeof(m->replaces), why);
    return r == 0 ? take_pid(j, where, &m->pid, why) : r;
}

static int take_members(const struct vs_json *top, const char *list, struct cluster_member *m,
                        unsigned max, unsigned *ret_count, char *why)
{
    const struct vs_json *arr = vs_json_get(top, list), *j = vs_json_first(arr);
    size_t count = vs_json_count(arr);
    char where[64];
    int r = 0;

    if (!vs_json_is_array(arr))
        return refuse(why, "%s is missing, or no list", list);
    if (count > max)
        return refuse(why, "%s has %zu members, at most %u are possible", list, count, max);
    for (unsigned i = 0; r == 0 && i < count; i++, j = vs_json_next(j)) {
        snprintf(where, sizeof(where), "%s[%u]", list, i);
        r = take_member(j, where, strcmp(list, "nodes") == 0, &m[i], why);
    }
    *ret_count = (unsigned)count;
    return r;
}

static int take_mounts(const struct vs_json *top, struct cluster_json *c, char *why)
{
    static const char *const known[] = { "path", "pid" };
    const struct vs_json *arr = vs_json_get(top, "mounts"), *j = vs_json_first(arr);
    size_t count = vs_json_count(arr);
    char where[64];
    int r = 0;

    if (!vs_json_is_array(arr))
        return refuse(why, "mounts is missing, or no list");
    if (count > CLUSTER_MOUNTS_MAX)
        return refuse(why, "mounts has %zu members, at most %d are possible", count,
                      CLUSTER_MOUNTS_MAX);
    for (unsigned i = 0; r == 0 && i < count; i++, j = vs_json_next(j)) {
        struct cluster_mount *m = &c->mounts[i];

        snprintf(where, sizeof(where), "mounts[%u]", i);
        r = take_known(j, where, known, 2, why);
        if (r == 0)
            r = take_text(j, where, "path", true, m->path, sizeof(m->path), why);
        if (r == 0)
            r = take_pid(j, where, &m->pid, why);
    }
    c->mounts_count = (unsigned)count;
    return r;
}

static int take_all(const struct vs_json *j, struct cluster_json *c, char *why)
{
    static const char *const known[] = { "version", "cluster", "metas", "nodes", "mounts" };
    const char *uuid = vs_json_get_text(j, "cluster");
    uint64_t version;
    int r;

    if (vs_json_get_u64(j, "version", &version) < 0)
        return refuse(why, "version is missing, or no number");
    if (version != CLUSTER_JSON_VERSION) {
        refuse(why, "version %llu is not known here (%d is); use the V-Stack that wrote it",
               (unsigned long long)version, CLUSTER_JSON_VERSION);
        return -VS_ENEWER;
    }
    if (uuid == NULL || vs_id_from_text(uuid, &c->cluster) < 0)
        return refuse(why, "cluster is no uuid of 32 hex digits");
    r = take_known(j, "it", known, 5, why);
    if (r == 0)
        r = take_members(j, "metas", c->metas, CLUSTER_METAS_MAX, &c->metas_count, why);
    if (r == 0)
        r = take_members(j, "nodes", c->nodes, CLUSTER_NODES_MAX, &c->nodes_count, why);
    return r == 0 ? take_mounts(j, c, why) : r;
}

int cluster_json_parse(struct cluster_json *ret, const char *text, size_t len,
                       char why[CLUSTER_WHY_BYTES])
{
    VS_AUTO_FREE struct cluster_json *c = calloc(1, sizeof(*c));
    struct vs_json *j = NULL;
    int r = c != NULL ? vs_json_parse(text, len, &j) : -ENOMEM;

    if (r < 0) {
        refuse(why, "it is not JSON that can be read (%s)", vs_err_text(r));
        return r;
    }
    r = take_all(j, c, why);
    vs_json_free(j);
    if (r == 0)
        r = check_all(c, why);
    if (r == 0)
        *ret = *c;
    return r;
}

/* ---- to JSON ---- */

static struct vs_json *say_members(const struct cluster_member *m, unsigned count, bool nodes)
{
    struct vs_json *arr = vs_json_array();

    for (unsigned i = 0; i < count; i++) {
        struct vs_json *j = vs_json_object();

        vs_json_set_text(j, "id", m[i].id);
        vs_json_set_text(j, "url", m[i].url);
        vs_json_set_text(j, "data", m[i].data);
        if (nodes)
            vs_json_set_text(j, "domain", m[i].domain);
        if (m[i].replaces[0] != '\0')
            vs_json_set_text(j, "replaces", m[i].replaces);
        if (m[i].pid != 0)
            vs_json_set_u64(j, "pid", (uint64_t)m[i].pid);
        vs_json_add(arr, j);
    }
    return arr;
}

int cluster_json_print(const struct cluster_json *c, char **ret, char why[CLUSTER_WHY_BYTES])
{
    struct vs_json *j, *mounts;
    char uuid[VS_ID_TEXT_BYTES];
    int r = check_all(c, why);

    if (r < 0)
        return r;
    j = vs_json_object();
    mounts = vs_json_array();
    vs_id_to_text(&c->cluster, uuid);
    vs_json_set_u64(j, "version", CLUSTER_JSON_VERSION);
    vs_json_set_text(j, "cluster", uuid);
    vs_json_set(j, "metas", say_members(c->metas, c->metas_count, false));
    vs_json_set(j, "nodes", say_members(c->nodes, c->nodes_count, true));
    for (unsigned i = 0; i < c->mounts_count; i++) {
        struct vs_json *m = vs_json_object();

        vs_json_set_text(m, "path", c->mounts[i].path);
        if (c->mounts[i].pid != 0)
            vs_json_set_u64(m, "pid", (uint64_t)c->mounts[i].pid);
        vs_json_add(mounts, m);
    }
    vs_json_set(j, "mounts", mounts);
    *ret = vs_json_print(j, true);
    vs_json_free(j);
    if (*ret != NULL)
        return 0;
    refuse(why, "out of memory");
    return -ENOMEM;
}

struct cluster_member *cluster_json_node(struct cluster_json *c, const char *id)
{
    for (unsigned i = 0; i < c->nodes_count; i++)
        if (strcmp(c->nodes[i].id, id) == 0)
            return &c->nodes[i];
    return NULL;
}
