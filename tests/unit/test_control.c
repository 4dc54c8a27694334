/* `.vstack/` and the inbox's `.ignore`: what is there, what it says, and which commands are taken.
 */
#include "common/err.h"
#include "common/json.h"
#include "fs/control.h"
#include "tests/support/meta_twist.h"
#include "tests/support/names_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOT  NS_INO_ROOT
#define INBOX NS_INO_INBOX

static int set_up(void **state)
{
    struct names_rig *r;
    int e = names_rig_setup(state);

    r = *state;
    r->fs->opt.mountpoint = "/mnt/videos";
    r->fs->opt.data_dir = "/data";
    return e;
}

static uint64_t ino_of(struct names_rig *r, const char *name)
{
    struct ns_attr attr;

    assert_int_equal(control_lookup(r->fs, CONTROL_INO_DIR, name, strlen(name), &attr), 0);
    return attr.ino;
}

static struct control_file *open_file(struct names_rig *r, const char *name)
{
    struct control_file *f = NULL;

    assert_int_equal(control_open(r->fs, ino_of(r, name), O_RDWR, &f), 0);
    return f;
}

/* All it says, parsed. */
static struct vs_json *said(struct control_file *f)
{
    struct vs_buf b = { 0 };
    struct vs_json *j = NULL;

    assert_int_equal(control_read(f, 0, 1u << 20, &b), 0);
    assert_int_equal(vs_json_parse((const char *)b.data, b.len, &j), 0);
    vs_buf_close(&b);
    return j;
}

/* ---- names ---- */

static void only_our_own_names_are_ours(void **state)
{
    (void)state;
    assert_true(control_has_name(ROOT, ".vstack", 7));
    assert_true(control_has_name(INBOX, ".ignore", 7));
    assert_true(control_has_name(CONTROL_INO_DIR, "anything", 8));
    assert_false(control_has_name(ROOT, ".vstack2", 8));
    assert_false(control_has_name(ROOT, ".vstac", 6));
    assert_false(control_has_name(ROOT, ".ignore", 7));
    assert_false(control_has_name(INBOX, ".vstack", 7));
    assert_false(control_has_name(17, ".vstack", 7));
    assert_false(control_has_name(17, ".ignore", 7));
    assert_false(control_owns(17));
    assert_true(control_owns(CONTROL_INO_IGNORE));
}

static int lookup(struct names_rig *r, uint64_t parent, const char *name, struct ns_attr *ret)
{
    return control_lookup(r->fs, parent, name, strlen(name), ret);
}

static void what_is_there_is_found_with_its_rights(void **state)
{
    struct names_rig *r = *state;
    struct ns_attr a;

    assert_int_equal(lookup(r, ROOT, ".vstack", &a), 0);
    assert_int_equal(a.ino, CONTROL_INO_DIR);
    assert_int_equal(a.mode, S_IFDIR | 0555);
    assert_int_equal(lookup(r, INBOX, ".ignore", &a), 0);
    assert_int_equal(a.ino, CONTROL_INO_IGNORE);
    assert_int_equal(a.mode, S_IFREG | 0444);
    assert_int_equal(lookup(r, CONTROL_INO_DIR, "status", &a), 0);
    assert_int_equal(a.mode, S_IFREG | 0444);
    assert_int_equal(lookup(r, CONTROL_INO_DIR, "inbox", &a), 0);
    assert_int_equal(a.mode, S_IFREG | 0444);
    assert_int_equal(lookup(r, CONTROL_INO_DIR, "control", &a), 0);
    assert_int_equal(a.mode, S_IFREG | 0600); /* commands: root and the mount's owner only */
    assert_int_equal(a.uid, getuid());
    assert_int_equal(lookup(r, CONTROL_INO_DIR, "frob", &a), -ENOENT);
    assert_int_equal(lookup(r, ROOT, ".ignore", &a), -ENOENT);
    assert_int_equal(lookup(r, ROOT, "film", &a), -ENOENT);
    assert_int_equal(lookup(r, ino_of(r, "status"), "x", &a), -ENOENT);
}

static void the_folder_lists_what_can_be_found(void **state)
{
    struct names_rig *r = *state;
    struct ns_dirent e[CONTROL_ENTRIES_MAX];
    int n = control_readdir(r->fs, CONTROL_INO_DIR, e, CONTROL_ENTRIES_MAX);

    assert_int_equal(n, 3);
    for (int i = 0; i < n; i++) {
        struct ns_attr a;

        assert_int_equal(e[i].cookie, i + 1);
        assert_int_equal(control_lookup(r->fs, CONTROL_INO_DIR, e[i].name, e[i].name_len, &a), 0);
        assert_int_equal(a.ino, e[i].attr.ino);
        assert_int_equal(a.mode, e[i].attr.mode);
        assert_int_equal(control_getattr(r->fs, a.ino, &a), 0);
        assert_int_equal(a.ino, e[i].attr.ino);
    }
    assert_int_equal(control_readdir(r->fs, CONTROL_INO_DIR, e, 1), 1);
    assert_int_equal(control_readdir(r->fs, CONTROL_INO_IGNORE, e, 1), -ENOTDIR);
}

