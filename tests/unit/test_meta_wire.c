/* Questions to the metadata and their answers as bytes: what is asked arrives, what is answered
 * comes back, and nothing that is broken is believed. */
#include "meta/meta_wire.h"

#include "common/assert.h"
#include "common/crc.h"
#include "common/err.h"
#include "meta/px.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define OPS META_OPS

static const struct vs_id cluster = { { 7, 1, 2, 3 } };

/* A request with room for its answer. */
struct asker {
    struct meta_req req;
    struct ns_entry entry;
    struct meta_reg regs[3];
    struct ns_dirent dirents[4];
    struct ns_node nodes[3];
    struct health_now now[3];
    uint64_t u64s[4];
    struct vs_id ids[4];
};

static void asker_init(struct asker *a, enum meta_op op, enum meta_scan scan)
{
    memset(a, 0, sizeof(*a));
    a->entry = (struct ns_entry){ .kind = NS_E_CREATE,
                                  .client = 9,
                                  .request = 10,
                                  .parent = NS_INO_ROOT,
                                  .name = "film.mkv",
                                  .name_len = 8,
                                  .ino = 77,
                                  .attr = { .mode = S_IFREG | 0644, .mtime = { -5, 6 } } };
    for (unsigned i = 0; i < 3; i++)
        a->regs[i] = (struct meta_reg){ .id = vs_id_make(1, 2, 3 + i, VS_ID_CHUNK),
                                        .value = op == META_REG_READ ? NULL : "value",
                                        .value_len = op == META_REG_READ ? 0 : 5,
                                        .expect_generation = op == META_REG_CHANGE ? 4 + i : 0 };
    a->req = (struct meta_req){
        .op = op, .ino = 42, .scan = scan, .hint = op == META_REG_READ, .here = op % 2 == 0
    };
    a->req.entry = op == META_CHANGE ? &a->entry : NULL;
    if (op == META_LOOKUP || op == META_GETXATTR) {
        a->req.name = "user.name";
        a->req.name_len = 9;
    }
    a->req.cookie = 17;
    a->req.dump = 69;
    a->req.after = 23;
    a->req.wait_ms = 250;
    a->req.with_attr = true;
    a->req.dirents = a->dirents;
    a->req.dirents_max = 4;
    a->req.nodes = a->nodes;
    a->req.nodes_now = a->now;
    a->req.nodes_max = 3;
    a->req.regs = a->regs;
    a->req.reg_count = meta_wire_op_regs(op) ? 3 : 0;
    a->req.scan_after = 5;
    a->req.scan_after_id = a->regs[1].id;
    a->req.scan_u64 = a->u64s;
    a->req.scan_ids = a->ids;
    a->req.scan_max = 4;
}

static void asker_close(struct asker *a)
{
    for (unsigned i = 0; i < 3; i++)
        vs_buf_close(&a->regs[i].current);
    vs_buf_close(&a->req.bytes);
}

static struct ns_attr some_attr(uint64_t ino)
{
    return (struct ns_attr){ .ino = ino,
                             .generation = 2,
                             .mode = S_IFREG | 0640,
                             .uid = 3,
                             .gid = 4,
                             .nlink = 5,
                             .rdev = 6,
                             .size = 7,
                             .data_bytes = 8,
                             .stored_bytes = 9,
                             .atime = { -10, 11 },
                             .mtime = { 12, 13 },
                             .ctime = { 14, 15 },
                             .btime = { 16, 999999999 },
                             .version = 17,
                             .mirror = 18,
                             .parent = 19,
                             .flags = NS_F_MEDIA_DUE,
                             .content = NS_CONTENT_CHUNKS };
}

static void set_buf(struct vs_buf *b, const char *text)
{
    b->len = 0;
    VS_ASSERT(vs_buf_append(b, text, strlen(text), 1000) == 0);
}

/* The second is a node that nobody has heard yet. */
static struct health_now some_now(uint32_t i)
{
    return i == 0 ? (struct health_now){ true, HEALTH_DRAINING, true, true, 70, 71, 72 }
                  : (struct health_now){ .known = true, .state = HEALTH_DOWN };
}

