/* A file with write state is an array of bytes: random sequences of everything a program may do to
 * it, compared with one. What was committed is what is there after the state is lost. */
#include "common/rand.h"
#include "tests/support/wfile_rig.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODEL_BYTES_MAX (24u << 20)
#define NAME            "film.mkv"

struct model {
    struct rig rig;
    struct vs_rand rand;
    struct inode *i;
    uint8_t *bytes, *stored; /* now, and at the last commit */
    size_t size, stored_size;
    bool is_stored;
    uint8_t *scratch; /* 4 MiB */
    unsigned steps, commits;
};

static int setup(void **state)
{
    struct model *m = calloc(1, sizeof(*m));

    assert_non_null(m);
    rig_open(&m->rig);
    m->bytes = calloc(1, MODEL_BYTES_MAX);
    m->stored = calloc(1, MODEL_BYTES_MAX);
    m->scratch = malloc(4u << 20);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct model *m = *state;

    rig_close(&m->rig);
    free(m->bytes);
    free(m->stored);
    free(m->scratch);
    free(m);
    return 0;
}

/* ---- steps ---- */

static uint64_t below(struct model *m, uint64_t n)
{
    return n == 0 ? 0 : vs_rand_below(&m->rand, n);
}

/* Mostly short, sometimes long. */
static size_t length(struct model *m, size_t max)
{
    size_t len = 1 + below(m, below(m, 4) == 0 ? max : max / 50 + 1);

    return len < max ? len : max;
}

static void resize(struct model *m, size_t size)
{
    if (size > m->size)
        memset(m->bytes + m->size, 0, size - m->size);
    m->size = size;
}

static void step_write(struct model *m, uint64_t offset, size_t len)
{
    if (offset >= MODEL_BYTES_MAX)
        return;
    if (len > MODEL_BYTES_MAX - offset)
        len = MODEL_BYTES_MAX - offset;
    rig_fill(m->scratch, len, vs_rand_u64(&m->rand));
    for (size_t done = 0; done < len;) { /* as the kernel cuts it */
        size_t n = len - done < (1u << 20) ? len - done : 1u << 20;

        assert_int_equal(rig_write(&m->rig, m->i, offset + done, m->scratch + done, n), 0);
        done += n;
    }
    if (offset + len > m->size)
        resize(m, offset + len);
    memcpy(m->bytes + offset, m->scratch, len);
}

static void step_truncate(struct model *m)
{
    size_t size = below(m, 3) == 0 ? below(m, MODEL_BYTES_MAX) : below(m, m->size + 1);

    if (below(m, 8) == 0)
        size = 0;
    assert_int_equal(wfile_truncate(&m->rig.fs, m->i, size), 0);
    resize(m, size);
}

static void step_punch(struct model *m)
{
    uint64_t offset = below(m, m->size + 1), end;
    size_t len = length(m, 3u << 20);
    bool zero = below(m, 2) == 0, keep = below(m, 2) == 0;
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

    if (zero)
        mode = FALLOC_FL_ZERO_RANGE | (keep ? FALLOC_FL_KEEP_SIZE : 0);
    if (offset + len > MODEL_BYTES_MAX)
        return;
    assert_int_equal(wfile_fallocate(&m->rig.fs, m->i, mode, offset, len), 0);
    if (zero && !keep && offset + len > m->size)
        resize(m, offset + len);
    end = offset + len < m->size ? offset + len : m->size;
    if (offset < end)
        memset(m->bytes + offset, 0, end - offset);
}

static void step_read(struct model *m)
{
    uint64_t offset = below(m, m->size + 10);
    size_t len = length(m, 4u << 20);
    size_t want = offset >= m->size ? 0 : m->size - offset < len ? m->size - offset : len;

    assert_int_equal(rig_read(&m->rig, m->i, offset, m->scratch, len), want);
    if (want > 0 && memcmp(m->scratch, m->bytes + offset, want) != 0)
        fail_msg("step %u: wrong bytes in [%zu, +%zu)", m->steps, (size_t)offset, want);
}

/* Holes are zeros, and data and holes alternate up to the end. */
static void step_seek(struct model *m)
{
    uint64_t at = below(m, m->size + 1);
    int64_t data = wfile_seek(&m->rig.fs, m->i, at, true);
    int64_t hole = wfile_seek(&m->rig.fs, m->i, at, false);
    uint64_t end = data < 0 ? m->size : (uint64_t)data;

    if (at == m->size) {
        assert_int_equal(data, -ENXIO);
        assert_int_equal(hole, -ENXIO);
        return;
    }
    assert_true(hole >= (int64_t)at && hole <= (int64_t)m->size);
    assert_true(data == -ENXIO || (data >= (int64_t)at && data < (int64_t)m->size));
    assert_true((data == (int64_t)at) != (hole == (int64_t)at));
    for (; at < end; at++)
        assert_int_equal(m->bytes[at], 0);
}

