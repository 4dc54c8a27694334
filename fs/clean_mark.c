/* clean_mark: DATA/clean, a few lines of text:
 *
 *   audited 1795413161
 *   node 1
 *   node 2
 *   end
 */
#include "fs/clean_mark.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "fs/data_path.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MARK_NEW_NAME  CLEAN_MARK_NAME ".new"
#define MARK_TEXT_MAX  4096
#define MARK_MAX_AGE_S (CLEAN_MARK_DAYS * 24 * 3600)

/* -1: it is not whole. */
static int mark_parse(const char *text, struct clean_mark *m)
{
    int used = 0;

    if (sscanf(text, "audited %" SCNd64 "\n%n", &m->audited_s, &used) != 1)
        return -1;
    for (text += used; strcmp(text, "end\n") != 0; text += used) {
        if (m->count == STORE_SET_MAX ||
            sscanf(text, "node %" SCNu32 "\n%n", &m->nodes[m->count], &used) != 1)
            return -1;
        m->count++;
    }
    return 0;
}

static bool mark_is_timely(const struct clean_mark *m, int64_t now_s)
{
    return m->audited_s <= now_s && now_s - m->audited_s < MARK_MAX_AGE_S;
}

void clean_mark_take(const struct vsfs *fs, struct clean_mark *ret)
{
    VS_AUTO_FD int dir = data_path_open_dir(fs, ".");
    VS_AUTO_FD int fd = -1;
    struct clean_mark m = { .count = 0 };
    char text[MARK_TEXT_MAX];
    ssize_t n;

    *ret = m;
    if (dir < 0)
        return;
    fd = openat(dir, CLEAN_MARK_NAME, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    n = read(fd, text, sizeof(text) - 1);
    /* it must be gone before anything changes: a crash is to find none */
    if (unlinkat(dir, CLEAN_MARK_NAME, 0) < 0 || fsync(dir) < 0 || n <= 0)
        return;
    text[n] = '\0';
    if (mark_parse(text, &m) == 0 && mark_is_timely(&m, vsfs_now(fs).s))
        *ret = m;
}

bool clean_mark_has(const struct clean_mark *m, uint32_t node)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->nodes[i] == node)
            return true;
    return false;
}

static bool mark_write(int dir, const char *text, size_t len)
{
    VS_AUTO_FD int fd = openat(dir, MARK_NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    return fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
}

void clean_mark_put(const struct vsfs *fs, const struct clean_mark *m)
{
    VS_AUTO_FD int dir = data_path_open_dir(fs, ".");
    char text[MARK_TEXT_MAX];
    size_t len;

    len = (size_t)snprintf(text, sizeof(text), "audited %" PRId64 "\n", m->audited_s);
    for (unsigned i = 0; i < m->count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "node %" PRIu32 "\n", m->nodes[i]);
    len += (size_t)snprintf(text + len, sizeof(text) - len, "end\n");
    if (dir < 0 || !mark_write(dir, text, len) ||
        renameat(dir, MARK_NEW_NAME, dir, CLEAN_MARK_NAME) < 0 || fsync(dir) < 0)
        vs_info("mount: %s/" CLEAN_MARK_NAME " cannot be written -> the next start asks every "
                "store about its fragments",
                fs->opt.data_dir);
}
