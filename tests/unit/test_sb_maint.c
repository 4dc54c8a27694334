/* Space, on a real and small ext4: what a delete gives back and when, a disk that is nearly full or
 * full to the last block, and that a store never gets stuck there. Without root: skipped, the same
 * rules are tested on the simulated disk. VS_SWEEP=n: n times as many cycles. */
#include "common/assert.h"
#include "common/err.h"
#include "common/rand.h"
#include "tests/support/loop_fs.h"
#include "tests/support/sb_rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB      (UINT64_C(1) << 20)
#define FS_BYTES (96 * MIB)
#define FRAG     ((size_t)1400000)

struct space {
    struct loop_fs fs;
    struct sb_rig *rig;
    char others[80]; /* a file of somebody else */
};

static int setup(void **state)
{
    static const struct vs_id cluster = { { 0xc1 } }, node = { { 0x0d } };
    struct space *sp = calloc(1, sizeof(*sp));
    const char *why;
    struct vs_io *io;

    VS_ASSERT(sp != NULL);
    *state = sp;
    if (loop_fs_new(&sp->fs, FS_BYTES, &why) < 0) {
        print_message("skipped: %s\n", why);
        return 0;
    }
    sp->rig = calloc(1, sizeof(*sp->rig));
    VS_ASSERT(sp->rig != NULL);
    snprintf(sp->rig->dir, sizeof(sp->rig->dir), "%.50s/store", sp->fs.dir);
    snprintf(sp->others, sizeof(sp->others), "%s/others", sp->fs.dir);
    VS_ASSERT(mkdir(sp->rig->dir, 0700) == 0);
    io = sb_rig_io(sp->rig);
    VS_ASSERT(sb_store_format(io, &cluster, &node) == 0);
    vs_io_free(io);
    sp->rig->config = (struct sb_store_config){ .cluster = cluster,
                                                .node = node,
                                                .reserve_percent = 5,
                                                .file_bytes = 16 * MIB,
                                                .clock = &vs_clock_system };
    return 0;
}

static int teardown(void **state)
{
    struct space *sp = *state;

    if (sp->rig != NULL)
        sb_rig_close(sp->rig);
    free(sp->rig);
    loop_fs_close(&sp->fs);
    free(sp);
    return 0;
}

static uint64_t free_bytes(const struct space *sp)
{
    struct vs_io *io = sb_rig_io(sp->rig);
    struct vs_io_space space;

    assert_int_equal(vs_io_space(io, &space), 0);
    vs_io_free(io);
    return space.free_bytes;
}

static uint64_t total_bytes(const struct space *sp)
{
    struct vs_io *io = sb_rig_io(sp->rig);
    struct vs_io_space space;

    assert_int_equal(vs_io_space(io, &space), 0);
    vs_io_free(io);
    return space.total_bytes;
}

