/* user.vstack.*: what each says, of what it says nothing, and which redundancy may be asked for. */
#include "common/err.h"
#include "fs/xattrs.h"
#include "meta/manifest.h"
#include "tests/support/wfile_rig.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* The text of an attribute, or its error as "-ENODATA". */
static const char *get(struct rig *r, uint64_t ino, const char *name)
{
    static char text[XATTRS_TEXT_MAX + 1];
    struct vs_buf b = { 0 };
    char full[256];
    int e;

    snprintf(full, sizeof(full), XATTRS_PREFIX "%s", name);
    e = xattrs_get(&r->fs, ino, full, &b);
    if (e < 0)
        snprintf(text, sizeof(text), "-%s",
                 e == -ENODATA  ? "ENODATA"
                 : e == -ENOENT ? "ENOENT"
                                : vs_err_text(e));
    else
        snprintf(text, sizeof(text), "%.*s", (int)b.len, b.len > 0 ? (const char *)b.data : "");
    vs_buf_close(&b);
    return text;
}

static uint64_t stored(struct rig *r, const char *name, size_t len)
{
    rig_store(r, NS_INO_ROOT, name, r->bytes, len);
    return rig_stored_attr(r, NS_INO_ROOT, name).ino;
}

static void a_stored_film_says_how_it_is_stored(void **state)
{
    struct rig *r = *state;
    uint64_t ino = stored(r, "film", 9u << 20);
    char want[128];

    assert_string_equal(get(r, ino, "state"), "stored");
    assert_string_equal(get(r, ino, "chunks"), "3");
    assert_string_equal(get(r, ino, "stored_as"), "rs:3+2");
    assert_string_equal(get(r, ino, "redundancy"), "auto");
    snprintf(want, sizeof(want), "%llu",
             (unsigned long long)rig_stored_attr(r, NS_INO_ROOT, "film").stored_bytes);
    assert_string_equal(get(r, ino, "stored_bytes"), want);
    assert_int_equal(strlen(get(r, ino, "sha256")), 64);
    assert_int_equal(strspn(get(r, ino, "sha256"), "0123456789abcdef"), 64);
    assert_non_null(strstr(get(r, ino, "info"), "\"stored_as\""));
}

static void every_chunk_has_a_line_of_its_nodes(void **state)
{
    struct rig *r = *state;
    const char *text = get(r, stored(r, "film", 9u << 20), "placement");
    unsigned chunk, at, n[5];

    for (unsigned i = 0; i < 3; i++) {
        unsigned seen = 0;

        assert_int_equal(sscanf(text, "%u: n%u n%u n%u n%u n%u\n%n", &chunk, &n[0], &n[1], &n[2],
                                &n[3], &n[4], &at),
                         6);
        assert_int_equal(chunk, i);
        for (unsigned k = 0; k < 5; k++)
            seen |= 1u << n[k];
        assert_int_equal(seen, 0x3e); /* each node once */
        text += at;
    }
    assert_string_equal(text, "");
}

