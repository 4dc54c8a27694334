/* ns_record: values of the namespace come back as they went in; nothing else decodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/rand.h"
#include "meta/ns_record.h"

#include <string.h>
#include <sys/stat.h>

/* Any of the records, to run the same rules over all of them. */
union record {
    struct ns_state state;
    struct ns_inode inode;
    struct ns_link link;
    struct ns_item item;
    struct ns_session session;
    struct ns_node node;
    struct ns_retry retry;
    struct ns_mount mount;
    uint64_t number;
};

#define CODEC(name, member)                                                                        \
    static int name##_out(const union record *r, struct vs_buf *ret)                               \
    {                                                                                              \
        return ns_##name##_encode(&r->member, ret);                                                \
    }                                                                                              \
    static int name##_in(const void *bytes, size_t len, union record *ret)                         \
    {                                                                                              \
        return ns_##name##_decode(bytes, len, &ret->member);                                       \
    }
CODEC(state, state)
CODEC(inode, inode)
CODEC(link, link)
CODEC(item, item)
CODEC(session, session)
CODEC(node, node)
CODEC(retry, retry)
CODEC(mount, mount)

static int number_out(const union record *r, struct vs_buf *ret)
{
    return ns_u64_encode(r->number, ret);
}

static int number_in(const void *bytes, size_t len, union record *ret)
{
    return ns_u64_decode(bytes, len, &ret->number);
}

static struct ns_attr make_attr(void)
{
    return (struct ns_attr){ .ino = 1,
                             .generation = 2,
                             .mode = S_IFREG | 0644,
                             .uid = 4,
                             .gid = 5,
                             .nlink = 6,
                             .rdev = 7,
                             .size = 8,
                             .data_bytes = 9,
                             .stored_bytes = 10,
                             .atime = { -315619200, 999999999 },
                             .mtime = { INT64_C(16725225600), 12 },
                             .ctime = { 13, 14 },
                             .btime = { 15, 16 },
                             .version = 17,
                             .mirror = 18,
                             .parent = 19,
                             .flags = 20,
                             .content = NS_CONTENT_CHUNKS };
}

