/* cli: the table of commands, and what they share. */
#include "fs/cli/cli.h"
#include "common/cleanup.h"
#include "fs/mount_point.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

const struct cli_command cli_commands[] = {
    { "backup", cli_backup, "backup FILE [--json] [--mount MNT | --cluster CLUSTER.json]" },
    { "down", cli_down, "down --dir DIR [--force]" },
    { "gc", cli_gc, "gc [--yes] [--json] [--mount MNT]" },
    { "help", cli_help, "help" },
    { "inbox", cli_inbox, "inbox ls [--json] | publish NAME | cancel NAME  [--mount MNT]" },
    { "info", cli_info, "info FILE [--json]" },
    { "node", cli_node, "node replace ID DIR [--mount MNT]" },
    { "nodes", cli_nodes, "nodes [--json] [--mount MNT | --cluster CLUSTER.json]" },
    { "restore", cli_restore, "restore FILE --data DIR | --into DIR --id N" },
    { "safe", cli_safe, "safe FILE [--json]" },
    { "salvage", cli_salvage, "salvage --from DIR ... --into DIR [--id N] [--dry-run] [--json]" },
    { "status", cli_status, "status [--json] [--mount MNT | --cluster CLUSTER.json]" },
    { "umount", cli_umount, "umount [--force] MNT" },
    { "up", cli_up,
      "up --dir DIR [--metas N] [--nodes N] [--replace-meta ID] [--degraded] [MOUNTPOINT]" },
    { "wait", cli_wait, "wait FILE" },
    { NULL, NULL, NULL },
};

const struct cli_command *cli_find(const char *word)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        if (strcmp(c->name, word) == 0)
            return c;
    return NULL;
}

int cli_fail(const char *fmt, ...)
{
    va_list ap;

    fputs("vstackfs: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 1;
}

int cli_run(const struct cli_command *command, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0)
            continue;
        printf("vstackfs %s\n", command->usage);
        return 0;
    }
    return command->fn(argc, argv);
}

void cli_put(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* U+0080 .. U+009F */

        if (*c < ' ' || *c == 0x7f || c1)
            printf("\\x%02x", *c);
        else
            putchar(*c);
        if (c1)
            printf("\\x%02x", *++c);
    }
}

bool cli_parse(struct cli_args *a, int argc, char **argv)
{
    bool flags = true;

    *a = (struct cli_args){ .json = false };
    for (int i = 1; i < argc; i++) {
        if (!flags || strncmp(argv[i], "--", 2) != 0) {
            if (a->rest_count == CLI_ARGS_MAX) {
                cli_fail("too many arguments; see vstackfs help");
                return false;
            }
            a->rest[a->rest_count++] = argv[i];
        } else if (argv[i][2] == '\0') {
            flags = false;
        } else if (strcmp(argv[i], "--json") == 0) {
            a->json = true;
        } else if (strcmp(argv[i], "--force") == 0) {
            a->force = true;
        } else if (strcmp(argv[i], "--mount") == 0 && i + 1 < argc) {
            a->mount = argv[++i];
        } else if (strncmp(argv[i], "--mount=", 8) == 0) {
            a->mount = argv[i] + 8;
        } else {
            cli_fail("%s: unknown option, or its value is missing; see vstackfs help", argv[i]);
            return false;
        }
    }
    return true;
}

#define CLUSTER_FLAG "--cluster"

const char *cli_take_cluster(int *argc, char **argv)
{
    const char *file = NULL;
    int kept = 0;

    for (int i = 0; i < *argc; i++)
        if (strcmp(argv[i], CLUSTER_FLAG) == 0 && i + 1 < *argc)
            file = argv[++i];
        else if (strncmp(argv[i], CLUSTER_FLAG "=", strlen(CLUSTER_FLAG "=")) == 0)
            file = argv[i] + strlen(CLUSTER_FLAG "=");
        else
            argv[kept++] = argv[i];
    *argc = kept;
    return file;
}

struct mount_list {
    unsigned count;
    char first[CLI_PATH_BYTES];
    char all[CLI_PATH_BYTES];
};

