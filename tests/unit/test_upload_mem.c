/* Buffers of uploads: warm ones come first, and no more of them are kept than was said. */
#include "ingest/upload_mem.h"

#include "common/assert.h"
#include "common/exec.h"
#include "common/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)

static void a_buffer_is_as_large_as_asked_for_and_has_slack(void **state)
{
    static const size_t sizes[] = { 1, 65536, 65537, MIB, MIB + 1, 4 * MIB, 16 * MIB };
    struct up_pool pool;

    (void)state;
    up_pool_init(&pool, 0);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct up_buf *b = up_buf_new(&pool, sizes[i]);

        assert_non_null(b);
        assert_true(b->cap >= sizes[i] && b->used == 0);
        memset(b->bytes, 1, b->cap + UP_BUF_SLACK_BYTES);
        up_buf_put(b);
    }
    up_buf_put(NULL);
    up_pool_close(&pool);
    up_pool_close(&pool);
}

static void what_was_given_back_last_is_used_first(void **state)
{
    struct up_pool pool;
    struct up_buf *a, *b, *c;

    (void)state;
    up_pool_init(&pool, 100 * MIB);
    a = up_buf_new(&pool, 2 * MIB);
    b = up_buf_new(&pool, 2 * MIB);
    up_buf_put(a);
    up_buf_put(b);
    c = up_buf_new(&pool, 2 * MIB - 5);
    assert_ptr_equal(c, b);
    up_buf_put(c);
    c = up_buf_new(&pool, MIB); /* rather a warm one of twice the size than a fresh one */
    assert_ptr_equal(c, b);
    up_buf_put(c);
    c = up_buf_new(&pool, 100); /* but not for next to nothing */
    assert_ptr_not_equal(c, b);
    up_buf_put(c);
    up_pool_close(&pool);
}

static void the_pool_keeps_no_more_than_it_may(void **state)
{
    struct up_pool pool;
    struct up_buf *b[8];

    (void)state;
    up_pool_init(&pool, 10 * MIB);
    for (unsigned i = 0; i < 8; i++)
        b[i] = up_buf_new(&pool, 4 * MIB);
    for (unsigned i = 0; i < 8; i++)
        up_buf_put(b[i]);
    assert_int_equal(pool.unused_bytes, 8 * MIB);
    up_pool_close(&pool);
}

static void the_last_reference_gives_it_back(void **state)
{
    struct up_pool pool;
    struct up_buf *b;

    (void)state;
    up_pool_init(&pool, 10 * MIB);
    b = up_buf_new(&pool, MIB);
    assert_ptr_equal(up_buf_ref(b), b);
    up_buf_put(b);
    assert_int_equal(pool.unused_bytes, 0);
    b->bytes[0] = 5;
    up_buf_put(b);
    assert_int_equal(pool.unused_bytes, MIB);
    up_pool_close(&pool);
}

struct user {
    struct vs_job job;
    struct up_pool *pool;
    uint64_t seed;
};

static void use(struct vs_job *job)
{
    struct user *u = vs_container_of(job, struct user, job);
    struct vs_rand r;

    vs_rand_init(&r, u->seed);
    for (unsigned i = 0; i < 2000; i++) {
        struct up_buf *b = up_buf_new(u->pool, 1 + vs_rand_below(&r, 3 * MIB));

        VS_ASSERT(b != NULL && b->used == 0);
        b->used = 1;
        b->bytes[0] = b->bytes[b->cap - 1] = (uint8_t)u->seed; /* nobody else has it */
        VS_ASSERT(b->bytes[0] == (uint8_t)u->seed);
        up_buf_put(b);
    }
}

static void threads_may_share_a_pool(void **state)
{
    struct up_pool pool;
    struct user users[4];
    struct vs_exec *exec;

    (void)state;
    up_pool_init(&pool, 8 * MIB);
    assert_int_equal(vs_exec_start(&exec, "pool", 4), 0);
    for (unsigned i = 0; i < 4; i++) {
        users[i] = (struct user){ .job.fn = use, .pool = &pool, .seed = i };
        vs_exec_submit(exec, &users[i].job);
    }
    vs_exec_stop(exec);
    assert_true(pool.unused_bytes <= 8 * MIB);
    up_pool_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_is_as_large_as_asked_for_and_has_slack),
        cmocka_unit_test(what_was_given_back_last_is_used_first),
        cmocka_unit_test(the_pool_keeps_no_more_than_it_may),
        cmocka_unit_test(the_last_reference_gives_it_back),
        cmocka_unit_test(threads_may_share_a_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