static void other_numbers_are_nothing(void **state)
{
    struct names_rig *r = *state;
    struct control_file *f = NULL;
    struct ns_attr a;

    for (uint64_t ino = CONTROL_INO_BASE + 2; ino < CONTROL_INO_FIRST; ino++)
        assert_int_equal(control_getattr(r->fs, ino, &a), -ENOENT);
    assert_int_equal(control_getattr(r->fs, CONTROL_INO_FIRST + 3, &a), -ENOENT);
    assert_int_equal(control_getattr(r->fs, UINT64_MAX, &a), -ENOENT);
    assert_int_equal(control_open(r->fs, CONTROL_INO_FIRST + 3, O_RDONLY, &f), -ENOENT);
    assert_null(f);
    control_close(r->fs, NULL);
}

/* ---- what is said ---- */

static void status_is_said_as_json(void **state)
{
    struct names_rig *r = *state;
    struct control_file *f = open_file(r, "status");
    struct vs_json *j = said(f);

    assert_string_equal(vs_json_get_text(j, "state"), "ok");
    assert_string_equal(vs_json_get_text(j, "mountpoint"), "/mnt/videos");
    vs_json_free(j);
    control_close(r->fs, f);
}

static void the_inbox_is_said_as_json(void **state)
{
    struct names_rig *r = *state;
    struct control_file *f;
    struct vs_json *j;

    names_rig_put(r, INBOX, "film.mkv", "bytes");
    f = open_file(r, "inbox");
    j = said(f);
    assert_string_equal(vs_json_get_text(vs_json_first(vs_json_get(j, "results")), "name"),
                        "film.mkv");
    vs_json_free(j);
    control_close(r->fs, f);
}

/* What it says is of one moment, and can be read in pieces. */
static void an_open_file_says_the_same_until_it_is_closed(void **state)
{
    struct names_rig *r = *state;
    struct control_file *f = open_file(r, "status");
    struct vs_buf whole = { 0 }, pieces = { 0 };

    assert_int_equal(control_read(f, 0, 1u << 20, &whole), 0);
    names_rig_put(r, ROOT, "film", "bytes");
    for (size_t at = 0; at < whole.len; at += 7)
        assert_int_equal(control_read(f, at, 7, &pieces), 0);
    assert_int_equal(pieces.len, whole.len);
    assert_memory_equal(pieces.data, whole.data, whole.len);
    assert_int_equal(control_read(f, whole.len, 100, &pieces), 0);
    assert_int_equal(control_read(f, UINT64_MAX, 100, &pieces), 0);
    assert_int_equal(pieces.len, whole.len); /* nothing behind the end */
    vs_buf_close(&whole);
    vs_buf_close(&pieces);
    control_close(r->fs, f);
}

static void the_ignore_file_is_empty(void **state)
{
    struct names_rig *r = *state;
    struct control_file *f = NULL;
    struct vs_buf b = { 0 };

    assert_int_equal(control_open(r->fs, CONTROL_INO_IGNORE, O_RDONLY, &f), 0);
    assert_int_equal(control_read(f, 0, 100, &b), 0);
    assert_int_equal(b.len, 0);
    assert_int_equal(control_write(r->fs, f, "x", 1), -EPERM);
    control_close(r->fs, f);
}

static void answer_down(void *arg, struct meta_req *r)
{
    (void)arg;
    if (r->op == META_STATS)
        r->status = -VS_EDOWN;
}

static void a_status_that_cannot_be_made_is_an_errno(void **state)
{
    struct names_rig *r = *state;
    struct control_file *f = NULL;

    r->fs->meta = meta_twist_new(r->fs->meta);
    meta_twist_set(r->fs->meta, answer_down, NULL);
    assert_int_equal(control_open(r->fs, ino_of(r, "status"), O_RDONLY, &f),
                     vs_err_to_errno(-VS_EDOWN));
    assert_null(f);
    meta_twist_set(r->fs->meta, NULL, NULL);
}

/* ---- commands ---- */

/* Send a command: NULL when it was done, else the sentence. */
static const char *command(struct names_rig *r, const char *text)
{
    static char error[2048];
    struct control_file *f = open_file(r, "control");
    struct vs_json *j;
    const char *why;
    bool ok = false;

    assert_int_equal(control_write(r->fs, f, text, strlen(text)), strlen(text));
    j = said(f);
    assert_int_equal(vs_json_get_bool(j, "ok", &ok), 0);
    why = vs_json_get_text(j, "error");
    assert_int_equal(ok, why == NULL);
    snprintf(error, sizeof(error), "%s", why != NULL ? why : "");
    vs_json_free(j);
    control_close(r->fs, f);
    return ok ? NULL : error;
}

static void check_refused(struct names_rig *r, const char *text, const char *words)
{
    const char *why = command(r, text);

    if (why == NULL || strstr(why, words) == NULL)
        fail_msg("%s: \"%s\", without \"%s\"", text, why != NULL ? why : "(done)", words);
}

