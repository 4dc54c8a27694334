/* Rules of fs/media_worker: every committed film is described once, soon or at the next start.
 *
 * The test program is its own cutter child (--cutter). The film is made with ffmpeg. */
#include "fs/media_worker.h"
#include "tests/support/wfile_rig.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define NAME    "film.mkv"
#define SECONDS 20
#define WAIT_NS (60 * VS_NS_PER_S)

static uint8_t *film; /* 8 to 16 MiB of Matroska */
static size_t film_len;

static int make_film(void **state)
{
    char dir[TEMP_DIR_BYTES], cmd[512], path[256];
    struct stat st;
    int fd;

    (void)state;
    temp_dir_make(dir);
    snprintf(path, sizeof(path), "%s/film.mkv", dir);
    snprintf(cmd, sizeof(cmd),
             "ffmpeg -v error -f lavfi -i testsrc2=s=640x360:r=25:d=%d -c:v mpeg4 -b:v 4M "
             "-minrate 4M -maxrate 4M -bufsize 1M -g 25 %s",
             SECONDS, path);
    assert_int_equal(system(cmd), 0);
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    film_len = (size_t)st.st_size;
    film = malloc(film_len);
    assert_int_equal(read(fd, film, film_len), film_len);
    close(fd);
    temp_dir_remove(dir);
    assert_in_range(film_len, 6u << 20, RIG_BYTES);
    return 0;
}

static int drop_film(void **state)
{
    (void)state;
    free(film);
    return 0;
}

static int setup(void **state)
{
    struct rig *r;

    if (rig_setup(state) != 0)
        return 1;
    r = *state;
    return cutter_start(&r->fs.cutter, "/proc/self/exe");
}

static int teardown(void **state)
{
    struct rig *r = *state;
    struct cutter *cutter = r->fs.cutter;

    media_worker_stop(r->fs.media);
    rig_teardown(state);
    cutter_stop(cutter);
    return 0;
}

/* ---- helpers ---- */

static void start(struct rig *r)
{
    assert_int_equal(media_worker_start(&r->fs.media, &r->fs), 0);
}

static void stop(struct rig *r)
{
    media_worker_stop(r->fs.media);
    r->fs.media = NULL;
}

static bool due(struct rig *r, const char *name)
{
    return rig_stored_attr(r, NS_INO_ROOT, name).flags & NS_F_MEDIA_DUE;
}

static struct mf_media media_of(struct rig *r, const char *name)
{
    struct meta_req req = { .op = META_MEDIA, .ino = rig_stored_attr(r, NS_INO_ROOT, name).ino };
    struct mf_media media;

    assert_int_equal(meta_call(r->fs.meta, &req), 0);
    assert_int_equal(mf_media_decode(req.bytes.data, req.bytes.len, &media), 0);
    vs_buf_close(&req.bytes);
    return media;
}

/* ---- rules ---- */

static void a_film_gets_its_description_and_its_time_map(void **state)
{
    struct rig *r = *state;
    struct mf_media media;

    start(r);
    rig_store(r, NS_INO_ROOT, NAME, film, film_len);
    assert_int_equal(media_worker_idle_wait(&r->fs, WAIT_NS), 0);
    assert_false(due(r, NAME));
    media = media_of(r, NAME);
    assert_non_null(strstr(media.container, "matroska"));
    assert_in_range(media.duration_ms, SECONDS * 1000 - 100, SECONDS * 1000 + 100);
    assert_true(media.probe_pack_count > 0);
    assert_int_equal(media.chunk_start_count,
                     rig_chunk_count(r, rig_stored_attr(r, NS_INO_ROOT, NAME).ino));
    assert_true(media.chunk_start_count > 1);
    assert_int_equal(media.chunk_start_ms[0], 0);
    for (uint32_t k = 1; k < media.chunk_start_count; k++)
        assert_in_range(media.chunk_start_ms[k], media.chunk_start_ms[k - 1] + 1, SECONDS * 1000);
    mf_media_close(&media);
}

