/* One read request: the right bytes whatever lies between, the file's new content when it was
 * replaced meanwhile, never an old one; sequential readers get whole chunks. */
#include "common/err.h"
#include "common/rand.h"
#include "fs/inode_table.h"
#include "fs/read_op.h"
#include "fs/waiter.h"
#include "tests/support/chunk_rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct chunk_rig *rig;
    struct vsfs fs;
    struct inode inode; /* of the file that is read */
};

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    void *rig = NULL;

    assert_non_null(x);
    assert_int_equal(chunk_rig_setup(&rig), 0);
    x->rig = rig;
    x->fs.meta = &x->rig->meta;
    x->fs.reader = x->rig->reader;
    pthread_mutex_init(&x->inode.lock, NULL);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;
    void *rig = x->rig;

    content_put(x->inode.content);
    pthread_mutex_destroy(&x->inode.lock);
    chunk_rig_teardown(&rig);
    free(x);
    return 0;
}

/* Read another file from here on. */
static void use(struct fixture *x, unsigned file)
{
    content_put(x->inode.content);
    x->inode.content = NULL;
    x->inode.cached_version = 0;
    x->inode.ino = 100 + file;
}

struct reading {
    struct read_op op;
    struct waiter waiter;
    _Atomic unsigned dones;
};

static void op_done(struct read_op *op)
{
    struct reading *w = vs_container_of(op, struct reading, op);

    w->dones++;
    waiter_wake(&w->waiter);
}

static void read_begin(struct fixture *x, struct reading *w, uint64_t offset, uint32_t bytes,
                       struct read_cursor *cursor, bool *ret_at_once)
{
    *w = (struct reading){
        .op = { .offset = offset, .bytes = bytes, .cursor = cursor, .done = op_done },
        .waiter = WAITER_INIT
    };
    *ret_at_once = read_op_start(&x->fs, &x->inode, &w->op) == 1;
}

/* Its answer is the content of this file, cut at its end; or an error. */
static int read_end(struct fixture *x, struct reading *w, bool at_once, unsigned file)
{
    const struct chunk_rig_file *want = &x->rig->file[file];
    uint64_t at = w->op.offset;
    int status;

    if (!at_once)
        waiter_wait(&w->waiter);
    assert_int_equal(w->dones, at_once ? 0 : 1);
    status = w->op.status;
    if (status == 0) {
        uint64_t left = at < want->attr.size ? want->attr.size - at : 0, sum = 0;

        assert_int_equal(w->op.got_bytes, w->op.want < left ? w->op.want : left);
        for (int i = 0; i < w->op.iovcnt; i++) {
            assert_memory_equal(w->op.iov[i].iov_base, want->content + at, w->op.iov[i].iov_len);
            at += w->op.iov[i].iov_len;
            sum += w->op.iov[i].iov_len;
        }
        assert_int_equal(sum, w->op.got_bytes);
    }
    read_op_put(&w->op);
    read_op_put(&w->op); /* forgives */
    return status;
}

static int read_as(struct fixture *x, uint64_t offset, uint32_t bytes, struct read_cursor *cursor,
                   unsigned file)
{
    struct reading w;
    bool at_once;

    read_begin(x, &w, offset, bytes, cursor, &at_once);
    return read_end(x, &w, at_once, file);
}

/* 600 pieces in three segments, with holes. */
static unsigned mixed_file(struct chunk_rig *f)
{
    int64_t lens[600];

    for (int i = 0; i < 600; i++)
        lens[i] = i % 13 == 4 ? -(50 + i) : 1 + i;
    return chunk_rig_file(f, lens, 600, one);
}

/* ---- bytes ---- */

