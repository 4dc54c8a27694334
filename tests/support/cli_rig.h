/* cli_rig: commands run in this process, with what they print caught; and a folder that looks like
 * a mount: files under .vstack/ that say what a test puts there. */
#ifndef VS_TESTS_CLI_RIG_H
#define VS_TESTS_CLI_RIG_H

#include "fs/cli/cli.h"
#include "tests/support/temp_dir.h"

#define CLI_RIG_TEXT_BYTES 65536

struct cli_rig {
    char mount[TEMP_DIR_BYTES];
    char out[CLI_RIG_TEXT_BYTES], err[CLI_RIG_TEXT_BYTES]; /* of the last command */
};

/* As cmocka's setup and teardown: *state is a struct cli_rig. */
int cli_rig_setup(void **state);
int cli_rig_teardown(void **state);
#define CLI_TEST(name) cmocka_unit_test_setup_teardown(name, cli_rig_setup, cli_rig_teardown)

/* Run a command by its words, the last one NULL: its exit code. */
int cli_rig_run(struct cli_rig *r, const char *const words[]);
#define RUN(r, ...) cli_rig_run(r, (const char *const[]){ __VA_ARGS__, NULL })
/* Catch what is printed between the two. */
void cli_rig_catch(struct cli_rig *r);
void cli_rig_caught(struct cli_rig *r);

/* MOUNT/NAME; one of a few buffers in turn. */
const char *cli_rig_path(struct cli_rig *r, const char *name);
void cli_rig_write(struct cli_rig *r, const char *name, const char *text);
char *cli_rig_read(struct cli_rig *r, const char *name); /* the caller frees */

/* MOUNT/.vstack/control is ready to answer this command so. */
void cli_rig_answer(struct cli_rig *r, const char *command, const char *answer);
/* What it was sent. */
bool cli_rig_was_sent(struct cli_rig *r, const char *command);

#endif
