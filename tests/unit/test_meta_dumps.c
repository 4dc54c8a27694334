/* meta_dumps: pieces that together are the namespace of one slot, however it changes meanwhile;
 * a few at a time. */
#include "common/err.h"
#include "meta/dump_kv.h"
#include "meta/meta_dumps.h"
#include "meta/ns_read.h"
#include "tests/support/ns_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define FILES 40

static struct meta_dumps dumps;

static int setup(void **state)
{
    char text[NS_INLINE_BYTES_MAX];

    (void)nsf_setup(state);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (unsigned i = 0; i < FILES; i++) { /* more than a piece */
        char name[16];

        snprintf(name, sizeof(name), "file %u", i);
        assert_true(nsf_file(*state, NS_INO_ROOT, name, text) > 0);
    }
    meta_dumps_init(&dumps);
    return 0;
}

static int teardown(void **state)
{
    meta_dumps_close(&dumps);
    return nsf_teardown(state);
}

static int pair_into(void *arg, uint8_t section, const uint8_t *key, size_t key_len,
                     const uint8_t *value, size_t value_len)
{
    assert_int_equal(section, DUMP_NAMESPACE);
    return dump_kv_in_pair(arg, key, key_len, value, value_len);
}

/* The next piece into `in`. */
static void piece(struct nsf *f, struct meta_req *r, struct dump_in *in, struct dump_kv_in *to)
{
    assert_int_equal(meta_dumps_read(&dumps, f->kv, r), 0);
    assert_true(r->bytes.len > 0);
    assert_int_equal(dump_in_feed(in, r->bytes.data, r->bytes.len, pair_into, to), 0);
}

static void a_dump_is_of_one_slot_whatever_changes_meanwhile(void **state)
{
    struct nsf *f = *state;
    struct meta_req r = { .op = META_DUMP }, look = { .op = META_LOOKUP, .ino = NS_INO_ROOT };
    struct dump_kv_in to = { 0 };
    struct dump_in in;
    uint64_t slot = f->slot;
    struct kv *twin;
    unsigned pieces = 0;

    assert_int_equal(kv_mem_new(&twin), 0);
    assert_int_equal(dump_in_init(&in), 0);
    assert_int_equal(dump_kv_in_begin(&to, twin), 0);
    for (; !r.dump_ended; pieces++) {
        piece(f, &r, &in, &to);
        if (pieces == 0) { /* in front of the reader, and behind it */
            assert_int_equal(nsf_unlink(f, NS_INO_ROOT, "file 39"), 0);
            assert_true(nsf_file(f, NS_INO_ROOT, "a new one", "new") > 0);
        }
    }
    assert_true(pieces > 1);
    assert_int_equal(dump_in_done(&in), 0);
    assert_int_equal(dump_kv_in_end(&to), 0);
    assert_int_equal(in.head.slot, slot);
    assert_int_equal(in.head.kind, DUMP_SNAPSHOT);
    look.name = "file 39";
    look.name_len = 7;
    assert_int_equal(ns_read(twin, &look), 0);
    look.name = "a new one";
    look.name_len = 9;
    assert_int_equal(ns_read(twin, &look), -ENOENT);
    assert_int_equal(meta_dumps_read(&dumps, f->kv, &r), -ESTALE); /* it has ended */
    vs_buf_close(&r.bytes);
    dump_kv_in_close(&to);
    dump_in_close(&in);
    kv_close(twin);
}

static void too_many_at_once_are_refused_and_an_unknown_one_is_stale(void **state)
{
    struct nsf *f = *state;
    struct meta_req r[META_DUMPS_MAX + 1];
    struct meta_req unknown = { .op = META_DUMP, .dump = 1 };

    for (unsigned i = 0; i <= META_DUMPS_MAX; i++) {
        r[i] = (struct meta_req){ .op = META_DUMP };
        assert_int_equal(meta_dumps_read(&dumps, f->kv, &r[i]), i < META_DUMPS_MAX ? 0 : -EAGAIN);
        for (unsigned k = 0; i < META_DUMPS_MAX && k < i; k++)
            assert_true(r[k].dump != r[i].dump);
    }
    assert_int_equal(meta_dumps_read(&dumps, f->kv, &unknown), -ESTALE);
    while (!r[0].dump_ended)
        assert_int_equal(meta_dumps_read(&dumps, f->kv, &r[0]), 0);
    r[META_DUMPS_MAX].dump = 0; /* there is room again */
    assert_int_equal(meta_dumps_read(&dumps, f->kv, &r[META_DUMPS_MAX]), 0);
    for (unsigned i = 0; i <= META_DUMPS_MAX; i++)
        vs_buf_close(&r[i].bytes);
    vs_buf_close(&unknown.bytes);
}

static void without_a_namespace_there_is_no_dump(void **state)
{
    struct meta_req r = { .op = META_DUMP };
    struct kv *empty;

    (void)state;
    assert_int_equal(kv_mem_new(&empty), 0);
    assert_int_equal(meta_dumps_read(&dumps, empty, &r), -ENOENT);
    vs_buf_close(&r.bytes);
    kv_close(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dump_is_of_one_slot_whatever_changes_meanwhile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(too_many_at_once_are_refused_and_an_unknown_one_is_stale,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_namespace_there_is_no_dump, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
