/* Entries and questions by hand, for tests of the namespace. The invariants: ns_invariants.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/codec.h"
#include "common/err.h"
#include "meta/ns_entry.h"
#include "meta/ns_read.h"
#include "tests/support/ns_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_BYTES_MAX (1u << 30)

void nsf_init(struct nsf *f)
{
    *f = (struct nsf){ .now = { 1000000000, 0 } };
    assert_int_equal(kv_mem_new(&f->kv), 0);
    assert_int_equal(ns_apply_new(&f->apply, f->kv), 0);
}

void nsf_open(struct nsf *f)
{
    struct ns_entry e = { .kind = NS_E_CLUSTER, .cluster = { "cluster of tests" } };

    nsf_init(f);
    e.attr.uid = e.attr.gid = 7;
    assert_int_equal(nsf_do(f, &e), 0);
}

void nsf_close(struct nsf *f)
{
    ns_apply_free(f->apply);
    kv_close(f->kv);
    vs_buf_close(&f->log);
}

int nsf_setup(void **state)
{
    static struct nsf f;

    nsf_open(&f);
    *state = &f;
    return 0;
}

int nsf_teardown(void **state)
{
    nsf_check(*state);
    nsf_close(*state);
    return 0;
}

int nsf_do(struct nsf *f, struct ns_entry *e)
{
    struct vs_buf bytes = { 0 };
    struct vs_wr w = vs_wr_init(&f->log, LOG_BYTES_MAX);
    struct ns_entry decoded;
    void *ids = NULL;
    int r;

    f->now.s++;
    e->now = f->now;
    r = ns_entry_encode(e, &bytes);
    if (r < 0) {
        vs_buf_close(&bytes);
        f->answer = (struct ns_answer){ .status = r };
        return r;
    }
    vs_wr_blob(&w, bytes.data, bytes.len);
    assert_int_equal(w.err, 0);
    assert_int_equal(ns_entry_decode(bytes.data, bytes.len, &decoded, &ids), 0);
    assert_int_equal(ns_apply_entry(f->apply, ++f->slot, &decoded, &f->answer), 0);
    free(ids);
    vs_buf_close(&bytes);
    return f->answer.status;
}

/* ---- entries -----------------------------------------------------------------------------------
 */

static int64_t nsf_number(struct nsf *f, int r)
{
    return r < 0 ? r : (int64_t)f->answer.attr.ino;
}

static struct ns_entry nsf_named(enum ns_entry_kind kind, uint64_t parent, const char *name)
{
    return (
        struct ns_entry){ .kind = kind, .parent = parent, .name = name, .name_len = strlen(name) };
}

int64_t nsf_make(struct nsf *f, uint64_t parent, const char *name, uint32_t mode)
{
    struct ns_entry e = nsf_named(NS_E_CREATE, parent, name);

    e.attr.mode = mode;
    e.attr.uid = 7;
    e.attr.gid = 7;
    return nsf_number(f, nsf_do(f, &e));
}

int64_t nsf_mkdir(struct nsf *f, uint64_t parent, const char *name)
{
    return nsf_make(f, parent, name, S_IFDIR | 0755);
}

static int64_t nsf_inline(struct nsf *f, uint64_t parent, const char *name, uint32_t mode,
                          const char *text)
{
    struct ns_entry e = nsf_named(NS_E_CREATE, parent, name);

    e.attr.mode = mode;
    e.content.kind = NS_CONTENT_INLINE;
    e.content.bytes = text;
    e.content.bytes_len = strlen(text);
    e.content.size = e.content.data_bytes = e.content.stored_bytes = strlen(text);
    return nsf_number(f, nsf_do(f, &e));
}

int64_t nsf_file(struct nsf *f, uint64_t parent, const char *name, const char *text)
{
    return nsf_inline(f, parent, name, S_IFREG | 0644, text);
}

int64_t nsf_symlink(struct nsf *f, uint64_t parent, const char *name, const char *target)
{
    return nsf_inline(f, parent, name, S_IFLNK | 0777, target);
}

int nsf_link(struct nsf *f, uint64_t ino, uint64_t parent, const char *name)
{
    struct ns_entry e = nsf_named(NS_E_LINK, parent, name);

    e.ino = ino;
    return nsf_do(f, &e);
}

int nsf_unlink(struct nsf *f, uint64_t parent, const char *name)
{
    struct ns_entry e = nsf_named(NS_E_UNLINK, parent, name);

    return nsf_do(f, &e);
}

int nsf_rmdir(struct nsf *f, uint64_t parent, const char *name)
{
    struct ns_entry e = nsf_named(NS_E_RMDIR, parent, name);

    return nsf_do(f, &e);
}

int nsf_rename(struct nsf *f, uint64_t parent, const char *name, uint64_t new_parent,
               const char *new_name, uint32_t flags)
{
    struct ns_entry e = nsf_named(NS_E_RENAME, parent, name);

    e.new_parent = new_parent;
    e.new_name = new_name;
    e.new_name_len = strlen(new_name);
    e.flags = flags;
    return nsf_do(f, &e);
}

