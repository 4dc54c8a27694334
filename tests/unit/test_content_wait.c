/* Contents for those who may wait: whole lists of chunks, and bytes across chunks and holes. */
#include "common/cleanup.h"
#include "common/err.h"
#include "common/rand.h"
#include "fs/content.h"
#include "tests/support/chunk_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct content *load(struct chunk_rig *f, unsigned file)
{
    struct content *c = NULL;
    struct ns_attr attr;

    assert_int_equal(content_load_wait(&f->meta, 100 + file, &c, &attr), 0);
    assert_int_equal(attr.ino, 100 + file);
    assert_int_equal(attr.size, c->size);
    return c;
}

/* Two segments: pieces of up to 3 KiB, some of them holes. */
static unsigned mixed_file(struct chunk_rig *f)
{
    int64_t lens[300];

    for (int i = 0; i < 300; i++)
        lens[i] = i % 11 == 5 ? -(100 + i) : 1 + i * 10;
    return chunk_rig_file(f, lens, 300, rs32);
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
    struct chunk_rig *f = *state;
    struct content *c = NULL;

    assert_int_equal(content_load_wait(&f->meta, 100, &c, NULL), -ENOENT);
    assert_null(c);
}

static void all_chunks_come_in_order_without_a_gap(void **state)
{
    struct chunk_rig *f = *state;
    struct content *c = load(f, mixed_file(f));
    struct mf_chunk *chunks;
    uint64_t at = 0;
    size_t n;

    assert_int_equal(content_chunks_wait(c, &chunks, &n), 0);
    assert_int_equal(n, 300);
    for (size_t i = 0; i < n; at += chunks[i++].bytes) {
        assert_int_equal(chunks[i].offset, at);
        assert_int_equal(vs_id_is_zero(&chunks[i].id), i % 11 == 5);
    }
    assert_int_equal(at, c->size);
    free(chunks);
    content_put(c);
}

static void chunks_of_a_released_version_are_stale(void **state)
{
    struct chunk_rig *f = *state;
    unsigned file = mixed_file(f);
    struct content *c = load(f, file);
    struct mf_chunk *chunks = NULL;
    size_t n;

    chunk_rig_set_value(f, chunk_rig_segment(f, file, 1), NULL, 0);
    assert_int_equal(content_chunks_wait(c, &chunks, &n), -ESTALE);
    assert_null(chunks);
    content_put(c);
}

static void check_reads(struct chunk_rig *f, unsigned file, uint64_t seed)
{
    struct content *c = load(f, file);
    const uint8_t *want = f->file[file].content;
    VS_AUTO_FREE uint8_t *got = malloc(c->size + 100);
    struct vs_rand r;

    assert_non_null(got);
    vs_rand_init(&r, seed);
    assert_int_equal(content_read_wait(c, f->reader, 0, got, c->size + 100), c->size);
    assert_memory_equal(got, want, c->size);
    for (unsigned n = 0; n < 100; n++) {
        uint64_t from = vs_rand_below(&r, c->size + 50);
        size_t len = (size_t)vs_rand_below(&r, c->size + 50);
        uint64_t left = from < c->size ? c->size - from : 0;
        uint64_t expect = len < left ? len : left;

        memset(got, 0x77, c->size + 100);
        assert_int_equal(content_read_wait(c, f->reader, from, got, len), expect);
        assert_memory_equal(got, want + (expect > 0 ? from : 0), expect);
        assert_int_equal(got[expect], 0x77); /* nothing behind it was touched */
    }
    content_put(c);
}

static void reads_give_the_bytes_and_end_with_the_file(void **state)
{
    struct chunk_rig *f = *state;

    check_reads(f, mixed_file(f), 1);
    check_reads(f, chunk_rig_inline_file(f, 5000), 2);
    check_reads(f, chunk_rig_file(f, (const int64_t[]){ -100000 }, 1, one), 3);
}

static void a_range_that_is_lost_fails_and_the_rest_reads(void **state)
{
    struct chunk_rig *f = *state;
    const int64_t lens[] = { 30000, 30000, -1000 };
    struct content *c = load(f, chunk_rig_file(f, lens, 3, one)); /* one copy, on stores 1 and 2 */
    uint8_t got[61000];

    chunk_rig_down(f, 2);
    assert_int_equal(content_read_wait(c, f->reader, 0, got, 30000), 30000);
    assert_int_equal(content_read_wait(c, f->reader, 0, got, 30001), -VS_ELOST);
    assert_int_equal(content_read_wait(c, f->reader, 60000, got, 1000), 1000);
    chunk_rig_down(f, 0);
    assert_int_equal(content_read_wait(c, f->reader, 0, got, 61000), 61000);
    content_put(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHUNK_TEST(a_file_that_is_not_there_is_an_error),
        CHUNK_TEST(all_chunks_come_in_order_without_a_gap),
        CHUNK_TEST(chunks_of_a_released_version_are_stale),
        CHUNK_TEST(reads_give_the_bytes_and_end_with_the_file),
        CHUNK_TEST(a_range_that_is_lost_fails_and_the_rest_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
