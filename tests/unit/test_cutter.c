/* Keyframes of streams and descriptions of files, from real children on real videos.
 *
 * The test program is its own child (--cutter). Videos are made with ffmpeg. */
#include "common/cleanup.h"
#include "common/err.h"
#include "ingest/cut_plan.h"
#include "ingest/cutter.h"
#include "tests/support/temp_dir.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

extern char **environ;

#define SECONDS     20
#define KEYFRAMES   20 /* one a second */
#define SEEN_MAX    4096
#define OVER_WAIT_S 30

struct film {
    uint8_t *bytes;
    size_t len;
};

struct fixture {
    char dir[TEMP_DIR_BYTES];
    struct cutter *cutter;
};

/* What a live cutter has told, and when it is over. */
struct seen {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct cutter_keyframe at[SEEN_MAX];
    size_t count;
    unsigned overs, progress;
    uint64_t parsed;
};

static void on_keyframe(void *arg, uint64_t offset, uint32_t time_ms, uint64_t parsed)
{
    struct seen *s = arg;

    VS_LOCK_SCOPE(&s->lock);
    assert_true(s->overs == 0);
    if (offset == UINT64_MAX) {
        s->overs++;
        pthread_cond_signal(&s->cond);
    } else if (offset == CUT_NO_KEYFRAME) {
        assert_true(parsed >= s->parsed);
        s->parsed = parsed;
        s->progress++;
    } else if (s->count < SEEN_MAX) {
        s->at[s->count++] = (struct cutter_keyframe){ offset, time_ms };
    }
}

static void seen_wait_over(struct seen *s)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += OVER_WAIT_S;
    VS_LOCK_SCOPE(&s->lock);
    while (s->overs == 0)
        assert_int_equal(pthread_cond_timedwait(&s->cond, &s->lock, &until), 0);
}

static struct seen seen_new(void)
{
    return (struct seen){ .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
}

/* `args`: output options; a test picture of SECONDS with a keyframe each second. */
static struct film make_film(const struct fixture *f, const char *name, const char *const args[])
{
    char path[512], source[128];
    char *argv[48] = { "ffmpeg", "-v",    "error",       "-y",
                       "-f",     "lavfi", "-i",          source,
                       "-f",     "lavfi", "-i",          "sine=frequency=440:duration=20",
                       "-g",     "25",    "-keyint_min", "25",
                       "-bf",    "0",     NULL };
    int n = 18, status;
    struct film film = { NULL, 0 };
    struct stat st;
    pid_t pid;
    int fd;

