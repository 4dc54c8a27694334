/* One version of a file: what the metadata answers is held against itself before a byte of it is
 * used, and segments are loaded once, as they are needed. */
#include "common/err.h"
#include "fs/content.h"
#include "fs/waiter.h"
#include "tests/support/chunk_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define PIECES 600 /* three segments */

struct loading {
    struct content_load load;
    struct waiter waiter;
    _Atomic unsigned dones;
};

static void load_done(struct content_load *l)
{
    struct loading *w = vs_container_of(l, struct loading, load);

    w->dones++;
    waiter_wake(&w->waiter);
}

/* The content of a file of the rig; NULL and *ret_status. */
static struct content *load(struct chunk_rig *f, unsigned file, int *ret_status)
{
    struct loading w = { .load = { .ino = 100 + file, .done = load_done }, .waiter = WAITER_INIT };

    content_load(&f->meta, &w.load);
    waiter_wait(&w.waiter);
    assert_int_equal(w.dones, 1);
    *ret_status = w.load.status;
    if (w.load.status < 0)
        assert_null(w.load.content);
    else
        assert_int_equal(w.load.attr.ino, 100 + file);
    return w.load.content;
}

static struct content *load_good(struct chunk_rig *f, unsigned file)
{
    struct content *c;
    int status;

    c = load(f, file, &status);
    assert_int_equal(status, 0);
    return c;
}

static int load_status(struct chunk_rig *f, unsigned file)
{
    int status;

    content_put(load(f, file, &status));
    return status;
}

struct finding {
    struct content_find find;
    struct waiter waiter;
    _Atomic unsigned dones;
};

static void find_done(struct content_find *find)
{
    struct finding *w = vs_container_of(find, struct finding, find);

    w->dones++;
    waiter_wake(&w->waiter);
}

/* The chunk at `offset`; was it known at once? */
static int find(struct content *c, uint64_t offset, struct content_find *ret, bool *ret_at_once)
{
    struct finding w = { .find = { .offset = offset, .done = find_done }, .waiter = WAITER_INIT };
    int now = content_find(c, &w.find);

    if (now == 0)
        waiter_wait(&w.waiter);
    assert_int_equal(w.dones, now == 0 ? 1 : 0);
    if (ret_at_once != NULL)
        *ret_at_once = now == 1;
    *ret = w.find;
    return w.find.status;
}

static int find_status(struct content *c, uint64_t offset)
{
    struct content_find found;

    return find(c, offset, &found, NULL);
}

/* Pieces of 1 .. 7 bytes, every seventh a hole. */
static unsigned many_pieces(struct chunk_rig *f)
{
    int64_t lens[PIECES];

    for (int i = 0; i < PIECES; i++)
        lens[i] = i % 7 == 3 ? -1 - i % 5 : 1 + i % 7;
    return chunk_rig_file(f, lens, PIECES, one);
}

/* ---- loading ---- */

static void content_is_what_the_metadata_says(void **state)
{
    struct chunk_rig *f = *state;
    unsigned small = chunk_rig_inline_file(f, 1000), empty = chunk_rig_inline_file(f, 0);
    unsigned chunks = many_pieces(f);
    struct content *c = load_good(f, small);

    assert_int_equal(c->kind, NS_CONTENT_INLINE);
    assert_int_equal(c->size, 1000);
    assert_int_equal(c->ino, 100 + small);
    assert_int_equal(c->version, 1);
    assert_memory_equal(c->inline_bytes, f->file[small].content, 1000);
    content_put(c);
    f->file[empty].attr.content = NS_CONTENT_NONE;
    c = load_good(f, empty);
    assert_int_equal(c->size, 0);
    content_put(c);
    c = load_good(f, chunks);
    assert_int_equal(c->kind, NS_CONTENT_CHUNKS);
    assert_int_equal(c->head.chunk_count, PIECES);
    assert_int_equal(c->head.segment_count, 3);
    assert_int_equal(c->size, c->head.size);
    content_put(c);
    content_put(NULL);
}

static void content_that_is_not_of_its_size_is_refused(void **state)
{
    struct chunk_rig *f = *state;
    unsigned small = chunk_rig_inline_file(f, 1000), chunks = many_pieces(f);

    f->file[small].attr.size++;
    assert_int_equal(load_status(f, small), -VS_ECORRUPT);
    f->file[small].attr.size -= 2;
    assert_int_equal(load_status(f, small), -VS_ECORRUPT);
    f->file[small].attr.content = NS_CONTENT_NONE;
    assert_int_equal(load_status(f, small), -VS_ECORRUPT);
    f->file[chunks].attr.size++;
    assert_int_equal(load_status(f, chunks), -VS_ECORRUPT);
    f->file[chunks].attr.size--;
    f->file[chunks].bytes.len--;
    assert_int_equal(load_status(f, chunks), -VS_ECORRUPT);
    f->file[chunks].bytes.len++;
    f->file[chunks].bytes.data[0] = 99; /* a newer format */
    assert_int_equal(load_status(f, chunks), -VS_ENEWER);
}