static void reads_give_the_bytes_of_the_file(void **state)
{
    struct fixture *x = *state;
    const unsigned files[] = { mixed_file(x->rig), chunk_rig_inline_file(x->rig, 40000),
                               chunk_rig_file(x->rig, (const int64_t[]){ -3000000 }, 1, one),
                               chunk_rig_file(x->rig, (const int64_t[]){ 2500000 }, 1, rs32) };
    struct vs_rand r;

    vs_rand_init(&r, 3);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t size = x->rig->file[files[i]].attr.size;

        use(x, files[i]);
        for (unsigned n = 0; n < 60; n++)
            assert_int_equal(read_as(x, vs_rand_below(&r, size + 100),
                                     (uint32_t)vs_rand_below(&r, READ_OP_BYTES_MAX + 1), NULL,
                                     files[i]),
                             0);
        assert_int_equal(read_as(x, 0, READ_OP_BYTES_MAX, NULL, files[i]), 0);
        assert_int_equal(read_as(x, size, 1, NULL, files[i]), 0);
        assert_int_equal(read_as(x, UINT64_MAX, 1, NULL, files[i]), 0);
    }
}

static void content_is_loaded_once_and_kept(void **state)
{
    struct fixture *x = *state;
    unsigned file = chunk_rig_inline_file(x->rig, 100);
    struct reading w;
    bool at_once;

    use(x, file);
    read_begin(x, &w, 0, 100, NULL, &at_once);
    assert_false(at_once);
    assert_int_equal(read_end(x, &w, at_once, file), 0);
    read_begin(x, &w, 10, 100, NULL, &at_once);
    assert_true(at_once); /* what is in memory is answered inside the call */
    assert_int_equal(read_end(x, &w, at_once, file), 0);
    assert_int_equal(x->rig->loads, 1);
}

static void what_cannot_be_loaded_is_an_error(void **state)
{
    struct fixture *x = *state;

    use(x, 9);
    assert_int_equal(read_as(x, 0, 10, NULL, 0), -ENOENT);
    assert_null(x->inode.content);
}

static void a_lost_range_fails_and_the_rest_reads(void **state)
{
    struct fixture *x = *state;
    unsigned file = chunk_rig_file(x->rig, (const int64_t[]){ 50000, 50000, 50000 }, 3, one);

    use(x, file);
    chunk_rig_down(x->rig, 2); /* holds the second chunk */
    assert_int_equal(read_as(x, 0, 50000, NULL, file), 0);
    assert_int_equal(read_as(x, 49999, 2, NULL, file), -VS_ELOST);
    assert_int_equal(read_as(x, 0, 150000, NULL, file), -VS_ELOST);
    assert_int_equal(read_as(x, 100000, 50000, NULL, file), 0);
    chunk_rig_down(x->rig, 0);
    assert_int_equal(read_as(x, 0, 150000, NULL, file), 0);
}

/* ---- a file that is replaced ---- */

static void a_replaced_file_is_read_again_from_its_new_content(void **state)
{
    struct fixture *x = *state;
    unsigned file = mixed_file(x->rig);
    const unsigned news[] = { chunk_rig_file(x->rig, (const int64_t[]){ 70000, 1000 }, 2, rs32),
                              chunk_rig_file(x->rig, (const int64_t[]){ 10 }, 1, one),
                              chunk_rig_inline_file(x->rig, 2000) };

    use(x, file);
    assert_int_equal(read_as(x, 5, 5000, NULL, file), 0);
    for (unsigned i = 0; i < 3; i++) {
        chunk_rig_swap(x->rig, file, news[i]);
        chunk_rig_fresh_reader(x->rig); /* and nothing of it is in a cache */
        x->fs.reader = x->rig->reader;
        assert_int_equal(read_as(x, 5, 5000, NULL, file), 0); /* its end is another one */
        assert_int_equal(x->inode.content->version, i + 2);
    }
}

struct swaps {
    struct fixture *x;
    unsigned file, left;
    unsigned news[16];
};

/* Replaced again, whenever its content has just been loaded. */
static void swap_behind_the_load(void *arg, struct meta_req *r)
{
    struct swaps *s = arg;

    if (r->op == META_CONTENT && s->left > 0)
        chunk_rig_swap(s->x->rig, s->file, s->news[--s->left]);
}