/* What the metadata would put into the request. */
static void answer_fill(struct meta_req *r, int status)
{
    r->status = status;
    r->answer = (struct ns_answer){ .status = status,
                                    .attr = some_attr(1),
                                    .replaced = some_attr(2),
                                    .first = 3,
                                    .session = 4,
                                    .published = NS_PUBLISHED_NUMBERED,
                                    .dir = 5,
                                    .name = "film (2).mkv",
                                    .name_len = 12 };
    r->attr = some_attr(42);
    set_buf(&r->bytes, "some bytes");
    for (uint32_t i = 0; r->dirents != NULL && i < 2; i++)
        r->dirents[i] = (struct ns_dirent){
            .cookie = 20 + i, .attr = some_attr(30 + i), .name_len = 3, .name = "abc"
        };
    r->dirents_count = 2;
    for (uint32_t i = 0; i < r->reg_count; i++) {
        r->regs[i].status = i == 1 ? -ESTALE : 0;
        set_buf(&r->regs[i].current, i == 1 ? "other" : "");
    }
    for (uint32_t i = 0; r->nodes != NULL && i < 2; i++)
        r->nodes[i] =
            (struct ns_node){ .node = i + 1, .name = "n1", .domain = "disk 1", .path = "/srv/1" };
    for (uint32_t i = 0; r->nodes_now != NULL && i < 2; i++)
        r->nodes_now[i] = some_now(i);
    r->nodes_count = 2;
    r->slot = 29;
    r->reset = true;
    r->stats = (struct meta_stats){ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "the brake" };
    for (uint32_t i = 0; i < 2; i++) {
        if (r->scan_u64 != NULL)
            r->scan_u64[i] = 50 + i;
        if (r->scan_ids != NULL)
            r->scan_ids[i] = vs_id_make(1, 2, 60 + i, VS_ID_CHUNK);
    }
    r->scan_count = 2;
    r->dump = 70;
    r->dump_ended = true;
}

/* Every operation, and every list. */
static unsigned kinds(unsigned n, enum meta_op *op, enum meta_scan *scan)
{
    unsigned scans = META_SCAN_WRITERS + 1;
    bool scanning = n >= META_SCAN && n < META_SCAN + scans;

    *op = scanning ? META_SCAN : n < META_SCAN ? (enum meta_op)n : (enum meta_op)(n - scans + 1);
    *scan = scanning ? (enum meta_scan)(n - META_SCAN) : META_SCAN_SESSIONS;
    return n < META_OPS - 1 + scans;
}

static void assert_asked(const struct asker *a, const struct meta_wire_asked *q)
{
    const struct meta_req *r = &q->req;

    assert_false(q->hello);
    assert_int_equal(vs_id_cmp(&q->cluster, &cluster), 0);
    assert_int_equal(r->op, a->req.op);
    if (r->op == META_CHANGE) {
        assert_int_equal(r->entry->client, 9);
        assert_int_equal(r->entry->request, 10);
        assert_int_equal(r->entry->ino, 77);
        assert_memory_equal(r->entry->name, "film.mkv", 8);
    } else if (!meta_wire_op_regs(r->op) && r->op < META_REG_CREATE) {
        assert_int_equal(r->ino, 42);
    }
    if (r->op == META_LOOKUP || r->op == META_GETXATTR) {
        assert_int_equal(r->name_len, 9);
        assert_memory_equal(r->name, "user.name", 9);
    }
    if (r->op == META_READDIR) {
        assert_int_equal(r->cookie, 17);
        assert_true(r->with_attr);
        assert_int_equal(r->dirents_max, 4);
    }
    assert_int_equal(r->hint, a->req.hint);
    assert_int_equal(r->here, a->req.here);
    assert_int_equal(r->reg_count, a->req.reg_count);
    for (uint32_t i = 0; i < r->reg_count; i++) {
        assert_int_equal(vs_id_cmp(&r->regs[i].id, &a->regs[i].id), 0);
        assert_int_equal(r->regs[i].expect_generation, a->regs[i].expect_generation);
        assert_int_equal(r->regs[i].value_len, a->regs[i].value_len);
        if (a->regs[i].value_len > 0)
            assert_memory_equal(r->regs[i].value, "value", 5);
    }
    if (r->op == META_DUMP)
        assert_int_equal(r->dump, 69);
    if (r->op == META_NODES)
        assert_int_equal(r->nodes_max, 3);
    if (meta_op_feed(r->op)) {
        assert_int_equal(r->after, 23);
        assert_int_equal(r->wait_ms, 250);
    }
    if (r->op == META_SCAN) {
        assert_int_equal(r->scan, a->req.scan);
        assert_int_equal(r->scan_after, 5);
        assert_int_equal(vs_id_cmp(&r->scan_after_id, &a->regs[1].id), 0);
        assert_int_equal(r->scan_max, 4);
    }
}

