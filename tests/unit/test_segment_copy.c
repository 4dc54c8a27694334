/* segment_copy: a manifest that is written tells the stores what the file consists of, and a store
 * that does not answer holds nobody up. */
#include "common/clock.h"
#include "common/err.h"
#include "ingest/segment_copy.h"
#include "tests/support/upload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define STORES 5

static const struct file_about about = {
    .ino = 17, .parent = 1, .name = "film.mkv", .name_len = 8, .mode = S_IFREG | 0644
};

struct fixture {
    struct upload_rig rig;
    struct mf_chunk chunk;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    upload_rig_open(&x->rig, STORES, 0, NULL);
    x->chunk = (struct mf_chunk){ .id = vs_id_make(1, 1, 1000000, VS_ID_CHUNK),
                                  .bytes = 70000,
                                  .red = { VS_RED_RS, 3, 2 } };
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    upload_rig_close(&x->rig);
    free(x);
    return 0;
}

static struct manifest_write write_now(struct fixture *x)
{
    struct manifest_write w = {
        .session = x->rig.session, .chunks = &x->chunk, .chunk_count = 1, .about = &about
    };

    assert_int_equal(upload_rig_manifest(&x->rig, &w), 0);
    return w;
}

static void write_close(struct manifest_write *w)
{
    mf_head_close(&w->head);
    vs_buf_close(&w->encoded);
    free(w->dropped);
}

struct got {
    struct store_get get;
    _Atomic bool done;
};

static void get_done(struct store_get *get)
{
    atomic_store(&vs_container_of(get, struct got, get)->done, true);
}

/* The copy that store `n` has of the segment: its bytes, 0 none. */
static size_t copy_read(struct fixture *x, unsigned n, const struct vs_id *segment, uint8_t *dst)
{
    for (uint8_t fragment = 0; fragment < STORES; fragment++) {
        struct got g = { .get = { .key = { *segment, fragment, 1 },
                                  .bytes = FRAG_BLOCK_BYTES,
                                  .dst = dst,
                                  .done = get_done } };

        chunk_store_get(x->rig.mem[n], &g.get);
        while (!atomic_load(&g.done))
            usleep(100);
        if (g.get.status == 0)
            return g.get.got_bytes;
    }
    return 0;
}

static void every_store_can_tell_what_the_file_consists_of(void **state)
{
    VS_AUTO_FREE uint8_t *bytes = malloc(FRAG_BLOCK_BYTES);
    struct mf_chunk chunks[MF_SEGMENT_CHUNKS];
    struct fixture *x = *state;
    struct manifest_write w = write_now(x);

    upload_rig_await_idle(&x->rig);
    for (unsigned n = 0; n < STORES; n++) {
        size_t len = copy_read(x, n, &w.head.segments[0].id, bytes);
        struct segment_note note;

        assert_int_equal(segment_note_decode(bytes, len, &note), 0);
        assert_int_equal(mf_segment_decode(note.segment, note.segment_len, chunks), 1);
        assert_memory_equal(&chunks[0].id, &x->chunk.id, sizeof(chunks[0].id));
        assert_true(note.has_about);
        assert_int_equal(note.about.ino, about.ino);
        assert_int_equal(note.about.session, upload_session_number(x->rig.session));
        assert_int_equal(note.about.head_len, w.encoded.len);
        assert_memory_equal(note.about.head, w.encoded.data, w.encoded.len);
    }
    write_close(&w);
}

static void two_stores_that_do_not_answer_hold_nobody_up(void **state)
{
    struct fixture *x = *state;
    struct manifest_write w;

    store_stall_hold(x->rig.stall[1], true);
    store_stall_hold(x->rig.stall[4], true);
    w = write_now(x);
    write_close(&w);
    store_stall_hold(x->rig.stall[1], false);
    store_stall_hold(x->rig.stall[4], false);
}

static void stores_that_refuse_do_not_fail_the_manifest(void **state)
{
    struct fixture *x = *state;
    struct manifest_write w;

    for (unsigned n = 0; n < STORES; n++)
        store_stall_fail(x->rig.stall[n], -ENOSPC);
    w = write_now(x);
    write_close(&w);
    for (unsigned n = 0; n < STORES; n++)
        store_stall_health(x->rig.stall[n], STORE_DOWN, -1);
    w = write_now(x);
    write_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_store_can_tell_what_the_file_consists_of, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(two_stores_that_do_not_answer_hold_nobody_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(stores_that_refuse_do_not_fail_the_manifest, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
