/* The budget: writers wait for slow stores, for each other never for ever, and always hear of it.
 */
#include "common/err.h"
#include "ingest/upload_env.h"
#include "tests/support/upload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)

static uint64_t chunks_end(const struct upload_flush *f)
{
    return f->chunk_count == 0
               ? 0
               : f->chunks[f->chunk_count - 1].offset + f->chunks[f->chunk_count - 1].bytes;
}

static uint64_t used_now(struct upload_env *env)
{
    VS_LOCK_SCOPE(&env->lock);

    return env->used;
}

static void a_fast_writer_waits_for_slow_stores_within_the_budget(void **state)
{
    const uint64_t budget = 16 * MIB;
    struct upload_rig rig;
    struct upload_flush f;
    struct upload *u;
    uint64_t most = 0;

    (void)state;
    upload_rig_open(&rig, 5, budget, NULL);
    for (unsigned i = 0; i < 5; i++)
        store_stall_delay(rig.stall[i], 20 * VS_NS_PER_MS);
    u = upload_rig_upload(&rig, "x", false, false);
    while (upload_end(u) < 60 * MIB) {
        assert_int_equal(upload_rig_append(u, 2, MIB, MIB), 0); /* waits where it is told to */
        if (used_now(rig.env) > most)
            most = used_now(rig.env);
    }
    /* The budget, one append, and parity that is coded meanwhile. */
    assert_true(most <= budget + MIB + budget);
    assert_int_equal(upload_rig_flush(u, &f), 0);
    upload_rig_check(&rig, f.chunks, f.chunk_count, 2, 0);
    upload_free(u);
    upload_rig_close(&rig);
}

struct writer {
    struct upload *u;
    struct upload_room room;
    uint64_t seed;
    unsigned told, waits;
    int status;
    _Atomic int waiting;
};

static void writer_told(struct upload_room *room)
{
    struct writer *w = vs_container_of(room, struct writer, room);

    w->told++;
    w->status = room->status;
    w->waiting = 0;
}

/* More writers than the budget has room for, each with a part of a chunk: nobody waits for ever. */
static void many_half_filled_uploads_do_not_block_each_other(void **state)
{
    enum { WRITERS = 40, BYTES = MIB + 777 };
    static struct writer w[WRITERS];
    struct upload_rig rig;
    struct upload_flush f;
    unsigned open = WRITERS;
    uint8_t *piece = malloc(MIB);

    (void)state;
    assert_non_null(piece);
    upload_rig_open(&rig, 5, 16 * MIB, NULL);
    for (unsigned i = 0; i < WRITERS; i++)
        w[i] = (struct writer){ .u = upload_rig_upload(&rig, "x", false, false), .seed = i };
    while (open > 0) {
        open = 0;
        for (unsigned i = 0; i < WRITERS; i++) {
            uint64_t end = upload_end(w[i].u);
            size_t n = BYTES - end < 200000 ? BYTES - end : 200000;

            if (w[i].waiting || n == 0) {
                open += w[i].waiting != 0;
                continue;
            }
            assert_int_equal(w[i].status, 0);
            open++;
            upload_rig_fill(piece, w[i].seed, end, n);
            w[i].room.done = writer_told;
            w[i].waiting = 1;
            if (upload_append(w[i].u, piece, n, &w[i].room) == 0)
                w[i].waiting = 0;
            else
                w[i].waits++;
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(upload_rig_flush(w[i].u, &f), 0);
        assert_int_equal(chunks_end(&f), BYTES);
        upload_rig_check(&rig, f.chunks, f.chunk_count, w[i].seed, 0);
        assert_int_equal(w[i].told, w[i].waits);
        upload_free(w[i].u);
    }
    free(piece);
    upload_rig_close(&rig);
}

static void a_writer_that_waits_is_told_when_its_upload_goes(void **state)
{
    struct upload_rig rig;
    struct writer w = { 0 };
    uint8_t *piece = calloc(1, 20 * MIB);

    (void)state;
    upload_rig_open(&rig, 5, 16 * MIB, NULL);
    for (unsigned i = 0; i < 5; i++)
        store_stall_hold(rig.stall[i], true);
    w.u = upload_rig_upload(&rig, "x", false, false);
    w.room.done = writer_told;
    w.waiting = 1;
    assert_int_equal(upload_append(w.u, piece, 20 * MIB, &w.room), 1);
    upload_free(w.u);
    for (unsigned i = 0; i < 5; i++)
        store_stall_hold(rig.stall[i], false);
    upload_rig_close(&rig);
    assert_int_equal(w.told, 1);
    assert_int_equal(w.status, -ECANCELED);
    free(piece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fast_writer_waits_for_slow_stores_within_the_budget),
        cmocka_unit_test(many_half_filled_uploads_do_not_block_each_other),
        cmocka_unit_test(a_writer_that_waits_is_told_when_its_upload_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