static void assert_answered(const struct asker *a, const struct meta_req *want)
{
    const struct meta_req *r = &a->req;
    bool bytes = r->op == META_CONTENT || r->op == META_MEDIA || r->op == META_VIEWS ||
                 r->op == META_GETXATTR || r->op == META_LISTXATTR || r->op == META_DUMP ||
                 meta_op_feed(r->op);
    bool attr = r->op == META_LOOKUP || r->op == META_GETATTR || r->op == META_CONTENT ||
                r->op == META_MEDIA || r->op == META_VIEWS;

    assert_int_equal(r->status, want->status);
    if (r->op == META_CHANGE)
        assert_memory_equal(&r->answer, &want->answer, sizeof(r->answer));
    if (attr)
        assert_memory_equal(&r->attr, &want->attr, sizeof(r->attr));
    assert_int_equal(r->bytes.len, bytes ? 10 : 0);
    if (bytes)
        assert_memory_equal(r->bytes.data, "some bytes", 10);
    if (r->op == META_READDIR) {
        assert_int_equal(r->dirents_count, 2);
        assert_memory_equal(a->dirents, want->dirents, 2 * sizeof(a->dirents[0]));
    }
    for (uint32_t i = 0; i < r->reg_count; i++) {
        assert_int_equal(a->regs[i].status, want->regs[i].status);
        assert_int_equal(a->regs[i].current.len, want->regs[i].current.len);
    }
    if (meta_wire_op_regs(r->op))
        assert_memory_equal(a->regs[1].current.data, "other", 5);
    if (r->op == META_NODES) {
        assert_int_equal(r->nodes_count, 2);
        assert_memory_equal(a->nodes, want->nodes, 2 * sizeof(a->nodes[0]));
        for (uint32_t i = 0; i < 2; i++) {
            struct health_now now = some_now(i);

            assert_int_equal(a->now[i].known, now.known);
            assert_int_equal(a->now[i].state, now.state);
            assert_int_equal(a->now[i].heard, now.heard);
            assert_int_equal(a->now[i].writable, now.writable);
            assert_int_equal(a->now[i].free_bytes, now.free_bytes);
            assert_int_equal(a->now[i].total_bytes, now.total_bytes);
            assert_int_equal(a->now[i].fragments, now.fragments);
        }
    }
    if (r->op == META_DUMP) {
        assert_int_equal(r->dump, 70);
        assert_true(r->dump_ended);
    }
    assert_int_equal(r->slot, meta_op_feed(r->op) ? 29 : 0);
    assert_int_equal(r->reset, meta_op_feed(r->op));
    if (r->op == META_STATS)
        assert_memory_equal(&r->stats, &want->stats, sizeof(r->stats));
    if (r->op == META_SCAN) {
        assert_int_equal(r->scan_count, 2);
        if (meta_wire_scan_ids(r->scan))
            assert_memory_equal(a->ids, want->scan_ids, 2 * sizeof(a->ids[0]));
        else
            assert_memory_equal(a->u64s, want->scan_u64, 2 * sizeof(a->u64s[0]));
    }
}

