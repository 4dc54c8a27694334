/* member_set: see the header. Failure: a set that could not be is refused on the way out and on the
 * way in alike. */
#include "common/member_set.h"
#include "common/codec.h"
#include "common/err.h"
#include <stdio.h>
#include <string.h>

#define SET_FORMAT 1

static bool url_fine(const char *url)
{
    size_t len = strnlen(url, MEMBER_URL_BYTES_MAX + 1);

    for (size_t i = 0; i < len; i++)
        if (url[i] <= ' ' || url[i] > '~')
            return false;
    return len <= MEMBER_URL_BYTES_MAX;
}

bool member_set_fine(const struct member_set *s)
{
    if (s->epoch == 0 || (s->count != 1 && s->count != 3 && s->count != 5))
        return false;
    for (unsigned i = 0; i < s->count; i++) {
        const struct member *m = &s->member[i];

        if (m->pid == 0 || m->pid > UINT16_MAX || !url_fine(m->url) ||
            member_set_find(s, m->pid) != (int)i)
            return false;
    }
    return true;
}

bool member_set_same(const struct member_set *a, const struct member_set *b)
{
    if (a->epoch != b->epoch || a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->member[i].pid != b->member[i].pid || strcmp(a->member[i].url, b->member[i].url) != 0)
            return false;
    return true;
}

int member_set_find(const struct member_set *s, uint32_t pid)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->member[i].pid == pid)
            return (int)i;
    return -1;
}

int member_set_replace(const struct member_set *s, uint32_t lost, uint32_t pid, const char *url,
                       struct member_set *ret)
{
    int at = member_set_find(s, lost), len;

    if (at < 0)
        return -ENOENT;
    if (member_set_find(s, pid) >= 0)
        return -EEXIST;
    *ret = *s;
    ret->epoch++;
    ret->member[at].pid = pid;
    len = snprintf(ret->member[at].url, sizeof(ret->member[at].url), "%s", url);
    if (len < 0 || len > MEMBER_URL_BYTES_MAX || !member_set_fine(ret))
        return -EINVAL;
    return 0;
}

int member_set_encode(const struct member_set *s, struct vs_buf *ret)
{
    size_t start = ret->len;
    struct vs_wr w = vs_wr_init(ret, start + MEMBER_SET_BYTES_MAX);

    if (!member_set_fine(s))
        return -EINVAL;
    vs_wr_u8(&w, SET_FORMAT);
    vs_wr_u64(&w, s->epoch);
    vs_wr_u8(&w, (uint8_t)s->count);
    for (unsigned i = 0; i < s->count; i++) {
        size_t len = strlen(s->member[i].url);

        vs_wr_u32(&w, s->member[i].pid);
        vs_wr_u8(&w, (uint8_t)len);
        vs_wr_bytes(&w, s->member[i].url, len);
    }
    if (w.err < 0)
        ret->len = start;
    return w.err;
}

int member_set_decode(const void *bytes, size_t len, struct member_set *ret)
{
    struct vs_rd r = vs_rd_init(bytes, len);
    uint8_t format = vs_rd_u8(&r);
    struct member_set s = { 0 };

    if (r.err == 0 && format > SET_FORMAT)
        return -VS_ENEWER;
    s.epoch = vs_rd_u64(&r);
    s.count = vs_rd_u8(&r);
    if (s.count > MEMBER_SET_MAX)
        return -VS_ECORRUPT;
    for (unsigned i = 0; i < s.count; i++) {
        struct member *m = &s.member[i];
        size_t url_len;

        m->pid = vs_rd_u32(&r);
        url_len = vs_rd_u8(&r);
        vs_rd_bytes(&r, m->url, url_len);
        if (strlen(m->url) != url_len)
            return -VS_ECORRUPT;
    }
    if (vs_rd_done(&r) < 0 || format != SET_FORMAT || !member_set_fine(&s))
        return -VS_ECORRUPT;
    *ret = s;
    return 0;
}
