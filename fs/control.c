/* control: `.vstack/`, and `.ignore` in the inbox. See the header.
 *
 * .vstack/status   JSON, made when it is opened
 * .vstack/inbox    JSON, the same
 * .vstack/control  write one JSON command, then read the JSON answer on the same descriptor:
 *                  {"command":"node-replace","id":"n1","path":"/disk"}
 *                  {"command":"inbox-publish","name":"film.mkv"}, {"command":"inbox-cancel",...}
 *                  {"command":"backup","path":"/elsewhere/FILE"}
 *                  {"command":"gc"}: what collecting would remove; with "yes": it may
 *                  {"command":"wait-media"}: until every stored video is described
 * Only root and the owner of the mount may open `control`. */
#include "fs/control.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/json.h"
#include "common/log.h"
#include "fs/backup.h"
#include "fs/data_dir.h"
#include "fs/gc.h"
#include "fs/inbox.h"
#include "fs/media_worker.h"
#include "fs/status.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CONTROL_TEXT_BYTES_MAX (16u << 20)
#define CONTROL_MEDIA_WAIT_NS  (60 * VS_NS_PER_S)

enum control_file_index {
    CONTROL_STATUS = 0,
    CONTROL_INBOX = 1,
    CONTROL_COMMAND = 2,
};

static const struct {
    const char *name;
    uint32_t mode;
} control_files[] = {
    [CONTROL_STATUS] = { "status", S_IFREG | 0444 },
    [CONTROL_INBOX] = { "inbox", S_IFREG | 0444 },
    [CONTROL_COMMAND] = { "control", S_IFREG | 0600 },
};

#define CONTROL_FILES (sizeof(control_files) / sizeof(control_files[0]))

static bool name_is(const char *name, size_t len, const char *what)
{
    return len == strlen(what) && memcmp(name, what, len) == 0;
}

bool control_has_name(uint64_t parent, const char *name, size_t len)
{
    if (control_owns(parent))
        return true;
    if (parent == NS_INO_ROOT)
        return name_is(name, len, CONTROL_DIR_NAME);
    return parent == NS_INO_INBOX && name_is(name, len, CONTROL_IGNORE_NAME);
}

int control_getattr(struct vsfs *fs, uint64_t ino, struct ns_attr *ret)
{
    struct ns_time now = vsfs_now(fs);

    *ret = (struct ns_attr){ .ino = ino,
                             .generation = 1,
                             .nlink = 1,
                             .uid = getuid(),
                             .gid = getgid(),
                             .atime = now,
                             .mtime = now,
                             .ctime = now,
                             .btime = now };
    if (ino == CONTROL_INO_DIR) {
        ret->mode = S_IFDIR | 0555;
        ret->nlink = 2;
    } else if (ino == CONTROL_INO_IGNORE) {
        ret->mode = S_IFREG | 0444;
    } else if (ino - CONTROL_INO_FIRST < CONTROL_FILES) {
        ret->mode = control_files[ino - CONTROL_INO_FIRST].mode;
    } else {
        return -ENOENT;
    }
    return 0;
}

int control_lookup(struct vsfs *fs, uint64_t parent, const char *name, size_t len,
                   struct ns_attr *ret)
{
    if (parent == CONTROL_INO_DIR) {
        for (uint64_t i = 0; i < CONTROL_FILES; i++)
            if (name_is(name, len, control_files[i].name))
                return control_getattr(fs, CONTROL_INO_FIRST + i, ret);
        return -ENOENT;
    }
    if (!control_has_name(parent, name, len) || control_owns(parent))
        return -ENOENT;
    return control_getattr(fs, parent == NS_INO_ROOT ? CONTROL_INO_DIR : CONTROL_INO_IGNORE, ret);
}

int control_readdir(struct vsfs *fs, uint64_t ino, struct ns_dirent *ret, unsigned max)
{
    unsigned n = 0;

    if (ino != CONTROL_INO_DIR)
        return -ENOTDIR;
    for (; n < CONTROL_FILES && n < max; n++) {
        ret[n].cookie = n + 1;
        ret[n].name_len = (uint8_t)strlen(control_files[n].name);
        memcpy(ret[n].name, control_files[n].name, ret[n].name_len);
        control_getattr(fs, CONTROL_INO_FIRST + n, &ret[n].attr);
    }
    return (int)n;
}