static void every_operation_and_its_answer_arrive_as_they_were(void **state)
{
    enum meta_op op;
    enum meta_scan scan;

    (void)state;
    for (unsigned n = 0; kinds(n, &op, &scan); n++) {
        struct vs_buf ask = { 0 }, answer = { 0 };
        struct meta_wire_asked q;
        struct asker a;

        asker_init(&a, op, scan);
        assert_int_equal(meta_wire_ask(&a.req, &cluster, &ask), 0);
        assert_int_equal(meta_wire_asked(ask.data, ask.len, &q), 0);
        assert_asked(&a, &q);
        answer_fill(&q.req, 0);
        assert_int_equal(meta_wire_answer(&q.req, &answer), 0);
        assert_true(answer.len <= meta_wire_answer_max(&a.req));
        assert_int_equal(meta_wire_answered(answer.data, answer.len, &a.req), 0);
        assert_answered(&a, &q.req);
        meta_wire_asked_close(&q);
        meta_wire_asked_close(&q);
        asker_close(&a);
        vs_buf_close(&ask);
        vs_buf_close(&answer);
    }
}

static void a_failed_request_says_its_error_and_what_is_said_of_each_register(void **state)
{
    enum meta_op op;
    enum meta_scan scan;

    (void)state;
    for (unsigned n = 0; kinds(n, &op, &scan); n++) {
        struct vs_buf ask = { 0 }, answer = { 0 };
        struct meta_wire_asked q;
        struct asker a;

        asker_init(&a, op, scan);
        assert_int_equal(meta_wire_ask(&a.req, &cluster, &ask), 0);
        assert_int_equal(meta_wire_asked(ask.data, ask.len, &q), 0);
        answer_fill(&q.req, -VS_EEXISTS_OTHER);
        assert_int_equal(meta_wire_answer(&q.req, &answer), 0);
        assert_int_equal(meta_wire_answered(answer.data, answer.len, &a.req), 0);
        assert_int_equal(a.req.status, -VS_EEXISTS_OTHER);
        assert_int_equal(a.req.bytes.len, 0);
        assert_int_equal(a.req.dirents_count + a.req.nodes_count + a.req.scan_count, 0);
        assert_int_equal(a.regs[1].status, meta_wire_op_regs(op) ? -ESTALE : 0);
        assert_int_equal(a.req.attr.ino, op == META_CONTENT || op == META_MEDIA ? 42 : 0);
        meta_wire_asked_close(&q);
        asker_close(&a);
        vs_buf_close(&ask);
        vs_buf_close(&answer);
    }
}

static void who_answers_can_be_asked(void **state)
{
    struct meta_wire_hello is = { .pid = 3, .inc = 99, .cluster = cluster, .leads = true };
    struct vs_buf ask = { 0 }, answer = { 0 };
    struct meta_wire_hello h;
    struct meta_wire_asked q;

    (void)state;
    assert_int_equal(meta_wire_ask_hello(&ask), 0);
    assert_int_equal(meta_wire_asked(ask.data, ask.len, &q), 0);
    assert_true(q.hello);
    meta_wire_asked_close(&q);
    assert_int_equal(meta_wire_answer_hello(&is, &answer), 0);
    assert_int_equal(meta_wire_answered_hello(answer.data, answer.len, &h), 0);
    assert_int_equal(h.pid, 3);
    assert_int_equal(h.inc, 99);
    assert_true(h.leads);
    assert_int_equal(vs_id_cmp(&h.cluster, &cluster), 0);
    assert_int_equal(h.members.count, 0);
    is.members = (struct member_set){
        .epoch = 2, .count = 3, .member = { { 1, "http://a:1" }, { 4, "" }, { 3, "http://c:3" } }
    };
    answer.len = 0;
    assert_int_equal(meta_wire_answer_hello(&is, &answer), 0);
    assert_true(answer.len <= META_WIRE_HELLO_BYTES_MAX);
    assert_int_equal(meta_wire_answered_hello(answer.data, answer.len, &h), 0);
    assert_true(member_set_same(&h.members, &is.members));
    is.members.count = 2; /* no cluster has two */
    assert_int_equal(meta_wire_answer_hello(&is, &answer), -EINVAL);
    assert_int_equal(meta_wire_answered_hello(ask.data, ask.len, &h), -VS_ECORRUPT);
    vs_buf_close(&ask);
    vs_buf_close(&answer);
}

