/* cli: the commands of vstackfs beside mounting: one file each, and a table of them.
 *
 * A word without '/' as the first argument is a command; everything else mounts. A command returns
 * its exit code: 0 only on success; what went wrong is one sentence on stderr. Commands talk to the
 * mount through its own files (xattrs, .vstack/), so they need no socket and no rights but those.
 */
#ifndef VS_FS_CLI_CLI_H
#define VS_FS_CLI_CLI_H

#include "common/json.h"
#include <stdbool.h>
#include <stdint.h>

#define CLI_PATH_BYTES 4096
#define CLI_ARGS_MAX   8

/* argv[0] is the command's own word. */
typedef int cli_fn(int argc, char **argv);

struct cli_command {
    const char *name;
    cli_fn *fn;
    const char *usage; /* one line */
};

extern const struct cli_command cli_commands[]; /* ends with name NULL */

/* The command of this word, or NULL. */
const struct cli_command *cli_find(const char *word);

/* Run it: `--help` among its arguments says how it is used. argv[0] is its word. */
int cli_run(const struct cli_command *command, int argc, char **argv);

cli_fn cli_backup, cli_down, cli_gc, cli_help, cli_info, cli_inbox, cli_node, cli_nodes,
    cli_restore, cli_safe, cli_salvage, cli_status, cli_umount, cli_up, cli_wait;

/* ---- what commands share ---- */

struct cli_args {
    bool json, force;
    const char *mount; /* --mount MNT, or NULL */
    const char *rest[CLI_ARGS_MAX];
    int rest_count;
};

/* Flags anywhere before a "--", up to 8 other arguments. False: said on stderr. */
bool cli_parse(struct cli_args *a, int argc, char **argv);

/* --cluster FILE out of the arguments, before cli_parse(); NULL: it is not there. */
const char *cli_take_cluster(int *argc, char **argv);

/* The mount to talk to: --mount, or the only one there is. False: said on stderr, with a list. */
bool cli_mount(const struct cli_args *a, char path[CLI_PATH_BYTES]);

/* The whole text of MNT/.vstack/NAME; the caller frees. NULL: said on stderr. */
char *cli_read_control(const char *mount, const char *name);

/* Send a command and judge its answer: exit code; 0: *ret is the answer, the caller frees. */
int cli_command_ask(const char *mount, const struct vs_json *command, struct vs_json **ret);
/* The same, when the answer says no more than that it is done. */
int cli_command_send(const char *mount, const struct vs_json *command);

/* The lock of a data directory that nothing may use meanwhile: a descriptor to close; none there;
 * or a mount has it, which is said. */
#define CLI_LOCK_NONE  (-2)
#define CLI_LOCK_TAKEN (-1)
int cli_lock_data(const char *dir);
/* Number of a replica, 1 .. 255; 0: it is none, which is said. */
uint16_t cli_replica(const char *text);

/* Text that came from names or paths, to stdout; what would move a terminal's cursor as \xNN. */
void cli_put(const char *text);

/* "vstackfs: ..." on stderr; returns 1. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