int nsf_forget(struct nsf *f, uint64_t ino)
{
    struct ns_entry e = { .kind = NS_E_FORGET, .ino = ino };

    return nsf_do(f, &e);
}

int nsf_publish(struct nsf *f, uint64_t parent, const char *name, uint8_t taken)
{
    struct ns_entry e = nsf_named(NS_E_PUBLISH, parent, name);

    e.taken = taken;
    return nsf_do(f, &e);
}

int nsf_setxattr(struct nsf *f, uint64_t ino, const char *name, const char *value, uint32_t flags)
{
    struct ns_entry e = nsf_named(NS_E_SETXATTR, 0, name);

    e.ino = ino;
    e.value = value;
    e.value_len = strlen(value);
    e.flags = flags;
    return nsf_do(f, &e);
}

uint64_t nsf_session(struct nsf *f, uint64_t count)
{
    struct ns_entry e = { .kind = NS_E_SESSION_OPEN, .count = count, .pid = 1, .inc = 1 };

    assert_int_equal(nsf_do(f, &e), 0);
    return f->answer.session;
}

void nsf_manifest(struct vs_buf *ret, uint32_t segments, uint64_t seq, uint8_t sha)
{
    struct mf_segment_ref *refs = calloc(segments, sizeof(*refs));
    struct mf_head head = { .size = (uint64_t)segments << 20,
                            .chunk_count = segments,
                            .has_sha = sha != 0,
                            .segments = refs,
                            .segment_count = segments };

    assert_non_null(refs);
    memset(head.sha256, sha, sizeof(head.sha256));
    for (uint32_t i = 0; i < segments; i++)
        refs[i] = (struct mf_segment_ref){ .id = vs_id_make(1, 1, seq + i, VS_ID_SEGMENT),
                                           .offset = (uint64_t)i << 20,
                                           .count = 1 };
    assert_int_equal(mf_head_encode(&head, ret), 0);
    free(refs);
}

void nsf_content(struct ns_entry *e, const struct vs_buf *head, uint32_t segments, uint64_t session)
{
    e->content.kind = NS_CONTENT_CHUNKS;
    e->content.bytes = head->data;
    e->content.bytes_len = head->len;
    e->content.size = e->content.data_bytes = (uint64_t)segments << 20;
    e->content.stored_bytes = e->content.size * 5 / 3;
    e->content.session = session;
}

int64_t nsf_big_file(struct nsf *f, uint64_t parent, const char *name, uint32_t segments,
                     uint8_t sha)
{
    struct ns_entry e = nsf_named(NS_E_CREATE, parent, name);
    uint64_t session = nsf_session(f, segments);
    struct vs_buf head = { 0 };
    int r;

    nsf_manifest(&head, segments, f->answer.first, sha);
    nsf_content(&e, &head, segments, session);
    e.attr.mode = S_IFREG | 0644;
    r = nsf_do(f, &e);
    vs_buf_close(&head);
    return nsf_number(f, r);
}

/* ---- questions ---------------------------------------------------------------------------------
 */

int nsf_read(struct nsf *f, struct meta_req *r)
{
    return ns_read(f->kv, r);
}

int nsf_lookup(struct nsf *f, uint64_t parent, const char *name, struct ns_attr *ret)
{
    struct meta_req r = {
        .op = META_LOOKUP, .ino = parent, .name = name, .name_len = strlen(name)
    };
    int err = nsf_read(f, &r);

    if (err == 0)
        *ret = r.attr;
    return err;
}

uint64_t nsf_ino(struct nsf *f, uint64_t parent, const char *name)
{
    struct ns_attr attr;

    return nsf_lookup(f, parent, name, &attr) == 0 ? attr.ino : 0;
}

struct ns_attr nsf_attr(struct nsf *f, uint64_t ino)
{
    struct meta_req r = { .op = META_GETATTR, .ino = ino };

    assert_int_equal(nsf_read(f, &r), 0);
    return r.attr;
}

struct meta_stats nsf_stats(struct nsf *f)
{
    struct meta_req r = { .op = META_STATS };

    assert_int_equal(nsf_read(f, &r), 0);
    return r.stats;
}

uint32_t nsf_scan_ids(struct nsf *f, enum meta_scan scan, struct vs_id *ids, uint32_t max)
{
    struct meta_req r = { .op = META_SCAN, .scan = scan, .scan_ids = ids, .scan_max = max };

    assert_int_equal(nsf_read(f, &r), 0);
    return r.scan_count;
}

uint32_t nsf_scan_u64(struct nsf *f, enum meta_scan scan, uint64_t *n, uint32_t max)
{
    struct meta_req r = { .op = META_SCAN, .scan = scan, .scan_u64 = n, .scan_max = max };

    assert_int_equal(nsf_read(f, &r), 0);
    return r.scan_count;
}