static void what_is_no_command_is_refused_with_a_sentence(void **state)
{
    struct names_rig *r = *state;

    check_refused(r, "", "not a JSON command");
    check_refused(r, "{", "not a JSON command");
    check_refused(r, "hello", "not a JSON command");
    check_refused(r, "{}", "no command");
    check_refused(r, "[]", "no command");
    check_refused(r, "{\"command\":7}", "no command");
    check_refused(r, "{\"command\":\"frob\"}", "frob: not understood");
    check_refused(r, "{\"command\":\"inbox-publish\"}", "an argument is missing");
    check_refused(r, "{\"command\":\"inbox-cancel\"}", "an argument is missing");
    check_refused(r, "{\"command\":\"node-replace\",\"id\":\"n1\"}", "an argument is missing");
    check_refused(r, "{\"command\":\"node-replace\",\"path\":\"/x\"}", "an argument is missing");
    check_refused(r, "{\"command\":\"node-replace\",\"id\":\"n1\",\"path\":\"x\"}",
                  "an argument is missing"); /* relative: to what? */
    check_refused(r, "{\"command\":\"node-replace\",\"id\":\"n1\",\"path\":\"/x\"}", "no node n1");
}

static void inbox_commands_reach_the_inbox(void **state)
{
    struct names_rig *r = *state;

    names_rig_put(r, INBOX, "film.part", "bytes"); /* a temporary name: it waits */
    names_rig_put(r, INBOX, "other.part", "bytes");
    check_refused(r, "{\"command\":\"inbox-publish\",\"name\":\"nothing\"}", "nothing: ");
    assert_null(command(r, "{\"command\":\"inbox-publish\",\"name\":\"film.part\"}"));
    names_rig_check(r, ROOT, "film.part", "bytes");
    assert_null(command(r, "{\"command\":\"inbox-cancel\",\"name\":\"other.part\"}"));
    assert_int_equal(names_rig_kind(r, INBOX, "other.part"), NAMES_NONE);
    check_refused(r, "{\"command\":\"inbox-cancel\",\"name\":\"other.part\"}", "other.part: ");
}

static void nothing_to_describe_is_waited_for_at_once(void **state)
{
    assert_null(command(*state, "{\"command\":\"wait-media\"}"));
}

/* Several commands on one descriptor: each has its own answer. */
static void the_last_command_is_answered(void **state)
{
    struct names_rig *r = *state;
    struct control_file *f = open_file(r, "control");
    static const char *const texts[] = { "{}", "{\"command\":\"wait-media\"}", "x" };
    static const bool oks[] = { false, true, false };

    for (unsigned n = 0; n < 3; n++) {
        struct vs_json *j;
        bool ok = !oks[n];

        assert_true(control_write(r->fs, f, texts[n], strlen(texts[n])) > 0);
        j = said(f);
        assert_int_equal(vs_json_get_bool(j, "ok", &ok), 0);
        assert_int_equal(ok, oks[n]);
        vs_json_free(j);
    }
    control_close(r->fs, f);
}

static void status_takes_no_commands(void **state)
{
    struct names_rig *r = *state;
    struct control_file *f = open_file(r, "status");

    assert_int_equal(control_write(r->fs, f, "{\"command\":\"wait-media\"}", 24), -EPERM);
    control_close(r->fs, f);
}

struct shared {
    struct names_rig *r;
    struct control_file *f;
};

static void *write_often(void *arg)
{
    struct shared *s = arg;

    for (unsigned n = 0; n < 200; n++)
        if (control_write(s->r->fs, s->f, n % 2 == 0 ? "{}" : "x", n % 2 == 0 ? 2 : 1) < 0)
            return NULL;
    return s;
}

static void one_descriptor_may_be_read_and_written_at_once(void **state)
{
    struct shared s = { .r = *state };
    pthread_t thread;
    void *ended;

    s.f = open_file(s.r, "control");
    assert_true(control_write(s.r->fs, s.f, "{}", 2) == 2);
    assert_int_equal(pthread_create(&thread, NULL, write_often, &s), 0);
    for (unsigned n = 0; n < 200; n++)
        vs_json_free(said(s.f)); /* always one whole answer */
    assert_int_equal(pthread_join(thread, &ended), 0);
    assert_ptr_equal(ended, &s);
    control_close(s.r->fs, s.f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, names_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_our_own_names_are_ours),
        TEST(what_is_there_is_found_with_its_rights),
        TEST(the_folder_lists_what_can_be_found),
        TEST(other_numbers_are_nothing),
        TEST(status_is_said_as_json),
        TEST(the_inbox_is_said_as_json),
        TEST(an_open_file_says_the_same_until_it_is_closed),
        TEST(the_ignore_file_is_empty),
        TEST(a_status_that_cannot_be_made_is_an_errno),
        TEST(what_is_no_command_is_refused_with_a_sentence),
        TEST(inbox_commands_reach_the_inbox),
        TEST(nothing_to_describe_is_waited_for_at_once),
        TEST(the_last_command_is_answered),
        TEST(status_takes_no_commands),
        TEST(one_descriptor_may_be_read_and_written_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