static int control_say(struct control_file *f, struct vs_json *j)
{
    VS_AUTO_FREE char *text = j != NULL ? vs_json_print(j, true) : NULL;
    int r;

    vs_json_free(j);
    if (text == NULL)
        return -ENOMEM;
    VS_LOCK_SCOPE(&f->lock);
    f->text.len = 0;
    r = vs_buf_append(&f->text, text, strlen(text), CONTROL_TEXT_BYTES_MAX);
    return r < 0 ? r : vs_buf_append(&f->text, "\n", 1, CONTROL_TEXT_BYTES_MAX);
}

int control_open(struct vsfs *fs, uint64_t ino, int flags, struct control_file **ret)
{
    struct control_file *f;
    struct ns_attr attr;
    int r = control_getattr(fs, ino, &attr);

    (void)flags;
    if (r < 0)
        return r;
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -ENOMEM;
    f->ino = ino;
    pthread_mutex_init(&f->lock, NULL);
    if (ino == CONTROL_INO_FIRST + CONTROL_STATUS) {
        struct vs_json *j = status_json(fs, &r);

        if (r == 0)
            r = control_say(f, j);
    } else if (ino == CONTROL_INO_FIRST + CONTROL_INBOX) {
        r = control_say(f, inbox_list(fs));
    }
    if (r < 0) {
        control_close(fs, f);
        return vs_err_to_errno(r);
    }
    *ret = f;
    return 0;
}

int control_read(struct control_file *f, uint64_t offset, size_t len, struct vs_buf *ret)
{
    VS_LOCK_SCOPE(&f->lock);
    if (offset >= f->text.len)
        return 0;
    if (len > f->text.len - offset)
        len = f->text.len - offset;
    return vs_buf_append(ret, f->text.data + offset, len, CONTROL_TEXT_BYTES_MAX);
}

static int control_run(struct vsfs *fs, const struct vs_json *cmd, struct vs_json *answer,
                       char why[DATA_DIR_WHY_BYTES])
{
    const char *command = vs_json_get_text(cmd, "command");
    const char *name = vs_json_get_text(cmd, "name"), *id = vs_json_get_text(cmd, "id");
    const char *path = vs_json_get_text(cmd, "path");
    int r = -EINVAL;

    why[0] = '\0';
    if (command == NULL)
        snprintf(why, DATA_DIR_WHY_BYTES, "no command given");
    else if (strcmp(command, "node-replace") == 0 && id != NULL && path != NULL && path[0] == '/')
        r = data_dir_replace_node(fs, id, path, why);
    else if (strcmp(command, "inbox-publish") == 0 && name != NULL)
        r = inbox_publish(fs, name);
    else if (strcmp(command, "inbox-cancel") == 0 && name != NULL)
        r = inbox_cancel(fs, name);
    else if (strcmp(command, "backup") == 0 && path != NULL && path[0] == '/')
        r = backup_run(fs, path, answer);
    else if (strcmp(command, "gc") == 0)
        r = gc_run(fs, vs_json_get(cmd, "yes") != NULL, answer);
    else if (strcmp(command, "wait-media") == 0)
        r = media_worker_idle_wait(fs, CONTROL_MEDIA_WAIT_NS);
    else
        snprintf(why, DATA_DIR_WHY_BYTES, "%.100s: not understood, or an argument is missing",
                 command);
    if (r < 0 && why[0] == '\0')
        snprintf(why, DATA_DIR_WHY_BYTES, "%.300s: %s", name != NULL ? name : command,
                 vs_err_text(r));
    return r;
}

int64_t control_write(struct vsfs *fs, struct control_file *f, const void *bytes, size_t len)
{
    char why[DATA_DIR_WHY_BYTES];
    struct vs_json *cmd = NULL, *answer;
    int r;

    if (f->ino != CONTROL_INO_FIRST + CONTROL_COMMAND)
        return -EPERM;
    answer = vs_json_object();
    r = vs_json_parse(bytes, len, &cmd);
    if (r < 0)
        snprintf(why, sizeof(why), "not a JSON command");
    else
        r = control_run(fs, cmd, answer, why);
    vs_json_free(cmd);
    vs_json_set_bool(answer, "ok", r >= 0);
    if (r < 0)
        vs_json_set_text(answer, "error", why);
    r = control_say(f, answer);
    return r < 0 ? r : (int64_t)len;
}

void control_close(struct vsfs *fs, struct control_file *f)
{
    (void)fs;
    if (f == NULL)
        return;
    vs_buf_close(&f->text);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
