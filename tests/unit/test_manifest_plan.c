/* Rules of manifest_plan.h: which segments a new manifest is made of. */
#include "ingest/manifest_plan.h"

#include "common/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHUNKS_MAX 4000

struct file {
    struct mf_chunk chunks[CHUNKS_MAX];
    size_t count;
};

static uint64_t next_id;

static struct mf_chunk chunk(uint64_t bytes)
{
    return (struct mf_chunk){ .id = vs_id_make(1, 1, ++next_id, VS_ID_CHUNK),
                              .bytes = bytes,
                              .red = { VS_RED_RS, 3, 2 } };
}

/* Replace `gone` chunks at `at` by `fresh` new ones of the same length in all; offsets follow. */
static void file_splice(struct file *f, size_t at, size_t gone, size_t fresh)
{
    memmove(&f->chunks[at + fresh], &f->chunks[at + gone],
            (f->count - at - gone) * sizeof(f->chunks[0]));
    for (size_t i = 0; i < fresh; i++)
        f->chunks[at + i] = chunk(1000);
    f->count += fresh - gone;
    f->chunks[0].offset = 0;
    for (size_t i = 1; i < f->count; i++)
        f->chunks[i].offset = f->chunks[i - 1].offset + f->chunks[i - 1].bytes;
}

static struct manifest_run *runs;
static size_t run_count;

/* Plan, and check what holds for every plan. */
static void plan(const struct file *f, const struct mf_head *base, const struct file *old)
{
    uint32_t last_base = MANIFEST_FRESH;
    size_t at = 0;

    free(runs);
    assert_int_equal(manifest_plan(f->chunks, f->count, base, old != NULL ? old->chunks : NULL,
                                   &runs, &run_count),
                     0);
    for (size_t i = 0; i < run_count; i++) {
        assert_int_equal(runs[i].first, at);
        assert_in_range(runs[i].count, 1, MF_SEGMENT_CHUNKS);
        at += runs[i].count;
        if (runs[i].base == MANIFEST_FRESH)
            continue;
        assert_true(runs[i].base < base->segment_count);
        assert_true(last_base == MANIFEST_FRESH || runs[i].base > last_base);
        last_base = runs[i].base;
        assert_int_equal(runs[i].count, base->segments[last_base].count);
        assert_int_equal(f->chunks[runs[i].first].offset, base->segments[last_base].offset);
    }
    assert_int_equal(at, f->count);
}

/* The head a plan gives. */
static void head_make(struct mf_head *head, const struct file *f)
{
    static struct mf_segment_ref refs[CHUNKS_MAX];

    *head = (struct mf_head){ .segments = refs, .segment_count = (uint32_t)run_count };
    for (size_t i = 0; i < run_count; i++)
        refs[i] = (struct mf_segment_ref){ .id = vs_id_make(1, 1, ++next_id, VS_ID_SEGMENT),
                                           .offset = f->chunks[runs[i].first].offset,
                                           .count = runs[i].count };
}

static size_t fresh_runs(void)
{
    size_t n = 0;

    for (size_t i = 0; i < run_count; i++)
        n += runs[i].base == MANIFEST_FRESH;
    return n;
}

static int setup(void **state)
{
    static struct file files[2];
    struct file *f = files;

    memset(files, 0, sizeof(files));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(runs);
    runs = NULL;
    return 0;
}

static void a_new_file_is_cut_into_segments_of_256(void **state)
{
    struct file *f = *state;

    plan(f, NULL, NULL);
    assert_int_equal(run_count, 0);
    file_splice(f, 0, 0, 600);
    plan(f, NULL, NULL);
    assert_int_equal(run_count, 3);
    assert_int_equal(runs[0].count, 256);
    assert_int_equal(runs[2].count, 88);
}

static void unchanged_segments_are_used_again(void **state)
{
    struct file *old = *state, *f = old + 1;
    struct mf_head head;

    file_splice(old, 0, 0, 1000);
    plan(old, NULL, NULL);
    head_make(&head, old);
    *f = *old;
    plan(f, &head, old);
    assert_int_equal(fresh_runs(), 0);
    file_splice(f, 300, 1, 1); /* one chunk of the second segment */
    plan(f, &head, old);
    assert_int_equal(run_count, 4);
    assert_int_equal(fresh_runs(), 1);
    assert_int_equal(runs[1].base, MANIFEST_FRESH);
}

static void a_chunk_that_differs_in_anything_makes_its_segment_new(void **state)
{
    struct file *old = *state, *f = old + 1;
    struct mf_head head;

    file_splice(old, 0, 0, 256);
    plan(old, NULL, NULL);
    head_make(&head, old);
    for (unsigned i = 0; i < 4; i++) {
        *f = *old;
        if (i == 0)
            f->chunks[255].crc++;
        else if (i == 1)
            f->chunks[255].cut++;
        else if (i == 2)
            f->chunks[255].red.k--;
        else
            f->chunks[255].bytes++;
        plan(f, &head, old);
        assert_int_equal(fresh_runs(), 1);
    }
}

static void a_shorter_file_keeps_its_beginning(void **state)
{
    struct file *old = *state, *f = old + 1;
    struct mf_head head;

    file_splice(old, 0, 0, 1000);
    plan(old, NULL, NULL);
    head_make(&head, old);
    *f = *old;
    f->count = 600;
    plan(f, &head, old);
    assert_int_equal(run_count, 3);
    assert_int_equal(fresh_runs(), 1);
    f->count = 0;
    plan(f, &head, old);
    assert_int_equal(run_count, 0);
}

/* A camera that appends a second at a time does not end with a segment per second. */
static void small_appends_do_not_leave_small_segments(void **state)
{
    struct file *old = *state, *f = old + 1;
    struct mf_head head;

    file_splice(old, 0, 0, 1);
    plan(old, NULL, NULL);
    head_make(&head, old);
    for (unsigned i = 0; i < 1500; i++) {
        *f = *old;
        file_splice(f, f->count, 0, 1 + i % 3);
        plan(f, &head, old);
        assert_in_range(fresh_runs(), 1, 2);
        *old = *f;
        head_make(&head, old);
    }
    assert_true(run_count <= old->count / MANIFEST_SMALL_CHUNKS + 1);
}

static void random_edits_keep_segments_few_and_right(void **state)
{
    struct file *old = *state, *f = old + 1;
    struct mf_head head;
    struct vs_rand r;

    vs_rand_init(&r, 3);
    file_splice(old, 0, 0, 1500);
    plan(old, NULL, NULL);
    head_make(&head, old);
    for (unsigned i = 0; i < 3000; i++) {
        size_t at, gone;

        *f = *old;
        at = vs_rand_below(&r, f->count);
        gone = vs_rand_below(&r, f->count - at < 20 ? f->count - at : 20);
        file_splice(f, at, gone, 1 + vs_rand_below(&r, gone + 2));
        if (f->count > CHUNKS_MAX - 100)
            f->count = 1500;
        plan(f, &head, old);
        assert_true(run_count <= f->count / MANIFEST_SMALL_CHUNKS * 3 + 3);
        *old = *f;
        head_make(&head, old);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_file_is_cut_into_segments_of_256, setup, teardown),
        cmocka_unit_test_setup_teardown(unchanged_segments_are_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_chunk_that_differs_in_anything_makes_its_segment_new,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_shorter_file_keeps_its_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(small_appends_do_not_leave_small_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(random_edits_keep_segments_few_and_right, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
