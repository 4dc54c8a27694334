/* ns_entry: every kind of journal entry comes back as it went in; nothing else decodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/rand.h"
#include "meta/ns_entry.h"

#include <stdlib.h>
#include <string.h>

#define KINDS (NS_E_MOUNT_END + 1)

static struct vs_id ids[3];

/* Every field has a value of its own, so that one that is lost or mistaken shows. */
static struct ns_entry make_entry(enum ns_entry_kind kind)
{
    struct ns_entry e = { .kind = kind,
                          .now = { -315619200, 1 }, /* 1960 */
                          .client = 2,
                          .request = 3,
                          .parent = 4,
                          .name = "name",
                          .name_len = 4,
                          .ino = 5,
                          .new_parent = 6,
                          .new_name = "new name",
                          .new_name_len = 8,
                          .flags = 7,
                          .set = 8,
                          .flags_set = 9,
                          .flags_clear = 10,
                          .keep_times = true,
                          .base_version = 11,
                          .value = "value",
                          .value_len = 5,
                          .taken = 12,
                          .session = 13,
                          .count = 14,
                          .pid = 15,
                          .inc = 16,
                          .collected = ids,
                          .collected_count = 3 };

    for (unsigned i = 0; i < 3; i++)
        ids[i] = vs_id_make(1, 2, i, VS_ID_CHUNK);
    e.attr.mode = 17;
    e.attr.uid = 18;
    e.attr.gid = 19;
    e.attr.rdev = 20;
    e.attr.atime = (struct ns_time){ 21, 22 };
    e.attr.mtime = (struct ns_time){ INT64_C(16725225600), 999999999 }; /* 2500 */
    e.content = (struct ns_new_content){ .kind = NS_CONTENT_INLINE,
                                         .bytes = "content",
                                         .bytes_len = 7,
                                         .size = 23,
                                         .data_bytes = 24,
                                         .stored_bytes = 25,
                                         .session = 26,
                                         .flushed = true,
                                         .released = ids,
                                         .released_count = 2 };
    e.node = (struct ns_node){ .node = 27, .name = "n1", .domain = "disk 1", .path = "/srv/1" };
    memset(e.node.uuid.b, 28, VS_ID_BYTES);
    memset(e.cluster.b, 29, VS_ID_BYTES);
    return e;
}

static void encode(enum ns_entry_kind kind, struct vs_buf *buf)
{
    struct ns_entry e = make_entry(kind);

    buf->len = 0;
    assert_int_equal(ns_entry_encode(&e, buf), 0);
}

static int decode(const struct vs_buf *buf, size_t len, struct ns_entry *ret)
{
    void *owned = NULL;
    int r = ns_entry_decode(buf->data, len, ret, &owned);

    free(owned);
    return r;
}

/* Fields a kind does not use are zero when decoded; those it uses are as they were. */
static void assert_kept(const struct ns_entry *got, const struct ns_entry *want)
{
#define KEPT(field)                                                                                \
    if (got->field != 0)                                                                           \
    assert_int_equal(got->field, want->field)
    KEPT(parent);
    KEPT(ino);
    KEPT(new_parent);
    KEPT(flags);
    KEPT(set);
    KEPT(flags_set);
    KEPT(flags_clear);
    KEPT(attr.mode);
    KEPT(attr.rdev);
    KEPT(attr.mtime.s);
    KEPT(content.kind);
    KEPT(content.size);
    KEPT(content.session);
    KEPT(base_version);
    KEPT(taken);
    KEPT(session);
    KEPT(count);
    KEPT(pid);
    KEPT(inc);
    KEPT(node.node);
#undef KEPT
}

static void every_kind_comes_back_as_it_went_in(void **state)
{
    struct vs_buf buf = { 0 }, again = { 0 };

    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct ns_entry e = make_entry((enum ns_entry_kind)kind), back;

        encode((enum ns_entry_kind)kind, &buf);
        assert_int_equal(decode(&buf, buf.len, &back), 0);
        assert_int_equal(back.kind, kind);
        assert_int_equal(back.now.s, e.now.s);
        assert_int_equal(back.now.ns, 1);
        assert_int_equal(back.client, 2);
        assert_int_equal(back.request, 3);
        assert_kept(&back, &e);
        again.len = 0;
        assert_int_equal(ns_entry_encode(&back, &again), 0);
        assert_int_equal(again.len, buf.len);
        assert_memory_equal(again.data, buf.data, buf.len);
    }
    vs_buf_close(&buf);
    vs_buf_close(&again);
}