static void what_is_no_video_is_said_to_be_none(void **state)
{
    struct rig *r = *state;
    struct mf_media media;

    start(r);
    rig_store(r, NS_INO_ROOT, "noise", r->bytes, 3u << 20);
    assert_int_equal(media_worker_idle_wait(&r->fs, WAIT_NS), 0);
    assert_false(due(r, "noise"));
    media = media_of(r, "noise");
    assert_string_equal(media.container, "");
    mf_media_close(&media);
}

static void small_files_are_not_looked_at(void **state)
{
    struct rig *r = *state;

    start(r);
    rig_store(r, NS_INO_ROOT, "film.nfo", r->bytes, 1000);
    assert_false(due(r, "film.nfo"));
    assert_int_equal(media_worker_idle_wait(&r->fs, WAIT_NS), 0);
}

static void what_was_due_at_the_last_stop_is_described_after_the_start(void **state)
{
    struct rig *r = *state;
    struct mf_media media;

    rig_store(r, NS_INO_ROOT, NAME, film, film_len);
    assert_true(due(r, NAME));
    start(r);
    assert_int_equal(media_worker_idle_wait(&r->fs, WAIT_NS), 0);
    assert_false(due(r, NAME));
    media = media_of(r, NAME);
    assert_non_null(strstr(media.container, "matroska"));
    mf_media_close(&media);
}

/* A probe on bytes that cannot be read would call the film no film. */
static void a_film_that_cannot_be_read_stays_due(void **state)
{
    struct rig *r = *state;

    rig_store(r, NS_INO_ROOT, NAME, film, film_len);
    rig_stores_down(r, RIG_STORES, true);
    start(r);
    assert_int_equal(media_worker_idle_wait(&r->fs, WAIT_NS), 0);
    assert_true(due(r, NAME));
    rig_stores_down(r, RIG_STORES, false);
    stop(r);
    start(r);
    assert_int_equal(media_worker_idle_wait(&r->fs, WAIT_NS), 0);
    assert_false(due(r, NAME));
}

static void the_last_of_many_versions_is_the_one_described(void **state)
{
    struct rig *r = *state;
    struct mf_media media;
    struct inode *i;

    start(r);
    rig_store(r, NS_INO_ROOT, NAME, r->bytes, 3u << 20);
    for (int n = 0; n < 3; n++) {
        i = rig_open_file(r, NS_INO_ROOT, NAME, true);
        rig_write_all(r, i, 0, n == 2 ? film : r->other, n == 2 ? film_len : 2u << 20);
        assert_int_equal(rig_release(r, i), 0);
    }
    assert_int_equal(media_worker_idle_wait(&r->fs, WAIT_NS), 0);
    assert_false(due(r, NAME));
    media = media_of(r, NAME);
    assert_non_null(strstr(media.container, "matroska"));
    mf_media_close(&media);
}

static void without_a_cutter_nothing_stays_due(void **state)
{
    struct rig *r = *state;
    struct cutter *cutter = r->fs.cutter;

    r->fs.cutter = NULL;
    start(r);
    rig_store(r, NS_INO_ROOT, NAME, film, film_len);
    assert_int_equal(media_worker_idle_wait(&r->fs, WAIT_NS), 0);
    assert_false(due(r, NAME));
    stop(r);
    r->fs.cutter = cutter;
}

static void there_may_be_no_worker(void **state)
{
    struct rig *r = *state;

    media_worker_add(NULL, 16, 1, NULL, 0);
    assert_int_equal(media_worker_idle_wait(&r->fs, 0), 0);
    media_worker_stop(NULL);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_film_gets_its_description_and_its_time_map),
        T(what_is_no_video_is_said_to_be_none),
        T(small_files_are_not_looked_at),
        T(what_was_due_at_the_last_stop_is_described_after_the_start),
        T(a_film_that_cannot_be_read_stays_due),
        T(the_last_of_many_versions_is_the_one_described),
        T(without_a_cutter_nothing_stays_due),
        T(there_may_be_no_worker),
    };

    if (argc > 1 && strcmp(argv[1], "--cutter") == 0)
        return cutter_child_main(argc - 1, argv + 1);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, make_film, drop_film);
}