/* The bytes where nothing lies behind them, so that a look beyond is seen by the sanitizer. */
static uint8_t *exact(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    VS_ASSERT(copy != NULL);
    memcpy(copy, bytes, len);
    return copy;
}

static void sum(uint8_t *bytes, size_t len)
{
    uint32_t crc;

    if (len < 12)
        return;
    crc = vs_crc32c(0, bytes, len - 4);
    for (unsigned i = 0; i < 4; i++)
        bytes[len - 4 + i] = (uint8_t)(crc >> 8 * i);
}

static int try_ask(const uint8_t *bytes, size_t len)
{
    struct meta_wire_asked q;
    int r = meta_wire_asked(bytes, len, &q);

    if (r == 0)
        meta_wire_asked_close(&q);
    return r;
}

static int try_answer(const uint8_t *bytes, size_t len, enum meta_op op, enum meta_scan scan)
{
    struct asker a;
    int r;

    asker_init(&a, op, scan);
    r = meta_wire_answered(bytes, len, &a.req);
    asker_close(&a);
    return r;
}

/* Frames of one operation, both ways. */
static void frames(enum meta_op op, enum meta_scan scan, struct vs_buf *ask, struct vs_buf *answer)
{
    struct meta_wire_asked q;
    struct asker a;

    asker_init(&a, op, scan);
    assert_int_equal(meta_wire_ask(&a.req, &cluster, ask), 0);
    assert_int_equal(meta_wire_asked(ask->data, ask->len, &q), 0);
    answer_fill(&q.req, 0);
    assert_int_equal(meta_wire_answer(&q.req, answer), 0);
    meta_wire_asked_close(&q);
}

/* Cut anywhere, with a checksum that fits. */
static void every_truncation_is_refused(void **state)
{
    enum meta_op op;
    enum meta_scan scan;

    (void)state;
    for (unsigned n = 0; kinds(n, &op, &scan); n++) {
        struct vs_buf ask = { 0 }, answer = { 0 };

        frames(op, scan, &ask, &answer);
        for (size_t len = 0; len < ask.len; len++) {
            uint8_t *cut = exact(ask.data, len);

            sum(cut, len);
            assert_int_equal(try_ask(cut, len), -VS_ECORRUPT);
            free(cut);
        }
        for (size_t len = 0; len < answer.len; len++) {
            uint8_t *cut = exact(answer.data, len);

            sum(cut, len);
            assert_int_equal(try_answer(cut, len, op, scan), -VS_ECORRUPT);
            free(cut);
        }
        vs_buf_close(&ask);
        vs_buf_close(&answer);
    }
}

/* A changed byte is refused by the checksum; with a checksum that fits it may mean something else,
 * but nothing out of bounds is touched. */
static void every_changed_byte_is_refused_or_harmless(void **state)
{
    enum meta_op op;
    enum meta_scan scan;

    (void)state;
    for (unsigned n = 0; kinds(n, &op, &scan); n++) {
        struct vs_buf ask = { 0 }, answer = { 0 };

        frames(op, scan, &ask, &answer);
        for (size_t at = 0; at < ask.len + answer.len; at++) {
            bool is_ask = at < ask.len;
            const struct vs_buf *of = is_ask ? &ask : &answer;
            size_t where = is_ask ? at : at - ask.len;

            for (unsigned flip = 1; flip < 256; flip = flip * 3 + 1) {
                uint8_t *bytes = exact(of->data, of->len);

                bytes[where] ^= (uint8_t)flip;
                assert_true(
                    (is_ask ? try_ask(bytes, of->len) : try_answer(bytes, of->len, op, scan)) < 0);
                sum(bytes, of->len);
                (void)(is_ask ? try_ask(bytes, of->len) : try_answer(bytes, of->len, op, scan));
                free(bytes);
            }
        }
        vs_buf_close(&ask);
        vs_buf_close(&answer);
    }
}

