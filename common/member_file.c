/* member_file: see the header. */
#include "common/member_file.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/json.h"
#include "common/text_file.h"
#include <stdio.h>
#include <string.h>

void member_set_to_json(const struct member_set *s, struct vs_json *j)
{
    struct vs_json *list = vs_json_array();

    for (unsigned i = 0; i < s->count; i++) {
        struct vs_json *m = vs_json_object();

        vs_json_set_u64(m, "id", s->member[i].pid);
        vs_json_set_text(m, "url", s->member[i].url);
        vs_json_add(list, m);
    }
    vs_json_set_u64(j, "epoch", s->epoch);
    vs_json_set(j, "metas", list);
}

static int take_member(const struct vs_json *j, struct member *ret)
{
    const char *url = vs_json_get_text(j, "url");
    uint64_t pid;

    if (vs_json_get_u64(j, "id", &pid) < 0 || pid > UINT16_MAX || url == NULL ||
        strlen(url) > MEMBER_URL_BYTES_MAX)
        return -VS_ECORRUPT;
    ret->pid = (uint32_t)pid;
    memcpy(ret->url, url, strlen(url) + 1);
    return 0;
}

int member_set_from_json(const struct vs_json *j, struct member_set *ret)
{
    const struct vs_json *list = vs_json_get(j, "metas");
    struct member_set s = { .count = 0 };
    int r = 0;

    if (list == NULL)
        return -ENOENT;
    if (vs_json_get_u64(j, "epoch", &s.epoch) < 0)
        return -VS_ECORRUPT;
    for (const struct vs_json *m = vs_json_first(list); m != NULL && r == 0; m = vs_json_next(m))
        r = s.count == MEMBER_SET_MAX ? -VS_ECORRUPT : take_member(m, &s.member[s.count++]);
    if (r < 0 || !member_set_fine(&s))
        return -VS_ECORRUPT;
    *ret = s;
    return 0;
}

static int file_path(const char *dir, char **ret)
{
    if (asprintf(ret, "%s/" MEMBER_FILE_NAME, dir) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

int member_file_load(const char *dir, struct member_set *ret)
{
    VS_AUTO_FREE char *path = NULL, *text = NULL;
    struct vs_json *j = NULL;
    size_t len;
    int r = file_path(dir, &path);

    if (r == 0)
        r = text_file_load(path, MEMBER_SET_BYTES_MAX, &text, &len);
    if (r < 0)
        return r == -EMSGSIZE ? -VS_ECORRUPT : r;
    r = vs_json_parse(text, len, &j) < 0 ? -VS_ECORRUPT : member_set_from_json(j, ret);
    vs_json_free(j);
    return r == -ENOENT ? -VS_ECORRUPT : r;
}

int member_file_save(const char *dir, const struct member_set *s)
{
    VS_AUTO_FREE char *path = NULL, *text = NULL;
    struct vs_json *j = vs_json_object();
    int r = file_path(dir, &path);

    member_set_to_json(s, j);
    text = vs_json_print(j, true);
    vs_json_free(j);
    if (r == 0)
        r = text == NULL ? -ENOMEM : text_file_save(path, text, 0644);
    return r;
}