static void each_kind_carries_the_fields_its_rule_reads(void **state)
{
    struct vs_buf buf = { 0 };
    struct ns_entry e;

    (void)state;
    encode(NS_E_CREATE, &buf);
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    assert_int_equal(e.parent, 4);
    assert_int_equal(e.name_len, 4);
    assert_memory_equal(e.name, "name", 4);
    assert_int_equal(e.ino, 5);
    assert_int_equal(e.flags, 7);
    assert_int_equal(e.set, 8);
    assert_int_equal(e.attr.mode, 17);
    assert_int_equal(e.attr.uid, 18);
    assert_int_equal(e.attr.gid, 19);
    assert_int_equal(e.attr.rdev, 20);
    assert_int_equal(e.attr.atime.s, 21);
    assert_int_equal(e.attr.atime.ns, 22);
    assert_int_equal(e.attr.mtime.s, INT64_C(16725225600));
    assert_int_equal(e.content.bytes_len, 7);
    assert_memory_equal(e.content.bytes, "content", 7);
    assert_int_equal(e.content.size, 23);
    assert_int_equal(e.content.data_bytes, 24);
    assert_int_equal(e.content.stored_bytes, 25);
    assert_int_equal(e.content.session, 26);
    assert_true(e.content.flushed);
    assert_int_equal(e.content.released_count, 2);
    assert_memory_equal(e.content.released, ids, 2 * sizeof(ids[0]));

    encode(NS_E_RENAME, &buf);
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    assert_int_equal(e.new_parent, 6);
    assert_memory_equal(e.new_name, "new name", e.new_name_len);
    assert_int_equal(e.flags, 7);

    encode(NS_E_SWAP, &buf);
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    assert_int_equal(e.base_version, 11);
    assert_true(e.keep_times);
    assert_int_equal(e.content.released_count, 2);

    encode(NS_E_SETXATTR, &buf);
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    assert_memory_equal(e.name, "name", e.name_len);
    assert_memory_equal(e.value, "value", e.value_len);

    encode(NS_E_SESSION_OPEN, &buf);
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    assert_int_equal(e.count, 14);
    assert_int_equal(e.pid, 15);
    assert_int_equal(e.inc, 16);

    encode(NS_E_SESSION_ABORT, &buf);
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    assert_int_equal(e.session, 13);
    assert_int_equal(e.content.released_count, 2);

    encode(NS_E_COLLECTED, &buf);
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    assert_int_equal(e.collected_count, 3);
    assert_memory_equal(e.collected, ids, sizeof(ids));
    vs_buf_close(&buf);
}

static void a_node_comes_back_with_all_its_fields(void **state)
{
    struct vs_buf buf = { 0 };
    struct ns_entry e;

    (void)state;
    encode(NS_E_NODE_PUT, &buf);
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    assert_int_equal(e.node.node, 27);
    assert_string_equal(e.node.domain, "disk 1");
    assert_string_equal(e.node.path, "/srv/1");

    e = make_entry(NS_E_NODE_PUT);
    e.node.state = NS_NODE_DRAINING;
    e.node.capacity_bytes = 30;
    buf.len = 0;
    assert_int_equal(ns_entry_encode(&e, &buf), 0);
    assert_int_equal(buf.data[0], 2);
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    assert_int_equal(e.node.state, NS_NODE_DRAINING);
    assert_int_equal(e.node.capacity_bytes, 30);
    vs_buf_close(&buf);
}

static void every_truncated_or_longer_entry_is_refused(void **state)
{
    struct vs_buf buf = { 0 };
    struct ns_entry back;

    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        encode((enum ns_entry_kind)kind, &buf);
        for (size_t len = 0; len < buf.len; len++)
            assert_int_equal(decode(&buf, len, &back), -VS_ECORRUPT);
        assert_int_equal(vs_buf_append(&buf, "", 1, SIZE_MAX), 0);
        assert_int_equal(decode(&buf, buf.len, &back), -VS_ECORRUPT);
    }
    vs_buf_close(&buf);
}

static void a_newer_format_or_kind_is_said_to_be_newer(void **state)
{
    struct vs_buf buf = { 0 };
    struct ns_entry back;

    (void)state;
    encode(NS_E_NOP, &buf);
    buf.data[0] = 2;
    assert_int_equal(decode(&buf, buf.len, &back), -VS_ENEWER);
    buf.data[0] = 1;
    buf.data[1] = KINDS;
    assert_int_equal(decode(&buf, buf.len, &back), -VS_ENEWER);
    vs_buf_close(&buf);
}