static void committed(struct model *m)
{
    memcpy(m->stored, m->bytes, m->size);
    m->stored_size = m->size;
    m->is_stored = true;
    m->commits++;
}

static void step_commit(struct model *m)
{
    enum wfile_flush how = below(m, 2) == 0 ? WFILE_FSYNC : WFILE_FLUSH;
    bool dirty = wfile_dirty(m->i);

    assert_int_equal(wfile_flush(&m->rig.fs, m->i, how), 0);
    assert_false(wfile_dirty(m->i));
    if (dirty || how == WFILE_FSYNC)
        committed(m);
}

static void open_again(struct model *m, bool truncate)
{
    m->i = rig_open_file(&m->rig, NS_INO_ROOT, NAME, truncate);
    if (truncate)
        resize(m, 0);
}

static void step_reopen(struct model *m)
{
    assert_int_equal(rig_release(&m->rig, m->i), 0);
    committed(m);
    if (below(m, 3) == 0) {
        m->i = rig_find(&m->rig, NS_INO_ROOT, NAME);
        rig_check(&m->rig, m->i, m->bytes, m->size);
        rig_put(&m->rig, m->i);
        rig_check_no_leak(&m->rig);
    }
    open_again(m, below(m, 6) == 0);
}

/* The machine dies: what was not committed is gone, what was is there. */
static void step_crash(struct model *m)
{
    if (!m->is_stored)
        return;
    wfile_drop(&m->rig.fs, m->i);
    rig_put(&m->rig, m->i);
    memcpy(m->bytes, m->stored, m->stored_size);
    m->size = m->stored_size;
    open_again(m, false);
    rig_check(&m->rig, m->i, m->bytes, m->size);
}

static void step(struct model *m)
{
    uint64_t kind = below(m, 100);

    m->steps++;
    if (kind < 25)
        step_write(m, m->size, length(m, 3u << 20));
    else if (kind < 45)
        step_write(m, below(m, m->size + 1), length(m, 1u << 20));
    else if (kind < 52)
        step_write(m, m->size + below(m, below(m, 4) == 0 ? 12u << 20 : 200u << 10),
                   length(m, 300u << 10));
    else if (kind < 58)
        step_truncate(m);
    else if (kind < 63)
        step_punch(m);
    else if (kind < 82)
        step_read(m);
    else if (kind < 86)
        step_seek(m);
    else if (kind < 93)
        step_commit(m);
    else if (kind < 97)
        step_reopen(m);
    else
        step_crash(m);
}

static void run(struct model *m, uint64_t seed, unsigned steps)
{
    vs_rand_init(&m->rand, seed);
    m->i = rig_create(&m->rig, NS_INO_ROOT, NAME);
    for (unsigned n = 0; n < steps; n++) {
        step(m);
        assert_int_equal(rig_attr(&m->rig, m->i).size, m->size);
    }
    rig_check(&m->rig, m->i, m->bytes, m->size);
    assert_int_equal(rig_release(&m->rig, m->i), 0);
    m->i = rig_find(&m->rig, NS_INO_ROOT, NAME);
    rig_check(&m->rig, m->i, m->bytes, m->size);
    rig_put(&m->rig, m->i);
    assert_int_equal(m->rig.fs.staging_used, 0);
}

/* SEED=N STEPS=N in the environment: that one only. */
static void any_sequence_of_calls_leaves_what_an_array_of_bytes_would_hold(void **state)
{
    static const uint64_t seeds[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
    const char *seed = getenv("SEED"), *steps = getenv("STEPS");
    unsigned count = steps != NULL ? (unsigned)strtoul(steps, NULL, 10) : 150;

    for (size_t n = 0; n < sizeof(seeds) / sizeof(seeds[0]); n++) {
        struct model *m;

        assert_int_equal(setup((void **)&m), 0);
        *state = m;
        print_message("seed %llu\n",
                      seed != NULL ? strtoull(seed, NULL, 10) : (unsigned long long)seeds[n]);
        run(m, seed != NULL ? strtoull(seed, NULL, 10) : seeds[n], count);
        assert_int_equal(teardown(state), 0);
        if (seed != NULL)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_sequence_of_calls_leaves_what_an_array_of_bytes_would_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