/* Its size counts names. */
static void a_directory_has_no_content_and_is_no_error(void **state)
{
    struct chunk_rig *f = *state;
    unsigned dir = chunk_rig_inline_file(f, 0);
    struct content_find found;
    struct content *c;

    f->file[dir].attr.mode = S_IFDIR | 0755;
    f->file[dir].attr.size = 17;
    f->file[dir].attr.content = NS_CONTENT_NONE;
    c = load_good(f, dir);
    assert_int_equal(c->size, 0);
    assert_int_equal(find(c, 0, &found, NULL), -ENOENT);
    content_put(c);
}

static void answer_down(void *arg, struct meta_req *r)
{
    (void)arg;
    r->status = -VS_EDOWN;
}

static void what_cannot_be_asked_is_said_as_it_is(void **state)
{
    struct chunk_rig *f = *state;
    unsigned chunks = many_pieces(f);
    struct content *c = load_good(f, chunks);

    assert_int_equal(load_status(f, 7), -ENOENT);
    f->answering = answer_down;
    assert_int_equal(load_status(f, chunks), -VS_EDOWN);
    assert_int_equal(find_status(c, 0), -VS_EDOWN);
    f->answering = NULL;
    assert_int_equal(find_status(c, 0), 0); /* and is asked again */
    content_put(c);
}

/* ---- finding ---- */

static void every_offset_is_found_in_its_chunk(void **state)
{
    struct chunk_rig *f = *state;
    unsigned file = many_pieces(f);
    struct content *c = load_good(f, file);
    uint64_t start = 0;
    unsigned waits = 0;

    for (uint64_t at = 0; at < c->size; at++) {
        struct content_find found;
        bool at_once;

        assert_int_equal(find(c, at, &found, &at_once), 0);
        waits += !at_once;
        assert_true(found.chunk.offset <= at && at < found.chunk.offset + found.chunk.bytes);
        assert_true(found.chunk.offset == start || found.chunk.offset == at);
        start = found.chunk.offset;
        if (found.next.bytes > 0)
            assert_int_equal(found.next.offset, found.chunk.offset + found.chunk.bytes);
        if (!vs_id_is_zero(&found.chunk.id)) {
            unsigned n = (unsigned)vs_id_seq(&found.chunk.id) - 1;

            assert_int_equal(f->file[file].content[at], f->at[n].bytes[at - found.chunk.offset]);
        } else {
            assert_int_equal(f->file[file].content[at], 0);
        }
    }
    assert_int_equal(waits, 3); /* one register read per segment */
    assert_int_equal(f->register_reads, 3);
    content_put(c);
}

static void the_chunk_behind_is_told_inside_a_segment(void **state)
{
    struct chunk_rig *f = *state;
    int64_t lens[258];
    struct content *c;
    struct content_find found;

    for (int i = 0; i < 258; i++)
        lens[i] = 10;
    c = load_good(f, chunk_rig_file(f, lens, 258, one));
    assert_int_equal(find(c, 5, &found, NULL), 0);
    assert_int_equal(found.next.offset, 10);
    assert_int_equal(find(c, 2559, &found, NULL), 0); /* the last of the first segment */
    assert_int_equal(found.next.bytes, 0);
    assert_int_equal(find(c, 2579, &found, NULL), 0); /* the last of all */
    assert_int_equal(found.next.bytes, 0);
    content_put(c);
}

static void nothing_is_found_at_or_behind_the_end(void **state)
{
    struct chunk_rig *f = *state;
    unsigned file = many_pieces(f);
    struct content *c = load_good(f, file), *small = load_good(f, chunk_rig_inline_file(f, 10));
    struct content_find found;
    bool at_once;

    assert_int_equal(find(c, c->size, &found, &at_once), -ENOENT);
    assert_true(at_once);
    assert_int_equal(find(c, UINT64_MAX, &found, &at_once), -ENOENT);
    assert_int_equal(find(small, 0, &found, &at_once), -ENOENT); /* it has no chunks */
    content_put(c);
    content_put(small);
}

/* ---- segments that are not what the head says ---- */

/* The value of a segment with the chunks of another offset or length. */
static void put_segment(struct chunk_rig *f, unsigned reg, const struct mf_chunk *chunks,
                        uint32_t count)
{
    struct vs_buf value = { 0 };

    assert_int_equal(mf_segment_encode(chunks, count, &value), 0);
    chunk_rig_set_value(f, reg, value.data, value.len);
    vs_buf_close(&value);
}