/* One state of a node has one form: else two replicas could hold different bytes of one entry. */
static void a_node_that_says_nothing_more_is_not_of_format_2(void **state)
{
    struct ns_entry e = make_entry(NS_E_NODE_PUT);
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(ns_entry_encode(&e, &buf), 0);
    assert_int_equal(buf.data[0], 1);
    buf.data[0] = 2;
    assert_int_equal(vs_buf_append(&buf, "\0\0\0\0\0\0\0\0", 9, SIZE_MAX), 0);
    assert_int_equal(decode(&buf, buf.len, &e), -VS_ECORRUPT);
    buf.data[buf.len - 1] = 1; /* a capacity */
    assert_int_equal(decode(&buf, buf.len, &e), 0);
    vs_buf_close(&buf);
}

static void a_mount_says_what_it_has_let_go_of_in_format_2_only(void **state)
{
    uint8_t pins[(NS_MOUNT_PINS_MAX + 1) * 8] = { 5 };
    struct ns_entry e = { .kind = NS_E_MOUNT, .mount = 1 }, back;
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(ns_entry_encode(&e, &buf), 0);
    assert_int_equal(buf.data[0], 1);
    buf.len = 0;
    e.heard = 7;
    e.value = pins;
    e.value_len = sizeof(pins) - 8;
    assert_int_equal(ns_entry_encode(&e, &buf), 0);
    assert_int_equal(buf.data[0], 2);
    assert_int_equal(decode(&buf, buf.len, &back), 0);
    assert_int_equal(back.heard, 7);
    assert_int_equal(back.value_len, sizeof(pins) - 8);
    assert_memory_equal(back.value, pins, sizeof(pins) - 8);
    buf.data[buf.len - back.value_len - 4 + 1] = 0x7f; /* more than may be */
    assert_int_equal(decode(&buf, buf.len, &back), -VS_ECORRUPT);
    buf.len = 0;
    e.value_len = sizeof(pins);
    assert_int_equal(ns_entry_encode(&e, &buf), -EINVAL);
    vs_buf_close(&buf);
}

static void a_session_names_its_mount_and_signs_of_life_in_format_2_only(void **state)
{
    const enum ns_entry_kind kinds[] = { NS_E_SESSION_OPEN, NS_E_SESSION_ABORT };
    struct vs_buf buf = { 0 };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct ns_entry e = make_entry(kinds[i]), back;

        buf.len = 0;
        assert_int_equal(ns_entry_encode(&e, &buf), 0);
        assert_int_equal(buf.data[0], 1);
        e.mount = 31;
        e.signs = 32;
        buf.len = 0;
        assert_int_equal(ns_entry_encode(&e, &buf), 0);
        assert_int_equal(buf.data[0], 2);
        assert_int_equal(decode(&buf, buf.len, &back), 0);
        assert_int_equal(back.mount, i == 0 ? 31 : 0);
        assert_int_equal(back.signs, i == 0 ? 0 : 32);
        if (i == 0) { /* format 2 that says no more than 1 does */
            memset(buf.data + buf.len - 8, 0, 8);
            assert_int_equal(decode(&buf, buf.len, &back), -VS_ECORRUPT);
        }
    }
    buf.len = 0;
    assert_int_equal(
        ns_entry_encode(&(struct ns_entry){ .kind = NS_E_SESSION_TOUCH, .mount = 33 }, &buf), 0);
    assert_int_equal(buf.data[0], 1);
    vs_buf_close(&buf);
}