static void a_file_that_is_replaced_all_the_time_is_read_in_the_end(void **state)
{
    struct fixture *x = *state;
    struct swaps s = { .x = x, .left = 6 };

    s.file = chunk_rig_file(x->rig, (const int64_t[]){ 1000 }, 1, one);
    for (unsigned i = 0; i < 6; i++)
        s.news[i] = chunk_rig_file(x->rig, (const int64_t[]){ 1000 + i }, 1, one);
    use(x, s.file);
    x->rig->answering = swap_behind_the_load;
    x->rig->arg = &s;
    assert_int_equal(read_as(x, 0, 100000, NULL, s.file), 0);
    assert_int_equal(s.left, 0);
    x->rig->answering = NULL;
}

/* The version that is current says TOMB: nothing to wait for, and no endless loop. */
static void content_that_stays_gone_is_an_error(void **state)
{
    struct fixture *x = *state;
    const struct place_value tomb = { .state = PLACE_TOMB, .session = 1, .generation = 2 };
    unsigned file = chunk_rig_file(x->rig, (const int64_t[]){ 1000 }, 1, one);

    use(x, file);
    chunk_rig_set_place(x->rig, 0, &tomb);
    assert_int_equal(read_as(x, 0, 100, NULL, file), -ESTALE);
    assert_true(x->rig->loads < 20);
}

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool waiting, open;
};

/* Holds a content up that was read from the metadata already. */
static void hold_load(void *arg, struct meta_req *r)
{
    struct gate *g = arg;

    if (r->op != META_CONTENT)
        return;
    pthread_mutex_lock(&g->lock);
    g->waiting = true;
    pthread_cond_broadcast(&g->moved);
    while (!g->open)
        pthread_cond_wait(&g->moved, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void gate_await(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    while (!g->waiting)
        pthread_cond_wait(&g->moved, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->lock);
}

/* A commit that ends while an older content is on its way: `keep` says whether the commit left its
 * content with the inode, or only the version that the kernel has pages of. */
static void overtaken_load(struct fixture *x, bool keep)
{
    struct gate g = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    unsigned file = chunk_rig_inline_file(x->rig, 500);
    unsigned to = chunk_rig_inline_file(x->rig, 700);
    struct content *fresh = NULL;
    struct reading w;
    bool at_once;

    use(x, file);
    x->rig->arg = &g;
    x->rig->answering = hold_load;
    read_begin(x, &w, 0, 1000, NULL, &at_once);
    assert_false(at_once);
    gate_await(&g);
    x->rig->answering = NULL;
    chunk_rig_swap(x->rig, file, to);
    assert_int_equal(content_load_wait(&x->rig->meta, 100 + file, &fresh, NULL), 0);
    assert_int_equal(fresh->version, 2);
    pthread_mutex_lock(&x->inode.lock); /* as a commit does */
    if (keep)
        x->inode.content = content_ref(fresh);
    x->inode.cached_version = 2;
    pthread_mutex_unlock(&x->inode.lock);
    content_put(fresh);
    gate_open(&g);
    if (keep) {
        assert_int_equal(read_end(x, &w, false, file), 0); /* already the new bytes */
        assert_int_equal(x->inode.content->version, 2);
    } else {
        waiter_wait(&w.waiter); /* it began before the commit: either will do */
        read_op_put(&w.op);
        assert_null(x->inode.content);
    }
    assert_int_equal(read_as(x, 0, 1000, NULL, file), 0); /* but this one must see it */
}

static void an_overtaken_load_does_not_come_back(void **state)
{
    overtaken_load(*state, true);
    overtaken_load(*state, false);
}

/* ---- patterns ---- */

static unsigned asked(struct chunk_rig *f)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < CHUNK_RIG_STORES; i++)
        sum += store_twist_gets(f->twist[i]);
    return sum;
}

static void a_sequential_reader_gets_whole_chunks_and_the_next_one(void **state)
{
    struct fixture *x = *state;
    unsigned file = chunk_rig_file(x->rig, (const int64_t[]){ 700000, 700000, 700000 }, 3, rs32);
    struct read_cursor cursor = { 0 };
    unsigned before;

    use(x, file);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(read_as(x, i * 50000, 50000, &cursor, file), 0);
    chunk_reader_free(x->rig->reader); /* waits for the prefetch */
    x->rig->reader = NULL;
    assert_true(asked(x->rig) >= 6); /* both chunks were read whole */
    chunk_rig_fresh_reader(x->rig);
    x->fs.reader = x->rig->reader;
    assert_int_equal(read_as(x, 150000, 50000, &cursor, file), 0);
    before = asked(x->rig);
    for (unsigned i = 4; i < 14; i++)
        assert_int_equal(read_as(x, i * 50000, 50000, &cursor, file), 0);
    assert_true(asked(x->rig) <= before + 6); /* from the cache, but for a prefetch */
}