static void a_segment_that_does_not_fit_the_head_is_refused(void **state)
{
    struct chunk_rig *f = *state;
    unsigned file = many_pieces(f);

    for (unsigned s = 0; s < 3; s++) {
        struct mf_chunk chunks[MF_SEGMENT_CHUNKS];
        unsigned reg = chunk_rig_segment(f, file, s);
        struct content *c = load_good(f, file);
        uint64_t at = c->head.segments[s].offset;
        uint32_t n = c->head.segments[s].count;
        struct vs_buf good = { 0 };

        assert_int_equal(vs_buf_append(&good, f->at[reg].value.data, f->at[reg].value.len, 65536),
                         0);
        assert_int_equal(mf_segment_decode(good.data, good.len, chunks), n);

        put_segment(f, reg, chunks, n - 1); /* one too few */
        assert_int_equal(find_status(c, at), -VS_ECORRUPT);
        chunks[n - 1].bytes++; /* ends inside the next, or behind the end of the file */
        put_segment(f, reg, chunks, n);
        assert_int_equal(find_status(c, at), -VS_ECORRUPT);
        chunks[n - 1].bytes--;
        for (uint32_t i = 0; i < n; i++)
            chunks[i].offset++;
        put_segment(f, reg, chunks, n); /* begins too late */
        assert_int_equal(find_status(c, at), -VS_ECORRUPT);
        chunk_rig_set_value(f, reg, "\x03\x01garbage", 9);
        assert_int_equal(find_status(c, at), -VS_ECORRUPT);
        chunk_rig_set_value(f, reg, "\x01\x01", 2); /* a chunk's */
        assert_int_equal(find_status(c, at), -VS_ECORRUPT);

        chunk_rig_set_value(f, reg, good.data, good.len);
        assert_int_equal(find_status(c, at), 0); /* nothing wrong was kept */
        vs_buf_close(&good);
        content_put(c);
    }
}

static void a_released_segment_is_stale(void **state)
{
    struct chunk_rig *f = *state;
    unsigned file = many_pieces(f), reg = chunk_rig_segment(f, file, 1);
    const struct place_value tomb = { .state = PLACE_TOMB, .session = 1, .generation = 2 };
    struct content *c = load_good(f, file);
    uint64_t at = c->head.segments[1].offset;

    chunk_rig_set_place(f, reg, &tomb);
    assert_int_equal(find_status(c, at), -ESTALE);
    chunk_rig_set_value(f, reg, NULL, 0);
    assert_int_equal(find_status(c, at), -ESTALE);
    assert_int_equal(find_status(c, 0), 0); /* the others are there */
    content_put(c);
}

/* ---- hints ---- */

static void strict_is_down(void *arg, struct meta_req *r)
{
    (void)arg;
    if (r->op == META_REG_READ && !r->hint)
        r->status = -VS_EDOWN;
}

static void hints_are_absent(void *arg, struct meta_req *r)
{
    (void)arg;
    if (r->op != META_REG_READ || !r->hint)
        return;
    r->regs[0].status = -ENOENT;
    vs_buf_close(&r->regs[0].current);
}

static void hints_are_garbage(void *arg, struct meta_req *r)
{
    (void)arg;
    if (r->op == META_REG_READ && r->hint)
        r->regs[0].current.data[0] ^= 0x40;
}

static void a_segment_needs_no_majority_but_one_that_is_missed_is_asked_for_strictly(void **state)
{
    struct chunk_rig *f = *state;
    unsigned file = many_pieces(f);
    struct content *c = load_good(f, file);

    f->answering = strict_is_down;
    assert_int_equal(find_status(c, 0), 0);
    f->answering = hints_are_absent;
    assert_int_equal(find_status(c, c->head.segments[1].offset), 0);
    f->answering = hints_are_garbage;
    assert_int_equal(find_status(c, c->head.segments[2].offset), 0);
    f->answering = NULL;
    content_put(c);
}

/* ---- threads ---- */

static void *find_all(void *arg)
{
    struct content *c = arg;

    for (uint64_t at = 0; at < c->size; at += 3)
        if (find_status(c, at) != 0)
            return NULL;
    content_put(c);
    return arg;
}

static void many_threads_may_find_at_once(void **state)
{
    struct chunk_rig *f = *state;
    struct content *c = load_good(f, many_pieces(f));
    pthread_t threads[4];
    void *ended;

    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, find_all, content_ref(c)), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &ended), 0);
        assert_ptr_equal(ended, c);
    }
    content_put(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHUNK_TEST(content_is_what_the_metadata_says),
        CHUNK_TEST(content_that_is_not_of_its_size_is_refused),
        CHUNK_TEST(a_directory_has_no_content_and_is_no_error),
        CHUNK_TEST(what_cannot_be_asked_is_said_as_it_is),
        CHUNK_TEST(every_offset_is_found_in_its_chunk),
        CHUNK_TEST(the_chunk_behind_is_told_inside_a_segment),
        CHUNK_TEST(nothing_is_found_at_or_behind_the_end),
        CHUNK_TEST(a_segment_that_does_not_fit_the_head_is_refused),
        CHUNK_TEST(a_released_segment_is_stale),
        CHUNK_TEST(a_segment_needs_no_majority_but_one_that_is_missed_is_asked_for_strictly),
        CHUNK_TEST(many_threads_may_find_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
