/* xattrs: the virtual attributes, one small function each. See the header. */
#include "fs/xattrs.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/hex.h"
#include "fs/file_info.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef int xattr_text_fn(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret);

static int xattr_text(struct vs_buf *ret, const char *text)
{
    return vs_buf_append(ret, text, strlen(text), XATTRS_TEXT_MAX);
}

static int xattr_u64(struct vs_buf *ret, uint64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, v);
    return xattr_text(ret, text);
}

static int xattr_state(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    (void)fs;
    return xattr_text(ret, file_info_state(i));
}

static int xattr_chunks(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    (void)fs;
    return xattr_u64(ret, i->head.chunk_count);
}

static int xattr_sha256(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    char hex[2 * VS_SHA256_BYTES + 1];

    (void)fs;
    if (!i->has_sha)
        return -ENODATA;
    vs_hex(i->sha256, VS_SHA256_BYTES, hex);
    return xattr_text(ret, hex);
}

static int xattr_duration(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    (void)fs;
    return i->media_there && i->media.container[0] != '\0' ? xattr_u64(ret, i->media.duration_ms)
                                                           : -ENODATA;
}

static int xattr_bitrate(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    (void)fs;
    return i->media_there && i->media.container[0] != '\0' ? xattr_u64(ret, i->media.bitrate_bps)
                                                           : -ENODATA;
}

/* The setting, not the form it has now: that is stored_as. */
static int xattr_redundancy(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    struct meta_req req = { .op = META_GETXATTR,
                            .ino = i->attr.ino,
                            .name = XATTRS_REDUNDANCY,
                            .name_len = strlen(XATTRS_REDUNDANCY) };
    int r = meta_call(fs->meta, &req);

    if (r == -ENODATA || r == -ENOENT)
        r = xattr_text(ret, "auto");
    else if (r == 0)
        r = vs_buf_append(ret, req.bytes.data, req.bytes.len, XATTRS_TEXT_MAX);
    vs_buf_close(&req.bytes);
    return r;
}

static int xattr_stored_as(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    (void)fs;
    return xattr_text(ret, i->stored_as);
}

static int xattr_stored_bytes(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    (void)fs;
    return xattr_u64(ret, i->attr.stored_bytes);
}

/* One line per chunk: its number and the nodes that hold its fragments, as many as fit. */
static int xattr_placement(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    (void)fs;
    for (size_t n = 0; n < i->chunk_count; n++) {
        const struct place_value *v = &i->places[n];
        char line[256];
        int len = snprintf(line, sizeof(line), "%zu:", n);

        for (unsigned f = 0; v->state == PLACE_LIVE && f < (unsigned)v->red.k + v->red.m; f++)
            len += snprintf(line + len, sizeof(line) - (size_t)len, " n%u", v->frag[f].node);
        line[len++] = '\n';
        if (ret->len + (size_t)len > XATTRS_TEXT_MAX)
            break;
        if (vs_buf_append(ret, line, (size_t)len, XATTRS_TEXT_MAX) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* May the original be deleted? "yes", or "yes: " and "no: " with what there is to know. */
static int xattr_safe(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    uint64_t chunks = i->lost > 0 ? i->lost : i->degraded;
    char text[128];

    if (i->uploading)
        return xattr_text(ret, "no: what was written is not stored yet");
    if (chunks > 0) {
        snprintf(text, sizeof(text), "no: %" PRIu64 " of %" PRIu64 " chunk%s %s", chunks,
                 (uint64_t)i->chunk_count, i->chunk_count == 1 ? "" : "s",
                 i->lost > 0 ? "cannot be read" : "with less redundancy than there should be");
        return xattr_text(ret, text);
    }
    if (fs->single_device)
        return xattr_text(ret, "yes: all of it is stored; but all stores are on one file system, "
                               "which survives corruption, not the loss of that disk");
    return xattr_text(ret, "yes");
}

static int xattr_info(struct vsfs *fs, const struct file_info *i, struct vs_buf *ret)
{
    struct vs_json *j = file_info_json(fs, i);
    VS_AUTO_FREE char *text = vs_json_print(j, true);

    vs_json_free(j);
    return text == NULL ? -ENOMEM : xattr_text(ret, text);
}

static const struct {
    const char *name; /* behind XATTRS_PREFIX */
    unsigned want;
    xattr_text_fn *fn;
} xattr_table[] = {
    { "state", FILE_INFO_PLACES, xattr_state },
    { "chunks", 0, xattr_chunks },
    { "sha256", 0, xattr_sha256 },
    { "duration", 0, xattr_duration },
    { "bitrate", 0, xattr_bitrate },
    { "redundancy", 0, xattr_redundancy },
    { "stored_as", FILE_INFO_CHUNKS, xattr_stored_as },
    { "stored_bytes", 0, xattr_stored_bytes },
    { "placement", FILE_INFO_PLACES, xattr_placement },
    { "safe", FILE_INFO_PLACES, xattr_safe },
    { "info", FILE_INFO_PLACES, xattr_info },
};

int xattrs_get(struct vsfs *fs, uint64_t ino, const char *name, struct vs_buf *ret)
{
    const char *rest = name + strlen(XATTRS_PREFIX);

    for (size_t n = 0; n < sizeof(xattr_table) / sizeof(xattr_table[0]); n++) {
        struct file_info i;
        int r;

        if (strcmp(rest, xattr_table[n].name) != 0)
            continue;
        r = file_info_load(fs, ino, xattr_table[n].want, &i);
        if (r == -EISDIR)
            return -ENODATA;
        if (r < 0)
            return r;
        r = xattr_table[n].fn(fs, &i, ret);
        file_info_close(&i);
        return r;
    }
    return -ENODATA;
}

/* A decimal number without sign or blanks, at most two digits; moves *text behind it. */
static bool redundancy_number(const char **text, const char *end, unsigned *ret)
{
    const char *first = *text;

    *ret = 0;
    for (; *text < end && **text >= '0' && **text <= '9' && *text - first < 2; ++*text)
        *ret = *ret * 10 + (unsigned)(**text - '0');
    return *text > first;
}

static bool redundancy_word(const char **text, const char *end, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(end - *text) < n || memcmp(*text, word, n) != 0)
        return false;
    *text += n;
    return true;
}

int xattrs_check_redundancy(const void *value, size_t len)
{
    const char *text = value, *end = text + len;
    unsigned k, m;

    if (len == 0)
        return -EINVAL;
    if (redundancy_word(&text, end, "auto"))
        return text == end ? 0 : -EINVAL;
    if (redundancy_word(&text, end, "replicate:"))
        return redundancy_number(&text, end, &k) && text == end && k >= 1 && k <= VS_EC_M_MAX + 1
                   ? 0
                   : -EINVAL;
    if (redundancy_word(&text, end, "rs:") && redundancy_number(&text, end, &k) &&
        redundancy_word(&text, end, "+") && redundancy_number(&text, end, &m) && text == end)
        return k >= 2 && k <= VS_EC_K_MAX && m >= 1 && m <= VS_EC_M_MAX ? 0 : -EINVAL;
    return -EINVAL;
}