static void make_state(union record *r)
{
    r->state = (struct ns_state){ { "cluster" }, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
}

static void make_inode(union record *r)
{
    r->inode = (struct ns_inode){ make_attr(), 21, 22, 23, 24 };
}

static void make_link(union record *r)
{
    r->link = (struct ns_link){ 1, 2 };
}

static void make_item(union record *r)
{
    r->item = (struct ns_item){ .ino = 3, .type = S_IFDIR, .name_len = 4, .name = "name" };
}

static void make_session(union record *r)
{
    r->session = (struct ns_session){ 1, 2, { 3, 4 }, { 5, 6 }, 7, 8, 9, 0, 0 };
}

static void make_owned(union record *r)
{
    make_session(r);
    r->session.mount = 10;
    r->session.signs = 11;
}

static void make_node(union record *r)
{
    r->node = (struct ns_node){ 1, { "uuid" }, "n1", "disk", "/srv", 0, 0 };
}

static void make_drained(union record *r)
{
    r->node = (struct ns_node){ 1, { "uuid" }, "n1", "disk", "/srv", NS_NODE_DRAINING, 5 };
}

static void make_mount(union record *r)
{
    r->mount = (struct ns_mount){ .signs = 1 };
}

static void make_reader(union record *r)
{
    r->mount =
        (struct ns_mount){ .signs = 1, .heard = 2, .pins = "inode  1inode  2", .pins_len = 16 };
}

static void make_retry(union record *r)
{
    r->retry = (struct ns_retry){ .request = 1,
                                  .answer = { .status = -ENOTEMPTY,
                                              .attr = make_attr(),
                                              .replaced = make_attr(),
                                              .first = 2,
                                              .session = 3,
                                              .published = 4,
                                              .dir = 5,
                                              .name = "answer",
                                              .name_len = 6 } };
}

static void make_number(union record *r)
{
    r->number = 0x0102030405060708;
}

static const struct {
    void (*make)(union record *r);
    int (*out)(const union record *r, struct vs_buf *ret);
    int (*in)(const void *bytes, size_t len, union record *ret);
} records[] = {
    { make_state, state_out, state_in },       { make_inode, inode_out, inode_in },
    { make_link, link_out, link_in },          { make_item, item_out, item_in },
    { make_session, session_out, session_in }, { make_owned, session_out, session_in },
    { make_node, node_out, node_in },          { make_retry, retry_out, retry_in },
    { make_number, number_out, number_in },    { make_drained, node_out, node_in },
    { make_mount, mount_out, mount_in },       { make_reader, mount_out, mount_in },
};
#define RECORDS (sizeof(records) / sizeof(records[0]))

static void every_record_comes_back_as_it_went_in(void **state)
{
    struct vs_buf buf = { 0 }, again = { 0 };
    union record r, back;

    (void)state;
    for (size_t i = 0; i < RECORDS; i++) {
        memset(&r, 0, sizeof(r));
        memset(&back, 0, sizeof(back));
        records[i].make(&r);
        buf.len = again.len = 0;
        assert_int_equal(records[i].out(&r, &buf), 0);
        assert_int_equal(records[i].in(buf.data, buf.len, &back), 0);
        assert_int_equal(records[i].out(&back, &again), 0);
        assert_int_equal(again.len, buf.len);
        assert_memory_equal(again.data, buf.data, buf.len);
    }
    vs_buf_close(&buf);
    vs_buf_close(&again);
}

/* The same bytes again proves nothing about a field that neither side knows. */
static void no_field_is_lost(void **state)
{
    struct vs_buf buf = { 0 };
    union record r, back;

    (void)state;
    make_inode(&r);
    assert_int_equal(inode_out(&r, &buf), 0);
    assert_int_equal(inode_in(buf.data, buf.len, &back), 0);
    assert_int_equal(back.inode.attr.ino, 1);
    assert_int_equal(back.inode.attr.generation, 2);
    assert_int_equal(back.inode.attr.mode, S_IFREG | 0644);
    assert_int_equal(back.inode.attr.uid, 4);
    assert_int_equal(back.inode.attr.gid, 5);
    assert_int_equal(back.inode.attr.nlink, 6);
    assert_int_equal(back.inode.attr.rdev, 7);
    assert_int_equal(back.inode.attr.size, 8);
    assert_int_equal(back.inode.attr.data_bytes, 9);
    assert_int_equal(back.inode.attr.stored_bytes, 10);
    assert_int_equal(back.inode.attr.atime.s, -315619200);
    assert_int_equal(back.inode.attr.atime.ns, 999999999);
    assert_int_equal(back.inode.attr.mtime.s, INT64_C(16725225600));
    assert_int_equal(back.inode.attr.ctime.ns, 14);
    assert_int_equal(back.inode.attr.btime.s, 15);
    assert_int_equal(back.inode.attr.version, 17);
    assert_int_equal(back.inode.attr.mirror, 18);
    assert_int_equal(back.inode.attr.parent, 19);
    assert_int_equal(back.inode.attr.flags, 20 | NS_F_XATTRS);
    assert_int_equal(back.inode.attr.content, NS_CONTENT_CHUNKS);
    assert_int_equal(back.inode.cookie, 21);
    assert_int_equal(back.inode.chunks, 22);
    assert_int_equal(back.inode.xattr_list_bytes, 23);
    assert_int_equal(back.inode.xattr_bytes, 24);

    make_state(&r);
    buf.len = 0;
    assert_int_equal(state_out(&r, &buf), 0);
    assert_int_equal(state_in(buf.data, buf.len, &back), 0);
    assert_memory_equal(&back.state, &r.state, sizeof(r.state));

    make_retry(&r);
    buf.len = 0;
    assert_int_equal(retry_out(&r, &buf), 0);
    assert_int_equal(retry_in(buf.data, buf.len, &back), 0);
    assert_int_equal(back.retry.answer.status, -ENOTEMPTY);
    assert_int_equal(back.retry.answer.first, 2);
    assert_int_equal(back.retry.answer.session, 3);
    assert_int_equal(back.retry.answer.published, 4);
    assert_int_equal(back.retry.answer.dir, 5);
    assert_memory_equal(back.retry.answer.name, "answer", 6);
    vs_buf_close(&buf);
}

static void every_truncated_longer_or_newer_record_is_refused(void **state)
{
    struct vs_buf buf = { 0 };
    union record r, back;

    (void)state;
    for (size_t i = 0; i < RECORDS; i++) {
        memset(&r, 0, sizeof(r));
        records[i].make(&r);
        buf.len = 0;
        assert_int_equal(records[i].out(&r, &buf), 0);
        for (size_t len = 0; len < buf.len; len++)
            assert_int_equal(records[i].in(buf.data, len, &back), -VS_ECORRUPT);
        assert_int_equal(vs_buf_append(&buf, "", 1, SIZE_MAX), 0);
        assert_int_equal(records[i].in(buf.data, buf.len, &back), -VS_ECORRUPT);
        buf.data[0] = 3;
        assert_int_equal(records[i].in(buf.data, buf.len, &back), -VS_ENEWER);
    }
    vs_buf_close(&buf);
}

static void random_bytes_decode_to_something_valid_or_nothing(void **state)
{
    struct vs_buf buf = { 0 }, again = { 0 };
    union record r, back;
    struct vs_rand rand;

    (void)state;
    vs_rand_init(&rand, 5);
    for (int round = 0; round < 40000; round++) {
        size_t i = vs_rand_below(&rand, RECORDS);

        memset(&r, 0, sizeof(r));
        memset(&back, 0, sizeof(back));
        records[i].make(&r);
        buf.len = again.len = 0;
        assert_int_equal(records[i].out(&r, &buf), 0);
        buf.data[vs_rand_below(&rand, buf.len)] = (uint8_t)vs_rand_u64(&rand);
        if (records[i].in(buf.data, buf.len, &back) != 0)
            continue;
        assert_int_equal(records[i].out(&back, &again), 0);
        assert_int_equal(again.len, buf.len);
        assert_memory_equal(again.data, buf.data, buf.len);
    }
    vs_buf_close(&buf);
    vs_buf_close(&again);
}

static void stamped_bytes_carry_their_version_behind_them(void **state)
{
    struct vs_buf buf = { 0 };
    uint64_t version;

    (void)state;
    assert_int_equal(ns_stamp_encode("hello", 5, 77, &buf), 0);
    assert_int_equal(ns_stamp_decode(buf.data, buf.len, &version), 5);
    assert_memory_equal(buf.data, "hello", 5);
    assert_int_equal(version, 77);
    assert_int_equal(ns_stamp_decode(buf.data, 7, &version), -VS_ECORRUPT);
    vs_buf_close(&buf);
}

static void what_was_released_says_by_which_entry_or_nothing_at_all(void **state)
{
    struct ns_released r = { 1, 2 }, back;
    struct vs_buf buf = { 0 };

    (void)state;
    assert_int_equal(ns_released_encode(&r, &buf), 0);
    assert_int_equal(ns_released_decode(buf.data, buf.len, &back), 0);
    assert_memory_equal(&back, &r, sizeof(r));
    for (size_t len = 1; len < buf.len; len++)
        assert_int_equal(ns_released_decode(buf.data, len, &back), -VS_ECORRUPT);
    assert_int_equal(ns_released_decode(buf.data, 0, &back), 0);
    assert_int_equal(back.slot, 0);
    assert_int_equal(back.ino, 0);
    vs_buf_close(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_comes_back_as_it_went_in),
        cmocka_unit_test(no_field_is_lost),
        cmocka_unit_test(every_truncated_longer_or_newer_record_is_refused),
        cmocka_unit_test(random_bytes_decode_to_something_valid_or_nothing),
        cmocka_unit_test(stamped_bytes_carry_their_version_behind_them),
        cmocka_unit_test(what_was_released_says_by_which_entry_or_nothing_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