static void a_random_reader_touches_one_store(void **state)
{
    struct fixture *x = *state;
    unsigned file = chunk_rig_file(x->rig, (const int64_t[]){ 4000000 }, 1, rs32);
    struct read_cursor cursor = { 0 };
    static const uint64_t offsets[] = { 3500000, 10000, 3900000, 5000, 2000000, 1000 };

    use(x, file);
    for (unsigned i = 0; i < 6; i++) {
        unsigned before = asked(x->rig);

        assert_int_equal(read_as(x, offsets[i], 1000, &cursor, file), 0);
        assert_int_equal(asked(x->rig), before + 1);
    }
}

/* ---- pieces by hand ---- */

static void pieces_are_put_together_in_order(void **state)
{
    struct fixture *x = *state;
    unsigned c = chunk_rig_write(x->rig, 300000, rs32);
    struct reading w = { .op = { .bytes = 1000, .done = op_done }, .waiter = WAITER_INIT };
    uint8_t *a, *b, got[1000];
    size_t at = 0;

    a = read_op_add(&w.op, NULL, 0, 100);
    assert_non_null(a);
    memset(a, 0xaa, 100);
    assert_non_null(read_op_add(&w.op, &x->rig->at[c].chunk, 5000, 800));
    b = read_op_add(&w.op, NULL, 0, 100);
    assert_non_null(b);
    assert_int_equal(b[0], 0); /* zeroed */
    if (read_op_fetch(&x->fs, &x->inode, &w.op) == 0)
        waiter_wait(&w.waiter);
    assert_int_equal(w.op.status, 0);
    assert_int_equal(w.op.got_bytes, 1000);
    for (int i = 0; i < w.op.iovcnt; i++) {
        memcpy(got + at, w.op.iov[i].iov_base, w.op.iov[i].iov_len);
        at += w.op.iov[i].iov_len;
    }
    assert_int_equal(got[99], 0xaa);
    assert_memory_equal(got + 100, x->rig->at[c].bytes + 5000, 800);
    assert_int_equal(got[900], 0);
    read_op_put(&w.op);
}

static void no_pieces_are_the_end_of_the_file(void **state)
{
    struct fixture *x = *state;
    struct reading w = { .op = { .bytes = 0, .done = op_done }, .waiter = WAITER_INIT };

    assert_int_equal(read_op_fetch(&x->fs, &x->inode, &w.op), 1);
    assert_int_equal(w.op.status, 0);
    assert_int_equal(w.op.got_bytes, 0);
    assert_int_equal(w.op.iovcnt, 0);
    read_op_put(&w.op);
}

static void pieces_have_a_limit(void **state)
{
    struct read_op op = { .bytes = READ_OP_BYTES_MAX };

    (void)state;
    for (unsigned i = 0; i < READ_OP_PARTS_MAX; i++)
        assert_non_null(read_op_add(&op, NULL, 0, 1));
    assert_null(read_op_add(&op, NULL, 0, 1));
    read_op_put(&op);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_give_the_bytes_of_the_file),
        TEST(content_is_loaded_once_and_kept),
        TEST(what_cannot_be_loaded_is_an_error),
        TEST(a_lost_range_fails_and_the_rest_reads),
        TEST(a_replaced_file_is_read_again_from_its_new_content),
        TEST(a_file_that_is_replaced_all_the_time_is_read_in_the_end),
        TEST(content_that_stays_gone_is_an_error),
        TEST(an_overtaken_load_does_not_come_back),
        TEST(a_sequential_reader_gets_whole_chunks_and_the_next_one),
        TEST(a_random_reader_touches_one_store),
        TEST(pieces_are_put_together_in_order),
        TEST(no_pieces_are_the_end_of_the_file),
        TEST(pieces_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