static void small_files_have_no_chunks_and_nothing_to_place(void **state)
{
    struct rig *r = *state;
    uint64_t ino = stored(r, "poster", 1000), empty = stored(r, "empty", 0);

    assert_string_equal(get(r, ino, "state"), "stored");
    assert_string_equal(get(r, ino, "chunks"), "0");
    assert_string_equal(get(r, ino, "stored_as"), "metadata");
    assert_string_equal(get(r, ino, "placement"), "");
    assert_string_equal(get(r, empty, "sha256"),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void what_is_not_known_is_not_said(void **state)
{
    struct rig *r = *state;
    uint64_t ino = stored(r, "film", 100000);
    struct inode *i = rig_create(r, NS_INO_ROOT, "new");

    assert_string_equal(get(r, ino, "duration"), "-ENODATA"); /* nobody has looked at it */
    assert_string_equal(get(r, ino, "bitrate"), "-ENODATA");
    assert_string_equal(get(r, ino, "frob"), "-ENODATA");
    assert_string_equal(get(r, ino, ""), "-ENODATA");
    assert_string_equal(get(r, ino, "stat"), "-ENODATA");
    assert_string_equal(get(r, ino, "statement"), "-ENODATA");
    assert_string_equal(get(r, NS_INO_ROOT, "state"), "-ENODATA"); /* a folder */
    assert_string_equal(get(r, 999, "state"), "-ENOENT");
    rig_write_all(r, i, 0, r->bytes, 100);
    assert_string_equal(get(r, i->ino, "state"), "uploading");
    assert_string_equal(get(r, i->ino, "sha256"), "-ENODATA");
    assert_int_equal(rig_release(r, i), 0);
}

/* A folder with names in it, whose size counts them. */
static void a_folder_that_holds_something_says_nothing_either(void **state)
{
    struct rig *r = *state;

    stored(r, "film", 100);
    assert_string_equal(get(r, NS_INO_ROOT, "state"), "-ENODATA");
    assert_string_equal(get(r, NS_INO_ROOT, "info"), "-ENODATA");
}

static void what_is_lost_is_said(void **state)
{
    struct rig *r = *state;
    uint64_t ino = stored(r, "film", 1u << 20);

    rig_stores_down(r, 2, true);
    assert_string_equal(get(r, ino, "state"), "degraded");
    rig_stores_down(r, 3, true);
    assert_string_equal(get(r, ino, "state"), "lost");
    rig_stores_down(r, 3, false);
    assert_string_equal(get(r, ino, "state"), "stored");
}

static void safe_is_a_clear_yes_or_a_reason(void **state)
{
    struct rig *r = *state;
    uint64_t ino = stored(r, "film", 5u << 20), small = stored(r, "poster", 1000);
    struct inode *i;

    assert_string_equal(get(r, ino, "safe"), "yes");
    assert_string_equal(get(r, small, "safe"), "yes");
    r->fs.single_device = true;
    assert_memory_equal(get(r, ino, "safe"), "yes: ", 5);
    assert_non_null(strstr(get(r, ino, "safe"), "not the loss of that disk"));
    r->fs.single_device = false;
    rig_stores_down(r, 1, true);
    assert_string_equal(get(r, ino, "safe"),
                        "no: 2 of 2 chunks with less redundancy than there should be");
    rig_stores_down(r, 3, true);
    assert_string_equal(get(r, ino, "safe"), "no: 2 of 2 chunks cannot be read");
    rig_stores_down(r, 3, false);
    i = rig_open_file(r, NS_INO_ROOT, "film", false);
    rig_write_all(r, i, 0, r->other, 10);
    assert_string_equal(get(r, ino, "safe"), "no: what was written is not stored yet");
    assert_int_equal(rig_release(r, i), 0);
    assert_string_equal(get(r, ino, "safe"), "yes");
    assert_string_equal(get(r, NS_INO_ROOT, "safe"), "-ENODATA");
}

static void set_media(struct rig *r, uint64_t ino, const struct mf_media *media)
{
    struct ns_attr attr = rig_stored_attr(r, NS_INO_ROOT, "film");
    struct vs_buf bytes = { 0 };
    struct ns_entry e = { .kind = NS_E_MEDIA, .ino = ino, .base_version = attr.version };

    assert_int_equal(mf_media_encode(media, &bytes), 0);
    e.value = bytes.data;
    e.value_len = bytes.len;
    assert_int_equal(vsfs_change(&r->fs, &e, NULL), 0);
    vs_buf_close(&bytes);
}

static void a_video_says_how_long_it_is_and_other_files_do_not(void **state)
{
    struct rig *r = *state;
    uint64_t ino = stored(r, "film", 100000);
    struct mf_media media = { .container = "matroska,webm",
                              .duration_ms = 5400123,
                              .bitrate_bps = 8000000 };

    set_media(r, ino, &media);
    assert_string_equal(get(r, ino, "duration"), "5400123");
    assert_string_equal(get(r, ino, "bitrate"), "8000000");
    assert_non_null(strstr(get(r, ino, "info"), "matroska"));
    media.container[0] = '\0'; /* looked at, and no video */
    set_media(r, ino, &media);
    assert_string_equal(get(r, ino, "duration"), "-ENODATA");
    assert_null(strstr(get(r, ino, "info"), "duration"));
    assert_null(strstr(get(r, ino, "info"), "matroska"));
}

/* What was asked for, not the form it has now. */
static void redundancy_reads_back_the_setting(void **state)
{
    struct rig *r = *state;
    uint64_t ino = stored(r, "film", 100000);
    struct ns_entry e = { .kind = NS_E_SETXATTR,
                          .ino = ino,
                          .name = XATTRS_REDUNDANCY,
                          .name_len = strlen(XATTRS_REDUNDANCY),
                          .value = "replicate:3",
                          .value_len = 11 };

    assert_int_equal(vsfs_change(&r->fs, &e, NULL), 0);
    assert_string_equal(get(r, ino, "redundancy"), "replicate:3");
    assert_string_equal(get(r, ino, "stored_as"), "rs:3+2");
}

static int check(const char *text)
{
    return xattrs_check_redundancy(text, strlen(text));
}

static void only_redundancies_that_exist_may_be_set(void **state)
{
    static const char *const good[] = { "auto",   "replicate:1", "replicate:3", "replicate:5",
                                        "rs:2+1", "rs:3+2",      "rs:8+4",      "rs:02+1" };
    static const char *const bad[] = { "",
                                       "Auto",
                                       "auto ",
                                       " auto",
                                       "autoo",
                                       "aut",
                                       "replicate",
                                       "replicate:",
                                       "replicate:0",
                                       "replicate:6",
                                       "replicate:-1",
                                       "replicate:+3",
                                       "replicate: 3",
                                       "replicate:3x",
                                       "replicate:4294967297",
                                       "replicate:003",
                                       "rs:",
                                       "rs:3",
                                       "rs:3+",
                                       "rs:3+0",
                                       "rs:1+2",
                                       "rs:9+2",
                                       "rs:3+5",
                                       "rs:3++2",
                                       "rs:-3+2",
                                       "rs: 3+2",
                                       "rs:3+2 ",
                                       "rs:3+2+1",
                                       "rs:4294967299+2",
                                       "3+2" };

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (check(good[i]) != 0)
            fail_msg("%s is refused", good[i]);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (check(bad[i]) != -EINVAL)
            fail_msg("\"%s\" is taken", bad[i]);
    assert_int_equal(xattrs_check_redundancy("auto\0x", 6), -EINVAL);
    assert_int_equal(xattrs_check_redundancy("rs:3+2\0", 7), -EINVAL);
    assert_int_equal(xattrs_check_redundancy("autoXX", 4), 0); /* only so many bytes are read */
    assert_int_equal(xattrs_check_redundancy(NULL, 0), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_stored_film_says_how_it_is_stored),
        RIG_TEST(every_chunk_has_a_line_of_its_nodes),
        RIG_TEST(small_files_have_no_chunks_and_nothing_to_place),
        RIG_TEST(what_is_not_known_is_not_said),
        RIG_TEST(a_folder_that_holds_something_says_nothing_either),
        RIG_TEST(what_is_lost_is_said),
        RIG_TEST(safe_is_a_clear_yes_or_a_reason),
        RIG_TEST(a_video_says_how_long_it_is_and_other_files_do_not),
        RIG_TEST(redundancy_reads_back_the_setting),
        cmocka_unit_test(only_redundancies_that_exist_may_be_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