static void an_unknown_operation_or_a_newer_format_is_refused(void **state)
{
    struct vs_buf ask = { 0 }, answer = { 0 };

    (void)state;
    frames(META_GETATTR, META_SCAN_SESSIONS, &ask, &answer);
    ask.data[4] = META_WIRE_FORMAT + 1;
    sum(ask.data, ask.len);
    assert_int_equal(try_ask(ask.data, ask.len), -VS_ENEWER);
    ask.data[4] = META_WIRE_FORMAT;
    ask.data[5] = OPS + 1;
    sum(ask.data, ask.len);
    assert_int_equal(try_ask(ask.data, ask.len), -VS_ECORRUPT);
    answer.data[4] = META_WIRE_FORMAT + 1;
    sum(answer.data, answer.len);
    assert_int_equal(try_answer(answer.data, answer.len, META_GETATTR, 0), -VS_ENEWER);
    vs_buf_close(&ask);
    vs_buf_close(&answer);
}

static void an_answer_to_another_operation_or_with_too_much_is_refused(void **state)
{
    struct vs_buf ask = { 0 }, answer = { 0 };
    struct asker a;

    (void)state;
    frames(META_GETATTR, META_SCAN_SESSIONS, &ask, &answer);
    assert_int_equal(try_answer(answer.data, answer.len, META_LOOKUP, 0), -VS_ECORRUPT);
    ask.len = answer.len = 0;
    frames(META_READDIR, META_SCAN_SESSIONS, &ask, &answer);
    asker_init(&a, META_READDIR, META_SCAN_SESSIONS);
    a.req.dirents_max = 1;
    assert_int_equal(meta_wire_answered(answer.data, answer.len, &a.req), -VS_ECORRUPT);
    vs_buf_close(&ask);
    vs_buf_close(&answer);
}

static void what_is_beyond_a_limit_is_not_sent(void **state)
{
    static char name[META_WIRE_NAME_BYTES_MAX + 1];
    static uint8_t value[PX_VALUE_BYTES_MAX + 1];
    struct vs_buf ask = { 0 };
    struct asker a;

    (void)state;
    asker_init(&a, META_LOOKUP, META_SCAN_SESSIONS);
    a.req.name = name;
    a.req.name_len = sizeof(name);
    assert_int_equal(meta_wire_ask(&a.req, &cluster, &ask), -ENAMETOOLONG);
    a.req.op = META_GETXATTR;
    assert_int_equal(meta_wire_ask(&a.req, &cluster, &ask), -ERANGE);
    asker_init(&a, META_REG_CREATE, META_SCAN_SESSIONS);
    a.regs[2].value = value;
    a.regs[2].value_len = sizeof(value);
    assert_int_equal(meta_wire_ask(&a.req, &cluster, &ask), -EMSGSIZE);
    a.req.reg_count = META_REGISTER_BATCH_MAX + 1;
    assert_int_equal(meta_wire_ask(&a.req, &cluster, &ask), -EINVAL);
    asker_init(&a, META_SCAN, (enum meta_scan)99);
    assert_int_equal(meta_wire_ask(&a.req, &cluster, &ask), -EINVAL);
    asker_init(&a, META_CHANGE, META_SCAN_SESSIONS);
    a.entry.kind = (enum ns_entry_kind)99;
    assert_int_equal(meta_wire_ask(&a.req, &cluster, &ask), -EINVAL);
    assert_int_equal(ask.len, 0);
    vs_buf_close(&ask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_and_its_answer_arrive_as_they_were),
        cmocka_unit_test(a_failed_request_says_its_error_and_what_is_said_of_each_register),
        cmocka_unit_test(who_answers_can_be_asked),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_refused_or_harmless),
        cmocka_unit_test(an_unknown_operation_or_a_newer_format_is_refused),
        cmocka_unit_test(an_answer_to_another_operation_or_with_too_much_is_refused),
        cmocka_unit_test(what_is_beyond_a_limit_is_not_sent),
    };

    return cmocka_run_group_tests_name("meta_wire", tests, NULL, NULL);
}