static void a_field_beyond_its_limit_is_not_encoded(void **state)
{
    char name[NS_NAME_BYTES_MAX + 1];
    struct vs_buf buf = { 0 };
    struct ns_entry e;

    (void)state;
    memset(name, 'x', sizeof(name));
    e = make_entry(NS_E_UNLINK);
    e.name = name;
    e.name_len = NS_NAME_BYTES_MAX;
    assert_int_equal(ns_entry_encode(&e, &buf), 0);
    buf.len = 0;
    e.name_len = NS_NAME_BYTES_MAX + 1;
    assert_int_equal(ns_entry_encode(&e, &buf), -ENAMETOOLONG);
    e.kind = NS_E_REMOVEXATTR;
    assert_int_equal(ns_entry_encode(&e, &buf), -ERANGE);
    e = make_entry(NS_E_NOP);
    e.now.ns = 1000000000;
    assert_int_equal(ns_entry_encode(&e, &buf), -EINVAL);
    e = make_entry((enum ns_entry_kind)KINDS);
    assert_int_equal(ns_entry_encode(&e, &buf), -EINVAL);
    e = make_entry(NS_E_COLLECTED);
    e.collected_count = NS_RELEASED_MAX + 1;
    assert_int_equal(ns_entry_encode(&e, &buf), -EINVAL);
    e = make_entry(NS_E_NODE_PUT);
    memset(e.node.path, 'x', sizeof(e.node.path));
    assert_int_equal(ns_entry_encode(&e, &buf), -EINVAL);
    assert_int_equal(buf.len, 0);
    vs_buf_close(&buf);
}

static void more_ids_than_an_entry_may_have_are_refused_before_they_are_looked_at(void **state)
{
    struct ns_entry e = make_entry(NS_E_COLLECTED), back;
    struct vs_id *many = calloc(NS_RELEASED_MAX, sizeof(*many));
    struct vs_buf buf = { 0 };

    (void)state;
    assert_non_null(many);
    e.collected = many;
    e.collected_count = NS_RELEASED_MAX;
    assert_int_equal(ns_entry_encode(&e, &buf), 0);
    assert_int_equal(decode(&buf, buf.len, &back), 0);
    assert_int_equal(back.collected_count, NS_RELEASED_MAX);
    buf.data[buf.len - NS_RELEASED_MAX * sizeof(*many) - 4]++; /* the count, and one more id */
    assert_int_equal(vs_buf_append(&buf, many, sizeof(*many), SIZE_MAX), 0);
    assert_int_equal(decode(&buf, buf.len, &back), -VS_ECORRUPT);
    free(many);
    vs_buf_close(&buf);
}

static void an_entry_beyond_4_mib_is_not_encoded(void **state)
{
    struct ns_entry e = make_entry(NS_E_MEDIA);
    struct vs_buf buf = { 0 };
    void *big = calloc(1, NS_ENTRY_BYTES_MAX);

    (void)state;
    assert_non_null(big);
    e.value = big;
    e.value_len = NS_ENTRY_BYTES_MAX;
    assert_int_equal(ns_entry_encode(&e, &buf), -EMSGSIZE);
    assert_int_equal(buf.len, 0);
    free(big);
    vs_buf_close(&buf);
}

static void random_bytes_decode_to_something_valid_or_nothing(void **state)
{
    struct vs_buf buf = { 0 }, again = { 0 };
    struct vs_rand rand;
    struct ns_entry back;

    (void)state;
    vs_rand_init(&rand, 4);
    for (int round = 0; round < 40000; round++) {
        encode((enum ns_entry_kind)vs_rand_below(&rand, KINDS), &buf);
        for (unsigned flips = 0; flips < 2; flips++)
            buf.data[vs_rand_below(&rand, buf.len)] = (uint8_t)vs_rand_u64(&rand);
        if (decode(&buf, buf.len, &back) != 0)
            continue;
        again.len = 0;
        assert_int_equal(ns_entry_encode(&back, &again), 0);
        assert_int_equal(again.len, buf.len);
        assert_memory_equal(again.data, buf.data, buf.len);
    }
    vs_buf_close(&buf);
    vs_buf_close(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_as_it_went_in),
        cmocka_unit_test(each_kind_carries_the_fields_its_rule_reads),
        cmocka_unit_test(a_node_comes_back_with_all_its_fields),
        cmocka_unit_test(every_truncated_or_longer_entry_is_refused),
        cmocka_unit_test(a_newer_format_or_kind_is_said_to_be_newer),
        cmocka_unit_test(a_node_that_says_nothing_more_is_not_of_format_2),
        cmocka_unit_test(a_mount_says_what_it_has_let_go_of_in_format_2_only),
        cmocka_unit_test(a_session_names_its_mount_and_signs_of_life_in_format_2_only),
        cmocka_unit_test(a_field_beyond_its_limit_is_not_encoded),
        cmocka_unit_test(more_ids_than_an_entry_may_have_are_refused_before_they_are_looked_at),
        cmocka_unit_test(an_entry_beyond_4_mib_is_not_encoded),
        cmocka_unit_test(random_bytes_decode_to_something_valid_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
