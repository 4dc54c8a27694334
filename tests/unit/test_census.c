/* Chunks counted by what is left of them, also while others are written and deleted. */
#include "common/err.h"
#include "fs/census.h"
#include "tests/support/chunk_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct census take(struct chunk_rig *f)
{
    struct vsfs fs = { .meta = &f->meta, .stores = f->stores };
    struct census c;

    assert_int_equal(census_take(&fs, &c), 0);
    return c;
}

static void check(struct census c, uint64_t chunks, uint64_t degraded, uint64_t lost, uint64_t weak)
{
    assert_int_equal(c.chunks, chunks);
    assert_int_equal(c.degraded, degraded);
    assert_int_equal(c.lost, lost);
    assert_int_equal(c.weak, weak);
}

static void an_empty_mount_has_nothing_to_count(void **state)
{
    check(take(*state), 0, 0, 0, 0);
}

static void chunks_are_counted_and_segments_are_not(void **state)
{
    struct chunk_rig *f = *state;
    const int64_t lens[] = { 100, -50, 200, 300 };

    chunk_rig_file(f, lens, 4, rs32);
    check(take(f), 3, 0, 0, 0);
    chunk_rig_file(f, lens, 4, rs22);
    chunk_rig_file(f, lens, 4, three);
    check(take(f), 9, 0, 0, 0);
    chunk_rig_file(f, lens, 4, two);
    check(take(f), 12, 3, 0, 3); /* whole, in a form that survives one loss only */
}

static void stores_that_are_down_count_for_each_form(void **state)
{
    struct chunk_rig *f = *state;

    for (unsigned i = 0; i < 5; i++)
        chunk_rig_write(f, 100, rs32);
    chunk_rig_down(f, 1);
    check(take(f), 5, 5, 0, 0);
    chunk_rig_down(f, 3);
    check(take(f), 5, 5, 0, 0);
    chunk_rig_down(f, 7);
    check(take(f), 5, 0, 5, 0);
    chunk_rig_down(f, 31);
    check(take(f), 5, 0, 5, 0);
    chunk_rig_down(f, 0);
    check(take(f), 5, 0, 0, 0);
}

static void what_is_deleted_is_not_counted_and_what_makes_no_sense_is_lost(void **state)
{
    struct chunk_rig *f = *state;
    const struct place_value tomb = { .state = PLACE_TOMB, .session = 1, .generation = 2 };

    for (unsigned i = 0; i < 6; i++)
        chunk_rig_write(f, 100, rs32);
    chunk_rig_set_place(f, 0, &tomb);
    chunk_rig_set_value(f, 1, NULL, 0);
    check(take(f), 4, 0, 0, 0);
    chunk_rig_set_value(f, 2, "\x01\x01nonsense", 10);
    check(take(f), 4, 0, 1, 0);
    chunk_rig_set_value(f, 3, "\x01\x77newer", 7);
    check(take(f), 4, 0, 2, 0);
}

static void more_than_one_page_is_counted(void **state)
{
    struct chunk_rig *f = *state;
    unsigned copies = 0, on_first = 0;

    for (unsigned i = 0; i < 1500; i++) {
        bool is_copied = i % 9 == 0;

        chunk_rig_write(f, 10, is_copied ? two : rs32);
        copies += is_copied;
        on_first += is_copied && (i % 5 == 0 || i % 5 == 4); /* stores i % 5 and the next */
    }
    assert_true(on_first > 0 && on_first < copies);
    check(take(f), 1500, copies, 0, copies);
    chunk_rig_down(f, 1);
    check(take(f), 1500, 1500, 0, copies - on_first);
    chunk_rig_down(f, 0);
}

struct meanwhile {
    struct chunk_rig *f;
    unsigned scans, reads, first, count;
};

/* The second page of the list is asked for: more chunks are written before it is answered. */
static void write_behind_the_first_page(void *arg, struct meta_req *r)
{
    struct meanwhile *m = arg;

    if (r->op == META_SCAN && ++m->scans == 2) {
        unsigned n;

        for (unsigned i = 0; i < m->count; i++) {
            n = chunk_rig_write(m->f, 10, rs32);
            r->scan_ids[r->scan_count++] = m->f->at[n].chunk.id;
        }
    }
}

static void what_is_written_meanwhile_is_not_lost(void **state)
{
    struct chunk_rig *f = *state;
    struct meanwhile m = { .f = f, .count = 20 };

    for (unsigned i = 0; i < 1030; i++)
        chunk_rig_write(f, 10, two); /* the stores' lists end on their first pages */
    f->arg = &m;
    f->answering = write_behind_the_first_page;
    check(take(f), 1050, 1030, 0, 1030);
}

/* The registers were read; then the chunks go, registers first, fragments at once. */
static void delete_behind_the_read(void *arg, struct meta_req *r)
{
    const struct place_value tomb = { .state = PLACE_TOMB, .session = 1, .generation = 2 };
    struct meanwhile *m = arg;

    if (r->op != META_REG_READ || ++m->reads != 1)
        return;
    for (unsigned i = 0; i < m->count; i++)
        chunk_rig_set_place(m->f, m->first + i, &tomb);
}

/* Once its TOMB is written, the fragments of a chunk are not listed any more. */
static void hide_buried(void *arg, struct store_list *l)
{
    struct meanwhile *m = arg;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->keys_count; i++) {
        uint64_t n = vs_id_seq(&l->keys[i].chunk) - 1;

        if (m->reads == 0 || n < m->first || n >= m->first + m->count)
            l->keys[kept++] = l->keys[i];
    }
    l->keys_count = kept;
}

static void what_is_deleted_meanwhile_is_not_lost(void **state)
{
    struct chunk_rig *f = *state;
    struct meanwhile m = { .f = f, .first = 10, .count = 20 };
    const struct store_twist twist = { .arg = &m, .listed = hide_buried };

    for (unsigned i = 0; i < 50; i++)
        chunk_rig_write(f, 10, rs32);
    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++)
        store_twist_set(f->twist[i], &twist);
    f->arg = &m;
    f->answering = delete_behind_the_read;
    check(take(f), 30, 0, 0, 0);
}

static void answer_down(void *arg, struct meta_req *r)
{
    if (r->op == *(enum meta_op *)arg)
        r->status = -VS_EDOWN;
}

static void metadata_out_of_reach_is_an_error_not_a_count(void **state)
{
    struct chunk_rig *f = *state;
    struct vsfs fs = { .meta = &f->meta, .stores = f->stores };
    enum meta_op op = META_SCAN;
    struct census c;

    chunk_rig_write(f, 10, rs32);
    f->answering = answer_down;
    f->arg = &op;
    assert_int_equal(census_take(&fs, &c), -VS_EDOWN);
    op = META_REG_READ;
    assert_int_equal(census_take(&fs, &c), -VS_EDOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHUNK_TEST(an_empty_mount_has_nothing_to_count),
        CHUNK_TEST(chunks_are_counted_and_segments_are_not),
        CHUNK_TEST(stores_that_are_down_count_for_each_form),
        CHUNK_TEST(what_is_deleted_is_not_counted_and_what_makes_no_sense_is_lost),
        CHUNK_TEST(more_than_one_page_is_counted),
        CHUNK_TEST(what_is_written_meanwhile_is_not_lost),
        CHUNK_TEST(what_is_deleted_meanwhile_is_not_lost),
        CHUNK_TEST(metadata_out_of_reach_is_an_error_not_a_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