    snprintf(source, sizeof(source), "testsrc2=size=320x240:rate=25:duration=%d", SECONDS);
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    while (*args != NULL)
        argv[n++] = (char *)*args++;
    argv[n++] = path;
    argv[n] = NULL;
    assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    film.len = (size_t)st.st_size;
    film.bytes = malloc(film.len);
    assert_non_null(film.bytes);
    assert_int_equal(read(fd, film.bytes, film.len), (ssize_t)film.len);
    close(fd);
    return film;
}

static void feed_all(struct cutter_live *l, const struct film *film)
{
    for (size_t at = 0; at < film->len; at += 131072) {
        size_t n = film->len - at < 131072 ? film->len - at : 131072;

        assert_int_equal(cutter_live_feed(l, film->bytes + at, n), 0);
    }
    cutter_live_end(l);
}

static const char *const x264_mkv[] = { "-c:v", "libx264", "-preset", "ultrafast",
                                        "-c:a", "aac",     NULL };
static const char *const x264_faststart[] = { "-c:v",      "libx264",    "-preset", "ultrafast",
                                              "-movflags", "+faststart", NULL };
static const char *const fragmented[] = { "-c:v",      "libx264",   "-preset",
                                          "ultrafast", "-movflags", "+frag_keyframe+empty_moov",
                                          NULL };
static const char *const mpeg2[] = { "-c:v", "mpeg2video", "-c:a", "mp2", NULL };
static const char *const mpeg4_avi[] = { "-c:v", "mpeg4", "-c:a", "mp3", NULL };
static const char *const flv1[] = { "-c:v", "flv1", "-ar", "44100", "-c:a", "mp3", NULL };
static const char *const theora[] = { "-c:v", "libtheora", "-c:a", "libvorbis", NULL };
static const char *const wmv2[] = { "-c:v", "wmv2", "-c:a", "wmav2", NULL };

static void keyframes_of_every_live_container_are_found(void **state)
{
    const struct fixture *f = *state;
    static const struct {
        const char *name;
        const char *const *args;
    } films[] = {
        { "a.mkv", x264_mkv },       { "b.mp4", x264_faststart }, { "c.mp4", fragmented },
        { "d.ts", x264_mkv },        { "e.mpg", mpeg2 },          { "f.avi", mpeg4_avi },
        { "g.flv", flv1 },           { "h.ogv", theora },         { "i.wmv", wmv2 },
        { "j.mov", x264_faststart },
    };

    for (size_t i = 0; i < sizeof(films) / sizeof(films[0]); i++) {
        struct film film = make_film(f, films[i].name, films[i].args);
        struct seen s = seen_new();
        struct cutter_live *l = NULL;

        print_message("%s: %zu bytes\n", films[i].name, film.len);
        assert_int_equal(cutter_live_open(&l, f->cutter, film.bytes, 4096, films[i].name,
                                          strlen(films[i].name), on_keyframe, &s),
                         0);
        feed_all(l, &film);
        seen_wait_over(&s);
        cutter_live_free(l);
        assert_int_equal(s.overs, 1);
        assert_in_range(s.count, KEYFRAMES / 2, KEYFRAMES * 2);
        for (size_t n = 0; n < s.count; n++) {
            assert_true(s.at[n].offset < film.len);
            assert_true(n == 0 || s.at[n].offset > s.at[n - 1].offset);
        }
        assert_in_range(s.at[s.count - 1].time_ms, 15000, 21000);
        free(film.bytes);
    }
}

static void what_is_no_film_is_not_parsed(void **state)
{
    const struct fixture *f = *state;
    static const char text[4096] = "#EXTM3U\nfile:///etc/passwd\n";
    struct cutter_live *l = NULL;
    struct seen s = seen_new();

    assert_int_equal(
        cutter_live_open(&l, f->cutter, text, sizeof(text), "a.mp4", 5, on_keyframe, &s), -ENOTSUP);
    assert_false(cutter_expects_keyframes(text, sizeof(text)));
}

/* Garbage behind a good magic number ends the child, not us; it is said once that nothing comes. */
static void garbage_behind_a_magic_number_ends_quietly(void **state)
{
    const struct fixture *f = *state;
    struct film film = { malloc(1 << 20), 1 << 20 };
    struct cutter_live *l = NULL;
    struct seen s = seen_new();

    assert_non_null(film.bytes);
    for (size_t i = 0; i < film.len; i++)
        film.bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    memcpy(film.bytes, "\x1a\x45\xdf\xa3", 4);
    assert_int_equal(cutter_live_open(&l, f->cutter, film.bytes, 4096, "x.mkv", 5, on_keyframe, &s),
                     0);
    for (size_t at = 0; at < film.len; at += 65536)
        if (cutter_live_feed(l, film.bytes + at, 65536) < 0)
            break;
    cutter_live_end(l);
    seen_wait_over(&s);
    cutter_live_free(l);
    assert_int_equal(s.overs, 1);
    free(film.bytes);
}

/* Freed in the middle: no call afterwards, nothing left behind (the sanitizers watch). */
static void a_stream_may_be_given_up_at_any_moment(void **state)
{
    const struct fixture *f = *state;
    struct film film = make_film(f, "k.mkv", x264_mkv);

    for (size_t cut = 4096; cut < film.len; cut += film.len / 5) {
        struct cutter_live *l = NULL;
        struct seen s = seen_new();

        assert_int_equal(
            cutter_live_open(&l, f->cutter, film.bytes, 4096, "k.mkv", 5, on_keyframe, &s), 0);
        assert_int_equal(cutter_live_feed(l, film.bytes, cut), 0);
        cutter_live_free(l);
    }
    free(film.bytes);
}

static int64_t film_read(void *arg, uint64_t offset, void *dst, size_t len)
{
    const struct film *film = arg;

    if (offset >= film->len)
        return 0;
    if (len > film->len - offset)
        len = film->len - offset;
    memcpy(dst, film->bytes + offset, len);
    return (int64_t)len;
}

static void a_probe_describes_a_film(void **state)
{
    const struct fixture *f = *state;
    struct film film = make_film(f, "m.mp4", x264_mkv); /* its index comes last */
    struct cutter_probe_result r;

    assert_int_equal(cutter_probe(f->cutter, film.len, "m.mp4", 5, film_read, &film, &r), 0);
    assert_string_equal(r.media.container, "mov");
    assert_in_range(r.media.duration_ms, 19900, 20200);
    assert_true(r.media.bitrate_bps > 0);
    assert_int_equal(r.media.stream_count, 2);
    assert_int_equal(r.media.streams[0].width, 320);
    assert_in_range(r.keyframe_count, KEYFRAMES, KEYFRAMES + 1);
    assert_true(r.media.probe_pack_count > 0);
    assert_int_equal(r.media.probe_pack[0].offset, 0);
    assert_true(r.media.index_range_count > 0); /* the moov at the end */
    cutter_probe_result_close(&r);
    free(film.bytes);
}

static void a_probe_of_text_says_no_film(void **state)
{
    const struct fixture *f = *state;
    static uint8_t text[] = "1\n00:00:01,000 --> 00:00:02,000\nHello\n";
    struct film film = { text, sizeof(text) - 1 };
    struct cutter_probe_result r;

    assert_int_equal(cutter_probe(f->cutter, film.len, "a.srt", 5, film_read, &film, &r), 0);
    assert_string_equal(r.media.container, "");
    assert_int_equal(r.keyframe_count, 0);
    cutter_probe_result_close(&r);
}

static int64_t film_broken(void *arg, uint64_t offset, void *dst, size_t len)
{
    (void)arg;
    (void)offset;
    (void)dst;
    (void)len;
    return -EIO;
}

static void a_file_that_cannot_be_read_fails_the_probe(void **state)
{
    const struct fixture *f = *state;
    struct cutter_probe_result r;

    assert_int_equal(cutter_probe(f->cutter, 1000000, "a.mkv", 5, film_broken, NULL, &r), -EIO);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    temp_dir_make(f->dir);
    *state = f;
    return cutter_start(&f->cutter, "/proc/self/exe");
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    cutter_stop(f->cutter);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyframes_of_every_live_container_are_found),
        cmocka_unit_test(what_is_no_film_is_not_parsed),
        cmocka_unit_test(garbage_behind_a_magic_number_ends_quietly),
        cmocka_unit_test(a_stream_may_be_given_up_at_any_moment),
        cmocka_unit_test(a_probe_describes_a_film),
        cmocka_unit_test(a_probe_of_text_says_no_film),
        cmocka_unit_test(a_file_that_cannot_be_read_fails_the_probe),
    };

    if (argc > 1 && strcmp(argv[1], "--cutter") == 0)
        return cutter_child_main(argc - 1, argv + 1);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