static int cli_mount_add(void *arg, const char *path)
{
    struct mount_list *l = arg;
    size_t used = strlen(l->all);

    if (l->count++ == 0)
        snprintf(l->first, sizeof(l->first), "%s", path);
    snprintf(l->all + used, sizeof(l->all) - used, " %s", path);
    return 0;
}

bool cli_mount(const struct cli_args *a, char path[CLI_PATH_BYTES])
{
    struct mount_list list = { 0 };

    if (a->mount != NULL) {
        snprintf(path, CLI_PATH_BYTES, "%s", a->mount);
        return true;
    }
    mount_point_each(cli_mount_add, &list);
    if (list.count == 1) {
        memcpy(path, list.first, CLI_PATH_BYTES);
        return true;
    }
    if (list.count == 0)
        cli_fail("nothing is mounted; mount first: vstackfs MOUNTPOINT");
    else
        cli_fail("which mount? add --mount with one of:%s", list.all);
    return false;
}

static char *cli_read_all(int fd)
{
    size_t cap = 1u << 16, len = 0;
    char *text = malloc(cap + 1);

    while (text != NULL) {
        ssize_t n = read(fd, text + len, cap - len);

        if (n < 0) {
            int err = errno;

            free(text);
            errno = err;
            return NULL;
        }
        if (n == 0)
            break;
        len += (size_t)n;
        if (len == cap) {
            char *more = realloc(text, cap * 2 + 1);

            if (more == NULL) {
                free(text);
                return NULL;
            }
            text = more;
            cap *= 2;
        }
    }
    if (text != NULL)
        text[len] = '\0';
    return text;
}

static int cli_open_control(const char *mount, const char *name, int flags)
{
    VS_AUTO_FREE char *path = NULL;
    int fd;

    if (asprintf(&path, "%s/.vstack/%s", mount, name) < 0)
        return -1;
    fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        cli_fail("%s: %s%s", path, strerror(errno),
                 errno == ENOENT ? "; is that a V-Stack mount?" : "");
    return fd;
}

char *cli_read_control(const char *mount, const char *name)
{
    VS_AUTO_FD int fd = cli_open_control(mount, name, O_RDONLY);
    char *text;

    if (fd < 0)
        return NULL;
    text = cli_read_all(fd);
    if (text == NULL)
        cli_fail("%s/.vstack/%s: %s", mount, name, strerror(errno));
    return text;
}

int cli_command_ask(const char *mount, const struct vs_json *command, struct vs_json **ret)
{
    VS_AUTO_FREE char *text = vs_json_print(command, false);
    VS_AUTO_FD int fd = cli_open_control(mount, "control", O_RDWR);
    VS_AUTO_FREE char *answer = NULL;
    struct vs_json *j = NULL;
    const char *error;
    bool ok = false;
    int r = 0;

    if (fd < 0)
        return 1;
    if (text == NULL || write(fd, text, strlen(text)) < 0)
        return cli_fail("%s: %s", mount, strerror(errno));
    answer = cli_read_all(fd);
    if (answer == NULL || vs_json_parse(answer, strlen(answer), &j) < 0)
        return cli_fail("%s: no answer that makes sense", mount);
    error = vs_json_get_text(j, "error");
    if (vs_json_get_bool(j, "ok", &ok) < 0 || !ok)
        r = cli_fail("%s", error != NULL ? error : "the mount did not say that it is done");
    if (r == 0)
        *ret = j;
    else
        vs_json_free(j);
    return r;
}

int cli_command_send(const char *mount, const struct vs_json *command)
{
    struct vs_json *j = NULL;
    int r = cli_command_ask(mount, command, &j);

    vs_json_free(j);
    return r;
}

int cli_lock_data(const char *dir)
{
    VS_AUTO_FREE char *path = NULL;
    int fd;

    if (asprintf(&path, "%s/lock", dir) < 0)
        return CLI_LOCK_NONE;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return CLI_LOCK_NONE;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    cli_fail("%s is in use by a mount; unmount it first (vstackfs umount MNT)", dir);
    return CLI_LOCK_TAKEN;
}

uint16_t cli_replica(const char *text)
{
    char *end;
    unsigned long id = strtoul(text, &end, 10);

    if (id >= 1 && id <= 255 && *end == '\0')
        return (uint16_t)id;
    cli_fail("--id %s: give the number of the replica, 1 to 255", text);
    return 0;
}
