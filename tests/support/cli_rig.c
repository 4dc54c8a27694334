/* cli_rig: see the header.
 *
 * A command is written to .vstack/control and its answer read on the same descriptor. A plain file
 * does that, too, when the answer stands where the command ends. */
#include "tests/support/cli_rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX     16
#define PATHS_IN_TURN 4

static int saved[2] = { -1, -1 }; /* stdout and stderr, while they are caught */
static FILE *caught[2];

int cli_rig_setup(void **state)
{
    struct cli_rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    temp_dir_make(r->mount);
    assert_int_equal(mkdir(cli_rig_path(r, ".vstack"), 0700), 0);
    *state = r;
    return 0;
}

int cli_rig_teardown(void **state)
{
    struct cli_rig *r = *state;

    temp_dir_remove(r->mount);
    free(r);
    return 0;
}

void cli_rig_catch(struct cli_rig *r)
{
    (void)r;
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 2; i++) {
        caught[i] = tmpfile();
        assert_non_null(caught[i]);
        saved[i] = dup(i + 1);
        assert_true(saved[i] >= 0 && dup2(fileno(caught[i]), i + 1) == i + 1);
    }
}

void cli_rig_caught(struct cli_rig *r)
{
    char *text[2] = { r->out, r->err };

    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 2; i++) {
        size_t n;

        dup2(saved[i], i + 1);
        close(saved[i]);
        rewind(caught[i]);
        n = fread(text[i], 1, CLI_RIG_TEXT_BYTES - 1, caught[i]);
        text[i][n] = '\0';
        fclose(caught[i]);
    }
}

int cli_rig_run(struct cli_rig *r, const char *const words[])
{
    const struct cli_command *command = cli_find(words[0]);
    char *argv[WORDS_MAX] = { NULL };
    int argc = 0, code;

    assert_non_null(command);
    for (; words[argc] != NULL; argc++) {
        assert_true(argc < WORDS_MAX - 1);
        argv[argc] = strdup(words[argc]);
    }
    cli_rig_catch(r);
    code = cli_run(command, argc, argv);
    cli_rig_caught(r);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    if (code != 0) /* one sentence, and it says who speaks */
        assert_memory_equal(r->err, "vstackfs: ", 10);
    return code;
}

const char *cli_rig_path(struct cli_rig *r, const char *name)
{
    static char path[PATHS_IN_TURN][512];
    static unsigned turn;

    turn = (turn + 1) % PATHS_IN_TURN;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", r->mount, name);
    return path[turn];
}

void cli_rig_write(struct cli_rig *r, const char *name, const char *text)
{
    FILE *f = fopen(cli_rig_path(r, name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

char *cli_rig_read(struct cli_rig *r, const char *name)
{
    FILE *f = fopen(cli_rig_path(r, name), "r");
    char *text = calloc(1, CLI_RIG_TEXT_BYTES);

    assert_true(f != NULL && text != NULL);
    assert_true(fread(text, 1, CLI_RIG_TEXT_BYTES - 1, f) < CLI_RIG_TEXT_BYTES);
    fclose(f);
    return text;
}

void cli_rig_answer(struct cli_rig *r, const char *command, const char *answer)
{
    char text[4096];

    snprintf(text, sizeof(text), "%*s%s", (int)strlen(command), "", answer);
    cli_rig_write(r, ".vstack/control", text);
}

bool cli_rig_was_sent(struct cli_rig *r, const char *command)
{
    char *text = cli_rig_read(r, ".vstack/control");
    bool same = strncmp(text, command, strlen(command)) == 0;

    free(text);
    return same;
}