/* Somebody else takes the disk until only `leave` bytes are free. */
static void others_take(const struct space *sp, uint64_t leave)
{
    int fd = open(sp->others, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    off_t at = 0;

    assert_true(fd >= 0);
    for (uint64_t step = 8 * MIB; step >= 4096; step /= 2)
        while (free_bytes(sp) >= leave + step && fallocate(fd, 0, at, (off_t)step) == 0)
            at += (off_t)step;
    close(fd);
    assert_in_range(free_bytes(sp), 0, leave + 65536);
}

/* Put fragments from *next on until the store says that it is full. */
static unsigned fill(struct space *sp, uint64_t *next)
{
    unsigned count = 0;
    int r;

    while ((r = sb_rig_put(sp->rig, *next, FRAG)) == 0) {
        (*next)++;
        assert_true(++count < 1000);
    }
    assert_int_equal(r, -ENOSPC);
    return count;
}

static void a_delete_has_given_its_bytes_back_when_it_is_answered(void **state)
{
    struct space *sp = *state;
    uint64_t allocated, after, free_before;

    if (sp->rig == NULL)
        skip();
    assert_int_equal(sb_rig_open(sp->rig), 0);
    for (uint64_t n = 0; n < 20; n++)
        assert_int_equal(sb_rig_put(sp->rig, n, FRAG), 0);
    sb_rig_files(sp->rig, "sb-", &allocated);
    free_before = free_bytes(sp);
    for (uint64_t n = 0; n < 10; n++) {
        assert_int_equal(sb_rig_del(sp->rig, n), 0);
        sb_rig_files(sp->rig, "sb-", &after); /* at once: no waiting here */
        assert_true(after + FRAG - 4096 <= allocated + 2 * 4096);
        allocated = after;
    }
    assert_true(free_bytes(sp) >= free_before + 10 * (FRAG - 4096) - 10 * 2 * 4096 - MIB);
    for (uint64_t n = 10; n < 20; n++)
        assert_int_equal(sb_rig_check(sp->rig, n, FRAG), 0);
}

static void at_97_percent_everything_but_a_put_works_and_with_a_smaller_reserve_that_too(
    void **state)
{
    struct space *sp = *state;
    struct store_health h;

    if (sp->rig == NULL)
        skip();
    assert_int_equal(sb_rig_open(sp->rig), 0);
    for (uint64_t n = 0; n < 10; n++)
        assert_int_equal(sb_rig_put(sp->rig, n, FRAG), 0);
    sb_rig_close(sp->rig); /* what was preallocated is given back */
    others_take(sp, total_bytes(sp) * 3 / 100);
    assert_int_equal(sb_rig_open(sp->rig), 0);
    assert_int_equal(sb_rig_put(sp->rig, 100, FRAG), -ENOSPC);
    for (uint64_t n = 0; n < 10; n++)
        assert_int_equal(sb_rig_check(sp->rig, n, FRAG), 0);
    assert_int_equal(sb_rig_del(sp->rig, 0), 0);
    assert_int_equal(sb_rig_check(sp->rig, 0, FRAG), -ENOENT);
    assert_int_equal(sb_store_scrub(sp->rig->ss.s, NULL, NULL), 0);
    assert_int_equal(sb_store_checkpoint(sp->rig->ss.s), 0);
    chunk_store_health(sp->rig->ss.s, &h);
    assert_int_equal(h.state, STORE_UP);
    sb_rig_close(sp->rig);
    sp->rig->config.reserve_percent = 2;
    assert_int_equal(sb_rig_open(sp->rig), 0);
    assert_int_equal(sb_rig_put(sp->rig, 100, FRAG), 0);
    assert_int_equal(sb_rig_check(sp->rig, 100, FRAG), 0);
}

/* Not one block is left: no reserve, and others have taken the rest. */
static void on_a_full_disk_deletes_make_room_again(void **state)
{
    struct space *sp = *state;
    uint64_t next = 0;

    if (sp->rig == NULL)
        skip();
    sp->rig->config.reserve_percent = 0;
    assert_int_equal(sb_rig_open(sp->rig), 0);
    (void)fill(sp, &next);
    others_take(sp, 0);
    assert_int_equal(sb_rig_put(sp->rig, next, FRAG), -ENOSPC);
    for (uint64_t n = 0; n < next; n++)
        assert_int_equal(sb_rig_check(sp->rig, n, FRAG), 0);
    assert_int_equal(sb_store_scrub(sp->rig->ss.s, NULL, NULL), 0);
    sb_rig_close(sp->rig);
    assert_int_equal(sb_rig_open(sp->rig), 0); /* a start, too */
    others_take(sp, 0);
    for (uint64_t n = 0; n < 10; n++)
        assert_int_equal(sb_rig_del(sp->rig, n), 0);
    assert_int_equal(sb_store_checkpoint(sp->rig->ss.s), 0);
    for (uint64_t n = 0; n < 8; n++)
        assert_int_equal(sb_rig_put(sp->rig, next + n, FRAG), 0);
    for (uint64_t n = 10; n < next + 8; n++)
        assert_int_equal(sb_rig_check(sp->rig, n, FRAG), 0);
}

static void filled_and_emptied_again_and_again_it_never_gets_stuck(void **state)
{
    struct space *sp = *state;
    const char *word = getenv("VS_SWEEP");
    unsigned cycles = 3 * (word != NULL ? (unsigned)strtoul(word, NULL, 10) : 1), fits = 0;
    uint64_t next = 0, first = 0;
    struct vs_rand r;

    if (sp->rig == NULL)
        skip();
    vs_rand_init(&r, 8);
    sp->rig->config.reserve_percent = 2;
    assert_int_equal(sb_rig_open(sp->rig), 0);
    for (unsigned cycle = 0; cycle < cycles; cycle++) {
        unsigned count = fill(sp, &next);

        fits = cycle == 0 ? count : fits;
        assert_true(fits > 50);
        /* all but one that was deleted fits again: that one is for headers of what stays */
        if (cycle > 0)
            assert_true(count + 2 + fits / 10 >= fits - fits / 4);
        for (uint64_t n = first; n < next; n++) /* a quarter stays, scattered */
            if (n + fits / 4 < next)
                assert_int_equal(sb_rig_del(sp->rig, n), 0);
        first = next > fits / 4 ? next - fits / 4 : 0;
        for (uint64_t n = first; n < next; n++)
            assert_int_equal(sb_rig_check(sp->rig, n, FRAG), 0);
        if (vs_rand_below(&r, 2) == 0) {
            sb_rig_close(sp->rig);
            assert_int_equal(sb_rig_open(sp->rig), 0);
        }
    }
    assert_int_equal(sb_rig_files(sp->rig, "ballast", NULL), 1);
}

#define ON_EXT4(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EXT4(a_delete_has_given_its_bytes_back_when_it_is_answered),
        ON_EXT4(at_97_percent_everything_but_a_put_works_and_with_a_smaller_reserve_that_too),
        ON_EXT4(on_a_full_disk_deletes_make_room_again),
        ON_EXT4(filled_and_emptied_again_and_again_it_never_gets_stuck),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
